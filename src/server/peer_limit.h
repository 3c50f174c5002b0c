/* server/peer_limit.h - how many connections each peer has, so that none takes them all. Any thread, but a forked
 * child's. */
#ifndef BRINE_SERVER_PEER_LIMIT_H
#define BRINE_SERVER_PEER_LIMIT_H

#include "base/idmap.h"
#include "net/addr.h"

#include <pthread.h>

struct brine_peer_limit {
	uint32_t each_max; /* 0: nothing is counted */
	pthread_mutex_t lock;
	struct brine_idmap counts; /* guarded by the lock: who, and as a pointer how many connections */
};

/* seed: of the table, whose keys peers may choose. allocator NULL: the default; it must outlive the limit. */
void brine_peer_limit_init(struct brine_peer_limit *peer_limit, uint32_t each_max,
                           const struct brine_allocator *allocator, uint64_t seed);

/* Releases the table. All zero is allowed. */
void brine_peer_limit_done(struct brine_peer_limit *peer_limit);

/* Counts one connection more of the peer of an accepted socket: its address without the listener, of IPv6 the first 64
 * bits, which one host may have for itself; on Unix sockets the user. *ret_key is for brine_peer_limit_release(). 0;
 * BRINE_ERR_LIMIT: it has the most allowed; BRINE_ERR_NOMEM. */
int brine_peer_limit_acquire(struct brine_peer_limit *peer_limit, int fd, const struct brine_sockaddr *from,
                             uint64_t *ret_key);

/* Counts one connection less. Never fails. */
void brine_peer_limit_release(struct brine_peer_limit *peer_limit, uint64_t key);

#endif
