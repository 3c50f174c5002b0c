#include "rpc/client.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/fail.h"
#include "net/random.h"
#include "net/socket.h"
#include "rpc/resolve.h"

#include <errno.h>
#include <stdio.h>

enum {
	IDLE_READS_MAX = 16, /* a peer that never stops talking must not hold up a call */
	METHOD_SHOWN = 129,  /* at most 128 bytes of a peer's method name go into texts */
};

uint64_t brine_deadline_after(uint64_t timeout_ms)
{
	uint64_t now_ms = brine_clock_ms();
	return timeout_ms < BRINE_FOREVER - now_ms ? now_ms + timeout_ms : BRINE_FOREVER;
}

int brine_client_enter(struct brine_client *client, struct brine_error *error)
{
	if (brine_owner_forked(&client->owner))
		return brine_owner_refuse("client", error);
	if (atomic_exchange_explicit(&client->busy, true, memory_order_acquire))
		return brine_fail(error, BRINE_ERR_BUSY, 0,
		                  "the client is in a call: one thread at a time uses a client");
	return 0;
}

void brine_client_leave(struct brine_client *client)
{
	atomic_store_explicit(&client->busy, false, memory_order_release);
}

/* The peer calls us, but a client has no handlers. */
static void refuse_request(struct brine_client *client, const struct brine_event *event, uint64_t now_ms)
{
	char shown[METHOD_SHOWN];
	char text[METHOD_SHOWN + 64];
	brine_escape(shown, sizeof shown, event->method.data, event->method.size);
	snprintf(text, sizeof text, "no such method: '%s' (this client has no handlers)", shown);
	brine_conn_fail(client->link.conn, event->serial, BRINE_CODE_NO_METHOD, brine_str_from(text),
	                (struct brine_bytes){NULL, 0}, now_ms);
}

/* Pulls everything that came. The connection is gone afterwards where it ended. */
static void handle_events(struct brine_client *client, uint64_t now_ms)
{
	struct brine_event event;
	bool closed = false;
	while (!closed && brine_conn_next(client->link.conn, &event, now_ms) > 0) {
		switch (event.type) {
		case BRINE_EVENT_RESPONSE: brine_call_complete(event.user, client, &event); break;
		case BRINE_EVENT_REQUEST: refuse_request(client, &event, now_ms); break;
		case BRINE_EVENT_HELLO: client->greeted = true; break;
		case BRINE_EVENT_CLOSED: closed = true; break;
		default: break; /* notifications nobody listens to; the rest changes the connection's state only */
		}
	}
	if (closed)
		brine_link_done(&client->link);
}

/* Waits for the stream. False when the time has passed instead. */
static bool wait_for_stream(struct brine_link *link, uint64_t deadline_ms)
{
	unsigned ready = brine_link_wants(link);
	if (ready == 0) {
		/* The peer's end came and nothing is left to write: no event could end this wait. */
		brine_link_fail(link, 0, brine_clock_ms());
		return true;
	}
	int status = brine_stream_wait(link->stream, ready, deadline_ms);
	if (status == BRINE_ERR_SYSTEM)
		brine_link_fail(link, link->stream->system_errno, brine_clock_ms());
	return status != BRINE_ERR_DEADLINE;
}

void brine_client_turn(struct brine_client *client, uint64_t deadline_ms)
{
	struct brine_link *link = &client->link;
	if (!link->conn)
		return;
	uint64_t due_ms = brine_conn_deadline(link->conn);
	bool moved = link->dead || wait_for_stream(link, due_ms < deadline_ms ? due_ms : deadline_ms);
	uint64_t now_ms = brine_clock_ms();
	if (moved)
		brine_link_read(link, client->input, now_ms);
	if (now_ms >= brine_conn_deadline(link->conn))
		brine_conn_tick(link->conn, now_ms);
	handle_events(client, now_ms);
	brine_client_push(client);
}

void brine_client_push(struct brine_client *client)
{
	if (client->link.conn)
		brine_link_write(&client->link, client->input, brine_clock_ms());
}

static struct brine_conn_options conn_options(const struct brine_client *client)
{
	const struct brine_client_options *given = &client->options;
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.role = BRINE_CONNECTING;
	options.wire = client->addr.plain ? BRINE_WIRE_PLAIN : BRINE_WIRE_FRAMED;
	options.hello = given->hello && !client->addr.plain;
	options.name = given->name;
	options.seed = client->seed;
	options.limits = given->limits;
	options.tap = given->tap;
	options.tap_user = given->tap_user;
	options.allocator = given->allocator;
	return options;
}

/* Makes a connection of a connected socket, which it owns from then on, also on error. */
static int open_link(struct brine_client *client, int fd, struct brine_error *error)
{
	struct brine_conn_options options = conn_options(client);
	struct brine_link link = {0};
	int status = brine_stream_new_socket(&link.stream, fd, options.allocator, error);
	if (status < 0) {
		brine_socket_close(fd);
		return status;
	}
	status = brine_conn_new(&link.conn, &options, brine_clock_ms(), error);
	if (status < 0) {
		brine_link_done(&link);
		return status;
	}
	client->link = link;
	client->greeted = false;
	return 0;
}

/* What a program's user can do about it. */
static const char *connect_hint(int reason)
{
	switch (reason) {
	case ECONNREFUSED: return "; nobody listens there: is the server running?";
	case ENOENT: return "; there is no such socket: is the server running?";
	case EACCES: return "; the permissions of the socket or its folder forbid it";
	default: return "";
	}
}

static int dial(struct brine_client *client, uint64_t deadline_ms, struct brine_error *error)
{
	struct brine_sockaddr list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error why = BRINE_ERROR_INIT;
	size_t count;
	int fd;
	int status = brine_resolve(&client->addr, deadline_ms, list, &count, &why);
	if (status == 0)
		status = brine_socket_dial(&fd, NULL, list, count, deadline_ms, &why);
	if (status == 0) {
		brine_link_keepalive(fd, &client->options.limits);
		return open_link(client, fd, error);
	}
	bool named = client->addr.host[0] != '\0';
	brine_fail(error, status, 0, "%s%s%s%s", named ? client->peer_text : "", named ? ": " : "", why.text,
	           connect_hint(why.system_errno));
	if (error)
		error->system_errno = why.system_errno;
	return status;
}

/* A connection that nobody waits on may have ended meanwhile: look before it is used. */
static void look_at_idle_link(struct brine_client *client)
{
	uint64_t now_ms = brine_clock_ms();
	for (int reads = 0; reads < IDLE_READS_MAX && client->link.conn; reads++) {
		if (!brine_link_read(&client->link, client->input, now_ms))
			break;
		handle_events(client, now_ms);
	}
	if (client->link.conn && now_ms >= brine_conn_deadline(client->link.conn))
		brine_conn_tick(client->link.conn, now_ms);
	if (client->link.conn)
		handle_events(client, now_ms);
}

int brine_client_ready(struct brine_client *client, uint64_t deadline_ms, struct brine_error *error)
{
	struct brine_link *link = &client->link;
	if (link->conn)
		look_at_idle_link(client);
	if (link->conn && brine_conn_state(link->conn) == BRINE_CONN_OPEN)
		return 0;
	if (!client->connects)
		return brine_fail(error, BRINE_ERR_NOT_SENT, 0, "the connection of %s has ended", client->peer_text);
	/* One that drains or closes has nothing of ours on it: the server asked us to go elsewhere. */
	brine_link_done(link);
	return dial(client, deadline_ms, error);
}

static void release(struct brine_client *client)
{
	const struct brine_allocator *allocator = client->options.allocator;
	brine_link_done(&client->link);
	brine_buf_done(&client->scratch);
	brine_release(allocator, client->input, client->input ? (size_t)BRINE_LINK_INPUT_SIZE : 0);
	if (client->options.name)
		brine_release(allocator, (char *)(uintptr_t)client->options.name, strlen(client->options.name) + 1);
	brine_owner_done(&client->owner);
	brine_release(allocator, client, sizeof *client);
}

static int copy_name(struct brine_client *client, const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = brine_resize(client->options.allocator, NULL, 0, size);
	if (!copy)
		return BRINE_ERR_NOMEM;
	memcpy(copy, name, size);
	client->options.name = copy;
	return 0;
}

/* Gets everything that a client has while it is not connected. */
static int equip(struct brine_client *client, const char *name, struct brine_error *error)
{
	int status = brine_owner_init(&client->owner, error);
	if (status < 0)
		return status;
	status = brine_random_fill(&client->seed, sizeof client->seed);
	if (status < 0)
		return brine_fail_errno(error, status, errno, "no random numbers");
	client->input = brine_resize(client->options.allocator, NULL, 0, BRINE_LINK_INPUT_SIZE);
	if (!client->input || (name && copy_name(client, name) < 0))
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a client");
	/* Limits that a connection would refuse are refused now. */
	struct brine_conn_options options = conn_options(client);
	return brine_link_check(&options, error);
}

static int new_client(struct brine_client **ret_client, const struct brine_addr *addr,
                      const struct brine_client_options *options, struct brine_error *error)
{
	static const struct brine_client_options defaults = BRINE_CLIENT_OPTIONS_INIT;
	if (!options)
		options = &defaults;
	if (options->struct_size != sizeof *options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "struct_size: start from BRINE_CLIENT_OPTIONS_INIT");
	struct brine_client *client = brine_alloc_zero(options->allocator, sizeof *client);
	if (!client)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a client");
	client->addr = *addr;
	client->options = *options;
	client->options.name = NULL;
	if (client->options.timeout_ms == 0)
		client->options.timeout_ms = defaults.timeout_ms;
	brine_buf_init(&client->scratch, options->allocator);
	int status = equip(client, options->name, error);
	if (status < 0) {
		release(client);
		return status;
	}
	*ret_client = client;
	return 0;
}

int brine_client_open(struct brine_client **ret_client, const char *address, const struct brine_client_options *options,
                      struct brine_error *error)
{
	struct brine_addr addr;
	int status = brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_CONNECT, error);
	struct brine_client *client;
	if (status == 0)
		status = new_client(&client, &addr, options, error);
	if (status < 0)
		return status;
	client->connects = true;
	brine_escape(client->peer_text, sizeof client->peer_text, address, strlen(address));
	*ret_client = client;
	return 0;
}

int brine_client_open_fd(struct brine_client **ret_client, int fd, const struct brine_client_options *options,
                         struct brine_error *error)
{
	struct brine_addr unknown = {0};
	struct brine_client *client;
	int status = new_client(&client, &unknown, options, error);
	if (status < 0) {
		brine_socket_close(fd);
		return status;
	}
	snprintf(client->peer_text, sizeof client->peer_text, "descriptor %d", fd);
	status = open_link(client, fd, error);
	if (status < 0) {
		release(client);
		return status;
	}
	*ret_client = client;
	return 0;
}

int brine_client_connect(struct brine_client *client, uint64_t timeout_ms, struct brine_error *error)
{
	int status = brine_client_enter(client, error);
	if (status < 0)
		return status;
	status = brine_client_ready(client, brine_deadline_after(timeout_ms ? timeout_ms : client->options.timeout_ms),
	                            error);
	brine_client_leave(client);
	return status;
}

/* Lets the peer have what was sent and see an end in order, as long as the linger limit says. */
static void close_link(struct brine_client *client)
{
	uint64_t deadline_ms = brine_deadline_after(client->options.limits.linger_ms);
	brine_conn_close(client->link.conn, brine_clock_ms());
	brine_client_push(client);
	while (client->link.conn && brine_clock_ms() < deadline_ms)
		brine_client_turn(client, deadline_ms);
}

void brine_client_free(struct brine_client *client)
{
	if (!client)
		return;
	if (client->link.conn && !brine_owner_forked(&client->owner))
		close_link(client);
	release(client);
}
