/* brine/arena.h - memory that is released by one call.
 * The struct is in the caller's storage. Memory from an arena lives until brine_arena_reset() or brine_arena_done().
 * Not thread-safe. */
#ifndef BRINE_ARENA_H
#define BRINE_ARENA_H

#include <brine/allocator.h>
#include <brine/bytes.h>
#include <stdarg.h>

struct brine_arena_block;

/* The fields are private. All zero is a valid empty arena without a budget. */
struct brine_arena {
	struct brine_arena_block *blocks; /* newest first */
	size_t used;                      /* bytes handed out since the last reset, padding included */
	size_t budget;                    /* most bytes to hand out; 0 means no limit */
	const struct brine_allocator *allocator;
};
#define BRINE_ARENA_INIT                                                                                               \
	{                                                                                                              \
		NULL, 0, 0, NULL                                                                                       \
	}

BRINE_BEGIN

/* Makes an empty arena and allocates nothing yet. The allocator must outlive the arena; NULL means the default. budget
 * is the most bytes to hand out between two resets, padding included; 0 means no limit. */
BRINE_API void brine_arena_init(struct brine_arena *arena, const struct brine_allocator *allocator, size_t budget);

/* Releases all memory of the arena and leaves it empty and usable. NULL is allowed. Never fails. */
BRINE_API void brine_arena_done(struct brine_arena *arena);

/* Empties the arena and keeps one block of up to 64 KiB for its next use. Never fails. */
BRINE_API void brine_arena_reset(struct brine_arena *arena);

/* Returns size zeroed bytes, aligned for any type. size 0 gives a valid pointer. Returns NULL when out of memory or
 * over the budget. */
BRINE_API void *brine_arena_alloc(struct brine_arena *arena, size_t size);

/* Returns a copy of the bytes with a NUL behind them. Returns NULL when out of memory or over the budget. */
BRINE_API void *brine_arena_copy(struct brine_arena *arena, const void *data, size_t size);

/* Returns formatted text with a NUL behind it, which its size does not count. Returns {NULL, 0} when out of memory or
 * over the budget. */
BRINE_API struct brine_str brine_arena_printf(struct brine_arena *arena, const char *format, ...) BRINE_PRINTF(2, 3);
BRINE_API struct brine_str brine_arena_vprintf(struct brine_arena *arena, const char *format, va_list arguments)
        BRINE_PRINTF(2, 0);

BRINE_END

#endif
