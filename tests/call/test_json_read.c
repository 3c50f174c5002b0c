/* Proves that JSON without a schema becomes the MessagePack it stands for; that what the tools print as JSON becomes
 * the same bytes again; that wrong and hostile JSON is an error that names its place; and where values in a stream end.
 */
#include "json_support.h"

#include "inspect/json_items.h"
#include "inspect/json_pack.h"
#include "inspect/json_value.h"

#include <brine/codec.h>
#include <brine/pack.h>

#include <math.h>

/* What is wrong, and how it is told. */
struct wrong {
	const char *json;
	int code;
	const char *text;
};

static void expect_told(const struct wrong *wrong, int rc, const struct brine_error *error)
{
	if (rc != wrong->code || !strstr(error->text, wrong->text))
		fail_msg("%s: %d %s", wrong->json, rc, error->text);
}

/* ---- without a schema ---- */

static void pack_random_text(struct brine_buf *out, uint64_t *seed)
{
	static const char *const texts[] = {"",     "a",    "$",           "$int",         "$map",
	                                    "\xff", "a\0b", "caf\xc3\xa9", "\xe2\x80\xae", "\x7f"};
	static const size_t sizes[] = {0, 1, 1, 4, 4, 1, 3, 5, 3, 1};
	size_t i = random_below(seed, sizeof sizes / sizeof sizes[0]);
	brine_pack_str(out, texts[i], sizes[i]);
}

static void pack_random_number(struct brine_buf *out, uint64_t *seed)
{
	static const double doubles[] = {0.0, -0.0,     0.1,      1.5, 1e300, -5e-324, 3, 12345678901234567.0,
	                                 NAN, INFINITY, -INFINITY};
	uint64_t bits = random_next(seed) >> random_below(seed, 64);
	switch (random_below(seed, 4)) {
	case 0: brine_pack_uint(out, bits); break;
	case 1: brine_pack_int(out, (int64_t)bits); break;
	case 2: brine_pack_int(out, -(int64_t)(bits >> 1)); break;
	default: brine_pack_double(out, doubles[random_below(seed, sizeof doubles / sizeof doubles[0])]);
	}
}

static void pack_random_binary(struct brine_buf *out, uint64_t *seed)
{
	uint8_t data[8];
	uint64_t bits = random_next(seed);
	memcpy(data, &bits, sizeof data);
	size_t size = random_below(seed, 9);
	switch (random_below(seed, 4)) {
	case 0: brine_pack_bin(out, data, size); break;
	case 1: brine_pack_ext(out, (int8_t)random_below(seed, 256), data, size == 4 || size == 8 ? 3 : size); break;
	case 2: brine_pack_str(out, (const char *)data, size); break;
	default:
		brine_pack_timestamp(out, (struct brine_timestamp){(int64_t)(bits % 1000000000000) - 60000000000,
		                                                   (int32_t)(bits % 3 ? 0 : bits % 1000000000)});
	}
}

/* One value of any kind, in the form that brine/pack.h gives it. */
static void pack_random(struct brine_buf *out, uint64_t *seed, unsigned depth)
{
	uint32_t count = (uint32_t)random_below(seed, 5);
	switch (random_below(seed, depth ? 9 : 6)) {
	case 0: brine_pack_nil(out); break;
	case 1: brine_pack_bool(out, random_below(seed, 2)); break;
	case 2:
	case 3: pack_random_number(out, seed); break;
	case 4: pack_random_text(out, seed); break;
	case 5: pack_random_binary(out, seed); break;
	case 6:
		brine_pack_array(out, count);
		for (uint32_t i = 0; i < count; i++)
			pack_random(out, seed, depth - 1);
		break;
	default:
		brine_pack_map(out, count);
		for (uint32_t i = 0; i < count; i++) {
			if (random_below(seed, 8))
				pack_random_text(out, seed);
			else
				pack_random(out, seed, depth - 1);
			pack_random(out, seed, depth - 1);
		}
	}
}

static void values_come_back_as_they_were(void **state)
{
	(void)state;
	uint64_t seed = 7;
	struct brine_buf bytes = BRINE_BUF_INIT, again = BRINE_BUF_INIT;
	struct inspect_line line;
	unsigned compared = 0;
	inspect_line_init(&line, NULL);
	for (int i = 0; i < 20000; i++) {
		struct brine_error error = BRINE_ERROR_INIT;
		pack_random(&bytes, &seed, (unsigned)random_below(&seed, 7));
		print(&line, inspect_json_value(brine_buf_bytes(&bytes), false));
		json_t *value = parse(text_of(&line));
		if (inspect_json_pack(&again, value, BRINE_FRAME_DEPTH_MAX, &error) < 0)
			fail_msg("%s: %s", text_of(&line), error.text);
		assert_same_bytes(brine_buf_bytes(&bytes), brine_buf_bytes(&again), text_of(&line));
		json_decref(value);
		brine_buf_take(&bytes, brine_buf_size(&bytes));
		brine_buf_take(&again, brine_buf_size(&again));
		compared++;
	}
	assert_int_equal(compared, 20000);
	inspect_line_done(&line);
	brine_buf_done(&bytes);
	brine_buf_done(&again);
}

static void forms_become_what_they_stand_for(void **state)
{
	(void)state;
	static const struct {
		const char *json, *hex;
	} rows[] = {
	        {"null", "c0"},
	        {"true", "c3"},
	        {"10", "0a"},
	        {"-1", "ff"},
	        {"-0", "00"},
	        {"9223372036854775807", "cf 7f ff ff ff ff ff ff ff"},
	        {"1.0", "cb 3f f0 00 00 00 00 00 00"},
	        {"1e2", "cb 40 59 00 00 00 00 00 00"},
	        {"{\"$int\": \"18446744073709551615\"}", "cf ff ff ff ff ff ff ff ff"},
	        {"{\"$int\": \"-9223372036854775808\"}", "d3 80 00 00 00 00 00 00 00"},
	        {"{\"$int\": \"5\"}", "05"},
	        {"{\"$float\": \"NaN\"}", "cb 7f f8 00 00 00 00 00 00"},
	        {"{\"$float\": \"-Infinity\"}", "cb ff f0 00 00 00 00 00 00"},
	        {"{\"$str\": \"/w==\"}", "a1 ff"},
	        {"{\"$bin\": \"AAE=\"}", "c4 02 00 01"},
	        {"{\"$bin\": \"_-8\"}", "c4 02 ff ef"},
	        {"{\"$bin\": \"\"}", "c4 00"},
	        {"{\"$ext\": [5, \"qg==\"]}", "d4 05 aa"},
	        {"{\"$time\": \"1970-01-01T00:00:01Z\"}", "d6 ff 00 00 00 01"},
	        {"{\"$time\": \"1970-01-01T01:00:01+01:00\"}", "d6 ff 00 00 00 01"},
	        {"{\"$time\": \"1970-01-01t00:00:00.5z\"}", "d7 ff 77 35 94 00 00 00 00 00"},
	        {"{\"$map\": [[1, \"x\"], [1, {\"$map\": []}]]}", "82 01 a1 78 01 80"},
	        {"{\"a\": [1, \"b\"], \"\": {}}", "82 a1 61 92 01 a1 62 a0 80"},
	        {"\"a\\u0000b\"", "a3 61 00 62"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf wanted = BRINE_BUF_INIT, got = BRINE_BUF_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		json_t *value = parse(rows[i].json);
		hex_append(&wanted, rows[i].hex);
		if (inspect_json_pack(&got, value, 4, &error) < 0)
			fail_msg("%s: %s", rows[i].json, error.text);
		assert_same_bytes(brine_buf_bytes(&wanted), brine_buf_bytes(&got), rows[i].json);
		json_decref(value);
		brine_buf_done(&wanted);
		brine_buf_done(&got);
	}
}

static void wrong_forms_are_named(void **state)
{
	(void)state;
	static const struct wrong rows[] = {
	        {"{\"$int\": 5}", BRINE_ERR_TYPE, "decimal digits"},
	        {"{\"$int\": \" 5\"}", BRINE_ERR_TYPE, "decimal digits"},
	        {"{\"$int\": \"5x\"}", BRINE_ERR_TYPE, "decimal digits"},
	        {"{\"$int\": \"-\"}", BRINE_ERR_TYPE, "decimal digits"},
	        {"{\"$int\": \"18446744073709551616\"}", BRINE_ERR_RANGE, "64 bits"},
	        {"{\"$int\": \"-9223372036854775809\"}", BRINE_ERR_RANGE, "64 bits"},
	        {"{\"$float\": \"nan\"}", BRINE_ERR_TYPE, "\"NaN\""},
	        {"{\"$float\": \"NaN\\u0000\"}", BRINE_ERR_TYPE, "\"NaN\""},
	        {"{\"$bin\": \"A\"}", BRINE_ERR_TYPE, "base64"},
	        {"{\"$bin\": \"AB\"}", BRINE_ERR_TYPE, "base64"},
	        {"{\"$bin\": \"AA=\"}", BRINE_ERR_TYPE, "base64"},
	        {"{\"$bin\": \"A===\"}", BRINE_ERR_TYPE, "base64"},
	        {"{\"$bin\": \"AA AA\"}", BRINE_ERR_TYPE, "base64"},
	        {"{\"$str\": [1]}", BRINE_ERR_TYPE, "base64"},
	        {"{\"$ext\": [128, \"\"]}", BRINE_ERR_TYPE, "-128 to 127"},
	        {"{\"$ext\": [1]}", BRINE_ERR_TYPE, "[type, base64]"},
	        {"{\"$ext\": [1.0, \"\"]}", BRINE_ERR_TYPE, "[type, base64]"},
	        {"{\"$time\": \"2026-02-30T00:00:00Z\"}", BRINE_ERR_TYPE, "2026-11-22T10:00:00Z"},
	        {"{\"$time\": \"2026-11-22T10:00:60Z\"}", BRINE_ERR_TYPE, "2026-11-22T10:00:00Z"},
	        {"{\"$time\": \"2026-11-22T10:00:00\"}", BRINE_ERR_TYPE, "2026-11-22T10:00:00Z"},
	        {"{\"$time\": \"0001-01-01T00:00:00+01:00\"}", BRINE_ERR_TYPE, "2026-11-22T10:00:00Z"},
	        {"{\"$time\": \"2026-11-22T10:00:00.Z\"}", BRINE_ERR_TYPE, "2026-11-22T10:00:00Z"},
	        {"{\"$time\": \"2026-11-22T10:00:00.1234567890Z\"}", BRINE_ERR_TYPE, "2026-11-22T10:00:00Z"},
	        {"{\"$map\": {}}", BRINE_ERR_TYPE, "[[key, value], ...]"},
	        {"{\"$map\": [[1]]}", BRINE_ERR_TYPE, "[0]: {\"$map\""},
	        {"{\"$set\": 1}", BRINE_ERR_TYPE, "$map"},
	        {"{\"a\": 1, \"$int\": \"1\"}", BRINE_ERR_TYPE, "alone"},
	        {"[0, {\"a\": [{\"$bin\": 1}]}]", BRINE_ERR_TYPE, "[1].a[0]: {\"$bin\""},
	        {"[[[[[]]]]]", BRINE_ERR_DEPTH, "[0][0][0][0]: nested more than 4"},
	        {"{\"$map\": [[[[[[]]]], 1]]}", BRINE_ERR_DEPTH, "nested more than 4"},
	        {"{\"\\u001b\": {\"$int\": 1}}", BRINE_ERR_TYPE, ".\\x1b: "},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf out = BRINE_BUF_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		json_t *value = parse(rows[i].json);
		brine_pack_nil(&out);
		int rc = inspect_json_pack(&out, value, 4, &error);
		expect_told(&rows[i], rc, &error);
		assert_int_equal(brine_buf_size(&out), 1);
		json_decref(value);
		brine_buf_done(&out);
	}
}

/* ---- text ---- */

static void hostile_text_leads_to_named_errors(void **state)
{
	(void)state;
	static const struct wrong rows[] = {
	        {"", BRINE_ERR_MALFORMED, "line 1"},
	        {"hello", BRINE_ERR_MALFORMED, "'hello'"},
	        {"{\"a\": 1,\n \"b\" 2}", BRINE_ERR_MALFORMED, "line 2"},
	        {"[1, 2", BRINE_ERR_MALFORMED, "end of file"},
	        {"[1,]", BRINE_ERR_MALFORMED, "']'"},
	        {"1 2", BRINE_ERR_TRAILING, "end of file expected"},
	        {"{\"a\": 1, \"a\": 2}", BRINE_ERR_DUPLICATE, "$map"},
	        {"\"\xff\"", BRINE_ERR_UTF8, "UTF-8"},
	        {"\"\xed\xa0\x80\"", BRINE_ERR_UTF8, "UTF-8"},
	        {"\"\\ud800\"", BRINE_ERR_MALFORMED, "Unicode"},
	        {"\"\x1b[2J\"", BRINE_ERR_MALFORMED, "control character"},
	        {"18446744073709551615", BRINE_ERR_RANGE, "$int"},
	        {"1e999", BRINE_ERR_RANGE, "overflow"},
	        {"NaN", BRINE_ERR_MALFORMED, "'NaN'"},
	        {"{\"a\\u0000\": 1}", BRINE_ERR_MALFORMED, "NUL"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_error error = BRINE_ERROR_INIT;
		json_t *value = inspect_json_parse(bytes_of(rows[i].json), &error);
		assert_null(value);
		expect_told(&rows[i], error.code, &error);
		for (const char *at = error.text; *at; at++)
			assert_in_range(*at, 0x20, 0x7e);
	}
}

static void nesting_and_size_are_limited(void **state)
{
	(void)state;
	size_t size = INSPECT_JSON_SIZE_MOST + 1;
	char *text = malloc(size);
	struct brine_error error = BRINE_ERROR_INIT;
	assert_non_null(text);
	memset(text, '[', size);
	assert_null(inspect_json_parse(BRINE_BYTES(text, 1000000), &error));
	assert_int_equal(error.code, BRINE_ERR_DEPTH);
	memset(text, ' ', size);
	text[0] = '1';
	assert_null(inspect_json_parse(BRINE_BYTES(text, size), &error));
	assert_int_equal(error.code, BRINE_ERR_LIMIT);
	json_t *value = inspect_json_parse(BRINE_BYTES(text, size - 1), &error);
	assert_int_equal(json_integer_value(value), 1);
	json_decref(value);
	free(text);
}

static void floats_have_no_more_digits_than_they_need(void **state)
{
	(void)state;
	static const struct {
		const char *json, *shown;
	} rows[] = {
	        {"0.1", "0.1"}, {"[0.1,100.25]", "[0.1,100.25]"},    {"0.30000000000000004", "0.30000000000000004"},
	        {"1.0", "1.0"}, {"5e-324", "4.94065645841247e-324"},
	};
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print(&line, parse(rows[i].json));
		assert_string_equal(text_of(&line), rows[i].shown);
	}
	inspect_line_done(&line);
}

/* ---- values one after another ---- */

/* The values of text, fed in pieces of step bytes, joined by |. */
static void split(const char *text, size_t step, char *out, size_t capacity)
{
	struct inspect_json_items items = {.depth = 0};
	struct brine_bytes item;
	size_t used = 0;
	for (size_t at = 0;; at += step) {
		size_t size = at >= strlen(text) ? 0 : strlen(text) - at < step ? strlen(text) - at : step;
		assert_int_equal(inspect_json_items_feed(&items, text + at, size), 0);
		while (inspect_json_items_next(&items, &item) > 0)
			used += (size_t)snprintf(out + used, capacity - used, "%.*s|", BRINE_ARG(item));
		if (size == 0)
			break;
	}
	out[used] = '\0';
	inspect_json_items_done(&items);
}

static void streams_of_json_are_cut_at_their_values(void **state)
{
	(void)state;
	static const struct {
		const char *text, *values;
	} rows[] = {
	        {"", ""},
	        {" \n\t ", ""},
	        {"1", "1|"},
	        {"1 2\n3", "1|2|3|"},
	        {"{\"a\": 1}\n{\"b\": [2]}", "{\"a\": 1}|{\"b\": [2]}|"},
	        {"{\n \"a\": {\n}\n}{}", "{\n \"a\": {\n}\n}|{}|"},
	        {"\"a]}\" \"\\\"[\" true", "\"a]}\"|\"\\\"[\"|true|"},
	        {"[\"\\\\\"][1]", "[\"\\\\\"]|[1]|"},
	        {"1[2]null\"x\"", "1|[2]|null|\"x\"|"},
	        {"[1, 2", "[1, 2|"},
	        {"}{}", "}|{}|"},
	        {"\"open", "\"open|"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t step = 1; step <= 16; step++) {
			char values[128];
			split(rows[i].text, step, values, sizeof values);
			assert_string_equal(values, rows[i].values);
		}
	}
}

static void an_endless_value_is_refused(void **state)
{
	(void)state;
	enum { CHUNK = 1 << 20 };
	static char chunk[CHUNK];
	struct inspect_json_items items = {.depth = 0};
	struct brine_bytes item;
	unsigned chunks = 0;
	int rc = 0;
	memset(chunk, '[', CHUNK);
	for (; rc == 0 && chunks < 64; chunks++) {
		assert_int_equal(inspect_json_items_feed(&items, chunk, CHUNK), 0);
		rc = inspect_json_items_next(&items, &item);
	}
	assert_int_equal(rc, BRINE_ERR_LIMIT);
	assert_int_equal(chunks, INSPECT_JSON_SIZE_MOST / CHUNK + 1);
	inspect_json_items_done(&items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(values_come_back_as_they_were),
	        cmocka_unit_test(forms_become_what_they_stand_for),
	        cmocka_unit_test(wrong_forms_are_named),
	        cmocka_unit_test(hostile_text_leads_to_named_errors),
	        cmocka_unit_test(nesting_and_size_are_limited),
	        cmocka_unit_test(floats_have_no_more_digits_than_they_need),
	        cmocka_unit_test(streams_of_json_are_cut_at_their_values),
	        cmocka_unit_test(an_endless_value_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
