/* brine/untyped.h - values without a schema, as msgpack-c objects. No other header of Brine includes msgpack.h. */
#ifndef BRINE_UNTYPED_H
#define BRINE_UNTYPED_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/error.h>
#include <msgpack.h>

BRINE_BEGIN

/* Reads one MessagePack value as a msgpack_object. The bytes may be hostile and are checked first. The elements of
 * containers live in the arena. Strings, bytes and ext values borrow from `bytes`. On error *ret_object is untouched.
 * Any thread. Errors:
 *   those of brine_check()
 *   BRINE_ERR_NOMEM   also if the arena's budget is used up */
BRINE_API int brine_object_loads(msgpack_object *ret_object, struct brine_bytes bytes, struct brine_arena *arena,
                                 struct brine_error *error);

/* Makes a msgpack-c packer that appends to a Brine buffer. The buffer must live as long as the packer is used. A pack
 * function of msgpack-c returns -1 when out of memory. */
BRINE_API void brine_packer_init(msgpack_packer *packer, struct brine_buf *out);

BRINE_END

#endif
