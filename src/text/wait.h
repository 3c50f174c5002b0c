/* text/wait.h - waits on conditions that end at a time of net/clock.h. */
#ifndef BRINE_TEXT_WAIT_H
#define BRINE_TEXT_WAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* The time in timeout_ms from now; BRINE_FOREVER, or one that is too far away to count: BRINE_FOREVER, which never
 * comes. */
uint64_t brine_text_until(uint64_t timeout_ms);

/* Makes a condition that can be waited for so; pthread_cond_destroy() ends it. */
void brine_text_condition_init(pthread_cond_t *condition);

/* Waits once, the lock held; it may end early. False, without waiting: the time has come. */
bool brine_text_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ms);

#endif
