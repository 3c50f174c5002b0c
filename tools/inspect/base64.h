/* inspect/base64.h - RFC 4648 base64, as JSON mappings write bytes. */
#ifndef INSPECT_BASE64_H
#define INSPECT_BASE64_H

#include <brine/bytes.h>

/* Characters that size bytes become, the final NUL not counted. */
#define INSPECT_BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* The most bytes that size characters hold. */
#define INSPECT_BASE64_ROOM(size) ((size) / 4 * 3 + 2)

/* Writes INSPECT_BASE64_SIZE(bytes.size) characters, padded, and a NUL to out. */
void inspect_base64(char *out, struct brine_bytes bytes);

/* Reads size characters of either alphabet, padded or not, into out (INSPECT_BASE64_ROOM(size) bytes). False where they
 * are something else, or end inside a byte. */
bool inspect_base64_read(uint8_t *out, size_t *ret_size, const char *text, size_t size);

#endif
