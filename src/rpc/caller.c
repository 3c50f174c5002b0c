#include "rpc/caller.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "net/clock.h"
#include "rpc/family.h"
#include "rpc/server.h"
#include "rpc/thread.h"

#include <stdio.h>

/* ---- from any thread ---- */

/* Puts the session into the lane's list. Holds the lane's lock. */
static void summon(struct brine_session *session)
{
	struct brine_lane *lane = session->lane;
	if (session->is_called)
		return;
	session->is_called = true;
	session->called_next = lane->called;
	lane->called = session;
	brine_loop_wake(lane->loop);
}

static struct brine_client *make(struct brine_session *session)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	options.limits = session->lane->server->options.limits;
	options.allocator = session->lane->home.allocator;
	if (brine_client_make(&client, &options, true, NULL) < 0)
		return NULL;
	session->caller_link = brine_alloc_zero(options.allocator, sizeof *session->caller_link);
	if (!session->caller_link) {
		brine_client_drop(client);
		return NULL;
	}
	/* It may outlive the server. */
	client->home.meter = session->lane->home.meter;
	brine_meter_hold(client->home.meter);
	client->session = session;
	snprintf(client->peer_text, sizeof client->peer_text, "%s", session->line.peer.address);
	return client;
}

struct brine_client *brine_session_caller(struct brine_request *request)
{
	struct brine_home *home = request->home;
	struct brine_client *client = NULL;
	int state = brine_thread_defer_cancel();
	pthread_mutex_lock(&home->lock);
	struct brine_session *session = (struct brine_session *)request->line;
	if (session) {
		if (!session->caller)
			session->caller = make(session);
		client = session->caller;
	}
	if (client) {
		brine_client_hold(client);
		summon(session);
	}
	pthread_mutex_unlock(&home->lock);
	brine_thread_allow_cancel(state);
	return client;
}

void brine_caller_wake(struct brine_client *client)
{
	struct brine_session *session = client->session;
	if (!session)
		return;
	pthread_mutex_lock(&session->lane->home.lock);
	summon(session);
	pthread_mutex_unlock(&session->lane->home.lock);
}

struct brine_workers *brine_caller_workers(const struct brine_client *client)
{
	return client->session ? client->session->lane->home.workers : NULL;
}

/* ---- on the lane ---- */

/* Lets the client use the connection. */
static void attach(struct brine_session *session, struct brine_client *client, struct brine_client_link *node)
{
	brine_client_lock(client);
	node->link.conn = session->link.conn;
	node->greeted = node->useful = true;
	node->number = ++client->links_made;
	client->links = client->current = node;
	session->line.caller = client;
	brine_client_unlock(client);
}

static struct brine_session *take_called(struct brine_lane *lane)
{
	pthread_mutex_lock(&lane->home.lock);
	struct brine_session *session = lane->called;
	struct brine_client *client = NULL;
	struct brine_client_link *node = NULL;
	if (session) {
		lane->called = session->called_next;
		session->is_called = false;
		client = session->caller;
		node = session->caller_link;
		session->caller_link = NULL;
	}
	pthread_mutex_unlock(&lane->home.lock);
	if (node)
		attach(session, client, node);
	return session;
}

void brine_callers_heed(struct brine_lane *lane)
{
	struct brine_session *session;
	while ((session = take_called(lane)))
		brine_session_touch(session);
}

int brine_caller_next(struct brine_session *session, struct brine_event *ret_event, uint64_t now_ms)
{
	struct brine_client *client = session->line.caller;
	struct brine_conn *conn = session->link.conn;
	int got;
	bool is_ours;
	do {
		/* The lock is kept from taking an event to handling it: the call may be gone otherwise. */
		brine_line_lock(&session->line);
		got = brine_conn_next(conn, ret_event, now_ms);
		is_ours = got > 0 && ret_event->user;
		if (is_ours)
			brine_client_take_event(client, client->links, ret_event, now_ms);
		brine_line_unlock(&session->line);
	} while (is_ours);
	return got;
}

void brine_caller_turn(struct brine_session *session, uint64_t now_ms)
{
	struct brine_client *client = session->line.caller;
	if (!client)
		return;
	brine_client_lock(client);
	(void)brine_client_end_cut(client);
	brine_calls_expire(client, now_ms);
	brine_calls_flush(client, now_ms);
	brine_client_announce(client);
	brine_client_flush_callbacks(client);
	brine_client_unlock(client);
}

uint64_t brine_caller_due(struct brine_session *session)
{
	struct brine_client *client = session->line.caller;
	uint64_t due_ms = BRINE_FOREVER;
	brine_line_lock(&session->line);
	if (client && client->queued.count)
		due_ms = client->queued_due_ms;
	brine_line_unlock(&session->line);
	return due_ms;
}

/* Handles what had come, up to the end of the connection, which ends all calls on it. Holds the client's lock. */
static void take_last_events(struct brine_session *session, struct brine_client *client, struct brine_client_link *node)
{
	struct brine_conn *conn = session->link.conn;
	struct brine_event event;
	uint64_t now_ms = brine_clock_ms();
	int got;
	brine_conn_lost(conn, BRINE_ERR_LOST, now_ms);
	/* It may have no event for now and still be in the middle of its input. */
	while ((got = brine_conn_next(conn, &event, now_ms)) > 0 || brine_conn_state(conn) != BRINE_CONN_CLOSED)
		if (got > 0 && event.user)
			brine_client_take_event(client, node, &event, now_ms);
}

/* Tells every call to the peer that the connection is lost. Holds the client's lock. */
static void end_calls(struct brine_session *session, struct brine_client *client)
{
	struct brine_client_link *node = client->links;
	struct brine_error why;
	client->current = NULL;
	if (node)
		take_last_events(session, client, node);
	brine_fail(&why, BRINE_ERR_NOT_SENT, 0, "the connection of %s has ended", client->peer_text);
	brine_calls_refuse(client, &why, true);
	brine_client_announce(client);
}

void brine_caller_end(struct brine_session *session, bool forked)
{
	struct brine_lane *lane = session->lane;
	struct brine_client *client = session->caller;
	if (!client)
		return;
	if (!forked) {
		pthread_mutex_lock(&lane->home.lock);
		struct brine_session **at = &lane->called;
		while (*at && *at != session)
			at = &(*at)->called_next;
		if (*at)
			*at = session->called_next;
		/* So that nobody gets it any more. */
		session->caller = NULL;
		session->is_called = true;
		pthread_mutex_unlock(&lane->home.lock);
		brine_client_lock(client);
		pthread_mutex_lock(&client->home.lock);
		client->session = NULL;
		pthread_mutex_unlock(&client->home.lock);
		end_calls(session, client);
	}
	struct brine_client_link *node = client->links ? client->links : session->caller_link;
	client->links = NULL;
	session->line.caller = NULL;
	if (!forked) {
		brine_client_flush_callbacks(client);
		brine_client_unlock(client);
	}
	brine_release(client->options.allocator, node, node ? sizeof *node : 0);
	brine_client_drop(client);
}
