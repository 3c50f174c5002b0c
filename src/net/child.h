/* net/child.h - a program that we start, as a stream to its stdin and from its stdout.
 * stdin and stdout are each one end of a socket pair of their own. Sockets take MSG_NOSIGNAL, so that a program that
 * died raises no SIGPIPE here. Two pairs are needed because programs on Python's asyncio take a readable stdout for its
 * end.
 *
 * The program begins with no signal blocked, with SIGPIPE and SIGCHLD at their defaults, and with the descriptors 0 to
 * 2. It also inherits descriptors that other code left without close-on-exec. Closing the stream ends its stdin, which
 * asks the program to end. brine_child_end() makes sure that it does. Only this file waits for the program. If other
 * code of the process collects every child (SIGCHLD ignored, waitpid(-1)), how the program ended is not known, and no
 * signal is sent to a process that may be another one by then. One thread at a time. */
#ifndef BRINE_NET_CHILD_H
#define BRINE_NET_CHILD_H

#include "net/stream.h"

struct brine_child; /* opaque */

struct brine_child_options {
	const char *const *argv;        /* ends with NULL; argv[0] without a slash is searched in PATH */
	const char *const *environment; /* "NAME=value", ends with NULL; NULL means that of this process */
	bool quiet;                     /* stderr goes to /dev/null instead of our stderr */

	/* How long brine_stream_ending() waits for the end of a program whose output has ended. */
	uint64_t notice_ms;
};

enum {
	BRINE_CHILD_ENDING_SIZE = 96, /* enough for every brine_child_ending() */
};

/* Starts the program and waits until the kernel has executed it. *ret_child belongs to the caller until
 * brine_child_free(). *ret_fd is our end of its stdout and belongs to the caller, who makes a stream of it for
 * brine_child_stream() or closes it. Nothing of the options is kept. allocator NULL means the default; it must outlive
 * the child. On error *ret_child and *ret_fd are untouched. Errors:
 *   BRINE_ERR_CONNECT   error->system_errno says why the program cannot be executed (ENOENT, EACCES, ENOEXEC ...)
 *   BRINE_ERR_SYSTEM    error->system_errno is EAGAIN, ENOMEM, EMFILE or ENFILE, or that of another system call
 *   BRINE_ERR_NOMEM */
int brine_child_start(struct brine_child **ret_child, int *ret_fd, const struct brine_child_options *options,
                      const struct brine_allocator *allocator, struct brine_error *error);

/* Returns the stream to the program. Call this once. output is the stream of *ret_fd and belongs to the new stream,
 * which lives as long as the child. Closing the stream closes stdin and stdout of the program, and never frees the
 * child. brine_stream_ending() tells how the program ended. */
struct brine_stream *brine_child_stream(struct brine_child *child, struct brine_stream *output);

/* Tells whether the stream is open. */
bool brine_child_has_stream(const struct brine_child *child);

/* Writes how the program ended, cut to capacity bytes. Does not wait. Returns out. The texts are:
 *   the program ended with status 3
 *   the program ended by signal 9 (SIGKILL)
 *   the program ended                           other code collected it
 *   the program closed its output
 *   the program runs */
const char *brine_child_ending(struct brine_child *child, char *out, size_t capacity);

/* Ends the program step by step. The first call closes the stream if it is open. SIGTERM is sent patience_ms after the
 * stream was closed, and SIGKILL patience_ms later. Each call sends the signals that are due. Does not wait. Returns
 * true once the program has ended and was collected. */
bool brine_child_press(struct brine_child *child, uint64_t patience_ms);

/* Does the same and waits until the program has ended. After SIGKILL it waits for patience_ms, but at least a second,
 * and returns false if the kernel has not ended the program by then. */
bool brine_child_end(struct brine_child *child, uint64_t patience_ms);

/* Leaves the program alone from now on. A forked process calls this, because the program is not its child. */
void brine_child_abandon(struct brine_child *child);

/* Releases the memory and the descriptors. The program is not ended; call brine_child_end() first. NULL is allowed. */
void brine_child_free(struct brine_child *child);

#endif
