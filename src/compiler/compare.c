/* Finds what breaks between two versions of a schema (WIRE.md section 7). On the wire a field is its number (layout
 * MAP: its name), a method its wire name; names of messages do not travel, so messages are compared where methods and
 * fields lead to them, and by their names where none do. */
#include "compiler/compiler.h"
#include "compiler/schema.h"

#include <inttypes.h>
#include <stdio.h>

struct comparison {
	struct schema *older, *newer;
	struct schema_message *pending; /* older ones whose fields are still to be looked at */
	int breaks;
};

/* Reports a break at the newer declaration. */
static void BRINE_PRINTF(5, 6) report_break(struct comparison *comparison, const struct schema_decl *newer,
                                            int32_t which, const struct schema_decl *older, const char *format, ...)
{
	char text[400];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	schema_fault(comparison->newer, newer, which, "%s (was %s)", text,
	             schema_place(comparison->older, older, SCHEMA_WHOLE));
	comparison->breaks++;
}

static const char *kind_text(const struct schema_field *field)
{
	static const char *const texts[] = {
	        [BRINE_KIND_BOOL] = "bool",
	        [BRINE_KIND_INT32] = "a signed integer of 32 bits",
	        [BRINE_KIND_INT64] = "a signed integer of 64 bits",
	        [BRINE_KIND_UINT32] = "an unsigned integer of 32 bits",
	        [BRINE_KIND_UINT64] = "an unsigned integer of 64 bits",
	        [BRINE_KIND_FLOAT] = "float",
	        [BRINE_KIND_DOUBLE] = "double",
	        [BRINE_KIND_STRING] = "string",
	        [BRINE_KIND_BYTES] = "bytes",
	        [BRINE_KIND_ENUM] = "an enum",
	        [BRINE_KIND_TIMESTAMP] = "a timestamp",
	        [BRINE_KIND_VALUE] = "any value",
	        [BRINE_KIND_MESSAGE] = "a message",
	};
	return texts[field->kind];
}

/* What stands around the values of a field. */
static const char *container_text(const struct schema_field *field)
{
	return field->shape == BRINE_SHAPE_REPEATED ? "repeated" : field->shape == BRINE_SHAPE_MAP ? "a map" : "single";
}

static bool same_kind(const struct schema_field *older, const struct schema_field *newer)
{
	bool integers = (older->kind == BRINE_KIND_ENUM || older->kind == BRINE_KIND_INT32) &&
	                (newer->kind == BRINE_KIND_ENUM || newer->kind == BRINE_KIND_INT32);
	return older->kind == newer->kind || integers;
}

/* Puts a pair of messages on the list of those to be compared, unless the older one was on it before. */
static void pair(struct comparison *comparison, struct schema_message *older, struct schema_message *newer)
{
	if (older->newer)
		return;
	older->newer = newer;
	older->next = comparison->pending;
	comparison->pending = older;
}

static void compare_options(struct comparison *comparison, const struct schema_field *older,
                            const struct schema_field *newer)
{
	const char *name = newer->decl.name;
	if (older->has_ext != newer->has_ext || older->ext != newer->ext)
		report_break(comparison, &newer->decl, SCHEMA_WHOLE, &older->decl,
		             "(brine.field).ext of \"%s\" changed", name);
	if (older->max != newer->max)
		report_break(comparison, &newer->decl, SCHEMA_WHOLE, &older->decl,
		             "(brine.field).max of \"%s\" changed from %" PRIu64 " to %" PRIu64, name, older->max,
		             newer->max);
	if (older->finite != newer->finite)
		report_break(comparison, &newer->decl, SCHEMA_WHOLE, &older->decl,
		             "(brine.field).finite of \"%s\" changed", name);
	if (older->closed != newer->closed)
		report_break(comparison, &newer->decl, SCHEMA_WHOLE, &older->decl,
		             "(brine.field).closed of \"%s\" changed", name);
	if (older->any_bytes != newer->any_bytes)
		report_break(comparison, &newer->decl, SCHEMA_WHOLE, &older->decl,
		             "(brine.field).any_bytes of \"%s\" changed", name);
}

static const struct schema_enum_value *find_value(const struct schema_enum *enumeration, int32_t number)
{
	for (size_t i = 0; i < enumeration->value_count; i++)
		if (enumeration->values[i].number == number)
			return &enumeration->values[i];
	return NULL;
}

/* Where numbers without a name are errors, the two sets of numbers must be one. */
static void compare_closed_enums(struct comparison *comparison, const struct schema_field *older,
                                 const struct schema_field *newer)
{
	const struct schema_enum *before = older->enumeration, *after = newer->enumeration;
	if (!before || !after || !older->closed || !newer->closed)
		return;
	for (size_t i = 0; i < before->value_count; i++)
		if (!find_value(after, before->values[i].number))
			report_break(comparison, &after->decl, SCHEMA_NAME, &before->values[i].decl,
			             "\"%s\" was removed from an enum that field \"%s\" uses as a closed one",
			             before->values[i].decl.name, newer->decl.name);
	for (size_t i = 0; i < after->value_count; i++)
		if (!find_value(before, after->values[i].number))
			report_break(comparison, &after->values[i].decl, SCHEMA_NAME, &before->decl,
			             "\"%s\" was added to an enum that field \"%s\" uses as a closed one",
			             after->values[i].decl.name, newer->decl.name);
}

static void compare_fields(struct comparison *comparison, const struct schema_field *older,
                           const struct schema_field *newer)
{
	const char *name = newer->decl.name;
	if (strcmp(container_text(older), container_text(newer)) != 0) {
		report_break(comparison, &newer->decl, SCHEMA_WHOLE, &older->decl, "field \"%s\" was %s and is %s",
		             name, container_text(older), container_text(newer));
		return;
	}
	if (!same_kind(older, newer)) {
		report_break(comparison, &newer->decl, SCHEMA_FIELD_TYPE, &older->decl, "field \"%s\" was %s and is %s",
		             name, kind_text(older), kind_text(newer));
		return;
	}
	compare_options(comparison, older, newer);
	compare_closed_enums(comparison, older, newer);
	if (older->kind == BRINE_KIND_MESSAGE)
		pair(comparison, older->type, newer->type);
}

/* The newer field that is read where the older one was written; NULL: none. */
static const struct schema_field *find_newer_field(const struct schema_message *message,
                                                   const struct schema_field *older)
{
	bool by_name = message->layout == BRINE_LAYOUT_MAP && !message->is_entry;
	if (message->layout == BRINE_LAYOUT_BARE)
		return message->fields;
	for (size_t i = 0; i < message->field_count; i++) {
		const struct schema_field *field = &message->fields[i];
		if (by_name ? strcmp(field->decl.name, older->decl.name) == 0 : field->number == older->number)
			return field;
	}
	return NULL;
}

/* Layout MAP: a field whose number stayed and whose name changed. */
static void compare_field_names(struct comparison *comparison, const struct schema_message *older,
                                const struct schema_field *newer)
{
	for (size_t i = 0; i < older->field_count; i++) {
		const struct schema_field *before = &older->fields[i];
		if (before->number == newer->number && strcmp(before->decl.name, newer->decl.name) != 0)
			report_break(comparison, &newer->decl, SCHEMA_NAME, &before->decl,
			             "field \"%s\" was \"%s\", and its message has layout MAP", newer->decl.name,
			             before->decl.name);
	}
}

/* Fields that could all be set before, and exclude each other now. */
static void compare_oneof(struct comparison *comparison, const struct schema_message *older,
                          const struct schema_message *newer, const struct schema_oneof *oneof)
{
	const struct schema_field *first = NULL;
	for (size_t i = 0; i < older->field_count; i++) {
		const struct schema_field *before = &older->fields[i], *after = find_newer_field(newer, before);
		if (!after || after->oneof != oneof)
			continue;
		if (first && (!before->oneof || before->oneof != first->oneof)) {
			report_break(comparison, &oneof->decl, SCHEMA_NAME, &before->decl,
			             "oneof \"%s\" joins fields \"%s\" and \"%s\", which could be set together",
			             oneof->decl.name, first->decl.name, before->decl.name);
			return;
		}
		first = before;
	}
}

static void compare_messages(struct comparison *comparison, struct schema_message *older, struct schema_message *newer)
{
	if (older->layout != newer->layout) {
		report_break(comparison, &newer->decl, SCHEMA_NAME, &older->decl, "message \"%s\" has another layout",
		             newer->decl.full_name);
		return;
	}
	for (size_t i = 0; i < older->field_count; i++) {
		const struct schema_field *after = find_newer_field(newer, &older->fields[i]);
		if (after)
			compare_fields(comparison, &older->fields[i], after);
	}
	for (size_t i = 0; i < newer->field_count && newer->layout == BRINE_LAYOUT_MAP; i++)
		compare_field_names(comparison, older, &newer->fields[i]);
	for (size_t i = 0; i < newer->oneof_count; i++)
		if (!newer->oneofs[i].synthetic)
			compare_oneof(comparison, older, newer, &newer->oneofs[i]);
}

static const struct schema_method *find_newer_method(const struct schema *schema, const char *wire_name)
{
	for (size_t i = 0; i < schema->file_count; i++)
		for (size_t j = 0; schema->files[i].usable && j < schema->files[i].service_count; j++)
			for (size_t k = 0; k < schema->files[i].services[j].method_count; k++)
				if (strcmp(schema->files[i].services[j].methods[k].wire_name, wire_name) == 0)
					return &schema->files[i].services[j].methods[k];
	return NULL;
}

/* The newer file of that name, or any, to have a place for what is gone. */
static const struct schema_decl *place_of_gone(const struct schema *newer, const struct schema_decl *gone)
{
	for (size_t i = 0; i < newer->file_count; i++)
		if (strcmp(newer->files[i].decl.name, gone->file->decl.name) == 0)
			return &newer->files[i].decl;
	return newer->file_count ? &newer->files[0].decl : NULL;
}

static void compare_method(struct comparison *comparison, const struct schema_method *older)
{
	static const uint32_t streams = BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD;
	const struct schema_method *newer = find_newer_method(comparison->newer, older->wire_name);
	if (!newer) {
		report_break(comparison, place_of_gone(comparison->newer, &older->decl), SCHEMA_WHOLE, &older->decl,
		             "no method has the wire name \"%s\" any more",
		             schema_quote(comparison->newer, older->wire_name));
		return;
	}
	if ((older->flags & streams) != (newer->flags & streams))
		report_break(comparison, &newer->decl, SCHEMA_NAME, &older->decl,
		             "method \"%s\" streams in another way", newer->decl.name);
	pair(comparison, older->input, newer->input);
	pair(comparison, older->output, newer->output);
}

static void compare_file(struct comparison *comparison, const struct schema_file *older)
{
	for (size_t i = 0; i < older->service_count; i++)
		for (size_t j = 0; j < older->services[i].method_count; j++)
			compare_method(comparison, &older->services[i].methods[j]);
	for (size_t i = 0; i < older->message_count; i++) {
		struct schema_message *message = older->messages[i];
		struct schema_message *newer = schema_find_message(comparison->newer, message->decl.full_name);
		if (newer && !message->is_entry && !newer->is_entry)
			pair(comparison, message, newer);
	}
}

static int load(struct schema *schema, struct brine_bytes set, struct brine_buf *out)
{
	parse_set(schema, set);
	if (schema->status == 0)
		resolve_types(schema);
	if (schema->status == 0)
		check_rules(schema);
	if (schema->status < 0)
		return schema->status;
	struct brine_bytes lines = brine_buf_bytes(&schema->errors);
	if (schema->error_count == 0)
		return 0;
	return brine_buf_append(out, lines.data, lines.size) < 0 ? BRINE_ERR_NOMEM : BRINE_ERR_SCHEMA;
}

static int compare_sets(struct schema *older, struct schema *newer, struct brine_bytes old_set,
                        struct brine_bytes new_set, struct brine_buf *out)
{
	struct comparison comparison = {.older = older, .newer = newer};
	int status = load(older, old_set, out);
	if (status == 0)
		status = load(newer, new_set, out);
	for (size_t i = 0; i < older->file_count && status == 0; i++) {
		if (older->files[i].usable)
			compare_file(&comparison, &older->files[i]);
		while (comparison.pending) {
			struct schema_message *next = comparison.pending;
			comparison.pending = next->next;
			compare_messages(&comparison, next, next->newer);
		}
		status = older->status < 0 ? older->status : newer->status;
	}
	if (status < 0)
		return status;
	struct brine_bytes lines = brine_buf_bytes(&newer->errors);
	return brine_buf_append(out, lines.data, lines.size) < 0 ? BRINE_ERR_NOMEM : comparison.breaks;
}

int compiler_compare(struct brine_buf *out, struct brine_bytes older, struct brine_bytes newer,
                     const struct brine_allocator *allocator, struct brine_error *error)
{
	struct schema schemas[2];
	schema_init(&schemas[0], older.size, allocator);
	schema_init(&schemas[1], newer.size, allocator);
	schemas[1].reports_all = true;
	int status = compare_sets(&schemas[0], &schemas[1], older, newer, out);
	if (status < 0)
		brine_fail(error, status, 0, "%s",
		           status == BRINE_ERR_MALFORMED ? "no set of protoc" : brine_error_text(status));
	schema_done(&schemas[0]);
	schema_done(&schemas[1]);
	return status;
}
