/* codec/walk.h - walks over the tokens of one MessagePack value to check them and to find its end.
 * The walk allocates nothing, does not recurse, and takes linear time. Any thread. */
#ifndef BRINE_CODEC_WALK_H
#define BRINE_CODEC_WALK_H

#include <brine/codec.h>

/* Walks over the value that bytes begin with and stores its size in *ret_size. depth_max is the most levels of
 * containers, 0 to 32; 0 allows scalars only. The elements that all open containers still claim may not exceed the
 * bytes that are left. *ret_size is untouched on error. Errors:
 *   BRINE_ERR_MALFORMED   the value is truncated, or holds the byte 0xc1
 *   BRINE_ERR_DEPTH       containers nest deeper than depth_max */
int brine_value_walk(struct brine_bytes bytes, unsigned depth_max, size_t *ret_size, struct brine_error *error);

/* Does the same and notes where the elements of the outermost container begin, so that they need not be walked over
 * again. Their offsets go to marks, the first marks_count of them at most; those of a map are keys and values. Marks
 * beyond the elements are untouched. On error some may be written. */
int brine_value_walk_marked(struct brine_bytes bytes, unsigned depth_max, size_t *marks, size_t marks_count,
                            size_t *ret_size, struct brine_error *error);

/* Returns the size of the value that data begins with, all of its elements included. Returns 0 where brine_value_walk()
 * fails. */
size_t brine_value_size_within(const void *data, size_t size, unsigned depth_max);

/* Does the same at the depth of a frame, which checked bytes never exceed. */
static inline size_t brine_value_size(const void *data, size_t size)
{
	return brine_value_size_within(data, size, BRINE_FRAME_DEPTH_MAX);
}

#endif
