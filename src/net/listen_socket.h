/* net/listen_socket.h - sockets that wait for peers. A listener belongs to one thread at a time.
 *
 * Unix paths. What stands at the path decides:
 *   nothing                        the socket is made there
 *   a socket that refuses          its server died: replaced, in one step that no client can observe
 *   a socket that answers          BRINE_ERR_ADDRESS_IN_USE, untouched
 *   anything else, also a symlink  BRINE_ERR_NOT_SOCKET, untouched and not followed
 * The socket is bound under a temporary name in the same folder, gets its mode, listens, and is then moved to its
 * place: nobody can connect before the permissions are right. Servers that start at once on one path exclude each other
 * by a lock (flock) on the folder. The folder must be one in which strangers cannot rename files: of the user's own
 * (mode 0700 or 0755), or sticky like /tmp; one that everybody can write and that is not sticky is refused. */
#ifndef BRINE_NET_LISTENER_H
#define BRINE_NET_LISTENER_H

#include "net/addr.h"

#include <brine/allocator.h>

struct brine_listen_socket; /* opaque */

enum brine_accept {
	BRINE_ACCEPT_NONE = 0,    /* nobody waits: wait until the descriptor is readable */
	BRINE_ACCEPT_ONE = 1,     /* *ret_fd is a connection */
	BRINE_ACCEPT_REFUSED = 2, /* out of descriptors: the peer was turned away by means of a spare one; go on */
	BRINE_ACCEPT_PAUSE =
	        3, /* out of descriptors or memory: do not look at the listener for BRINE_ACCEPT_PAUSE_MS */
};

enum {
	BRINE_ACCEPT_PAUSE_MS = 100,
};

/* Listens on one socket address. mode: permissions of a Unix path. allocator NULL: the default; must outlive the
 * listener. TCP: SO_REUSEADDR; IPv6 takes IPv6 only. The caller owns *ret_listener until brine_listen_socket_close().
 * Errors, nothing then changed: BRINE_ERR_ADDRESS_IN_USE, NOT_SOCKET, SYSTEM (error.system_errno), NOMEM. */
int brine_listen_socket_open(struct brine_listen_socket **ret_listener, const struct brine_sockaddr *at, unsigned mode,
                             const struct brine_allocator *allocator, struct brine_error *error);

/* Makes a listener of a descriptor that listens already, which somebody passed on: systemd, from 3 on, to programs that
 * find LISTEN_FDS in their environment. The listener owns it from then on; on error it is still the caller's, as it was
 * but for close-on-exec and O_NONBLOCK. Both are set, and O_NONBLOCK stays set: other processes may accept from the
 * same socket, and one of them that ended would make the others wait in accept(). 0, 1 and 2 are moved, as
 * net/descriptor.h says. A Unix path is left alone at the end. Errors: BRINE_ERR_INVALID (the text says why it cannot
 * be listened on, and what to do), SYSTEM, NOMEM. */
int brine_listen_socket_take(struct brine_listen_socket **ret_listener, int fd, const struct brine_allocator *allocator,
                             struct brine_error *error);

/* Listens on every address of addr (a name may have several; with port 0 all get the same port) into list, which has
 * room for BRINE_ADDR_RESOLVED_MAX; their number into *ret_count. A descriptor is taken. Resolves, so it may block. All
 * or nothing, but addresses of a family that the machine does not have are left out while one remains. Errors: as above
 * and BRINE_ERR_RESOLVE. */
int brine_listener_open_all(struct brine_listen_socket **list, size_t *ret_count, const struct brine_addr *addr,
                            unsigned mode, const struct brine_allocator *allocator, struct brine_error *error);

/* Closes; a Unix path is removed where it is still the socket made by brine_listen_socket_open(). NULL is allowed.
 * Never fails. In a forked child use brine_listen_socket_abandon(), which leaves the path to the parent. */
void brine_listen_socket_close(struct brine_listen_socket *listener);
void brine_listen_socket_abandon(struct brine_listen_socket *listener);

/* Takes one waiting connection (non-blocking, close-on-exec; the caller's) and its address (NULL allowed; IPv4 as
 * such, also where the socket is an IPv6 one for both). Returns enum
 * brine_accept; a peer that gave up while it waited is passed over. Errors: BRINE_ERR_SYSTEM (errno): the listener is
 * dead. */
int brine_listen_socket_accept(struct brine_listen_socket *listener, int *ret_fd, struct brine_sockaddr *ret_peer);

/* The descriptor to watch for BRINE_READABLE. */
int brine_listen_socket_fd(const struct brine_listen_socket *listener);

/* The address with the port the kernel chose, as brine_sockaddr_format() writes it. Borrowed while the listener lives.
 */
const char *brine_listen_socket_address(const struct brine_listen_socket *listener);

#endif
