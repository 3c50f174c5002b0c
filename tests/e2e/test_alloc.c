/* Proves: when memory runs out in a client or a server, at any allocation, every call ends once with a named error,
 * nothing leaks, and later calls go on (G01, G02). Two lives: calls as most programs make them, and all the rest of the
 * interface: streams in all directions, workers, interceptors, metadata, error data, idempotent methods, clients in the
 * background and plain ones, both in one process. Elsewhere: modes of clients (test_fault_client.c), several loops and
 * answers from threads (test_fault_serving.c), connections, codec and compiler (tests/unit). */
#include "scenario.h"
#include "streaming.h"

enum { SWEEP_MAX = 3000, ITEMS = 40 };

struct sweep {
	const char *who;
	bool in_server;
	bool after; /* every later one fails too */
};

/* ---- the wide life ---- */

static struct streams streams;

static int wide_serve(struct scenario *scenario)
{
	memset(&streams, 0, sizeof streams);
	atomic_store(&streams.gate, true);
	return brine_server_serve(scenario->host.server, &streams_service, &streams, &streams, NULL);
}

static int server_before(struct brine_request *request, void *user)
{
	(void)user;
	/* What an interceptor builds is memory too. */
	if (brine_request_printf(request, "%s", "seen").size != 4)
		return brine_request_fail(request, BRINE_CODE_INTERNAL, "out of memory");
	return 0;
}

static int client_before(struct brine_call *call, const char *method, void *user)
{
	(void)method;
	(void)user;
	call->metadata = BRINE_BYTES("\x81\xa1k\xa1v", 5);
	return 0;
}

static const struct brine_server_interceptor server_interceptor = {.before = server_before};
static const struct brine_client_interceptor client_interceptor = {.before = client_before};

static void wide_download(struct scenario *scenario, struct brine_client *client, struct brine_call *call)
{
	struct calc_number number = {ITEMS};
	int64_t at = 0;
	int status = brine_client_begin(client, call, &streams_methods[1], &number);
	while (status >= 0 && (status = brine_call_next(call, &number)) > 0)
		scenario->wrong_answer |= number.value != at++;
	scenario->wrong_answer |= status == 0 && at != ITEMS;
	step(scenario, status);
}

static void wide_upload(struct scenario *scenario, struct brine_client *client, struct brine_call *call)
{
	struct calc_number number = {0};
	int status = brine_client_begin(client, call, &streams_methods[0], NULL);
	for (; number.value < ITEMS && status == 0; number.value++)
		status = brine_call_send(call, &number);
	if (status == 0)
		status = brine_call_end_upload(call);
	if (status == 0)
		status = brine_call_finish(call, &number);
	scenario->wrong_answer |= status == 0 && number.value != ITEMS * (ITEMS - 1) / 2;
	step(scenario, status);
}

/* Both streams of a call, on a worker or in the event form. */
static void wide_both(struct scenario *scenario, struct brine_client *client, struct brine_call *call,
                      const struct brine_method *method)
{
	struct calc_number number = {0}, doubled;
	int status = brine_client_begin(client, call, method, NULL);
	for (; number.value < ITEMS && status >= 0; number.value++) {
		status = brine_call_send(call, &number);
		if (status == 0)
			status = brine_call_next(call, &doubled);
		scenario->wrong_answer |= status == 1 && doubled.value != 2 * number.value;
	}
	if (status >= 0)
		status = brine_call_end_upload(call);
	if (status == 0)
		status = brine_call_next(call, &doubled);
	step(scenario, status);
}

static void wide_plain(struct scenario *scenario)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	char address[ADDRESS_SIZE + 16];
	int64_t sum;
	options.allocator = scenario->client_allocator;
	options.timeout_ms = SCENARIO_TIMEOUT_MS;
	options.limits.linger_ms = SCENARIO_LINGER_MS;
	int status = brine_client_open(&client, plain_address(&scenario->host, address), &options, NULL);
	if (step(scenario, status) < 0)
		return;
	if (step(scenario, calc_call_add(client, NULL, 2, 3, &sum)) == 0)
		scenario->wrong_answer |= sum != 5;
	brine_client_free(client);
}

static void wide_calls(struct scenario *scenario, struct brine_client *client, struct brine_call *call)
{
	struct brine_method idempotent = calc_methods[CALC_ADD];
	struct calc_number number = {4711};
	struct calc_pair pair = {2, 3};
	int64_t sum;
	idempotent.flags |= BRINE_METHOD_IDEMPOTENT;
	if (step(scenario, brine_client_call(client, call, &idempotent, &pair, &number)) == 0)
		scenario->wrong_answer |= number.value != 5;
	number.value = 4711;
	int status = step(scenario, brine_client_call(client, call, &calc_methods[CALC_REFUSE], &number, NULL));
	if (status == BRINE_ERR_REMOTE && brine_call_code(call) == 4711 && brine_call_error_data(call).size &&
	    brine_call_error_loads(call, &calc_pair_type, &pair) == 0)
		scenario->wrong_answer |= pair.a != 4711;
	wide_download(scenario, client, call);
	wide_upload(scenario, client, call);
	wide_both(scenario, client, call, &streams_methods[2]);
	wide_both(scenario, client, call, &streams_methods[3]);
	/* One that is cancelled in the middle. */
	status = brine_client_begin(client, call, &streams_methods[1], &(struct calc_number){100000});
	brine_call_cancel(call);
	step(scenario, status < 0 ? status : brine_call_finish(call, NULL));
	wide_plain(scenario);
	if (step(scenario, calc_call_add(client, call, 2, 3, &sum)) == 0)
		scenario->wrong_answer |= sum != 5;
}

static const struct scenario_kind wide = {BRINE_CLIENT_BLOCKING, &server_interceptor, &client_interceptor, wide_serve,
                                          wide_calls};
static const struct scenario_kind wide_background = {BRINE_CLIENT_BACKGROUND, &server_interceptor, &client_interceptor,
                                                     wide_serve, wide_calls};

/* ---- sweeps ---- */

/* Once nothing fails any more, nothing may look as if it had. */
static void expect_no_failure(const struct scenario *scenario)
{
	static const int usual[] = {0, 0, 0, BRINE_ERR_REMOTE, 0, 0, BRINE_ERR_REMOTE};
	static const int of_wide[] = {0, 0, BRINE_ERR_REMOTE, 0, 0, 0, 0, BRINE_ERR_CANCELLED, 0, 0, 0};
	const int *right = scenario->kind ? of_wide : usual;
	size_t size = scenario->kind ? sizeof of_wide : sizeof usual;
	assert_int_equal(scenario->steps, size / sizeof *right);
	assert_memory_equal(scenario->statuses, right, size);
}

static bool run_once(void **state, enum over kind, const struct scenario_kind *life, const struct sweep *sweep,
                     uint64_t n)
{
	struct shared_allocator failing, other;
	char what[96];
	struct scenario scenario = {.kind = life};
	shared_allocator_init(&failing, n, sweep->after);
	shared_allocator_init(&other, 0, false);
	address_over(state, kind, scenario.listen);
	scenario.server_allocator = sweep->in_server ? &failing.base : &other.base;
	scenario.client_allocator = sweep->in_server ? &other.base : &failing.base;
	scenario_run(&scenario);
	snprintf(what, sizeof what, "%s allocation %u%s", sweep->who, (unsigned)n,
	         sweep->after ? " and all after" : "");
	scenario_check(&scenario, what);
	if (failing.fail.held || other.fail.held)
		fail_msg("%s: %zu bytes are left over", what, failing.fail.held + other.fail.held);
	if (!sweep->in_server)
		assert_int_equal(scenario.setup, 0);
	if (failing.fail.failures == 0)
		expect_no_failure(&scenario);
	return failing.fail.failures > 0;
}

static void sweep_life(void **state, enum over kind, const struct scenario_kind *life)
{
	static const struct sweep sweeps[] = {
	        {"client", false, false},
	        {"client", false, true},
	        {"server", true, false},
	        {"server", true, true},
	};
	for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++) {
		uint64_t n = 1;
		while (n < SWEEP_MAX && run_once(state, kind, life, &sweeps[i], n))
			n++;
		/* Fewer would mean that the allocator is not used. */
		assert_in_range(n, 10, SWEEP_MAX - 1);
	}
}

static void sweep_over(void **state, enum over kind)
{
	sweep_life(state, kind, NULL);
}
DEFINE_BOTH(sweep)

static void wide_sweep_over(void **state, enum over kind)
{
	sweep_life(state, kind, &wide);
}
DEFINE_BOTH(wide_sweep)

static void wide_sweep_in_background_over(void **state, enum over kind)
{
	sweep_life(state, kind, &wide_background);
}
DEFINE_BOTH(wide_sweep_in_background)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(sweep), BOTH(wide_sweep), BOTH(wide_sweep_in_background)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
