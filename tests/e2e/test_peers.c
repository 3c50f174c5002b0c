/* Proves: peers that are silent, slow, greedy or gone cost a server a bounded amount for a bounded time, and nobody
 * else anything. */
#include "harness.h"

enum { MIB = 1 << 20 };

/* A server whose memory is counted, and a client of it that must go on working. */
struct watched {
	struct host host;
	struct fail_allocator allocator;
	struct brine_client *client;
};

static void watched_start(struct watched *watched, void **state, enum over kind, struct brine_server_options *options)
{
	fail_allocator_init(&watched->allocator, 0, false);
	options->allocator = &watched->allocator.base;
	host_start(&watched->host, state, kind, options);
	watched->client = client_of(watched->host.address, NULL);
	/* Where peers have little time for their first frame it may come too late, once. */
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS;
	for (int64_t sum; calc_call_add(watched->client, NULL, 1, 1, &sum) < 0;)
		assert_true(brine_clock_ms() < until_ms);
}

static void watched_probe(struct watched *watched)
{
	for (int i = 0; i < 20; i++) {
		int64_t sum;
		assert_int_equal(calc_call_add(watched->client, NULL, i, 1, &sum), 0);
		assert_int_equal(sum, i + 1);
	}
}

/* Ends the server and checks that it never held more than so much. */
static void watched_stop(struct watched *watched, size_t held_most)
{
	brine_client_free(watched->client);
	host_end(&watched->host);
	assert_int_equal(host_counters(&watched->host).connections_open, 0);
	host_free(&watched->host);
	assert_in_range(watched->allocator.held_most, 1, held_most);
	assert_int_equal(watched->allocator.held, 0);
}

/* A15: connects and says nothing: closed without a byte. */
static void says_nothing_over(void **state, enum over kind)
{
	enum { PEERS = 50 };
	struct watched watched;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_buf nothing = BRINE_BUF_INIT;
	int fds[PEERS];
	options.limits.head_timeout_ms = 100;
	watched_start(&watched, state, kind, &options);
	watched_probe(&watched);
	for (int i = 0; i < PEERS; i++)
		fds[i] = raw_connect(watched.host.address);
	raw_send_hex(fds[0], "0a"); /* a length alone is no frame head either */
	for (int i = 0; i < PEERS; i++) {
		raw_read_to_end(fds[i], &nothing);
		close(fds[i]);
	}
	assert_int_equal(brine_buf_size(&nothing), 0);
	brine_buf_done(&nothing);
	watched_probe(&watched);
	watched_stop(&watched, 512 * 1024);
}
DEFINE_BOTH(says_nothing)

/* E03 E05: sends requests and never reads the answers: reading stops at the mark, and the connection is cut. */
static void never_reads_over(void **state, enum over kind)
{
	enum { REQUESTS = 100, MARK = 256 * 1024 };
	struct watched watched;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.limits.output_mark = MARK;
	options.limits.stuck_output_ms = 150;
	watched_start(&watched, state, kind, &options);
	int fd = raw_connect(watched.host.address);
	for (int i = 0; i < REQUESTS; i++)
		raw_send_request(fd, i, "calc.Calc/Make", BRINE_BYTES("\x91\xce\x00\x08\x00\x00", 6));
	watched_probe(&watched);
	/* The log tells of the cut; only then the rest is read: by far not all the answers. */
	wait_for_count(&watched.host.log_lines, 1);
	struct brine_buf got = BRINE_BUF_INIT;
	raw_read_to_end(fd, &got);
	assert_true(brine_buf_size(&got) < (size_t)REQUESTS * MIB / 4);
	brine_buf_done(&got);
	watched_probe(&watched);
	close(fd);
	/* One answer may pass the mark, and is in the making while it is copied; a hundred would be 50 MiB. */
	watched_stop(&watched, (size_t)8 * MIB);
	expect_cut_off(&watched.host, kind);
}
DEFINE_BOTH(never_reads)

/* E08: reset at every byte of a frame. */
static void resets_over(void **state, enum over kind)
{
	static const char frame[] = "\x0a\x94\x00\x05\xa3"
	                            "add\x92\x02\x03";
	struct watched watched;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct linger hard = {1, 0};
	watched_start(&watched, state, kind, &options);
	for (int round = 0; round < 10; round++) {
		for (size_t size = 0; size < sizeof frame; size++) {
			int fd = raw_connect(watched.host.address);
			raw_send(fd, frame, size);
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
			close(fd);
		}
		watched_probe(&watched);
	}
	watched_stop(&watched, MIB);
}
DEFINE_BOTH(resets)

/* F04: connects and goes, as fast as it can. */
static void storm_over(void **state, enum over kind)
{
	struct watched watched;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	watched_start(&watched, state, kind, &options);
	for (int i = 0; i < 1000; i++) {
		close(raw_connect(watched.host.address));
		if (i % 100 == 0)
			watched_probe(&watched);
	}
	watched_stop(&watched, (size_t)2 * MIB);
}
DEFINE_BOTH(storm)

/* F07: notifications without end are worked off as they come, none waits in memory. */
static void notifications_flood_over(void **state, enum over kind)
{
	enum { COUNT = 20000 };
	struct watched watched;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	watched_start(&watched, state, kind, &options);
	int fd = raw_connect(watched.host.address);
	for (int i = 0; i < COUNT; i++)
		raw_send_request(fd, -1, "calc.Calc/Note", BRINE_BYTES("\x90", 1));
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
	assert_int_equal(atomic_load(&watched.host.calc.notes), COUNT);
	close(fd);
	watched_probe(&watched);
	watched_stop(&watched, MIB);
}
DEFINE_BOTH(notifications_flood)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(says_nothing), BOTH(never_reads), BOTH(resets), BOTH(storm), BOTH(notifications_flood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
