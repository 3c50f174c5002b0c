#include "channel/transport.h"

#include "net/socket.h"

enum {
	KEEPALIVE_IDLE_MS = 60000,
	LAST_READS_MAX = 64, /* after a failed write: what had arrived, but not what a peer goes on sending */
};

void brine_transport_keepalive(int fd, const struct brine_limits *limits)
{
	/* Later than our own limit for a peer that takes nothing: that one can say what happened. */
	uint64_t stuck_ms = limits->stuck_output_ms;
	(void)brine_socket_keepalive(fd, KEEPALIVE_IDLE_MS, stuck_ms < UINT32_MAX ? 2 * stuck_ms : stuck_ms);
}

int brine_transport_check(const struct brine_conn_options *options, struct brine_error *error)
{
	struct brine_conn_options trial = *options;
	struct brine_conn *conn;
	trial.tap = NULL; /* it would see a hello that is never sent */
	int status = brine_conn_new(&conn, &trial, 0, error);
	if (status == 0)
		brine_conn_free(conn);
	return status;
}

void brine_transport_fail(struct brine_transport *link, int system_errno, uint64_t now_ms)
{
	if (!link->dead)
		link->system_errno = system_errno;
	link->ended = link->dead = true;
	link->reads_left = 0;
	brine_conn_lost(link->conn, BRINE_ERR_LOST, now_ms);
}

/* Reads once. True when something came. */
static bool take_input(struct brine_transport *link, void *input, uint64_t now_ms)
{
	size_t most = link->is_short ? BRINE_INPUT_SHORT : BRINE_INPUT_SIZE;
	ssize_t size = brine_stream_read(link->stream, input, most);
	if (size == BRINE_STREAM_AGAIN)
		return false;
	if (size > 0) {
		/* Out of memory shows as the end of the connection in brine_conn_next(). */
		(void)brine_conn_feed(link->conn, BRINE_BYTES(input, (size_t)size), now_ms);
		return true;
	}
	if (size < 0) {
		brine_transport_fail(link, link->stream->system_errno, now_ms);
		return true;
	}
	link->ended = true;
	/* Where a write failed it is no end in order. */
	if (!link->dead)
		brine_conn_eof(link->conn, now_ms);
	return true;
}

bool brine_transport_read(struct brine_transport *link, void *input, uint64_t now_ms)
{
	return !link->ended && !link->dead && brine_conn_wants_read(link->conn) && take_input(link, input, now_ms);
}

static void write_failed(struct brine_transport *link, uint64_t now_ms)
{
	link->system_errno = link->stream->system_errno;
	link->dead = true;
	link->reads_left = LAST_READS_MAX;
	brine_conn_mute(link->conn, now_ms);
}

/* The peer takes no more. The reason may stand in what it had sent: that is read first. A piece at a time, each handled
 * before the next: the kernel may hold megabytes that were left there while the peer took no answers. */
static void read_rest(struct brine_transport *link, void *input, uint64_t now_ms)
{
	if (!link->ended && !brine_conn_wants_read(link->conn))
		return;
	bool came = !link->ended && take_input(link, input, now_ms);
	if (!came || link->ended || --link->reads_left == 0)
		brine_transport_fail(link, 0, now_ms);
}

void brine_transport_write(struct brine_transport *link, void *input, uint64_t now_ms)
{
	struct brine_bytes bytes;
	while (!link->dead && (bytes = brine_conn_pending(link->conn)).size) {
		ssize_t size = brine_stream_write(link->stream, bytes.data, bytes.size);
		if (size == BRINE_STREAM_AGAIN)
			return;
		if (size < 0)
			write_failed(link, now_ms);
		else
			brine_conn_sent(link->conn, (size_t)size, now_ms);
	}
	if (link->reads_left)
		read_rest(link, input, now_ms);
	if (!link->dead && !link->shut && brine_conn_state(link->conn) == BRINE_CONN_CLOSING)
		link->shut = brine_stream_shutdown(link->stream) != BRINE_STREAM_AGAIN;
}

unsigned brine_transport_wants(const struct brine_transport *link)
{
	unsigned ready = 0;
	if (!link->ended && brine_conn_wants_read(link->conn))
		ready |= BRINE_READABLE;
	if (!link->dead && brine_conn_pending(link->conn).size)
		ready |= BRINE_WRITABLE;
	return ready;
}

void brine_transport_done(struct brine_transport *link)
{
	brine_conn_free(link->conn);
	brine_stream_close(link->stream);
	*link = (struct brine_transport){0};
}
