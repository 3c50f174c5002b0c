/* Proves: whatever memory, system call or thread fails while a server and its client call each other, every call ends
 * once, with a named error or the right answer, and nothing leaks. */
#include "faults.h"
#include "nesting.h"

enum { DEPTH = 5, ROUNDS = 3 };

/* What a client asked and got. */
struct life {
	struct host host;
	struct brine_client *_Atomic kept;
	int answered, failed;
};

static int keep(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct life *life = user;
	(void)params;
	brine_client_free(atomic_exchange(&life->kept, brine_request_keep_client(request)));
	return 0;
}

static void count(struct life *life, int status, int64_t found, int64_t expected)
{
	if (status > 0 || status == BRINE_ERR_DEADLINE || strcmp(brine_error_name(status), "BRINE_ERR_UNKNOWN") == 0)
		fail_msg("%s: a call ended with %d", fault_text(), status);
	if (status == 0 && found != expected)
		fail_msg("%s: %d instead of %d", fault_text(), (int)found, (int)expected);
	if (status == 0)
		life->answered++;
	else
		life->failed++;
}

static void call_both_ways(struct life *life, struct brine_client *client)
{
	struct nest_params params;
	struct brine_call call = BRINE_CALL_INIT;
	for (int64_t i = 0; i < ROUNDS; i++) {
		int status = brine_client_call_raw(client, &call, "nest", nest_params(&params, DEPTH));
		count(life, status, nest_number(brine_call_result(&call)), DEPTH);
		count(life, brine_client_call_raw(client, &call, "keep", nest_params(&params, 0)), 0, 0);
		/* Nobody reads for a client that waits for nothing: the call to it is given up. */
		if (life->kept && brine_client_begin_raw(life->kept, &call, "nest", nest_params(&params, 0)) == 0)
			brine_call_cancel(&call);
		if (life->kept)
			(void)brine_client_notify_raw(life->kept, NULL, "nest", nest_params(&params, 0));
		brine_call_done(&call);
	}
	brine_call_done(&call);
}

/* One life of both; -1 in answered: there was not even a server. */
static void live(void **state, enum over kind, struct life *life, struct shared_allocator *allocators)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	char address[ADDRESS_SIZE];
	memset(life, 0, sizeof *life);
	life->answered = -1;
	options.allocator = &allocators[0].base;
	options.workers = 1;
	options.limits.linger_ms = 50;
	if (brine_server_new(&life->host.server, &options) < 0)
		return;
	struct brine_server *server = life->host.server;
	if (brine_server_serve_raw_as(server, "nest", BRINE_METHOD_BLOCKING, nest_handler, NULL, NULL) < 0 ||
	    brine_server_serve_raw(server, "keep", keep, life, NULL) < 0 ||
	    brine_server_listen(server, address_over(state, kind, address), NULL) < 0) {
		brine_server_free(server);
		return;
	}
	snprintf(life->host.address, sizeof life->host.address, "%s", brine_server_address(server, 0));
	host_launch(&life->host);
	life->answered = 0;
	own.allocator = &allocators[1].base;
	own.limits.linger_ms = 50;
	own.backoff_first_ms = own.backoff_most_ms = 1;
	own.timeout_ms = PATIENCE_MS;
	if (brine_client_open(&client, life->host.address, &own, NULL) == 0) {
		if (brine_client_serve_raw(client, "nest", nest_handler, NULL, NULL) == 0)
			call_both_ways(life, client);
		brine_client_free(client);
	}
	brine_server_stop(server);
	host_join(&life->host);
	brine_server_free(server);
	brine_client_free(life->kept);
}

static void check_nothing_is_left(const struct shared_allocator *allocators, const char *what)
{
	for (int i = 0; i < 2; i++)
		if (allocators[i].fail.held)
			fail_msg("%s: %zu bytes of %s are left over", what, allocators[i].fail.held,
			         i ? "the client" : "the server");
}

static void memory_fails_over(void **state, enum over kind)
{
	enum { MOST = 400 };
	for (int round = 0; round < 4; round++) {
		int side = round % 2;
		bool after = round / 2;
		uint64_t n = 0;
		struct shared_allocator allocators[2];
		struct life life;
		do {
			char what[64];
			n++;
			snprintf(what, sizeof what, "allocation %u of side %d", (unsigned)n, side);
			shared_allocator_init(&allocators[side], n, after);
			shared_allocator_init(&allocators[!side], 0, false);
			live(state, kind, &life, allocators);
			check_nothing_is_left(allocators, what);
		} while (allocators[side].fail.failures > 0 && n < MOST);
		assert_in_range(n, 20, MOST - 1);
		/* The last life was whole. */
		assert_int_equal(life.answered, 2 * ROUNDS);
		assert_int_equal(life.failed, 0);
	}
}
DEFINE_BOTH(memory_fails)

struct failing {
	void **state;
	enum over kind;
	struct life life;
};

static void live_with_fault(void *user)
{
	struct failing *failing = user;
	struct shared_allocator allocators[2];
	size_t descriptors = e2e_descriptors();
	shared_allocator_init(&allocators[0], 0, false);
	shared_allocator_init(&allocators[1], 0, false);
	live(failing->state, failing->kind, &failing->life, allocators);
	check_nothing_is_left(allocators, fault_text());
	if (e2e_descriptors() != descriptors)
		fail_msg("%s: descriptors are left over", fault_text());
}

static void system_calls_fail_over(void **state, enum over kind)
{
	static const enum fault_function functions[] = {FAULT_send, FAULT_recv, FAULT_sendmsg, FAULT_poll,
	                                                FAULT_epoll_ctl};
	struct failing failing = {.state = state, .kind = kind};
	uint64_t injected = 0;
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		fault_reset();
		live_with_fault(&failing);
		/* A sweep without calls is none: which of them the streams use is theirs to choose. */
		if (fault_calls(functions[i]) > 0)
			injected += fault_sweep(functions[i], live_with_fault, &failing);
	}
	assert_true(injected > 20);
	fault_reset();
}
DEFINE_BOTH(system_calls_fail)

/* Workers that cannot be started for those that wait: the call is refused where nobody would be left to be called back,
 * and everything ends. */
static void threads_fail_over(void **state, enum over kind)
{
	enum { OF_THE_TEST = 1 };
	struct failing failing = {.state = state, .kind = kind};
	int injected = 0;
	for (uint64_t n = OF_THE_TEST + 1; n < 8; n++) {
		for (int repeat = 0; repeat < 2; repeat++) {
			fault_reset();
			if (repeat)
				fault_fail_from(FAULT_pthread_create, n, EAGAIN);
			else
				fault_fail_at(FAULT_pthread_create, n, EAGAIN);
			live_with_fault(&failing);
			injected += (int)fault_injected();
		}
	}
	fault_reset();
	assert_true(injected > 4);
	/* In the last round there was nothing left to fail. */
	assert_int_equal(failing.life.answered, 2 * ROUNDS);
}
DEFINE_BOTH(threads_fail)

/* A client whose thread cannot be started at first: a thread that waits moves the bytes, and still is the only one when
 * the next call could have started it. */
struct alone {
	struct brine_client *client;
	atomic_bool go;
	int status;
};

static void *wait_alone(void *argument)
{
	struct alone *alone = argument;
	struct calc_nothing nothing = {0};
	while (!atomic_load(&alone->go))
		sched_yield();
	alone->status = brine_client_call(alone->client, NULL, &calc_methods[CALC_HOLD], &nothing, NULL);
	return NULL;
}

static void late_thread_over(void **state, enum over kind)
{
	struct host host;
	struct alone alone = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct calc_number number = {1};
	struct calc_nothing nothing = {0};
	struct brine_call call = BRINE_CALL_INIT;
	pthread_t thread;
	fault_reset();
	host_start(&host, state, kind, NULL);
	options.mode = BRINE_CLIENT_BACKGROUND;
	alone.client = client_of(host.address, &options);
	assert_int_equal(pthread_create(&thread, NULL, wait_alone, &alone), 0);
	/* Its begin and its wait. */
	fault_fail_at(FAULT_pthread_create, 1, EAGAIN);
	atomic_store(&alone.go, true);
	wait_for_count(&host.calc.held_count, 1);
	assert_int_equal(fault_injected(), 1);
	/* It goes on moving the bytes while nothing comes. */
	assert_int_equal(brine_client_begin(alone.client, &call, &calc_methods[CALC_HOLD], &nothing), 0);
	wait_for_count(&host.calc.held_count, 2);
	poll(NULL, 0, 20);
	for (int i = 0; i < 2; i++)
		assert_int_equal(brine_client_call(alone.client, NULL, &calc_methods[CALC_RELEASE], &number, NULL), 0);
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	brine_call_done(&call);
	pthread_join(thread, NULL);
	assert_int_equal(alone.status, 0);
	brine_client_free(alone.client);
	host_stop(&host);
	fault_reset();
}
DEFINE_BOTH(late_thread)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(memory_fails), BOTH(system_calls_fail), BOTH(threads_fail),
	                                   BOTH(late_thread)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
