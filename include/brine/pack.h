/* brine/pack.h - writes MessagePack values into a buffer, for untyped calls without msgpack-c.
 * Every function appends one value in the shortest form. The functions for arrays and maps append only the head; append
 * the elements behind it. Strings are not checked for UTF-8. A buffer belongs to one thread at a time. On error the
 * bytes of the buffer are as before. Errors:
 *   BRINE_ERR_NOMEM
 *   BRINE_ERR_LIMIT   content has 4 GiB or more
 *   BRINE_ERR_RANGE   the nanoseconds of a timestamp are not 0 to 999,999,999 */
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
