/* Proves, of servers that call their clients back: however handlers nest, the pool of workers keeps its bounds. */
#include "nesting.h"

#define NO_PARAMS BRINE_BYTES("\x90", 1)

/* ---- gates ---- */

/* Where handlers wait until the test lets them go on. */
struct gate {
	atomic_int inside; /* now */
	atomic_int most;   /* at once, ever */
	atomic_int passed;
	atomic_bool open;
};

static void gate_pass(struct gate *gate)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	keep_most(&gate->most, atomic_fetch_add(&gate->inside, 1) + 1);
	while (!atomic_load(&gate->open) && brine_clock_ms() < deadline_ms)
		poll(NULL, 0, 1);
	atomic_fetch_sub(&gate->inside, 1);
	atomic_fetch_add(&gate->passed, 1);
}

static int pass_gate(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	gate_pass(user);
	return 0;
}

/* ---- workers ---- */

enum { VISITS = 400, GATED = 400 };

/* Calls the client again and again. */
static int visit(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_call call = BRINE_CALL_INIT;
	(void)params;
	atomic_fetch_add((atomic_int *)user, 1);
	int status = 0;
	for (int i = 0; i < VISITS && status == 0; i++)
		status =
		        brine_client_call_raw(brine_request_client(request), &call, "nest", BRINE_BYTES("\x91\x00", 2));
	status = status < 0 ? nest_fail(request, &call) : 0;
	brine_call_done(&call);
	return status;
}

/* C28: one handler that calls its peer often, while many others wait for a worker, starts no more threads than there
 * are places: those that wait for a peer, and those allowed. */
static void workers_are_bounded_over(void **state, enum over kind)
{
	struct host host;
	struct gate gate = {0};
	atomic_int visiting = 0;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	options.workers = 1;
	host_prepare(&host, state, kind, &options);
	assert_int_equal(brine_server_serve_raw_as(host.server, "visit", BRINE_METHOD_BLOCKING, visit, &visiting, NULL),
	                 0);
	assert_int_equal(brine_server_serve_raw_as(host.server, "gate", BRINE_METHOD_BLOCKING, pass_gate, &gate, NULL),
	                 0);
	host_launch(&host);
	own.mode = BRINE_CLIENT_BACKGROUND;
	struct brine_client *client = nest_client(&host, &own, NULL);
	call.timeout_ms = 3 * PATIENCE_MS;
	assert_int_equal(brine_client_begin_raw(client, &call, "visit", NO_PARAMS), 0);
	wait_for_count(&visiting, 1);
	for (int i = 0; i < GATED; i++)
		assert_int_equal(brine_client_notify_raw(client, NULL, "gate", NO_PARAMS), 0);
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	assert_int_equal(atomic_load(&gate.most), 1);
	/* The place that a visitor left is nobody's for good: there is one worker again. */
	atomic_store(&gate.open, true);
	wait_for_count(&gate.passed, GATED);
	assert_int_equal(atomic_load(&gate.most), 1);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(workers_are_bounded)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(workers_are_bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
