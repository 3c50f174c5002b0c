/* inspect/base64.h - RFC 4648 base64 with padding, as JSON mappings write bytes. */
#ifndef INSPECT_BASE64_H
#define INSPECT_BASE64_H

#include <brine/bytes.h>

/* Characters that size bytes become, the final NUL not counted. */
#define INSPECT_BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Writes INSPECT_BASE64_SIZE(bytes.size) characters and a NUL to out. */
void inspect_base64(char *out, struct brine_bytes bytes);

#endif
