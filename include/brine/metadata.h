/* brine/metadata.h - what travels beside a call: an encoded map from names to values, as struct brine_call and
 * brine_request_metadata() have it. These are for values that are strings or bytes; a message with the layout MAP and
 * brine_dumps() and brine_loads() do for all others. WIRE.md section 5 bounds it: 64 names, 8 KiB. Names have no
 * control characters. Nothing here keeps state: any thread may call any function on its own data. */
#ifndef BRINE_METADATA_H
#define BRINE_METADATA_H

#include <brine/buf.h>
#include <brine/error.h>

BRINE_BEGIN

/* Adds a string under a name that is not there yet (which is not checked) to metadata that this function made: begin
 * with an empty buffer, and give its brine_buf_bytes() to the call. 0; BRINE_ERR_INVALID (an empty name, or a buffer
 * that holds something else), LIMIT (65,535 names), NOMEM: the buffer is then as before. */
BRINE_API int brine_metadata_add(struct brine_buf *metadata, const char *name, struct brine_str value);

/* Finds the string or the bytes under a name: true and *ret_value, borrowed from metadata, not checked for UTF-8. False
 * where there is none, or another kind of value. */
BRINE_API bool brine_metadata_find(struct brine_bytes metadata, const char *name, struct brine_str *ret_value);

BRINE_END

#endif
