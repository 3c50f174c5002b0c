/* net/socket.h - sockets as descriptors: connecting, waiting, and who is at the other end. Any thread. */
#ifndef BRINE_NET_SOCKET_H
#define BRINE_NET_SOCKET_H

#include "net/sockaddr.h"

#include <brine/error.h>

/* What to wait for and what was found. */
enum brine_ready {
	BRINE_READABLE = 1, /* a read finds bytes, the end, or an error */
	BRINE_WRITABLE = 2, /* a write finds room or an error */
};

/* Starts to connect. Returns 0 if connected. Returns 1 if connecting goes on. Then wait for BRINE_WRITABLE and call
 * brine_socket_connect_finish(). *ret_fd belongs to the caller and is non-blocking and close-on-exec. On error *ret_fd
 * is untouched. Errors:
 *   BRINE_ERR_CONNECT   error->system_errno says why
 *   BRINE_ERR_SYSTEM    no socket could be made
 * Two reasons may be tried again. EAGAIN means that the queue of a Unix socket is full. ELOOP means that the connection
 * came back to itself, which happens if nobody listens on a port of the ephemeral range. */
int brine_socket_connect(int *ret_fd, const struct brine_sockaddr *to, struct brine_error *error);

/* Says how connecting ended. Returns 0 if connected and 1 if it still goes on. On error the descriptor stays the
 * caller's, who closes it. Errors:
 *   BRINE_ERR_CONNECT   error->system_errno says why, as above
 *   BRINE_ERR_SYSTEM */
int brine_socket_connect_finish(int fd, const struct brine_sockaddr *to, struct brine_error *error);

/* Waits until the descriptor is ready for one of a set of enum brine_ready, or brine_clock_ms() reaches deadline_ms.
 * BRINE_FOREVER waits without end, and a deadline in the past looks once. Signals do not change how long it waits.
 * Returns the set of what is ready; after an error of the descriptor it is the set that was asked for. Errors:
 *   BRINE_ERR_DEADLINE
 *   BRINE_ERR_SYSTEM     errno says why */
int brine_socket_wait(int fd, unsigned ready, uint64_t deadline_ms);

/* Returns the time left as poll() and epoll_wait() take it, -1 for BRINE_FOREVER and 0 for a deadline in the past. */
int brine_wait_ms(uint64_t deadline_ms);

/* Lets the kernel find a TCP peer that vanished. It probes after idle_ms of silence, and ends a connection whose output
 * is not acknowledged for unacknowledged_ms. Does nothing to other sockets. Errors:
 *   BRINE_ERR_SYSTEM   errno says why */
int brine_socket_keepalive(int fd, uint64_t idle_ms, uint64_t unacknowledged_ms);

/* Returns the bytes written that the peer has not taken yet. Over TCP they are not acknowledged. Over a Unix socket
 * they are not read, and what the kernel needs to keep them counts as well. Returns 0 if the kernel does not say. */
size_t brine_socket_untaken(int fd);

/* Why a descriptor cannot be listened on, in words that say what to do; NULL: it is a stream socket, of the internet or
 * Unix, that listens. Static text. */
const char *brine_socket_why_not_listening(int fd);

struct brine_credentials {
	uint32_t uid, gid;
	int32_t pid;
};

/* Tells who is at the other end of a Unix socket, as the kernel recorded it when that end connected or listened.
 * Errors:
 *   BRINE_ERR_NOT_FOUND   the socket is of another kind
 *   BRINE_ERR_SYSTEM      errno says why */
int brine_socket_credentials(int fd, struct brine_credentials *ret_credentials);

/* Tells the address of our end. Errors:
 *   BRINE_ERR_SYSTEM   errno says why */
int brine_socket_local(int fd, struct brine_sockaddr *ret_sockaddr);

/* Closes a descriptor. close() is called once, whatever it returns. Keeps errno. A negative fd is allowed. */
void brine_socket_close(int fd);

#endif
