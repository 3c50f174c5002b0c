/* Proves: buffers, arenas, escaping and error texts behave as their headers say. */
#include "support.h"

#include <brine/arena.h>
#include <brine/buf.h>

static void nothing_can_be_reserved(void **state)
{
	(void)state;
	struct brine_buf buf = BRINE_BUF_INIT;
	assert_non_null(brine_buf_reserve(&buf, 0));
	assert_int_equal(brine_buf_size(&buf), 0);
	brine_buf_done(&buf);
}

static void buffer_keeps_bytes_in_order(void **state)
{
	(void)state;
	struct brine_buf buf = BRINE_BUF_INIT;
	uint8_t next_in = 0, next_out = 0;
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < round % 97; i++, next_in++)
			assert_int_equal(brine_buf_append(&buf, &next_in, 1), 0);
		size_t taken = brine_buf_size(&buf) * (round % 3) / 2;
		const uint8_t *bytes = brine_buf_bytes(&buf).data;
		for (size_t i = 0; i < taken; i++)
			assert_int_equal(bytes[i], next_out++);
		brine_buf_take(&buf, taken);
	}
	brine_buf_done(&buf);
	assert_int_equal(buf.capacity, 0);
}

static void arena_respects_its_budget(void **state)
{
	(void)state;
	struct brine_arena arena;
	brine_arena_init(&arena, NULL, 4096);
	assert_non_null(brine_arena_alloc(&arena, 4000));
	assert_null(brine_arena_alloc(&arena, 200));
	brine_arena_reset(&arena);
	struct brine_str text = brine_arena_printf(&arena, "%d-%s", 7, "x");
	assert_true(brine_str_equal(text, BRINE_STR("7-x")));
	assert_null(brine_arena_alloc(&arena, SIZE_MAX));
	brine_arena_done(&arena);
}

static void escape_leaves_nothing_that_moves_a_terminal(void **state)
{
	(void)state;
	static const struct {
		const char *text, *escaped;
	} rows[] = {
		{"plain", "plain"},
		{"a\nb\tc\\", "a\\nb\\tc\\\\"},
		{"\x1b]0;x\x07", "\\x1b]0;x\\x07"},
		{"h\xc3\xa9", "h\xc3\xa9"},
		{"\xff\xc3", "\\xff\\xc3"},
		{"\xe2\x80\xae" "x", "\\u202ex"},
		{"\xc2\x9b", "\\u009b"},
	};
	char out[64];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(brine_escape(out, sizeof out, rows[i].text, strlen(rows[i].text)), rows[i].escaped);
	assert_string_equal(brine_escape(out, 8, "0123456789", 10), "0123...");
	assert_string_equal(brine_escape(out, 8, "0123456", 7), "0123456");
}

static void every_code_has_a_name_and_a_text(void **state)
{
	(void)state;
#define CHECK(name, value, text_)                                             \
	assert_string_equal(brine_error_name(value), "BRINE_ERR_" #name);      \
	assert_string_equal(brine_error_text(value), text_);
	BRINE_ERROR_MAP(CHECK)
#undef CHECK
	assert_string_equal(brine_error_name(12345), "BRINE_ERR_UNKNOWN");
	for (int64_t code = -1; code < 12; code++)
		assert_non_null(brine_code_text(code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_keeps_bytes_in_order),
		cmocka_unit_test(nothing_can_be_reserved),
		cmocka_unit_test(arena_respects_its_budget),
		cmocka_unit_test(escape_leaves_nothing_that_moves_a_terminal),
		cmocka_unit_test(every_code_has_a_name_and_a_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
