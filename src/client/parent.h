/* client/parent.h - the request that a call belongs to: brine_call.parent (channel/cancel_scope.h). The lock of the
 * call's client is held. */
#ifndef BRINE_CLIENT_PARENT_H
#define BRINE_CLIENT_PARENT_H

#include "client/client.h"

/* Binds a call that begins to its parent, and its deadline to that one's. Errors, which stand in call->error:
 * BRINE_ERR_DEADLINE, CANCELLED (the parent has ended), FORKED (it is of another process), NOMEM. */
int brine_call_join_scope(struct brine_call *call, struct brine_request *parent);

/* The call has ended, or its process is another one (forked: no lock is taken). Calls without a parent are allowed. */
void brine_call_leave_scope(struct brine_call *call, bool forked);

/* Why a call ends whose parent was cancelled: keeps it in the call, returns the status. */
int brine_call_take_cancel(struct brine_call *call);

/* How long the call had, for error texts, and whose time that was: "", or words to follow it. */
uint64_t brine_call_timeout_used_ms(const struct brine_client *client, const struct brine_call *call);
const char *brine_call_timeout_source(const struct brine_call *call);

/* Ends the calls whose parents were cancelled. True: there were some. For the leader. */
bool brine_client_end_cancelled(struct brine_client *client);

#endif
