/* compiler/text.h - writes C. A text keeps its first error and writes nothing more after it, so that emitters look only
 * once. One thread at a time. */
#ifndef BRINE_COMPILER_TEXT_H
#define BRINE_COMPILER_TEXT_H

#include <brine/buf.h>

struct text {
	struct brine_buf *out;
	int status; /* 0 or BRINE_ERR_NOMEM */
};

/* Appends formatted text. */
void text_printf(struct text *text, const char *format, ...) BRINE_PRINTF(2, 3);

/* Writes a comment of a schema as a C comment of whole lines, `indent` tabs in. An empty comment writes nothing.
 * Characters that would end the comment, join lines, or move the cursor of a terminal are made harmless. */
void text_comment(struct text *text, unsigned indent, struct brine_str comment);

/* Ends a line of code with a note (NULL allowed), the comment from behind the declaration, and a new line. A comment
 * that does not fit the line is left out. */
void text_end_line(struct text *text, const char *note, struct brine_str trailing);

/* Tells whether a comment can stay behind its line. It must be one line that is not too long. */
bool text_fits_line(struct brine_str trailing);

/* Writes a string literal. */
void text_literal(struct text *text, const char *value);

#endif
