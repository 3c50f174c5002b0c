/* compiler/emit.h - writes the C of one file. The schema must have passed all passes without a fault. */
#ifndef BRINE_COMPILER_EMIT_H
#define BRINE_COMPILER_EMIT_H

#include "compiler/schema.h"
#include "compiler/source_info.h"
#include "compiler/text.h"

/* Append the header or the source of a file to out. Errors:
 *   BRINE_ERR_NOMEM */
int emit_header(struct schema *schema, const struct schema_file *file, struct brine_buf *out);
int emit_source(struct schema *schema, const struct schema_file *file, struct brine_buf *out);

/* Writes the schema's comments on a declaration that takes several lines. */
void emit_comment(struct text *text, const struct schema_decl *decl);

/* Writes the comments above a declaration of one line, `indent` tabs in. A comment from behind the declaration that is
 * too long to stay there is written as well. */
void emit_comment_above(struct text *text, unsigned indent, const struct schema_decl *decl);

/* Ends the line of a declaration with a note (NULL allowed) and the comment from behind the declaration. */
void emit_end_line(struct text *text, const char *note, const struct schema_decl *decl);

/* Write one service into the header and into the source. */
void emit_service_header(struct text *text, const struct schema_service *service);
void emit_service_source(struct text *text, const struct schema_service *service);

#endif
