/* Proves: the table check accepts sound tables, refuses one fault of every rule with the name of type and field, and
 * the codec itself refuses what it could not survive. */
#include "support.h"

#include "everything.h"

struct small {
	int32_t number;
	bool has_number;
	struct brine_str text;
	const struct item *item;
	struct item *items;
	size_t count;
	struct item embedded;
	char chars[8];
	int32_t which;
};

#define AT(member)  .offset = offsetof(struct small, member)
#define AUX(member) .aux = offsetof(struct small, member)

static const struct brine_enum other_enum = {BRINE_ABI + 1, "test.Other", color_values, 3};
static const struct brine_field odd_entry_fields[] = {BRINE_FIELD(struct price, 1, key),
                                                      BRINE_FIELD(struct price, 3, value)};
static const struct brine_type odd_entry =
        BRINE_TYPE(struct price, "test.OddEntry", BRINE_LAYOUT_ARRAY, odd_entry_fields);
struct real_entry {
	double key;
	int32_t value;
};
static const struct brine_field real_entry_fields[] = {BRINE_FIELD(struct real_entry, 1, key),
                                                       BRINE_FIELD(struct real_entry, 2, value)};
static const struct brine_type real_entry =
        BRINE_TYPE(struct real_entry, "test.RealEntry", BRINE_LAYOUT_ARRAY, real_entry_fields);

static int check_one(struct brine_field field, enum brine_layout layout, struct brine_error *error)
{
	struct brine_type type = {BRINE_ABI, layout, "test.Small", sizeof(struct small), &field, 1};
	return brine_type_check(&type, error);
}

static void sound_tables_pass(void **state)
{
	(void)state;
	static const struct brine_type *const types[] = {&everything_type, &everything_map_type, &leaf_type, &bare_type,
	                                                 &bare_int_type,   &nothing_type,        &slot_type};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct brine_error error = BRINE_ERROR_INIT;
		if (brine_type_check(types[i], &error) < 0)
			fail_msg("%s", error.text);
	}
}

static void each_fault_of_a_field_is_named(void **state)
{
	(void)state;
	static const struct {
		struct brine_field field;
		const char *says;
	} rows[] = {
	        {{.name = "", .number = 1, .kind = BRINE_KIND_INT32, AT(number)}, "it has no name"},
	        {{.name = "f", .number = 0, .kind = BRINE_KIND_INT32, AT(number)}, "its number is not 1 .. 4096"},
	        {{.name = "f", .number = 4097, .kind = BRINE_KIND_INT32, AT(number)}, "its number is not 1 .. 4096"},
	        {{.name = "f", .number = 1, .kind = 0, AT(number)}, "unknown kind"},
	        {{.name = "f", .number = 1, .kind = 20, AT(number)}, "unknown kind"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_INT32, .shape = 6, AT(number)}, "unknown shape"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_MESSAGE, AT(embedded)}, "a message needs its type"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_MESSAGE,
	          .shape = BRINE_SHAPE_OPTIONAL,
	          AT(embedded),
	          AUX(has_number),
	          .type = &item_type},
	         "an optional message is a pointer"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_INT32, .shape = BRINE_SHAPE_POINTER, AT(item)},
	         "only messages are held by pointer"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_CHARS, AT(chars)},
	         "a char array is single and has a capacity"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_CHARS,
	          .shape = BRINE_SHAPE_REPEATED,
	          .capacity = 8,
	          AT(items),
	          AUX(count)},
	         "a char array is single and has a capacity"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_STRING, .flags = BRINE_FIELD_EXT, AT(text)},
	         "only integers travel as ext"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_INT32, .flags = BRINE_FIELD_FINITE, AT(number)},
	         "only float and double can be finite"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_ENUM, .flags = BRINE_FIELD_CLOSED, AT(number)},
	         "only an enum with its names can be closed"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_INT32, .flags = BRINE_FIELD_ANY_BYTES, AT(number)},
	         "only text can hold any bytes"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_ENUM, AT(number), .enumeration = &other_enum},
	         "its enum was made for another ABI"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_INT32, .offset = sizeof(struct small)},
	         "its offset is outside"},
	        {{.name = "f", .number = 1, .kind = BRINE_KIND_INT32, .offset = 2}, "not aligned"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_INT32,
	          .shape = BRINE_SHAPE_OPTIONAL,
	          AT(number),
	          .aux = sizeof(struct small)},
	         "its aux offset is outside"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_INT32,
	          .shape = BRINE_SHAPE_REPEATED,
	          AT(items),
	          .aux = 4},
	         "its aux offset"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_MESSAGE,
	          .shape = BRINE_SHAPE_MAP,
	          AT(items),
	          AUX(count)},
	         "a map needs the type of its entries"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_MESSAGE,
	          .shape = BRINE_SHAPE_MAP,
	          AT(items),
	          AUX(count),
	          .type = &odd_entry},
	         "a map's entry has the single fields"},
	        {{.name = "f",
	          .number = 1,
	          .kind = BRINE_KIND_MESSAGE,
	          .shape = BRINE_SHAPE_MAP,
	          AT(items),
	          AUX(count),
	          .type = &real_entry},
	         "a map's key is an integer, bool or string"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_error error = BRINE_ERROR_INIT;
		assert_int_equal(check_one(rows[i].field, BRINE_LAYOUT_ARRAY, &error), BRINE_ERR_INVALID);
		if (!strstr(error.text, rows[i].says) || !strstr(error.text, "type test.Small, field "))
			fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error.text, rows[i].says);
	}
}

static const struct brine_type loop_type;
static const struct brine_field loop_fields[] = {
        BRINE_FIELD_REPEATED_MESSAGE(struct small, 1, items, count, &loop_type)};
static const struct brine_type loop_type = BRINE_TYPE(struct small, "test.Loop", BRINE_LAYOUT_BARE, loop_fields);

static void each_fault_of_a_type_is_named(void **state)
{
	(void)state;
	static const struct brine_field backwards[] = {{.name = "a", .number = 2, .kind = BRINE_KIND_INT32},
	                                               {.name = "b", .number = 2, .kind = BRINE_KIND_INT32}};
	static const struct brine_type old_type = {BRINE_ABI + 1, BRINE_LAYOUT_ARRAY, "test.Old", 8, NULL, 0};
	static const struct brine_field reaching[] = {BRINE_FIELD_POINTER(struct small, 1, item, &old_type)};
	static const struct brine_field optional[] = {BRINE_FIELD_OPTIONAL(struct small, 1, number, has_number)};
	static const struct brine_field message[] = {BRINE_FIELD_EMBEDDED(struct small, 1, embedded, &item_type)};
	static const struct {
		struct brine_type type;
		int code;
		const char *says;
	} rows[] = {
	        {{BRINE_ABI + 1, 0, "t", 8, backwards, 1}, BRINE_ERR_ABI, "type of ABI 2, this library has 1"},
	        {{BRINE_ABI, 0, "t", 8, reaching, 1}, BRINE_ERR_INVALID, "its offset is outside"},
	        {{BRINE_ABI, 0, "t", sizeof(struct small), reaching, 1}, BRINE_ERR_ABI, "ABI 2"},
	        {{BRINE_ABI, 0, NULL, 8, backwards, 1}, BRINE_ERR_INVALID, "no name, layout or fields"},
	        {{BRINE_ABI, 3, "t", 8, backwards, 1}, BRINE_ERR_INVALID, "no name, layout or fields"},
	        {{BRINE_ABI, 0, "t", 8, NULL, 1}, BRINE_ERR_INVALID, "no name, layout or fields"},
	        {{BRINE_ABI, 0, "t", 8, backwards, 2}, BRINE_ERR_INVALID, "field b (2): fields are ordered by number"},
	        {{BRINE_ABI, BRINE_LAYOUT_BARE, "t", sizeof(struct small), NULL, 0},
	         BRINE_ERR_INVALID,
	         "exactly one field"},
	        {{BRINE_ABI, BRINE_LAYOUT_BARE, "t", sizeof(struct small), optional, 1},
	         BRINE_ERR_INVALID,
	         "without presence"},
	        {{BRINE_ABI, BRINE_LAYOUT_BARE, "t", sizeof(struct small), message, 1},
	         BRINE_ERR_INVALID,
	         "of no message type"},
	};
	struct brine_error error = BRINE_ERROR_INIT;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(brine_type_check(&rows[i].type, &error), rows[i].code);
		if (!strstr(error.text, rows[i].says))
			fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error.text, rows[i].says);
	}
	assert_int_equal(brine_type_check(&loop_type, &error), BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "a cycle of BARE messages"));
}

static void the_codec_refuses_another_abi(void **state)
{
	(void)state;
	static const struct brine_type old_item = {BRINE_ABI + 1,       BRINE_LAYOUT_ARRAY, "test.Old",
	                                           sizeof(struct item), item_fields,        2};
	static const struct brine_field fields[] = {BRINE_FIELD_EMBEDDED(struct small, 1, embedded, &old_item)};
	static const struct brine_type type = BRINE_TYPE(struct small, "test.New", BRINE_LAYOUT_ARRAY, fields);
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes bytes;
	struct small message = {0};
	assert_int_equal(brine_dumps(&bytes, &type, &message, &arena, &error), BRINE_ERR_ABI);
	assert_string_equal(error.text, "field embedded: descriptor of ABI 2, this library has 1");
	assert_int_equal(brine_loads(&message, &type, BRINE_BYTES("\x91\x90", 2), &arena, &error), BRINE_ERR_ABI);
	brine_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(sound_tables_pass),
	        cmocka_unit_test(each_fault_of_a_field_is_named),
	        cmocka_unit_test(each_fault_of_a_type_is_named),
	        cmocka_unit_test(the_codec_refuses_another_abi),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
