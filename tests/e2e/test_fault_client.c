/* Proves: whatever system call fails, and whatever allocation, under calls in flight in each mode of a client, each
 * call ends exactly once with a named error (G01, G05); short reads and writes change nothing (G06); clients that lost
 * their server come back scattered (E15); what waiting and
 * sending cost in system calls. */
#include "faults.h"
#include "scenario.h"

enum { CALLS = 4 };

struct modal {
	struct scenario scenario;
	int mode;
	struct brine_call calls[CALLS];
	int begun[CALLS]; /* what begin said */
	atomic_int ends;
	int end_count[CALLS];
};

static void on_done(struct brine_call *call, void *user)
{
	struct modal *modal = user;
	modal->end_count[call - modal->calls]++;
	atomic_fetch_add(&modal->ends, 1);
}

static void finish_all(struct modal *modal, struct brine_client *client, int running)
{
	while (modal->mode == BRINE_CLIENT_LOOP && atomic_load(&modal->ends) < running) {
		int wait_ms = brine_client_get_timeout_ms(client);
		struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
		poll(&poller, 1, wait_ms < 0 || wait_ms > 1000 ? 1000 : wait_ms);
		(void)brine_client_process(client);
	}
	for (int i = 0; i < CALLS; i++) {
		struct calc_number number = {0};
		int status = brine_call_finish(&modal->calls[i], &number);
		step(&modal->scenario, status);
		modal->scenario.wrong_answer |= status == 0 && number.value != 10 + i;
		modal->scenario.wrong_answer |= modal->begun[i] < 0 && status != modal->begun[i];
	}
}

static void modal_calls(struct modal *modal, struct brine_client *client)
{
	int running = 0;
	for (int i = 0; i < CALLS; i++) {
		modal->calls[i] = (struct brine_call)BRINE_CALL_INIT;
		modal->end_count[i] = 0;
		if (modal->mode == BRINE_CLIENT_LOOP)
			modal->calls[i].on_done = on_done;
		modal->calls[i].user = modal;
		modal->begun[i] = brine_client_begin(client, &modal->calls[i], &calc_methods[CALC_ADD],
		                                     &(struct calc_pair){10, i});
		running += modal->begun[i] == 0;
	}
	finish_all(modal, client, running);
}

static void modal_run(struct modal *modal)
{
	struct scenario *scenario = &modal->scenario;
	struct brine_client *client;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = modal->mode;
	options.allocator = scenario->client_allocator;
	options.timeout_ms = SCENARIO_TIMEOUT_MS;
	options.limits.linger_ms = SCENARIO_LINGER_MS;
	options.backoff_first_ms = options.backoff_most_ms = 1;
	scenario->steps = 0;
	scenario->wrong_answer = false;
	atomic_store(&modal->ends, 0);
	scenario->setup = scenario_serve(scenario);
	if (scenario->setup < 0)
		return;
	if (step(scenario, brine_client_open(&client, scenario->host.address, &options, NULL)) == 0) {
		modal_calls(modal, client);
		brine_client_free(client);
		for (int i = 0; i < CALLS; i++) {
			bool told = modal->mode == BRINE_CLIENT_LOOP && modal->begun[i] == 0;
			scenario->wrong_answer |= modal->end_count[i] != told;
			brine_call_done(&modal->calls[i]);
		}
	}
	scenario_serve_end(scenario);
}

static bool all_right(const struct scenario *scenario)
{
	bool right = scenario->setup == 0 && scenario->steps == 1 + CALLS;
	for (int i = 0; right && i < scenario->steps; i++)
		right = scenario->statuses[i] == 0;
	return right;
}

static void run_with_fault(void *user)
{
	struct modal *modal = user;
	size_t before = e2e_descriptors();
	modal_run(modal);
	scenario_check(&modal->scenario, fault_text());
	if ((fault_injected() == 0 || fault_invisible()) && !all_right(&modal->scenario))
		fail_msg("mode %d, %s: was noticed", modal->mode, fault_text());
	assert_int_equal(e2e_descriptors(), before);
}

static void every_call_fails_over(void **state, enum over kind)
{
	static const enum fault_function functions[] = {
	        FAULT_socket,    FAULT_connect, FAULT_send,     FAULT_recv,       FAULT_shutdown,
	        FAULT_poll,      FAULT_eventfd, FAULT_read,     FAULT_epoll_wait, FAULT_epoll_create1,
	        FAULT_epoll_ctl, FAULT_close,   FAULT_getrandom};
	struct modal modal = {0};
	address_over(state, kind, modal.scenario.listen);
	for (modal.mode = BRINE_CLIENT_BLOCKING; modal.mode <= BRINE_CLIENT_LOOP; modal.mode++)
		for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
			assert_true(fault_sweep(functions[i], run_with_fault, &modal) > 0);
	fault_reset();
}
DEFINE_BOTH(every_call_fails)

static void short_reads_and_writes_over(void **state, enum over kind)
{
	struct modal modal = {0};
	uint64_t shortened = 0;
	address_over(state, kind, modal.scenario.listen);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		fault_reset();
		fault_short_io(seed);
		modal.mode = (int)(seed % 3);
		run_with_fault(&modal);
		shortened += fault_shortened();
	}
	fault_reset();
	assert_true(shortened > 40);
}
DEFINE_BOTH(short_reads_and_writes)

/* G01. One thread uses the allocator. */
static void out_of_memory_over(void **state, enum over kind)
{
	struct modal modal = {0};
	fault_reset();
	address_over(state, kind, modal.scenario.listen);
	for (int row = 0; row < 4; row++) {
		uint64_t n = 0;
		struct fail_allocator failing;
		modal.mode = row % 2 ? BRINE_CLIENT_LOOP : BRINE_CLIENT_BLOCKING;
		do {
			fail_allocator_init(&failing, ++n, row >= 2);
			modal.scenario.client_allocator = &failing.base;
			modal_run(&modal);
			scenario_check(&modal.scenario, "out of memory");
			if (failing.held)
				fail_msg("mode %d, allocation %d: %zu bytes are left over", modal.mode, (int)n,
				         failing.held);
		} while (failing.failures);
		assert_true(all_right(&modal.scenario));
		assert_in_range(n, 8, 1000);
	}
}
DEFINE_BOTH(out_of_memory)

/* ---- costs ---- */

/* One thread that calls and waits pays for one send, one wait and what it reads; nobody is woken. */
static void one_thread_costs_over(void **state, enum over kind)
{
	enum { ROUNDS = 100 };
	struct host host;
	int64_t sum;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	fault_reset();
	fault_only_here();
	for (int i = 0; i < ROUNDS; i++)
		assert_int_equal(calc_call_add(client, NULL, 2, i, &sum), 0);
	assert_int_equal(fault_calls(FAULT_send) + fault_calls(FAULT_sendmsg), ROUNDS);
	assert_in_range(fault_calls(FAULT_poll), ROUNDS, ROUNDS + ROUNDS / 10);
	assert_in_range(fault_calls(FAULT_recv), 2 * ROUNDS, 2 * ROUNDS + ROUNDS / 10);
	assert_int_equal(fault_calls(FAULT_write) + fault_calls(FAULT_read), 0);
	fault_reset();
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(one_thread_costs)

struct burst {
	struct brine_client *client;
	struct brine_call first, calls[32];
	int ends;
	uint64_t sends;
};

static void burst_end(struct brine_call *call, void *user)
{
	struct burst *burst = user;
	burst->ends += brine_call_status(call) == 0;
}

static void burst_begin(struct brine_call *call, void *user)
{
	struct burst *burst = user;
	burst_end(call, user);
	burst->sends = fault_calls(FAULT_send) + fault_calls(FAULT_sendmsg);
	for (int i = 0; i < 32; i++) {
		burst->calls[i].on_done = burst_end;
		burst->calls[i].user = burst;
		(void)brine_client_begin(burst->client, &burst->calls[i], &calc_methods[CALC_ADD],
		                         &(struct calc_pair){i, i});
	}
}

/* Calls that are begun together while the bytes move leave in one send. */
static void begun_together_over(void **state, enum over kind)
{
	struct host host;
	struct burst burst = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = BRINE_CLIENT_LOOP;
	host_start(&host, state, kind, NULL);
	burst.client = client_of(host.address, &options);
	burst.first.on_done = burst_begin;
	burst.first.user = &burst;
	fault_reset();
	fault_only_here();
	assert_int_equal(
	        brine_client_begin(burst.client, &burst.first, &calc_methods[CALC_ADD], &(struct calc_pair){1, 1}), 0);
	while (burst.ends < 33) {
		struct pollfd poller = {.fd = brine_client_get_fd(burst.client), .events = POLLIN};
		int wait_ms = brine_client_get_timeout_ms(burst.client);
		assert_true(poll(&poller, 1, wait_ms < 0 || wait_ms > PATIENCE_MS ? PATIENCE_MS : wait_ms) > 0 ||
		            wait_ms >= 0);
		assert_int_equal(brine_client_process(burst.client), 0);
	}
	assert_int_equal(fault_calls(FAULT_send) + fault_calls(FAULT_sendmsg), burst.sends + 1);
	fault_reset();
	brine_client_free(burst.client);
	brine_call_done(&burst.first);
	for (int i = 0; i < 32; i++)
		brine_call_done(&burst.calls[i]);
	host_stop(&host);
}
DEFINE_BOTH(begun_together)

/* ---- coming back ---- */

enum { CLIENTS = 16, TRIES = 7 };

static uint64_t tried_ms[64];
static int tries;

static void note_try(void *user)
{
	(void)user;
	if (tries < 64)
		tried_ms[tries++] = brine_clock_ms();
}

/* E15: tries grow apart, and those of different clients do not fall together. */
static void scattered(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	char address[ADDRESS_SIZE];
	uint64_t arrivals[CLIENTS];
	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "nobody"));
	for (int i = 0; i < CLIENTS; i++) {
		struct brine_call call = BRINE_CALL_INIT;
		struct brine_client *client = client_of(address, &options);
		int64_t sum;
		fault_reset();
		fault_clock_auto(true);
		tries = 0;
		fault_hook(FAULT_connect, note_try, NULL);
		call.wait_for_ready = true;
		call.timeout_ms = 8000;
		assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_DEADLINE);
		fault_hook(FAULT_connect, NULL, NULL);
		assert_in_range(tries, TRIES, 12);
		uint64_t interval_ms = options.backoff_first_ms;
		for (int j = 1; j < TRIES; j++) {
			uint64_t gap_ms = tried_ms[j] - tried_ms[j - 1];
			assert_true(gap_ms >= interval_ms / 2);
			interval_ms =
			        interval_ms * 2 < options.backoff_most_ms ? interval_ms * 2 : options.backoff_most_ms;
		}
		arrivals[i] = tried_ms[TRIES - 1] - tried_ms[0];
		brine_client_free(client);
		brine_call_done(&call);
	}
	fault_reset();
	/* At the seventh try, 3 s after the first on average, no 100 ms hold half of them. */
	for (int i = 0; i < CLIENTS; i++) {
		int together = 0;
		for (int j = 0; j < CLIENTS; j++)
			together += arrivals[j] >= arrivals[i] && arrivals[j] < arrivals[i] + 100;
		assert_true(together <= CLIENTS / 2);
	}
}

/* ---- the longest pause ---- */

static void count_try(void *user)
{
	++*(int *)user;
}

/* Where the next pause is longer than any clock goes, nothing is tried any more. */
static void a_pause_without_end(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	char address[ADDRESS_SIZE];
	options.backoff_first_ms = UINT64_C(1) << 62;
	options.backoff_most_ms = BRINE_FOREVER;
	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "nobody"));
	/* Chance takes something off each pause, or adds to it: for half of them it would not show. */
	for (int i = 0; i < 2 * CLIENTS; i++) {
		struct brine_call call = BRINE_CALL_INIT;
		int64_t sum;
		int tried = 0;
		struct brine_client *client = client_of(address, &options);
		fault_reset();
		fault_hook(FAULT_connect, count_try, &tried);
		for (int n = 0; n < 4; n++) {
			assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_CONNECT);
			assert_int_equal(tried, n == 0 ? 1 : 2);
			if (n == 0)
				fault_clock_jump(UINT64_C(1) << 63);
		}
		fault_hook(FAULT_connect, NULL, NULL);
		brine_client_free(client);
		brine_call_done(&call);
	}
	fault_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(every_call_fails),        BOTH(short_reads_and_writes), BOTH(out_of_memory),
	        BOTH(one_thread_costs),        BOTH(begun_together),         e2e_test(scattered),
	        e2e_test(a_pause_without_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
