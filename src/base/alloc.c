#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *default_resize(void *user, void *memory, size_t old_size, size_t new_size)
{
	(void)user;
	(void)old_size;
	if (new_size == 0) {
		free(memory);
		return NULL;
	}
	return realloc(memory, new_size);
}

const struct brine_allocator *brine_allocator_default(void)
{
	static const struct brine_allocator allocator = {default_resize, NULL};
	return &allocator;
}

void *brine_alloc_zero(const struct brine_allocator *allocator, size_t size)
{
	void *memory = brine_resize(allocator, NULL, 0, size);
	if (memory)
		memset(memory, 0, size);
	return memory;
}
