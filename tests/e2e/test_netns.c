/* Proves: a network that drops everything for a while, or some of it all the time, or is slow, costs no call but those
 * that must be given up, and those once (E12, E13).
 *
 * The client's process and the server's are in network namespaces of their own, a veth pair between them. nftables
 * drops packets at the client's end, tbf limits what leaves it. Reordering would need netem, which few kernels of test
 * machines have. */
#include "apart.h"

#include <sched.h>

#define NEAR   "10.99.0.1"
#define FAR    "10.99.0.2"
#define SERVER "tcp://" FAR ":7411"

#define SLOW_LINE "tbf rate 1mbit burst 32kb latency 400ms"

enum { SKIPPED = 77, ECHO_SIZE = 256 * 1024, WORK_ROUNDS = 15, AT_ONCE = 20 };

static bool run(const char *command)
{
	return system(command) == 0;
}

static void must(const char *command)
{
	if (!run(command))
		fail_msg("failed: %s", command);
}

/* ---- two namespaces ---- */

/* The server's process: goes into a namespace of its own, waits for its end of the cable. */
static void live_apart(int control, const struct brine_server_options *options)
{
	char byte;
	if (unshare(CLONE_NEWNET) < 0 || send(control, "u", 1, MSG_NOSIGNAL) != 1 || recv(control, &byte, 1, 0) != 1 ||
	    !run("ip address add " FAR "/24 dev far && ip link set far up"))
		_exit(4);
	apart_run(control, SERVER, options);
}

static void network_start(struct apart *apart, const struct brine_server_options *options)
{
	int pair[2];
	char command[128], byte;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	apart->pid = fork();
	assert_true(apart->pid >= 0);
	if (apart->pid == 0) {
		close(pair[0]);
		live_apart(pair[1], options);
	}
	close(pair[1]);
	apart->control = pair[0];
	assert_int_equal(recv(apart->control, &byte, 1, 0), 1);
	snprintf(command, sizeof command, "ip link add name near type veth peer name far netns %d", (int)apart->pid);
	must(command);
	must("ip address add " NEAR "/24 dev near && ip link set near up");
	assert_int_equal(send(apart->control, "g", 1, MSG_NOSIGNAL), 1);
	if (recv(apart->control, apart->address, sizeof apart->address, MSG_WAITALL) != sizeof apart->address)
		fail_msg("the server's process did not start");
}

/* The cable goes with the namespace of the process. */
static struct apart_report network_stop(struct apart *apart)
{
	struct apart_report report = apart_stop(apart);
	(void)run("ip link delete near 2>/dev/null");
	return report;
}

/* Drops packets, both ways: what matches the expression. */
static void drop(const char *expression)
{
	char command[512];
	snprintf(command, sizeof command,
	         "nft 'table ip faults { "
	         "chain in { type filter hook input priority 0; iifname near %s counter drop; }; "
	         "chain out { type filter hook output priority 0; oifname near %s counter drop; }; }'",
	         expression, expression);
	must(command);
}

/* Drops nothing any more. Returns how many packets were dropped: none would prove nothing. */
static unsigned heal(void)
{
	char line[256];
	unsigned dropped = 0, packets;
	FILE *rules = popen("nft list table ip faults", "r");
	assert_non_null(rules);
	while (fgets(line, sizeof line, rules)) {
		const char *counter = strstr(line, "counter packets ");
		if (counter && sscanf(counter, "counter packets %u", &packets) == 1)
			dropped += packets;
	}
	pclose(rules);
	must("nft delete table ip faults");
	return dropped;
}

static struct brine_client *keeping_client(uint64_t keepalive_ms, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.keepalive_ms = keepalive_ms;
	options.mode = mode;
	options.timeout_ms = 120000;
	return client_of(SERVER, &options);
}

/* ---- E12: a partition ---- */

enum { DURING = 20 };

/* Heals before the keepalive has had enough: every call is answered, and ran once. */
static void E12_heals_in_time(void **state)
{
	(void)state;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	struct brine_call calls[DURING];
	int64_t sum;
	network_start(&apart, &options);
	struct brine_client *client = keeping_client(20000, BRINE_CLIENT_BACKGROUND);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	drop("");
	for (int i = 0; i < DURING; i++) {
		struct calc_pair pair = {i, 1};
		calls[i] = (struct brine_call)BRINE_CALL_INIT;
		assert_int_equal(brine_client_begin(client, &calls[i], &calc_methods[CALC_ADD], &pair), 0);
	}
	poll(NULL, 0, 2000);
	assert_in_range(heal(), 1, 10000);
	for (int i = 0; i < DURING; i++) {
		struct calc_number number;
		assert_int_equal(brine_call_finish(&calls[i], &number), 0);
		assert_int_equal(number.value, i + 1);
		brine_call_done(&calls[i]);
	}
	brine_client_free(client);
	struct apart_report report = network_stop(&apart);
	assert_int_equal(report.counters.requests, 1 + DURING);
	assert_int_equal(report.counters.connections_accepted, 1);
}

/* Heals too late: the calls are lost once, and the old connection's answers reach nobody on the new one. */
static void E12_heals_too_late(void **state)
{
	(void)state;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	struct brine_call held = BRINE_CALL_INIT, call = BRINE_CALL_INIT;
	struct calc_number number = {4711};
	int64_t sum;
	network_start(&apart, &options);
	struct brine_client *client = keeping_client(300, BRINE_CLIENT_BACKGROUND);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	assert_int_equal(brine_client_begin(client, &held, &calc_methods[CALC_HOLD], &(struct calc_nothing){0}), 0);
	while (apart_ask(&apart, 'r').counters.requests < 2)
		poll(NULL, 0, 10);
	drop("");
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_LOST);
	assert_int_equal(brine_call_finish(&held, &number), BRINE_ERR_LOST);
	/* Nobody is there, which is told as what it is. */
	call.timeout_ms = 500;
	int status = calc_call_add(client, &call, 1, 2, &sum);
	assert_true(status == BRINE_ERR_DEADLINE || status == BRINE_ERR_CONNECT || status == BRINE_ERR_NOT_SENT);
	assert_in_range(heal(), 1, 10000);
	uint64_t before = apart_ask(&apart, 'r').counters.requests;
	call.timeout_ms = 0;
	call.wait_for_ready = true;
	for (int i = 0; i < 100; i++) {
		/* The server answers the old call on the old connection meanwhile. */
		number.value = 4711;
		if (i == 50)
			assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_RELEASE], &number, &number),
			                 0);
		assert_int_equal(calc_call_add(client, &call, i, i, &sum), 0);
		assert_int_equal(sum, 2 * i);
	}
	brine_call_done(&held);
	brine_call_done(&call);
	brine_client_free(client);
	struct apart_report report = network_stop(&apart);
	/* The one that was lost may have run when the network healed. */
	assert_in_range(report.counters.requests - before, 101, 102);
	assert_int_equal(report.counters.connections_accepted, 2);
}

/* A cable that is pulled and put back is no end of a connection either. */
static void E12_the_link_goes_down(void **state)
{
	(void)state;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_pair pair = {20, 3};
	struct calc_number number;
	int64_t sum;
	network_start(&apart, &options);
	struct brine_client *client = keeping_client(20000, BRINE_CLIENT_BACKGROUND);
	assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
	must("ip link set near down");
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_ADD], &pair), 0);
	poll(NULL, 0, 1000);
	must("ip link set near up");
	assert_int_equal(brine_call_finish(&call, &number), 0);
	assert_int_equal(number.value, 23);
	brine_call_done(&call);
	brine_client_free(client);
	assert_int_equal(network_stop(&apart).counters.requests, 2);
}

/* ---- E13: loss, duplicates, a slow line ---- */

/* Calls of both sizes, one after the other and many at a time; all must be answered right. */
static void work(struct brine_client *client)
{
	struct brine_call calls[AT_ONCE], call = BRINE_CALL_INIT;
	struct calc_number size = {ECHO_SIZE};
	struct calc_blob blob;
	for (int round = 0; round < WORK_ROUNDS; round++) {
		for (int i = 0; i < AT_ONCE; i++) {
			struct calc_pair pair = {round, i};
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			assert_int_equal(brine_client_begin(client, &calls[i], &calc_methods[CALC_ADD], &pair), 0);
		}
		assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MAKE], &size, &blob), 0);
		assert_int_equal(blob.data.size, ECHO_SIZE);
		assert_int_equal(((const char *)blob.data.data)[ECHO_SIZE - 1], 'x');
		struct calc_number measured;
		assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_MEASURE], &blob, &measured), 0);
		assert_int_equal(measured.value, ECHO_SIZE);
		for (int i = 0; i < AT_ONCE; i++) {
			struct calc_number sum;
			assert_int_equal(brine_call_finish(&calls[i], &sum), 0);
			assert_int_equal(sum.value, round + i);
			brine_call_done(&calls[i]);
		}
	}
	brine_call_done(&call);
	brine_client_free(client);
}
enum { WORK_CALLS = WORK_ROUNDS * (AT_ONCE + 2) };

static void E13_packets_are_lost(void **state)
{
	static const char *const losses[] = {"numgen random mod 100 < 2", "numgen random mod 100 < 10"};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
		struct apart apart;
		network_start(&apart, &options);
		struct brine_client *client = keeping_client(0, BRINE_CLIENT_BACKGROUND);
		drop(losses[i]);
		work(client);
		unsigned dropped = heal();
		print_message("%s: %u packets dropped\n", losses[i], dropped);
		assert_in_range(dropped, 1, 1000000);
		struct apart_report report = network_stop(&apart);
		assert_int_equal(report.counters.requests, WORK_CALLS);
		assert_int_equal(report.counters.connections_accepted, 1);
	}
}

/* Every tenth packet comes twice, some of the copies behind later ones. */
static void E13_packets_come_twice(void **state)
{
	(void)state;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	network_start(&apart, &options);
	if (!run("nft 'table ip faults { chain out { type filter hook output priority 0; "
	         "oifname near numgen random mod 100 < 10 counter dup to " FAR "; }; }' 2>/dev/null")) {
		network_stop(&apart);
		printf("skipped: this kernel's nftables cannot duplicate packets\n");
		skip();
	}
	work(keeping_client(0, BRINE_CLIENT_BACKGROUND));
	assert_in_range(heal(), 1, 1000000);
	assert_int_equal(network_stop(&apart).counters.requests, WORK_CALLS);
}

/* Large messages over a slow line, one each way, take longer than any timer of the connection, and are not cut off. */
static void E13_a_slow_line(void **state)
{
	enum { SIZE = 4 << 20, TAKES_MS = 30000 }; /* at 1 Mbit/s: 33.5 s */
	(void)state;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct apart apart;
	struct calc_blob blob = {BRINE_BYTES(calloc(1, SIZE), SIZE)}, made;
	struct calc_number size = {SIZE};
	struct brine_call up = BRINE_CALL_INIT, down = BRINE_CALL_INIT;
	char command[160];
	assert_non_null(blob.data.data);
	network_start(&apart, &options);
	must("tc qdisc add dev near root " SLOW_LINE);
	snprintf(command, sizeof command, "nsenter --net=/proc/%d/ns/net tc qdisc add dev far root " SLOW_LINE,
	         (int)apart.pid);
	must(command);
	struct brine_client *client = keeping_client(10000, BRINE_CLIENT_BACKGROUND);
	/* By now the client knows that the server takes messages of that size. */
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_MEASURE], &(struct calc_blob){0}, NULL), 0);
	uint64_t began_ms = brine_clock_ms();
	assert_int_equal(brine_client_begin(client, &down, &calc_methods[CALC_MAKE], &size), 0);
	assert_int_equal(brine_client_begin(client, &up, &calc_methods[CALC_MEASURE], &blob), 0);
	if (brine_call_finish(&up, &size) < 0)
		fail_msg("up: %s", brine_call_error_text(&up));
	if (brine_call_finish(&down, &made) < 0)
		fail_msg("down: %s", brine_call_error_text(&down));
	assert_int_equal(size.value, SIZE);
	assert_int_equal(made.data.size, SIZE);
	assert_true(brine_clock_ms() - began_ms >= TAKES_MS);
	brine_call_done(&up);
	brine_call_done(&down);
	brine_client_free(client);
	free((void *)(uintptr_t)blob.data.data);
	struct apart_report report = network_stop(&apart);
	assert_int_equal(report.counters.requests, 3);
	assert_int_equal(report.counters.connections_accepted, 1);
}

/* Goes into a namespace of its own; a user who is not root becomes root of it. */
static bool leave_network(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(E12_heals_in_time),    e2e_test(E12_heals_too_late),     e2e_test(E12_the_link_goes_down),
	        e2e_test(E13_packets_are_lost), e2e_test(E13_packets_come_twice), e2e_test(E13_a_slow_line),
	};
	const char *missing = NULL;
	if (!leave_network())
		missing = "this process may not make network namespaces: run it as root, outside of a container";
	else if (!run("ip link add name near type veth peer name far && ip link delete near"))
		missing = "no veth pairs here: install iproute2";
	else if (!run("nft 'table ip faults { chain in { type filter hook input priority 0; }; }' && "
	              "nft delete table ip faults"))
		missing = "nftables do not work here: install nftables";
	if (missing) {
		printf("skipped: %s\n", missing);
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
