/* Proves: a peer that sends, or takes, a byte a second is borne or cut as the limits say, and an idle one is kept or
 * seen off without losing a call. On simulated time. */
#include "conn_harness.h"

enum {
	HOUR_MS = 3600 * 1000,
	ANSWER_SIZE = 1000000, /* a little below what is assumed of any peer */
};

/* ---- E01: a byte a second within a frame ---- */

static void drip_script(struct harness *h)
{
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_feed(h, "ce00ffffff 94");
	for (unsigned second = 1; second <= 19; second++) {
		harness_pass(h, 1000);
		assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
		harness_feed(h, "00");
	}
	harness_pass(h, 999);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	harness_pass(h, 1);
	assert_in_range(h->memory.held_most, 1, 8192);
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_NO_PROGRESS,
	                     "no progress: 10 bytes of a frame in 10000 ms, at least 16384");
}

static void E01_a_byte_a_second(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	harness_run(&options, drip_script);
	options = harness_connecting();
	harness_run(&options, drip_script);
}

/* ---- E04: takes a byte a second ---- */

/* The peer takes size bytes of the output in each second; true: it still may after so many seconds. */
static bool take_slowly(struct harness *h, size_t size, unsigned seconds)
{
	for (unsigned second = 0; second < seconds && !h->closed; second++) {
		harness_pass(h, 1000);
		if (!h->closed)
			brine_conn_sent(h->conn, size, h->now_ms);
	}
	return !h->closed;
}

/* Two answers of a megabyte wait. */
static void begin_slow_taker(struct harness *h, const struct brine_conn_options *options)
{
	static uint8_t result[5 + ANSWER_SIZE] = {0xc6, 0x00, 0x0f, 0x42, 0x40};
	harness_begin(h, options, 0);
	h->no_writing = true;
	for (unsigned i = 0; i < 2; i++) {
		harness_message(h, i ? "940002 a4736c6f77 90" : "940001 a4736c6f77 90");
		assert_int_equal(
		        brine_conn_reply(h->conn, h->slow[i], BRINE_BYTES(result, sizeof result), none, h->now_ms), 0);
	}
	harness_pump(h);
	assert_true(brine_conn_pending(h->conn).size > 2 * ANSWER_SIZE);
}

static void end_slow_taker(struct harness *h)
{
	assert_in_range(h->memory.held_most, 1, 8 * ANSWER_SIZE);
	h->fed += 2 * ANSWER_SIZE; /* the answers count as something that the program brought */
	harness_end(h);
}

static void E04_a_byte_a_second_is_enough(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	begin_slow_taker(&h, &options);
	assert_true(take_slowly(&h, 1, 2 * 3600));
	assert_int_equal(brine_conn_counters(h.conn)->bytes_sent, 2 * 3600);
	end_slow_taker(&h);
}

static void E04_a_least_rate_can_be_asked_for(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	options.limits.output_progress_size = 10000;
	begin_slow_taker(&h, &options);
	assert_true(take_slowly(&h, 1200, 600));
	h.now_ms += 500; /* apart from the looks at the rate */
	assert_false(take_slowly(&h, 900, 21));
	assert_int_equal(h.closed_status, BRINE_ERR_NO_PROGRESS);
	assert_non_null(strstr(brine_conn_fault(h.conn)->text, "bytes of output in 10000 ms, at least 10000"));
	end_slow_taker(&h);

	/* What is taken at once is never slow, and time without output does not count. */
	harness_begin(&h, &options, 0);
	for (unsigned i = 0; i < 100; i++) {
		harness_pass(&h, 9999);
		harness_feed(&h, "03921201");
	}
	h.no_writing = true;
	harness_feed(&h, "03921201");
	harness_pass(&h, 9999);
	assert_int_equal(brine_conn_state(h.conn), BRINE_CONN_OPEN);
	harness_pass(&h, 1);
	assert_true(h.closed);
	harness_end(&h);
}

/* ---- E14: idle for hours ---- */

static void idle_server_script(struct harness *h)
{
	harness_feed(h, "03921201");
	for (unsigned i = 0; i < 3 * 60; i++) {
		harness_pass(h, 59 * 1000);
		harness_feed(h, "03921201");
	}
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	brine_buf_done(&h->output);
	harness_pass(h, 60 * 1000 - 1);
	harness_expect(h, "");
	/* The call that comes at that very moment is told, and its caller may try again elsewhere. */
	harness_pass(h, 1);
	harness_expect(h, "0f 94 14 00 a8 647261696e696e67 cd03e8");
	harness_feed(h, "0a940007a3616464920203");
	assert_int_equal(brine_buf_size(&h->output), 31);
	assert_memory_equal(h->output.data + h->output.start, "\x1e\x94\x01\x07\x92\x06", 6);
	assert_int_equal(h->handlers, 0);
	harness_pass(h, 3000);
	assert_true(h->closed);
	assert_int_equal(h->closed_status, BRINE_OK);
}

/* One that comes just before is executed, and the idle time begins anew. */
static void just_in_time_script(struct harness *h)
{
	harness_feed(h, "03921201");
	harness_pass(h, 60 * 1000 - 1);
	harness_feed(h, "0a940007a3616464920203");
	harness_pass(h, 60 * 1000 - 1);
	harness_expect(h, "03921301 05940107c005");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void idle_client_script(struct harness *h)
{
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	harness_pass(h, 5 * HOUR_MS);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	harness_feed(h, "0f 94 14 00 a8 647261696e696e67 cd03e8");
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_GOING_AWAY);
	harness_feed(h, "08 94 01 01 92 06 a1 78 c0");
	harness_expect_log(h, "goaway 0 'draining'\nresponse 1 BRINE_ERR_REMOTE 6 'x'\n");
	harness_eof(h);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void E14_idle_for_hours(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	options.limits.idle_timeout_ms = 60 * 1000;
	harness_run(&options, idle_server_script);
	harness_run(&options, just_in_time_script);
	options = harness_connecting();
	harness_run(&options, idle_client_script);
}

/* ---- times that no clock reaches ---- */

static void endless_drip_script(struct harness *h)
{
	harness_feed(h, "03921201 ce00ffffff 94");
	for (unsigned hour = 0; hour < 48; hour++) {
		harness_pass(h, HOUR_MS);
		harness_feed(h, "00");
	}
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	brine_conn_close(h->conn, h->now_ms);
	harness_pass(h, HOUR_MS);
	harness_expect_log(h, "");
	harness_eof(h);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void endless_drain_script(struct harness *h)
{
	harness_feed(h, "03921201");
	brine_conn_drain(h->conn, h->run % 2 ? BRINE_FOREVER : BRINE_FOREVER - 1, h->now_ms);
	harness_pass(h, HOUR_MS);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_DRAINING);
	harness_eof(h);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void times_at_their_most(void **state)
{
	(void)state;
	for (uint64_t less = 0; less < 3; less++) {
		struct brine_conn_options options = harness_accepting();
		struct brine_limits *limits = &options.limits;
		limits->head_timeout_ms = limits->progress_interval_ms = limits->stuck_output_ms =
		        limits->idle_timeout_ms = limits->linger_ms = limits->stall_timeout_ms = UINT64_MAX - less;
		limits->output_progress_size = 1;
		harness_run(&options, endless_drip_script);
		harness_run(&options, endless_drain_script);
	}
}

/* ---- a peer that takes nothing any more, and had sent something before ---- */

/* What it had sent is handled, also where it would have to wait for room in the output; nothing is queued or timed. */
static void mute_script(struct harness *h)
{
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	harness_feed(h, "03921080");
	harness_forget(h);
	h->no_writing = true;
	harness_call(h, "one", BRINE_FOREVER);
	size_t pending = brine_conn_pending(h->conn).size;
	/* Over the mark: this waits. */
	harness_feed(h, "059302a16e90");
	harness_expect_log(h, "");
	brine_conn_mute(h->conn, h->now_ms);
	assert_false(brine_conn_wants_read(h->conn));
	harness_pump(h);
	harness_expect_log(h, "notification n []\n");
	assert_true(brine_conn_wants_read(h->conn));
	harness_feed(h, "06940001a17890 03921207 05940101c005");
	harness_expect_log(h, "response 1 = 5\n");
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_LOST);
	assert_int_equal(brine_conn_notify(h->conn, call.method, none, none, NULL), BRINE_ERR_LOST);
	assert_int_equal(brine_conn_ping(h->conn, h->now_ms), BRINE_ERR_LOST);
	harness_pass(h, HOUR_MS);
	assert_int_equal(brine_conn_pending(h->conn).size, pending);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	brine_conn_lost(h->conn, BRINE_ERR_LOST, h->now_ms);
	harness_pump(h);
	harness_expect_log(h, "closed BRINE_ERR_LOST: the transport was lost\n");
}

/* Requests are not begun; calls that were not sent can still say so. */
static void mute_not_sent_script(struct harness *h)
{
	h->no_writing = true;
	harness_call(h, "one", BRINE_FOREVER);
	harness_call(h, "two", BRINE_FOREVER);
	brine_conn_sent(h->conn, 1, h->now_ms);
	brine_conn_mute(h->conn, h->now_ms);
	harness_feed(h, "06940001a17890 0a 94 14 07 a5 746f6f2062 00");
	harness_expect_log(h, "goaway 7 'too b'\nresponse 1 BRINE_ERR_LOST\nresponse 2 BRINE_ERR_NOT_SENT\n");
	brine_conn_lost(h->conn, BRINE_ERR_LOST, h->now_ms);
	harness_pump(h);
	harness_expect_log(h, "closed BRINE_ERR_GOAWAY: the peer reported fault 7: too b\n");
}

static void E07_mute_but_not_deaf(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	options.limits.output_mark = 1;
	options.limits.output_progress_size = 1;
	harness_run(&options, mute_script);
	harness_connect(mute_not_sent_script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(E01_a_byte_a_second),
	        cmocka_unit_test(E04_a_byte_a_second_is_enough),
	        cmocka_unit_test(E04_a_least_rate_can_be_asked_for),
	        cmocka_unit_test(E14_idle_for_hours),
	        cmocka_unit_test(times_at_their_most),
	        cmocka_unit_test(E07_mute_but_not_deaf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
