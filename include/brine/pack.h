/* brine/pack.h - writes MessagePack values by hand into a buffer: the packer for untyped calls without msgpack-c.
 * Every function appends one value (or a container's head, its elements then follow) in the shortest form and returns 0
 * or BRINE_ERR_NOMEM, with the buffer then as before. Content of 4 GiB and more is BRINE_ERR_LIMIT, a timestamp whose
 * nanoseconds are not 0 .. 999,999,999 BRINE_ERR_RANGE. Strings are not checked for UTF-8. Not thread-safe. Source: the
 * MessagePack specification. */
#ifndef BRINE_PACK_H
#define BRINE_PACK_H

#include <brine/buf.h>
#include <brine/error.h>

BRINE_BEGIN
BRINE_API int brine_pack_nil(struct brine_buf *out);
BRINE_API int brine_pack_bool(struct brine_buf *out, bool value);
BRINE_API int brine_pack_int(struct brine_buf *out, int64_t value);
BRINE_API int brine_pack_uint(struct brine_buf *out, uint64_t value);
BRINE_API int brine_pack_float(struct brine_buf *out, float value);
BRINE_API int brine_pack_double(struct brine_buf *out, double value);
BRINE_API int brine_pack_str(struct brine_buf *out, const char *data, size_t size);
BRINE_API int brine_pack_bin(struct brine_buf *out, const void *data, size_t size);
BRINE_API int brine_pack_ext(struct brine_buf *out, int8_t type, const void *data, size_t size);
BRINE_API int brine_pack_timestamp(struct brine_buf *out, struct brine_timestamp time);
BRINE_API int brine_pack_array(struct brine_buf *out, uint32_t count);
BRINE_API int brine_pack_map(struct brine_buf *out, uint32_t pair_count);
BRINE_END

#endif
