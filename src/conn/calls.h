/* clang-format off */
/* conn/calls.h - the calls of one connection, both directions: their records, lists, ids and timers.
 *
 * A record is in exactly one list, which says how far the call is. Freeing the record also leaves the list.
 *
 *   list                 | entered when                        | left when
 *   ---------------------+-------------------------------------+---------------------------------------------------
 *   outgoing             | the program begins a call of ours   | the answer comes (freed)
 *                        |                                     | it is cancelled, expires or is lost (events)
 *   incoming             | a request of the peer comes         | the handler answers (freed)
 *                        |                                     | it is cancelled, expires or is lost (events)
 *   events               | a call ended before its answer,     | the program takes the event:
 *                        | and the program is not told yet     | ours (awaiting_late_answer where the peer owes
 *                        |                                     | an answer, else freed), theirs (awaiting_handler)
 *   awaiting_late_answer | a call of ours ended, and the peer  | the answer comes, or too many wait (freed)
 *                        | still owes the answer to its id     |
 *   awaiting_handler     | a call of theirs ended, and its     | the handler answers or gives up (freed)
 *                        | handler still runs                  |
 *
 * Beside its list, a record whose items we send may wait in the queue `stalled` or `ready`. */
/* clang-format on */
#ifndef BRINE_CONN_CALLS_H
#define BRINE_CONN_CALLS_H

#include "base/idmap.h"

#include <brine/conn.h>

enum { CALL_ID_SIZE_MAX = 9 };

struct call_list {
	struct call *first, *last;
	uint32_t count;
};

struct call_queue {
	struct call *first, *last;
};

/* The stream whose items we send: the upload of a call of ours, the answer stream of a call of theirs. */
struct stream_out {
	bool is_open;    /* asked for, its end not sent */
	bool was_queued; /* something of it was, behind the request */
	uint32_t credit; /* items the peer still takes */
	struct call_queue *queue;
	struct call *prev, *next; /* in the queue */
	uint64_t since_ms;        /* when it came into the queue */
};

/* The stream whose items we receive: the answer stream of a call of ours, the upload of a call of theirs. */
struct stream_in {
	bool is_open;       /* asked for, its end has not come */
	bool has_ended;     /* it has */
	bool credit_unsent; /* the last credit frame waits in the output */
	uint32_t granted;   /* items the peer may still send */
	uint32_t untaken;   /* items that the program has not said it took */
	size_t untaken_size;
	size_t item_size; /* running average; 0: none came yet */
};

struct call {
	struct call *prev, *next;
	struct call_list *list;
	uint64_t serial;
	uint64_t deadline_ms;
	size_t timer;       /* place in the heap of timers, counted from 1; 0: none */
	uint64_t queued_at; /* ours: where the request begins in all bytes ever queued */
	size_t queued_size; /* ours: bytes of the request, prefix included */
	void *user;         /* the program's, in events */
	uint32_t id;        /* on the framed wire, and ours */
	int status;         /* why it ended early; BRINE_OK while it runs */
	uint8_t id_size;    /* theirs: the id as it came, to be echoed */
	uint8_t id_bytes[CALL_ID_SIZE_MAX];
	bool is_ours;
	bool owes_id; /* its id names it on the wire: no answer was written or read yet */
	struct stream_out out;
	struct stream_in in;
};

struct calls {
	struct call_list outgoing, incoming, events, awaiting_late_answer, awaiting_handler;
	struct call_queue stalled; /* a send waits for credit; oldest first */
	struct call_queue ready;   /* a send that waited may be tried again once the output has room */
	size_t untaken_size;       /* of items of all records */
	struct brine_idmap by_serial;
	struct brine_idmap outgoing_ids, incoming_ids; /* ids in use; incoming: framed only */
	struct call **timers;                          /* a heap, nearest deadline first */
	size_t timer_count, timer_capacity;
	struct call *spare; /* freed records to use again, linked by next */
	unsigned spare_count;
	uint64_t serial_last;
	uint32_t incoming_handlers; /* theirs in any list */
	const struct brine_allocator *allocator;
};

void calls_init(struct calls *calls, const struct brine_allocator *allocator, uint64_t seed);
void calls_done(struct calls *calls);

/* A new record with a serial, in the list `outgoing` or `incoming`; NULL when out of memory. */
struct call *call_new(struct calls *calls, bool is_ours);
/* Takes it out of everything and releases it. */
void call_free(struct calls *calls, struct call *call);
void call_move(struct call *call, struct call_list *list);

/* Puts it at the end of a queue of senders, out of the one it was in; call_unqueue() only takes it out. */
void call_enqueue(struct call *call, struct call_queue *queue, uint64_t now_ms);
void call_unqueue(struct call *call);

/* Items that wait are no longer counted. */
void call_forget_items(struct calls *calls, struct call *call);

/* Lets the id name the call on the wire, or no longer. BRINE_ERR_NOMEM. */
int call_own_id(struct calls *calls, struct call *call, uint32_t id);
void call_drop_id(struct calls *calls, struct call *call);

/* Arms the timer: 0 or BRINE_ERR_NOMEM. BRINE_FOREVER arms nothing. */
int call_arm(struct calls *calls, struct call *call, uint64_t deadline_ms);
void call_disarm(struct calls *calls, struct call *call);
/* The call whose deadline is nearest, NULL: none. */
struct call *calls_nearest(const struct calls *calls);

/* Releases memory kept for later use. */
void calls_shrink(struct calls *calls);

#endif
