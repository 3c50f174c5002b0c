/* Proves: buffers, arenas, meters of memory, escaping and error texts behave as their headers say. */
#include "support.h"

#include <brine/arena.h>
#include <brine/buf.h>

#include "base/alloc.h"
#include "base/meter.h"
#include "base/utf8.h"

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
	        {"\xe2\x80\xae"
	         "x",
	         "\\u202ex"},
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
#define CHECK(name, value, text_)                                                                                      \
	assert_string_equal(brine_error_name(value), "BRINE_ERR_" #name);                                              \
	assert_string_equal(brine_error_text(value), text_);
	BRINE_ERROR_MAP(CHECK)
#undef CHECK
	assert_string_equal(brine_error_name(12345), "BRINE_ERR_UNKNOWN");
	for (int64_t code = -1; code < 12; code++)
		assert_non_null(brine_code_text(code));
}

/* The definition of RFC 3629 in the plainest form: is it the encoding of a code point that may be encoded? */
static bool is_utf8(const uint8_t *text, size_t size)
{
	uint32_t point = size == 1 ? text[0] : text[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++)
		point = point << 6 | (text[i] & 0x3f);
	uint8_t again[4] = {0};
	if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return false;
	size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	for (size_t i = length; i-- > 1; point >>= 6)
		again[i] = (uint8_t)(0x80 | (point & 0x3f));
	again[0] = (uint8_t)(length == 1 ? point : (0xf00u >> length & 0xff) | point);
	return length == size && memcmp(text, again, size) == 0;
}

static void utf8_agrees_with_its_definition(void **state)
{
	(void)state;
	static const uint8_t lasts[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
	unsigned valid = 0;
	for (unsigned first = 0; first < 256; first++) {
		uint8_t text[4] = {(uint8_t)first};
		size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
		for (unsigned rest = 0; rest < 256 * sizeof lasts * sizeof lasts; rest++) {
			text[1] = (uint8_t)(rest % 256);
			text[2] = lasts[rest / 256 % sizeof lasts];
			text[3] = lasts[rest / 256 / sizeof lasts];
			bool whole = brine_utf8_check(text, size) == size;
			if (whole != is_utf8(text, size))
				fail_msg("%02x %02x %02x %02x of %zu", text[0], text[1], text[2], text[3], size);
			valid += whole;
		}
	}
	assert_true(valid > 100000);
	/* Eight bytes are looked at together: the fault is found wherever it stands among them. */
	for (size_t at = 0; at < 40; at++) {
		char text[40];
		memset(text, 'a', sizeof text);
		text[at] = (char)0xff;
		assert_int_equal(brine_utf8_check(text, sizeof text), at);
	}
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	uint64_t failures = 0;
	bool done = false;
	for (uint64_t n = 1; !done; n++) {
		struct fail_allocator fail;
		struct brine_buf buf;
		struct brine_arena arena;
		fail_allocator_init(&fail, n, false);
		brine_buf_init(&buf, &fail.base);
		brine_arena_init(&arena, &fail.base, 0);
		done = true;
		for (uint32_t i = 0; i < 2000 && done; i++) {
			done = brine_buf_append(&buf, &i, sizeof i) == 0;
			assert_int_equal(brine_buf_size(&buf), (i + done) * sizeof i);
			void *memory = brine_arena_alloc(&arena, 100);
			done = done && memory;
		}
		struct brine_bytes bytes = brine_buf_bytes(&buf);
		for (uint32_t i = 0; i < bytes.size / sizeof i; i++)
			assert_memory_equal((const uint8_t *)bytes.data + i * sizeof i, &i, sizeof i);
		assert_true(brine_arena_printf(&arena, "%2000d", 1).size == 2000 || fail.failures);
		failures += fail.failures;
		brine_buf_done(&buf);
		brine_arena_done(&arena);
		assert_int_equal(fail.held, 0);
	}
	assert_true(failures > 10);
}

static void a_meter_counts_and_says_no(void **state)
{
	struct fail_allocator fail;
	(void)state;
	fail_allocator_init(&fail, 0, false);
	struct brine_meter *meter = brine_meter_new(&fail.base, 800);
	const struct brine_allocator *allocator = &meter->base;
	void *first = brine_resize(allocator, NULL, 0, 400);
	assert_true(brine_meter_may_hoard(meter));
	first = brine_resize(allocator, first, 400, 700);
	assert_non_null(first);
	assert_false(brine_meter_may_hoard(meter) || brine_meter_is_short(meter));
	assert_null(brine_resize(allocator, NULL, 0, 101));
	assert_null(brine_resize(allocator, first, 700, 801));
	assert_null(brine_resize(allocator, NULL, 0, SIZE_MAX));
	assert_int_equal(brine_meter_held(meter), 700);
	void *second = brine_resize(allocator, NULL, 0, 100);
	assert_non_null(second);
	assert_true(brine_meter_is_short(meter));
	/* What the allocator behind it refuses is not held. */
	first = brine_resize(allocator, first, 700, 10);
	fail.fail_at = fail.calls + 1;
	assert_null(brine_resize(allocator, NULL, 0, 50));
	assert_int_equal(brine_meter_held(meter), 110);
	brine_meter_hold(meter);
	brine_meter_drop(meter);
	brine_release(allocator, first, 10);
	brine_release(allocator, second, 100);
	assert_int_equal(brine_meter_held(meter), 0);
	brine_meter_drop(meter);
	assert_int_equal(fail.held, 0);
	assert_false(brine_meter_is_short(NULL));
	assert_true(brine_meter_may_hoard(NULL));
}

/* A buffer that grows is never there twice, and a big one takes what it needs where there is no more than that. */
static void a_buffer_grows_into_what_is_left(void **state)
{
	enum { PART = 100 * 1024 };
	static uint8_t bytes[5 * PART];
	struct fail_allocator fail;
	struct brine_buf buf;
	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i / PART);
	fail_allocator_init(&fail, 0, false);
	struct brine_meter *meter = brine_meter_new(&fail.base, 350 * 1024);
	brine_buf_init(&buf, &meter->base);
	for (int i = 0; i < 3; i++)
		assert_int_equal(brine_buf_append(&buf, bytes + i * PART, PART), 0);
	assert_int_equal(brine_meter_held(meter), buf.capacity);
	/* What was taken from the front makes room. */
	brine_buf_take(&buf, PART);
	assert_int_equal(brine_buf_append(&buf, bytes + 3 * PART, PART), 0);
	assert_int_equal(brine_buf_append(&buf, bytes + 4 * PART, PART), BRINE_ERR_NOMEM);
	assert_int_equal(brine_buf_size(&buf), 3 * PART);
	assert_memory_equal(buf.data + buf.start, bytes + PART, 3 * PART);
	brine_buf_done(&buf);
	assert_int_equal(brine_meter_held(meter), 0);
	brine_meter_drop(meter);
	assert_int_equal(fail.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(buffer_keeps_bytes_in_order),
	        cmocka_unit_test(nothing_can_be_reserved),
	        cmocka_unit_test(arena_respects_its_budget),
	        cmocka_unit_test(escape_leaves_nothing_that_moves_a_terminal),
	        cmocka_unit_test(every_code_has_a_name_and_a_text),
	        cmocka_unit_test(utf8_agrees_with_its_definition),
	        cmocka_unit_test(every_allocation_may_fail),
	        cmocka_unit_test(a_meter_counts_and_says_no),
	        cmocka_unit_test(a_buffer_grows_into_what_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
