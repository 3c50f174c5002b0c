/* compiler/emit.h - the C of one file. Only for schemas without a fault. */
#ifndef BRINE_COMPILER_EMIT_H
#define BRINE_COMPILER_EMIT_H

#include "compiler/text.h"

/* Append to out. 0 or BRINE_ERR_NOMEM. */
int emit_header(struct schema *schema, const struct schema_file *file, struct brine_buf *out);
int emit_source(struct schema *schema, const struct schema_file *file, struct brine_buf *out);

/* The C type of one value of a field: "int64_t", "struct exchange_fill". */
const char *emit_value_type(struct schema *schema, const struct schema_field *field);

/* Neither side streams: there are a stub, a handler and a reply. */
static inline bool emit_is_unary(const struct schema_method *method)
{
	return !(method->flags & (BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD));
}

#endif
