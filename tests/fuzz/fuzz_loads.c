/* Holds for any bytes, read as a message with every kind and shape: what is accepted can be written again and comes
 * back equal, in one written form; what is refused leaves the output alone and names its fault; memory stays within the
 * budget. The first byte chooses type, place and flags. */
#include "support.h"

#include "everything.h"
#include "fuzz.h"

static const struct brine_type *const types[] = {&everything_type, &everything_map_type, &leaf_type, &bare_type};

union message {
	struct everything everything;
	struct leaf leaf;
	struct bare bare;
};

/* Writes and reads the message that was accepted. */
static void compare_again(const struct brine_type *type, const union message *message, enum brine_place place,
                          struct brine_arena *arena)
{
	struct brine_buf first = BRINE_BUF_INIT, second = BRINE_BUF_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	union message again;
	int rc = brine_encode(&first, type, message, place, &error);
	/* Fields that were missing deep inside are written as empty lists, one level deeper. */
	HOLDS(rc == 0 || rc == BRINE_ERR_DEPTH);
	if (rc == 0) {
		arena->budget = 0;
		HOLDS(brine_decode(&again, type, brine_buf_bytes(&first), place, BRINE_DECODE_STRICT, arena, &error) ==
		      0);
		HOLDS(message_equal(type, message, &again));
		HOLDS(brine_encode(&second, type, &again, place, &error) == 0);
		HOLDS(first.end == second.end && memcmp(first.data, second.data, first.end) == 0);
	}
	brine_buf_done(&first);
	brine_buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	const struct brine_type *type = types[data[0] & 3];
	enum brine_place place = (data[0] >> 2 & 3) % 3;
	unsigned flags = data[0] & 0x10 ? BRINE_DECODE_STRICT : 0;
	flags |= data[0] & 0x20 ? BRINE_DECODE_COPY : 0;
	flags |= data[0] & 0x40 ? BRINE_DECODE_ARITY : 0;
	struct brine_bytes bytes = {data + 1, size - 1};
	/* Unchecked bytes with CHECKED are a mistake of the caller; they must not read beyond their end all the same.
	 */
	flags |= data[0] & 0x80 ? BRINE_DECODE_CHECKED : 0;
	struct brine_arena arena;
	struct brine_error error = BRINE_ERROR_INIT;
	union message message, untouched;
	memset(&message, 0x5a, sizeof message);
	untouched = message;
	size_t budget = 16 * size + (64 << 10);
	brine_arena_init(&arena, NULL, budget);
	int rc = brine_decode(&message, type, bytes, place, flags, &arena, &error);
	HOLDS(arena.used <= budget);
	if (rc == 0) {
		compare_again(type, &message, place, &arena);
	} else {
		HOLDS(error.code == rc && error.text[0] && error.offset <= size);
		HOLDS(memcmp(&message, &untouched, sizeof message) == 0);
	}
	brine_arena_done(&arena);
	return 0;
}
