/* Holds for any bytes as a descriptor set: they are a schema or an error, the same whatever the order of the files; the
 * structs of a schema have room for each of their fields, apart from all others; what describes them, shows them and
 * makes them empty has no control characters. The first byte is the size of a message, which comes next and is read as
 * the request of each method; the set is the rest. */
#include "support.h"

#include "fuzz.h"

#include "codec/desc.h"
#include "compiler/wire.h"
#include "inspect/describe.h"
#include "inspect/schema.h"
#include "inspect/template.h"
#include "inspect/typed.h"

enum {
	SET_FILE = 1,
	METHODS_MOST = 8, /* that are shown whole: the others are described */
	ONEOF_SIZE = 16,
	PAINTED_MOST = 1 << 16, /* larger structs are not looked at byte by byte */
};

/* What a schema says of itself: its error, else its methods and types. */
struct said {
	int status;
	struct brine_error error;
	struct brine_buf text;
};

static void check_printable(struct brine_bytes text)
{
	const uint8_t *bytes = text.data;
	for (size_t i = 0; i < text.size; i++)
		HOLDS(bytes[i] == '\n' || (bytes[i] >= 0x20 && bytes[i] != 0x7f));
}

/* Takes bytes of a struct that no other field has. */
static void paint(uint8_t *taken, const struct brine_type *type, size_t offset, size_t size)
{
	HOLDS(offset <= type->size && size <= type->size - offset);
	for (size_t i = 0; i < size; i++)
		HOLDS(!taken[offset + i]);
	memset(taken + offset, 1, size);
}

static void paint_field(uint8_t *taken, const struct brine_type *type, const struct brine_field *field)
{
	size_t size = brine_field_value_size(field);
	switch (field->shape) {
	case BRINE_SHAPE_POINTER: size = sizeof(void *); break;
	case BRINE_SHAPE_OPTIONAL: paint(taken, type, field->aux, sizeof(bool)); break;
	case BRINE_SHAPE_REPEATED:
	case BRINE_SHAPE_MAP:
		size = sizeof(void *);
		paint(taken, type, field->aux, sizeof(size_t));
		break;
	case BRINE_SHAPE_ONEOF:
		size = field->kind == BRINE_KIND_MESSAGE ? sizeof(void *) : size;
		HOLDS(size <= ONEOF_SIZE && field->aux == field->offset + ONEOF_SIZE);
		/* Its members have the same place. */
		if (taken[field->aux] == 2)
			return;
		size = ONEOF_SIZE;
		paint(taken, type, field->aux, sizeof(int32_t));
		taken[field->aux] = 2;
		break;
	default: break;
	}
	paint(taken, type, field->offset, size);
}

static void check_struct(const struct brine_type *type)
{
	struct brine_error error = BRINE_ERROR_INIT;
	/* Numbers of layout MAP do not travel and may be larger than tables by hand have them. */
	HOLDS(type->size > 0 && (brine_type_check(type, &error) == 0 || strstr(error.text, "its number is not")));
	if (type->size > PAINTED_MOST)
		return;
	uint8_t *taken = calloc(type->size, 1);
	HOLDS(taken);
	for (uint32_t i = 0; i < type->field_count; i++)
		paint_field(taken, type, &type->fields[i]);
	free(taken);
}

static void show_template(struct inspect_line *line, const struct brine_type *type)
{
	json_t *template = inspect_template(type);
	char *dumped = template ? json_dumps(template, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	HOLDS(dumped);
	inspect_line_text(line, dumped);
	free(dumped);
	json_decref(template);
}

static void show_message(struct inspect_line *line, const struct brine_type *type, struct brine_bytes bytes)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	arena.budget = 2 * type->size + (1 << 16);
	void *message = brine_arena_alloc(&arena, type->size);
	HOLDS(message);
	if (brine_loads(message, type, bytes, &arena, &error) < 0) {
		inspect_line_text(line, error.text);
	} else {
		inspect_typed_text(line, type, message);
		json_t *value = inspect_typed_json(type, message);
		HOLDS(value);
		json_decref(value);
	}
	brine_arena_done(&arena);
}

static void show_schema(struct inspect_line *line, const struct inspect_schema *schema, struct brine_bytes message)
{
	const struct inspect_method *method;
	const struct brine_type *type;
	for (size_t i = 0; (type = inspect_schema_type_at(schema, i)) != NULL; i++) {
		check_struct(type);
		inspect_describe_type(line, type);
	}
	for (size_t i = 0; (method = inspect_schema_method_at(schema, i)) != NULL; i++) {
		const char *name = method->method->name;
		HOLDS(inspect_schema_method(schema, BRINE_BYTES(name, strlen(name))) != NULL);
		inspect_describe_method(line, method);
		if (i >= METHODS_MOST)
			continue;
		show_template(line, method->method->response);
		show_message(line, method->method->request, message);
	}
}

static struct said load_set(struct brine_bytes set, struct brine_bytes message)
{
	struct said said = {.error = BRINE_ERROR_INIT};
	struct inspect_schema *schema = inspect_schema_new(NULL);
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	said.status = inspect_schema_add(schema, set, "set", &said.error);
	HOLDS(said.status == 0 || said.status == BRINE_ERR_SCHEMA || said.status == BRINE_ERR_NOMEM);
	HOLDS(said.status == said.error.code && (said.status == 0 || said.error.text[0]));
	if (said.status == 0)
		show_schema(&line, schema, message);
	HOLDS(line.status == 0);
	check_printable(BRINE_BYTES(said.error.text, strlen(said.error.text)));
	check_printable(brine_buf_bytes(&line.text));
	said.text = line.text;
	brine_buf_done(&line.scratch);
	inspect_schema_free(schema);
	return said;
}

/* The files of a set in reversed order, without anything else. */
static struct brine_buf reverse(struct brine_bytes set)
{
	struct brine_buf reversed = BRINE_BUF_INIT;
	for (size_t left = wire_count(set, SET_FILE); left > 0; left--) {
		struct wire_reader reader = wire_open(set);
		struct wire_field field;
		for (size_t i = 0; i < left && wire_next(&reader, &field);)
			i += field.number == SET_FILE && field.type == WIRE_BYTES;
		HOLDS(wire_put_bytes(&reversed, SET_FILE, field.bytes) == 0);
	}
	return reversed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size - 1 < data[0])
		return 0;
	struct brine_bytes message = {data + 1, data[0]}, set = {data + 1 + data[0], size - 1 - data[0]};
	struct brine_buf reversed = reverse(set);
	struct said one = load_set(set, message), other = load_set(brine_buf_bytes(&reversed), message);
	/* Places of bad bytes differ, and memory that is limited by the size of the set. */
	bool same = one.status != BRINE_ERR_NOMEM && other.status != BRINE_ERR_NOMEM &&
	            !strstr(one.error.text, "is no descriptor set");
	if (same) {
		struct brine_bytes a = brine_buf_bytes(&one.text), b = brine_buf_bytes(&other.text);
		HOLDS(one.status == other.status && strcmp(one.error.text, other.error.text) == 0);
		HOLDS(a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0));
	}
	brine_buf_done(&one.text);
	brine_buf_done(&other.text);
	brine_buf_done(&reversed);
	return 0;
}
