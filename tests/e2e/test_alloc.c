/* Proves: when memory runs out in a client or a server, at any allocation, every call ends once with a named error,
 * nothing leaks, and later calls go on (G01, G02). */
#include "scenario.h"

enum { SWEEP_MAX = 1000 };

struct sweep {
	const char *who;
	bool in_server;
	bool after; /* every later one fails too */
};

/* The fault plan belongs to one side: its counters are touched by that side's thread only, and read when it has ended.
 */
static bool run_once(void **state, enum over kind, const struct sweep *sweep, uint64_t n)
{
	struct fail_allocator failing, other;
	char what[96];
	struct scenario scenario = {0};
	fail_allocator_init(&failing, n, sweep->after);
	fail_allocator_init(&other, 0, false);
	address_over(state, kind, scenario.listen);
	scenario.server_allocator = sweep->in_server ? &failing.base : &other.base;
	scenario.client_allocator = sweep->in_server ? &other.base : &failing.base;
	scenario_run(&scenario);
	snprintf(what, sizeof what, "%s allocation %u%s", sweep->who, (unsigned)n,
	         sweep->after ? " and all after" : "");
	scenario_check(&scenario, what);
	if (failing.held || other.held)
		fail_msg("%s: %zu bytes are left over", what, failing.held + other.held);
	if (!sweep->in_server)
		assert_int_equal(scenario.setup, 0);
	/* Once nothing fails any more, nothing may look as if it had. */
	if (failing.failures == 0) {
		static const int right[] = {0, 0, 0, BRINE_ERR_REMOTE, 0, 0, BRINE_ERR_REMOTE};
		assert_int_equal(scenario.steps, sizeof right / sizeof right[0]);
		assert_memory_equal(scenario.statuses, right, sizeof right);
	}
	return failing.failures > 0;
}

static void sweep_over(void **state, enum over kind)
{
	static const struct sweep sweeps[] = {
	        {"client", false, false},
	        {"client", false, true},
	        {"server", true, false},
	        {"server", true, true},
	};
	for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++) {
		uint64_t n = 1;
		while (n < SWEEP_MAX && run_once(state, kind, &sweeps[i], n))
			n++;
		/* Fewer would mean that the allocator is not used. */
		assert_in_range(n, 10, SWEEP_MAX - 1);
	}
}
DEFINE_BOTH(sweep)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(sweep)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
