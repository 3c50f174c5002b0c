#include "net/socket.h"

#include <brine/conn.h>

#include "net/clock.h"
#include "net/fail.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

void brine_socket_close(int fd)
{
	int saved = errno;
	/* Never again after EINTR: on Linux the descriptor is gone then, and its number may be somebody else's. */
	if (fd >= 0)
		close(fd);
	errno = saved;
}

int brine_wait_ms(uint64_t deadline_ms)
{
	if (deadline_ms == BRINE_FOREVER)
		return -1;
	uint64_t now_ms = brine_clock_ms();
	if (deadline_ms <= now_ms)
		return 0;
	return deadline_ms - now_ms > INT_MAX ? INT_MAX : (int)(deadline_ms - now_ms);
}

int brine_socket_wait(int fd, unsigned ready, uint64_t deadline_ms)
{
	short events = (short)((ready & BRINE_READABLE ? POLLIN : 0) | (ready & BRINE_WRITABLE ? POLLOUT : 0));
	for (;;) {
		struct pollfd poller = {.fd = fd, .events = events};
		int wait_ms = brine_wait_ms(deadline_ms);
		int count = poll(&poller, 1, wait_ms);
		if (count < 0 && errno != EINTR && errno != EAGAIN)
			return BRINE_ERR_SYSTEM;
		if (count > 0 && (poller.revents & POLLNVAL)) {
			errno = EBADF;
			return BRINE_ERR_SYSTEM;
		}
		if (count > 0 && (poller.revents & (POLLERR | POLLHUP)))
			return (int)ready;
		if (count > 0)
			return (poller.revents & POLLIN ? BRINE_READABLE : 0) |
			       (poller.revents & POLLOUT ? BRINE_WRITABLE : 0);
		if (count == 0 && brine_wait_ms(deadline_ms) == 0)
			return BRINE_ERR_DEADLINE;
	}
}

static int name_of(int (*call)(int, struct sockaddr *, socklen_t *), int fd, struct brine_sockaddr *ret_sockaddr)
{
	struct brine_sockaddr found = {.size = sizeof found.u};
	if (call(fd, &found.u.any, &found.size) < 0)
		return BRINE_ERR_SYSTEM;
	if (found.size > sizeof found.u)
		found.size = sizeof found.u;
	*ret_sockaddr = found;
	return 0;
}

/* glibc declares these with a transparent union for C, so that they are no plain function pointers. */
static int local_name(int fd, struct sockaddr *name, socklen_t *size)
{
	return getsockname(fd, name, size);
}

static int peer_name(int fd, struct sockaddr *name, socklen_t *size)
{
	return getpeername(fd, name, size);
}

int brine_socket_local(int fd, struct brine_sockaddr *ret_sockaddr)
{
	return name_of(local_name, fd, ret_sockaddr);
}

/* The address of the other end; it is gone once the peer closed. */
static int socket_peer(int fd, struct brine_sockaddr *ret_sockaddr)
{
	return name_of(peer_name, fd, ret_sockaddr);
}

static int connect_failed(const struct brine_sockaddr *to, int system_errno, struct brine_error *error)
{
	char text[BRINE_ADDR_TEXT_SIZE];
	bool nobody = system_errno == ECONNREFUSED || system_errno == ENOENT;
	brine_sockaddr_format(text, sizeof text, to);
	return brine_fail_errno(error, BRINE_ERR_CONNECT, system_errno, "could not connect to %.150s%s", text,
	                        nobody ? " (is the server running?)" : "");
}

/* A client that connects to a port of the ephemeral range on its own machine may be given that very port. */
static int check_ends(int fd, const struct brine_sockaddr *to, struct brine_error *error)
{
	struct brine_sockaddr local, peer;
	if (to->u.any.sa_family == AF_UNIX)
		return 0;
	if (brine_socket_local(fd, &local) < 0 || socket_peer(fd, &peer) < 0)
		return connect_failed(to, errno, error);
	if (!brine_sockaddr_equal(&local, &peer))
		return 0;
	char text[BRINE_ADDR_TEXT_SIZE];
	return brine_fail_system(
	        error, BRINE_ERR_CONNECT, ELOOP,
	        "could not connect to %.150s (is the server running?): the connection came back to itself",
	        brine_sockaddr_format(text, sizeof text, to));
}

int brine_socket_connect(int *ret_fd, const struct brine_sockaddr *to, struct brine_error *error)
{
	int fd = socket(to->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not make a socket");
	int status;
	do
		status = connect(fd, &to->u.any, to->size);
	while (status < 0 && errno == EINTR);
	if (status < 0 && (errno == EINPROGRESS || errno == EALREADY)) {
		*ret_fd = fd;
		return 1;
	}
	status = status < 0 && errno != EISCONN ? connect_failed(to, errno, error) : check_ends(fd, to, error);
	if (status < 0)
		brine_socket_close(fd);
	else
		*ret_fd = fd;
	return status;
}

int brine_socket_connect_finish(int fd, const struct brine_sockaddr *to, struct brine_error *error)
{
	int failure = 0;
	socklen_t size = sizeof failure;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not ask how connecting ended");
	if (failure)
		return connect_failed(to, failure, error);
	struct brine_sockaddr peer;
	if (socket_peer(fd, &peer) == 0)
		return check_ends(fd, to, error);
	if (errno != ENOTCONN)
		return connect_failed(to, errno, error);
	/* Not connected and no error: still under way, unless the peer reset it in between. */
	int ready = brine_socket_wait(fd, BRINE_WRITABLE, 0);
	return ready == BRINE_ERR_DEADLINE ? 1 : connect_failed(to, ECONNRESET, error);
}

int brine_socket_keepalive(int fd, uint64_t idle_ms, uint64_t unacknowledged_ms)
{
	enum { PROBES = 4 };
	int domain;
	socklen_t size = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return BRINE_ERR_SYSTEM;
	if (domain != AF_INET && domain != AF_INET6)
		return 0;
	/* The kernel takes seconds from 1 to 32767 here, and milliseconds there. */
	uint64_t seconds = idle_ms / 1000;
	int idle = seconds < 1 ? 1 : seconds > 32767 ? 32767 : (int)seconds;
	int probe = idle / PROBES < 1 ? 1 : idle / PROBES;
	unsigned limit = unacknowledged_ms > INT_MAX ? INT_MAX : (unsigned)unacknowledged_ms;
	if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe, sizeof probe) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){PROBES}, sizeof(int)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit) < 0)
		return BRINE_ERR_SYSTEM;
	return 0;
}

size_t brine_socket_untaken(int fd)
{
	int size = 0;
	return ioctl(fd, SIOCOUTQ, &size) == 0 && size > 0 ? (size_t)size : 0;
}

const char *brine_socket_why_not_listening(int fd)
{
	int type, domain, listens;
	socklen_t size = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return errno == EBADF ? "expected an open descriptor: whoever starts this program has to pass it on"
		                      : "expected a socket that listens, but that is no socket";
	size = sizeof domain;
	if (type != SOCK_STREAM || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ||
	    (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX))
		return "expected a stream socket of TCP or Unix, but that is another one";
	size = sizeof listens;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens)
		return "expected a socket that listens, but listen() was not called for that one "
		       "(brine_server_serve_fd() takes one that is connected)";
	return NULL;
}

int brine_socket_credentials(int fd, struct brine_credentials *ret_credentials)
{
	int domain;
	socklen_t size = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		return BRINE_ERR_SYSTEM;
	if (domain != AF_UNIX)
		return BRINE_ERR_NOT_FOUND;
	struct ucred peer;
	size = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return BRINE_ERR_SYSTEM;
	*ret_credentials = (struct brine_credentials){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
	return 0;
}
