/* Proves: credit is given lazily, by items and bytes; a slow reader or one that stalls slows its own writer and nothing
 * else; memory is bounded whatever the peer leaves unread or ungranted. */
#include "conn_harness.h"

/* D07: who gives no credit costs nothing but the call: it ends at its deadline or when it has waited long enough. */
static void stalled_answers_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696e00");
	harness_message(h, "950002 a4736c6f77 90 82a377696e00a374746c64");
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(harness_send_number(h, h->slow[0], 1), BRINE_ERR_NO_CREDIT);
		assert_int_equal(harness_send_number(h, h->slow[1], 1), BRINE_ERR_NO_CREDIT);
	}
	harness_forget(h);
	harness_pass(h, 100);
	harness_expect_log(h, "cancel BRINE_ERR_DEADLINE\n");
	brine_conn_release(h->conn, h->slow[1], h->now_ms);
	harness_forget(h);
	harness_pass(h, 59899);
	harness_expect_log(h, "");
	harness_pass(h, 1);
	harness_expect_log(h, "cancel BRINE_ERR_NO_PROGRESS\n");
	assert_int_equal(harness_send_number(h, h->slow[0], 1), BRINE_ERR_NO_PROGRESS);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_NO_PROGRESS);
	harness_expect(h,
	               "2e 940101 9204d92674686520 63616c6c65722067617665206e6f2063726564697420666f7220746f6f206c6f6e67"
	               " c0");
}

static void stalled_upload_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "sum", BRINE_FOREVER, false, true);
	harness_open(h, "sum", BRINE_FOREVER, false, true);
	assert_int_equal(harness_send_number(h, serial, 1), BRINE_ERR_NO_CREDIT);
	harness_pump(h);
	harness_pass(h, 50000);
	/* Credit starts it again, and only a sender that waits is waited for. */
	harness_feed(h, "0493050101");
	assert_int_equal(harness_send_number(h, serial, 1), 0);
	assert_int_equal(harness_send_number(h, serial, 1), BRINE_ERR_NO_CREDIT);
	harness_forget(h);
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
	harness_serve(stalled_answers_script);
	harness_connect(stalled_upload_script);
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
		assert_int_equal(harness_send_number(h, h->slow[0], 7), BRINE_ERR_NO_CREDIT);
		harness_feed(h, "0493060101");
		assert_int_equal(harness_send_number(h, h->slow[0], 7), 0);
	}
	harness_pump(h);
	assert_int_equal(count_frames(h, BRINE_FRAME_ITEM, NULL), MANY);
}

/* Items that come as the credit allows and are taken one by one, or a few at a time. */
static void batches_script(struct harness *h)
{
	uint64_t serial = harness_open(h, "count", BRINE_FOREVER, true, false);
	harness_forget(h);
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
	harness_forget(h);
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
	harness_forget(h);
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
	harness_forget(h);
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
	harness_forget(h);
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

/* Items fill half of the output's room: requests are read, answers go, and the writer goes on when a quarter is left.
 */
static void slow_reader_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a377696ecd2710");
	harness_message(h, "950002 a4736c6f77 90 81a377696ecd2710");
	harness_forget(h);
	h->no_writing = true;
	int rc;
	unsigned sent = 0;
	while ((rc = harness_send_number(h, h->slow[0], 7)) == 0)
		sent++;
	assert_int_equal(rc, BRINE_ERR_NO_CREDIT);
	assert_int_equal(sent, 512 / 5 + 1);
	assert_int_equal(harness_send_number(h, h->slow[1], 7), BRINE_ERR_NO_CREDIT);
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
	assert_int_equal(harness_send_number(h, h->slow[1], 7), 0);
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
		assert_int_equal(harness_send_number(&h, h.slow[0], 7), 0);
		assert_int_equal(harness_send_number(&h, h.slow[0], 7), BRINE_ERR_NO_CREDIT);
		harness_pump(&h);
	}
	harness_end(&h);
}

/* A peer that sends without reading: no stream has more than one credit frame in the output. */
static void unread_credit_script(struct harness *h)
{
	harness_open(h, "count", BRINE_FOREVER, true, false);
	harness_forget(h);
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
		for (unsigned burst = 0; burst < 8 && harness_send_number(h, serials[i], 7) == 0; burst++)
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
	harness_forget(&h);
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
	        cmocka_unit_test(D07_no_credit_ever),
	        cmocka_unit_test(D08_small_windows),
	        cmocka_unit_test(large_items_get_less_credit),
	        cmocka_unit_test(untaken_items_are_limited),
	        cmocka_unit_test(slow_readers_slow_their_writers_only),
	        cmocka_unit_test(unread_credit_does_not_pile_up),
	        cmocka_unit_test(D11_one_stalls_the_others_flow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
