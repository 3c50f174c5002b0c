/* Proves that JSON becomes the message of a schema that it stands for and comes back from it; that JSON which does not
 * fit is an error that names the field; that methods and messages are found by short names; and that running out of
 * memory is an error. */
#include "json_support.h"

#include "everything.brine.h"
#include "inspect/json_pack.h"
#include "inspect/json_value.h"
#include "inspect/lookup.h"
#include "inspect/protoc.h"
#include "inspect/template.h"
#include "inspect/typed.h"
#include "inspect/typed_read.h"

#include <brine/codec.h>

static const struct brine_type *const types[] = {
        &everything_scalars_type,     &everything_optionals_type,    &everything_repeats_type,
        &everything_maps_type,        &everything_choices_type,      &everything_order_type,
        &everything_dictionary_type,  &everything_bare_list_type,    &everything_bare_map_type,
        &everything_bare_value_type,  &everything_far_type,          &everything_empty_type,
        &everything_bare_number_type, &everything_order_nested_type,
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

static json_t *random_message(const struct brine_type *type, uint64_t *seed, unsigned depth);

static json_t *random_integer(const struct brine_field *field, uint64_t *seed)
{
	uint64_t bits = random_next(seed) >> random_below(seed, 64);
	char text[32];
	switch (field->kind) {
	case BRINE_KIND_UINT64: snprintf(text, sizeof text, "%llu", (unsigned long long)bits); return json_string(text);
	case BRINE_KIND_INT64: snprintf(text, sizeof text, "%lld", (long long)bits); return json_string(text);
	case BRINE_KIND_UINT32: return json_integer((uint32_t)bits);
	default: return json_integer((int32_t)bits);
	}
}

static json_t *random_value(const struct brine_field *field, uint64_t *seed, unsigned depth)
{
	static const char *const floats[] = {"NaN", "Infinity", "-Infinity"};
	static const char *const times[] = {"1970-01-01T00:00:00Z", "2026-11-22T10:00:00.125Z", "0001-01-01T00:00:00Z",
	                                    "9999-12-31T23:59:59.999999999Z"};
	uint64_t pick = random_next(seed);
	switch (field->kind) {
	case BRINE_KIND_MESSAGE: return random_message(field->type, seed, depth - 1);
	case BRINE_KIND_BOOL: return json_boolean(pick % 2);
	case BRINE_KIND_FLOAT:
		return pick % 4 ? json_real((double)(float)(pick % 1000) / 8) : json_string(floats[pick % 3]);
	case BRINE_KIND_DOUBLE: return pick % 4 ? json_real((double)(pick % 1000) / 7) : json_string(floats[pick % 3]);
	case BRINE_KIND_STRING: return json_string(pick % 3 ? "caf\xc3\xa9" : "");
	case BRINE_KIND_BYTES: return json_string(pick % 3 ? "AAE=" : "");
	case BRINE_KIND_ENUM:
		return pick % 3 ? json_string(field->enumeration->values[pick % field->enumeration->value_count].name)
		                : json_integer((int32_t)pick);
	case BRINE_KIND_TIMESTAMP: return json_string(times[pick % 4]);
	case BRINE_KIND_VALUE: return json_pack("{s: [i, b, s]}", "any", (int)(pick % 100), (int)(pick % 2), "x");
	default: return random_integer(field, seed);
	}
}

static json_t *random_map(const struct brine_type *entry, uint64_t *seed, unsigned depth)
{
	json_t *pairs = json_array(), *object = json_object();
	for (uint64_t left = random_below(seed, 4); left; left--) {
		json_t *key = random_value(&entry->fields[0], seed, depth);
		json_t *value = random_value(&entry->fields[1], seed, depth);
		if (json_is_string(key))
			json_object_set(object, json_string_value(key), value);
		json_array_append_new(pairs, json_pack("[o, o]", key, value));
	}
	if (random_below(seed, 2)) {
		json_decref(pairs);
		return object;
	}
	json_decref(object);
	return json_pack("{s: o}", "$map", pairs);
}

static json_t *random_list(const struct brine_field *field, uint64_t *seed, unsigned depth)
{
	json_t *list = json_array();
	for (uint64_t left = random_below(seed, 4); left; left--)
		json_array_append_new(list, random_value(field, seed, depth));
	return list;
}

static json_t *random_message(const struct brine_type *type, uint64_t *seed, unsigned depth)
{
	json_t *object = json_object();
	uint32_t chosen = 0; /* offset of the last oneof that has its member */
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		const struct brine_type *inner =
		        field->shape == BRINE_SHAPE_MAP ? field->type->fields[1].type : field->type;
		if ((inner && depth == 0) || random_below(seed, 2) ||
		    (field->shape == BRINE_SHAPE_ONEOF && chosen == field->aux))
			continue;
		json_t *value = field->shape == BRINE_SHAPE_MAP        ? random_map(field->type, seed, depth)
		                : field->shape == BRINE_SHAPE_REPEATED ? random_list(field, seed, depth)
		                                                       : random_value(field, seed, depth);
		if (field->shape == BRINE_SHAPE_ONEOF)
			chosen = field->aux;
		json_object_set_new(object, field->name, value);
	}
	return object;
}

/* The message that value says, encoded. 0 and bytes in out, or the error. */
static int encode(struct brine_buf *out, const struct brine_type *type, const json_t *value, struct brine_arena *arena,
                  struct brine_error *error)
{
	void *message;
	int rc = inspect_typed_read(&message, type, value, arena, error);
	return rc < 0 ? rc : brine_encode(out, type, message, BRINE_AS_MESSAGE, error);
}

/* value -> bytes -> struct -> JSON -> bytes, which are to be the same. */
static void check_round(const struct brine_type *type, const json_t *value, struct inspect_line *line)
{
	struct brine_buf bytes = BRINE_BUF_INIT, again = BRINE_BUF_INIT;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	if (encode(&bytes, type, value, &arena, &error) < 0)
		fail_msg("%s: %s", type->name, error.text);
	void *message = brine_arena_alloc(&arena, type->size);
	if (brine_loads(message, type, brine_buf_bytes(&bytes), &arena, &error) < 0)
		fail_msg("%s: %s", type->name, error.text);
	print(line, inspect_typed_json(type, message));
	json_t *shown = parse(text_of(line));
	if (encode(&again, type, shown, &arena, &error) < 0)
		fail_msg("%s: %s: %s", type->name, text_of(line), error.text);
	assert_same_bytes(brine_buf_bytes(&bytes), brine_buf_bytes(&again), text_of(line));
	json_decref(shown);
	brine_arena_done(&arena);
	brine_buf_done(&bytes);
	brine_buf_done(&again);
}

static void messages_come_back_as_they_were(void **state)
{
	(void)state;
	uint64_t seed = 3;
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	for (int i = 0; i < 200 * TYPE_COUNT; i++) {
		json_t *value = random_message(types[i % TYPE_COUNT], &seed, (unsigned)random_below(&seed, 4));
		check_round(types[i % TYPE_COUNT], value, &line);
		json_decref(value);
	}
	inspect_line_done(&line);
}

static void templates_are_taken(void **state)
{
	(void)state;
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	for (int i = 0; i < TYPE_COUNT; i++) {
		json_t *value = inspect_template(types[i]);
		assert_non_null(value);
		assert_true(types[i]->field_count == 0 || json_object_size(value) > 0);
		check_round(types[i], value, &line);
		json_decref(value);
	}
	print(&line, inspect_template(&everything_order_type));
	assert_string_equal(text_of(&line),
	                    "{\"first\":\"\",\"second\":{\"deeper\":{},\"kind\":\"KIND_PLAIN\"},\"third\":\"\"}");
	inspect_line_done(&line);
}

static void json_of_every_kind_is_read(void **state)
{
	(void)state;
	static const struct {
		const struct brine_type *type;
		const char *json, *hex;
	} rows[] = {
	        {&everything_bare_number_type, "{\"value\": \"-7\"}", "f9"},
	        {&everything_bare_number_type, "{\"value\": 7.0}", "07"},
	        {&everything_bare_number_type, "{\"value\": 1e2}", "64"},
	        {&everything_bare_number_type, "{\"value\": null}", "00"},
	        {&everything_bare_number_type, "{}", "00"},
	        {&everything_dictionary_type, "{\"low\": 1, \"high\": \"x\"}",
	         "83 a3 6c 6f 77 01 a6 69 6e 73 69 64 65 90 a4 68 69 67 68 a1 78"},
	        {&everything_bare_map_type, "{\"items\": {\"k\": {\"third\": \"x\"}}}", NULL},
	        {&everything_maps_type,
	         "{\"textToText\": {\"a\": \"b\"}, \"flag\": {\"true\": false}, \"i32\": {\"-5\": 6}}", NULL},
	        {&everything_scalars_type,
	         "{\"d\": \"1.5\", \"f\": 2, \"u64\": \"18446744073709551615\", \"colour\": -5}", NULL},
	        {&everything_optionals_type,
	         "{\"at\": \"2026-11-22T12:00:00+02:00\", \"value\": [1, {\"$bin\": \"AA\"}]}", NULL},
	        {&everything_choices_type, "{\"value\": null}", NULL},
	        {&everything_choices_type, "{\"flag\": true, \"one\": \"x\", \"another\": null}", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf wanted = BRINE_BUF_INIT, got = BRINE_BUF_INIT;
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		json_t *value = parse(rows[i].json);
		if (encode(&got, rows[i].type, value, &arena, &error) < 0)
			fail_msg("%s: %s", rows[i].json, error.text);
		if (rows[i].hex) {
			hex_append(&wanted, rows[i].hex);
			assert_same_bytes(brine_buf_bytes(&wanted), brine_buf_bytes(&got), rows[i].json);
		}
		json_decref(value);
		brine_arena_done(&arena);
		brine_buf_done(&wanted);
		brine_buf_done(&got);
	}
}

static void json_that_does_not_fit_is_named(void **state)
{
	(void)state;
	static const struct {
		const struct brine_type *type;
		const char *json;
		int code;
		const char *text;
	} rows[] = {
	        {&everything_scalars_type, "[]", BRINE_ERR_TYPE, "everything.Scalars, found an array"},
	        {&everything_scalars_type, "{\"I32\": 1}", BRINE_ERR_UNKNOWN_FIELD,
	         "no field \"I32\"; it has d, f, i32"},
	        {&everything_scalars_type, "{\"\\u001b\": 1}", BRINE_ERR_UNKNOWN_FIELD, "\\x1b"},
	        {&everything_empty_type, "{\"a\": 1}", BRINE_ERR_UNKNOWN_FIELD, "it has none"},
	        {&everything_maps_type, "{\"text_to_text\": {}, \"textToText\": {}}", BRINE_ERR_DUPLICATE, "twice"},
	        {&everything_choices_type, "{\"flag\": true, \"number\": 1}", BRINE_ERR_DUPLICATE,
	         "field number: another"},
	        {&everything_scalars_type, "{\"i32\": 2147483648}", BRINE_ERR_RANGE,
	         "field i32: out of the range of int32"},
	        {&everything_scalars_type, "{\"i32\": -2147483649}", BRINE_ERR_RANGE, "int32"},
	        {&everything_scalars_type, "{\"u32\": -1}", BRINE_ERR_RANGE, "uint32"},
	        {&everything_scalars_type, "{\"u64\": \"18446744073709551616\"}", BRINE_ERR_RANGE, "uint64"},
	        {&everything_scalars_type, "{\"i64\": \"9223372036854775808\"}", BRINE_ERR_RANGE, "int64"},
	        {&everything_scalars_type, "{\"i32\": 1.5}", BRINE_ERR_TYPE, "without a fraction"},
	        {&everything_scalars_type, "{\"i32\": \"0x10\"}", BRINE_ERR_TYPE, "without a fraction"},
	        {&everything_scalars_type, "{\"i32\": true}", BRINE_ERR_TYPE, "expected int32, found a boolean"},
	        {&everything_scalars_type, "{\"flag\": 1}", BRINE_ERR_TYPE, "expected bool, found a number"},
	        {&everything_scalars_type, "{\"text\": 1}", BRINE_ERR_TYPE, "expected string, found a number"},
	        {&everything_scalars_type, "{\"blob\": \"?\"}", BRINE_ERR_TYPE, "base64"},
	        {&everything_scalars_type, "{\"blob\": {}}", BRINE_ERR_TYPE, "base64, found an object"},
	        {&everything_scalars_type, "{\"f\": 1e39}", BRINE_ERR_RANGE, "float"},
	        {&everything_scalars_type, "{\"d\": \"inf\"}", BRINE_ERR_TYPE, "\"Infinity\""},
	        {&everything_scalars_type, "{\"d\": \"\"}", BRINE_ERR_TYPE, "\"Infinity\""},
	        {&everything_scalars_type, "{\"d\": []}", BRINE_ERR_TYPE, "expected double, found an array"},
	        {&everything_scalars_type, "{\"colour\": \"BLUE\"}", BRINE_ERR_TYPE,
	         "no \"BLUE\"; it has RED, COLOUR_GREEN"},
	        {&everything_scalars_type, "{\"colour\": \"RED\\u0000\"}", BRINE_ERR_TYPE,
	         "no \"RED\\x00\"; it has RED"},
	        {&everything_scalars_type, "{\"d\": \"NaN\\u0000\"}", BRINE_ERR_TYPE, "\"Infinity\""},
	        {&everything_scalars_type, "{\"colour\": null, \"i32\": {}}", BRINE_ERR_TYPE, "found an object"},
	        {&everything_repeats_type, "{\"i32\": [1, \"x\"]}", BRINE_ERR_TYPE, "field i32[1]"},
	        {&everything_repeats_type, "{\"i32\": [1, null]}", BRINE_ERR_TYPE, "found null"},
	        {&everything_repeats_type, "{\"i32\": 1}", BRINE_ERR_TYPE, "expected an array"},
	        {&everything_repeats_type, "{\"scalars\": [{}, {\"at\": 1}]}", BRINE_ERR_UNKNOWN_FIELD,
	         "field scalars[1]"},
	        {&everything_repeats_type, "{\"at\": [\"now\"]}", BRINE_ERR_TYPE, "field at[0]: expected a time"},
	        {&everything_maps_type, "{\"i32\": {\"x\": 1}}", BRINE_ERR_TYPE, "field i32[0].key"},
	        {&everything_maps_type, "{\"i32\": {\"1\": true}}", BRINE_ERR_TYPE, "field i32[0].value"},
	        {&everything_maps_type, "{\"flag\": {\"yes\": true}}", BRINE_ERR_TYPE, "true or false"},
	        {&everything_maps_type, "{\"flag\": []}", BRINE_ERR_TYPE, "expected an object"},
	        {&everything_maps_type, "{\"flag\": {\"$map\": [1]}}", BRINE_ERR_TYPE, "[key, value]"},
	        {&everything_bare_value_type, "{\"value\": {\"$bin\": 1}}", BRINE_ERR_TYPE, "base64"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		void *message = NULL;
		json_t *value = parse(rows[i].json);
		int rc = inspect_typed_read(&message, rows[i].type, value, &arena, &error);
		if (rc != rows[i].code || error.code != rc || !strstr(error.text, rows[i].text) || message)
			fail_msg("%s: %d %s", rows[i].json, rc, error.text);
		json_decref(value);
		brine_arena_done(&arena);
	}
}

/* {"a": {"a": ... {} ...}} */
static json_t *nest(const char *name, unsigned levels)
{
	json_t *value = json_object();
	for (; levels; levels--)
		value = json_pack("{s: o}", name, value);
	return value;
}

static void messages_within_messages_have_an_end(void **state)
{
	(void)state;
	static const unsigned levels[] = {BRINE_MESSAGE_DEPTH_MAX - 1, BRINE_MESSAGE_DEPTH_MAX, 2000};
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		json_t *value = nest("inside", levels[i]);
		int rc = encode(&bytes, &everything_choices_type, value, &arena, &error);
		assert_int_equal(rc, levels[i] < BRINE_MESSAGE_DEPTH_MAX ? 0 : BRINE_ERR_DEPTH);
		json_decref(value);
		value = json_pack("{s: o}", "value", nest("a", levels[i]));
		rc = encode(&bytes, &everything_bare_value_type, value, &arena, &error);
		assert_int_equal(rc, levels[i] < BRINE_MESSAGE_DEPTH_MAX ? 0 : BRINE_ERR_DEPTH);
		json_decref(value);
		brine_arena_done(&arena);
		brine_buf_done(&bytes);
	}
}

/* ---- names ---- */

static void methods_and_messages_have_short_names(void **state)
{
	(void)state;
	static const char *const import_dirs[] = {BRINE_GOLDEN, BRINE_PROTOS};
	static const struct {
		const char *name, *found, *text;
	} rows[] = {
	        {"exchange.Exchange/Place", "exchange.Exchange/Place", NULL},
	        {"exchange.Exchange.Place", "exchange.Exchange/Place", NULL},
	        {"Exchange/Place", "exchange.Exchange/Place", NULL},
	        {"Exchange.Place", "exchange.Exchange/Place", NULL},
	        {"Place", "exchange.Exchange/Place", NULL},
	        {"lace", NULL, "no method lace; it has exchange.Exchange/Cancel"},
	        {"place", NULL, "no method"},
	        {"", NULL, "no method"},
	        {"\x1b[2J", NULL, "\\x1b[2J"},
	};
	struct brine_error error = BRINE_ERROR_INIT;
	struct inspect_schema *schema = inspect_schema_new(NULL);
	assert_int_equal(inspect_schema_load(schema, BRINE_PROTOS "/exchange.proto", import_dirs, 2, &error), 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct brine_method *method = inspect_lookup_method(schema, rows[i].name, &error);
		assert_int_equal(method != NULL, rows[i].found != NULL);
		if (method)
			assert_string_equal(method->name, rows[i].found);
		else if (!strstr(error.text, rows[i].text))
			fail_msg("%s: %s", rows[i].name, error.text);
	}
	assert_string_equal(inspect_lookup_type(schema, "Rejection", &error)->name, "exchange.Rejection");
	assert_string_equal(inspect_lookup_type(schema, "exchange.Order", &error)->name, "exchange.Order");
	assert_null(inspect_lookup_type(schema, "TagsEntry", &error));
	assert_int_equal(error.code, BRINE_ERR_NOT_FOUND);
	/* The same schema again changes nothing; another with the same short name does. */
	assert_int_equal(inspect_schema_load(schema, BRINE_PROTOS "/exchange.proto", import_dirs, 2, &error), 0);
	assert_non_null(inspect_lookup_method(schema, "Place", &error));
	assert_int_equal(inspect_schema_load(schema, BRINE_CALL "/twice.proto", import_dirs, 2, &error), 0);
	assert_null(inspect_lookup_method(schema, "Place", &error));
	assert_int_equal(error.code, BRINE_ERR_EXISTS);
	assert_non_null(strstr(error.text, "2 methods: exchange.Exchange/Place, twice.Other/Place"));
	assert_string_equal(inspect_lookup_method(schema, "Other/Place", &error)->name, "other_place");
	inspect_schema_free(schema);
}

/* ---- memory ---- */

static struct fail_allocator json_memory;

static void *json_malloc(size_t size)
{
	size_t *block = fail_allocator_resize(&json_memory, NULL, 0, size + sizeof(max_align_t));
	if (!block)
		return NULL;
	*block = size + sizeof(max_align_t);
	return (char *)block + sizeof(max_align_t);
}

static void json_free(void *memory)
{
	if (memory) {
		size_t *block = (size_t *)(void *)((char *)memory - sizeof(max_align_t));
		fail_allocator_resize(&json_memory, block, *block, 0);
	}
}

/* Text to bytes and back to text, with and without a schema. 0 or BRINE_ERR_NOMEM. */
static int whole_way(const struct brine_allocator *allocator)
{
	static const char text[] =
	        "{\"text_to_text\": {\"a\": \"b\"}, \"s64\": {\"5\": \"AAE=\"}, \"value\": {\"x\": [1, {\"$bin\": "
	        "\"AA==\"}, {\"$map\": [[1, {\"$ext\": [1, \"AA==\"]}]]}, 1.5, {\"$int\": \"5\"}]}}";
	struct brine_arena arena;
	struct brine_buf typed, untyped;
	struct brine_error error = BRINE_ERROR_INIT;
	struct inspect_line line;
	brine_arena_init(&arena, allocator, 0);
	brine_buf_init(&typed, allocator);
	brine_buf_init(&untyped, allocator);
	inspect_line_init(&line, allocator);
	json_t *value = inspect_json_parse(bytes_of(text), &error);
	int rc = value ? encode(&typed, &everything_maps_type, value, &arena, &error) : error.code;
	if (rc == 0)
		rc = inspect_json_pack(&untyped, value, 28, &error);
	if (rc == 0) {
		json_t *shown = inspect_json_value(brine_buf_bytes(&untyped), false);
		inspect_json_print(&line, shown, false);
		json_decref(shown);
		shown = inspect_template(&everything_maps_type);
		inspect_json_print(&line, shown, true);
		json_decref(shown);
		rc = line.status;
	}
	json_decref(value);
	inspect_line_done(&line);
	brine_buf_done(&typed);
	brine_buf_done(&untyped);
	brine_arena_done(&arena);
	return rc;
}

static void memory_runs_out_at_every_allocation(void **state)
{
	(void)state;
	struct fail_allocator ours;
	uint64_t failures[2] = {0, 0};
	json_set_alloc_funcs(json_malloc, json_free);
	for (int of_json = 0; of_json < 2; of_json++) {
		for (uint64_t at = 1;; at++) {
			fail_allocator_init(&ours, of_json ? 0 : at, at % 2);
			fail_allocator_init(&json_memory, of_json ? at : 0, at % 2);
			int rc = whole_way(&ours.base);
			assert_int_equal(ours.held, 0);
			if (json_memory.held)
				fail_msg("allocation %d.%d holds %zu", of_json, (int)at, json_memory.held);
			if (ours.failures + json_memory.failures == 0) {
				assert_int_equal(rc, 0);
				break;
			}
			/* A map that lacked memory as an object may have had it as pairs; and jansson calls a token
			 * for which it has no memory invalid. */
			bool is_told = rc == BRINE_ERR_NOMEM || (of_json && (rc == 0 || rc == BRINE_ERR_MALFORMED));
			if (!is_told)
				fail_msg("allocation %d.%d: %d", of_json, (int)at, rc);
			failures[of_json] += rc == BRINE_ERR_NOMEM;
		}
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(failures[0] >= 5);
	assert_true(failures[1] > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(messages_come_back_as_they_were),
	        cmocka_unit_test(templates_are_taken),
	        cmocka_unit_test(json_of_every_kind_is_read),
	        cmocka_unit_test(json_that_does_not_fit_is_named),
	        cmocka_unit_test(messages_within_messages_have_an_end),
	        cmocka_unit_test(methods_and_messages_have_short_names),
	        cmocka_unit_test(memory_runs_out_at_every_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
