/* Proves: a server bears thousands of connections, idle or malicious, each at a small and known price, and no peer has
 * more of them than it may. */
#include "apart.h"

#include <sys/resource.h>

/* The well-behaved client that goes on. */
static void probe(struct brine_client *client)
{
	for (int i = 0; i < 100; i++) {
		int64_t sum;
		assert_int_equal(calc_call_add(client, NULL, i, 1, &sum), 0);
		assert_int_equal(sum, i + 1);
	}
}

/* Lets this process and its children open so many descriptors; skips the test, visibly, where they may not. */
static void need_descriptors(rlim_t count)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < count) {
		limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	}
	if (limit.rlim_cur < count) {
		printf("skipped: only %llu descriptors may be open in a process, %llu are needed: raise ulimit -n\n",
		       (unsigned long long)limit.rlim_max, (unsigned long long)count);
		skip();
	}
}

/* ---- F06: as many connections as one peer may have ---- */

enum { EACH = 3 };

static void expect_served(int fd)
{
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
}

static void expect_closed(int fd)
{
	struct brine_buf got = BRINE_BUF_INIT;
	raw_read_to_end(fd, &got);
	assert_int_equal(brine_buf_size(&got), 0);
	brine_buf_done(&got);
	close(fd);
}

/* Leaves in order, and waits until the server has, too. */
static void leave(int fd)
{
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	expect_closed(fd);
}

/* Connects until the server has noticed that there is room. */
static int connect_again(const char *address, uint8_t from)
{
	for (uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS; brine_clock_ms() < deadline_ms;) {
		char byte;
		int fd = from ? raw_connect_from(address, from) : raw_connect(address);
		raw_send_hex(fd, "03 92 12 01");
		if (recv(fd, &byte, 1, MSG_PEEK) == 1) {
			raw_expect_hex(fd, "03 92 13 01");
			return fd;
		}
		close(fd);
	}
	fail_msg("there is no room again");
	return -1;
}

static void F06_each_address_has_its_share(void **state)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct host host;
	int fds[4][EACH];
	options.connections_per_peer_max = EACH;
	options.loops = 2;
	host_start(&host, state, OVER_TCP, &options);
	for (uint8_t n = 1; n < 4; n++) {
		for (int i = 0; i < EACH; i++) {
			fds[n][i] = raw_connect_from(host.address, n);
			expect_served(fds[n][i]);
		}
		for (int i = 0; i < 10; i++)
			expect_closed(raw_connect_from(host.address, n));
	}
	assert_int_equal(host_counters(&host).connections_open, 3 * EACH);
	assert_int_equal(host_counters(&host).connections_refused, 30);
	assert_non_null(strstr(host.log, "3 of tcp://127.0.0.1:"));
	/* One goes: one may come, of the same address only. */
	leave(fds[2][0]);
	fds[2][0] = connect_again(host.address, 2);
	expect_closed(raw_connect_from(host.address, 2));
	expect_closed(raw_connect_from(host.address, 3));
	for (uint8_t n = 1; n < 4; n++)
		for (int i = 0; i < EACH; i++) {
			expect_served(fds[n][i]);
			close(fds[n][i]);
		}
	close(connect_again(host.address, 1));
	host_stop(&host);
}

/* All addresses of one IPv6 prefix are one peer, and all processes of one user. */
static void F06_one_prefix_and_one_user_are_one_peer(void **state)
{
	static const enum over kinds[] = {OVER_TCP, OVER_UNIX};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	char address[ADDRESS_SIZE];
	options.connections_per_peer_max = EACH;
	for (int row = 0; row < 2; row++) {
		struct host host;
		int fds[EACH];
		address_over(state, kinds[row], address);
		host_start_at(&host, row == 0 ? "tcp://[::1]:0" : address, &options);
		for (int i = 0; i < EACH; i++) {
			fds[i] = raw_connect(host.address);
			expect_served(fds[i]);
		}
		expect_closed(raw_connect(host.address));
		leave(fds[0]);
		fds[0] = connect_again(host.address, 0);
		expect_closed(raw_connect(host.address));
		for (int i = 0; i < EACH; i++)
			close(fds[i]);
		if (row == 1)
			assert_non_null(strstr(host.log, "3 of one user are open"));
		host_stop(&host);
	}
}

/* A peer that the program turns away does not count for long. */
static int turn_away(const struct brine_peer *peer, void *user)
{
	(void)peer;
	atomic_fetch_add((atomic_int *)user, 1);
	return -1;
}

static void F06_the_refused_do_not_count(void **state)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct host host;
	atomic_int asked = 0;
	options.connections_per_peer_max = 1;
	options.accept = turn_away;
	options.accept_user = &asked;
	host_start(&host, state, OVER_TCP, &options);
	for (int i = 0; i < 20; i++)
		expect_closed(raw_connect(host.address));
	assert_int_equal(atomic_load(&asked), 20);
	host_stop(&host);
}

/* ---- E02: thousands who send a byte now and then ---- */

enum {
	DRIPPERS = 5000,
	DRIP_INTERVAL_MS = 1000,
	DRIP_PRICE = 4096, /* beside the bytes received */
	DRIPPING_MS = 3 * PATIENCE_MS,
	COST_MOST = 3, /* times that of a call alone */
};

/* Processor time that the server spends on so many calls, in microseconds: neither what else the machine does nor how
 * soon a thread gets its turn has a part in it. The least of several tries, as what came before may still be worked
 * off in the first. */
static uint64_t cost_of_calls(struct brine_client *client, struct apart *apart)
{
	enum { TRIES = 5, CALLS = 200 };
	uint64_t least_us = UINT64_MAX;
	for (int i = 0; i < TRIES; i++) {
		uint64_t before_us = apart_ask(apart, 'r').cpu_us;
		for (int n = 0; n < CALLS; n++) {
			int64_t sum;
			assert_int_equal(calc_call_add(client, NULL, n, 1, &sum), 0);
			assert_int_equal(sum, n + 1);
		}
		uint64_t cost_us = apart_ask(apart, 'r').cpu_us - before_us;
		least_us = cost_us < least_us ? cost_us : least_us;
	}
	return least_us;
}

/* Sends one byte more; where the server has had enough, reads its goaway and closes. True: closed now. */
static bool drip(int *fd)
{
	char got[512];
	(void)send(*fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	ssize_t size = recv(*fd, got, sizeof got, MSG_DONTWAIT);
	if (size < 0 && errno == EAGAIN)
		return false;
	assert_in_range(size, 10, sizeof got);
	/* [20, 1, "no progress: ..."] */
	assert_memory_equal(got + 1, "\x94\x14\x01\xd9", 4);
	assert_memory_equal(got + 6, "no progress: ", 13);
	close(*fd);
	*fd = -1;
	return true;
}

/* Drips until the server has cut everybody, while somebody else is served. */
static void drip_to_the_end(int fds[DRIPPERS], struct brine_client *client)
{
	uint64_t deadline_ms = brine_clock_ms() + DRIPPING_MS;
	for (int left = DRIPPERS; left > 0;) {
		assert_true(brine_clock_ms() < deadline_ms);
		for (int i = 0; i < DRIPPERS; i++)
			left -= fds[i] >= 0 && drip(&fds[i]);
		probe(client);
	}
}

/* Thousands that are to bring something in each interval. False: the first were cut before the last had come. */
static bool thousands_drip(void **state, enum over kind, uint64_t interval_ms)
{
	static int fds[DRIPPERS];
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	options.limits.progress_interval_ms = interval_ms;
	options.limits.head_timeout_ms = 60000;
	apart_start(&apart, state, kind, &options);
	struct brine_client *client = client_of(apart.address, NULL);
	uint64_t alone_us = cost_of_calls(client, &apart);
	size_t base = apart_ask(&apart, 'r').held;
	for (int i = 0; i < DRIPPERS; i++)
		fds[i] = raw_connect(apart.address);
	for (int i = 0; i < DRIPPERS; i++)
		raw_send(fds[i], "\xce\x00\xff\xff\xff\x94", 6);
	uint64_t beside_us = cost_of_calls(client, &apart);
	struct apart_report report = apart_ask(&apart, 'r');
	bool all = report.counters.connections_open == DRIPPERS + 1;
	if (all) {
		print_message("calls beside %d that drip: %.2f of what they cost alone\n", DRIPPERS,
		              (double)beside_us / (double)alone_us);
		assert_in_range(beside_us, 0, COST_MOST * alone_us);
		assert_in_range((report.held - base) / DRIPPERS, 256, DRIP_PRICE);
	}
	drip_to_the_end(fds, client);
	brine_client_free(client);
	report = apart_stop(&apart);
	assert_in_range(report.held_most - base, 1, (size_t)DRIPPERS * (DRIP_PRICE + 64));
	return all;
}

static void E02_thousands_drip_over(void **state, enum over kind)
{
	need_descriptors(DRIPPERS + 100);
	for (uint64_t ms = DRIP_INTERVAL_MS; !thousands_drip(state, kind, ms); ms = twice_as_long(ms))
		;
}
DEFINE_BOTH(E02_thousands_drip)

/* ---- F05: ten thousand that hold on ---- */

enum {
	HOLDERS = 2,
	HELD_EACH = 5000,
	IDLE_PRICE = 8192,
};

/* What a process memory checker takes is not the server's price. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define RESIDENT_IS_ITS_OWN false
#else
#define RESIDENT_IS_ITS_OWN true
#endif

/* A process of clients: each of its connections makes a call whenever it is told a 'c', and ends with anything else. */
static void hold(int control, const char *address, unsigned number)
{
	static int fds[HELD_EACH];
	char told;
	for (int i = 0; i < HELD_EACH; i++)
		fds[i] = raw_connect_from(address, (uint8_t)(2 + number * 4 + (unsigned)i % 4));
	while (recv(control, &told, 1, 0) == 1 && told == 'c') {
		for (int i = 0; i < HELD_EACH; i++)
			raw_send_request(fds[i], i, "add", BRINE_BYTES("\x92\x02\x03", 3));
		for (int i = 0; i < HELD_EACH; i++) {
			uint8_t frame[128];
			size_t size = raw_read_frame(fds[i], frame);
			if (size < 5 || frame[1] != 1 || frame[size - 2] != 0xc0 || frame[size - 1] != 5)
				_exit(2);
		}
		if (send(control, &told, 1, MSG_NOSIGNAL) != 1)
			_exit(3);
	}
	_exit(0);
}

struct holder {
	pid_t pid;
	int control;
};

static void hold_begin(struct holder *holder, struct apart *apart, unsigned number)
{
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	holder->pid = fork();
	assert_true(holder->pid >= 0);
	if (holder->pid == 0) {
		close(pair[0]);
		hold(pair[1], apart->address, number);
	}
	close(pair[1]);
	holder->control = pair[0];
}

/* One call of each connection, all answered. */
static void hold_call(struct holder *holders)
{
	for (int i = 0; i < HOLDERS; i++)
		assert_int_equal(send(holders[i].control, "c", 1, MSG_NOSIGNAL), 1);
	for (int i = 0; i < HOLDERS; i++) {
		char byte;
		assert_int_equal(recv(holders[i].control, &byte, 1, 0), 1);
	}
}

static void hold_end(struct holder *holder)
{
	int status;
	assert_int_equal(send(holder->control, "e", 1, MSG_NOSIGNAL), 1);
	close(holder->control);
	assert_int_equal(waitpid(holder->pid, &status, 0), holder->pid);
	assert_int_equal(status, 0);
}

static void expect_price(const struct apart_report *base, const struct apart_report *now)
{
	assert_int_equal(now->counters.connections_open, HOLDERS * HELD_EACH + 1);
	size_t held = (now->held - base->held) / (HOLDERS * HELD_EACH);
	size_t resident = (now->resident - base->resident) / (HOLDERS * HELD_EACH);
	print_message("one of %d idle connections: %zu bytes held, %zu resident%s\n", HOLDERS * HELD_EACH, held,
	              resident, RESIDENT_IS_ITS_OWN ? "" : " (with a memory checker)");
	assert_in_range(held, 256, IDLE_PRICE);
	if (RESIDENT_IS_ITS_OWN)
		assert_in_range(resident, 256, IDLE_PRICE);
}

static void F05_ten_thousand_hold_on(void **state)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	struct holder holders[HOLDERS];
	need_descriptors(HOLDERS * HELD_EACH + 100);
	options.connections_max = 2 * HOLDERS * HELD_EACH;
	apart_start(&apart, state, OVER_TCP, &options);
	struct brine_client *client = client_of(apart.address, NULL);
	probe(client);
	struct apart_report base = apart_ask(&apart, 'r');
	for (unsigned i = 0; i < HOLDERS; i++)
		hold_begin(&holders[i], &apart, i);
	for (int round = 0; round < 3; round++) {
		hold_call(holders);
		struct apart_report now = apart_ask(&apart, 'r');
		expect_price(&base, &now);
		probe(client);
	}
	/* Idle for a while they give back what their calls took. */
	poll(NULL, 0, 1500);
	struct apart_report now = apart_ask(&apart, 'r');
	expect_price(&base, &now);
	for (int i = 0; i < HOLDERS; i++)
		hold_end(&holders[i]);
	probe(client);
	brine_client_free(client);
	assert_int_equal(apart_stop(&apart).counters.connections_accepted, HOLDERS * HELD_EACH + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(F06_each_address_has_its_share), e2e_test(F06_one_prefix_and_one_user_are_one_peer),
	        e2e_test(F06_the_refused_do_not_count),   BOTH(E02_thousands_drip),
	        e2e_test(F05_ten_thousand_hold_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
