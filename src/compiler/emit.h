/* compiler/emit.h - the C of one file. Only for schemas without a fault. */
#ifndef BRINE_COMPILER_EMIT_H
#define BRINE_COMPILER_EMIT_H

#include "compiler/text.h"

/* Append to out. 0 or BRINE_ERR_NOMEM. */
int emit_header(struct schema *schema, const struct schema_file *file, struct brine_buf *out);
int emit_source(struct schema *schema, const struct schema_file *file, struct brine_buf *out);

/* The C type of one value of a field: "int64_t", "struct exchange_fill". */
const char *emit_value_type(struct schema *schema, const struct schema_field *field);

/* The schema's comments about a declaration of several lines. */
void emit_comment(struct text *text, const struct schema_decl *decl);

/* One service, in the header and in the source. */
void emit_service_header(struct text *text, const struct schema_service *service);
void emit_service_source(struct text *text, const struct schema_service *service);

#endif
