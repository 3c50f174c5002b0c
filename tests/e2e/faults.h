/* faults.h - system calls that fail, do less than asked, or find another time: for programs called test_fault_NAME.c,
 *in which the functions below go through faults.c (-Wl,--wrap), also those called by the library and by the test
 *itself.
 *
 * The usual test is a sweep: a scenario runs again and again, and in the n-th run the n-th call of one function fails,
 *for every errno that the function can give, until the scenario makes fewer than n calls:
 *
 *	fault_sweep(FAULT_send, scenario, &data);       // fails the test where nothing was injected
 *
 * The scenario checks what must hold whatever failed, asks fault_injected() whether it did, and fault_invisible()
 *whether it may have noticed. Anything else is made of fault_fail_at(), fault_calls(), fault_hook().
 *
 * Counters and plans are shared by all threads; fault_only_here() leaves out the threads that did not call it. */
#ifndef BRINE_TESTS_FAULTS_H
#define BRINE_TESTS_FAULTS_H

#include "support.h"

/* X(function): CMakeLists.txt reads this list too, one a line. */
#define FAULT_MAP(X)                                                                                                   \
	X(socket)                                                                                                      \
	X(bind)                                                                                                        \
	X(listen)                                                                                                      \
	X(connect)                                                                                                     \
	X(accept4)                                                                                                     \
	X(send)                                                                                                        \
	X(sendmsg)                                                                                                     \
	X(recv)                                                                                                        \
	X(shutdown)                                                                                                    \
	X(setsockopt)                                                                                                  \
	X(getsockopt)                                                                                                  \
	X(getsockname)                                                                                                 \
	X(getpeername)                                                                                                 \
	X(getaddrinfo)                                                                                                 \
	X(poll)                                                                                                        \
	X(epoll_create1)                                                                                               \
	X(epoll_ctl)                                                                                                   \
	X(epoll_wait)                                                                                                  \
	X(eventfd)                                                                                                     \
	X(read)                                                                                                        \
	X(write)                                                                                                       \
	X(writev)                                                                                                      \
	X(close)                                                                                                       \
	X(dup2)                                                                                                        \
	X(fcntl)                                                                                                       \
	X(open)                                                                                                        \
	X(flock)                                                                                                       \
	X(fstat)                                                                                                       \
	X(fstatat)                                                                                                     \
	X(fstatfs)                                                                                                     \
	X(fchmod)                                                                                                      \
	X(fchmodat)                                                                                                    \
	X(renameat2)                                                                                                   \
	X(unlinkat)                                                                                                    \
	X(getrandom)                                                                                                   \
	X(socketpair)                                                                                                  \
	X(posix_spawnp)                                                                                                \
	X(waitid)                                                                                                      \
	X(pthread_create)                                                                                              \
	X(clock_gettime)

enum fault_function {
#define X(name) FAULT_##name,
	FAULT_MAP(X)
#undef X
	        FAULT_COUNT
};

/* Nothing fails any more; all counters are zero; the clock is right again. */
void fault_reset(void);

/* The n-th call from now on (1 is the next) fails with that errno (getaddrinfo: that EAI code; pthread_create and
 * posix_spawnp return it), once; repeat: so do all after it. A failing close has closed; every other failing call has
 * done nothing. One plan at a time. */
void fault_fail_at(enum fault_function function, uint64_t n, int system_errno);
void fault_fail_from(enum fault_function function, uint64_t n, int system_errno);

/* From now on only calls of the threads that called this are counted and touched; until fault_reset(). */
void fault_only_here(void);

/* Calls of a function, and failures injected, since fault_reset(). */
uint64_t fault_calls(enum fault_function function);
uint64_t fault_injected(void);

/* Whether the planned errno is one that nobody may notice: EINTR, and EAGAIN where it says "not now". */
bool fault_invisible(void);

/* "send: Broken pipe, call 3": the plan, for messages. Static. */
const char *fault_text(void);

/* Runs the scenario for every errno and every n as described above. Returns the number of failures injected, never 0:
 * the test fails then. */
uint64_t fault_sweep(enum fault_function function, void (*scenario)(void *user), void *user);

/* Reads and writes move a random part of what was asked, or nothing (EAGAIN, EINTR), now and then. The same for the
 * same seed in one thread. fault_shortened(): how often, since fault_reset(). */
void fault_short_io(uint64_t seed);
uint64_t fault_shortened(void);

/* Calls hook before each call of the function; NULL: none. */
void fault_hook(enum fault_function function, void (*hook)(void *user), void *user);

/* The monotonic clock is so much further than it is (more with every call). */
void fault_clock_jump(uint64_t ms);

/* A wait (poll, epoll_wait) that finds nothing ready ends after 20 ms at most, with the clock moved as if it had
 * lasted: for tests in one thread whose outcome does not change where a slow machine skips too early.
 * fault_clock_skipped(): the sum of what was skipped, in milliseconds. */
void fault_clock_auto(bool on);
uint64_t fault_clock_skipped(void);

/* How often another clock than the monotonic one was asked. */
uint64_t fault_clock_others(void);

#endif
