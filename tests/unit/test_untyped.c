/* Proves: brine_object_loads gives what msgpack-c's own unpacker gives, from bytes that were checked first, in memory
 * that the arena owns; brine_packer_init lets msgpack-c write into our buffers. */
#include "support.h"

#include "everything.h"

#include <brine/untyped.h>

static void objects_are_those_of_msgpack_c(void **state)
{
	(void)state;
	uint64_t seed = 5;
	for (unsigned round = 0; round < 5000; round++) {
		struct brine_buf value = BRINE_BUF_INIT, again = BRINE_BUF_INIT;
		struct brine_arena arena = BRINE_ARENA_INIT;
		msgpack_unpacked unpacked;
		msgpack_object object;
		random_value(&value, &seed, 8);
		msgpack_unpacked_init(&unpacked);
		assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)value.data, value.end, NULL),
		                 MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(brine_object_loads(&object, brine_buf_bytes(&value), &arena, NULL), 0);
		assert_true(msgpack_object_equal(object, unpacked.data));
		/* msgpack-c packs it to the same bytes: both write shortest forms. */
		msgpack_packer packer;
		brine_packer_init(&packer, &again);
		assert_int_equal(msgpack_pack_object(&packer, object), 0);
		assert_int_equal(brine_buf_size(&again), brine_buf_size(&value));
		assert_memory_equal(again.data, value.data, value.end);
		msgpack_unpacked_destroy(&unpacked);
		brine_arena_done(&arena);
		brine_buf_done(&value);
		brine_buf_done(&again);
	}
}

static void hostile_bytes_cost_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		int code;
	} rows[] = {
	        {"dd 0f ff ff ff", BRINE_ERR_MALFORMED},
	        {"c1", BRINE_ERR_MALFORMED},
	        {"91", BRINE_ERR_MALFORMED},
	        {"01 02", BRINE_ERR_TRAILING},
	        {"91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 91 90",
	         BRINE_ERR_DEPTH},
	        {"", BRINE_ERR_MALFORMED},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf value = BRINE_BUF_INIT;
		struct fail_allocator fail;
		struct brine_arena arena;
		struct brine_error error = BRINE_ERROR_INIT;
		msgpack_object object = {.type = MSGPACK_OBJECT_EXT};
		hex_append(&value, rows[i].hex);
		fail_allocator_init(&fail, 0, false);
		brine_arena_init(&arena, &fail.base, 0);
		assert_int_equal(brine_object_loads(&object, brine_buf_bytes(&value), &arena, &error), rows[i].code);
		assert_int_equal(error.code, rows[i].code);
		assert_int_equal(object.type, MSGPACK_OBJECT_EXT);
		assert_int_equal(fail.calls, 0);
		brine_arena_done(&arena);
		brine_buf_done(&value);
	}
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	struct brine_buf value = BRINE_BUF_INIT;
	brine_pack_array(&value, 100);
	for (unsigned i = 0; i < 100; i++) {
		brine_pack_map(&value, 1);
		brine_pack_str(&value, "key", 3);
		brine_pack_array(&value, 0);
	}
	int rc = BRINE_ERR_NOMEM;
	uint64_t failures = 0;
	for (uint64_t n = 1; rc == BRINE_ERR_NOMEM; n++) {
		struct fail_allocator fail;
		struct brine_arena arena;
		msgpack_object object = {.type = MSGPACK_OBJECT_EXT};
		fail_allocator_init(&fail, n, false);
		brine_arena_init(&arena, &fail.base, 0);
		rc = brine_object_loads(&object, brine_buf_bytes(&value), &arena, NULL);
		assert_int_equal(object.type, rc < 0 ? MSGPACK_OBJECT_EXT : MSGPACK_OBJECT_ARRAY);
		failures += fail.failures;
		brine_arena_done(&arena);
		assert_int_equal(fail.held, 0);
	}
	assert_int_equal(rc, 0);
	assert_true(failures > 2);
	struct brine_arena small;
	msgpack_object object;
	brine_arena_init(&small, NULL, 1000);
	assert_int_equal(brine_object_loads(&object, brine_buf_bytes(&value), &small, NULL), BRINE_ERR_NOMEM);
	brine_arena_done(&small);
	brine_buf_done(&value);
}

static void a_full_buffer_stops_the_packer(void **state)
{
	(void)state;
	struct fail_allocator fail;
	struct brine_buf out;
	msgpack_packer packer;
	fail_allocator_init(&fail, 1, true);
	brine_buf_init(&out, &fail.base);
	brine_packer_init(&packer, &out);
	assert_true(msgpack_pack_int(&packer, 5) < 0);
	assert_int_equal(fail.failures, 1);
	brine_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(objects_are_those_of_msgpack_c),
	        cmocka_unit_test(hostile_bytes_cost_nothing),
	        cmocka_unit_test(every_allocation_may_fail),
	        cmocka_unit_test(a_full_buffer_stops_the_packer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
