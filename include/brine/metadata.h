/* brine/metadata.h - metadata of a call, an encoded map from names to values.
 * struct brine_call takes such a map and brine_request_metadata() returns one. These functions are for values that are
 * strings or bytes. For other values use a message with the layout MAP, brine_dumps() and brine_loads(). WIRE.md
 * section 5 limits a map to 64 names and 8 KiB. A name must not be empty and has no control characters. The functions
 * keep no state. Any thread may call them on its own data. */
#ifndef BRINE_METADATA_H
#define BRINE_METADATA_H

#include <brine/buf.h>
#include <brine/error.h>

BRINE_BEGIN

/* Adds a string under a name. Start with an empty buffer and give its brine_buf_bytes() to the call. The name must not
 * be in the map yet, which is not checked. On error the bytes of the buffer are as before. Errors:
 *   BRINE_ERR_INVALID   the name is empty, or the buffer holds something that this function did not write
 *   BRINE_ERR_LIMIT     the map has 65,535 names, or a text has 4 GiB or more
 *   BRINE_ERR_NOMEM */
BRINE_API int brine_metadata_add(struct brine_buf *metadata, const char *name, struct brine_str value);

/* Finds the string or the bytes under a name and stores a view in *ret_value. The view is borrowed from metadata and
 * not checked for UTF-8. Returns false if the name is not there, or if its value is neither str nor bin. */
BRINE_API bool brine_metadata_find(struct brine_bytes metadata, const char *name, struct brine_str *ret_value);

BRINE_END

#endif
