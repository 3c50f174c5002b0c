/* compiler/text.h - writing C. A text keeps its first error, so that emitters write straight on and look once. */
#ifndef BRINE_COMPILER_TEXT_H
#define BRINE_COMPILER_TEXT_H

#include <brine/buf.h>

struct text {
	struct brine_buf *out;
	int status; /* 0 or BRINE_ERR_NOMEM */
};

void text_printf(struct text *text, const char *format, ...) BRINE_PRINTF(2, 3);

/* The comments of a schema as a C comment of whole lines, `indent` tabs in; nothing where there are none. What could
 * end the comment, join lines or move a terminal is made harmless. */
void text_comment(struct text *text, unsigned indent, struct brine_str comment);

/* Ends a line of code: a note and the comment that stood behind the declaration, or a new line alone. What is too long
 * for that (see text_fits_line()) must have been written before the line. */
void text_end_line(struct text *text, const char *note, struct brine_str trailing);

/* Whether a trailing comment can stay behind its line: one line, not too long. */
bool text_fits_line(struct brine_str trailing);

/* A string literal. */
void text_literal(struct text *text, const char *value);

#endif
