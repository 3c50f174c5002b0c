/* base/later.h - a time that comes after another one, whatever duration the program has chosen. */
#ifndef BRINE_BASE_LATER_H
#define BRINE_BASE_LATER_H

#include <stdint.h>

/* since_ms + duration_ms; what would wrap around is never (BRINE_FOREVER), and never stays never. */
static inline uint64_t brine_later(uint64_t since_ms, uint64_t duration_ms)
{
	return duration_ms < UINT64_MAX - since_ms ? since_ms + duration_ms : UINT64_MAX;
}

#endif
