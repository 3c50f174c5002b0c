#include "channel/channel.h"

#include "net/socket.h"

enum {
	KEEPALIVE_IDLE_MS = 60000,
	LAST_READS_MAX = 64, /* after a failed write: what had arrived, but not what a peer goes on sending */
};

void brine_channel_find_dead_peer(int fd, const struct brine_limits *limits)
{
	/* Later than our own limit for a peer that takes nothing: that one can say what happened. */
	uint64_t stuck_ms = limits->stuck_output_ms;
	(void)brine_socket_keepalive(fd, KEEPALIVE_IDLE_MS, stuck_ms < UINT32_MAX ? 2 * stuck_ms : stuck_ms);
}

int brine_channel_check(const struct brine_conn_options *options, struct brine_error *error)
{
	struct brine_conn_options trial = *options;
	struct brine_conn *conn;
	trial.tap = NULL; /* it would see a hello that is never sent */
	int status = brine_conn_new(&conn, &trial, 0, error);
	if (status == 0)
		brine_conn_free(conn);
	return status;
}

int brine_channel_open(struct brine_channel *channel, int fd, const struct brine_conn_options *options, uint64_t now_ms,
                       struct brine_error *error)
{
	int status = brine_stream_new_socket(&channel->stream, fd, options->allocator, error);
	if (status < 0) {
		brine_socket_close(fd);
		return status;
	}
	channel->heard_ms = now_ms;
	status = brine_conn_new(&channel->conn, options, now_ms, error);
	if (status < 0)
		brine_channel_done(channel);
	return status;
}

void brine_channel_fail(struct brine_channel *channel, int system_errno, uint64_t now_ms)
{
	if (!channel->dead)
		channel->system_errno = system_errno;
	channel->ended = channel->dead = true;
	channel->reads_left = 0;
	brine_conn_lost(channel->conn, BRINE_ERR_LOST, now_ms);
}

/* Reads once. True when something came. */
static bool take_input(struct brine_channel *channel, void *input, uint64_t now_ms)
{
	size_t most = channel->is_short ? BRINE_INPUT_SHORT : BRINE_INPUT_SIZE;
	ssize_t size = brine_stream_read(channel->stream, input, most);
	if (size == BRINE_STREAM_AGAIN)
		return false;
	if (size > 0) {
		/* Out of memory shows as the end of the connection in brine_conn_next(). */
		(void)brine_conn_feed(channel->conn, BRINE_BYTES(input, (size_t)size), now_ms);
		return true;
	}
	if (size < 0) {
		brine_channel_fail(channel, channel->stream->system_errno, now_ms);
		return true;
	}
	channel->ended = true;
	/* Where a write failed it is no end in order. */
	if (!channel->dead)
		brine_conn_eof(channel->conn, now_ms);
	return true;
}

bool brine_channel_read(struct brine_channel *channel, void *input, uint64_t now_ms)
{
	return !channel->ended && !channel->dead && brine_conn_wants_read(channel->conn) &&
	       take_input(channel, input, now_ms);
}

int brine_channel_take_event(struct brine_channel *channel, uint64_t now_ms)
{
	const struct brine_event_table *table = channel->host->events;
	struct brine_event event;
	/* The lock is kept from taking an event to handling it: the call may be gone otherwise. */
	brine_channel_lock(channel);
	bool is_there = brine_conn_next(channel->conn, &event, now_ms) > 0;
	bool is_ours = is_there && event.is_ours;
	channel->closed |= is_there && event.type == BRINE_EVENT_CLOSED;
	if (is_ours && table->ours[event.type])
		table->ours[event.type](channel, &event, now_ms);
	brine_channel_unlock(channel);
	if (is_there && !is_ours && table->theirs[event.type])
		table->theirs[event.type](channel, &event, now_ms);
	return is_there ? 1 + !is_ours : 0;
}

static void write_failed(struct brine_channel *channel, uint64_t now_ms)
{
	channel->system_errno = channel->stream->system_errno;
	channel->dead = true;
	channel->reads_left = LAST_READS_MAX;
	brine_conn_mute(channel->conn, now_ms);
}

/* The peer takes no more. The reason may stand in what it had sent: that is read first. A piece at a time, each handled
 * before the next: the kernel may hold megabytes that were left there while the peer took no answers. */
static void read_rest(struct brine_channel *channel, void *input, uint64_t now_ms)
{
	if (!channel->ended && !brine_conn_wants_read(channel->conn))
		return;
	bool came = !channel->ended && take_input(channel, input, now_ms);
	if (!came || channel->ended || --channel->reads_left == 0)
		brine_channel_fail(channel, 0, now_ms);
}

void brine_channel_write(struct brine_channel *channel, void *input, uint64_t now_ms)
{
	struct brine_bytes bytes;
	while (!channel->dead && (bytes = brine_conn_pending(channel->conn)).size) {
		ssize_t size = brine_stream_write(channel->stream, bytes.data, bytes.size);
		if (size == BRINE_STREAM_AGAIN)
			return;
		if (size < 0)
			write_failed(channel, now_ms);
		else
			brine_conn_sent(channel->conn, (size_t)size, now_ms);
	}
	if (channel->reads_left)
		read_rest(channel, input, now_ms);
	if (!channel->dead && !channel->shut && brine_conn_state(channel->conn) == BRINE_CONN_CLOSING)
		channel->shut = brine_stream_shutdown(channel->stream) != BRINE_STREAM_AGAIN;
}

unsigned brine_channel_wants(const struct brine_channel *channel)
{
	unsigned ready = 0;
	if (!channel->ended && brine_conn_wants_read(channel->conn))
		ready |= BRINE_READABLE;
	if (!channel->dead && brine_conn_pending(channel->conn).size)
		ready |= BRINE_WRITABLE;
	return ready;
}

void brine_channel_tell_watches(struct brine_channel *channel)
{
	struct brine_host *host = channel->host;
	pthread_mutex_lock(&host->lock);
	struct brine_channel_watch *watch = channel->watches;
	channel->watches = NULL;
	pthread_mutex_unlock(&host->lock);
	while (watch) {
		struct brine_channel_watch *next = watch->next;
		watch->on_gone(watch);
		watch = next;
	}
}

void brine_channel_done(struct brine_channel *channel)
{
	brine_conn_free(channel->conn);
	brine_stream_close(channel->stream);
	channel->conn = NULL;
	channel->stream = NULL;
}
