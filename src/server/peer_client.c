#include "server/peer_client.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "channel/cancel_scope.h"
#include "net/clock.h"
#include "run/thread.h"
#include "server/server.h"

#include <stdio.h>

/* ---- from any thread ---- */

/* Puts the connection into the loop thread's list. Holds the loop thread's lock. */
static void summon(struct brine_connection *connection)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	if (connection->is_summoned)
		return;
	connection->is_summoned = true;
	connection->summoned_next = loop_thread->summoned;
	loop_thread->summoned = connection;
	brine_loop_wake(loop_thread->loop);
}

static struct brine_client *make(struct brine_connection *connection)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	options.limits = connection->loop_thread->server->options.limits;
	options.allocator = connection->loop_thread->host.allocator;
	if (brine_client_make(&client, &options, true, NULL) < 0)
		return NULL;
	connection->peer_channel = brine_alloc_zero(options.allocator, sizeof *connection->peer_channel);
	if (!connection->peer_channel) {
		brine_client_drop(client);
		return NULL;
	}
	/* It may outlive the server. */
	client->host.meter = connection->loop_thread->host.meter;
	brine_meter_hold(client->host.meter);
	client->connection = connection;
	snprintf(client->peer_text, sizeof client->peer_text, "%s", connection->channel.peer.address);
	return client;
}

struct brine_client *brine_connection_peer_client(struct brine_request *request)
{
	struct brine_host *host = request->host;
	struct brine_client *client = NULL;
	int state = brine_thread_defer_cancel();
	pthread_mutex_lock(&host->lock);
	struct brine_connection *connection = (struct brine_connection *)request->channel;
	if (connection) {
		if (!connection->peer_client)
			connection->peer_client = make(connection);
		client = connection->peer_client;
	}
	if (client) {
		brine_client_hold(client);
		summon(connection);
	}
	pthread_mutex_unlock(&host->lock);
	brine_thread_allow_cancel(state);
	return client;
}

void brine_peer_client_wake(struct brine_client *client)
{
	struct brine_connection *connection = client->connection;
	if (!connection)
		return;
	pthread_mutex_lock(&connection->loop_thread->host.lock);
	summon(connection);
	pthread_mutex_unlock(&connection->loop_thread->host.lock);
}

struct brine_pool *brine_peer_client_pool(const struct brine_client *client)
{
	return client->connection ? client->connection->loop_thread->host.pool : NULL;
}

/* ---- on the loop thread ---- */

/* Lets the client use the connection. */
static void attach(struct brine_connection *connection, struct brine_client *client, struct brine_client_channel *node)
{
	brine_client_lock(client);
	node->transport.conn = connection->transport.conn;
	node->hello_received = node->proven = true;
	node->number = ++client->channels_made;
	client->channels = client->current = node;
	connection->channel.peer_client = client;
	brine_client_unlock(client);
}

static struct brine_connection *take_called(struct brine_loop_thread *loop_thread)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	struct brine_connection *connection = loop_thread->summoned;
	struct brine_client *client = NULL;
	struct brine_client_channel *node = NULL;
	if (connection) {
		loop_thread->summoned = connection->summoned_next;
		connection->is_summoned = false;
		client = connection->peer_client;
		node = connection->peer_channel;
		connection->peer_channel = NULL;
	}
	pthread_mutex_unlock(&loop_thread->host.lock);
	if (node)
		attach(connection, client, node);
	return connection;
}

void brine_peer_clients_process(struct brine_loop_thread *loop_thread)
{
	struct brine_connection *connection;
	while ((connection = take_called(loop_thread)))
		brine_connection_schedule(connection);
}

int brine_peer_client_next(struct brine_connection *connection, struct brine_event *ret_event, uint64_t now_ms)
{
	struct brine_client *client = connection->channel.peer_client;
	struct brine_conn *conn = connection->transport.conn;
	int got;
	bool is_ours;
	do {
		/* The lock is kept from taking an event to handling it: the call may be gone otherwise. */
		brine_channel_lock(&connection->channel);
		got = brine_conn_next(conn, ret_event, now_ms);
		is_ours = got > 0 && ret_event->user;
		if (is_ours)
			brine_client_take_event(client, client->channels, ret_event, now_ms);
		brine_channel_unlock(&connection->channel);
	} while (is_ours);
	return got;
}

void brine_peer_client_turn(struct brine_connection *connection, uint64_t now_ms)
{
	struct brine_client *client = connection->channel.peer_client;
	if (!client)
		return;
	brine_client_lock(client);
	(void)brine_client_end_cancelled(client);
	brine_calls_expire(client, now_ms);
	brine_calls_flush(client, now_ms);
	brine_client_wake_waiters(client);
	brine_client_flush_callbacks(client);
	brine_client_unlock(client);
}

uint64_t brine_peer_client_due(struct brine_connection *connection)
{
	struct brine_client *client = connection->channel.peer_client;
	uint64_t due_ms = BRINE_FOREVER;
	brine_channel_lock(&connection->channel);
	if (client && client->queued.count)
		due_ms = client->queued_due_ms;
	brine_channel_unlock(&connection->channel);
	return due_ms;
}

/* Handles what had come, up to the end of the connection, which ends all calls on it. Holds the client's lock. */
static void take_last_events(struct brine_connection *connection, struct brine_client *client,
                             struct brine_client_channel *node)
{
	struct brine_conn *conn = connection->transport.conn;
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
static void end_calls(struct brine_connection *connection, struct brine_client *client)
{
	struct brine_client_channel *node = client->channels;
	struct brine_error why;
	client->current = NULL;
	if (node)
		take_last_events(connection, client, node);
	brine_fail(&why, BRINE_ERR_NOT_SENT, 0, "the connection of %s has ended", client->peer_text);
	brine_calls_refuse(client, &why, true);
	brine_client_wake_waiters(client);
}

void brine_peer_client_end(struct brine_connection *connection, bool forked)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	struct brine_client *client = connection->peer_client;
	if (!client)
		return;
	if (!forked) {
		pthread_mutex_lock(&loop_thread->host.lock);
		struct brine_connection **at = &loop_thread->summoned;
		while (*at && *at != connection)
			at = &(*at)->summoned_next;
		if (*at)
			*at = connection->summoned_next;
		/* So that nobody gets it any more. */
		connection->peer_client = NULL;
		connection->is_summoned = true;
		pthread_mutex_unlock(&loop_thread->host.lock);
		brine_client_lock(client);
		pthread_mutex_lock(&client->host.lock);
		client->connection = NULL;
		pthread_mutex_unlock(&client->host.lock);
		end_calls(connection, client);
	}
	struct brine_client_channel *node = client->channels ? client->channels : connection->peer_channel;
	client->channels = NULL;
	connection->channel.peer_client = NULL;
	if (!forked) {
		brine_client_flush_callbacks(client);
		brine_client_unlock(client);
	}
	brine_release(client->options.allocator, node, node ? sizeof *node : 0);
	brine_client_drop(client);
}
