/* Proves: what dumps writes is exactly what WIRE.md section 7 says, loads gives it back for every kind, shape, layout
 * and place, and nothing is lost, leaked or half-written when memory or stack are short. */
#include "support.h"

#include "everything.h"

#include <pthread.h>

enum { LEVELS = 20 };

static struct brine_bytes dumps(struct brine_arena *arena, const struct brine_type *type, const void *message)
{
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes bytes = {NULL, 0};
	if (brine_dumps(&bytes, type, message, arena, &error) < 0)
		fail_msg("%s", error.text);
	return bytes;
}

static void random_messages_come_back(void **state)
{
	(void)state;
	static const struct brine_type *const types[] = {&everything_type, &everything_map_type};
	static const enum brine_place places[] = {BRINE_AS_MESSAGE, BRINE_AS_PARAMS, BRINE_AS_RESULT};
	uint64_t seed = 7;
	for (unsigned round = 0; round < 1500; round++) {
		const struct brine_type *type = types[round % 2];
		enum brine_place place = places[round % 3];
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		struct everything in = {0}, out;
		struct brine_buf first = BRINE_BUF_INIT, second = BRINE_BUF_INIT;
		random_message(type, &in, &seed, &arena, LEVELS);
		unsigned flags = round % 5 == 0 ? BRINE_DECODE_COPY : BRINE_DECODE_STRICT;
		if (brine_encode(&first, type, &in, place, &error) < 0 ||
		    brine_decode(&out, type, brine_buf_bytes(&first), place, flags, &arena, &error) < 0 ||
		    brine_encode(&second, type, &out, place, &error) < 0)
			fail_msg("%s", error.text);
		assert_true(message_equal(type, &in, &out));
		/* Each value has one written form. */
		assert_int_equal(brine_buf_size(&first), brine_buf_size(&second));
		assert_memory_equal(first.data, second.data, first.end);
		brine_buf_done(&first);
		brine_buf_done(&second);
		brine_arena_done(&arena);
	}
}

static void loads_copy_needs_no_input(void **state)
{
	(void)state;
	uint64_t seed = 3;
	for (unsigned round = 0; round < 50; round++) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct everything in = {0}, out;
		random_message(&everything_type, &in, &seed, &arena, LEVELS);
		struct brine_bytes bytes = dumps(&arena, &everything_type, &in);
		char *input = malloc(bytes.size);
		memcpy(input, bytes.data, bytes.size);
		assert_int_equal(brine_loads_copy(&out, &everything_type, BRINE_BYTES(input, bytes.size), &arena, NULL),
		                 0);
		free(input); /* what still pointed there would be seen by the address sanitizer */
		assert_true(message_equal(&everything_type, &in, &out));
		brine_arena_done(&arena);
	}
}

struct point {
	int32_t x, y;
	bool has_y;
	const struct point *next;
	int32_t *list;
	size_t list_count;
};
static const struct brine_type point_type;
static const struct brine_field point_fields[] = {
        BRINE_FIELD(struct point, 1, x),
        BRINE_FIELD_OPTIONAL(struct point, 3, y, has_y),
        BRINE_FIELD_POINTER(struct point, 4, next, &point_type),
};
static const struct brine_type point_type = BRINE_TYPE(struct point, "test.Point", BRINE_LAYOUT_ARRAY, point_fields);
static const struct brine_type point_map_type =
        BRINE_TYPE(struct point, "test.PointMap", BRINE_LAYOUT_MAP, point_fields);
static const struct brine_field bare_list_fields[] = {BRINE_FIELD_REPEATED(struct point, 1, list, list_count)};
static const struct brine_type bare_list_type =
        BRINE_TYPE(struct point, "test.List", BRINE_LAYOUT_BARE, bare_list_fields);
static const struct brine_field bare_x_fields[] = {BRINE_FIELD(struct point, 1, x)};
static const struct brine_type bare_x_type = BRINE_TYPE(struct point, "test.X", BRINE_LAYOUT_BARE, bare_x_fields);
static const struct brine_type nothing_map_type = {BRINE_ABI, BRINE_LAYOUT_MAP, "test.NothingMap", 1, NULL, 0};

static int32_t three[] = {1, 2, 3};
static const struct point plain = {.x = 5}, both = {.x = 5, .y = -1, .has_y = true}, chain = {.x = 1, .next = &both},
                          listed = {.list = three, .list_count = 3};

static void layouts_and_places_are_written_as_specified(void **state)
{
	(void)state;
	static const struct {
		const struct brine_type *type;
		const struct point *message;
		enum brine_place place;
		const char *hex;
	} rows[] = {
	        {&point_type, &plain, BRINE_AS_MESSAGE, "91 05"},      /* trailing absent ones left out */
	        {&point_type, &both, BRINE_AS_MESSAGE, "93 05 c0 ff"}, /* number 2 is unassigned */
	        {&point_type, &chain, BRINE_AS_MESSAGE, "94 01 c0 c0 93 05 c0 ff"},
	        {&point_type, &plain, BRINE_AS_PARAMS, "91 05"},
	        {&point_type, &plain, BRINE_AS_RESULT, "91 05"},
	        {&point_map_type, &plain, BRINE_AS_MESSAGE, "81 a1 78 05"},
	        {&point_map_type, &both, BRINE_AS_RESULT, "82 a1 78 05 a1 79 ff"},
	        {&point_map_type, &plain, BRINE_AS_PARAMS, "91 81 a1 78 05"},
	        {&bare_x_type, &plain, BRINE_AS_MESSAGE, "05"},
	        {&bare_x_type, &plain, BRINE_AS_PARAMS, "91 05"},
	        {&bare_x_type, &plain, BRINE_AS_RESULT, "05"},
	        {&bare_list_type, &listed, BRINE_AS_MESSAGE, "93 01 02 03"},
	        {&bare_list_type, &listed, BRINE_AS_PARAMS, "91 93 01 02 03"},
	        {&bare_list_type, &plain, BRINE_AS_RESULT, "90"},
	        {&nothing_type, &plain, BRINE_AS_MESSAGE, "90"},
	        {&nothing_type, &plain, BRINE_AS_PARAMS, "90"},
	        {&nothing_type, &plain, BRINE_AS_RESULT, "c0"},
	        {&nothing_map_type, &plain, BRINE_AS_MESSAGE, "80"},
	        {&nothing_map_type, &plain, BRINE_AS_PARAMS, "90"},
	        {&nothing_map_type, &plain, BRINE_AS_RESULT, "c0"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf out = BRINE_BUF_INIT, wanted = BRINE_BUF_INIT;
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct point back;
		hex_append(&wanted, rows[i].hex);
		assert_int_equal(brine_encode(&out, rows[i].type, rows[i].message, rows[i].place, NULL), 0);
		if (brine_buf_size(&out) != brine_buf_size(&wanted) || memcmp(out.data, wanted.data, wanted.end) != 0)
			fail_msg("row %zu: not %s", i, rows[i].hex);
		assert_int_equal(brine_decode(&back, rows[i].type, brine_buf_bytes(&out), rows[i].place,
		                              BRINE_DECODE_STRICT, &arena, NULL),
		                 0);
		assert_true(message_equal(rows[i].type, rows[i].message, &back));
		brine_buf_done(&out);
		brine_buf_done(&wanted);
		brine_arena_done(&arena);
	}
}

/* Input that is not what we write, and is good all the same; x of the result. */
static void readers_are_lenient_where_specified(void **state)
{
	(void)state;
	static const struct {
		const struct brine_type *type;
		enum brine_place place;
		const char *hex;
		int32_t x;
	} rows[] = {
	        {&point_type, BRINE_AS_MESSAGE, "90", 0},                         /* all missing */
	        {&point_type, BRINE_AS_MESSAGE, "91 c0", 0},                      /* nil is the default */
	        {&point_type, BRINE_AS_MESSAGE, "95 07 01 c0 c0 93 01 02 80", 7}, /* elements beyond the known */
	        {&point_type, BRINE_AS_MESSAGE, "dd 00 00 00 01 d3 00 00 00 00 00 00 00 07", 7},
	        {&point_type, BRINE_AS_PARAMS, "c0", 0},
	        {&point_map_type, BRINE_AS_MESSAGE, "82 a1 7a 90 a1 78 07", 7}, /* unknown name, any order */
	        {&point_map_type, BRINE_AS_MESSAGE, "81 c4 01 78 07", 7},
	        {&point_map_type, BRINE_AS_MESSAGE, "80", 0},
	        {&point_map_type, BRINE_AS_PARAMS, "90", 0},
	        {&point_map_type, BRINE_AS_PARAMS, "92 81 a1 78 07 05", 7},
	        {&bare_x_type, BRINE_AS_MESSAGE, "c0", 0},
	        {&bare_x_type, BRINE_AS_PARAMS, "90", 0},
	        {&bare_x_type, BRINE_AS_PARAMS, "91 c0", 0},
	        {&nothing_type, BRINE_AS_MESSAGE, "c0", 0},
	        {&nothing_type, BRINE_AS_RESULT, "90", 0},
	        {&nothing_type, BRINE_AS_RESULT, "91 05", 0},
	        {&nothing_type, BRINE_AS_PARAMS, "c0", 0},
	        {&nothing_map_type, BRINE_AS_RESULT, "90", 0},
	        {&nothing_map_type, BRINE_AS_RESULT, "80", 0},
	        {&nothing_map_type, BRINE_AS_MESSAGE, "c0", 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf in = BRINE_BUF_INIT;
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		struct point back = {.x = 99};
		hex_append(&in, rows[i].hex);
		if (brine_decode(&back, rows[i].type, brine_buf_bytes(&in), rows[i].place, 0, &arena, &error) < 0)
			fail_msg("row %zu, %s: %s", i, rows[i].hex, error.text);
		if (rows[i].type->field_count)
			assert_int_equal(back.x, rows[i].x);
		brine_buf_done(&in);
		brine_arena_done(&arena);
	}
}

static void maps_keep_order_and_duplicates(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct price prices[] = {{BRINE_STR_INIT("b"), 1}, {BRINE_STR_INIT("a"), 2}, {BRINE_STR_INIT("b"), 3}};
	struct everything in = {.prices = prices, .price_count = 3}, out;
	struct brine_bytes bytes = dumps(&arena, &everything_type, &in);
	assert_int_equal(brine_loads(&out, &everything_type, bytes, &arena, NULL), 0);
	assert_int_equal(out.price_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(brine_str_equal(out.prices[i].key, prices[i].key));
		assert_int_equal(out.prices[i].value, prices[i].value);
	}
	brine_arena_done(&arena);
}

/* A chain of `count` points, each within the one before. */
static const struct point *link_points(struct point *points, size_t count)
{
	for (size_t i = 0; i < count; i++)
		points[i] = (struct point){.x = 1, .next = i + 1 < count ? &points[i + 1] : NULL};
	return points;
}

static void depth_is_bounded_both_ways(void **state)
{
	(void)state;
	struct point points[BRINE_MESSAGE_DEPTH_MAX + 1], out = {0};
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes bytes = dumps(&arena, &point_type, link_points(points, BRINE_MESSAGE_DEPTH_MAX));
	assert_int_equal(brine_loads(&out, &point_type, bytes, &arena, NULL), 0);
	link_points(points, BRINE_MESSAGE_DEPTH_MAX + 1);
	assert_int_equal(brine_dumps(&bytes, &point_type, points, &arena, &error), BRINE_ERR_DEPTH);
	assert_non_null(strstr(error.text, "field next.next.next"));
	assert_non_null(strstr(error.text, "nesting deeper than 28"));
	/* One level more by hand, as if a frame's check had let it pass: the reader counts for itself. */
	uint8_t deep[4 * (BRINE_MESSAGE_DEPTH_MAX + 1)];
	for (size_t i = 0; i < sizeof deep; i += 4)
		memcpy(deep + i, i + 4 < sizeof deep ? "\x94\x01\xc0\xc0" : "\x93\x01\xc0\xc0", 4);
	for (unsigned flags = 0; flags <= BRINE_DECODE_CHECKED; flags += BRINE_DECODE_CHECKED)
		assert_int_equal(brine_decode(&out, &point_type, BRINE_BYTES(deep, sizeof deep), BRINE_AS_MESSAGE,
		                              flags, &arena, NULL),
		                 BRINE_ERR_DEPTH);
	brine_arena_done(&arena);
}

/* Values count with their levels. */
static void depth_counts_inside_values(void **state)
{
	(void)state;
	uint8_t nested[BRINE_MESSAGE_DEPTH_MAX];
	memset(nested, 0x91, sizeof nested);
	nested[sizeof nested - 1] = 0x90;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct everything message = {.any = {nested + 1, sizeof nested - 1}};
	struct brine_bytes bytes = dumps(&arena, &everything_type, &message); /* 1 + 27 */
	assert_int_equal(brine_loads(&message, &everything_type, bytes, &arena, NULL), 0);
	message.any = (struct brine_value){nested, sizeof nested};
	assert_int_equal(brine_dumps(&bytes, &everything_type, &message, &arena, NULL), BRINE_ERR_DEPTH);
	brine_arena_done(&arena);
}

static void failed_encode_leaves_the_buffer(void **state)
{
	(void)state;
	static const uint8_t broken[] = {0x92, 0x01};
	static struct item bad_item = {.name = BRINE_STR_INIT("\x80")};
	static struct slot bad_slot = {.value = {.name = BRINE_STR_INIT("\x80")}};
	static const struct {
		struct everything message;
		int code;
		const char *says;
	} rows[] = {
	        {{.text = BRINE_STR_INIT("a\xff")}, BRINE_ERR_UTF8, "field text: invalid UTF-8 at byte 1"},
	        {{.text = {NULL, 4}}, BRINE_ERR_INVALID, "field text: 4 bytes at NULL"},
	        {{.closed = 2}, BRINE_ERR_RANGE, "field closed: 2 is not in enum test.Color"},
	        {{.time = {0, 1000000000}}, BRINE_ERR_RANGE, "field time: "},
	        {{.time = {INT64_MAX, 0}}, BRINE_ERR_RANGE, "field time: "},
	        {{.finite = NAN}, BRINE_ERR_RANGE, "field finite: not a finite number"},
	        {{.any = {broken, 2}}, BRINE_ERR_MALFORMED, "field any: not one well-formed"},
	        {{.any = {broken + 1, 2}}, BRINE_ERR_MALFORMED, "field any: "},
	        {{.chars = "0123456789abcdef"}, BRINE_ERR_RANGE, "field chars: no NUL within its 16 bytes"},
	        {{.which = 1}, BRINE_ERR_INVALID, "field number: 1 is no member of its oneof"},
	        {{.which = -1}, BRINE_ERR_INVALID, "no member of its oneof"},
	        {{.which = 33}, BRINE_ERR_INVALID, "field thing: the member set is NULL"},
	        {{.item_count = 2}, BRINE_ERR_INVALID, "field items: 2 elements at NULL"},
	        {{.items = &bad_item, .item_count = 1}, BRINE_ERR_UTF8, "field items[0].name: "},
	        {{.slots = &bad_slot, .slot_count = 1}, BRINE_ERR_UTF8, "field slots[0].value.name: "},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf out = BRINE_BUF_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		hex_append(&out, "01 02 03");
		assert_int_equal(brine_encode(&out, &everything_type, &rows[i].message, BRINE_AS_MESSAGE, &error),
		                 rows[i].code);
		if (!strstr(error.text, rows[i].says))
			fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error.text, rows[i].says);
		assert_int_equal(brine_buf_size(&out), 3);
		assert_memory_equal(brine_buf_bytes(&out).data, "\x01\x02\x03", 3);
		brine_buf_done(&out);
	}
}

/* Every allocation of encoding and decoding fails once; nothing leaks, outputs stay untouched. */
static void every_allocation_may_fail(void **state)
{
	(void)state;
	uint64_t seed = 11, failures = 0;
	struct brine_arena source = BRINE_ARENA_INIT;
	struct everything in = {0};
	random_message(&everything_map_type, &in, &seed, &source, LEVELS);
	struct brine_bytes good = dumps(&source, &everything_map_type, &in);
	for (unsigned what = 0; what < 3; what++) {
		int rc = BRINE_ERR_NOMEM;
		for (uint64_t n = 1; rc == BRINE_ERR_NOMEM; n++) {
			struct fail_allocator fail;
			struct brine_arena arena;
			struct brine_error error = BRINE_ERROR_INIT;
			struct brine_bytes bytes = {NULL, 77};
			struct everything out, untouched;
			memset(&out, 0x5a, sizeof out);
			untouched = out;
			fail_allocator_init(&fail, n, false);
			brine_arena_init(&arena, &fail.base, 0);
			if (what == 0)
				rc = brine_dumps(&bytes, &everything_map_type, &in, &arena, &error);
			else if (what == 1)
				rc = brine_loads(&out, &everything_map_type, good, &arena, &error);
			else
				rc = brine_loads_copy(&out, &everything_map_type, good, &arena, &error);
			if (rc < 0) {
				assert_int_equal(rc, BRINE_ERR_NOMEM);
				assert_non_null(strstr(error.text, "out of memory"));
				assert_int_equal(bytes.size, 77);
				assert_memory_equal(&out, &untouched, sizeof out);
			}
			failures += fail.failures;
			brine_arena_done(&arena);
			assert_int_equal(fail.held, 0);
		}
		assert_int_equal(rc, 0);
	}
	assert_true(failures > 6);
	brine_arena_done(&source);
}

static void budget_of_the_arena_holds(void **state)
{
	(void)state;
	/* 65,536 empty messages: 56 bytes and more each in memory for one on the wire. */
	enum { COUNT = 65536 };
	struct brine_buf in = BRINE_BUF_INIT;
	brine_pack_array(&in, 27);
	for (unsigned i = 1; i < 27; i++)
		brine_pack_nil(&in);
	brine_pack_array(&in, COUNT);
	memset(brine_buf_reserve(&in, COUNT), 0x90, COUNT);
	in.end += COUNT;
	for (unsigned round = 0; round < 2; round++) {
		struct fail_allocator fail;
		struct brine_arena arena;
		struct everything out;
		fail_allocator_init(&fail, 0, false);
		brine_arena_init(&arena, &fail.base, round ? COUNT * sizeof(struct item) + 4096 : COUNT);
		int rc = brine_loads(&out, &everything_type, brine_buf_bytes(&in), &arena, NULL);
		assert_int_equal(rc, round ? 0 : BRINE_ERR_NOMEM);
		if (round == 0)
			assert_true(fail.held_most < COUNT);
		brine_arena_done(&arena);
	}
	brine_buf_done(&in);
}

/* Runs on a thread of 64 KiB: the deepest message there and back. Returns NULL when it went well (asserts belong to the
 * main thread). */
static void *deepest_message(void *unused)
{
	(void)unused;
	struct point points[BRINE_MESSAGE_DEPTH_MAX], out;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct brine_bytes bytes;
	const char *problem = NULL;
	link_points(points, BRINE_MESSAGE_DEPTH_MAX);
	for (unsigned map = 0; map < 2; map++) {
		const struct brine_type *type = map ? &everything_map_type : &point_type;
		enum { LAST = BRINE_MESSAGE_DEPTH_MAX - 3 }; /* everything has two levels of its own */
		struct everything *levels = brine_arena_alloc(&arena, (LAST + 1) * sizeof *levels);
		struct everything *back = brine_arena_alloc(&arena, sizeof *back);
		for (size_t i = 0; i < LAST; i++)
			levels[i].self = &levels[i + 1];
		const void *message = map ? (const void *)levels : points;
		if (brine_dumps(&bytes, type, message, &arena, &error) < 0 ||
		    brine_loads(map ? (void *)back : &out, type, bytes, &arena, &error) < 0)
			problem = "a deep message failed";
		/* And one that fails at the deepest place, where the error text is made. */
		levels[LAST].closed = 77;
		if (map && brine_dumps(&bytes, type, message, &arena, &error) != BRINE_ERR_RANGE)
			problem = "no error at the deepest place";
	}
	brine_arena_done(&arena);
	return (void *)(uintptr_t)problem;
}

static void small_stacks_suffice(void **state)
{
	(void)state;
	pthread_attr_t attributes;
	pthread_t thread;
	void *problem = NULL;
	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, 64 * 1024), 0);
	assert_int_equal(pthread_create(&thread, &attributes, deepest_message, NULL), 0);
	assert_int_equal(pthread_join(thread, &problem), 0);
	pthread_attr_destroy(&attributes);
	if (problem)
		fail_msg("%s", (const char *)problem);
}

/* C15: arity on plain connections. */
static void arity_is_strict_where_asked(void **state)
{
	(void)state;
	static const struct {
		const struct brine_type *type;
		const char *hex, *says; /* says NULL: accepted */
	} rows[] = {
	        {&item_type, "92 01 a1 61", NULL},
	        {&item_type, "90", "takes 2 arguments, got 0"},
	        {&item_type, "91 01", "takes 2 arguments, got 1"},
	        {&item_type, "93 01 a1 61 01", "takes 2 arguments, got 3"},
	        {&point_type, "91 01", NULL},
	        {&point_type, "93 01 c0 02", NULL},
	        {&point_type, "90", "takes 1 to 4 arguments, got 0"},
	        {&point_type, "95 01 c0 02 c0 c0", "takes 1 to 4 arguments, got 5"},
	        {&point_map_type, "91 80", NULL},
	        {&point_map_type, "90", "takes 1 argument, got 0"},
	        {&nothing_type, "90", NULL},
	        {&nothing_type, "c0", NULL},
	        {&nothing_type, "91 01", "takes 0 arguments, got 1"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf in = BRINE_BUF_INIT;
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		union {
			struct item item;
			struct point point;
		} out;
		hex_append(&in, rows[i].hex);
		int rc = brine_decode(&out, rows[i].type, brine_buf_bytes(&in), BRINE_AS_PARAMS, BRINE_DECODE_ARITY,
		                      &arena, &error);
		assert_int_equal(rc, rows[i].says ? BRINE_ERR_ARITY : 0);
		if (rows[i].says)
			assert_string_equal(error.text, rows[i].says);
		brine_buf_done(&in);
		brine_arena_done(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(random_messages_come_back),
	        cmocka_unit_test(loads_copy_needs_no_input),
	        cmocka_unit_test(layouts_and_places_are_written_as_specified),
	        cmocka_unit_test(readers_are_lenient_where_specified),
	        cmocka_unit_test(maps_keep_order_and_duplicates),
	        cmocka_unit_test(depth_is_bounded_both_ways),
	        cmocka_unit_test(depth_counts_inside_values),
	        cmocka_unit_test(failed_encode_leaves_the_buffer),
	        cmocka_unit_test(every_allocation_may_fail),
	        cmocka_unit_test(budget_of_the_arena_holds),
	        cmocka_unit_test(small_stacks_suffice),
	        cmocka_unit_test(arity_is_strict_where_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
