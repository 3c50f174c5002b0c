/* stacks.h - stacks that are small, or painted, for every thread that a test program and the library in it start
 * (-Wl,--wrap=pthread_create; all e2e programs have it).
 *
 * BRINE_TEST_STACK=65536 in the environment: so many bytes for each, whatever the library asks for. */
#ifndef BRINE_TESTS_STACKS_H
#define BRINE_TESTS_STACKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* What faults.c calls in place of pthread_create(). */
int stacks_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

/* From now on threads get stacks of the test's own, filled with a pattern, of the size that was asked for. They are
 * kept until stacks_forget(). */
void stacks_paint(bool on);

/* The bytes that a painted stack lost its pattern in, counted from its beginning, for the thread that used most; its
 * thread-local variables are among them. Only threads that have ended count. Also how many there were. */
size_t stacks_most_used(size_t *ret_count);

/* Releases them; none may be in use. */
void stacks_forget(void);

/* The size that the library asked for last; 0: it named none. */
size_t stacks_last_size(void);

#endif
