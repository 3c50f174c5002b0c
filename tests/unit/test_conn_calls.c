/* Proves: part C of the hostile catalogue as far as it needs no schema and no streams: ids, answers, methods, limits,
 * loss. Each row whole, byte by byte and at 16 random cuts, on simulated time. */
#include "conn_harness.h"

#include "conn/conn.h"

static void duplicate_id_script(struct harness *h)
{
	harness_message(h, "940007 a4736c6f77 90");
	harness_message(h, "940007 a4736c6f77 90");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "id 7 is in use");
	assert_int_equal(h->handlers, 1);
	assert_int_equal(h->cancels, 1);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_LOST);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_NOT_FOUND);
}

static void C01_id_in_use(void **state)
{
	(void)state;
	harness_serve(duplicate_id_script);
}

static void ids_script(struct harness *h)
{
	static const char *const ids[] = {"05", "05", "00", "ce80000000", "ceffffffff", "cefffffffe", "04", "03"};
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		char hex[64];
		snprintf(hex, sizeof hex, "9400 %s a3616464 920203", ids[i]);
		harness_message(h, hex);
		snprintf(hex, sizeof hex, "%02zx 9401 %s c005", 4 + strlen(ids[i]) / 2, ids[i]);
		harness_expect(h, hex);
	}
}

static void C02_C03_ids_are_equal_and_used_again(void **state)
{
	(void)state;
	harness_serve(ids_script);
}

static const char *bad_id;

static void bad_id_script(struct harness *h)
{
	char hex[64];
	snprintf(hex, sizeof hex, "9400 %s a3616464 920203", bad_id);
	harness_message(h, hex);
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "bad id");
}

static void C04_bad_ids(void **state)
{
	(void)state;
	static const char *const ids[] = {
	        "cf0000000100000000", "ff", "d0ff", "ca3f800000", "a131", "c0", "91 01", "c3"};
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		bad_id = ids[i];
		harness_serve(bad_id_script);
	}
}

static void wrap_script(struct harness *h)
{
	h->conn->id_next = 0;
	uint64_t zero = harness_call(h, "add", BRINE_FOREVER), one = harness_call(h, "add", BRINE_FOREVER);
	h->conn->id_next = UINT32_MAX - 2;
	for (unsigned i = 0; i < 4; i++)
		harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_feed(h, "05940102c002 09 9401cefffffffdc00d 05940100c010 05940101c011 09 9401cefffffffec00e 09 "
	                "9401ceffffffffc00f");
	assert_int_equal(zero, 1);
	assert_int_equal(one, 2);
	harness_expect_log(h, "response 6 = 2\nresponse 3 = 13\nresponse 1 = 16\nresponse 2 = 17\nresponse 4 = 14\n"
	                      "response 5 = 15\n");
}

static void C05_our_ids_wrap(void **state)
{
	(void)state;
	harness_connect(wrap_script);
}

static void unasked_answer_script(struct harness *h)
{
	harness_feed(h, "05940105c005");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 1);
	harness_expect_log(h, "");
}

static void C06_answer_to_nothing(void **state)
{
	(void)state;
	harness_connect(unasked_answer_script);
	harness_serve(unasked_answer_script);
}

static void late_answer_script(struct harness *h)
{
	uint64_t serial = harness_call(h, "add", BRINE_FOREVER);
	harness_pump(h);
	harness_expect(h, "08940001a361646490");
	brine_conn_cancel(h->conn, serial, h->now_ms);
	brine_conn_cancel(h->conn, serial, h->now_ms);
	harness_pump(h);
	harness_expect(h, "03920801");
	harness_feed(h, "05940101c005");
	harness_expect_log(h, "response 1 BRINE_ERR_CANCELLED\n");
	assert_int_equal(brine_conn_counters(h->conn)->late_answers, 1);
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 0);
	harness_call(h, "add", 100);
	harness_pump(h);
	harness_pass(h, 99);
	harness_expect_log(h, "");
	harness_pass(h, 1);
	harness_expect_log(h, "response 2 BRINE_ERR_DEADLINE\n");
	/* The request carried its ttl, so no cancel follows it. */
	harness_expect(h, "0e950002a361646490 81a374746c64");
	harness_feed(h, "05940102c005");
	assert_int_equal(brine_conn_counters(h->conn)->late_answers, 2);
}

static void C07_C08_late_answers(void **state)
{
	(void)state;
	harness_connect(late_answer_script);
}

static void two_answers_script(struct harness *h)
{
	harness_call(h, "add", BRINE_FOREVER);
	harness_pump(h);
	harness_feed(h, "05940101c005 05940101c006");
	harness_expect_log(h, "response 1 = 5\n");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 1);
}

static void C09_two_answers(void **state)
{
	(void)state;
	harness_connect(two_answers_script);
}

static void wrong_kind_script(struct harness *h)
{
	harness_call(h, "add", BRINE_FOREVER);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_feed(h, "04930301 07");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "an item that was not asked for of call 1");
	harness_expect_log(h, "response 1 BRINE_ERR_PROTO\n");
}

static void upload_without_credit_script(struct harness *h)
{
	harness_message(h, "940001 a4736c6f77 90");
	harness_feed(h, "04930401 07");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "no credit");
}

static void stream_strays_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 82a377696e02a27570c3");
	harness_feed(h, "04930609 01 03920409 03920809 04930509 01 04930309 01");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 5);
	harness_feed(h, "04930601 07 03920401 03920401");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 6);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	harness_expect(h, "0493050110");
	harness_feed(h, "08930601 ce7ffffff7");
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "credit overflow");
}

static void C10_answers_of_the_wrong_kind(void **state)
{
	(void)state;
	harness_connect(wrong_kind_script);
	harness_serve(upload_without_credit_script);
	harness_serve(stream_strays_script);
}

static void answer_forms_script(struct harness *h)
{
	for (unsigned i = 0; i < 9; i++)
		harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	harness_message(h, "940101 9202a178 05");
	harness_message(h, "940102 c0 c0");
	harness_message(h, "940103 9200a0 c0");
	harness_message(h, "940104 92cd0539a178 c0");
	harness_message(h, "940105 92ffa178 c0");
	harness_message(h, "940106 a2786e c0");
	harness_message(h, "940107 2a c0");
	harness_message(h, "940108 81a16101 c0");
	harness_message(h, "940109 93cf8000000000000000a178c0 c0");
	harness_expect_log(h, "response 1 BRINE_ERR_REMOTE 2 'x'\n"
	                      "response 2 = None\n"
	                      "response 3 BRINE_ERR_REMOTE 0 ''\n"
	                      "response 4 BRINE_ERR_REMOTE 1337 'x'\n"
	                      "response 5 BRINE_ERR_REMOTE -1 'x'\n"
	                      "response 6 BRINE_ERR_REMOTE 0 'xn'\n"
	                      "response 7 BRINE_ERR_REMOTE 42 ''\n"
	                      "response 8 BRINE_ERR_REMOTE 0 ''\n"
	                      "response 9 BRINE_ERR_REMOTE 9223372036854775807 'x'\n");
	harness_call(h, "x", BRINE_FOREVER);
	harness_call(h, "x", BRINE_FOREVER);
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	harness_message(h, "94010a 9203a178 c0");
	harness_message(h, "94010b 9204a0 c0");
	harness_message(h, "95010c c0 05 07");
	harness_expect_log(h, "response 10 BRINE_ERR_DEADLINE 3 'x'\n"
	                      "response 11 BRINE_ERR_CANCELLED 4 ''\n"
	                      "response 12 BRINE_ERR_PROTO\n");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void long_text_script(struct harness *h)
{
	/* [1, 1, [2, text of 1 MiB], nil]; the cut falls inside a two-byte character. */
	enum { SIZE = 1 << 20 };
	struct brine_buf message = BRINE_BUF_INIT;
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	hex_append(&message, "ce0010000b 940101 9202 db00100000");
	uint8_t *text = brine_buf_reserve(&message, SIZE + 1);
	text[0] = 'a';
	for (unsigned i = 1; i < SIZE; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[SIZE] = 0xc0;
	message.end += SIZE + 1;
	h->run = h->run == 1 ? 2 : h->run; /* a million single bytes prove nothing more here */
	struct brine_event event;
	assert_int_equal(brine_conn_feed(h->conn, brine_buf_bytes(&message), h->now_ms), 0);
	h->fed += brine_buf_size(&message);
	assert_int_equal(brine_conn_next(h->conn, &event, h->now_ms), 1);
	assert_int_equal(event.error.text.size, 1024);
	assert_memory_equal(event.error.text.data + 1019, "\xc3\xa9...", 5);
	h->ended[1] = 1;
	brine_buf_done(&message);
}

static void C11_C12_forms_of_answers(void **state)
{
	(void)state;
	harness_connect(answer_forms_script);
	harness_connect(long_text_script);
}

static void no_method_script(struct harness *h)
{
	harness_message(h, "940001 a6 6e6f1b5b0a78 90");
	harness_expect_log(h, "request no\\x1b[\\nx []\n");
	/* no such method: no\x1b[\nx */
	harness_expect(h, "21 940101 92 02 ba 6e6f2073756368206d6574686f643a206e6f5c7831625b5c6e78 c0");
}

static void C13_unknown_method(void **state)
{
	(void)state;
	harness_serve(no_method_script);
}

static struct {
	const char *hex; /* of the message, id 1 */
	int code;        /* of the error it gets; 0: goes on to the handler */
	bool is_dropped; /* as a notification, whose opts know only md */
} refusals[] = {
        {"940001 a0 90", 1, true},
        {"940001 07 90", 1, true},
        {"940001 c0 90", 1, true},
        {"940001 a178 07", 1, true},
        {"940001 a178 80", 1, true},
        {"930001 a178", 1, true},
        {"920001", 1, true},
        {"950001 a178 90 c0", 1, true},
        {"950001 a178 90 90", 1, true},
        {"950001 a178 90 81a374746cff", 1, false},
        {"950001 a178 90 81a374746ccb7ff8000000000000", 1, false},
        {"950001 a178 90 81a374746ca131", 1, false},
        {"950001 a178 90 82a374746c05a374746c05", 1, true},
        {"950001 a178 90 81a377696eff", 1, false},
        {"950001 a178 90 81a377696ece80000000", 1, false},
        {"950001 a178 90 81a2757001", 1, false},
        {"950001 a178 90 81a26d6401", 1, true},
        {"950001 a178 90 81a26d6481a001", 1, true},
        {"950001 a178 90 81a26d64810101", 1, true},
        {"950001 a178 90 81a26d6481a1c001", 0, false},
        {"950001 a178 90 81a26d6481a10a01", 1, true},
        {"950001 a178 90 81a26d6482a16101a16102", 1, true},
        {"950001 a178 90 82a37979790101c0", 0, false},
        {"950001 a178 90 81a374746c00", 3, false},
        {"960001 a178 90 80 07", 0, false},
        {"940001 c40178 c0", 0, false},
};
static size_t refusal_number;

static void refusal_script(struct harness *h)
{
	harness_message(h, refusals[refusal_number].hex);
	struct brine_bytes output = brine_buf_bytes(&h->output), message;
	struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_frame frame;
	struct brine_judgement judgement;
	size_t prefix_size;
	assert_int_equal(brine_frame_find(output, &limits, &message, &prefix_size, NULL), 1);
	assert_int_equal(brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, &limits, &judgement, NULL), 0);
	int code = refusals[refusal_number].code;
	assert_int_equal(frame.id, 1);
	assert_int_equal(frame.error.code, code ? code : BRINE_CODE_NO_METHOD);
	assert_int_equal(h->handlers, code ? 0 : 1);
	for (size_t i = 0; i < frame.error.text.size; i++)
		assert_in_range(frame.error.text.data[i], 0x20, 0x7e);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

/* A notification with the same fault is dropped and counted. */
static void dropped_script(struct harness *h)
{
	char hex[128];
	const char *request = refusals[refusal_number].hex;
	snprintf(hex, sizeof hex, "9%c02 %s", request[1] - 1, request + 6);
	harness_message(h, hex);
	harness_expect(h, "");
	assert_int_equal(brine_conn_counters(h->conn)->notifications_dropped, refusals[refusal_number].is_dropped);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void C14_C15_C25_C26_bad_requests(void **state)
{
	(void)state;
	for (refusal_number = 0; refusal_number < sizeof refusals / sizeof refusals[0]; refusal_number++) {
		harness_serve(refusal_script);
		if (refusals[refusal_number].hex[1] > '2')
			harness_serve(dropped_script);
	}
}

static uint32_t big_size;
static bool big_is_metadata;

/* A method name or metadata of big_size bytes. */
static void big_script(struct harness *h)
{
	struct brine_buf message = BRINE_BUF_INIT, frame = BRINE_BUF_INIT;
	char *filler = calloc(1, big_size);
	hex_append(&message, big_is_metadata ? "950001 a178 90 81a26d6481a178" : "940001");
	if (big_is_metadata) {
		brine_pack_bin(&message, filler, big_size);
	} else {
		brine_pack_str(&message, filler, big_size);
		hex_append(&message, "90");
	}
	brine_pack_uint(&frame, brine_buf_size(&message));
	brine_buf_append(&frame, message.data, brine_buf_size(&message));
	harness_feed_bytes(h, frame.data, brine_buf_size(&frame));
	assert_int_equal(h->handlers, 0);
	assert_memory_equal(h->output.data + 1, "\x94\x01\x01\x92", 4);
	assert_int_equal(h->output.data[5], big_is_metadata ? BRINE_CODE_TOO_LARGE : BRINE_CODE_INVALID);
	free(filler);
	brine_buf_done(&message);
	brine_buf_done(&frame);
}

static void C14_C26_sizes(void **state)
{
	(void)state;
	static const struct {
		uint32_t size;
		bool is_metadata;
	} rows[] = {{256, false}, {65536, false}, {8190, true}, {65536, true}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		big_size = rows[i].size;
		big_is_metadata = rows[i].is_metadata;
		harness_serve(big_script);
	}
}

static void many_entries_script(struct harness *h)
{
	struct brine_buf message = BRINE_BUF_INIT, frame = BRINE_BUF_INIT;
	hex_append(&message, big_is_metadata ? "950001 a178 90 81a26d64 de0041" : "950001 a178 90 de0041");
	for (unsigned i = 0; i < 65; i++) {
		char key[8];
		brine_pack_str(&message, key, (size_t)snprintf(key, sizeof key, "k%u", i));
		brine_pack_nil(&message);
	}
	brine_pack_uint(&frame, brine_buf_size(&message));
	brine_buf_append(&frame, message.data, brine_buf_size(&message));
	harness_feed_bytes(h, frame.data, brine_buf_size(&frame));
	assert_memory_equal(h->output.data + 1, "\x94\x01\x01\x92\x07", 5);
	brine_buf_done(&message);
	brine_buf_done(&frame);
}

static void C26_too_many_keys(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		big_is_metadata = i;
		harness_serve(many_entries_script);
	}
}

static void plain_arity_script(struct harness *h)
{
	/* The arity is the schema's business; a wrong kind of params is answered here, and the connection goes on. */
	harness_feed(h, "940001a178 07");
	assert_int_equal(h->handlers, 0);
	assert_memory_equal(h->output.data, "\x94\x01\x01", 3);
	brine_buf_done(&h->output);
	harness_feed(h, "940001a178 c0 940001a361646492 0203");
	assert_int_equal(h->handlers, 2);
	harness_expect_log(h, "request x []\nrequest add [2, 3]\n");
}

static void C15_params_of_a_plain_peer(void **state)
{
	(void)state;
	harness_serve(plain_arity_script);
}

static void quiet_notification_script(struct harness *h)
{
	harness_message(h, "9302 a16e 90");
	harness_message(h, "9302 a46661696c 90");
	harness_expect_log(h, "notification n []\nnotification fail []\n");
	harness_expect(h, "");
}

static void C16_notifications_are_never_answered(void **state)
{
	(void)state;
	harness_serve(quiet_notification_script);
}

static void reverse_call_script(struct harness *h)
{
	harness_call(h, "x", BRINE_FOREVER);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_message(h, "940001 a16e 90");
	assert_memory_equal(h->output.data + 1, "\x94\x01\x01\x92\x02", 5);
	harness_feed(h, "05940101c005");
	harness_expect_log(h, "request n []\nresponse 1 = 5\n");
}

static void C17_requests_to_a_client(void **state)
{
	(void)state;
	harness_connect(reverse_call_script);
}

static void C18_more_requests_than_the_limit(void **state)
{
	(void)state;
	enum { REQUESTS = 1000000, LIMIT = 8, BATCH = 1000 };
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	options.limits.calls_max = LIMIT;
	harness_begin(&h, &options, 0);
	uint32_t id = 0;
	for (unsigned batch = 0; batch < REQUESTS / BATCH; batch++) {
		struct brine_buf frames = BRINE_BUF_INIT;
		for (unsigned i = 0; i < BATCH; i++, id++) {
			uint8_t frame[] = {0x0e,
			                   0x94,
			                   0,
			                   0xce,
			                   (uint8_t)(id >> 24),
			                   (uint8_t)(id >> 16),
			                   (uint8_t)(id >> 8),
			                   (uint8_t)id,
			                   0xa4,
			                   's',
			                   'l',
			                   'o',
			                   'w',
			                   0x91,
			                   0};
			brine_buf_append(&frames, frame, sizeof frame);
		}
		harness_feed_bytes(&h, frames.data, brine_buf_size(&frames));
		brine_buf_done(&frames);
		brine_buf_done(&h.output);
	}
	assert_int_equal(h.handlers, LIMIT);
	assert_int_equal(brine_conn_counters(h.conn)->calls_refused, REQUESTS - LIMIT);
	assert_int_equal(brine_conn_state(h.conn), BRINE_CONN_OPEN);
	assert_in_range(h.memory.held_most, 1, 128 * 1024);
	/* A handler ends: the next request starts. */
	harness_answer_slow(&h, 0);
	harness_message(&h, "940000 a4736c6f77 90");
	assert_int_equal(h.handlers, LIMIT + 1);
	harness_end(&h);
}

/* A peer that never reads is cut at so many answers, whatever the side. */
static void C18_answers_left_unread(void **state)
{
	(void)state;
	for (unsigned role = 0; role < 2; role++) {
		static struct harness h;
		struct brine_conn_options options = role ? harness_accepting() : harness_connecting();
		options.limits.calls_max = 1;
		harness_begin(&h, &options, 0);
		h.no_writing = true;
		uint32_t id = 0;
		for (; !h.closed && id < 2000; id++) {
			char hex[64];
			snprintf(hex, sizeof hex, "9400 ce%08x a4736c6f77 90", id);
			harness_message(&h, hex);
		}
		assert_int_equal(h.closed_status, BRINE_ERR_NO_PROGRESS);
		assert_int_equal(id, 1002); /* one runs, 1,000 are answered, the next is one too many */
		harness_end(&h);
	}
}

static void cancels_script(struct harness *h)
{
	harness_feed(h, "03920805");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 1);
	harness_message(h, "940005 a4736c6f77 90");
	harness_feed(h, "03920805 03920805");
	harness_expect(h, "10 940105 9204a963616e63656c6c6564 c0");
	harness_expect_log(h, "request slow []\ncancel BRINE_ERR_CANCELLED\n");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 2);
	/* The id is free, the handler still counts. */
	harness_message(h, "940005 a4736c6f77 90");
	assert_int_equal(brine_conn_calls_incoming(h->conn), 2);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_CANCELLED);
	assert_int_equal(brine_conn_calls_incoming(h->conn), 1);
	harness_answer_slow(h, 1);
	harness_pump(h);
	harness_expect(h, "05940105c02a");
	harness_feed(h, "03920805");
	harness_expect(h, "");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 3);
}

static void C20_C21_C22_cancels(void **state)
{
	(void)state;
	harness_serve(cancels_script);
}

static void rapid_reset_script(struct harness *h)
{
	for (unsigned i = 0; i < 20; i++) {
		harness_message(h, "940005 a4736c6f77 90");
		harness_feed(h, "03920805");
	}
	assert_int_equal(h->handlers, 8);
	assert_int_equal(brine_conn_counters(h->conn)->calls_refused, 12);
	for (unsigned i = 0; i < 8; i++)
		brine_conn_release(h->conn, h->slow[i], h->now_ms);
	assert_int_equal(brine_conn_calls_incoming(h->conn), 0);
}

static void C23_rapid_reset(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_accepting();
	options.limits.calls_max = 8;
	harness_run(&options, rapid_reset_script);
}

static void ttl_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a374746c64");
	harness_message(h, "950002 a4736c6f77 90 81a374746ccfffffffffffffffff");
	harness_pass(h, 99);
	harness_expect(h, "");
	harness_pass(h, 1);
	harness_expect(h, "18 940101 9203b1646561646c696e65206578636565646564 c0");
	harness_expect_log(h, "request slow []\nrequest slow []\ncancel BRINE_ERR_DEADLINE\n");
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_DEADLINE);
	harness_answer_slow(h, 1);
	harness_pump(h);
	harness_expect(h, "05940102c02a");
}

static void C25_deadlines(void **state)
{
	(void)state;
	harness_serve(ttl_script);
}

/* The handler looks at the clock before the timer does, and answers that it gave up. */
static void gave_up_script(struct harness *h)
{
	harness_message(h, "950001 a4736c6f77 90 81a374746c64");
	h->now_ms += 100;
	assert_int_equal(
	        brine_conn_fail(h->conn, h->slow[0], BRINE_CODE_CANCELLED, BRINE_STR("gave up"), none, h->now_ms),
	        BRINE_ERR_DEADLINE);
	harness_pump(h);
	harness_expect(h, "18 940101 9203b1646561646c696e65206578636565646564 c0");
	harness_expect_log(h, "request slow []\n");
	assert_int_equal(brine_conn_calls_incoming(h->conn), 0);
}

static void an_answer_after_the_deadline_is_the_deadline(void **state)
{
	(void)state;
	harness_serve(gave_up_script);
}

static void misuse_script(struct harness *h)
{
	harness_message(h, "940001 a4736c6f77 90");
	harness_message(h, "940002 a4736c6f77 90");
	harness_answer_slow(h, 0);
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], none, none, h->now_ms), BRINE_ERR_NOT_FOUND);
	assert_int_equal(brine_conn_fail(h->conn, h->slow[0], 1, BRINE_STR("x"), none, h->now_ms), BRINE_ERR_NOT_FOUND);
	brine_conn_release(h->conn, h->slow[1], h->now_ms);
	brine_conn_release(h->conn, h->slow[1], h->now_ms);
	harness_pump(h);
	harness_expect(h, "05940101c02a 15 940102 920aae696e7465726e616c206572726f72 c0");
}

static void C27_answers_twice_and_never(void **state)
{
	(void)state;
	harness_serve(misuse_script);
}

/* How much of the second of three requests was sent when the transport broke. */
static size_t sent_size;

static void loss_script(struct harness *h)
{
	h->no_writing = true;
	for (unsigned i = 0; i < 3; i++)
		harness_call(h, "add", BRINE_FOREVER);
	brine_conn_sent(h->conn, 9 + sent_size, h->now_ms);
	/* Half an answer to the first came. */
	harness_feed(h, "0594");
	brine_conn_lost(h->conn, BRINE_ERR_SYSTEM, h->now_ms);
	harness_pump(h);
	const char *second = sent_size ? "LOST" : "NOT_SENT";
	char expected[256];
	snprintf(expected, sizeof expected,
	         "response 1 BRINE_ERR_LOST\nresponse 2 BRINE_ERR_%s\nresponse 3 BRINE_ERR_NOT_SENT\n"
	         "closed BRINE_ERR_SYSTEM: the transport was lost\n",
	         second);
	harness_expect_log(h, expected);
	assert_int_equal(brine_conn_pending(h->conn).size, 0);
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	uint64_t serial;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, NULL), BRINE_ERR_LOST);
	assert_int_equal(brine_conn_notify(h->conn, call.method, none, none, NULL), BRINE_ERR_LOST);
}

static void lost_in_the_middle_script(struct harness *h)
{
	/* What had arrived is read first. */
	harness_call(h, "add", BRINE_FOREVER);
	harness_pump(h);
	brine_conn_feed(h->conn, BRINE_BYTES("\x05\x94\x01\x01\xc0\x05", 6), h->now_ms);
	brine_conn_lost(h->conn, BRINE_ERR_SYSTEM, h->now_ms);
	harness_pump(h);
	harness_expect_log(h, "response 1 = 5\nclosed BRINE_ERR_SYSTEM: the transport was lost\n");
}

static void C29_lost_connection(void **state)
{
	(void)state;
	for (sent_size = 0; sent_size < 10; sent_size += 3)
		harness_connect(loss_script);
	harness_connect(lost_in_the_middle_script);
}

static void taken_back_script(struct harness *h)
{
	h->no_writing = true;
	uint64_t first = harness_call(h, "one", BRINE_FOREVER);
	uint64_t second = harness_call(h, "two", BRINE_FOREVER);
	harness_call(h, "six", BRINE_FOREVER);
	harness_feed(h, "03921201");
	brine_conn_sent(h->conn, 0, h->now_ms);
	brine_conn_cancel(h->conn, second, h->now_ms);
	assert_int_equal(brine_conn_pending(h->conn).size, 9 + 9 + 4);
	brine_conn_sent(h->conn, 1, h->now_ms);
	brine_conn_cancel(h->conn, first, h->now_ms);
	assert_int_equal(brine_conn_pending(h->conn).size, 8 + 9 + 4 + 4);
	h->no_writing = false;
	harness_pump(h);
	harness_expect(h, "940001a36f6e6590 08940003a373697890 03921301 03920801");
	harness_expect_log(h, "response 2 BRINE_ERR_CANCELLED\nresponse 1 BRINE_ERR_CANCELLED\n");
	harness_feed(h, "05940103c007");
	harness_expect_log(h, "response 3 = 7\n");
}

static void unsent_requests_are_taken_back(void **state)
{
	(void)state;
	harness_connect(taken_back_script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(C01_id_in_use),
	        cmocka_unit_test(C02_C03_ids_are_equal_and_used_again),
	        cmocka_unit_test(C04_bad_ids),
	        cmocka_unit_test(C05_our_ids_wrap),
	        cmocka_unit_test(C06_answer_to_nothing),
	        cmocka_unit_test(C07_C08_late_answers),
	        cmocka_unit_test(C09_two_answers),
	        cmocka_unit_test(C10_answers_of_the_wrong_kind),
	        cmocka_unit_test(C11_C12_forms_of_answers),
	        cmocka_unit_test(C13_unknown_method),
	        cmocka_unit_test(C14_C15_C25_C26_bad_requests),
	        cmocka_unit_test(C14_C26_sizes),
	        cmocka_unit_test(C26_too_many_keys),
	        cmocka_unit_test(C15_params_of_a_plain_peer),
	        cmocka_unit_test(C16_notifications_are_never_answered),
	        cmocka_unit_test(C17_requests_to_a_client),
	        cmocka_unit_test(C18_more_requests_than_the_limit),
	        cmocka_unit_test(C18_answers_left_unread),
	        cmocka_unit_test(C20_C21_C22_cancels),
	        cmocka_unit_test(C23_rapid_reset),
	        cmocka_unit_test(C25_deadlines),
	        cmocka_unit_test(an_answer_after_the_deadline_is_the_deadline),
	        cmocka_unit_test(C27_answers_twice_and_never),
	        cmocka_unit_test(C29_lost_connection),
	        cmocka_unit_test(unsent_requests_are_taken_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
