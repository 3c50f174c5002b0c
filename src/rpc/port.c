#include "rpc/port.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/socket.h"
#include "rpc/session.h"

#include <errno.h>
#include <stdio.h>

enum {
	ACCEPTS_PER_TURN = 64, /* so that a storm of connections cannot starve those there are */
};

/* The lane with the fewest connections; NULL when there are too many in all. */
static struct brine_lane *choose_lane(struct brine_server *server)
{
	struct brine_lane *best = NULL;
	uint64_t total = 0, least = UINT64_MAX;
	for (uint32_t i = 0; i < server->options.loops; i++) {
		struct brine_lane *lane = server->lanes[i];
		uint64_t open = atomic_load_explicit(&lane->home.counts[BRINE_COUNT_OPEN], memory_order_relaxed);
		total += open;
		if (open < least) {
			least = open;
			best = lane;
		}
	}
	return total < server->options.connections_max ? best : NULL;
}

/* Closes the descriptor, where there still is one, without a byte. */
static void refuse(struct brine_port *port, int fd, const char *why)
{
	struct brine_server *server = port->server;
	brine_lane_count(server->lanes[0], BRINE_COUNT_REFUSED, 1);
	brine_socket_close(fd);
	brine_log_print(&server->log, brine_clock_ms(), "%s: connection refused: %s", port->address, why);
}

static void refuse_over_limit(struct brine_port *port, int fd, uint32_t most, const char *whose)
{
	char why[BRINE_ADDR_TEXT_SIZE + 64];
	snprintf(why, sizeof why, "%u%s are open, the most allowed", most, whose);
	refuse(port, fd, why);
}

/* Unix peers have no name of their own. */
static void refuse_over_quota(struct brine_port *port, int fd, const struct brine_sockaddr *from)
{
	char address[BRINE_ADDR_TEXT_SIZE], whose[BRINE_ADDR_TEXT_SIZE + 16];
	bool is_unix = from->u.any.sa_family == AF_UNIX;
	snprintf(whose, sizeof whose, " of %s",
	         is_unix ? "one user" : brine_sockaddr_format(address, sizeof address, from));
	refuse_over_limit(port, fd, port->server->quota.each_max, whose);
}

/* Makes a session that counts as a connection of its peer. */
static void admit(struct brine_port *port, struct brine_lane *lane, int fd, const struct brine_sockaddr *from)
{
	struct brine_server *server = port->server;
	uint64_t key;
	if (brine_server_is_short(server)) {
		brine_lane_count(server->lanes[0], BRINE_COUNT_SHORTAGES, 1);
		refuse(port, fd, "the server is short of memory");
		return;
	}
	int status = brine_quota_enter(&server->quota, fd, from, &key);
	if (status == BRINE_ERR_LIMIT) {
		refuse_over_quota(port, fd, from);
		return;
	}
	if (status < 0) {
		refuse(port, fd, "out of memory");
		return;
	}
	struct brine_session *session = brine_session_new(lane, fd, from, port->address, &port->options);
	if (!session) {
		brine_quota_leave(&server->quota, key);
		refuse(port, -1, "out of memory");
		return;
	}
	session->quota_key = key;
	if (lane == server->lanes[0])
		brine_session_start(session);
	else
		brine_lane_hand(lane, session);
}

static void accept_one(struct brine_port *port, int fd, const struct brine_sockaddr *from)
{
	struct brine_lane *lane = choose_lane(port->server);
	if (lane)
		admit(port, lane, fd, from);
	else
		refuse_over_limit(port, fd, port->server->options.connections_max, "");
}

/* Closes the listener, so that peers are refused instead of waiting for nobody. */
static void close_listener(struct brine_port *port)
{
	brine_loop_remove(port->server->lanes[0]->loop, &port->watch);
	brine_timer_stop(port->server->lanes[0]->loop, &port->pause);
	brine_listener_close(port->listener);
	port->listener = NULL;
}

/* Looks away from the listener for a while: there are no descriptors or no memory for its peers. */
static void pause_accepting(struct brine_port *port)
{
	struct brine_server *server = port->server;
	uint64_t now_ms = brine_clock_ms();
	brine_log_print(&server->log, now_ms, "%s: out of descriptors or memory, accepting pauses", port->address);
	brine_loop_remove(server->lanes[0]->loop, &port->watch);
	brine_timer_set(server->lanes[0]->loop, &port->pause, now_ms + BRINE_ACCEPT_PAUSE_MS);
}

static void give_up(struct brine_port *port, int reason)
{
	brine_log_print(&port->server->log, brine_clock_ms(), "%s: no longer listening: %s", port->address,
	                strerror(reason));
	close_listener(port);
}

static void on_waiting(struct brine_watch *watch, unsigned ready)
{
	struct brine_port *port = watch->user;
	(void)ready;
	for (int count = 0; count < ACCEPTS_PER_TURN; count++) {
		int fd;
		struct brine_sockaddr from;
		switch (brine_listener_accept(port->listener, &fd, &from)) {
		case BRINE_ACCEPT_ONE: accept_one(port, fd, &from); break;
		case BRINE_ACCEPT_REFUSED: brine_lane_count(port->server->lanes[0], BRINE_COUNT_REFUSED, 1); break;
		case BRINE_ACCEPT_NONE: return;
		case BRINE_ACCEPT_PAUSE: pause_accepting(port); return;
		default: give_up(port, errno); return;
		}
	}
}

static void on_pause_over(struct brine_timer *timer, uint64_t now_ms)
{
	struct brine_port *port = timer->user;
	if (brine_loop_add(port->server->lanes[0]->loop, &port->watch, brine_listener_fd(port->listener),
	                   BRINE_READABLE) < 0)
		brine_timer_set(port->server->lanes[0]->loop, &port->pause, now_ms + BRINE_ACCEPT_PAUSE_MS);
}

static void free_port(struct brine_port *port, bool forked)
{
	if (forked)
		brine_listener_abandon(port->listener);
	else
		close_listener(port);
	brine_release(port->server->options.allocator, port, sizeof *port);
}

void brine_ports_close(struct brine_server *server)
{
	for (struct brine_port *port = server->ports; port; port = port->next)
		close_listener(port);
}

void brine_ports_free(struct brine_server *server, bool forked)
{
	while (server->ports) {
		struct brine_port *port = server->ports;
		server->ports = port->next;
		free_port(port, forked);
	}
}

/* Watches one listener, which it owns from then on, also on error. */
static int add_port(struct brine_server *server, struct brine_port **at, struct brine_listener *listener,
                    const struct brine_listen_options *options, struct brine_error *error)
{
	struct brine_port *port = brine_alloc_zero(server->options.allocator, sizeof *port);
	if (!port) {
		brine_listener_close(listener);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory listening");
	}
	port->server = server;
	port->listener = listener;
	port->options = *options;
	snprintf(port->address, sizeof port->address, "%s", brine_listener_address(listener));
	port->watch = (struct brine_watch){.on_ready = on_waiting, .user = port};
	port->pause = (struct brine_timer){.on_due = on_pause_over, .user = port};
	int status = brine_loop_add(server->lanes[0]->loop, &port->watch, brine_listener_fd(listener), BRINE_READABLE);
	if (status < 0) {
		brine_fail(error, status, 0, "listening on %s: %s", port->address,
		           status == BRINE_ERR_SYSTEM ? strerror(errno) : "out of memory");
		free_port(port, false);
		return status;
	}
	*at = port;
	return 0;
}

/* Watches all of them, or none: those that remain are closed. */
static int add_ports(struct brine_server *server, struct brine_listener *const *list, size_t count,
                     const struct brine_listen_options *options, struct brine_error *error)
{
	struct brine_port **end = &server->ports;
	while (*end)
		end = &(*end)->next;
	int status = 0;
	size_t added = 0;
	for (struct brine_port **at = end; added < count && status == 0; added++) {
		status = add_port(server, at, list[added], options, error);
		if (status == 0)
			at = &(*at)->next;
	}
	if (status == 0)
		return 0;
	while (added < count)
		brine_listener_close(list[added++]);
	while (*end) {
		struct brine_port *port = *end;
		*end = port->next;
		free_port(port, false);
	}
	return status;
}

struct brine_listen_options brine_port_defaults(const struct brine_server *server)
{
	struct brine_listen_options options = BRINE_LISTEN_OPTIONS_INIT;
	options.plain_errors = server->options.plain_errors;
	options.plain_refused = server->options.plain_refused;
	return options;
}

static int check_options(const struct brine_listen_options *options, struct brine_error *error)
{
	if (options->struct_size != sizeof *options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "struct_size: start from BRINE_LISTEN_OPTIONS_INIT");
	if (options->plain_errors != BRINE_PLAIN_ERRORS_TEXT && options->plain_errors != BRINE_PLAIN_ERRORS_PAIR)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "plain_errors: one of enum brine_plain_errors");
	return 0;
}

int brine_server_listen_as(struct brine_server *server, const char *address, const struct brine_listen_options *options,
                           struct brine_error *error)
{
	if (!server || !address)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "server or address is NULL");
	struct brine_addr addr;
	struct brine_listener *list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_listen_options defaults = brine_port_defaults(server);
	size_t count;
	if (!options)
		options = &defaults;
	if (brine_owner_forked(&server->owner))
		return brine_owner_refuse("server", error);
	if (server->ran)
		return brine_fail(error, BRINE_ERR_STATE, 0, "listen before the server runs");
	int status = check_options(options, error);
	if (status == 0)
		status = brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_LISTEN, error);
	if (status == 0)
		status = brine_listener_open_all(list, &count, &addr, (unsigned)server->options.unix_mode,
		                                 server->options.allocator, error);
	return status < 0 ? status : add_ports(server, list, count, options, error);
}

int brine_server_listen(struct brine_server *server, const char *address, struct brine_error *error)
{
	return brine_server_listen_as(server, address, NULL, error);
}

const char *brine_server_address(const struct brine_server *server, unsigned number)
{
	const struct brine_port *port = server ? server->ports : NULL;
	while (port && number-- > 0)
		port = port->next;
	return port ? port->address : NULL;
}
