/* net/dial.h - connects to one of several addresses without blocking. The caller waits. One thread at a time. */
#ifndef BRINE_NET_DIAL_H
#define BRINE_NET_DIAL_H

#include "net/addr.h"

enum brine_attempt_state {
	BRINE_ATTEMPT_WAITING = 0, /* it starts at start_ms */
	BRINE_ATTEMPT_UNDER_WAY,   /* fd is connecting */
	BRINE_ATTEMPT_FAILED,
};

struct brine_attempt {
	enum brine_attempt_state state;
	int fd;
	unsigned selves; /* how often it connected to itself */
	uint64_t start_ms;
};

/* In the caller's storage. The fields are private. All zero means that nothing is under way. */
struct brine_dial {
	struct brine_sockaddr list[BRINE_ADDR_RESOLVED_MAX];
	size_t count;
	struct brine_attempt attempts[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error last; /* why the last address to fail did so */
};

/* Begins to connect to the first of count addresses that answers. The addresses are copied. The next address is tried
 * when one fails, or after 250 ms while the earlier ones go on. An address is tried again if the queue of its Unix
 * socket was full, or if the connection came back to itself, at most three times in the latter case. End it with
 * brine_dial_done(). Errors:
 *   BRINE_ERR_INVALID   count is not 1 to BRINE_ADDR_RESOLVED_MAX */
int brine_dial_begin(struct brine_dial *dial, const struct brine_sockaddr *list, size_t count, uint64_t now_ms,
                     struct brine_error *error);

/* Goes on. Returns 1 if connected. *ret_fd then belongs to the caller, and *ret_index (NULL allowed) is the index of
 * the address. Returns 0 if not. Then call again when one of brine_dial_fds() is writable, or at brine_dial_due(). On
 * error all addresses have failed, and *error is the reason of the last one. Errors:
 *   BRINE_ERR_CONNECT
 *   BRINE_ERR_SYSTEM */
int brine_dial_step(struct brine_dial *dial, uint64_t now_ms, int *ret_fd, size_t *ret_index,
                    struct brine_error *error);

/* Stores the descriptors that are connecting in fds and returns their number. They stay the dial's. */
size_t brine_dial_fds(const struct brine_dial *dial, int fds[BRINE_ADDR_RESOLVED_MAX]);

/* Returns when the next address is to be tried, or BRINE_FOREVER. */
uint64_t brine_dial_due(const struct brine_dial *dial);

/* Closes the descriptors that are connecting. The struct can be used again. */
void brine_dial_done(struct brine_dial *dial);

#endif
