/* Proves: streams go in both directions as WIRE.md section 4 says, and what a peer does wrong with them gets its
 * verdict. Scripts run whole, byte by byte and at random cuts. */
#include "conn_harness.h"

/* The example of WIRE.md section 4, from both ends. */
static void answer_stream_script(struct harness *h)
{
	harness_feed(h, "11 95 00 06 a5 636f756e74 91 03 81 a377696e02");
	harness_message(h, "95 00 07 a4 736c6f77 90 81 a377696e02");
	uint64_t serial = h->slow[0];
	assert_int_equal(harness_send_number(h, serial, 0), 0);
	assert_int_equal(harness_send_number(h, serial, 1), 0);
	assert_int_equal(harness_send_number(h, serial, 2), BRINE_ERR_NO_CREDIT);
	harness_forget(h);
	harness_feed(h, "0493060701");
	harness_expect_log(h, "credit for 2\n");
	assert_int_equal(harness_send_number(h, serial, 2), 0);
	assert_int_equal(harness_send_number(h, serial, 3), BRINE_ERR_NO_CREDIT);
	harness_answer_slow(h, 0);
	harness_pump(h);
	harness_expect(h, "0493030702 05940107c02a");
	assert_int_equal(harness_send_number(h, serial, 3), BRINE_ERR_NOT_FOUND);
	/* A call that asked for no items gets none. */
	harness_message(h, "940008 a4736c6f77 90");
	assert_int_equal(harness_send_number(h, h->slow[1], 3), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_end_upload(h->conn, h->slow[1], h->now_ms), BRINE_ERR_STATE);
}

static void our_answer_stream_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "count", BRINE_FOREVER, true, false);
	harness_pump(h);
	harness_expect(h, "10 950001 a5636f756e74 90 81a377696e10");
	assert_int_equal(harness_send_number(h, serial, 1), BRINE_ERR_STATE);
	harness_feed(h, "0493030100 0493030101 06940101c0cc2a");
	harness_expect_log(h, "item of 1: 0\nitem of 1: 1\nresponse 1 = 42\n");
	harness_feed(h, "0493030102");
	harness_expect_log(h, "");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 1);
	/* Of a call that ended, taking gives no credit. */
	brine_conn_taken(h->conn, serial, 16, 16, h->now_ms);
	harness_pump(h);
	harness_expect(h, "");
}

static void answer_streams(void **state)
{
	(void)state;
	harness_serve(answer_stream_script);
	harness_connect(our_answer_stream_script);
}

/* D12: the upload ends, the answers go on; the answers go on after the peer's side has ended. */
static void upload_script(struct harness *h)
{
	/* Without a hello the first credit comes by type 5, and only where the call was not answered at once. */
	harness_message(h, "950001 a3616464 920203 81a27570c3");
	harness_expect(h, "05940101c005");
	harness_message(h, "950001 a4736c6f77 90 82a27570c3a377696e02");
	harness_expect(h, "0493050110");
	harness_feed(h, "0493040107 0493040108 03920401");
	harness_expect_log(
	        h, "request add [2, 3]\nrequest slow []\nitem of 2: 7\nitem of 2: 8\nupload of 2 ended BRINE_OK\n");
	assert_int_equal(harness_send_number(h, h->slow[0], 1), 0);
	harness_eof(h);
	assert_int_equal(harness_send_number(h, h->slow[0], 2), 0);
	assert_int_equal(harness_send_number(h, h->slow[0], 3), BRINE_ERR_NO_CREDIT);
	harness_answer_slow(h, 0);
	harness_pump(h);
	harness_expect(h, "0493030101 0493030102 05940101c02a");
	assert_true(h->closed);
}

static void our_upload_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_pump(h);
	harness_expect(h, "0d 950001 a373756d 90 81a27570c3");
	assert_int_equal(harness_send_number(h, serial, 1), BRINE_ERR_NO_CREDIT);
	harness_feed(h, "0493050102");
	harness_expect_log(h, "credit for 1\n");
	assert_int_equal(brine_conn_send(h->conn, serial, none, h->now_ms), BRINE_ERR_INVALID);
	assert_int_equal(harness_send_number(h, serial, 1), 0);
	assert_int_equal(brine_conn_end_upload(h->conn, serial, h->now_ms), 0);
	assert_int_equal(harness_send_number(h, serial, 2), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_end_upload(h->conn, serial, h->now_ms), BRINE_ERR_STATE);
	harness_pump(h);
	harness_expect(h, "0493040101 03920401");
	/* Credit crosses the end. The upload of an unknown call ends without a word. */
	harness_feed(h, "0493050105 05940101c003");
	harness_expect_log(h, "response 1 = 3\n");
	assert_int_equal(brine_conn_end_upload(h->conn, serial, h->now_ms), 0);
	assert_int_equal(harness_send_number(h, serial, 2), BRINE_ERR_NOT_FOUND);
	harness_pump(h);
	harness_expect(h, "");
}

/* The answer comes while we upload: we stop. Our cancel: nothing more goes out for the id. */
static void stopped_upload_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "sum", BRINE_FOREVER, false, true);
	uint64_t other = harness_open(h, "sum", BRINE_FOREVER, true, true);
	harness_pump(h);
	harness_feed(h, "0493050102 05940101c003");
	assert_int_equal(harness_send_number(h, serial, 1), BRINE_ERR_NOT_FOUND);
	harness_forget(h);
	harness_feed(h, "0493050202");
	brine_conn_cancel(h->conn, other, h->now_ms);
	assert_int_equal(harness_send_number(h, other, 1), BRINE_ERR_NOT_FOUND);
	assert_int_equal(brine_conn_end_upload(h->conn, other, h->now_ms), 0);
	harness_feed(h, "0493030207 0493030208");
	harness_expect(h, "03920802");
	harness_expect_log(h, "response 2 BRINE_ERR_CANCELLED\n");
}

static void uploads_and_D12(void **state)
{
	(void)state;
	harness_serve(upload_script);
	harness_connect(our_upload_script);
	harness_connect(stopped_upload_script);
}

/* The welcome's credit counts for uploads opened before it came, and for those opened later. */
static void welcome_script(struct harness *h)
{
	uint64_t early = harness_open(h, "sum", BRINE_FOREVER, false, true);
	uint64_t plain = harness_open(h, "sum", BRINE_FOREVER, false, false);
	assert_int_equal(harness_send_number(h, early, 1), BRINE_ERR_NO_CREDIT);
	assert_int_equal(harness_send_number(h, plain, 1), BRINE_ERR_STATE);
	harness_feed(h, "0493050101");
	harness_message(h, "9211 81 a377696e02");
	harness_expect_log(h, "credit for 1\nhello max 1048576\n");
	harness_forget(h);
	uint64_t late = harness_open(h, "sum", BRINE_FOREVER, false, true);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(harness_send_number(h, early, i), 0);
	for (uint8_t i = 0; i < 2; i++)
		assert_int_equal(harness_send_number(h, late, i), 0);
	assert_int_equal(harness_send_number(h, early, 9), BRINE_ERR_NO_CREDIT);
	assert_int_equal(harness_send_number(h, late, 9), BRINE_ERR_NO_CREDIT);
	harness_pump(h);
	harness_expect(h, "0d950003a373756d9081a27570c3 0493040100 0493040101 0493040102 0493040300 0493040301");
}

/* A caller that was welcomed has the credit of the welcome, one that calls back that of the hello. */
static void greeted_script(struct harness *h)
{
	harness_message(h, "9210 81 a377696e03");
	harness_forget(h);
	harness_message(h, "950001 a4736c6f77 90 81a27570c3");
	harness_expect(h, "");
	for (unsigned i = 0; i < 2; i++)
		harness_message(h, "93040107");
	h->no_taking = true;
	for (unsigned i = 2; i < 16; i++)
		harness_message(h, "93040107");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	uint64_t serial = harness_open(h, "sum", BRINE_FOREVER, false, true);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(harness_send_number(h, serial, i), 0);
	assert_int_equal(harness_send_number(h, serial, 9), BRINE_ERR_NO_CREDIT);
	h->no_taking = false;
}

static void credit_of_hello_and_welcome(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, welcome_script);
	harness_serve(greeted_script);
}

/* D01 to D06: what a peer does wrong. */
static void no_item_credit_script(struct harness *h)
{
	h->no_taking = true;
	harness_open(h, "count", BRINE_FOREVER, true, false);
	harness_forget(h);
	harness_feed(h, "0493030100 0493030101");
	harness_expect_log(h, "item of 1: 0\nitem of 1: 1\n");
	harness_feed(h, "0493030102");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "no credit for an item of call 1");
	harness_expect_log(h, "response 1 BRINE_ERR_LOST\n");
}

static void no_upload_credit_script(struct harness *h)
{
	h->no_taking = true;
	harness_message(h, "950005 a4736c6f77 90 81a27570c3");
	harness_expect(h, "0493050502");
	harness_feed(h, "0493040500 0493040501 0493040502");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "no credit for an item of call 5");
}

static void D01_no_credit(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.stream_items = 2;
	harness_run(&options, no_item_credit_script);
	options.role = BRINE_ACCEPTING;
	harness_run(&options, no_upload_credit_script);
}

static const char *grant_hex;
static const char *grant_text;

static void bad_upload_grant_script(struct harness *h)
{
	harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_forget(h);
	harness_feed(h, "0493050105");
	harness_message(h, grant_hex);
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, grant_text);
	harness_expect_log(h, "response 1 BRINE_ERR_LOST\n");
}

static void bad_item_grant_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696e05");
	char hex[32];
	snprintf(hex, sizeof hex, "%s", grant_hex);
	hex[3] = '6';
	harness_message(h, hex);
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, grant_text);
}

static void D02_grant_of_zero(void **state)
{
	(void)state;
	static const char *const grants[] = {"93050100", "930501ff", "930501ce80000000", "930501c0"};
	for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++) {
		grant_hex = grants[i];
		grant_text = "credit: expected 1 to 2147483647";
		harness_connect(bad_upload_grant_script);
		harness_serve(bad_item_grant_script);
	}
}

static void most_credit_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696e05");
	harness_message(h, "930601ce7ffffffa");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	harness_message(h, "93060101");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "credit overflow: 2147483647 and 1 more");
}

static void welcome_overflow_script(struct harness *h)
{
	harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_forget(h);
	harness_message(h, "930501ce7fffffff");
	harness_message(h, "9211 81 a377696e01");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "credit overflow");
	harness_expect_log(h, "response 1 BRINE_ERR_LOST\nresponse 2 BRINE_ERR_LOST\n");
}

static void D03_credit_overflow(void **state)
{
	(void)state;
	grant_hex = "930501ce7ffffffb";
	grant_text = "credit overflow: 5 and 2147483643 more";
	harness_connect(bad_upload_grant_script);
	harness_serve(bad_item_grant_script);
	harness_serve(most_credit_script);
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, welcome_overflow_script);
}

static void strays_script(struct harness *h)
{
	static const char strays[] = "0493060901 0493050901 0493030901 0493040901 03920409";
	harness_feed(h, strays);
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 5);
	/* A running call without streams, and then a finished one with both. */
	harness_message(h, "940009 a4736c6f77 90");
	harness_feed(h, "0493060901 03920409");
	harness_answer_slow(h, 0);
	harness_message(h, "950009 a4736c6f77 90 82a377696e02a27570c3");
	harness_answer_slow(h, 1);
	harness_feed(h, strays);
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 12);
	harness_expect_log(h, "request slow []\nrequest slow []\n");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void our_strays_script(struct harness *h)
{
	harness_open(h, "x", BRINE_FOREVER, true, true);
	harness_call(h, "x", 50);
	harness_open(h, "x", 50, true, true);
	harness_pass(h, 50);
	harness_forget(h);
	harness_feed(h, "05940101c002 0493050101 0493030101");
	harness_feed(h, "0493050201 0493030201 0493050301 0493030301");
	harness_expect_log(h, "response 1 = 2\n");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 6);
	harness_call(h, "x", BRINE_FOREVER);
	harness_feed(h, "0493050401");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 7);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void D04_D05_strays_are_ignored(void **state)
{
	(void)state;
	harness_serve(strays_script);
	harness_connect(our_strays_script);
}

static void end_twice_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a27570c3");
	harness_forget(h);
	harness_feed(h, "03920401 03920401");
	harness_expect_log(h, "upload of 1 ended BRINE_OK\n");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 1);
	harness_feed(h, "0493040107");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "item after the end of call 1");
}

static void D06_after_the_end(void **state)
{
	(void)state;
	harness_serve(end_twice_script);
}

static uint8_t big_item[2048] = {0xc5, 0x07, 0xfd};

static void big_answer_item_script(struct harness *h)
{
	harness_message(h, "9210 81 a36d6178cd0400");
	harness_message(h, "950001 a4736c6f77 90 81a377696e02");
	harness_forget(h);
	struct brine_bytes item = {big_item, sizeof big_item};
	assert_int_equal(brine_conn_send(h->conn, h->slow[0], item, h->now_ms), BRINE_ERR_TOO_BIG);
	harness_pump(h);
	harness_expect_log(h, "cancel BRINE_ERR_TOO_BIG\n");
	harness_expect(h, "3e 940101 9207d936"
	                  "616e206974656d206f662032303438206279746573206578636565647320746865"
	                  "2063616c6c65722773206d6178206f662031303234 c0");
	assert_int_equal(brine_conn_send(h->conn, h->slow[0], item, h->now_ms), BRINE_ERR_TOO_BIG);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_TOO_BIG);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_NOT_FOUND);
}

static void big_upload_item_script(struct harness *h)
{
	harness_pump(h);
	harness_message(h, "9211 82 a36d6178cd0400 a377696e02");
	uint64_t serial = harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_forget(h);
	struct brine_bytes item = {big_item, sizeof big_item};
	assert_int_equal(brine_conn_send(h->conn, serial, item, h->now_ms), BRINE_ERR_TOO_BIG);
	harness_pump(h);
	harness_expect_log(h, "response 1 BRINE_ERR_TOO_BIG\n");
	harness_expect(h, "03920801");
}

static void items_over_the_peers_limit(void **state)
{
	(void)state;
	harness_serve(big_answer_item_script);
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, big_upload_item_script);
}

static void plain_script(struct harness *h)
{
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER, .wants_items = true};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_UNSUPPORTED);
	call.wants_items = false;
	call.has_upload = true;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_UNSUPPORTED);
	harness_feed(h, "940001a4736c6f7790");
	assert_int_equal(harness_send_number(h, h->slow[0], 1), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_end_upload(h->conn, h->slow[0], h->now_ms), BRINE_ERR_STATE);
	harness_expect(h, "");
}

static void plain_peers_have_no_streams(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.wire = BRINE_WIRE_PLAIN;
	harness_run(&options, plain_script);
}

/* FIN: open uploads end as cancelled, in the order of their calls; the calls go on. */
static void cut_uploads_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a27570c3");
	harness_message(h, "940002 a4736c6f77 90");
	harness_message(h, "950003 a4736c6f77 90 81a27570c3");
	harness_message(h, "950004 a4736c6f77 90 81a27570c3");
	harness_feed(h, "03920403 0493040107");
	harness_forget(h);
	harness_eof(h);
	harness_expect_log(h, "upload of 1 ended BRINE_ERR_CANCELLED\nupload of 4 ended BRINE_ERR_CANCELLED\n");
	for (unsigned i = 0; i < 4; i++)
		harness_answer_slow(h, i);
	harness_pump(h);
	harness_expect(h, "05940101c02a 05940102c02a 05940103c02a 05940104c02a");
	assert_true(h->closed);
	assert_int_equal(h->closed_status, BRINE_OK);
}

static void the_end_of_the_peers_side(void **state)
{
	(void)state;
	harness_serve(cut_uploads_script);
}

/* A request that is not sent is taken back with the items behind it; what lies between stays as it is. */
static void taken_back_script(struct harness *h)
{
	harness_pump(h);
	harness_message(h, "9211 81 a377696e10");
	harness_forget(h);
	h->no_writing = true;
	uint64_t first = harness_open(h, "one", BRINE_FOREVER, false, true);
	uint64_t second = harness_open(h, "two", BRINE_FOREVER, false, true);
	assert_int_equal(harness_send_number(h, second, 1), 0);
	assert_int_equal(harness_send_number(h, first, 2), 0);
	harness_feed(h, "03921201");
	harness_call(h, "six", BRINE_FOREVER);
	assert_int_equal(harness_send_number(h, second, 3), 0);
	assert_int_equal(brine_conn_end_upload(h->conn, second, h->now_ms), 0);
	assert_int_equal(brine_conn_end_upload(h->conn, first, h->now_ms), 0);
	uint64_t fourth = harness_open(h, "for", BRINE_FOREVER, false, true);
	uint64_t frames = brine_conn_counters(h->conn)->frames_sent;
	brine_conn_cancel(h->conn, second, h->now_ms);
	assert_int_equal(brine_conn_counters(h->conn)->frames_sent, frames - 4);
	brine_conn_sent(h->conn, 1, h->now_ms);
	brine_conn_cancel(h->conn, fourth, h->now_ms);
	h->no_writing = false;
	harness_pump(h);
	harness_expect(h, "950001a36f6e659081a27570c3 0493040102 03921301 08940003a373697890 03920401");
	harness_expect_log(h, "response 2 BRINE_ERR_CANCELLED\nresponse 4 BRINE_ERR_CANCELLED\n");
	/* The one that went out is cancelled on the wire; every later place still fits. */
	brine_conn_cancel(h->conn, first, h->now_ms);
	harness_pump(h);
	harness_expect(h, "03920801");
	for (unsigned i = 0; i < 17; i++)
		harness_feed(h, "03921201");
	assert_int_equal(brine_buf_size(&h->output), 17 * 4);
	brine_buf_done(&h->log);
}

static void unsent_uploads_are_taken_back(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, taken_back_script);
}

/* G01: an item that could not be queued ends its call: a stream that goes on without it would look whole. */
static void G01_an_item_lost_ends_its_call(void **state)
{
	struct fail_allocator memory;
	struct brine_conn_options options = harness_accepting();
	struct brine_conn *conn;
	struct brine_event event;
	static const uint8_t item[2002] = {0xc5, 2000 >> 8, 2000 & 0xff};
	(void)state;
	fail_allocator_init(&memory, 0, false);
	options.allocator = &memory.base;
	assert_int_equal(brine_conn_new(&conn, &options, 1, NULL), 0);
	assert_int_equal(brine_conn_feed(conn, BRINE_BYTES("\x0c\x95\x00\x01\xa1m\x90\x81\xa3win\x04", 13), 1), 0);
	assert_int_equal(brine_conn_next(conn, &event, 1), 1);
	assert_int_equal(event.type, BRINE_EVENT_REQUEST);
	uint64_t serial = event.serial;
	memory.fail_at = memory.calls + 1;
	assert_int_equal(brine_conn_send(conn, serial, BRINE_BYTES(item, sizeof item), 1), BRINE_ERR_NOMEM);
	assert_int_equal(memory.failures, 1);
	assert_int_equal(brine_conn_send(conn, serial, BRINE_BYTES("\x07", 1), 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_conn_next(conn, &event, 1), 1);
	assert_int_equal(event.type, BRINE_EVENT_CANCEL);
	assert_int_equal(event.status, BRINE_ERR_NOMEM);
	/* [1, 1, [10, "out of memory"], nil] and nothing else. */
	struct brine_bytes sent = brine_conn_pending(conn);
	assert_int_equal(sent.size, 21);
	assert_memory_equal(sent.data,
	                    "\x14\x94\x01\x01\x92\x0a\xad"
	                    "out of memory\xc0",
	                    21);
	assert_int_equal(brine_conn_reply(conn, serial, BRINE_BYTES(NULL, 0), BRINE_BYTES(NULL, 0), 1),
	                 BRINE_ERR_NOMEM);
	assert_int_equal(brine_conn_state(conn), BRINE_CONN_OPEN);
	brine_conn_free(conn);
	assert_int_equal(memory.held, 0);
}

/* A program that gives its calls no pointer still knows them from the peer's, whose calls carry what it attached. */
static bool owners_hook(struct harness *h, const struct brine_event *event)
{
	static int attached, other;
	if (event->type == BRINE_EVENT_REQUEST) {
		h->slow[h->slow_count++] = event->serial;
		assert_int_equal(brine_conn_attach(h->conn, event->serial, &attached), 0);
	} else if (event->type == BRINE_EVENT_UPLOAD_END) {
		/* The latest counts, also NULL. */
		assert_ptr_equal(event->user, &other);
		assert_int_equal(brine_conn_attach(h->conn, event->serial, NULL), 0);
	} else if (event->type == BRINE_EVENT_CANCEL) {
		assert_null(event->user);
	} else if (event->type == BRINE_EVENT_ITEM && !event->is_ours) {
		assert_ptr_equal(event->user, &attached);
		assert_int_equal(brine_conn_attach(h->conn, event->serial, &other), 0);
	} else if (event->serial) {
		assert_true(event->is_ours);
		assert_null(event->user);
	}
	harness_log(h, "%d of %llu: %s", event->type, (unsigned long long)event->serial,
	            event->is_ours ? "ours" : "theirs");
	return true;
}

static void owners_script(struct harness *h)
{
	struct brine_conn_call call = {
	        .method = BRINE_STR("m"), .deadline_ms = BRINE_FOREVER, .wants_items = true, .has_upload = true};
	uint64_t ours = 0;
	h->hook = owners_hook;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &ours, NULL), 0);
	h->started[ours]++;
	assert_int_equal(brine_conn_send(h->conn, ours, BRINE_BYTES("\x07", 1), h->now_ms), BRINE_ERR_NO_CREDIT);
	harness_message(h, "950007 a16d 90 81a27570c3"); /* an upload of theirs */
	harness_message(h, "93040705");
	harness_message(h, "920407");
	harness_message(h, "93030109"); /* an item of ours, then credit for our upload */
	harness_message(h, "93050101");
	harness_message(h, "920807");
	harness_message(h, "940101c0c0");
	harness_expect_log(h, "1 of 2: theirs\n8 of 2: theirs\n9 of 2: theirs\n8 of 1: ours\n10 of 1: ours\n"
	                      "4 of 2: theirs\n3 of 1: ours\n");
	h->ended[ours]++;
	assert_int_equal(brine_conn_attach(h->conn, h->slow[0], h), 0);
	brine_conn_release(h->conn, h->slow[0], h->now_ms);
	assert_int_equal(brine_conn_attach(h->conn, h->slow[0], h), BRINE_ERR_NOT_FOUND);
	assert_int_equal(brine_conn_attach(h->conn, 99, h), BRINE_ERR_NOT_FOUND);
	h->handled[2]++;
	h->hook = NULL;
	assert_int_equal(brine_conn_attach(h->conn, harness_call(h, "m", BRINE_FOREVER), h), BRINE_ERR_NOT_FOUND);
}

static void events_say_whose_they_are(void **state)
{
	(void)state;
	harness_connect(owners_script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(G01_an_item_lost_ends_its_call),
	        cmocka_unit_test(answer_streams),
	        cmocka_unit_test(uploads_and_D12),
	        cmocka_unit_test(credit_of_hello_and_welcome),
	        cmocka_unit_test(D01_no_credit),
	        cmocka_unit_test(D02_grant_of_zero),
	        cmocka_unit_test(D03_credit_overflow),
	        cmocka_unit_test(D04_D05_strays_are_ignored),
	        cmocka_unit_test(D06_after_the_end),
	        cmocka_unit_test(items_over_the_peers_limit),
	        cmocka_unit_test(plain_peers_have_no_streams),
	        cmocka_unit_test(the_end_of_the_peers_side),
	        cmocka_unit_test(unsent_uploads_are_taken_back),
	        cmocka_unit_test(events_say_whose_they_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
