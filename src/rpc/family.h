/* rpc/family.h - calls that end with the request whose handler makes them: brine_call.parent.
 *
 * A request is cancelled at its home, its calls end under the locks of their clients, and two clients may each be home
 * to the parents of the other's calls. So whoever cancels a request takes no lock of a client: the tie of each call
 * moves from the family to a list of the call's client, which is woken, and ends the call in its next turn.
 *
 *   in the family --- the request is cancelled ---> cut --- the client's next turn ---> in no list, the call ends
 *        |                                           |
 *        +---------------- the call ends ------------+--------------------------------> in no list
 *
 * Locks are taken in this order: of a client, of a family, of the home that a client is, of a lane's home.
 *
 * A family is held by its request and by the calls, so that either may be gone first. The tie lives in the memory of
 * its call. */
#ifndef BRINE_RPC_FAMILY_H
#define BRINE_RPC_FAMILY_H

#include <brine/client.h>

struct brine_family;

/* Stands in one list at most. */
struct brine_tie {
	struct brine_tie *next, **at; /* what points to it; NULL: it is in no list */
	struct brine_family *family;  /* held */
	struct brine_call *call;
	int reason;        /* cut: why, as brine_request_cancel() has it; 0: it was not */
	uint64_t given_ms; /* what the parent left the call; BRINE_FOREVER: as much as it has of its own */
};

/* ---- for the client of the call, whose lock is held ---- */

/* Ties a call that begins to its parent, and its deadline to that one's. Errors, which stand in call->error:
 * BRINE_ERR_DEADLINE, CANCELLED (the parent has ended), FORKED (it is of another process), NOMEM. */
int brine_call_tie(struct brine_call *call, struct brine_request *parent);

/* The call has ended, or its process is another one (forked: no lock is touched). Calls without a parent are allowed.
 */
void brine_call_untie(struct brine_client *client, struct brine_call *call, bool forked);

/* Why a call ends whose tie was cut: keeps it in the call, returns the status. */
int brine_call_take_cut(struct brine_call *call);

/* How long the call had, for error texts, and whose time that was: "", or words to follow it. */
uint64_t brine_call_had_ms(const struct brine_client *client, const struct brine_call *call);
const char *brine_call_had_from(const struct brine_call *call);

/* Ends the calls whose ties were cut. True: there were some. For the mover. */
bool brine_client_end_cut(struct brine_client *client);

/* ---- for the home of the request ---- */

/* The request was cancelled: cuts the ties of the calls that its handler made. */
void brine_request_cut(struct brine_request *request, int reason);

/* The request has ended: its calls go on without it. Takes no lock. reuse: another request will have its memory. */
void brine_request_part(struct brine_request *request, bool reuse);

#endif
