#include "compiler/schema.h"

#include "base/alloc.h"
#include "compiler/source_info.h"

#include <assert.h>
#include <stdio.h>

static_assert(SOURCE_PATH_MAX >= 2 * SCHEMA_DEPTH_MAX + 8, "the path of every declaration has room");

enum {
	ARENA_FACTOR = 64, /* memory for the schema, in sizes of the request */
	ARENA_LEAST = 1 << 20,
};

void schema_init(struct schema *schema, const char *name, size_t request_size, const struct brine_allocator *allocator)
{
	size_t budget = request_size > (SIZE_MAX - ARENA_LEAST) / ARENA_FACTOR
	                        ? SIZE_MAX
	                        : request_size * ARENA_FACTOR + ARENA_LEAST;
	*schema = (struct schema){.name = name};
	brine_arena_init(&schema->arena, allocator, budget);
	brine_buf_init(&schema->errors, allocator);
}

void schema_done(struct schema *schema)
{
	brine_buf_done(&schema->errors);
	brine_arena_done(&schema->arena);
}

void *schema_alloc(struct schema *schema, size_t count, size_t size)
{
	size_t total;
	void *memory = brine_mul(count, size, &total) ? brine_arena_alloc(&schema->arena, total) : NULL;
	if (!memory)
		schema->status = BRINE_ERR_NOMEM;
	return memory;
}

const char *schema_printf(struct schema *schema, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	const char *text = brine_arena_vprintf(&schema->arena, format, arguments).data;
	va_end(arguments);
	if (!text)
		schema->status = BRINE_ERR_NOMEM;
	return text ? text : "";
}

const char *schema_copy(struct schema *schema, struct brine_bytes text)
{
	const char *copy = brine_arena_copy(&schema->arena, text.data, text.size);
	if (!copy)
		schema->status = BRINE_ERR_NOMEM;
	return copy ? copy : "";
}

const char *schema_text(struct schema *schema, struct brine_bytes bytes)
{
	const char *text = schema_copy(schema, bytes);
	if (strlen(text) != bytes.size && schema->status == 0)
		schema->status = BRINE_ERR_MALFORMED;
	return text;
}

const char *schema_quote(struct schema *schema, const char *text)
{
	char out[61];
	brine_escape(out, sizeof out, text, strlen(text));
	return schema_copy(schema, (struct brine_bytes){out, strlen(out)});
}

const char *schema_place(struct schema *schema, const struct schema_decl *decl, int32_t which)
{
	const char *file = schema_quote(schema, decl->file->decl.name);
	struct source_place place = source_find(decl->file->info, decl->path, decl->path_count, which);
	if (place.line == 0)
		return file;
	return schema_printf(schema, "%s:%u:%u", file, place.line, place.column);
}

void schema_fault(struct schema *schema, const struct schema_decl *decl, int32_t which, const char *format, ...)
{
	if (++schema->error_count > SCHEMA_ERRORS_MAX && !schema->reports_all)
		return;
	const char *place = decl ? schema_place(schema, decl, which) : schema->name;
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&schema->arena, format, arguments);
	va_end(arguments);
	const char *line = text.data ? schema_printf(schema, "%s: %s\n", place, text.data) : "";
	if (!text.data || brine_buf_append(&schema->errors, line, strlen(line)) < 0)
		schema->status = BRINE_ERR_NOMEM;
}
