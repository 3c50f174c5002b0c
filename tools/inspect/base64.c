#include "inspect/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void inspect_base64(char *out, struct brine_bytes bytes)
{
	const uint8_t *from = bytes.data;
	for (size_t at = 0; at < bytes.size; at += 3) {
		size_t left = bytes.size - at;
		uint32_t group = (uint32_t)from[at] << 16;
		if (left > 1)
			group |= (uint32_t)from[at + 1] << 8;
		if (left > 2)
			group |= from[at + 2];
		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = left > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[group & 63] : '=';
	}
	*out = '\0';
}

/* The six bits of a character; 64: none. */
static uint32_t bits_of(char character)
{
	const char *at = character ? strchr(digits, character) : NULL;
	if (at)
		return (uint32_t)(at - digits);
	return character == '-' ? 62 : character == '_' ? 63 : 64;
}

bool inspect_base64_read(uint8_t *out, size_t *ret_size, const char *text, size_t size)
{
	uint32_t group = 0;
	unsigned held = 0; /* bits of group that are not written yet */
	size_t count = 0;
	size_t padding = size && text[size - 1] == '=' ? 1 + (size > 1 && text[size - 2] == '=') : 0;
	if (padding && size % 4)
		return false;
	for (size_t at = 0; at < size - padding; at++) {
		uint32_t bits = bits_of(text[at]);
		if (bits > 63)
			return false;
		group = group << 6 | bits;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[count++] = (uint8_t)(group >> held);
		}
	}
	if (held >= 6 || group & ((1u << held) - 1))
		return false;
	*ret_size = count;
	return true;
}
