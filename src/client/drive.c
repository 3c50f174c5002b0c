/* Moving bytes, in all three modes. A turn: send and connect what is due, wait without the lock, then read,
 * handle events, fire what is due and call back. */
#include "client/client.h"

#include "base/alloc.h"
#include "client/parent.h"
#include "net/clock.h"
#include "net/stream_watch.h"
#include "run/thread.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum {
	READS_MAX = 16, /* of one connection in a turn that does not wait */
};

/* ---- events ---- */

void brine_client_proven(struct brine_client *client, struct brine_channel *channel)
{
	channel->proven = true;
	client->connector.backoff_ms = client->connector.backoff_until_ms = 0;
	client->connector.last.code = 0;
}

void brine_client_take_events(struct brine_client *client, struct brine_channel *channel, uint64_t now_ms)
{
	/* Those of an attached client are pulled by its loop thread. */
	if (client->attached)
		return;
	while (!channel->closed && !(channel->backlog = brine_client_is_full(client)) &&
	       brine_channel_take_event(channel, now_ms))
		;
}

/* When the next look at a silent peer is due. Nothing is heard of one that is not read from. */
static uint64_t keepalive_due(const struct brine_client *client, const struct brine_channel *channel)
{
	if (channel->backlog || brine_client_is_full(client))
		return BRINE_FOREVER;
	return brine_channel_keepalive_due(channel, client->options.keepalive_ms);
}

/* ---- connections in a turn ---- */

/* Reads once. */
static bool read_channel(struct brine_client *client, struct brine_channel *channel, uint64_t now_ms)
{
	if (channel->closed || channel->backlog || brine_client_is_full(client) ||
	    !brine_channel_read(channel, client->input, now_ms))
		return false;
	brine_channel_heard(channel, now_ms);
	return true;
}

static void write_channel(struct brine_client *client, struct brine_channel *channel, uint64_t now_ms)
{
	if (!channel->closed)
		brine_channel_write(channel, client->input, now_ms);
}

/* What came, and what can go out, counts before the time that has passed: the thread may have been away. */
static void catch_up(struct brine_client *client, struct brine_channel *channel, uint64_t now_ms)
{
	for (int i = 0; i < READS_MAX && read_channel(client, channel, now_ms); i++)
		brine_client_take_events(client, channel, now_ms);
	write_channel(client, channel, now_ms);
}

/* Timers, events and output of one connection. */
static void serve_channel(struct brine_client *client, struct brine_channel *channel, uint64_t now_ms)
{
	struct brine_conn *conn = channel->conn;
	brine_client_take_events(client, channel, now_ms);
	if (now_ms >= brine_conn_deadline(conn) || now_ms >= keepalive_due(client, channel))
		catch_up(client, channel, now_ms);
	if (now_ms >= brine_conn_deadline(conn)) {
		brine_conn_tick(conn, now_ms);
		brine_client_take_events(client, channel, now_ms);
	}
	if (now_ms >= keepalive_due(client, channel))
		brine_channel_keep_alive(channel, client->options.keepalive_ms, now_ms);
	write_channel(client, channel, now_ms);
	brine_client_take_events(client, channel, now_ms);
	bool stuck = !channel->closed && channel->ended && !channel->dead && brine_channel_wants(channel) == 0;
	if (stuck && !channel->backlog && now_ms < brine_conn_deadline(conn)) {
		/* The peer's end came and nothing is left to write: no event could end the wait. */
		brine_channel_fail(channel, 0, now_ms);
		brine_client_take_events(client, channel, now_ms);
	}
}

static void close_channel(struct brine_client *client, struct brine_channel *channel)
{
	if (client->options.mode == BRINE_CLIENT_LOOP)
		brine_epoll_set_forget_stream(&client->epoll_set, channel->stream);
	if (client->current == channel)
		client->current = NULL;
	brine_client_detach_requests(client, channel);
	brine_channel_done(channel);
	brine_release(client->options.allocator, channel, sizeof *channel);
}

static void reap_channels(struct brine_client *client, uint64_t now_ms)
{
	struct brine_channel **at = &client->channels;
	while (*at) {
		struct brine_channel *channel = *at;
		if (!channel->closed) {
			at = &channel->next;
			continue;
		}
		if (!channel->proven)
			brine_connector_was_useless(client, now_ms);
		*at = channel->next;
		close_channel(client, channel);
	}
}

/* Ends the calls whose parents were cancelled, and tells the peer: this thread may be here for them alone. */
static void end_cancelled(struct brine_client *client, uint64_t now_ms)
{
	bool ended = brine_client_end_cancelled(client);
	for (struct brine_channel *channel = client->channels; ended && channel; channel = channel->next)
		write_channel(client, channel, now_ms);
}

/* Everything that can be done without waiting. */
static void serve_all(struct brine_client *client)
{
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next)
		serve_channel(client, channel, now_ms);
	reap_channels(client, now_ms);
	end_cancelled(client, now_ms);
	brine_calls_expire(client, now_ms);
	brine_connector_step(client, now_ms);
	brine_calls_flush(client, now_ms);
	if (client->current)
		write_channel(client, client->current, now_ms);
	if (client->waiters || client->connector.wanted)
		brine_client_wake_waiters(client);
}

void brine_client_poll_now(struct brine_client *client)
{
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next) {
		/* A peer that never stops talking must not hold up a call. */
		for (int i = 0; i < READS_MAX && read_channel(client, channel, now_ms); i++)
			brine_client_take_events(client, channel, now_ms);
		serve_channel(client, channel, now_ms);
	}
	reap_channels(client, now_ms);
}

static void collect_poll_set(struct brine_client *client, struct brine_poll_set *set)
{
	*set = (struct brine_poll_set){.count = 0};
	brine_poll_set_add(set, client->wakeup, BRINE_READABLE);
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next) {
		channel->polled = brine_channel_wants(channel);
		if (channel->polled)
			brine_poll_set_add_stream(set, channel->stream, channel->polled);
	}
	brine_connector_poll_set(client, set);
}

/* When bytes are to be moved next, or the time has to be told. */
static uint64_t moves_due(struct brine_client *client)
{
	uint64_t due_ms = brine_connector_due(client);
	if (client->queued.count && client->queued_due_ms < due_ms)
		due_ms = client->queued_due_ms;
	for (const struct brine_channel *channel = client->channels; channel; channel = channel->next) {
		if (channel->closed || channel->dead || channel->backlog)
			return 0;
		uint64_t conn_ms = brine_conn_deadline(channel->conn);
		uint64_t alive_ms = keepalive_due(client, channel);
		due_ms = conn_ms < due_ms ? conn_ms : due_ms;
		due_ms = alive_ms < due_ms ? alive_ms : due_ms;
	}
	return due_ms;
}

uint64_t brine_client_due(struct brine_client *client)
{
	return brine_client_has_callbacks(client) && !client->calls_back ? 0 : moves_due(client);
}

/* ---- callbacks ---- */

/* Ends a turn: the client may have been freed in a callback. */
static void stop_moving(struct brine_client *client)
{
	client->leading = false;
	if (client->free_deferred)
		brine_client_end_deferred(client);
	if (client->closing)
		pthread_cond_broadcast(&client->quiet);
}

void brine_client_call_back(struct brine_client *client)
{
	if (client->leading || !brine_client_has_callbacks(client))
		return;
	client->leading = true;
	brine_client_flush_callbacks(client);
	stop_moving(client);
}

/* ---- turns ---- */

static void machine_failed(struct brine_client *client, int system_errno)
{
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next)
		brine_channel_fail(channel, system_errno, now_ms);
	brine_connector_stop(client);
}

/* Waits, without the lock, until bytes can move, and reads them. */
static void wait_and_read(struct brine_client *client, uint64_t until_ms)
{
	struct brine_poll_set set;
	collect_poll_set(client, &set);
	client->polled_until = until_ms;
	client->polling = true;
	int state = brine_client_leave(client);
	int status = brine_poll_set_wait(&set, until_ms);
	int reason = errno;
	brine_client_return(client, state);
	client->polling = false;
	if (status < 0)
		machine_failed(client, reason);
	if (brine_poll_set_found(&set, client->wakeup))
		brine_wakeup_clear(client->wakeup);
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next)
		if (brine_poll_set_found(&set, brine_stream_fd(channel->stream)) & BRINE_READABLE)
			read_channel(client, channel, now_ms);
}

void brine_client_turn(struct brine_client *client, uint64_t deadline_ms)
{
	assert(!client->leading);
	client->leading = true;
	uint64_t due_ms = brine_client_due(client);
	if (due_ms > brine_clock_ms())
		wait_and_read(client, due_ms < deadline_ms ? due_ms : deadline_ms);
	serve_all(client);
	brine_client_flush_callbacks(client);
	stop_moving(client);
}

static void *background(void *argument)
{
	struct brine_client *client = argument;
	brine_client_lock(client);
	while (!client->closing)
		brine_client_turn(client, BRINE_FOREVER);
	brine_client_unlock(client);
	brine_client_drop(client);
	return NULL;
}

/* The program's loop has to know what to wait for, and when to come. */
static void update_watcher(struct brine_client *client)
{
	struct brine_poll_set set;
	collect_poll_set(client, &set);
	if (brine_epoll_set_update(&client->epoll_set, &set) < 0) {
		/* Nobody would look at it again. */
		machine_failed(client, errno);
		brine_wakeup_signal(client->wakeup);
	}
}

static bool wants_change(const struct brine_client *client)
{
	for (const struct brine_channel *channel = client->channels; channel; channel = channel->next)
		if (brine_channel_wants(channel) & ~channel->polled)
			return true;
	return false;
}

static void wake_leader(struct brine_client *client)
{
	/* Where the thread could not be started before, one that waits may be the leader. */
	bool wants_thread = client->options.mode == BRINE_CLIENT_BACKGROUND && !client->has_thread && !client->leading;
	if (wants_thread && !client->closing) {
		brine_client_hold(client);
		client->has_thread =
		        brine_thread_start(&client->thread, client->options.thread_stack_size, background, client) == 0;
		if (!client->has_thread)
			brine_client_drop(client);
	}
	if (client->options.mode == BRINE_CLIENT_LOOP ? client->leading : !client->polling)
		return;
	bool changed = wants_change(client);
	if (changed && client->options.mode == BRINE_CLIENT_LOOP)
		update_watcher(client);
	uint64_t due_ms = brine_client_due(client);
	if (due_ms < client->polled_until || (changed && client->polling)) {
		client->polled_until = due_ms;
		brine_wakeup_signal(client->wakeup);
	}
}

void brine_client_flush_or_wake(struct brine_client *client)
{
	if (client->attached) {
		brine_client_wake_attached(client);
		return;
	}
	/* Another thread is at the lock to queue something: it sends all of it at once. In a callback the leader does.
	 */
	if (client->channels && atomic_load_explicit(&client->entering, memory_order_relaxed) == 0 &&
	    !brine_client_in_callback(client)) {
		uint64_t now_ms = brine_clock_ms();
		for (struct brine_channel *channel = client->channels; channel; channel = channel->next)
			write_channel(client, channel, now_ms);
	}
	wake_leader(client);
}

void brine_client_linger(struct brine_client *client, uint64_t deadline_ms)
{
	uint64_t now_ms;
	do {
		struct brine_poll_set set;
		collect_poll_set(client, &set);
		/* Callbacks have to wait: they may be due all the time. */
		uint64_t due_ms = moves_due(client);
		int state = brine_client_leave(client);
		(void)brine_poll_set_wait(&set, due_ms < deadline_ms ? due_ms : deadline_ms);
		brine_client_return(client, state);
		if (brine_poll_set_found(&set, client->wakeup))
			brine_wakeup_clear(client->wakeup);
		now_ms = brine_clock_ms();
		for (struct brine_channel *channel = client->channels; channel; channel = channel->next) {
			read_channel(client, channel, now_ms);
			serve_channel(client, channel, now_ms);
		}
		reap_channels(client, now_ms);
	} while (client->channels && now_ms < deadline_ms);
}

/* ---- the program's loop ---- */

int brine_client_get_fd(const struct brine_client *client)
{
	if (!client)
		return BRINE_ERR_INVALID;
	return client->options.mode == BRINE_CLIENT_LOOP ? client->epoll_set.fd : BRINE_ERR_STATE;
}

int brine_client_get_events(const struct brine_client *client)
{
	if (!client)
		return BRINE_ERR_INVALID;
	return client->options.mode == BRINE_CLIENT_LOOP ? brine_poll_events(BRINE_READABLE) : BRINE_ERR_STATE;
}

int brine_client_get_timeout_ms(struct brine_client *client)
{
	if (!client || brine_client_check(client, NULL) < 0 || client->options.mode != BRINE_CLIENT_LOOP)
		return -1;
	brine_client_lock(client);
	client->polled_until = brine_client_due(client);
	int wait_ms = brine_wait_ms(client->polled_until);
	brine_client_unlock(client);
	return wait_ms;
}

int brine_client_process(struct brine_client *client)
{
	if (!client)
		return BRINE_ERR_INVALID;
	int status = brine_client_check(client, NULL);
	if (status < 0)
		return status;
	if (client->options.mode != BRINE_CLIENT_LOOP)
		return BRINE_ERR_STATE;
	brine_client_hold(client);
	brine_client_lock(client);
	if (client->leading || client->closing || client->calls_back) {
		status = BRINE_ERR_BUSY;
	} else {
		client->leading = true;
		client->process_status = 0;
		brine_wakeup_clear(client->wakeup);
		uint64_t now_ms = brine_clock_ms();
		for (struct brine_channel *channel = client->channels; channel; channel = channel->next)
			for (int i = 0; i < READS_MAX && read_channel(client, channel, now_ms); i++)
				brine_client_take_events(client, channel, now_ms);
		serve_all(client);
		brine_client_flush_callbacks(client);
		serve_all(client);
		if (!client->free_deferred)
			update_watcher(client);
		client->polled_until = brine_client_due(client);
		status = client->process_status;
		stop_moving(client);
	}
	brine_client_unlock(client);
	brine_client_drop(client);
	return status;
}
