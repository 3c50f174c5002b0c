#include "server/peer_client.h"

#include "base/container.h"
#include "base/meter.h"
#include "client/parent.h"
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

static void wake_connection(struct brine_attachment *attachment)
{
	struct brine_connection *connection = brine_container_of(attachment, struct brine_connection, attachment);
	struct brine_host *host = &connection->loop_thread->host;
	pthread_mutex_lock(&host->lock);
	summon(connection);
	pthread_mutex_unlock(&host->lock);
}

/* Makes the client of a connection, which the loop thread lets use it. Holds the lock of the host. */
static struct brine_client *make(struct brine_connection *connection)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_host *host = &connection->loop_thread->host;
	struct brine_client *client;
	options.limits = connection->loop_thread->server->options.limits;
	options.allocator = host->allocator;
	if (brine_client_make(&client, &options, true, NULL) < 0)
		return NULL;
	/* It may outlive the server. */
	client->host.meter = host->meter;
	brine_meter_hold(client->host.meter);
	connection->attachment = (struct brine_attachment){.wake = wake_connection, .pool = host->pool};
	client->attachment = &connection->attachment;
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

/* ---- on the loop thread ---- */

/* Lets the client use the connection. */
static void attach(struct brine_connection *connection, struct brine_client *client)
{
	struct brine_channel *channel = &connection->channel;
	brine_client_lock(client);
	channel->hello_received = channel->proven = true;
	client->channels = client->current = channel;
	channel->lock = &client->lock;
	connection->client = client;
	brine_client_unlock(client);
}

static struct brine_connection *take_summoned(struct brine_loop_thread *loop_thread)
{
	pthread_mutex_lock(&loop_thread->host.lock);
	struct brine_connection *connection = loop_thread->summoned;
	struct brine_client *client = NULL;
	if (connection) {
		loop_thread->summoned = connection->summoned_next;
		connection->is_summoned = false;
		client = connection->peer_client;
	}
	pthread_mutex_unlock(&loop_thread->host.lock);
	if (client && !connection->client)
		attach(connection, client);
	return connection;
}

void brine_peer_clients_process(struct brine_loop_thread *loop_thread)
{
	struct brine_connection *connection;
	while ((connection = take_summoned(loop_thread)))
		brine_connection_schedule(connection);
}

void brine_peer_client_turn(struct brine_connection *connection, uint64_t now_ms)
{
	struct brine_client *client = connection->client;
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
	struct brine_client *client = connection->client;
	uint64_t due_ms = BRINE_FOREVER;
	brine_channel_lock(&connection->channel);
	if (client && client->queued.count)
		due_ms = client->queued_due_ms;
	brine_channel_unlock(&connection->channel);
	return due_ms;
}

/* Handles what had come, up to the end of the connection, which ends all calls on it. Holds the client's lock. */
static void take_last_events(struct brine_channel *channel)
{
	struct brine_event event;
	uint64_t now_ms = brine_clock_ms();
	int got;
	brine_conn_lost(channel->conn, BRINE_ERR_LOST, now_ms);
	/* It may have no event for now and still be in the middle of its input. */
	while ((got = brine_conn_next(channel->conn, &event, now_ms)) > 0 ||
	       brine_conn_state(channel->conn) != BRINE_CONN_CLOSED)
		if (got > 0 && event.is_ours)
			channel->host->events->ours[event.type](channel, &event, now_ms);
}

/* Tells every call to the peer that the connection is lost. Holds the client's lock. */
static void end_calls(struct brine_connection *connection, struct brine_client *client)
{
	struct brine_error why;
	client->current = NULL;
	if (connection->client)
		take_last_events(&connection->channel);
	brine_fail(&why, BRINE_ERR_NOT_SENT, 0, "the connection of %s has ended", client->peer_text);
	brine_calls_refuse(client, &why, true);
	brine_client_wake_waiters(client);
}

/* Nobody gets the client any more, nor wakes the connection. */
static void unsummon(struct brine_connection *connection)
{
	struct brine_loop_thread *loop_thread = connection->loop_thread;
	pthread_mutex_lock(&loop_thread->host.lock);
	struct brine_connection **at = &loop_thread->summoned;
	while (*at && *at != connection)
		at = &(*at)->summoned_next;
	if (*at)
		*at = connection->summoned_next;
	connection->peer_client = NULL;
	connection->is_summoned = true;
	pthread_mutex_unlock(&loop_thread->host.lock);
}

void brine_peer_client_end(struct brine_connection *connection, bool forked)
{
	struct brine_client *client = connection->peer_client;
	if (!client)
		return;
	if (!forked) {
		unsummon(connection);
		brine_client_lock(client);
		pthread_mutex_lock(&client->host.lock);
		client->attachment = NULL;
		pthread_mutex_unlock(&client->host.lock);
		end_calls(connection, client);
	}
	client->channels = NULL;
	connection->client = NULL;
	connection->channel.lock = NULL;
	if (!forked) {
		brine_client_flush_callbacks(client);
		brine_client_unlock(client);
	}
	brine_client_drop(client);
}
