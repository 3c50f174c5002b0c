/* Proves: keys of a MAP message find their fields in any order, and unknown keys cost about the same whatever the
 * number of fields (B24: hostile keys take time linear in the frame). */
#include "support.h"

#include <brine/codec.h>
#include <brine/pack.h>

#include <time.h>

enum {
	WIDE = 255,
	UNKNOWN = 200000,
};

struct wide {
	int32_t values[WIDE];
};

static char names[WIDE][16];
static struct brine_field fields[WIDE];

static struct brine_type type_of(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof names[i], "field_%03u", (unsigned)i * 7919 % 1000);
		fields[i] = (struct brine_field){.name = names[i],
		                                 .number = i + 1,
		                                 .kind = BRINE_KIND_INT32,
		                                 .offset = (uint32_t)(i * sizeof(int32_t))};
	}
	return (struct brine_type){BRINE_ABI, BRINE_LAYOUT_MAP, "test.Wide", sizeof(struct wide), fields, count};
}

static void keys_find_their_fields_in_any_order(void **state)
{
	(void)state;
	struct brine_type type = type_of(WIDE);
	struct brine_buf buf = BRINE_BUF_INIT;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct wide wide;
	assert_int_equal(brine_type_check(&type, &error), 0);
	brine_pack_map(&buf, WIDE + 20);
	for (unsigned i = 0; i < WIDE; i++) {
		unsigned index = i * 101 % WIDE;
		if (i < 20) {
			brine_pack_str(&buf, "field_", 6 + (i == 3));
			brine_pack_nil(&buf);
		}
		brine_pack_str(&buf, names[index], strlen(names[index]));
		brine_pack_int(&buf, (int64_t)index + 1);
	}
	assert_int_equal(brine_loads(&wide, &type, brine_buf_bytes(&buf), &arena, &error), 0);
	for (int i = 0; i < WIDE; i++)
		assert_int_equal(wide.values[i], i + 1);
	/* The same key again is found as well, and refused. */
	brine_buf_done(&buf);
	brine_pack_map(&buf, WIDE + 1);
	for (unsigned i = 0; i < WIDE + 1; i++) {
		brine_pack_str(&buf, names[i % WIDE], strlen(names[i % WIDE]));
		brine_pack_int(&buf, 1);
	}
	assert_int_equal(brine_loads(&wide, &type, brine_buf_bytes(&buf), &arena, &error), BRINE_ERR_DUPLICATE);
	brine_arena_done(&arena);
	brine_buf_done(&buf);
}

/* CPU time of one decoding of UNKNOWN keys with a type of count fields. */
static clock_t cost(uint32_t count, struct brine_bytes input)
{
	struct brine_type type = type_of(count);
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct wide wide;
	clock_t start = clock();
	assert_int_equal(brine_loads(&wide, &type, input, &arena, NULL), 0);
	clock_t spent = clock() - start;
	brine_arena_done(&arena);
	return spent;
}

static void unknown_keys_do_not_pay_for_each_field(void **state)
{
	(void)state;
	struct brine_buf buf = BRINE_BUF_INIT;
	brine_pack_map(&buf, UNKNOWN);
	for (unsigned i = 0; i < UNKNOWN; i++) {
		brine_pack_str(&buf, "field_zzz", 9);
		brine_pack_nil(&buf);
	}
	clock_t narrow = cost(9, brine_buf_bytes(&buf));
	clock_t wide = cost(WIDE, brine_buf_bytes(&buf));
	/* One by one it would be 28 times as much work. */
	assert_true(wide < narrow * 8);
	brine_buf_done(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(keys_find_their_fields_in_any_order),
	        cmocka_unit_test(unknown_keys_do_not_pay_for_each_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
