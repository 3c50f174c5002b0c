/* codec/token.h - one MessagePack token out of raw bytes: a whole scalar, string or ext, or the head of a container
 * whose elements are the tokens that follow. Never reads beyond the size it is given; allocates nothing. */
#ifndef BRINE_CODEC_TOKEN_H
#define BRINE_CODEC_TOKEN_H

#include <brine/codec.h>

enum brine_token_kind {
	BRINE_TOKEN_NIL,
	BRINE_TOKEN_BOOL,   /* boolean */
	BRINE_TOKEN_UINT,   /* uint: every integer that is not negative, whatever its encoding */
	BRINE_TOKEN_INT,    /* sint: negative integers only */
	BRINE_TOKEN_FLOAT,  /* bits: of the float, in the low half */
	BRINE_TOKEN_DOUBLE, /* bits */
	BRINE_TOKEN_STR,    /* content */
	BRINE_TOKEN_BIN,    /* content */
	BRINE_TOKEN_EXT,    /* content, ext_type */
	BRINE_TOKEN_ARRAY,  /* count elements follow */
	BRINE_TOKEN_MAP,    /* count pairs, so count * 2 elements follow */
};

struct brine_token {
	uint8_t kind;    /* enum brine_token_kind */
	int8_t ext_type; /* EXT */
	uint32_t count;  /* ARRAY: elements; MAP: pairs; else 0 */
	size_t size;     /* bytes of the token: content included, elements of a container not */
	union {
		bool boolean;
		uint64_t uint;
		int64_t sint;
		uint64_t bits;
		struct brine_bytes content; /* borrowed from the input */
	};
};

/* Reads the first token of data. 1 and *ret_token; 0 when size bytes do not hold all of it; BRINE_ERR_MALFORMED for the
 * byte 0xc1, which begins nothing. *ret_token is written only on 1. */
int brine_token_read(struct brine_token *ret_token, const void *data, size_t size);

/* Values that must follow the token to complete it. */
static inline uint64_t brine_token_elements(const struct brine_token *token)
{
	return token->kind == BRINE_TOKEN_MAP ? (uint64_t)token->count * 2 : token->count;
}

/* "nil", "bool", "int", "float", "str", "bin", "ext", "array", "map": for error texts. */
const char *brine_token_name(enum brine_token_kind kind);

#endif
