/* Proves: one MessagePack value is recognised as well-formed or not, in constant memory, with an error that names what
 * and where; tokens, the size of a value, and the resumable scan agree with it. HOSTILE part B, content without a
 * schema. */
#include "support.h"

#include "codec/scan.h"
#include "codec/token.h"
#include "codec/walk.h"

#include <brine/codec.h>
#include <brine/pack.h>

#define BYTES(...) ((struct brine_bytes){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})

static void assert_refused(struct brine_bytes bytes, int code, uint64_t offset, const char *says)
{
	struct brine_error error = BRINE_ERROR_INIT;
	assert_int_equal(brine_check(bytes, BRINE_FRAME_DEPTH_MAX, &error), code);
	assert_int_equal(error.code, code);
	assert_int_equal(error.offset, offset);
	if (!strstr(error.text, says))
		fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

static void assert_accepted(struct brine_bytes bytes)
{
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_check(bytes, BRINE_FRAME_DEPTH_MAX, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(brine_value_size(bytes.data, bytes.size), bytes.size);
}

/* Scans bytes in pieces of random sizes up to piece_max; returns brine_scan_feed()'s last answer. */
static int scan_cut(struct brine_scan *scan, struct brine_bytes bytes, unsigned depth_max, uint64_t size_max,
                    uint64_t *seed, size_t piece_max, struct brine_error *error)
{
	brine_scan_init(scan, depth_max, size_max);
	int rc = 0;
	for (size_t at = 0; at < bytes.size && rc == 0;) {
		size_t piece = piece_max == 1 ? 1 : 1 + (size_t)random_below(seed, piece_max);
		piece = piece < bytes.size - at ? piece : bytes.size - at;
		rc = brine_scan_feed(scan, (const uint8_t *)bytes.data + at, piece, error);
		at += piece;
	}
	return rc;
}

static void b01_invalid_type_byte_everywhere(void **state)
{
	(void)state;
	/* [0, 5, "add", [2, {1: nil}], 1.5] : the offsets where a type byte stands */
	static const uint8_t frame[] = {0x95, 0x00, 0x05, 0xa3, 'a',  'd',  'd', 0x92, 0x02,
	                                0x81, 0x01, 0xc0, 0xca, 0x3f, 0xc0, 0,   0};
	static const uint8_t places[] = {0, 1, 2, 3, 7, 8, 9, 10, 11, 12};
	assert_accepted((struct brine_bytes){frame, sizeof frame});
	for (size_t i = 0; i < sizeof places; i++) {
		uint8_t bad[sizeof frame];
		char says[64];
		memcpy(bad, frame, sizeof bad);
		bad[places[i]] = 0xc1;
		snprintf(says, sizeof says, "invalid type byte 0xc1 at offset %u", places[i]);
		assert_refused((struct brine_bytes){bad, sizeof bad}, BRINE_ERR_MALFORMED, places[i], says);
		uint64_t seed = i;
		struct brine_scan scan;
		for (size_t piece = 1; piece < 4; piece++) {
			struct brine_error error = BRINE_ERROR_INIT;
			struct brine_bytes bytes = {bad, sizeof bad};
			assert_int_equal(scan_cut(&scan, bytes, 32, 1000, &seed, piece, &error), BRINE_ERR_MALFORMED);
			assert_int_equal(error.offset, places[i]);
			assert_string_equal(error.text, says);
		}
	}
}

static void b02_every_first_byte_alone(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++) {
		uint8_t byte = (uint8_t)type;
		struct brine_bytes one = {&byte, 1};
		bool whole = type < 0x80 || type >= 0xe0 || type == 0x80 || type == 0x90 || type == 0xa0 ||
		             type == 0xc0 || type == 0xc2 || type == 0xc3;
		if (whole)
			assert_accepted(one);
		else if (type == 0xc1)
			assert_refused(one, BRINE_ERR_MALFORMED, 0, "invalid type byte 0xc1 at offset 0");
		else
			assert_refused(one, BRINE_ERR_MALFORMED, 0, "truncated value");
	}
	assert_refused((struct brine_bytes){NULL, 0}, BRINE_ERR_MALFORMED, 0, "truncated value at offset 0 of 0 bytes");
}

static void b04_claimed_counts_without_elements(void **state)
{
	(void)state;
	static const uint32_t counts[] = {UINT32_MAX, UINT32_C(1) << 28, UINT32_C(1) << 24, 65535};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		for (unsigned map = 0; map < 2; map++) {
			uint8_t head[5] = {(uint8_t)(0xdd + 2 * map), (uint8_t)(counts[i] >> 24),
			                   (uint8_t)(counts[i] >> 16), (uint8_t)(counts[i] >> 8), (uint8_t)counts[i]};
			char says[64];
			snprintf(says, sizeof says, "%llu elements claimed, 0 bytes left",
			         (unsigned long long)counts[i] * (1 + map));
			assert_refused((struct brine_bytes){head, sizeof head}, BRINE_ERR_MALFORMED, 0, says);
			struct brine_scan scan;
			brine_scan_init(&scan, 32, 65535);
			assert_int_equal(brine_scan_feed(&scan, head, sizeof head, NULL), BRINE_ERR_TOO_BIG);
		}
	}
	assert_refused(BYTES(0xdd, 0x0f, 0xff, 0xff, 0xff), BRINE_ERR_MALFORMED, 0,
	               "268435455 elements claimed, 0 bytes left");
}

static void b05_claimed_bytes_without_content(void **state)
{
	(void)state;
	static const uint8_t types[] = {0xdb, 0xc6, 0xc9};
	static const uint32_t sizes[] = {UINT32_MAX, UINT32_C(1) << 31, 5};
	for (size_t t = 0; t < sizeof types; t++) {
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			/* Four bytes of content are there, and the ext's type. */
			uint8_t bytes[10] = {types[t], (uint8_t)(sizes[i] >> 24), (uint8_t)(sizes[i] >> 16),
			                     (uint8_t)(sizes[i] >> 8), (uint8_t)sizes[i]};
			size_t size = types[t] == 0xc9 ? 10 : 9;
			assert_refused((struct brine_bytes){bytes, size}, BRINE_ERR_MALFORMED, 0, "truncated value");
			bytes[1] = bytes[2] = bytes[3] = 0;
			bytes[4] = 4;
			assert_accepted((struct brine_bytes){bytes, size});
		}
	}
}

static void b06_one_budget_of_elements(void **state)
{
	(void)state;
	enum { TIMES = 20000 };
	uint8_t *bytes = malloc(TIMES * 3);
	for (size_t i = 0; i < TIMES; i++)
		memcpy(bytes + i * 3, "\xdc\xff\xff", 3);
	/* 59,997 bytes are left behind the first head: 65,535 are too many at once. */
	assert_refused((struct brine_bytes){bytes, TIMES * 3}, BRINE_ERR_MALFORMED, 0,
	               "65535 elements claimed, 59997 bytes left");
	free(bytes);
	/* Each claim fits what is left, the sum does not: [4 of 6 [3 of 5 left, but 3 are owed outside. */
	assert_refused(BYTES(0x94, 0x93, 0x01, 0x01, 0x01, 0x01), BRINE_ERR_MALFORMED, 1,
	               "6 elements claimed, 4 bytes left");
	assert_refused(BYTES(0x92, 0x82, 0x01, 0x01, 0x01, 0x01), BRINE_ERR_MALFORMED, 1,
	               "5 elements claimed, 4 bytes left");
	assert_accepted(BYTES(0x92, 0x82, 0x01, 0x01, 0x01, 0x01, 0x01));
}

static void b07_nesting_costs_nothing(void **state)
{
	(void)state;
	static const size_t levels[] = {1000, 100000, (size_t)16 << 20};
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		uint8_t *bytes = malloc(levels[i]);
		memset(bytes, 0x91, levels[i]);
		assert_refused((struct brine_bytes){bytes, levels[i]}, BRINE_ERR_DEPTH, 32, "nesting deeper than 32");
		struct brine_scan scan;
		struct brine_error error = BRINE_ERROR_INIT;
		brine_scan_init(&scan, 32, levels[i]);
		assert_int_equal(brine_scan_feed(&scan, bytes, levels[i], &error), BRINE_ERR_DEPTH);
		assert_int_equal(error.offset, 32);
		free(bytes);
	}
}

static void b08_nesting_at_the_limit(void **state)
{
	(void)state;
	for (unsigned limit = 1; limit <= BRINE_FRAME_DEPTH_MAX; limit++) {
		uint8_t bytes[40];
		memset(bytes, 0x91, sizeof bytes);
		bytes[limit - 1] = 0x90; /* limit arrays within each other */
		struct brine_scan scan;
		assert_int_equal(brine_check((struct brine_bytes){bytes, limit}, limit, NULL), 0);
		brine_scan_init(&scan, limit, 100);
		assert_int_equal(brine_scan_feed(&scan, bytes, limit, NULL), 1);
		bytes[limit - 1] = 0x91;
		bytes[limit] = 0x80; /* one more, though it is empty */
		struct brine_error error = BRINE_ERROR_INIT;
		assert_int_equal(brine_check((struct brine_bytes){bytes, limit + 1}, limit, &error), BRINE_ERR_DEPTH);
		assert_int_equal(error.offset, limit);
		brine_scan_init(&scan, limit, 100);
		assert_int_equal(brine_scan_feed(&scan, bytes, limit + 1, NULL), BRINE_ERR_DEPTH);
	}
	assert_int_equal(brine_check(BYTES(0xc0), 0, NULL), BRINE_ERR_INVALID);
	assert_int_equal(brine_check(BYTES(0xc0), 33, NULL), BRINE_ERR_INVALID);
	/* Closed containers do not count: 40 of them side by side are one level deeper than the array around. */
	uint8_t side[43] = {0xdc, 0, 40};
	memset(side + 3, 0x90, 40);
	assert_int_equal(brine_check((struct brine_bytes){side, sizeof side}, 2, NULL), 0);
	assert_int_equal(brine_check((struct brine_bytes){side, sizeof side}, 1, NULL), BRINE_ERR_DEPTH);
}

static void b09_map_with_half_a_pair(void **state)
{
	(void)state;
	assert_refused(BYTES(0x81, 0x01), BRINE_ERR_MALFORMED, 0, "truncated value");
	assert_refused(BYTES(0x82, 0xa1, 'a', 0x01, 0xa1, 'b'), BRINE_ERR_MALFORMED, 6, "truncated value");
}

static void trailing_bytes_are_counted(void **state)
{
	(void)state;
	assert_refused(BYTES(0x91, 0x01, 0xc0, 0xc1), BRINE_ERR_TRAILING, 2,
	               "2 bytes after the value that ends at offset 2");
}

/* The whole token table: bytes, kind, and what is read. */
static void tokens_are_read_in_every_form(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		uint8_t kind;
		int64_t number; /* integers; bool; count; content size */
		int8_t ext_type;
	} rows[] = {
	        {"c0", BRINE_TOKEN_NIL, 0, 0},
	        {"c2", BRINE_TOKEN_BOOL, 0, 0},
	        {"c3", BRINE_TOKEN_BOOL, 1, 0},
	        {"00", BRINE_TOKEN_UINT, 0, 0},
	        {"7f", BRINE_TOKEN_UINT, 127, 0},
	        {"cc ff", BRINE_TOKEN_UINT, 255, 0},
	        {"cd ff ff", BRINE_TOKEN_UINT, 65535, 0},
	        {"ce ff ff ff ff", BRINE_TOKEN_UINT, UINT32_MAX, 0},
	        {"cf 7f ff ff ff ff ff ff ff", BRINE_TOKEN_UINT, INT64_MAX, 0},
	        {"d0 05", BRINE_TOKEN_UINT, 5, 0},
	        {"d3 00 00 00 00 00 00 00 05", BRINE_TOKEN_UINT, 5, 0},
	        {"e0", BRINE_TOKEN_INT, -32, 0},
	        {"ff", BRINE_TOKEN_INT, -1, 0},
	        {"d0 80", BRINE_TOKEN_INT, -128, 0},
	        {"d1 80 00", BRINE_TOKEN_INT, -32768, 0},
	        {"d2 80 00 00 00", BRINE_TOKEN_INT, INT32_MIN, 0},
	        {"d3 80 00 00 00 00 00 00 00", BRINE_TOKEN_INT, INT64_MIN, 0},
	        {"ca 3f 80 00 00", BRINE_TOKEN_FLOAT, 0x3f800000, 0},
	        {"cb 3f f0 00 00 00 00 00 00", BRINE_TOKEN_DOUBLE, 0x3ff0000000000000, 0},
	        {"a2 61 62", BRINE_TOKEN_STR, 2, 0},
	        {"d9 01 61", BRINE_TOKEN_STR, 1, 0},
	        {"da 00 01 61", BRINE_TOKEN_STR, 1, 0},
	        {"db 00 00 00 01 61", BRINE_TOKEN_STR, 1, 0},
	        {"c4 00", BRINE_TOKEN_BIN, 0, 0},
	        {"c5 00 01 61", BRINE_TOKEN_BIN, 1, 0},
	        {"c6 00 00 00 01 61", BRINE_TOKEN_BIN, 1, 0},
	        {"d4 ff 61", BRINE_TOKEN_EXT, 1, -1},
	        {"d5 05 61 62", BRINE_TOKEN_EXT, 2, 5},
	        {"d6 80 61 62 63 64", BRINE_TOKEN_EXT, 4, -128},
	        {"d7 7f 61 62 63 64 65 66 67 68", BRINE_TOKEN_EXT, 8, 127},
	        {"c7 01 07 61", BRINE_TOKEN_EXT, 1, 7},
	        {"c8 00 01 07 61", BRINE_TOKEN_EXT, 1, 7},
	        {"c9 00 00 00 01 07 61", BRINE_TOKEN_EXT, 1, 7},
	        {"93", BRINE_TOKEN_ARRAY, 3, 0},
	        {"dc 01 00", BRINE_TOKEN_ARRAY, 256, 0},
	        {"dd 00 01 00 00", BRINE_TOKEN_ARRAY, 65536, 0},
	        {"83", BRINE_TOKEN_MAP, 3, 0},
	        {"de 01 00", BRINE_TOKEN_MAP, 256, 0},
	        {"df 00 01 00 00", BRINE_TOKEN_MAP, 65536, 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		size_t size = hex_append(&bytes, rows[i].hex);
		struct brine_token token;
		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(brine_token_read(&token, bytes.data, cut), 0);
		assert_int_equal(brine_token_read(&token, bytes.data, size), 1);
		assert_int_equal(token.kind, rows[i].kind);
		assert_int_equal(token.size, size);
		assert_int_equal(token.ext_type, rows[i].ext_type);
		if (token.kind == BRINE_TOKEN_ARRAY || token.kind == BRINE_TOKEN_MAP)
			assert_int_equal(token.count, rows[i].number);
		else if (token.kind >= BRINE_TOKEN_STR)
			assert_int_equal(token.content.size, rows[i].number);
		else if (token.kind == BRINE_TOKEN_BOOL)
			assert_int_equal(token.boolean, rows[i].number);
		else if (token.kind != BRINE_TOKEN_NIL)
			assert_int_equal(token.uint, (uint64_t)rows[i].number);
		assert_string_not_equal(brine_token_name(token.kind), "unknown");
		brine_buf_done(&bytes);
	}
}

/* One random value of at most so many levels. */
static void pack_random(struct brine_buf *out, uint64_t *seed, unsigned levels)
{
	static const char text[70000] = "";
	size_t size = random_below(seed, 100) == 0 ? random_below(seed, sizeof text) : random_below(seed, 40);
	uint32_t count = (uint32_t)random_below(seed, random_below(seed, 50) == 0 ? 20 : 4);
	switch (random_below(seed, levels ? 12 : 9)) {
	case 0: brine_pack_nil(out); return;
	case 1: brine_pack_bool(out, random_below(seed, 2)); return;
	case 2: brine_pack_uint(out, random_next(seed) >> random_below(seed, 64)); return;
	case 3: brine_pack_int(out, -(int64_t)(random_next(seed) >> (1 + random_below(seed, 63)))); return;
	case 4: brine_pack_float(out, (float)random_next(seed)); return;
	case 5: brine_pack_double(out, (double)random_next(seed)); return;
	case 6: brine_pack_str(out, text, size); return;
	case 7: brine_pack_bin(out, text, size); return;
	case 8: brine_pack_ext(out, (int8_t)random_next(seed), text, size); return;
	case 9:
	case 10: brine_pack_array(out, count); break;
	default: brine_pack_map(out, count); count *= 2;
	}
	while (count--)
		pack_random(out, seed, levels - 1);
}

static void scan_finds_the_end_however_it_is_cut(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (unsigned round = 0; round < 2000; round++) {
		struct brine_buf out = BRINE_BUF_INIT;
		pack_random(&out, &seed, 6);
		struct brine_bytes value = brine_buf_bytes(&out);
		size_t size = value.size;
		assert_accepted(value);
		hex_append(&out, "c1 c1"); /* what follows is not looked at */
		struct brine_scan scan;
		value = brine_buf_bytes(&out);
		for (unsigned cut = 0; cut < 18; cut++) {
			size_t piece_max = cut == 0   ? 1
			                   : cut == 1 ? value.size
			                              : 1 + (size_t)random_below(&seed, size + 1);
			assert_int_equal(scan_cut(&scan, value, 6, size, &seed, piece_max, NULL), 1);
			assert_int_equal(scan.size, size);
		}
		if (size > 1)
			assert_int_equal(scan_cut(&scan, value, 6, size - 1, &seed, 3, NULL), BRINE_ERR_TOO_BIG);
		brine_buf_done(&out);
	}
}

static void scan_refuses_a_claim_before_its_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		uint64_t size_max;
		int answer;
	} rows[] = {
	        {"db 00 00 00 0b", 16, 0}, /* 5 + 11 */
	        {"db 00 00 00 0c", 16, BRINE_ERR_TOO_BIG},
	        {"dd 00 00 00 0b", 16, 0},
	        {"dd 00 00 00 0c", 16, BRINE_ERR_TOO_BIG},
	        {"92 91 dc 00 0a", 16, 0}, /* 5 + 10, and one owed outside */
	        {"92 91 dc 00 0b", 16, BRINE_ERR_TOO_BIG},
	        {"92 cf", 11, 0},
	        {"92 cf", 10, BRINE_ERR_TOO_BIG},
	        {"c9 ff ff ff ff", UINT64_C(5) + UINT32_MAX + 1, 0},
	        {"c9 ff ff ff ff", UINT64_C(5) + UINT32_MAX, BRINE_ERR_TOO_BIG},
	        {"01", 0, BRINE_ERR_TOO_BIG},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		hex_append(&bytes, rows[i].hex);
		uint64_t seed = i;
		struct brine_scan scan;
		for (size_t piece = 1; piece < 6; piece++)
			assert_int_equal(
			        scan_cut(&scan, brine_buf_bytes(&bytes), 32, rows[i].size_max, &seed, piece, NULL),
			        rows[i].answer);
		brine_buf_done(&bytes);
	}
}

/* The elements of the outermost container, whatever is nested in them, and not one more than were asked for. */
static void marks_are_where_the_elements_begin(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} values[] = {
	        {"\x05", 1},
	        {"\xcd\x01\x00", 3},
	        {"\xc0", 1},
	        {"\xa3\x61\x62\x63", 4},
	        {"\x90", 1},
	        {"\x93\x01\x92\x02\x90\x03", 6},
	        {"\x80", 1},
	        {"\x82\x01\x91\x02\x03\x04", 6},
	        {"\xc4\x03\x61\x62\x63", 5},
	        {"\xd4\x01\x02", 3},
	};
	enum { MOST = 20, KINDS = sizeof values / sizeof values[0] };
	uint64_t seed = 1;
	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		size_t begins[MOST], marks[MOST + 1], count = random_below(&seed, MOST), end = 0;
		size_t asked = random_below(&seed, MOST + 1);
		uint8_t head[] = {0xdc, 0x00, (uint8_t)count};
		if (count < 16 && round % 2)
			brine_pack_array(&bytes, (uint32_t)count);
		else
			brine_buf_append(&bytes, head, sizeof head);
		for (size_t i = 0; i < count; i++) {
			unsigned kind = (unsigned)random_below(&seed, KINDS);
			begins[i] = brine_buf_size(&bytes);
			brine_buf_append(&bytes, values[kind].bytes, values[kind].size);
		}
		memset(marks, 0xff, sizeof marks);
		assert_int_equal(brine_value_walk_marked(brine_buf_bytes(&bytes), 4, marks, asked, &end, NULL), 0);
		assert_int_equal(end, brine_buf_size(&bytes));
		for (size_t i = 0; i <= MOST; i++)
			assert_int_equal(marks[i], i < count && i < asked ? begins[i] : SIZE_MAX);
		brine_buf_done(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(b01_invalid_type_byte_everywhere),
	        cmocka_unit_test(b02_every_first_byte_alone),
	        cmocka_unit_test(b04_claimed_counts_without_elements),
	        cmocka_unit_test(b05_claimed_bytes_without_content),
	        cmocka_unit_test(b06_one_budget_of_elements),
	        cmocka_unit_test(b07_nesting_costs_nothing),
	        cmocka_unit_test(b08_nesting_at_the_limit),
	        cmocka_unit_test(b09_map_with_half_a_pair),
	        cmocka_unit_test(trailing_bytes_are_counted),
	        cmocka_unit_test(tokens_are_read_in_every_form),
	        cmocka_unit_test(scan_finds_the_end_however_it_is_cut),
	        cmocka_unit_test(scan_refuses_a_claim_before_its_bytes),
	        cmocka_unit_test(marks_are_where_the_elements_begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
