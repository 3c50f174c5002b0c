/* base/idmap.h - a hash table from 64-bit numbers to pointers, with open addressing.
 * The hash depends on a seed, so that a peer that chooses the numbers cannot make them collide. The table owns its
 * slots and never what the pointers point to. Not thread-safe. */
#ifndef BRINE_BASE_IDMAP_H
#define BRINE_BASE_IDMAP_H

#include <brine/allocator.h>

struct brine_idmap_slot {
	uint64_t key;
	void *value; /* NULL in a free slot */
};

struct brine_idmap {
	struct brine_idmap_slot *slots;
	uint32_t capacity; /* 0 or a power of two */
	uint32_t count;
	uint64_t seed;
	const struct brine_allocator *allocator;
};

/* Makes an empty table, which owns nothing yet. The allocator must outlive the table; NULL means the default. */
void brine_idmap_init(struct brine_idmap *map, const struct brine_allocator *allocator, uint64_t seed);

/* Releases the slots and leaves an empty table that can be used again. */
void brine_idmap_done(struct brine_idmap *map);

/* Adds a key that is not in the table. value must not be NULL. On error the table is unchanged. Errors:
 *   BRINE_ERR_NOMEM */
int brine_idmap_put(struct brine_idmap *map, uint64_t key, void *value);

/* Returns the value of the key, or NULL if the key is not in the table. */
void *brine_idmap_find(const struct brine_idmap *map, uint64_t key);

/* Removes the key and returns its value, or NULL if the key is not in the table. Never allocates. */
void *brine_idmap_remove(struct brine_idmap *map, uint64_t key);

#endif
