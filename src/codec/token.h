/* codec/token.h - reads one MessagePack token out of raw bytes.
 * A token is a whole scalar, string or ext, or the head of a container. The elements of a container are the tokens
 * behind its head. Nothing is read beyond the given size, and nothing is allocated. Any thread. */
#ifndef BRINE_CODEC_TOKEN_H
#define BRINE_CODEC_TOKEN_H

#include <brine/codec.h>

enum brine_token_kind {
	BRINE_TOKEN_NIL,
	BRINE_TOKEN_BOOL,   /* boolean */
	BRINE_TOKEN_UINT,   /* uint; every integer that is not negative, in whatever encoding */
	BRINE_TOKEN_INT,    /* sint; negative integers only */
	BRINE_TOKEN_FLOAT,  /* bits; those of the float, in the low half */
	BRINE_TOKEN_DOUBLE, /* bits */
	BRINE_TOKEN_STR,    /* content */
	BRINE_TOKEN_BIN,    /* content */
	BRINE_TOKEN_EXT,    /* content, ext_type */
	BRINE_TOKEN_ARRAY,  /* count; so many elements follow */
	BRINE_TOKEN_MAP,    /* count; so many pairs follow */
};

/* The comments on enum brine_token_kind name the member of the union that each kind has. */
struct brine_token {
	uint8_t kind;    /* enum brine_token_kind */
	int8_t ext_type; /* of EXT */
	uint32_t count;  /* elements of ARRAY, pairs of MAP, else 0 */
	size_t size;     /* bytes of the token, with its content and without the elements of a container */
	union {
		bool boolean;
		uint64_t uint;
		int64_t sint;
		uint64_t bits;
		struct brine_bytes content; /* of STR, BIN and EXT, borrowed from the input */
	};
};

/* Reads the first token of data. Returns 1, or 0 if size bytes do not hold all of the token. *ret_token is written only
 * with 1. Errors:
 *   BRINE_ERR_MALFORMED   the byte 0xc1, which begins nothing */
int brine_token_read(struct brine_token *ret_token, const void *data, size_t size);

/* Returns how many values must follow the token to complete it. */
static inline uint64_t brine_token_elements(const struct brine_token *token)
{
	return token->kind == BRINE_TOKEN_MAP ? (uint64_t)token->count * 2 : token->count;
}

/* Returns "nil", "bool", "int", "float", "str", "bin", "ext", "array" or "map", for error texts. Static text. */
const char *brine_token_name(enum brine_token_kind kind);

#endif
