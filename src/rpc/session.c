#include "rpc/session.h"

#include "base/alloc.h"
#include "base/later.h"
#include "net/clock.h"
#include "net/socket.h"
#include "rpc/caller.h"
#include "rpc/dispatch.h"
#include "rpc/port.h"
#include "rpc/server.h"

#include <errno.h>
#include <stdio.h>

enum {
	EVENTS_LEAST = 2, /* in a turn */
	EVENTS_MOST = 64, /* so that one busy peer cannot starve the others */
	AGE_JITTER = 10,  /* a tenth */
};

void brine_session_touch(struct brine_session *session)
{
	struct brine_lane *lane = session->lane;
	if (session->touched)
		return;
	session->touched = true;
	session->touched_next = NULL;
	*(lane->touched ? &lane->touched_last->touched_next : &lane->touched) = session;
	lane->touched_last = session;
}

/* ---- events ---- */

/* Tells the log why a connection did not end well. A peer that just went away is no news; one that vanished is. */
static void log_end(struct brine_session *session, int status, uint64_t now_ms)
{
	/* Does not change any more. */
	const struct brine_error *fault = brine_conn_fault(session->link.conn);
	const char *why = fault->code ? fault->text : brine_error_text(status);
	if (status == BRINE_ERR_LOST && session->link.system_errno == ETIMEDOUT)
		why = "the peer has vanished";
	else if (status == BRINE_OK || status == BRINE_ERR_LOST)
		return;
	brine_log_print(&session->lane->server->log, now_ms, "%s: closed: %s", session->line.peer.address, why);
}

/* Handles what came, up to the cap. False when the connection has ended. */
static bool handle_events(struct brine_session *session, uint64_t now_ms)
{
	struct brine_event event;
	session->behind = false;
	for (uint32_t count = 1; brine_caller_next(session, &event, now_ms) > 0; count++) {
		session->lane->round_busy += count == 1;
		session->lane->round_events++;
		switch (event.type) {
		case BRINE_EVENT_REQUEST:
		case BRINE_EVENT_NOTIFICATION: brine_dispatch(&session->line, &event, now_ms); break;
		case BRINE_EVENT_CANCEL:
		case BRINE_EVENT_ITEM:
		case BRINE_EVENT_UPLOAD_END:
		case BRINE_EVENT_CREDIT: brine_dispatch_change(&session->line, &event); break;
		case BRINE_EVENT_CLOSED: log_end(session, event.status, now_ms); return false;
		default: break; /* hello, pong and goaway change the connection's state only */
		}
		if (count >= session->lane->round_share) {
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
	brine_line_lock(&session->line);
	uint64_t deadline_ms = brine_conn_deadline(link->conn);
	unsigned ready = brine_link_wants(link);
	brine_line_unlock(&session->line);
	uint64_t caller_ms = brine_caller_due(session);
	deadline_ms = caller_ms < deadline_ms ? caller_ms : deadline_ms;
	brine_timer_set(session->lane->loop, &session->timer,
	                deadline_ms < session->retire_ms ? deadline_ms : session->retire_ms);
	return brine_loop_watch_stream(session->lane->loop, &session->watch, link->stream, ready) == 0;
}

/* True when that makes another turn necessary. */
static bool write_output(struct brine_session *session, uint64_t now_ms)
{
	struct brine_conn *conn = session->link.conn;
	brine_line_lock(&session->line);
	bool stalled = !brine_conn_wants_read(conn);
	brine_link_write(&session->link, session->lane->input, now_ms);
	/* Room in the output lets calls start that had to wait. */
	bool more = (stalled && brine_conn_wants_read(conn)) || brine_conn_state(conn) == BRINE_CONN_CLOSED;
	if (session->line.caller)
		brine_client_announce(session->line.caller);
	brine_line_unlock(&session->line);
	return more;
}

enum turn { TURN_ENDED, TURN_DONE, TURN_AGAIN };

/* Handles what came and writes what is to be written. */
static enum turn take_turn(struct brine_session *session)
{
	struct brine_link *link = &session->link;
	uint64_t now_ms = brine_clock_ms();
	if (!handle_events(session, now_ms))
		return TURN_ENDED;
	brine_caller_turn(session, now_ms);
	bool more = write_output(session, now_ms) || session->behind;
	/* A failed write shows as events. */
	if (link->dead)
		return TURN_AGAIN;
	/* What came, and what could go out, counts before the time that has passed. */
	if (session->due) {
		session->due = false;
		brine_line_lock(&session->line);
		brine_conn_tick(link->conn, now_ms);
		brine_line_unlock(&session->line);
		return TURN_AGAIN;
	}
	if (!watch_again(session))
		return TURN_ENDED;
	return more ? TURN_AGAIN : TURN_DONE;
}

/* The most events of a turn in the next round: twice the average of this one. So a peer that always has more gets
 * hardly more of the loop than those that wait for each answer, and where all have more their turns are long. */
static void share_next_round(struct brine_lane *lane)
{
	uint32_t share = lane->round_busy ? 2 * lane->round_events / lane->round_busy : lane->round_share;
	lane->round_share = share < EVENTS_LEAST ? EVENTS_LEAST : share > EVENTS_MOST ? EVENTS_MOST : share;
	lane->round_busy = lane->round_events = 0;
}

bool brine_sessions_turn(struct brine_lane *lane)
{
	/* One turn each: whoever needs another waits for the next round. */
	struct brine_session *last = lane->touched ? lane->touched_last : NULL;
	bool more = last != NULL;
	while (more) {
		struct brine_session *session = lane->touched;
		lane->touched = session->touched_next;
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
	share_next_round(lane);
	return lane->touched != NULL;
}

/* Where memory is short, little is read, and a long message that has not come whole is not waited for: its sender is
 * told to go away. True: it was. */
static bool shed(struct brine_session *session, uint64_t now_ms)
{
	struct brine_conn *conn = session->link.conn;
	struct brine_server *server = session->lane->server;
	session->link.is_short = brine_server_is_short(server);
	if (!session->link.is_short || session->line.requests.first || brine_conn_state(conn) != BRINE_CONN_OPEN ||
	    brine_conn_unhandled(conn) < BRINE_LINK_INPUT_SHORT)
		return false;
	brine_lane_count(session->lane, BRINE_COUNT_SHORTAGES, 1);
	brine_log_print(&server->log, now_ms, "%s: told to go away: the server is short of memory",
	                session->line.peer.address);
	brine_conn_drain(conn, 0, now_ms);
	brine_conn_tick(conn, now_ms);
	return true;
}

static void on_ready(struct brine_watch *watch, unsigned ready)
{
	struct brine_session *session = watch->user;
	struct brine_link *link = &session->link;
	uint64_t now_ms = brine_clock_ms();
	brine_line_lock(&session->line);
	/* After the peer's end only an error wakes us: there is nobody left to answer. */
	if (link->ended && (ready & BRINE_READABLE) && !brine_conn_pending(link->conn).size)
		brine_link_fail(link, 0, now_ms);
	else if ((ready & BRINE_READABLE) && !session->behind && !shed(session, now_ms))
		brine_link_read(link, session->lane->input, now_ms);
	brine_line_unlock(&session->line);
	brine_session_touch(session);
}

static void on_due(struct brine_timer *timer, uint64_t now_ms)
{
	struct brine_session *session = timer->user;
	session->due = true;
	if (now_ms >= session->retire_ms)
		brine_session_retire(session);
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

static struct brine_conn_options conn_options(const struct brine_server *server,
                                              const struct brine_listen_options *listen)
{
	const struct brine_server_options *given = &server->options;
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.role = BRINE_ACCEPTING;
	options.wire = BRINE_WIRE_UNKNOWN;
	options.plain_errors = listen->plain_errors;
	options.plain_refused = listen->plain_refused;
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
	struct brine_listen_options listen = brine_port_defaults(server);
	struct brine_conn_options options = conn_options(server, &listen);
	return brine_link_check(&options, NULL);
}

static int open_link(struct brine_session *session, struct brine_error *error)
{
	struct brine_conn_options options = conn_options(session->lane->server, &session->listen);
	int status = brine_stream_new_socket(&session->link.stream, session->fd, options.allocator, error);
	if (status < 0)
		return status;
	session->fd = -1;
	status = brine_conn_new(&session->link.conn, &options, brine_clock_ms(), error);
	session->line.conn = session->link.conn;
	return status;
}

struct brine_session *brine_session_new(struct brine_lane *lane, int fd, const struct brine_sockaddr *from,
                                        const char *listener, const struct brine_listen_options *listen)
{
	struct brine_session *session = brine_alloc_zero(lane->home.allocator, sizeof *session);
	if (!session) {
		brine_socket_close(fd);
		return NULL;
	}
	session->line.home = &lane->home;
	session->lane = lane;
	session->fd = fd;
	session->retire_ms = BRINE_FOREVER;
	brine_stream_watch_init(&session->watch, on_ready, session);
	session->timer = (struct brine_timer){.on_due = on_due, .user = session};
	session->listen = *listen;
	describe_peer(&session->line.peer, fd, from, listener);
	session->line.peer.connection = atomic_fetch_add(&lane->server->connections_made, 1) + 1;
	brine_lane_count(lane, BRINE_COUNT_OPEN, 1);
	return session;
}

void brine_session_discard(struct brine_session *session)
{
	struct brine_lane *lane = session->lane;
	brine_quota_leave(&lane->server->quota, session->quota_key);
	brine_link_done(&session->link);
	brine_socket_close(session->fd);
	brine_lane_count(lane, BRINE_COUNT_OPEN, UINT64_MAX);
	brine_release(lane->home.allocator, session, sizeof *session);
}

/* Everything that can fail. */
static int set_up(struct brine_session *session, struct brine_error *error)
{
	const struct brine_server_options *options = &session->lane->server->options;
	int fd = session->fd;
	if (options->accept && options->accept(&session->line.peer, options->accept_user) != 0)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "the program does not want %s",
		                  session->line.peer.address);
	brine_link_keepalive(fd, &options->limits);
	int status = open_link(session, error);
	if (status < 0)
		return status;
	status = brine_loop_watch_stream(session->lane->loop, &session->watch, session->link.stream, BRINE_READABLE);
	if (status < 0)
		brine_fail(error, status, 0, "%s", status == BRINE_ERR_SYSTEM ? strerror(errno) : "out of memory");
	return status;
}

/* When a session that begins now is old. A little earlier for some: clients that came together do not come again
 * together. */
static uint64_t choose_retirement(struct brine_lane *lane)
{
	uint64_t age_ms = lane->server->options.connection_age_max_ms;
	if (age_ms == 0 || age_ms == BRINE_FOREVER)
		return BRINE_FOREVER;
	/* Knuth's generator is random enough to spread them; its high bits are the better ones. */
	lane->random = lane->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return brine_later(brine_clock_ms(), age_ms - (lane->random >> 32) % (age_ms / AGE_JITTER + 1));
}

void brine_session_start(struct brine_session *session)
{
	struct brine_lane *lane = session->lane;
	struct brine_error error;
	if (set_up(session, &error) < 0) {
		brine_lane_count(lane, BRINE_COUNT_REFUSED, 1);
		brine_log_print(&lane->server->log, brine_clock_ms(), "connection refused: %s", error.text);
		brine_session_discard(session);
		return;
	}
	brine_lane_count(lane, BRINE_COUNT_ACCEPTED, 1);
	session->retire_ms = choose_retirement(lane);
	session->next = lane->sessions;
	if (lane->sessions)
		lane->sessions->previous = session;
	lane->sessions = session;
	if (lane->stops_seen)
		brine_session_retire(session);
	brine_session_touch(session);
}

void brine_session_retire(struct brine_session *session)
{
	session->retire_ms = BRINE_FOREVER;
	brine_line_lock(&session->line);
	brine_conn_drain(session->link.conn, session->lane->server->options.drain_ms, brine_clock_ms());
	brine_line_unlock(&session->line);
	brine_session_touch(session);
}

void brine_session_close(struct brine_session *session, bool forked)
{
	struct brine_lane *lane = session->lane;
	if (!forked) {
		brine_loop_unwatch_stream(lane->loop, &session->watch);
		brine_timer_stop(lane->loop, &session->timer);
	}
	/* The locks of a forked child are as its parent's threads had them, and nobody will answer there. */
	while (session->line.requests.first && forked)
		brine_request_end(session->line.requests.first);
	while (session->line.requests.first)
		brine_request_orphan(session->line.requests.first);
	if (!forked)
		brine_line_gone(&session->line);
	/* No handler can ask for the caller any more. */
	brine_caller_end(session, forked);
	if (session->previous)
		session->previous->next = session->next;
	else
		lane->sessions = session->next;
	if (session->next)
		session->next->previous = session->previous;
	brine_session_discard(session);
}
