#include "dispatch/request.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "base/poison.h"
#include "channel/cancel_scope.h"
#include "dispatch/request_stream.h"
#include "net/clock.h"
#include "net/socket.h"
#include "net/wakeup.h"
#include "run/thread.h"

#include <assert.h>

enum {
	SPARES_MOST = 64,        /* requests kept for the next calls */
	BUDGET_BASE = 64 * 1024, /* what decoding may cost: this, and */
	BUDGET_FACTOR = 16,      /* so many bytes for each byte that came */
};

void brine_request_list_add(struct brine_request_list *list, struct brine_request *request)
{
	request->previous = NULL;
	request->next = list->first;
	if (list->first)
		list->first->previous = request;
	list->first = request;
}

void brine_request_list_remove(struct brine_request_list *list, struct brine_request *request)
{
	if (request->previous)
		request->previous->next = request->next;
	else
		list->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
}

struct brine_request *brine_request_find(const struct brine_request_list *list, uint64_t serial)
{
	struct brine_request *request = list->first;
	while (request && request->serial != serial)
		request = request->next;
	return request;
}

/* A used request keeps its arena's first block, so that a busy server allocates nothing. */
static struct brine_request *take_spare(struct brine_host *host)
{
	struct brine_request *request = host->spares;
	if (request) {
		ASAN_UNPOISON_MEMORY_REGION(request, sizeof *request);
		host->spares = request->next;
		host->spare_count--;
		return request;
	}
	request = brine_alloc_zero(host->allocator, sizeof *request);
	if (request) {
		request->host = host;
		request->wakeup = -1;
		brine_arena_init(&request->arena, host->allocator, 0);
		brine_buf_init(&request->encoded, host->allocator);
	}
	return request;
}

static void drop_peer_client(struct brine_request *request)
{
	if (request->peer_client)
		request->host->ops->drop_client(request->peer_client);
	request->peer_client = NULL;
}

static void close_wakeup(struct brine_request *request)
{
	brine_socket_close(request->wakeup);
	request->wakeup = -1;
}

/* A request that has ended makes room for another one of its method. */
static void release_method_limit(struct brine_request *request)
{
	if (request->entry.method_limit)
		brine_method_limit_release(request->entry.method_limit);
	request->entry.method_limit = NULL;
}

static void keep_as_spare(struct brine_host *host, struct brine_request *request)
{
	if (host->spare_count == SPARES_MOST || !brine_meter_may_hoard(host->meter)) {
		brine_request_release(request);
		return;
	}
	release_method_limit(request);
	drop_peer_client(request);
	brine_cancel_scope_detach(&request->scope, true);
	close_wakeup(request);
	brine_request_stream_free(request->stream, host->allocator);
	request->stream = NULL;
	brine_arena_reset(&request->arena);
	brine_buf_take(&request->encoded, brine_buf_size(&request->encoded));
	request->next = host->spares;
	host->spares = request;
	host->spare_count++;
	ASAN_POISON_MEMORY_REGION(request, sizeof *request);
	ASAN_UNPOISON_MEMORY_REGION(&request->next, sizeof request->next);
	ASAN_UNPOISON_MEMORY_REGION(&request->arena, sizeof request->arena);
	ASAN_UNPOISON_MEMORY_REGION(&request->encoded, sizeof request->encoded);
}

void brine_request_release(struct brine_request *request)
{
	const struct brine_allocator *allocator = request->host->allocator;
	release_method_limit(request);
	drop_peer_client(request);
	brine_cancel_scope_detach(&request->scope, false);
	close_wakeup(request);
	brine_request_stream_free(request->stream, allocator);
	brine_arena_done(&request->arena);
	brine_buf_done(&request->encoded);
	brine_release(allocator, request, sizeof *request);
}

static void release_spares(struct brine_host *host)
{
	while (host->spares) {
		struct brine_request *request = host->spares;
		ASAN_UNPOISON_MEMORY_REGION(request, sizeof *request);
		host->spares = request->next;
		brine_request_release(request);
	}
	host->spare_count = 0;
}

bool brine_requests_make_room(struct brine_host *host)
{
	release_spares(host);
	return !brine_meter_is_short(host->meter);
}

void brine_requests_done(struct brine_host *host)
{
	release_spares(host);
	brine_buf_done(&host->scratch);
}

/* Copies what the event borrows from the connection. */
static bool copy_event(struct brine_request *request, const struct brine_event *event)
{
	struct brine_arena *arena = &request->arena;
	size_t size = event->method.size + event->params.size + event->metadata.size;
	arena->budget = size < SIZE_MAX / BUDGET_FACTOR - BUDGET_BASE ? size * BUDGET_FACTOR + BUDGET_BASE : SIZE_MAX;
	const char *method = brine_arena_copy(arena, event->method.data, event->method.size);
	const void *params = brine_arena_copy(arena, event->params.data, event->params.size);
	const void *metadata =
	        event->metadata.size ? brine_arena_copy(arena, event->metadata.data, event->metadata.size) : "";
	request->method = (struct brine_str){method, event->method.size};
	request->params = (struct brine_bytes){params, event->params.size};
	request->metadata = (struct brine_bytes){metadata, event->metadata.size};
	return method && params && metadata;
}

struct brine_request *brine_request_new(struct brine_channel *channel, const struct brine_entry *entry,
                                        const struct brine_event *event)
{
	struct brine_host *host = channel->host;
	struct brine_request *request = take_spare(host);
	if (!request)
		return NULL;
	bool streams = entry->flags & (BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD);
	if (streams)
		request->stream = brine_request_stream_new(host->allocator);
	if ((streams && !request->stream) || !copy_event(request, event)) {
		keep_as_spare(host, request);
		return NULL;
	}
	request->channel = channel;
	request->entry = *entry;
	request->serial = event->type == BRINE_EVENT_REQUEST ? event->serial : 0;
	request->deadline_ms = event->type == BRINE_EVENT_REQUEST ? event->deadline_ms : BRINE_FOREVER;
	request->peer = channel->peer;
	request->plain = event->plain;
	request->answer = (struct brine_answer){0};
	request->attached = NULL;
	request->entered = 0;
	request->held_posts = 0;
	request->holds_posts = false;
	request->handler_ended = request->answer_waits = request->delivered = false;
	request->wake_due = request->woken = request->is_notifying = false;
	request->on_ready = NULL;
	atomic_store_explicit(&request->answered, false, memory_order_relaxed);
	atomic_store_explicit(&request->ended, 0, memory_order_relaxed);
	brine_request_list_add(&channel->requests, request);
	return request;
}

void brine_request_end(struct brine_request *request)
{
	struct brine_host *host = request->host;
	brine_request_list_remove(request->channel ? &request->channel->requests : &host->orphans, request);
	keep_as_spare(host, request);
	if (host->ops->ended)
		host->ops->ended(host);
}

void brine_request_finish_if_done(struct brine_request *request)
{
	if (request->handler_ended && request->delivered && !request->is_notifying)
		brine_request_end(request);
}

void brine_request_keep(struct brine_request *request)
{
	assert(!request->is_notifying);
	request->is_notifying = true;
}

void brine_request_let_go(struct brine_request *request)
{
	request->is_notifying = false;
	brine_request_finish_if_done(request);
}

static void signal_wakeup(struct brine_request *request)
{
	struct brine_host *host = request->host;
	pthread_mutex_lock(&host->lock);
	if (request->wakeup >= 0)
		brine_wakeup_signal(request->wakeup);
	pthread_mutex_unlock(&host->lock);
}

void brine_request_cancel(struct brine_request *request, int status)
{
	int none = 0;
	if (!atomic_compare_exchange_strong(&request->ended, &none, status))
		return;
	/* What runs on behind an answer runs for itself. */
	if (!atomic_load_explicit(&request->answered, memory_order_acquire))
		brine_cancel_scope_cancel(atomic_load(&request->scope), status);
	signal_wakeup(request);
	if (request->stream)
		brine_request_stream_cancel(request->stream);
	if (request->answer_waits)
		brine_request_deliver(request);
	else
		brine_request_wake(request);
}

void brine_request_wake(struct brine_request *request)
{
	request->wake_due = !request->handler_ended;
	if (request->handler_ended && !atomic_load_explicit(&request->answered, memory_order_acquire))
		request->host->ops->wake(request);
}

void brine_request_call_back(struct brine_request *request)
{
	struct brine_host *host = request->host;
	pthread_mutex_lock(&host->lock);
	void (*on_ready)(struct brine_request * request, void *user) = request->on_ready;
	void *user = request->on_ready_user;
	pthread_mutex_unlock(&host->lock);
	if (on_ready)
		on_ready(request, user);
}

int brine_request_check(const struct brine_request *request)
{
	return brine_fork_guard_is_child(request->host->fork_guard) ? BRINE_ERR_FORKED : 0;
}

void brine_request_on_ready(struct brine_request *request, void (*on_ready)(struct brine_request *request, void *user),
                            void *user)
{
	if (!request)
		return;
	struct brine_host *host = request->host;
	if (brine_request_check(request) < 0)
		return;
	pthread_mutex_lock(&host->lock);
	request->on_ready = on_ready;
	request->on_ready_user = user;
	pthread_mutex_unlock(&host->lock);
	/* What it waits for may have happened already. */
	if (atomic_load_explicit(&request->ended, memory_order_acquire))
		host->ops->post(request, BRINE_POST_READY);
}

void brine_request_orphan(struct brine_request *request)
{
	struct brine_host *host = request->host;
	brine_request_list_remove(&request->channel->requests, request);
	pthread_mutex_lock(&host->lock);
	request->channel = NULL;
	pthread_mutex_unlock(&host->lock);
	brine_request_list_add(&host->orphans, request);
	brine_request_cancel(request, BRINE_ERR_LOST);
}

bool brine_request_watch_channel(struct brine_request *request, struct brine_channel_watch *watch)
{
	struct brine_host *host = request->host;
	pthread_mutex_lock(&host->lock);
	struct brine_channel *channel = request->channel;
	if (channel) {
		watch->next = channel->watches;
		channel->watches = watch;
	}
	pthread_mutex_unlock(&host->lock);
	return channel;
}

void brine_request_log(struct brine_request *request, const char *what, const char *detail)
{
	struct brine_host *host = request->host;
	char shown[BRINE_LOG_TEXT_SIZE];
	if (brine_request_check(request) < 0)
		return;
	brine_escape(shown, sizeof shown, request->method.data, request->method.size);
	/* The server may be released meanwhile; then there is nobody to tell. */
	int state = brine_thread_defer_cancel();
	pthread_mutex_lock(&host->lock);
	if (host->log)
		brine_log_print(host->log, brine_clock_ms(), "'%s' of %s: %s: %s", shown, request->peer.address, what,
		                detail);
	pthread_mutex_unlock(&host->lock);
	brine_thread_allow_cancel(state);
}

struct brine_str brine_request_method(const struct brine_request *request)
{
	return request ? request->method : (struct brine_str){NULL, 0};
}

bool brine_request_is_notification(const struct brine_request *request)
{
	return request && request->serial == 0;
}

bool brine_request_cancelled(const struct brine_request *request)
{
	if (!request)
		return true;
	return atomic_load_explicit(&request->ended, memory_order_acquire) != 0 ||
	       brine_request_remaining_ms(request) == 0;
}

int brine_request_cancelled_fd(struct brine_request *request)
{
	if (!request)
		return BRINE_ERR_INVALID;
	struct brine_host *host = request->host;
	int status = brine_request_check(request);
	if (status < 0)
		return status;
	pthread_mutex_lock(&host->lock);
	if (request->wakeup < 0) {
		request->wakeup = brine_wakeup_new();
		/* It may have happened already. */
		if (request->wakeup >= 0 && atomic_load_explicit(&request->ended, memory_order_acquire))
			brine_wakeup_signal(request->wakeup);
	}
	int fd = request->wakeup;
	pthread_mutex_unlock(&host->lock);
	return fd < 0 ? BRINE_ERR_SYSTEM : fd;
}

uint64_t brine_request_remaining_ms(const struct brine_request *request)
{
	if (!request)
		return 0;
	if (request->deadline_ms == BRINE_FOREVER)
		return BRINE_FOREVER;
	uint64_t now_ms = brine_clock_ms();
	return request->deadline_ms > now_ms ? request->deadline_ms - now_ms : 0;
}

struct brine_bytes brine_request_metadata(const struct brine_request *request)
{
	return request ? request->metadata : (struct brine_bytes){NULL, 0};
}

struct brine_client *brine_request_client(struct brine_request *request)
{
	if (!request || brine_request_check(request) < 0)
		return NULL;
	if (!request->peer_client)
		request->peer_client = request->host->ops->peer_client(request);
	return request->peer_client;
}

const struct brine_peer *brine_request_peer(const struct brine_request *request)
{
	return request ? &request->peer : NULL;
}

static struct brine_attached *find_attached(const struct brine_request *request, const void *key)
{
	struct brine_attached *at = request->attached;
	while (at && at->key != key)
		at = at->next;
	return at;
}

int brine_request_attach(struct brine_request *request, const void *key, void *value)
{
	if (!request)
		return BRINE_ERR_INVALID;
	struct brine_attached *at = find_attached(request, key);
	if (!at) {
		at = brine_arena_alloc(&request->arena, sizeof *at);
		if (!at)
			return BRINE_ERR_NOMEM;
		*at = (struct brine_attached){request->attached, key, NULL};
		request->attached = at;
	}
	at->value = value;
	return 0;
}

void *brine_request_attached(const struct brine_request *request, const void *key)
{
	const struct brine_attached *at = request ? find_attached(request, key) : NULL;
	return at ? at->value : NULL;
}

int64_t brine_request_code(const struct brine_request *request)
{
	return request && request->answer.is_error ? request->answer.code : 0;
}

void *brine_request_alloc(struct brine_request *request, size_t size)
{
	return request ? brine_arena_alloc(&request->arena, size) : NULL;
}

struct brine_str brine_request_printf(struct brine_request *request, const char *format, ...)
{
	if (!request)
		return (struct brine_str){NULL, 0};
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&request->arena, format, arguments);
	va_end(arguments);
	return text;
}
