/* base/utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BRINE_BASE_UTF8_H
#define BRINE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the first code point of text (size > 0). Returns its bytes, 1 .. 4, or 0 where they are no UTF-8. */
unsigned brine_utf8_next(const uint8_t *text, size_t size, uint32_t *ret_point);

/* The offset of the first byte that is no UTF-8, or size where all of it is. */
size_t brine_utf8_check(const void *text, size_t size);

#endif
