#include "compiler/options.h"

#include "compiler/names.h"
#include "compiler/wire.h"

/* The number of every extension in proto/brine/options.proto. */
enum { BRINE_EXTENSION = 50830 };

enum option_kind {
	OPTION_NUMBER, /* uint64_t */
	OPTION_SIGNED, /* int64_t, and a bool behind `present` */
	OPTION_FLAG,   /* bool */
	OPTION_NAME,   /* const char *, an identifier for C */
	OPTION_TEXT,   /* const char * */
};

/* Where one field of an options message goes in the struct of its declaration. */
struct option {
	uint32_t number;
	enum option_kind kind;
	size_t offset, present;
};

struct option_set {
	const char *name; /* "(brine.message)" */
	const struct option *own;
	size_t own_count;
	struct option standard; /* number 0: none */
};

static const char *read_option_text(struct schema *schema, const struct schema_decl *decl, const struct option_set *set,
                                    const struct option *option, struct brine_bytes bytes)
{
	const char *text = schema_copy(schema, bytes);
	if (strlen(text) != bytes.size && schema->status == 0)
		schema->status = BRINE_ERR_MALFORMED;
	if (option->kind == OPTION_NAME && !names_is_identifier(text, bytes.size, false))
		schema_fault(schema, decl, SCHEMA_WHOLE,
		             "option %s: \"%s\" is no name for C: letters, digits and _, a letter first, at most %d",
		             set->name, schema_quote(schema, text), SCHEMA_NAME_SIZE_MAX);
	return text;
}

static void store(struct schema *schema, struct schema_decl *decl, const struct option_set *set,
                  const struct option *option, const struct wire_field *field, void *object)
{
	char *base = object;
	bool is_text = option->kind == OPTION_NAME || option->kind == OPTION_TEXT;
	if (field->type != (is_text ? WIRE_BYTES : WIRE_VARINT)) {
		schema_fault(schema, decl, SCHEMA_WHOLE, "option %s: field %u has the wrong type", set->name,
		             field->number);
		return;
	}
	switch (option->kind) {
	case OPTION_NUMBER: *(uint64_t *)(void *)(base + option->offset) = field->value; break;
	case OPTION_FLAG: *(bool *)(base + option->offset) = field->value != 0; break;
	case OPTION_SIGNED:
		*(int64_t *)(void *)(base + option->offset) = (int64_t)field->value;
		*(bool *)(base + option->present) = true;
		break;
	case OPTION_NAME:
	case OPTION_TEXT:
		*(const char **)(void *)(base + option->offset) =
		        read_option_text(schema, decl, set, option, field->bytes);
		break;
	}
}

static void read_own(struct schema *schema, struct schema_decl *decl, const struct option_set *set,
                     struct brine_bytes bytes, void *object)
{
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (schema->status == 0 && wire_next(&reader, &field)) {
		const struct option *option = NULL;
		for (size_t i = 0; i < set->own_count; i++)
			if (set->own[i].number == field.number)
				option = &set->own[i];
		if (option)
			store(schema, decl, set, option, &field, object);
		else
			schema_fault(schema, decl, SCHEMA_WHOLE,
			             "option %s: field %u is unknown to this protoc-gen-brine, which is older than its "
			             "brine/options.proto",
			             set->name, field.number);
	}
	if (reader.bad)
		schema->status = BRINE_ERR_MALFORMED;
}

/* protoc writes each option statement as an extension of its own, so that one number comes several times. */
static void read_set(struct schema *schema, struct schema_decl *decl, const struct option_set *set,
                     struct brine_bytes bytes, void *object)
{
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (schema->status == 0 && wire_next(&reader, &field)) {
		if (field.number == BRINE_EXTENSION && field.type == WIRE_BYTES)
			read_own(schema, decl, set, field.bytes, object);
		else if (set->standard.number == field.number)
			store(schema, decl, set, &set->standard, &field, object);
	}
	if (reader.bad)
		schema->status = BRINE_ERR_MALFORMED;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

void options_file(struct schema *schema, struct schema_file *file, struct brine_bytes bytes)
{
	static const struct option own[] = {{1, OPTION_NAME, offsetof(struct schema_file, prefix_option), 0}};
	static const struct option_set set = {"(brine.file)", own, COUNT(own), {0}};
	read_set(schema, &file->decl, &set, bytes, file);
}

void options_message(struct schema *schema, struct schema_message *message, struct brine_bytes bytes)
{
	static const struct option own[] = {
	        {1, OPTION_NUMBER, offsetof(struct schema_message, layout), 0},
	        {2, OPTION_NAME, offsetof(struct schema_message, decl.c_option), 0},
	        {3, OPTION_NUMBER, offsetof(struct schema_message, field_number_max), 0},
	};
	static const struct option_set set = {
	        "(brine.message)", own, COUNT(own), {7, OPTION_FLAG, offsetof(struct schema_message, is_entry), 0}};
	read_set(schema, &message->decl, &set, bytes, message);
}

void options_field(struct schema *schema, struct schema_field *field, struct brine_bytes bytes)
{
	static const struct option own[] = {
	        {1, OPTION_SIGNED, offsetof(struct schema_field, ext), offsetof(struct schema_field, has_ext)},
	        {2, OPTION_NUMBER, offsetof(struct schema_field, max), 0},
	        {3, OPTION_FLAG, offsetof(struct schema_field, finite), 0},
	        {4, OPTION_FLAG, offsetof(struct schema_field, closed), 0},
	        {5, OPTION_NAME, offsetof(struct schema_field, decl.c_option), 0},
	        {6, OPTION_FLAG, offsetof(struct schema_field, any_bytes), 0},
	        {7, OPTION_FLAG, offsetof(struct schema_field, embed), 0},
	};
	static const struct option_set set = {"(brine.field)", own, COUNT(own), {0}};
	read_set(schema, &field->decl, &set, bytes, field);
}

void options_oneof(struct schema *schema, struct schema_oneof *oneof, struct brine_bytes bytes)
{
	static const struct option own[] = {{1, OPTION_NAME, offsetof(struct schema_oneof, decl.c_option), 0}};
	static const struct option_set set = {"(brine.oneof)", own, COUNT(own), {0}};
	read_set(schema, &oneof->decl, &set, bytes, oneof);
}

void options_enum(struct schema *schema, struct schema_enum *enumeration, struct brine_bytes bytes)
{
	static const struct option own[] = {{1, OPTION_NAME, offsetof(struct schema_enum, decl.c_option), 0}};
	static const struct option_set set = {
	        "(brine.enum)", own, COUNT(own), {2, OPTION_FLAG, offsetof(struct schema_enum, allow_alias), 0}};
	read_set(schema, &enumeration->decl, &set, bytes, enumeration);
}

void options_enum_value(struct schema *schema, struct schema_enum_value *value, struct brine_bytes bytes)
{
	static const struct option own[] = {{1, OPTION_NAME, offsetof(struct schema_enum_value, decl.c_option), 0}};
	static const struct option_set set = {"(brine.enum_value)", own, COUNT(own), {0}};
	read_set(schema, &value->decl, &set, bytes, value);
}

void options_service(struct schema *schema, struct schema_service *service, struct brine_bytes bytes)
{
	static const struct option own[] = {{1, OPTION_NAME, offsetof(struct schema_service, decl.c_option), 0}};
	static const struct option_set set = {"(brine.service)", own, COUNT(own), {0}};
	read_set(schema, &service->decl, &set, bytes, service);
}

void options_method(struct schema *schema, struct schema_method *method, struct brine_bytes bytes)
{
	static const struct option own[] = {
	        {1, OPTION_TEXT, offsetof(struct schema_method, wire_name), 0},
	        {2, OPTION_FLAG, offsetof(struct schema_method, blocking), 0},
	        {3, OPTION_NAME, offsetof(struct schema_method, decl.c_option), 0},
	};
	static const struct option_set set = {
	        "(brine.method)", own, COUNT(own), {34, OPTION_NUMBER, offsetof(struct schema_method, idempotency), 0}};
	read_set(schema, &method->decl, &set, bytes, method);
}
