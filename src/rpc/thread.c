#include "rpc/thread.h"

#include <signal.h>

static _Thread_local bool is_loop_thread;

int brine_thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failure = pthread_create(ret_thread, NULL, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failure;
}

void brine_thread_mark_loop(bool is_loop)
{
	is_loop_thread = is_loop;
}

bool brine_thread_is_loop(void)
{
	return is_loop_thread;
}
