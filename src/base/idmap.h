/* base/idmap.h - a table from 64-bit numbers to pointers: open addressing, keyed by a seed so that a peer that chooses
 * the numbers cannot make them collide. Owns its slots only, never what the pointers point to. Not thread-safe. */
#ifndef BRINE_BASE_IDMAP_H
#define BRINE_BASE_IDMAP_H

#include <brine/allocator.h>

struct brine_idmap_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

struct brine_idmap {
	struct brine_idmap_slot *slots;
	uint32_t capacity; /* 0 or a power of two */
	uint32_t count;
	uint64_t seed;
	const struct brine_allocator *allocator;
};

/* An empty table that owns nothing yet. allocator NULL: the default; it must outlive the table. */
void brine_idmap_init(struct brine_idmap *map, const struct brine_allocator *allocator, uint64_t seed);
void brine_idmap_done(struct brine_idmap *map);

/* Adds a key that is not there; value is not NULL. 0, or BRINE_ERR_NOMEM with the table unchanged. */
int brine_idmap_put(struct brine_idmap *map, uint64_t key, void *value);

/* NULL where the key is not there. */
void *brine_idmap_find(const struct brine_idmap *map, uint64_t key);

/* Removes the key and returns its value, NULL where it is not there. Never allocates. */
void *brine_idmap_remove(struct brine_idmap *map, uint64_t key);

#endif
