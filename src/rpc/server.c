#include "rpc/server.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/fail.h"
#include "net/random.h"
#include "rpc/port.h"
#include "rpc/session.h"

#include <errno.h>

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

/* ---- running ---- */

static void drain(struct brine_server *server)
{
	uint64_t now_ms = brine_clock_ms();
	brine_ports_close(server);
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

/* Gets everything that a server has before anybody connects. */
static int equip(struct brine_server *server, const char *name)
{
	const struct brine_allocator *allocator = server->options.allocator;
	int status = copy_name(server, name);
	if (status == 0)
		status = brine_random_fill(&server->seed, sizeof server->seed);
	if (status == 0)
		status = brine_owner_init(&server->owner, NULL);
	if (status == 0)
		status = brine_loop_new(&server->loop, NULL, NULL, allocator, NULL);
	if (status < 0)
		return status;
	brine_methods_init(&server->methods, allocator, server->seed);
	server->input = brine_resize(allocator, NULL, 0, BRINE_LINK_INPUT_SIZE);
	/* Limits that every connection would refuse are refused now. */
	return server->input ? brine_session_check(server) : BRINE_ERR_NOMEM;
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
	int status = equip(server, options->name);
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
	brine_ports_free(server, forked);
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
