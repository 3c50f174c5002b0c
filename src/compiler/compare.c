/* Finds what breaks between two versions of a schema (WIRE.md section 7). On the wire a field is its number (layout
 * MAP: its name), a method its wire name; names of messages do not travel, so messages are compared where methods and
 * fields lead to them, and by their names where none do. */
#include "compiler/compiler.h"
#include "compiler/pairs.h"
#include "compiler/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Two messages whose fields are still to be compared. */
struct pending_pair {
	struct schema_message *older, *newer;
	struct pending_pair *next;
};

struct comparison {
	struct schema *older, *newer;
	struct pairs seen; /* messages and enums */
	struct pending_pair *pending;
	struct schema_method **methods; /* newer ones, ordered by wire name, then by full name */
	size_t method_count;
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

/* Puts a pair of messages on the list of those to be compared, unless it was there before. */
static void pair(struct comparison *comparison, struct schema_message *older, struct schema_message *newer)
{
	if (!pairs_add(comparison->older, &comparison->seen, older, newer))
		return;
	struct pending_pair *pending = schema_alloc(comparison->older, 1, sizeof *pending);
	if (!pending)
		return;
	older->is_compared = true;
	*pending = (struct pending_pair){older, newer, comparison->pending};
	comparison->pending = pending;
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

static bool has_value(const struct schema_enum *enumeration, int32_t number)
{
	size_t low = 0, high = enumeration->value_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (enumeration->by_number[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < enumeration->value_count && enumeration->by_number[low]->number == number;
}

/* Where numbers without a name are errors, the two sets of numbers must be one. Two enums are told of once, by the
 * first field. */
static void compare_closed_enums(struct comparison *comparison, const struct schema_field *older,
                                 const struct schema_field *newer)
{
	const struct schema_enum *before = older->enumeration, *after = newer->enumeration;
	if (!before || !after || !older->closed || !newer->closed ||
	    !pairs_add(comparison->older, &comparison->seen, before, after))
		return;
	for (size_t i = 0; i < before->value_count; i++)
		if (!has_value(after, before->values[i].number))
			report_break(comparison, &after->decl, SCHEMA_NAME, &before->values[i].decl,
			             "\"%s\" was removed from an enum that field \"%s\" uses as a closed one",
			             before->values[i].decl.name, newer->decl.name);
	for (size_t i = 0; i < after->value_count; i++)
		if (!has_value(before, after->values[i].number))
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

static int order_by_name(const void *left, const void *right)
{
	const struct schema_field *a = *(struct schema_field *const *)left, *b = *(struct schema_field *const *)right;
	return strcmp(a->decl.name, b->decl.name);
}

static int order_by_number(const void *left, const void *right)
{
	const struct schema_field *a = *(struct schema_field *const *)left, *b = *(struct schema_field *const *)right;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void index_names(struct schema *schema, struct schema_message *message)
{
	if (message->layout != BRINE_LAYOUT_MAP || message->by_name)
		return;
	message->by_name = schema_alloc(schema, message->field_count, sizeof message->by_name[0]);
	if (!message->by_name)
		return;
	memcpy(message->by_name, message->by_number, message->field_count * sizeof message->by_name[0]);
	qsort(message->by_name, message->field_count, sizeof message->by_name[0], order_by_name);
}

static const struct schema_field *find_numbered(const struct schema_message *message, const struct schema_field *other)
{
	struct schema_field *const *found = bsearch(&other, message->by_number, message->field_count,
	                                            sizeof message->by_number[0], order_by_number);
	return found ? *found : NULL;
}

/* The newer field that is read where the older one was written; NULL: none. */
static const struct schema_field *find_newer_field(const struct schema_message *message,
                                                   const struct schema_field *older)
{
	if (message->layout == BRINE_LAYOUT_BARE)
		return message->fields;
	if (!message->by_name)
		return find_numbered(message, older);
	struct schema_field *const *found =
	        bsearch(&older, message->by_name, message->field_count, sizeof message->by_name[0], order_by_name);
	return found ? *found : NULL;
}

/* Layout MAP: a field whose number stayed and whose name changed. */
static void compare_field_names(struct comparison *comparison, const struct schema_message *older,
                                const struct schema_field *newer)
{
	const struct schema_field *before = find_numbered(older, newer);
	if (before && strcmp(before->decl.name, newer->decl.name) != 0)
		report_break(comparison, &newer->decl, SCHEMA_NAME, &before->decl,
		             "field \"%s\" was \"%s\", and its message has layout MAP", newer->decl.name,
		             before->decl.name);
}

/* Fields that could all be set before, and exclude each other now: each oneof is told of once. */
static void compare_oneofs(struct comparison *comparison, const struct schema_message *older,
                           const struct schema_message *newer)
{
	if (newer->oneof_count == 0)
		return;
	const struct schema_field **last = schema_alloc(comparison->older, newer->oneof_count, sizeof *last);
	bool *told = schema_alloc(comparison->older, newer->oneof_count, sizeof *told);
	for (size_t i = 0; last && told && i < older->field_count; i++) {
		const struct schema_field *before = &older->fields[i], *after = find_newer_field(newer, before);
		if (!after || !after->oneof)
			continue;
		size_t index = (size_t)(after->oneof - newer->oneofs);
		const struct schema_field *first = last[index];
		if (first && !told[index] && (!before->oneof || before->oneof != first->oneof)) {
			report_break(comparison, &after->oneof->decl, SCHEMA_NAME, &before->decl,
			             "oneof \"%s\" joins fields \"%s\" and \"%s\", which could be set together",
			             after->oneof->decl.name, first->decl.name, before->decl.name);
			told[index] = true;
		}
		last[index] = before;
	}
}

static void compare_messages(struct comparison *comparison, struct schema_message *older, struct schema_message *newer)
{
	if (older->layout != newer->layout) {
		report_break(comparison, &newer->decl, SCHEMA_NAME, &older->decl, "message \"%s\" has another layout",
		             newer->decl.full_name);
		return;
	}
	index_names(comparison->newer, newer);
	for (size_t i = 0; i < older->field_count; i++) {
		const struct schema_field *after = find_newer_field(newer, &older->fields[i]);
		if (after)
			compare_fields(comparison, &older->fields[i], after);
	}
	for (size_t i = 0; i < newer->field_count && newer->layout == BRINE_LAYOUT_MAP; i++)
		compare_field_names(comparison, older, &newer->fields[i]);
	compare_oneofs(comparison, older, newer);
}

/* By wire name, then by name; the same names come from one file at most. */
static int order_methods(const void *left, const void *right)
{
	const struct schema_method *a = *(struct schema_method *const *)left,
	                           *b = *(struct schema_method *const *)right;
	int order = strcmp(a->wire_name, b->wire_name);
	return order ? order : strcmp(a->decl.full_name, b->decl.full_name);
}

static void index_methods(struct comparison *comparison)
{
	struct schema *newer = comparison->newer;
	size_t count = 0;
	for (size_t i = 0; i < newer->file_count; i++)
		for (size_t j = 0; newer->files[i].usable && j < newer->files[i].service_count; j++)
			count += newer->files[i].services[j].method_count;
	comparison->methods = schema_alloc(newer, count, sizeof *comparison->methods);
	if (!comparison->methods)
		return;
	for (size_t i = 0; i < newer->file_count; i++)
		for (size_t j = 0; newer->files[i].usable && j < newer->files[i].service_count; j++)
			for (size_t k = 0; k < newer->files[i].services[j].method_count; k++)
				comparison->methods[comparison->method_count++] =
				        &newer->files[i].services[j].methods[k];
	qsort(comparison->methods, count, sizeof *comparison->methods, order_methods);
}

static int order_wire_names(const void *left, const void *right)
{
	const struct schema_method *a = *(struct schema_method *const *)left,
	                           *b = *(struct schema_method *const *)right;
	return strcmp(a->wire_name, b->wire_name);
}

/* The newer method of the same wire name: where several services have it, that of the same name before any other. */
static const struct schema_method *find_method(const struct comparison *comparison, const struct schema_method *older)
{
	struct schema_method *const *methods = comparison->methods;
	size_t count = comparison->method_count;
	struct schema_method *const *found = bsearch(&older, methods, count, sizeof *methods, order_methods);
	if (!found)
		found = bsearch(&older, methods, count, sizeof *methods, order_wire_names);
	return found ? *found : NULL;
}

/* The newer file of that name, or any, to have a place for what is gone. */
static const struct schema_decl *place_of_gone(const struct schema *newer, const struct schema_file *older)
{
	for (size_t i = 0; i < newer->file_count; i++)
		if (strcmp(newer->files[i].decl.name, older->decl.name) == 0)
			return &newer->files[i].decl;
	return newer->file_count ? &newer->files[0].decl : NULL;
}

static void compare_methods(struct comparison *comparison, const struct schema_method *older,
                            const struct schema_decl *gone)
{
	static const uint32_t streams = BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD;
	const struct schema_method *newer = find_method(comparison, older);
	if (!newer) {
		report_break(comparison, gone, SCHEMA_WHOLE, &older->decl,
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

static void compare_file_methods(struct comparison *comparison, const struct schema_file *older)
{
	const struct schema_decl *gone = place_of_gone(comparison->newer, older);
	for (size_t i = 0; i < older->service_count; i++)
		for (size_t j = 0; j < older->services[i].method_count; j++)
			compare_methods(comparison, &older->services[i].methods[j], gone);
}

static void compare_pending(struct comparison *comparison)
{
	while (comparison->pending && comparison->older->status == 0 && comparison->newer->status == 0) {
		struct pending_pair *next = comparison->pending;
		comparison->pending = next->next;
		compare_messages(comparison, next->older, next->newer);
	}
}

static void mark_led_to(const struct schema_message *message)
{
	for (size_t i = 0; i < message->field_count; i++)
		if (message->fields[i].type && message->fields[i].type != message)
			message->fields[i].type->is_led_to = true;
}

/* By their names: those that nothing led to. led_to: also where a field could have, which is the case in circles. */
static void compare_file_messages(struct comparison *comparison, const struct schema_file *older, bool led_to)
{
	for (size_t i = 0; i < older->message_count; i++) {
		struct schema_message *message = older->messages[i];
		if (message->is_compared || message->is_entry || message->is_led_to != led_to)
			continue;
		struct schema_message *newer = schema_find_message(comparison->newer, message->decl.full_name);
		if (newer && newer->decl.file->usable && !newer->is_entry)
			pair(comparison, message, newer);
		compare_pending(comparison);
	}
}

/* What is compared with what does not depend on the order of the files: methods, then what leads to others. */
static void compare_files(struct comparison *comparison)
{
	const struct schema *older = comparison->older;
	index_methods(comparison);
	for (size_t i = 0; i < older->file_count; i++) {
		const struct schema_file *file = &older->files[i];
		if (file->usable)
			compare_file_methods(comparison, file);
		for (size_t j = 0; file->usable && j < file->message_count; j++)
			mark_led_to(file->messages[j]);
	}
	compare_pending(comparison);
	for (int led_to = 0; led_to < 2; led_to++)
		for (size_t i = 0; i < older->file_count && older->status == 0; i++)
			if (older->files[i].usable)
				compare_file_messages(comparison, &older->files[i], led_to);
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
	if (status == 0) {
		compare_files(&comparison);
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
	schema_init(&schemas[0], COMPILER_NAME, older.size, allocator);
	schema_init(&schemas[1], COMPILER_NAME, newer.size, allocator);
	schemas[1].reports_all = true;
	int status = compare_sets(&schemas[0], &schemas[1], older, newer, out);
	if (status < 0)
		brine_fail(error, status, 0, "%s",
		           status == BRINE_ERR_MALFORMED ? "no set of protoc" : brine_error_text(status));
	schema_done(&schemas[0]);
	schema_done(&schemas[1]);
	return status;
}
