/* dispatch/dispatch.h - from what a connection says to the handler, and back. */
#ifndef BRINE_DISPATCH_DISPATCH_H
#define BRINE_DISPATCH_DISPATCH_H

#include "dispatch/request.h"

/* Takes one request or notification over: finds its method, checks it and copies what it says. NULL: it was refused
 * and answered. [owner] */
struct brine_request *brine_dispatch_accept(struct brine_channel *channel, const struct brine_event *event,
                                            uint64_t now_ms);

/* Refuses what was taken over. The request is gone then. [owner] */
void brine_dispatch_refuse(struct brine_request *request, int64_t code, const char *text);

/* Takes it over and runs its handler here, or gives it to a worker. On a loop thread. */
void brine_dispatch(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms);

/* Something became of a request that was taken over, or came on its streams: a CANCEL, ITEM, UPLOAD_END or CREDIT
 * event. The program may be called, and the request gone afterwards. At host. */
void brine_dispatch_change(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms);

/* Outside the owner's context: runs the handler, unless nobody waits for its answer any more. */
void brine_dispatch_job(struct brine_request *request);

#endif
