#include "inspect/typed.h"

#include <brine/codec.h>

enum {
	ARENA_FACTOR = 16, /* memory for a message, in sizes of its frame */
	ARENA_LEAST = 64 * 1024,
};

/* The struct that a record carries, and where it stands. type NULL: nothing that a schema describes. */
struct slot {
	const struct brine_type *type;
	enum brine_place place;
};

static struct slot slot_of(const struct inspect_record *record)
{
	const struct brine_method *method = record->schema;
	struct slot none = {NULL, BRINE_AS_MESSAGE};
	if (!method)
		return none;
	switch (record->type) {
	case BRINE_FRAME_REQUEST:
	case BRINE_FRAME_NOTIFICATION:
		return method->flags & BRINE_METHOD_UPLOAD ? none : (struct slot){method->request, BRINE_AS_PARAMS};
	case BRINE_FRAME_RESPONSE:
		if (record->frame.error.is_set || method->flags & BRINE_METHOD_DOWNLOAD)
			return none;
		return (struct slot){method->response, BRINE_AS_RESULT};
	case BRINE_FRAME_ITEM: return (struct slot){method->response, BRINE_AS_RESULT};
	case BRINE_FRAME_UPLOAD: return (struct slot){method->request, BRINE_AS_RESULT};
	default: return none;
	}
}

struct inspect_typed inspect_typed_decode(const struct inspect_record *record, struct brine_bytes value,
                                          struct brine_arena *arena)
{
	struct inspect_typed typed = {.type = NULL};
	struct slot slot = slot_of(record);
	if (!slot.type)
		return typed;
	arena->budget = record->piece.bytes.size * ARENA_FACTOR + ARENA_LEAST + slot.type->size;
	void *message = brine_arena_alloc(arena, slot.type->size);
	unsigned flags = BRINE_DECODE_STRICT | BRINE_DECODE_CHECKED;
	if (!message)
		brine_fail(&typed.mismatch, BRINE_ERR_NOMEM, 0, "out of memory");
	else if (brine_decode(message, slot.type, value, slot.place, flags, arena, &typed.mismatch) == 0)
		typed = (struct inspect_typed){.type = slot.type, .message = message};
	return typed;
}
