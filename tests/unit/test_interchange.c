/* Proves: 100,000 random values, and messages with every kind and shape, go to msgpack-c and come back from it
 * unchanged. Python's msgpack is the other peer: interchange.py. */
#include "support.h"

#include "everything.h"

#include <brine/untyped.h>

enum {
	VALUES = 100000,
	MESSAGES = 2000, /* of some hundred values each */
};

static void values_to_msgpack_c_and_back(void **state)
{
	(void)state;
	uint64_t seed = 2026;
	struct brine_buf ours = BRINE_BUF_INIT;
	struct brine_arena arena = BRINE_ARENA_INIT;
	msgpack_sbuffer theirs;
	msgpack_packer packer;
	msgpack_zone zone;
	msgpack_sbuffer_init(&theirs);
	msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
	assert_true(msgpack_zone_init(&zone, 8192));
	for (unsigned i = 0; i < VALUES; i++) {
		msgpack_object object, own;
		size_t end = 0;
		random_value(&ours, &seed, 5);
		struct brine_bytes bytes = brine_buf_bytes(&ours);
		/* Ours to msgpack-c. */
		assert_int_equal(msgpack_unpack(bytes.data, bytes.size, &end, &zone, &object), MSGPACK_UNPACK_SUCCESS);
		assert_int_equal(end, bytes.size);
		/* What msgpack-c writes, to us. */
		assert_int_equal(msgpack_pack_object(&packer, object), 0);
		assert_int_equal(theirs.size, bytes.size);
		assert_memory_equal(theirs.data, bytes.data, bytes.size);
		assert_int_equal(brine_object_loads(&own, BRINE_BYTES(theirs.data, theirs.size), &arena, NULL), 0);
		assert_true(msgpack_object_equal(own, object));
		brine_buf_take(&ours, bytes.size);
		msgpack_sbuffer_clear(&theirs);
		msgpack_zone_clear(&zone);
		brine_arena_reset(&arena);
	}
	msgpack_zone_destroy(&zone);
	msgpack_sbuffer_destroy(&theirs);
	brine_arena_done(&arena);
	brine_buf_done(&ours);
}

static void messages_to_msgpack_c_and_back(void **state)
{
	(void)state;
	uint64_t seed = 2027;
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct brine_type *type = i % 2 ? &everything_map_type : &everything_type;
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		struct brine_bytes bytes = {NULL, 0};
		struct everything in = {0}, out;
		msgpack_zone zone;
		msgpack_object object;
		msgpack_sbuffer theirs;
		msgpack_packer packer;
		size_t end = 0;
		random_message(type, &in, &seed, &arena, 12);
		if (brine_dumps(&bytes, type, &in, &arena, &error) < 0)
			fail_msg("%s", error.text);
		assert_true(msgpack_zone_init(&zone, 8192));
		assert_int_equal(msgpack_unpack(bytes.data, bytes.size, &end, &zone, &object), MSGPACK_UNPACK_SUCCESS);
		msgpack_sbuffer_init(&theirs);
		msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
		assert_int_equal(msgpack_pack_object(&packer, object), 0);
		if (brine_loads(&out, type, BRINE_BYTES(theirs.data, theirs.size), &arena, &error) < 0)
			fail_msg("%s", error.text);
		assert_true(message_equal(type, &in, &out));
		msgpack_sbuffer_destroy(&theirs);
		msgpack_zone_destroy(&zone);
		brine_arena_done(&arena);
	}
}

/* One message of one kind each way, made by msgpack-c's own calls and not from our bytes. */
static void msgpack_c_builds_a_message(void **state)
{
	(void)state;
	struct brine_buf out = BRINE_BUF_INIT;
	struct brine_arena arena = BRINE_ARENA_INIT;
	msgpack_packer packer;
	struct leaf leaf;
	brine_packer_init(&packer, &out);
	msgpack_pack_map(&packer, 3);
	msgpack_pack_str_with_body(&packer, "item", 4);
	msgpack_pack_array(&packer, 2);
	msgpack_pack_fix_int32(&packer, -7);
	msgpack_pack_str_with_body(&packer, "x", 1);
	msgpack_pack_str_with_body(&packer, "first", 5);
	msgpack_pack_fix_uint64(&packer, 65535);
	msgpack_pack_str_with_body(&packer, "second", 6);
	msgpack_pack_int64(&packer, INT64_MIN);
	assert_int_equal(brine_loads(&leaf, &leaf_type, brine_buf_bytes(&out), &arena, NULL), 0);
	assert_int_equal(leaf.first, 65535);
	assert_true(leaf.has_second && leaf.second == INT64_MIN);
	assert_int_equal(leaf.item->id, -7);
	assert_true(brine_str_equal(leaf.item->name, BRINE_STR("x")));
	brine_arena_done(&arena);
	brine_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(values_to_msgpack_c_and_back),
	        cmocka_unit_test(messages_to_msgpack_c_and_back),
	        cmocka_unit_test(msgpack_c_builds_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
