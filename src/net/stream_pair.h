/* net/stream_pair.h - one connected peer over descriptors that somebody else made: two ends of pipes, stdin and stdout,
 * a socket or two, a terminal. One socket under two numbers, as inetd gives it, is one socket.
 *
 * The descriptors may be shared. O_NONBLOCK belongs to the open file description, and so to everybody who has it: the
 * shell that lent its terminal, the parent that keeps its copy of a pipe, stderr where it goes where stdout does. So as
 * little as possible is changed:
 *
 *   a socket          nothing: each call says that it does not wait
 *   a pipe            is opened once more through /proc, which makes a description of our own, and the one that was
 *                     given is closed; where that is not possible, as below
 *   a FIFO, terminal  O_NONBLOCK is set, and cleared again at the end where it was clear at the beginning: not by a
 *   or other device   process that was forked since, but not either when this one is killed
 *
 * 0, 1 and 2 are copied to other numbers; /dev/null takes their place at once. So nothing that the program prints can
 * get between the bytes of the stream. */
#ifndef BRINE_NET_STREAM_PAIR_H
#define BRINE_NET_STREAM_PAIR_H

#include "net/stream.h"

/* Makes the stream that reads from in_fd and writes to out_fd, which may be the same, and owns both from then on. On
 * error they are still the caller's, as they were but for close-on-exec. allocator NULL: the default; must outlive the
 * stream. The stream is shut down by closing its end to write to, unless that is a socket. A terminal or another device
 * that is both ends cannot be shut down: its peer learns of the end when the stream is closed. Errors:
 * BRINE_ERR_INVALID (nothing that can be waited for, as a file or /dev/null; the wrong end of a pipe; no stream socket,
 * or one that listens), the text says what it is and what to use instead; SYSTEM, NOMEM. */
int brine_stream_new_pair(struct brine_stream **ret_stream, int in_fd, int out_fd,
                          const struct brine_allocator *allocator, struct brine_error *error);

#endif
