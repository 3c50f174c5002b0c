/* Proves: hostile values in the place of fields are refused by name, each with the error that HOSTILE part B asks for,
 * and nothing hostile decides how much memory is taken. Content without a schema is in test_check.c. */
#include "support.h"

#include "everything.h"

#include "codec/scan.h"
#include "codec/token.h"

#include <brine/untyped.h>

/* Decodes hex as `type`; the error's text must contain `says`. Returns the code. */
static int decode_as(const struct brine_type *type, const char *hex, unsigned flags, void *ret_message,
                     struct brine_arena *arena, struct brine_error *error)
{
	/* Kept by the arena, so that what borrows from it lives as long. */
	struct brine_buf in = BRINE_BUF_INIT;
	size_t size = hex_append(&in, hex);
	const void *copy = brine_arena_copy(arena, in.data, size);
	brine_buf_done(&in);
	*error = (struct brine_error)BRINE_ERROR_INIT;
	return brine_decode(ret_message, type, BRINE_BYTES(copy, size), BRINE_AS_MESSAGE, flags, arena, error);
}

static void assert_says(const struct brine_error *error, const char *says)
{
	if (!strstr(error->text, says))
		fail_msg("\"%s\" does not say \"%s\"", error->text, says);
}

static const struct brine_field *field_named(const char *name)
{
	for (uint32_t i = 0; i < everything_type.field_count; i++)
		if (strcmp(everything_fields[i].name, name) == 0)
			return &everything_fields[i];
	fail_msg("no field %s", name);
	return NULL;
}

/* Decodes hex as the value of one field of everything, all others absent. */
static int decode_field(const char *name, const char *hex, struct everything *ret_message, struct brine_arena *arena,
                        struct brine_error *error)
{
	uint32_t number = field_named(name)->number;
	char text[1024];
	size_t used = (size_t)snprintf(text, sizeof text, "dc 00 %02x", number);
	for (uint32_t i = 1; i < number; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, " c0");
	snprintf(text + used, sizeof text - used, " %s", hex);
	return decode_as(&everything_type, text, 0, ret_message, arena, error);
}

/* The same, for one answer. */
static void assert_field(const char *name, const char *hex, int code, const char *says)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct everything message;
	struct brine_error error;
	int rc = decode_field(name, hex, &message, &arena, &error);
	if (rc != code)
		fail_msg("%s = %s: %d, not %d: %s", name, hex, rc, code, error.text);
	if (code)
		assert_says(&error, says);
	brine_arena_done(&arena);
}

/* Whether msgpack-c may see the bytes: it takes memory by claimed counts. */
static bool claims_are_small(const uint8_t *data, size_t size)
{
	struct brine_token token;
	for (size_t at = 0; brine_token_read(&token, data + at, size - at) == 1; at += token.size)
		if (brine_token_elements(&token) > 100000)
			return false;
	return true;
}

static int reference_verdict(const uint8_t *data, size_t size)
{
	msgpack_zone zone;
	msgpack_object object;
	size_t end = 0;
	assert_true(msgpack_zone_init(&zone, 1024));
	msgpack_unpack_return answer = msgpack_unpack((const char *)data, size, &end, &zone, &object);
	msgpack_zone_destroy(&zone);
	if (answer == MSGPACK_UNPACK_EXTRA_BYTES)
		return BRINE_ERR_TRAILING;
	return answer == MSGPACK_UNPACK_SUCCESS ? 0 : BRINE_ERR_MALFORMED;
}

static void b03_every_single_byte_substitution(void **state)
{
	(void)state;
	static const char *const frames[] = {
	        "94 00 05 a3 61 64 64 92 02 03",
	        "95 00 05 a3 61 64 64 92 02 03 81 a3 74 74 6c cd 01 f4",
	        "94 01 05 c0 05",
	        "94 01 05 92 02 a2 6e 6f c0",
	        "93 02 a3 61 64 64 92 02 d6 ff 00 00 00 00",
	        "93 03 06 cb 3f f0 00 00 00 00 00 00",
	        "93 04 07 c4 02 01 02",
	        "92 04 07",
	        "93 05 07 01",
	        "93 06 06 01",
	        "92 08 07",
	        "92 10 82 a1 76 01 a4 6e 61 6d 65 a6 64 65 6d 6f 2f 31",
	        "92 11 81 a3 6d 61 78 ce 01 00 00 00",
	        "92 12 01",
	        "92 13 01",
	        "94 14 00 a8 64 72 61 69 6e 69 6e 67 cd 75 30",
	        "92 20 de 00 01 d9 01 61 dc 00 01 ca 00 00 00 00",
	};
	unsigned compared = 0, accepted = 0;
	for (size_t f = 0; f < sizeof frames / sizeof frames[0]; f++) {
		struct brine_buf frame = BRINE_BUF_INIT;
		size_t size = hex_append(&frame, frames[f]);
		for (size_t at = 0; at < size; at++) {
			uint8_t before = frame.data[at];
			for (unsigned byte = 0; byte < 256; byte++) {
				frame.data[at] = (uint8_t)byte;
				int verdict = brine_check(brine_buf_bytes(&frame), 32, NULL);
				if (!claims_are_small(frame.data, size)) {
					assert_int_equal(verdict, BRINE_ERR_MALFORMED);
					continue;
				}
				if (verdict != reference_verdict(frame.data, size))
					fail_msg("frame %zu, byte %zu = %02x: %d", f, at, byte, verdict);
				compared++;
				accepted += verdict == 0;
			}
			frame.data[at] = before;
		}
		brine_buf_done(&frame);
	}
	assert_true(compared > 30000 && accepted > 10000 && accepted < compared);
}

static void b10_duplicate_fields_and_keys(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct leaf leaf;
	const char *twice = "83 a5 66 69 72 73 74 01 a4 69 74 65 6d c0 a5 66 69 72 73 74 02";
	assert_int_equal(decode_as(&leaf_type, twice, 0, &leaf, &arena, &error), BRINE_ERR_DUPLICATE);
	assert_says(&error, "message: duplicate field first at offset 14");
	/* Absent the first time is still twice. */
	assert_int_equal(decode_as(&leaf_type, "82 a4 69 74 65 6d c0 a4 69 74 65 6d 90", 0, &leaf, &arena, &error),
	                 BRINE_ERR_DUPLICATE);
	/* Two members of one oneof, though each of them is there once. */
	struct everything message;
	struct brine_buf both = BRINE_BUF_INIT;
	brine_pack_map(&both, 2);
	brine_pack_str(&both, "number", 6);
	brine_pack_int(&both, 1);
	brine_pack_str(&both, "word", 4);
	brine_pack_str(&both, "a", 1);
	assert_int_equal(brine_decode(&message, &everything_map_type, brine_buf_bytes(&both), BRINE_AS_MESSAGE, 0,
	                              &arena, &error),
	                 BRINE_ERR_DUPLICATE);
	assert_says(&error, "field word: a second member of its oneof");
	brine_buf_done(&both);
	/* A map field keeps both. */
	assert_int_equal(decode_field("prices", "82 a1 61 01 a1 61 02", &message, &arena, &error), 0);
	assert_int_equal(message.price_count, 2);
	assert_int_equal(message.prices[1].value, 2);
	brine_arena_done(&arena);
}

/* The same for tables of more than 64 fields, which take their marks from the arena. */
static void b10_duplicate_fields_of_big_messages(void **state)
{
	(void)state;
	enum { COUNT = 130 };
	struct big {
		int32_t values[COUNT];
	};
	struct brine_field fields[COUNT];
	char names[COUNT][8];
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof names[i], "f%u", i);
		fields[i] = (struct brine_field){
		        .name = names[i], .number = i + 1, .kind = BRINE_KIND_INT32, .offset = i * 4};
	}
	struct brine_type type = {BRINE_ABI, BRINE_LAYOUT_MAP, "test.Big", sizeof(struct big), fields, COUNT};
	assert_int_equal(brine_type_check(&type, NULL), 0);
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_buf out = BRINE_BUF_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct big in, back;
	for (int i = 0; i < COUNT; i++)
		in.values[i] = i * 1000;
	assert_int_equal(brine_encode(&out, &type, &in, BRINE_AS_MESSAGE, NULL), 0);
	assert_int_equal(brine_decode(&back, &type, brine_buf_bytes(&out), BRINE_AS_MESSAGE, 0, &arena, NULL), 0);
	assert_memory_equal(&in, &back, sizeof in);
	out.data[2]++; /* one pair more, of a name that was there */
	brine_pack_str(&out, "f129", 4);
	brine_pack_nil(&out);
	assert_int_equal(brine_decode(&back, &type, brine_buf_bytes(&out), BRINE_AS_MESSAGE, 0, &arena, &error),
	                 BRINE_ERR_DUPLICATE);
	assert_says(&error, "duplicate field f129");
	brine_buf_done(&out);
	brine_arena_done(&arena);
}

static void b11_keys_of_the_wrong_type(void **state)
{
	(void)state;
	static const struct {
		const char *hex, *got;
	} keys[] = {{"90", "array"}, {"80", "map"}, {"c0", "nil"}, {"cb 7f f8 00 00 00 00 00 00", "float"},
	            {"01", "int"},   {"c3", "bool"}};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		char hex[64], says[64];
		snprintf(hex, sizeof hex, "81 %s 01", keys[i].hex);
		snprintf(says, sizeof says, "field leaf: expected a field name as key, got %s at offset 39",
		         keys[i].got);
		assert_field("leaf", hex, BRINE_ERR_TYPE, says);
		snprintf(says, sizeof says, "expected string, got %s at offset 32", keys[i].got);
		assert_field("prices", hex, BRINE_ERR_TYPE, says);
	}
	assert_field("prices", "82 a1 61 01 c0 01", BRINE_ERR_TYPE, "field prices[1].key: expected string, got nil");
	assert_field("prices", "81 a1 61 c0", BRINE_ERR_TYPE, "field prices[0].value: expected int64, got nil");
	assert_field("slots", "81 05 c0", BRINE_ERR_TYPE, "field slots[0].value: expected array, got nil");
	assert_field("slots", "81 ff 90", BRINE_ERR_RANGE, "-1 out of range 0..4294967295");
}

static void b12_unknown_fields(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct item item;
	struct leaf leaf;
	assert_int_equal(decode_as(&item_type, "93 01 a1 61 92 80 c4 01 00", 0, &item, &arena, &error), 0);
	assert_int_equal(decode_as(&item_type, "93 01 a1 61 05", BRINE_DECODE_STRICT, &item, &arena, &error),
	                 BRINE_ERR_UNKNOWN_FIELD);
	assert_says(&error, "unknown field 3 at offset 4");
	assert_int_equal(decode_as(&item_type, "93 01 a1 61 c0", BRINE_DECODE_STRICT, &item, &arena, &error), 0);
	assert_int_equal(decode_as(&leaf_type, "81 a2 0a 1b 05", BRINE_DECODE_STRICT, &leaf, &arena, &error),
	                 BRINE_ERR_UNKNOWN_FIELD);
	assert_says(&error, "unknown field \"\\n\\x1b\" at offset 4");
	/* Limits count inside of what is skipped, also where the caller checked the bytes by the limits of a frame. */
	char deep[3 * 40] = "93 01 a0";
	for (unsigned i = 0; i < 28; i++)
		strcat(deep, i < 27 ? " 91" : " 90");
	assert_int_equal(decode_as(&item_type, deep, 0, &item, &arena, &error), BRINE_ERR_DEPTH);
	assert_int_equal(decode_as(&item_type, deep, BRINE_DECODE_CHECKED, &item, &arena, &error), BRINE_ERR_DEPTH);
	assert_int_equal(decode_as(&item_type, "93 01 a0 dd 00 ff ff ff", 0, &item, &arena, &error),
	                 BRINE_ERR_MALFORMED);
	assert_says(&error, "16777215 elements claimed, 0 bytes left");
	brine_arena_done(&arena);
}

/* Each letter is a value that the field takes, small letters as they are, capitals as a range error. */
static void b14_every_type_in_place_of_every_other(void **state)
{
	(void)state;
	static const struct {
		char letter;
		const char *hex, *got;
	} samples[] = {
	        {'n', "c0", "nil"},
	        {'b', "c3", "bool"},
	        {'u', "05", "int"},
	        {'i', "fb", "int"},
	        {'f', "ca 3f c0 00 00", "float"},
	        {'d', "cb 3f f8 00 00 00 00 00 00", "float"},
	        {'s', "a1 61", "str"},
	        {'x', "c4 01 61", "bin"},
	        {'e', "d4 05 05", "ext 5 of 1 bytes"},
	        {'t', "d6 ff 00 00 00 01", "ext -1 of 4 bytes"},
	        {'a', "90", "array"},
	        {'m', "80", "map"},
	};
	static const struct {
		const char *field, *takes, *expected;
	} rows[] = {
	        {"boolean", "nb", "bool"},
	        {"i8", "nui", "int8"},
	        {"i16", "nui", "int16"},
	        {"i32", "nui", "int32"},
	        {"i64", "nui", "int64"},
	        {"u8", "nuI", "uint8"},
	        {"u16", "nuI", "uint16"},
	        {"u32", "nuI", "uint32"},
	        {"u64", "nuI", "uint64"},
	        {"real", "nuifd", "float"},
	        {"wide", "nuifd", "double"},
	        {"text", "ns", "string"},
	        {"bytes", "nsx", "bytes"},
	        {"color", "nui", "enum"},
	        {"closed", "nUi", "enum"},
	        {"time", "nt", "timestamp"},
	        {"any", "nbuifdsxetam", "value"},
	        {"cstring", "ns", "string"},
	        {"chars", "ns", "string"},
	        {"embedded", "na", "array"},
	        {"pointer", "na", "array"},
	        {"optional", "nui", "int32"},
	        {"optional_text", "ns", "string"},
	        {"ints", "na", "array"},
	        {"texts", "na", "array"},
	        {"items", "na", "array"},
	        {"anys", "na", "array"},
	        {"prices", "nm", "map"},
	        {"slots", "nm", "map"},
	        {"number", "nui", "int64"},
	        {"word", "ns", "string"},
	        {"thing", "na", "array"},
	        {"handle", "nuie", "an integer or ext 5"},
	        {"finite", "nuifd", "double"},
	        {"leaf", "nm", "map"},
	        {"bare", "na", "array"},
	        {"bares", "na", "array"},
	        {"nothing", "na", "array"},
	        {"reals", "na", "array"},
	        {"times", "na", "array"},
	        {"self", "na", "array"},
	};
	assert_int_equal(sizeof rows / sizeof rows[0], everything_type.field_count);
	for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
		for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
			char letter = samples[s].letter, says[128];
			/* A bare message is its only field's value, so that field is named too. */
			const char *path = strcmp(rows[r].field, "bare") ? rows[r].field : "bare.values";
			bool range = strchr(rows[r].takes, letter - 'a' + 'A') != NULL;
			bool taken = strchr(rows[r].takes, letter) != NULL;
			snprintf(says, sizeof says, "field %s: ", path);
			assert_field(rows[r].field, samples[s].hex,
			             taken   ? 0
			             : range ? BRINE_ERR_RANGE
			                     : BRINE_ERR_TYPE,
			             says);
			if (taken || range)
				continue;
			bool ext_in_handle = strcmp(rows[r].field, "handle") == 0 && letter == 't';
			snprintf(says, sizeof says, "field %s: expected %s%s, got %s", path,
			         strcmp(rows[r].field, "handle") || ext_in_handle ? rows[r].expected : "int64",
			         ext_in_handle ? " holding one" : "", samples[s].got);
			assert_field(rows[r].field, samples[s].hex, BRINE_ERR_TYPE, says);
		}
	}
}

static void b15_invalid_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		unsigned at;
	} rows[] = {
	        {"a1 80", 0},    /* a lone continuation */
	        {"a2 c0 80", 0}, /* overlong */
	        {"a3 e0 80 80", 0},
	        {"a4 f0 80 80 80", 0},
	        {"a3 ed a0 80", 0},    /* a surrogate */
	        {"a4 f4 90 80 80", 0}, /* above U+10FFFF */
	        {"a4 f5 80 80 80", 0},
	        {"a3 61 e2 82", 1}, /* cut at the end */
	        {"aa 61 62 63 64 65 66 67 68 69 ff", 9},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char says[64];
		snprintf(says, sizeof says, "field text: invalid UTF-8 at byte %u", rows[i].at);
		assert_field("text", rows[i].hex, BRINE_ERR_UTF8, says);
		assert_field("cstring", rows[i].hex, BRINE_ERR_UTF8, "field cstring: invalid UTF-8");
		assert_field("chars", rows[i].hex, BRINE_ERR_UTF8, "field chars: invalid UTF-8");
		assert_field("bytes", rows[i].hex, 0, NULL);
	}
	/* As an option they pass as they came. */
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct item item;
	assert_int_equal(decode_as(&item_type, "92 00 a1 80", BRINE_DECODE_ANY_UTF8, &item, &arena, &error), 0);
	assert_int_equal(item.name.size, 1);
	brine_arena_done(&arena);
}

static void b16_embedded_nul(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct everything message;
	assert_int_equal(decode_field("text", "a3 61 00 62", &message, &arena, &error), 0);
	assert_int_equal(message.text.size, 3);
	assert_memory_equal(message.text.data, "a\0b", 3);
	brine_arena_done(&arena);
	assert_field("cstring", "a3 61 00 62", BRINE_ERR_RANGE, "field cstring: embedded NUL at byte 1");
	assert_field("chars", "a3 61 00 62", BRINE_ERR_RANGE, "field chars: embedded NUL at byte 1");
}

static void b17_integers_out_of_range(void **state)
{
	(void)state;
	static const struct {
		const char *field;
		int64_t least;
		uint64_t most;
	} rows[] = {
	        {"i8", INT8_MIN, INT8_MAX},    {"i16", INT16_MIN, INT16_MAX}, {"i32", INT32_MIN, INT32_MAX},
	        {"i64", INT64_MIN, INT64_MAX}, {"u8", 0, UINT8_MAX},          {"u16", 0, UINT16_MAX},
	        {"u32", 0, UINT32_MAX},        {"u64", 0, UINT64_MAX},        {"color", INT32_MIN, INT32_MAX},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char hex[40], says[120];
		snprintf(hex, sizeof hex, "d3 %016llx", (unsigned long long)rows[i].least);
		assert_field(rows[i].field, hex, 0, NULL);
		snprintf(hex, sizeof hex, "cf %016llx", (unsigned long long)rows[i].most);
		assert_field(rows[i].field, hex, 0, NULL);
		if (rows[i].least > INT64_MIN) {
			snprintf(hex, sizeof hex, "d3 %016llx", (unsigned long long)rows[i].least - 1);
			snprintf(says, sizeof says, "field %s: %lld out of range %lld..%llu", rows[i].field,
			         (long long)rows[i].least - 1, (long long)rows[i].least,
			         (unsigned long long)rows[i].most);
			assert_field(rows[i].field, hex, BRINE_ERR_RANGE, says);
		}
		if (rows[i].most < UINT64_MAX) {
			snprintf(hex, sizeof hex, "cf %016llx", (unsigned long long)rows[i].most + 1);
			snprintf(says, sizeof says, "field %s: %llu out of range %lld..%llu", rows[i].field,
			         (unsigned long long)rows[i].most + 1, (long long)rows[i].least,
			         (unsigned long long)rows[i].most);
			assert_field(rows[i].field, hex, BRINE_ERR_RANGE, says);
			assert_field(rows[i].field, "cf ff ff ff ff ff ff ff ff", BRINE_ERR_RANGE, "out of range");
		}
	}
}

static void b18_integers_longer_than_needed(void **state)
{
	(void)state;
	static const char *const fives[] = {"05",
	                                    "cc 05",
	                                    "cd 00 05",
	                                    "ce 00 00 00 05",
	                                    "cf 00 00 00 00 00 00 00 05",
	                                    "d0 05",
	                                    "d1 00 05",
	                                    "d2 00 00 00 05",
	                                    "d3 00 00 00 00 00 00 00 05"};
	for (size_t i = 0; i < sizeof fives / sizeof fives[0]; i++) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error;
		struct everything message;
		char list[64];
		assert_int_equal(decode_field("i8", fives[i], &message, &arena, &error), 0);
		assert_int_equal(message.i8, 5);
		assert_int_equal(decode_field("u64", fives[i], &message, &arena, &error), 0);
		assert_int_equal(message.u64, 5);
		snprintf(list, sizeof list, "91 %s", fives[i]);
		assert_int_equal(decode_field("ints", list, &message, &arena, &error), 0);
		assert_int_equal(message.ints[0], 5);
		brine_arena_done(&arena);
	}
	static const char *const minus[] = {"fb", "d0 fb", "d1 ff fb", "d2 ff ff ff fb", "d3 ff ff ff ff ff ff ff fb"};
	for (size_t i = 0; i < sizeof minus / sizeof minus[0]; i++) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error;
		struct everything message;
		assert_int_equal(decode_field("i8", minus[i], &message, &arena, &error), 0);
		assert_int_equal(message.i8, -5);
		brine_arena_done(&arena);
	}
}

static void b19_floats_and_integers(void **state)
{
	(void)state;
	assert_field("i32", "cb 40 08 00 00 00 00 00 00", BRINE_ERR_TYPE, "expected int32, got float");  /* 3.0 */
	assert_field("i32", "ca 40 60 00 00", BRINE_ERR_TYPE, "expected int32, got float");              /* 3.5 */
	assert_field("u64", "cb 7e 37 e4 3c 88 00 75 9c", BRINE_ERR_TYPE, "expected uint64, got float"); /* 1e300 */
	static const struct {
		const char *hex;
		double value;
		bool fits_float, fits_double;
	} rows[] = {
	        {"00", 0, true, true},
	        {"fb", -5, true, true},
	        {"ce 01 00 00 00", 16777216, true, true},
	        {"ce 01 00 00 01", 16777217, false, true},
	        {"d2 fe ff ff ff", -16777217, false, true},
	        {"cf 00 20 00 00 00 00 00 00", 9007199254740992.0, true, true},
	        {"cf 00 20 00 00 00 00 00 01", 0, false, false},
	        {"cf 80 00 00 00 00 00 00 00", 9223372036854775808.0, true, true},
	        {"d3 80 00 00 00 00 00 00 00", -9223372036854775808.0, true, true},
	        {"cf ff ff ff ff ff ff ff ff", 0, false, false},
	        {"cf ff ff ff ff ff ff f8 00", 18446744073709549568.0, false, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error;
		struct everything message;
		assert_int_equal(decode_field("real", rows[i].hex, &message, &arena, &error),
		                 rows[i].fits_float ? 0 : BRINE_ERR_RANGE);
		if (rows[i].fits_float)
			assert_true((double)message.real == rows[i].value);
		assert_int_equal(decode_field("wide", rows[i].hex, &message, &arena, &error),
		                 rows[i].fits_double ? 0 : BRINE_ERR_RANGE);
		if (rows[i].fits_double)
			assert_true(message.wide == rows[i].value);
		else
			assert_says(&error, "expected double, got an int it cannot hold exactly");
		brine_arena_done(&arena);
	}
}

static void b20_floats_bit_for_bit(void **state)
{
	(void)state;
	static const uint32_t floats[] = {0x7fc00000, 0xffc00001, 0x7f800001, 0xff812345, 0x7f800000,
	                                  0xff800000, 0x80000000, 0x00000001, 0x007fffff, 0x7f7fffff};
	static const uint64_t doubles[] = {0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001,
	                                   0xfff1234567890abc, 0x7ff0000000000000, 0x8000000000000000,
	                                   0x0000000000000001, 0x7fefffffffffffff};
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct everything in = {0}, out;
	struct brine_bytes bytes;
	in.reals = brine_arena_alloc(&arena, sizeof floats);
	in.real_count = sizeof floats / sizeof floats[0];
	in.bare.values = brine_arena_alloc(&arena, sizeof doubles);
	in.bare.value_count = sizeof doubles / sizeof doubles[0];
	memcpy(in.reals, floats, sizeof floats);
	memcpy(in.bare.values, doubles, sizeof doubles);
	assert_int_equal(brine_dumps(&bytes, &everything_type, &in, &arena, NULL), 0);
	assert_int_equal(brine_loads(&out, &everything_type, bytes, &arena, NULL), 0);
	assert_memory_equal(out.reals, floats, sizeof floats);
	assert_memory_equal(out.bare.values, doubles, sizeof doubles);
	/* Across the widths a NaN stays a NaN, signalling or not, and keeps what fits of its payload. */
	struct brine_error error;
	uint64_t wide;
	uint32_t real;
	assert_int_equal(decode_field("wide", "ca 7f 80 00 01", &out, &arena, &error), 0);
	memcpy(&wide, &out.wide, sizeof wide);
	assert_true(wide == UINT64_C(0x7ff0000020000000));
	assert_int_equal(decode_field("real", "cb 7f f0 00 00 20 00 00 00", &out, &arena, &error), 0);
	memcpy(&real, &out.real, sizeof real);
	assert_int_equal(real, 0x7f800001);
	assert_int_equal(decode_field("real", "cb ff f0 00 00 00 00 00 01", &out, &arena, &error), 0);
	memcpy(&real, &out.real, sizeof real);
	assert_int_equal(real, 0xffc00000);
	brine_arena_done(&arena);
	assert_field("real", "cb 7f f0 00 00 00 00 00 00", 0, NULL);
	assert_field("real", "cb 47 ef ff ff ef ff ff ff", 0, NULL); /* rounds down to the largest float */
	assert_field("real", "cb 47 ef ff ff f0 00 00 00", BRINE_ERR_RANGE,
	             "field real: a double too large for a float");
	assert_field("finite", "cb 7f f0 00 00 00 00 00 00", BRINE_ERR_RANGE, "field finite: not a finite number");
	assert_field("finite", "ca 7f c0 00 00", BRINE_ERR_RANGE, "field finite: not a finite number");
	assert_field("finite", "cb 80 00 00 00 00 00 00 00", 0, NULL);
}

static void b21_ext_types(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct everything message;
	assert_int_equal(decode_field("any", "c7 03 9c 01 02 03", &message, &arena, &error), 0);
	assert_int_equal(message.any.size, 6);
	assert_int_equal(decode_field("handle", "c7 03 05 cd 03 e8", &message, &arena, &error), 0);
	assert_int_equal(message.handle, 1000);
	assert_int_equal(decode_field("handle", "07", &message, &arena, &error), 0);
	assert_int_equal(message.handle, 7);
	brine_arena_done(&arena);
	assert_field("time", "d4 9c 00", BRINE_ERR_TYPE, "expected timestamp, got ext -100 of 1 bytes");
	assert_field("time", "d5 ff 00 00", BRINE_ERR_TYPE, "a timestamp of 2 bytes, expected 4, 8 or 12");
	assert_field("time", "c7 00 ff", BRINE_ERR_TYPE, "a timestamp of 0 bytes");
	assert_field("time", "d7 ff ee 6b 28 00 00 00 00 00", BRINE_ERR_RANGE, "0 s and 1000000000 ns are no time");
	assert_field("time", "d7 ff ee 6b 27 fc 00 00 00 00", 0, NULL);
	assert_field("time", "c7 0c ff 3b 9a ca 00 00 00 00 00 00 00 00 00", BRINE_ERR_RANGE,
	             "are no time of the years 1 to 9999");
	assert_field("time", "c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff", BRINE_ERR_RANGE,
	             "are no time of the years 1 to 9999");
	assert_field("handle", "d4 06 05", BRINE_ERR_TYPE, "expected an integer or ext 5 holding one, got ext 6");
	assert_field("handle", "d5 05 05 05", BRINE_ERR_TYPE, "holding one");
	assert_field("handle", "c7 00 05", BRINE_ERR_TYPE, "holding one");
	assert_field("handle", "d4 05 c0", BRINE_ERR_TYPE, "holding one");
	assert_field("handle", "c7 09 05 cf ff ff ff ff ff ff ff ff", BRINE_ERR_RANGE, "out of range");
}

static void b22_enum_numbers(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	struct everything message;
	assert_int_equal(decode_field("color", "cd 03 e8", &message, &arena, &error), 0);
	assert_int_equal(message.color, 1000);
	assert_null(brine_enum_name(&color_enum, message.color));
	assert_string_equal(brine_enum_name(&color_enum, -5), "NEGATIVE");
	brine_arena_done(&arena);
	assert_field("closed", "cd 03 e8", BRINE_ERR_RANGE, "field closed: 1000 is not in enum test.Color");
	assert_field("closed", "fb", 0, NULL);
}

static void b23_a_million_tiny_elements(void **state)
{
	(void)state;
	enum { COUNT = 1 << 20 };
	static const char *const fields[] = {"ints", "texts", "items", "bares", "times"};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct brine_buf in = BRINE_BUF_INIT;
		uint32_t number = field_named(fields[i])->number;
		brine_pack_array(&in, number);
		for (uint32_t k = 1; k < number; k++)
			brine_pack_nil(&in);
		brine_pack_array(&in, COUNT);
		memset(brine_buf_reserve(&in, COUNT), 0xc0, COUNT);
		in.end += COUNT;
		struct brine_scan scan;
		brine_scan_init(&scan, 32, in.end);
		assert_int_equal(brine_check(brine_buf_bytes(&in), 32, NULL), 0);
		assert_int_equal(brine_scan_feed(&scan, in.data, in.end, NULL), 1);
		struct fail_allocator fail;
		struct brine_arena arena;
		struct brine_error error = BRINE_ERROR_INIT;
		struct everything message;
		char says[64];
		fail_allocator_init(&fail, 0, false);
		brine_arena_init(&arena, &fail.base, 0);
		assert_int_equal(brine_loads(&message, &everything_type, brine_buf_bytes(&in), &arena, &error),
		                 BRINE_ERR_TYPE);
		snprintf(says, sizeof says, "field %s[0]: expected ", fields[i]);
		assert_says(&error, says);
		assert_says(&error, "got nil");
		assert_true(fail.held_most < 2 * COUNT);
		brine_arena_done(&arena);
		brine_buf_done(&in);
	}
}

/* No table is built over keys that a peer chose: whatever they hash to, there is one allocation for all of them. */
static void b24_colliding_keys(void **state)
{
	(void)state;
	enum { COUNT = 100000 };
	struct brine_buf map = BRINE_BUF_INIT, message = BRINE_BUF_INIT;
	brine_pack_map(&map, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		/* "Aa" and "BB" are alike to the multiply-by-31 hash; 17 of such pairs make 131,072 equal ones. */
		char key[34];
		for (unsigned bit = 0; bit < 17; bit++)
			memcpy(key + 2 * bit, i >> bit & 1 ? "Aa" : "BB", 2);
		brine_pack_str(&map, key, sizeof key);
		brine_pack_uint(&map, i);
	}
	brine_pack_array(&message, 29);
	for (unsigned i = 1; i < 29; i++)
		brine_pack_nil(&message);
	brine_buf_append(&message, map.data, map.end);
	struct fail_allocator fail;
	struct brine_arena arena;
	struct everything out;
	msgpack_object object;
	struct leaf leaf;
	fail_allocator_init(&fail, 0, false);
	brine_arena_init(&arena, &fail.base, 0);
	assert_int_equal(brine_loads(&out, &everything_type, brine_buf_bytes(&message), &arena, NULL), 0);
	assert_int_equal(out.price_count, COUNT);
	assert_int_equal(brine_object_loads(&object, brine_buf_bytes(&map), &arena, NULL), 0);
	assert_int_equal(object.via.map.size, COUNT);
	assert_int_equal(brine_loads(&leaf, &leaf_type, brine_buf_bytes(&map), &arena, NULL),
	                 0); /* as unknown fields */
	assert_true(fail.calls <= 4);
	brine_arena_done(&arena);
	brine_buf_done(&map);
	brine_buf_done(&message);
}

static void b25_a_string_over_its_limit(void **state)
{
	(void)state;
	enum { SIZE = (16 << 20) - 1 };
	static const struct brine_field fields[] = {{.name = "short_text",
	                                             .number = 1,
	                                             .kind = BRINE_KIND_STRING,
	                                             .offset = offsetof(struct item, name),
	                                             .limit = 64}};
	static const struct brine_type type = BRINE_TYPE(struct item, "test.Limited", BRINE_LAYOUT_ARRAY, fields);
	char *text = malloc(SIZE);
	memset(text, 'x', SIZE);
	struct brine_buf in = BRINE_BUF_INIT;
	brine_pack_array(&in, 1);
	brine_pack_str(&in, text, SIZE);
	struct fail_allocator fail;
	struct brine_arena arena;
	struct brine_error error = BRINE_ERROR_INIT;
	struct item item;
	fail_allocator_init(&fail, 0, false);
	brine_arena_init(&arena, &fail.base, 0);
	assert_int_equal(brine_loads_copy(&item, &type, brine_buf_bytes(&in), &arena, &error), BRINE_ERR_LIMIT);
	assert_says(&error, "field short_text: 16777215 bytes, at most 64");
	assert_true(fail.held_most < 4096);
	/* The sender is held to the same. */
	item.name = (struct brine_str){text, 65};
	assert_int_equal(brine_encode(&in, &type, &item, BRINE_AS_MESSAGE, &error), BRINE_ERR_LIMIT);
	item.name.size = 64;
	assert_int_equal(brine_encode(&in, &type, &item, BRINE_AS_MESSAGE, &error), 0);
	brine_arena_done(&arena);
	brine_buf_done(&in);
	free(text);
	assert_field("chars", "b0 30 31 32 33 34 35 36 37 38 39 30 31 32 33 34 35", BRINE_ERR_LIMIT,
	             "field chars: 16 bytes, at most 15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(b03_every_single_byte_substitution),
	        cmocka_unit_test(b10_duplicate_fields_and_keys),
	        cmocka_unit_test(b10_duplicate_fields_of_big_messages),
	        cmocka_unit_test(b11_keys_of_the_wrong_type),
	        cmocka_unit_test(b12_unknown_fields),
	        cmocka_unit_test(b14_every_type_in_place_of_every_other),
	        cmocka_unit_test(b15_invalid_utf8),
	        cmocka_unit_test(b16_embedded_nul),
	        cmocka_unit_test(b17_integers_out_of_range),
	        cmocka_unit_test(b18_integers_longer_than_needed),
	        cmocka_unit_test(b19_floats_and_integers),
	        cmocka_unit_test(b20_floats_bit_for_bit),
	        cmocka_unit_test(b21_ext_types),
	        cmocka_unit_test(b22_enum_numbers),
	        cmocka_unit_test(b23_a_million_tiny_elements),
	        cmocka_unit_test(b24_colliding_keys),
	        cmocka_unit_test(b25_a_string_over_its_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
