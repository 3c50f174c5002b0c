#include <brine/codec.h>

#include "codec/walk.h"

int brine_check(struct brine_bytes bytes, unsigned depth_max, struct brine_error *error)
{
	if (bytes.size && !bytes.data)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "bytes is NULL");
	size_t end = 0;
	if (depth_max < 1 || depth_max > BRINE_FRAME_DEPTH_MAX)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "depth limit %u is not 1 .. %d", depth_max,
		                  BRINE_FRAME_DEPTH_MAX);
	int status = brine_value_walk(bytes, depth_max, &end, error);
	if (status == 0 && end < bytes.size)
		return brine_fail(error, BRINE_ERR_TRAILING, end, "%zu bytes after the value that ends at offset %zu",
		                  bytes.size - end, end);
	return status;
}
