#include "codec/walk.h"

#include "codec/token.h"

#include <assert.h>

/* One value that is walked over. */
struct walk {
	const uint8_t *data;
	size_t size;
	unsigned depth_max; /* at most the size of left */
	struct brine_error *error;
	size_t *marks, *marks_end; /* where the offsets of the outermost container's next elements go */
	unsigned depth;
	uint64_t here;                        /* values that the innermost container still owes */
	uint64_t above;                       /* values that all containers around it still owe, the sum of left */
	uint64_t left[BRINE_FRAME_DEPTH_MAX]; /* values that each of them still owes */
};

/* left is set level by level: clearing it would cost more than most messages. */
static void walk_init(struct walk *walk, struct brine_bytes bytes, unsigned depth_max, struct brine_error *error)
{
	assert(depth_max <= BRINE_FRAME_DEPTH_MAX);
	/* No arithmetic on NULL, not even + 0. */
	walk->data = bytes.data ? bytes.data : (const uint8_t *)"";
	walk->size = bytes.size;
	walk->depth_max = depth_max;
	walk->error = error;
	walk->marks = walk->marks_end = NULL;
	walk->depth = 0;
	walk->here = 1; /* the value itself */
	walk->above = 0;
}

/* Returns the size of the token that begins with type if the type alone says it, and 0 if not or if the token opens a
 * container. */
static inline size_t fixed_token_size(uint8_t type)
{
	static const uint8_t sizes[] = {1, 0, 1, 1, 0, 0, 0, 0,  0,  0, 5, 9, 2, 3, 5, 9,
	                                2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0}; /* of c0 .. df */
	if (type < 0x80 || type >= 0xe0)
		return 1;
	return type >= 0xc0 ? sizes[type - 0xc0] : type >= 0xa0 ? 1 + (type & 0x1fu) : 0;
}

/* Opens the container at the offset; the claims of all open ones together may never exceed the bytes that are left,
 * because each value takes at least one. */
static int open_container(struct walk *walk, size_t at, size_t head_size, uint64_t elements)
{
	if (walk->depth == walk->depth_max)
		return brine_fail(walk->error, BRINE_ERR_DEPTH, at, "nesting deeper than %u at offset %zu",
		                  walk->depth_max, at);
	uint64_t owed = walk->above + walk->here + elements;
	size_t bytes_left = walk->size - at - head_size;
	if (owed > bytes_left)
		return brine_fail(walk->error, BRINE_ERR_MALFORMED, at,
		                  "truncated value: %llu elements claimed, %zu bytes left at offset %zu",
		                  (unsigned long long)owed, bytes_left, at);
	if (elements == 0)
		return 0;
	walk->left[walk->depth++] = walk->here;
	walk->above += walk->here;
	walk->here = elements;
	return 0;
}

/* Takes the token at the offset and stores where it ends in *ret_end. */
static int take_token(struct walk *walk, size_t at, size_t *ret_end)
{
	struct brine_token token;
	uint8_t type = at < walk->size ? walk->data[at] : 0;
	if (type >= 0x80 && type < 0xa0) { /* a map or an array of up to 15 */
		walk->here--;
		*ret_end = at + 1;
		return open_container(walk, at, 1, (type & 0x0fu) << (type < 0x90));
	}
	int status = brine_token_read(&token, walk->data + at, walk->size - at);
	if (status < 0)
		return brine_fail(walk->error, status, at, "invalid type byte 0x%02x at offset %zu", type, at);
	if (status == 0)
		return brine_fail(walk->error, BRINE_ERR_MALFORMED, at, "truncated value at offset %zu of %zu bytes",
		                  at, walk->size);
	walk->here--;
	*ret_end = at + token.size;
	bool opens = token.kind == BRINE_TOKEN_ARRAY || token.kind == BRINE_TOKEN_MAP;
	return opens ? open_container(walk, at, token.size, brine_token_elements(&token)) : 0;
}

/* Takes tokens that open nothing and are whole, from the offset on and at most `most`. Returns where they end. They are
 * most of most messages. */
static inline size_t take_run(struct walk *walk, size_t at, uint64_t most)
{
	const uint8_t *data = walk->data;
	size_t end = walk->size, size;
	uint64_t left = most;
	while (left && at < end && (size = fixed_token_size(data[at])) && size <= end - at) {
		at += size;
		left--;
	}
	walk->here -= most - left;
	return at;
}

static int walk_over(struct walk *walk, size_t *ret_size)
{
	size_t at = 0;
	for (;;) {
		while (walk->here == 0 && walk->depth) {
			walk->here = walk->left[--walk->depth];
			walk->above -= walk->here;
		}
		if (walk->here == 0)
			break;
		bool notes = walk->depth == 1 && walk->marks < walk->marks_end;
		if (notes)
			*walk->marks++ = at;
		size_t begin = at;
		at = take_run(walk, at, notes ? 1 : walk->here);
		if (at > begin)
			continue;
		int status = take_token(walk, at, &at);
		if (status < 0)
			return status;
	}
	*ret_size = at;
	return 0;
}

int brine_value_walk(struct brine_bytes bytes, unsigned depth_max, size_t *ret_size, struct brine_error *error)
{
	struct walk walk;
	walk_init(&walk, bytes, depth_max, error);
	return walk_over(&walk, ret_size);
}

int brine_value_walk_marked(struct brine_bytes bytes, unsigned depth_max, size_t *marks, size_t marks_count,
                            size_t *ret_size, struct brine_error *error)
{
	struct walk walk;
	walk_init(&walk, bytes, depth_max, error);
	walk.marks = marks;
	walk.marks_end = marks + marks_count;
	return walk_over(&walk, ret_size);
}

size_t brine_value_size_within(const void *data, size_t size, unsigned depth_max)
{
	size_t value_size = size ? fixed_token_size(*(const uint8_t *)data) : 0;
	if (value_size && value_size <= size)
		return value_size;
	return brine_value_walk((struct brine_bytes){data, size}, depth_max, &value_size, NULL) < 0 ? 0 : value_size;
}
