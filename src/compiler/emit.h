/* compiler/emit.h - the C of one file. Only for schemas without a fault. */
#ifndef BRINE_COMPILER_EMIT_H
#define BRINE_COMPILER_EMIT_H

#include "compiler/schema.h"
#include "compiler/source_info.h"
#include "compiler/text.h"

/* Append to out. 0 or BRINE_ERR_NOMEM. */
int emit_header(struct schema *schema, const struct schema_file *file, struct brine_buf *out);
int emit_source(struct schema *schema, const struct schema_file *file, struct brine_buf *out);

/* The schema's comments about a declaration of several lines. */
void emit_comment(struct text *text, const struct schema_decl *decl);

/* The comments that stand above a declaration of one line, `indent` tabs in. The comment behind the declaration is
 * among them where it is too long to stay there. */
void emit_comment_above(struct text *text, unsigned indent, const struct schema_decl *decl);

/* Ends the line of a declaration with a note (NULL: none) and the comment that stands behind it. */
void emit_end_line(struct text *text, const char *note, const struct schema_decl *decl);

/* One service, in the header and in the source. */
void emit_service_header(struct text *text, const struct schema_service *service);
void emit_service_source(struct text *text, const struct schema_service *service);

#endif
