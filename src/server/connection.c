#include "server/connection.h"

#include "base/alloc.h"
#include "base/container.h"
#include "base/later.h"
#include "dispatch/dispatch.h"
#include "net/clock.h"
#include "net/socket.h"
#include "server/listener.h"
#include "server/peer_client.h"
#include "server/server.h"

#include <errno.h>
#include <stdio.h>

enum {
	EVENTS_LEAST = 2, /* in a turn */
	EVENTS_MOST = 64, /* so that one busy peer cannot starve the others */
	AGE_JITTER = 10,  /* a tenth */
};

void brine_connection_schedule(struct brine_connection *connection)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	if (connection->scheduled)
		return;
	connection->scheduled = true;
	connection->scheduled_next = NULL;
	*(loop_thread->scheduled ? &loop_thread->scheduled_last->scheduled_next : &loop_thread->scheduled) = connection;
	loop_thread->scheduled_last = connection;
}

/* ---- events ---- */

static struct brine_connection *connection_of(struct brine_channel *channel)
{
	return brine_container_of(channel, struct brine_connection, channel);
}

/* Tells the log why a connection did not end well. A peer that just went away is no news; one that vanished is. */
static void log_end(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	/* Does not change any more. */
	const struct brine_error *fault = brine_conn_fault(channel->conn);
	int status = event->status;
	const char *why = fault->code ? fault->text : brine_error_text(status);
	if (status == BRINE_ERR_LOST && channel->system_errno == ETIMEDOUT)
		why = "the peer has vanished";
	else if (status == BRINE_OK || status == BRINE_ERR_LOST)
		return;
	brine_log_print(&connection_of(channel)->loop_thread->server->log, now_ms, "%s: closed: %s",
	                channel->peer.address, why);
}

/* Hello, pong and goaway change the state of the connection alone. */
const struct brine_event_table brine_connection_events = {
        .ours = {[BRINE_EVENT_RESPONSE] = brine_call_on_response,
                 [BRINE_EVENT_ITEM] = brine_call_on_item,
                 [BRINE_EVENT_CREDIT] = brine_call_on_credit},
        .theirs = {[BRINE_EVENT_REQUEST] = brine_dispatch,
                   [BRINE_EVENT_NOTIFICATION] = brine_dispatch,
                   [BRINE_EVENT_CANCEL] = brine_dispatch_change,
                   [BRINE_EVENT_ITEM] = brine_dispatch_change,
                   [BRINE_EVENT_UPLOAD_END] = brine_dispatch_change,
                   [BRINE_EVENT_CREDIT] = brine_dispatch_change,
                   [BRINE_EVENT_CLOSED] = log_end},
};

/* Handles what came, up to the cap. False when the connection has ended. */
static bool handle_events(struct brine_connection *connection, uint64_t now_ms)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	struct brine_channel *channel = &connection->channel;
	uint32_t count = 0;
	int taken = 0;
	while (count < loop_thread->round_share && !channel->closed &&
	       (taken = brine_channel_take_event(channel, now_ms)))
		count += taken > 1;
	channel->backlog = taken && !channel->closed;
	loop_thread->round_busy += count > 0;
	loop_thread->round_events += count;
	return !channel->closed;
}

/* ---- turns ---- */

/* Sets what the loop waits for. False when it cannot: nobody would look at the connection again. */
static bool watch_again(struct brine_connection *connection)
{
	struct brine_channel *channel = &connection->channel;
	brine_channel_lock(&connection->channel);
	uint64_t deadline_ms = brine_conn_deadline(channel->conn);
	unsigned ready = brine_channel_wants(channel);
	brine_channel_unlock(&connection->channel);
	uint64_t peer_client_ms = brine_peer_client_due(connection);
	deadline_ms = peer_client_ms < deadline_ms ? peer_client_ms : deadline_ms;
	brine_timer_set(connection->loop_thread->loop, &connection->timer,
	                deadline_ms < connection->retire_ms ? deadline_ms : connection->retire_ms);
	return brine_loop_watch_stream(connection->loop_thread->loop, &connection->watch, channel->stream, ready) == 0;
}

/* True when that makes another turn necessary. */
static bool write_output(struct brine_connection *connection, uint64_t now_ms)
{
	struct brine_conn *conn = connection->channel.conn;
	brine_channel_lock(&connection->channel);
	bool stalled = !brine_conn_wants_read(conn);
	brine_channel_write(&connection->channel, connection->loop_thread->input, now_ms);
	/* Room in the output lets calls start that had to wait. */
	bool more = (stalled && brine_conn_wants_read(conn)) || brine_conn_state(conn) == BRINE_CONN_CLOSED;
	if (connection->client)
		brine_client_wake_waiters(connection->client);
	brine_channel_unlock(&connection->channel);
	return more;
}

enum turn { TURN_ENDED, TURN_DONE, TURN_AGAIN };

/* Handles what came and writes what is to be written. */
static enum turn take_turn(struct brine_connection *connection)
{
	struct brine_channel *channel = &connection->channel;
	uint64_t now_ms = brine_clock_ms();
	if (!handle_events(connection, now_ms))
		return TURN_ENDED;
	brine_peer_client_turn(connection, now_ms);
	bool more = write_output(connection, now_ms) || connection->channel.backlog;
	/* A failed write shows as events. */
	if (channel->dead)
		return TURN_AGAIN;
	/* What came, and what could go out, counts before the time that has passed. */
	if (connection->due) {
		connection->due = false;
		brine_channel_lock(&connection->channel);
		brine_conn_tick(channel->conn, now_ms);
		brine_channel_unlock(&connection->channel);
		return TURN_AGAIN;
	}
	if (!watch_again(connection))
		return TURN_ENDED;
	return more ? TURN_AGAIN : TURN_DONE;
}

/* The most events of a turn in the next round: twice the average of this one. So a peer that always has more gets
 * hardly more of the loop than those that wait for each answer, and where all have more their turns are long. */
static void share_next_round(struct brine_loop_thread *loop_thread)
{
	uint32_t share = loop_thread->round_busy ? 2 * loop_thread->round_events / loop_thread->round_busy
	                                         : loop_thread->round_share;
	loop_thread->round_share = share < EVENTS_LEAST ? EVENTS_LEAST : share > EVENTS_MOST ? EVENTS_MOST : share;
	loop_thread->round_busy = loop_thread->round_events = 0;
}

bool brine_connections_turn(struct brine_loop_thread *loop_thread)
{
	/* One turn each: whoever needs another waits for the next round. */
	struct brine_connection *last = loop_thread->scheduled ? loop_thread->scheduled_last : NULL;
	bool more = last != NULL;
	while (more) {
		struct brine_connection *connection = loop_thread->scheduled;
		loop_thread->scheduled = connection->scheduled_next;
		more = connection != last;
		/* It stays marked during its turn: what it does to itself is seen in that turn. */
		enum turn turn = take_turn(connection);
		if (turn == TURN_ENDED) {
			brine_connection_close(connection, false);
			continue;
		}
		connection->scheduled = false;
		if (turn == TURN_AGAIN)
			brine_connection_schedule(connection);
	}
	share_next_round(loop_thread);
	return loop_thread->scheduled != NULL;
}

/* Where memory is short, little is read, and a long message that has not come whole is not waited for: its sender is
 * told to go away. True: it was. */
static bool shed(struct brine_connection *connection, uint64_t now_ms)
{
	struct brine_conn *conn = connection->channel.conn;
	struct brine_server *server = connection->loop_thread->server;
	connection->channel.is_short = brine_server_is_short(server);
	if (!connection->channel.is_short || connection->channel.requests.first ||
	    brine_conn_state(conn) != BRINE_CONN_OPEN || brine_conn_unhandled(conn) < BRINE_INPUT_SHORT)
		return false;
	brine_loop_thread_count(connection->loop_thread, BRINE_COUNT_SHORTAGES, 1);
	brine_log_print(&server->log, now_ms, "%s: told to go away: the server is short of memory",
	                connection->channel.peer.address);
	brine_conn_drain(conn, 0, now_ms);
	brine_conn_tick(conn, now_ms);
	return true;
}

static void on_ready(struct brine_watch *watch, unsigned ready)
{
	struct brine_connection *connection = watch->user;
	struct brine_channel *channel = &connection->channel;
	uint64_t now_ms = brine_clock_ms();
	brine_channel_lock(&connection->channel);
	/* After the peer's end only an error wakes us: there is nobody left to answer. */
	if (channel->ended && (ready & BRINE_READABLE) && !brine_conn_pending(channel->conn).size)
		brine_channel_fail(channel, 0, now_ms);
	else if ((ready & BRINE_READABLE) && !connection->channel.backlog && !shed(connection, now_ms))
		brine_channel_read(channel, connection->loop_thread->input, now_ms);
	brine_channel_unlock(&connection->channel);
	brine_connection_schedule(connection);
}

static void on_due(struct brine_timer *timer, uint64_t now_ms)
{
	struct brine_connection *connection = timer->user;
	connection->due = true;
	if (now_ms >= connection->retire_ms)
		brine_connection_retire(connection);
	brine_connection_schedule(connection);
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

int brine_connection_check(const struct brine_server *server)
{
	struct brine_listen_options listen = brine_listener_defaults(server);
	struct brine_conn_options options = conn_options(server, &listen);
	return brine_channel_check(&options, NULL);
}

static int open_link(struct brine_connection *connection, struct brine_error *error)
{
	struct brine_conn_options options = conn_options(connection->loop_thread->server, &connection->listen);
	int status = brine_stream_new_socket(&connection->channel.stream, connection->fd, options.allocator, error);
	if (status < 0)
		return status;
	connection->fd = -1;
	status = brine_conn_new(&connection->channel.conn, &options, brine_clock_ms(), error);
	connection->channel.conn = connection->channel.conn;
	return status;
}

struct brine_connection *brine_connection_new(struct brine_loop_thread *loop_thread, int fd,
                                              const struct brine_sockaddr *from, const char *listener,
                                              const struct brine_listen_options *listen)
{
	struct brine_connection *connection = brine_alloc_zero(loop_thread->host.allocator, sizeof *connection);
	if (!connection) {
		brine_socket_close(fd);
		return NULL;
	}
	connection->channel.host = &loop_thread->host;
	connection->loop_thread = loop_thread;
	connection->fd = fd;
	connection->retire_ms = BRINE_FOREVER;
	brine_stream_watch_init(&connection->watch, on_ready, connection);
	connection->timer = (struct brine_timer){.on_due = on_due, .user = connection};
	connection->listen = *listen;
	describe_peer(&connection->channel.peer, fd, from, listener);
	connection->channel.peer.connection = atomic_fetch_add(&loop_thread->server->connections_made, 1) + 1;
	brine_loop_thread_count(loop_thread, BRINE_COUNT_OPEN, 1);
	return connection;
}

void brine_connection_discard(struct brine_connection *connection)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	brine_peer_limit_release(&loop_thread->server->peer_limit, connection->peer_limit_key);
	brine_channel_done(&connection->channel);
	brine_socket_close(connection->fd);
	brine_loop_thread_count(loop_thread, BRINE_COUNT_OPEN, UINT64_MAX);
	brine_release(loop_thread->host.allocator, connection, sizeof *connection);
}

/* Everything that can fail. */
static int set_up(struct brine_connection *connection, struct brine_error *error)
{
	const struct brine_server_options *options = &connection->loop_thread->server->options;
	int fd = connection->fd;
	if (options->accept && options->accept(&connection->channel.peer, options->accept_user) != 0)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "the program does not want %s",
		                  connection->channel.peer.address);
	brine_channel_find_dead_peer(fd, &options->limits);
	int status = open_link(connection, error);
	if (status < 0)
		return status;
	status = brine_loop_watch_stream(connection->loop_thread->loop, &connection->watch, connection->channel.stream,
	                                 BRINE_READABLE);
	if (status < 0)
		brine_fail(error, status, 0, "%s", status == BRINE_ERR_SYSTEM ? strerror(errno) : "out of memory");
	return status;
}

/* When a connection that begins now is old. A little earlier for some: clients that came together do not come again
 * together. */
static uint64_t choose_retirement(struct brine_loop_thread *loop_thread)
{
	uint64_t age_ms = loop_thread->server->options.connection_age_max_ms;
	if (age_ms == 0 || age_ms == BRINE_FOREVER)
		return BRINE_FOREVER;
	/* Knuth's generator is random enough to spread them; its high bits are the better ones. */
	loop_thread->random = loop_thread->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return brine_later(brine_clock_ms(), age_ms - (loop_thread->random >> 32) % (age_ms / AGE_JITTER + 1));
}

void brine_connection_start(struct brine_connection *connection)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	struct brine_error error;
	if (set_up(connection, &error) < 0) {
		brine_loop_thread_count(loop_thread, BRINE_COUNT_REFUSED, 1);
		brine_log_print(&loop_thread->server->log, brine_clock_ms(), "connection refused: %s", error.text);
		brine_connection_discard(connection);
		return;
	}
	brine_loop_thread_count(loop_thread, BRINE_COUNT_ACCEPTED, 1);
	connection->retire_ms = choose_retirement(loop_thread);
	connection->next = loop_thread->connections;
	if (loop_thread->connections)
		loop_thread->connections->previous = connection;
	loop_thread->connections = connection;
	if (loop_thread->stops_seen)
		brine_connection_retire(connection);
	brine_connection_schedule(connection);
}

void brine_connection_retire(struct brine_connection *connection)
{
	connection->retire_ms = BRINE_FOREVER;
	brine_channel_lock(&connection->channel);
	brine_conn_drain(connection->channel.conn, connection->loop_thread->server->options.drain_ms, brine_clock_ms());
	brine_channel_unlock(&connection->channel);
	brine_connection_schedule(connection);
}

void brine_connection_close(struct brine_connection *connection, bool forked)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	if (!forked) {
		brine_loop_unwatch_stream(loop_thread->loop, &connection->watch);
		brine_timer_stop(loop_thread->loop, &connection->timer);
	}
	/* The locks of a forked child are as its parent's threads had them, and nobody will answer there. */
	while (connection->channel.requests.first && forked)
		brine_request_end(connection->channel.requests.first);
	while (connection->channel.requests.first)
		brine_request_orphan(connection->channel.requests.first);
	if (!forked)
		brine_channel_tell_watches(&connection->channel);
	/* No handler can ask for the peer_client any more. */
	brine_peer_client_end(connection, forked);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		loop_thread->connections = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	brine_connection_discard(connection);
}
