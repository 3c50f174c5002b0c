#include "server/peer_limit.h"

#include "net/socket.h"

#include <brine/error.h>

/* Marks in the upper half of keys that are shorter than an IPv6 prefix. No host has a prefix that begins like them:
 * addresses that begin with 0000:0001 to 0000:0003 are reserved. */
#define KEY_INET    (UINT64_C(1) << 32)
#define KEY_USER    (UINT64_C(2) << 32)
#define KEY_UNKNOWN (UINT64_C(3) << 32)

void brine_peer_limit_init(struct brine_peer_limit *peer_limit, uint32_t each_max,
                           const struct brine_allocator *allocator, uint64_t seed)
{
	*peer_limit = (struct brine_peer_limit){.each_max = each_max, .lock = PTHREAD_MUTEX_INITIALIZER};
	brine_idmap_init(&peer_limit->counts, allocator, seed);
}

void brine_peer_limit_done(struct brine_peer_limit *peer_limit)
{
	brine_idmap_done(&peer_limit->counts);
}

static uint64_t key_of(int fd, const struct brine_sockaddr *from)
{
	struct brine_credentials credentials;
	uint64_t key = 0;
	switch (from->u.any.sa_family) {
	case AF_INET: return KEY_INET | ntohl(from->u.in.sin_addr.s_addr);
	case AF_INET6:
		for (int i = 0; i < 8; i++)
			key = key << 8 | from->u.in6.sin6_addr.s6_addr[i];
		return key;
	default: return brine_socket_credentials(fd, &credentials) == 0 ? KEY_USER | credentials.uid : KEY_UNKNOWN;
	}
}

/* Moves the count of a key from one number to another; 0 stands for "not there". */
static int change(struct brine_peer_limit *peer_limit, uint64_t key, uintptr_t from, uintptr_t to)
{
	if (from)
		(void)brine_idmap_remove(&peer_limit->counts, key);
	/* After a removal there is room, so that only a first connection may find no memory. */
	return to ? brine_idmap_put(&peer_limit->counts, key, (void *)to) : 0;
}

int brine_peer_limit_acquire(struct brine_peer_limit *peer_limit, int fd, const struct brine_sockaddr *from,
                             uint64_t *ret_key)
{
	*ret_key = 0;
	if (peer_limit->each_max == 0)
		return 0;
	uint64_t key = *ret_key = key_of(fd, from);
	pthread_mutex_lock(&peer_limit->lock);
	uintptr_t count = (uintptr_t)brine_idmap_find(&peer_limit->counts, key);
	int status = count < peer_limit->each_max ? change(peer_limit, key, count, count + 1) : BRINE_ERR_LIMIT;
	pthread_mutex_unlock(&peer_limit->lock);
	return status;
}

void brine_peer_limit_release(struct brine_peer_limit *peer_limit, uint64_t key)
{
	if (peer_limit->each_max == 0)
		return;
	pthread_mutex_lock(&peer_limit->lock);
	uintptr_t count = (uintptr_t)brine_idmap_find(&peer_limit->counts, key);
	if (count)
		(void)change(peer_limit, key, count, count - 1);
	pthread_mutex_unlock(&peer_limit->lock);
}
