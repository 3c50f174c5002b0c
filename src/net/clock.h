/* net/clock.h - the one place that reads a clock. Only the monotonic clock: setting the wall clock changes nothing, and
 * time in which the machine is suspended does not count. Any thread. */
#ifndef BRINE_NET_CLOCK_H
#define BRINE_NET_CLOCK_H

#include <stdint.h>

/* Milliseconds since some point in the past. Never goes back, never fails. */
uint64_t brine_clock_ms(void);

#endif
