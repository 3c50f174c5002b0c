/* Type names to pointers, and what each field is in C. */
#include "compiler/schema.h"

#include <stdlib.h>

/* What has a full name: a type, or a service, which shares its names with types. */
struct named_type {
	const char *name;
	const struct schema_decl *decl;
	struct schema_message *message;
	struct schema_enum *enumeration;
	size_t order; /* makes the sorted order one and only */
};

static int compare_types(const void *left, const void *right)
{
	const struct named_type *a = left, *b = right;
	int order = strcmp(a->name, b->name);
	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

static void index_type(struct schema *schema, const struct schema_decl *decl, struct schema_message *message,
                       struct schema_enum *enumeration)
{
	schema->types[schema->type_count] =
	        (struct named_type){decl->full_name, decl, message, enumeration, schema->type_count};
	schema->type_count++;
}

static void add_types(struct schema *schema, struct schema_file *file)
{
	for (size_t i = 0; i < file->message_count; i++)
		index_type(schema, &file->messages[i]->decl, file->messages[i], NULL);
	for (size_t i = 0; i < file->enum_count; i++)
		index_type(schema, &file->enums[i]->decl, NULL, file->enums[i]);
	for (size_t i = 0; i < file->service_count; i++)
		index_type(schema, &file->services[i].decl, NULL, NULL);
}

static void build_index(struct schema *schema)
{
	size_t count = 0;
	for (size_t i = 0; i < schema->file_count; i++)
		count += schema->files[i].message_count + schema->files[i].enum_count + schema->files[i].service_count;
	schema->types = schema_alloc(schema, count, sizeof schema->types[0]);
	if (!schema->types)
		return;
	for (size_t i = 0; i < schema->file_count; i++)
		add_types(schema, &schema->files[i]);
	qsort(schema->types, count, sizeof schema->types[0], compare_types);
	for (size_t i = 1; i < count; i++) {
		const struct schema_decl *first = schema->types[i - 1].decl, *second = schema->types[i].decl;
		if (strcmp(first->full_name, second->full_name) == 0)
			schema_fault(schema, second, SCHEMA_NAME, "\"%s\" is defined already (%s)",
			             schema_quote(schema, second->full_name), schema_place(schema, first, SCHEMA_NAME));
	}
}

static const struct named_type *find_type(const struct schema *schema, const char *full_name)
{
	size_t low = 0, high = schema->type_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(schema->types[middle].name, full_name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < schema->type_count && strcmp(schema->types[low].name, full_name) == 0;
	return found ? &schema->types[low] : NULL;
}

struct schema_message *schema_find_message(const struct schema *schema, const char *full_name)
{
	const struct named_type *type = find_type(schema, full_name);
	return type ? type->message : NULL;
}

/* What could explain that a type is unknown to a file: ": FILE is not there", or "". */
static const char *missing_import(struct schema *schema, const struct schema_file *file)
{
	const struct schema_file *importer = file->missing ? file : schema->incomplete;
	if (!importer)
		return "";
	return schema_printf(schema, ": \"%s\", which %s imports, is not there (protoc --include_imports adds it)",
	                     schema_quote(schema, importer->missing), schema_quote(schema, importer->decl.name));
}

/* name: with the leading dot that protoc gives every resolved name. */
static const struct named_type *need_type(struct schema *schema, const struct schema_decl *decl, int32_t which,
                                          const char *name)
{
	const struct named_type *type = name && name[0] == '.' ? find_type(schema, name + 1) : NULL;
	if (!type)
		schema_fault(schema, decl, which, "type \"%s\" of %s \"%s\" is unknown%s",
		             schema_quote(schema, name ? name : ""), decl->kind, schema_quote(schema, decl->name),
		             missing_import(schema, decl->file));
	else if (!type->message && !type->enumeration)
		schema_fault(schema, decl, which, "\"%s\" is a %s, not a type", schema_quote(schema, name + 1),
		             type->decl->kind);
	else if (!type->decl->file->usable)
		schema_fault(schema, decl, which, "type \"%s\" comes from %s, which is not proto3",
		             schema_quote(schema, name + 1), schema_quote(schema, type->decl->file->decl.name));
	else
		return type;
	return NULL;
}

/* The types with a form of their own; 0 for every other. */
static enum brine_kind special_kind(const char *full_name)
{
	if (strcmp(full_name, "google.protobuf.Timestamp") == 0)
		return BRINE_KIND_TIMESTAMP;
	if (strcmp(full_name, "brine.Value") == 0)
		return BRINE_KIND_VALUE;
	return 0;
}

enum { PROTO_GROUP = 10, PROTO_MESSAGE = 11, PROTO_ENUM = 14, PROTO_TYPES = 19 };

static void resolve_kind(struct schema *schema, struct schema_field *field)
{
	static const uint8_t kinds[PROTO_TYPES] = {
	        [1] = BRINE_KIND_DOUBLE, [2] = BRINE_KIND_FLOAT,    [3] = BRINE_KIND_INT64,  [4] = BRINE_KIND_UINT64,
	        [5] = BRINE_KIND_INT32,  [6] = BRINE_KIND_UINT64,   [7] = BRINE_KIND_UINT32, [8] = BRINE_KIND_BOOL,
	        [9] = BRINE_KIND_STRING, [11] = BRINE_KIND_MESSAGE, [12] = BRINE_KIND_BYTES, [13] = BRINE_KIND_UINT32,
	        [14] = BRINE_KIND_ENUM,  [15] = BRINE_KIND_INT32,   [16] = BRINE_KIND_INT64, [17] = BRINE_KIND_INT32,
	        [18] = BRINE_KIND_INT64,
	};
	enum brine_kind kind = field->proto_type < PROTO_TYPES ? kinds[field->proto_type] : 0;
	if (!kind) {
		schema_fault(schema, &field->decl, SCHEMA_WHOLE, "field \"%s\" is %s, which is not proto3",
		             schema_quote(schema, field->decl.name),
		             field->proto_type == PROTO_GROUP ? "a group" : "of an unknown type");
		return;
	}
	if (kind == BRINE_KIND_MESSAGE || kind == BRINE_KIND_ENUM) {
		const struct named_type *type = need_type(schema, &field->decl, SCHEMA_FIELD_TYPE, field->type_name);
		if (!type)
			return;
		if ((kind == BRINE_KIND_ENUM) != (type->enumeration != NULL)) {
			schema_fault(schema, &field->decl, SCHEMA_FIELD_TYPE, "\"%s\" is %s",
			             schema_quote(schema, field->type_name + 1),
			             type->enumeration ? "an enum, not a message" : "a message, not an enum");
			return;
		}
		field->enumeration = type->enumeration;
		field->type = type->message;
		if (type->message && special_kind(type->name)) {
			kind = special_kind(type->name);
			field->type = NULL;
		}
	}
	field->kind = kind;
}

enum { LABEL_OPTIONAL = 1, LABEL_REQUIRED = 2, LABEL_REPEATED = 3 };

/* The oneof a field is a member of; NULL also after a fault. */
static struct schema_oneof *find_oneof(struct schema *schema, struct schema_field *field)
{
	struct schema_message *message = field->message;
	if (field->oneof_index < 0 || (uint64_t)field->oneof_index >= message->oneof_count ||
	    field->proto_label == LABEL_REPEATED) {
		schema_fault(schema, &field->decl, SCHEMA_WHOLE, "field \"%s\" cannot be in its oneof",
		             schema_quote(schema, field->decl.name));
		return NULL;
	}
	struct schema_oneof *oneof = &message->oneofs[field->oneof_index];
	oneof->member_count++;
	oneof->synthetic |= field->proto3_optional;
	if (oneof->synthetic && oneof->member_count > 1)
		schema_fault(schema, &field->decl, SCHEMA_WHOLE, "optional field \"%s\" shares its oneof",
		             schema_quote(schema, field->decl.name));
	return oneof;
}

static enum brine_shape singular_shape(const struct schema_field *field)
{
	if (field->message->is_entry || field->kind == BRINE_KIND_VALUE)
		return BRINE_SHAPE_SINGLE;
	if (field->kind == BRINE_KIND_MESSAGE)
		return field->embed ? BRINE_SHAPE_SINGLE : BRINE_SHAPE_POINTER;
	return field->kind == BRINE_KIND_TIMESTAMP || field->proto3_optional ? BRINE_SHAPE_OPTIONAL
	                                                                     : BRINE_SHAPE_SINGLE;
}

static void resolve_shape(struct schema *schema, struct schema_field *field)
{
	bool is_map = field->type && field->type->is_entry;
	const char *name = schema_quote(schema, field->decl.name);
	if (field->proto_label == LABEL_REQUIRED)
		schema_fault(schema, &field->decl, SCHEMA_WHOLE, "field \"%s\" is required, which is not proto3", name);
	else if (field->proto_label != LABEL_OPTIONAL && field->proto_label != LABEL_REPEATED)
		schema_fault(schema, &field->decl, SCHEMA_WHOLE, "field \"%s\" has no label", name);
	if (field->has_default)
		schema_fault(schema, &field->decl, SCHEMA_WHOLE, "field \"%s\" has a default, which is not proto3",
		             name);
	if (is_map &&
	    (field->proto_label != LABEL_REPEATED || field->type->outer != field->message || field->type->entry_of)) {
		schema_fault(schema, &field->decl, SCHEMA_FIELD_TYPE, "field \"%s\" uses the entries of a map", name);
		return;
	}
	if (is_map)
		field->type->entry_of = field;
	field->shape = is_map                                 ? BRINE_SHAPE_MAP
	               : field->proto_label == LABEL_REPEATED ? BRINE_SHAPE_REPEATED
	                                                      : singular_shape(field);
	if (field->oneof_index == -1)
		return;
	struct schema_oneof *oneof = find_oneof(schema, field);
	if (oneof && !oneof->synthetic) {
		field->oneof = oneof;
		field->shape = BRINE_SHAPE_ONEOF;
	}
}

static void resolve_message(struct schema *schema, struct schema_message *message)
{
	for (size_t i = 0; i < message->field_count; i++) {
		resolve_kind(schema, &message->fields[i]);
		resolve_shape(schema, &message->fields[i]);
	}
	for (size_t i = 0; i < message->oneof_count; i++)
		if (message->oneofs[i].member_count == 0)
			schema_fault(schema, &message->oneofs[i].decl, SCHEMA_NAME, "oneof \"%s\" has no fields",
			             schema_quote(schema, message->oneofs[i].decl.name));
}

static struct schema_message *resolve_method_type(struct schema *schema, struct schema_method *method, int32_t which,
                                                  const char *name)
{
	const struct named_type *type = need_type(schema, &method->decl, which, name);
	if (!type)
		return NULL;
	if (!type->message || type->message->is_entry || special_kind(type->name)) {
		schema_fault(schema, &method->decl, which, "\"%s\" cannot be the %s of a method: put it in a message",
		             schema_quote(schema, name + 1), which == SCHEMA_INPUT ? "request" : "response");
		return NULL;
	}
	return type->message;
}

static void resolve_service(struct schema *schema, struct schema_service *service)
{
	for (size_t i = 0; i < service->method_count; i++) {
		struct schema_method *method = &service->methods[i];
		method->input = resolve_method_type(schema, method, SCHEMA_INPUT, method->input_name);
		method->output = resolve_method_type(schema, method, SCHEMA_OUTPUT, method->output_name);
	}
}

void resolve_types(struct schema *schema)
{
	build_index(schema);
	for (size_t i = 0; i < schema->file_count && schema->status == 0; i++) {
		struct schema_file *file = &schema->files[i];
		if (!file->usable)
			continue;
		for (size_t j = 0; j < file->message_count; j++)
			resolve_message(schema, file->messages[j]);
		for (size_t j = 0; j < file->service_count; j++)
			resolve_service(schema, &file->services[j]);
	}
}
