/* net/timers.h - a pairing heap of struct brine_timer, for loop implementations: nothing is allocated, nothing fails.
 */
#ifndef BRINE_NET_TIMERS_H
#define BRINE_NET_TIMERS_H

#include "net/loop.h"

struct brine_timers {
	struct brine_timer *first; /* the one due next; NULL: none */
};

/* timer is not in any heap. */
void brine_timers_add(struct brine_timers *timers, struct brine_timer *timer, uint64_t due_ms);

/* timer is in this heap. */
void brine_timers_remove(struct brine_timers *timers, struct brine_timer *timer);

#endif
