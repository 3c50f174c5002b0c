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

/* What grows takes twice as much as it had, so that growing stays cheap; in the tests' build with BRINE_GROW_EXACT just
 * what is needed, and nothing released is kept for later: there every growth is an allocation, which can fail. */
#ifdef BRINE_GROW_EXACT
enum { BRINE_GROWS_EXACTLY = 1 };
#else
enum { BRINE_GROWS_EXACTLY = 0 };
#endif

/* The next capacity, in elements, where `least` is the first one and needed is at most SIZE_MAX / 2. */
static inline size_t brine_grown(size_t capacity, size_t least, size_t needed)
{
	if (BRINE_GROWS_EXACTLY)
		return needed ? needed : 1;
	capacity = capacity ? capacity : least;
	while (capacity < needed)
		capacity *= 2;
	return capacity;
}

/* a * b into *ret; false on overflow. */
static inline bool brine_mul(size_t a, size_t b, size_t *ret)
{
	return !__builtin_mul_overflow(a, b, ret);
}

#endif
