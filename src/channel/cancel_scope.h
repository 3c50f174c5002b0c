/* channel/cancel_scope.h - calls that end with the request whose handler makes them: brine_call.parent.
 *
 * Cancelling a request must end its child calls, but each call can be ended only under its own client's lock. Two
 * clients can hold parents of each other's calls, so taking that lock here could deadlock. Instead each child moves to
 * the list `cancelled` of its client's host, and the client is woken, which ends the call on its next turn.
 *
 *   in the scope --- the request is cancelled ---> cancelled --- the client's next turn ---> in no list, the call ends
 *        |                                             |
 *        +----------------- the call ends -------------+-----------------------------------> in no list
 *
 * Locks are taken in this order: of a client, of a scope, of the client's host, of a loop thread's host.
 *
 * A scope is held by its request and by the calls, so that either may be gone first. The child lives in the memory of
 * its call. */
#ifndef BRINE_CHANNEL_CANCEL_SCOPE_H
#define BRINE_CHANNEL_CANCEL_SCOPE_H

#include "channel/host.h"

struct brine_call;
struct brine_cancel_scope; /* opaque */

/* Stands in one list at most. */
struct brine_cancel_child {
	struct brine_cancel_child *next, **at; /* what points to it; NULL: it is in no list */
	struct brine_cancel_scope *scope;      /* held */
	struct brine_call *call;
	struct brine_host *host; /* of the call's client */
	int reason;              /* why it was cancelled; 0: it was not */
	uint64_t given_ms;       /* what the parent left the call; BRINE_FOREVER: as much as it has of its own */
};

/* The scope in *place, made where there is none yet; several threads may ask at once. NULL: out of memory. */
struct brine_cancel_scope *brine_cancel_scope_of(_Atomic(struct brine_cancel_scope *) *place,
                                                 const struct brine_host *host);

/* The request is cancelled: so are its children, each by its own host. */
void brine_cancel_scope_cancel(struct brine_cancel_scope *scope, int reason);

/* The request has ended: its calls go on without it. Takes no lock. reuse: a scope without calls stays in *place for
 * the next request. */
void brine_cancel_scope_detach(_Atomic(struct brine_cancel_scope *) *place, bool reuse);

/* Adds a child, unless check() says why it cannot be, which is returned: it is asked with the lock held. Whoever
 * cancels says so first and looks for children afterwards, so that one of the two sees the other. */
int brine_cancel_scope_add(struct brine_cancel_scope *scope, struct brine_cancel_child *child,
                           int (*check)(const void *parent, struct brine_call *call), const void *parent);

/* Takes a child out, whose call has ended, and lets go of the scope. forked: no lock is taken. */
void brine_cancel_child_remove(struct brine_cancel_child *child, bool forked);

/* The next child of this host that was cancelled, taken from the list; NULL: none. */
struct brine_cancel_child *brine_cancel_child_next(struct brine_host *host);

#endif
