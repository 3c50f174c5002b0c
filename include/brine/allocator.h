/* brine/allocator.h - where memory comes from. Nothing in the library calls malloc but the default allocator. */
#ifndef BRINE_ALLOCATOR_H
#define BRINE_ALLOCATOR_H

#include <brine/api.h>

/* A set of allocation functions and the pointer they get. The struct must outlive every object made with it. It is
 * called from whatever thread uses the object. resize(user, NULL, 0, n) allocates; resize(user, p, old_size, 0) frees
 * and returns NULL; old_size is always the size last asked for. Returns NULL when out of memory, the old block then
 * untouched. */
struct brine_allocator {
	void *(*resize)(void *user, void *memory, size_t old_size, size_t new_size);
	void *user;
};

BRINE_BEGIN
/* The allocator used where NULL is given: realloc and free. Static. Any thread. */
BRINE_API const struct brine_allocator *brine_allocator_default(void);
BRINE_END

#endif
