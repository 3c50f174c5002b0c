/* The rules of WIRE.md section 7, and those of the C output that are not about names in C. */
#include "compiler/names.h"
#include "compiler/schema.h"

#include "base/utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

/* Names that some systems take for devices, whatever follows their first dot. */
static bool is_device(const char *part, size_t size)
{
	static const char *const devices[] = {"con", "prn", "aux", "nul"};
	const char *dot = memchr(part, '.', size);
	size_t stem = dot ? (size_t)(dot - part) : size;
	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
		if (stem == 3 && strncasecmp(part, devices[i], 3) == 0)
			return true;
	return stem == 4 && (strncasecmp(part, "com", 3) == 0 || strncasecmp(part, "lpt", 3) == 0) &&
	       isdigit((unsigned char)part[3]);
}

static bool is_safe_part(const char *part, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.";
	return size > 0 && size <= SCHEMA_NAME_SIZE_MAX && strspn(part, allowed) >= size && part[0] != '-' &&
	       part[0] != '.' && part[size - 1] != '.' && !is_device(part, size);
}

/* The name decides what is written where: relative, nothing hidden, no way up. */
static bool is_safe_path(const char *path)
{
	if (strlen(path) > SCHEMA_PATH_SIZE_MAX)
		return false;
	for (const char *part = path;; part++) {
		size_t size = strcspn(part, "/");
		if (!is_safe_part(part, size))
			return false;
		part += size;
		if (*part == '\0')
			return true;
	}
}

static void check_package(struct schema *schema, const struct schema_file *file)
{
	const char *package = file->decl.full_name;
	bool good = strlen(package) <= SCHEMA_PATH_SIZE_MAX;
	for (const char *part = package; good && *package; part++) {
		size_t size = strcspn(part, ".");
		good = names_is_identifier(part, size, true);
		part += size;
		if (*part == '\0')
			break;
	}
	if (!good)
		schema_fault(schema, &file->decl, SCHEMA_PACKAGE, "\"%s\" is no name for a package",
		             schema_quote(schema, package));
}

static void check_file(struct schema *schema, const struct schema_file *file)
{
	if (!is_safe_path(file->decl.name))
		schema_fault(schema, NULL, SCHEMA_WHOLE,
		             "\"%s\" is no name for a file here: letters, digits and _ - + . in each part, which "
		             "begins with "
		             "none of - . and does not end with a dot, at most %d characters",
		             schema_quote(schema, file->decl.name), SCHEMA_NAME_SIZE_MAX);
	if (!file->usable)
		schema_fault(schema, &file->decl, SCHEMA_SYNTAX,
		             "syntax \"%s\" is not supported: write syntax = \"proto3\";",
		             schema_quote(schema, file->syntax[0] ? file->syntax : "proto2"));
}

static int compare_numbers(const void *left, const void *right)
{
	const struct schema_field *a = *(struct schema_field *const *)left, *b = *(struct schema_field *const *)right;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void check_number(struct schema *schema, const struct schema_field *field)
{
	const struct schema_message *message = field->message;
	int64_t most = message->field_number_max ? (int64_t)message->field_number_max : SCHEMA_FIELD_NUMBER_LEAST;
	const char *name = schema_quote(schema, field->decl.name);
	if (field->number < 1 || field->number > (1 << 29) - 1)
		schema_fault(schema, &field->decl, SCHEMA_FIELD_NUMBER,
		             "field \"%s\" has number %lld, which is not 1 to %d", name, (long long)field->number,
		             (1 << 29) - 1);
	else if (message->layout != BRINE_LAYOUT_MAP && field->number > most)
		schema_fault(schema, &field->decl, SCHEMA_FIELD_NUMBER,
		             "field \"%s\" has number %lld, over %lld: renumber it, write the message with option "
		             "(brine.message).layout = MAP, or raise (brine.message).field_number_max (at most %d)",
		             name, (long long)field->number, (long long)most, SCHEMA_FIELD_NUMBER_MAX);
}

static void check_numbers(struct schema *schema, struct schema_message *message)
{
	message->by_number = schema_alloc(schema, message->field_count, sizeof message->by_number[0]);
	if (!message->by_number)
		return;
	for (size_t i = 0; i < message->field_count; i++) {
		message->by_number[i] = &message->fields[i];
		check_number(schema, &message->fields[i]);
	}
	qsort(message->by_number, message->field_count, sizeof message->by_number[0], compare_numbers);
	for (size_t i = 1; i < message->field_count; i++) {
		const struct schema_field *first = message->by_number[i - 1], *second = message->by_number[i];
		if (first->number == second->number)
			schema_fault(schema, &second->decl, SCHEMA_FIELD_NUMBER,
			             "number %lld is taken by field \"%s\" (%s)", (long long)second->number,
			             schema_quote(schema, first->decl.name),
			             schema_place(schema, &first->decl, SCHEMA_FIELD_NUMBER));
	}
}

static bool is_integer_kind(enum brine_kind kind)
{
	return kind >= BRINE_KIND_INT8 && kind <= BRINE_KIND_UINT64;
}

/* The field that says what one value is: of a map the value. */
static const struct schema_field *value_field(const struct schema_field *field)
{
	return field->shape == BRINE_SHAPE_MAP && field->type->field_count == 2 ? &field->type->fields[1] : field;
}

static void check_field_options(struct schema *schema, const struct schema_field *field)
{
	enum brine_kind kind = value_field(field)->kind;
	bool counted = field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP;
	const struct schema_decl *decl = &field->decl;
	const char *name = schema_quote(schema, decl->name);
	if (field->has_ext && !is_integer_kind(kind))
		schema_fault(schema, decl, SCHEMA_WHOLE, "(brine.field).ext is for integers, and \"%s\" is none", name);
	else if (field->has_ext && (field->ext < 0 || field->ext > 127))
		schema_fault(schema, decl, SCHEMA_WHOLE,
		             "(brine.field).ext = %lld of \"%s\" is not 0 to 127 (MessagePack keeps the others)",
		             (long long)field->ext, name);
	if (field->max && !counted && kind != BRINE_KIND_STRING && kind != BRINE_KIND_BYTES)
		schema_fault(schema, decl, SCHEMA_WHOLE,
		             "(brine.field).max is for string, bytes, repeated and map, and \"%s\" is none of them",
		             name);
	else if (field->max > UINT32_MAX)
		schema_fault(schema, decl, SCHEMA_WHOLE, "(brine.field).max of \"%s\" is over %lu", name,
		             (unsigned long)UINT32_MAX);
	if (field->finite && kind != BRINE_KIND_FLOAT && kind != BRINE_KIND_DOUBLE)
		schema_fault(schema, decl, SCHEMA_WHOLE,
		             "(brine.field).finite is for float and double, and \"%s\" is neither", name);
	if (field->closed && kind != BRINE_KIND_ENUM)
		schema_fault(schema, decl, SCHEMA_WHOLE, "(brine.field).closed is for enums, and \"%s\" is none", name);
	if (field->any_bytes && kind != BRINE_KIND_STRING)
		schema_fault(schema, decl, SCHEMA_WHOLE, "(brine.field).any_bytes is for string, and \"%s\" is none",
		             name);
}

/* What protoc makes of map<K, V>; only a request of somebody else's can break it. */
static void check_entry(struct schema *schema, const struct schema_message *entry)
{
	const struct schema_field *key = entry->fields, *value = entry->fields + 1;
	bool good = entry->entry_of && entry->field_count == 2 && entry->oneof_count == 0 && key->number == 1 &&
	            value->number == 2 && strcmp(key->decl.name, "key") == 0 &&
	            strcmp(value->decl.name, "value") == 0 && key->shape == BRINE_SHAPE_SINGLE &&
	            value->shape == BRINE_SHAPE_SINGLE &&
	            (key->kind == BRINE_KIND_BOOL || key->kind == BRINE_KIND_STRING || is_integer_kind(key->kind)) &&
	            entry->layout == BRINE_LAYOUT_ARRAY;
	if (!good)
		schema_fault(schema, &entry->decl, SCHEMA_WHOLE, "\"%s\" is no map entry",
		             schema_quote(schema, entry->decl.full_name));
}

static void check_bare(struct schema *schema, const struct schema_message *message)
{
	const struct schema_field *field = message->fields;
	const char *name = schema_quote(schema, message->decl.name);
	if (message->field_count != 1)
		schema_fault(schema, &message->decl, SCHEMA_NAME,
		             "message \"%s\" has layout BARE and %zu fields, not one", name, message->field_count);
	else if (field->shape == BRINE_SHAPE_OPTIONAL || field->shape == BRINE_SHAPE_ONEOF ||
	         field->shape == BRINE_SHAPE_POINTER || schema_embeds(field))
		schema_fault(
		        schema, &field->decl, SCHEMA_WHOLE,
		        "the field of the BARE message \"%s\" can be absent: it must be a scalar, string, bytes, enum, "
		        "repeated, map or brine.Value, not optional and not in a oneof",
		        name);
}

static void check_message(struct schema *schema, struct schema_message *message)
{
	const struct schema_decl *decl = &message->decl;
	if (message->layout > BRINE_LAYOUT_BARE)
		schema_fault(schema, decl, SCHEMA_WHOLE, "(brine.message).layout = %llu is unknown",
		             (unsigned long long)message->layout);
	if (message->field_number_max > SCHEMA_FIELD_NUMBER_MAX)
		schema_fault(schema, decl, SCHEMA_WHOLE, "(brine.message).field_number_max = %llu is over %d",
		             (unsigned long long)message->field_number_max, SCHEMA_FIELD_NUMBER_MAX);
	check_numbers(schema, message);
	for (size_t i = 0; i < message->field_count; i++)
		check_field_options(schema, &message->fields[i]);
	if (message->is_entry)
		check_entry(schema, message);
	else if (message->layout == BRINE_LAYOUT_BARE)
		check_bare(schema, message);
}

static struct schema_message *next_bare(const struct schema_message *message)
{
	if (message->layout != BRINE_LAYOUT_BARE || message->field_count != 1 ||
	    message->fields[0].kind != BRINE_KIND_MESSAGE)
		return NULL;
	return value_field(&message->fields[0])->type;
}

/* A BARE message leads to at most one other, so that a search is a walk: visit is the number of the walk that came by.
 */
static void check_cycle(struct schema *schema, struct schema_message *start, int walk)
{
	struct schema_message *message = start;
	while (message && message->visit == 0) {
		message->visit = walk;
		message = next_bare(message);
	}
	if (message && message->visit == walk)
		schema_fault(schema, &message->decl, SCHEMA_NAME, "BARE message \"%s\" contains nothing but itself",
		             schema_quote(schema, message->decl.name));
}

static int compare_values(const void *left, const void *right)
{
	const struct schema_enum_value *a = *(struct schema_enum_value *const *)left;
	const struct schema_enum_value *b = *(struct schema_enum_value *const *)right;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void check_enum(struct schema *schema, struct schema_enum *enumeration)
{
	size_t count = enumeration->value_count;
	struct schema_enum_value **values = schema_alloc(schema, count, sizeof *values);
	enumeration->by_number = values;
	if (count == 0)
		schema_fault(schema, &enumeration->decl, SCHEMA_NAME, "enum \"%s\" has no values",
		             schema_quote(schema, enumeration->decl.name));
	for (size_t i = 0; values && i < count; i++)
		values[i] = &enumeration->values[i];
	if (values)
		qsort(values, count, sizeof *values, compare_values);
	for (size_t i = 1; values && !enumeration->allow_alias && i < count; i++)
		if (values[i]->number == values[i - 1]->number)
			schema_fault(schema, &values[i]->decl, SCHEMA_VALUE_NUMBER, "number %d is taken by \"%s\" (%s)",
			             values[i]->number, schema_quote(schema, values[i - 1]->decl.name),
			             schema_place(schema, &values[i - 1]->decl, SCHEMA_VALUE_NUMBER));
}

static void check_wire_name(struct schema *schema, const struct schema_method *method)
{
	size_t size = strlen(method->wire_name);
	if (size < 1 || size > SCHEMA_METHOD_SIZE_MAX)
		schema_fault(schema, &method->decl, SCHEMA_WHOLE,
		             "the wire name of method \"%s\" has %zu bytes, not 1 to %d: give it another with option "
		             "(brine.method).name",
		             schema_quote(schema, method->decl.name), size, SCHEMA_METHOD_SIZE_MAX);
	bool plain = brine_utf8_check(method->wire_name, size) == size;
	for (size_t i = 0; i < size; i++)
		plain &= !iscntrl((unsigned char)method->wire_name[i]);
	if (!plain)
		schema_fault(schema, &method->decl, SCHEMA_WHOLE,
		             "the wire name \"%s\" is not UTF-8 without control characters",
		             schema_quote(schema, method->wire_name));
}

static int compare_wire_names(const void *left, const void *right)
{
	const struct schema_method *a = *(struct schema_method *const *)left,
	                           *b = *(struct schema_method *const *)right;
	int order = strcmp(a->wire_name, b->wire_name);
	if (order)
		return order;
	return a->decl.path[1] != b->decl.path[1] ? (a->decl.path[1] < b->decl.path[1] ? -1 : 1)
	                                          : (a->decl.path[3] < b->decl.path[3] ? -1 : 1);
}

static void check_methods(struct schema *schema, const struct schema_file *file)
{
	size_t count = 0;
	for (size_t i = 0; i < file->service_count; i++)
		count += file->services[i].method_count;
	struct schema_method **methods = schema_alloc(schema, count, sizeof *methods);
	if (!methods)
		return;
	count = 0;
	for (size_t i = 0; i < file->service_count; i++) {
		for (size_t j = 0; j < file->services[i].method_count; j++) {
			methods[count++] = &file->services[i].methods[j];
			check_wire_name(schema, methods[count - 1]);
		}
	}
	qsort(methods, count, sizeof *methods, compare_wire_names);
	for (size_t i = 1; i < count; i++)
		if (strcmp(methods[i]->wire_name, methods[i - 1]->wire_name) == 0)
			schema_fault(schema, &methods[i]->decl, SCHEMA_NAME,
			             "wire name \"%s\" is taken by method \"%s\" (%s): give one another with option "
			             "(brine.method).name",
			             schema_quote(schema, methods[i]->wire_name),
			             schema_quote(schema, methods[i - 1]->decl.name),
			             schema_place(schema, &methods[i - 1]->decl, SCHEMA_NAME));
}

static int compare_file_paths(const void *left, const void *right)
{
	const struct schema_file *a = *(struct schema_file *const *)left, *b = *(struct schema_file *const *)right;
	int order = strcasecmp(a->decl.name, b->decl.name);
	return order ? order : a < b ? -1 : a > b;
}

/* Two files whose names differ in case alone would be one where the file system does not tell case. */
static void check_paths(struct schema *schema)
{
	struct schema_file **files = schema_alloc(schema, schema->file_count, sizeof *files);
	if (!files)
		return;
	size_t count = 0;
	for (size_t i = 0; i < schema->file_count; i++)
		if (schema->files[i].generate)
			files[count++] = &schema->files[i];
	qsort(files, count, sizeof *files, compare_file_paths);
	for (size_t i = 1; i < count; i++)
		if (strcasecmp(files[i - 1]->decl.name, files[i]->decl.name) == 0)
			schema_fault(schema, NULL, SCHEMA_WHOLE, "files \"%s\" and \"%s\" differ in case alone",
			             schema_quote(schema, files[i - 1]->decl.name),
			             schema_quote(schema, files[i]->decl.name));
}

void check_rules(struct schema *schema)
{
	int walk = 0;
	check_paths(schema);
	for (size_t i = 0; i < schema->file_count && schema->status == 0; i++) {
		struct schema_file *file = &schema->files[i];
		if (file->generate)
			check_file(schema, file);
		check_package(schema, file);
		if (!file->usable)
			continue;
		for (size_t j = 0; j < file->message_count; j++) {
			check_message(schema, file->messages[j]);
			check_cycle(schema, file->messages[j], ++walk);
		}
		for (size_t j = 0; j < file->enum_count; j++)
			check_enum(schema, file->enums[j]);
		check_methods(schema, file);
	}
	if (schema->status == 0)
		check_embeds(schema);
}
