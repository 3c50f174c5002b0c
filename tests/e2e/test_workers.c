/* Proves: calls may be answered from any thread, also when their connection or their server is gone; handlers that
 * block run on a bounded pool; what is cancelled is not started, and counts until it has ended. */
#include "jobs.h"

/* ---- answers from any thread ---- */

struct caller {
	struct jobs *jobs;
	int number, rounds;
	int answers, errors; /* calls that came back right */
	int wrong;
	pthread_t thread;
};

static void call_once(struct caller *caller, struct brine_client *client, struct brine_call *call, const char *method)
{
	int status = brine_client_call_raw(client, call, method, NO_PARAMS);
	if (status == 0 && brine_call_result(call).size == 3)
		caller->answers++;
	else if (status == BRINE_ERR_REMOTE && brine_call_code(call) == 100)
		caller->errors++;
	else
		caller->wrong++;
}

/* Calls, and between calls lets a connection with calls on it be reset. */
static void *caller_run(void *argument)
{
	struct caller *caller = argument;
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	if (brine_client_open(&client, caller->jobs->host.address, NULL, NULL) < 0)
		return NULL;
	for (int i = 0; i < caller->rounds; i++) {
		call_once(caller, client, &call, i % 2 ? "later" : "later/worker");
		if (i % 4 != caller->number % 4)
			continue;
		int fd = raw_connect(caller->jobs->host.address);
		for (int id = 0; id < 8; id++)
			raw_send_request(fd, id, id % 2 ? "later" : "later/worker", NO_PARAMS);
		struct linger hard = {1, 0};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(fd);
	}
	brine_call_done(&call);
	brine_client_free(client);
	return NULL;
}

/* G15 E08 C27: nothing is lost, answered twice or leaked while connections are reset under the answers. */
static void answers_from_threads_over(void **state, enum over kind)
{
	enum { CALLERS = 4, ROUNDS = 60 };
	static struct jobs jobs;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	options.loops = 2;
	options.workers = 3;
	jobs_start(&jobs, state, kind, &options, 3);
	struct caller callers[CALLERS];
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){.jobs = &jobs, .number = i, .rounds = ROUNDS};
		assert_int_equal(pthread_create(&callers[i].thread, NULL, caller_run, &callers[i]), 0);
	}
	int answers = 0, errors = 0;
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].wrong, 0);
		answers += callers[i].answers;
		errors += callers[i].errors;
	}
	host_end(&jobs.host);
	jobs_join(&jobs);
	assert_int_equal(answers + errors, CALLERS * ROUNDS);
	assert_true(errors > 0);
	/* Whoever took a request answered it, and those of the reset connections were among them. */
	assert_int_equal(atomic_load(&jobs.taken), atomic_load(&jobs.answered) + atomic_load(&jobs.lost));
	assert_int_equal(atomic_load(&jobs.pending), 0);
	assert_true(atomic_load(&jobs.taken) > CALLERS * ROUNDS);
	host_free(&jobs.host);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(answers_from_threads)

/* A request that the program still holds outlives its connection and its server. */
static void outlives_server_over(void **state, enum over kind)
{
	enum { REQUESTS = 6 };
	static struct jobs jobs;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	options.loops = 2;
	jobs_start(&jobs, state, kind, &options, 0);
	int fds[2] = {raw_connect(jobs.host.address), raw_connect(jobs.host.address)};
	for (int i = 0; i < REQUESTS; i++)
		raw_send_request(fds[i % 2], i, i % 3 ? "later" : "later/worker", NO_PARAMS);
	wait_for_count(&jobs.pending, REQUESTS);
	brine_server_stop(jobs.host.server);
	brine_server_stop(jobs.host.server);
	host_join(&jobs.host);
	close(fds[0]);
	close(fds[1]);
	/* One answers while the server is still there, the others do not. */
	assert_true(brine_request_cancelled(jobs.queue[0]));
	assert_int_equal(brine_request_reply_raw(jobs.queue[0], NO_PARAMS), BRINE_ERR_LOST);
	jobs.queue[0] = jobs.queue[--jobs.queued];
	host_free(&jobs.host);
	assert_true(allocator.fail.held > 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&jobs.threads[jobs.thread_count++], NULL, jobs_answer, &jobs), 0);
	jobs_join(&jobs);
	assert_int_equal(atomic_load(&jobs.taken), REQUESTS - 1);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(outlives_server)

/* ---- the pool ---- */

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* The middle of so many calls of add, in microseconds. */
static uint64_t probe(struct brine_client *client)
{
	enum { CALLS = 201 };
	uint64_t times[CALLS];
	for (int i = 0; i < CALLS; i++) {
		int64_t sum;
		uint64_t began_us = now_us();
		assert_int_equal(calc_call_add(client, NULL, i, 1, &sum), 0);
		assert_int_equal(sum, i + 1);
		uint64_t took_us = now_us() - began_us;
		int at = i;
		for (; at > 0 && times[at - 1] > took_us; at--)
			times[at] = times[at - 1];
		times[at] = took_us;
	}
	return times[CALLS / 2];
}

/* Workers that are all busy refuse at once with error 5 and hold up nobody else. */
static void pool_is_bounded_over(void **state, enum over kind)
{
	enum { WORKERS = 2, QUEUE = 3, SENT = 20 };
	static struct jobs jobs;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint8_t frame[128];
	options.workers = WORKERS;
	options.worker_queue_max = QUEUE;
	jobs_start(&jobs, state, kind, &options, 0);
	struct brine_client *client = client_of(jobs.host.address, NULL);
	uint64_t unloaded_us = probe(client);
	int fd = raw_connect(jobs.host.address);
	for (int i = 0; i < WORKERS; i++)
		raw_send_request(fd, i, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, WORKERS);
	for (int i = WORKERS; i < SENT; i++)
		raw_send_request(fd, i, "wait", NO_PARAMS);
	for (int i = WORKERS + QUEUE; i < SENT; i++) {
		assert_true(raw_read_frame(fd, frame) > 5);
		assert_memory_equal(frame, ((uint8_t[]){0x94, 0x01, (uint8_t)i, 0x92, 0x05}), 5);
	}
	assert_true(probe(client) < 10 * unloaded_us + 1000);
	assert_int_equal(atomic_load(&jobs.entered), WORKERS);
	jobs_open_gate(&jobs);
	for (int i = 0; i < WORKERS + QUEUE; i++) {
		assert_int_equal(raw_read_frame(fd, frame), 5);
		assert_memory_equal(frame, "\x94\x01", 2);
		assert_true(frame[2] < WORKERS + QUEUE);
	}
	close(fd);
	brine_client_free(client);
	host_stop(&jobs.host);
	assert_int_equal(atomic_load(&jobs.entered), WORKERS + QUEUE);
	assert_int_equal(atomic_load(&jobs.running_most), WORKERS);
}
DEFINE_BOTH(pool_is_bounded)

static void methods_that_block_need_workers(void **state)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_server *server;
	struct brine_error error = BRINE_ERROR_INIT;
	(void)state;
	options.workers = 0;
	assert_int_equal(brine_server_new(&server, &options), 0);
	assert_int_equal(brine_server_serve_raw_as(server, "x", BRINE_METHOD_BLOCKING, jobs_wait, NULL, &error),
	                 BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "workers"));
	brine_server_free(server);
	options.loops = 0;
	assert_int_equal(brine_server_new(&server, &options), BRINE_ERR_INVALID);
}

/* ---- cancel and deadline ---- */

/* C22: a call that is cancelled while it waits for a worker is never started, and answered once, error 4. */
static void not_started_over(void **state, enum over kind)
{
	static struct jobs jobs;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint8_t frame[128];
	options.workers = 1;
	jobs_start(&jobs, state, kind, &options, 0);
	int fd = raw_connect(jobs.host.address);
	raw_send_request(fd, 1, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, 1);
	raw_send_request(fd, 2, "wait", NO_PARAMS);
	raw_send_hex(fd, "03 92 08 02");
	assert_true(raw_read_frame(fd, frame) > 5);
	assert_memory_equal(frame, "\x94\x01\x02\x92\x04", 5);
	jobs_open_gate(&jobs);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x01\xc0\x90", 5);
	/* The worker takes jobs in order: when it has served this one it has seen the cancelled one. */
	raw_send_request(fd, 3, "wait", NO_PARAMS);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x03\xc0\x90", 5);
	close(fd);
	host_stop(&jobs.host);
	assert_int_equal(atomic_load(&jobs.entered), 2);
	assert_int_equal(atomic_load(&jobs.saw_cancel), 0);
}
DEFINE_BOTH(not_started)

/* C22: handlers on workers see that they were cancelled, that their time is over, that their caller is gone. */
static void worker_sees_the_end_over(void **state, enum over kind)
{
	static struct jobs jobs;
	uint8_t frame[128];
	jobs_start(&jobs, state, kind, NULL, 0);
	int fd = raw_connect(jobs.host.address);
	raw_send_request(fd, 1, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, 1);
	raw_send_hex(fd, "03 92 08 01");
	assert_true(raw_read_frame(fd, frame) > 5);
	assert_memory_equal(frame, "\x94\x01\x01\x92\x04", 5);
	wait_for_count(&jobs.saw_cancel, 1);
	/* A time to live of 20 ms. */
	raw_send_hex(fd, "0f 95 00 02 a4 77 61 69 74 90 81 a3 74 74 6c 14");
	/* Error 3, also where the handler noticed first and answered. */
	assert_true(raw_read_frame(fd, frame) > 5);
	assert_memory_equal(frame, "\x94\x01\x02\x92\x03", 5);
	wait_for_count(&jobs.saw_cancel, 2);
	raw_send_request(fd, 3, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, 3);
	struct linger hard = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	wait_for_count(&jobs.saw_cancel, 3);
	host_stop(&jobs.host);
	assert_int_equal(atomic_load(&jobs.left), 3);
}
DEFINE_BOTH(worker_sees_the_end)

struct resetter {
	int fd;
	int pairs;
	const char *method;
	pthread_t thread;
};

static void *resetter_run(void *argument)
{
	struct resetter *resetter = argument;
	for (int i = 0; i < resetter->pairs; i++) {
		raw_send_request(resetter->fd, i, resetter->method, NO_PARAMS);
		/* [8, i] with i as uint16 */
		const uint8_t cancel[] = {5, 0x92, 8, 0xcd, (uint8_t)(i >> 8), (uint8_t)i};
		raw_send(resetter->fd, cancel, sizeof cancel);
	}
	return NULL;
}

/* C23 D10: requests and their cancels as fast as the socket takes them. Handlers that run, cancelled ones included, are
 * never more than the limit, however they run; every request gets its one answer. */
static void rapid_reset(void **state, enum over kind, const char *method)
{
	enum { PAIRS = 20000, LIMIT = 8 };
	static struct jobs jobs;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.limits.calls_max = LIMIT;
	options.limits.control_answers_max = PAIRS; /* a peer that reads no faster than it can is not the point here */
	options.workers = 2 * LIMIT;
	jobs_prepare(&jobs, state, kind, &options, 2);
	jobs.until_cancelled = true;
	host_launch(&jobs.host);
	struct brine_client *client = client_of(jobs.host.address, NULL);
	uint64_t unloaded_us = probe(client);
	struct resetter resetter = {.fd = raw_connect(jobs.host.address), .pairs = PAIRS, .method = method};
	assert_int_equal(pthread_create(&resetter.thread, NULL, resetter_run, &resetter), 0);
	int answers[11] = {0};
	uint64_t loaded_us = 0;
	for (int i = 0; i < PAIRS; i++) {
		uint8_t frame[128];
		assert_true(raw_read_frame(resetter.fd, frame) > 8);
		assert_memory_equal(frame, "\x94\x01", 2);
		/* The id has 1, 2 or 3 bytes; then comes [code, text]. */
		int code = frame[frame[2] < 0x80 ? 4 : frame[2] == 0xcc ? 5 : 6];
		assert_in_range(code, 4, 5);
		answers[code]++;
		if (i == PAIRS / 2)
			loaded_us = probe(client);
	}
	pthread_join(resetter.thread, NULL);
	close(resetter.fd);
	brine_client_free(client);
	host_end(&jobs.host);
	jobs_join(&jobs);
	host_free(&jobs.host);
	assert_true(answers[4] > 0);
	assert_true(loaded_us > 0 && loaded_us < 20 * unloaded_us + 5000);
	assert_in_range(atomic_load(&jobs.running_most) + atomic_load(&jobs.pending_most), 1, LIMIT);
	assert_int_equal(atomic_load(&jobs.running), 0);
	assert_int_equal(atomic_load(&jobs.pending), 0);
}

static void rapid_reset_of_workers_over(void **state, enum over kind)
{
	rapid_reset(state, kind, "wait");
}
DEFINE_BOTH(rapid_reset_of_workers)

static void rapid_reset_of_pending_over(void **state, enum over kind)
{
	rapid_reset(state, kind, "later");
}
DEFINE_BOTH(rapid_reset_of_pending)

/* ---- stopping ---- */

/* E18: a server that stops lets the handlers on its workers finish and answers for them. */
static void drains_workers_over(void **state, enum over kind)
{
	static struct jobs jobs;
	uint8_t frame[128];
	jobs_start(&jobs, state, kind, NULL, 0);
	int fd = raw_connect(jobs.host.address);
	raw_send_request(fd, 1, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, 1);
	brine_server_stop(jobs.host.server);
	assert_true(raw_read_frame(fd, frame) > 4);
	assert_memory_equal(frame, "\x94\x14\x00", 3); /* goaway 0 */
	raw_send_request(fd, 2, "wait", NO_PARAMS);
	assert_true(raw_read_frame(fd, frame) > 5);
	assert_memory_equal(frame, "\x94\x01\x02\x92\x06", 5);
	jobs_open_gate(&jobs);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x01\xc0\x90", 5);
	assert_int_equal(raw_read_frame(fd, frame), 0);
	close(fd);
	host_join(&jobs.host);
	host_free(&jobs.host);
	assert_int_equal(atomic_load(&jobs.saw_cancel), 0);
}
DEFINE_BOTH(drains_workers)

/* The second stop does not wait for answers, but run returns only when no handler uses the program's things any more.
 */
static void second_stop_over(void **state, enum over kind)
{
	static struct jobs jobs;
	jobs_start(&jobs, state, kind, NULL, 0);
	int fd = raw_connect(jobs.host.address);
	raw_send_request(fd, 1, "wait", NO_PARAMS);
	wait_for_count(&jobs.entered, 1);
	brine_server_stop(jobs.host.server);
	brine_server_stop(jobs.host.server);
	host_join(&jobs.host);
	assert_int_equal(atomic_load(&jobs.left), 1);
	assert_int_equal(atomic_load(&jobs.saw_cancel), 1);
	close(fd);
	host_free(&jobs.host);
}
DEFINE_BOTH(second_stop)

/* ---- several loops ---- */

enum { SPREAD_LOOPS = 4, SPREAD_CONNECTIONS = 64 };

struct spread {
	struct host host;
	pthread_mutex_t lock;
	pthread_t threads[SPREAD_LOOPS];
	int calls[SPREAD_LOOPS];
	bool strange; /* there were more threads than loops */
};

static int note_thread(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct spread *spread = user;
	int at = 0;
	pthread_mutex_lock(&spread->lock);
	while (at < SPREAD_LOOPS && spread->calls[at] > 0 && !pthread_equal(spread->threads[at], pthread_self()))
		at++;
	spread->strange |= at == SPREAD_LOOPS;
	if (at < SPREAD_LOOPS) {
		spread->threads[at] = pthread_self();
		spread->calls[at]++;
	}
	pthread_mutex_unlock(&spread->lock);
	return brine_request_reply_raw(request, params);
}

/* Connections are spread evenly over the loops, and a stop drains them all. */
static void several_loops_over(void **state, enum over kind)
{
	static struct spread spread;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	int fds[SPREAD_CONNECTIONS];
	uint8_t frame[128];
	memset(&spread, 0, sizeof spread);
	pthread_mutex_init(&spread.lock, NULL);
	options.loops = SPREAD_LOOPS;
	host_prepare(&spread.host, state, kind, &options);
	assert_int_equal(brine_server_serve_raw(spread.host.server, "note", note_thread, &spread, NULL), 0);
	host_launch(&spread.host);
	for (int i = 0; i < SPREAD_CONNECTIONS; i++)
		fds[i] = raw_connect(spread.host.address);
	for (int i = 0; i < SPREAD_CONNECTIONS; i++)
		raw_send_request(fds[i], i, "note", NO_PARAMS);
	for (int i = 0; i < SPREAD_CONNECTIONS; i++) {
		assert_int_equal(raw_read_frame(fds[i], frame), 5);
		assert_memory_equal(frame, ((uint8_t[]){0x94, 0x01, (uint8_t)i, 0xc0, 0x90}), 5);
	}
	assert_false(spread.strange);
	for (int i = 0; i < SPREAD_LOOPS; i++)
		assert_int_equal(spread.calls[i], SPREAD_CONNECTIONS / SPREAD_LOOPS);
	struct brine_server_counters counters = host_counters(&spread.host);
	assert_int_equal(counters.connections_accepted, SPREAD_CONNECTIONS);
	assert_int_equal(counters.connections_open, SPREAD_CONNECTIONS);
	assert_int_equal(counters.requests, SPREAD_CONNECTIONS);
	brine_server_stop(spread.host.server);
	for (int i = 0; i < SPREAD_CONNECTIONS; i++) {
		assert_true(raw_read_frame(fds[i], frame) > 4);
		assert_memory_equal(frame, "\x94\x14\x00", 3);
		assert_int_equal(raw_read_frame(fds[i], frame), 0);
		close(fds[i]);
	}
	host_join(&spread.host);
	assert_int_equal(spread.host.result, 0);
	assert_int_equal(host_counters(&spread.host).connections_open, 0);
	host_free(&spread.host);
}
DEFINE_BOTH(several_loops)

static void stop_in_handler(int number)
{
	extern struct brine_server *stopped_by_signal;
	(void)number;
	brine_server_stop(stopped_by_signal);
}
struct brine_server *stopped_by_signal;

/* A signal handler may stop a server with several loops; the signal finds one of the program's threads. */
static void stopped_by_signal_over(void **state, enum over kind)
{
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct sigaction act = {.sa_handler = stop_in_handler}, before;
	options.loops = 3;
	host_start(&host, state, kind, &options);
	struct brine_client *client = client_of(host.address, NULL);
	int64_t sum;
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	stopped_by_signal = host.server;
	sigaction(SIGTERM, &act, &before);
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	host_join(&host);
	sigaction(SIGTERM, &before, NULL);
	assert_int_equal(host.result, 0);
	brine_client_free(client);
	host_free(&host);
}
DEFINE_BOTH(stopped_by_signal)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(answers_from_threads),
	        BOTH(outlives_server),
	        BOTH(pool_is_bounded),
	        e2e_test(methods_that_block_need_workers),
	        BOTH(not_started),
	        BOTH(worker_sees_the_end),
	        BOTH(rapid_reset_of_workers),
	        BOTH(rapid_reset_of_pending),
	        BOTH(drains_workers),
	        BOTH(second_stop),
	        BOTH(several_loops),
	        BOTH(stopped_by_signal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
