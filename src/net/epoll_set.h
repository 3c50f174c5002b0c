/* net/epoll_set.h - such a handful as one descriptor, for a loop that is not ours. A set belongs to one thread at a
 * time. */
#ifndef BRINE_NET_EPOLL_SET_H
#define BRINE_NET_EPOLL_SET_H

#include "net/poll_set.h"

/* The same as a descriptor that stays the same while what is waited for changes. */
struct brine_epoll_set {
	int fd; /* epoll; readable when one of them is ready */
	struct brine_poll_set now;
};

/* 0 or BRINE_ERR_SYSTEM (errno). Give it back with brine_epoll_set_done(). */
int brine_epoll_set_init(struct brine_epoll_set *epoll_set);
void brine_epoll_set_done(struct brine_epoll_set *epoll_set);

/* Waits for that from now on. 0 or BRINE_ERR_SYSTEM (errno): the descriptor that could not be watched is not. */
int brine_epoll_set_update(struct brine_epoll_set *epoll_set, const struct brine_poll_set *set);

/* Before a descriptor is closed: a forked child may hold it open, and it would go on waking. */
void brine_epoll_set_forget(struct brine_epoll_set *epoll_set, int fd);

#endif
