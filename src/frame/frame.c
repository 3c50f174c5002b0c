#include <brine/codec.h>
#include <brine/frame.h>

#include "codec/walk.h"
#include "frame/messages.h"
#include "frame/prefix.h"

#include <assert.h>

enum {
	LENGTH_LEAST = 3, /* an array head, a type and one element */
	PREFIX_SIZE_MAX = 5,
	SCALARS_SIZE = 256, /* room for all heads, numbers and keys of any message */
};

int brine_frame_find(struct brine_bytes input, const struct brine_limits *limits, struct brine_bytes *ret_message,
                     size_t *ret_prefix_size, struct brine_error *error)
{
	if ((input.size && !input.data) || !limits || !ret_message || !ret_prefix_size)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "input, limits, ret_message or ret_prefix_size is NULL");
	if (input.size == 0)
		return 0;
	const uint8_t *bytes = input.data;
	struct brine_prefix prefix = brine_prefix_read(input);
	if (prefix.size == 0)
		return brine_fail(error, BRINE_ERR_PROTO, 0, "byte 0x%02x is no frame length", bytes[0]);
	if (!prefix.is_whole)
		return 0;
	if (prefix.length < LENGTH_LEAST)
		return brine_fail(error, BRINE_ERR_PROTO, 0, "empty frame: a length of %u, at least %d", prefix.length,
		                  LENGTH_LEAST);
	if (input.size == prefix.size)
		return 0;
	if (!brine_is_message_head(bytes[prefix.size]))
		return brine_fail(error, BRINE_ERR_PROTO, prefix.size,
		                  "byte 0x%02x is no message head: an array of 2 to 15 elements", bytes[prefix.size]);
	if (prefix.length > limits->message_size_max)
		return brine_fail(error, BRINE_ERR_TOO_BIG, 0, "frame of %u bytes exceeds message_size_max %u",
		                  prefix.length, limits->message_size_max);
	if (input.size - prefix.size < prefix.length)
		return 0;
	*ret_message = BRINE_BYTES(bytes + prefix.size, prefix.length);
	*ret_prefix_size = prefix.size;
	return 1;
}

/* Checks the whole message as MessagePack and says what WIRE.md wants to be said. */
static int check_messagepack(struct frame_parse *parse, struct brine_bytes message)
{
	unsigned depth = parse->limits->depth_max;
	struct brine_error fault;
	size_t end = 0;
	int status = brine_value_walk_marked(message, depth < BRINE_FRAME_DEPTH_MAX ? depth : BRINE_FRAME_DEPTH_MAX,
	                                     parse->marks, FRAME_MARKS, &end, &fault);
	if (status < 0)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, status, parse->start + fault.offset,
		                   "value runs past its frame or is malformed: %s", fault.text);
	if (end < message.size)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_TRAILING,
		                   parse->start + end, "%zu bytes after the message", message.size - end);
	return 0;
}

/* Takes the array's head and the type. */
static int parse_head(struct frame_parse *parse, struct brine_frame *frame)
{
	struct brine_token head = frame_token(BRINE_BYTES(parse->start, (size_t)(parse->end - parse->start)));
	bool fits = parse->plain ? head.kind == BRINE_TOKEN_ARRAY && (head.count == 3 || head.count == 4)
	                         : brine_is_message_head(parse->start[0]);
	if (!fits)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_PROTO, parse->start,
		                   "a message is an array of %s elements", parse->plain ? "3 or 4" : "2 to 15");
	parse->count = parse->left = head.count;
	struct brine_bytes value = frame_element(parse);
	if (*(const uint8_t *)value.data >= 0x80)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_PROTO, value.data,
		                   "unknown message type: byte 0x%02x is not 0 to 127", *(const uint8_t *)value.data);
	frame->type = *(const uint8_t *)value.data;
	return 0;
}

/* A plain message has exactly the elements of its type and is one of three. */
static int check_plain_shape(struct frame_parse *parse, int type)
{
	static const uint8_t counts[] = {4, 4, 3};
	if (type > BRINE_FRAME_NOTIFICATION)
		return frame_judge(parse, BRINE_VERDICT_SILENT, 0, BRINE_ERR_PROTO, parse->start,
		                   "unknown message type %d", type);
	if (parse->count != counts[type])
		return frame_judge(parse, BRINE_VERDICT_SILENT, 0, BRINE_ERR_PROTO, parse->start,
		                   "a plain %s has %u elements, got %u", brine_frame_kinds[type].name, counts[type],
		                   parse->count);
	return 0;
}

/* Refuses types that are unknown or reserved, and messages too short for theirs. */
static int check_shape(struct frame_parse *parse, int type)
{
	if (parse->plain)
		return check_plain_shape(parse, type);
	if (type >= FRAME_TYPES)
		return frame_judge(parse, BRINE_VERDICT_IGNORE, 0, BRINE_ERR_UNSUPPORTED, parse->start,
		                   "advisory message type %d", type);
	const struct frame_kind *kind = &brine_frame_kinds[type];
	if (!kind->parse)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_UNSUPPORTED, BRINE_ERR_UNSUPPORTED,
		                   parse->start, "unknown message type %d", type);
	if (parse->count < kind->least)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_PROTO, parse->start,
		                   "%s of %u elements, at least %u", kind->name, parse->count, kind->least);
	return 0;
}

int brine_frame_parse(struct brine_frame *ret_frame, struct brine_bytes message, int wire,
                      const struct brine_limits *limits, struct brine_judgement *ret_judgement,
                      struct brine_error *error)
{
	if (!ret_frame || (message.size && !message.data) || !limits || !ret_judgement)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_frame, message, limits or ret_judgement is NULL");
	struct brine_error unused;
	const uint8_t *start = message.size ? message.data : (const uint8_t *)"";
	struct frame_parse parse = {
	        .start = start,
	        .end = start + message.size,
	        .plain = wire == BRINE_WIRE_PLAIN,
	        .limits = limits,
	        .judgement = ret_judgement,
	        .error = error ? error : &unused,
	};
	memset(ret_frame, 0, sizeof *ret_frame);
	*ret_judgement = (struct brine_judgement){BRINE_VERDICT_OK, 0};
	int status = check_messagepack(&parse, message);
	if (status == 0)
		status = parse_head(&parse, ret_frame);
	if (status == 0)
		status = check_shape(&parse, ret_frame->type);
	return status < 0 ? status : brine_frame_kinds[ret_frame->type].parse(&parse, ret_frame);
}

/* No message takes more bytes than this, beside what an encoder writes. */
static size_t size_bound(const struct brine_frame *frame)
{
	const struct brine_bytes *parts[] = {&frame->id_bytes,  &frame->method,           &frame->params,
	                                     &frame->result,    &frame->options.metadata, &frame->hello.features,
	                                     &frame->error.data};
	size_t bound = SCALARS_SIZE;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (__builtin_add_overflow(bound, parts[i]->size, &bound))
			return SIZE_MAX;
	size_t texts = frame->text.size + frame->error.text.size + frame->hello.name.size;
	return __builtin_add_overflow(bound, texts, &bound) ? SIZE_MAX : bound;
}

/* Writes the length before the message, which begins PREFIX_SIZE_MAX bytes behind what out held before. A shorter
 * length leaves a gap. Whatever is shorter is moved to close it: the message, or what waits before it, which is often
 * nothing.
 */
static void put_prefix(struct brine_buf *out, size_t before, uint32_t size)
{
	size_t gap = PREFIX_SIZE_MAX - brine_prefix_size(size);
	uint8_t *held = out->data + out->start;
	uint8_t *prefix = held + before + gap;
	brine_put_uint(prefix, size);
	if (before > size) {
		memmove(prefix - gap, prefix, PREFIX_SIZE_MAX - gap + size);
		out->end -= gap;
		return;
	}
	if (before)
		memmove(held + gap, held, before);
	out->start += gap;
}

/* Makes the message that was written part of out, which held `before` bytes. */
static int end_message(const struct frame_write *write, size_t before, uint32_t limit_size)
{
	struct brine_buf *out = write->out;
	const uint8_t *body = out->data + out->start + before + (write->plain ? 0 : PREFIX_SIZE_MAX);
	size_t size = (size_t)(write->at - body);
	if (size > limit_size)
		return BRINE_ERR_TOO_BIG;
	out->end = (size_t)(write->at - out->data);
	assert(out->end <= out->capacity);
	if (!write->plain)
		put_prefix(out, before, (uint32_t)size);
	return 0;
}

int brine_frame_write(struct brine_buf *out, const struct brine_frame *frame, int wire, uint32_t limit_size)
{
	if (!out || !frame || (frame->encoder && !frame->encoder->encode))
		return BRINE_ERR_INVALID;
	if (frame->type < 0 || frame->type >= FRAME_TYPES || !brine_frame_kinds[frame->type].write)
		return BRINE_ERR_INVALID;
	size_t bound = size_bound(frame);
	if (bound > (size_t)limit_size + SCALARS_SIZE)
		return BRINE_ERR_TOO_BIG;
	size_t before = brine_buf_size(out);
	uint8_t *begin = brine_buf_reserve(out, bound);
	if (!begin)
		return BRINE_ERR_NOMEM;
	struct frame_write write = {
	        .out = out,
	        .at = wire == BRINE_WIRE_PLAIN ? begin : begin + PREFIX_SIZE_MAX,
	        .plain = wire == BRINE_WIRE_PLAIN,
	        .encoder = frame->encoder,
	        .room = bound,
	};
	brine_frame_kinds[frame->type].write(&write, frame);
	int status = write.status < 0 ? write.status : end_message(&write, before, limit_size);
	if (status < 0)
		out->end = out->start + before;
	return status;
}
