/* Proves how functions of clients and servers end at awkward moments: calls of a server whose peer left input behind,
 * clients freed with callbacks due, waits whose time is over while the peer keeps everybody busy, threads that are
 * cancelled inside a function. */
#include "nesting.h"

#include <time.h>

/* ---- a server's calls ---- */

struct visit {
	atomic_int waited, ended; /* what brine_call_wait() said, and the call's status */
	atomic_int holding, held; /* the loop is in a handler until this is set */
};

/* Calls the peer, which does not answer. */
static int visit(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct visit *visit = user;
	struct brine_call call = BRINE_CALL_INIT;
	(void)params;
	call.timeout_ms = BRINE_FOREVER;
	int status = brine_client_begin_raw(brine_request_client(request), &call, "x", NO_PARAMS);
	if (status == 0)
		status = brine_call_wait(&call, PATIENCE_MS / 2);
	atomic_store(&visit->waited, status);
	atomic_store(&visit->ended, brine_call_status(&call));
	brine_call_done(&call);
	return 0;
}

static int hold(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct visit *visit = user;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	(void)request;
	(void)params;
	atomic_store(&visit->holding, 1);
	while (!atomic_load(&visit->held) && brine_clock_ms() < deadline_ms)
		poll(NULL, 0, 1);
	return 0;
}

/* Calls to a peer end with the server, however much of what the peer sent was read but not handled yet: here a hundred
 * pings, which come in the same turn as the end. */
static void stopped_amid_input_over(void **state, enum over kind)
{
	struct host host;
	struct visit seen = {.waited = 1, .ended = 1};
	host_prepare(&host, state, kind, NULL);
	assert_int_equal(brine_server_serve_raw_as(host.server, "visit", BRINE_METHOD_BLOCKING, visit, &seen, NULL), 0);
	assert_int_equal(brine_server_serve_raw(host.server, "hold", hold, &seen, NULL), 0);
	host_launch(&host);
	int fd = raw_connect(host.address), other = raw_connect(host.address);
	uint8_t frame[128];
	raw_send_hex(fd, "03 92 10 80");
	assert_true(raw_read_frame(fd, frame) > 0);
	raw_send_request(fd, 1, "visit", NO_PARAMS);
	assert_true(raw_read_frame(fd, frame) > 0); /* the call */
	raw_send_request(other, 1, "hold", NO_PARAMS);
	wait_for_count(&seen.holding, 1);
	for (int i = 0; i < 100; i++)
		raw_send_hex(fd, "03 92 12 01");
	brine_server_stop(host.server);
	brine_server_stop(host.server);
	atomic_store(&seen.held, 1);
	host_join(&host);
	assert_int_equal(host.result, 0);
	assert_int_equal(atomic_load(&seen.waited), 0);
	assert_int_equal(atomic_load(&seen.ended), BRINE_ERR_LOST);
	close(fd);
	close(other);
	host_free(&host);
}
DEFINE_BOTH(stopped_amid_input)

/* ---- clients ---- */

static void count_end(struct brine_call *call, void *user)
{
	(void)call;
	atomic_fetch_add((atomic_int *)user, 1);
}

static uint64_t cpu_ms(void)
{
	struct timespec used;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

/* The end of a client waits a while for a peer that does not close, and burns no time meanwhile, also where callbacks
 * are due. */
static void freed_at_rest(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	atomic_int ends = 0;
	int fd;
	(void)state;
	options.hello = false;
	struct brine_client *client = client_of_pair(&fd, &options);
	call.on_done = count_end;
	call.user = &ends;
	assert_int_equal(brine_client_begin_raw(client, &call, "x", NO_PARAMS), 0);
	uint64_t began_ms = brine_clock_ms(), used_ms = cpu_ms();
	brine_client_free(client);
	used_ms = cpu_ms() - used_ms;
	uint64_t took_ms = brine_clock_ms() - began_ms;
	assert_int_equal(atomic_load(&ends), 1);
	assert_true(took_ms >= options.limits.linger_ms / 2);
	if (used_ms * 10 > took_ms)
		fail_msg("%d of %d ms were spent running", (int)used_ms, (int)took_ms);
	brine_call_done(&call);
	close(fd);
}

enum { WAIT_MS = 200, NOTES = 100 };

static int take_time_once(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	if (atomic_fetch_add((atomic_int *)user, 1) == 0)
		poll(NULL, 0, 2 * WAIT_MS);
	return 0;
}

/* A wait ends when its time is over, and not only when everything that came meanwhile was handled. */
static void waits_end_in_time(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	atomic_int notes = 0;
	int fd;
	(void)state;
	options.hello = false;
	options.limits.linger_ms = 10;
	struct brine_client *client = client_of_pair(&fd, &options);
	assert_int_equal(brine_client_serve_raw(client, "n", take_time_once, &notes, NULL), 0);
	for (int i = 0; i < NOTES; i++)
		raw_send_hex(fd, "05 93 02 a1 6e 90");
	assert_int_equal(brine_client_begin_raw(client, &call, "x", NO_PARAMS), 0);
	assert_int_equal(brine_call_wait(&call, WAIT_MS), BRINE_ERR_DEADLINE);
	/* None where the thread did not run before its time was over. */
	assert_in_range(atomic_load(&notes), 0, 1);
	/* The next one that waits calls the others. */
	raw_send_hex(fd, "05 94 01 01 c0 c0");
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	assert_int_equal(atomic_load(&notes), NOTES);
	brine_client_free(client);
	brine_call_done(&call);
	close(fd);
}

struct freeing {
	struct brine_client *client;
	atomic_int freed, goes_on;
};

static int free_then_answer(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct freeing *freeing = user;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	(void)params;
	/* The other thread has time to go and wait for bytes. */
	poll(NULL, 0, 50);
	brine_client_free(freeing->client);
	atomic_store(&freeing->freed, 1);
	while (!atomic_load(&freeing->goes_on) && brine_clock_ms() < deadline_ms)
		poll(NULL, 0, 1);
	return brine_request_reply_raw(request, BRINE_BYTES("\x07", 1));
}

static void *finish_run(void *argument)
{
	brine_call_finish(argument, NULL);
	return NULL;
}

/* A client that is freed in a handler lives until that handler has answered, also where another thread moves its bytes
 * meanwhile. */
static void freed_once_answered(void **state)
{
	static const uint8_t answer[] = {0x94, 0x01, 0x01, 0xc0, 0x07};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct freeing freeing = {0};
	struct brine_call calls[2] = {BRINE_CALL_INIT, BRINE_CALL_INIT};
	pthread_t threads[2];
	uint8_t frame[128];
	bool answered = false;
	int fd;
	(void)state;
	options.hello = false;
	options.limits.linger_ms = 10;
	freeing.client = client_of_pair(&fd, &options);
	assert_int_equal(brine_client_serve_raw(freeing.client, "f", free_then_answer, &freeing, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(brine_client_begin_raw(freeing.client, &calls[i], "x", NO_PARAMS), 0);
		assert_int_equal(pthread_create(&threads[i], NULL, finish_run, &calls[i]), 0);
	}
	raw_send_request(fd, 1, "f", NO_PARAMS);
	wait_for_count(&freeing.freed, 1);
	/* Something for the thread that moves the bytes. */
	raw_send_request(fd, -1, "n", NO_PARAMS);
	poll(NULL, 0, 50);
	atomic_store(&freeing.goes_on, 1);
	for (size_t size; (size = raw_read_frame(fd, frame));)
		answered |= size == sizeof answer && memcmp(frame, answer, size) == 0;
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(brine_call_status(&calls[i]), BRINE_ERR_CANCELLED);
		brine_call_done(&calls[i]);
	}
	close(fd);
	assert_true(answered);
}

struct last_call {
	struct brine_client *client;
	int peer, waited, status;
};

/* Begins a call, which is answered, frees the client, and waits. */
static int free_then_wait(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct last_call *last = user;
	struct brine_call call = BRINE_CALL_INIT;
	(void)request;
	(void)params;
	last->status = brine_client_begin_raw(last->client, &call, "y", NO_PARAMS);
	raw_send_hex(last->peer, "05 94 01 02 c0 07");
	brine_client_free(last->client);
	last->waited = brine_call_wait(&call, PATIENCE_MS / 4);
	last->status = brine_call_status(&call);
	brine_call_done(&call);
	return 0;
}

/* A handler that frees its client can still wait in it. */
static void freed_before_waiting(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct last_call last = {.waited = 1, .status = 1};
	struct brine_call call = BRINE_CALL_INIT;
	(void)state;
	options.hello = false;
	options.limits.linger_ms = 10;
	last.client = client_of_pair(&last.peer, &options);
	assert_int_equal(brine_client_serve_raw(last.client, "f", free_then_wait, &last, NULL), 0);
	assert_int_equal(brine_client_begin_raw(last.client, &call, "x", NO_PARAMS), 0);
	raw_send_request(last.peer, 1, "f", NO_PARAMS);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	assert_int_equal(last.waited, 0);
	assert_int_equal(last.status, 0);
	brine_call_done(&call);
	close(last.peer);
}

/* ---- threads that are cancelled ---- */

/* A request that a thread of the program answers. */
struct later {
	pthread_t thread;
	struct brine_request *request;
	atomic_int sent;
};

static int keep_for_later(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct later *later = user;
	(void)params;
	later->request = request;
	atomic_store(&later->sent, 1);
	return BRINE_PENDING;
}

static void *answer_doomed(void *argument)
{
	struct later *later = argument;
	pthread_cancel(pthread_self());
	brine_request_reply_raw(later->request, BRINE_BYTES("\x07", 1));
	pthread_testcancel();
	return NULL;
}

/* A thread that is to end answers first, and keeps nothing that the server needs. */
static void cancelled_answering_over(void **state, enum over kind)
{
	struct host host;
	struct later later = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	host_prepare(&host, state, kind, NULL);
	assert_int_equal(brine_server_serve_raw(host.server, "later", keep_for_later, &later, NULL), 0);
	host_launch(&host);
	options.mode = BRINE_CLIENT_BACKGROUND;
	struct brine_client *client = client_of(host.address, &options);
	struct brine_call call = BRINE_CALL_INIT;
	call.timeout_ms = PATIENCE_MS / 4;
	for (int i = 0; i < 3; i++) {
		void *result;
		atomic_store(&later.sent, 0);
		assert_int_equal(brine_client_begin_raw(client, &call, "later", NO_PARAMS), 0);
		wait_for_count(&later.sent, 1);
		assert_int_equal(pthread_create(&later.thread, NULL, answer_doomed, &later), 0);
		assert_int_equal(pthread_join(later.thread, &result), 0);
		assert_true(result == PTHREAD_CANCELED);
		assert_int_equal(brine_call_finish(&call, NULL), 0);
	}
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(cancelled_answering)

static void *open_doomed(void *argument)
{
	struct brine_client **client = argument;
	pthread_cancel(pthread_self());
	(void)brine_client_open(client, "tcp://127.0.0.1:1", NULL, NULL);
	pthread_testcancel();
	return NULL;
}

/* One that makes a client has made it, or nothing. */
static void cancelled_opening(void **state)
{
	struct brine_client *client = NULL;
	pthread_t thread;
	void *result;
	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, open_doomed, &client), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_true(result == PTHREAD_CANCELED);
	assert_non_null(client);
	brine_client_free(client);
}

static void give_up(void *argument)
{
	struct later *later = argument;
	brine_request_fail(later->request, 1000, "gave up");
}

static void *send_without_end(void *argument)
{
	static const uint8_t item[1024] = {0xc5, 0x03, 0xfd};
	struct later *later = argument;
	pthread_cleanup_push(give_up, later);
	for (;;) {
		(void)brine_request_send_raw(later->request, BRINE_BYTES(item, sizeof item));
		atomic_fetch_add(&later->sent, 1);
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return NULL;
}

/* The same for one that waits until its peer takes items: it ends when the wait does, and that ends with the peer. */
static void cancelled_sending_over(void **state, enum over kind)
{
	struct host host;
	struct later later = {0};
	host_prepare(&host, state, kind, NULL);
	assert_int_equal(
	        brine_server_serve_raw_as(host.server, "s", BRINE_METHOD_DOWNLOAD, keep_for_later, &later, NULL), 0);
	host_launch(&host);
	struct brine_client *client = client_of(host.address, NULL);
	int fd = raw_connect(host.address);
	int64_t sum;
	void *result;
	raw_send_hex(fd, "0c 95 00 01 a1 73 90 81 a3 77 69 6e 01");
	wait_for_count(&later.sent, 1);
	assert_int_equal(pthread_create(&later.thread, NULL, send_without_end, &later), 0);
	wait_for_count(&later.sent, 60); /* a few more, and 64 KiB wait */
	poll(NULL, 0, 50);
	assert_int_equal(pthread_cancel(later.thread), 0);
	poll(NULL, 0, 50);
	close(fd);
	assert_int_equal(pthread_join(later.thread, &result), 0);
	assert_true(result == PTHREAD_CANCELED);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(cancelled_sending)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(stopped_amid_input),       e2e_test(freed_at_rest),
	                                   e2e_test(waits_end_in_time),    e2e_test(freed_once_answered),
	                                   e2e_test(freed_before_waiting), BOTH(cancelled_answering),
	                                   e2e_test(cancelled_opening),    BOTH(cancelled_sending)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
