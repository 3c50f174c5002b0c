#include "inspect/base64.h"

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
