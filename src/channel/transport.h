/* channel/transport.h - a connection's state machine and the stream that carries it: what clients and servers have in
 * common. Moves bytes between the two and never waits. One thread at a time. */
#ifndef BRINE_CHANNEL_TRANSPORT_H
#define BRINE_CHANNEL_TRANSPORT_H

#include <brine/conn.h>

#include "net/stream.h"

enum {
	BRINE_INPUT_SIZE = 64 * 1024, /* what one read takes at most */
	BRINE_INPUT_SHORT = 4 * 1024, /* the same where memory is short */
};

/* All zero: no connection. */
struct brine_transport {
	struct brine_conn *conn;
	struct brine_stream *stream;
	bool ended;          /* the peer sends no more, or the stream died */
	bool dead;           /* the stream failed: nothing can be written */
	bool shut;           /* we said that we send no more */
	bool is_short;       /* memory is: reads less */
	unsigned reads_left; /* dead since a write failed: what had arrived is read at most so many times more */
	int system_errno;    /* why it died; 0 where the peer only closed */
};

/* Whether connections can be made with these options: 0, or what brine_conn_new() says. */
int brine_transport_check(const struct brine_conn_options *options, struct brine_error *error);

/* Lets the kernel find a TCP peer that vanished. Where it cannot, the connection does without. */
void brine_transport_keepalive(int fd, const struct brine_limits *limits);

/* Writes what is pending as far as the stream takes it, and says when nothing more will come. After a failed write the
 * channel is dead and each call, once the events of the last one were pulled, reads a piece of what had arrived: the
 * connection ends behind that. input: BRINE_INPUT_SIZE bytes of scratch. */
void brine_transport_write(struct brine_transport *link, void *input, uint64_t now_ms);

/* Reads once into input (BRINE_INPUT_SIZE bytes) and feeds it, where the connection wants to read. True when
 * something came: bytes, the end or an error. */
bool brine_transport_read(struct brine_transport *link, void *input, uint64_t now_ms);

/* What the stream must be ready for before anything moves: a set of enum brine_ready, before brine_stream_want(). */
unsigned brine_transport_wants(const struct brine_transport *link);

/* Ends the channel because its stream cannot be used. */
void brine_transport_fail(struct brine_transport *link, int system_errno, uint64_t now_ms);

/* Closes the stream and releases both. An empty channel is allowed. */
void brine_transport_done(struct brine_transport *link);

#endif
