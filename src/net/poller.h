/* net/poller.h - waiting for a handful of descriptors that changes all the time: by poll(), or, for a loop that is not
 * ours, as one epoll descriptor. Besides what wakes a thread that waits so. */
#ifndef BRINE_NET_POLLER_H
#define BRINE_NET_POLLER_H

#include "net/socket.h"

enum {
	BRINE_WAITS_MAX = 32,
};

/* What to wait for, in the caller's storage; all zero: nothing. */
struct brine_waits {
	size_t count;
	struct {
		int fd;
		unsigned ready; /* a set of enum brine_ready */
		unsigned found; /* what brine_waits_poll() found of it, or an error */
	} items[BRINE_WAITS_MAX];
};

/* fd is not in it yet; at most BRINE_WAITS_MAX of them. */
void brine_waits_add(struct brine_waits *waits, int fd, unsigned ready);

/* A set of enum brine_ready as poll() has it. */
int brine_poll_events(unsigned ready);

/* Waits until one is ready or brine_clock_ms() reaches deadline_ms, and fills `found`. A signal ends it early. The
 * number of those found, or BRINE_ERR_SYSTEM (errno). */
int brine_waits_poll(struct brine_waits *waits, uint64_t deadline_ms);

/* What was found of fd; 0 also where it was not waited for. */
unsigned brine_waits_found(const struct brine_waits *waits, int fd);

/* The same as a descriptor that stays the same while what is waited for changes. */
struct brine_watcher {
	int fd; /* epoll; readable when one of them is ready */
	struct brine_waits now;
};

/* 0 or BRINE_ERR_SYSTEM (errno). Give it back with brine_watcher_done(). */
int brine_watcher_init(struct brine_watcher *watcher);
void brine_watcher_done(struct brine_watcher *watcher);

/* Waits for that from now on. 0 or BRINE_ERR_SYSTEM (errno): the descriptor that could not be watched is not. */
int brine_watcher_set(struct brine_watcher *watcher, const struct brine_waits *waits);

/* Before a descriptor is closed: a forked child may hold it open, and it would go on waking. */
void brine_watcher_forget(struct brine_watcher *watcher, int fd);

/* An eventfd that is readable from the ring until it is silenced. -1: none. */
int brine_bell_new(void);
void brine_bell_ring(int fd);
void brine_bell_silence(int fd);

#endif
