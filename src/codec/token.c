#include "codec/token.h"

#include "codec/endian.h"

#include <brine/error.h>

/* An integer, made UINT where it is not negative so that readers see one form. */
static int read_sint(struct brine_token *token, int64_t value, size_t size)
{
	*token = (struct brine_token){
	        .kind = value < 0 ? BRINE_TOKEN_INT : BRINE_TOKEN_UINT, .size = size, .sint = value};
	return 1;
}

static int read_uint(struct brine_token *token, uint64_t value, size_t size)
{
	*token = (struct brine_token){.kind = BRINE_TOKEN_UINT, .size = size, .uint = value};
	return 1;
}

static int read_number(struct brine_token *token, const uint8_t *data, size_t size)
{
	static const uint8_t payload[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; /* of ca .. d3 */
	size_t whole = 1 + (size_t)payload[data[0] - 0xca];
	if (size < whole)
		return 0;
	const uint8_t *at = data + 1;
	switch (data[0]) {
	case 0xca:
		*token = (struct brine_token){.kind = BRINE_TOKEN_FLOAT, .size = whole, .bits = brine_load32(at)};
		return 1;
	case 0xcb:
		*token = (struct brine_token){.kind = BRINE_TOKEN_DOUBLE, .size = whole, .bits = brine_load64(at)};
		return 1;
	case 0xcc: return read_uint(token, at[0], whole);
	case 0xcd: return read_uint(token, brine_load16(at), whole);
	case 0xce: return read_uint(token, brine_load32(at), whole);
	case 0xcf: return read_uint(token, brine_load64(at), whole);
	case 0xd0: return read_sint(token, (int8_t)at[0], whole);
	case 0xd1: return read_sint(token, (int16_t)brine_load16(at), whole);
	case 0xd2: return read_sint(token, (int32_t)brine_load32(at), whole);
	default: return read_sint(token, (int64_t)brine_load64(at), whole);
	}
}

static int read_container(struct brine_token *token, enum brine_token_kind kind, uint32_t count, size_t head)
{
	*token = (struct brine_token){.kind = kind, .count = count, .size = head};
	return 1;
}

/* head bytes, then length bytes of content. */
static int read_token_content(struct brine_token *token, enum brine_token_kind kind, const uint8_t *data, size_t size,
                              size_t head, uint32_t length)
{
	if (size < head || size - head < length)
		return 0;
	*token = (struct brine_token){.kind = kind, .size = head + length, .content = {data + head, length}};
	if (kind == BRINE_TOKEN_EXT)
		token->ext_type = (int8_t)data[head - 1];
	return 1;
}

/* A length of 1, 2 or 4 bytes behind the type byte; the caller made sure that they are there. */
static uint32_t load_length(const uint8_t *data, unsigned width)
{
	return width == 1 ? data[1] : width == 2 ? brine_load16(data + 1) : brine_load32(data + 1);
}

static int read_counted(struct brine_token *token, const uint8_t *data, size_t size)
{
	static const struct {
		uint8_t kind, width; /* of the length */
	} forms[] = {
	        [0xc4 - 0xc4] = {BRINE_TOKEN_BIN, 1},   [0xc5 - 0xc4] = {BRINE_TOKEN_BIN, 2},
	        [0xc6 - 0xc4] = {BRINE_TOKEN_BIN, 4},   [0xc7 - 0xc4] = {BRINE_TOKEN_EXT, 1},
	        [0xc8 - 0xc4] = {BRINE_TOKEN_EXT, 2},   [0xc9 - 0xc4] = {BRINE_TOKEN_EXT, 4},
	        [0xd9 - 0xc4] = {BRINE_TOKEN_STR, 1},   [0xda - 0xc4] = {BRINE_TOKEN_STR, 2},
	        [0xdb - 0xc4] = {BRINE_TOKEN_STR, 4},   [0xdc - 0xc4] = {BRINE_TOKEN_ARRAY, 2},
	        [0xdd - 0xc4] = {BRINE_TOKEN_ARRAY, 4}, [0xde - 0xc4] = {BRINE_TOKEN_MAP, 2},
	        [0xdf - 0xc4] = {BRINE_TOKEN_MAP, 4},
	};
	enum brine_token_kind kind = forms[data[0] - 0xc4].kind;
	unsigned width = forms[data[0] - 0xc4].width;
	if (size < 1 + width)
		return 0;
	uint32_t length = load_length(data, width);
	if (kind == BRINE_TOKEN_ARRAY || kind == BRINE_TOKEN_MAP)
		return read_container(token, kind, length, 1 + width);
	return read_token_content(token, kind, data, size, 1 + width + (kind == BRINE_TOKEN_EXT), length);
}

int brine_token_read(struct brine_token *ret_token, const void *data, size_t size)
{
	const uint8_t *at = data;
	if (size == 0)
		return 0;
	uint8_t type = at[0];
	if (type < 0x80)
		return read_uint(ret_token, type, 1);
	if (type >= 0xe0)
		return read_sint(ret_token, (int8_t)type, 1);
	if (type < 0x90)
		return read_container(ret_token, BRINE_TOKEN_MAP, type & 0x0f, 1);
	if (type < 0xa0)
		return read_container(ret_token, BRINE_TOKEN_ARRAY, type & 0x0f, 1);
	if (type < 0xc0)
		return read_token_content(ret_token, BRINE_TOKEN_STR, at, size, 1, type & 0x1f);
	if (type >= 0xca && type <= 0xd3)
		return read_number(ret_token, at, size);
	if (type >= 0xd4 && type <= 0xd8)
		return read_token_content(ret_token, BRINE_TOKEN_EXT, at, size, 2, 1u << (type - 0xd4));
	if (type == 0xc0 || type == 0xc2 || type == 0xc3) {
		*ret_token = (struct brine_token){
		        .kind = type == 0xc0 ? BRINE_TOKEN_NIL : BRINE_TOKEN_BOOL, .size = 1, .boolean = type == 0xc3};
		return 1;
	}
	return type == 0xc1 ? BRINE_ERR_MALFORMED : read_counted(ret_token, at, size);
}

const char *brine_token_name(enum brine_token_kind kind)
{
	switch (kind) {
	case BRINE_TOKEN_NIL: return "nil";
	case BRINE_TOKEN_BOOL: return "bool";
	case BRINE_TOKEN_UINT:
	case BRINE_TOKEN_INT: return "int";
	case BRINE_TOKEN_FLOAT:
	case BRINE_TOKEN_DOUBLE: return "float";
	case BRINE_TOKEN_STR: return "str";
	case BRINE_TOKEN_BIN: return "bin";
	case BRINE_TOKEN_EXT: return "ext";
	case BRINE_TOKEN_ARRAY: return "array";
	case BRINE_TOKEN_MAP: return "map";
	}
	return "unknown";
}
