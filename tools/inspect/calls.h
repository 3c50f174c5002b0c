/* inspect/calls.h - the calls of one side of a recorded connection, by id, so that answers and items show their method.
 * Memory and time are bounded whatever the ids are: a call is kept in one of a few slots that its id chooses, and a new
 * one takes the place of one that has ended or, failing that, of the oldest. Not thread-safe. */
#ifndef INSPECT_CALLS_H
#define INSPECT_CALLS_H

#include <brine/allocator.h>
#include <brine/frame.h>
#include <brine/type.h>

enum {
	INSPECT_CALLS_SETS = 512,
	INSPECT_CALLS_WAYS = 4,
	INSPECT_METHOD_MOST = 255, /* bytes kept of a method's name */
};

struct inspect_call {
	bool used;
	bool ended;         /* its response was seen; kept for items and cancels that crossed it */
	bool counts_credit; /* the request gave credit for items */
	uint64_t credit;    /* items that may come */
	uint64_t id;
	uint64_t age;
	const struct brine_method *schema; /* NULL: not in the schemas given */
	uint8_t method_size;
	uint8_t method[INSPECT_METHOD_MOST];
};

/* All zero is a valid empty table. */
struct inspect_calls {
	struct inspect_call *slots; /* made at the first call */
	uint64_t clock;
	uint64_t forgotten; /* calls that lost their place before they ended */
	const struct brine_allocator *allocator;
};

void inspect_calls_done(struct inspect_calls *calls);

/* Remembers a request: id, schema and credit of call, and its method, cut to INSPECT_METHOD_MOST. 0 or BRINE_ERR_NOMEM.
 */
int inspect_calls_add(struct inspect_calls *calls, const struct inspect_call *call, struct brine_bytes method);

/* The call last made with that id, or NULL. Lives until the next add. */
struct inspect_call *inspect_calls_find(const struct inspect_calls *calls, uint64_t id);

#endif
