/* inspect/time_text.h - timestamps out of RFC 3339 text, as JSON mappings write them. */
#ifndef INSPECT_TIME_TEXT_H
#define INSPECT_TIME_TEXT_H

#include <brine/bytes.h>

/* Reads "2026-11-22T10:00:00Z", with up to nine digits of a fraction, with an offset instead of Z. The years 1 to 9999.
 * False where the text is something else, or names a time that never was. */
bool inspect_time_read(const char *text, size_t size, struct brine_timestamp *ret_time);

#endif
