/* base/alloc.h - short forms over struct brine_allocator, for the library itself. */
#ifndef BRINE_BASE_ALLOC_H
#define BRINE_BASE_ALLOC_H

#include <brine/allocator.h>

/* NULL stands for the default allocator, so that objects can keep what the user gave. */
static inline const struct brine_allocator *brine_allocator_or_default(const struct brine_allocator *allocator)
{
	return allocator ? allocator : brine_allocator_default();
}

static inline void *brine_resize(const struct brine_allocator *allocator, void *memory, size_t old_size,
                                 size_t new_size)
{
	const struct brine_allocator *real = brine_allocator_or_default(allocator);
	return real->resize(real->user, memory, old_size, new_size);
}

/* size zeroed bytes, or NULL. */
void *brine_alloc_zero(const struct brine_allocator *allocator, size_t size);

static inline void brine_release(const struct brine_allocator *allocator, void *memory, size_t size)
{
	if (memory)
		brine_resize(allocator, memory, size, 0);
}

/* a * b into *ret; false on overflow. */
static inline bool brine_mul(size_t a, size_t b, size_t *ret)
{
	return !__builtin_mul_overflow(a, b, ret);
}

#endif
