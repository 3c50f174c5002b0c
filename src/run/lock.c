#include "run/lock.h"

#include <brine/conn.h>

#include <time.h>

void brine_lock_sleep(struct brine_lock *lock, pthread_cond_t *condition, uint64_t until_ms)
{
	int state = lock->cancel_state;
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
	if (until_ms == BRINE_FOREVER)
		pthread_cond_wait(condition, &lock->mutex);
	else
		pthread_cond_timedwait(condition, &lock->mutex, &until);
	lock->cancel_state = state;
}
