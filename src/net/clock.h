/* net/clock.h - the one place that reads a clock. It is the monotonic clock. Setting the wall clock has no effect, and
 * time in which the machine is suspended does not count. Any thread. */
#ifndef BRINE_NET_CLOCK_H
#define BRINE_NET_CLOCK_H

#include <stdint.h>

/* Returns the milliseconds since some point in the past. Never goes back and never fails. */
uint64_t brine_clock_ms(void);

#endif
