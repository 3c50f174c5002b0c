/* net/sigpipe.h - writing to what is no socket, and so knows no MSG_NOSIGNAL, without SIGPIPE. Any thread. */
#ifndef BRINE_NET_SIGPIPE_H
#define BRINE_NET_SIGPIPE_H

#include <sys/types.h>
#include <sys/uio.h>

/* writev() that goes on after EINTR and raises no SIGPIPE. The signal is blocked in the calling thread meanwhile, and
 * taken where this write raised it. The thread's mask and a SIGPIPE that was pending before are as they were, and no
 * handler is touched. Returns what writev() does (-1: errno). */
ssize_t brine_sigpipe_writev(int fd, const struct iovec *parts, int count);

#endif
