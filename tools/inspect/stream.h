/* inspect/stream.h - one direction of a recorded connection, cut into pieces: whole messages, and the bytes between
 * them that could not be understood. Every byte fed comes out in exactly one piece, whatever the bytes are, and the
 * pieces do not depend on how the input was cut. Does no I/O. Memory is bounded by the message limit. Not thread-safe.
 *
 *   inspect_stream_feed(), then inspect_stream_next() until it returns 0; at the end of the input inspect_stream_end(),
 * and next until it returns 0 again.
 *
 * After a framing fault nobody knows where the next message begins: the rest comes out undecoded, unless resync asks to
 * look for the next bytes that are a message of a known type in every respect. */
#ifndef INSPECT_STREAM_H
#define INSPECT_STREAM_H

#include <brine/frame.h>

#include "codec/scan.h"

enum {
	INSPECT_UNDECODED_MOST = 64,    /* bytes of one undecoded piece */
	INSPECT_RESYNC_MOST = 4 * 1024, /* bytes of a message that resync can find: keeps the search linear */
};

enum inspect_piece_type {
	INSPECT_MESSAGE = 1,
	INSPECT_UNDECODED,
};

struct inspect_piece {
	int type;                 /* enum inspect_piece_type */
	uint64_t offset;          /* in the stream, of the prefix where there is one */
	size_t prefix_size;       /* framed messages: bytes of the length prefix; else 0 */
	struct brine_bytes bytes; /* the message, prefix excluded; or the undecoded bytes */
	uint64_t repeat; /* undecoded: how often the one byte in `bytes` comes in a row; 0: bytes are as they stand */
	bool first;      /* undecoded: the fault is here; later pieces go on with the same one */
	const struct brine_error *fault; /* undecoded: why, with the offset in the stream. Borrowed from the stream. */
};

struct inspect_stream_options {
	int wire; /* enum brine_wire; UNKNOWN: decided by the first bytes */
	bool resync;
	struct brine_limits limits;
};

/* Fields are private but wire and faults. */
struct inspect_stream {
	int wire;        /* enum brine_wire: what it is or, UNKNOWN, not yet clear */
	uint64_t faults; /* places where the stream could not be understood */
	struct inspect_stream_options options;
	struct brine_buf input;
	uint64_t offset; /* of the first byte of input */
	size_t consumed; /* bytes of input that the piece handed out last borrows */
	bool ended, lost, fault_told;
	struct brine_error fault;
	struct brine_scan scan; /* plain: the message at the front of input */
	bool scanning;
	size_t scanned;  /* bytes of it that the scan has seen */
	size_t rejected; /* resync: bytes at the front of input at which no message begins */
	uint64_t run;    /* bytes of the run taken out of the input so far */
	uint8_t run_byte;
};

/* Makes an empty stream; done releases it. allocator NULL: the default; it must outlive the stream. */
void inspect_stream_init(struct inspect_stream *stream, const struct inspect_stream_options *options,
                         const struct brine_allocator *allocator);
void inspect_stream_done(struct inspect_stream *stream);

/* Adds the next bytes of the input, which are copied. 0 or BRINE_ERR_NOMEM (nothing was taken). */
int inspect_stream_feed(struct inspect_stream *stream, const void *data, size_t size);

/* Says that the input ends here. */
void inspect_stream_end(struct inspect_stream *stream);

/* Takes the next piece: 1 and *ret_piece, or 0 when more input is needed or all is out. What the piece points to lives
 * until the next call of feed, next or done. */
int inspect_stream_next(struct inspect_stream *stream, struct inspect_piece *ret_piece);

#endif
