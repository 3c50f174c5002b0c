#include "compiler/compiler.h"

#include "compiler/emit.h"
#include "compiler/wire.h"

#include <assert.h>

enum {
	FEATURE_PROTO3_OPTIONAL = 1,
};

enum response_field { RESPONSE_ERROR = 1, RESPONSE_FEATURES = 2, RESPONSE_FILE = 15 };
enum file_field { FILE_NAME = 1, FILE_CONTENT = 15 };

/* Adds one output file to the response. */
static int put_file(struct schema *schema, struct brine_buf *out, const char *name, struct brine_bytes content)
{
	struct brine_buf file;
	brine_buf_init(&file, schema->arena.allocator);
	int status = wire_put_bytes(&file, FILE_NAME, (struct brine_bytes){name, strlen(name)});
	if (status == 0)
		status = wire_put_bytes(&file, FILE_CONTENT, content);
	if (status == 0)
		status = wire_put_bytes(out, RESPONSE_FILE, brine_buf_bytes(&file));
	brine_buf_done(&file);
	return status;
}

static int generate_file(struct schema *schema, const struct schema_file *file, struct brine_buf *out,
                         const char *extension,
                         int emit(struct schema *, const struct schema_file *, struct brine_buf *))
{
	struct brine_buf content;
	brine_buf_init(&content, schema->arena.allocator);
	const char *name = schema_printf(schema, "%s.brine.%s", file->base, extension);
	int status = emit(schema, file, &content);
	if (status == 0)
		status = put_file(schema, out, name, brine_buf_bytes(&content));
	brine_buf_done(&content);
	return status;
}

static int put_errors(struct schema *schema, struct brine_buf *out)
{
	if (schema->error_count > SCHEMA_ERRORS_MAX) {
		const char *rest = schema_printf(schema, "%u more errors\n", schema->error_count - SCHEMA_ERRORS_MAX);
		if (brine_buf_append(&schema->errors, rest, strlen(rest)) < 0)
			return BRINE_ERR_NOMEM;
	}
	/* protoc writes "--brine_out: " before and a new line behind: the lines themselves should start with the file.
	 */
	struct brine_bytes lines = brine_buf_bytes(&schema->errors);
	const char *text = schema_printf(schema, "\n%.*s", (int)lines.size - 1, (const char *)lines.data);
	return schema->status < 0 ? schema->status
	                          : wire_put_bytes(out, RESPONSE_ERROR, (struct brine_bytes){text, strlen(text)});
}

static int put_compiler_response(struct schema *schema, struct brine_buf *out)
{
	assert(schema->status == 0);
	int status = wire_put_varint(out, RESPONSE_FEATURES, FEATURE_PROTO3_OPTIONAL);
	if (status == 0 && schema->error_count)
		return put_errors(schema, out);
	for (size_t i = 0; i < schema->file_count && status == 0; i++) {
		const struct schema_file *file = &schema->files[i];
		if (file->generate)
			status = generate_file(schema, file, out, "h", emit_header);
		if (file->generate && status == 0)
			status = generate_file(schema, file, out, "c", emit_source);
	}
	return status;
}

static int compile(struct schema *schema, struct brine_bytes request, struct brine_buf *out)
{
	parse_request(schema, request);
	if (schema->status == 0)
		resolve_types(schema);
	if (schema->status == 0)
		check_rules(schema);
	/* Names are made of what is known to be sound. */
	if (schema->status == 0 && schema->error_count == 0)
		names_assign(schema);
	return schema->status < 0 ? schema->status : put_compiler_response(schema, out);
}

int compiler_run(struct brine_buf *out, struct brine_bytes request, const struct brine_allocator *allocator,
                 struct brine_error *error)
{
	struct schema schema;
	size_t end = out->end - out->start;
	schema_init(&schema, COMPILER_NAME, request.size, allocator);
	int status = compile(&schema, request, out);
	if (status < 0) {
		out->end = out->start + end;
		if (status == BRINE_ERR_NOMEM)
			brine_fail(error, status, 0, "out of memory: a request of %zu bytes may use %zu", request.size,
			           schema.arena.budget);
		else
			brine_fail(error, status, 0, "these %zu bytes are no request of protoc", request.size);
	}
	schema_done(&schema);
	return status;
}
