/* Moving bytes and waiting, in all three modes. A turn: send and connect what is due, wait without the lock, then read,
 * handle events, fire what is due and call back. */
#include "rpc/client.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "rpc/caller.h"
#include "rpc/thread.h"

#include <errno.h>
#include <stdio.h>

enum {
	READS_MAX = 16, /* of one connection in a turn that does not wait */
};

/* ---- events ---- */

static void was_useful(struct brine_client *client, struct brine_client_link *node)
{
	node->useful = true;
	client->connector.backoff_ms = client->connector.backoff_until_ms = 0;
	client->connector.last.code = 0;
}

void brine_client_take_event(struct brine_client *client, struct brine_client_link *node,
                             const struct brine_event *event, uint64_t now_ms)
{
	switch (event->type) {
	case BRINE_EVENT_RESPONSE:
		if (event->status == BRINE_OK || event->status == BRINE_ERR_REMOTE)
			was_useful(client, node);
		brine_call_complete(client, node, event->user, event);
		break;
	case BRINE_EVENT_ITEM: brine_call_item(client, node, event->user, event->result, now_ms); break;
	case BRINE_EVENT_CREDIT: brine_call_room(client, event->user); break;
	case BRINE_EVENT_REQUEST:
	case BRINE_EVENT_NOTIFICATION: brine_client_arrived(client, node, event, now_ms); break;
	case BRINE_EVENT_CANCEL: brine_client_request_changed(node, event); break;
	case BRINE_EVENT_HELLO:
		node->greeted = true;
		was_useful(client, node);
		break;
	case BRINE_EVENT_CLOSED:
		node->gone = true;
		if (event->status < 0)
			client->process_status = event->status;
		break;
	default: break; /* changes the connection's state only */
	}
}

void brine_client_events(struct brine_client *client, struct brine_client_link *node, uint64_t now_ms)
{
	struct brine_event event;
	/* Those of a driven client are pulled by its lane. */
	while (!client->driven && !node->gone && brine_conn_next(node->link.conn, &event, now_ms) > 0)
		brine_client_take_event(client, node, &event, now_ms);
}

/* ---- connections in a turn ---- */

/* Reads once. */
static bool read_link(struct brine_client *client, struct brine_client_link *node, uint64_t now_ms)
{
	if (node->gone || client->arrived_count >= BRINE_CLIENT_ARRIVED_MARK ||
	    !brine_link_read(&node->link, client->input, now_ms))
		return false;
	node->heard_ms = now_ms;
	node->pinged = false;
	return true;
}

static void write_link(struct brine_client *client, struct brine_client_link *node, uint64_t now_ms)
{
	if (!node->gone)
		brine_link_write(&node->link, client->input, now_ms);
}

/* What came, and what can go out, counts before the time that has passed: the thread may have been away. */
static void catch_up(struct brine_client *client, struct brine_client_link *node, uint64_t now_ms)
{
	for (int i = 0; i < READS_MAX && read_link(client, node, now_ms); i++)
		brine_client_events(client, node, now_ms);
	write_link(client, node, now_ms);
}

/* Timers, events and output of one connection. */
static void serve_link(struct brine_client *client, struct brine_client_link *node, uint64_t now_ms)
{
	struct brine_conn *conn = node->link.conn;
	brine_client_events(client, node, now_ms);
	if (now_ms >= brine_conn_deadline(conn) || now_ms >= brine_client_keepalive_due(client, node))
		catch_up(client, node, now_ms);
	if (now_ms >= brine_conn_deadline(conn)) {
		brine_conn_tick(conn, now_ms);
		brine_client_events(client, node, now_ms);
	}
	brine_client_keep_alive(client, node, now_ms);
	write_link(client, node, now_ms);
	brine_client_events(client, node, now_ms);
	bool stuck = !node->gone && node->link.ended && !node->link.dead && brine_link_wants(&node->link) == 0;
	if (stuck && now_ms < brine_conn_deadline(conn)) {
		/* The peer's end came and nothing is left to write: no event could end the wait. */
		brine_link_fail(&node->link, 0, now_ms);
		brine_client_events(client, node, now_ms);
	}
}

static void close_link(struct brine_client *client, struct brine_client_link *node)
{
	if (client->options.mode == BRINE_CLIENT_LOOP)
		brine_watcher_forget(&client->watcher, brine_stream_fd(node->link.stream));
	if (client->current == node)
		client->current = NULL;
	brine_client_leave_requests(client, node);
	brine_link_done(&node->link);
	brine_release(client->options.allocator, node, sizeof *node);
}

static void reap_links(struct brine_client *client, uint64_t now_ms)
{
	struct brine_client_link **at = &client->links;
	while (*at) {
		struct brine_client_link *node = *at;
		if (!node->gone) {
			at = &node->next;
			continue;
		}
		if (!node->useful)
			brine_connector_was_useless(client, now_ms);
		*at = node->next;
		close_link(client, node);
	}
}

/* Everything that can be done without waiting. */
static void serve_all(struct brine_client *client)
{
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_client_link *node = client->links; node; node = node->next)
		serve_link(client, node, now_ms);
	reap_links(client, now_ms);
	brine_calls_expire(client, now_ms);
	brine_connector_step(client, now_ms);
	brine_calls_flush(client, now_ms);
	if (client->current)
		write_link(client, client->current, now_ms);
	if (client->waiters || client->connector.wanted)
		brine_client_announce(client);
}

void brine_client_look(struct brine_client *client)
{
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_client_link *node = client->links; node; node = node->next) {
		/* A peer that never stops talking must not hold up a call. */
		for (int i = 0; i < READS_MAX && read_link(client, node, now_ms); i++)
			brine_client_events(client, node, now_ms);
		serve_link(client, node, now_ms);
	}
	reap_links(client, now_ms);
}

/* In mode BLOCKING handlers are for those who wait. */
static bool has_callbacks(const struct brine_client *client)
{
	bool handles = client->options.mode != BRINE_CLIENT_BLOCKING && client->arrived;
	return client->ended.count || client->ready.count || client->has_woken || handles;
}

static void collect_waits(struct brine_client *client, struct brine_waits *waits)
{
	*waits = (struct brine_waits){.count = 0};
	brine_waits_add(waits, client->bell, BRINE_READABLE);
	for (struct brine_client_link *node = client->links; node; node = node->next) {
		node->polled = brine_link_wants(&node->link);
		unsigned want = node->polled ? brine_stream_want(node->link.stream, node->polled) : 0;
		if (want)
			brine_waits_add(waits, brine_stream_fd(node->link.stream), want);
	}
	brine_connector_waits(client, waits);
}

uint64_t brine_client_due(struct brine_client *client)
{
	uint64_t due_ms = brine_connector_due(client);
	if (has_callbacks(client) && !client->calls_back)
		return 0;
	if (client->queued.count && client->queued_due_ms < due_ms)
		due_ms = client->queued_due_ms;
	for (const struct brine_client_link *node = client->links; node; node = node->next) {
		if (node->gone || node->link.dead)
			return 0;
		uint64_t conn_ms = brine_conn_deadline(node->link.conn);
		uint64_t alive_ms = brine_client_keepalive_due(client, node);
		due_ms = conn_ms < due_ms ? conn_ms : due_ms;
		due_ms = alive_ms < due_ms ? alive_ms : due_ms;
	}
	return due_ms;
}

/* ---- callbacks ---- */

/* The next call that somebody is to be called back for, taken from its list. */
static struct brine_call *next_callback(struct brine_client *client, bool *ret_is_end)
{
	struct brine_call *call = client->ready.first;
	*ret_is_end = !call;
	if (!call)
		call = client->ended.first;
	if (call)
		brine_call_unlist(client, call);
	return call;
}

/* Whether the next thing to tell the program is a call of the peer: things are told in the order in which they came. */
static bool handler_is_next(const struct brine_client *client)
{
	return client->options.mode != BRINE_CLIENT_BLOCKING && client->arrived && !client->ready.first &&
	       (!client->ended.first || client->arrived->order < client->ended.first->order);
}

static void call_back(struct brine_client *client, struct brine_call *call, bool is_end)
{
	void (*callback)(struct brine_call *, void *) = is_end ? call->on_done : call->on_ready;
	void *user = call->user;
	client->calling = call;
	int state = brine_client_leave(client);
	if (is_end)
		brine_call_tell(client, call);
	callback(call, user);
	brine_client_return(client, state);
	/* The call may be gone. */
	client->calling = NULL;
}

/* Calls one of the callbacks that are due. False: there is none. */
static bool flush_one(struct brine_client *client)
{
	struct brine_request *woken = brine_client_next_woken(client);
	bool handles = !woken && handler_is_next(client);
	bool is_end;
	struct brine_call *call = woken || handles ? NULL : next_callback(client, &is_end);
	client->calls_back = true;
	client->callback_thread = pthread_self();
	if (woken) {
		int state = brine_client_leave(client);
		brine_request_call_back(woken);
		brine_client_return(client, state);
	} else if (handles) {
		brine_client_handle(client);
	} else if (call) {
		call_back(client, call, is_end);
	}
	client->calls_back = false;
	pthread_cond_broadcast(&client->quiet);
	return woken || handles || call;
}

void brine_client_flush_callbacks(struct brine_client *client)
{
	while (!client->calls_back && has_callbacks(client) && flush_one(client))
		;
}

/* Ends a turn: the client may have been freed in a callback. */
static void stop_moving(struct brine_client *client)
{
	client->moving = false;
	if (client->free_deferred)
		brine_client_shut_deferred(client);
	if (client->closing)
		pthread_cond_broadcast(&client->quiet);
}

void brine_client_call_back(struct brine_client *client)
{
	if (client->moving || !has_callbacks(client))
		return;
	client->moving = true;
	brine_client_flush_callbacks(client);
	stop_moving(client);
}

/* ---- turns ---- */

static void machine_failed(struct brine_client *client, int system_errno)
{
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_client_link *node = client->links; node; node = node->next)
		brine_link_fail(&node->link, system_errno, now_ms);
	brine_connector_stop(client);
}

/* Waits, without the lock, until bytes can move, and reads them. */
static void wait_and_read(struct brine_client *client, uint64_t until_ms)
{
	struct brine_waits waits;
	collect_waits(client, &waits);
	client->polled_until = until_ms;
	client->polling = true;
	int state = brine_client_leave(client);
	int status = brine_waits_poll(&waits, until_ms);
	int reason = errno;
	brine_client_return(client, state);
	client->polling = false;
	if (status < 0)
		machine_failed(client, reason);
	if (brine_waits_found(&waits, client->bell))
		brine_bell_silence(client->bell);
	uint64_t now_ms = brine_clock_ms();
	for (struct brine_client_link *node = client->links; node; node = node->next)
		if (brine_waits_found(&waits, brine_stream_fd(node->link.stream)) & BRINE_READABLE)
			read_link(client, node, now_ms);
}

/* One turn of the thread that moves the bytes, waiting until deadline_ms at most; not at all where something is due,
 * because that may be what the thread waits for. */
static void turn(struct brine_client *client, uint64_t deadline_ms)
{
	client->moving = true;
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
		turn(client, BRINE_FOREVER);
	brine_client_unlock(client);
	brine_client_drop(client);
	return NULL;
}

/* The program's loop has to know what to wait for, and when to come. */
static void update_watcher(struct brine_client *client)
{
	struct brine_waits waits;
	collect_waits(client, &waits);
	if (brine_watcher_set(&client->watcher, &waits) < 0) {
		/* Nobody would look at it again. */
		machine_failed(client, errno);
		brine_bell_ring(client->bell);
	}
}

static bool wants_change(const struct brine_client *client)
{
	for (const struct brine_client_link *node = client->links; node; node = node->next)
		if (brine_link_wants(&node->link) & ~node->polled)
			return true;
	return false;
}

static void tell_mover(struct brine_client *client)
{
	if (client->options.mode == BRINE_CLIENT_BACKGROUND && !client->has_thread && !client->closing) {
		brine_client_hold(client);
		client->has_thread =
		        brine_thread_start(&client->thread, client->options.thread_stack_size, background, client) == 0;
		if (!client->has_thread)
			brine_client_drop(client);
	}
	if (client->options.mode == BRINE_CLIENT_LOOP ? client->moving : !client->polling)
		return;
	bool changed = wants_change(client);
	if (changed && client->options.mode == BRINE_CLIENT_LOOP)
		update_watcher(client);
	uint64_t due_ms = brine_client_due(client);
	if (due_ms < client->polled_until || (changed && client->polling)) {
		client->polled_until = due_ms;
		brine_bell_ring(client->bell);
	}
}

void brine_client_push(struct brine_client *client)
{
	if (client->driven) {
		brine_caller_wake(client);
		return;
	}
	/* Another thread is at the lock to queue something: it sends all of it at once. In a callback the mover does.
	 */
	if (client->links && atomic_load_explicit(&client->entering, memory_order_relaxed) == 0 &&
	    !brine_client_in_callback(client)) {
		uint64_t now_ms = brine_clock_ms();
		for (struct brine_client_link *node = client->links; node; node = node->next)
			write_link(client, node, now_ms);
	}
	tell_mover(client);
}

void brine_client_linger(struct brine_client *client, uint64_t deadline_ms)
{
	uint64_t now_ms;
	do {
		struct brine_waits waits;
		collect_waits(client, &waits);
		uint64_t due_ms = brine_client_due(client);
		int state = brine_client_leave(client);
		(void)brine_waits_poll(&waits, due_ms < deadline_ms ? due_ms : deadline_ms);
		brine_client_return(client, state);
		if (brine_waits_found(&waits, client->bell))
			brine_bell_silence(client->bell);
		now_ms = brine_clock_ms();
		for (struct brine_client_link *node = client->links; node; node = node->next) {
			read_link(client, node, now_ms);
			serve_link(client, node, now_ms);
		}
		reap_links(client, now_ms);
	} while (client->links && now_ms < deadline_ms);
}

/* ---- waiting ---- */

bool brine_client_may_wait(const struct brine_client *client)
{
	return client->options.mode != BRINE_CLIENT_LOOP && !brine_client_in_callback(client) &&
	       !brine_thread_is_loop();
}

void brine_client_announce(struct brine_client *client)
{
	for (struct brine_waiter *waiter = client->waiters; waiter; waiter = waiter->next)
		if (waiter->for_connection)
			pthread_cond_signal(&waiter->changed);
}

bool brine_call_is_over(struct brine_client *client, const struct brine_call *call)
{
	(void)client;
	return brine_call_state_of(call) == BRINE_CALL_FINISHED;
}

void brine_client_sleep(struct brine_client *client, pthread_cond_t *condition, uint64_t until_ms)
{
	int state = client->cancel_state;
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
	if (until_ms == BRINE_FOREVER)
		pthread_cond_wait(condition, &client->lock);
	else
		pthread_cond_timedwait(condition, &client->lock, &until);
	client->cancel_state = state;
}

static void sleep_until_told(struct brine_client *client, struct brine_call *call, bool for_connection,
                             uint64_t deadline_ms)
{
	struct brine_waiter waiter = {.for_connection = for_connection, .next = client->waiters};
	pthread_cond_init(&waiter.changed, &client->clock);
	if (waiter.next)
		waiter.next->prev = &waiter;
	client->waiters = &waiter;
	call->waiter = &waiter;
	brine_client_sleep(client, &waiter.changed, deadline_ms);
	call->waiter = NULL;
	if (waiter.prev)
		waiter.prev->next = waiter.next;
	else
		client->waiters = waiter.next;
	if (waiter.next)
		waiter.next->prev = waiter.prev;
	pthread_cond_destroy(&waiter.changed);
}

/* Whether a handler is to be called by a thread that waits: one that waits no more calls only those of what came before
 * the end of its call. */
static bool handler_is_due(const struct brine_client *client, const struct brine_call *call, bool is_over)
{
	if (client->options.mode != BRINE_CLIENT_BLOCKING || !client->arrived || client->closing)
		return false;
	return !is_over || (brine_call_state_of(call) == BRINE_CALL_FINISHED && client->arrived->order < call->order);
}

/* Mode BACKGROUND: whether a thread whose call is over must not know yet, as what came before its end is still being
 * told to the program. A handler that waited for that thread would be a handler that waits. */
static bool is_ahead(const struct brine_client *client, const struct brine_call *call)
{
	if (client->options.mode != BRINE_CLIENT_BACKGROUND || client->closing ||
	    brine_call_state_of(call) != BRINE_CALL_FINISHED)
		return false;
	return (client->tells && client->telling < call->order) ||
	       (client->arrived && client->arrived->order < call->order);
}

/* The next one moves the bytes. */
static void pass_on(struct brine_client *client)
{
	if (!client->moving && client->waiters)
		pthread_cond_signal(&client->waiters->changed);
}

int brine_call_take_place(struct brine_client *client, struct brine_call *call)
{
	struct brine_workers *workers = brine_caller_workers(client);
	int status = workers ? brine_workers_wait(workers) : 0;
	if (status > 0)
		call->place = workers;
	return status < 0 ? brine_fail(&call->error, status, 0, "no worker is left to be called back: %s",
	                               brine_error_text(status))
	                  : 0;
}

void brine_call_leave_place(struct brine_call *call)
{
	if (call->place)
		brine_workers_go_on(call->place);
	call->place = NULL;
}

/* Does the next thing that a thread which waits can do. */
static int wait_on(struct brine_client *client, struct brine_call *call, bool for_connection, uint64_t deadline_ms)
{
	if (deadline_ms != BRINE_FOREVER && brine_clock_ms() >= deadline_ms)
		return BRINE_ERR_DEADLINE;
	if (client->moving || client->has_thread || client->closing)
		sleep_until_told(client, call, for_connection, deadline_ms);
	else
		turn(client, deadline_ms);
	return 0;
}

int brine_client_wait(struct brine_client *client, struct brine_call *call, brine_condition_fn *condition,
                      bool for_connection, uint64_t deadline_ms)
{
	bool is_over = condition(client, call);
	if (!brine_client_may_wait(client))
		return is_over ? 0 : BRINE_ERR_WOULD_BLOCK;
	bool takes_place = !is_over && !call->place;
	int status = takes_place ? brine_call_take_place(client, call) : 0;
	while (status >= 0) {
		if (handler_is_due(client, call, is_over)) {
			pass_on(client);
			brine_client_handle(client);
		} else if (!is_over) {
			status = wait_on(client, call, for_connection, deadline_ms);
		} else if (is_ahead(client, call)) {
			brine_client_sleep(client, &client->quiet, BRINE_FOREVER);
		} else {
			break;
		}
		is_over = condition(client, call);
	}
	if (takes_place)
		brine_call_leave_place(call);
	pass_on(client);
	return status;
}

/* ---- the program's loop ---- */

int brine_client_get_fd(const struct brine_client *client)
{
	return client->options.mode == BRINE_CLIENT_LOOP ? client->watcher.fd : BRINE_ERR_STATE;
}

int brine_client_get_timeout_ms(struct brine_client *client)
{
	if (brine_client_check(client, NULL) < 0 || client->options.mode != BRINE_CLIENT_LOOP)
		return -1;
	brine_client_lock(client);
	client->polled_until = brine_client_due(client);
	int wait_ms = brine_wait_ms(client->polled_until);
	brine_client_unlock(client);
	return wait_ms;
}

int brine_client_process(struct brine_client *client)
{
	int status = brine_client_check(client, NULL);
	if (status < 0)
		return status;
	if (client->options.mode != BRINE_CLIENT_LOOP)
		return BRINE_ERR_STATE;
	brine_client_hold(client);
	brine_client_lock(client);
	if (client->moving || client->closing || client->calls_back) {
		status = BRINE_ERR_BUSY;
	} else {
		client->moving = true;
		client->process_status = 0;
		brine_bell_silence(client->bell);
		uint64_t now_ms = brine_clock_ms();
		for (struct brine_client_link *node = client->links; node; node = node->next)
			for (int i = 0; i < READS_MAX && read_link(client, node, now_ms); i++)
				brine_client_events(client, node, now_ms);
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
