/* rpc/caller.h - the client of a server that calls one of its peers, over the peer's own connection.
 *
 * Made when a handler asks for it first. From then on the state machine of that connection is guarded by the client's
 * lock: the threads of the program queue calls in it, the lane moves the bytes and pulls the events. It outlives its
 * session where the program keeps it; its calls then fail with BRINE_ERR_NOT_SENT. */
#ifndef BRINE_RPC_CALLER_H
#define BRINE_RPC_CALLER_H

#include "rpc/client.h"
#include "rpc/session.h"
#include "rpc/workers.h"

/* The client for the peer of a request, held for the caller; NULL: out of memory, or the connection has gone. Any
 * thread. */
struct brine_client *brine_session_caller(struct brine_request *request);

/* Lets the lane look at what was queued. The lock of the client, or of the home that it is, is held. Any thread. */
void brine_caller_wake(struct brine_client *client);

/* The workers of its server, which may not all wait for a peer; NULL: none. The lock is held. */
struct brine_workers *brine_caller_workers(const struct brine_client *client);

/* The rest is for the thread of the lane, without the lock. */

/* Takes the next event of a session that is not about a call to the peer: as brine_conn_next(). */
int brine_caller_next(struct brine_session *session, struct brine_event *ret_event, uint64_t now_ms);

/* Gives the connection what waits for it, and calls back. */
void brine_caller_turn(struct brine_session *session, uint64_t now_ms);

/* When the next turn is due, whatever else happens; BRINE_FOREVER: never. */
uint64_t brine_caller_due(struct brine_session *session);

/* Looks at the sessions that were woken. */
void brine_callers_heed(struct brine_lane *lane);

/* The session ends: so do all calls to the peer. forked: nobody is told. */
void brine_caller_end(struct brine_session *session, bool forked);

#endif
