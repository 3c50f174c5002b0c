/* dispatch/request_stream.h - the streams of one request.
 *
 *   ITEM event -> in -> batch -> brine_request_next()        brine_request_send() -> out -> brine_conn_send()
 *             in the owner's context | handler's thread                          handler's thread | in the owner's
 * context
 *
 * The connection is touched in the owner's context alone (channel/host.h). The two queues between owner and handler are
 * guarded by the stream's lock and bounded: `in` and `batch` by the credit that the connection gave, `out` by
 * FLOW_OUT_MARK. What the handler has taken goes to the connection as credit with the next post. */
#ifndef BRINE_DISPATCH_REQUEST_STREAM_H
#define BRINE_DISPATCH_REQUEST_STREAM_H

#include "dispatch/request.h"

#include <pthread.h>

struct brine_request_stream {
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	pthread_cond_t changed;
	struct brine_buf in;  /* items that came: the size of each in front of it */
	struct brine_buf out; /* items to be sent, likewise */
	bool in_ended;        /* no more will come */
	int in_status;        /* why: BRINE_OK in order */
	bool posted;          /* owner will look here */
	bool waits;           /* somebody was told BRINE_ERR_WOULD_BLOCK */
	bool moved;           /* something changed since the handler began to wait */
	uint32_t taken_count; /* items taken, not told to the connection */
	size_t taken_size;

	/* For the one thread that works on the request: */
	struct brine_buf batch; /* items handed out one by one */
	size_t held;            /* bytes of batch that the last item takes, its size included; 0: none */
	uint32_t done_count;    /* items taken, not told in the owner's context */
	size_t done_size;
	struct brine_arena arena; /* of the last item, decoded */
	struct brine_buf scratch; /* the next item, encoded */
};

/* Makes the streams of a request, NULL when out of memory. */
struct brine_request_stream *brine_request_stream_new(const struct brine_allocator *allocator);
void brine_request_stream_free(struct brine_request_stream *stream, const struct brine_allocator *allocator);

/* Whether something changed since the handler began to wait. Any thread. */
bool brine_request_stream_has_changed(struct brine_request_stream *stream);

/* As brine_request_next(), without an answer: where an item does not fit ret_fault has a code, and the call is still to
 * be ended. The thread of the handler. */
int brine_request_take(struct brine_request *request, void *ret_item, struct brine_error *ret_fault);

/* The rest is called in the owner's context. All may call the program's on_ready: the request may be gone afterwards.
 */

/* An item of the peer's upload came. */
void brine_request_stream_receive(struct brine_request *request, struct brine_bytes item);

/* The upload is at its end; status: why. */
void brine_request_stream_end(struct brine_request *request, int status);

/* The connection takes items again, or the handler's thread posted: moves what can be moved, and delivers an answer
 * that waited for it. tells: the program is to be told in any case. */
void brine_request_stream_advance(struct brine_request *request, bool tells);

/* Nobody waits for the answer any more: wakes whoever waits here. */
void brine_request_stream_cancel(struct brine_request_stream *stream);

/* Gives credit and sends what can be sent; true: nothing is left that an answer would have to wait for. Never calls the
 * program. */
bool brine_request_stream_flush(struct brine_request *request);

#endif
