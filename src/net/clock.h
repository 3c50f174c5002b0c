/* net/clock.h - the one place that reads a clock. Only the monotonic clock: setting the wall clock changes nothing, and
 * time in which the machine is suspended does not count. Any thread. */
#ifndef BRINE_NET_CLOCK_H
#define BRINE_NET_CLOCK_H

#include <stdint.h>

/* Milliseconds and microseconds since some point in the past. Never go back, never fail. */
uint64_t brine_clock_ms(void);
uint64_t brine_clock_us(void);

#endif
