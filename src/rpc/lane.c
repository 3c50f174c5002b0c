#include "rpc/lane.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "net/clock.h"
#include "rpc/caller.h"
#include "rpc/port.h"
#include "rpc/server.h"
#include "rpc/session.h"
#include "rpc/thread.h"

#include <errno.h>

enum {
	POSTS_PER_TURN = 256, /* so that busy workers cannot starve the connections */
	SLOW_TURN_MS = 1000,  /* a handler that holds its loop for so long is counted */
};

bool brine_lane_is_mine(const struct brine_lane *lane)
{
	return atomic_load_explicit(&lane->running, memory_order_acquire) &&
	       pthread_equal(lane->thread, pthread_self());
}

/* ---- what other threads say ---- */

void brine_lane_hand(struct brine_lane *lane, struct brine_session *session)
{
	pthread_mutex_lock(&lane->home.lock);
	bool taken = !lane->over;
	if (taken) {
		session->next = lane->arrivals;
		lane->arrivals = session;
	}
	pthread_mutex_unlock(&lane->home.lock);
	if (taken)
		brine_loop_wake(lane->loop);
	else
		brine_session_discard(session);
}

static void destroy(struct brine_lane *lane)
{
	struct brine_meter *meter = lane->home.meter;
	pthread_mutex_destroy(&lane->home.lock);
	brine_owner_done(&lane->owner);
	brine_release(lane->home.allocator, lane, sizeof *lane);
	brine_meter_drop(meter);
}

/* The server is gone: an answer has nowhere to go, but it ends its request. Holds the lock, and gives it back. */
static void end_left_over(struct brine_lane *lane, struct brine_request *request, unsigned posts)
{
	bool last = false;
	if (posts & BRINE_POST_ANSWER) {
		brine_request_release(request);
		last = --lane->left == 0;
	}
	pthread_mutex_unlock(&lane->home.lock);
	if (last)
		destroy(lane);
}

/* Puts the request into the queue. Holds the lock. */
static void queue_post(struct brine_lane *lane, struct brine_request *request, unsigned posts)
{
	bool wakes = !lane->posted;
	if (!request->posts) {
		request->posted_next = NULL;
		*(lane->posted ? &lane->posted_last->posted_next : &lane->posted) = request;
		lane->posted_last = request;
	}
	request->posts |= posts;
	/* Within the lock: without it the server could be freed before the wake. */
	if (wakes)
		brine_loop_wake(lane->loop);
}

static void post(struct brine_request *request, unsigned posts)
{
	struct brine_lane *lane = (struct brine_lane *)request->home;
	int state = brine_thread_defer_cancel();
	pthread_mutex_lock(&lane->home.lock);
	if (lane->server) {
		queue_post(lane, request, posts);
		pthread_mutex_unlock(&lane->home.lock);
	} else {
		end_left_over(lane, request, posts);
	}
	brine_thread_allow_cancel(state);
}

static struct brine_request *take_post(struct brine_lane *lane, unsigned *ret_posts)
{
	pthread_mutex_lock(&lane->home.lock);
	struct brine_request *request = lane->posted;
	if (request) {
		lane->posted = request->posted_next;
		*ret_posts = request->posts;
		request->posts = 0;
	}
	pthread_mutex_unlock(&lane->home.lock);
	return request;
}

/* Acts on so many posts. True: there may be more. */
static bool take_some_posts(struct brine_lane *lane, int most)
{
	struct brine_request *request = NULL;
	unsigned posts;
	while (most-- > 0 && (request = take_post(lane, &posts)))
		brine_request_heed(request, posts);
	return request;
}

void brine_lane_take_posts(struct brine_lane *lane)
{
	while (take_some_posts(lane, POSTS_PER_TURN))
		;
}

static struct brine_session *take_arrivals(struct brine_lane *lane)
{
	pthread_mutex_lock(&lane->home.lock);
	struct brine_session *arrivals = lane->arrivals;
	lane->arrivals = NULL;
	pthread_mutex_unlock(&lane->home.lock);
	return arrivals;
}

static void on_wake(void *user)
{
	struct brine_lane *lane = user;
	struct brine_session *session = take_arrivals(lane);
	while (session) {
		struct brine_session *next = session->next;
		brine_session_start(session);
		session = next;
	}
	brine_callers_heed(lane);
	if (take_some_posts(lane, POSTS_PER_TURN))
		brine_loop_wake(lane->loop);
}

/* ---- running ---- */

static void close_sessions(struct brine_lane *lane, bool forked)
{
	lane->touched = NULL;
	while (lane->sessions)
		brine_session_close(lane->sessions, forked);
}

/* brine_server_stop() was called: once drains, more often ends. */
static void heed_stop(struct brine_lane *lane)
{
	int stops = atomic_load_explicit(&lane->server->stops, memory_order_acquire);
	if (stops > 0 && lane->stops_seen == 0) {
		if (lane == lane->server->lanes[0])
			brine_ports_close(lane->server);
		for (struct brine_session *session = lane->sessions; session; session = session->next)
			brine_session_retire(session);
	}
	if (stops > 1)
		close_sessions(lane, false);
	lane->stops_seen = stops;
}

/* Whether there is nothing left to wait for; nothing comes after that. */
static bool is_over(struct brine_lane *lane)
{
	if (!lane->stops_seen || lane->sessions)
		return false;
	pthread_mutex_lock(&lane->home.lock);
	lane->over = !lane->arrivals;
	bool over = lane->over;
	pthread_mutex_unlock(&lane->home.lock);
	return over;
}

static bool serve_touched(struct brine_lane *lane)
{
	uint64_t began_ms = brine_clock_ms();
	bool more = brine_sessions_turn(lane);
	if (brine_clock_ms() - began_ms >= SLOW_TURN_MS)
		brine_lane_count(lane, BRINE_COUNT_SLOW_TURNS, 1);
	return more;
}

/* Nothing looks at the connections any more. */
static void end(struct brine_lane *lane)
{
	pthread_mutex_lock(&lane->home.lock);
	lane->over = true;
	pthread_mutex_unlock(&lane->home.lock);
	struct brine_session *session = take_arrivals(lane);
	while (session) {
		struct brine_session *next = session->next;
		brine_session_discard(session);
		session = next;
	}
	close_sessions(lane, false);
	if (lane == lane->server->lanes[0])
		brine_ports_close(lane->server);
}

void brine_lane_run(struct brine_lane *lane)
{
	atomic_store_explicit(&lane->running, true, memory_order_release);
	brine_thread_mark_loop(true);
	int status = 0;
	heed_stop(lane);
	while (status >= 0 && !is_over(lane)) {
		bool more = serve_touched(lane);
		/* The last connection of a stopping server may have ended just now. */
		bool done = lane->stops_seen && !lane->sessions;
		status = brine_loop_turn(lane->loop, more || done ? 0 : BRINE_FOREVER);
		lane->system_errno = status < 0 ? errno : 0;
		heed_stop(lane);
	}
	end(lane);
	lane->status = status < 0 ? status : 0;
	brine_thread_mark_loop(false);
	atomic_store_explicit(&lane->running, false, memory_order_release);
}

/* ---- beginning and end ---- */

static bool is_mine(const struct brine_home *home)
{
	return brine_lane_is_mine((const struct brine_lane *)home);
}

static void touch(struct brine_line *line)
{
	brine_session_touch((struct brine_session *)line);
}

/* What on_ready calls may answer the request, which it goes on using. */
static void wake(struct brine_request *request)
{
	brine_request_keep(request);
	brine_request_call_back(request);
	brine_request_let_go(request);
}

/* Handlers of a lane are called on its thread. */
static const struct brine_home_ops ops = {
        .is_mine = is_mine, .post = post, .touch = touch, .wake = wake, .caller = brine_session_caller};

int brine_lane_new(struct brine_lane **ret_lane, struct brine_server *server, uint32_t number)
{
	const struct brine_allocator *allocator = server->options.allocator;
	struct brine_lane *lane = brine_alloc_zero(allocator, sizeof *lane);
	if (!lane)
		return BRINE_ERR_NOMEM;
	*lane = (struct brine_lane){.home = {.ops = &ops,
	                                     .allocator = allocator,
	                                     .meter = server->meter,
	                                     .owner = &lane->owner,
	                                     .methods = &server->methods,
	                                     .interceptors = server->options.interceptors,
	                                     .interceptor_count = server->options.interceptor_count,
	                                     .workers = &server->workers,
	                                     .lock = PTHREAD_MUTEX_INITIALIZER,
	                                     .log = &server->log},
	                            .server = server,
	                            .random = server->seed + number * UINT64_C(0x9e3779b97f4a7c15)};
	brine_meter_hold(lane->home.meter);
	brine_buf_init(&lane->home.scratch, allocator);
	int status = brine_owner_init(&lane->owner, NULL);
	if (status == 0)
		status = brine_loop_new(&lane->loop, on_wake, lane, allocator, NULL);
	lane->input = status == 0 ? brine_resize(allocator, NULL, 0, BRINE_LINK_INPUT_SIZE) : NULL;
	if (status == 0 && !lane->input)
		status = BRINE_ERR_NOMEM;
	if (status < 0) {
		brine_lane_free(lane, false);
		return status;
	}
	*ret_lane = lane;
	return 0;
}

/* Leaves the lane to the requests that the program has not answered yet, and to the calling thread. */
static void leave_to_requests(struct brine_lane *lane)
{
	brine_lane_take_posts(lane);
	pthread_mutex_lock(&lane->home.lock);
	/* One that was posted since is answered: nobody will ask for it again. */
	for (struct brine_request *request = lane->posted; request; request = request->posted_next)
		request->delivered = request->posts & BRINE_POST_ANSWER;
	lane->posted = NULL;
	while (lane->home.orphans.first) {
		struct brine_request *request = lane->home.orphans.first;
		brine_request_list_remove(&lane->home.orphans, request);
		if (request->delivered)
			brine_request_release(request);
		else
			lane->left++;
	}
	lane->server = NULL;
	lane->home.log = NULL;
	lane->left++;
	pthread_mutex_unlock(&lane->home.lock);
}

/* The calling thread is done with the lane, too. True: nobody is left. */
static bool is_left_by_all(struct brine_lane *lane)
{
	pthread_mutex_lock(&lane->home.lock);
	bool is_last = --lane->left == 0;
	pthread_mutex_unlock(&lane->home.lock);
	return is_last;
}

void brine_lane_free(struct brine_lane *lane, bool forked)
{
	if (!lane)
		return;
	close_sessions(lane, forked);
	brine_release(lane->home.allocator, lane->input, BRINE_LINK_INPUT_SIZE);
	/* The locks of a forked child are as its parent's threads had them. */
	if (!forked)
		leave_to_requests(lane);
	while (forked && lane->home.orphans.first)
		brine_request_end(lane->home.orphans.first);
	brine_home_done(&lane->home);
	brine_loop_free(lane->loop);
	if (forked || is_left_by_all(lane))
		destroy(lane);
}
