/* Proves: interceptors and the accept hook see what they should; old connections are drained; a handler that holds its
 * loop is counted, and holds up nobody else's; whatever memory or system call fails in a server with several loops and
 * workers, every call ends once and nothing leaks. */
#include "faults.h"
#include "jobs.h"

#include <time.h>

/* ---- hooks ---- */

/* What interceptors were called, in order: "<1" is before of the first, ">1:0" its after with status 0. */
struct trace {
	pthread_mutex_t lock;
	char text[512];
	int refuse; /* the interceptor that refuses, counted from 1 */
};

struct tracer {
	struct trace *trace;
	int number;
};

static void trace_add(struct trace *trace, const char *what, int number, int status)
{
	pthread_mutex_lock(&trace->lock);
	size_t used = strlen(trace->text);
	snprintf(trace->text + used, sizeof trace->text - used, "%s%d:%d ", what, number, status);
	pthread_mutex_unlock(&trace->lock);
}

static int trace_before(struct brine_request *request, void *user)
{
	const struct tracer *tracer = user;
	trace_add(tracer->trace, "<", tracer->number, (int)brine_request_method(request).size);
	if (tracer->trace->refuse == tracer->number)
		return brine_request_fail(request, BRINE_CODE_DENIED, "not you");
	return 0;
}

static void trace_after(struct brine_request *request, int status, void *user)
{
	const struct tracer *tracer = user;
	trace_add(tracer->trace, ">", tracer->number, status);
	if (brine_request_peer(request)->address[0] == 0)
		abort();
}

static int trace_only_before(struct brine_request *request, void *user)
{
	return trace_before(request, user);
}

/* Takes what was called: an answer may be there before the interceptors behind the handler had their turn. */
static void expect_trace(struct trace *trace, const char *expected)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	char text[sizeof trace->text];
	do {
		pthread_mutex_lock(&trace->lock);
		memcpy(text, trace->text, sizeof text);
		pthread_mutex_unlock(&trace->lock);
		sched_yield();
	} while (strlen(text) < strlen(expected) && brine_clock_ms() < deadline_ms);
	assert_string_equal(text, expected);
	pthread_mutex_lock(&trace->lock);
	trace->text[0] = 0;
	pthread_mutex_unlock(&trace->lock);
}

/* The same for handlers on the loop, on workers, and for answers that come later. */
static void interceptors_over(void **state, enum over kind)
{
	static struct jobs jobs;
	static struct trace trace;
	trace = (struct trace){.lock = PTHREAD_MUTEX_INITIALIZER};
	struct tracer tracers[] = {{&trace, 1}, {&trace, 2}};
	const struct brine_server_interceptor interceptors[] = {
	        {.before = trace_before, .after = trace_after, .user = &tracers[0]},
	        {.before = trace_only_before, .user = &tracers[1]},
	        {.after = trace_after, .user = &tracers[1]},
	};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	options.interceptors = interceptors;
	options.interceptor_count = 3;
	jobs_start(&jobs, state, kind, &options, 1);
	jobs_open_gate(&jobs);
	struct brine_client *client = client_of(jobs.host.address, NULL);
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), 0);
	expect_trace(&trace, "<1:3 <2:3 >2:0 >1:0 ");
	assert_int_equal(brine_client_call_raw(client, &call, "wait", NO_PARAMS), 0);
	expect_trace(&trace, "<1:4 <2:4 >2:0 >1:0 ");
	assert_int_equal(brine_client_call_raw(client, &call, "later", NO_PARAMS), 0);
	expect_trace(&trace, "<1:5 <2:5 >2:1 >1:1 ");
	/* A refusal: neither the handler nor what comes after runs. */
	trace.refuse = 1;
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_DENIED);
	expect_trace(&trace, "<1:3 >1:-400 ");
	trace.refuse = 2;
	assert_int_equal(brine_client_call_raw(client, &call, "wait", NO_PARAMS), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_DENIED);
	expect_trace(&trace, "<1:4 <2:4 >1:-400 ");
	assert_int_equal(atomic_load(&jobs.host.calc.added), 1);
	assert_int_equal(atomic_load(&jobs.entered), 1);
	brine_call_done(&call);
	brine_client_free(client);
	host_end(&jobs.host);
	jobs_join(&jobs);
	host_free(&jobs.host);
}
DEFINE_BOTH(interceptors)

struct door {
	atomic_int asked, wrong;
	bool shut;
};

static int knock(const struct brine_peer *peer, void *user)
{
	struct door *door = user;
	atomic_fetch_add(&door->asked, 1);
	if (strncmp(peer->address, "unix", 4) == 0 && (!peer->has_credentials || peer->uid != getuid()))
		atomic_fetch_add(&door->wrong, 1);
	return door->shut;
}

/* H07: a peer that the program does not want is closed before a byte of it is read or written. */
static void accept_hook_over(void **state, enum over kind)
{
	for (int shut = 0; shut < 2; shut++) {
		struct host host;
		struct door door = {.shut = shut};
		struct brine_buf answer = BRINE_BUF_INIT;
		struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
		options.accept = knock;
		options.accept_user = &door;
		options.loops = 2;
		host_start(&host, state, kind, &options);
		for (int i = 0; i < 4; i++) {
			int fd = raw_connect(host.address);
			raw_send_hex(fd, "03 92 12 01");
			shutdown(fd, SHUT_WR);
			raw_read_to_end(fd, &answer);
			close(fd);
		}
		assert_int_equal(brine_buf_size(&answer), shut ? 0 : 4 * 4);
		host_end(&host);
		struct brine_server_counters counters = host_counters(&host);
		assert_int_equal(counters.connections_refused, shut ? 4 : 0);
		assert_int_equal(counters.connections_accepted, shut ? 0 : 4);
		assert_int_equal(counters.connections_open, 0);
		assert_int_equal(atomic_load(&door.asked), 4);
		assert_int_equal(atomic_load(&door.wrong), 0);
		host_free(&host);
		brine_buf_done(&answer);
	}
}
DEFINE_BOTH(accept_hook)

/* ---- time ---- */

/* An old connection is drained: what runs on it is answered, then it is closed. A young one is not. */
static void old_connections_retire_over(void **state, enum over kind)
{
	enum { AGE_MS = 3600 * 1000 };
	static struct jobs jobs;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint8_t frame[128];
	options.connection_age_max_ms = AGE_MS;
	options.drain_ms = 10 * AGE_MS;
	fault_reset();
	jobs_start(&jobs, state, kind, &options, 0);
	int fd = raw_connect(jobs.host.address);
	raw_send_request(fd, 1, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, 1);
	/* At nine tenths of its age nothing happens yet, whatever the jitter. */
	fault_clock_jump(AGE_MS / 10 * 8);
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
	fault_clock_jump(AGE_MS / 10 * 2);
	/* What arrives makes the loop look at the clock. */
	raw_send_hex(fd, "03 92 12 02");
	bool ponged = false, retired = false;
	while (!ponged || !retired) {
		assert_true(raw_read_frame(fd, frame) > 2);
		ponged |= frame[1] == 19;
		retired |= frame[1] == 20 && frame[2] == 0;
	}
	int young = raw_connect(jobs.host.address);
	raw_send_hex(young, "03 92 12 01");
	raw_expect_hex(young, "03 92 13 01");
	jobs_open_gate(&jobs);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x01\xc0\x90", 5);
	assert_int_equal(raw_read_frame(fd, frame), 0);
	close(fd);
	raw_send_hex(young, "03 92 12 02");
	raw_expect_hex(young, "03 92 13 02");
	close(young);
	host_stop(&jobs.host);
	fault_reset();
}
DEFINE_BOTH(old_connections_retire)

/* Nor does one that is young for ever, even where the clock has gone on for longer than chance takes off the age. */
static void no_age_wraps_around_over(void **state, enum over kind)
{
	static struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	options.connection_age_max_ms = BRINE_FOREVER - 1;
	fault_reset();
	fault_clock_jump(UINT64_C(1) << 34);
	host_start(&host, state, kind, &options);
	struct brine_client *client = client_of(host.address, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	assert_int_equal(host_counters(&host).connections_accepted, 1);
	brine_client_free(client);
	brine_call_done(&call);
	host_stop(&host);
	fault_reset();
}
DEFINE_BOTH(no_age_wraps_around)

struct blocker {
	struct host host;
	atomic_int inside;
	atomic_bool go_on;
};

/* Holds its loop until it is let go, for ten seconds by the clock. */
static int block(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct blocker *blocker = user;
	atomic_fetch_add(&blocker->inside, 1);
	while (!atomic_load(&blocker->go_on))
		sched_yield();
	fault_clock_jump(10000);
	return brine_request_reply_raw(request, params);
}

/* G17: a handler that holds its loop holds up the connections of that loop and no others, and is counted. */
static void held_loop_over(void **state, enum over kind)
{
	static struct blocker blocker;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint8_t frame[128];
	memset(&blocker, 0, sizeof blocker);
	options.loops = 2;
	fault_reset();
	host_prepare(&blocker.host, state, kind, &options);
	assert_int_equal(brine_server_serve_raw(blocker.host.server, "block", block, &blocker, NULL), 0);
	host_launch(&blocker.host);
	/* The second connection goes to the other loop. */
	int fd = raw_connect(blocker.host.address), other = raw_connect(blocker.host.address);
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
	raw_send_hex(other, "03 92 12 01");
	raw_expect_hex(other, "03 92 13 01");
	raw_send_request(fd, 1, "block", NO_PARAMS);
	wait_for_count(&blocker.inside, 1);
	for (int i = 0; i < 100; i++) {
		raw_send_request(other, i, "add", BRINE_BYTES("\x92\x02\x03", 3));
		assert_int_equal(raw_read_frame(other, frame), 5);
		assert_int_equal(frame[2], i);
	}
	assert_int_equal(host_counters(&blocker.host).slow_turns, 0);
	atomic_store(&blocker.go_on, true);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	close(fd);
	close(other);
	host_end(&blocker.host);
	/* The clock jumped for the other loop too, which may have been in the middle of a turn. */
	assert_in_range(host_counters(&blocker.host).slow_turns, 1, 2);
	host_free(&blocker.host);
	fault_reset();
}
DEFINE_BOTH(held_loop)

/* ---- failures ---- */

/* A connection, or -1: the server may have given up. */
static int try_connect(const char *address)
{
	struct brine_addr addr;
	int fd;
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_CONNECT, NULL), 0);
	if (dial_and_wait(&fd, NULL, &addr.sockaddr, 1, brine_clock_ms() + PATIENCE_MS, NULL) < 0)
		return -1;
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
	return fd;
}

/* A life of a server with two loops and workers. Whatever fails, it ends, and leaves nothing. */
static void live(void **state, enum over kind, struct shared_allocator *allocator, int *ret_answers)
{
	enum { PEERS = 3, CALLS = 4 };
	static struct jobs jobs;
	static const char *const methods[CALLS] = {"wait", "later", "add", "later/worker"};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	char address[ADDRESS_SIZE];
	struct brine_server *server;
	*ret_answers = -1;
	memset(&jobs, 0, sizeof jobs);
	pthread_mutex_init(&jobs.lock, NULL);
	pthread_cond_init(&jobs.changed, NULL);
	jobs.open = jobs.memory_fails = true;
	options.allocator = &allocator->base;
	options.loops = 2;
	options.workers = 2;
	options.limits.linger_ms = 50;
	options.drain_ms = 5000;
	if (brine_server_new(&server, &options) < 0)
		return;
	jobs.host.server = server;
	if (brine_server_serve_raw_as(server, "wait", BRINE_METHOD_BLOCKING, jobs_wait, &jobs, NULL) < 0 ||
	    brine_server_serve_raw_as(server, "later/worker", BRINE_METHOD_BLOCKING, jobs_later, &jobs, NULL) < 0 ||
	    brine_server_serve_raw(server, "later", jobs_later, &jobs, NULL) < 0 ||
	    brine_server_serve(server, &calc_service, &jobs, &jobs.host.calc, NULL) < 0 ||
	    brine_server_listen(server, address_over(state, kind, address), NULL) < 0) {
		brine_server_free(server);
		return;
	}
	snprintf(jobs.host.address, sizeof jobs.host.address, "%s", brine_server_address(server, 0));
	assert_int_equal(pthread_create(&jobs.threads[jobs.thread_count++], NULL, jobs_answer, &jobs), 0);
	host_launch(&jobs.host);
	*ret_answers = 0;
	for (int i = 0; i < PEERS; i++) {
		uint8_t frame[128];
		int fd = try_connect(jobs.host.address);
		if (fd < 0)
			break;
		for (int id = 0; id < CALLS; id++)
			raw_send_request(fd, id, methods[id], id == 2 ? BRINE_BYTES("\x92\x02\x03", 3) : NO_PARAMS);
		shutdown(fd, SHUT_WR);
		/* A connection that ends early is one of the ways to fail. */
		while (raw_read_frame(fd, frame) > 0)
			*ret_answers += frame[1] == 1 && frame[3] == 0xc0;
		close(fd);
	}
	brine_server_stop(server);
	host_join(&jobs.host);
	jobs_join(&jobs);
	brine_server_free(server);
	assert_int_equal(atomic_load(&jobs.pending), 0);
	assert_int_equal(atomic_load(&jobs.running), 0);
}

/* G01 G02 */
static void memory_fails_over(void **state, enum over kind)
{
	enum { MOST = 400 };
	for (int after = 0; after < 2; after++) {
		uint64_t n = 0;
		struct shared_allocator allocator;
		int answers;
		do {
			shared_allocator_init(&allocator, ++n, after);
			live(state, kind, &allocator, &answers);
			if (allocator.fail.held)
				fail_msg("allocation %u: %zu bytes are left over", (unsigned)n, allocator.fail.held);
		} while (allocator.fail.failures > 0 && n < MOST);
		assert_in_range(n, 20, MOST - 1);
		assert_true(answers >= 9);
	}
}
DEFINE_BOTH(memory_fails)

struct failing {
	void **state;
	enum over kind;
	int answers;
};

static void live_with_fault(void *user)
{
	struct failing *failing = user;
	struct shared_allocator allocator;
	size_t descriptors = e2e_descriptors();
	shared_allocator_init(&allocator, 0, false);
	live(failing->state, failing->kind, &allocator, &failing->answers);
	if (allocator.fail.held)
		fail_msg("%s: %zu bytes are left over", fault_text(), allocator.fail.held);
	if (e2e_descriptors() != descriptors)
		fail_msg("%s: descriptors are left over", fault_text());
}

/* G05: those that loops and workers make. */
static void system_calls_fail_over(void **state, enum over kind)
{
	static const enum fault_function functions[] = {FAULT_epoll_wait, FAULT_epoll_ctl, FAULT_epoll_create1,
	                                                FAULT_eventfd,    FAULT_accept4,   FAULT_read};
	struct failing failing = {.state = state, .kind = kind};
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
		assert_true(fault_sweep(functions[i], live_with_fault, &failing) > 0);
	fault_reset();
}
DEFINE_BOTH(system_calls_fail)

/* Threads that cannot be started: a loop ends the run with an error; without any worker calls are answered error 5,
 * with one of them it does the work of all. */
static void threads_fail_over(void **state, enum over kind)
{
	enum { OF_THE_TEST = 2 };
	struct failing failing = {.state = state, .kind = kind};
	int injected = 0;
	for (uint64_t n = OF_THE_TEST + 1; n < 10; n++) {
		fault_reset();
		fault_fail_at(FAULT_pthread_create, n, EAGAIN);
		live_with_fault(&failing);
		injected += (int)fault_injected();
	}
	fault_reset();
	/* The second loop and the first worker at least; in the last rounds nothing is left to fail. */
	assert_in_range(injected, 2, 6);
	assert_true(failing.answers >= 9);
}
DEFINE_BOTH(threads_fail)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(interceptors), BOTH(accept_hook),  BOTH(old_connections_retire), BOTH(no_age_wraps_around),
	        BOTH(held_loop),    BOTH(memory_fails), BOTH(system_calls_fail),      BOTH(threads_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
