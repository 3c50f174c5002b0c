#include "base/utf8.h"

#include <string.h>

unsigned brine_utf8_next(const uint8_t *text, size_t size, uint32_t *ret_point)
{
	/* First byte -> length; least code point of that length, which rules out overlong forms. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = text[0];
	if (first < 0x80) {
		*ret_point = first;
		return 1;
	}
	unsigned count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc2 || first > 0xf4 || count > size)
		return 0;
	uint32_t point = first & (0x7fu >> count);
	for (unsigned i = 1; i < count; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3fu);
	}
	if (point < least[count] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return count;
}

size_t brine_utf8_check(const void *text, size_t size)
{
	const uint8_t *bytes = text;
	size_t at = 0;
	while (at < size) {
		uint64_t eight;
		if (size - at >= sizeof eight) {
			memcpy(&eight, bytes + at, sizeof eight);
			if (!(eight & UINT64_C(0x8080808080808080))) {
				at += sizeof eight;
				continue;
			}
		}
		if (bytes[at] < 0x80) {
			at++;
			continue;
		}
		uint32_t point;
		unsigned count = brine_utf8_next(bytes + at, size - at, &point);
		if (count == 0)
			return at;
		at += count;
	}
	return at;
}
