/* brine/arena.h - memory that is released by one call, in the caller's storage.
 * What an arena hands out lives until brine_arena_reset() or brine_arena_done(). Not thread-safe. */
#ifndef BRINE_ARENA_H
#define BRINE_ARENA_H

#include <brine/allocator.h>
#include <brine/bytes.h>
#include <stdarg.h>

struct brine_arena_block;

/* Fields are private; all zero is a valid empty arena without a budget. */
struct brine_arena {
	struct brine_arena_block *blocks; /* newest first */
	size_t used;                      /* bytes handed out since the last reset, padding included */
	size_t budget;                    /* most bytes to hand out; 0: no limit */
	const struct brine_allocator *allocator;
};
#define BRINE_ARENA_INIT                                                                                               \
	{                                                                                                              \
		NULL, 0, 0, NULL                                                                                       \
	}

BRINE_BEGIN

/* Makes an empty arena. allocator NULL: the default; it must outlive the arena. budget: most bytes it hands out between
 * resets, 0 none. Nothing is allocated yet. */
BRINE_API void brine_arena_init(struct brine_arena *arena, const struct brine_allocator *allocator, size_t budget);

/* Releases everything at once and leaves an empty, usable arena. NULL is allowed. Never fails. */
BRINE_API void brine_arena_done(struct brine_arena *arena);

/* Releases everything but keeps the first block for the next use. Never fails. */
BRINE_API void brine_arena_reset(struct brine_arena *arena);

/* size bytes aligned for any type, zeroed; NULL when out of memory or over the budget. size 0 gives a valid pointer. */
BRINE_API void *brine_arena_alloc(struct brine_arena *arena, size_t size);

/* A copy of the bytes, NUL added behind it; NULL as above. */
BRINE_API void *brine_arena_copy(struct brine_arena *arena, const void *data, size_t size);

/* Formatted text; {NULL, 0} when out of memory or over the budget. Terminated by NUL behind its size. */
BRINE_API struct brine_str brine_arena_printf(struct brine_arena *arena, const char *format, ...) BRINE_PRINTF(2, 3);
BRINE_API struct brine_str brine_arena_vprintf(struct brine_arena *arena, const char *format, va_list arguments)
        BRINE_PRINTF(2, 0);

BRINE_END

#endif
