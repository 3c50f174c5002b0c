/* net/socket.h - sockets before they are streams: connecting, waiting, who is at the other end. Any thread. */
#ifndef BRINE_NET_SOCKET_H
#define BRINE_NET_SOCKET_H

#include "net/sockaddr.h"

#include <brine/error.h>

/* What to wait for, and what was found. */
enum brine_ready {
	BRINE_READABLE = 1, /* bytes, the end, or an error to collect by reading */
	BRINE_WRITABLE = 2, /* room, or an error to collect by writing */
};

/* Starts to connect: 0: connected; 1: under way, wait for BRINE_WRITABLE on *ret_fd, then
 * brine_socket_connect_finish(). The caller owns *ret_fd (non-blocking, close-on-exec). Errors, *ret_fd then untouched:
 * BRINE_ERR_CONNECT with error.system_errno (EAGAIN: the queue of a Unix socket is full; ELOOP: the two ends were one
 * socket, which happens where nobody listens on a port of the ephemeral range; both may be tried again), SYSTEM where
 * no socket could be made. */
int brine_socket_connect(int *ret_fd, const struct brine_sockaddr *to, struct brine_error *error);

/* Says how a connection under way ended: 0: connected; 1: not yet, wait on. Errors, the descriptor stays the caller's
 * to close: BRINE_ERR_CONNECT as above, SYSTEM. */
int brine_socket_connect_finish(int fd, const struct brine_sockaddr *to, struct brine_error *error);

/* Waits until the descriptor is ready for one of the operations or brine_clock_ms() reaches deadline_ms (BRINE_FOREVER:
 * no end; a past one: looks once). Signals do not shorten or lengthen it. > 0: the set that may be tried now,
 * BRINE_ERR_DEADLINE, or BRINE_ERR_SYSTEM (errno). */
int brine_socket_wait(int fd, unsigned ready, uint64_t deadline_ms);

/* The time left as poll() and epoll_wait() want it: -1 for BRINE_FOREVER, 0 when past. */
int brine_wait_ms(uint64_t deadline_ms);

/* Lets the kernel find a TCP peer that vanished: keepalive after idle_ms of silence, and a connection whose output is
 * not acknowledged ends after unacknowledged_ms. Does nothing for other sockets. 0 or BRINE_ERR_SYSTEM (errno). */
int brine_socket_keepalive(int fd, uint64_t idle_ms, uint64_t unacknowledged_ms);

/* Bytes written that the peer has not taken yet: not acknowledged (TCP), not read (Unix; with what the kernel needs to
 * keep them). 0 where the kernel does not say. */
size_t brine_socket_untaken(int fd);

/* Why a descriptor cannot be listened on, in words that say what to do; NULL: it is a stream socket, of the internet or
 * Unix, that listens. Static text. */
const char *brine_socket_why_not_listening(int fd);

struct brine_credentials {
	uint32_t uid, gid;
	int32_t pid;
};

/* Who connected, or who listens, on a Unix socket, as the kernel recorded it then. 0, BRINE_ERR_NOT_FOUND for other
 * sockets, BRINE_ERR_SYSTEM (errno). */
int brine_socket_credentials(int fd, struct brine_credentials *ret_credentials);

/* The address of our end. 0 or BRINE_ERR_SYSTEM (errno). */
int brine_socket_local(int fd, struct brine_sockaddr *ret_sockaddr);

/* Closes a descriptor once, whatever close() says; errno is kept. fd < 0 is allowed. */
void brine_socket_close(int fd);

#endif
