#include "server/server.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/fail.h"
#include "net/poll_set.h"
#include "net/random.h"
#include "run/thread.h"
#include "server/connection.h"
#include "server/listener.h"

enum {
	THREADS_MAX = 4096,
	MEMORY_LEAST = 1 << 20, /* of memory_max, for each loop */
	STUCK_AFTER_MS = 1000,  /* so long may handlers on workers take to end after the last connection has */
};

void brine_server_counters(const struct brine_server *server, struct brine_server_counters *ret_counters)
{
	if (!server || !ret_counters)
		return;
	uint64_t sums[BRINE_COUNTS] = {0};
	for (uint32_t i = 0; i < server->options.loops; i++)
		for (int which = 0; which < BRINE_COUNTS; which++)
			sums[which] += atomic_load_explicit(&server->loop_threads[i]->host.counts[which],
			                                    memory_order_relaxed);
	*ret_counters = (struct brine_server_counters){
	        .connections_accepted = sums[BRINE_COUNT_ACCEPTED],
	        .connections_refused = sums[BRINE_COUNT_REFUSED],
	        .connections_open = sums[BRINE_COUNT_OPEN],
	        .requests = sums[BRINE_COUNT_REQUESTS],
	        .notifications = sums[BRINE_COUNT_NOTIFICATIONS],
	        .notifications_dropped = sums[BRINE_COUNT_DROPPED],
	        .slow_turns = sums[BRINE_COUNT_SLOW_TURNS],
	        .shortages = sums[BRINE_COUNT_SHORTAGES],
	        .memory_held = brine_meter_held(server->meter),
	};
}

/* ---- running ---- */

/* Only atomics and write(): signal handlers come here. */
static void stop(struct brine_server *server, int times)
{
	atomic_fetch_add_explicit(&server->stops, times, memory_order_release);
	for (uint32_t i = 0; i < server->options.loops; i++)
		brine_loop_wake(server->loop_threads[i]->loop);
}

void brine_server_stop(struct brine_server *server)
{
	if (server && !brine_fork_guard_is_child(&server->fork_guard))
		stop(server, 1);
}

static void *run_loop_thread(void *argument)
{
	struct brine_loop_thread *loop_thread = argument;
	brine_loop_thread_run(loop_thread);
	/* A server that has lost a loop would serve some peers and not others. */
	if (loop_thread->status < 0)
		stop(loop_thread->server, 2);
	return NULL;
}

/* Runs all loop threads until they have ended. */
static int run_loop_threads(struct brine_server *server, struct brine_error *error)
{
	uint32_t started = 1;
	int failure = 0;
	server->loop_threads[0]->thread = pthread_self();
	while (started < server->options.loops && failure == 0) {
		struct brine_loop_thread *loop_thread = server->loop_threads[started];
		failure = brine_thread_start(&loop_thread->thread, server->options.thread_stack_size, run_loop_thread,
		                             loop_thread);
		started += failure == 0;
	}
	if (failure)
		stop(server, 2);
	run_loop_thread(server->loop_threads[0]);
	for (uint32_t i = 1; i < started; i++)
		pthread_join(server->loop_threads[i]->thread, NULL);
	if (failure)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, failure, "could not start a loop thread");
	for (uint32_t i = 0; i < started; i++)
		if (server->loop_threads[i]->status < 0)
			return brine_fail_errno(error, server->loop_threads[i]->status,
			                        server->loop_threads[i]->system_errno, "could not wait for peers");
	return 0;
}

/* Handlers that never end, or never answer, are the program's fault: it should hear their names. */
static void name_stuck_handlers(struct brine_server *server, bool ended)
{
	for (uint32_t i = 0; i < server->options.loops; i++) {
		struct brine_loop_thread *loop_thread = server->loop_threads[i];
		brine_loop_thread_take_posts(loop_thread);
		for (struct brine_request *request = loop_thread->host.orphans.first; request; request = request->next)
			if (request->handler_ended == ended)
				brine_request_log(request, "its handler has not ended",
				                  ended ? "the server stops without its answer"
				                        : "the server waits for it");
	}
}

/* Handlers on workers use what the program may release after the server's end: wait for them. */
static void end_workers(struct brine_server *server)
{
	if (!brine_pool_quiesce(&server->pool, STUCK_AFTER_MS))
		name_stuck_handlers(server, false);
	brine_pool_stop(&server->pool);
}

/* What is left to do once no loop thread runs any more. */
static void conclude(struct brine_server *server)
{
	end_workers(server);
	name_stuck_handlers(server, true);
	brine_log_flush(&server->log);
}

int brine_server_run(struct brine_server *server, struct brine_error *error)
{
	if (!server)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "server is NULL");
	if (brine_fork_guard_is_child(&server->fork_guard))
		return brine_fork_guard_refuse("server", error);
	if (server->ran)
		return brine_fail(error, BRINE_ERR_STATE, 0, "a server runs once");
	if (!server->listeners)
		return brine_fail(error, BRINE_ERR_INVALID, 0,
		                  "nothing to listen on: call brine_server_listen() first");
	server->ran = true;
	int status = run_loop_threads(server, error);
	conclude(server);
	return status;
}

/* ---- in a loop of the program's ---- */

/* Whether such a loop may drive the server. */
static int check_embedded(const struct brine_server *server)
{
	if (!server)
		return BRINE_ERR_INVALID;
	if (brine_fork_guard_is_child(&server->fork_guard))
		return BRINE_ERR_FORKED;
	return server->options.loops == 1 && (!server->ran || server->is_embedded) ? 0 : BRINE_ERR_STATE;
}

int brine_server_get_fd(const struct brine_server *server)
{
	int status = check_embedded(server);
	return status < 0 ? status : brine_loop_fd(server->loop_threads[0]->loop);
}

int brine_server_get_events(const struct brine_server *server)
{
	int status = check_embedded(server);
	return status < 0 ? status : brine_poll_events(BRINE_READABLE);
}

int brine_server_get_timeout_ms(const struct brine_server *server)
{
	if (check_embedded(server) < 0 || server->has_ended)
		return -1;
	return brine_wait_ms(brine_loop_thread_due(server->loop_threads[0]));
}

int brine_server_process(struct brine_server *server)
{
	int status = check_embedded(server);
	if (status < 0)
		return status;
	if (server->has_ended)
		return 1;
	struct brine_loop_thread *loop_thread = server->loop_threads[0];
	if (brine_loop_thread_is_current(loop_thread))
		return BRINE_ERR_BUSY;
	server->ran = server->is_embedded = true;
	if (brine_loop_thread_process(loop_thread))
		return 0;
	server->has_ended = true;
	conclude(server);
	return loop_thread->status < 0 ? loop_thread->status : 1;
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

static int make_loop_threads(struct brine_server *server)
{
	uint32_t count = server->options.loops;
	server->loop_threads = brine_alloc_zero(server->options.allocator, count * sizeof *server->loop_threads);
	int status = server->loop_threads ? 0 : BRINE_ERR_NOMEM;
	for (uint32_t i = 0; i < count && status == 0; i++)
		status = brine_loop_thread_new(&server->loop_threads[i], server, i);
	return status;
}

/* Gets everything that a server has before anybody connects. */
static int equip(struct brine_server *server, const char *name)
{
	const struct brine_server_options *options = &server->options;
	int status = copy_name(server, name);
	if (status == 0)
		status = brine_random_fill(&server->seed, sizeof server->seed);
	if (status == 0)
		status = brine_fork_guard_init(&server->fork_guard, NULL);
	if (status == 0)
		status = make_loop_threads(server);
	if (status < 0)
		return status;
	brine_peer_limit_init(&server->peer_limit, options->connections_per_peer_max, options->allocator, server->seed);
	brine_methods_init(&server->methods, options->allocator, server->seed);
	/* Limits that every connection would refuse are refused now. */
	return brine_connection_check(server);
}

/* Memory for the server, with its options; behind a meter where there is a limit. */
static struct brine_server *allocate(const struct brine_server_options *options)
{
	const struct brine_allocator *allocator = options->allocator;
	struct brine_meter *meter = NULL;
	if (options->memory_max) {
		meter = brine_meter_new(allocator, options->memory_max);
		if (!meter)
			return NULL;
		allocator = &meter->base;
	}
	struct brine_server *server = brine_alloc_zero(allocator, sizeof *server);
	if (!server) {
		brine_meter_drop(meter);
		return NULL;
	}
	server->options = *options;
	server->options.allocator = allocator;
	server->meter = meter;
	return server;
}

int brine_server_new(struct brine_server **ret_server, const struct brine_server_options *options)
{
	if (!ret_server)
		return BRINE_ERR_INVALID;
	static const struct brine_server_options defaults = BRINE_SERVER_OPTIONS_INIT;
	if (!options)
		options = &defaults;
	if (options->struct_size != sizeof *options || options->loops == 0 || options->loops > THREADS_MAX ||
	    options->workers > THREADS_MAX ||
	    (options->memory_max && options->memory_max / MEMORY_LEAST < options->loops))
		return BRINE_ERR_INVALID;
	struct brine_server *server = allocate(options);
	if (!server)
		return BRINE_ERR_NOMEM;
	brine_log_init(&server->log, options->log, options->log_user);
	brine_pool_init(&server->pool, &server->options);
	int status = equip(server, options->name);
	if (status < 0) {
		brine_server_free(server);
		return status;
	}
	*ret_server = server;
	return 0;
}

void brine_server_free(struct brine_server *server)
{
	if (!server)
		return;
	const struct brine_allocator *allocator = server->options.allocator;
	struct brine_meter *meter = server->meter;
	bool forked = server->fork_guard.page && brine_fork_guard_is_child(&server->fork_guard);
	/* The locks of a forked child are as its parent's threads had them: nothing is counted there. */
	if (forked)
		server->peer_limit.each_max = 0;
	brine_listeners_free(server, forked);
	for (uint32_t i = 0; server->loop_threads && i < server->options.loops; i++)
		brine_loop_thread_free(server->loop_threads[i], forked);
	brine_release(allocator, server->loop_threads, server->options.loops * sizeof *server->loop_threads);
	brine_pool_done(&server->pool);
	brine_methods_done(&server->methods);
	brine_peer_limit_done(&server->peer_limit);
	if (server->options.name)
		brine_release(allocator, (char *)(uintptr_t)server->options.name, strlen(server->options.name) + 1);
	brine_fork_guard_done(&server->fork_guard);
	brine_release(allocator, server, sizeof *server);
	brine_meter_drop(meter);
}

static int may_register(struct brine_server *server, struct brine_error *error)
{
	if (brine_fork_guard_is_child(&server->fork_guard))
		return brine_fork_guard_refuse("server", error);
	return server->ran ? brine_fail(error, BRINE_ERR_STATE, 0, "register before the server runs") : 0;
}

/* Methods that block need somebody who may. */
static int check_workers(const struct brine_server *server, uint32_t flags, struct brine_error *error)
{
	if (!(flags & BRINE_METHOD_BLOCKING) || server->options.workers > 0)
		return 0;
	return brine_fail(error, BRINE_ERR_INVALID, 0, "a method is marked blocking, but the server has no workers");
}

int brine_server_serve(struct brine_server *server, const struct brine_service *service, const void *handlers,
                       void *user, struct brine_error *error)
{
	if (!server || !service)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "server or service is NULL");
	int status = may_register(server, error);
	uint32_t flags = 0;
	for (uint32_t i = 0; service->abi == BRINE_ABI && i < service->method_count; i++)
		flags |= service->methods[i].flags;
	if (status == 0)
		status = check_workers(server, flags, error);
	return status < 0 ? status : brine_methods_add_service(&server->methods, service, handlers, user, error);
}

int brine_server_serve_raw(struct brine_server *server, const char *method, brine_raw_handler_fn *handler, void *user,
                           struct brine_error *error)
{
	return brine_server_serve_raw_as(server, method, 0, handler, user, error);
}

int brine_server_serve_raw_as(struct brine_server *server, const char *method, uint32_t flags,
                              brine_raw_handler_fn *handler, void *user, struct brine_error *error)
{
	if (!server)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "server is NULL");
	int status = may_register(server, error);
	if (status == 0)
		status = check_workers(server, flags, error);
	return status < 0 ? status : brine_methods_add_raw(&server->methods, method, flags, handler, user, error);
}

int brine_server_tune(struct brine_server *server, const char *method, const struct brine_method_options *options,
                      struct brine_error *error)
{
	if (!server || !options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "server or options is NULL");
	uint32_t flags = options->blocking ? BRINE_METHOD_BLOCKING : 0;
	if (options->struct_size != sizeof *options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "struct_size: start from BRINE_METHOD_OPTIONS_INIT");
	int status = may_register(server, error);
	if (status == 0)
		status = check_workers(server, flags, error);
	return status < 0 ? status : brine_methods_tune(&server->methods, method, flags, options->running_max, error);
}
