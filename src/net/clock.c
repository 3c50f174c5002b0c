#include "net/clock.h"

#include <time.h>

uint64_t brine_clock_ms(void)
{
	struct timespec time = {0, 0};
	/* Cannot fail: the clock exists on every Linux and the pointer is good. */
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}
