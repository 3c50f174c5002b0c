/* base/alloc.h - short forms over struct brine_allocator, for the library itself. Any thread that may use the
 * allocator. */
#ifndef BRINE_BASE_ALLOC_H
#define BRINE_BASE_ALLOC_H

#include <brine/allocator.h>

/* Returns the allocator, or the default one for NULL. Objects can keep the NULL that the program gave. */
static inline const struct brine_allocator *brine_allocator_or_default(const struct brine_allocator *allocator)
{
	return allocator ? allocator : brine_allocator_default();
}

/* Calls the allocator's resize(). Its contract is in brine/allocator.h. */
static inline void *brine_resize(const struct brine_allocator *allocator, void *memory, size_t old_size,
                                 size_t new_size)
{
	const struct brine_allocator *real = brine_allocator_or_default(allocator);
	return real->resize(real->user, memory, old_size, new_size);
}

/* Allocates size zeroed bytes. They belong to the caller until brine_release(). Returns NULL when out of memory. */
void *brine_alloc_zero(const struct brine_allocator *allocator, size_t size);

/* Releases memory of size bytes, the size that was asked for. NULL is allowed. */
static inline void brine_release(const struct brine_allocator *allocator, void *memory, size_t size)
{
	if (memory)
		brine_resize(allocator, memory, size, 0);
}

/* A container that grows doubles its capacity, so that growing stays cheap. A build with BRINE_GROW_EXACT takes just
 * what is needed and keeps nothing for later. In such a build every growth is an allocation, which a test can make
 * fail. */
#ifdef BRINE_GROW_EXACT
enum { BRINE_GROWS_EXACTLY = 1 };
#else
enum { BRINE_GROWS_EXACTLY = 0 };
#endif

/* Returns the next capacity, in elements. `least` is the first capacity of an empty container. needed is at most
 * SIZE_MAX / 2. */
static inline size_t brine_grown(size_t capacity, size_t least, size_t needed)
{
	if (BRINE_GROWS_EXACTLY)
		return needed ? needed : 1;
	capacity = capacity ? capacity : least;
	while (capacity < needed)
		capacity *= 2;
	return capacity;
}

/* Stores a * b in *ret. Returns false on overflow. */
static inline bool brine_mul(size_t a, size_t b, size_t *ret)
{
	return !__builtin_mul_overflow(a, b, ret);
}

#endif
