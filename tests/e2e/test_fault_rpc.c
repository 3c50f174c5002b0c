/* Proves: whatever system call fails in a client or a server, every call ends once with a named error and without a
 * hang, nothing leaks, and what nobody may notice (EINTR, EAGAIN) nobody notices (G05); any cut of reads and writes
 * gives the same answers (G06); a name that resolves late, never or not at all ends the call in time. */
#include "faults.h"
#include "scenario.h"

#include <netdb.h>
#include <semaphore.h>

static const int right[] = {0, 0, 0, BRINE_ERR_REMOTE, 0, 0, BRINE_ERR_REMOTE};

static void run_with_fault(void *user)
{
	struct scenario *scenario = user;
	int before = (int)e2e_descriptors();
	struct fail_allocator client, server;
	fail_allocator_init(&client, 0, false);
	fail_allocator_init(&server, 0, false);
	scenario->client_allocator = &client.base;
	scenario->server_allocator = &server.base;
	scenario_run(scenario);
	scenario_check(scenario, fault_text());
	bool clean = fault_injected() == 0 || fault_invisible();
	if (clean && (scenario->setup < 0 || scenario->steps != (int)(sizeof right / sizeof right[0]) ||
	              memcmp(scenario->statuses, right, sizeof right) != 0))
		fail_msg("%s: was noticed: setup %d, first step %d", fault_text(), scenario->setup,
		         scenario->statuses[0]);
	if (client.held || server.held)
		fail_msg("%s: %zu and %zu bytes are left over", fault_text(), client.held, server.held);
	if ((int)e2e_descriptors() != before)
		fail_msg("%s: descriptors are left over", fault_text());
}

static void every_call_fails_over(void **state, enum over kind)
{
	static const enum fault_function both[] = {
	        FAULT_socket, FAULT_bind,       FAULT_listen,     FAULT_connect, FAULT_accept4, FAULT_send,
	        FAULT_recv,   FAULT_shutdown,   FAULT_getsockopt, FAULT_poll,    FAULT_eventfd, FAULT_epoll_create1,
	        FAULT_read,   FAULT_epoll_wait, FAULT_epoll_ctl,  FAULT_close,   FAULT_fcntl,   FAULT_getrandom,
	};
	struct scenario scenario = {0};
	address_over(state, kind, scenario.listen);
	for (size_t i = 0; i < sizeof both / sizeof both[0]; i++)
		assert_true(fault_sweep(both[i], run_with_fault, &scenario) > 0);
	if (kind == OVER_TCP) {
		assert_true(fault_sweep(FAULT_setsockopt, run_with_fault, &scenario) > 0);
		assert_true(fault_sweep(FAULT_getsockname, run_with_fault, &scenario) > 0);
	}
}
DEFINE_BOTH(every_call_fails)

/* The kernel interrupts the write that wakes a loop, or that says that a name is resolved; it never fails otherwise. */
static void wakes_are_interrupted_over(void **state, enum over kind)
{
	struct scenario scenario = {0};
	address_over(state, kind, scenario.listen);
	for (uint64_t n = 1;; n++) {
		fault_reset();
		fault_fail_at(FAULT_write, n, EINTR);
		run_with_fault(&scenario);
		if (fault_injected() == 0) {
			assert_true(n > 1);
			break;
		}
	}
	fault_reset();
}
DEFINE_BOTH(wakes_are_interrupted)

/* G06 */
static void short_reads_and_writes_over(void **state, enum over kind)
{
	struct scenario scenario = {0};
	uint64_t shortened = 0;
	address_over(state, kind, scenario.listen);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		fault_reset();
		fault_short_io(seed);
		run_with_fault(&scenario);
		shortened += fault_shortened();
	}
	fault_reset();
	assert_true(shortened > 100);
}
DEFINE_BOTH(short_reads_and_writes)

/* Peers that the server waits for cost it no turns of its loop: one that sends no more but is owed an answer, and one
 * that does not read. Nor does a client that waits spin. */
static void waiting_costs_nothing_over(void **state, enum over kind)
{
	enum { TURNS_MAX = 40 };
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	options.limits.output_mark = 64 * 1024;
	host_start(&host, state, kind, &options);
	struct brine_client *client = client_of(host.address, NULL);
	int half = raw_connect(host.address), greedy = raw_connect(host.address);
	raw_send_request(half, 1, "calc.Calc/Hold", BRINE_BYTES("\x90", 1));
	assert_int_equal(shutdown(half, SHUT_WR), 0);
	for (int i = 0; i < 20; i++)
		raw_send_request(greedy, i, "calc.Calc/Make", BRINE_BYTES("\x91\xce\x00\x08\x00\x00", 6));
	wait_for_count(&host.calc.held_count, 1);
	/* The answers to this one say that the others had their turns. */
	for (int i = 0; i < 10; i++) {
		int64_t sum;
		assert_int_equal(calc_call_add(client, NULL, 1, 1, &sum), 0);
	}
	/* Long enough for the server to have its turn. */
	uint64_t ms = 150;
	do {
		fault_reset();
		call.timeout_ms = ms = twice_as_long(ms);
		assert_int_equal(
		        brine_client_call(client, &call, &calc_methods[CALC_HOLD], &(struct calc_nothing){0}, NULL),
		        BRINE_ERR_DEADLINE);
	} while (atomic_load(&host.calc.held_count) == 1);
	for (uint64_t until_ms = brine_clock_ms() + PATIENCE_MS; fault_calls(FAULT_epoll_wait) == 0;)
		assert_true(brine_clock_ms() < until_ms);
	assert_in_range(fault_calls(FAULT_epoll_wait), 1, TURNS_MAX);
	assert_in_range(fault_calls(FAULT_poll), 1, TURNS_MAX);
	brine_call_done(&call);
	brine_client_free(client);
	close(half);
	close(greedy);
	brine_server_stop(host.server);
	host_stop(&host);
}
DEFINE_BOTH(waiting_costs_nothing)

/* ---- names ---- */

static void wait_here(void *user)
{
	sem_wait(user);
}

static void let_go(void *user)
{
	sem_post(user);
}

/* A lookup that takes too long ends with the call's deadline; its thread ends later, by itself, and leaves nothing. */
static void a_name_resolves_late(void **state)
{
	e2e_needs_localhost();
	struct host host;
	char address[64];
	sem_t gate;
	sem_init(&gate, 0, 0);
	host_start(&host, state, OVER_TCP, NULL);
	snprintf(address, sizeof address, "tcp://localhost%s", strrchr(host.address, ':'));
	struct brine_client *client = client_of(address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	size_t descriptors = e2e_descriptors();
	int64_t sum;
	fault_reset();
	fault_hook(FAULT_getaddrinfo, wait_here, &gate);
	call.timeout_ms = 40;
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_DEADLINE);
	assert_non_null(strstr(brine_call_error_text(&call), "localhost"));
	fault_hook(FAULT_getaddrinfo, NULL, NULL);
	call.timeout_ms = 0;
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), 0);
	assert_int_equal(sum, 3);
	brine_client_free(client);
	let_go(&gate);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (e2e_descriptors() > descriptors)
		assert_true(brine_clock_ms() < deadline_ms);
	brine_call_done(&call);
	host_stop(&host);
	sem_destroy(&gate);
}

static void a_name_does_not_resolve(void **state)
{
	e2e_needs_localhost();
	struct brine_client *client = client_of("tcp://localhost:1", NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	(void)state;
	static const struct {
		int failure, status;
	} rows[] = {{EAI_NONAME, BRINE_ERR_RESOLVE}, {EAI_AGAIN, BRINE_ERR_RESOLVE}, {EAI_MEMORY, BRINE_ERR_NOMEM}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fault_reset();
		fault_fail_at(FAULT_getaddrinfo, 1, rows[i].failure);
		assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), rows[i].status);
		assert_int_equal(fault_injected(), 1);
		assert_non_null(strstr(brine_call_error_text(&call), "localhost"));
	}
	/* G08: no descriptor for the helper. */
	fault_reset();
	fault_fail_at(FAULT_eventfd, 1, EMFILE);
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_SYSTEM);
	assert_int_equal(fault_injected(), 1);
	fault_reset();
	/* It recovers: the name is known, but nobody listens there. */
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_CONNECT);
	brine_call_done(&call);
	brine_client_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(every_call_fails),      BOTH(wakes_are_interrupted),    BOTH(short_reads_and_writes),
	        BOTH(waiting_costs_nothing), e2e_test(a_name_resolves_late), e2e_test(a_name_does_not_resolve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
