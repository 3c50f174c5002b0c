/* Proves that recorded streams come out whole and the same however they are read, that every byte of any input is
 * accounted for, that what is printed is one line of harmless text or strict JSON, and that running out of memory is an
 * error. */
#include "support.h"

#include "inspect/json.h"
#include "inspect/schema.h"
#include "inspect/text.h"

#include <brine/pack.h>

#include <dirent.h>
#include <jansson.h>

static const char *const captures[] = {
        "framed-session", "npm-msgpack-rpc-node", "npm-neovim",    "nvim-as-client", "nvim-tcp",
        "nvim-unix",      "pynvim-vs-fake",       "rpclib-client", "rpclib-server",  "ruby-client"};

static struct brine_buf load(const char *name)
{
	struct brine_buf content = BRINE_BUF_INIT;
	char path[512];
	snprintf(path, sizeof path, "%s/%s", BRINE_VECTORS, name);
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("cannot open %s", path);
	size_t size;
	do {
		void *to = brine_buf_reserve(&content, 65536);
		assert_non_null(to);
		size = fread(to, 1, 65536, file);
		content.end += size;
	} while (size);
	fclose(file);
	return content;
}

/* What a reading of a stream gave. */
struct reading {
	struct brine_buf text; /* one line a record */
	uint64_t accounted;    /* bytes */
	uint64_t faults;
	unsigned messages;
};

struct reader {
	struct inspect_stream_options stream;
	struct inspect_view view;
	bool json;
	const struct inspect_schema *schema;
	const struct brine_allocator *allocator; /* of the stream and session */
};
#define READER_INIT                                                                                                    \
	{                                                                                                              \
		.stream = { BRINE_WIRE_UNKNOWN, false, BRINE_LIMITS_INIT }                                             \
	}

/* Prints the pieces that are ready. 0 or BRINE_ERR_NOMEM. */
static int print_pieces(const struct reader *reader, struct inspect_stream *stream, struct inspect_session *session,
                        struct inspect_line *line, struct brine_arena *arena, struct reading *reading)
{
	struct inspect_piece piece;
	struct inspect_record record;
	while (inspect_stream_next(stream, &piece)) {
		assert_int_equal(piece.offset, reading->accounted);
		reading->accounted += piece.prefix_size + (piece.repeat ? piece.repeat : piece.bytes.size);
		reading->messages += piece.type == INSPECT_MESSAGE;
		if (inspect_session_take(session, &piece, INSPECT_C2S, stream->wire, &record) < 0)
			return BRINE_ERR_NOMEM;
		inspect_line_reset(line);
		if (reader->json)
			inspect_json_record(line, &record, &reader->view, arena, NULL);
		else
			inspect_text_record(line, &record, &reader->view, arena, NULL);
		if (line->status < 0)
			return line->status;
		struct brine_bytes text = brine_buf_bytes(&line->text);
		assert_int_equal(brine_buf_append(&reading->text, text.data, text.size), 0);
		assert_int_equal(brine_buf_append(&reading->text, "\n", 1), 0);
	}
	return 0;
}

/* Reads bytes in pieces: step bytes at a time, or at random cuts where seed is given. */
static int read_stream(const struct reader *reader, struct brine_bytes bytes, size_t step, uint64_t *seed,
                       struct reading *ret_reading)
{
	struct inspect_stream stream;
	struct inspect_session session;
	struct inspect_line line;
	struct brine_arena arena;
	const uint8_t *data = bytes.data;
	int rc = 0;
	inspect_stream_init(&stream, &reader->stream, reader->allocator);
	inspect_session_init(&session, &reader->stream.limits, reader->schema, reader->allocator);
	inspect_line_init(&line, reader->allocator);
	line.text_max = 64;
	brine_arena_init(&arena, reader->allocator, 0);
	*ret_reading = (struct reading){.messages = 0};
	for (size_t at = 0; at < bytes.size && rc == 0;) {
		size_t most = bytes.size - at;
		size_t size = seed ? 1 + random_below(seed, bytes.size / 8 + 1) : step;
		size = size < most ? size : most;
		rc = inspect_stream_feed(&stream, data + at, size);
		if (rc == 0)
			rc = print_pieces(reader, &stream, &session, &line, &arena, ret_reading);
		at += size;
	}
	inspect_stream_end(&stream);
	if (rc == 0)
		rc = print_pieces(reader, &stream, &session, &line, &arena, ret_reading);
	ret_reading->faults = session.faults;
	brine_arena_done(&arena);
	inspect_line_done(&line);
	inspect_session_done(&session);
	inspect_stream_done(&stream);
	return rc;
}

static void done(struct reading *reading)
{
	brine_buf_done(&reading->text);
}

static struct reading read_whole(const struct reader *reader, struct brine_bytes bytes)
{
	struct reading reading;
	assert_int_equal(read_stream(reader, bytes, bytes.size ? bytes.size : 1, NULL, &reading), 0);
	assert_int_equal(reading.accounted, bytes.size);
	return reading;
}

static void assert_same(const struct reading *a, const struct reading *b)
{
	assert_int_equal(a->accounted, b->accounted);
	struct brine_bytes x = brine_buf_bytes(&a->text), y = brine_buf_bytes(&b->text);
	if (x.size != y.size || (x.size && memcmp(x.data, y.data, x.size)))
		print_error("%.*s\nagainst\n%.*s\n", BRINE_ARG(x), BRINE_ARG(y));
	assert_int_equal(brine_buf_size(&a->text), brine_buf_size(&b->text));
	assert_memory_equal(brine_buf_bytes(&a->text).data, brine_buf_bytes(&b->text).data, brine_buf_size(&a->text));
}

/* Every line is printable, without a character that could move or hide others; with JSON a strict reader takes it. */
static void assert_clean(const struct reading *reading, bool json)
{
	struct brine_bytes text = brine_buf_bytes(&reading->text);
	const uint8_t *bytes = text.data;
	for (size_t i = 0; i < text.size; i++) {
		if ((bytes[i] < 0x20 && bytes[i] != '\n') || bytes[i] == 0x7f || (json && bytes[i] > 0x7f))
			fail_msg("byte 0x%02x at %zu of the output", bytes[i], i);
		if (bytes[i] == 0xc2 && i + 1 < text.size && bytes[i + 1] < 0xa0)
			fail_msg("a C1 control at %zu of the output", i);
	}
	const char *at = text.data, *end = at + text.size;
	while (json && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		json_error_t error;
		json_t *value =
		        json_loadb(at, (size_t)(line_end - at), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
		if (!value)
			fail_msg("%s in %.*s", error.text, (int)(line_end - at), at);
		json_decref(value);
		at = line_end + 1;
	}
}

static void assert_contains(const struct reading *reading, const char *expected)
{
	struct brine_bytes text = brine_buf_bytes(&reading->text);
	if (!memmem(text.data, text.size, expected, strlen(expected)))
		fail_msg("no %s in:\n%.*s", expected, (int)text.size, (const char *)text.data);
}

static void assert_lacks(const struct reading *reading, const char *unwanted)
{
	struct brine_bytes text = brine_buf_bytes(&reading->text);
	if (memmem(text.data, text.size, unwanted, strlen(unwanted)))
		fail_msg("%s in:\n%.*s", unwanted, (int)text.size, (const char *)text.data);
}

/* The one line that a plain message gives. */
static struct reading read_hex(struct reader *reader, const char *hex)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	hex_append(&bytes, hex);
	struct reading reading = read_whole(reader, brine_buf_bytes(&bytes));
	brine_buf_done(&bytes);
	assert_clean(&reading, reader->json);
	return reading;
}

static void captures_read_the_same_however_cut(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (size_t i = 0; i < sizeof captures / sizeof captures[0]; i++) {
		for (int side = 0; side < 2; side++) {
			char name[128];
			snprintf(name, sizeof name, "captures/%s.%s.bin", captures[i], side ? "s2c" : "c2s");
			struct brine_buf content = load(name);
			struct brine_bytes bytes = brine_buf_bytes(&content);
			struct reader reader = READER_INIT;
			reader.json = i % 2;
			struct reading whole = read_whole(&reader, bytes), other;
			bool has_reserved = i == 0 && side == 0;
			assert_int_equal(whole.faults, has_reserved);
			assert_true(whole.messages >= 3);
			assert_clean(&whole, reader.json);
			read_stream(&reader, bytes, 1, NULL, &other);
			assert_same(&whole, &other);
			done(&other);
			for (int cut = 0; cut < 16; cut++) {
				read_stream(&reader, bytes, 0, &seed, &other);
				assert_same(&whole, &other);
				done(&other);
			}
			done(&whole);
			brine_buf_done(&content);
		}
	}
}

/* One read of bytes with everything that must hold for any input. */
static void check_any(struct reader *reader, struct brine_bytes bytes)
{
	struct reading whole = read_whole(reader, bytes), other;
	assert_clean(&whole, reader->json);
	read_stream(reader, bytes, 1, NULL, &other);
	assert_same(&whole, &other);
	done(&other);
	done(&whole);
}

static void corrupted_bytes_are_all_accounted_for(void **state)
{
	(void)state;
	static const char *const names[] = {"captures/npm-msgpack-rpc-node.c2s.bin", "captures/ruby-client.s2c.bin",
	                                    "captures/framed-session.c2s.bin"};
	static const uint8_t flips[] = {0x01, 0x10, 0x80, 0xff};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct brine_buf content = load(names[i]);
		size_t size = brine_buf_size(&content) < 300 ? brine_buf_size(&content) : 300;
		for (size_t at = 0; at < size; at++) {
			for (size_t flip = 0; flip < sizeof flips; flip++) {
				struct reader reader = READER_INIT;
				reader.json = flip % 2;
				reader.stream.resync = at % 2;
				reader.view.hex = at % 3 == 0;
				content.data[content.start + at] ^= flips[flip];
				check_any(&reader, BRINE_BYTES(content.data + content.start, size));
				content.data[content.start + at] ^= flips[flip];
			}
		}
		brine_buf_done(&content);
	}
}

static void every_truncation_is_said(void **state)
{
	(void)state;
	struct brine_buf content = load("captures/framed-session.s2c.bin");
	for (size_t size = 0; size < 80; size++) {
		struct reader reader = READER_INIT;
		struct reading reading = read_whole(&reader, BRINE_BYTES(content.data + content.start, size));
		/* Frames of 40, 5 and 28 bytes, each with a prefix of one. */
		bool at_boundary = size == 0 || size == 41 || size == 47 || size == 76;
		assert_int_equal(reading.faults, !at_boundary);
		if (size > 1 && size < 41)
			assert_contains(&reading, "of 41 bytes");
		done(&reading);
	}
	brine_buf_done(&content);
}

static void I09_endless_runs_take_constant_memory(void **state)
{
	(void)state;
	enum { CHUNK = 65536, CHUNKS = 1100 };
	static uint8_t zeros[CHUNK];
	struct fail_allocator fail;
	fail_allocator_init(&fail, 0, false);
	struct inspect_stream_options options = {BRINE_WIRE_UNKNOWN, false, BRINE_LIMITS_INIT};
	struct inspect_stream stream;
	struct inspect_piece piece;
	uint64_t accounted = 0;
	unsigned pieces = 0;
	inspect_stream_init(&stream, &options, &fail.base);
	for (int i = 0; i < CHUNKS; i++) {
		assert_int_equal(inspect_stream_feed(&stream, zeros, CHUNK), 0);
		while (inspect_stream_next(&stream, &piece)) {
			assert_int_equal(piece.repeat, 64 << 20);
			accounted += piece.repeat;
			pieces++;
		}
	}
	inspect_stream_end(&stream);
	assert_int_equal(inspect_stream_next(&stream, &piece), 1);
	accounted += piece.repeat;
	assert_int_equal(inspect_stream_next(&stream, &piece), 0);
	assert_int_equal(pieces, 1);
	assert_int_equal(accounted, (uint64_t)CHUNK * CHUNKS);
	assert_true(fail.held_most <= 4 * CHUNK);
	inspect_stream_done(&stream);
	assert_int_equal(fail.held, 0);
}

static void announced_sizes_cost_nothing(void **state)
{
	(void)state;
	struct fail_allocator fail;
	fail_allocator_init(&fail, 0, false);
	struct reader reader = READER_INIT;
	reader.allocator = &fail.base;
	static const char *const inputs[] = {"ce 00 ff ff ff 94 00", "94 00 01 a1 78 91 df ff ff ff ff",
	                                     "94 00 01 db ff ff ff ff"};
	for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
		struct reading reading = read_hex(&reader, inputs[i]);
		assert_int_equal(reading.faults, 1);
		done(&reading);
	}
	assert_true(fail.held_most < 16384);
}

static void resync_finds_the_next_message(void **state)
{
	(void)state;
	struct reader reader = READER_INIT;
	reader.stream.resync = true;
	/* add(2, 3), three stray bytes, add(2, 3) again. */
	struct reading reading =
	        read_hex(&reader, "0a 94 00 05 a3 61 64 64 92 02 03  ff c1 00  0a 94 00 06 a3 61 64 64 92 02 03");
	assert_int_equal(reading.messages, 2);
	assert_int_equal(reading.faults, 1);
	assert_contains(&reading, "#6 add(2, 3)");
	assert_contains(&reading, "ffc100");
	done(&reading);
	reader.stream.resync = false;
	reading = read_hex(&reader, "0a 94 00 05 a3 61 64 64 92 02 03  ff c1 00  0a 94 00 06 a3 61 64 64 92 02 03");
	assert_int_equal(reading.messages, 1);
	done(&reading);
	/* Joined in the middle of a plain message. */
	reader.stream.resync = true;
	reading = read_hex(&reader, "64 64 92 02 03  94 00 06 a3 61 64 64 92 02 03");
	assert_int_equal(reading.messages, 1);
	assert_contains(&reading, "#6 add(2, 3)");
	done(&reading);
}

/* A plain notification with that method and one argument. */
static struct reading read_notification(struct reader *reader, const void *method, size_t method_size, const void *text,
                                        size_t text_size)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	brine_pack_array(&bytes, 3);
	brine_pack_uint(&bytes, 2);
	brine_pack_str(&bytes, method, method_size);
	brine_pack_array(&bytes, 1);
	brine_pack_str(&bytes, text, text_size);
	struct reading reading = read_whole(reader, brine_buf_bytes(&bytes));
	brine_buf_done(&bytes);
	assert_clean(&reading, reader->json);
	assert_int_equal(reading.faults, 0);
	return reading;
}

static void I01_I02_I03_peer_text_is_escaped(void **state)
{
	(void)state;
	static const struct {
		const char *text, *shown, *json;
	} rows[] = {
	        {"\x1b]0;title\a", "\\x1b]0;title\\x07", "\\u001B]0;title\\u0007"},
	        {"\x1b]52;c;eA==\x1b\\", "\\x1b]52;c;eA==\\x1b\\\\", "\\u001B]52"},
	        {"\x1bP1$r\xc2\x9c", "\\x1bP1$r\\u009c", "\\u009C"},
	        {"a\b\rb\x7f", "a\\x08\\rb\\x7f", "\\u007f"},
	        {"\x9b"
	         "2J",
	         "\\x9b2J", "{\"$str\":\"mzJK\"}"},
	        {"\xe2\x80\xae"
	         "evil",
	         "\\u202eevil", "\\u202Eevil"},
	        {"zero\xe2\x80\x8bwidth", "zero\\u200bwidth", "\\u200B"},
	        {"e\xcc\x81\xcc\x81", "e\\u0301\\u0301", "\\u0301"},
	        {"a\n       0 > 1 request #1 forged()", "a\\n       0 >", "\\n"},
	        {"\") forged(\"", "\\\") forged(\\\"", "\\\") forged(\\\""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (int json = 0; json < 2; json++) {
			struct reader reader = READER_INIT;
			reader.json = json;
			size_t size = strlen(rows[i].text);
			struct reading reading = read_notification(&reader, rows[i].text, size, rows[i].text, size);
			assert_contains(&reading, json ? rows[i].json : rows[i].shown);
			struct brine_bytes text = brine_buf_bytes(&reading.text);
			assert_ptr_equal(memchr(text.data, '\n', text.size), (const char *)text.data + text.size - 1);
			done(&reading);
		}
	}
}

static void I02_combining_characters_by_the_thousand(void **state)
{
	(void)state;
	enum { COUNT = 2000 };
	char text[2 * COUNT];
	for (int i = 0; i < COUNT; i++)
		memcpy(text + 2 * i, "\xcc\x81", 2);
	struct reader reader = READER_INIT;
	struct reading reading = read_notification(&reader, "m", 1, text, sizeof text);
	assert_contains(&reading, "\\u0301\\u0301");
	assert_contains(&reading, "more)");
	assert_true(brine_buf_size(&reading.text) < 400);
	done(&reading);
}

static void I13_secrets_are_masked(void **state)
{
	(void)state;
	/* add(), {"md": {"Authorization": "hunter2", "n": {"x-token": "hunter2"}, "user": "me"}} */
	static const char request[] =
	        "38 95 00 05 a3 61 64 64 90 81 a2 6d 64 83 ad 41 75 74 68 6f 72 69 7a 61 74 69 6f 6e a7 68 75 6e 74 65 "
	        "72 32 "
	        "a1 6e 81 a7 78 2d 74 6f 6b 65 6e a7 68 75 6e 74 65 72 32 a4 75 73 65 72 a2 6d 65";
	for (int json = 0; json < 2; json++) {
		struct reader reader = READER_INIT;
		reader.json = json;
		reader.view.hex = true;
		struct brine_buf bytes = BRINE_BUF_INIT;
		size_t size = hex_append(&bytes, request);
		bytes.data[bytes.start] = (uint8_t)(size - 1);
		struct reading reading = read_whole(&reader, brine_buf_bytes(&bytes));
		assert_int_equal(reading.faults, 0);
		assert_contains(&reading, "***");
		assert_contains(&reading, "user");
		assert_lacks(&reading, "hunter2");
		assert_lacks(&reading, "68756e74657232");
		done(&reading);
		reader.view.show_secrets = true;
		reading = read_whole(&reader, brine_buf_bytes(&bytes));
		assert_contains(&reading, "hunter2");
		assert_contains(&reading, "68756e74657232");
		done(&reading);
		brine_buf_done(&bytes);
	}
}

static void I13_secrets_of_refused_messages_are_masked(void **state)
{
	(void)state;
	/* [0, 5, 7, [], {"md": {"token": "hunter2"}}]: the method is an integer. */
	struct reader reader = READER_INIT;
	reader.view.hex = true;
	struct reading reading =
	        read_hex(&reader, "18 95 00 05 07 90 81 a2 6d 64 81 a5 74 6f 6b 65 6e a7 68 75 6e 74 65 72 32");
	assert_int_equal(reading.faults, 1);
	assert_contains(&reading, "error 1");
	assert_contains(&reading, "token: ***");
	assert_lacks(&reading, "hunter2");
	assert_lacks(&reading, "68756e74657232");
	done(&reading);
}

static void I14_values_become_strict_json(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *json;
	} rows[] = {
	        {"cb 7f f8 00 00 00 00 00 00", "[{\"$float\":\"NaN\"}]"},
	        {"ca ff 80 00 00", "[{\"$float\":\"-Infinity\"}]"},
	        {"cb 80 00 00 00 00 00 00 00", "[-0.0]"},
	        {"ca 40 20 00 00", "[2.5]"},
	        {"c4 02 00 01", "[{\"$bin\":\"AAE=\"}]"},
	        {"a1 ff", "[{\"$str\":\"/w==\"}]"},
	        {"a3 61 00 62", "[\"a\\u0000b\"]"},
	        {"cf 00 1f ff ff ff ff ff ff", "[9007199254740991]"},
	        {"cf 00 20 00 00 00 00 00 00", "[{\"$int\":\"9007199254740992\"}]"},
	        {"cf ff ff ff ff ff ff ff ff", "[{\"$int\":\"18446744073709551615\"}]"},
	        {"d3 80 00 00 00 00 00 00 00", "[{\"$int\":\"-9223372036854775808\"}]"},
	        {"d4 05 aa", "[{\"$ext\":[5,\"qg==\"]}]"},
	        {"d6 ff 00 00 00 01", "[{\"$time\":\"1970-01-01T00:00:01Z\"}]"},
	        {"d5 ff 00 00", "[{\"$ext\":[-1,\"AAA=\"]}]"},
	        {"82 a1 61 01 a1 61 02", "[{\"$map\":[[\"a\",1],[\"a\",2]]}]"},
	        {"81 01 a1 78", "[{\"$map\":[[1,\"x\"]]}]"},
	        {"81 a4 24 62 69 6e 01", "[{\"$map\":[[\"$bin\",1]]}]"},
	        {"82 a1 62 01 a1 61 c0", "[{\"b\":1,\"a\":null}]"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char hex[128];
		struct reader reader = READER_INIT;
		reader.json = true;
		snprintf(hex, sizeof hex, "93 02 a1 6d 91 %s", rows[i].hex);
		struct reading reading = read_hex(&reader, hex);
		assert_int_equal(reading.faults, 0);
		assert_contains(&reading, rows[i].json);
		done(&reading);
	}
}

static void extra_elements_and_options_are_shown(void **state)
{
	(void)state;
	for (int json = 0; json < 2; json++) {
		struct reader reader = READER_INIT;
		reader.json = json;
		/* [0, 5, "add", [], {"zz": 1}, "more"], and a cancel of three elements */
		struct reading reading =
		        read_hex(&reader, "12 96 00 05 a3 61 64 64 90 81 a2 7a 7a 01 a4 6d 6f 72 65  04 93 08 05 2a");
		assert_int_equal(reading.faults, 0);
		assert_contains(&reading, json ? "\"opts\":{\"zz\":1},\"extra\":[\"more\"]" : "zz=1 extra=\"more\"");
		assert_contains(&reading, json ? "\"method\":\"add\",\"extra\":[42]" : "#5 add extra=42");
		done(&reading);
	}
}

/* A few calls of the exchange, with its schema. */
static struct inspect_schema *load_schema(void)
{
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_buf content = load("dump/exchange.desc");
	struct inspect_schema *schema = inspect_schema_new(NULL);
	assert_non_null(schema);
	if (inspect_schema_add(schema, brine_buf_bytes(&content), "exchange.desc", &error) < 0)
		fail_msg("%s", error.text);
	brine_buf_done(&content);
	return schema;
}

static void I12_traffic_that_the_schema_does_not_fit(void **state)
{
	(void)state;
	struct reader reader = READER_INIT;
	struct inspect_schema *schema = load_schema();
	reader.schema = schema;
	struct brine_buf bytes = BRINE_BUF_INIT;
	static const char method[] = "exchange.Exchange/Place";
	for (int i = 0; i < 3; i++) {
		brine_pack_array(&bytes, 3);
		brine_pack_uint(&bytes, 2);
		brine_pack_str(&bytes, method, sizeof method - 1);
		brine_pack_array(&bytes, i == 2 ? 9 : 3);
		if (i == 1)
			brine_pack_uint(&bytes, 7);
		else
			brine_pack_str(&bytes, "ACME", 4);
		brine_pack_uint(&bytes, 1);
		brine_pack_uint(&bytes, 10);
		for (int j = 0; i == 2 && j < 4; j++)
			brine_pack_nil(&bytes);
		if (i == 2) {
			brine_pack_map(&bytes, 0);
			brine_pack_str(&bytes, "newer", 5);
		}
	}
	struct reading reading = read_whole(&reader, brine_buf_bytes(&bytes));
	assert_clean(&reading, false);
	assert_contains(&reading, "Place(symbol=\"ACME\", side=SIDE_BUY, quantity=10, tags={})\n");
	assert_contains(&reading, "Place(7, 1, 10) (the schema does not fit: field symbol: expected string");
	assert_contains(&reading, "\"newer\") (the schema does not fit:");
	done(&reading);
	reader.json = true;
	reading = read_whole(&reader, brine_buf_bytes(&bytes));
	assert_clean(&reading, true);
	assert_contains(&reading,
	                "\"params\":{\"symbol\":\"ACME\",\"side\":\"SIDE_BUY\",\"quantity\":\"10\",\"tags\":{}}}");
	assert_contains(&reading, "\"params\":[7,1,10],\"mismatch\":\"field symbol");
	done(&reading);
	brine_buf_done(&bytes);
	inspect_schema_free(schema);
}

/* A descriptor set is a file like any other: cut or changed anywhere it is an error or another schema, never a crash.
 */
static void hostile_descriptor_sets(void **state)
{
	(void)state;
	struct brine_buf content = load("dump/exchange.desc");
	size_t size = brine_buf_size(&content);
	unsigned refused = 0, taken = 0;
	for (size_t at = 0; at < size; at += 3) {
		for (int cut = 0; cut < 2; cut++) {
			struct brine_error error = BRINE_ERROR_INIT;
			struct inspect_schema *schema = inspect_schema_new(NULL);
			content.data[content.start + at] ^= cut ? 0 : 0xff;
			int rc = inspect_schema_add(schema, BRINE_BYTES(content.data + content.start, cut ? at : size),
			                            "x.desc", &error);
			content.data[content.start + at] ^= cut ? 0 : 0xff;
			if (rc < 0)
				assert_true(error.code == rc && error.text[0]);
			refused += rc < 0;
			taken += rc == 0;
			inspect_schema_free(schema);
		}
	}
	assert_true(refused > 100);
	assert_true(taken > 0);
	brine_buf_done(&content);
}

static void memory_runs_out_at_every_allocation(void **state)
{
	(void)state;
	struct brine_buf content = load("captures/pynvim-vs-fake.c2s.bin");
	struct fail_allocator fail;
	uint64_t failures = 0;
	for (uint64_t at = 1;; at++) {
		struct reader reader = READER_INIT;
		struct reading reading;
		fail_allocator_init(&fail, at, at % 2);
		reader.allocator = &fail.base;
		int rc = read_stream(&reader, brine_buf_bytes(&content), 64, NULL, &reading);
		done(&reading);
		assert_int_equal(fail.held, 0);
		if (fail.failures == 0) {
			assert_int_equal(rc, 0);
			break;
		}
		assert_int_equal(rc, BRINE_ERR_NOMEM);
		failures++;
	}
	assert_true(failures >= 3);
	brine_buf_done(&content);
	content = load("dump/exchange.desc");
	failures = 0;
	for (uint64_t at = 1;; at++) {
		fail_allocator_init(&fail, at, at % 2);
		struct inspect_schema *schema = inspect_schema_new(&fail.base);
		int rc = schema ? inspect_schema_add(schema, brine_buf_bytes(&content), "x.desc", NULL)
		                : BRINE_ERR_NOMEM;
		inspect_schema_free(schema);
		assert_int_equal(fail.held, 0);
		if (fail.failures == 0) {
			assert_int_equal(rc, 0);
			break;
		}
		assert_int_equal(rc, BRINE_ERR_NOMEM);
		failures++;
	}
	assert_true(failures >= 5);
	brine_buf_done(&content);
}

static void answers_find_their_method(void **state)
{
	(void)state;
	/* More calls in one set than it has ways: the oldest of those that run is forgotten, and counted. */
	struct inspect_calls calls = {.allocator = NULL};
	for (uint64_t i = 0; i <= INSPECT_CALLS_WAYS; i++) {
		struct inspect_call call = {.id = 7 + i * INSPECT_CALLS_SETS};
		assert_int_equal(inspect_calls_add(&calls, &call, BRINE_BYTES("add", 3)), 0);
	}
	assert_null(inspect_calls_find(&calls, 7));
	assert_non_null(inspect_calls_find(&calls, 7 + INSPECT_CALLS_SETS));
	assert_int_equal(calls.forgotten, 1);
	/* One that has ended goes first, and is not counted. */
	inspect_calls_find(&calls, 7 + 3 * INSPECT_CALLS_SETS)->ended = true;
	struct inspect_call call = {.id = 7 + 9 * INSPECT_CALLS_SETS};
	assert_int_equal(inspect_calls_add(&calls, &call, BRINE_BYTES("add", 3)), 0);
	assert_null(inspect_calls_find(&calls, 7 + 3 * INSPECT_CALLS_SETS));
	assert_int_equal(calls.forgotten, 1);
	inspect_calls_done(&calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(captures_read_the_same_however_cut),
	        cmocka_unit_test(corrupted_bytes_are_all_accounted_for),
	        cmocka_unit_test(every_truncation_is_said),
	        cmocka_unit_test(I09_endless_runs_take_constant_memory),
	        cmocka_unit_test(announced_sizes_cost_nothing),
	        cmocka_unit_test(resync_finds_the_next_message),
	        cmocka_unit_test(I01_I02_I03_peer_text_is_escaped),
	        cmocka_unit_test(I02_combining_characters_by_the_thousand),
	        cmocka_unit_test(I13_secrets_are_masked),
	        cmocka_unit_test(I13_secrets_of_refused_messages_are_masked),
	        cmocka_unit_test(I14_values_become_strict_json),
	        cmocka_unit_test(extra_elements_and_options_are_shown),
	        cmocka_unit_test(I12_traffic_that_the_schema_does_not_fit),
	        cmocka_unit_test(hostile_descriptor_sets),
	        cmocka_unit_test(memory_runs_out_at_every_allocation),
	        cmocka_unit_test(answers_find_their_method),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
