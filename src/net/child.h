/* net/child.h - a program that was started, as a stream to its stdin and from its stdout. Each of these is one end of a
 * socket pair of its own: being sockets, they take MSG_NOSIGNAL, so that a program that died raises no SIGPIPE here;
 * and being two, a stdout never has something to read, which programs on Python's asyncio take for its end.
 *
 * The program begins with no signal blocked, SIGPIPE and SIGCHLD at their defaults, and no descriptor of this process
 * but 0, 1 and 2 (and those that somebody left without close-on-exec). It is asked to end by the end of its stdin,
 * which closing the stream is; brine_child_end() makes sure. Nobody but this file waits for it: where something else in
 * the process collects every child (SIGCHLD ignored, waitpid(-1)), how it ended is not known, and nothing is ever
 * signalled that may be somebody else by then. One thread at a time. */
#ifndef BRINE_NET_CHILD_H
#define BRINE_NET_CHILD_H

#include "net/stream.h"

struct brine_child; /* opaque */

struct brine_child_options {
	const char *const *argv;        /* ends with NULL; argv[0] without a slash is looked up in PATH */
	const char *const *environment; /* "NAME=value", ends with NULL; NULL: that of this process */
	bool quiet;                     /* stderr goes to /dev/null, not where ours goes */
	uint64_t notice_ms; /* when its output has ended: how long brine_stream_ending() waits at most to learn how the
	                       program did */
};

enum {
	BRINE_CHILD_ENDING_SIZE = 96, /* enough for every brine_child_ending() */
};

/* Starts the program, which takes as long as the kernel needs to execute it, and stores it in *ret_child, the caller's
 * until brine_child_free(). *ret_fd, our end of its stdout, is the caller's: make a stream of it for
 * brine_child_stream(), or close it. Nothing in the options is kept. Errors, both untouched: BRINE_ERR_CONNECT with
 * error.system_errno (ENOENT: there is no such program; EACCES, ENOEXEC ...), SYSTEM, NOMEM. */
int brine_child_start(struct brine_child **ret_child, int *ret_fd, const struct brine_child_options *options,
                      const struct brine_allocator *allocator, struct brine_error *error);

/* The stream to the program; it owns output, the stream of *ret_fd, and lives as long as the child. Closing it
 * closes both ends, never the child. brine_stream_ending() tells how the program ended. */
struct brine_stream *brine_child_stream(struct brine_child *child, struct brine_stream *output);

/* Whether its stream is not closed yet. */
bool brine_child_has_stream(const struct brine_child *child);

/* "the program ended with status 3", "the program ended by signal 9 (SIGKILL)", "the program ended", "the program
 * closed its output", "the program runs"; cut to capacity. Returns out. */
const char *brine_child_ending(struct brine_child *child, char *out, size_t capacity);

/* Takes the steps that are due towards the end of a program whose stream is closed: patience_ms after that SIGTERM,
 * after as long again SIGKILL. True when it has ended and was collected. Does not wait. */
bool brine_child_press(struct brine_child *child, uint64_t patience_ms);

/* The same, and waits until it has ended; no longer than patience_ms after SIGKILL, but a second at least, for a
 * program that the kernel cannot end. */
bool brine_child_end(struct brine_child *child, uint64_t patience_ms);

/* From now on nothing is done to the program: in a forked process it is somebody else's child. */
void brine_child_abandon(struct brine_child *child);

/* Releases the memory and the descriptors, not the program: see to its end first. NULL is allowed. */
void brine_child_free(struct brine_child *child);

#endif
