#include <brine/untyped.h>

#include "codec/endian.h"
#include "codec/token.h"

_Static_assert(sizeof(msgpack_object_kv) == 2 * sizeof(msgpack_object), "a pair is two objects in a row");

/* The objects that an open container still waits for. */
struct slots {
	msgpack_object *next;
	uint64_t left;
};

/* What the token alone says; the elements of a container get their memory here and their values later. */
static int make_object(msgpack_object *to, const struct brine_token *token, struct brine_arena *arena,
                       struct slots *ret_slots)
{
	switch (token->kind) {
	case BRINE_TOKEN_NIL: to->type = MSGPACK_OBJECT_NIL; return 0;
	case BRINE_TOKEN_BOOL: *to = (msgpack_object){MSGPACK_OBJECT_BOOLEAN, {.boolean = token->boolean}}; return 0;
	case BRINE_TOKEN_UINT: *to = (msgpack_object){MSGPACK_OBJECT_POSITIVE_INTEGER, {.u64 = token->uint}}; return 0;
	case BRINE_TOKEN_INT: *to = (msgpack_object){MSGPACK_OBJECT_NEGATIVE_INTEGER, {.i64 = token->sint}}; return 0;
	case BRINE_TOKEN_FLOAT:
		*to = (msgpack_object){MSGPACK_OBJECT_FLOAT32, {.f64 = (double)brine_float_of((uint32_t)token->bits)}};
		return 0;
	case BRINE_TOKEN_DOUBLE:
		*to = (msgpack_object){MSGPACK_OBJECT_FLOAT64, {.f64 = brine_double_of(token->bits)}};
		return 0;
	default: break;
	}
	uint32_t size = (uint32_t)token->content.size;
	if (token->kind == BRINE_TOKEN_STR)
		*to = (msgpack_object){MSGPACK_OBJECT_STR, {.str = {size, token->content.data}}};
	else if (token->kind == BRINE_TOKEN_BIN)
		*to = (msgpack_object){MSGPACK_OBJECT_BIN, {.bin = {size, token->content.data}}};
	else if (token->kind == BRINE_TOKEN_EXT)
		*to = (msgpack_object){MSGPACK_OBJECT_EXT, {.ext = {token->ext_type, size, token->content.data}}};
	if (token->kind != BRINE_TOKEN_ARRAY && token->kind != BRINE_TOKEN_MAP)
		return 0;
	uint64_t left = brine_token_elements(token);
	if (left > SIZE_MAX / sizeof(msgpack_object))
		return BRINE_ERR_NOMEM;
	void *memory = brine_arena_alloc(arena, (size_t)left * sizeof(msgpack_object));
	if (!memory)
		return BRINE_ERR_NOMEM;
	if (token->kind == BRINE_TOKEN_ARRAY)
		*to = (msgpack_object){MSGPACK_OBJECT_ARRAY, {.array = {token->count, memory}}};
	else
		*to = (msgpack_object){MSGPACK_OBJECT_MAP, {.map = {token->count, memory}}};
	*ret_slots = (struct slots){memory, left};
	return 1;
}

/* The tree is built here and not by msgpack-c's unpacker, because its zone is no arena and has no budget. */
int brine_object_loads(msgpack_object *ret_object, struct brine_bytes bytes, struct brine_arena *arena,
                       struct brine_error *error)
{
	if (!ret_object || !arena)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_object or arena is NULL");
	msgpack_object root = {.type = MSGPACK_OBJECT_NIL};
	struct slots stack[1 + BRINE_FRAME_DEPTH_MAX] = {{&root, 1}};
	size_t depth = 1, at = 0;
	int status = brine_check(bytes, BRINE_FRAME_DEPTH_MAX, error);
	if (status < 0)
		return status;
	while (depth) {
		struct slots *slots = &stack[depth - 1];
		struct brine_token token;
		if (slots->left == 0) {
			depth--;
			continue;
		}
		status = brine_token_read(&token, (const uint8_t *)bytes.data + at, bytes.size - at);
		if (status != 1)
			return brine_fail(error, BRINE_ERR_MALFORMED, at, "truncated or invalid value at offset %zu",
			                  at);
		slots->left--;
		status = make_object(slots->next++, &token, arena, &stack[depth]);
		if (status < 0)
			return brine_fail(error, status, at, "out of memory for %u elements", token.count);
		depth += (size_t)status;
		at += token.size;
	}
	*ret_object = root;
	return 0;
}

static int append_packed(void *out, const char *data, size_t size)
{
	return brine_buf_append(out, data, size) < 0 ? -1 : 0;
}

void brine_packer_init(msgpack_packer *packer, struct brine_buf *out)
{
	if (!packer)
		return;
	msgpack_packer_init(packer, out, append_packed);
}
