/* inspect/scalar_read.h - JSON as single values of a schema's fields: numbers, text, enums, times. */
#ifndef INSPECT_SCALAR_READ_H
#define INSPECT_SCALAR_READ_H

#include <brine/type.h>
#include <jansson.h>

enum { INSPECT_WHY_SIZE = 160 }; /* bytes of what is said of a value that does not fit */

/* Stores value as field says, which is no message, bytes or brine.Value; text borrows from value. 0, or with
 * `why` (INSPECT_WHY_SIZE bytes) filled and *to perhaps changed: BRINE_ERR_TYPE, RANGE. */
int inspect_scalar_read(void *to, const struct brine_field *field, const json_t *value, char *why);

/* The same with a member's name as the value: how a map's keys are written. Borrows the name. */
int inspect_scalar_read_name(void *to, const struct brine_field *field, const char *name, char *why);

/* "a string", "an object", for error texts. */
const char *inspect_json_kind(const json_t *value);

#endif
