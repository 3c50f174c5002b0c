/* Proves that tables made at run time say the same as generated ones: for every method, and every type it leads to. */
#include "support.h"

#include "everything.brine.h"
#include "inspect/protoc.h"

#include <brine/codec.h>

enum { TYPES_MOST = 256 };

struct compared {
	const struct brine_type *types[TYPES_MOST];
	size_t count;
};

static bool is_compared(struct compared *compared, const struct brine_type *type)
{
	for (size_t i = 0; i < compared->count; i++) {
		if (compared->types[i] == type)
			return true;
	}
	assert_true(compared->count < TYPES_MOST);
	compared->types[compared->count++] = type;
	return false;
}

static void compare_enums(const struct brine_enum *made, const struct brine_enum *generated)
{
	assert_int_equal(made != NULL, generated != NULL);
	if (!made)
		return;
	assert_string_equal(made->name, generated->name);
	assert_int_equal(made->value_count, generated->value_count);
	for (uint32_t i = 0; i < made->value_count; i++) {
		assert_string_equal(made->values[i].name, generated->values[i].name);
		assert_int_equal(made->values[i].number, generated->values[i].number);
	}
}

static void compare_types(struct compared *compared, const struct brine_type *made, const struct brine_type *generated)
{
	struct brine_error error = BRINE_ERROR_INIT;
	if (is_compared(compared, generated))
		return;
	if (brine_type_check(made, &error) < 0)
		fail_msg("%s: %s", made->name, error.text);
	assert_string_equal(made->name, generated->name);
	assert_int_equal(made->layout, generated->layout);
	assert_int_equal(made->field_count, generated->field_count);
	for (uint32_t i = 0; i < made->field_count; i++) {
		const struct brine_field *a = &made->fields[i], *b = &generated->fields[i];
		assert_string_equal(a->name, b->name);
		assert_int_equal(a->number, b->number);
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->shape, b->shape);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->ext, b->ext);
		assert_int_equal(a->limit, b->limit);
		compare_enums(a->enumeration, b->enumeration);
		assert_int_equal(a->type != NULL, b->type != NULL);
		if (a->type)
			compare_types(compared, a->type, b->type);
	}
}

static struct inspect_schema *load(const char *path)
{
	static const char *const import_dirs[] = {BRINE_GOLDEN, BRINE_PROTOS};
	struct brine_error error = BRINE_ERROR_INIT;
	struct inspect_schema *schema = inspect_schema_new(NULL);
	assert_non_null(schema);
	if (inspect_schema_load(schema, path, import_dirs, 2, &error) < 0)
		fail_msg("%s", error.text);
	return schema;
}

static void made_tables_equal_generated_ones(void **state)
{
	(void)state;
	static const struct brine_service *const services[] = {&everything_service, &everything_second_service,
	                                                       &everything_only_streams_service,
	                                                       &everything_nothing_service};
	struct inspect_schema *schema = load(BRINE_GOLDEN "/everything.proto");
	struct compared compared = {.count = 0};
	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
		for (uint32_t j = 0; j < services[i]->method_count; j++) {
			const struct brine_method *generated = &services[i]->methods[j];
			const struct brine_method *made =
			        inspect_schema_method(schema, BRINE_BYTES(generated->name, strlen(generated->name)));
			if (!made)
				fail_msg("no method %s", generated->name);
			assert_int_equal(made->flags, generated->flags);
			compare_types(&compared, made->request, generated->request);
			compare_types(&compared, made->response, generated->response);
		}
	}
	assert_true(compared.count >= 4);
	inspect_schema_free(schema);
}

/* Types that no method of that schema leads to, through a service made for them. */
static void every_kind_of_field_is_laid_out(void **state)
{
	(void)state;
	static const struct brine_type *const types[] = {
	        &everything_scalars_type,      &everything_optionals_type,
	        &everything_repeats_type,      &everything_maps_type,
	        &everything_choices_type,      &everything_order_type,
	        &everything_order_nested_type, &everything_order_nested_deeper_type,
	        &everything_dictionary_type,   &everything_bare_number_type,
	        &everything_bare_list_type,    &everything_bare_map_type,
	        &everything_bare_value_type,   &everything_far_type,
	        &everything_limits_type,       &everything_moved_type,
	        &everything_empty_type,        &everything_from_elsewhere_type,
	};
	char path[] = "/tmp/brine-schema-XXXXXX";
	char file[sizeof path + 16];
	assert_non_null(mkdtemp(path));
	snprintf(file, sizeof file, "%s/every.proto", path);
	FILE *out = fopen(file, "w");
	assert_non_null(out);
	fprintf(out, "syntax = \"proto3\";\npackage every;\nimport \"everything.proto\";\nservice S {\n");
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		fprintf(out, "  rpc M%zu(%s) returns (%s);\n", i, types[i]->name, types[i]->name);
	fprintf(out, "}\n");
	assert_int_equal(fclose(out), 0);
	struct inspect_schema *schema = load(file);
	struct compared compared = {.count = 0};
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		char name[32];
		snprintf(name, sizeof name, "every.S/M%zu", i);
		const struct brine_method *made = inspect_schema_method(schema, BRINE_BYTES(name, strlen(name)));
		assert_non_null(made);
		compare_types(&compared, made->request, types[i]);
	}
	inspect_schema_free(schema);
	remove(file);
	remove(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(made_tables_equal_generated_ones),
	        cmocka_unit_test(every_kind_of_field_is_laid_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
