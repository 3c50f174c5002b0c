/* channel/cancel_scope.h - calls that end with the request whose handler makes them: brine_call.parent.
 *
 * A request is cancelled at its owner, its calls end under the locks of their clients, and two clients may each be
 * owner to the parents of the other's calls. So whoever cancels a request takes no lock of a client: the child of each
 * call moves from the scope to a list of the call's client, which is woken, and ends the call in its next turn.
 *
 *   in the scope --- the request is cancelled ---> cut --- the client's next turn ---> in no list, the call ends
 *        |                                           |
 *        +---------------- the call ends ------------+--------------------------------> in no list
 *
 * Locks are taken in this order: of a client, of a scope, of the owner that a client is, of a loop thread's owner.
 *
 * A scope is held by its request and by the calls, so that either may be gone first. The child lives in the memory of
 * its call. */
#ifndef BRINE_CHANNEL_CANCEL_SCOPE_H
#define BRINE_CHANNEL_CANCEL_SCOPE_H

#include <brine/client.h>

struct brine_cancel_scope;

/* Stands in one list at most. */
struct brine_cancel_child {
	struct brine_cancel_child *next, **at; /* what points to it; NULL: it is in no list */
	struct brine_cancel_scope *scope;      /* held */
	struct brine_call *call;
	int reason;        /* cut: why, as brine_request_cancel() has it; 0: it was not */
	uint64_t given_ms; /* what the parent left the call; BRINE_FOREVER: as much as it has of its own */
};

/* ---- for the client of the call, whose lock is held ---- */

/* Ties a call that begins to its parent, and its deadline to that one's. Errors, which stand in call->error:
 * BRINE_ERR_DEADLINE, CANCELLED (the parent has ended), FORKED (it is of another process), NOMEM. */
int brine_call_join_scope(struct brine_call *call, struct brine_request *parent);

/* The call has ended, or its process is another one (forked: no lock is touched). Calls without a parent are allowed.
 */
void brine_call_leave_scope(struct brine_client *client, struct brine_call *call, bool forked);

/* Why a call ends whose child was cancelled: keeps it in the call, returns the status. */
int brine_call_take_cancel(struct brine_call *call);

/* How long the call had, for error texts, and whose time that was: "", or words to follow it. */
uint64_t brine_call_timeout_used_ms(const struct brine_client *client, const struct brine_call *call);
const char *brine_call_timeout_source(const struct brine_call *call);

/* Ends the calls whose children were cancelled. True: there were some. For the leader. */
bool brine_client_end_cancelled(struct brine_client *client);

/* ---- for the owner of the request ---- */

/* The request was cancelled: cuts the children of the calls that its handler made. */
void brine_request_cancel_children(struct brine_request *request, int reason);

/* The request has ended: its calls go on without it. Takes no lock. reuse: another request will have its memory. */
void brine_request_detach_children(struct brine_request *request, bool reuse);

#endif
