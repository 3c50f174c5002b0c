/* text/text.h - inside a conversation, and what its files share:
 *
 *   schema.c      the messages as tables
 *   out.c, in.c   one direction each
 *   connect.c     the side that connects; closing either
 *   service.c     the side that is connected to, in the event form
 *   listener.c    the same with a thread that serves and others that wait
 *   join.c        how calls of the peer reach the threads that wait for them
 *   file.c        FILEs; flusher.c: their flush interval
 *   pump.c        between descriptors and conversations
 *   redirect.c    the standard streams
 *   wait.c        waits until a time
 *
 * Each direction is one call and has one lock, which is held while it waits for the peer: so one thread at a time uses
 * a call or request, as they ask for. Neither direction ever takes the lock of the other, and no loop thread takes
 * either. Calls of the peer are handed over under a third lock, which nobody holds while waiting for a peer. */
#ifndef BRINE_TEXT_TEXT_H
#define BRINE_TEXT_TEXT_H

#include <brine/text.h>

#include "text/schema.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
	TEXT_PIECE_SIZE_MAX = 64 * 1024, /* bytes of text in one frame */
};

struct text_file;

/* Our text. */
struct text_out {
	pthread_mutex_t lock;
	bool is_open; /* such a direction there is, or may come */
	bool has_ended;
	int status;                       /* why nothing can be sent any more; 0: it can */
	uint64_t pieces, size;            /* sent */
	char stream[TEXT_STREAM_MAX + 1]; /* the one named last */
	struct brine_call call;           /* connecting side: Write */
	struct brine_request *request;    /* other side: Read; NULL: not taken yet, or answered */
};

/* The peer's text. */
struct text_in {
	pthread_mutex_t lock;
	bool is_open;
	bool is_over;
	int status; /* with is_over: 0 or why it was cut */
	struct brine_text_end end;
	uint64_t pieces, size; /* received */
	char stream[TEXT_STREAM_MAX + 1];
	struct brine_call call;        /* connecting side: Read */
	struct brine_request *request; /* other side: Write; likewise */
	atomic_bool is_abandoned;      /* whoever waits in it closes it */
	atomic_bool is_lent;           /* to a pump, which may be using what came last */
};

/* A call of the peer, on its way to the thread that waits for it. */
struct text_join {
	pthread_cond_t changed;
	bool is_open;   /* one may come */
	bool is_coming; /* it did, and is about to be handed over */
	struct brine_request *request;
	int status; /* why none comes any more; 0: one may, or has */
};

/* Those of a peer that connected to us. */
struct text_joins {
	pthread_mutex_t lock; /* guards the rest */
	struct text_join write, read;
	struct brine_wire_piece first; /* of write: received already */
};

struct brine_text {
	atomic_uint holders; /* the program, FILEs, the service while calls run */
	pid_t maker;         /* others are forked children */
	const struct brine_allocator *allocator;
	uint64_t session; /* 0: none */
	char source[TEXT_SOURCE_MAX + 1];
	struct brine_client *client; /* ours; NULL: we were connected to */
	struct brine_peer peer;
	pthread_mutex_t files_lock;
	struct text_file *files; /* made of it; guarded by files_lock */
	struct text_out out;
	struct text_in in;
	/* Only where we were connected to: */
	struct brine_text_service *service; /* NULL: we connected */
	struct text_joins joins;
	struct text_peer *of; /* its connection, NULL: that has gone, or it was closed; guarded by the service's lock */
	struct brine_text *of_next, *of_previous; /* of that connection; likewise */
	void *user;
	unsigned calls;          /* of the peer that run; guarded by the service's lock */
	bool is_kept;            /* the program closes it; likewise */
	struct brine_text *next; /* waits to be accepted; likewise */
};

/* Whether this is a child of the process that made it: nothing may be done with it then but releasing its memory. */
static inline bool brine_text_forked(const struct brine_text *text)
{
	return text->maker != getpid();
}

/* connect.c */

/* A conversation with nothing in it, held once; NULL when out of memory. */
struct brine_text *brine_text_new(const struct brine_allocator *allocator, uint64_t session, struct brine_str source);
void brine_text_hold(struct brine_text *text);
void brine_text_drop(struct brine_text *text);

/* The name that peers and people get where the program gave none. */
const char *brine_text_program(void);

/* join.c */

void brine_text_joins_init(struct text_joins *joins);
void brine_text_joins_done(struct text_joins *joins);

/* A peer has connected, whose calls may come. Nobody else knows the conversation yet. */
void brine_text_joins_open(struct text_joins *joins);

/* Reserves a direction, as we see it, for the one call of the peer that it is. False: there was one already, or it was
 * closed. Any thread, as with the rest. */
bool brine_text_claim(struct text_joins *joins, enum brine_text_direction direction);

/* Hands over the call for which the direction was claimed. first: the first piece of a Write, whose views live until
 * something is received from the request; NULL for a Read. False: it was closed meanwhile. */
bool brine_text_hand_over(struct text_joins *joins, enum brine_text_direction direction, struct brine_request *request,
                          const struct brine_wire_piece *first);

/* The connection has ended: nothing joins any more. */
void brine_text_joins_lost(struct text_joins *joins);

/* What the peer wrote was cut off: it will not begin to read, either. */
void brine_text_no_reader(struct text_joins *joins);

/* Takes the peer's Read, or sees to it that none joins any more: NULL. */
struct brine_request *brine_text_last_read(struct text_joins *joins);

/* Waits for the peer's Write or Read, whose request is the caller's then: 0; BRINE_ERR_LOST or CANCELLED (closed): none
 * comes any more. */
int brine_text_await_write(struct text_joins *joins, struct brine_request **ret_request,
                           struct brine_wire_piece *ret_first);
int brine_text_await_read(struct text_joins *joins, struct brine_request **ret_request);

/* Closes it. What has joined and was not taken is answered. */
void brine_text_joins_close(struct text_joins *joins);

/* out.c */

void brine_text_out_init(struct text_out *out);
/* Gives up what runs. In a forked child: only memory. */
void brine_text_out_close(struct text_out *out, bool forked);

/* in.c */

void brine_text_in_init(struct text_in *in);
void brine_text_in_close(struct text_in *in, bool forked);

/* Closes it, also while a thread that nobody could stop (a pump) waits in it, or uses what it got: as soon as that does
 * no more. */
void brine_text_in_abandon(struct text_in *in, bool forked);

/* For a pump: what it receives is not released before it gives the whole back. */
void brine_text_in_lend(struct text_in *in);
void brine_text_in_give_back(struct text_in *in);

/* Looks at a piece that came: 1: *ret_piece is to be handed out; 0: it was not text; BRINE_ERR_PROTO: *ret_why says
 * what is wrong with it. */
int brine_text_in_take(struct text_in *in, const struct brine_wire_piece *piece, struct brine_text_piece *ret_piece,
                       const char **ret_why);

/* Says that nothing more comes: 0 in order, or why it was cut. */
void brine_text_in_finish(struct text_in *in, int status);

/* What the peer is told of it. */
struct brine_wire_receipt brine_text_in_receipt(const struct text_in *in);

#endif
