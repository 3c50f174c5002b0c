#include <brine/codec.h>
#include <brine/frame.h>

#include "frame/messages.h"
#include "frame/prefix.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	LENGTH_LEAST = 3, /* an array head, a type and one element */
	PREFIX_SIZE_MAX = 5,
};

int brine_frame_find(struct brine_bytes input, const struct brine_limits *limits, struct brine_bytes *ret_message,
                     size_t *ret_prefix_size, struct brine_error *error)
{
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

int frame_judge(struct frame_parse *parse, int verdict, int wire_code, int code, const void *place, const char *format,
                ...)
{
	/* A plain peer knows no goaway: what would be one closes without a word. */
	if (parse->plain && verdict == BRINE_VERDICT_GOAWAY)
		verdict = BRINE_VERDICT_SILENT;
	*parse->judgement = (struct brine_judgement){verdict, wire_code};
	char text[sizeof parse->error->text];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return brine_fail(parse->error, code, (uint64_t)((const uint8_t *)place - parse->start), "%s", text);
}

struct brine_token frame_token(struct brine_bytes value)
{
	struct brine_token token = {.kind = BRINE_TOKEN_NIL};
	brine_token_read(&token, value.data, value.size);
	return token;
}

bool frame_text(struct brine_bytes value, struct brine_bytes *ret_text)
{
	struct brine_token token = frame_token(value);
	if (token.kind != BRINE_TOKEN_STR && token.kind != BRINE_TOKEN_BIN)
		return false;
	*ret_text = token.content;
	return true;
}

struct brine_bytes frame_element(struct frame_parse *parse)
{
	/* The last one ends where the message ends: big params and results are not walked through twice. */
	size_t rest = (size_t)(parse->end - parse->at);
	size_t size = parse->left == 1 ? rest : brine_value_size(parse->at, rest);
	struct brine_bytes value = {parse->at, size};
	parse->at += size;
	parse->left--;
	return value;
}

/* Checks the whole message as MessagePack and says what WIRE.md wants to be said. */
static int check_message_bytes(struct frame_parse *parse, struct brine_bytes message)
{
	unsigned depth = parse->limits->depth_max;
	struct brine_error fault = BRINE_ERROR_INIT;
	int rc = brine_check(message, depth < BRINE_FRAME_DEPTH_MAX ? depth : BRINE_FRAME_DEPTH_MAX, &fault);
	if (rc == 0)
		return 0;
	const uint8_t *place = parse->start + fault.offset;
	if (rc == BRINE_ERR_TRAILING)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, rc, place,
		                   "%zu bytes after the message", message.size - (size_t)fault.offset);
	return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, rc, place,
	                   "value runs past its frame or is malformed: %s", fault.text);
}

/* Takes the array's head and the type. */
static int parse_head(struct frame_parse *parse, struct brine_frame *frame)
{
	struct brine_token head = frame_token(BRINE_BYTES(parse->at, (size_t)(parse->end - parse->at)));
	bool fits = parse->plain ? head.kind == BRINE_TOKEN_ARRAY && (head.count == 3 || head.count == 4)
	                         : brine_is_message_head(parse->start[0]);
	if (!fits)
		return frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_PROTO, parse->at,
		                   "a message is an array of %s elements", parse->plain ? "3 or 4" : "2 to 15");
	parse->at += head.size;
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
	struct brine_error unused;
	const uint8_t *start = message.size ? message.data : (const uint8_t *)"";
	struct frame_parse parse = {
	        .start = start,
	        .at = start,
	        .end = start + message.size,
	        .plain = wire == BRINE_WIRE_PLAIN,
	        .limits = limits,
	        .judgement = ret_judgement,
	        .error = error ? error : &unused,
	};
	memset(ret_frame, 0, sizeof *ret_frame);
	*ret_judgement = (struct brine_judgement){BRINE_VERDICT_OK, 0};
	int rc = check_message_bytes(&parse, message);
	if (rc == 0)
		rc = parse_head(&parse, ret_frame);
	if (rc == 0)
		rc = check_shape(&parse, ret_frame->type);
	return rc < 0 ? rc : brine_frame_kinds[ret_frame->type].parse(&parse, ret_frame);
}

void frame_put_raw(struct frame_write *write, const void *data, size_t size)
{
	if (size)
		memcpy(write->at, data, size);
	write->at += size;
}

void frame_put_str(struct frame_write *write, const void *data, size_t size)
{
	write->at = brine_put_str_head(write->at, (uint32_t)size);
	frame_put_raw(write, data, size);
}

/* No message takes more bytes than this. */
static size_t size_bound(const struct brine_frame *frame)
{
	const struct brine_bytes *parts[] = {&frame->id_bytes,  &frame->method,           &frame->params,
	                                     &frame->result,    &frame->options.metadata, &frame->hello.features,
	                                     &frame->error.data};
	size_t bound = FRAME_SCALARS_SIZE;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (__builtin_add_overflow(bound, parts[i]->size, &bound))
			return SIZE_MAX;
	size_t texts = frame->text.size + frame->error.text.size + frame->hello.name.size;
	return __builtin_add_overflow(bound, texts, &bound) ? SIZE_MAX : bound;
}

int brine_frame_write(struct brine_buf *out, const struct brine_frame *frame, int wire, uint32_t limit_size)
{
	if (frame->type < 0 || frame->type >= FRAME_TYPES || !brine_frame_kinds[frame->type].write)
		return BRINE_ERR_INVALID;
	size_t bound = size_bound(frame);
	if (bound > (size_t)limit_size + FRAME_SCALARS_SIZE)
		return BRINE_ERR_TOO_BIG;
	uint8_t *begin = brine_buf_reserve(out, bound);
	if (!begin)
		return BRINE_ERR_NOMEM;
	bool plain = wire == BRINE_WIRE_PLAIN;
	uint8_t *body = begin + (plain ? 0 : PREFIX_SIZE_MAX);
	struct frame_write write = {body, plain};
	brine_frame_kinds[frame->type].write(&write, frame);
	size_t size = (size_t)(write.at - body);
	if (size > limit_size)
		return BRINE_ERR_TOO_BIG;
	if (!plain) {
		uint8_t *to = brine_put_uint(begin, (uint32_t)size);
		memmove(to, body, size);
		size += (size_t)(to - begin);
	}
	out->end += size;
	return 0;
}

const char *brine_frame_type_name(int type)
{
	if (type >= FRAME_TYPES || type < 0)
		return "advisory";
	return brine_frame_kinds[type].name ? brine_frame_kinds[type].name : "reserved";
}
