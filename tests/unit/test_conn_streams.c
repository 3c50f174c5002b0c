/* Proves: streams go in both directions as WIRE.md section 4 says, with credit by items and bytes; what a peer does
 * wrong with them gets its verdict; a slow reader or one that stalls slows its own writer and nothing else. Scripts run
 * whole, byte by byte and at random cuts. */
#include "conn_harness.h"

static const struct brine_bytes none = {NULL, 0};

static void serve(harness_script_fn *script)
{
	struct brine_conn_options options = harness_accepting();
	harness_run(&options, script);
}

static void connect_to(harness_script_fn *script)
{
	struct brine_conn_options options = harness_connecting();
	harness_run(&options, script);
}

static int send_number(struct harness *h, uint64_t serial, uint8_t number)
{
	return brine_conn_send(h->conn, serial, BRINE_BYTES(&number, 1), h->now_ms);
}

/* Forgets what the peer got and what happened so far. */
static void forget(struct harness *h)
{
	harness_pump(h);
	brine_buf_done(&h->output);
	brine_buf_done(&h->log);
}

/* The example of WIRE.md section 4, from both ends. */
static void answer_stream_script(struct harness *h)
{
	harness_feed(h, "11 95 00 06 a5 636f756e74 91 03 81 a377696e02");
	harness_message(h, "95 00 07 a4 736c6f77 90 81 a377696e02");
	uint64_t serial = h->slow[0];
	assert_int_equal(send_number(h, serial, 0), 0);
	assert_int_equal(send_number(h, serial, 1), 0);
	assert_int_equal(send_number(h, serial, 2), BRINE_ERR_NO_CREDIT);
	forget(h);
	harness_feed(h, "0493060701");
	harness_expect_log(h, "credit for 2\n");
	assert_int_equal(send_number(h, serial, 2), 0);
	assert_int_equal(send_number(h, serial, 3), BRINE_ERR_NO_CREDIT);
	harness_answer_slow(h, 0);
	harness_pump(h);
	harness_expect(h, "0493030702 05940107c02a");
	assert_int_equal(send_number(h, serial, 3), BRINE_ERR_NOT_FOUND);
	/* A call that asked for no items gets none. */
	harness_message(h, "940008 a4736c6f77 90");
	assert_int_equal(send_number(h, h->slow[1], 3), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_end_upload(h->conn, h->slow[1], h->now_ms), BRINE_ERR_STATE);
}

static void our_answer_stream_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "count", BRINE_FOREVER, true, false);
	harness_pump(h);
	harness_expect(h, "10 950001 a5636f756e74 90 81a377696e10");
	assert_int_equal(send_number(h, serial, 1), BRINE_ERR_STATE);
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
	serve(answer_stream_script);
	connect_to(our_answer_stream_script);
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
	assert_int_equal(send_number(h, h->slow[0], 1), 0);
	harness_eof(h);
	assert_int_equal(send_number(h, h->slow[0], 2), 0);
	assert_int_equal(send_number(h, h->slow[0], 3), BRINE_ERR_NO_CREDIT);
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
	assert_int_equal(send_number(h, serial, 1), BRINE_ERR_NO_CREDIT);
	harness_feed(h, "0493050102");
	harness_expect_log(h, "credit for 1\n");
	assert_int_equal(brine_conn_send(h->conn, serial, none, h->now_ms), BRINE_ERR_INVALID);
	assert_int_equal(send_number(h, serial, 1), 0);
	assert_int_equal(brine_conn_end_upload(h->conn, serial, h->now_ms), 0);
	assert_int_equal(send_number(h, serial, 2), BRINE_ERR_STATE);
	assert_int_equal(brine_conn_end_upload(h->conn, serial, h->now_ms), BRINE_ERR_STATE);
	harness_pump(h);
	harness_expect(h, "0493040101 03920401");
	/* Credit crosses the end. The upload of an unknown call ends without a word. */
	harness_feed(h, "0493050105 05940101c003");
	harness_expect_log(h, "response 1 = 3\n");
	assert_int_equal(brine_conn_end_upload(h->conn, serial, h->now_ms), 0);
	assert_int_equal(send_number(h, serial, 2), BRINE_ERR_NOT_FOUND);
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
	assert_int_equal(send_number(h, serial, 1), BRINE_ERR_NOT_FOUND);
	forget(h);
	harness_feed(h, "0493050202");
	brine_conn_cancel(h->conn, other, h->now_ms);
	assert_int_equal(send_number(h, other, 1), BRINE_ERR_NOT_FOUND);
	assert_int_equal(brine_conn_end_upload(h->conn, other, h->now_ms), 0);
	harness_feed(h, "0493030207 0493030208");
	harness_expect(h, "03920802");
	harness_expect_log(h, "response 2 BRINE_ERR_CANCELLED\n");
}

static void uploads_and_D12(void **state)
{
	(void)state;
	serve(upload_script);
	connect_to(our_upload_script);
	connect_to(stopped_upload_script);
}

/* The welcome's credit counts for uploads opened before it came, and for those opened later. */
static void welcome_script(struct harness *h)
{
	uint64_t early = harness_open(h, "sum", BRINE_FOREVER, false, true);
	uint64_t plain = harness_open(h, "sum", BRINE_FOREVER, false, false);
	assert_int_equal(send_number(h, early, 1), BRINE_ERR_NO_CREDIT);
	assert_int_equal(send_number(h, plain, 1), BRINE_ERR_STATE);
	harness_feed(h, "0493050101");
	harness_message(h, "9211 81 a377696e02");
	harness_expect_log(h, "credit for 1\nhello max 1048576\n");
	forget(h);
	uint64_t late = harness_open(h, "sum", BRINE_FOREVER, false, true);
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(send_number(h, early, i), 0);
	for (uint8_t i = 0; i < 2; i++)
		assert_int_equal(send_number(h, late, i), 0);
	assert_int_equal(send_number(h, early, 9), BRINE_ERR_NO_CREDIT);
	assert_int_equal(send_number(h, late, 9), BRINE_ERR_NO_CREDIT);
	harness_pump(h);
	harness_expect(h, "0d950003a373756d9081a27570c3 0493040100 0493040101 0493040102 0493040300 0493040301");
}

/* A caller that was welcomed has the credit of the welcome, one that calls back that of the hello. */
static void greeted_script(struct harness *h)
{
	harness_message(h, "9210 81 a377696e03");
	forget(h);
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
		assert_int_equal(send_number(h, serial, i), 0);
	assert_int_equal(send_number(h, serial, 9), BRINE_ERR_NO_CREDIT);
	h->no_taking = false;
}

static void credit_of_hello_and_welcome(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, welcome_script);
	serve(greeted_script);
}

/* D01 to D06: what a peer does wrong. */
static void no_item_credit_script(struct harness *h)
{
	h->no_taking = true;
	harness_open(h, "count", BRINE_FOREVER, true, false);
	forget(h);
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
	forget(h);
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
		connect_to(bad_upload_grant_script);
		serve(bad_item_grant_script);
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
	forget(h);
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
	connect_to(bad_upload_grant_script);
	serve(bad_item_grant_script);
	serve(most_credit_script);
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
	forget(h);
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
	serve(strays_script);
	connect_to(our_strays_script);
}

static void end_twice_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a27570c3");
	forget(h);
	harness_feed(h, "03920401 03920401");
	harness_expect_log(h, "upload of 1 ended BRINE_OK\n");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 1);
	harness_feed(h, "0493040107");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "item after the end of call 1");
}

static void D06_after_the_end(void **state)
{
	(void)state;
	serve(end_twice_script);
}

/* D07: who gives no credit costs nothing but the call: it ends at its deadline or when it has waited long enough. */
static void stalled_answers_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696e00");
	harness_message(h, "950002 a4736c6f77 90 82a377696e00a374746c64");
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(send_number(h, h->slow[0], 1), BRINE_ERR_NO_CREDIT);
		assert_int_equal(send_number(h, h->slow[1], 1), BRINE_ERR_NO_CREDIT);
	}
	forget(h);
	harness_pass(h, 100);
	harness_expect_log(h, "cancel BRINE_ERR_DEADLINE\n");
	brine_conn_release(h->conn, h->slow[1], h->now_ms);
	forget(h);
	harness_pass(h, 59899);
	harness_expect_log(h, "");
	harness_pass(h, 1);
	harness_expect_log(h, "cancel BRINE_ERR_NO_PROGRESS\n");
	assert_int_equal(send_number(h, h->slow[0], 1), BRINE_ERR_NO_PROGRESS);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_NO_PROGRESS);
	harness_expect(h,
	               "2e 940101 9204d92674686520 63616c6c65722067617665206e6f2063726564697420666f7220746f6f206c6f6e67"
	               " c0");
}

static void stalled_upload_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_open(h, "sum", BRINE_FOREVER, false, true);
	assert_int_equal(send_number(h, serial, 1), BRINE_ERR_NO_CREDIT);
	harness_pump(h);
	harness_pass(h, 50000);
	/* Credit starts it again, and only a sender that waits is waited for. */
	harness_feed(h, "0493050101");
	assert_int_equal(send_number(h, serial, 1), 0);
	assert_int_equal(send_number(h, serial, 1), BRINE_ERR_NO_CREDIT);
	forget(h);
	harness_pass(h, 59999);
	harness_expect_log(h, "");
	harness_pass(h, 1);
	harness_expect_log(h, "response 1 BRINE_ERR_NO_PROGRESS\n");
	harness_expect(h, "03920801");
	harness_pass(h, 100000);
	harness_expect_log(h, "");
}

static void D07_no_credit_ever(void **state)
{
	(void)state;
	serve(stalled_answers_script);
	connect_to(stalled_upload_script);
}

/* How many messages of the type are in what the peer got, and the sum of the credit they give. */
static unsigned count_frames(struct harness *h, uint8_t type, unsigned *ret_credit)
{
	unsigned count = 0, credit = 0;
	const uint8_t *at = h->output.data + h->output.start, *end = h->output.data + h->output.end;
	for (; at < end; at += 1 + at[0]) {
		assert_true(at[0] < 0x80);
		count += at[2] == type;
		credit += at[2] == type ? at[at[0]] : 0;
	}
	if (ret_credit)
		*ret_credit = credit;
	brine_buf_done(&h->output);
	return count;
}

enum { MANY = 10000 };

/* D08: 10,000 items for one credit each. */
static void silly_grants_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696e00");
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(send_number(h, h->slow[0], 7), BRINE_ERR_NO_CREDIT);
		harness_feed(h, "0493060101");
		assert_int_equal(send_number(h, h->slow[0], 7), 0);
	}
	harness_pump(h);
	assert_int_equal(count_frames(h, BRINE_FRAME_ITEM, NULL), MANY);
}

/* Items that come as the credit allows and are taken one by one, or a few at a time. */
static void batches_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "count", BRINE_FOREVER, true, false);
	forget(h);
	h->no_taking = h->run == 0;
	unsigned allowed = 16, frames = 0, untaken = 0;
	for (unsigned sent = 0; sent < MANY; sent++) {
		if (allowed == 0) {
			assert_true(untaken > 0);
			brine_conn_taken(h->conn, serial, 3, 3, h->now_ms);
			untaken -= untaken < 3 ? untaken : 3;
			sent--;
		} else {
			harness_feed(h, "0493030107");
			untaken += h->no_taking;
			allowed--;
		}
		harness_pump(h);
		unsigned credit;
		frames += count_frames(h, BRINE_FRAME_ITEM_CREDIT, &credit);
		allowed += credit;
		assert_in_range(allowed + untaken, 0, 16);
		brine_buf_done(&h->log);
	}
	assert_in_range(frames, MANY / 16, MANY / 4);
}

static void D08_small_windows(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	silly_grants_script(&h);
	harness_end(&h);
	options.role = BRINE_CONNECTING;
	for (unsigned run = 0; run < 2; run++) {
		harness_begin(&h, &options, run);
		batches_script(&h);
		harness_end(&h);
	}
}

/* Large items shrink the window: what is granted and not taken stays about stream_size, and one may always come. */
static void feed_item(struct harness *h, size_t size)
{
	struct brine_buf frame = BRINE_BUF_INIT;
	brine_pack_uint(&frame, size + 8);
	hex_append(&frame, "930301c6");
	uint8_t length[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
	brine_buf_append(&frame, length, sizeof length);
	memset(brine_buf_reserve(&frame, size), 7, size);
	frame.end += size;
	harness_feed_bytes(h, frame.data, brine_buf_size(&frame));
	brine_buf_done(&frame);
}

static size_t large_size;

static void large_items_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "count", BRINE_FOREVER, true, false);
	forget(h);
	h->no_taking = true;
	size_t most = 0;
	unsigned untaken = 0, credit, allowed = 16;
	for (unsigned turn = 0; turn < 200; turn++) {
		for (; allowed; allowed--, untaken++)
			feed_item(h, large_size);
		/* Once the sizes are known. */
		if (turn > 50 && untaken > most)
			most = untaken;
		assert_true(untaken > 0);
		brine_conn_taken(h->conn, serial, 1, large_size + 5, h->now_ms);
		untaken--;
		harness_pump(h);
		count_frames(h, BRINE_FRAME_ITEM_CREDIT, &credit);
		allowed = credit;
		brine_buf_done(&h->log);
	}
	size_t fits = 65536 / (large_size + 5);
	assert_in_range(most, fits ? fits : 1, fits + 1);
}

static void large_items_get_less_credit(void **state)
{
	(void)state;
	static struct harness h;
	static const size_t sizes[] = {5000, 20000, 40000, 100000};
	struct brine_conn_options options = harness_connecting();
	options.stream_size = 65536;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		large_size = sizes[i];
		harness_begin(&h, &options, 0);
		large_items_script(&h);
		harness_end(&h);
	}
}

/* The stream that brings all streams over streams_size_max ends, the others go on. */
static void too_much_for_us_script(struct harness *h)
{
	h->no_taking = true;
	uint64_t first = harness_open(h, "x", BRINE_FOREVER, true, false);
	uint64_t second = harness_open(h, "x", BRINE_FOREVER, true, false);
	forget(h);
	harness_message(h, "930301 c40a 00000000000000000000");
	harness_message(h, "930302 c405 0000000000");
	harness_expect_log(h, "item of 1: b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'\n"
	                      "item of 2: b'\\x00\\x00\\x00\\x00\\x00'\n");
	/* 12 and 7 bytes: one more fits into 20, two do not. */
	harness_message(h, "93030105");
	harness_message(h, "93030206");
	harness_expect_log(h, "item of 1: 5\nresponse 2 BRINE_ERR_LIMIT\n");
	harness_expect(h, "03920802");
	/* What the ended one held is forgotten; that it did is no reason to end the other. */
	harness_message(h, "930301 c405 0000000000");
	harness_message(h, "93030206");
	brine_conn_taken(h->conn, second, 2, 8, h->now_ms);
	brine_conn_taken(h->conn, first, 9, 99, h->now_ms);
	harness_message(h, "930301 c412 000000000000000000000000000000000000");
	brine_buf_done(&h->log);
	harness_feed(h, "05940101c002");
	harness_expect_log(h, "response 1 = 2\n");
}

static void too_much_for_them_script(struct harness *h)
{
	h->no_taking = true;
	harness_message(h, "950001 a4736c6f77 90 81a27570c3");
	harness_message(h, "950002 a4736c6f77 90 81a27570c3");
	forget(h);
	harness_message(h, "930401 c412 000000000000000000000000000000000000");
	brine_buf_done(&h->log);
	harness_message(h, "93040206");
	harness_expect_log(h, "cancel BRINE_ERR_LIMIT\n");
	harness_expect(
	        h, "30 940102 9207d928 746f6f206d616e79206279746573206f66206974656d73207761697420746f2062652074616b656e"
	           " c0");
	assert_int_equal(brine_conn_reply(h->conn, h->slow[1], none, none, h->now_ms), BRINE_ERR_LIMIT);
	/* A handler that is cancelled still holds what it has not taken; then it is gone. */
	harness_feed(h, "03920801");
	harness_message(h, "950003 a4736c6f77 90 81a27570c3");
	forget(h);
	harness_message(h, "93040306");
	harness_expect_log(h, "cancel BRINE_ERR_LIMIT\n");
	brine_conn_release(h->conn, h->slow[0], h->now_ms);
	harness_message(h, "950004 a4736c6f77 90 81a27570c3");
	harness_message(h, "93040406");
	harness_expect_log(h, "request slow []\nitem of 4: 6\n");
}

static void untaken_items_are_limited(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.streams_size_max = 20;
	harness_run(&options, too_much_for_us_script);
	options.role = BRINE_ACCEPTING;
	harness_run(&options, too_much_for_them_script);
}

static uint8_t big_item[2048] = {0xc5, 0x07, 0xfd};

static void big_answer_item_script(struct harness *h)
{
	harness_message(h, "9210 81 a36d6178cd0400");
	harness_message(h, "950001 a4736c6f77 90 81a377696e02");
	forget(h);
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
	forget(h);
	struct brine_bytes item = {big_item, sizeof big_item};
	assert_int_equal(brine_conn_send(h->conn, serial, item, h->now_ms), BRINE_ERR_TOO_BIG);
	harness_pump(h);
	harness_expect_log(h, "response 1 BRINE_ERR_TOO_BIG\n");
	harness_expect(h, "03920801");
}

static void items_over_the_peers_limit(void **state)
{
	(void)state;
	serve(big_answer_item_script);
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
	assert_int_equal(send_number(h, h->slow[0], 1), BRINE_ERR_STATE);
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
	forget(h);
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
	serve(cut_uploads_script);
}

/* A request that is not sent is taken back with the items behind it; what lies between stays as it is. */
static void taken_back_script(struct harness *h)
{
	harness_pump(h);
	harness_message(h, "9211 81 a377696e10");
	forget(h);
	h->no_writing = true;
	uint64_t first = harness_open(h, "one", BRINE_FOREVER, false, true);
	uint64_t second = harness_open(h, "two", BRINE_FOREVER, false, true);
	assert_int_equal(send_number(h, second, 1), 0);
	assert_int_equal(send_number(h, first, 2), 0);
	harness_feed(h, "03921201");
	harness_call(h, "six", BRINE_FOREVER);
	assert_int_equal(send_number(h, second, 3), 0);
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

/* Items fill half of the output's room: requests are read, answers go, and the writer goes on when a quarter is left.
 */
static void slow_reader_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696ecd2710");
	harness_message(h, "950002 a4736c6f77 90 81a377696ecd2710");
	forget(h);
	h->no_writing = true;
	int rc;
	unsigned sent = 0;
	while ((rc = send_number(h, h->slow[0], 7)) == 0)
		sent++;
	assert_int_equal(rc, BRINE_ERR_NO_CREDIT);
	assert_int_equal(sent, 512 / 5 + 1);
	assert_int_equal(send_number(h, h->slow[1], 7), BRINE_ERR_NO_CREDIT);
	assert_true(brine_conn_wants_read(h->conn));
	harness_message(h, "940003 a3616464 920203");
	harness_expect_log(h, "request add [2, 3]\n");
	assert_int_equal(brine_conn_pending(h->conn).size, sent * 5 + 6);
	brine_conn_sent(h->conn, sent * 5 + 6 - 257, h->now_ms);
	harness_pump(h);
	harness_expect_log(h, "");
	brine_conn_sent(h->conn, 1, h->now_ms);
	harness_pump(h);
	harness_expect_log(h, "credit for 1\ncredit for 2\n");
	assert_int_equal(send_number(h, h->slow[1], 7), 0);
	h->no_writing = false;
}

static void slow_readers_slow_their_writers_only(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	options.limits.output_mark = 1024;
	harness_run(&options, slow_reader_script);
	/* G04: the least mark still lets one item go at a time. */
	static struct harness h;
	options.limits.output_mark = 1;
	harness_begin(&h, &options, 0);
	harness_message(&h, "950001 a4736c6f77 90 81a377696e09");
	for (unsigned i = 0; i < 9; i++) {
		assert_int_equal(send_number(&h, h.slow[0], 7), 0);
		assert_int_equal(send_number(&h, h.slow[0], 7), BRINE_ERR_NO_CREDIT);
		harness_pump(&h);
	}
	harness_end(&h);
}

/* A peer that sends without reading: no stream has more than one credit frame in the output. */
static void unread_credit_script(struct harness *h)
{
	harness_open(h, "count", BRINE_FOREVER, true, false);
	forget(h);
	h->no_writing = true;
	for (unsigned i = 0; i < 16 + 8; i++)
		harness_feed(h, "0493030107");
	assert_int_equal(brine_conn_pending(h->conn).size, 5);
	harness_feed(h, "0493030107");
	harness_expect_fault(h, -1, BRINE_ERR_PROTO, "no credit");
}

static void unread_credit_does_not_pile_up(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_connecting();
	harness_begin(&h, &options, 0);
	unread_credit_script(&h);
	harness_end(&h);
}

enum { STREAMS = 100, TURNS = 200 };

/* One turn of a peer that reads everything and gives each stream but the stalled one credit for what it got. */
static void d11_turn(struct harness *h, const uint64_t *serials, unsigned stalled, unsigned *counts)
{
	uint8_t got[STREAMS + 1] = {0};
	for (unsigned i = 0; i < STREAMS; i++)
		for (unsigned burst = 0; burst < 8 && send_number(h, serials[i], 7) == 0; burst++)
			counts[i]++;
	harness_pump(h);
	const uint8_t *at = h->output.data + h->output.start, *end = h->output.data + h->output.end;
	for (; at < end; at += 1 + at[0])
		if (at[2] == BRINE_FRAME_ITEM)
			got[at[3]]++;
	brine_buf_done(&h->output);
	brine_buf_done(&h->log);
	for (unsigned id = 1; id <= STREAMS; id++) {
		uint8_t grant[] = {0x04, 0x93, BRINE_FRAME_ITEM_CREDIT, (uint8_t)id, got[id]};
		if (got[id] && id != stalled)
			harness_feed_bytes(h, grant, sizeof grant);
	}
}

static unsigned d11_run(unsigned stalled)
{
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	uint64_t serials[STREAMS];
	unsigned counts[STREAMS] = {0}, least = UINT32_MAX;
	for (unsigned i = 0; i < STREAMS; i++) {
		char hex[64];
		snprintf(hex, sizeof hex, "9500%02x a4736c6f77 90 81a377696e10", i + 1);
		h.slow_count = 0;
		harness_message(&h, hex);
		serials[i] = h.slow[0];
	}
	for (unsigned turn = 0; turn < TURNS; turn++)
		d11_turn(&h, serials, stalled, counts);
	for (unsigned i = 0; i < STREAMS; i++)
		if (i + 1 != stalled && counts[i] < least)
			least = counts[i];
	assert_int_equal(stalled ? counts[stalled - 1] : 16, 16);
	harness_end(&h);
	return least;
}

/* The same towards us: one stream is not taken, the others keep getting credit. */
static unsigned d11_receive(uint64_t stalled)
{
	static struct harness h;
	struct brine_conn_options options = harness_connecting();
	harness_begin(&h, &options, 0);
	h.no_taking = true;
	unsigned allowed[STREAMS + 1], counts[STREAMS + 1] = {0}, least = UINT32_MAX;
	for (unsigned i = 1; i <= STREAMS; i++) {
		assert_int_equal(harness_open(&h, "x", BRINE_FOREVER, true, false), i);
		allowed[i] = 16;
	}
	forget(&h);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		for (unsigned id = 1; id <= STREAMS; id++) {
			for (; allowed[id]; allowed[id]--, counts[id]++) {
				uint8_t item[] = {0x04, 0x93, BRINE_FRAME_ITEM, (uint8_t)id, 7};
				harness_feed_bytes(&h, item, sizeof item);
				if (id != stalled)
					brine_conn_taken(h.conn, id, 1, 1, h.now_ms);
			}
		}
		harness_pump(&h);
		const uint8_t *at = h.output.data + h.output.start, *end = h.output.data + h.output.end;
		for (; at < end; at += 1 + at[0])
			allowed[at[3]] += at[4];
		brine_buf_done(&h.output);
		brine_buf_done(&h.log);
	}
	for (unsigned id = 1; id <= STREAMS; id++)
		if (id != stalled && counts[id] < least)
			least = counts[id];
	assert_int_equal(stalled ? counts[stalled] : 16, 16);
	harness_end(&h);
	return least;
}

static void D11_one_stalls_the_others_flow(void **state)
{
	(void)state;
	unsigned all = d11_run(0), others = d11_run(50);
	assert_true(all >= TURNS * 8);
	assert_true(others * 10 >= all * 9);
	all = d11_receive(0);
	others = d11_receive(50);
	assert_true(all >= TURNS * 8);
	assert_true(others * 10 >= all * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(answer_streams),
	        cmocka_unit_test(uploads_and_D12),
	        cmocka_unit_test(credit_of_hello_and_welcome),
	        cmocka_unit_test(D01_no_credit),
	        cmocka_unit_test(D02_grant_of_zero),
	        cmocka_unit_test(D03_credit_overflow),
	        cmocka_unit_test(D04_D05_strays_are_ignored),
	        cmocka_unit_test(D06_after_the_end),
	        cmocka_unit_test(D07_no_credit_ever),
	        cmocka_unit_test(D08_small_windows),
	        cmocka_unit_test(large_items_get_less_credit),
	        cmocka_unit_test(untaken_items_are_limited),
	        cmocka_unit_test(items_over_the_peers_limit),
	        cmocka_unit_test(plain_peers_have_no_streams),
	        cmocka_unit_test(the_end_of_the_peers_side),
	        cmocka_unit_test(unsent_uploads_are_taken_back),
	        cmocka_unit_test(slow_readers_slow_their_writers_only),
	        cmocka_unit_test(unread_credit_does_not_pile_up),
	        cmocka_unit_test(D11_one_stalls_the_others_flow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
