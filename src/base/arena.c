#include <brine/arena.h>

#include "base/alloc.h"
#include "base/poison.h"

#include <stdalign.h>
#include <stdio.h>

/* Blocks hold their payload right behind the head; max_align_t keeps it aligned for any type. */
struct brine_arena_block {
	struct brine_arena_block *next;
	size_t capacity; /* payload bytes */
	size_t used;
	alignas(max_align_t) uint8_t payload[];
};

enum {
	ALIGNMENT = alignof(max_align_t),
	BLOCK_LEAST = 1024 - sizeof(struct brine_arena_block),
	BLOCK_MOST = 64 * 1024,
};

void brine_arena_init(struct brine_arena *arena, const struct brine_allocator *allocator, size_t budget)
{
	if (!arena)
		return;
	*arena = (struct brine_arena){.allocator = allocator, .budget = budget};
}

static void free_blocks(struct brine_arena *arena, struct brine_arena_block *block)
{
	while (block) {
		struct brine_arena_block *next = block->next;
		ASAN_UNPOISON_MEMORY_REGION(block->payload, block->capacity);
		brine_release(arena->allocator, block, sizeof *block + block->capacity);
		block = next;
	}
}

void brine_arena_done(struct brine_arena *arena)
{
	if (!arena)
		return;
	free_blocks(arena, arena->blocks);
	arena->blocks = NULL;
	arena->used = 0;
}

void brine_arena_reset(struct brine_arena *arena)
{
	if (!arena)
		return;
	struct brine_arena_block *first = arena->blocks;
	if (first) {
		/* The newest block is the largest of the steady ones: keep that. A huge one would only be hoarded. */
		free_blocks(arena, first->next);
		first->next = NULL;
		first->used = 0;
		ASAN_POISON_MEMORY_REGION(first->payload, first->capacity);
		if (first->capacity > BLOCK_MOST)
			brine_arena_done(arena);
	}
	arena->used = 0;
}

static struct brine_arena_block *add_block(struct brine_arena *arena, size_t size)
{
	size_t capacity = arena->blocks ? arena->blocks->capacity * 2 : (size_t)BLOCK_LEAST;
	if (capacity > BLOCK_MOST)
		capacity = BLOCK_MOST;
	if (capacity < size || BRINE_GROWS_EXACTLY)
		capacity = size;
	if (capacity > SIZE_MAX - sizeof(struct brine_arena_block))
		return NULL;
	struct brine_arena_block *block = brine_resize(arena->allocator, NULL, 0, sizeof *block + capacity);
	if (!block)
		return NULL;
	block->capacity = capacity;
	block->used = 0;
	block->next = arena->blocks;
	arena->blocks = block;
	ASAN_POISON_MEMORY_REGION(block->payload, capacity);
	return block;
}

void *brine_arena_alloc(struct brine_arena *arena, size_t size)
{
	if (!arena || size > SIZE_MAX / 2)
		return NULL;
	size_t padded = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : (size_t)ALIGNMENT;
	if (arena->budget && (arena->used > arena->budget || padded > arena->budget - arena->used))
		return NULL;
	struct brine_arena_block *block = arena->blocks;
	if (!block || padded > block->capacity - block->used) {
		block = add_block(arena, padded);
		if (!block)
			return NULL;
	}
	void *memory = block->payload + block->used;
	block->used += padded;
	arena->used += padded;
	ASAN_UNPOISON_MEMORY_REGION(memory, size);
	memset(memory, 0, size);
	return memory;
}

void *brine_arena_copy(struct brine_arena *arena, const void *data, size_t size)
{
	if (size == SIZE_MAX || (size && !data))
		return NULL;
	void *copy = brine_arena_alloc(arena, size + 1);
	if (copy && size)
		memcpy(copy, data, size);
	return copy;
}

struct brine_str brine_arena_vprintf(struct brine_arena *arena, const char *format, va_list arguments)
{
	struct brine_str text = {NULL, 0};
	if (!arena || !format)
		return text;
	va_list again;
	va_copy(again, arguments);
	int size = vsnprintf(NULL, 0, format, arguments);
	char *memory = size < 0 ? NULL : brine_arena_alloc(arena, (size_t)size + 1);
	if (memory) {
		vsnprintf(memory, (size_t)size + 1, format, again);
		text = (struct brine_str){memory, (size_t)size};
	}
	va_end(again);
	return text;
}

struct brine_str brine_arena_printf(struct brine_arena *arena, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(arena, format, arguments);
	va_end(arguments);
	return text;
}
