/* Each type's parse and write, side by side, and the table of them. */
#include "frame/messages.h"

#include <brine/codec.h>

#include "codec/walk.h"
#include "frame/maps.h"

enum { ID_LAST = UINT32_MAX }; /* on the framed wire, as unsigned */

#define GOAWAY(parse, place, ...)                                                                                      \
	frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_PROTO, place, __VA_ARGS__)
#define REFUSE(parse, place, ...)                                                                                      \
	frame_judge(parse, BRINE_VERDICT_ERROR, BRINE_CODE_INVALID, BRINE_ERR_TYPE, place, __VA_ARGS__)

static const char *value_kind_name(struct brine_bytes value)
{
	return brine_token_name(frame_token(value).kind);
}

/* A framed id is 0 .. 2^32-1; a plain one any integer, kept as it came so that it can be echoed. */
static int parse_id(struct frame_parse *parse, struct brine_frame *frame)
{
	struct brine_bytes value = frame_element(parse);
	struct brine_token token = frame_token(value);
	bool is_unsigned = token.kind == BRINE_TOKEN_UINT;
	bool fits = parse->plain ? is_unsigned || token.kind == BRINE_TOKEN_INT : is_unsigned && token.uint <= ID_LAST;
	if (!fits)
		return GOAWAY(parse, value.data, "bad id: %s, expected %s", brine_token_name(token.kind),
		              parse->plain ? "an integer" : "0 to 4294967295");
	frame->has_id = true;
	frame->id_bytes = value;
	frame->id = !is_unsigned ? token.sint : token.uint > INT64_MAX ? INT64_MAX : (int64_t)token.uint;
	return 0;
}

static void write_id(struct frame_write *write, const struct brine_frame *frame)
{
	if (frame->id_bytes.size)
		frame_put_raw(write, frame->id_bytes.data, frame->id_bytes.size);
	else
		write->at = brine_put_int(write->at, frame->id);
}

static void write_head(struct frame_write *write, uint32_t count, const struct brine_frame *frame)
{
	write->at = brine_put_array_head(write->at, count);
	write->at = brine_put_uint(write->at, (uint64_t)frame->type);
}

/* What a request and a notification share: method, params, and opts on the framed wire. */
static int parse_invocation(struct frame_parse *parse, struct brine_frame *frame)
{
	if (parse->left < 2)
		return REFUSE(parse, parse->start, "%s of %u elements, at least %u", brine_frame_type_name(frame->type),
		              parse->count, parse->count + 2 - parse->left);
	struct brine_bytes value = frame_element(parse);
	if (!frame_text(value, &frame->method))
		return REFUSE(parse, value.data, "method: expected str, got %s", value_kind_name(value));
	if (frame->method.size == 0 || frame->method.size > parse->limits->method_size_max)
		return frame_judge(parse, BRINE_VERDICT_ERROR, BRINE_CODE_INVALID, BRINE_ERR_LIMIT, value.data,
		                   "method name of %zu bytes, expected 1 to %u", frame->method.size,
		                   parse->limits->method_size_max);
	value = frame_element(parse);
	uint8_t kind = frame_token(value).kind;
	if (kind != BRINE_TOKEN_ARRAY && kind != BRINE_TOKEN_NIL)
		return REFUSE(parse, value.data, "params: expected array, got %s", value_kind_name(value));
	frame->params = kind == BRINE_TOKEN_NIL ? BRINE_BYTES("\x90", 1) : value;
	if (parse->plain || parse->left == 0)
		return 0;
	return frame_parse_options(parse, frame_element(parse), frame->type == BRINE_FRAME_REQUEST, &frame->options);
}

static void write_invocation(struct frame_write *write, const struct brine_frame *frame, uint32_t count)
{
	bool has_options = !write->plain && frame_has_options(&frame->options);
	write_head(write, count + has_options, frame);
	if (frame->type == BRINE_FRAME_REQUEST)
		write_id(write, frame);
	frame_put_str(write, frame->method.data, frame->method.size);
	if (frame_put_value(write, frame->params, FRAME_NO_PARAMS) && has_options)
		frame_write_options(write, &frame->options);
}

static int parse_request_frame(struct frame_parse *parse, struct brine_frame *frame)
{
	int status = parse_id(parse, frame);
	return status < 0 ? status : parse_invocation(parse, frame);
}

static void write_request(struct frame_write *write, const struct brine_frame *frame)
{
	write_invocation(write, frame, 4);
}

static void write_notification(struct frame_write *write, const struct brine_frame *frame)
{
	write_invocation(write, frame, 3);
}

/* [code, text] or [code, text, data]; false where the array is something else. */
static bool parse_error_pair(struct brine_bytes value, uint32_t count, size_t head_size,
                             struct brine_frame_error *ret_error)
{
	const uint8_t *at = (const uint8_t *)value.data + head_size;
	const uint8_t *end = (const uint8_t *)value.data + value.size;
	struct brine_token code = frame_token(BRINE_BYTES(at, (size_t)(end - at)));
	struct brine_bytes text;
	if (count < 2 || (code.kind != BRINE_TOKEN_UINT && code.kind != BRINE_TOKEN_INT))
		return false;
	at += code.size;
	if (!frame_text(BRINE_BYTES(at, (size_t)(end - at)), &text))
		return false;
	ret_error->code = code.kind == BRINE_TOKEN_INT ? code.sint
	                  : code.uint > INT64_MAX      ? INT64_MAX
	                                               : (int64_t)code.uint;
	ret_error->text = (struct brine_str){text.data, text.size};
	at += brine_value_size(at, (size_t)(end - at));
	if (count > 2)
		ret_error->data = BRINE_BYTES(at, brine_value_size(at, (size_t)(end - at)));
	return true;
}

/* Receivers take any error: a string s is [0, s], an integer n is [n, ""], anything else [0, "", it]. */
static void parse_error(struct brine_bytes value, struct brine_frame_error *ret_error)
{
	struct brine_token token = frame_token(value);
	*ret_error = (struct brine_frame_error){.is_set = token.kind != BRINE_TOKEN_NIL};
	if (token.kind == BRINE_TOKEN_STR || token.kind == BRINE_TOKEN_BIN) {
		ret_error->text_only = true;
		ret_error->text = (struct brine_str){token.content.data, token.content.size};
	} else if (token.kind == BRINE_TOKEN_INT) {
		ret_error->code = token.sint;
	} else if (token.kind == BRINE_TOKEN_UINT) {
		ret_error->code = token.uint > INT64_MAX ? INT64_MAX : (int64_t)token.uint;
	} else if (ret_error->is_set &&
	           !(token.kind == BRINE_TOKEN_ARRAY && parse_error_pair(value, token.count, token.size, ret_error))) {
		ret_error->data = value;
	}
}

static void write_error(struct frame_write *write, const struct brine_frame_error *error)
{
	if (!error->is_set) {
		write->at = brine_put_nil(write->at);
	} else if (error->text_only) {
		frame_put_str(write, error->text.data, error->text.size);
	} else {
		write->at = brine_put_array_head(write->at, error->data.size ? 3 : 2);
		write->at = brine_put_int(write->at, error->code);
		frame_put_str(write, error->text.data, error->text.size);
		frame_put_raw(write, error->data.data, error->data.size);
	}
}

static int parse_response(struct frame_parse *parse, struct brine_frame *frame)
{
	int status = parse_id(parse, frame);
	if (status < 0)
		return status;
	parse_error(frame_element(parse), &frame->error);
	frame->result = frame_element(parse);
	if (parse->plain || parse->left == 0)
		return 0;
	return frame_parse_options(parse, frame_element(parse), false, &frame->options);
}

static void write_response(struct frame_write *write, const struct brine_frame *frame)
{
	bool has_options = !write->plain && frame_has_options(&frame->options);
	write_head(write, 4 + has_options, frame);
	write_id(write, frame);
	write_error(write, &frame->error);
	if (frame->error.is_set)
		write->at = brine_put_nil(write->at);
	else if (!frame_put_value(write, frame->result, FRAME_NO_RESULT))
		return;
	if (has_options)
		frame_write_options(write, &frame->options);
}

/* Types 3 and 4. Without an item, type 4 is the end of the upload stream. */
static int parse_item(struct frame_parse *parse, struct brine_frame *frame)
{
	int status = parse_id(parse, frame);
	if (status == 0 && parse->left)
		frame->result = frame_element(parse);
	return status;
}

static void write_item(struct frame_write *write, const struct brine_frame *frame)
{
	bool is_end = frame->type == BRINE_FRAME_UPLOAD && frame->result.size == 0 && !frame->encoder;
	write_head(write, is_end ? 2 : 3, frame);
	write_id(write, frame);
	if (!is_end)
		(void)frame_put_value(write, frame->result, FRAME_NO_RESULT);
}

/* An unsigned number of at most `most`. */
static int parse_number(struct frame_parse *parse, const char *name, uint64_t least, uint64_t most,
                        uint64_t *ret_number)
{
	struct brine_bytes value = frame_element(parse);
	struct brine_token token = frame_token(value);
	if (token.kind != BRINE_TOKEN_UINT || token.uint < least || token.uint > most)
		return GOAWAY(parse, value.data, "%s: expected %llu to %llu", name, (unsigned long long)least,
		              (unsigned long long)most);
	*ret_number = token.uint;
	return 0;
}

static int parse_credit(struct frame_parse *parse, struct brine_frame *frame)
{
	int status = parse_id(parse, frame);
	return status < 0 ? status : parse_number(parse, "credit", 1, INT32_MAX, &frame->number);
}

static void write_credit(struct frame_write *write, const struct brine_frame *frame)
{
	write_head(write, 3, frame);
	write_id(write, frame);
	write->at = brine_put_uint(write->at, frame->number);
}

static void write_cancel(struct frame_write *write, const struct brine_frame *frame)
{
	write_head(write, 2, frame);
	write_id(write, frame);
}

static int parse_hello(struct frame_parse *parse, struct brine_frame *frame)
{
	return frame_parse_hello(parse, frame_element(parse), &frame->hello);
}

static void write_hello(struct frame_write *write, const struct brine_frame *frame)
{
	write_head(write, 2, frame);
	frame_write_hello(write, &frame->hello);
}

static int parse_ping(struct frame_parse *parse, struct brine_frame *frame)
{
	return parse_number(parse, "token", 0, UINT64_MAX, &frame->number);
}

static void write_ping(struct frame_write *write, const struct brine_frame *frame)
{
	write_head(write, 2, frame);
	write->at = brine_put_uint(write->at, frame->number);
}

static int parse_goaway(struct frame_parse *parse, struct brine_frame *frame)
{
	struct brine_bytes value = frame_element(parse);
	struct brine_token code = frame_token(value);
	struct brine_bytes text;
	if (code.kind != BRINE_TOKEN_UINT && code.kind != BRINE_TOKEN_INT)
		return GOAWAY(parse, value.data, "goaway code: expected int, got %s", value_kind_name(value));
	frame->code = code.kind == BRINE_TOKEN_INT ? code.sint : code.uint > INT64_MAX ? INT64_MAX : (int64_t)code.uint;
	value = frame_element(parse);
	if (!frame_text(value, &text))
		return GOAWAY(parse, value.data, "goaway text: expected str, got %s", value_kind_name(value));
	frame->text = (struct brine_str){text.data, text.size};
	return parse_number(parse, "grace_ms", 0, UINT64_MAX, &frame->number);
}

static void write_goaway(struct frame_write *write, const struct brine_frame *frame)
{
	write_head(write, 4, frame);
	write->at = brine_put_int(write->at, frame->code);
	frame_put_str(write, frame->text.data, frame->text.size);
	write->at = brine_put_uint(write->at, frame->number);
}

/* A request or notification that is too short is answered or dropped, not fatal: its parse says so. */
const struct frame_kind brine_frame_kinds[FRAME_TYPES] = {
        [BRINE_FRAME_REQUEST] = {"request", 2, parse_request_frame, write_request},
        [BRINE_FRAME_RESPONSE] = {"response", 4, parse_response, write_response},
        [BRINE_FRAME_NOTIFICATION] = {"notification", 2, parse_invocation, write_notification},
        [BRINE_FRAME_ITEM] = {"item", 3, parse_item, write_item},
        [BRINE_FRAME_UPLOAD] = {"upload", 2, parse_item, write_item},
        [BRINE_FRAME_UPLOAD_CREDIT] = {"upload credit", 3, parse_credit, write_credit},
        [BRINE_FRAME_ITEM_CREDIT] = {"item credit", 3, parse_credit, write_credit},
        [BRINE_FRAME_CANCEL] = {"cancel", 2, parse_id, write_cancel},
        [BRINE_FRAME_HELLO] = {"hello", 2, parse_hello, write_hello},
        [BRINE_FRAME_WELCOME] = {"welcome", 2, parse_hello, write_hello},
        [BRINE_FRAME_PING] = {"ping", 2, parse_ping, write_ping},
        [BRINE_FRAME_PONG] = {"pong", 2, parse_ping, write_ping},
        [BRINE_FRAME_GOAWAY] = {"goaway", 4, parse_goaway, write_goaway},
};

const char *brine_frame_type_name(int type)
{
	if (type >= FRAME_TYPES || type < 0)
		return "advisory";
	return brine_frame_kinds[type].name ? brine_frame_kinds[type].name : "reserved";
}
