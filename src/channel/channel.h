/* channel/channel.h - one live connection of either end: its state machine, the stream that carries it, the requests of
 * its peer and what is known of the peer. Moves bytes and hands out events; never waits. [owner] but where it is said.
 */
#ifndef BRINE_CHANNEL_CHANNEL_H
#define BRINE_CHANNEL_CHANNEL_H

#include <brine/conn.h>

#include "channel/host.h"
#include "net/stream.h"
#include "run/lock.h"

enum {
	BRINE_INPUT_SIZE = 64 * 1024, /* what one read takes at most */
	BRINE_INPUT_SHORT = 4 * 1024, /* the same where memory is short */
};

/* Somebody who is to be told of the end of a channel. */
struct brine_channel_watch {
	struct brine_channel_watch *next;
	/* [owner], once. The watch may be released in it. */
	void (*on_gone)(struct brine_channel_watch *watch);
};

/* All zero: no connection. */
struct brine_channel {
	struct brine_channel *next; /* of the same client */
	struct brine_host *host;
	struct brine_conn *conn;
	struct brine_stream *stream;
	struct brine_lock *lock; /* of the client whose calls share the connection with a loop thread; NULL: the owner's
	                            context suffices */
	struct brine_peer peer;
	struct brine_request_list requests;  /* not ended */
	struct brine_channel_watch *watches; /* guarded by the host's lock */

	bool ended;          /* the peer sends no more, or the stream died */
	bool dead;           /* the stream failed: nothing can be written */
	bool shut;           /* we said that we send no more */
	bool is_short;       /* memory is: reads less */
	bool closed;         /* its last event was handled */
	bool backlog;        /* has events that were left there: reads nothing new before */
	unsigned reads_left; /* dead since a write failed: what had arrived is read at most so many times more */
	int system_errno;    /* why it died; 0 where the peer only closed */

	/* Calls to the peer: */
	uint32_t calls;      /* running on it */
	bool plain;          /* plain MessagePack-RPC was asked for */
	bool hello_received; /* the peer's welcome came */
	bool proven;         /* it brought a welcome or an answer */
	unsigned polled;     /* what the leader waits for, a set of enum brine_ready */

	/* keepalive.c: */
	bool pinged;       /* at pinged_ms, and no sign of life since */
	uint64_t heard_ms; /* the last sign of life */
	uint64_t pinged_ms;
	int64_t ping_end; /* in the bytes sent */
	int64_t taken;    /* of them, by the peer, when the keepalive looked last */
};

typedef void brine_event_fn(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms);

/* What an owner does about each type of event, about a call of ours or else. NULL: nothing. */
struct brine_event_table {
	brine_event_fn *ours[BRINE_EVENT_CLOSED + 1];
	brine_event_fn *theirs[BRINE_EVENT_CLOSED + 1];
};

/* Guards the connection against the threads that call the peer, in between. */
static inline void brine_channel_lock(struct brine_channel *channel)
{
	if (channel->lock)
		brine_lock_take(channel->lock);
}

static inline void brine_channel_unlock(struct brine_channel *channel)
{
	if (channel->lock)
		brine_lock_release(channel->lock);
}

/* Whether connections can be made with these options: 0, or what brine_conn_new() says. */
int brine_channel_check(const struct brine_conn_options *options, struct brine_error *error);

/* Opens a channel over a connected socket, which it owns from then on, also on error. host and peer are set already.
 * Errors: BRINE_ERR_NOMEM, and what brine_conn_new() says. */
int brine_channel_open(struct brine_channel *channel, int fd, const struct brine_conn_options *options, uint64_t now_ms,
                       struct brine_error *error);

/* Lets the kernel find a TCP peer that vanished. Where it cannot, the connection does without. */
void brine_channel_find_dead_peer(int fd, const struct brine_limits *limits);

/* Reads once into input (BRINE_INPUT_SIZE bytes) and feeds it, where the connection wants to read. True when something
 * came: bytes, the end or an error. */
bool brine_channel_read(struct brine_channel *channel, void *input, uint64_t now_ms);

/* Takes the next event and does what the owner's table says. Our calls are looked after under the channel's lock, and
 * the rest without it. 0: there was none; 1: it was about a call of ours; 2: about something else. */
int brine_channel_take_event(struct brine_channel *channel, uint64_t now_ms);

/* Writes what is pending as far as the stream takes it, and says when nothing more will come. After a failed write the
 * channel is dead and each call, once the events of the last one were pulled, reads a piece of what had arrived: the
 * connection ends behind that. input: BRINE_INPUT_SIZE bytes of scratch. */
void brine_channel_write(struct brine_channel *channel, void *input, uint64_t now_ms);

/* What the stream must be ready for before anything moves: a set of enum brine_ready, before brine_stream_want(). */
unsigned brine_channel_wants(const struct brine_channel *channel);

/* Ends the channel because its stream cannot be used. */
void brine_channel_fail(struct brine_channel *channel, int system_errno, uint64_t now_ms);

/* Tells those who watch the channel, none of whose requests is left. */
void brine_channel_tell_watches(struct brine_channel *channel);

/* Closes the stream and releases it and the connection. An empty channel is allowed. */
void brine_channel_done(struct brine_channel *channel);

/* keepalive.c */

/* When the next look at a peer is due that is silent while calls run on the channel; BRINE_FOREVER: never. interval_ms
 * 0: off. */
uint64_t brine_channel_keepalive_due(const struct brine_channel *channel, uint64_t interval_ms);

/* The look itself, where it is due: asks the peer for a sign of life, or gives it up. */
void brine_channel_keep_alive(struct brine_channel *channel, uint64_t interval_ms, uint64_t now_ms);

/* Something was heard of the peer. */
static inline void brine_channel_heard(struct brine_channel *channel, uint64_t now_ms)
{
	channel->heard_ms = now_ms;
	channel->pinged = false;
}

#endif
