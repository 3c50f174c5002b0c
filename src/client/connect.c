/* How a client comes by a connection:
 *
 *   NOT -- one is wanted and no back-off runs --> RESOLVE (names only) --> DIAL --> connected
 *    ^                                               |                       |
 *    |                       failed, or connect_timeout_ms: the next address, from RESOLVE on
 *    +------------------- none is left: back-off, calls that do not wait are told why ----------+ */
#include "client/client.h"

#include "base/alloc.h"
#include "base/later.h"
#include "client/command.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>

struct brine_conn_options brine_client_conn_options(const struct brine_client *client, const struct brine_addr *addr)
{
	const struct brine_client_options *given = &client->options;
	bool plain = addr ? addr->plain : given->plain;
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.role = BRINE_CONNECTING;
	options.wire = plain ? BRINE_WIRE_PLAIN : BRINE_WIRE_FRAMED;
	options.hello = given->hello && !plain;
	options.live = given->mode != BRINE_CLIENT_BLOCKING;
	options.name = given->name;
	options.seed = client->seed;
	options.limits = given->limits;
	options.tap = given->tap;
	options.tap_user = given->tap_user;
	options.allocator = given->allocator;
	return options;
}

int brine_client_adopt(struct brine_client *client, int fd, const struct brine_addr *addr, struct brine_error *error)
{
	const struct brine_allocator *allocator = client->options.allocator;
	struct brine_conn_options options = brine_client_conn_options(client, addr);
	struct brine_channel *channel = brine_alloc_zero(allocator, sizeof *channel);
	if (!channel) {
		brine_socket_close(fd);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a connection");
	}
	channel->host = &client->host;
	channel->peer.connection = client->channels_made + 1;
	snprintf(channel->peer.address, sizeof channel->peer.address, "%.127s", client->peer_text);
	int status = brine_channel_open(channel, fd, &options, brine_clock_ms(), error);
	if (status < 0) {
		brine_release(allocator, channel, sizeof *channel);
		return status;
	}
	client->channels_made++;
	channel->plain = options.wire == BRINE_WIRE_PLAIN;
	channel->next = client->channels;
	client->channels = client->current = channel;
	brine_client_wake_waiters(client);
	return 0;
}

bool brine_client_is_connected(struct brine_client *client)
{
	struct brine_channel *channel = client->current;
	if (!channel)
		return false;
	bool open = !channel->closed && !channel->dead && !channel->ended &&
	            brine_conn_state(channel->conn) == BRINE_CONN_OPEN;
	if (!open)
		client->current = NULL;
	return open;
}

/* Whether somebody needs a connection that could be had. */
static bool is_wanted(struct brine_client *client)
{
	const struct brine_connector *connector = &client->connector;
	if (client->closing || connector->addr_count == 0 || brine_client_is_connected(client) ||
	    (client->queued.count == 0 && connector->wanted == 0))
		return false;
	unsigned channels = 0;
	for (const struct brine_channel *channel = client->channels; channel; channel = channel->next)
		channels++;
	return channels < BRINE_CLIENT_CHANNELS_MAX;
}

/* What a program's user can do about it. */
static const char *connect_hint(int reason)
{
	switch (reason) {
	case ECONNREFUSED: return "; nobody listens there";
	case ENOENT: return "; there is no such socket";
	case EACCES: return "; the permissions of the socket or its folder forbid it";
	default: return "";
	}
}

/* Between half and one and a half times as long, so that clients that failed together do not come back together. */
static uint64_t jittered(uint64_t interval_ms)
{
	uint32_t random;
	if (interval_ms == 0 || brine_random_fill(&random, sizeof random) < 0)
		return interval_ms;
	uint64_t share_ms = interval_ms / UINT32_MAX * random + interval_ms % UINT32_MAX * random / UINT32_MAX;
	return brine_later(interval_ms / 2, share_ms);
}

static void back_off(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	uint64_t most_ms = client->options.backoff_most_ms;
	uint64_t next_ms = connector->backoff_ms ? brine_later(connector->backoff_ms, connector->backoff_ms)
	                                         : client->options.backoff_first_ms;
	connector->backoff_ms = next_ms < most_ms ? next_ms : most_ms;
	connector->backoff_until_ms = brine_later(now_ms, jittered(connector->backoff_ms));
}

int brine_connector_explain(const struct brine_client *client, struct brine_error *error)
{
	const struct brine_error *last = &client->connector.last;
	if (last->code == 0)
		return brine_fail(error, BRINE_ERR_NOT_SENT, 0,
		                  "the last connection of %.100s ended before it was of use%s", client->peer_text,
		                  brine_command_ending(client));
	*error = *last;
	return last->code;
}

void brine_connector_was_useless(struct brine_client *client, uint64_t now_ms)
{
	back_off(client, now_ms);
}

void brine_connector_stop(struct brine_client *client)
{
	struct brine_connector *connector = &client->connector;
	if (connector->lookup && client->options.mode == BRINE_CLIENT_LOOP)
		brine_epoll_set_forget(&client->epoll_set, brine_lookup_fd(connector->lookup));
	brine_lookup_drop(connector->lookup);
	connector->lookup = NULL;
	if (connector->state == BRINE_CONNECTING_DIAL)
		brine_dial_done(&connector->dial);
	connector->state = BRINE_CONNECTING_NOT;
}

/* No address could be reached. */
static void round_failed(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	int status = connector->last.code;
	connector->failures++;
	connector->addr_index = 0;
	client->process_status = status;
	/* Where the machine failed, not the way to the server, waiting would not help. */
	if (status == BRINE_ERR_CONNECT || status == BRINE_ERR_RESOLVE)
		back_off(client, now_ms);
	brine_calls_refuse(client, &connector->last, status != BRINE_ERR_CONNECT && status != BRINE_ERR_RESOLVE);
	brine_client_wake_waiters(client);
}

static void address_failed(struct brine_client *client, const struct brine_error *why, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	bool named = connector->addrs[connector->addr_index].host[0] != '\0';
	brine_fail(&connector->last, why->code, 0, "%s%s%s%s", named ? client->peer_text : "", named ? ": " : "",
	           why->text, client->command ? "" : connect_hint(why->system_errno));
	connector->last.system_errno = why->system_errno;
	brine_connector_stop(client);
	if (++connector->addr_index >= connector->addr_count)
		round_failed(client, now_ms);
}

static void begin_dial(struct brine_client *client, const struct brine_sockaddr *list, size_t count, uint64_t now_ms)
{
	struct brine_error why = BRINE_ERROR_INIT;
	if (brine_dial_begin(&client->connector.dial, list, count, now_ms, &why) < 0)
		address_failed(client, &why, now_ms);
	else
		client->connector.state = BRINE_CONNECTING_DIAL;
}

static void begin_address(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	const struct brine_addr *addr = &connector->addrs[connector->addr_index];
	struct brine_error why = BRINE_ERROR_INIT;
	connector->give_up_ms = brine_deadline_after(client->options.connect_timeout_ms);
	if (client->command) {
		if (brine_command_start(client, addr, &why) < 0)
			address_failed(client, &why, now_ms);
	} else if (addr->host[0] == '\0')
		begin_dial(client, &addr->sockaddr, 1, now_ms);
	else if (brine_lookup_start(&connector->lookup, addr, &why) < 0)
		address_failed(client, &why, now_ms);
	else
		connector->state = BRINE_CONNECTING_RESOLVE;
}

/* Nothing came of it in time. */
static void too_late(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	const struct brine_addr *addr = &connector->addrs[connector->addr_index];
	struct brine_error why = BRINE_ERROR_INIT;
	char text[BRINE_ADDR_TEXT_SIZE];
	if (connector->state == BRINE_CONNECTING_RESOLVE)
		brine_fail(&why, BRINE_ERR_RESOLVE, 0, "%.100s was not resolved in time", addr->host);
	else
		brine_fail(&why, BRINE_ERR_CONNECT, 0, "could not connect to %.150s in time",
		           brine_sockaddr_format(text, sizeof text, &connector->dial.list[0]));
	if (connector->state == BRINE_CONNECTING_DIAL)
		why.system_errno = ETIMEDOUT;
	address_failed(client, &why, now_ms);
}

static void step_resolve(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	struct brine_sockaddr list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error why = BRINE_ERROR_INIT;
	size_t count;
	int status = brine_lookup_take(connector->lookup, list, &count, &why);
	if (status == 0)
		return;
	brine_connector_stop(client);
	if (status < 0)
		address_failed(client, &why, now_ms);
	else
		begin_dial(client, list, count, now_ms);
}

static void step_dial(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	struct brine_error why = BRINE_ERROR_INIT;
	int fds[BRINE_ADDR_RESOLVED_MAX];
	int fd;
	size_t count = client->options.mode == BRINE_CLIENT_LOOP ? brine_dial_fds(&connector->dial, fds) : 0;
	for (size_t i = 0; i < count; i++)
		brine_epoll_set_forget(&client->epoll_set, fds[i]);
	int status = brine_dial_step(&connector->dial, now_ms, &fd, NULL, &why);
	if (status == 0)
		return;
	const struct brine_addr *addr = &connector->addrs[connector->addr_index];
	brine_connector_stop(client);
	if (status > 0) {
		brine_channel_find_dead_peer(fd, &client->options.limits);
		status = brine_client_adopt(client, fd, addr, &why);
	}
	if (status < 0)
		address_failed(client, &why, now_ms);
	else
		connector->addr_index = 0;
}

void brine_connector_step(struct brine_client *client, uint64_t now_ms)
{
	struct brine_connector *connector = &client->connector;
	uint64_t failures = connector->failures;
	/* Each pass takes a step further; after a round that failed, those who wait for it have their say first. */
	while (connector->failures == failures) {
		enum brine_connecting before = connector->state;
		size_t index = connector->addr_index;
		if (before == BRINE_CONNECTING_NOT) {
			if (!is_wanted(client) || now_ms < connector->backoff_until_ms)
				return;
			begin_address(client, now_ms);
		} else if (client->options.mode == BRINE_CLIENT_BLOCKING && !is_wanted(client)) {
			brine_connector_stop(client);
			return;
		} else if (before == BRINE_CONNECTING_RESOLVE) {
			step_resolve(client, now_ms);
		} else {
			step_dial(client, now_ms);
		}
		bool same = connector->state == before && connector->addr_index == index;
		if (same && before != BRINE_CONNECTING_NOT && now_ms >= connector->give_up_ms)
			too_late(client, now_ms);
		else if (same)
			return;
	}
}

void brine_connector_poll_set(const struct brine_client *client, struct brine_poll_set *set)
{
	const struct brine_connector *connector = &client->connector;
	int fds[BRINE_ADDR_RESOLVED_MAX];
	if (connector->state == BRINE_CONNECTING_RESOLVE)
		brine_poll_set_add(set, brine_lookup_fd(connector->lookup), BRINE_READABLE);
	size_t count = connector->state == BRINE_CONNECTING_DIAL ? brine_dial_fds(&connector->dial, fds) : 0;
	for (size_t i = 0; i < count; i++)
		brine_poll_set_add(set, fds[i], BRINE_WRITABLE);
}

uint64_t brine_connector_due(struct brine_client *client)
{
	const struct brine_connector *connector = &client->connector;
	uint64_t due_ms = BRINE_FOREVER;
	if (connector->state == BRINE_CONNECTING_NOT)
		return is_wanted(client) ? connector->backoff_until_ms : BRINE_FOREVER;
	if (connector->state == BRINE_CONNECTING_DIAL)
		due_ms = brine_dial_due(&connector->dial);
	return due_ms < connector->give_up_ms ? due_ms : connector->give_up_ms;
}
