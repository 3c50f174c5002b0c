#include "net/sigpipe.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

static bool sigpipe_is_pending(void)
{
	sigset_t pending;
	return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

/* Takes the SIGPIPE of this write, which is pending for this thread: the kernel hands those out before the ones of the
 * process. One that was pending for the thread before is the same one, as signals of a kind do not queue: it is put
 * back. */
static void take_sigpipe(const sigset_t *sigpipe, bool was_pending)
{
	static const struct timespec at_once;
	while (sigtimedwait(sigpipe, NULL, &at_once) < 0 && errno == EINTR)
		;
	if (was_pending && !sigpipe_is_pending())
		(void)raise(SIGPIPE);
}

ssize_t brine_sigpipe_writev(int fd, const struct iovec *parts, int count)
{
	sigset_t sigpipe, before;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
	/* A program that does not block the signal has none pending. */
	bool was_blocked = sigismember(&before, SIGPIPE) == 1;
	bool was_pending = was_blocked && sigpipe_is_pending();
	ssize_t put;
	do
		put = writev(fd, parts, count);
	while (put < 0 && errno == EINTR);
	int reason = errno;
	if (put < 0 && reason == EPIPE)
		take_sigpipe(&sigpipe, was_pending);
	if (!was_blocked)
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = reason;
	return put;
}
