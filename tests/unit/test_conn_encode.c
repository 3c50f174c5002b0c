/* Proves: params and results that an encoder writes straight into the output give the bytes that the copying form
 * gives, at every size of the length prefix and whatever waits in the output before; an encoder that fails leaves the
 * connection as it was; limits hold. */
#include "support.h"

#include <brine/conn.h>
#include <brine/pack.h>

static const struct brine_bytes none = {NULL, 0};

/* What an encoder writes, in pieces, so that the output grows under it; then it fails where it is told to. */
struct wanted {
	struct brine_bytes value;
	size_t piece;
	int status;
	unsigned runs;
};

static int write_wanted(struct brine_buf *out, void *user)
{
	struct wanted *wanted = user;
	const uint8_t *at = wanted->value.data;
	wanted->runs++;
	for (size_t left = wanted->value.size; left;) {
		size_t size = wanted->piece && wanted->piece < left ? wanted->piece : left;
		if (brine_buf_append(out, at, size) < 0)
			return BRINE_ERR_NOMEM;
		at += size;
		left -= size;
	}
	return wanted->status;
}

/* Params or result: an array that holds one text, size bytes in all. */
static struct brine_buf value_of(size_t size)
{
	struct brine_buf value = BRINE_BUF_INIT;
	static char text[200000];
	memset(text, 'x', sizeof text);
	brine_pack_array(&value, 1);
	size_t head = size < 34 ? 1 : size < 2 + 1 + 256 ? 2 : size < 3 + 1 + 65536 ? 3 : 5;
	brine_pack_str(&value, text, size - 1 - head);
	assert_int_equal(brine_buf_size(&value), size);
	return value;
}

/* A connection of each side that has heard its peer's hello, with `waiting` bytes of output or a little more. */
static struct brine_conn *connection(const struct brine_allocator *allocator, int role, int wire, size_t waiting)
{
	static const char hello[] = "\x0f\x92\x10\x82\xa1v\x01\xa3max\xce\x00\x20\x00\x00";
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	struct brine_event event;
	struct brine_conn *conn;
	options.role = role;
	options.wire = wire;
	options.allocator = allocator;
	assert_int_equal(brine_conn_new(&conn, &options, 1, NULL), 0);
	if (role == BRINE_ACCEPTING && wire == BRINE_WIRE_FRAMED) {
		assert_int_equal(brine_conn_feed(conn, BRINE_BYTES(hello, sizeof hello - 1), 1), 0);
		assert_int_equal(brine_conn_next(conn, &event, 1), 1);
		brine_conn_sent(conn, brine_conn_pending(conn).size, 1);
	}
	struct brine_buf params = value_of(waiting > 10000 ? 10000 : 2);
	while (brine_conn_pending(conn).size < waiting)
		assert_int_equal(brine_conn_notify(conn, BRINE_STR("wait"), brine_buf_bytes(&params), none, NULL), 0);
	brine_buf_done(&params);
	return conn;
}

/* One call, the params encoded where wanted is not NULL. */
static int call(struct brine_conn *conn, struct brine_bytes params, struct wanted *wanted, struct brine_error *error)
{
	struct brine_encoder encoder = {write_wanted, wanted};
	uint64_t serial = 0;
	struct brine_conn_call what = {
	        .method = BRINE_STR("m"),
	        .params = params,
	        .metadata = BRINE_BYTES("\x81\xa1k\xa1v", 5),
	        .deadline_ms = 1000,
	        .encoder = wanted ? &encoder : NULL,
	};
	return brine_conn_call(conn, &what, 1, &serial, error);
}

/* A request of the peer comes and is answered. */
static int answer(struct brine_conn *conn, struct brine_bytes result, struct wanted *wanted)
{
	struct brine_encoder encoder = {write_wanted, wanted};
	struct brine_event event;
	bool is_plain = brine_conn_wire(conn) == BRINE_WIRE_PLAIN;
	struct brine_bytes request = BRINE_BYTES("\x06\x94\x00\x07\xa1m\x90", 7);
	if (is_plain)
		request = BRINE_BYTES("\x94\x00\x07\xa1m\x90", 6);
	assert_int_equal(brine_conn_feed(conn, request, 1), 0);
	assert_int_equal(brine_conn_next(conn, &event, 1), 1);
	assert_int_equal(event.type, BRINE_EVENT_REQUEST);
	int status = wanted ? brine_conn_reply_encoded(conn, event.serial, &encoder, none, 1)
	                    : brine_conn_reply(conn, event.serial, result, none, 1);
	assert_int_equal(brine_conn_next(conn, &event, 1), 0);
	return status;
}

static void compare_output(struct brine_conn *a, struct brine_conn *b)
{
	struct brine_bytes left = brine_conn_pending(a), right = brine_conn_pending(b);
	assert_int_equal(left.size, right.size);
	assert_memory_equal(left.data, right.data, left.size);
	assert_int_equal(brine_conn_counters(a)->frames_sent, brine_conn_counters(b)->frames_sent);
}

/* The output is whole frames, the last of which has the value as its params or result. */
static void check_last_frame(const struct brine_conn *conn, struct brine_bytes value)
{
	struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_bytes output = brine_conn_pending(conn), message = none;
	struct brine_judgement judgement;
	struct brine_frame frame;
	size_t prefix_size;
	while (output.size) {
		assert_int_equal(brine_frame_find(output, &limits, &message, &prefix_size, NULL), 1);
		assert_int_equal(brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, &limits, &judgement, NULL), 0);
		output = BRINE_BYTES((const uint8_t *)message.data + message.size,
		                     output.size - prefix_size - message.size);
	}
	struct brine_bytes got = frame.type == BRINE_FRAME_REQUEST ? frame.params : frame.result;
	assert_int_equal(got.size, value.size);
	assert_memory_equal(got.data, value.data, value.size);
}

static void compare_forms(size_t size, size_t waiting, size_t piece, int wire)
{
	struct brine_buf value = value_of(size);
	for (int role = BRINE_CONNECTING; role <= BRINE_ACCEPTING; role++) {
		if (role == BRINE_ACCEPTING && wire == BRINE_WIRE_PLAIN && waiting)
			continue; /* has nothing to say before it is asked */
		struct brine_conn *copies = connection(NULL, role, wire, waiting);
		struct brine_conn *encodes = connection(NULL, role, wire, waiting);
		struct wanted wanted = {brine_buf_bytes(&value), piece, 0, 0};
		if (role == BRINE_CONNECTING || wire == BRINE_WIRE_FRAMED) {
			assert_int_equal(call(copies, brine_buf_bytes(&value), NULL, NULL), 0);
			assert_int_equal(call(encodes, none, &wanted, NULL), 0);
			compare_output(copies, encodes);
			if (wire == BRINE_WIRE_FRAMED)
				check_last_frame(encodes, brine_buf_bytes(&value));
		}
		assert_int_equal(answer(copies, brine_buf_bytes(&value), NULL), 0);
		assert_int_equal(answer(encodes, none, &wanted), 0);
		assert_in_range(wanted.runs, 1, 2);
		compare_output(copies, encodes);
		if (wire == BRINE_WIRE_FRAMED)
			check_last_frame(encodes, brine_buf_bytes(&value));
		brine_conn_free(copies);
		brine_conn_free(encodes);
	}
	brine_buf_done(&value);
}

static void the_bytes_are_those_of_the_copying_form(void **state)
{
	/* Below these sizes the prefix grows, for a message whose head has up to 32 bytes. */
	static const size_t borders[] = {128, 256, 65536}, sizes[] = {2, 100, 300, 4000, 150000};
	static const size_t waiting[] = {0, 1, 200, 5000};
	(void)state;
	for (size_t i = 0; i < sizeof borders / sizeof borders[0]; i++)
		for (size_t less = 0; less <= 32; less++)
			compare_forms(borders[i] - less, waiting[less % 4], less % 2 ? 7 : 0, BRINE_WIRE_FRAMED);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (size_t j = 0; j < sizeof waiting / sizeof waiting[0]; j++)
			for (int wire = BRINE_WIRE_FRAMED; wire <= BRINE_WIRE_PLAIN; wire++)
				compare_forms(sizes[i], waiting[j], 0, wire);
	compare_forms(100, 200000, 0, BRINE_WIRE_FRAMED);
	compare_forms(150000, 200000, 0, BRINE_WIRE_FRAMED);
}

/* An encoder that writes nothing stands for [] and nil, as values of no bytes do. */
static void nothing_encoded(void **state)
{
	(void)state;
	for (int wire = BRINE_WIRE_FRAMED; wire <= BRINE_WIRE_PLAIN; wire++) {
		struct brine_conn *copies = connection(NULL, BRINE_CONNECTING, wire, 10);
		struct brine_conn *encodes = connection(NULL, BRINE_CONNECTING, wire, 10);
		struct wanted nothing = {none, 0, 0, 0};
		assert_int_equal(call(copies, none, NULL, NULL), 0);
		assert_int_equal(call(encodes, none, &nothing, NULL), 0);
		assert_int_equal(answer(copies, none, NULL), 0);
		assert_int_equal(answer(encodes, none, &nothing), 0);
		compare_output(copies, encodes);
		brine_conn_free(copies);
		brine_conn_free(encodes);
	}
}

/* What is in the output stays, byte for byte; the next call takes the place. */
static void an_encoder_fails(void **state)
{
	static const size_t waiting[] = {0, 100, 100000};
	static const uint8_t zeros[70000];
	(void)state;
	for (size_t i = 0; i < 9; i++) {
		struct brine_conn *conn = connection(NULL, BRINE_ACCEPTING, BRINE_WIRE_FRAMED, waiting[i % 3]);
		struct brine_conn *other = connection(NULL, BRINE_ACCEPTING, BRINE_WIRE_FRAMED, waiting[i % 3]);
		struct wanted fails = {BRINE_BYTES(zeros, i < 3 ? 0 : sizeof zeros), i < 6 ? 0 : 999, -77, 0};
		struct brine_error error = BRINE_ERROR_INIT;
		assert_int_equal(call(conn, none, &fails, &error), -77);
		assert_int_equal(error.code, 0);
		assert_int_equal(brine_conn_calls_outgoing(conn), 0);
		compare_output(conn, other);
		assert_int_equal(answer(conn, none, &fails), -77);
		compare_output(conn, other);
		/* The answer is still owed, and can be anything. */
		assert_int_equal(brine_conn_calls_incoming(conn), 1);
		assert_int_equal(brine_conn_fail(conn, 2, 1000, BRINE_STR("no"), none, 1), 0);
		assert_int_equal(brine_conn_reply(conn, 2, none, none, 1), BRINE_ERR_NOT_FOUND);
		assert_int_equal(fails.runs, 2);
		brine_conn_free(conn);
		brine_conn_free(other);
	}
}

static void limits_hold(void **state)
{
	static uint8_t much[3 << 20] = {0x91, 0xc6, 0x00, 0x2f, 0xff, 0xfa};
	static const char text[] = "the answer of 3145728 bytes exceeds the caller's max of 2097152";
	struct brine_conn *conn = connection(NULL, BRINE_ACCEPTING, BRINE_WIRE_FRAMED, 50);
	struct brine_error error = BRINE_ERROR_INIT;
	size_t before = brine_conn_pending(conn).size;
	struct wanted big = {BRINE_BYTES(much, sizeof much), 0, 0, 0};
	struct wanted wrong = {BRINE_BYTES("\x07", 1), 0, 0, 0};
	(void)state;
	assert_int_equal(call(conn, none, &big, &error), BRINE_ERR_TOO_BIG);
	assert_string_equal(error.text, "params of 3145728 bytes: the message exceeds the peer's max of 2097152");
	assert_int_equal(call(conn, none, &wrong, &error), BRINE_ERR_INVALID);
	assert_string_equal(error.text, "params: expected one encoded array");
	assert_int_equal(brine_conn_pending(conn).size, before);
	/* An answer that is too big says so to the caller, and is used up. */
	assert_int_equal(answer(conn, none, &big), BRINE_ERR_TOO_BIG);
	assert_int_equal(brine_conn_calls_incoming(conn), 0);
	struct brine_bytes output = brine_conn_pending(conn);
	assert_non_null(memmem(output.data, output.size, text, sizeof text - 1));
	/* Above the mark nothing is encoded. */
	struct wanted small = {BRINE_BYTES("\x90", 1), 0, 0, 0};
	while (brine_conn_pending(conn).size < (8u << 20))
		assert_int_equal(brine_conn_notify(conn, BRINE_STR("m"), BRINE_BYTES(much, 1 << 20), none, NULL), 0);
	assert_int_equal(call(conn, none, &small, &error), BRINE_ERR_OVERLOADED);
	assert_int_equal(small.runs, 0);
	brine_conn_free(conn);
}

/* Nothing is encoded for a call that ended before its answer. */
static void ended_calls_are_not_encoded(void **state)
{
	struct brine_conn *conn = connection(NULL, BRINE_ACCEPTING, BRINE_WIRE_FRAMED, 0);
	struct wanted wanted = {BRINE_BYTES("\x90", 1), 0, 0, 0};
	struct brine_encoder encoder = {write_wanted, &wanted};
	struct brine_event event;
	(void)state;
	assert_int_equal(brine_conn_feed(conn, BRINE_BYTES("\x06\x94\x00\x08\xa1m\x90\x03\x92\x08\x08", 11), 1), 0);
	while (brine_conn_next(conn, &event, 1) > 0)
		continue;
	assert_int_equal(event.type, BRINE_EVENT_CANCEL);
	assert_int_equal(brine_conn_reply_encoded(conn, event.serial, &encoder, none, 1), BRINE_ERR_CANCELLED);
	assert_int_equal(brine_conn_reply_encoded(conn, event.serial, &encoder, none, 1), BRINE_ERR_NOT_FOUND);
	assert_int_equal(wanted.runs, 0);
	brine_conn_free(conn);
}

/* An unsent call is taken back whole, whatever the moves that its prefix made. */
static void encoded_calls_are_taken_back(void **state)
{
	static const size_t sizes[] = {10, 300, 70000};
	(void)state;
	for (size_t i = 0; i < 9; i++) {
		struct brine_buf value = value_of(sizes[i % 3]);
		struct brine_conn *conn = connection(NULL, BRINE_CONNECTING, BRINE_WIRE_FRAMED, i < 3 ? 0 : 300);
		struct brine_conn *other = connection(NULL, BRINE_CONNECTING, BRINE_WIRE_FRAMED, i < 3 ? 0 : 300);
		struct wanted wanted = {brine_buf_bytes(&value), 0, 0, 0};
		struct brine_event event;
		assert_int_equal(call(conn, none, &wanted, NULL), 0);
		assert_int_equal(call(conn, none, &wanted, NULL), 0);
		brine_conn_cancel(conn, 1, 1);
		brine_conn_cancel(conn, 2, 1);
		while (brine_conn_next(conn, &event, 1) > 0)
			assert_int_equal(event.status, BRINE_ERR_CANCELLED);
		compare_output(conn, other);
		brine_conn_free(conn);
		brine_conn_free(other);
		brine_buf_done(&value);
	}
}

/* Out of memory in the frame or in the encoder: nothing was queued, nothing is lost. */
static void every_allocation_may_fail(void **state)
{
	struct brine_buf value = value_of(40000);
	unsigned failures = 0;
	(void)state;
	for (uint64_t n = 1; n < 40; n++) {
		struct fail_allocator memory;
		fail_allocator_init(&memory, 0, false);
		struct brine_conn *conn = connection(&memory.base, BRINE_CONNECTING, BRINE_WIRE_FRAMED, 0);
		struct wanted wanted = {brine_buf_bytes(&value), 1000, 0, 0};
		memory.fail_at = memory.calls + n;
		int status = call(conn, none, &wanted, NULL);
		assert_true(status == 0 || status == BRINE_ERR_NOMEM);
		assert_int_equal(brine_conn_calls_outgoing(conn), status == 0);
		assert_int_equal(brine_conn_pending(conn).size > 0, status == 0);
		assert_int_equal(brine_conn_state(conn), BRINE_CONN_OPEN);
		failures += memory.failures && status < 0;
		brine_conn_free(conn);
		assert_int_equal(memory.held, 0);
	}
	assert_true(failures > 5);
	brine_buf_done(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_bytes_are_those_of_the_copying_form),
	        cmocka_unit_test(nothing_encoded),
	        cmocka_unit_test(an_encoder_fails),
	        cmocka_unit_test(limits_hold),
	        cmocka_unit_test(ended_calls_are_not_encoded),
	        cmocka_unit_test(encoded_calls_are_taken_back),
	        cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
