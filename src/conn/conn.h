/* conn/conn.h - the inside of struct brine_conn, and what can be asked of it without changing how it goes on.
 *
 * Each file of this folder uses only those before it:
 *   calls    records of calls, their lists, ids and timers
 *   conn     the struct
 *   output   frames that wait to be sent
 *   end      how calls and the connection end
 *   streams  items, ends of uploads, credit
 *   events   what is told to the program and no message brings
 *   receive  what messages do
 *   send     what the program asks for
 *   timers   what time does
 *   entry    begin, bytes in and out, the next event */
#ifndef BRINE_CONN_CONN_H
#define BRINE_CONN_CONN_H

#include "codec/scan.h"
#include "conn/calls.h"

#include <brine/conn.h>

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
	uint64_t due_ms; /* what brine_conn_deadline() said, while due_known */

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
	bool due_known;         /* nothing has changed since due_ms was found out */
	bool at_rest;           /* next had nothing to give, and nothing has changed since */
	bool uploads_cut;       /* eof may have left uploads open whose handlers are not told yet */
	bool progress_counts;   /* the first interval of an unfinished message is over */
	int lost_status;
	uint64_t credit_due; /* the call of theirs whose upload has no credit yet; 0: none */

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

/* Nothing runs that the end of the connection would have to wait for. */
static inline bool conn_is_idle(const struct brine_conn *conn)
{
	return conn->calls.outgoing.count == 0 && conn->calls.incoming.count == 0;
}

/* Takes the time that the caller passed. */
static inline void conn_clock(struct brine_conn *conn, uint64_t now_ms)
{
	if (now_ms > conn->now_ms)
		conn->now_ms = now_ms;
}

/* The same for whatever may change the connection: when it is due next and whether there is something to give has to be
 * found out again. */
static inline void conn_changes(struct brine_conn *conn, uint64_t now_ms)
{
	conn_clock(conn, now_ms);
	conn->due_known = conn->at_rest = false;
}

/* Makes the event one of this type about this call. */
static inline void conn_event_about(struct brine_event *event, int type, const struct call *call)
{
	event->type = type;
	event->serial = call->serial;
	event->user = call->user;
	event->is_ours = call->is_ours;
}

struct brine_frame_hello conn_own_hello(const struct brine_conn *conn);

/* Bytes of the largest message the peer takes. */
uint32_t conn_peer_size_max(const struct brine_conn *conn);

/* Counts a message that is odd but harmless: it is handled. */
enum conn_step conn_glitch(struct brine_conn *conn);

/* Takes size bytes from the front of the input. */
void conn_input_take(struct brine_conn *conn, size_t size);

#endif
