#include "net/stream.h"

#include "base/alloc.h"
#include "net/descriptor.h"
#include "net/fail.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

enum {
	PARTS_MAX = 64, /* of one writev; the rest comes with the next */
	/* Bytes that the kernel keeps of what a TCP peer has not asked for yet. By itself it takes 4 MiB and more, in
	 * which a peer that stopped reading does not show. Less than this costs speed where messages are big. */
	UNSENT_MOST = 1 << 20,
};

struct socket_stream {
	struct brine_stream base;
	const struct brine_allocator *allocator;
};

static struct socket_stream *socket_of(struct brine_stream *stream)
{
	return (struct socket_stream *)stream;
}

static ssize_t stream_failed(struct brine_stream *stream)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return BRINE_STREAM_AGAIN;
	stream->system_errno = errno;
	return BRINE_ERR_SYSTEM;
}

static ssize_t socket_read(struct brine_stream *stream, void *data, size_t size)
{
	assert(size > 0);
	ssize_t got;
	/* Plain recv: descriptors that a peer passes along are closed by the kernel, urgent bytes are left out. */
	do
		got = recv(stream->fd, data, size, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	return got < 0 ? stream_failed(stream) : got;
}

static ssize_t socket_writev(struct brine_stream *stream, const struct iovec *parts, int count)
{
	assert(count > 0);
	const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	/* sendmsg only reads the parts, but its struct has no const. */
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts,
	                         .msg_iovlen = count < PARTS_MAX ? (size_t)count : (size_t)PARTS_MAX};
	ssize_t put;
	do
		put = count == 1 ? send(stream->fd, parts->iov_base, parts->iov_len, flags)
		                 : sendmsg(stream->fd, &message, flags);
	while (put < 0 && errno == EINTR);
	return put < 0 ? stream_failed(stream) : put;
}

static int socket_shutdown(struct brine_stream *stream)
{
	if (shutdown(stream->fd, SHUT_WR) == 0)
		return 0;
	stream->system_errno = errno;
	return BRINE_ERR_SYSTEM;
}

static void socket_close(struct brine_stream *stream)
{
	struct socket_stream *self = socket_of(stream);
	brine_socket_close(stream->fd);
	brine_release(self->allocator, self, sizeof *self);
}

static unsigned socket_want(const struct brine_stream *stream, unsigned ready)
{
	(void)stream;
	return ready;
}

static size_t socket_untaken(const struct brine_stream *stream)
{
	return brine_socket_untaken(stream->fd);
}

static int prepare_socket(int fd, struct brine_error *error)
{
	int type, domain;
	socklen_t size = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return errno == ENOTSOCK
		               ? brine_fail(error, BRINE_ERR_INVALID, 0, "descriptor %d is not a socket", fd)
		               : brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not use descriptor %d", fd);
	if (type != SOCK_STREAM)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "descriptor %d is a socket, but not a stream socket",
		                  fd);
	size = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || brine_descriptor_close_on_exec(fd) < 0)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not set up descriptor %d", fd);
	if (domain != AF_INET && domain != AF_INET6)
		return 0;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not set TCP_NODELAY");
	/* Where the kernel knows of it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){UNSENT_MOST}, sizeof(int));
	return 0;
}

int brine_stream_new_socket(struct brine_stream **ret_stream, int fd, const struct brine_allocator *allocator,
                            struct brine_error *error)
{
	static const struct brine_stream_ops ops = {
	        .read = socket_read,
	        .writev = socket_writev,
	        .shutdown = socket_shutdown,
	        .close = socket_close,
	        .want = socket_want,
	        .untaken = socket_untaken,
	};
	struct socket_stream *self = brine_alloc_zero(allocator, sizeof *self);
	if (!self)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory for a connection");
	int status = prepare_socket(fd, error);
	if (status < 0) {
		brine_release(allocator, self, sizeof *self);
		return status;
	}
	*self = (struct socket_stream){.base = {.ops = &ops, .fd = fd, .out_fd = fd}, .allocator = allocator};
	*ret_stream = &self->base;
	return 0;
}
