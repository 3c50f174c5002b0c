/* brine/conn.h - one RPC connection as a state machine over bytes (WIRE.md sections 3 to 6).
 * Does no I/O, reads no clock, calls nothing back (but the tap): the caller moves bytes, passes the time, pulls events.
 * Not thread-safe: a connection belongs to one thread at a time.
 *
 *   read from the peer -> brine_conn_feed()          brine_conn_pending() -> write -> brine_conn_sent()
 *   or read into brine_conn_reserve(), then _fed()
 *   then brine_conn_next() until it returns 0        at brine_conn_deadline() call brine_conn_tick(), then next again
 *
 * Messages are taken apart only when next is called, and next stops early so that output gets its turn:
 * brine_conn_deadline() is due at once while events or unread input wait, and next may have more to give after
 * brine_conn_sent(). Pull events before brine_conn_tick(), or an answer that has arrived may lose against its deadline.
 *
 * now_ms is any monotonic clock of the caller's in milliseconds; it must not go back. */
#ifndef BRINE_CONN_H
#define BRINE_CONN_H

#include <brine/frame.h>

/* No deadline; "never" where a time in milliseconds is returned. */
#define BRINE_FOREVER UINT64_MAX

struct brine_conn; /* opaque */

enum brine_conn_role {
	BRINE_CONNECTING = 0,
	BRINE_ACCEPTING = 1,
};

/* How a plain peer is told of errors (WIRE.md section 6). */
enum brine_plain_errors {
	BRINE_PLAIN_ERRORS_TEXT = 0, /* "text" */
	BRINE_PLAIN_ERRORS_PAIR = 1, /* [0 | 1, "text"]: Neovim's own clients */
};

enum brine_direction {
	BRINE_RECEIVED = 0,
	BRINE_SENT = 1,
};

/* Shows each whole message (prefix excluded) as it is parsed or queued; must not call the connection. */
typedef void brine_tap_fn(void *user, int direction, int wire, struct brine_bytes message);

struct brine_conn_options {
	size_t struct_size; /* set by the initializer; lets fields be added */
	int role;           /* enum brine_conn_role */
	int wire; /* enum brine_wire. UNKNOWN: framed when connecting, found out from the first bytes when accepting */
	int plain_errors;        /* enum brine_plain_errors */
	bool plain_refused;      /* accepting: plain peers are closed without a byte */
	bool hello;              /* connecting: say hello first */
	bool live;               /* told in hello or welcome: this side has a reader at all times */
	const char *name;        /* told in hello or welcome; NULL: none. Copied. */
	uint32_t first_id;       /* of our own calls */
	uint64_t seed;           /* for tables keyed by what a peer chooses */
	uint32_t stream_items;   /* items of a stream towards us that may be granted or not taken yet; 1 .. 2^31-1 */
	size_t stream_size;      /* and about how many bytes they may have, as long as there is more than one */
	size_t streams_size_max; /* bytes of items not taken yet in all streams together; the one that breaks it ends */
	struct brine_limits limits;
	brine_tap_fn *tap; /* NULL: none */
	void *tap_user;
	const struct brine_allocator *allocator; /* NULL: the default; must outlive the connection */
};
#define BRINE_CONN_OPTIONS_INIT                                                                                        \
	{                                                                                                              \
		sizeof(struct brine_conn_options), BRINE_CONNECTING, BRINE_WIRE_UNKNOWN, BRINE_PLAIN_ERRORS_TEXT,      \
		        false, false, false, NULL, 1, 0, 16, (size_t)256 << 10, (size_t)64 << 20, BRINE_LIMITS_INIT,   \
		        NULL, NULL, NULL                                                                               \
	}

/* Events that are about a call have its serial, user and is_ours. */
enum brine_event_type {
	BRINE_EVENT_REQUEST = 1,  /* a call of the peer: method, params, metadata, deadline_ms. Owes exactly one
	                           * brine_conn_reply(), _fail() or _release() for the serial. */
	BRINE_EVENT_NOTIFICATION, /* method, params, metadata */
	BRINE_EVENT_RESPONSE,     /* a call of ours ended, exactly once: status; with BRINE_OK result; where
	                           * the peer answered so (BRINE_ERR_REMOTE; DEADLINE and CANCELLED may be our own) error;
	                           * metadata */
	BRINE_EVENT_CANCEL,       /* a call of the peer was cancelled (status BRINE_ERR_CANCELLED), passed its deadline
	                           * (BRINE_ERR_DEADLINE) or lost its connection (BRINE_ERR_LOST); or a stream of it broke a
	                           * limit: BRINE_ERR_LIMIT (streams_size_max), TOO_BIG (an item of ours), NO_PROGRESS
	                           * (stall_timeout_ms); or NOMEM for an item of ours. It was answered already; tell the
	                           * handler. The serial still owes reply, fail or release, whose bytes are dropped. */
	BRINE_EVENT_HELLO,        /* the peer's hello or welcome came: brine_conn_peer() has its limits */
	BRINE_EVENT_PONG,         /* the answer to brine_conn_ping() */
	BRINE_EVENT_GOAWAY,     /* the peer drains (status 0) or reported a fault (status BRINE_ERR_GOAWAY): error.code,
	                           text */
	BRINE_EVENT_ITEM,       /* an item of a stream towards us: result. Count it with
	                         * brine_conn_taken() once the program is done with it, or no credit follows. */
	BRINE_EVENT_UPLOAD_END, /* the peer's upload of the call ended: status BRINE_OK in order,
	                         * BRINE_ERR_CANCELLED because the peer's side of the connection did */
	BRINE_EVENT_CREDIT,     /* brine_conn_send() that said BRINE_ERR_NO_CREDIT may be tried again */
	BRINE_EVENT_CLOSED,     /* nothing more will come: status says why, BRINE_OK a clean end. The last event. */
};

/* What a pointer in here points to lives until the next call of next, feed, reserve, fed, eof, lost or free on the
 * connection. */
struct brine_event {
	int type;                    /* enum brine_event_type */
	int status;                  /* BRINE_OK or an error code */
	uint64_t serial;             /* of a call; never used twice on one connection, never 0. 0 where there is none */
	void *user;                  /* of the call: from struct brine_conn_call, or brine_conn_attach(); else NULL */
	uint64_t deadline_ms;        /* REQUEST: absolute, on the caller's clock; BRINE_FOREVER: none */
	struct brine_str method;     /* as it came, not escaped */
	struct brine_bytes params;   /* encoded: always an array */
	struct brine_bytes result;   /* encoded */
	struct brine_bytes metadata; /* encoded map; size 0: none */
	struct brine_frame_error error;
	bool wants_items, has_upload; /* REQUEST: the streams it asks for */
	bool is_ours;                 /* the serial is of a call of ours; false: of a call of the peer, or 0 */
	bool plain;                   /* the peer speaks plain MessagePack-RPC: strict arity */
};

/* A call to the peer. Everything is in the output before brine_conn_call() returns. */
struct brine_conn_call {
	struct brine_str method;             /* 1 .. limits.method_size_max bytes */
	struct brine_bytes params;           /* one encoded array; size 0: [] */
	struct brine_bytes metadata;         /* encoded map; size 0: none */
	uint64_t deadline_ms;                /* absolute; BRINE_FOREVER: none. Sent as ttl to a framed peer. */
	bool wants_items;                    /* asks for the answer stream; framed peers only */
	bool has_upload;                     /* upload items will follow; framed peers only */
	void *user;                          /* comes back in the events of the call */
	const struct brine_encoder *encoder; /* writes the params straight into the output; NULL: they are in params */
};

enum brine_conn_state {
	BRINE_CONN_OPEN = 0,
	BRINE_CONN_DRAINING, /* goaway 0 was sent or received; running calls go on */
	BRINE_CONN_CLOSING,  /* write what is pending, shut down the writing side, read and discard (feed it) until
	                        CLOSED */
	BRINE_CONN_CLOSED,   /* close the socket */
};

/* Things that happened and were dropped, since the start. Never wrap within 64 bits. */
struct brine_conn_counters {
	uint64_t frames_received, frames_sent;
	uint64_t bytes_received, bytes_sent;
	uint64_t calls_refused; /* answered error 5 or 6 */
	uint64_t glitches;      /* odd but harmless messages, dropped */
	uint64_t late_answers;  /* responses to calls that had ended here */
	uint64_t notifications_dropped;
};

BRINE_BEGIN

/* Creates a connection, stored in *ret_conn and owned by the caller until brine_conn_free(). Options are copied; NULL:
 * the defaults. On error *ret_conn is untouched. Errors: BRINE_ERR_INVALID (text names the option), BRINE_ERR_NOMEM. */
BRINE_API int brine_conn_new(struct brine_conn **ret_conn, const struct brine_conn_options *options, uint64_t now_ms,
                             struct brine_error *error);

/* Releases everything. NULL is allowed. Events not pulled are lost. Allocates nothing. */
BRINE_API void brine_conn_free(struct brine_conn *conn);

/* Feeds bytes read from the peer; all are taken (in state CLOSING and later they are discarded). A partial frame is not
 * an error; faults in the bytes come out of brine_conn_next(). Errors: BRINE_ERR_NOMEM: nothing was taken, the
 * connection is closing and its calls end as lost. */
BRINE_API int brine_conn_feed(struct brine_conn *conn, struct brine_bytes data, uint64_t now_ms);

/* Room at the end of the connection's own input, to read into: at least `least` bytes (1 where that is 0), the size is
 * in *ret_size. Valid until the next call of next, feed, reserve, tick, eof, lost, drain, close or free. NULL: out of
 * memory; the connection is closing and its calls end as lost, as with brine_conn_feed().
 * What was read is taken over by brine_conn_fed(). Where nothing was read, nothing need be said: a tick gives the room
 * back. So ask for it when there is something to read. */
BRINE_API void *brine_conn_reserve(struct brine_conn *conn, size_t least, size_t *ret_size);

/* Takes over size bytes that were read into the room of brine_conn_reserve(), as brine_conn_feed() takes bytes but
 * without copying them. Size 0 is allowed. */
BRINE_API void brine_conn_fed(struct brine_conn *conn, size_t size, uint64_t now_ms);

/* Says that the peer sends no more (read returned 0). */
BRINE_API void brine_conn_eof(struct brine_conn *conn, uint64_t now_ms);

/* Says that the peer takes no more (a write failed): nothing is queued from then on, requests of the peer are dropped.
 * What had arrived is still fed, a piece whenever brine_conn_wants_read() says that the last one was handled: the
 * reason may stand in it, and answers. brine_conn_lost() follows. */
BRINE_API void brine_conn_mute(struct brine_conn *conn, uint64_t now_ms);

/* Says that the transport is gone (a read or write failed); status: the code that CLOSED reports. Call it only after
 * what had arrived was fed. */
BRINE_API void brine_conn_lost(struct brine_conn *conn, int status, uint64_t now_ms);

/* Takes the next event: 1 an event, 0 none. A fault of the peer shows as the end of all calls and a CLOSED event whose
 * status is fatal (BRINE_ERR_PROTO, TOO_BIG ...) and whose text is brine_conn_fault(). */
BRINE_API int brine_conn_next(struct brine_conn *conn, struct brine_event *ret_event, uint64_t now_ms);

/* What ended the connection, with offset in the received bytes; code 0 while there is no fault. Borrowed; lives as long
 * as the connection. */
BRINE_API const struct brine_error *brine_conn_fault(const struct brine_conn *conn);

/* Borrows the bytes to write next; size 0: none. Valid until the next call on conn. Report with brine_conn_sent(). */
BRINE_API struct brine_bytes brine_conn_pending(const struct brine_conn *conn);

/* Says that the first size bytes of brine_conn_pending() were handed to the transport. */
BRINE_API void brine_conn_sent(struct brine_conn *conn, size_t size, uint64_t now_ms);

/* When brine_conn_tick() and brine_conn_next() must be called; BRINE_FOREVER: nothing runs, or conn is NULL. In the
 * past while next has events to give. The answer is kept until something changes, so asking again costs nothing. */
BRINE_API uint64_t brine_conn_deadline(struct brine_conn *conn);

/* Fires what is due: deadlines, progress and stuck-output limits, idle, linger. */
BRINE_API void brine_conn_tick(struct brine_conn *conn, uint64_t now_ms);

/* False while the output is over its mark (accepting side), while what was fed last to a mute connection is not handled
 * yet, or when the connection is closed: do not read. */
BRINE_API bool brine_conn_wants_read(const struct brine_conn *conn);

/* Bytes that were fed and are not handled yet: whole messages that wait for next, and one that has not come whole. */
BRINE_API size_t brine_conn_unhandled(const struct brine_conn *conn);

/* NULL: BRINE_CONN_CLOSED. */
BRINE_API enum brine_conn_state brine_conn_state(const struct brine_conn *conn);

/* What was found out: BRINE_WIRE_UNKNOWN until the first bytes decided. */
BRINE_API int brine_conn_wire(const struct brine_conn *conn);

/* The peer's hello or welcome, or the assumed values before it came; borrowed while the connection lives. */
BRINE_API const struct brine_frame_hello *brine_conn_peer(const struct brine_conn *conn);

BRINE_API const struct brine_conn_counters *brine_conn_counters(const struct brine_conn *conn);

/* Calls of ours that have not ended, and calls of the peer whose reply, fail or release is still owed. */
BRINE_API uint32_t brine_conn_calls_outgoing(const struct brine_conn *conn);
BRINE_API uint32_t brine_conn_calls_incoming(const struct brine_conn *conn);

/* Queues a request; its end comes as exactly one RESPONSE event with *ret_serial. Errors, nothing then queued:
 * BRINE_ERR_INVALID, TOO_BIG (over the peer's limit; the text has both sizes), OVERLOADED (the peer's calls_max run
 * already, or the output is over its mark), GOING_AWAY (a side drains), LOST (closed, or the peer sends no more),
 * DEADLINE (already past), UNSUPPORTED (a stream, and the peer is plain), NOMEM; BRINE_ERR_STATE where the peer may not
 * be called (accepting side: the peer is plain or said no hello, WIRE.md section 5).
 * The encoder runs once, or not at all where the call is refused before. It must not call the connection. If it fails,
 * its error is returned, and *error is left for it to fill. */
BRINE_API int brine_conn_call(struct brine_conn *conn, const struct brine_conn_call *call, uint64_t now_ms,
                              uint64_t *ret_serial, struct brine_error *error);

/* Queues a notification. Errors as brine_conn_call() but DEADLINE. */
BRINE_API int brine_conn_notify(struct brine_conn *conn, struct brine_str method, struct brine_bytes params,
                                struct brine_bytes metadata, struct brine_error *error);

/* Ends a call of ours now: its RESPONSE event will say BRINE_ERR_CANCELLED. A request still unsent is taken back, else
 * a cancel is written (framed). Unknown and ended serials are ignored. */
BRINE_API void brine_conn_cancel(struct brine_conn *conn, uint64_t serial, uint64_t now_ms);

/* The same, and no event will tell of its end, also where it has ended and that event was not taken yet. */
BRINE_API void brine_conn_abandon(struct brine_conn *conn, uint64_t serial, uint64_t now_ms);

/* Answers a call of the peer; result: one encoded value, size 0: nil. The serial is then used up, also on error.
 * BRINE_ERR_CANCELLED, DEADLINE, LOST, or what else its CANCEL event said: it was answered already, nothing is sent.
 * BRINE_ERR_NOT_FOUND: no such serial (a second answer). BRINE_ERR_TOO_BIG: over the peer's limit; error 7 went
 * instead. NOMEM: the connection is closing. */
BRINE_API int brine_conn_reply(struct brine_conn *conn, uint64_t serial, struct brine_bytes result,
                               struct brine_bytes metadata, uint64_t now_ms);

/* Does the same with a result that the encoder writes straight into the output. The encoder must not call the
 * connection. It does not run where the call was answered already or nothing can be sent any more. If it fails, its
 * error is returned, and the call is still owed its answer. */
BRINE_API int brine_conn_reply_encoded(struct brine_conn *conn, uint64_t serial, const struct brine_encoder *result,
                                       struct brine_bytes metadata, uint64_t now_ms);

/* Answers with an error; code: enum brine_code or the application's. data: one encoded value, size 0: none. Text over
 * limits.error_text_size_max is cut. Errors as brine_conn_reply(). */
BRINE_API int brine_conn_fail(struct brine_conn *conn, uint64_t serial, int64_t code, struct brine_str text,
                              struct brine_bytes data, uint64_t now_ms);

/* Says that the handler of a call ended without an answer: error 10 goes out, unless it was answered already. */
BRINE_API void brine_conn_release(struct brine_conn *conn, uint64_t serial, uint64_t now_ms);

/* Attaches a pointer of the program's to a call of the peer, whose reply, fail or release is still owed: later events
 * of that call (ITEM, UPLOAD_END, CREDIT, CANCEL) carry it as user, so that the program need not look the serial up.
 * NULL detaches. The connection never follows the pointer. BRINE_ERR_NOT_FOUND: no such call of the peer; also a call
 * of ours, whose pointer is in struct brine_conn_call. */
BRINE_API int brine_conn_attach(struct brine_conn *conn, uint64_t serial, void *user);

/* Sends one item: of the upload of a call of ours, or of the answer stream of a call of the peer. item: one encoded
 * value, copied. Errors, nothing then sent: BRINE_ERR_NO_CREDIT (wait for the CREDIT event of the serial; also while
 * the output is over half of its mark, so that calls and answers still go), TOO_BIG (over the peer's limit: the call
 * ends, ours with a cancel, theirs with error 7), CANCELLED, DEADLINE, LOST and all that CANCEL events say (a call of
 * the peer that was answered already), NOT_FOUND (no such serial, it ended), STATE (the call has no such stream, or its
 * end was sent), INVALID (an empty item), NOMEM (a call of the
 * peer ends with error 10, one of ours goes on). */
BRINE_API int brine_conn_send(struct brine_conn *conn, uint64_t serial, struct brine_bytes item, uint64_t now_ms);

/* Ends the upload of a call of ours in order; the response still comes. Ended calls are ignored. BRINE_ERR_STATE: the
 * call uploads nothing, or no more. BRINE_ERR_NOMEM: not ended. */
BRINE_API int brine_conn_end_upload(struct brine_conn *conn, uint64_t serial, uint64_t now_ms);

/* Says that the program took count items of size bytes in all that ITEM events brought; what it says beyond that is
 * ignored. Credit is given lazily and by the bytes not taken yet: when half of the stream's window is free and at least
 * 4 items, or the peer has nothing left to send with. Ended calls are ignored. Out of memory: the connection is
 * closing. */
BRINE_API void brine_conn_taken(struct brine_conn *conn, uint64_t serial, uint32_t count, size_t size, uint64_t now_ms);

/* Asks for a PONG event. BRINE_ERR_BUSY while one is unanswered, BRINE_ERR_STATE where the peer may not be pinged. */
BRINE_API int brine_conn_ping(struct brine_conn *conn, uint64_t now_ms);

/* Drains: goaway 0 is sent, later requests of the peer are answered error 6, running calls go on; closes when nothing
 * is owed or awaited, or at grace_ms, cancelling first. A second call with a shorter grace shortens it. */
BRINE_API void brine_conn_drain(struct brine_conn *conn, uint64_t grace_ms, uint64_t now_ms);

/* Ends our side in order: running calls of ours end as cancelled, what is queued goes out, then the connection closes.
 */
BRINE_API void brine_conn_close(struct brine_conn *conn, uint64_t now_ms);

BRINE_END

#endif
