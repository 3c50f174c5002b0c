/* Proves: how a connection is greeted, kept, drained and ended, what floods cost, what plain peers get, and that every
 * failing allocation is survived. On simulated time; scripts run whole, byte by byte and at 16 random cuts. */
#include "conn_harness.h"

static void health_check_script(struct harness *h)
{
	harness_feed(h, "03921201");
	harness_expect(h, "03921301");
	harness_eof(h);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void a_ping_is_a_health_check(void **state)
{
	(void)state;
	harness_serve(health_check_script);
}

static void hello_script(struct harness *h)
{
	harness_expect(h, "1d 9210 84 a17601 a36d6178ce01000000 a563616c6c73cd0100 a377696e10");
	harness_message(h, "9211 85 a17601 a46e616d65a26162 a36d6178cd0800 a563616c6c7302 a46c697665c3");
	harness_expect_log(h, "hello max 2048\n");
	const struct brine_frame_hello *peer = brine_conn_peer(h->conn);
	assert_int_equal(peer->calls_max, 2);
	assert_true(peer->live);
	assert_true(brine_str_equal(peer->name, BRINE_STR("ab")));
	harness_call(h, "x", BRINE_FOREVER);
	harness_call(h, "x", BRINE_FOREVER);
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_OVERLOADED);
	harness_message(h, "9211 80");
	assert_int_equal(brine_conn_fault(h->conn)->code, BRINE_ERR_PROTO);
}

static void hello_and_welcome(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, hello_script);
}

static void silent_server_script(struct harness *h)
{
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_STATE);
	harness_feed(h, "03921201");
	brine_buf_done(&h->output);
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_notify(h->conn, call.method, none, none, NULL), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_ping(h->conn, h->now_ms), BRINE_ERR_STATE);
	harness_expect(h, "");
}

static void greeted_server_script(struct harness *h)
{
	harness_feed(h, "03921080");
	brine_buf_done(&h->output);
	brine_buf_done(&h->log);
	assert_int_equal(harness_call(h, "x", BRINE_FOREVER), 1);
	assert_int_equal(brine_conn_notify(h->conn, BRINE_STR("n"), none, none, NULL), 0);
	assert_int_equal(brine_conn_ping(h->conn, h->now_ms), 0);
	assert_int_equal(brine_conn_ping(h->conn, h->now_ms), BRINE_ERR_BUSY);
	harness_pump(h);
	harness_expect(h, "06940001a17890 059302a16e90 03921201");
	harness_feed(h, "03921302 03921301 03921301 05940101c005");
	harness_expect_log(h, "pong\nresponse 1 = 5\n");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 2);
	assert_int_equal(brine_conn_ping(h->conn, h->now_ms), 0);
}

static void F02_server_speaks_only_when_greeted(void **state)
{
	(void)state;
	harness_serve(silent_server_script);
	harness_serve(greeted_server_script);
}

static void misuse_script(struct harness *h)
{
	struct brine_conn_call call = {.deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_INVALID);
	call.method = BRINE_STR("x");
	call.params = BRINE_BYTES("\x05", 1);
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_INVALID);
	call.params = none;
	call.deadline_ms = h->now_ms;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_DEADLINE);
	static const char large[9000];
	call.deadline_ms = BRINE_FOREVER;
	call.metadata = BRINE_BYTES(large, sizeof large);
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_TOO_BIG);
	assert_int_equal(brine_conn_reply(h->conn, 99, none, none, h->now_ms), BRINE_ERR_NOT_FOUND);
	brine_conn_cancel(h->conn, 99, h->now_ms);
	brine_conn_release(h->conn, 99, h->now_ms);
	harness_pump(h);
	harness_expect(h, "");
	assert_int_equal(brine_conn_calls_outgoing(h->conn), 0);
}

static void local_misuse_changes_nothing(void **state)
{
	(void)state;
	harness_connect(misuse_script);
}

static void options_are_checked(void **state)
{
	(void)state;
	struct brine_conn *conn = NULL;
	struct brine_error error;
	for (unsigned i = 0; i < 10; i++) {
		struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
		switch (i) {
		case 0: options.struct_size--; break;
		case 1: options.role = 2; break;
		case 2: options.wire = 3; break;
		case 3: options.plain_errors = -1; break;
		case 4: options.limits.message_size_max = 1023; break;
		case 5: options.limits.depth_max = 33; break;
		case 6: options.limits.options_count_max = 257; break;
		case 7: options.limits.calls_max = 0; break;
		case 8:
			options.role = BRINE_ACCEPTING;
			options.hello = true;
			break;
		case 9:
			options.wire = BRINE_WIRE_PLAIN;
			options.hello = true;
			break;
		}
		assert_int_equal(brine_conn_new(&conn, &options, 0, &error), BRINE_ERR_INVALID);
		assert_true(strlen(error.text) > 5);
		assert_null(conn);
	}
}

static void F01_ping_flood(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	h.no_writing = true;
	for (unsigned i = 0; i < 100000; i++)
		harness_feed(&h, "03921201");
	assert_int_equal(brine_conn_pending(h.conn).size, 16 * 4);
	assert_int_equal(brine_conn_counters(h.conn)->glitches, 100000 - 16);
	assert_in_range(h.memory.held_most, 1, 8192);
	h.no_writing = false;
	harness_pump(&h);
	harness_feed(&h, "03921202");
	assert_int_equal(brine_buf_size(&h.output), 17 * 4);
	harness_end(&h);
}

static void after_fault_script(struct harness *h)
{
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_feed(h, "0c 94 14 01 a7 6261 64 1b 5b 6d 65 00 0a940005a3616464920203 05940101c005");
	harness_expect_log(h, "goaway 1 'bad\\x1b[me'\nresponse 1 BRINE_ERR_LOST\n");
	harness_expect(h, "");
	harness_pass(h, 1000);
	harness_expect_log(h, "closed BRINE_ERR_GOAWAY: the peer reported fault 1: bad\\x1b[me\n");
	assert_int_equal(h->handlers, 0);
}

static void drained_script(struct harness *h)
{
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_feed(h, "06 94 14 00 a1 78 00 06 94 14 00 a1 78 00");
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_GOING_AWAY);
	/* Everything else goes on: calls in the other direction, pings, the running call. */
	harness_feed(h, "0a940005a3616464920203 03921201 05940101c005");
	harness_expect(h, "05940105c005 03921301");
	harness_expect_log(h, "goaway 0 'x'\ngoaway 0 'x'\nrequest add [2, 3]\nresponse 1 = 5\n");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_CLOSING);
	harness_eof(h);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void F09_goaways(void **state)
{
	(void)state;
	harness_connect(after_fault_script);
	harness_connect(drained_script);
}

static void drain_script(struct harness *h)
{
	harness_message(h, "940001 a4736c6f77 90");
	brine_conn_drain(h->conn, 30000, h->now_ms);
	harness_message(h, "940002 a3616464 920203");
	harness_expect(h, "0f 94 14 00 a8 647261696e696e67 cd7530 1e 940102 9206b7 "
	                  "676f696e6720617761792c206e6f742073746172746564 c0");
	harness_pass(h, 5000);
	harness_answer_slow(h, 0);
	harness_pump(h);
	harness_expect(h, "05940101c02a");
	/* A request that crossed the goaway still gets its answer. */
	harness_message(h, "940003 a3616464 920203");
	assert_int_equal(brine_buf_size(&h->output), 31);
	brine_buf_done(&h->output);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_DRAINING);
	harness_eof(h);
	assert_true(h->closed);
	assert_int_equal(h->closed_status, BRINE_OK);
}

static void grace_script(struct harness *h)
{
	harness_feed(h, "03921080");
	harness_message(h, "940001 a4736c6f77 90");
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	brine_buf_done(&h->output);
	brine_buf_done(&h->log);
	brine_conn_drain(h->conn, 30000, h->now_ms);
	brine_conn_drain(h->conn, 2000, h->now_ms);
	harness_pass(h, 1999);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_DRAINING);
	brine_buf_done(&h->output);
	harness_pass(h, 1);
	harness_expect(h, "03920801 10 940101 9204a963616e63656c6c6564 c0");
	harness_expect_log(h, "response 2 BRINE_ERR_CANCELLED\ncancel BRINE_ERR_CANCELLED\n");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_CLOSING);
	harness_pass(h, 1000);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void idle_client_script(struct harness *h)
{
	harness_feed(h, "03921201");
	brine_conn_drain(h->conn, 30000, h->now_ms);
	harness_pass(h, 1999);
	assert_false(h->closed);
	harness_pass(h, 1);
	assert_true(h->closed);
}

static void drains(void **state)
{
	(void)state;
	harness_serve(drain_script);
	harness_serve(grace_script);
	harness_serve(idle_client_script);
}

static void half_close_script(struct harness *h)
{
	harness_message(h, "940001 a4736c6f77 90");
	harness_eof(h);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	assert_false(brine_conn_wants_read(h->conn));
	harness_answer_slow(h, 0);
	harness_pump(h);
	harness_expect(h, "05940101c02a");
	harness_expect_log(h, "request slow []\nclosed BRINE_OK\n");
}

static void server_ends_script(struct harness *h)
{
	h->no_writing = true;
	harness_call(h, "x", BRINE_FOREVER);
	brine_conn_sent(h->conn, 3, h->now_ms);
	harness_call(h, "x", BRINE_FOREVER);
	harness_eof(h);
	harness_expect_log(h, "response 1 BRINE_ERR_LOST\nresponse 2 BRINE_ERR_NOT_SENT\n");
	h->no_writing = false;
	harness_pump(h);
	harness_expect_log(h, "closed BRINE_OK\n");
}

static void close_script(struct harness *h)
{
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	harness_message(h, "940001 a4736c6f77 90");
	brine_buf_done(&h->output);
	brine_conn_close(h->conn, h->now_ms);
	harness_pump(h);
	harness_expect(h, "03920801 10 940101 9204a963616e63656c6c6564 c0");
	harness_expect_log(h, "request slow []\nresponse 1 BRINE_ERR_CANCELLED\ncancel BRINE_ERR_CANCELLED\n");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_CLOSING);
	harness_feed(h, "0a940005a3616464920203");
	harness_expect(h, "");
	harness_pass(h, 999);
	assert_false(h->closed);
	harness_pass(h, 1);
	assert_true(h->closed);
}

static void discard_script(struct harness *h)
{
	static const uint8_t zeros[1 << 20];
	harness_feed(h, "03921201");
	brine_conn_close(h->conn, h->now_ms);
	harness_pump(h);
	for (unsigned i = 0; i < 15; i++)
		harness_take_piece(h, BRINE_BYTES(zeros, sizeof zeros));
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_CLOSING);
	harness_take_piece(h, BRINE_BYTES(zeros, sizeof zeros));
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_CLOSED);
	harness_pump(h);
}

static void ends(void **state)
{
	(void)state;
	harness_serve(half_close_script);
	harness_connect(server_ends_script);
	harness_connect(close_script);
	harness_serve(discard_script);
}

static void stuck_script(struct harness *h)
{
	h->no_writing = true;
	harness_message(h, "940001 a3616464 920203");
	harness_message(h, "940002 a4736c6f77 90");
	harness_pass(h, 20000);
	brine_conn_sent(h->conn, 1, h->now_ms);
	harness_pass(h, 29999);
	assert_false(h->closed);
	harness_pass(h, 1);
	assert_int_equal(h->closed_status, BRINE_ERR_NO_PROGRESS);
	assert_int_equal(h->cancels, 1);
}

static void idle_script(struct harness *h)
{
	harness_message(h, "940002 a4736c6f77 90");
	harness_pass(h, 20000);
	harness_answer_slow(h, 0);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_pass(h, 4999);
	harness_expect(h, "");
	harness_pass(h, 1);
	harness_expect(h, "0f 94 14 00 a8 647261696e696e67 cd03e8");
	harness_pass(h, 2000);
	assert_true(h->closed);
	assert_int_equal(h->closed_status, BRINE_OK);
}

static void shrink_script(struct harness *h)
{
	size_t before = h->memory.held;
	harness_message(h, "940001 a4736c6f77 90");
	harness_answer_slow(h, 0);
	harness_pump(h);
	assert_true(h->memory.held > before);
	harness_pass(h, 1000);
	assert_in_range(h->memory.held, before, before);
	assert_int_equal(brine_conn_deadline(h->conn), BRINE_FOREVER);
	/* Room to read into is no reason to hold memory: not where nothing came, and not when what came is answered. */
	size_t room = 0;
	h->fed += 100000;
	assert_non_null(brine_conn_reserve(h->conn, 100000, &room));
	assert_in_range(room, 100000, h->memory.held - before);
	assert_true(brine_conn_deadline(h->conn) <= h->now_ms);
	harness_pump(h);
	assert_in_range(h->memory.held, before, before);
	memcpy(brine_conn_reserve(h->conn, 100000, &room), "\x04\x93\x02\xa1m\x90", 6);
	brine_conn_fed(h->conn, 6, h->now_ms);
	harness_pump(h);
	assert_true(h->memory.held > before);
	harness_pass(h, 1000);
	assert_in_range(h->memory.held, before, before);
}

static void timers(void **state)
{
	(void)state;
	harness_serve(stuck_script);
	harness_serve(shrink_script);
	struct brine_conn_options options = harness_accepting();
	options.limits.idle_timeout_ms = 5000;
	harness_run(&options, idle_script);
}

/* Over the mark the accepting side neither reads nor starts anything; the connecting side reads on and answers error 5.
 */
static void accepting_mark_script(struct harness *h)
{
	h->no_writing = true;
	while (brine_conn_wants_read(h->conn))
		harness_message(h, "940001 a46563686f 91a8 6162636465666768");
	uint64_t handlers = h->handlers;
	size_t pending = brine_conn_pending(h->conn).size;
	assert_in_range(pending, 1024, 1024 + 16);
	harness_message(h, "940001 a46563686f 91a8 6162636465666768");
	assert_int_equal(h->handlers, handlers);
	assert_int_equal(brine_conn_pending(h->conn).size, pending);
	h->no_writing = false;
	harness_pump(h);
	assert_int_equal(h->handlers, handlers + 1);
	assert_true(brine_conn_wants_read(h->conn));
}

static void connecting_mark_script(struct harness *h)
{
	h->no_writing = true;
	for (unsigned i = 0; i < 200; i++)
		harness_message(h, "940001 a46563686f 91a8 6162636465666768");
	assert_true(brine_conn_wants_read(h->conn));
	assert_true(h->handlers < 100);
	assert_int_equal(brine_conn_counters(h->conn)->calls_refused, 200 - h->handlers);
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_OVERLOADED);
}

static void output_mark(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	options.limits.output_mark = 1024;
	harness_run(&options, accepting_mark_script);
	options.role = BRINE_CONNECTING;
	harness_run(&options, connecting_mark_script);
}

static void plain_script(struct harness *h)
{
	/* pynvim: opens with a notification, method names are bin; any id comes back as it came, also twice at once. */
	harness_feed(h, "9302c4036c6f6790 9400d3ffffffffffffffffc40361646492 0203 9400cd0005a4736c6f7790 "
	                "9400cd0005a4736c6f7790");
	harness_expect(h, "9401d3ffffffffffffffffc005");
	harness_answer_slow(h, 1);
	harness_answer_slow(h, 0);
	harness_feed(h, "9400 01 a46661696c 90");
	harness_expect(h, "9401cd0005c02a 9401cd0005c02a 940101ac6f7574206f662073746f636bc0");
	assert_int_equal(brine_conn_notify(h->conn, BRINE_STR("n"), none, none, NULL), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_ping(h->conn, h->now_ms), BRINE_ERR_STATE);
	harness_feed(h, "940101c005");
	brine_conn_drain(h->conn, 1000, h->now_ms);
	harness_pump(h);
	harness_expect(h, "");
	harness_eof(h);
	assert_true(h->closed);
}

static void pair_script(struct harness *h)
{
	harness_feed(h, "940001a17807 940002a46661696c90");
	assert_memory_equal(h->output.data, "\x94\x01\x01\x92\x01", 5);
	size_t size = brine_buf_size(&h->output);
	assert_memory_equal(h->output.data + size - 19,
	                    "\x94\x01\x02\x92\x00\xac"
	                    "out of stock\xc0",
	                    19);
}

static void refused_plain_script(struct harness *h)
{
	harness_feed(h, "94");
	harness_expect_fault(h, -1, BRINE_ERR_NOT_BRINE, "plain MessagePack-RPC");
}

static void wrong_shapes_script(struct harness *h)
{
	static const char *const shapes[] = {"9300 05 a178", "95 00 05 a178 90 80", "94 03 05 a178 90", "93 01 05 c0",
	                                     "94 02 a178 90 80"};
	harness_feed(h, shapes[h->seed % 5]);
	assert_true(h->closed);
	assert_true(h->closed_status < 0);
	harness_expect(h, "");
}

static void plain_client_script(struct harness *h)
{
	harness_call(h, "add", BRINE_FOREVER);
	harness_call(h, "add", 50);
	brine_conn_notify(h->conn, BRINE_STR("n"), none, none, NULL);
	harness_pump(h);
	harness_expect(h, "940001a361646490 940002a361646490 9302a16e90");
	/* The peer calls back while our call is pending. */
	harness_feed(h, "940001a361646492 0203 940101 9201a3626164 c0");
	harness_expect(h, "940101c005");
	harness_pass(h, 50);
	harness_feed(h, "940102c005");
	harness_expect_log(h,
	                   "request add [2, 3]\nresponse 1 BRINE_ERR_REMOTE 1 'bad'\nresponse 2 BRINE_ERR_DEADLINE\n");
	harness_expect(h, "");
}

static void plain_peers(void **state)
{
	(void)state;
	harness_serve(plain_script);
	harness_serve(wrong_shapes_script);
	struct brine_conn_options options = harness_accepting();
	options.plain_errors = BRINE_PLAIN_ERRORS_PAIR;
	harness_run(&options, pair_script);
	options.plain_refused = true;
	harness_run(&options, refused_plain_script);
	options = harness_connecting();
	options.wire = BRINE_WIRE_PLAIN;
	harness_run(&options, plain_client_script);
}

/* What the tap showed: direction and bytes of each message, as the peer would see them. */
static struct brine_buf tapped;

static void tap(void *user, int direction, int wire, struct brine_bytes message)
{
	assert_ptr_equal(user, &tapped);
	assert_int_equal(wire, BRINE_WIRE_FRAMED);
	uint8_t sign = direction == BRINE_SENT ? '>' : '<';
	brine_buf_append(&tapped, &sign, 1);
	brine_buf_append(&tapped, message.data, message.size);
}

static void tap_script(struct harness *h)
{
	harness_feed(h, "0a940005a3616464920203");
	assert_int_equal(brine_buf_size(&tapped), 17);
	assert_memory_equal(tapped.data,
	                    "<\x94\x00\x05\xa3"
	                    "add\x92\x02\x03>\x94\x01\x05\xc0\x05",
	                    17);
	brine_buf_done(&tapped);
}

static void the_tap_sees_every_message(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	options.tap = tap;
	options.tap_user = &tapped;
	harness_run(&options, tap_script);
}

/* Goes through the whole API; failures are allowed at every step, surprises are not. */
static void scenario(const struct brine_allocator *allocator)
{
	struct brine_conn_options options = harness_accepting();
	options.allocator = allocator;
	options.name = "server";
	struct brine_conn *conn;
	if (brine_conn_new(&conn, &options, 0, NULL) < 0)
		return;
	static const char hex[] = "14 9210 82 a17601 a46e616d65a8 636c69656e742f31"
	                          "0a940001a3616464920203 12950002a361646492020381a374746ccd01f4 0a940003a3616464920203"
	                          "03920803 03921201 0a9302a36c6f6791a26869 0794000407920203 05940101c005 05940102c005";
	struct brine_buf bytes = BRINE_BUF_INIT;
	hex_append(&bytes, hex);
	uint64_t serials[3], ours = 0;
	unsigned requests = 0, responses = 0, started = 0, closed = 0;
	for (size_t at = 0; at < brine_buf_size(&bytes); at += 16) {
		size_t size = brine_buf_size(&bytes) - at;
		size = size < 16 ? size : 16;
		size_t room;
		void *to = at % 32 ? brine_conn_reserve(conn, size, &room) : NULL;
		if (to) {
			memcpy(to, bytes.data + at, size);
			brine_conn_fed(conn, size, 0);
		} else {
			brine_conn_feed(conn, BRINE_BYTES(bytes.data + at, size), 0);
		}
		struct brine_event event;
		while (brine_conn_next(conn, &event, 0) > 0) {
			if (event.type == BRINE_EVENT_REQUEST)
				serials[requests++] = event.serial;
			responses += event.type == BRINE_EVENT_RESPONSE;
			closed += event.type == BRINE_EVENT_CLOSED;
		}
		struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = 1000};
		started += brine_conn_call(conn, &call, 0, &ours, NULL) == 0;
		brine_conn_notify(conn, call.method, none, none, NULL);
	}
	brine_conn_ping(conn, 0);
	for (unsigned i = 0; i < requests; i++)
		brine_conn_reply(conn, serials[i], none, none, 0);
	brine_conn_cancel(conn, ours, 0);
	brine_conn_drain(conn, 500, 0);
	for (uint64_t now_ms = 0; closed == 0 && now_ms < 100000; now_ms += 100) {
		struct brine_event event;
		brine_conn_sent(conn, brine_conn_pending(conn).size, now_ms);
		brine_conn_tick(conn, now_ms);
		while (brine_conn_next(conn, &event, now_ms) > 0) {
			responses += event.type == BRINE_EVENT_RESPONSE;
			closed += event.type == BRINE_EVENT_CLOSED;
		}
	}
	assert_int_equal(closed, 1);
	assert_int_equal(started, responses);
	brine_conn_free(conn);
	brine_buf_done(&bytes);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	struct fail_allocator memory;
	fail_allocator_init(&memory, 0, false);
	scenario(&memory.base);
	uint64_t calls = memory.calls, failures = 0;
	assert_true(calls > 15);
	for (uint64_t n = 1; n <= calls; n++) {
		for (unsigned after = 0; after < 2; after++) {
			fail_allocator_init(&memory, n, after);
			scenario(&memory.base);
			assert_int_equal(memory.held, 0);
			failures += memory.failures;
		}
	}
	assert_true(failures >= 2 * calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_ping_is_a_health_check),
	        cmocka_unit_test(hello_and_welcome),
	        cmocka_unit_test(F02_server_speaks_only_when_greeted),
	        cmocka_unit_test(local_misuse_changes_nothing),
	        cmocka_unit_test(options_are_checked),
	        cmocka_unit_test(F01_ping_flood),
	        cmocka_unit_test(F09_goaways),
	        cmocka_unit_test(drains),
	        cmocka_unit_test(ends),
	        cmocka_unit_test(timers),
	        cmocka_unit_test(output_mark),
	        cmocka_unit_test(plain_peers),
	        cmocka_unit_test(the_tap_sees_every_message),
	        cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
