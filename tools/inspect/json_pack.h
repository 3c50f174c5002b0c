/* inspect/json_pack.h - JSON as MessagePack without a schema: the other way of inspect/json_value.h, so that what that
 * writes becomes the same values again (brine(1) "JSON" has the mapping). */
#ifndef INSPECT_JSON_PACK_H
#define INSPECT_JSON_PACK_H

#include <brine/buf.h>
#include <brine/error.h>
#include <jansson.h>

/* Appends value. depth_max: nested arrays and maps allowed, as they count in MessagePack. On error out is as before,
 * and the text says where in the value and what would be right: BRINE_ERR_TYPE (a form that begins with $ is written
 * wrong, or unknown), RANGE (an integer of more than 64 bits, a time that never was), DEPTH, LIMIT, NOMEM. */
int inspect_json_pack(struct brine_buf *out, const json_t *value, unsigned depth_max, struct brine_error *error);

#endif
