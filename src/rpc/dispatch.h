/* rpc/dispatch.h - from a request on the wire to its handler. */
#ifndef BRINE_RPC_DISPATCH_H
#define BRINE_RPC_DISPATCH_H

#include "rpc/session.h"

/* Answers a REQUEST event, or starts a handler that will; runs the handler of a NOTIFICATION event. */
void brine_dispatch(struct brine_session *session, const struct brine_event *event, uint64_t now_ms);

#endif
