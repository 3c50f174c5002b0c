/* net/epoll_set.h - such a handful as one descriptor, for a loop that is not ours. A set belongs to one thread at a
 * time. */
#ifndef BRINE_NET_EPOLL_SET_H
#define BRINE_NET_EPOLL_SET_H

#include "net/poll_set.h"

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

#endif
