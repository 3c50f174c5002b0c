/* Proves: values are printed as one line that a person can read and a peer cannot abuse. */
#include "support.h"

#include <brine/codec.h>
#include <brine/pack.h>

static void assert_prints(const char *hex, size_t text_max, int code, const char *text)
{
	struct brine_buf value = BRINE_BUF_INIT, out = BRINE_BUF_INIT;
	hex_append(&value, hex);
	assert_int_equal(brine_value_print(&out, brine_buf_bytes(&value), text_max), code);
	assert_int_equal(brine_buf_append(&out, "", 1), 0);
	assert_string_equal((const char *)out.data + out.start, text);
	brine_buf_done(&value);
	brine_buf_done(&out);
}

static void values_print_as_documented(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *text;
	} rows[] = {
	        {"c0", "nil"},
	        {"93 c2 c3 05", "[false, true, 5]"},
	        {"cf ff ff ff ff ff ff ff ff", "18446744073709551615"},
	        {"d3 80 00 00 00 00 00 00 00", "-9223372036854775808"},
	        {"ca 3d cc cc cd", "0.1"},
	        {"cb 3f b9 99 99 99 99 99 9a", "0.1"},
	        {"cb 3f d3 33 33 33 33 33 34", "0.30000000000000004"},
	        {"cb 40 14 00 00 00 00 00 00", "5.0"},
	        {"cb 7e 37 e4 3c 88 00 75 9c", "1e+300"},
	        {"cb 7f f0 00 00 00 00 00 00", "inf"},
	        {"cb 80 00 00 00 00 00 00 00", "-0.0"},
	        {"a5 61 22 0a 1b 5c", "\"a\\\"\\n\\x1b\\\\\""},
	        {"a2 c3 a9", "\"\xc3\xa9\""},
	        {"a1 ff", "\"\\xff\""},
	        {"c4 02 0a 0b", "h\"0a0b\""},
	        {"d5 05 0a 0b", "ext(5, h\"0a0b\")"},
	        {"d6 ff 00 00 00 00", "1970-01-01T00:00:00Z"},
	        {"d7 ff 77 35 94 00 5f 5e 10 00", "2020-09-13T12:26:40.500Z"},
	        {"c7 0c ff 00 00 03 e8 ff ff ff ff ff ff ff ff", "1969-12-31T23:59:59.000001Z"},
	        {"c7 0c ff 00 00 00 01 ff ff ff f1 88 6e 09 00", "0001-01-01T00:00:00.000000001Z"},
	        {"c7 0c ff 3b 9a ca 00 00 00 00 00 00 00 00 00", "ext(-1, h\"3b9aca000000000000000000\")"},
	        {"d5 ff 00 00", "ext(-1, h\"0000\")"},
	        {"90", "[]"},
	        {"80", "{}"},
	        {"82 a1 61 91 80 02 93 01 90 c0", "{\"a\": [{}], 2: [1, [], nil]}"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_prints(rows[i].hex, 0, 0, rows[i].text);
}

static void long_text_is_cut_and_says_so(void **state)
{
	(void)state;
	assert_prints("a6 61 62 63 64 65 66", 4, 0, "\"abcd\"...(2 more)");
	assert_prints("a6 61 62 63 64 65 66", 6, 0, "\"abcdef\"");
	assert_prints("a6 61 62 63 e2 82 ac", 4, 0, "\"abc\"...(3 more)"); /* no character is split */
	assert_prints("a6 80 80 80 80 80 80", 4, 0, "\"\\x80\\x80\\x80\\x80\"...(2 more)");
	assert_prints("c4 03 01 02 03", 2, 0, "h\"0102\"...(1 more)");
	/* Longer than what is escaped at a time, with a character across the seam. */
	struct brine_buf value = BRINE_BUF_INIT, out = BRINE_BUF_INIT;
	char text[1000];
	for (size_t i = 0; i + 3 <= sizeof text; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	brine_pack_str(&value, text, 999);
	assert_int_equal(brine_value_print(&out, brine_buf_bytes(&value), 0), 0);
	assert_int_equal(brine_buf_size(&out), 999 + 2);
	assert_memory_equal(out.data + out.start + 1, text, 999);
	brine_buf_done(&value);
	brine_buf_done(&out);
}

static void what_was_understood_is_shown(void **state)
{
	(void)state;
	assert_prints("93 01 02", 0, BRINE_ERR_MALFORMED, "[1, 2");
	assert_prints("82 01 c1", 0, BRINE_ERR_MALFORMED, "{1");
	assert_prints("01 02", 0, BRINE_ERR_MALFORMED, "1");
	assert_prints("", 0, BRINE_ERR_MALFORMED, "");
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	struct brine_buf value = BRINE_BUF_INIT;
	char text[3000];
	memset(text, 'x', sizeof text);
	brine_pack_str(&value, text, sizeof text);
	int rc = BRINE_ERR_NOMEM;
	uint64_t failures = 0;
	for (uint64_t n = 1; rc == BRINE_ERR_NOMEM; n++) {
		struct fail_allocator fail;
		struct brine_buf out;
		fail_allocator_init(&fail, n, false);
		brine_buf_init(&out, &fail.base);
		rc = brine_value_print(&out, brine_buf_bytes(&value), 0);
		failures += fail.failures;
		brine_buf_done(&out);
		assert_int_equal(fail.held, 0);
	}
	assert_int_equal(rc, 0);
	assert_true(failures > 2);
	brine_buf_done(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(values_print_as_documented),
	        cmocka_unit_test(long_text_is_cut_and_says_so),
	        cmocka_unit_test(what_was_understood_is_shown),
	        cmocka_unit_test(every_allocation_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
