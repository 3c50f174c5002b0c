/* codec/walk.h - where one MessagePack value ends: a walk over its tokens that checks them. Allocates nothing, does not
 * recurse, linear. */
#ifndef BRINE_CODEC_WALK_H
#define BRINE_CODEC_WALK_H

#include <brine/codec.h>

/* Walks over the value that bytes begin with; *ret_size is its size. depth_max: as brine_check(), and 0 for scalars
 * only. Errors: BRINE_ERR_MALFORMED (truncated, too), BRINE_ERR_DEPTH. */
int brine_value_walk(struct brine_bytes bytes, unsigned depth_max, size_t *ret_size, struct brine_error *error);

/* Bytes of the whole value that data begins with, elements of elements included; 0 where it is truncated, malformed or
 * nested deeper than depth_max (0: scalars only). One budget of elements, as brine_check(). Does not recurse. */
size_t brine_value_size_within(const void *data, size_t size, unsigned depth_max);

/* The same at the depth of a frame, which checked bytes never exceed. */
static inline size_t brine_value_size(const void *data, size_t size)
{
	return brine_value_size_within(data, size, BRINE_FRAME_DEPTH_MAX);
}

#endif
