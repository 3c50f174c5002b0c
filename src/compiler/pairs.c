#include "compiler/pairs.h"

/* The slot of the pair, or the empty one where it belongs. At least half of the slots are empty. */
static const void **find_pair(const struct pairs *pairs, const void *left, const void *right)
{
	uint64_t key = (uint64_t)(uintptr_t)left * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)(uintptr_t)right;
	key = (key ^ key >> 32) * UINT64_C(0xd6e8feb86659fd93);
	for (size_t at = (size_t)(key >> 32) & (pairs->room - 1);; at = (at + 1) & (pairs->room - 1)) {
		const void **slot = pairs->slots[at];
		if (!slot[0] || (slot[0] == left && slot[1] == right))
			return slot;
	}
}

static bool grow_pairs(struct schema *schema, struct pairs *pairs)
{
	struct pairs grown = {.room = pairs->room ? pairs->room * 2 : 64, .count = pairs->count};
	grown.slots = schema_alloc(schema, grown.room, sizeof *grown.slots);
	if (!grown.slots)
		return false;
	for (size_t i = 0; i < pairs->room; i++)
		if (pairs->slots[i][0])
			memcpy(find_pair(&grown, pairs->slots[i][0], pairs->slots[i][1]), pairs->slots[i],
			       sizeof pairs->slots[i]);
	*pairs = grown;
	return true;
}

bool pairs_add(struct schema *schema, struct pairs *pairs, const void *left, const void *right)
{
	if (pairs->count >= pairs->room / 2 && !grow_pairs(schema, pairs))
		return false;
	const void **slot = find_pair(pairs, left, right);
	if (slot[0])
		return false;
	slot[0] = left;
	slot[1] = right;
	pairs->count++;
	return true;
}
