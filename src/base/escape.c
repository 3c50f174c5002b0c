#include <brine/error.h>

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum { ESCAPE_MOST = 12 };

/* Characters that would move, hide or reorder what stands around them on a terminal. */
static bool is_unsafe(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad || (point >= 0x300 && point < 0x370) ||
	       point == 0x61c || (point >= 0x180b && point <= 0x180f) || (point >= 0x1ab0 && point < 0x1b00) ||
	       (point >= 0x1dc0 && point < 0x1e00) || (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
	       (point >= 0x20d0 && point < 0x2100) || (point >= 0xfe00 && point < 0xfe10) ||
	       (point >= 0xfe20 && point < 0xfe30) || point == 0xfeff || (point >= 0xfff0 && point < 0xfffc) ||
	       (point >= 0xe000 && point < 0xf900) || point >= 0xe0000 || (point & 0xfffe) == 0xfffe;
}

/* Writes the escaped form of the first character of text into piece; returns how many bytes of text it took. */
static size_t escape_one(char piece[ESCAPE_MOST], const uint8_t *text, size_t size)
{
	uint32_t point;
	unsigned count = brine_utf8_next(text, size, &point);
	if (count == 0) {
		snprintf(piece, ESCAPE_MOST, "\\x%02x", text[0]);
		return 1;
	}
	static const char plain[] = "\n\r\t\\";
	const char *special = point && point < 0x80 ? strchr(plain, (int)point) : NULL;
	if (special)
		snprintf(piece, ESCAPE_MOST, "\\%c", "nrt\\"[special - plain]);
	else if (point < 0x80 && is_unsafe(point))
		snprintf(piece, ESCAPE_MOST, "\\x%02x", (unsigned)point);
	else if (is_unsafe(point))
		snprintf(piece, ESCAPE_MOST, point > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)point);
	else
		snprintf(piece, ESCAPE_MOST, "%.*s", (int)count, (const char *)text);
	return count;
}

char *brine_escape(char *out, size_t capacity, const void *text, size_t size)
{
	static const char cut_mark[] = "...";
	if (capacity == 0 || !out)
		return out;
	const uint8_t *bytes = text;
	size_t used = 0;
	size_t mark_at = 0; /* the last place from which the mark would still fit */
	out[0] = '\0';
	for (size_t at = 0; bytes && at < size;) {
		char piece[ESCAPE_MOST];
		at += escape_one(piece, bytes + at, size - at);
		size_t length = strlen(piece);
		if (used + length >= capacity) {
			snprintf(out + mark_at, capacity - mark_at, "%s", cut_mark);
			return out;
		}
		memcpy(out + used, piece, length + 1);
		used += length;
		if (used + sizeof cut_mark <= capacity)
			mark_at = used;
	}
	return out;
}
