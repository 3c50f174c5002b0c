/* brine/allocator.h - where memory comes from. Only the default allocator calls realloc() and free(). */
#ifndef BRINE_ALLOCATOR_H
#define BRINE_ALLOCATOR_H

#include <brine/api.h>

/* An allocation function and the pointer that it gets. The struct belongs to the program and must outlive every object
 * made with it. resize() is called on every thread that uses such an object.
 *   resize(user, NULL, 0, n)            allocates n bytes
 *   resize(user, memory, old_size, n)   grows or shrinks memory to n bytes and may move it
 *   resize(user, memory, old_size, 0)   frees memory and returns NULL
 * old_size is always the size last asked for. The memory is aligned for any type. When out of memory, resize() returns
 * NULL and leaves the old block untouched. */
struct brine_allocator {
	void *(*resize)(void *user, void *memory, size_t old_size, size_t new_size);
	void *user;
};

BRINE_BEGIN
/* Returns the allocator that is used for NULL. It calls realloc() and free(). Static, any thread. */
BRINE_API const struct brine_allocator *brine_allocator_default(void);
BRINE_END

#endif
