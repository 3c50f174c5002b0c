/* net/poll_set.h - waits for a few descriptors with poll(). The set is made for each wait. One thread at a time. */
#ifndef BRINE_NET_POLL_SET_H
#define BRINE_NET_POLL_SET_H

#include "net/socket.h"

enum {
	BRINE_POLL_SET_MAX = 32,
};

/* What to wait for, in the caller's storage. All zero is an empty set. */
struct brine_poll_set {
	size_t count;
	struct {
		int fd;
		unsigned ready; /* a set of enum brine_ready */
		unsigned found; /* what brine_poll_set_wait() found of it; after an error of fd all of ready */
	} items[BRINE_POLL_SET_MAX];
};

/* Adds a descriptor, which must not be in the set yet. A set has room for BRINE_POLL_SET_MAX. ready is a set of enum
 * brine_ready. */
void brine_poll_set_add(struct brine_poll_set *set, int fd, unsigned ready);

/* Returns the events of poll() for a set of enum brine_ready. */
int brine_poll_events(unsigned ready);

/* Waits until a descriptor is ready or brine_clock_ms() reaches deadline_ms, and stores what was found. BRINE_FOREVER
 * waits without end. Returns the number of ready descriptors, 0 at the deadline and after a signal. Errors:
 *   BRINE_ERR_SYSTEM   errno says why */
int brine_poll_set_wait(struct brine_poll_set *set, uint64_t deadline_ms);

/* Returns what was found of fd, a set of enum brine_ready. Returns 0 if fd is not in the set. */
unsigned brine_poll_set_found(const struct brine_poll_set *set, int fd);

#endif
