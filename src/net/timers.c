#include "net/timers.h"

#include <assert.h>

/* child: the first of the timers below; next: the neighbour; previous: the neighbour before, or the parent for a first
 * child. */

static struct brine_timer *meld(struct brine_timer *a, struct brine_timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->due_ms < a->due_ms) {
		struct brine_timer *swap = a;
		a = b;
		b = swap;
	}
	b->next = a->child;
	b->previous = a;
	if (a->child)
		a->child->previous = b;
	a->child = b;
	return a;
}

/* One heap of a row of neighbours: melds them in pairs from the left, then the pairs from the right, which is what
 * keeps the heap flat. */
static struct brine_timer *meld_row(struct brine_timer *row)
{
	struct brine_timer *pairs = NULL;
	while (row) {
		struct brine_timer *a = row, *b = row->next;
		row = b ? b->next : NULL;
		a->next = a->previous = NULL;
		if (b)
			b->next = b->previous = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	struct brine_timer *heap = NULL;
	while (pairs) {
		struct brine_timer *next = pairs->next;
		pairs->next = NULL;
		heap = meld(heap, pairs);
		pairs = next;
	}
	return heap;
}

void brine_timers_add(struct brine_timers *timers, struct brine_timer *timer, uint64_t due_ms)
{
	assert(!timer->set);
	timer->due_ms = due_ms;
	timer->set = true;
	timer->child = timer->next = timer->previous = NULL;
	timers->first = meld(timers->first, timer);
}

void brine_timers_remove(struct brine_timers *timers, struct brine_timer *timer)
{
	assert(timer->set && timers->first);
	struct brine_timer *below = meld_row(timer->child);
	if (timer == timers->first) {
		timers->first = below;
	} else {
		if (timer->previous->child == timer)
			timer->previous->child = timer->next;
		else
			timer->previous->next = timer->next;
		if (timer->next)
			timer->next->previous = timer->previous;
		timers->first = meld(timers->first, below);
	}
	timer->set = false;
	timer->child = timer->next = timer->previous = NULL;
}
