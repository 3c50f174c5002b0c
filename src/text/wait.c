#include "text/wait.h"

#include "base/later.h"
#include "net/clock.h"

#include <brine/conn.h>

#include <time.h>

uint64_t brine_text_until(uint64_t timeout_ms)
{
	return brine_later(brine_clock_ms(), timeout_ms);
}

void brine_text_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool brine_text_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ms)
{
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
	if (until_ms == BRINE_FOREVER)
		pthread_cond_wait(condition, lock);
	else if (brine_clock_ms() >= until_ms)
		return false;
	else
		pthread_cond_timedwait(condition, lock, &until);
	return true;
}
