/* run/lock.h - a mutex whose holder cannot be cancelled by pthread_cancel(): other threads rely on what it does. */
#ifndef BRINE_RUN_LOCK_H
#define BRINE_RUN_LOCK_H

#include <pthread.h>
#include <stdint.h>

struct brine_lock {
	pthread_mutex_t mutex;
	int cancel_state; /* of the thread that holds it, before it took it */
};

static inline void brine_lock_init(struct brine_lock *lock)
{
	pthread_mutex_init(&lock->mutex, NULL);
}

static inline void brine_lock_done(struct brine_lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

static inline void brine_lock_take(struct brine_lock *lock)
{
	int state;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&lock->mutex);
	lock->cancel_state = state;
}

static inline void brine_lock_release(struct brine_lock *lock)
{
	int state = lock->cancel_state;
	pthread_mutex_unlock(&lock->mutex);
	pthread_setcancelstate(state, NULL);
}

/* Lets other threads in for a while. What leave returns goes to brine_lock_return(). */
static inline int brine_lock_leave(struct brine_lock *lock)
{
	int state = lock->cancel_state;
	pthread_mutex_unlock(&lock->mutex);
	return state;
}

static inline void brine_lock_return(struct brine_lock *lock, int state)
{
	pthread_mutex_lock(&lock->mutex);
	lock->cancel_state = state;
}

/* Sleeps until the condition, of CLOCK_MONOTONIC, is signalled, or until brine_clock_ms() reaches until_ms. */
void brine_lock_sleep(struct brine_lock *lock, pthread_cond_t *condition, uint64_t until_ms);

#endif
