#include "server/loop_thread.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "net/clock.h"
#include "run/thread.h"
#include "server/connection.h"
#include "server/listener.h"
#include "server/peer_client.h"
#include "server/server.h"

#include <errno.h>

enum {
	POSTS_PER_TURN = 256, /* so that busy workers cannot starve the connections */
	SLOW_TURN_MS = 1000,  /* a handler that holds its loop for so long is counted */
};

bool brine_loop_thread_is_current(const struct brine_loop_thread *loop_thread)
{
	return atomic_load_explicit(&loop_thread->running, memory_order_acquire) &&
	       pthread_equal(loop_thread->thread, pthread_self());
}

/* ---- what other threads say ---- */

void brine_loop_thread_hand(struct brine_loop_thread *loop_thread, struct brine_connection *connection)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	bool taken = !loop_thread->over;
	if (taken) {
		connection->next = loop_thread->arrivals;
		loop_thread->arrivals = connection;
	}
	pthread_mutex_unlock(&loop_thread->host.lock);
	if (taken)
		brine_loop_wake(loop_thread->loop);
	else
		brine_connection_discard(connection);
}

static void destroy(struct brine_loop_thread *loop_thread)
{
	struct brine_meter *meter = loop_thread->host.meter;
	pthread_mutex_destroy(&loop_thread->host.lock);
	brine_fork_guard_done(&loop_thread->fork_guard);
	brine_release(loop_thread->host.allocator, loop_thread, sizeof *loop_thread);
	brine_meter_drop(meter);
}

/* The server is gone: an answer has nowhere to go, but it ends its request. Holds the lock, and gives it back. */
static void end_left_over(struct brine_loop_thread *loop_thread, struct brine_request *request, unsigned posts)
{
	bool last = false;
	if (posts & BRINE_POST_ANSWER) {
		brine_request_release(request);
		last = --loop_thread->left == 0;
	}
	pthread_mutex_unlock(&loop_thread->host.lock);
	if (last)
		destroy(loop_thread);
}

/* Puts the request into the queue. Holds the lock. */
static void queue_post(struct brine_loop_thread *loop_thread, struct brine_request *request, unsigned posts)
{
	bool wakes = !loop_thread->posted;
	if (!request->posts) {
		request->posted_next = NULL;
		*(loop_thread->posted ? &loop_thread->posted_last->posted_next : &loop_thread->posted) = request;
		loop_thread->posted_last = request;
	}
	request->posts |= posts;
	/* Within the lock: without it the server could be freed before the wake. */
	if (wakes)
		brine_loop_wake(loop_thread->loop);
}

static void post(struct brine_request *request, unsigned posts)
{
	struct brine_loop_thread *loop_thread = (struct brine_loop_thread *)request->host;
	int state = brine_thread_defer_cancel();
	pthread_mutex_lock(&loop_thread->host.lock);
	if (loop_thread->server) {
		queue_post(loop_thread, request, posts);
		pthread_mutex_unlock(&loop_thread->host.lock);
	} else {
		end_left_over(loop_thread, request, posts);
	}
	brine_thread_allow_cancel(state);
}

static struct brine_request *take_post(struct brine_loop_thread *loop_thread, unsigned *ret_posts)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	struct brine_request *request = loop_thread->posted;
	if (request) {
		loop_thread->posted = request->posted_next;
		*ret_posts = request->posts;
		request->posts = 0;
	}
	pthread_mutex_unlock(&loop_thread->host.lock);
	return request;
}

/* Acts on so many posts. True: there may be more. */
static bool take_some_posts(struct brine_loop_thread *loop_thread, int most)
{
	struct brine_request *request = NULL;
	unsigned posts;
	while (most-- > 0 && (request = take_post(loop_thread, &posts)))
		brine_request_process_posts(request, posts);
	return request;
}

void brine_loop_thread_take_posts(struct brine_loop_thread *loop_thread)
{
	while (take_some_posts(loop_thread, POSTS_PER_TURN))
		;
}

static struct brine_connection *take_arrivals(struct brine_loop_thread *loop_thread)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	struct brine_connection *arrivals = loop_thread->arrivals;
	loop_thread->arrivals = NULL;
	pthread_mutex_unlock(&loop_thread->host.lock);
	return arrivals;
}

static void on_wake(void *user)
{
	struct brine_loop_thread *loop_thread = user;
	struct brine_connection *connection = take_arrivals(loop_thread);
	while (connection) {
		struct brine_connection *next = connection->next;
		brine_connection_start(connection);
		connection = next;
	}
	brine_peer_clients_process(loop_thread);
	if (take_some_posts(loop_thread, POSTS_PER_TURN))
		brine_loop_wake(loop_thread->loop);
}

/* ---- running ---- */

static void close_connections(struct brine_loop_thread *loop_thread, bool forked)
{
	loop_thread->scheduled = NULL;
	while (loop_thread->connections)
		brine_connection_close(loop_thread->connections, forked);
}

/* brine_server_stop() was called: once drains, more often ends. */
static void apply_stop(struct brine_loop_thread *loop_thread)
{
	int stops = atomic_load_explicit(&loop_thread->server->stops, memory_order_acquire);
	if (stops > 0 && loop_thread->stops_seen == 0) {
		if (loop_thread == loop_thread->server->loop_threads[0])
			brine_listeners_close(loop_thread->server);
		for (struct brine_connection *connection = loop_thread->connections; connection;
		     connection = connection->next)
			brine_connection_retire(connection);
	}
	if (stops > 1)
		close_connections(loop_thread, false);
	loop_thread->stops_seen = stops;
}

/* Whether there is nothing left to wait for; nothing comes after that. */
static bool is_over(struct brine_loop_thread *loop_thread)
{
	if (!loop_thread->stops_seen || loop_thread->connections)
		return false;
	pthread_mutex_lock(&loop_thread->host.lock);
	loop_thread->over = !loop_thread->arrivals;
	bool over = loop_thread->over;
	pthread_mutex_unlock(&loop_thread->host.lock);
	return over;
}

static bool run_scheduled(struct brine_loop_thread *loop_thread)
{
	uint64_t began_ms = brine_clock_ms();
	bool more = brine_connections_turn(loop_thread);
	if (brine_clock_ms() - began_ms >= SLOW_TURN_MS)
		brine_loop_thread_count(loop_thread, BRINE_COUNT_SLOW_TURNS, 1);
	return more;
}

/* Nothing looks at the connections any more. */
static void end_serving(struct brine_loop_thread *loop_thread)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	loop_thread->over = true;
	pthread_mutex_unlock(&loop_thread->host.lock);
	struct brine_connection *connection = take_arrivals(loop_thread);
	while (connection) {
		struct brine_connection *next = connection->next;
		brine_connection_discard(connection);
		connection = next;
	}
	close_connections(loop_thread, false);
	if (loop_thread == loop_thread->server->loop_threads[0])
		brine_listeners_close(loop_thread->server);
}

/* The calling thread, loop_thread->thread, is that of the loop until leave(). */
static void enter(struct brine_loop_thread *loop_thread)
{
	atomic_store_explicit(&loop_thread->running, true, memory_order_release);
	brine_thread_mark_loop(true);
}

static void leave(struct brine_loop_thread *loop_thread)
{
	brine_thread_mark_loop(false);
	atomic_store_explicit(&loop_thread->running, false, memory_order_release);
}

/* Waits until deadline_ms at most, and looks after what is ready. False: the loop failed. */
static bool turn_loop(struct brine_loop_thread *loop_thread, uint64_t deadline_ms)
{
	int status = brine_loop_turn(loop_thread->loop, deadline_ms);
	loop_thread->status = status < 0 ? status : 0;
	loop_thread->system_errno = status < 0 ? errno : 0;
	apply_stop(loop_thread);
	return status >= 0;
}

void brine_loop_thread_run(struct brine_loop_thread *loop_thread)
{
	bool works = true;
	enter(loop_thread);
	apply_stop(loop_thread);
	while (works && !is_over(loop_thread)) {
		bool more = run_scheduled(loop_thread);
		/* The last connection of a stopping server may have ended just now. */
		bool done = loop_thread->stops_seen && !loop_thread->connections;
		works = turn_loop(loop_thread, more || done ? 0 : BRINE_FOREVER);
	}
	end_serving(loop_thread);
	leave(loop_thread);
}

bool brine_loop_thread_process(struct brine_loop_thread *loop_thread)
{
	bool outer = brine_thread_is_loop();
	loop_thread->thread = pthread_self();
	enter(loop_thread);
	bool works = turn_loop(loop_thread, 0);
	if (works)
		(void)run_scheduled(loop_thread);
	bool goes_on = works && !is_over(loop_thread);
	if (!goes_on)
		end_serving(loop_thread);
	leave(loop_thread);
	brine_thread_mark_loop(outer);
	return goes_on;
}

uint64_t brine_loop_thread_due(const struct brine_loop_thread *loop_thread)
{
	bool done = loop_thread->stops_seen && !loop_thread->connections;
	return loop_thread->scheduled || done ? 0 : brine_loop_deadline(loop_thread->loop);
}

/* ---- beginning and end ---- */

static bool is_mine(const struct brine_host *host)
{
	return brine_loop_thread_is_current((const struct brine_loop_thread *)host);
}

static void touch(struct brine_channel *channel)
{
	brine_connection_schedule((struct brine_connection *)channel);
}

/* What on_ready calls may answer the request, which it goes on using. */
static void wake(struct brine_request *request)
{
	brine_request_keep(request);
	brine_request_call_back(request);
	brine_request_let_go(request);
}

/* Handlers of a loop_thread are called on its thread. */
static const struct brine_host_ops ops = {.is_mine = is_mine,
                                          .post = post,
                                          .schedule = touch,
                                          .wake = wake,
                                          .peer_client = brine_connection_peer_client,
                                          .drop_client = brine_client_drop};

int brine_loop_thread_new(struct brine_loop_thread **ret_lane, struct brine_server *server, uint32_t number)
{
	const struct brine_allocator *allocator = server->options.allocator;
	struct brine_loop_thread *loop_thread = brine_alloc_zero(allocator, sizeof *loop_thread);
	if (!loop_thread)
		return BRINE_ERR_NOMEM;
	*loop_thread = (struct brine_loop_thread){.host = {.ops = &ops,
	                                                   .events = &brine_connection_events,
	                                                   .allocator = allocator,
	                                                   .meter = server->meter,
	                                                   .fork_guard = &loop_thread->fork_guard,
	                                                   .methods = &server->methods,
	                                                   .interceptors = server->options.interceptors,
	                                                   .interceptor_count = server->options.interceptor_count,
	                                                   .pool = &server->pool,
	                                                   .lock = PTHREAD_MUTEX_INITIALIZER,
	                                                   .log = &server->log},
	                                          .server = server,
	                                          .random = server->seed + number * UINT64_C(0x9e3779b97f4a7c15)};
	brine_meter_hold(loop_thread->host.meter);
	brine_buf_init(&loop_thread->host.scratch, allocator);
	int status = brine_fork_guard_init(&loop_thread->fork_guard, NULL);
	if (status == 0)
		status = brine_loop_new(&loop_thread->loop, on_wake, loop_thread, allocator, NULL);
	loop_thread->input = status == 0 ? brine_resize(allocator, NULL, 0, BRINE_INPUT_SIZE) : NULL;
	if (status == 0 && !loop_thread->input)
		status = BRINE_ERR_NOMEM;
	if (status < 0) {
		brine_loop_thread_free(loop_thread, false);
		return status;
	}
	*ret_lane = loop_thread;
	return 0;
}

/* Leaves the loop thread to the requests that the program has not answered yet, and to the calling thread. */
static void leave_to_requests(struct brine_loop_thread *loop_thread)
{
	brine_loop_thread_take_posts(loop_thread);
	pthread_mutex_lock(&loop_thread->host.lock);
	/* One that was posted since is answered: nobody will ask for it again. */
	for (struct brine_request *request = loop_thread->posted; request; request = request->posted_next)
		request->delivered = request->posts & BRINE_POST_ANSWER;
	loop_thread->posted = NULL;
	while (loop_thread->host.orphans.first) {
		struct brine_request *request = loop_thread->host.orphans.first;
		brine_request_list_remove(&loop_thread->host.orphans, request);
		if (request->delivered)
			brine_request_release(request);
		else
			loop_thread->left++;
	}
	loop_thread->server = NULL;
	loop_thread->host.log = NULL;
	loop_thread->left++;
	pthread_mutex_unlock(&loop_thread->host.lock);
}

/* The calling thread is done with the loop thread, too. True: nobody is left. */
static bool is_left_by_all(struct brine_loop_thread *loop_thread)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	bool is_last = --loop_thread->left == 0;
	pthread_mutex_unlock(&loop_thread->host.lock);
	return is_last;
}

void brine_loop_thread_free(struct brine_loop_thread *loop_thread, bool forked)
{
	if (!loop_thread)
		return;
	close_connections(loop_thread, forked);
	brine_release(loop_thread->host.allocator, loop_thread->input, BRINE_INPUT_SIZE);
	/* The locks of a forked child are as its parent's threads had them. */
	if (!forked)
		leave_to_requests(loop_thread);
	while (forked && loop_thread->host.orphans.first)
		brine_request_end(loop_thread->host.orphans.first);
	brine_requests_done(&loop_thread->host);
	brine_loop_free(loop_thread->loop);
	if (forked || is_left_by_all(loop_thread))
		destroy(loop_thread);
}
