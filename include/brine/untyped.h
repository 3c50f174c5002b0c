/* brine/untyped.h - values without a schema, as msgpack-c objects. The one header that includes msgpack.h. */
#ifndef BRINE_UNTYPED_H
#define BRINE_UNTYPED_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/error.h>
#include <msgpack.h>

BRINE_BEGIN

/* Views one MessagePack value as a msgpack_object. The bytes are checked before msgpack-c sees them, so hostile ones
 * cost nothing. The object and what it points to live in the arena and in `bytes`. Errors: as brine_check(),
 * BRINE_ERR_NOMEM. */
BRINE_API int brine_object_loads(msgpack_object *ret_object, struct brine_bytes bytes, struct brine_arena *arena,
                                 struct brine_error *error);

/* Points a msgpack-c packer at a Brine buffer: what it packs is appended. Both must outlive the packing. */
BRINE_API void brine_packer_init(msgpack_packer *packer, struct brine_buf *out);

BRINE_END

#endif
