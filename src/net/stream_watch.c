#include "net/stream_watch.h"

#include "net/socket.h"

#include <errno.h>

static bool has_two_ends(const struct brine_stream *stream)
{
	return stream->fd != stream->out_fd;
}

/* ---- by a loop ---- */

void brine_stream_watch_init(struct brine_stream_watch *watch,
                             void (*on_ready)(struct brine_watch *watch, unsigned ready), void *user)
{
	watch->in = watch->out = (struct brine_watch){.on_ready = on_ready, .user = user};
}

static int watch_end(struct brine_loop *loop, struct brine_watch *watch, int fd, unsigned ready)
{
	return brine_watch_added(watch) ? brine_loop_modify(loop, watch, ready)
	                                : brine_loop_add(loop, watch, fd, ready);
}

/* A pipe whose other side was closed has something to say for ever, also where nothing was asked. So the end to read
 * from is watched only while something is to be read. The other one shows the last that can happen after that: nobody
 * takes the answers any more. */
static int watch_two_ends(struct brine_loop *loop, struct brine_stream_watch *watch, struct brine_stream *stream,
                          unsigned ready)
{
	bool reads = ready & BRINE_READABLE, writes = ready & BRINE_WRITABLE;
	int status = 0;
	if (reads)
		status = watch_end(loop, &watch->in, stream->fd, BRINE_READABLE);
	else
		brine_loop_remove(loop, &watch->in);
	if (status < 0)
		return status;
	if (stream->out_fd >= 0 && !stream->is_shut && (writes || !reads))
		return watch_end(loop, &watch->out, stream->out_fd, ready & BRINE_WRITABLE);
	brine_loop_remove(loop, &watch->out);
	brine_stream_settle(stream);
	return 0;
}

int brine_loop_watch_stream(struct brine_loop *loop, struct brine_stream_watch *watch, struct brine_stream *stream,
                            unsigned ready)
{
	unsigned wanted = brine_stream_want(stream, ready);
	return has_two_ends(stream) ? watch_two_ends(loop, watch, stream, wanted)
	                            : watch_end(loop, &watch->in, stream->fd, wanted);
}

void brine_loop_unwatch_stream(struct brine_loop *loop, struct brine_stream_watch *watch)
{
	brine_loop_remove(loop, &watch->in);
	brine_loop_remove(loop, &watch->out);
}

/* ---- by poll() ---- */

void brine_poll_set_add_stream(struct brine_poll_set *set, const struct brine_stream *stream, unsigned ready)
{
	unsigned wanted = brine_stream_want(stream, ready);
	if (!has_two_ends(stream)) {
		if (wanted)
			brine_poll_set_add(set, stream->fd, wanted);
		return;
	}
	if (wanted & BRINE_READABLE)
		brine_poll_set_add(set, stream->fd, BRINE_READABLE);
	if ((wanted & BRINE_WRITABLE) && stream->out_fd >= 0)
		brine_poll_set_add(set, stream->out_fd, BRINE_WRITABLE);
}

void brine_epoll_set_forget_stream(struct brine_epoll_set *epoll_set, const struct brine_stream *stream)
{
	brine_epoll_set_forget(epoll_set, stream->fd);
	if (has_two_ends(stream))
		brine_epoll_set_forget(epoll_set, stream->out_fd);
}

int brine_stream_wait(struct brine_stream *stream, unsigned ready, uint64_t deadline_ms)
{
	unsigned wanted = brine_stream_want(stream, ready), found = wanted ? 0 : ready;
	while (!found) {
		struct brine_poll_set set = {0};
		brine_poll_set_add_stream(&set, stream, ready);
		if (brine_poll_set_wait(&set, deadline_ms) < 0) {
			stream->system_errno = errno;
			return BRINE_ERR_SYSTEM;
		}
		for (size_t i = 0; i < set.count; i++)
			found |= set.items[i].found;
		if (!found && brine_wait_ms(deadline_ms) == 0)
			return BRINE_ERR_DEADLINE;
	}
	/* A filter that waits for something else than it was asked for may be able to do any of it afterwards. */
	return (int)(wanted != ready ? ready : found);
}
