/* Proves: a peer that stands still for a second loses nothing, one that stands still for ever is given up, and neither
 * half-open connections nor those that died in the queue hurt anybody. */
#include "apart.h"

enum {
	STOP_MS = 1000,
	CALLS = 20,
	BLOB_SIZE = 512 * 1024, /* more than a socket holds when several wait */
};

static void sleep_ms(int ms)
{
	for (uint64_t end_ms = brine_clock_ms() + (uint64_t)ms; brine_clock_ms() < end_ms;)
		poll(NULL, 0, ms);
}

/* Stops a process and waits until it stands. */
static void stop_process(pid_t pid)
{
	int status;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

/* Calls that are under way together, small ones and a large one. */
struct batch {
	struct brine_call calls[CALLS], measure;
	void *blob;
};

static void batch_begin(struct batch *batch, struct brine_client *client)
{
	*batch = (struct batch){.measure = BRINE_CALL_INIT, .blob = calloc(1, BLOB_SIZE)};
	assert_non_null(batch->blob);
	for (int i = 0; i < CALLS; i++) {
		struct calc_pair pair = {i, 1};
		batch->calls[i] = (struct brine_call)BRINE_CALL_INIT;
		assert_int_equal(brine_client_begin(client, &batch->calls[i], &calc_methods[CALC_ADD], &pair), 0);
	}
	struct calc_blob blob = {BRINE_BYTES(batch->blob, BLOB_SIZE)};
	assert_int_equal(brine_client_begin(client, &batch->measure, &calc_methods[CALC_MEASURE], &blob), 0);
}

static void batch_finish(struct batch *batch)
{
	struct calc_number number;
	for (int i = 0; i < CALLS; i++) {
		int status = brine_call_finish(&batch->calls[i], &number);
		if (status < 0)
			fail_msg("call %d: %s", i, brine_call_error_text(&batch->calls[i]));
		assert_int_equal(number.value, i + 1);
		brine_call_done(&batch->calls[i]);
	}
	assert_int_equal(brine_call_finish(&batch->measure, &number), 0);
	assert_int_equal(number.value, BLOB_SIZE);
	brine_call_done(&batch->measure);
	free(batch->blob);
}

/* E10: the server stands still for a second: every call is answered, and was executed once. */
static void E10_server_stops_for_a_second_over(void **state, enum over kind)
{
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	static struct batch batches[2]; /* too much for a small stack */
	struct brine_client *clients[2];
	apart_start(&apart, state, kind, &options);
	for (int i = 0; i < 2; i++) {
		struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
		own.mode = modes[i];
		own.keepalive_ms = PATIENCE_MS / 2;
		clients[i] = client_of(apart.address, &own);
		assert_int_equal(brine_client_connect(clients[i], 0, NULL), 0);
	}
	stop_process(apart.pid);
	uint64_t stopped_ms = brine_clock_ms();
	for (int i = 0; i < 2; i++)
		batch_begin(&batches[i], clients[i]);
	sleep_ms(STOP_MS);
	kill(apart.pid, SIGCONT);
	for (int i = 0; i < 2; i++) {
		batch_finish(&batches[i]);
		brine_client_free(clients[i]);
	}
	assert_true(brine_clock_ms() - stopped_ms >= STOP_MS);
	struct apart_report report = apart_stop(&apart);
	assert_int_equal(report.counters.requests, 2 * (CALLS + 1));
	assert_int_equal(report.counters.connections_accepted, 2);
}
DEFINE_BOTH(E10_server_stops_for_a_second)

/* False: the server was given up, too, while it only was slow. */
static bool stop_for_ever(struct apart *apart, int mode, uint64_t keepalive_ms)
{
	struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	own.mode = mode;
	own.keepalive_ms = keepalive_ms;
	struct brine_client *client = client_of(apart->address, &own);
	int before = calc_call_add(client, &call, 1, 2, &sum);
	stop_process(apart->pid);
	uint64_t began_ms = brine_clock_ms();
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_LOST);
	assert_in_range(brine_clock_ms() - began_ms, 2 * keepalive_ms - 1, 2 * keepalive_ms + PATIENCE_MS);
	assert_non_null(strstr(brine_call_error_text(&call), "may have run"));
	kill(apart->pid, SIGCONT);
	int after = calc_call_add(client, &call, 1, 2, &sum);
	assert_true(before == 0 || before == BRINE_ERR_LOST);
	assert_true(after == 0 || after == BRINE_ERR_LOST);
	brine_call_done(&call);
	brine_client_free(client);
	return before == 0 && after == 0;
}

/* E10: for ever: the keepalive ends the calls, which may have run, long before their deadline. */
static void E10_server_stops_for_ever_over(void **state, enum over kind)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	apart_start(&apart, state, kind, &options);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++)
		for (uint64_t ms = 150; !stop_for_ever(&apart, mode, ms); ms = twice_as_long(ms))
			;
	apart_stop(&apart);
}
DEFINE_BOTH(E10_server_stops_for_ever)

/* ---- clients that are stopped ---- */

/* How a client's process ends. */
enum ending { ENDED_WELL, ENDED_LOST, ENDED_WRONG };

/* A process with a client. It is told the address; says 'b' when its calls are under way. */
struct stopped {
	pid_t pid;
	int control;
};

static void end_of_call(struct brine_call *call)
{
	int status = brine_call_finish(call, NULL);
	if (status < 0)
		print_error("a call of the stopped client: %s\n", brine_call_error_text(call));
	if (status < 0)
		_exit(status == BRINE_ERR_LOST ? ENDED_LOST : ENDED_WRONG);
}

static void client_life(int control, int64_t blobs, uint64_t keepalive_ms)
{
	char address[ADDRESS_SIZE];
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call calls[16], hold = BRINE_CALL_INIT;
	struct brine_client *client;
	struct calc_number size = {BLOB_SIZE};
	options.mode = BRINE_CLIENT_BACKGROUND;
	options.keepalive_ms = keepalive_ms;
	if (recv(control, address, sizeof address, MSG_WAITALL) != sizeof address ||
	    brine_client_open(&client, address, &options, NULL) < 0)
		_exit(ENDED_WRONG);
	if (brine_client_connect(client, 0, NULL) < 0)
		_exit(ENDED_LOST);
	for (int64_t i = 0; i < blobs; i++) {
		calls[i] = (struct brine_call)BRINE_CALL_INIT;
		if (brine_client_begin(client, &calls[i], &calc_methods[CALC_MAKE], &size) < 0)
			_exit(ENDED_WRONG);
	}
	if (blobs >= 0 && brine_client_begin(client, &hold, &calc_methods[CALC_HOLD], &(struct calc_nothing){0}) < 0)
		_exit(ENDED_WRONG);
	if (send(control, "b", 1, MSG_NOSIGNAL) != 1 || recv(control, address, 1, 0) != 1)
		_exit(ENDED_WRONG);
	for (int64_t i = 0; i < blobs; i++)
		end_of_call(&calls[i]);
	if (blobs >= 0)
		end_of_call(&hold);
	brine_client_free(client);
	_exit(ENDED_WELL);
}

/* blobs: large answers that it asks for beside the call that is held; -1: it calls nothing. Before there are threads.
 */
static void stopped_begin(struct stopped *stopped, int64_t blobs, uint64_t keepalive_ms)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	stopped->pid = fork();
	assert_true(stopped->pid >= 0);
	if (stopped->pid == 0) {
		close(pair[0]);
		client_life(pair[1], blobs, keepalive_ms);
	}
	close(pair[1]);
	stopped->control = pair[0];
}

/* Lets it call, and stops it. False: it has ended before. */
static bool stopped_stop(struct stopped *stopped, const struct host *host)
{
	char byte;
	assert_int_equal(send(stopped->control, host->address, ADDRESS_SIZE, MSG_NOSIGNAL), ADDRESS_SIZE);
	if (recv(stopped->control, &byte, 1, 0) != 1)
		return false;
	stop_process(stopped->pid);
	return true;
}

static enum ending stopped_end(struct stopped *stopped)
{
	int status;
	assert_int_equal(waitpid(stopped->pid, &status, 0), stopped->pid);
	close(stopped->control);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < ENDED_WRONG);
	return WEXITSTATUS(status);
}

static void stopped_kill(struct stopped *stopped)
{
	int status;
	kill(stopped->pid, SIGKILL);
	assert_int_equal(waitpid(stopped->pid, &status, 0), stopped->pid);
	close(stopped->control);
}

static void go_on(struct stopped *stopped)
{
	assert_int_equal(kill(stopped->pid, SIGCONT), 0);
	assert_int_equal(send(stopped->control, "g", 1, MSG_NOSIGNAL), 1);
}

/* Waits until so many connections were accepted in all, or more, and so many of them are left. */
static void wait_for_open(const struct host *host, uint64_t accepted, uint64_t left)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (host_counters(host).connections_accepted < accepted || host_counters(host).connections_open != left) {
		assert_true(brine_clock_ms() < deadline_ms);
		sleep_ms(5);
	}
}

/* Answers the call that it holds, once that has come. False: it does not come. */
static bool answer_held(struct host *host, const struct stopped *stopped)
{
	siginfo_t ended = {.si_pid = 0};
	struct release release;
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS / 4;
	while (atomic_load(&host->calc.held_count) == 0 && ended.si_pid == 0 && brine_clock_ms() < until_ms)
		(void)waitid(P_PID, (id_t)stopped->pid, &ended, WEXITED | WNOHANG | WNOWAIT);
	if (atomic_load(&host->calc.held_count) == 0)
		return false;
	release_begin(&release, host, 1);
	release_finish(&release);
	return true;
}

/* Stops a client for longer than its keepalive bears. late: its last answer is given only when it goes on. False: the
 * server was too slow for it when it ran. */
static bool stop_client(void **state, enum over kind, bool late, uint64_t keepalive_ms)
{
	struct stopped stopped;
	struct host host;
	bool well = true;
	stopped_begin(&stopped, 8, keepalive_ms);
	host_start(&host, state, kind, NULL);
	assert_true(stopped_stop(&stopped, &host));
	if (!late)
		well = answer_held(&host, &stopped);
	sleep_ms((int)keepalive_ms * 3 + 100);
	go_on(&stopped);
	if (late) {
		sleep_ms(200);
		well = answer_held(&host, &stopped);
	}
	if (well)
		well = stopped_end(&stopped) == ENDED_WELL;
	else
		stopped_kill(&stopped);
	host_stop(&host);
	if (well)
		assert_int_equal(host.calc.release_status, 0);
	return well;
}

/* E10: a client stands still for a second, far longer than its own keepalive: its answers wait for it, also one that
 * is given only afterwards. */
static void E10_client_stops_for_a_second_over(void **state, enum over kind)
{
	for (int late = 0; late < 2; late++)
		for (uint64_t ms = 300; !stop_client(state, kind, late, ms); ms = twice_as_long(ms))
			;
}
DEFINE_BOTH(E10_client_stops_for_a_second)

/* E10: for ever, with answers that wait: it took none of them for too long. */
static void E10_client_stops_for_ever_over(void **state, enum over kind)
{
	struct stopped stopped;
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	int64_t sum;
	options.limits.stuck_output_ms = 200;
	stopped_begin(&stopped, 16, 0);
	host_start(&host, state, kind, &options);
	struct brine_client *client = client_of(host.address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	assert_true(stopped_stop(&stopped, &host));
	wait_for_count(&host.log_lines, 1);
	wait_for_open(&host, 2, 1);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	brine_client_free(client);
	stopped_kill(&stopped);
	host_end(&host);
	expect_cut_off(&host, kind);
	host_free(&host);
}
DEFINE_BOTH(E10_client_stops_for_ever)

/* Whether a few MiB that a TCP peer does not read show: if they vanished in the kernel it would be its patience that
 * ends, which is twice as long as ours. */
static bool megabytes_show(void **state, uint64_t stuck_ms)
{
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.limits.stuck_output_ms = stuck_ms;
	host_start(&host, state, OVER_TCP, &options);
	int fd = raw_connect(host.address);
	for (int id = 1; id <= 5; id++)
		raw_send_request(fd, id, calc_methods[CALC_MAKE].name, BRINE_BYTES("\x91\xce\x00\x08\x00\x00", 6));
	wait_for_count(&host.log_lines, 1);
	wait_for_open(&host, 1, 0);
	close(fd);
	host_end(&host);
	expect_cut_off(&host, OVER_TCP);
	host_free(&host);
	return strstr(host.log, "took no output");
}

static void E10_a_few_megabytes_show(void **state)
{
	for (uint64_t ms = 200; !megabytes_show(state, ms); ms = twice_as_long(ms))
		;
}

/* False: the server was done with it before it stood still. */
static bool stop_idle_client(void **state, enum over kind, uint64_t idle_ms)
{
	struct stopped stopped;
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.limits.idle_timeout_ms = idle_ms;
	options.limits.linger_ms = 100;
	stopped_begin(&stopped, -1, 0);
	host_start(&host, state, kind, &options);
	bool stands = stopped_stop(&stopped, &host);
	wait_for_open(&host, 1, 0);
	stopped_kill(&stopped);
	host_stop(&host);
	return stands;
}

/* E10, E14: for ever and idle: the idle timeout ends it. */
static void E10_idle_client_stops_for_ever_over(void **state, enum over kind)
{
	for (uint64_t ms = 100; !stop_idle_client(state, kind, ms); ms = twice_as_long(ms))
		;
}
DEFINE_BOTH(E10_idle_client_stops_for_ever)

/* ---- a peer that takes long ---- */

enum { SLOW_SIZE = 900 * 1024, SLOW_PIECE = 32 * 1024, SLOW_PAUSE_MS = 100 };

/* Reads a request slowly, not seeing the pings behind it, and answers it. */
static void *read_slowly(void *argument)
{
	int fd = *(int *)argument;
	static char piece[SLOW_PIECE];
	ssize_t got = 1;
	for (size_t size = 0; size < SLOW_SIZE && got > 0; size += (size_t)got) {
		poll(NULL, 0, SLOW_PAUSE_MS);
		got = recv(fd, piece, sizeof piece, 0);
	}
	raw_send_hex(fd, "05 94 01 01 c0 05");
	return NULL;
}

/* E13: a message that takes longer than the keepalive has patience is no silence while it moves. */
static void E13_a_slow_reader_lives(void **state)
{
	(void)state;
	int fds[2];
	pthread_t thread;
	struct brine_client *client;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_blob blob = {BRINE_BYTES(calloc(1, SLOW_SIZE), SLOW_SIZE)};
	struct calc_number size;
	assert_non_null(blob.data.data);
	options.keepalive_ms = 1000;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], &options, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &fds[1]), 0);
	uint64_t began_ms = brine_clock_ms();
	int status = brine_client_call(client, &call, &calc_methods[CALC_MEASURE], &blob, &size);
	if (status < 0)
		fail_msg("%s", brine_call_error_text(&call));
	assert_true(brine_clock_ms() - began_ms > 2 * options.keepalive_ms);
	pthread_join(thread, NULL);
	brine_call_done(&call);
	brine_client_free(client);
	close(fds[1]);
	free((void *)(uintptr_t)blob.data.data);
}

/* ---- half-open and dead before they were seen ---- */

/* E07: a peer shuts its reading side and goes on writing: the server ends the connection at the first failed write (a
 * Unix socket says so) or once it took nothing for too long (TCP does not), and nobody is killed by SIGPIPE. */
static void E07_reads_no_more_over(void **state, enum over kind)
{
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	int64_t sum;
	struct sigaction action;
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_DFL);
	options.limits.stuck_output_ms = 200;
	host_start(&host, state, kind, &options);
	struct brine_client *client = client_of(host.address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	int fd = raw_connect(host.address);
	assert_int_equal(shutdown(fd, SHUT_RD), 0);
	for (int i = 0; i < 64; i++)
		raw_send_request(fd, i, "calc.Calc/Make", BRINE_BYTES("\x91\xce\x00\x08\x00\x00", 6));
	wait_for_open(&host, 2, 1);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	close(fd);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(E07_reads_no_more)

/* The same of a server towards a client: its next calls end as lost, or as never sent. */
static void E07_server_reads_no_more(void **state)
{
	(void)state;
	int fds[2];
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_blob blob = {BRINE_BYTES(calloc(1, BLOB_SIZE), BLOB_SIZE)};
	assert_non_null(blob.data.data);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], NULL, NULL), 0);
	assert_int_equal(shutdown(fds[1], SHUT_RD), 0);
	/* It still writes: pings. */
	raw_send_hex(fds[1], "03 92 12 01 03 92 12 02");
	int status = brine_client_call(client, &call, &calc_methods[CALC_MEASURE], &blob, NULL);
	if (status != BRINE_ERR_LOST && status != BRINE_ERR_NOT_SENT)
		fail_msg("%d: %s", status, brine_call_error_text(&call));
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MEASURE], &blob, NULL),
	                 BRINE_ERR_NOT_SENT);
	brine_call_done(&call);
	brine_client_free(client);
	close(fds[1]);
	free((void *)(uintptr_t)blob.data.data);
}

/* E09: connections that were reset, or closed, while they waited to be accepted are no hindrance. */
static void E09_dead_in_the_queue_over(void **state, enum over kind)
{
	enum { DEAD = 100, ALIVE = 5 };
	struct host host;
	struct linger hard = {1, 0};
	int alive[ALIVE];
	int64_t sum;
	host_prepare(&host, state, kind, NULL);
	for (int i = 0; i < DEAD; i++) {
		int fd = raw_connect(host.address);
		if (i % 2)
			raw_send_request(fd, i, "add", BRINE_BYTES("\x92\x02\x03", 3));
		if (i % 3)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(fd);
		if (i % (DEAD / ALIVE) == 0) {
			alive[i / (DEAD / ALIVE)] = raw_connect(host.address);
			raw_send_hex(alive[i / (DEAD / ALIVE)], "03 92 12 01");
		}
	}
	host_launch(&host);
	for (int i = 0; i < ALIVE; i++) {
		raw_expect_hex(alive[i], "03 92 13 01");
		close(alive[i]);
	}
	struct brine_client *client = client_of(host.address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	brine_client_free(client);
	struct brine_server_counters counters = host_counters(&host);
	assert_in_range(counters.connections_accepted + counters.connections_refused, ALIVE + 1, DEAD + ALIVE + 1);
	assert_int_equal(counters.connections_refused, 0);
	host_stop(&host);
}
DEFINE_BOTH(E09_dead_in_the_queue)

/* E14: calls that come about when the idle timeout does are answered, or were not started and say so. */
static void E14_calls_meet_the_idle_timeout_over(void **state, enum over kind)
{
	enum { TIMEOUT_MS = 20, TRIES = 40 };
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint64_t seed = 14, until_ms = brine_clock_ms() + PATIENCE_MS;
	int answered = 0, tries = 0;
	options.limits.idle_timeout_ms = TIMEOUT_MS;
	options.limits.linger_ms = 5000; /* a call that crosses the end is waited for so long */
	host_start(&host, state, kind, &options);
	for (int row = 0; row < 2; row++) {
		struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		own.mode = modes[row];
		struct brine_client *client = client_of(host.address, &own);
		int before = answered;
		/* Until enough was answered, and the timeout did strike. */
		for (int i = 0; i < TRIES || answered - before < TRIES / 2 ||
		                host_counters(&host).connections_accepted < 2 * (uint64_t)(row + 1);
		     i++) {
			int64_t sum;
			assert_true(brine_clock_ms() < until_ms);
			int status = calc_call_add(client, &call, i, 1, &sum);
			tries++;
			bool refused = status == BRINE_ERR_GOING_AWAY || status == BRINE_ERR_NOT_SENT ||
			               (status == BRINE_ERR_REMOTE && brine_call_code(&call) == BRINE_CODE_GOING_AWAY);
			if (status != 0 && !refused)
				fail_msg("call %d: %s", i, brine_call_error_text(&call));
			if (status == 0)
				assert_int_equal(sum, i + 1);
			answered += status == 0;
			sleep_ms(TIMEOUT_MS - 3 + (int)random_below(&seed, 6));
		}
		brine_call_done(&call);
		brine_client_free(client);
	}
	/* Nothing ran that its caller was told did not. */
	assert_int_equal(atomic_load(&host.calc.added), answered);
	assert_in_range(host_counters(&host).connections_accepted, 4, tries);
	host_stop(&host);
}
DEFINE_BOTH(E14_calls_meet_the_idle_timeout)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(E10_server_stops_for_a_second),   BOTH(E10_server_stops_for_ever),
	        BOTH(E10_client_stops_for_a_second),   BOTH(E10_client_stops_for_ever),
	        e2e_test(E10_a_few_megabytes_show),    BOTH(E10_idle_client_stops_for_ever),
	        e2e_test(E13_a_slow_reader_lives),     BOTH(E07_reads_no_more),
	        e2e_test(E07_server_reads_no_more),    BOTH(E09_dead_in_the_queue),
	        BOTH(E14_calls_meet_the_idle_timeout),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
