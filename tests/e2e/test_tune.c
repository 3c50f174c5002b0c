/* Proves: what a program sets for one method holds: it runs on a worker, and at most so many of its requests run at
 * once, over all connections and loops, whatever becomes of them; others are refused and told so. */
#include "harness.h"

enum { MOST = 3, CALLS = 5, STORM = 4, ROUNDS = 200 };

struct limited {
	struct host host;
	struct brine_client *client;
	atomic_int running, running_most, done;
	bool on_loop;
};

static int where(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct limited *limited = user;
	(void)request;
	(void)params;
	limited->on_loop = pthread_equal(pthread_self(), limited->host.thread);
	return 0;
}

static int work(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct limited *limited = user;
	(void)request;
	(void)params;
	int running = atomic_fetch_add(&limited->running, 1) + 1;
	keep_most(&limited->running_most, running);
	sched_yield();
	atomic_fetch_sub(&limited->running, 1);
	atomic_fetch_add(&limited->done, 1);
	return 0;
}

static int tune(struct brine_server *server, const char *method, uint32_t most, bool blocking)
{
	struct brine_method_options options = BRINE_METHOD_OPTIONS_INIT;
	options.running_max = most;
	options.blocking = blocking;
	return brine_server_tune(server, method, &options, NULL);
}

static void limited_start(struct limited *limited, void **state, enum over kind)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	memset(limited, 0, sizeof *limited);
	options.loops = 2;
	host_prepare(&limited->host, state, kind, &options);
	struct brine_server *server = limited->host.server;
	assert_int_equal(brine_server_serve_raw(server, "where", where, limited, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "work", work, limited, NULL), 0);
	assert_int_equal(tune(server, "work", MOST - 1, true), 0);
	assert_int_equal(tune(server, calc_methods[CALC_HOLD].name, MOST + 1, false), 0);
	assert_int_equal(tune(server, calc_methods[CALC_HOLD].name, MOST, false), 0);
}

static int begin_hold(struct limited *limited, struct brine_call *call)
{
	struct calc_nothing nothing = {0};
	return brine_client_begin(limited->client, call, &calc_methods[CALC_HOLD], &nothing);
}

static void expect_refused(struct brine_call *call)
{
	assert_int_equal(brine_call_finish(call, NULL), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(call), BRINE_CODE_OVERLOADED);
	expect_in(brine_call_error_text(call), "too many calls of this method run, not started");
}

/* One that was cancelled counts until it is answered; then there is room for another one. */
static void held_over(void **state, enum over kind)
{
	static struct limited limited;
	struct brine_call calls[CALLS];
	struct calc_number number = {7};
	limited_start(&limited, state, kind);
	host_launch(&limited.host);
	limited.client = client_of(limited.host.address, NULL);
	for (int i = 0; i < CALLS; i++) {
		calls[i] = (struct brine_call)BRINE_CALL_INIT;
		assert_int_equal(begin_hold(&limited, &calls[i]), 0);
	}
	for (int i = MOST; i < CALLS; i++)
		expect_refused(&calls[i]);
	assert_int_equal(atomic_load(&limited.host.calc.held_count), MOST);
	brine_call_cancel(&calls[0]);
	assert_int_equal(begin_hold(&limited, &calls[MOST]), 0);
	expect_refused(&calls[MOST]);
	/* The last that is held is answered. */
	assert_int_equal(brine_client_call(limited.client, NULL, &calc_methods[CALC_RELEASE], &number, &number), 0);
	assert_int_equal(begin_hold(&limited, &calls[MOST]), 0);
	wait_for_count(&limited.host.calc.held_count, MOST + 1);
	for (int i = 0; i < MOST; i++)
		assert_int_equal(brine_client_call(limited.client, NULL, &calc_methods[CALC_RELEASE], &number, &number),
		                 0);
	for (int i = 0; i < CALLS; i++)
		brine_call_done(&calls[i]);
	brine_client_free(limited.client);
	host_stop(&limited.host);
}
DEFINE_BOTH(held)

/* Requests that outlive their server keep what bounds them. */
static void outlived_over(void **state, enum over kind)
{
	static struct limited limited;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	memset(&limited, 0, sizeof limited);
	host_prepare(&limited.host, state, kind, &options);
	assert_int_equal(tune(limited.host.server, calc_methods[CALC_HOLD].name, 1, false), 0);
	host_launch(&limited.host);
	limited.client = client_of(limited.host.address, NULL);
	assert_int_equal(brine_client_connect(limited.client, 0, NULL), 0);
	assert_int_equal(begin_hold(&limited, &call), 0);
	wait_for_count(&limited.host.calc.held_count, 1);
	brine_call_done(&call);
	brine_client_free(limited.client);
	brine_server_stop(limited.host.server);
	brine_server_stop(limited.host.server);
	host_end(&limited.host);
	assert_int_equal(limited.host.calc.held_now, 1);
	/* It is answered when the server is gone. */
	host_free(&limited.host);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(outlived)

struct caller {
	struct limited *limited;
	pthread_t thread;
	int done, refused;
};

static void *call_often(void *argument)
{
	struct caller *caller = argument;
	struct brine_client *client = client_of(caller->limited->host.address, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		struct brine_call call = BRINE_CALL_INIT;
		int status = brine_client_call_raw(client, &call, "work", NO_PARAMS);
		caller->done += status == 0;
		caller->refused += status == BRINE_ERR_REMOTE && brine_call_code(&call) == BRINE_CODE_OVERLOADED;
		brine_call_done(&call);
	}
	brine_client_free(client);
	return NULL;
}

/* Over many connections and two loops never more than allowed, on workers, and all that were let in are done. */
static void storm_over(void **state, enum over kind)
{
	static struct limited limited;
	struct caller callers[STORM];
	int done = 0, refused = 0;
	limited_start(&limited, state, kind);
	host_launch(&limited.host);
	for (int i = 0; i < STORM; i++) {
		callers[i] = (struct caller){.limited = &limited};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
	}
	for (int i = 0; i < STORM; i++) {
		pthread_join(callers[i].thread, NULL);
		done += callers[i].done;
		refused += callers[i].refused;
	}
	assert_int_equal(done + refused, STORM * ROUNDS);
	assert_int_equal(done, atomic_load(&limited.done));
	assert_in_range(atomic_load(&limited.running_most), 1, MOST - 1);
	host_stop(&limited.host);
}
DEFINE_BOTH(storm)

static void blocking_over(void **state, enum over kind)
{
	for (int blocking = 0; blocking < 2; blocking++) {
		static struct limited limited;
		struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
		memset(&limited, 0, sizeof limited);
		host_prepare(&limited.host, state, kind, &options);
		assert_int_equal(brine_server_serve_raw(limited.host.server, NULL, where, &limited, NULL), 0);
		assert_int_equal(tune(limited.host.server, NULL, 0, blocking), 0);
		host_launch(&limited.host);
		struct brine_client *client = client_of(limited.host.address, NULL);
		assert_int_equal(brine_client_call_raw(client, NULL, "whatever", NO_PARAMS), 0);
		assert_int_equal(limited.on_loop, !blocking);
		brine_client_free(client);
		host_stop(&limited.host);
	}
}
DEFINE_BOTH(blocking)

static void refusals(void **state)
{
	struct host host;
	struct brine_method_options options = BRINE_METHOD_OPTIONS_INIT;
	struct brine_server_options server_options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_error error;
	server_options.workers = 0;
	host_prepare(&host, state, OVER_UNIX, &server_options);
	assert_int_equal(brine_server_tune(host.server, "nothing", &options, &error), BRINE_ERR_NOT_FOUND);
	assert_string_equal(error.text, "method 'nothing': not registered: do that first");
	assert_int_equal(tune(host.server, NULL, 1, false), BRINE_ERR_NOT_FOUND);
	assert_int_equal(tune(host.server, "", 1, false), BRINE_ERR_NOT_FOUND);
	assert_int_equal(tune(host.server, "add", 1, true), BRINE_ERR_INVALID);
	options.struct_size = 1;
	assert_int_equal(brine_server_tune(host.server, "add", &options, &error), BRINE_ERR_INVALID);
	host_launch(&host);
	host_end(&host);
	assert_int_equal(tune(host.server, "add", 1, false), BRINE_ERR_STATE);
	host_free(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(held), BOTH(outlived), BOTH(storm), BOTH(blocking), e2e_test(refusals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
