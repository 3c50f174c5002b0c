/* inspect/line.h - one line of output being put together. The first failure sticks, so that printers write straight
 * down and look once, at the end. Everything a peer chose is escaped by whoever adds it (brine_escape): only add, text
 * and printf take text as it is. Not thread-safe. */
#ifndef INSPECT_LINE_H
#define INSPECT_LINE_H

#include <brine/buf.h>
#include <brine/error.h>

enum inspect_ink {
	INSPECT_INK_NONE,
	INSPECT_INK_FAINT, /* offsets, sizes, notes */
	INSPECT_INK_TYPE,
	INSPECT_INK_METHOD,
	INSPECT_INK_FAULT,
};

struct inspect_line {
	struct brine_buf text;
	struct brine_buf scratch; /* values packed to be printed */
	int status;               /* 0 or BRINE_ERR_NOMEM */
	bool colour;              /* ink becomes ANSI sequences */
	size_t text_max;          /* most bytes shown of a string; 0: all */
};

void inspect_line_init(struct inspect_line *line, const struct brine_allocator *allocator);
void inspect_line_done(struct inspect_line *line);

/* Empties the line for the next record; the status is good again. */
void inspect_line_reset(struct inspect_line *line);

void inspect_line_add(struct inspect_line *line, const void *data, size_t size);
void inspect_line_text(struct inspect_line *line, const char *text);
void inspect_line_printf(struct inspect_line *line, const char *format, ...) BRINE_PRINTF(2, 3);

/* Begins coloured text; NONE ends it. */
void inspect_line_ink(struct inspect_line *line, enum inspect_ink ink);

/* Text of a peer as brine_value_print() shows it: in quotes, escaped, cut at text_max (what is cut is said). */
void inspect_line_quote(struct inspect_line *line, struct brine_bytes text);

/* A name of a peer: bare where it is made of letters, digits and ._/:-, else as above. */
void inspect_line_name(struct inspect_line *line, struct brine_bytes name);

/* Bytes as hex digits, without spaces. */
void inspect_line_hex(struct inspect_line *line, struct brine_bytes bytes);

/* One checked MessagePack value in the generic form. */
void inspect_line_value(struct inspect_line *line, struct brine_bytes value);

/* An empty buffer to pack a value in that is to be added. Used by quote and name too. */
struct brine_buf *inspect_line_scratch(struct inspect_line *line);

#endif
