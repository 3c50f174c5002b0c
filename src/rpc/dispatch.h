/* rpc/dispatch.h - from what a connection says to the handler, and back. */
#ifndef BRINE_RPC_DISPATCH_H
#define BRINE_RPC_DISPATCH_H

#include "rpc/session.h"

/* Handles one request or notification: finds its method, checks and decodes it, runs its handler or gives it to a
 * worker. */
void brine_dispatch(struct brine_session *session, const struct brine_event *event, uint64_t now_ms);

/* The part of a worker: runs the handler, unless nobody waits for its answer any more. */
void brine_dispatch_job(struct brine_request *request);

#endif
