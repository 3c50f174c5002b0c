/* frame/prefix.h - the length before a message (WIRE.md section 1). Any thread. */
#ifndef BRINE_FRAME_PREFIX_H
#define BRINE_FRAME_PREFIX_H

#include "codec/endian.h"

#include <brine/bytes.h>

struct brine_prefix {
	unsigned size;   /* bytes of the prefix, 1, 2, 3 or 5; 0 if the first byte begins no prefix */
	bool is_whole;   /* all bytes of the prefix are there, so that length is known */
	uint32_t length; /* bytes of the message; 0 while it is not known */
};

/* Returns the size of the prefix before a message of so many bytes. */
static inline unsigned brine_prefix_size(uint32_t length)
{
	return length < 0x80 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
}

/* Reads the prefix that input begins with. input has at least one byte. */
static inline struct brine_prefix brine_prefix_read(struct brine_bytes input)
{
	const uint8_t *bytes = input.data;
	struct brine_prefix prefix = {0, false, 0};
	switch (bytes[0]) {
	case 0xcc: prefix.size = 2; break;
	case 0xcd: prefix.size = 3; break;
	case 0xce: prefix.size = 5; break;
	default: prefix.size = bytes[0] < 0x80 ? 1 : 0; break;
	}
	prefix.is_whole = prefix.size && input.size >= prefix.size;
	if (!prefix.is_whole)
		return prefix;
	prefix.length = prefix.size == 1   ? bytes[0]
	                : prefix.size == 2 ? bytes[1]
	                : prefix.size == 3 ? brine_load16(bytes + 1)
	                                   : brine_load32(bytes + 1);
	return prefix;
}

/* Tells whether the byte is a fixarray of at least two elements, as every message of the framed wire begins. */
static inline bool brine_is_message_head(uint8_t byte)
{
	return byte >= 0x92 && byte <= 0x9f;
}

#endif
