#include "inspect/line.h"

#include <brine/codec.h>
#include <brine/pack.h>

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum { PRINTF_MOST = 512 };

void inspect_line_init(struct inspect_line *line, const struct brine_allocator *allocator)
{
	*line = (struct inspect_line){0};
	brine_buf_init(&line->text, allocator);
	brine_buf_init(&line->scratch, allocator);
}

void inspect_line_done(struct inspect_line *line)
{
	brine_buf_done(&line->text);
	brine_buf_done(&line->scratch);
}

void inspect_line_reset(struct inspect_line *line)
{
	brine_buf_take(&line->text, brine_buf_size(&line->text));
	line->status = 0;
}

void inspect_line_add(struct inspect_line *line, const void *data, size_t size)
{
	if (line->status == 0)
		line->status = brine_buf_append(&line->text, data, size);
}

void inspect_line_text(struct inspect_line *line, const char *text)
{
	inspect_line_add(line, text, strlen(text));
}

void inspect_line_printf(struct inspect_line *line, const char *format, ...)
{
	char text[PRINTF_MOST];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	inspect_line_text(line, text);
}

void inspect_line_ink(struct inspect_line *line, enum inspect_ink ink)
{
	static const char *const sequences[] = {
	        [INSPECT_INK_NONE] = "\033[0m",   [INSPECT_INK_FAINT] = "\033[2m",    [INSPECT_INK_TYPE] = "\033[36m",
	        [INSPECT_INK_METHOD] = "\033[1m", [INSPECT_INK_FAULT] = "\033[1;31m",
	};
	if (line->colour)
		inspect_line_text(line, sequences[ink]);
}

struct brine_buf *inspect_line_scratch(struct inspect_line *line)
{
	brine_buf_take(&line->scratch, brine_buf_size(&line->scratch));
	return &line->scratch;
}

void inspect_line_quote(struct inspect_line *line, struct brine_bytes text)
{
	struct brine_buf *scratch = inspect_line_scratch(line);
	if (brine_pack_str(scratch, text.data, text.size) < 0)
		line->status = BRINE_ERR_NOMEM;
	inspect_line_value(line, brine_buf_bytes(scratch));
}

void inspect_line_name(struct inspect_line *line, struct brine_bytes name)
{
	static const char marks[] = "._/:-";
	const char *data = name.data;
	bool plain = name.size > 0;
	for (size_t i = 0; i < name.size && plain; i++)
		plain = isascii((unsigned char)data[i]) &&
		        (isalnum((unsigned char)data[i]) || memchr(marks, data[i], sizeof marks - 1));
	if (plain)
		inspect_line_add(line, name.data, name.size);
	else
		inspect_line_quote(line, name);
}

void inspect_line_hex(struct inspect_line *line, struct brine_bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *data = bytes.data;
	char *out = line->status == 0 ? brine_buf_reserve(&line->text, bytes.size * 2) : NULL;
	if (!out) {
		line->status = BRINE_ERR_NOMEM;
		return;
	}
	for (size_t i = 0; i < bytes.size; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	line->text.end += bytes.size * 2;
}

void inspect_line_value(struct inspect_line *line, struct brine_bytes value)
{
	if (line->status == 0)
		line->status = brine_value_print(&line->text, value, line->text_max);
}
