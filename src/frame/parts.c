#include "frame/parts.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

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
	assert(parse->left > 0);
	uint32_t index = parse->count - parse->left;
	assert(index + 1 < FRAME_MARKS);
	const uint8_t *begin = parse->start + parse->marks[index];
	parse->left--;
	const uint8_t *end = parse->left ? parse->start + parse->marks[index + 1] : parse->end;
	assert(begin < end);
	return BRINE_BYTES(begin, (size_t)(end - begin));
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

/* Lets the encoder append to out. Room for what follows is made again. */
static bool run_encoder(struct frame_write *write, size_t *ret_size)
{
	struct brine_buf *out = write->out;
	out->end = (size_t)(write->at - out->data);
	size_t before = brine_buf_size(out);
	write->status = write->encoder->encode(out, write->encoder->user);
	if (write->status < 0)
		return false;
	assert(brine_buf_size(out) >= before);
	*ret_size = brine_buf_size(out) - before;
	write->at = brine_buf_reserve(out, write->room);
	if (!write->at)
		write->status = BRINE_ERR_NOMEM;
	return write->at;
}

bool frame_put_value(struct frame_write *write, struct brine_bytes value, uint8_t instead)
{
	size_t size = value.size;
	if (!write->encoder)
		frame_put_raw(write, value.data, size);
	else if (!run_encoder(write, &size))
		return false;
	if (size == 0)
		*write->at++ = instead;
	return true;
}
