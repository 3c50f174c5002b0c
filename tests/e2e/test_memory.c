/* Proves G21: under memory_max a server never holds more than that, whatever its peers fill; what is new is refused
 * while memory is short, what runs goes on, and once the peers have gone it serves as before. */
#include "jobs.h"
#include "streaming.h"

enum {
	MEMORY_MAX = 16 << 20,
	PEERS = 300,
	PART = 512 * 1024,        /* what each sends of a message, at most */
	ANSWER_SIZE = 100 * 1024, /* of each that nobody reads */
	OUTPUT_MARK = 1 << 20,    /* of one connection */
};

struct limited {
	struct shared_allocator memory;
	struct jobs jobs;
};

/* Takes most of the memory, and answers when the gate is open. What goes beyond the limit is not to be had. */
static int hoard(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	if (!brine_request_alloc(request, MEMORY_MAX - MEMORY_MAX / 10))
		return brine_request_fail(request, 100, "no memory at all");
	if (brine_request_alloc(request, MEMORY_MAX / 10))
		return brine_request_fail(request, 101, "more memory than there is");
	return jobs_wait(request, BRINE_BYTES("\x07", 1), user);
}

static void limited_start(struct limited *limited, void **state, enum over kind, uint32_t loops)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	memset(limited, 0, sizeof *limited);
	shared_allocator_init(&limited->memory, 0, false);
	options.memory_max = MEMORY_MAX;
	options.loops = loops;
	options.limits.linger_ms = 50;
	options.limits.output_mark = OUTPUT_MARK;
	options.allocator = &limited->memory.base;
	jobs_prepare(&limited->jobs, state, kind, &options, 0);
	struct brine_server *server = limited->jobs.host.server;
	assert_int_equal(brine_server_serve_raw_as(server, "hoard", BRINE_METHOD_BLOCKING, hoard, &limited->jobs, NULL),
	                 0);
	host_launch(&limited->jobs.host);
}

static void limited_stop(struct limited *limited)
{
	host_end(&limited->jobs.host);
	host_free(&limited->jobs.host);
	assert_int_equal(limited->memory.fail.held, 0);
	/* New work is refused early enough: nothing that runs meets the limit. */
	assert_null(strstr(limited->jobs.host.log, "out of memory"));
	/* The meter counts everything but itself. */
	assert_in_range(limited->memory.fail.held_most, MEMORY_MAX / 2, MEMORY_MAX + 256);
}

/* A connection that takes no more for now is left as it is. */
static void send_what_goes(int fd, const void *data, size_t size)
{
	const char *bytes = data;
	while (size) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		struct pollfd poller = {.fd = fd, .events = POLLOUT};
		if (sent < 0 && (errno != EAGAIN || poll(&poller, 1, 100) <= 0))
			return;
		bytes += sent > 0 ? sent : 0;
		size -= sent > 0 ? (size_t)sent : 0;
	}
}

/* Serves a client as if nothing had been, within reasonable time: buffers of the idle go back after a second. */
static void expect_served(struct limited *limited)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.backoff_first_ms = options.backoff_most_ms = 1;
	struct brine_client *client = client_of(limited->jobs.host.address, &options);
	struct calc_number number = {1000000};
	struct calc_blob blob;
	struct brine_call call = BRINE_CALL_INIT;
	while (brine_client_call(client, &call, &calc_methods[CALC_MAKE], &number, &blob) < 0)
		assert_true(brine_clock_ms() < deadline_ms);
	assert_int_equal(blob.data.size, 1000000);
	brine_call_done(&call);
	brine_client_free(client);
}

/* One call holds nearly everything: it goes on, the rest is told so. */
static void G21_running_calls_go_on_over(void **state, enum over kind)
{
	static struct limited limited;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call hoards = BRINE_CALL_INIT, call = BRINE_CALL_INIT;
	struct brine_buf nothing = BRINE_BUF_INIT;
	int64_t sum;
	options.mode = BRINE_CLIENT_BACKGROUND;
	limited_start(&limited, state, kind, 1);
	struct brine_client *client = client_of(limited.jobs.host.address, &options);
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), 0);
	assert_int_equal(brine_client_begin_raw(client, &hoards, "hoard", NO_PARAMS), 0);
	wait_for_count(&limited.jobs.entered, 1);
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_OVERLOADED);
	assert_non_null(strstr(brine_call_error_text(&call), "the server is short of memory, not started"));
	assert_int_equal(brine_client_notify(client, &call, &calc_methods[CALC_NOTE], &(struct calc_nothing){0}), 0);
	int fd = raw_connect(limited.jobs.host.address);
	raw_read_to_end(fd, &nothing);
	assert_int_equal(brine_buf_size(&nothing), 0);
	close(fd);
	struct brine_server_counters counters = host_counters(&limited.jobs.host);
	assert_int_equal(counters.connections_refused, 1);
	assert_true(counters.shortages >= 2 && counters.memory_held > MEMORY_MAX / 10 * 8);
	jobs_open_gate(&limited.jobs);
	assert_int_equal(brine_call_finish(&hoards, NULL), 0);
	expect_served(&limited);
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), 0);
	assert_int_equal(atomic_load(&limited.jobs.host.calc.notes), 0);
	brine_call_done(&call);
	brine_call_done(&hoards);
	brine_client_free(client);
	brine_buf_done(&nothing);
	limited_stop(&limited);
}
DEFINE_BOTH(G21_running_calls_go_on)

/* Many peers that are in the middle of a big message, all at once. */
static void G21_partial_messages_over(void **state, enum over kind)
{
	static struct limited limited;
	static uint8_t part[PART] = {0xce, 0x00, 0x10, 0x00, 0x00, 0x94, 0x00, 0x01,
	                             0xa1, 'x',  0xc6, 0x00, 0x0f, 0xff, 0x00};
	static int fds[PEERS];
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call waits = BRINE_CALL_INIT;
	options.mode = BRINE_CLIENT_BACKGROUND;
	for (uint32_t loops = 1; loops <= 2; loops++) {
		limited_start(&limited, state, kind, loops);
		struct brine_client *client = client_of(limited.jobs.host.address, &options);
		assert_int_equal(brine_client_begin_raw(client, &waits, "wait", NO_PARAMS), 0);
		wait_for_count(&limited.jobs.entered, 1);
		for (int i = 0; i < PEERS; i++) {
			fds[i] = raw_connect(limited.jobs.host.address);
			send_what_goes(fds[i], part, sizeof part);
		}
		/* What runs is not disturbed. */
		jobs_open_gate(&limited.jobs);
		assert_int_equal(brine_call_finish(&waits, NULL), 0);
		/* It may not have read that far yet. */
		uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
		while (host_counters(&limited.jobs.host).shortages == 0 && brine_clock_ms() < deadline_ms)
			sched_yield();
		assert_true(host_counters(&limited.jobs.host).shortages > 0);
		for (int i = 0; i < PEERS; i++)
			close(fds[i]);
		expect_served(&limited);
		brine_call_done(&waits);
		brine_client_free(client);
		limited_stop(&limited);
		assert_non_null(strstr(limited.jobs.host.log, "short of memory"));
	}
}
DEFINE_BOTH(G21_partial_messages)

/* Reads what came of the calls of one peer: answers, refusals, or the end of the connection. */
static void read_outcomes(struct peer *peer, int calls, int *answered, int *refused)
{
	struct brine_event event = {0};
	while (calls > 0 && event.type != BRINE_EVENT_CLOSED) {
		peer_wait(peer, &event);
		if (event.type != BRINE_EVENT_RESPONSE)
			continue;
		calls--;
		*answered += event.status == BRINE_OK;
		if (event.status != BRINE_ERR_REMOTE)
			continue;
		if (event.error.code != BRINE_CODE_OVERLOADED)
			fail_msg("error %d: %.*s", (int)event.error.code, BRINE_ARG(event.error.text));
		*refused += brine_str_equal(event.error.text, BRINE_STR("the server is short of memory, not started"));
	}
}

/* Callers that read no answers: while memory is short their new calls are answered error 5. */
static void G21_unread_answers_over(void **state, enum over kind)
{
	enum { CALLERS = 30, CALLS = 100 };
	static struct limited limited;
	static struct peer peers[CALLERS];
	int answered = 0, refused = 0;
	limited_start(&limited, state, kind, 1);
	for (int i = 0; i < CALLERS; i++) {
		peer_open(&peers[i], limited.jobs.host.address);
		for (int n = 0; n < CALLS; n++)
			peer_call(&peers[i], 0, calc_methods[CALC_MAKE].name, ANSWER_SIZE, BRINE_FOREVER);
	}
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (host_counters(&limited.jobs.host).shortages < 10 && brine_clock_ms() < deadline_ms)
		sched_yield();
	for (int i = 0; i < CALLERS; i++) {
		read_outcomes(&peers[i], CALLS, &answered, &refused);
		peer_close(&peers[i]);
	}
	assert_in_range(answered, 5, CALLERS * CALLS - 10);
	assert_in_range(refused, 1, CALLERS * CALLS);
	expect_served(&limited);
	limited_stop(&limited);
}
DEFINE_BOTH(G21_unread_answers)

static void G21_too_little_is_refused(void **state)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_server *server;
	(void)state;
	options.memory_max = (1 << 20) - 1;
	assert_int_equal(brine_server_new(&server, &options), BRINE_ERR_INVALID);
	options.memory_max = 1 << 20;
	options.loops = 2;
	assert_int_equal(brine_server_new(&server, &options), BRINE_ERR_INVALID);
	options.memory_max = 2 << 20;
	assert_int_equal(brine_server_new(&server, &options), 0);
	struct brine_server_counters counters;
	brine_server_counters(server, &counters);
	assert_in_range(counters.memory_held, 1, 2 << 20);
	brine_server_free(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(G21_running_calls_go_on),
	        BOTH(G21_partial_messages),
	        BOTH(G21_unread_answers),
	        e2e_test(G21_too_little_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
