#include "rpc/session.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/socket.h"
#include "rpc/dispatch.h"

#include <errno.h>
#include <stdio.h>

enum {
	EVENTS_PER_TURN = 64, /* so that one busy peer cannot starve the others */
};

void brine_session_touch(struct brine_session *session)
{
	struct brine_server *server = session->server;
	if (session->touched)
		return;
	session->touched = true;
	session->touched_next = NULL;
	*(server->touched ? &server->touched_last->touched_next : &server->touched) = session;
	server->touched_last = session;
}

/* ---- events ---- */

static void cancel_request(struct brine_session *session, uint64_t serial)
{
	struct brine_request *request = brine_request_find(&session->requests, serial);
	if (request)
		atomic_store_explicit(&request->cancelled, true, memory_order_release);
}

/* Tells the log why a connection did not end well. A peer that just went away is no news; one that vanished is. */
static void log_end(struct brine_session *session, int status, uint64_t now_ms)
{
	const struct brine_error *fault = brine_conn_fault(session->link.conn);
	const char *why = fault->code ? fault->text : brine_error_text(status);
	if (status == BRINE_ERR_LOST && session->link.system_errno == ETIMEDOUT)
		why = "the peer has vanished";
	else if (status == BRINE_OK || status == BRINE_ERR_LOST)
		return;
	brine_log_print(&session->server->log, now_ms, "%s: closed: %s", session->peer.address, why);
}

/* Handles what came, up to the cap. False when the connection has ended. */
static bool handle_events(struct brine_session *session, uint64_t now_ms)
{
	struct brine_event event;
	session->behind = false;
	for (int count = 0; brine_conn_next(session->link.conn, &event, now_ms) > 0; count++) {
		switch (event.type) {
		case BRINE_EVENT_REQUEST:
		case BRINE_EVENT_NOTIFICATION: brine_dispatch(session, &event, now_ms); break;
		case BRINE_EVENT_CANCEL: cancel_request(session, event.serial); break;
		case BRINE_EVENT_CLOSED: log_end(session, event.status, now_ms); return false;
		default: break; /* hello, pong and goaway change the connection's state only */
		}
		if (count == EVENTS_PER_TURN) {
			session->behind = true;
			return true;
		}
	}
	return true;
}

/* ---- turns ---- */

/* Sets what the loop waits for. False when it cannot: nobody would look at the session again. */
static bool watch_again(struct brine_session *session)
{
	struct brine_link *link = &session->link;
	brine_timer_set(session->server->loop, &session->timer, brine_conn_deadline(link->conn));
	unsigned ready = brine_stream_want(link->stream, brine_link_wants(link));
	return brine_loop_modify(session->server->loop, &session->watch, ready) == 0;
}

enum turn { TURN_ENDED, TURN_DONE, TURN_AGAIN };

/* Handles what came and writes what is to be written. */
static enum turn take_turn(struct brine_session *session)
{
	struct brine_link *link = &session->link;
	uint64_t now_ms = brine_clock_ms();
	if (!handle_events(session, now_ms))
		return TURN_ENDED;
	bool stalled = !brine_conn_wants_read(link->conn);
	brine_link_write(link, session->server->input, now_ms);
	/* A failed write shows as events. */
	if (link->dead)
		return TURN_AGAIN;
	if (!watch_again(session))
		return TURN_ENDED;
	/* Room in the output lets calls start that had to wait. */
	bool more = session->behind || (stalled && brine_conn_wants_read(link->conn)) ||
	            brine_conn_state(link->conn) == BRINE_CONN_CLOSED;
	return more ? TURN_AGAIN : TURN_DONE;
}

bool brine_sessions_turn(struct brine_server *server)
{
	/* One turn each: whoever needs another waits for the next round. */
	struct brine_session *last = server->touched ? server->touched_last : NULL;
	bool more = last != NULL;
	while (more) {
		struct brine_session *session = server->touched;
		server->touched = session->touched_next;
		more = session != last;
		/* It stays marked during its turn: what it does to itself is seen in that turn. */
		enum turn turn = take_turn(session);
		if (turn == TURN_ENDED) {
			brine_session_close(session, false);
			continue;
		}
		session->touched = false;
		if (turn == TURN_AGAIN)
			brine_session_touch(session);
	}
	return server->touched != NULL;
}

static void on_ready(struct brine_watch *watch, unsigned ready)
{
	struct brine_session *session = watch->user;
	struct brine_link *link = &session->link;
	uint64_t now_ms = brine_clock_ms();
	/* After the peer's end only an error wakes us: there is nobody left to answer. */
	if (link->ended && (ready & BRINE_READABLE) && !brine_conn_pending(link->conn).size)
		brine_link_fail(link, 0, now_ms);
	else if ((ready & BRINE_READABLE) && !session->behind)
		brine_link_read(link, session->server->input, now_ms);
	brine_session_touch(session);
}

static void on_due(struct brine_timer *timer, uint64_t now_ms)
{
	struct brine_session *session = timer->user;
	brine_conn_tick(session->link.conn, now_ms);
	brine_session_touch(session);
}

/* ---- beginning and end ---- */

/* Unix peers have no name of their own: they are shown by where they connected to, and by what the kernel knows of
 * them. */
static void describe_peer(struct brine_peer *peer, int fd, const struct brine_sockaddr *from, const char *listener)
{
	struct brine_credentials credentials;
	if (from->u.any.sa_family == AF_UNIX)
		snprintf(peer->address, sizeof peer->address, "%s", listener);
	else
		brine_sockaddr_format(peer->address, sizeof peer->address, from);
	if (brine_socket_credentials(fd, &credentials) < 0)
		return;
	peer->has_credentials = true;
	peer->uid = credentials.uid;
	peer->gid = credentials.gid;
	peer->pid = credentials.pid;
}

static struct brine_conn_options conn_options(const struct brine_server *server)
{
	const struct brine_server_options *given = &server->options;
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.role = BRINE_ACCEPTING;
	options.wire = BRINE_WIRE_UNKNOWN;
	options.plain_errors = given->plain_errors;
	options.plain_refused = given->plain_refused;
	options.live = true;
	options.name = given->name;
	options.seed = server->seed;
	options.limits = given->limits;
	options.tap = given->tap;
	options.tap_user = given->tap_user;
	options.allocator = given->allocator;
	return options;
}

int brine_session_check(const struct brine_server *server)
{
	struct brine_conn_options options = conn_options(server);
	return brine_link_check(&options, NULL);
}

static int open_link(struct brine_session *session, int fd, struct brine_error *error)
{
	struct brine_conn_options options = conn_options(session->server);
	int status = brine_stream_new_socket(&session->link.stream, fd, options.allocator, error);
	if (status < 0) {
		brine_socket_close(fd);
		return status;
	}
	return brine_conn_new(&session->link.conn, &options, brine_clock_ms(), error);
}

static void add_to_server(struct brine_session *session)
{
	struct brine_server *server = session->server;
	session->next = server->sessions;
	if (server->sessions)
		server->sessions->previous = session;
	server->sessions = session;
	server->counters.connections_open++;
}

static void remove_from_server(struct brine_session *session)
{
	struct brine_server *server = session->server;
	if (session->previous)
		session->previous->next = session->next;
	else
		server->sessions = session->next;
	if (session->next)
		session->next->previous = session->previous;
	server->counters.connections_open--;
}

int brine_session_open(struct brine_server *server, int fd, const struct brine_sockaddr *from, const char *listener,
                       struct brine_error *error)
{
	const struct brine_allocator *allocator = server->options.allocator;
	struct brine_session *session = brine_alloc_zero(allocator, sizeof *session);
	if (!session) {
		brine_socket_close(fd);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	}
	session->server = server;
	session->watch = (struct brine_watch){.on_ready = on_ready, .user = session};
	session->timer = (struct brine_timer){.on_due = on_due, .user = session};
	describe_peer(&session->peer, fd, from, listener);
	brine_link_keepalive(fd, &server->options.limits);
	int status = open_link(session, fd, error);
	if (status == 0) {
		status = brine_loop_add(server->loop, &session->watch, fd, BRINE_READABLE);
		if (status < 0)
			brine_fail(error, status, 0, "%s",
			           status == BRINE_ERR_SYSTEM ? strerror(errno) : "out of memory");
	}
	if (status < 0) {
		brine_link_done(&session->link);
		brine_release(allocator, session, sizeof *session);
		return status;
	}
	add_to_server(session);
	brine_session_touch(session);
	return 0;
}

void brine_session_close(struct brine_session *session, bool forked)
{
	struct brine_server *server = session->server;
	if (!forked) {
		brine_loop_remove(server->loop, &session->watch);
		brine_timer_stop(server->loop, &session->timer);
	}
	while (session->requests.first)
		brine_request_orphan(session->requests.first);
	remove_from_server(session);
	brine_link_done(&session->link);
	brine_release(server->options.allocator, session, sizeof *session);
}
