#include "inspect/calls.h"

#include "base/alloc.h"

enum { SLOTS = INSPECT_CALLS_SETS * INSPECT_CALLS_WAYS };

void inspect_calls_done(struct inspect_calls *calls)
{
	brine_release(calls->allocator, calls->slots, SLOTS * sizeof *calls->slots);
	calls->slots = NULL;
}

static struct inspect_call *set_of(const struct inspect_calls *calls, uint64_t id)
{
	return calls->slots + id % INSPECT_CALLS_SETS * INSPECT_CALLS_WAYS;
}

struct inspect_call *inspect_calls_find(const struct inspect_calls *calls, uint64_t id)
{
	if (!calls->slots)
		return NULL;
	struct inspect_call *set = set_of(calls, id);
	for (int way = 0; way < INSPECT_CALLS_WAYS; way++) {
		if (set[way].used && set[way].id == id)
			return &set[way];
	}
	return NULL;
}

/* Whether a is the better one to give up: free before ended before running, then by age. */
static bool goes_before(const struct inspect_call *a, const struct inspect_call *b)
{
	int rank_a = a->used + (a->used && !a->ended);
	int rank_b = b->used + (b->used && !b->ended);
	return rank_a != rank_b ? rank_a < rank_b : a->age < b->age;
}

static struct inspect_call *choose_slot(struct inspect_calls *calls, uint64_t id)
{
	struct inspect_call *same = inspect_calls_find(calls, id);
	if (same)
		return same;
	struct inspect_call *set = set_of(calls, id);
	struct inspect_call *chosen = set;
	for (int way = 1; way < INSPECT_CALLS_WAYS; way++) {
		if (goes_before(&set[way], chosen))
			chosen = &set[way];
	}
	if (chosen->used && !chosen->ended)
		calls->forgotten++;
	return chosen;
}

int inspect_calls_add(struct inspect_calls *calls, const struct inspect_call *call, struct brine_bytes method)
{
	if (!calls->slots)
		calls->slots = brine_alloc_zero(calls->allocator, SLOTS * sizeof *calls->slots);
	if (!calls->slots)
		return BRINE_ERR_NOMEM;
	struct inspect_call *slot = choose_slot(calls, call->id);
	*slot = *call;
	slot->used = true;
	slot->age = calls->clock++;
	slot->method_size = (uint8_t)(method.size < INSPECT_METHOD_MOST ? method.size : (size_t)INSPECT_METHOD_MOST);
	if (slot->method_size)
		memcpy(slot->method, method.data, slot->method_size);
	return 0;
}
