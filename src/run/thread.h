/* run/thread.h - threads of the library's own. */
#ifndef BRINE_RUN_THREAD_H
#define BRINE_RUN_THREAD_H

#include <brine/limits.h>

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread with every signal blocked: the program's handlers run on the program's threads. ret_thread NULL: it
 * is detached. stack_size: an option of that meaning (limits.h), 0: the default. The process's own default may be 8
 * MiB, which counts against memory limits, or 128 KiB. 0 or an errno. */
int brine_thread_start(pthread_t *ret_thread, size_t stack_size, void *(*run)(void *argument), void *argument);

/* Marks the calling thread as one that runs a loop, on which nothing may wait, or no longer. It is the one thing that
 * is kept per thread: a client in a handler has no other way to know on whose thread it was called. */
void brine_thread_mark_loop(bool is_loop);

/* Whether the calling thread is marked so. */
bool brine_thread_is_loop(void);

/* From here to its end pthread_cancel() does not end the calling thread, which holds a lock that others need or is in
 * the middle of something. What the one returns goes to the other. */
static inline int brine_thread_defer_cancel(void)
{
	int state;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

static inline void brine_thread_allow_cancel(int state)
{
	pthread_setcancelstate(state, NULL);
}

#endif
