/* inspect/typed_read.h - JSON as the struct of a schema, by proto3's JSON mapping: the other way of
 * inspect_typed_json().
 */
#ifndef INSPECT_TYPED_READ_H
#define INSPECT_TYPED_READ_H

#include <brine/arena.h>
#include <brine/error.h>
#include <brine/type.h>
#include <jansson.h>

/* Reads an object into a new struct of type, in the arena; text in it borrows from value, which must outlive it.
 * Members have the schema's names, or those in lowerCamelCase; missing and null ones are absent. Integers and floats
 * may be strings, enums numbers; bytes are base64 of either alphabet; a map may also be {"$map": [[key, value], ...]}.
 * On error, whose text names the field and what was expected, *ret_message is untouched: BRINE_ERR_TYPE, RANGE,
 * UNKNOWN_FIELD, DUPLICATE (a field by both of its names, two members of a oneof), DEPTH, NOMEM (also over the arena's
 * budget). Limits that the schema sets are left to brine_encode(). */
int inspect_typed_read(void **ret_message, const struct brine_type *type, const json_t *value,
                       struct brine_arena *arena, struct brine_error *error);

#endif
