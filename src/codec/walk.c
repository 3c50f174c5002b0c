#include "codec/walk.h"

#include "codec/token.h"

#include <assert.h>

/* The open containers. depth_max is at most the size of left. */
struct walk {
	uint64_t left[BRINE_FRAME_DEPTH_MAX]; /* values each still owes */
	unsigned depth;
	uint64_t owed; /* the sum of left, and 1 for the value itself until it came */
};

/* Opens the container of token; the claims of all open ones together may never exceed the bytes that are left, because
 * each value takes at least one. */
static int open_container(struct walk *walk, const struct brine_token *token, size_t at, size_t size,
                          unsigned depth_max, struct brine_error *error)
{
	if (walk->depth == depth_max)
		return brine_fail(error, BRINE_ERR_DEPTH, at, "nesting deeper than %u at offset %zu", depth_max, at);
	uint64_t elements = brine_token_elements(token);
	walk->owed += elements;
	size_t bytes_left = size - at - token->size;
	if (walk->owed > bytes_left)
		return brine_fail(error, BRINE_ERR_MALFORMED, at,
		                  "truncated value: %llu elements claimed, %zu bytes left at offset %zu",
		                  (unsigned long long)walk->owed, bytes_left, at);
	if (elements)
		walk->left[walk->depth++] = elements;
	return 0;
}

int brine_value_walk(struct brine_bytes bytes, unsigned depth_max, size_t *ret_size, struct brine_error *error)
{
	assert(depth_max <= BRINE_FRAME_DEPTH_MAX);
	/* No arithmetic on NULL, not even + 0. */
	const uint8_t *data = bytes.data ? bytes.data : (const uint8_t *)"";
	size_t size = bytes.size, at = 0;
	struct walk walk; /* left is set level by level: clearing it would cost more than most messages */
	walk.depth = 0;
	walk.owed = 1;
	while (walk.owed) {
		struct brine_token token;
		/* Small integers are most of most messages: a run of them within a container is one step. */
		while (walk.depth && walk.left[walk.depth - 1] > 1 && at < size && data[at] < 0x80) {
			walk.left[walk.depth - 1]--;
			walk.owed--;
			at++;
		}
		int status = brine_token_read(&token, data + at, size - at);
		if (status < 0)
			return brine_fail(error, status, at, "invalid type byte 0x%02x at offset %zu", data[at], at);
		if (status == 0)
			return brine_fail(error, BRINE_ERR_MALFORMED, at, "truncated value at offset %zu of %zu bytes",
			                  at, size);
		walk.owed--;
		if (walk.depth)
			walk.left[walk.depth - 1]--;
		if (token.kind == BRINE_TOKEN_ARRAY || token.kind == BRINE_TOKEN_MAP) {
			status = open_container(&walk, &token, at, size, depth_max, error);
			if (status < 0)
				return status;
		}
		at += token.size;
		while (walk.depth && walk.left[walk.depth - 1] == 0)
			walk.depth--;
	}
	*ret_size = at;
	return 0;
}

size_t brine_value_size_within(const void *data, size_t size, unsigned depth_max)
{
	size_t value_size;
	return brine_value_walk((struct brine_bytes){data, size}, depth_max, &value_size, NULL) < 0 ? 0 : value_size;
}
