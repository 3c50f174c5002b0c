/* codec/scan.h - finds the end of one MessagePack value in a stream that has no lengths and comes in pieces (WIRE.md
 * section 6). Each byte is looked at once. The result and the offset of an error do not depend on how the stream is
 * cut. The state is in the caller's storage, has a constant size, and owns nothing. One thread at a time. */
#ifndef BRINE_CODEC_SCAN_H
#define BRINE_CODEC_SCAN_H

#include <brine/codec.h>

struct brine_scan {
	uint64_t size; /* bytes of the value that were scanned so far */
	/* private: */
	uint64_t size_max;
	uint64_t owed; /* values that are still to come, in all open containers together */
	uint64_t skip; /* content bytes of the last token that are still to come */
	unsigned depth_max, depth;
	uint8_t head[5]; /* the first bytes of a head that was cut */
	uint8_t head_size;
	uint64_t left[BRINE_FRAME_DEPTH_MAX]; /* values that each open container still owes */
};

/* Starts at the first byte of a value. depth_max is the most levels of containers, 1 to 32, counted as brine_check()
 * counts. size_max is the most bytes of the value. */
void brine_scan_init(struct brine_scan *scan, unsigned depth_max, uint64_t size_max);

/* Scans the next bytes of the stream, which follow the scan->size bytes before. Returns 1 if the value ends in them.
 * scan->size is its whole size then, and brine_scan_init() begins the next value behind it. Returns 0 if all bytes were
 * scanned and more are needed. After an error the stream cannot go on. error->offset counts from the first byte of the
 * value. Errors:
 *   BRINE_ERR_MALFORMED   the byte 0xc1, which begins nothing
 *   BRINE_ERR_DEPTH       containers nest deeper than depth_max
 *   BRINE_ERR_TOO_BIG     the value cannot end within size_max bytes */
int brine_scan_feed(struct brine_scan *scan, const void *data, size_t size, struct brine_error *error);

#endif
