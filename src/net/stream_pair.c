#include "net/stream_pair.h"

#include "base/alloc.h"
#include "net/descriptor.h"
#include "net/fail.h"
#include "net/sigpipe.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	PAIR_PARTS_MAX = 64, /* of one writev; the rest comes with the next */
};

/* A descriptor on its way to be an end of a stream. */
struct pair_end {
	int given_fd;
	int fd;      /* the one to use; -1: none yet */
	mode_t type; /* S_IFSOCK, S_IFIFO, S_IFCHR */
	ino_t inode;
	int access;  /* O_RDONLY, O_WRONLY, O_RDWR */
	bool clears; /* O_NONBLOCK was set here and is to be cleared again */
};

struct pair_stream {
	struct brine_stream base;
	struct pair_end in, out; /* the same one where the stream has one descriptor */
	pid_t maker;
	const struct brine_allocator *allocator;
};

/* ---- the stream ---- */

static struct pair_stream *pair_of(struct brine_stream *stream)
{
	return (struct pair_stream *)stream;
}

static ssize_t pair_failed(struct brine_stream *stream)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return BRINE_STREAM_AGAIN;
	stream->system_errno = errno;
	return BRINE_ERR_SYSTEM;
}

static ssize_t pair_read(struct brine_stream *stream, void *data, size_t size)
{
	bool is_socket = pair_of(stream)->in.type == S_IFSOCK;
	assert(size > 0);
	ssize_t got;
	do
		got = is_socket ? recv(stream->fd, data, size, MSG_DONTWAIT) : read(stream->fd, data, size);
	while (got < 0 && errno == EINTR);
	return got < 0 ? pair_failed(stream) : got;
}

static ssize_t send_parts(int fd, const struct iovec *parts, int count)
{
	/* sendmsg only reads the parts, but its struct has no const. */
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
	ssize_t put;
	do
		put = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (put < 0 && errno == EINTR);
	return put;
}

static ssize_t pair_writev(struct brine_stream *stream, const struct iovec *parts, int count)
{
	int most = count < PAIR_PARTS_MAX ? count : PAIR_PARTS_MAX;
	ssize_t put = pair_of(stream)->out.type == S_IFSOCK ? send_parts(stream->out_fd, parts, most)
	                                                    : brine_sigpipe_writev(stream->out_fd, parts, most);
	return put < 0 ? pair_failed(stream) : put;
}

static int pair_shutdown(struct brine_stream *stream)
{
	if (pair_of(stream)->out.type != S_IFSOCK) {
		stream->is_shut = stream->out_fd >= 0 && stream->out_fd != stream->fd;
		return 0;
	}
	if (shutdown(stream->out_fd, SHUT_WR) == 0)
		return 0;
	stream->system_errno = errno;
	return BRINE_ERR_SYSTEM;
}

static void clear_nonblocking(const struct pair_end *end)
{
	if (end->clears)
		(void)brine_descriptor_set_nonblocking(end->fd, false);
}

static void pair_settle(struct brine_stream *stream)
{
	struct pair_stream *self = pair_of(stream);
	clear_nonblocking(&self->out);
	brine_socket_close(stream->out_fd);
	stream->out_fd = -1;
	stream->is_shut = false;
}

static void pair_close(struct brine_stream *stream)
{
	struct pair_stream *self = pair_of(stream);
	bool is_maker = self->maker == getpid();
	if (is_maker)
		clear_nonblocking(&self->in);
	if (is_maker && stream->out_fd >= 0)
		clear_nonblocking(&self->out);
	if (stream->out_fd != stream->fd)
		brine_socket_close(stream->out_fd);
	brine_socket_close(stream->fd);
	brine_release(self->allocator, self, sizeof *self);
}

static unsigned pair_want(const struct brine_stream *stream, unsigned ready)
{
	(void)stream;
	return ready;
}

static size_t pair_untaken(const struct brine_stream *stream)
{
	int size = 0;
	if (((const struct pair_stream *)stream)->out.type != S_IFIFO)
		return brine_socket_untaken(stream->out_fd);
	return ioctl(stream->out_fd, FIONREAD, &size) == 0 && size > 0 ? (size_t)size : 0;
}

static const struct brine_stream_ops pair_ops = {
        .read = pair_read,
        .writev = pair_writev,
        .shutdown = pair_shutdown,
        .settle = pair_settle,
        .close = pair_close,
        .want = pair_want,
        .untaken = pair_untaken,
};

/* ---- what is accepted ---- */

static int pair_system_error(const struct pair_end *end, struct brine_error *error)
{
	return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not use descriptor %d", end->given_fd);
}

static int refuse_kind(const struct pair_end *end, const char *what, struct brine_error *error)
{
	return brine_fail(error, BRINE_ERR_INVALID, 0, "descriptor %d is %s: expected a pipe, a socket or a terminal",
	                  end->given_fd, what);
}

static int check_stream_socket(const struct pair_end *end, struct brine_error *error)
{
	int type, listens;
	socklen_t type_size = sizeof type, listens_size = sizeof listens;
	if (getsockopt(end->given_fd, SOL_SOCKET, SO_TYPE, &type, &type_size) < 0 ||
	    getsockopt(end->given_fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) < 0)
		return pair_system_error(end, error);
	if (type != SOCK_STREAM)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "descriptor %d is a socket, but not a stream socket",
		                  end->given_fd);
	if (listens)
		return brine_fail(error, BRINE_ERR_INVALID, 0,
		                  "descriptor %d is a socket that listens: brine_server_listen_fd() takes it",
		                  end->given_fd);
	return 0;
}

/* Some devices cannot be watched by epoll, /dev/null among them; only trying tells. */
static int check_device(const struct pair_end *end, struct brine_error *error)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int status = 0;
	if (epoll_fd < 0)
		return pair_system_error(end, error);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, end->given_fd, &event) < 0)
		status = errno == EPERM ? refuse_kind(end, "a device that cannot be waited for, as /dev/null", error)
		                        : pair_system_error(end, error);
	brine_socket_close(epoll_fd);
	return status;
}

static int check_access(const struct pair_end *end, bool reads, struct brine_error *error)
{
	if (end->access == O_RDWR || end->access == (reads ? O_RDONLY : O_WRONLY))
		return 0;
	return brine_fail(error, BRINE_ERR_INVALID, 0,
	                  "descriptor %d is open for %s only: in_fd, which is read, comes before out_fd, which is "
	                  "written",
	                  end->given_fd, reads ? "writing" : "reading");
}

/* Looks at a descriptor and describes it in *end. */
static int examine_end(struct pair_end *end, int fd, bool reads, struct brine_error *error)
{
	struct stat file;
	int flags = fcntl(fd, F_GETFL);
	*end = (struct pair_end){.given_fd = fd, .fd = -1};
	if (flags < 0 || fstat(fd, &file) < 0)
		return pair_system_error(end, error);
	end->type = file.st_mode & S_IFMT;
	end->inode = file.st_ino;
	end->access = flags & O_ACCMODE;
	int status = 0;
	switch (end->type) {
	case S_IFSOCK: return check_stream_socket(end, error);
	case S_IFIFO: break;
	case S_IFCHR: status = check_device(end, error); break;
	case S_IFREG:
		return refuse_kind(end, "a file, which cannot be waited for (brine_loads() reads bytes of one)", error);
	case S_IFDIR: return refuse_kind(end, "a directory", error);
	default: return refuse_kind(end, "no stream of bytes", error);
	}
	return status < 0 ? status : check_access(end, reads, error);
}

/* ---- making it ---- */

/* Opens a pipe once more, with a description of its own. Not a FIFO that has a name: whoever opens one after its writer
 * has gone is not told of that. -1: it cannot be done. */
static int reopen_pipe(const struct pair_end *end)
{
	struct statfs system;
	char path[32];
	if (end->type != S_IFIFO || fstatfs(end->given_fd, &system) < 0 || system.f_type != PIPEFS_MAGIC)
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", end->given_fd);
	int fd = open(path, end->access | O_NONBLOCK | O_CLOEXEC);
	int kept = fd < 0 ? fd : brine_descriptor_keep(fd);
	if (kept != fd)
		brine_socket_close(fd);
	return kept < 0 ? -1 : kept;
}

/* Gets the descriptor to use. */
static int equip_end(struct pair_end *end, struct brine_error *error)
{
	end->fd = reopen_pipe(end);
	if (end->fd >= 0)
		return 0;
	end->fd = brine_descriptor_keep(end->given_fd);
	if (end->fd < 0)
		return pair_system_error(end, error);
	int changed = end->type == S_IFSOCK ? 0 : brine_descriptor_set_nonblocking(end->fd, true);
	end->clears = changed > 0;
	return changed < 0 ? pair_system_error(end, error) : 0;
}

/* The descriptor that was given is as it was, but for close-on-exec. */
static void undo_end(const struct pair_end *end)
{
	clear_nonblocking(end);
	if (end->fd != end->given_fd)
		brine_socket_close(end->fd);
}

static void take_given(const struct pair_end *end)
{
	if (end->fd != end->given_fd)
		brine_descriptor_close(end->given_fd);
}

/* A socket that is both ends, by two numbers or one, is a stream as any other. */
static int make_of_socket(struct brine_stream **ret_stream, const struct pair_end *in, const struct pair_end *out,
                          const struct brine_allocator *allocator, struct brine_error *error)
{
	int fd = brine_descriptor_keep(in->given_fd);
	if (fd < 0)
		return pair_system_error(in, error);
	int status = brine_stream_new_socket(ret_stream, fd, allocator, error);
	if (status < 0 && fd != in->given_fd)
		brine_socket_close(fd);
	if (status < 0)
		return status;
	if (fd != in->given_fd)
		brine_descriptor_close(in->given_fd);
	if (out->given_fd != in->given_fd)
		brine_descriptor_close(out->given_fd);
	return 0;
}

static int make_pair_stream(struct brine_stream **ret_stream, struct pair_end *in, struct pair_end *out,
                            const struct brine_allocator *allocator, struct brine_error *error)
{
	struct pair_stream *self = brine_alloc_zero(allocator, sizeof *self);
	if (!self)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory for a connection");
	bool is_one = in->given_fd == out->given_fd;
	int status = equip_end(in, error);
	if (status == 0 && is_one)
		*out = (struct pair_end){.given_fd = in->given_fd, .fd = in->fd, .type = in->type};
	else if (status == 0)
		status = equip_end(out, error);
	if (status < 0) {
		undo_end(in);
		undo_end(out);
		brine_release(allocator, self, sizeof *self);
		return status;
	}
	take_given(in);
	if (!is_one)
		take_given(out);
	*self = (struct pair_stream){.base = {.ops = &pair_ops, .fd = in->fd, .out_fd = out->fd},
	                             .in = *in,
	                             .out = *out,
	                             .maker = getpid(),
	                             .allocator = allocator};
	*ret_stream = &self->base;
	return 0;
}

int brine_stream_new_pair(struct brine_stream **ret_stream, int in_fd, int out_fd,
                          const struct brine_allocator *allocator, struct brine_error *error)
{
	struct pair_end in, out;
	int status = examine_end(&in, in_fd, true, error);
	if (status == 0)
		status = examine_end(&out, out_fd, false, error);
	if (status < 0)
		return status;
	bool is_socket = in.type == S_IFSOCK && out.type == S_IFSOCK && in.inode == out.inode;
	return is_socket ? make_of_socket(ret_stream, &in, &out, allocator, error)
	                 : make_pair_stream(ret_stream, &in, &out, allocator, error);
}
