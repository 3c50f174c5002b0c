/* sim.h - what the files of the simulator share: sim_conn.c moves bytes and disturbs, sim_calls.c begins and answers
 * calls, sim_streams.c sends and takes items. Everything follows from one seed; both ends of a connection are known, so
 * that what one does is checked against what the other did. */
#ifndef BRINE_TESTS_SIM_H
#define BRINE_TESTS_SIM_H

#include "support.h"

#include <brine/conn.h>
#include <brine/pack.h>

#include <inttypes.h>

enum { CALLS_MAX = 256, WINDOW_MAX = 16, ITEM_MAX = 600 };

/* One stream of one call. */
struct flow {
	bool wanted;
	unsigned target;         /* items that its sender means to send */
	unsigned sent, received; /* items; each carries its number */
	bool ended, end_received;
	bool waits;               /* send said NO_CREDIT and no CREDIT event came */
	unsigned untaken;         /* items that came and were not taken */
	size_t sizes[WINDOW_MAX]; /* of these, oldest first */
};

/* A call by its caller's number. */
struct sim_call {
	bool started, ended, ran;
	uint64_t serial, deadline_ms;
	struct flow upload, answers;
};

/* A request that is not answered yet. */
struct handler {
	uint64_t serial;
	unsigned number; /* the caller's */
	int told;        /* status of its CANCEL event; 0: it runs */
};

struct side {
	struct brine_conn *conn;
	struct brine_conn_options options;
	struct brine_buf wire; /* sent by this side, not read by the other yet */
	bool wire_ended, closed, told_eof;
	bool may_lose;        /* something was done to the connection that loses calls */
	uint64_t grace_at_ms; /* of its drain */
	struct sim_call calls[CALLS_MAX];
	unsigned call_count;
	struct handler handlers[CALLS_MAX];
	unsigned handler_count;
	size_t untaken_size; /* of items in running calls of this side and in its handlers */
};

struct pair {
	struct side sides[2];
	bool was_reset;
};

enum injected {
	INJECTED_CUT,
	INJECTED_DELAY,
	INJECTED_HALF_CLOSE,
	INJECTED_RESET,
	INJECTED_REST,
	INJECTED_DRAIN,
	INJECTED_CLOSE,
	INJECTED_CANCEL,
	INJECTED_ABANDON,
	INJECTED_DEADLINE,
	INJECTED_LATE_REPLY,
	INJECTED_STALL,
	INJECTED_EARLY_ANSWER,
	INJECTED_CUT_UPLOAD,
	INJECTED_OVERRUN,
	INJECTED_ENCODER,
	INJECTED_COUNT
};

/* How calls ended, and what streams carried. */
enum outcome {
	OUTCOME_BEGUN,
	OUTCOME_ANSWERED,
	OUTCOME_LOST,
	OUTCOME_NOT_SENT,
	OUTCOME_ITEMS,
	OUTCOME_WHOLE_STREAMS,
	OUTCOME_FINISHED_PAIRS,
	OUTCOME_COUNT
};

extern uint64_t seed_now, random_state, now_ms;
extern uint64_t injected[INJECTED_COUNT], outcomes[OUTCOME_COUNT];

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			sim_fail(__FILE__, __LINE__, #condition);                                                      \
	} while (0)

_Noreturn void sim_fail(const char *file, int line, const char *condition);

static inline bool chance(unsigned percent)
{
	return random_below(&random_state, 100) < percent;
}

/* sim_calls.c */

/* The number at the start of an encoded value, behind an array head where there is one. */
unsigned number_in(struct brine_bytes value);
void start_call(struct side *side);
/* Answers one request that waits, in any order, or drops it; finishing: only one whose streams are done. True: one was.
 */
bool answer(struct side *side, struct side *peer, bool finishing);
void on_request(struct side *side, struct side *peer, const struct brine_event *event);
void on_response(struct side *side, const struct brine_event *event);
void on_cancel(struct side *side, struct side *peer, const struct brine_event *event);
struct handler *find_handler(struct side *side, uint64_t serial);
/* Of this side, by the serial; NULL: none. */
struct sim_call *find_call(struct side *side, uint64_t serial);
void check_calls(const struct side *side);

/* sim_streams.c */
void plan_streams(struct sim_call *call);
void on_stream_event(struct side *side, struct side *peer, const struct brine_event *event);
/* Sends some items, or all that may be sent; ends uploads that are complete. */
void send_items(struct side *side, struct side *peer, bool finishing);
/* Takes some items, or all. */
void take_items(struct side *side, struct side *peer, bool finishing);
/* The items of a call that ended are nobody's business any more. */
void forget_items(struct side *side, struct flow *flow);

#endif
