/* net/sockaddr.h - socket addresses of the kernel. In the caller's storage, nothing to release. Any thread. */
#ifndef BRINE_NET_SOCKADDR_H
#define BRINE_NET_SOCKADDR_H

#include <brine/bytes.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
	BRINE_ADDR_TEXT_SIZE = 512, /* enough for every brine_sockaddr_format(), NUL included */
};

/* A socket address with its size. size 0: none. */
struct brine_sockaddr {
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
};

/* Writes the text of a socket address, always terminated, escaped, cut to capacity: "tcp://127.0.0.1:40312",
 * "unix:///run/x.sock", "unix://@name", "unix://" for a socket without a name. Returns out. */
char *brine_sockaddr_format(char *out, size_t capacity, const struct brine_sockaddr *sockaddr);

/* Whether two socket addresses are the same place. */
bool brine_sockaddr_equal(const struct brine_sockaddr *a, const struct brine_sockaddr *b);

/* The port of an internet address; others have none (0). */
uint16_t brine_sockaddr_port(const struct brine_sockaddr *sockaddr);
void brine_sockaddr_set_port(struct brine_sockaddr *sockaddr, uint16_t port);

/* Turns an IPv4 address that an IPv6 socket shows as ::ffff:127.0.0.1 into the IPv4 address; leaves others alone. */
void brine_sockaddr_unmap(struct brine_sockaddr *sockaddr);

/* Whether it is a Unix socket with a file. */
bool brine_sockaddr_is_path(const struct brine_sockaddr *sockaddr);

#endif
