/* brine/call_streams.h - the streams of a call: items from standard input to the peer, items of the peer to standard
 * output, both at once and neither waiting for the other. */
#ifndef BRINE_CALL_STREAMS_H
#define BRINE_CALL_STREAMS_H

#include "call_loop.h"
#include "call_output.h"
#include "inspect/json_items.h"

struct call_streams {
	struct brine_call *call; /* borrowed, as are the next three */
	const struct brine_method *method;
	struct call_loop *loop;
	const struct call_errors *errors;
	bool is_over; /* the answer stream has ended */
	/* private: */
	bool upload_ended;
	struct inspect_line line; /* the item that is printed */
	size_t printed;           /* bytes of it that were */
	void *answer_item;        /* struct of method->response */
	struct inspect_json_items input;
	uint64_t item_number; /* of the item read last, from 1 */
	json_t *item_json;    /* item borrows from it */
	void *item;           /* read, not sent yet; NULL: none */
	struct brine_arena arena;
};

/* Prepares for a call that was begun with method. 0, or EXIT_FAILED having said why. */
int call_streams_init(struct call_streams *streams, struct brine_call *call, const struct brine_method *method,
                      struct call_loop *loop, const struct call_errors *errors);
void call_streams_done(struct call_streams *streams);

/* Moves what can be moved now and tells the loop what to wait for. 0; else the exit status, the call is to be
 * cancelled.
 */
int call_streams_step(struct call_streams *streams);

#endif
