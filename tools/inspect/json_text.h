/* inspect/json_text.h - JSON between text and jansson's values, strict on the way in, harmless on the way out. */
#ifndef INSPECT_JSON_TEXT_H
#define INSPECT_JSON_TEXT_H

#include "inspect/line.h"

#include <jansson.h>

enum { INSPECT_JSON_SIZE_MOST = 32 << 20 }; /* bytes of one text: what a 16 MiB message may need as base64 */

/* Parses exactly one value, with any space around it: a new reference. NULL on error, whose text names line and column:
 * BRINE_ERR_MALFORMED, UTF8, DUPLICATE (a member's name twice), DEPTH (nested more than 2,048 deep), RANGE (a number
 * that neither 64 bits nor a double hold), TRAILING (something follows), LIMIT (larger than INSPECT_JSON_SIZE_MOST),
 * NOMEM. */
json_t *inspect_json_parse(struct brine_bytes text, struct brine_error *error);

/* Adds value to line, without newline: ASCII, without control characters; on one line, or indented where pretty. Floats
 * come back as they were, with as few digits as that takes. Out of memory: line->status. */
void inspect_json_print(struct inspect_line *line, const json_t *value, bool pretty);

#endif
