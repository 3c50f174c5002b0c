#include "compiler/text.h"

#include <brine/error.h>

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_SIZE_MAX = 72 };

void text_printf(struct text *text, const char *format, ...)
{
	if (text->status < 0)
		return;
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int size = vsnprintf(NULL, 0, format, arguments);
	char *to = size < 0 ? NULL : brine_buf_reserve(text->out, (size_t)size + 1);
	if (to) {
		vsnprintf(to, (size_t)size + 1, format, again);
		text->out->end += (size_t)size;
	} else {
		text->status = BRINE_ERR_NOMEM;
	}
	va_end(again);
	va_end(arguments);
}

/* Takes the next line of a comment, without the blanks at its end; false when there is none. */
static bool next_line(struct brine_str *rest, struct brine_str *ret_line)
{
	if (rest->size == 0)
		return false;
	const char *end = memchr(rest->data, '\n', rest->size);
	size_t size = end ? (size_t)(end - rest->data) : rest->size;
	*ret_line = (struct brine_str){rest->data, size};
	size_t taken = end ? size + 1 : size;
	*rest = (struct brine_str){rest->data + taken, rest->size - taken};
	while (ret_line->size && strchr(" \t\r", ret_line->data[ret_line->size - 1]))
		ret_line->size--;
	return true;
}

/* Drops empty lines at both ends; the indent of the first line stays. */
static struct brine_str trim(struct brine_str comment)
{
	struct brine_str rest = comment, line;
	while (next_line(&rest, &line) && line.size == 0)
		comment = rest;
	while (comment.size && strchr(" \t\r\n", comment.data[comment.size - 1]))
		comment.size--;
	return comment;
}

/* One line of a comment. The blank after // is the comment's form, not its text. */
static void put_line(struct text *text, struct brine_str line)
{
	char before = ' ', before_that = ' ';
	const uint8_t *bytes = (const uint8_t *)line.data;
	for (size_t at = line.size && line.data[0] == ' ' ? 1 : 0; at < line.size;) {
		char piece[16];
		uint32_t point;
		unsigned size = brine_utf8_next(bytes + at, line.size - at, &point);
		char here = (char)bytes[at];
		if (here == '\\' || here == '\t')
			snprintf(piece, sizeof piece, "%c", here == '\t' ? ' ' : here);
		else
			brine_escape(piece, sizeof piece, bytes + at, size ? size : 1);
		bool joins = (before == '*' && here == '/') || (before == '/' && here == '*') ||
		             (before_that == '?' && before == '?');
		text_printf(text, "%s%s", joins ? " " : "", piece);
		at += size ? size : 1;
		before_that = joins ? ' ' : before;
		before = here;
	}
	/* A backslash at the end of a line would join it with the next. */
	if (before == '\\')
		text_printf(text, ".");
}

void text_comment(struct text *text, unsigned indent, struct brine_str comment)
{
	static const char tabs[] = "\t\t\t\t";
	struct brine_str rest = trim(comment), line;
	bool first = true;
	while (next_line(&rest, &line)) {
		text_printf(text, "%.*s%s", (int)indent, tabs, first ? "/* " : line.size ? " * " : " *");
		put_line(text, line);
		text_printf(text, rest.size ? "\n" : " */\n");
		first = false;
	}
}

bool text_fits_line(struct brine_str trailing)
{
	struct brine_str comment = trim(trailing);
	return comment.size <= LINE_SIZE_MAX && !(comment.size && memchr(comment.data, '\n', comment.size));
}

void text_end_line(struct text *text, const char *note, struct brine_str trailing)
{
	struct brine_str comment = text_fits_line(trailing) ? trim(trailing) : (struct brine_str){NULL, 0};
	if (note || comment.size) {
		text_printf(text, " /* %s%s", note ? note : "", note && comment.size ? ": " : "");
		put_line(text, comment);
		text_printf(text, " */");
	}
	text_printf(text, "\n");
}

void text_literal(struct text *text, const char *value)
{
	text_printf(text, "\"");
	for (const char *at = value; *at; at++) {
		unsigned char here = (unsigned char)*at;
		if (here == '"' || here == '\\' || here == '?')
			text_printf(text, here == '?' ? "%c" : "\\%c", here);
		else if (here < 0x20 || here >= 0x7f)
			text_printf(text, "\\%03o", here);
		else
			text_printf(text, "%c", here);
		if (here == '?' && at[1] == '?')
			text_printf(text, "\"\"");
	}
	text_printf(text, "\"");
}
