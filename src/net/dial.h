/* net/dial.h - connecting to one of several addresses without blocking: who wants to wait does so outside. */
#ifndef BRINE_NET_DIAL_H
#define BRINE_NET_DIAL_H

#include "net/addr.h"

enum brine_attempt_state {
	BRINE_ATTEMPT_WAITING = 0, /* to be tried at start_ms */
	BRINE_ATTEMPT_UNDER_WAY,   /* fd is connecting */
	BRINE_ATTEMPT_FAILED,
};

struct brine_attempt {
	enum brine_attempt_state state;
	int fd;
	unsigned selves;
	uint64_t start_ms;
};

/* In the caller's storage; private. All zero: nothing is under way. */
struct brine_dial {
	struct brine_sockaddr list[BRINE_ADDR_RESOLVED_MAX];
	size_t count;
	struct brine_attempt attempts[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error last; /* why an address failed, the last to do so */
};

/* Begins to connect to the first of count addresses (1 .. BRINE_ADDR_RESOLVED_MAX, copied) that answers. The next one
 * is tried when one fails or after 250 ms, while the earlier ones go on. One that failed because its queue was full or
 * because it reached itself is tried again. Give it back with brine_dial_done(). BRINE_ERR_INVALID for a wrong count.
 */
int brine_dial_begin(struct brine_dial *dial, const struct brine_sockaddr *list, size_t count, uint64_t now_ms,
                     struct brine_error *error);

/* Goes on: 1: connected, *ret_fd is the caller's and *ret_index (NULL allowed) says to which; 0: wait for one of
 * brine_dial_fds() to be writable or until brine_dial_due(), then again. BRINE_ERR_CONNECT (the last address's reason),
 * SYSTEM: all have failed. */
int brine_dial_step(struct brine_dial *dial, uint64_t now_ms, int *ret_fd, size_t *ret_index,
                    struct brine_error *error);

/* The descriptors under way; their number is returned. */
size_t brine_dial_fds(const struct brine_dial *dial, int fds[BRINE_ADDR_RESOLVED_MAX]);

/* When the next address is to be started; BRINE_FOREVER: none. */
uint64_t brine_dial_due(const struct brine_dial *dial);

/* Closes what is under way. */
void brine_dial_done(struct brine_dial *dial);

#endif
