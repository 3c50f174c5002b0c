/* net/addr.h - addresses: their text, parsed without resolving anything, and the socket addresses behind it.
 *
 *   tcp://host:port              host is a name or an IPv4 address
 *   tcp://[::1]:port             IPv6; a link-local address has a scope: [fe80::1%eth0], [fe80::1%2]
 *   unix:///path                 an absolute path of at most 107 bytes, taken as it is
 *   unix://@name                 abstract: a name of at most 107 bytes without a file
 *   fd://3                       a descriptor that listens already: for listening only
 *   msgpack-rpc://...            as tcp, for a peer that speaks plain MessagePack-RPC
 *   msgpack-rpc+unix://...       as unix, likewise
 *
 * All in the caller's storage, nothing to release. Any thread. */
#ifndef BRINE_NET_ADDR_H
#define BRINE_NET_ADDR_H

#include "net/sockaddr.h"

#include <brine/error.h>

enum {
	BRINE_HOST_SIZE_MAX = 253,    /* bytes of a host name (RFC 1035) */
	BRINE_ADDR_RESOLVED_MAX = 16, /* addresses of one name that are looked at */
};

enum brine_addr_kind {
	BRINE_ADDR_TCP = 0,
	BRINE_ADDR_UNIX = 1,
	BRINE_ADDR_FD = 2,
};

enum brine_addr_use {
	BRINE_ADDR_CONNECT = 0, /* port 0 is refused */
	BRINE_ADDR_LISTEN = 1,  /* port 0: any free one; a plain scheme is refused, listeners find out */
};

struct brine_addr {
	int kind;                           /* enum brine_addr_kind */
	bool plain;                         /* the peer speaks plain MessagePack-RPC */
	uint16_t port;                      /* TCP */
	int fd;                             /* FD */
	char host[BRINE_HOST_SIZE_MAX + 1]; /* TCP: a name to resolve; "" where sockaddr has it all */
	struct brine_sockaddr sockaddr; /* numeric and Unix addresses; size 0 where host must be resolved, and of FD */
};

/* Parses the text of an address; *ret_addr is untouched on error. use: enum brine_addr_use. NUL is refused like any
 * other byte that does not belong there. A descriptor has to be a socket that listens. Errors: BRINE_ERR_ADDRESS;
 * error.offset is the byte of the fault and the text says what was expected there. */
int brine_addr_parse(struct brine_addr *ret_addr, struct brine_str text, int use, struct brine_error *error);

/* The socket addresses of addr, which is no FD, into list (room for capacity; BRINE_ADDR_RESOLVED_MAX is enough), their
 * number into *ret_count. Numeric and Unix addresses are copied at once; a name is looked up, which BLOCKS for as long
 * as the resolver likes (seconds): call it from a thread that may wait. use: enum brine_addr_use. Errors:
 * BRINE_ERR_RESOLVE (the text has the resolver's reason), NOMEM, SYSTEM. */
int brine_addr_resolve(const struct brine_addr *addr, int use, struct brine_sockaddr *list, size_t capacity,
                       size_t *ret_count, struct brine_error *error);

#endif
