#include "inspect/stream.h"

#include "codec/token.h"

#include <inttypes.h>

enum { RUN_MOST = 64 << 20 }; /* so that an endless run shows that something goes on */

void inspect_stream_init(struct inspect_stream *stream, const struct inspect_stream_options *options,
                         const struct brine_allocator *allocator)
{
	*stream = (struct inspect_stream){.wire = options->wire, .options = *options};
	brine_buf_init(&stream->input, allocator);
}

void inspect_stream_done(struct inspect_stream *stream)
{
	brine_buf_done(&stream->input);
}

/* Lets go of the piece handed out last. */
static void drop_consumed(struct inspect_stream *stream)
{
	brine_buf_take(&stream->input, stream->consumed);
	stream->offset += stream->consumed;
	stream->consumed = 0;
}

int inspect_stream_feed(struct inspect_stream *stream, const void *data, size_t size)
{
	drop_consumed(stream);
	return brine_buf_append(&stream->input, data, size);
}

void inspect_stream_end(struct inspect_stream *stream)
{
	stream->ended = true;
}

/* From here on the stream is not understood; the error's offset counts from the front of the input. */
static void lose(struct inspect_stream *stream, const struct brine_error *error)
{
	stream->lost = true;
	stream->fault = *error;
	stream->fault.offset += stream->offset;
	stream->fault_told = false;
	stream->faults++;
	/* The place of the fault itself is not tried again. */
	stream->rejected = 1;
	stream->scanning = false;
}

static int give_message(struct inspect_stream *stream, struct brine_bytes message, size_t prefix_size,
                        struct inspect_piece *ret_piece)
{
	*ret_piece = (struct inspect_piece){
	        .type = INSPECT_MESSAGE, .offset = stream->offset, .prefix_size = prefix_size, .bytes = message};
	stream->consumed = prefix_size + message.size;
	return 1;
}

static int give_undecoded(struct inspect_stream *stream, struct brine_bytes bytes, struct inspect_piece *ret_piece)
{
	*ret_piece = (struct inspect_piece){.type = INSPECT_UNDECODED,
	                                    .offset = stream->offset,
	                                    .bytes = bytes,
	                                    .first = !stream->fault_told,
	                                    .fault = &stream->fault};
	stream->fault_told = true;
	stream->consumed = bytes.size;
	return 1;
}

static int find_framed_piece(struct inspect_stream *stream, struct brine_bytes input, struct inspect_piece *ret_piece)
{
	struct brine_bytes message;
	size_t prefix_size;
	struct brine_error error = BRINE_ERROR_INIT;
	int rc = brine_frame_find(input, &stream->options.limits, &message, &prefix_size, &error);
	if (rc > 0)
		return give_message(stream, message, prefix_size, ret_piece);
	if (rc < 0)
		lose(stream, &error);
	return 0;
}

static bool is_array_head(uint8_t byte)
{
	return (byte & 0xf0) == 0x90 || byte == 0xdc || byte == 0xdd;
}

static int find_plain_piece(struct inspect_stream *stream, struct brine_bytes input, struct inspect_piece *ret_piece)
{
	const uint8_t *bytes = input.data;
	struct brine_error error = BRINE_ERROR_INIT;
	if (!stream->scanning) {
		if (!is_array_head(bytes[0])) {
			brine_fail(&error, BRINE_ERR_PROTO, 0, "expected a message, an array; found the byte 0x%02x",
			           bytes[0]);
			lose(stream, &error);
			return 0;
		}
		brine_scan_init(&stream->scan, stream->options.limits.depth_max,
		                stream->options.limits.message_size_max);
		stream->scanning = true;
		stream->scanned = 0;
	}
	int rc = brine_scan_feed(&stream->scan, bytes + stream->scanned, input.size - stream->scanned, &error);
	stream->scanned = input.size;
	if (rc < 0)
		lose(stream, &error);
	if (rc <= 0)
		return 0;
	stream->scanning = false;
	return give_message(stream, (struct brine_bytes){bytes, (size_t)stream->scan.size}, 0, ret_piece);
}

static void detect(struct inspect_stream *stream, struct brine_bytes input)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int wire = brine_wire_detect(input, &error);
	if (wire < 0)
		lose(stream, &error);
	else
		stream->wire = wire;
}

/* The input ended inside a message, or before it was clear what it is. */
static void lose_end(struct inspect_stream *stream, struct brine_bytes input)
{
	struct brine_error error;
	struct brine_token prefix;
	if (stream->wire == BRINE_WIRE_FRAMED && brine_token_read(&prefix, input.data, input.size) > 0)
		brine_fail(&error, BRINE_ERR_TRUNCATED, 0, "truncated frame, have %zu of %" PRIu64 " bytes", input.size,
		           (uint64_t)prefix.size + prefix.uint);
	else
		brine_fail(&error, BRINE_ERR_TRUNCATED, 0, "the stream ends inside a message, after %zu bytes of it",
		           input.size);
	lose(stream, &error);
}

/* What stands at the front of input, in a stream that is understood so far. 1 a piece, 0 more input is needed or the
 * stream was lost here. */
static int find_next(struct inspect_stream *stream, struct brine_bytes input, struct inspect_piece *ret_piece)
{
	if (stream->wire == BRINE_WIRE_UNKNOWN)
		detect(stream, input);
	if (stream->lost)
		return 0;
	switch (stream->wire) {
	case BRINE_WIRE_FRAMED: return find_framed_piece(stream, input, ret_piece);
	case BRINE_WIRE_PLAIN: return find_plain_piece(stream, input, ret_piece);
	default: return 0;
	}
}

/* True where message is of a type that both sides know and fit in every respect: no chance hit among random bytes. */
static bool is_sound(struct brine_bytes message, int wire, const struct brine_limits *limits)
{
	struct brine_frame frame;
	struct brine_judgement judgement;
	return brine_frame_parse(&frame, message, wire, limits, &judgement, NULL) == 0;
}

/* Whether a message begins at bytes: 1 yes, 0 more input is needed to say, -1 no. */
static int try_framed(struct inspect_stream *stream, struct brine_bytes bytes)
{
	struct brine_limits limits = stream->options.limits;
	struct brine_bytes message;
	size_t prefix_size;
	if (limits.message_size_max > INSPECT_RESYNC_MOST)
		limits.message_size_max = INSPECT_RESYNC_MOST;
	int rc = brine_frame_find(bytes, &limits, &message, &prefix_size, NULL);
	return rc > 0 && !is_sound(message, BRINE_WIRE_FRAMED, &limits) ? -1 : rc;
}

static int try_plain(struct inspect_stream *stream, struct brine_bytes bytes)
{
	const struct brine_limits *limits = &stream->options.limits;
	const uint8_t *data = bytes.data;
	if (data[0] != 0x93 && data[0] != 0x94)
		return -1;
	struct brine_scan scan;
	brine_scan_init(&scan, limits->depth_max, INSPECT_RESYNC_MOST);
	int rc = brine_scan_feed(&scan, data, bytes.size, NULL);
	struct brine_bytes message = {data, (size_t)scan.size};
	return rc > 0 && !is_sound(message, BRINE_WIRE_PLAIN, limits) ? -1 : rc;
}

/* As above, in the mode of the stream or, where that was never found out, in either. */
static int try_message(struct inspect_stream *stream, struct brine_bytes bytes)
{
	int framed = stream->wire == BRINE_WIRE_PLAIN ? -1 : try_framed(stream, bytes);
	int plain = stream->wire == BRINE_WIRE_FRAMED ? -1 : try_plain(stream, bytes);
	if (framed > 0 || plain > 0)
		stream->wire = framed > 0 ? BRINE_WIRE_FRAMED : BRINE_WIRE_PLAIN;
	return framed > plain ? framed : plain;
}

/* Looks for the next message, giving what is passed over as undecoded pieces. 1 a piece; 0 more input is needed, or a
 * message begins at the front of the input (the stream is then no longer lost). */
static int resync(struct inspect_stream *stream, struct brine_bytes input, struct inspect_piece *ret_piece)
{
	const uint8_t *bytes = input.data;
	int found = 0;
	while (stream->rejected < input.size && stream->rejected < INSPECT_UNDECODED_MOST) {
		size_t at = stream->rejected;
		found = try_message(stream, (struct brine_bytes){bytes + at, input.size - at});
		if (found > 0 || (found == 0 && !stream->ended))
			break;
		stream->rejected++;
	}
	bool complete = found > 0 || stream->rejected == INSPECT_UNDECODED_MOST ||
	                (stream->ended && stream->rejected == input.size);
	if (complete && stream->rejected) {
		size_t size = stream->rejected;
		stream->rejected = 0;
		return give_undecoded(stream, (struct brine_bytes){bytes, size}, ret_piece);
	}
	stream->lost = found <= 0;
	return 0;
}

/* Bytes at the front of input that equal `byte`, at most `most`. */
static size_t count_equal(struct brine_bytes input, uint8_t byte, uint64_t most)
{
	const uint8_t *bytes = input.data;
	size_t count = 0;
	while (count < input.size && count < most && bytes[count] == byte)
		count++;
	return count;
}

/* Goes on with a run of one byte: it leaves the input as it comes, so that an endless one needs no memory. */
static int continue_run(struct inspect_stream *stream, struct brine_bytes input, struct inspect_piece *ret_piece)
{
	size_t count = count_equal(input, stream->run_byte, RUN_MOST - stream->run);
	bool complete = count < input.size || stream->run + count == RUN_MOST || stream->ended;
	brine_buf_take(&stream->input, count);
	stream->offset += count;
	stream->run += count;
	if (!complete)
		return 0;
	give_undecoded(stream, (struct brine_bytes){&stream->run_byte, 1}, ret_piece);
	ret_piece->offset -= stream->run;
	ret_piece->repeat = stream->run;
	stream->run = 0;
	stream->consumed = 0; /* left the input already */
	return 1;
}

static int give_lost(struct inspect_stream *stream, struct brine_bytes input, struct inspect_piece *ret_piece)
{
	const uint8_t *bytes = input.data;
	if (stream->run == 0) {
		if (input.size == 0 || (input.size < INSPECT_UNDECODED_MOST && !stream->ended))
			return 0;
		size_t size = input.size < INSPECT_UNDECODED_MOST ? input.size : INSPECT_UNDECODED_MOST;
		if (size < INSPECT_UNDECODED_MOST || count_equal(input, bytes[0], size) < size)
			return give_undecoded(stream, (struct brine_bytes){bytes, size}, ret_piece);
		stream->run_byte = bytes[0];
	}
	return continue_run(stream, input, ret_piece);
}

int inspect_stream_next(struct inspect_stream *stream, struct inspect_piece *ret_piece)
{
	drop_consumed(stream);
	for (;;) {
		struct brine_bytes input = brine_buf_bytes(&stream->input);
		if (stream->lost && !stream->options.resync)
			return give_lost(stream, input, ret_piece);
		if (input.size == 0)
			return 0;
		bool was_lost = stream->lost;
		int rc = was_lost ? resync(stream, input, ret_piece) : find_next(stream, input, ret_piece);
		if (rc > 0)
			return 1;
		/* Lost or found again just now: look again. Else more input is needed, and at the end there is none. */
		if (was_lost != stream->lost)
			continue;
		if (!stream->ended)
			return 0;
		lose_end(stream, input);
	}
}
