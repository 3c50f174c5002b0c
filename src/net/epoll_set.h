/* net/epoll_set.h - a poll set as one descriptor, for a loop that is not ours. One thread at a time. */
#ifndef BRINE_NET_EPOLL_SET_H
#define BRINE_NET_EPOLL_SET_H

#include "net/poll_set.h"

/* The descriptor stays the same while the set changes. */
struct brine_epoll_set {
	int fd;                    /* of epoll; readable when a descriptor of the set is ready; -1 without one */
	struct brine_poll_set now; /* what is waited for */
};

/* Makes an empty set. End it with brine_epoll_set_done(). Errors:
 *   BRINE_ERR_SYSTEM   errno says why */
int brine_epoll_set_init(struct brine_epoll_set *epoll_set);

/* Closes the descriptor of epoll, and none of those in the set. */
void brine_epoll_set_done(struct brine_epoll_set *epoll_set);

/* Makes the set equal to `set`. A descriptor that cannot be watched is left out, which is an error. Errors:
 *   BRINE_ERR_SYSTEM   errno says why */
int brine_epoll_set_update(struct brine_epoll_set *epoll_set, const struct brine_poll_set *set);

/* Takes a descriptor out of the set. Call this before the descriptor is closed. Else it would go on waking us if a
 * forked process holds it open. */
void brine_epoll_set_forget(struct brine_epoll_set *epoll_set, int fd);

#endif
