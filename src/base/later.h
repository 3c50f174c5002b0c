/* base/later.h - adds a duration to a time without overflow. */
#ifndef BRINE_BASE_LATER_H
#define BRINE_BASE_LATER_H

#include <stdint.h>

/* Returns since_ms + duration_ms, or BRINE_FOREVER if the sum does not fit. BRINE_FOREVER for either gives
 * BRINE_FOREVER. */
static inline uint64_t brine_later(uint64_t since_ms, uint64_t duration_ms)
{
	return duration_ms < UINT64_MAX - since_ms ? since_ms + duration_ms : UINT64_MAX;
}

#endif
