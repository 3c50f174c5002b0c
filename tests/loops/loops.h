/* loops.h - the tests of every adapter of include/brine/loop, on the real library. The program that includes it says
 * how its loop is driven: */
#ifndef BRINE_TESTS_LOOPS_H
#define BRINE_TESTS_LOOPS_H

#include "e2e/harness.h"

#include <sys/un.h>

static void loop_open(void); /* a loop of the test's own */
static void loop_close(void);
static int loop_attach(struct brine_client *client);
static void loop_refuses_null(struct brine_client *client);
static int loop_attach_server(struct brine_server *server, void (*ended)(struct brine_server *server, void *user));
static void loop_detach(void); /* from anywhere */
static void loop_run(void);    /* until loop_stop() */
static void loop_stop(void);
static void
loop_later(void (*function)(void)); /* calls it once from the loop, which knows nothing of the client then */

enum { CALLS = 100 };

/* What the callbacks see; everything runs on the thread of the test. */
static struct {
	struct host host;
	struct brine_client *client;
	struct brine_call calls[CALLS];
	int status[CALLS];
	int64_t results[CALLS];
	int told[CALLS]; /* how often on_done came */
	int left;
	int listener, peer;
} run;

static void run_start(void **state, bool attached)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	memset(&run, 0, sizeof run);
	options.mode = BRINE_CLIENT_LOOP;
	host_start(&run.host, state, OVER_UNIX, NULL);
	run.client = client_of(run.host.address, &options);
	loop_open();
	if (attached)
		assert_int_equal(loop_attach(run.client), 0);
}

static void run_end(void)
{
	for (int i = 0; i < CALLS; i++)
		brine_call_done(&run.calls[i]);
	loop_close();
	if (run.host.server)
		host_stop(&run.host);
}

static void detach_and_end(void)
{
	loop_detach();
	brine_client_free(run.client);
	run_end();
}

/* Takes the answer; the last one stops the loop. */
static void on_done(struct brine_call *call, void *user)
{
	size_t at = (size_t)(call - run.calls);
	struct calc_number sum = {0};
	(void)user;
	run.told[at]++;
	run.status[at] = brine_call_finish(call, &sum);
	run.results[at] = sum.value;
	if (--run.left == 0)
		loop_stop();
}

static struct brine_call *prepared_call(size_t at, uint64_t timeout_ms)
{
	struct brine_call *call = &run.calls[at];
	*call = (struct brine_call)BRINE_CALL_INIT;
	call->timeout_ms = timeout_ms;
	call->on_done = on_done;
	run.left++;
	return call;
}

static void begin_add(size_t at)
{
	struct calc_pair pair = {(int64_t)at, 1000};
	struct brine_call *call = prepared_call(at, PATIENCE_MS);
	assert_int_equal(brine_client_begin(run.client, call, &calc_methods[CALC_ADD], &pair), 0);
}

static void a_hundred_calls_in_flight(void **state)
{
	run_start(state, true);
	for (size_t i = 0; i < CALLS; i++)
		begin_add(i);
	for (size_t i = 0; i < CALLS; i++)
		assert_int_equal(run.told[i], 0);
	loop_run();
	for (size_t i = 0; i < CALLS; i++) {
		assert_int_equal(run.told[i], 1);
		assert_int_equal(run.status[i], 0);
		assert_int_equal(run.results[i], i + 1000);
	}
	assert_int_equal(atomic_load(&run.host.calc.added), CALLS);
	detach_and_end();
}

static uint64_t hold_ms;

static void begin_hold(void)
{
	struct calc_nothing nothing = {0};
	run.status[0] = brine_client_begin(run.client, prepared_call(0, hold_ms), &calc_methods[CALC_HOLD], &nothing);
	if (run.status[0] == 0)
		return;
	run.told[0]++;
	run.left--;
	loop_stop();
}

/* What became of a call that is held until its deadline, and then answered. */
static int hold_too_long(void)
{
	struct calc_number number = {7};
	run.told[0] = 0;
	loop_later(begin_hold);
	loop_run();
	assert_int_equal(run.told[0], 1);
	assert_int_equal(run.status[0], BRINE_ERR_DEADLINE);
	assert_int_equal(
	        brine_client_begin(run.client, prepared_call(2, PATIENCE_MS), &calc_methods[CALC_RELEASE], &number), 0);
	loop_run();
	brine_call_done(&run.calls[0]);
	brine_call_done(&run.calls[2]);
	return run.status[2];
}

/* The loop waits without an end, the client being idle, when a call begins whose deadline must end the wait. */
static void a_deadline_is_told_in_time(void **state)
{
	run_start(state, true);
	begin_add(1);
	loop_run();
	/* A pending request must be answered, also when nobody waits. Nothing is held where the deadline passed before
	 * the call was sent. */
	for (hold_ms = 50; hold_too_long() == BRINE_ERR_REMOTE; hold_ms = twice_as_long(hold_ms))
		;
	assert_int_equal(run.status[2], 0);
	detach_and_end();
}

/* Reads the whole request once it is there, then closes. */
static void accept_and_close(void)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	struct pollfd waiting = {.fd = run.listener, .events = POLLIN};
	if (poll(&waiting, 1, 0) == 0) {
		loop_later(accept_and_close);
		return;
	}
	run.peer = accept(run.listener, NULL, NULL);
	assert_true(run.peer >= 0);
	assert_true(raw_read(run.peer, &bytes, 8));
	brine_buf_done(&bytes);
	close(run.peer);
}

/* Then a server takes the place, and the same client reaches it: its descriptor in the loop is still good. */
static void a_lost_connection_is_told_and_another_is_made(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[ADDRESS_SIZE];
	memset(&run, 0, sizeof run);
	const char *path = address_over(state, OVER_UNIX, text) + strlen("unix://");
	assert_true(strlen(path) < sizeof address.sun_path);
	memcpy(address.sun_path, path, strlen(path));
	run.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(run.listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(run.listener, 5), 0);
	options.mode = BRINE_CLIENT_LOOP;
	run.client = client_of(text, &options);
	loop_open();
	assert_int_equal(loop_attach(run.client), 0);

	begin_add(0);
	loop_later(accept_and_close);
	loop_run();
	assert_int_equal(run.told[0], 1);
	assert_int_equal(run.status[0], BRINE_ERR_LOST);

	close(run.listener);
	host_start_at(&run.host, text, NULL);
	begin_add(1);
	loop_run();
	assert_int_equal(run.status[1], 0);
	assert_int_equal(run.results[1], 1001);
	detach_and_end();
}

static void on_done_free(struct brine_call *call, void *user)
{
	on_done(call, user);
	loop_detach();
	brine_client_free(run.client);
}

static void a_callback_may_detach_and_free(void **state)
{
	run_start(state, true);
	begin_add(0);
	run.calls[0].on_done = on_done_free;
	loop_run();
	assert_int_equal(run.status[0], 0);
	assert_int_equal(run.results[0], 1000);
	run_end();
}

static void on_done_again(struct brine_call *call, void *user)
{
	on_done(call, user);
	assert_int_equal(run.results[0], run.told[0]);
	struct calc_pair pair = {run.told[0] + 1, 0};
	if (run.left)
		assert_int_equal(brine_client_begin(run.client, call, &calc_methods[CALC_ADD], &pair), 0);
}

static void a_callback_may_begin_its_call_again(void **state)
{
	struct calc_pair pair = {1, 0};
	run_start(state, true);
	struct brine_call *call = prepared_call(0, PATIENCE_MS);
	call->on_done = on_done_again;
	run.left = CALLS;
	assert_int_equal(brine_client_begin(run.client, call, &calc_methods[CALC_ADD], &pair), 0);
	loop_run();
	assert_int_equal(run.told[0], CALLS);
	detach_and_end();
}

static void a_client_of_another_mode_is_refused(void **state)
{
	run_start(state, false);
	struct brine_client *blocking = client_of(run.host.address, NULL);
	assert_int_equal(loop_attach(blocking), BRINE_ERR_STATE);
	loop_refuses_null(run.client);
	brine_client_free(blocking);
	brine_client_free(run.client);
	run_end();
}

/* ---- a server in the loop, and its clients in threads ---- */

static void on_server_ended(struct brine_server *server, void *user)
{
	(void)user;
	assert_ptr_equal(server, run.host.server);
	loop_detach();
	loop_stop();
}

struct caller {
	pthread_t thread;
	int wrong;
};

/* Calls, and lets another call answer what the first one left pending, from inside the loop. */
static void *call_the_loop(void *argument)
{
	struct caller *caller = argument;
	struct brine_client *client;
	struct brine_call held = BRINE_CALL_INIT, call = BRINE_CALL_INIT;
	struct calc_nothing nothing = {0};
	struct calc_number seven = {7}, number = {0};
	if (brine_client_open(&client, run.host.address, NULL, NULL) < 0)
		return NULL;
	for (int64_t i = 0; i < CALLS; i++) {
		int64_t sum = 0;
		caller->wrong += calc_call_add(client, &call, i, 1, &sum) < 0 || sum != i + 1;
	}
	caller->wrong += brine_client_begin(client, &held, &calc_methods[CALC_HOLD], &nothing) < 0;
	caller->wrong += brine_client_call(client, &call, &calc_methods[CALC_RELEASE], &seven, NULL) < 0;
	caller->wrong += brine_call_finish(&held, &number) < 0;
	brine_call_done(&held);
	brine_call_done(&call);
	brine_client_free(client);
	brine_server_stop(run.host.server);
	return NULL;
}

static void a_server_lives_in_the_loop(void **state)
{
	struct caller caller = {.wrong = 0};
	memset(&run, 0, sizeof run);
	host_prepare(&run.host, state, OVER_UNIX, NULL);
	loop_open();
	assert_int_equal(loop_attach_server(run.host.server, on_server_ended), 0);
	assert_int_equal(pthread_create(&caller.thread, NULL, call_the_loop, &caller), 0);
	loop_run();
	pthread_join(caller.thread, NULL);
	assert_int_equal(caller.wrong, 0);
	assert_int_equal(atomic_load(&run.host.calc.added), CALLS);
	/* It has ended for good, and runs no more in another way. */
	assert_int_equal(brine_server_process(run.host.server), 1);
	assert_int_equal(brine_server_get_timeout_ms(run.host.server), -1);
	assert_int_equal(brine_server_run(run.host.server, NULL), BRINE_ERR_STATE);
	host_free(&run.host);
	run.host.server = NULL;
	loop_close();
}

static void a_server_of_several_loops_is_refused(void **state)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.loops = 2;
	memset(&run, 0, sizeof run);
	host_prepare(&run.host, state, OVER_UNIX, &options);
	loop_open();
	assert_int_equal(loop_attach_server(run.host.server, on_server_ended), BRINE_ERR_STATE);
	assert_int_equal(brine_server_process(run.host.server), BRINE_ERR_STATE);
	host_free(&run.host);
	run.host.server = NULL;
	loop_close();
}

static int run_loop_tests(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(a_hundred_calls_in_flight),
	        e2e_test(a_deadline_is_told_in_time),
	        e2e_test(a_lost_connection_is_told_and_another_is_made),
	        e2e_test(a_callback_may_detach_and_free),
	        e2e_test(a_callback_may_begin_its_call_again),
	        e2e_test(a_client_of_another_mode_is_refused),
	        e2e_test(a_server_lives_in_the_loop),
	        e2e_test(a_server_of_several_loops_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
