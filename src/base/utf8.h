/* base/utf8.h - strict UTF-8 (RFC 3629) without overlong forms, surrogates and points above U+10FFFF. Any thread. */
#ifndef BRINE_BASE_UTF8_H
#define BRINE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the first code point of text into *ret_point. size must be above 0. Returns the bytes of the code point, 1 to
 * 4, or 0 if the text does not begin with UTF-8. */
unsigned brine_utf8_next(const uint8_t *text, size_t size, uint32_t *ret_point);

/* Returns the offset of the first byte that is not UTF-8, or size if all of the text is. */
size_t brine_utf8_check(const void *text, size_t size);

#endif
