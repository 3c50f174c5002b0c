#include "base/idmap.h"

#include "base/alloc.h"

#include <brine/error.h>

#include <assert.h>

enum { CAPACITY_LEAST = BRINE_GROWS_EXACTLY ? 4 : 16 };

void brine_idmap_init(struct brine_idmap *map, const struct brine_allocator *allocator, uint64_t seed)
{
	*map = (struct brine_idmap){.allocator = allocator, .seed = seed};
}

void brine_idmap_done(struct brine_idmap *map)
{
	brine_release(map->allocator, map->slots, map->capacity * sizeof *map->slots);
	brine_idmap_init(map, map->allocator, map->seed);
}

/* Where the search for key begins. */
static uint32_t first_slot(const struct brine_idmap *map, uint64_t key)
{
	uint64_t mixed = (key ^ map->seed) * UINT64_C(0x9e3779b97f4a7c15);
	mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(mixed >> 32) & (map->capacity - 1);
}

/* The slot that holds key, or the free one where it would go. There is always a free one. */
static uint32_t find_slot(const struct brine_idmap *map, uint64_t key)
{
	uint32_t at = first_slot(map, key);
	while (map->slots[at].value && map->slots[at].key != key)
		at = (at + 1) & (map->capacity - 1);
	return at;
}

static int grow_slots(struct brine_idmap *map)
{
	struct brine_idmap larger = *map;
	larger.capacity = map->capacity ? map->capacity * 2 : CAPACITY_LEAST;
	if (larger.capacity == 0)
		return BRINE_ERR_NOMEM;
	larger.slots = brine_alloc_zero(map->allocator, larger.capacity * sizeof *larger.slots);
	if (!larger.slots)
		return BRINE_ERR_NOMEM;
	for (uint32_t i = 0; i < map->capacity; i++)
		if (map->slots[i].value)
			larger.slots[find_slot(&larger, map->slots[i].key)] = map->slots[i];
	brine_release(map->allocator, map->slots, map->capacity * sizeof *map->slots);
	*map = larger;
	return 0;
}

int brine_idmap_put(struct brine_idmap *map, uint64_t key, void *value)
{
	assert(value && !brine_idmap_find(map, key));
	if (map->count >= map->capacity / 4 * 3 && grow_slots(map) < 0)
		return BRINE_ERR_NOMEM;
	map->slots[find_slot(map, key)] = (struct brine_idmap_slot){key, value};
	map->count++;
	return 0;
}

void *brine_idmap_find(const struct brine_idmap *map, uint64_t key)
{
	return map->capacity ? map->slots[find_slot(map, key)].value : NULL;
}

void *brine_idmap_remove(struct brine_idmap *map, uint64_t key)
{
	if (map->capacity == 0)
		return NULL;
	uint32_t mask = map->capacity - 1;
	uint32_t hole = find_slot(map, key);
	void *value = map->slots[hole].value;
	if (!value)
		return NULL;
	map->count--;
	/* Moves back what was pushed beyond the hole, so that no search ends there too early. */
	for (uint32_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
		if (((at - first_slot(map, map->slots[at].key)) & mask) >= ((at - hole) & mask)) {
			map->slots[hole] = map->slots[at];
			hole = at;
		}
	}
	map->slots[hole].value = NULL;
	return value;
}
