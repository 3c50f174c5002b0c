/* Proves G12: when time jumps (the process was stopped, the virtual machine paused, or a clock is used that goes on
 * while the machine is suspended), what had arrived counts before any time-out does; what is over ends once, with no
 * more messages than calls; and whoever may still live is asked before it is given up. */
#include "faults.h"
#include "jobs.h"
#include "streaming.h"

#include "server/connection.h"
#include "server/server.h"

#include <sys/ioctl.h>

enum { HOUR_MS = 3600 * 1000, CALLS = 50 };

static atomic_int server_sent; /* messages */

static void count_sent(void *user, int direction, int wire, struct brine_bytes message)
{
	(void)user;
	(void)wire;
	(void)message;
	if (direction == BRINE_SENT)
		atomic_fetch_add(&server_sent, 1);
}

/* A server whose loop "stall" holds until the gate is open. */
static void suspend_start(struct jobs *jobs, void **state, enum over kind)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	fault_reset();
	options.tap = count_sent;
	atomic_store(&server_sent, 0);
	jobs_prepare(jobs, state, kind, &options, 0);
	assert_int_equal(brine_server_serve_raw(jobs->host.server, "stall", jobs_wait, jobs, NULL), 0);
	host_launch(&jobs->host);
}

static struct brine_client *background_client(const struct host *host, uint64_t keepalive_ms)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = BRINE_CLIENT_BACKGROUND;
	options.keepalive_ms = keepalive_ms;
	return client_of(host->address, &options);
}

static void suspend_stop(struct jobs *jobs)
{
	host_end(&jobs->host);
	host_free(&jobs->host);
	fault_reset();
}

/* Holds the server's loop, so that all that follows finds it in one turn. */
static void hold_loop(struct jobs *jobs, struct brine_client *client, struct brine_call *stall)
{
	stall->timeout_ms = BRINE_FOREVER;
	assert_int_equal(brine_client_begin_raw(client, stall, "stall", NO_PARAMS), 0);
	wait_for_count(&jobs->entered, 1);
}

/* Lets it go on, an hour later if jump. */
static void let_loop_go(struct jobs *jobs, struct brine_call *stall, bool jump)
{
	if (jump)
		fault_clock_jump(HOUR_MS);
	jobs_open_gate(jobs);
	assert_int_equal(brine_call_finish(stall, NULL), 0);
	brine_call_done(stall);
}

/* How many of the connections of a held loop are ready in the kernel, within that time. */
static int count_ready(struct jobs *jobs, short events, int timeout_ms, int *ret_of)
{
	struct pollfd pollers[8];
	*ret_of = 0;
	for (struct brine_connection *session = jobs->host.server->loop_threads[0]->connections; session;
	     session = session->next)
		pollers[(*ret_of)++] =
		        (struct pollfd){.fd = brine_stream_fd(session->channel.stream), .events = events};
	return poll(pollers, (nfds_t)*ret_of, timeout_ms);
}

/* Answers that wait in the socket are answers, though their deadline has passed when they are read. */
static void G12_answers_that_arrived_over(void **state, enum over kind)
{
	enum { ANSWER_SIZE = 6 };
	static struct jobs jobs;
	static struct brine_call calls[CALLS];
	struct brine_call stall = BRINE_CALL_INIT;
	struct brine_client *client, *other;
	struct calc_number sum;
	int64_t first;
	suspend_start(&jobs, state, kind);
	other = background_client(&jobs.host, 0);
	int fd = raw_connect(jobs.host.address), came = 0;
	assert_int_equal(brine_client_open_fd(&client, fd, NULL, NULL), 0);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &first), 0);
	/* So no answer comes while calls are begun: it would be read then. */
	hold_loop(&jobs, other, &stall);
	memset(calls, 0, sizeof calls);
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(
		        brine_client_begin(client, &calls[i], &calc_methods[CALC_ADD], &(struct calc_pair){i, 1}), 0);
	let_loop_go(&jobs, &stall, false);
	for (uint64_t until_ms = brine_clock_ms() + PATIENCE_MS; came < CALLS * ANSWER_SIZE;) {
		assert_true(brine_clock_ms() < until_ms);
		assert_int_equal(ioctl(fd, FIONREAD, &came), 0);
	}
	fault_clock_jump(HOUR_MS);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(brine_call_finish(&calls[i], &sum), 0);
		assert_int_equal(sum.value, i + 1);
		brine_call_done(&calls[i]);
	}
	brine_client_free(client);
	brine_client_free(other);
	suspend_stop(&jobs);
}
DEFINE_BOTH(G12_answers_that_arrived)

/* Calls whose time has passed end at once, each once; the connection goes on. */
static void G12_deadlines_over(void **state, enum over kind)
{
	static struct jobs jobs;
	static struct brine_call calls[CALLS];
	struct brine_call forever = {.struct_size = sizeof forever, .timeout_ms = BRINE_FOREVER};
	struct calc_nothing nothing = {0};
	int64_t sum;
	suspend_start(&jobs, state, kind);
	struct brine_client *client = background_client(&jobs.host, 0);
	memset(calls, 0, sizeof calls);
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(brine_client_begin(client, &calls[i], &calc_methods[CALC_HOLD], &nothing), 0);
	assert_int_equal(brine_client_begin(client, &forever, &calc_methods[CALC_HOLD], &nothing), 0);
	wait_for_count(&jobs.host.calc.held_count, CALLS + 1);
	int sent = atomic_load(&server_sent);
	fault_clock_jump(HOUR_MS);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	assert_int_equal(sum, 5);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(brine_call_finish(&calls[i], NULL), BRINE_ERR_DEADLINE);
		brine_call_done(&calls[i]);
	}
	/* A call without a deadline has all the time there is. */
	struct calc_number answer = {7};
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_RELEASE], &answer, NULL), 0);
	assert_int_equal(brine_call_finish(&forever, &answer), 0);
	assert_int_equal(answer.value, 7);
	brine_call_done(&forever);
	brine_client_free(client);
	host_end(&jobs.host);
	/* One for each call, whether it ran out here or was cancelled by the client, three answers and a goaway. */
	assert_in_range(atomic_load(&server_sent) - sent, 3, CALLS + 4);
	assert_int_equal(host_counters(&jobs.host).connections_accepted, 1);
	host_free(&jobs.host);
	fault_reset();
}
DEFINE_BOTH(G12_deadlines)

/* Silence that lasted an hour is no reason to give a peer up that was not asked yet. */
static void G12_keepalive_asks_first_over(void **state, enum over kind)
{
	static struct jobs jobs;
	struct brine_call forever = {.struct_size = sizeof forever, .timeout_ms = BRINE_FOREVER};
	struct calc_number answer = {7};
	suspend_start(&jobs, state, kind);
	struct brine_client *client = background_client(&jobs.host, 2000);
	struct brine_client *other = client_of(jobs.host.address, NULL);
	assert_int_equal(brine_client_begin(client, &forever, &calc_methods[CALC_HOLD], &(struct calc_nothing){0}), 0);
	wait_for_count(&jobs.host.calc.held_count, 1);
	int sent = atomic_load(&server_sent);
	fault_clock_jump(HOUR_MS);
	/* The client wakes up when its own time is over, and finds that it has heard nothing for an hour. */
	wait_for_count(&server_sent, sent + 1); /* the pong */
	poll(NULL, 0, 100);
	assert_int_equal(brine_client_call(other, NULL, &calc_methods[CALC_RELEASE], &answer, NULL), 0);
	assert_int_equal(brine_call_finish(&forever, &answer), 0);
	assert_int_equal(host_counters(&jobs.host).connections_accepted, 2);
	brine_call_done(&forever);
	brine_client_free(client);
	brine_client_free(other);
	suspend_stop(&jobs);
}
DEFINE_BOTH(G12_keepalive_asks_first)

/* A first frame that waits in the socket is in time, though the limit of time for it has passed. */
static void G12_first_frame_that_arrived_over(void **state, enum over kind)
{
	static struct jobs jobs;
	struct brine_call stall = BRINE_CALL_INIT;
	suspend_start(&jobs, state, kind);
	struct brine_client *client = background_client(&jobs.host, 0);
	int64_t sum;
	int fd = raw_connect(jobs.host.address), connections;
	/* Accepted in order: the raw peer is in. */
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	hold_loop(&jobs, client, &stall);
	raw_send_hex(fd, "03 92 12 01");
	assert_int_equal(count_ready(&jobs, POLLIN, PATIENCE_MS, &connections), 1);
	let_loop_go(&jobs, &stall, true);
	raw_expect_hex(fd, "03 92 13 01");
	close(fd);
	brine_client_free(client);
	suspend_stop(&jobs);
}
DEFINE_BOTH(G12_first_frame_that_arrived)

/* A peer that has made room is not cut for having taken nothing. */
static void G12_room_that_was_made_over(void **state, enum over kind)
{
	enum { ANSWER_SIZE = 16000000 };
	static struct jobs jobs;
	struct brine_call stall = BRINE_CALL_INIT;
	struct brine_buf got = BRINE_BUF_INIT;
	int64_t sum;
	suspend_start(&jobs, state, kind);
	struct brine_client *client = background_client(&jobs.host, 0);
	int fd = raw_connect(jobs.host.address);
	/* [16, {"max": 2^25}], then Make(16000000), whose answer is more than the kernel takes. */
	raw_send_hex(fd, "0c 92 10 81 a3 6d 61 78 ce 02 00 00 00");
	raw_send_request(fd, 1, calc_methods[CALC_MAKE].name, BRINE_BYTES("\x91\xce\x00\xf4\x24\x00", 6));
	raw_read(fd, &got, 100);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	hold_loop(&jobs, client, &stall);
	/* What the kernel holds, until that shows to the server. */
	for (int connections = 1; count_ready(&jobs, POLLOUT, 0, &connections) < connections;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		if (poll(&poller, 1, 10) > 0)
			raw_read(fd, &got, brine_buf_size(&got) + 1);
	}
	assert_true(brine_buf_size(&got) < ANSWER_SIZE);
	let_loop_go(&jobs, &stall, true);
	assert_true(raw_read(fd, &got, ANSWER_SIZE));
	close(fd);
	brine_buf_done(&got);
	brine_client_free(client);
	suspend_stop(&jobs);
}
DEFINE_BOTH(G12_room_that_was_made)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(G12_answers_that_arrived),     BOTH(G12_deadlines),          BOTH(G12_keepalive_asks_first),
	        BOTH(G12_first_frame_that_arrived), BOTH(G12_room_that_was_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
