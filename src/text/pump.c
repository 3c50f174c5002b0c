#include "text/pump.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/poll_set.h"
#include "net/wakeup.h"
#include "run/thread.h"
#include "text/text.h"
#include "text/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CHUNK_SIZE = 64 * 1024 };

struct text_pump {
	atomic_uint holders; /* its maker and its thread */
	struct brine_text *text;
	pthread_t thread;
	int fd;     /* out; -1: closed */
	int wakeup; /* wakes it */
	atomic_bool drains, stops;
	char stream[TEXT_STREAM_MAX + 1];
	void (*on_lost)(void *user);
	void *user;
	struct text_sink sink;
	int status;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_over; /* guarded by the lock */
	char *chunk;  /* out: CHUNK_SIZE bytes */
};

static void drop(struct text_pump *pump)
{
	if (atomic_fetch_sub(&pump->holders, 1) > 1)
		return;
	if (pump->fd >= 0)
		close(pump->fd);
	if (pump->wakeup >= 0)
		close(pump->wakeup);
	if (pump->sink.release)
		pump->sink.release(pump->sink.user);
	pthread_cond_destroy(&pump->changed);
	pthread_mutex_destroy(&pump->lock);
	const struct brine_allocator *allocator = pump->text->allocator;
	brine_text_drop(pump->text);
	brine_release(allocator, pump->chunk, CHUNK_SIZE);
	brine_release(allocator, pump, sizeof *pump);
}

static void finish(struct text_pump *pump, int status)
{
	pthread_mutex_lock(&pump->lock);
	pump->status = status;
	pump->is_over = true;
	pthread_cond_broadcast(&pump->changed);
	pthread_mutex_unlock(&pump->lock);
	drop(pump);
}

/* ---- out ---- */

/* Waits for bytes; false: there is nothing more to carry. */
static bool await_bytes(struct text_pump *pump)
{
	struct brine_poll_set set = {.count = 0};
	/* What was there when the drain began is read before the end is believed. */
	if (atomic_load(&pump->stops) || atomic_load(&pump->drains))
		return false;
	brine_poll_set_add(&set, pump->fd, BRINE_READABLE);
	brine_poll_set_add(&set, pump->wakeup, BRINE_READABLE);
	return brine_poll_set_wait(&set, BRINE_FOREVER) >= 0 || errno == EINTR;
}

/* Reads what is there: the size, 0 at the end. A terminal's master says EIO when nobody has the terminal any more. */
static size_t take_bytes(struct text_pump *pump)
{
	for (;;) {
		ssize_t got = read(pump->fd, pump->chunk, CHUNK_SIZE);
		if (got > 0)
			return (size_t)got;
		if (got == 0 || (errno != EINTR && errno != EAGAIN))
			return 0;
		if (errno == EAGAIN && !await_bytes(pump))
			return 0;
	}
}

static void *run_out(void *argument)
{
	struct text_pump *pump = argument;
	size_t size;
	int status = 0;
	while (status == 0 && !atomic_load(&pump->stops) && (size = take_bytes(pump)) > 0)
		status = brine_text_send(pump->text, pump->stream, pump->chunk, size);
	close(pump->fd);
	pump->fd = -1;
	if (status < 0 && pump->on_lost)
		pump->on_lost(pump->user);
	finish(pump, status);
	return NULL;
}

/* ---- in ---- */

static void *run_in(void *argument)
{
	struct text_pump *pump = argument;
	struct brine_text_piece piece;
	struct text_in *in = &pump->text->in;
	int status;
	brine_text_in_lend(in);
	while ((status = brine_text_receive(pump->text, &piece)) > 0 && !atomic_load(&pump->stops) &&
	       !atomic_load(&in->is_abandoned)) {
		status = pump->sink.put(pump, &piece, pump->sink.user);
		if (status < 0)
			break;
	}
	brine_text_in_give_back(in);
	if (!atomic_load(&pump->stops))
		pump->sink.end(pump, pump->sink.user);
	finish(pump, status < 0 ? status : 0);
	return NULL;
}

int brine_text_pump_write(struct text_pump *pump, int fd, const void *data, size_t size)
{
	const char *at = data;
	while (size > 0) {
		struct brine_poll_set set = {.count = 0};
		/* The signal that a broken pipe raises is blocked in threads of ours. */
		ssize_t written = write(fd, at, size);
		if (written >= 0) {
			at += written;
			size -= (size_t)written;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return BRINE_ERR_SYSTEM;
		brine_poll_set_add(&set, fd, BRINE_WRITABLE);
		brine_poll_set_add(&set, pump->wakeup, BRINE_READABLE);
		(void)brine_poll_set_wait(&set, BRINE_FOREVER);
		if (atomic_load(&pump->stops))
			return BRINE_ERR_CANCELLED;
	}
	return 0;
}

bool brine_text_pump_rest(struct text_pump *pump, uint64_t duration_ms)
{
	uint64_t until_ms = brine_text_until(duration_ms);
	while (!atomic_load(&pump->stops) && brine_clock_ms() < until_ms) {
		struct brine_poll_set set = {.count = 0};
		brine_poll_set_add(&set, pump->wakeup, BRINE_READABLE);
		(void)brine_poll_set_wait(&set, until_ms);
	}
	return atomic_load(&pump->stops);
}

/* ---- making and ending ---- */

static int new_pump(struct text_pump **ret_pump, struct brine_text *text)
{
	struct text_pump *pump = brine_alloc_zero(text->allocator, sizeof *pump);
	if (!pump)
		return BRINE_ERR_NOMEM;
	atomic_init(&pump->holders, 1);
	pump->text = text;
	pump->fd = -1;
	brine_text_hold(text);
	pthread_mutex_init(&pump->lock, NULL);
	brine_text_condition_init(&pump->changed);
	pump->wakeup = brine_wakeup_new();
	if (pump->wakeup < 0) {
		drop(pump);
		return BRINE_ERR_SYSTEM;
	}
	*ret_pump = pump;
	return 0;
}

static int start(struct text_pump **ret_pump, struct text_pump *pump, void *(*run)(void *))
{
	atomic_fetch_add(&pump->holders, 1);
	int failure = brine_thread_start(&pump->thread, 0, run, pump);
	if (failure) {
		drop(pump);
		drop(pump);
		errno = failure;
		return BRINE_ERR_SYSTEM;
	}
	/* Its end is told by is_over: whoever leaves it need not join it. */
	pthread_detach(pump->thread);
	*ret_pump = pump;
	return 0;
}

int brine_text_pump_out(struct text_pump **ret_pump, struct brine_text *text, int fd, const char *stream,
                        void (*on_lost)(void *user), void *user)
{
	struct text_pump *pump;
	int status = new_pump(&pump, text);
	if (status < 0) {
		close(fd);
		return status;
	}
	pump->fd = fd;
	pump->on_lost = on_lost;
	pump->user = user;
	strncpy(pump->stream, stream, TEXT_STREAM_MAX);
	pump->chunk = brine_resize(text->allocator, NULL, 0, CHUNK_SIZE);
	if (!pump->chunk || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0) {
		status = pump->chunk ? BRINE_ERR_SYSTEM : BRINE_ERR_NOMEM;
		drop(pump);
		return status;
	}
	return start(ret_pump, pump, run_out);
}

int brine_text_pump_in(struct text_pump **ret_pump, struct brine_text *text, const struct text_sink *sink)
{
	struct text_pump *pump;
	int status = new_pump(&pump, text);
	if (status < 0 && sink->release)
		sink->release(sink->user);
	if (status < 0)
		return status;
	pump->sink = *sink;
	return start(ret_pump, pump, run_in);
}

void brine_text_pump_drain(struct text_pump *pump)
{
	atomic_store(&pump->drains, true);
	brine_wakeup_signal(pump->wakeup);
}

int brine_text_pump_wait(struct text_pump *pump, uint64_t timeout_ms)
{
	uint64_t until_ms = brine_text_until(timeout_ms);
	pthread_mutex_lock(&pump->lock);
	while (!pump->is_over && brine_text_wait(&pump->changed, &pump->lock, until_ms))
		;
	bool is_over = pump->is_over;
	pthread_mutex_unlock(&pump->lock);
	return is_over ? 0 : BRINE_ERR_DEADLINE;
}

void brine_text_pump_stop(struct text_pump *pump)
{
	atomic_store(&pump->stops, true);
	brine_wakeup_signal(pump->wakeup);
	/* Ends their waits for the peer; calls that have ended do not mind. */
	if (pump->text->client)
		brine_call_cancel(pump->chunk ? &pump->text->out.call : &pump->text->in.call);
}

int brine_text_pump_free(struct text_pump *pump)
{
	int status = pump ? pump->status : 0;
	if (pump)
		drop(pump);
	return status;
}

void brine_text_pump_leave(struct text_pump *pump)
{
	if (pump)
		drop(pump);
}
