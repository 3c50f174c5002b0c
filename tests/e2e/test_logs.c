/* Proves: a disk that is full under a recording or a log costs what cannot be written, and nothing else (G19); a log or
 * a tap that fails, is slow, or stops the server does no harm (K02); counters that pass 2^32 and 2^64 do none either
 * (K03).
 */
#include "harness.h"

#include "server/server.h"

#include "examples/record.h"

#include <sys/resource.h>

enum { CALLS = 200 };

static void call_all(struct brine_client *client, int count)
{
	int64_t sum;
	for (int i = 0; i < count; i++) {
		assert_int_equal(calc_call_add(client, NULL, i, 1, &sum), 0);
		assert_int_equal(sum, i + 1);
	}
}

/* ---- recordings ---- */

/* The whole messages of a recording; fails where one is cut. */
static int count_recorded(const char *path)
{
	struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_buf bytes = BRINE_BUF_INIT;
	struct brine_bytes message;
	size_t prefix_size;
	char chunk[4096];
	int file = open(path, O_RDONLY | O_CLOEXEC), count = 0;
	assert_true(file >= 0);
	for (ssize_t got; (got = read(file, chunk, sizeof chunk)) > 0;)
		brine_buf_append(&bytes, chunk, (size_t)got);
	close(file);
	while (brine_buf_size(&bytes)) {
		assert_int_equal(brine_frame_find(brine_buf_bytes(&bytes), &limits, &message, &prefix_size, NULL), 1);
		brine_buf_take(&bytes, prefix_size + message.size);
		count++;
	}
	brine_buf_done(&bytes);
	return count;
}

/* Nothing can be written at all. */
static void G19_recording_on_a_full_disk_over(void **state, enum over kind)
{
	struct host host;
	struct recorder recorder;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	char prefix[300];
	snprintf(prefix, sizeof prefix, "%s", e2e_path(state, "full"));
	assert_int_equal(symlink("/dev/full", e2e_path(state, "full.c2s")), 0);
	assert_int_equal(symlink("/dev/full", e2e_path(state, "full.s2c")), 0);
	host_start(&host, state, kind, NULL);
	assert_int_equal(recorder_open(&recorder, prefix, &options), 0);
	struct brine_client *client = client_of(host.address, &options);
	call_all(client, CALLS);
	brine_client_free(client);
	/* Requests and answers, hello and welcome. */
	assert_in_range(recorder.dropped, 2 * CALLS + 2, 2 * CALLS + 4);
	assert_int_equal(recorder_close(&recorder), -1);
	host_stop(&host);
}
DEFINE_BOTH(G19_recording_on_a_full_disk)

/* The disk is full for a while, in the middle of a message: that and the next ones are left out, and counted. */
static void G19_recording_goes_on_over(void **state, enum over kind)
{
	struct host host;
	struct recorder recorder;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct rlimit before, small;
	char prefix[300];
	snprintf(prefix, sizeof prefix, "%s", e2e_path(state, "part"));
	host_start(&host, state, kind, NULL);
	assert_int_equal(recorder_open(&recorder, prefix, &options), 0);
	struct brine_client *client = client_of(host.address, &options);
	call_all(client, 10);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)(recorder.ends[BRINE_SENT] + 5 * 11 + 3);
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	call_all(client, CALLS);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, handler);
	uint64_t dropped = recorder.dropped;
	assert_in_range(dropped, CALLS, 2 * CALLS);
	call_all(client, 10);
	assert_int_equal(recorder.dropped, dropped);
	brine_client_free(client);
	int recorded = count_recorded(e2e_path(state, "part.c2s")) + count_recorded(e2e_path(state, "part.s2c"));
	assert_in_range(recorded + dropped, 2 * (CALLS + 20) + 2, 2 * (CALLS + 20) + 4);
	assert_int_equal(recorder_close(&recorder), -1);
	host_stop(&host);
}
DEFINE_BOTH(G19_recording_goes_on)

/* ---- logs ---- */

struct bad_log {
	struct host host;
	FILE *full;
	atomic_int *waits_for; /* writes nothing until this is so much more */
	int more;
	bool stops;
	atomic_int lines, failures;
};

static void take_time(const struct bad_log *log)
{
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS;
	for (int enough = atomic_load(log->waits_for) + log->more; atomic_load(log->waits_for) < enough;) {
		if (brine_clock_ms() > until_ms)
			return;
		poll(NULL, 0, 1);
	}
}

static void bad_log(void *user, const char *line)
{
	struct bad_log *log = user;
	if (log->waits_for)
		take_time(log);
	atomic_fetch_add(&log->lines, 1);
	if (log->full && (fprintf(log->full, "%s\n", line) < 0 || fflush(log->full) != 0))
		atomic_fetch_add(&log->failures, 1);
	if (log->stops)
		brine_server_stop(log->host.server);
}

static void bad_log_start(struct bad_log *log, void **state, enum over kind, uint32_t loops)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.loops = loops;
	host_prepare(&log->host, state, kind, &options);
	log->host.server->log.write = bad_log;
	log->host.server->log.user = log;
	host_launch(&log->host);
}

/* Something that is worth a line. */
static void provoke_line(struct brine_client *client)
{
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_BROKEN], &(struct calc_nothing){0}, NULL),
	                 BRINE_ERR_REMOTE);
}

static void G19_log_on_a_full_disk_over(void **state, enum over kind)
{
	static struct bad_log log;
	log = (struct bad_log){.full = fopen("/dev/full", "we")};
	assert_non_null(log.full);
	bad_log_start(&log, state, kind, 1);
	struct brine_client *client = client_of(log.host.address, NULL);
	for (int i = 0; i < 5; i++)
		provoke_line(client);
	call_all(client, CALLS);
	brine_client_free(client);
	host_stop(&log.host);
	assert_true(atomic_load(&log.failures) >= 5);
	fclose(log.full);
}
DEFINE_BOTH(G19_log_on_a_full_disk)

struct steady {
	const char *address;
	pthread_t thread;
	atomic_bool stop;
	atomic_int calls, failures;
};

static void *steady_run(void *argument)
{
	struct steady *steady = argument;
	struct brine_client *client;
	int64_t sum;
	if (brine_client_open(&client, steady->address, NULL, NULL) < 0)
		abort();
	while (!atomic_load(&steady->stop)) {
		if (calc_call_add(client, NULL, 1, 2, &sum) < 0)
			atomic_fetch_add(&steady->failures, 1);
		atomic_fetch_add(&steady->calls, 1);
	}
	brine_client_free(client);
	return NULL;
}

/* A log that takes its time holds up the loop that calls it, and no other: here so long that another one is seen to go
 * on. */
static void K02_slow_log_over(void **state, enum over kind)
{
	enum { DURING = 20 };
	static struct bad_log log;
	static struct steady steady;
	log = (struct bad_log){.waits_for = &steady.calls, .more = DURING};
	bad_log_start(&log, state, kind, 2);
	/* Connections go to the loop that has fewer: one each. */
	struct brine_client *client = client_of(log.host.address, NULL);
	call_all(client, 1);
	steady = (struct steady){.address = log.host.address};
	assert_int_equal(pthread_create(&steady.thread, NULL, steady_run, &steady), 0);
	wait_for_count(&steady.calls, 10);
	int before = atomic_load(&steady.calls);
	provoke_line(client);
	int during = atomic_load(&steady.calls) - before;
	atomic_store(&steady.stop, true);
	pthread_join(steady.thread, NULL);
	brine_client_free(client);
	host_stop(&log.host);
	assert_int_equal(atomic_load(&steady.failures), 0);
	assert_true(atomic_load(&log.lines) >= 1);
	assert_true(during >= DURING);
}
DEFINE_BOTH(K02_slow_log)

/* The one call that a log may make. */
static void K02_log_stops_the_server_over(void **state, enum over kind)
{
	static struct bad_log log;
	log = (struct bad_log){.stops = true};
	bad_log_start(&log, state, kind, 2);
	struct brine_client *client = client_of(log.host.address, NULL);
	provoke_line(client);
	host_join(&log.host);
	assert_int_equal(log.host.result, 0);
	brine_client_free(client);
	host_free(&log.host);
}
DEFINE_BOTH(K02_log_stops_the_server)

/* ---- counters ---- */

static void K03_counters_pass_their_ends_over(void **state, enum over kind)
{
	static const uint64_t starts[] = {UINT32_MAX - 10, UINT64_MAX - 10};
	struct host host;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		host_prepare(&host, state, kind, NULL);
		for (int which = 0; which < BRINE_COUNTS; which++)
			if (which != BRINE_COUNT_OPEN) /* the one that goes down again, and is asked */
				atomic_store(&host.server->loop_threads[0]->host.counts[which], starts[i]);
		host_launch(&host);
		struct brine_client *client = client_of(host.address, NULL);
		call_all(client, CALLS);
		provoke_line(client);
		brine_client_free(client);
		host_end(&host);
		struct brine_server_counters counters = host_counters(&host);
		assert_int_equal(counters.requests, starts[i] + CALLS + 1);
		assert_int_equal(counters.connections_accepted, starts[i] + 1);
		assert_int_equal(counters.connections_open, 0);
		host_free(&host);
	}
}
DEFINE_BOTH(K03_counters_pass_their_ends)

/* Those of a connection, in the same way. */
static void K03_connections_counters_pass_their_ends(void **state)
{
	(void)state;
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	struct fail_allocator memory;
	size_t held_most[2];
	for (int round = 0; round < 2; round++) {
		fail_allocator_init(&memory, 0, false);
		options.role = BRINE_ACCEPTING;
		options.allocator = &memory.base;
		struct brine_conn *conn;
		assert_int_equal(brine_conn_new(&conn, &options, 1, NULL), 0);
		struct brine_conn_counters *counters =
		        (struct brine_conn_counters *)(uintptr_t)brine_conn_counters(conn);
		if (round)
			*counters = (struct brine_conn_counters){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
			                                         UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
		struct brine_event event;
		for (uint64_t now_ms = 1; now_ms <= 1000; now_ms++) {
			/* A ping, a late answer, and a notification. */
			assert_int_equal(
			        brine_conn_feed(
			                conn,
			                BRINE_BYTES("\x03\x92\x12\x01\x05\x94\x01\x07\xc0\xc0\x05\x93\x02\xa1x\x90",
			                            16),
			                now_ms),
			        0);
			int events = 0;
			while (brine_conn_next(conn, &event, now_ms) > 0)
				events += event.type == BRINE_EVENT_NOTIFICATION;
			assert_int_equal(events, 1);
			brine_conn_sent(conn, brine_conn_pending(conn).size, now_ms);
		}
		assert_int_equal(brine_conn_state(conn), BRINE_CONN_OPEN);
		assert_int_equal(counters->frames_received, round ? 2999 : 3000);
		brine_conn_free(conn);
		held_most[round] = memory.held_most;
	}
	assert_int_equal(held_most[0], held_most[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(G19_recording_on_a_full_disk),
	        BOTH(G19_recording_goes_on),
	        BOTH(G19_log_on_a_full_disk),
	        BOTH(K02_slow_log),
	        BOTH(K02_log_stops_the_server),
	        BOTH(K03_counters_pass_their_ends),
	        cmocka_unit_test(K03_connections_counters_pass_their_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
