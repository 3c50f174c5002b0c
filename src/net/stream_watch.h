/* net/stream_watch.h - waiting for streams, which have one descriptor or two. */
#ifndef BRINE_NET_STREAM_WATCH_H
#define BRINE_NET_STREAM_WATCH_H

#include "net/epoll_set.h"
#include "net/loop.h"
#include "net/stream.h"

/* What a loop watches of a stream, in the caller's storage. Not moved while it is watched. */
struct brine_stream_watch {
	struct brine_watch in;  /* of a stream with one descriptor: all there is */
	struct brine_watch out; /* of the second descriptor */
};

/* Nothing is watched yet. on_ready is called for both descriptors, as brine_watch.on_ready is. */
void brine_stream_watch_init(struct brine_stream_watch *watch,
                             void (*on_ready)(struct brine_watch *watch, unsigned ready), void *user);

/* Sets the operations (a set of enum brine_ready) that the loop waits for on the stream's behalf, the first time as
 * well; 0: errors only. No system call when nothing changes. The errors of a second descriptor show while it is written
 * to, or nothing is read; on_ready then gets both flags, as for a stream with one descriptor. Settles the stream.
 * Errors: BRINE_ERR_SYSTEM (errno), NOMEM: close the connection, nobody would look at it again. */
int brine_loop_watch_stream(struct brine_loop *loop, struct brine_stream_watch *watch, struct brine_stream *stream,
                            unsigned ready);

/* Stops watching; before the stream is closed. Never fails. */
void brine_loop_unwatch_stream(struct brine_loop *loop, struct brine_stream_watch *watch);

/* Adds what to wait for so that the operations can go on: nothing, or one or two descriptors. */
void brine_poll_set_add_stream(struct brine_poll_set *set, const struct brine_stream *stream, unsigned ready);

/* brine_epoll_set_forget() for all descriptors of a stream. */
void brine_epoll_set_forget_stream(struct brine_epoll_set *epoll_set, const struct brine_stream *stream);

/* Waits until the stream is ready for one of the operations or brine_clock_ms() reaches deadline_ms (BRINE_FOREVER: no
 * end; a past one: looks once). Signals do not shorten or lengthen it. > 0: the set that may be tried now,
 * BRINE_ERR_DEADLINE, or BRINE_ERR_SYSTEM (stream->system_errno). */
int brine_stream_wait(struct brine_stream *stream, unsigned ready, uint64_t deadline_ms);

#endif
