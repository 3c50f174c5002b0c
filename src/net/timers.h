/* net/timers.h - a pairing heap of struct brine_timer, for loops. It allocates nothing and never fails. All zero is an
 * empty heap. One thread at a time. */
#ifndef BRINE_NET_TIMERS_H
#define BRINE_NET_TIMERS_H

#include "net/loop.h"

struct brine_timers {
	struct brine_timer *first; /* the timer that is due next, or NULL */
};

/* Adds a timer, which must not be in any heap. */
void brine_timers_add(struct brine_timers *timers, struct brine_timer *timer, uint64_t due_ms);

/* Removes a timer, which must be in this heap. */
void brine_timers_remove(struct brine_timers *timers, struct brine_timer *timer);

#endif
