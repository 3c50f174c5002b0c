/* Proves: part A of the hostile catalogue, framing, on simulated time; each row whole, byte by byte and at 16 random
 * cuts. */
#include "conn_harness.h"
#include "files.h"

#define ADD        "0a940005a3616464920203"
#define ADD_ANSWER "05940105c005"

static size_t cut_at;

static void fin_script(struct harness *h)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	char expected[64];
	size_t size = hex_append(&bytes, ADD);
	harness_feed_bytes(h, bytes.data, cut_at);
	harness_eof(h);
	snprintf(expected, sizeof expected, "truncated frame, have %zu of %zu", cut_at, size);
	if (cut_at == 0 || cut_at == size) {
		harness_expect(h, cut_at ? ADD_ANSWER : "");
		assert_int_equal(h->closed_status, BRINE_OK);
		assert_true(h->closed);
	} else {
		harness_expect_fault(h, cut_at > 1 ? BRINE_CODE_INVALID : -1, BRINE_ERR_TRUNCATED, expected);
		assert_int_equal(h->handlers, 0);
	}
	brine_buf_done(&bytes);
}

static void A01_end_after_every_byte(void **state)
{
	(void)state;
	for (cut_at = 0; cut_at <= sizeof ADD / 2; cut_at++)
		harness_serve(fin_script);
}

static void two_frames_script(struct harness *h)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	size_t size = hex_append(&bytes, ADD "0a940006a3616464920304");
	harness_feed_bytes(h, bytes.data, cut_at);
	harness_feed_bytes(h, bytes.data + cut_at, size - cut_at);
	harness_expect_log(h, "request add [2, 3]\nrequest add [3, 4]\n");
	harness_expect(h, ADD_ANSWER "05940106c007");
	brine_buf_done(&bytes);
}

static void A02_every_cut_of_two_frames(void **state)
{
	(void)state;
	for (cut_at = 0; cut_at <= 22; cut_at++)
		harness_serve(two_frames_script);
}

static struct brine_buf session, session_output;

static void session_script(struct harness *h)
{
	harness_feed_bytes(h, session.data, brine_buf_size(&session));
	if (h->run == 0)
		brine_buf_append(&session_output, h->output.data, brine_buf_size(&h->output));
	assert_true(brine_buf_size(&session_output) > 70000);
	assert_int_equal(brine_buf_size(&h->output), brine_buf_size(&session_output));
	assert_memory_equal(h->output.data, session_output.data, brine_buf_size(&session_output));
}

static void A03_a_session_byte_by_byte(void **state)
{
	(void)state;
	session = file_read("captures/framed-session.c2s.bin");
	harness_serve(session_script);
	brine_buf_done(&session);
	brine_buf_done(&session_output);
}

/* Bytes that end the connection, and how. */
struct fault_row {
	const char *hex;
	int goaway_code;
	int status;
	const char *text;
};
static const struct fault_row *fault_row;
static const char *fault_before;

static void fault_script(struct harness *h)
{
	harness_feed(h, fault_before);
	harness_pump(h);
	brine_buf_done(&h->output);
	harness_feed(h, fault_row->hex);
	harness_expect_fault(h, fault_row->goaway_code, fault_row->status, fault_row->text);
	/* Nothing after it is parsed. */
	uint64_t handlers = h->handlers;
	if (!h->closed)
		harness_feed(h, ADD);
	assert_int_equal(h->handlers, handlers);
	harness_pass(h, 1000);
	assert_true(h->closed);
}

static void faults(const struct fault_row *rows, size_t count, const char *before)
{
	fault_before = before;
	for (size_t i = 0; i < count; i++) {
		fault_row = &rows[i];
		harness_serve(fault_script);
	}
}
#define FAULTS(rows, before) faults(rows, sizeof(rows) / sizeof(rows)[0], before)

static void A04_empty_frames(void **state)
{
	(void)state;
	static const struct fault_row first[] = {
	        {"00", -1, BRINE_ERR_NOT_BRINE, "0x00"},
	        {"0192", 1, BRINE_ERR_PROTO, "empty frame"},
	        {"0292", 1, BRINE_ERR_PROTO, "empty frame"},
	};
	static const struct fault_row later[] = {
	        {"00", 1, BRINE_ERR_PROTO, "empty frame"},     {"01", 1, BRINE_ERR_PROTO, "empty frame"},
	        {"02", 1, BRINE_ERR_PROTO, "empty frame"},     {"cc02", 1, BRINE_ERR_PROTO, "empty frame"},
	        {"cd0000", 1, BRINE_ERR_PROTO, "empty frame"}, {"ce00000000", 1, BRINE_ERR_PROTO, "empty frame"},
	};
	FAULTS(first, "");
	FAULTS(later, ADD);
}

static void at_limit_script(struct harness *h)
{
	/* [2, "x", [bin]] of exactly 1024 bytes: 6 of heads and method, 3 of the bin's head. */
	uint8_t frame[3 + 1024] = {0xcd, 0x04, 0x00, 0x93, 0x02, 0xa1, 'x', 0x91, 0xc5, 0x03, 0xf8};
	harness_feed_bytes(h, frame, sizeof frame);
	harness_expect_log(h, "notification x of 1020 bytes\n");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void over_limit_script(struct harness *h)
{
	harness_feed(h, fault_row->hex);
	harness_expect_fault(h, BRINE_CODE_TOO_LARGE, BRINE_ERR_TOO_BIG, fault_row->text);
	assert_in_range(h->memory.held_most, 1, 8192);
}

static void A05_lengths_around_the_limit(void **state)
{
	(void)state;
	static const struct fault_row rows[] = {
	        {"cd040194", 7, 0, "frame of 1025 bytes exceeds message_size_max 1024"},
	        {"ce7fffffff94", 7, 0, "frame of 2147483647 bytes exceeds"},
	        {"ce8000000094", 7, 0, "frame of 2147483648 bytes exceeds"},
	        {"ceffffffff94", 7, 0, "frame of 4294967295 bytes exceeds"},
	};
	struct brine_conn_options options = harness_accepting();
	options.limits.message_size_max = 1024;
	harness_run(&options, at_limit_script);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fault_row = &rows[i];
		harness_run(&options, over_limit_script);
	}
}

static void silence_script(struct harness *h)
{
	harness_feed(h, "ce00ffffff94000101");
	assert_in_range(h->memory.held_most, 1, 8192);
	harness_pass(h, 19999);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	harness_pass(h, 1);
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_NO_PROGRESS,
	                     "no progress: 0 bytes of a frame in 10000 ms, at least 16384");
}

/* 16 KiB in each interval is enough, for as long as the frame takes. */
static void trickle_script(struct harness *h)
{
	static const uint8_t zeros[16384];
	harness_feed(h, "ce0004000a 93 02 a178 91 c600040000");
	for (unsigned i = 0; i < 16; i++) {
		harness_pass(h, 9000);
		harness_feed_bytes(h, zeros, sizeof zeros);
	}
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	harness_expect_log(h, "notification x of 262150 bytes\n");
}

static void A06_length_and_then_silence(void **state)
{
	(void)state;
	harness_serve(silence_script);
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	trickle_script(&h);
	harness_end(&h);
}

static void A07_value_runs_past_its_frame(void **state)
{
	(void)state;
	static const struct fault_row rows[] = {
	        {"05940005a361"
	         "0a940005a3616464920203",
	         1, BRINE_ERR_PROTO, "value runs past its frame"},
	        {"04930201c4", 1, BRINE_ERR_PROTO, "value runs past its frame"},
	};
	FAULTS(rows, ADD);
}

static void A08_bytes_after_the_message(void **state)
{
	(void)state;
	static const struct fault_row rows[] = {
	        {"0b940005a3616464920203ff", 1, BRINE_ERR_PROTO, "1 bytes after the message"},
	        {"0d940005a3616464920203c0c0c0", 1, BRINE_ERR_PROTO, "3 bytes after the message"},
	};
	FAULTS(rows, "");
}

/* Feeds count copies of one frame in pieces of 64 KiB as fast as the connection reads. Returns the most messages that
 * one call of next swallowed. */
static uint64_t burst(struct harness *h, const char *hex, size_t count)
{
	struct brine_buf frame = BRINE_BUF_INIT, piece = BRINE_BUF_INIT;
	size_t size = hex_append(&frame, hex), per_piece = 65536 / size;
	uint64_t most = 0;
	for (size_t i = 0; i < per_piece; i++)
		brine_buf_append(&piece, frame.data, size);
	for (size_t done = 0; done < count; done += per_piece) {
		assert_int_equal(brine_conn_feed(h->conn, brine_buf_bytes(&piece), h->now_ms), 0);
		h->fed += brine_buf_size(&piece);
		do {
			struct brine_event event;
			uint64_t before = brine_conn_counters(h->conn)->frames_received;
			while (brine_conn_next(h->conn, &event, h->now_ms) > 0) {
			}
			uint64_t taken = brine_conn_counters(h->conn)->frames_received - before;
			most = taken > most ? taken : most;
			brine_conn_sent(h->conn, brine_conn_pending(h->conn).size, h->now_ms);
		} while (!brine_conn_wants_read(h->conn));
	}
	brine_buf_done(&frame);
	brine_buf_done(&piece);
	return most;
}

static void A09_a_million_frames_in_one_burst(void **state)
{
	(void)state;
	static struct harness h;
	struct brine_conn_options options = harness_accepting();
	harness_begin(&h, &options, 0);
	assert_in_range(burst(&h, "03922800", 500000), 1, 256);
	assert_in_range(burst(&h, "03921201", 500000), 1, 256);
	assert_true(brine_conn_counters(h.conn)->frames_received >= 1000000);
	assert_in_range(h.memory.held_most, 1, 512 * 1024);
	harness_end(&h);
}

static void advisory_script(struct harness *h)
{
	for (unsigned type = 32; type < 128; type++) {
		uint8_t frame[] = {3, 0x92, (uint8_t)type, 0xc0};
		harness_feed_bytes(h, frame, sizeof frame);
	}
	harness_expect(h, "");
	assert_int_equal(brine_conn_counters(h->conn)->glitches, 96);
	harness_feed(h, ADD);
	harness_expect(h, ADD_ANSWER);
}

static void A10_advisory_types(void **state)
{
	(void)state;
	harness_serve(advisory_script);
}

static void A11_unknown_types(void **state)
{
	(void)state;
	static const uint8_t reserved[] = {7, 9, 10, 11, 12, 13, 14, 15, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
	for (size_t i = 0; i < sizeof reserved; i++) {
		char hex[32], text[40];
		snprintf(hex, sizeof hex, "0392%02xc0", reserved[i]);
		snprintf(text, sizeof text, "unknown message type %u", reserved[i]);
		struct fault_row row = {hex, BRINE_CODE_UNSUPPORTED, BRINE_ERR_UNSUPPORTED, text};
		faults(&row, 1, "");
	}
	static const struct fault_row rows[] = {
	        {"0392ffc0", 1, BRINE_ERR_PROTO, "unknown message type"},
	        {"0392c0c0", 1, BRINE_ERR_PROTO, "unknown message type"},
	        {"0492cc05c0", 1, BRINE_ERR_PROTO, "unknown message type"},
	        {"0392a0c0", 1, BRINE_ERR_PROTO, "unknown message type"},
	};
	FAULTS(rows, ADD);
}

static void stranger_script(struct harness *h)
{
	harness_feed(h, fault_row->hex);
	harness_expect_fault(h, -1, BRINE_ERR_NOT_BRINE, fault_row->text);
	assert_true(h->closed);
	assert_int_equal(brine_conn_fault(h->conn)->offset, fault_row->goaway_code);
}

static void A12_other_protocols(void **state)
{
	(void)state;
	/* goaway_code: the offset of the byte that ruled both modes out */
	static const struct fault_row rows[] = {
	        {"474554202f20485454502f312e31", 1, 0, "HTTP"},
	        {"16030102000100", 1, 0, "TLS"},
	        {"505249202a20485454502f322e30", 1, 0, "HTTP/2"},
	        {"5353482d322e30", 1, 0, "SSH"},
	        {"7b22", 1, 0, "JSON"},
	        {"dcffff", 1, 0, "another protocol"},
	        {"e5a1", 0, 0, "another protocol"},
	        {"dc000593", 2, 0, "another protocol"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fault_row = &rows[i];
		harness_serve(stranger_script);
	}
}

static void versions_script(struct harness *h)
{
	harness_message(h, fault_row->hex);
	harness_expect_log(h, "hello max 1048576\n");
	assert_int_equal(brine_conn_peer(h->conn)->version, 1);
	harness_expect(h, "1d 92 11 84 a17601 a36d6178ce01000000 a563616c6c73cd0100 a377696e10");
}

static void A13_versions_are_negotiated(void **state)
{
	(void)state;
	static const struct fault_row rows[] = {{"921081a17609", 0, 0, NULL},
	                                        {"921081a17600", 0, 0, NULL},
	                                        {"921080", 0, 0, NULL},
	                                        {"921081a176cfffffffffffffffff", 0, 0, NULL}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fault_row = &rows[i];
		harness_serve(versions_script);
	}
}

static void hello_from_server_script(struct harness *h)
{
	harness_feed(h, fault_row->hex);
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, fault_row->text);
}

static void A14_hello_out_of_place(void **state)
{
	(void)state;
	static const struct fault_row late[] = {{"03921080", 1, BRINE_ERR_PROTO, "hello out of place"},
	                                        {"03921180", 1, BRINE_ERR_PROTO, "welcome out of place"}};
	static const struct fault_row from_server[] = {{"03921080", 1, 0, "hello out of place"},
	                                               {"03921180", 1, 0, "welcome out of place"}};
	FAULTS(late, ADD);
	FAULTS(late, "03921080");
	struct brine_conn_options options = harness_connecting();
	for (size_t i = 0; i < 2; i++) {
		fault_row = &from_server[i];
		harness_run(&options, hello_from_server_script);
	}
}

static void nothing_script(struct harness *h)
{
	assert_in_range(h->memory.held, 1, 4096);
	harness_pass(h, 9999);
	assert_false(h->closed);
	harness_pass(h, 1);
	harness_expect_fault(h, -1, BRINE_ERR_NO_PROGRESS, "no frame within 10000 ms");
	assert_true(h->closed);
	assert_in_range(h->memory.held_most, 1, 4096);
}

static void A15_connects_and_sends_nothing(void **state)
{
	(void)state;
	harness_serve(nothing_script);
}

static void clamped_script(struct harness *h)
{
	harness_message(h, "921085 a36d6178ceffffffff a563616c6c73ceffffffff a3787878c0 05c0 c0c3");
	assert_int_equal(brine_conn_peer(h->conn)->message_size_max, 16u << 20);
	assert_int_equal(brine_conn_peer(h->conn)->calls_max, 256);
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

static void many_keys_script(struct harness *h)
{
	struct brine_buf message = BRINE_BUF_INIT;
	hex_append(&message, "cd00cb 9210de0041");
	for (unsigned i = 0; i < 65; i++) {
		uint8_t pair[] = {0xa1, (uint8_t)(0x30 + i), 0xc0};
		brine_buf_append(&message, pair, sizeof pair);
	}
	message.data[2] = (uint8_t)(brine_buf_size(&message) - 3);
	harness_feed_bytes(h, message.data, brine_buf_size(&message));
	harness_expect_fault(h, BRINE_CODE_INVALID, BRINE_ERR_PROTO, "65 keys, at most 64");
	brine_buf_done(&message);
}

static void A16_hello_limits(void **state)
{
	(void)state;
	static const struct fault_row rows[] = {
	        {"08921081a36d617800", 1, BRINE_ERR_PROTO, "hello max: 0, at least 1024"},
	        {"08921081a36d617801", 1, BRINE_ERR_PROTO, "hello max: 1, at least 1024"},
	        {"0a921081a36d6178cd03ff", 1, BRINE_ERR_PROTO, "hello max: 1023, at least 1024"},
	        {"0a921081a563616c6c7300", 1, BRINE_ERR_PROTO, "hello calls: 0, at least 1"},
	        {"09921082a17601a17601", 1, BRINE_ERR_PROTO, "hello: a key twice"},
	        {"09921082a17801a17801", 1, BRINE_ERR_PROTO, "hello: a key twice"},
	};
	FAULTS(rows, "");
	harness_serve(clamped_script);
	harness_serve(many_keys_script);
}

static void A17_hello_of_wrong_kinds(void **state)
{
	(void)state;
	static const struct fault_row rows[] = {
	        {"06921081a176c0", 1, BRINE_ERR_PROTO, "hello v"},
	        {"09921081a46e616d6501", 1, BRINE_ERR_PROTO, "hello name"},
	        {"08921081a36d6178a0", 1, BRINE_ERR_PROTO, "hello max"},
	        {"0a921081a563616c6c73c3", 1, BRINE_ERR_PROTO, "hello calls"},
	        {"08921081a377696eff", 1, BRINE_ERR_PROTO, "hello win"},
	        {"0c921081a377696ece80000000", 1, BRINE_ERR_PROTO, "hello win"},
	        {"09921081a46c69766501", 1, BRINE_ERR_PROTO, "hello live"},
	        {"09921081a46665617401", 1, BRINE_ERR_PROTO, "hello feat"},
	        {"0a921081a4666561749101", 1, BRINE_ERR_PROTO, "hello feat"},
	        {"03921001", 1, BRINE_ERR_PROTO, "hello: expected map"},
	};
	FAULTS(rows, "");
}

static void small_peer_script(struct harness *h)
{
	static uint8_t params[2000] = {0x91, 0xc5, 0x07, 0xcc};
	harness_feed(h, "0d 92 11 82 a17601 a36d6178cd0400");
	brine_buf_done(&h->output);
	struct brine_conn_call call = {
	        .method = BRINE_STR("echo"), .params = {params, sizeof params}, .deadline_ms = BRINE_FOREVER};
	struct brine_error error = BRINE_ERROR_INIT;
	uint64_t serial = 0;
	assert_int_equal(brine_conn_call(h->conn, &call, h->now_ms, &serial, &error), BRINE_ERR_TOO_BIG);
	assert_non_null(strstr(error.text, "exceeds the peer's max of 1024"));
	assert_int_equal(brine_conn_notify(h->conn, call.method, call.params, (struct brine_bytes){NULL, 0}, NULL),
	                 BRINE_ERR_TOO_BIG);
	assert_int_equal(serial, 0);
	harness_pump(h);
	harness_expect(h, "");
	assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
}

/* A reply that is too big becomes error 7. */
static void big_reply_script(struct harness *h)
{
	static uint8_t result[2000] = {0xc5, 0x07, 0xcd};
	harness_feed(h, "0d 92 10 82 a17601 a36d6178cd0400");
	brine_buf_done(&h->output);
	harness_message(h, "940001 a4736c6f77 90");
	assert_int_equal(brine_conn_reply(h->conn, h->slow[0], BRINE_BYTES(result, sizeof result),
	                                  (struct brine_bytes){NULL, 0}, h->now_ms),
	                 BRINE_ERR_TOO_BIG);
	harness_pump(h);
	assert_memory_equal(h->output.data + 1, "\x94\x01\x01\x92\x07", 5);
	assert_int_equal(brine_conn_calls_incoming(h->conn), 0);
}

static void A18_over_the_peers_limit(void **state)
{
	(void)state;
	struct brine_conn_options options = harness_connecting();
	options.hello = true;
	harness_run(&options, small_peer_script);
	harness_serve(big_reply_script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(A01_end_after_every_byte),
	        cmocka_unit_test(A02_every_cut_of_two_frames),
	        cmocka_unit_test(A03_a_session_byte_by_byte),
	        cmocka_unit_test(A04_empty_frames),
	        cmocka_unit_test(A05_lengths_around_the_limit),
	        cmocka_unit_test(A06_length_and_then_silence),
	        cmocka_unit_test(A07_value_runs_past_its_frame),
	        cmocka_unit_test(A08_bytes_after_the_message),
	        cmocka_unit_test(A09_a_million_frames_in_one_burst),
	        cmocka_unit_test(A10_advisory_types),
	        cmocka_unit_test(A11_unknown_types),
	        cmocka_unit_test(A12_other_protocols),
	        cmocka_unit_test(A13_versions_are_negotiated),
	        cmocka_unit_test(A14_hello_out_of_place),
	        cmocka_unit_test(A15_connects_and_sends_nothing),
	        cmocka_unit_test(A16_hello_limits),
	        cmocka_unit_test(A17_hello_of_wrong_kinds),
	        cmocka_unit_test(A18_over_the_peers_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
