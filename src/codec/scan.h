/* codec/scan.h - finds the end of one MessagePack value in a stream without lengths that comes in pieces.
 * Each byte is looked at once, however the stream is cut; the state is of constant size and owns nothing. The verdict
 * and its offset do not depend on the cuts. Source: WIRE.md section 6. */
#ifndef BRINE_CODEC_SCAN_H
#define BRINE_CODEC_SCAN_H

#include <brine/codec.h>

struct brine_scan {
	uint64_t size; /* bytes of the value scanned so far */
	/* private: */
	uint64_t size_max;
	uint64_t owed; /* values still to come, in all open containers together */
	uint64_t skip; /* content bytes of the last token still to come */
	unsigned depth_max, depth;
	uint8_t head[5]; /* a head that was cut */
	uint8_t head_size;
	uint64_t left[BRINE_FRAME_DEPTH_MAX]; /* values each open container still owes */
};

/* Starts at the first byte of a value. depth_max: nested containers allowed, 1 .. 32, counted as brine_check() does.
 * size_max: bytes the value may have. */
void brine_scan_init(struct brine_scan *scan, unsigned depth_max, uint64_t size_max);

/* Scans the next bytes of the stream, those behind scan->size. 1 when the value ends in them: scan->size is its whole
 * size, and brine_scan_init() begins the next value there. 0 when all were scanned and more are needed. Fatal, with the
 * offset from the value's first byte: BRINE_ERR_MALFORMED (0xc1), DEPTH, TOO_BIG as soon as the value cannot end within
 * size_max. */
int brine_scan_feed(struct brine_scan *scan, const void *data, size_t size, struct brine_error *error);

#endif
