/* Proves: each value is packed in its shortest form, at every boundary, and running out of memory leaves the buffer
 * alone. */
#include "support.h"

#include <brine/pack.h>

static void assert_packed(struct brine_buf *out, const char *hex)
{
	struct brine_buf wanted = BRINE_BUF_INIT;
	size_t size = hex_append(&wanted, hex);
	assert_int_equal(brine_buf_size(out), size);
	assert_memory_equal(brine_buf_bytes(out).data, wanted.data, size);
	brine_buf_take(out, size);
	brine_buf_done(&wanted);
}

static void integers_take_their_shortest_form(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		const char *hex;
	} rows[] = {
	        {0, "00"},
	        {127, "7f"},
	        {128, "cc 80"},
	        {255, "cc ff"},
	        {256, "cd 01 00"},
	        {65535, "cd ff ff"},
	        {65536, "ce 00 01 00 00"},
	        {UINT32_MAX, "ce ff ff ff ff"},
	        {INT64_C(1) << 32, "cf 00 00 00 01 00 00 00 00"},
	        {INT64_MAX, "cf 7f ff ff ff ff ff ff ff"},
	        {-1, "ff"},
	        {-32, "e0"},
	        {-33, "d0 df"},
	        {-128, "d0 80"},
	        {-129, "d1 ff 7f"},
	        {-32768, "d1 80 00"},
	        {-32769, "d2 ff ff 7f ff"},
	        {INT32_MIN, "d2 80 00 00 00"},
	        {INT64_C(-1) + INT32_MIN, "d3 ff ff ff ff 7f ff ff ff"},
	        {INT64_MIN, "d3 80 00 00 00 00 00 00 00"},
	};
	struct brine_buf out = BRINE_BUF_INIT;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(brine_pack_int(&out, rows[i].value), 0);
		assert_packed(&out, rows[i].hex);
	}
	assert_int_equal(brine_pack_uint(&out, UINT64_MAX), 0);
	assert_packed(&out, "cf ff ff ff ff ff ff ff ff");
	brine_buf_done(&out);
}

static void scalars_and_heads(void **state)
{
	(void)state;
	struct brine_buf out = BRINE_BUF_INIT;
	brine_pack_nil(&out);
	brine_pack_bool(&out, false);
	brine_pack_bool(&out, true);
	assert_packed(&out, "c0 c2 c3");
	brine_pack_float(&out, -1.5f);
	brine_pack_double(&out, -1.5);
	assert_packed(&out, "ca bf c0 00 00 cb bf f8 00 00 00 00 00 00");
	brine_pack_array(&out, 15);
	brine_pack_array(&out, 16);
	brine_pack_array(&out, 65535);
	brine_pack_array(&out, 65536);
	assert_packed(&out, "9f dc 00 10 dc ff ff dd 00 01 00 00");
	brine_pack_map(&out, 15);
	brine_pack_map(&out, 16);
	brine_pack_map(&out, 65536);
	assert_packed(&out, "8f de 00 10 df 00 01 00 00");
	brine_pack_str(&out, NULL, 0);
	brine_pack_str(&out, "ab", 2);
	brine_pack_bin(&out, "ab", 2);
	brine_pack_bin(&out, NULL, 0);
	brine_pack_ext(&out, -5, "abcd", 4);
	brine_pack_ext(&out, 5, "abc", 3);
	brine_pack_ext(&out, 5, NULL, 0);
	assert_packed(&out, "a0 a2 61 62 c4 02 61 62 c4 00 d6 fb 61 62 63 64 c7 03 05 61 62 63 c7 00 05");
	brine_buf_done(&out);
}

static void content_heads_at_their_boundaries(void **state)
{
	(void)state;
	static const struct {
		size_t size;
		uint8_t str, bin, ext;
		unsigned str_head, bin_head, ext_head;
	} rows[] = {
	        {31, 0xbf, 0xc4, 0xc7, 1, 2, 3},    {32, 0xd9, 0xc4, 0xc7, 2, 2, 3},
	        {16, 0xb0, 0xc4, 0xd8, 1, 2, 2},    {255, 0xd9, 0xc4, 0xc7, 2, 2, 3},
	        {256, 0xda, 0xc5, 0xc8, 3, 3, 4},   {65535, 0xda, 0xc5, 0xc8, 3, 3, 4},
	        {65536, 0xdb, 0xc6, 0xc9, 5, 5, 6},
	};
	static const uint8_t zeros[65536];
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf out = BRINE_BUF_INIT;
		assert_int_equal(brine_pack_str(&out, (const char *)zeros, rows[i].size), 0);
		assert_int_equal(out.data[out.start], rows[i].str);
		assert_int_equal(brine_buf_size(&out), rows[i].str_head + rows[i].size);
		brine_buf_take(&out, brine_buf_size(&out));
		assert_int_equal(brine_pack_bin(&out, zeros, rows[i].size), 0);
		assert_int_equal(out.data[out.start], rows[i].bin);
		assert_int_equal(brine_buf_size(&out), rows[i].bin_head + rows[i].size);
		brine_buf_take(&out, brine_buf_size(&out));
		assert_int_equal(brine_pack_ext(&out, 1, zeros, rows[i].size), 0);
		assert_int_equal(out.data[out.start], rows[i].ext);
		assert_int_equal(brine_buf_size(&out), rows[i].ext_head + rows[i].size);
		brine_buf_done(&out);
	}
}

static void timestamps_take_the_shortest_of_three_forms(void **state)
{
	(void)state;
	struct brine_buf out = BRINE_BUF_INIT;
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){UINT32_MAX, 0}), 0);
	assert_packed(&out, "d6 ff ff ff ff ff");
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){UINT32_MAX, 1}), 0);
	assert_packed(&out, "d7 ff 00 00 00 04 ff ff ff ff");
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){(INT64_C(1) << 34) - 1, 0}), 0);
	assert_packed(&out, "d7 ff 00 00 00 03 ff ff ff ff");
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){INT64_C(1) << 34, 999999999}), 0);
	assert_packed(&out, "c7 0c ff 3b 9a c9 ff 00 00 00 04 00 00 00 00");
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){-1, 0}), 0);
	assert_packed(&out, "c7 0c ff 00 00 00 00 ff ff ff ff ff ff ff ff");
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){0, 1000000000}), BRINE_ERR_RANGE);
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){0, -1}), BRINE_ERR_RANGE);
	assert_int_equal(brine_buf_size(&out), 0);
	brine_buf_done(&out);
}

static void failures_leave_the_buffer_alone(void **state)
{
	(void)state;
	struct fail_allocator fail;
	fail_allocator_init(&fail, 1, true);
	struct brine_buf out;
	brine_buf_init(&out, &fail.base);
	assert_int_equal(brine_pack_nil(&out), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_bool(&out, true), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_int(&out, 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_uint(&out, 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_float(&out, 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_double(&out, 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_str(&out, "a", 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_bin(&out, "a", 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_ext(&out, 1, "a", 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_timestamp(&out, (struct brine_timestamp){0, 0}), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_array(&out, 1), BRINE_ERR_NOMEM);
	assert_int_equal(brine_pack_map(&out, 1), BRINE_ERR_NOMEM);
	assert_int_equal(fail.failures, 12);
#if SIZE_MAX > UINT32_MAX
	assert_int_equal(brine_pack_str(&out, "a", (size_t)UINT32_MAX + 1), BRINE_ERR_LIMIT);
	assert_int_equal(brine_pack_bin(&out, "a", (size_t)UINT32_MAX + 1), BRINE_ERR_LIMIT);
	assert_int_equal(brine_pack_ext(&out, 1, "a", (size_t)UINT32_MAX + 1), BRINE_ERR_LIMIT);
#endif
	assert_int_equal(brine_buf_size(&out), 0);
	brine_buf_done(&out);
	assert_int_equal(fail.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(integers_take_their_shortest_form),
	        cmocka_unit_test(scalars_and_heads),
	        cmocka_unit_test(content_heads_at_their_boundaries),
	        cmocka_unit_test(timestamps_take_the_shortest_of_three_forms),
	        cmocka_unit_test(failures_leave_the_buffer_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
