/* inspect/session.h - what the pieces of a recorded (or live) connection mean: each message taken apart, judged, and
 * joined with the call it belongs to and with its schema. Printers (text.h, json.h) show the records. Not thread-safe.
 *
 * A tap (brine_tap_fn) has whole messages: it fills an inspect_piece by hand and goes on from there. */
#ifndef INSPECT_SESSION_H
#define INSPECT_SESSION_H

#include "inspect/calls.h"
#include "inspect/stream.h"

enum inspect_direction {
	INSPECT_DIRECTION_UNKNOWN = 0,
	INSPECT_C2S, /* from the connecting side */
	INSPECT_S2C,
};

enum { INSPECT_ELEMENTS_MOST = 15 }; /* what a fixarray can hold */

struct inspect_schema;

/* One message, or one stretch of bytes that could not be understood. Views borrow from the piece and from the session;
 * they live until the next take. */
struct inspect_record {
	struct inspect_piece piece;
	int direction;    /* enum inspect_direction */
	int wire;         /* enum brine_wire */
	bool sound;       /* decoded, and a peer would accept it */
	bool well_formed; /* one MessagePack array of at most INSPECT_ELEMENTS_MOST elements: elements are set */
	int type;         /* of the message; -1: not readable */
	struct brine_error fault;         /* of a message that is not sound; offset in the stream */
	struct brine_judgement judgement; /* what a peer does with it */
	struct brine_frame frame;         /* sound messages only */
	unsigned element_count;
	struct brine_bytes elements[INSPECT_ELEMENTS_MOST];
	struct brine_bytes method;         /* its own or that of its call; size 0: unknown */
	const struct brine_method *schema; /* of the method; NULL: unknown */
};

struct inspect_session {
	struct brine_limits limits;
	const struct inspect_schema *schema; /* NULL: none. Borrowed. */
	struct inspect_calls calls[3];       /* by the direction of the request */
	uint64_t hellos, pings[3], open[3];  /* unanswered so far, by the direction of the question */
	uint64_t messages, faults;           /* taken so far; an undecoded stretch counts as one fault */
	uint64_t undecoded_size;             /* bytes */
};

/* What the printers show. */
struct inspect_view {
	bool hex;          /* add the bytes of messages */
	bool show_secrets; /* in metadata */
};

/* Makes an empty session; done releases it. The schema and the allocator (NULL: the default) must outlive it. */
void inspect_session_init(struct inspect_session *session, const struct brine_limits *limits,
                          const struct inspect_schema *schema, const struct brine_allocator *allocator);
void inspect_session_done(struct inspect_session *session);

/* Makes a record of one piece of a stream in mode wire. 0 or BRINE_ERR_NOMEM. */
int inspect_session_take(struct inspect_session *session, const struct inspect_piece *piece, int direction, int wire,
                         struct inspect_record *ret_record);

/* When a piece that was not taken yet belongs in a merge of two directions that have no times (brine(1) has the rule).
 * other: the next piece of the other direction. */
enum inspect_turn {
	INSPECT_TURN_NOW,   /* nothing it could follow is missing */
	INSPECT_TURN_LATE,  /* said unasked: as late as what the other direction has next allows */
	INSPECT_TURN_WAITS, /* it follows something of the other direction that was not taken yet */
};
enum inspect_turn inspect_session_turn(const struct inspect_session *session, const struct inspect_piece *piece,
                                       int direction, const struct inspect_piece *other);

/* The direction that the first message of a connection gives away (hello, welcome), else UNKNOWN. */
int inspect_direction_of(const struct inspect_piece *first, int wire);

/* Elements that a message of the record's type has; those behind them are shown as extra. */
unsigned inspect_record_known_elements(const struct inspect_record *record);

/* "close", "goaway", "error": what a peer does (enum brine_verdict). Static text. */
const char *inspect_verdict_name(int verdict);

/* The word for the record: "request", "undecoded" ... Static text. */
const char *inspect_record_type_name(const struct inspect_record *record);

#endif
