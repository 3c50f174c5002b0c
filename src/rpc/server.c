#include "rpc/server.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/fail.h"
#include "net/random.h"
#include "net/socket.h"
#include "rpc/session.h"

#include <errno.h>

enum {
	ACCEPTS_PER_TURN = 64, /* so that a storm of connections cannot starve those there are */
};

void brine_server_drop(struct brine_server *server, const struct brine_peer *peer, struct brine_str method,
                       const char *why)
{
	char shown[BRINE_LOG_TEXT_SIZE];
	server->counters.notifications_dropped++;
	brine_log_print(&server->log, brine_clock_ms(), "%s: notification '%s' dropped: %s", peer->address,
	                brine_escape(shown, sizeof shown, method.data, method.size), why);
}

const struct brine_server_counters *brine_server_counters(const struct brine_server *server)
{
	return &server->counters;
}

/* ---- listening ---- */

static void accept_one(struct brine_port *port, int fd, const struct brine_sockaddr *from)
{
	struct brine_server *server = port->server;
	struct brine_server_counters *counters = &server->counters;
	uint64_t now_ms = brine_clock_ms();
	if (counters->connections_open >= server->options.connections_max) {
		counters->connections_refused++;
		brine_socket_close(fd);
		brine_log_print(&server->log, now_ms, "connection refused: %u are open, the most allowed",
		                server->options.connections_max);
		return;
	}
	struct brine_error error;
	if (brine_session_open(server, fd, from, brine_listener_address(port->listener), &error) < 0) {
		counters->connections_refused++;
		brine_log_print(&server->log, now_ms, "connection refused: %s", error.text);
		return;
	}
	counters->connections_accepted++;
}

/* Looks away from a listener: for a while, or for good. */
static void stop_accepting(struct brine_port *port, const char *why, bool for_good)
{
	struct brine_server *server = port->server;
	uint64_t now_ms = brine_clock_ms();
	brine_log_print(&server->log, now_ms, "%s: %s", brine_listener_address(port->listener), why);
	brine_loop_remove(server->loop, &port->watch);
	if (!for_good)
		brine_timer_set(server->loop, &port->pause, now_ms + BRINE_ACCEPT_PAUSE_MS);
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
		case BRINE_ACCEPT_REFUSED: port->server->counters.connections_refused++; break;
		case BRINE_ACCEPT_NONE: return;
		case BRINE_ACCEPT_PAUSE: stop_accepting(port, "out of descriptors, accepting pauses", false); return;
		default: stop_accepting(port, strerror(errno), true); return;
		}
	}
}

static void on_pause_over(struct brine_timer *timer, uint64_t now_ms)
{
	struct brine_port *port = timer->user;
	if (brine_loop_add(port->server->loop, &port->watch, brine_listener_fd(port->listener), BRINE_READABLE) < 0)
		brine_timer_set(port->server->loop, &port->pause, now_ms + BRINE_ACCEPT_PAUSE_MS);
}

/* Closes a listener. In a forked child its path is left to the parent. */
static void close_port(struct brine_port *port, bool forked)
{
	if (forked) {
		brine_listener_abandon(port->listener);
	} else {
		brine_loop_remove(port->server->loop, &port->watch);
		brine_timer_stop(port->server->loop, &port->pause);
		brine_listener_close(port->listener);
	}
	brine_release(port->server->options.allocator, port, sizeof *port);
}

static void close_ports(struct brine_server *server, bool forked)
{
	while (server->ports) {
		struct brine_port *port = server->ports;
		server->ports = port->next;
		close_port(port, forked);
	}
}

/* Watches one listener, which it owns from then on, also on error. */
static int add_port(struct brine_server *server, struct brine_port **at, struct brine_listener *listener,
                    struct brine_error *error)
{
	struct brine_port *port = brine_alloc_zero(server->options.allocator, sizeof *port);
	if (!port) {
		brine_listener_close(listener);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory listening");
	}
	port->server = server;
	port->listener = listener;
	port->watch = (struct brine_watch){.on_ready = on_waiting, .user = port};
	port->pause = (struct brine_timer){.on_due = on_pause_over, .user = port};
	int status = brine_loop_add(server->loop, &port->watch, brine_listener_fd(listener), BRINE_READABLE);
	if (status < 0) {
		brine_fail(error, status, 0, "listening on %s: %s", brine_listener_address(listener),
		           status == BRINE_ERR_SYSTEM ? strerror(errno) : "out of memory");
		close_port(port, false);
		return status;
	}
	*at = port;
	return 0;
}

int brine_server_listen(struct brine_server *server, const char *address, struct brine_error *error)
{
	struct brine_addr addr;
	struct brine_listener *list[BRINE_ADDR_RESOLVED_MAX];
	size_t count;
	if (brine_owner_forked(&server->owner))
		return brine_owner_refuse("server", error);
	if (server->ran)
		return brine_fail(error, BRINE_ERR_STATE, 0, "listen before the server runs");
	int status = brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_LISTEN, error);
	if (status == 0)
		status = brine_listener_open_all(list, &count, &addr, (unsigned)server->options.unix_mode,
		                                 server->options.allocator, error);
	if (status < 0)
		return status;
	struct brine_port **end = &server->ports;
	while (*end)
		end = &(*end)->next;
	struct brine_port **at = end;
	for (size_t i = 0; i < count; i++) {
		if (status < 0) {
			brine_listener_close(list[i]);
			continue;
		}
		status = add_port(server, at, list[i], error);
		if (status == 0)
			at = &(*at)->next;
	}
	while (status < 0 && *end) {
		struct brine_port *port = *end;
		*end = port->next;
		close_port(port, false);
	}
	return status;
}

const char *brine_server_address(const struct brine_server *server, unsigned number)
{
	const struct brine_port *port = server->ports;
	while (port && number-- > 0)
		port = port->next;
	return port ? brine_listener_address(port->listener) : NULL;
}

/* ---- running ---- */

static void drain(struct brine_server *server)
{
	uint64_t now_ms = brine_clock_ms();
	close_ports(server, false);
	for (struct brine_session *session = server->sessions; session; session = session->next) {
		brine_conn_drain(session->link.conn, server->options.drain_ms, now_ms);
		brine_session_touch(session);
	}
}

static void close_sessions(struct brine_server *server, bool forked)
{
	server->touched = NULL;
	while (server->sessions)
		brine_session_close(server->sessions, forked);
}

/* brine_server_stop() was called: once drains, more often ends. */
static void heed_stop(struct brine_server *server)
{
	int stops = atomic_load_explicit(&server->stops, memory_order_acquire);
	if (stops > 0 && server->stops_seen == 0)
		drain(server);
	if (stops > 1)
		close_sessions(server, false);
	server->stops_seen = stops;
}

/* Handlers that never answered are the program's fault: it should hear their names. */
static void name_stuck_handlers(struct brine_server *server)
{
	for (struct brine_request *request = server->orphans.first; request; request = request->next)
		brine_request_log(request, "its handler has not ended", "the server stops without its answer");
	brine_log_flush(&server->log);
}

int brine_server_run(struct brine_server *server, struct brine_error *error)
{
	if (brine_owner_forked(&server->owner))
		return brine_owner_refuse("server", error);
	if (server->ran)
		return brine_fail(error, BRINE_ERR_STATE, 0, "a server runs once");
	if (!server->ports)
		return brine_fail(error, BRINE_ERR_INVALID, 0,
		                  "nothing to listen on: call brine_server_listen() first");
	server->ran = true;
	int status = 0;
	heed_stop(server);
	while (status >= 0 && !(server->stops_seen && !server->sessions)) {
		bool more = brine_sessions_turn(server);
		if (!server->stops_seen || server->sessions)
			status = brine_loop_turn(server->loop, more ? 0 : BRINE_FOREVER);
		heed_stop(server);
	}
	if (status < 0)
		brine_fail_errno(error, status, errno, "could not wait for peers");
	name_stuck_handlers(server);
	return status < 0 ? status : 0;
}

void brine_server_stop(struct brine_server *server)
{
	if (brine_owner_forked(&server->owner))
		return;
	atomic_fetch_add_explicit(&server->stops, 1, memory_order_release);
	brine_loop_wake(server->loop);
}

/* ---- making and registering ---- */

static int copy_name(struct brine_server *server, const char *name)
{
	server->options.name = NULL;
	if (!name)
		return 0;
	size_t size = strlen(name) + 1;
	char *copy = brine_resize(server->options.allocator, NULL, 0, size);
	if (!copy)
		return BRINE_ERR_NOMEM;
	memcpy(copy, name, size);
	server->options.name = copy;
	return 0;
}

int brine_server_new(struct brine_server **ret_server, const struct brine_server_options *options)
{
	static const struct brine_server_options defaults = BRINE_SERVER_OPTIONS_INIT;
	if (!options)
		options = &defaults;
	if (options->struct_size != sizeof *options)
		return BRINE_ERR_INVALID;
	struct brine_server *server = brine_alloc_zero(options->allocator, sizeof *server);
	if (!server)
		return BRINE_ERR_NOMEM;
	server->options = *options;
	server->log = (struct brine_log){.write = options->log, .user = options->log_user};
	brine_buf_init(&server->scratch, options->allocator);
	int status = copy_name(server, options->name);
	if (status == 0)
		status = brine_random_fill(&server->seed, sizeof server->seed);
	brine_methods_init(&server->methods, options->allocator, server->seed);
	if (status == 0)
		status = brine_owner_init(&server->owner, NULL);
	if (status == 0)
		status = brine_loop_new(&server->loop, NULL, NULL, options->allocator, NULL);
	server->input = status == 0 ? brine_resize(options->allocator, NULL, 0, BRINE_LINK_INPUT_SIZE) : NULL;
	if (status == 0 && !server->input)
		status = BRINE_ERR_NOMEM;
	if (status < 0) {
		brine_server_free(server);
		return status;
	}
	*ret_server = server;
	return 0;
}

static void free_requests(struct brine_server *server)
{
	while (server->orphans.first)
		brine_request_end(server->orphans.first);
	while (server->pool) {
		struct brine_request *request = server->pool;
		server->pool = request->next;
		brine_arena_done(&request->arena);
		brine_release(server->options.allocator, request, sizeof *request);
	}
}

void brine_server_free(struct brine_server *server)
{
	if (!server)
		return;
	const struct brine_allocator *allocator = server->options.allocator;
	bool forked = server->owner.page && brine_owner_forked(&server->owner);
	close_ports(server, forked);
	close_sessions(server, forked);
	free_requests(server);
	brine_loop_free(server->loop);
	brine_methods_done(&server->methods);
	brine_buf_done(&server->scratch);
	brine_release(allocator, server->input, BRINE_LINK_INPUT_SIZE);
	if (server->options.name)
		brine_release(allocator, (char *)(uintptr_t)server->options.name, strlen(server->options.name) + 1);
	brine_owner_done(&server->owner);
	brine_release(allocator, server, sizeof *server);
}

static int may_register(struct brine_server *server, struct brine_error *error)
{
	if (brine_owner_forked(&server->owner))
		return brine_owner_refuse("server", error);
	return server->ran ? brine_fail(error, BRINE_ERR_STATE, 0, "register before the server runs") : 0;
}

int brine_server_serve(struct brine_server *server, const struct brine_service *service, const void *handlers,
                       void *user, struct brine_error *error)
{
	int status = may_register(server, error);
	return status < 0 ? status : brine_methods_add_service(&server->methods, service, handlers, user, error);
}

int brine_server_serve_raw(struct brine_server *server, const char *method, brine_raw_handler_fn *handler, void *user,
                           struct brine_error *error)
{
	int status = may_register(server, error);
	return status < 0 ? status : brine_methods_add_raw(&server->methods, method, handler, user, error);
}
