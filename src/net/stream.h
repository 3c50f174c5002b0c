/* net/stream.h - a byte stream as a small table of operations, so that sockets, pipes, TLS and child processes look
 * alike. Never blocks; EINTR is never seen; nothing raises SIGPIPE. A stream belongs to one thread at a time. */
#ifndef BRINE_NET_STREAM_H
#define BRINE_NET_STREAM_H

#include "net/socket.h"

#include <brine/allocator.h>
#include <brine/error.h>

#include <sys/types.h>
#include <sys/uio.h>

/* Returned by read and writev: nothing can be moved now; wait and try again. No error code has this value. */
#define BRINE_STREAM_AGAIN (-1000)

struct brine_stream;

struct brine_stream_ops {
	ssize_t (*read)(struct brine_stream *stream, void *data, size_t size);
	ssize_t (*writev)(struct brine_stream *stream, const struct iovec *parts, int count);
	int (*shutdown)(struct brine_stream *stream);
	void (*close)(struct brine_stream *stream);
	void (*settle)(struct brine_stream *stream); /* NULL: shutdown leaves nothing to do */
	unsigned (*want)(const struct brine_stream *stream, unsigned ready);
	const char *(*ending)(struct brine_stream *stream); /* NULL: there is nothing to tell */
	size_t (*untaken)(const struct brine_stream *stream);
};

/* The head of every stream; implementations put theirs behind it. */
struct brine_stream {
	const struct brine_stream_ops *ops;
	int fd;           /* to wait on before reading */
	int out_fd;       /* to wait on before writing: the same one, or another; -1: it was closed by settling */
	int system_errno; /* of the last BRINE_ERR_SYSTEM of this stream */
	bool is_shut;     /* it was shut down, and settling has something left to do */
};

/* Reads up to size (> 0) bytes. > 0: the bytes read; 0: the peer sends no more; BRINE_STREAM_AGAIN; BRINE_ERR_SYSTEM
 * (reset, timed out ...: stream->system_errno): the stream is dead, close it. */
static inline ssize_t brine_stream_read(struct brine_stream *stream, void *data, size_t size)
{
	return stream->ops->read(stream, data, size);
}

/* Writes some of the bytes of count parts (1 .. 64). > 0: the bytes taken, possibly fewer than given (0 when given
 * none); BRINE_STREAM_AGAIN; BRINE_ERR_SYSTEM (EPIPE, reset ...: stream->system_errno): the peer takes no more. What
 * had arrived can still be read. */
static inline ssize_t brine_stream_writev(struct brine_stream *stream, const struct iovec *parts, int count)
{
	return stream->ops->writev(stream, parts, count);
}

/* The same for one run of bytes. */
static inline ssize_t brine_stream_write(struct brine_stream *stream, const void *data, size_t size)
{
	/* Only read through: iovec has no const form. */
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	return stream->ops->writev(stream, &part, 1);
}

/* Says to the peer that no more bytes come (FIN). 0, BRINE_STREAM_AGAIN (TLS), or BRINE_ERR_SYSTEM: the peer is gone,
 * close the stream. The end of a pipe is told by closing it, which brine_stream_settle() does. */
static inline int brine_stream_shutdown(struct brine_stream *stream)
{
	return stream->ops->shutdown(stream);
}

/* Closes out_fd where the stream was shut down and that takes it. Nothing may wait on out_fd: epoll would not forget it
 * while another process holds it open. brine_loop_watch_stream() sees to that. Never fails. */
static inline void brine_stream_settle(struct brine_stream *stream)
{
	if (stream->is_shut)
		stream->ops->settle(stream);
}

/* Closes the descriptors and releases the stream. NULL is allowed. Remove it from its loop first. Never fails. */
static inline void brine_stream_close(struct brine_stream *stream)
{
	if (stream)
		stream->ops->close(stream);
}

/* The descriptor to wait on for BRINE_READABLE. net/stream_watch.h waits for both. */
static inline int brine_stream_fd(const struct brine_stream *stream)
{
	return stream->fd;
}

/* What to wait for so that the given operations (a set of enum brine_ready) can go on: the same set for a socket or a
 * pipe, perhaps another one for a filter. 0: do not wait, an operation would succeed at once (bytes are held inside).
 */
static inline unsigned brine_stream_want(const struct brine_stream *stream, unsigned ready)
{
	return stream->ops->want(stream, ready);
}

/* Bytes written that the other side has not taken yet: as brine_socket_untaken(). */
static inline size_t brine_stream_untaken(const struct brine_stream *stream)
{
	return stream->ops->untaken(stream);
}

/* How the other side ended, where that can be told ("the program ended with status 3"), else NULL. Ask once a read or
 * write has found the end. Lives until the next call. */
static inline const char *brine_stream_ending(struct brine_stream *stream)
{
	return stream->ops->ending ? stream->ops->ending(stream) : NULL;
}

/* Makes the stream of a connected stream socket and owns the descriptor from then on; on error the descriptor is still
 * the caller's. Sets it close-on-exec and, for TCP, TCP_NODELAY and TCP_NOTSENT_LOWAT. Its O_NONBLOCK, which other
 * processes may share, is left as it is and makes no difference. allocator NULL: the default; must outlive the stream.
 * Errors: BRINE_ERR_INVALID (not a stream socket), SYSTEM, NOMEM. */
int brine_stream_new_socket(struct brine_stream **ret_stream, int fd, const struct brine_allocator *allocator,
                            struct brine_error *error);

#endif
