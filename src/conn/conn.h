/* conn/conn.h - the inside of struct brine_conn and what its files share: conn.c feeds and gives events, receive.c
 * judges and handles messages, output.c queues them, send.c is what the program asks for, life.c begins, times and
 * ends. */
#ifndef BRINE_CONN_CONN_H
#define BRINE_CONN_CONN_H

#include "codec/scan.h"
#include "conn/calls.h"
#include "conn/plant.h"

#include <brine/conn.h>

enum { CONN_NO_GOAWAY = -1 };

/* What handling a message came to. */
enum conn_step {
	CONN_IDLE = 0, /* nothing more to handle now */
	CONN_HANDLED,  /* one message was, without an event */
	CONN_EVENT,    /* the event is filled */
};

struct brine_conn {
	struct brine_conn_options options; /* but the name */
	char *name;
	enum brine_conn_state state;
	int wire;        /* BRINE_WIRE_UNKNOWN until found out */
	uint64_t now_ms; /* latest time heard of */

	struct brine_buf input;
	uint64_t input_at;      /* bytes of the stream before input */
	size_t consumed;        /* bytes of input that the last event points into */
	struct brine_scan scan; /* plain: the end of the message that begins input */
	bool recognised;        /* one head was, so that answering makes sense */
	bool input_idle;        /* next found nothing more that is whole */
	bool has_more;          /* next stopped only to give output its turn */
	bool eof, lost;         /* the peer sends no more; the transport is gone */
	bool mute;              /* nothing can be written any more, as always when it is lost */
	bool eof_done;          /* the end of the peer's side was acted on */
	uint64_t credit_due;    /* the call of theirs whose upload has no credit yet; 0: none */
	bool uploads_cut;       /* it may have left uploads open whose handlers are not told yet */
	int lost_status;

	struct brine_buf output;
	uint64_t output_at;        /* bytes ever queued before output */
	struct brine_buf controls; /* of struct control: frames not sent yet that are kept track of, oldest first */
	uint32_t answers_unsent;   /* of these: answers that no handler made */
	uint32_t pongs_unsent;     /* of these: pongs */

	struct calls calls;
	uint32_t id_next;

	struct brine_frame_hello peer;
	struct brine_buf peer_texts; /* what the views in peer point into */
	bool peer_spoke;             /* its hello or welcome came */
	bool drain_sent, drain_received;
	bool fault_due; /* the fault is known, the event that tells of it is being read */
	bool closed_told;
	bool pinging;
	uint64_t ping_token;

	struct brine_error fault;
	struct brine_conn_counters counters;

	/* Times on the caller's clock. */
	uint64_t began_ms;       /* the connection */
	uint64_t heard_ms;       /* last bytes of the peer */
	uint64_t took_ms;        /* the peer took output, or it began to wait */
	uint64_t used_ms;        /* anything moved */
	uint64_t progress_at_ms; /* next look at an unfinished message; BRINE_FOREVER: there is none */
	bool progress_counts;    /* its first interval is over */
	uint64_t progress_size;  /* bytes since the last look */
	uint64_t pace_at_ms;     /* next look at how fast waiting output is taken; BRINE_FOREVER: none waits */
	uint64_t pace_size;      /* bytes taken since the last look */
	uint64_t grace_at_ms;    /* the drain ends */
	uint64_t quiet_at_ms;    /* the drain waits for nothing more but requests that cross it */
	uint64_t linger_at_ms;   /* reading and discarding ends */
	size_t discarded;
};

static inline bool conn_is_over_mark(const struct brine_conn *conn)
{
	return brine_buf_size(&conn->output) >= conn->options.limits.output_mark;
}

/* The accepting side neither reads nor starts anything while the peer leaves so much unread; the connecting side goes
 * on, so that two full pipes cannot block each other. */
static inline bool conn_is_paused(const struct brine_conn *conn)
{
	return conn->options.role == BRINE_ACCEPTING && !conn->mute && conn_is_over_mark(conn);
}

/* conn.c */
struct brine_frame_hello conn_own_hello(const struct brine_conn *conn);
void conn_input_take(struct brine_conn *conn, size_t size);
void conn_clock(struct brine_conn *conn, uint64_t now_ms);

/* The program knows that the call has ended: only what its id or its handler owes is still remembered. */
void conn_forget_ended(struct brine_conn *conn, struct call *call);

/* next has an event to give that no message brings. */
bool conn_has_local_event(const struct brine_conn *conn);

/* output.c */

/* Bytes of the largest message the peer takes. */
uint32_t conn_peer_size_max(const struct brine_conn *conn);

/* Queues a frame. BRINE_ERR_TOO_BIG, BRINE_ERR_NOMEM; nothing was queued then. After the transport is gone: 0, dropped.
 */
int conn_queue(struct brine_conn *conn, const struct brine_frame *frame);

/* Queues a frame of ours that has to go out: when it cannot be, the connection ends. */
void conn_queue_must(struct brine_conn *conn, const struct brine_frame *frame);

/* The same for a pong or an answer that no handler made; cuts the connection where the peer leaves too many of them
 * unread. */
void conn_queue_control(struct brine_conn *conn, const struct brine_frame *frame);

/* Queues credit for the stream towards us of a call. BRINE_ERR_NOMEM: nothing was queued. */
int conn_queue_credit(struct brine_conn *conn, struct call *call, uint32_t count);

/* The answer that says an error, to the id as it came. */
struct brine_frame conn_error_frame(const struct brine_conn *conn, struct brine_bytes id_bytes, int64_t code,
                                    struct brine_str text);

/* Takes an unsent request of ours back, with what was queued of its upload. False: some of it was sent. */
bool conn_take_back(struct brine_conn *conn, struct call *call);

/* Drops size bytes that were sent, or all. */
void conn_output_sent(struct brine_conn *conn, size_t size);
void conn_output_drop(struct brine_conn *conn);

/* receive.c: handles the next whole message, if there is one and it may be. */
enum conn_step conn_receive(struct brine_conn *conn, struct brine_event *event);

/* streams.c: items, ends and credit (WIRE.md section 4). */

/* The first credit of both streams of a call. */
void conn_streams_ours(struct brine_conn *conn, struct call *call, bool wants_items, bool has_upload);
void conn_streams_theirs(struct brine_conn *conn, struct call *call, const struct brine_frame *request);

/* Gives the upload of the last request its first credit where no welcome told it, unless it was answered at once. */
void conn_streams_first_credit(struct brine_conn *conn);

/* The welcome's credit counts for uploads opened before it came. */
void conn_streams_welcome(struct brine_conn *conn);

/* An event of a stream that no message brings. */
bool conn_streams_have_event(const struct brine_conn *conn);
bool conn_streams_take_event(struct brine_conn *conn, struct brine_event *event);

/* Ends calls whose peer gave no credit for too long; when that is due next, BRINE_FOREVER: never. */
void conn_streams_tick(struct brine_conn *conn);
uint64_t conn_streams_deadline(const struct brine_conn *conn);

enum conn_step conn_on_item(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);
enum conn_step conn_on_upload(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);
enum conn_step conn_on_upload_credit(struct brine_conn *conn, const struct brine_frame *frame,
                                     struct brine_event *event);
enum conn_step conn_on_item_credit(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);

/* life.c */

/* Ends a call of ours without an answer of the peer; its event will say status. BRINE_ERR_LOST becomes NOT_SENT where
 * that is true. */
void conn_end_outgoing(struct brine_conn *conn, struct call *call, int status);

/* The same, and the peer is told by a cancel where it knows of the call. */
void conn_give_up(struct brine_conn *conn, struct call *call, int status);

/* Answers a call of theirs with an error before its handler did; its CANCEL event will say status. text NULL: that of
 * the code. */
void conn_end_incoming(struct brine_conn *conn, struct call *call, int64_t code, const char *text, int status);

/* The peer or the machine failed: goaway with the code (CONN_NO_GOAWAY: without a word), all calls end, the connection
 * closes. offset: in the stream. */
void conn_fault(struct brine_conn *conn, int goaway_code, int code, uint64_t offset, const char *format, ...)
        BRINE_PRINTF(5, 6);
void conn_fault_nomem(struct brine_conn *conn);

/* The transport is beyond hope: nothing is written any more. */
void conn_cut(struct brine_conn *conn, int code, const char *text);

/* Output began to wait: watches how fast the peer takes it. */
void conn_watch_pace(struct brine_conn *conn);

/* Takes the steps that became possible: end of the peer's side, of a drain, of closing. */
void conn_settle(struct brine_conn *conn);

#endif
