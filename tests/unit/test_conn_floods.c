/* Proves: what a peer opens, cancels, grants or repeats as fast as it can is refused or ignored at its price: handlers
 * that are cancelled count until they have ended, and memory stays where it is. */
#include "conn_harness.h"

enum { BLOCK = 1000, RUNNING_MAX = 8 };

/* The messages in hex, each with its length before it, BLOCK times over. */
static void make_block(struct brine_buf *block, const char *const *messages, size_t count)
{
	for (unsigned i = 0; i < BLOCK; i++) {
		for (size_t message = 0; message < count; message++) {
			struct brine_buf bytes = BRINE_BUF_INIT;
			size_t size = hex_append(&bytes, messages[message]);
			brine_pack_uint(block, size);
			brine_buf_append(block, bytes.data, size);
			brine_buf_done(&bytes);
		}
	}
}

/* Handlers that run, oldest first; each ends a while after it was cancelled. */
struct floods {
	uint64_t running[RUNNING_MAX];
	unsigned count;
	uint64_t started, cancelled;
	bool ends; /* a cancelled handler ends as soon as the next request comes */
};
static struct floods floods;

static bool flood_hook(struct harness *h, const struct brine_event *event)
{
	if (event->type == BRINE_EVENT_CANCEL) {
		floods.cancelled++;
		return true;
	}
	if (event->type == BRINE_EVENT_ITEM)
		return true;
	if (event->type != BRINE_EVENT_REQUEST)
		return false;
	assert_in_range(floods.count, 0, RUNNING_MAX - 1);
	floods.started++;
	floods.running[floods.count++] = event->serial;
	if (event->wants_items)
		assert_int_equal(brine_conn_send(h->conn, event->serial, BRINE_BYTES("\x07", 1), h->now_ms), 0);
	if (floods.ends && floods.count == RUNNING_MAX) {
		for (unsigned i = 0; i + 1 < RUNNING_MAX; i++)
			assert_int_equal(brine_conn_reply(h->conn, floods.running[i], none, none, h->now_ms),
			                 BRINE_ERR_CANCELLED);
		floods.running[0] = floods.running[RUNNING_MAX - 1];
		floods.count = 1;
	}
	return true;
}

/* Each block opens and cancels BLOCK calls. */
static void run_flood(const char *const *messages, size_t count, unsigned blocks, bool ends)
{
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	options.limits.calls_max = RUNNING_MAX;
	floods = (struct floods){.ends = ends};
	harness_begin(&h, &options, 0);
	h.hook = flood_hook;
	struct brine_buf block = BRINE_BUF_INIT;
	make_block(&block, messages, count);
	uint64_t answers = 0;
	for (unsigned i = 0; i < blocks; i++) {
		harness_feed_bytes(&h, block.data, brine_buf_size(&block));
		assert_int_equal(brine_conn_calls_incoming(h.conn), floods.count);
		const struct brine_conn_counters *counters = brine_conn_counters(h.conn);
		assert_int_equal(floods.started, floods.cancelled);
		assert_int_equal(floods.started + counters->calls_refused, (i + 1) * BLOCK);
		answers += brine_buf_size(&h.output) > 0;
		brine_buf_done(&h.output);
	}
	assert_int_equal(answers, blocks);
	assert_true(ends ? floods.started == (uint64_t)blocks * BLOCK : floods.started == RUNNING_MAX);
	assert_in_range(h.memory.held_most, 1, 4 * brine_buf_size(&block) + 256 * 1024);
	brine_buf_done(&block);
	harness_end(&h);
}

static void C23_a_million_resets(void **state)
{
	(void)state;
	static const char *const messages[] = {"940005 a4736c6f77 90", "920805"};
	run_flood(messages, 2, 900, false);
	run_flood(messages, 2, 100, true);
}

static void D10_streams_opened_and_reset(void **state)
{
	(void)state;
	static const char *const messages[] = {"950005 a4736c6f77 90 82a377696e02a27570c3", "93040507", "920805"};
	run_flood(messages, 3, 50, false);
	run_flood(messages, 3, 50, true);
}

/* 10,000 streams and nothing is read: beyond the limit error 5, and items up to the credit. */
static bool endless_hook(struct harness *h, const struct brine_event *event)
{
	if (event->type == BRINE_EVENT_CANCEL)
		return true;
	if (event->type != BRINE_EVENT_REQUEST)
		return false;
	int rc;
	while ((rc = brine_conn_send(h->conn, event->serial, BRINE_BYTES("\x07", 1), h->now_ms)) == 0)
		continue;
	assert_int_equal(rc, BRINE_ERR_NO_CREDIT);
	floods.started++;
	return true;
}

static void D09_ten_thousand_streams(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	h.hook = endless_hook;
	floods = (struct floods){0};
	for (unsigned i = 0; i < 10000; i++) {
		char hex[64];
		snprintf(hex, sizeof hex, "9500cd%04x a4736c6f77 90 81a377696ecd03e8", i);
		harness_message(&h, hex);
		brine_buf_done(&h.output);
	}
	assert_int_equal(floods.started, 256);
	assert_int_equal(brine_conn_counters(h.conn)->calls_refused, 10000 - 256);
	assert_in_range(h.memory.held_most, 1, 256 * 1024);
	/* And with none of it read: the streams stop at half of the mark, then refusals are counted. */
	h.no_writing = true;
	for (unsigned i = 0; i < 999; i++)
		harness_message(&h, "9500cd7000 a4736c6f77 90 81a377696ecd03e8");
	assert_false(h.closed);
	for (unsigned i = 0; i < 2 && !h.closed; i++)
		harness_message(&h, "9500cd7000 a4736c6f77 90 81a377696ecd03e8");
	assert_true(h.closed);
	assert_int_equal(h.closed_status, BRINE_ERR_NO_PROGRESS);
	harness_end(&h);
}

static void F03_credit_and_hello_floods(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	harness_message(&h, "9210 80");
	harness_message(&h, "950001 a4736c6f77 90 81a377696e00");
	static const char *const messages[] = {"93060901", "93050901", "93060101"};
	struct brine_buf block = BRINE_BUF_INIT;
	make_block(&block, messages, 3);
	for (unsigned i = 0; i < 100; i++)
		harness_feed_bytes(&h, block.data, brine_buf_size(&block));
	assert_int_equal(brine_conn_counters(h.conn)->glitches, 2 * 100 * BLOCK);
	assert_in_range(h.memory.held_most, 1, 4 * brine_buf_size(&block) + 16 * 1024);
	brine_buf_done(&block);
	brine_buf_done(&h.output);
	harness_message(&h, "9210 80");
	harness_expect_fault(&h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "hello out of place");
	harness_end(&h);
}

static void calls_of_peer_script(struct harness *h)
{
	harness_message(h, "9211 81 a563616c6c7302");
	harness_open(h, "x", BRINE_FOREVER, true, true);
	uint64_t second = harness_call(h, "x", BRINE_FOREVER);
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	struct brine_error error = BRINE_ERROR_INIT;
	uint64_t serial;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, &error), BRINE_ERR_OVERLOADED);
	assert_non_null(strstr(error.text, "2 calls are running, the peer takes 2"));
	harness_pump(h);
	harness_feed(h, "05940101c005");
	harness_call(h, "x", BRINE_FOREVER);
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_OVERLOADED);
	/* A call that ended here no longer counts here. */
	brine_conn_cancel(h->conn, second, h->now_ms);
	harness_call(h, "x", BRINE_FOREVER);
}

static void C19_more_calls_than_the_peer_takes(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, calls_of_peer_script);
}

/* Cancel and request in one read: the handler begins and is told at once; its items and answer go nowhere. */
static void one_read_script(struct harness *h)
{
	harness_feed(h, "0f 950005 a4736c6f77 90 81a377696e05 03920805 0a 940006 a3616464 920203 03920806");
	harness_expect_log(h, "request slow []\ncancel BRINE_ERR_CANCELLED\nrequest add [2, 3]\n");
	harness_expect(h, "10 940105 9204a963616e63656c6c6564 c0 05940106c005");
	assert_int_equal(brine_conn_send(h->conn, h->slow[0], BRINE_BYTES("\x07", 1), h->now_ms), BRINE_ERR_CANCELLED);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_CANCELLED);
	assert_int_equal(brine_conn_send(h->conn, h->slow[0], BRINE_BYTES("\x07", 1), h->now_ms), BRINE_ERR_NOT_FOUND);
	harness_pump(h);
	harness_expect(h, "");
}

static void C22_cancel_in_one_read(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	harness_run(&options, one_read_script);
}

/* Two ends, and what each was told. */
struct ends {
	struct brine_conn *caller, *callee;
	uint64_t call, request;
	unsigned responses, cancels;
	int status;
	int reply; /* what replying came to; 1: not yet */
};

static void pull_ends(struct ends *ends)
{
	struct brine_event event;
	while (brine_conn_next(ends->caller, &event, 1) > 0) {
		assert_int_equal(event.type, BRINE_EVENT_RESPONSE);
		assert_int_equal(event.serial, ends->call);
		ends->responses++;
		ends->status = event.status;
	}
	while (brine_conn_next(ends->callee, &event, 1) > 0) {
		ends->request = event.type == BRINE_EVENT_REQUEST ? event.serial : ends->request;
		ends->cancels += event.type == BRINE_EVENT_CANCEL;
	}
}

static void carry(struct brine_conn *from, struct brine_conn *to)
{
	struct brine_bytes bytes = brine_conn_pending(from);
	if (bytes.size)
		brine_conn_feed(to, bytes, 1);
	brine_conn_sent(from, bytes.size, 1);
}

/* 0 cancel, 1 reply, 2 and 3 carry; where the reply cannot be yet, nothing. */
static void act(struct ends *ends, unsigned action)
{
	if (action == 0)
		brine_conn_cancel(ends->caller, ends->call, 1);
	else if (action == 1 && ends->request && ends->reply > 0)
		ends->reply = brine_conn_reply(ends->callee, ends->request, none, none, 1);
	else if (action == 2)
		carry(ends->caller, ends->callee);
	else if (action == 3)
		carry(ends->callee, ends->caller);
}

/* Every order of five actions; bit i of pulls: events are pulled after action i, as they may wait too. */
static void race(unsigned order, unsigned pulls)
{
	struct ends ends = {.reply = 1};
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	assert_int_equal(brine_conn_new(&ends.caller, &options, 1, NULL), 0);
	options.role = BRINE_ACCEPTING;
	assert_int_equal(brine_conn_new(&ends.callee, &options, 1, NULL), 0);
	struct brine_conn_call call = {.method = BRINE_STR("m"), .deadline_ms = BRINE_FOREVER};
	assert_int_equal(brine_conn_call(ends.caller, &call, 1, &ends.call, NULL), 0);
	for (unsigned i = 0; i < 5; i++, order /= 4, pulls /= 2) {
		act(&ends, order % 4);
		if (pulls % 2)
			pull_ends(&ends);
	}
	for (unsigned i = 0; i < 4; i++) {
		pull_ends(&ends);
		act(&ends, 1);
		carry(ends.caller, ends.callee);
		carry(ends.callee, ends.caller);
	}
	pull_ends(&ends);
	assert_int_equal(ends.responses, 1);
	assert_true(ends.status == BRINE_OK || ends.status == BRINE_ERR_CANCELLED);
	/* The handler ran or not; where it did, it answered or was cancelled, and was told at most once. */
	assert_true(ends.request ? ends.reply == 0 || ends.reply == BRINE_ERR_CANCELLED : ends.reply == 1);
	assert_in_range(ends.cancels, 0, ends.reply == BRINE_ERR_CANCELLED);
	assert_true(ends.status == BRINE_ERR_CANCELLED || ends.reply == 0);
	assert_int_equal(brine_conn_calls_incoming(ends.callee) + brine_conn_calls_outgoing(ends.caller), 0);
	brine_conn_free(ends.caller);
	brine_conn_free(ends.callee);
}

static void C24_cancel_races_the_answer(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 4 * 4 * 4 * 4 * 4; order++)
		for (unsigned pulls = 0; pulls < 32; pulls++)
			race(order, pulls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(C19_more_calls_than_the_peer_takes),
	        cmocka_unit_test(C22_cancel_in_one_read),
	        cmocka_unit_test(C23_a_million_resets),
	        cmocka_unit_test(C24_cancel_races_the_answer),
	        cmocka_unit_test(D09_ten_thousand_streams),
	        cmocka_unit_test(D10_streams_opened_and_reset),
	        cmocka_unit_test(F03_credit_and_hello_floods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
