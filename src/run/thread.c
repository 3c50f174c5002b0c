#include "run/thread.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static _Thread_local bool is_loop_thread;

/* Sanitizers make frames several times as large. */
#if defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FRAMES_ARE_LARGE 1
#endif
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define FRAMES_ARE_LARGE 1
#endif
#ifdef FRAMES_ARE_LARGE
enum { STACK_FACTOR = 4 };
#else
enum { STACK_FACTOR = 1 };
#endif

/* What the system takes of a stack before we get any of it; whole pages. */
static size_t system_share(void)
{
	long least = sysconf(_SC_THREAD_STACK_MIN), page = sysconf(_SC_PAGESIZE);
	if (least < PTHREAD_STACK_MIN)
		least = PTHREAD_STACK_MIN;
	return page > 0 ? ((size_t)least + (size_t)page - 1) / (size_t)page * (size_t)page : (size_t)least;
}

static int set_stack(pthread_attr_t *attributes, size_t size)
{
	if (size == 0)
		size = BRINE_THREAD_STACK_SIZE;
	else if (size < BRINE_THREAD_STACK_LEAST)
		size = BRINE_THREAD_STACK_LEAST;
	if (__builtin_mul_overflow(size, STACK_FACTOR, &size) || __builtin_add_overflow(size, system_share(), &size))
		return ENOMEM;
	return pthread_attr_setstacksize(attributes, size);
}

static int start(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*run)(void *argument), void *argument)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failure = pthread_create(ret_thread, attributes, run, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failure;
}

int brine_thread_start(pthread_t *ret_thread, size_t stack_size, void *(*run)(void *argument), void *argument)
{
	pthread_t detached;
	pthread_attr_t attributes;
	int failure = pthread_attr_init(&attributes);
	if (failure)
		return failure;
	failure = set_stack(&attributes, stack_size);
	if (failure == 0 && !ret_thread)
		failure = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (failure == 0)
		failure = start(ret_thread ? ret_thread : &detached, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
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
