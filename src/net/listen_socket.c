#include "net/listen_socket.h"

#include "base/alloc.h"
#include "net/descriptor.h"
#include "net/fail.h"
#include "net/listen_unix.h"
#include "net/socket.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct brine_listen_socket {
	int fd;
	int spare_fd; /* given up to turn a peer away when descriptors run out; -1: none left */
	struct brine_sockaddr at;
	struct stat file; /* of a Unix path that was made here; all zero: none was */
	char address[BRINE_ADDR_TEXT_SIZE];
	const struct brine_allocator *allocator;
};

static int listen_failed(const struct brine_sockaddr *at, const char *what, struct brine_error *error)
{
	char text[BRINE_ADDR_TEXT_SIZE];
	brine_sockaddr_format(text, sizeof text, at);
	if (errno == EADDRINUSE)
		return brine_fail(error, BRINE_ERR_ADDRESS_IN_USE, 0,
		                  "another server listens on %.150s: stop it or choose another %s", text,
		                  at->u.any.sa_family == AF_UNIX ? "name" : "port");
	return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not listen on %.130s: %s", text, what);
}

/* Internet addresses and abstract names. */
static int listen_plain(int *ret_fd, const struct brine_sockaddr *at, struct brine_error *error)
{
	int family = at->u.any.sa_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return listen_failed(at, "could not make a socket", error);
	const char *what = NULL;
	if (family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0)
		what = "SO_REUSEADDR";
	else if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int)) < 0)
		what = "IPV6_V6ONLY";
	else if (bind(fd, &at->u.any, at->size) < 0)
		what = "bind";
	else if (listen(fd, SOMAXCONN) < 0)
		what = "listen";
	if (what) {
		int status = listen_failed(at, what, error);
		brine_socket_close(fd);
		return status;
	}
	*ret_fd = fd;
	return 0;
}

static int open_spare(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

int brine_listen_socket_open(struct brine_listen_socket **ret_listener, const struct brine_sockaddr *at, unsigned mode,
                             const struct brine_allocator *allocator, struct brine_error *error)
{
	struct brine_listen_socket *listener = brine_alloc_zero(allocator, sizeof *listener);
	if (!listener)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory for a listener");
	listener->allocator = allocator;
	listener->at = *at;
	bool path = brine_sockaddr_is_path(at);
	int status = path ? brine_unix_listen(&listener->fd, &listener->file, at, mode, error)
	                  : listen_plain(&listener->fd, at, error);
	if (status < 0) {
		brine_release(allocator, listener, sizeof *listener);
		return status;
	}
	listener->spare_fd = open_spare();
	/* A socket that moved to its path still calls itself by its temporary name. */
	if (listener->spare_fd < 0 || (!path && brine_socket_local(listener->fd, &listener->at) < 0)) {
		status = listen_failed(at, "could not set it up", error);
		brine_listen_socket_close(listener);
		return status;
	}
	brine_sockaddr_format(listener->address, sizeof listener->address, &listener->at);
	*ret_listener = listener;
	return 0;
}

int brine_listen_socket_take(struct brine_listen_socket **ret_listener, int fd, const struct brine_allocator *allocator,
                             struct brine_error *error)
{
	const char *why = brine_socket_why_not_listening(fd);
	if (why)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "descriptor %d: %s", fd, why);
	struct brine_listen_socket *listener = brine_alloc_zero(allocator, sizeof *listener);
	if (!listener)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory for a listener");
	listener->allocator = allocator;
	listener->spare_fd = -1;
	listener->fd = brine_descriptor_keep(fd);
	if (listener->fd < 0 || brine_descriptor_set_nonblocking(listener->fd, true) < 0 ||
	    brine_socket_local(listener->fd, &listener->at) < 0 || (listener->spare_fd = open_spare()) < 0) {
		brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not listen on descriptor %d", fd);
		if (listener->fd == fd)
			listener->fd = -1;
		brine_listen_socket_abandon(listener);
		return BRINE_ERR_SYSTEM;
	}
	if (listener->fd != fd)
		brine_descriptor_close(fd);
	brine_sockaddr_format(listener->address, sizeof listener->address, &listener->at);
	*ret_listener = listener;
	return 0;
}

void brine_listen_socket_close(struct brine_listen_socket *listener)
{
	/* Before the socket is closed: as long as it is open, its file cannot be taken for a dead one, nor its inode be
	 * used again. */
	if (listener && brine_sockaddr_is_path(&listener->at))
		brine_unix_unlink(&listener->at, &listener->file);
	brine_listen_socket_abandon(listener);
}

void brine_listen_socket_abandon(struct brine_listen_socket *listener)
{
	if (!listener)
		return;
	brine_socket_close(listener->spare_fd);
	brine_socket_close(listener->fd);
	brine_release(listener->allocator, listener, sizeof *listener);
}

static void close_listeners(struct brine_listen_socket **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		brine_listen_socket_close(list[i]);
}

static bool family_missing(const struct brine_error *error)
{
	return error->code == BRINE_ERR_SYSTEM &&
	       (error->system_errno == EAFNOSUPPORT || error->system_errno == EADDRNOTAVAIL);
}

/* Opens what can be opened of several addresses; those after the first get its port. */
static int open_each(struct brine_listen_socket **list, size_t *ret_count, struct brine_sockaddr *at, size_t at_count,
                     unsigned mode, const struct brine_allocator *allocator, struct brine_error *error)
{
	size_t count = 0;
	for (size_t i = 0; i < at_count; i++) {
		if (count > 0)
			brine_sockaddr_set_port(&at[i], brine_sockaddr_port(&list[0]->at));
		int status = brine_listen_socket_open(&list[count], &at[i], mode, allocator, error);
		if (status == 0) {
			count++;
		} else if (!family_missing(error) || (count == 0 && i + 1 == at_count)) {
			close_listeners(list, count);
			return status;
		}
	}
	*ret_count = count;
	return 0;
}

int brine_listener_open_all(struct brine_listen_socket **list, size_t *ret_count, const struct brine_addr *addr,
                            unsigned mode, const struct brine_allocator *allocator, struct brine_error *error)
{
	enum { TRIES_MAX = 8 }; /* for a free port that is free at every address */
	struct brine_sockaddr at[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error reason = BRINE_ERROR_INIT;
	size_t at_count;
	if (addr->kind == BRINE_ADDR_FD) {
		*ret_count = 1;
		return brine_listen_socket_take(&list[0], addr->fd, allocator, error);
	}
	int status = brine_addr_resolve(addr, BRINE_ADDR_LISTEN, at, BRINE_ADDR_RESOLVED_MAX, &at_count, error);
	if (status < 0)
		return status;
	bool any_port = addr->kind == BRINE_ADDR_TCP && addr->port == 0 && at_count > 1;
	for (int i = 0; i < TRIES_MAX; i++) {
		status = open_each(list, ret_count, at, at_count, mode, allocator, &reason);
		if (status != BRINE_ERR_ADDRESS_IN_USE || !any_port)
			break;
		brine_sockaddr_set_port(&at[0], 0);
	}
	if (status < 0 && error)
		*error = reason;
	return status;
}

int brine_listen_socket_fd(const struct brine_listen_socket *listener)
{
	return listener->fd;
}

const char *brine_listen_socket_address(const struct brine_listen_socket *listener)
{
	return listener->address;
}

static int accept_socket(struct brine_listen_socket *listener, struct brine_sockaddr *ret_peer)
{
	ret_peer->size = sizeof ret_peer->u;
	int fd = accept4(listener->fd, &ret_peer->u.any, &ret_peer->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (ret_peer->size > sizeof ret_peer->u)
		ret_peer->size = sizeof ret_peer->u;
	if (fd >= 0)
		brine_sockaddr_unmap(ret_peer);
	return fd;
}

/* Takes a peer with the spare descriptor and closes it, so that it need not wait for nothing. */
static int turn_away(struct brine_listen_socket *listener)
{
	struct brine_sockaddr peer;
	if (listener->spare_fd < 0)
		return BRINE_ACCEPT_PAUSE;
	brine_socket_close(listener->spare_fd);
	int fd = accept_socket(listener, &peer);
	bool none = fd < 0 && errno == EAGAIN;
	brine_socket_close(fd);
	listener->spare_fd = open_spare();
	if (fd >= 0)
		return BRINE_ACCEPT_REFUSED;
	return none ? BRINE_ACCEPT_NONE : BRINE_ACCEPT_PAUSE;
}

int brine_listen_socket_accept(struct brine_listen_socket *listener, int *ret_fd, struct brine_sockaddr *ret_peer)
{
	enum { GONE_MAX = 64 }; /* peers that gave up, passed over in one call */
	struct brine_sockaddr peer;
	if (listener->spare_fd < 0)
		listener->spare_fd = open_spare();
	for (int i = 0; i < GONE_MAX; i++) {
		int fd = accept_socket(listener, &peer);
		if (fd >= 0) {
			*ret_fd = fd;
			if (ret_peer)
				*ret_peer = peer;
			return BRINE_ACCEPT_ONE;
		}
		switch (errno) {
		case EAGAIN: return BRINE_ACCEPT_NONE;
		case EMFILE:
		case ENFILE: return turn_away(listener);
		case ENOMEM:
		case ENOBUFS: return BRINE_ACCEPT_PAUSE;
		case EBADF:
		case EFAULT:
		case EINVAL:
		case ENOTSOCK:
		case EOPNOTSUPP: return BRINE_ERR_SYSTEM;
		default: break; /* EINTR, or what befell a connection that waited (accept(2) has a list) */
		}
	}
	return BRINE_ACCEPT_PAUSE;
}
