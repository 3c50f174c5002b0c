/* Proves: clients and servers do not disturb the process they live in: forks, signals, descriptors, resolving threads.
 */
#include "harness.h"

#include <sys/resource.h>

/* Waits for a child that ends with _exit(0) when all was well, and else with the number of the check that failed. */
static void expect_child(pid_t child)
{
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("the child ended with %s %d", WIFEXITED(status) ? "status" : "signal",
		         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static int use_in_child(struct host *host, struct brine_client *client, struct brine_call *call)
{
	int64_t sum;
	struct brine_error error = BRINE_ERROR_INIT;
	if (calc_call_add(client, call, 1, 1, &sum) != BRINE_ERR_FORKED)
		return 1;
	if (!strstr(brine_call_error_text(call), "another process"))
		return 2;
	if (brine_client_connect(client, 0, &error) != BRINE_ERR_FORKED || !error.text[0])
		return 3;
	if (brine_client_notify_raw(client, NULL, "x", BRINE_BYTES(NULL, 0)) != BRINE_ERR_FORKED)
		return 4;
	if (brine_server_listen(host->server, "tcp://127.0.0.1:0", &error) != BRINE_ERR_FORKED)
		return 5;
	if (brine_server_run(host->server, &error) != BRINE_ERR_FORKED)
		return 6;
	brine_server_stop(host->server);
	brine_client_free(client);
	brine_server_free(host->server);
	brine_call_done(call);
	return 0;
}

/* G13: a child may use neither, and what it does to them does not disturb the parent. */
static void forked_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(i == 2 ? 0 : use_in_child(&host, client, &call));
		expect_child(child);
		/* The parent's own connection goes on, and the server takes new ones. */
		assert_int_equal(calc_call_add(client, &call, i, 3, &sum), 0);
		assert_int_equal(sum, i + 3);
		struct brine_client *other = client_of(host.address, NULL);
		assert_int_equal(calc_call_add(other, NULL, 2, 3, &sum), 0);
		brine_client_free(other);
	}
	brine_call_done(&call);
	brine_client_free(client);
	host_end(&host);
	/* One connection was kept through all of it. */
	assert_int_equal(host_counters(&host).connections_accepted, 4);
	host_free(&host);
}
DEFINE_BOTH(forked)

/* Everything that is inherited over exec is a leak: nothing of ours may be. */
static void close_on_exec_over(void **state, enum over kind)
{
	struct host host;
	bool ours[256];
	for (int fd = 0; fd < 256; fd++)
		ours[fd] = fcntl(fd, F_GETFD) < 0;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	int64_t sum;
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	int count = 0;
	for (int fd = 0; fd < 256; fd++) {
		int flags = ours[fd] ? fcntl(fd, F_GETFD) : -1;
		if (flags < 0)
			continue;
		assert_true(flags & FD_CLOEXEC);
		count++;
	}
	assert_true(count >= 5); /* listener, loop, wake, both ends of the connection */
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(close_on_exec)

/* G09: with SIGPIPE at its default a write to a peer that has gone ends no process, and no handler is touched. */
static void no_sigpipe_over(void **state, enum over kind)
{
	struct host host;
	struct sigaction before[32], after;
	signal(SIGPIPE, SIG_DFL);
	for (int number = 1; number < 32; number++)
		sigaction(number, NULL, &before[number]);
	host_start(&host, state, kind, NULL);
	/* The server writes to a client that has gone. */
	for (int i = 0; i < 5; i++) {
		int fd = raw_connect(host.address);
		for (int id = 0; id < 4; id++)
			raw_send_request(fd, id, "calc.Calc/Make", BRINE_BYTES("\x91\xce\x00\x08\x00\x00", 6));
		close(fd);
	}
	/* The client writes to a server that has gone. */
	int fds[2];
	struct brine_client *client;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], NULL, NULL), 0);
	assert_int_equal(shutdown(fds[1], SHUT_RD), 0);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	int status = calc_call_add(client, &call, 1, 1, &sum);
	if (status != BRINE_ERR_NOT_SENT && status != BRINE_ERR_LOST)
		fail_msg("%d: %s", status, brine_call_error_text(&call));
	brine_call_done(&call);
	brine_client_free(client);
	close(fds[1]);
	client = client_of(host.address, NULL);
	assert_int_equal(calc_call_add(client, NULL, 1, 1, &sum), 0);
	brine_client_free(client);
	host_stop(&host);
	for (int number = 1; number < 32; number++) {
		sigaction(number, NULL, &after);
		assert_true(after.sa_handler == before[number].sa_handler);
	}
}
DEFINE_BOTH(no_sigpipe)

/* Serves and calls in this process; 0 when all was well. */
static int serve_and_call(const char *address)
{
	struct host host = {.log_is_clean = true};
	if (brine_server_new(&host.server, NULL) < 0 ||
	    brine_server_serve(host.server, &calc_service, &host, &host.calc, NULL) < 0 ||
	    brine_server_listen(host.server, address, NULL) < 0)
		return 10;
	snprintf(host.address, sizeof host.address, "%s", brine_server_address(host.server, 0));
	if (pthread_create(&host.thread, NULL, host_run, &host))
		return 11;
	struct brine_client *client;
	struct calc_order order = {.symbol = BRINE_STR("ACME")}, answer;
	struct brine_call call = BRINE_CALL_INIT;
	if (brine_client_open(&client, host.address, NULL, NULL) < 0)
		return 12;
	int status = brine_client_call(client, &call, &calc_methods[CALC_ECHO], &order, &answer);
	if (status < 0 || !brine_str_equal(answer.symbol, order.symbol))
		return 13;
	brine_call_done(&call);
	brine_client_free(client);
	brine_server_stop(host.server);
	pthread_join(host.thread, NULL);
	brine_server_free(host.server);
	return host.result < 0 ? 14 : 0;
}

/* G20: descriptors 0, 1 and 2 are ordinary numbers. */
static void low_descriptors_over(void **state, enum over kind)
{
	char address[ADDRESS_SIZE];
	address_over(state, kind, address);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(0);
		close(1);
		close(2);
		_exit(serve_and_call(address));
	}
	expect_child(child);
}
DEFINE_BOTH(low_descriptors)

/* G20: and so are those above 1,024. */
static void high_descriptors_over(void **state, enum over kind)
{
	enum { TAKEN = 1100 };
	char address[ADDRESS_SIZE];
	struct rlimit limit;
	address_over(state, kind, address);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < TAKEN + 100) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	int taken[TAKEN];
	for (int i = 0; i < TAKEN; i++) {
		taken[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		assert_true(taken[i] >= 0);
	}
	assert_true(taken[TAKEN - 1] > 1024);
	assert_int_equal(serve_and_call(address), 0);
	for (int i = 0; i < TAKEN; i++)
		close(taken[i]);
}
DEFINE_BOTH(high_descriptors)

struct intruder {
	struct host *host;
	struct brine_client *client;
	int status;
	int64_t sum;
};

/* Calls on a client that another thread waits in, then lets that one's call go. */
static void *intrude(void *argument)
{
	struct intruder *intruder = argument;
	struct brine_call call = BRINE_CALL_INIT;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(&intruder->host->calc.held_count) == 0 && brine_clock_ms() < deadline_ms)
		sched_yield();
	intruder->status = calc_call_add(intruder->client, &call, 2, 3, &intruder->sum);
	brine_call_done(&call);
	struct release release = {.host = intruder->host, .count = 1};
	release_run(&release);
	return NULL;
}

/* G15: a second thread calls through a client in which the first one waits. */
static void two_threads_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct intruder intruder = {.host = &host, .client = client_of(host.address, NULL)};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, intrude, &intruder), 0);
	struct calc_nothing nothing = {0};
	struct calc_number number;
	assert_int_equal(brine_client_call(intruder.client, NULL, &calc_methods[CALC_HOLD], &nothing, &number), 0);
	pthread_join(thread, NULL);
	assert_int_equal(intruder.status, 0);
	assert_int_equal(intruder.sum, 5);
	brine_client_free(intruder.client);
	host_stop(&host);
}
DEFINE_BOTH(two_threads)

static struct brine_server *signalled;

static void stop_it(int number)
{
	(void)number;
	brine_server_stop(signalled);
}

/* A signal handler stops the server, once to drain and once to end, whatever thread it interrupts. */
static void stopped_by_signal_over(void **state, enum over kind)
{
	struct host host;
	struct sigaction before, stop = {.sa_handler = stop_it};
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	raw_send_request(fd, 1, "calc.Calc/Hold", BRINE_BYTES("\x90", 1));
	wait_for_count(&host.calc.held_count, 1);
	signalled = host.server;
	assert_int_equal(sigaction(SIGUSR1, &stop, &before), 0);
	errno = ENOTTY;
	assert_int_equal(pthread_kill(host.thread, SIGUSR1), 0);
	uint8_t frame[128];
	assert_true(raw_read_frame(fd, frame) > 4);
	assert_memory_equal(frame, "\x94\x14\x00", 3); /* goaway 0: it drains */
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(errno, ENOTTY);
	host_join(&host);
	assert_int_equal(host.result, 0);
	sigaction(SIGUSR1, &before, NULL);
	close(fd);
	host_free(&host);
}
DEFINE_BOTH(stopped_by_signal)

/* ---- signals without end ---- */

struct pest {
	pthread_t thread, targets[2];
	atomic_bool over;
};

static atomic_int signals_seen;

static void see_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals_seen, 1);
}

static void *pester(void *argument)
{
	struct pest *pest = argument;
	while (!atomic_load(&pest->over)) {
		for (int i = 0; i < 2; i++)
			(void)pthread_kill(pest->targets[i], SIGUSR2);
		poll(NULL, 0, 1);
	}
	return NULL;
}

/* Small calls and big ones for a while, until so many signals came, and one that nobody answers: its deadline is not
 * longer, nor shorter. */
static void work_on(const char *address, int mode, int signals_least)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number number = {1000000};
	struct calc_blob blob;
	int64_t sum;
	options.mode = mode;
	struct brine_client *client = client_of(address, &options);
	uint64_t end_ms = brine_clock_ms() + 200, last_ms = end_ms + PATIENCE_MS;
	while (brine_clock_ms() < (atomic_load(&signals_seen) >= signals_least ? end_ms : last_ms)) {
		assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
		assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MAKE], &number, &blob), 0);
		assert_int_equal(blob.data.size, number.value);
	}
	call.timeout_ms = 150;
	uint64_t began_ms = brine_clock_ms();
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_HOLD], &(struct calc_nothing){0}, &number),
	                 BRINE_ERR_DEADLINE);
	assert_in_range(brine_clock_ms() - began_ms, 149, PATIENCE_MS / 2);
	brine_call_done(&call);
	brine_client_free(client);
}

/* G10: a thousand signals a second, without SA_RESTART, in the threads of both sides: nobody notices. */
static void G10_a_thousand_signals_a_second_over(void **state, enum over kind)
{
	struct host host;
	struct sigaction before, see = {.sa_handler = see_signal};
	struct pest pest = {.targets = {pthread_self()}};
	atomic_store(&signals_seen, 0);
	assert_int_equal(sigaction(SIGUSR2, &see, &before), 0);
	host_start(&host, state, kind, NULL);
	pest.targets[1] = host.thread;
	assert_int_equal(pthread_create(&pest.thread, NULL, pester, &pest), 0);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++)
		work_on(host.address, mode, 60 * (1 + mode));
	atomic_store(&pest.over, true);
	pthread_join(pest.thread, NULL);
	host_stop(&host);
	sigaction(SIGUSR2, &before, NULL);
	assert_true(atomic_load(&signals_seen) > 100);
}
DEFINE_BOTH(G10_a_thousand_signals_a_second)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(forked),
	        BOTH(close_on_exec),
	        BOTH(no_sigpipe),
	        BOTH(low_descriptors),
	        BOTH(high_descriptors),
	        BOTH(two_threads),
	        BOTH(stopped_by_signal),
	        BOTH(G10_a_thousand_signals_a_second),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
