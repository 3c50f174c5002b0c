/* net/poll_set.h - waiting for a handful of descriptors that changes all the time, by poll(). A set belongs to one
 * thread at a time. */
#ifndef BRINE_NET_POLL_SET_H
#define BRINE_NET_POLL_SET_H

#include "net/socket.h"

enum {
	BRINE_POLL_SET_MAX = 32,
};

/* What to wait for, in the caller's storage; all zero: nothing. */
struct brine_poll_set {
	size_t count;
	struct {
		int fd;
		unsigned ready; /* a set of enum brine_ready */
		unsigned found; /* what brine_poll_set_wait() found of it, or an error */
	} items[BRINE_POLL_SET_MAX];
};

/* fd is not in it yet; at most BRINE_POLL_SET_MAX of them. */
void brine_poll_set_add(struct brine_poll_set *set, int fd, unsigned ready);

/* A set of enum brine_ready as poll() has it. */
int brine_poll_events(unsigned ready);

/* Waits until one is ready or brine_clock_ms() reaches deadline_ms, and fills `found`. A signal ends it early. The
 * number of those found, or BRINE_ERR_SYSTEM (errno). */
int brine_poll_set_wait(struct brine_poll_set *set, uint64_t deadline_ms);

/* What was found of fd; 0 also where it was not waited for. */
unsigned brine_poll_set_found(const struct brine_poll_set *set, int fd);

#endif
