#include "client/parent.h"

#include "channel/cancel_scope.h"
#include "dispatch/request.h"
#include "net/clock.h"

/* Whether a call may begin for the request: 0, or why not, in call->error. */
static int check_parent(const void *parent, struct brine_call *call)
{
	const struct brine_request *request = parent;
	int ended = atomic_load(&request->ended);
	if (ended == BRINE_ERR_DEADLINE || request->deadline_ms <= brine_clock_ms()) {
		call->code = BRINE_CODE_DEADLINE;
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
		                  "not sent: the deadline of the request that makes this call has passed");
	}
	if (ended == 0)
		return 0;
	call->code = BRINE_CODE_CANCELLED;
	return brine_fail(&call->error, BRINE_ERR_CANCELLED, 0, "not sent: %s",
	                  ended == BRINE_ERR_LOST ? "the connection of the request that makes this call is lost"
	                                          : "the request that makes this call was cancelled");
}

static void inherit_deadline(struct brine_call *call, struct brine_cancel_child *child, uint64_t deadline_ms)
{
	child->given_ms = BRINE_FOREVER;
	if (deadline_ms >= call->deadline_ms)
		return;
	uint64_t now_ms = brine_clock_ms();
	child->given_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
	call->deadline_ms = deadline_ms;
}

int brine_call_join_scope(struct brine_call *call, struct brine_request *parent)
{
	/* The locks of a forked child are as its parent's threads had them. */
	if (brine_request_check(parent) < 0)
		return brine_fail(&call->error, BRINE_ERR_FORKED, 0,
		                  "the request that makes this call belongs to another process: answer it there");
	int status = check_parent(parent, call);
	if (status < 0)
		return status;
	struct brine_cancel_scope *scope = brine_cancel_scope_of(&parent->scope, parent->host);
	struct brine_cancel_child *child = scope ? brine_arena_alloc(&call->arena, sizeof *child) : NULL;
	if (!child)
		return brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory, not sent");
	*child = (struct brine_cancel_child){.call = call, .host = &call->client->host};
	inherit_deadline(call, child, parent->deadline_ms);
	status = brine_cancel_scope_add(scope, child, check_parent, parent);
	if (status == 0)
		call->child = child;
	return status;
}

void brine_call_leave_scope(struct brine_call *call, bool forked)
{
	if (call->child)
		brine_cancel_child_remove(call->child, forked);
	call->child = NULL;
}

int brine_call_take_cancel(struct brine_call *call)
{
	const struct brine_cancel_child *child = call->child;
	if (child->reason == BRINE_ERR_DEADLINE) {
		call->code = BRINE_CODE_DEADLINE;
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
		                  "the deadline of the request that made this call has passed");
	}
	call->code = BRINE_CODE_CANCELLED;
	return brine_fail(&call->error, BRINE_ERR_CANCELLED, 0, "%s",
	                  child->reason == BRINE_ERR_LOST ? "the connection of the request that made this call is lost"
	                                                  : "the request that made this call was cancelled");
}

uint64_t brine_call_timeout_used_ms(const struct brine_client *client, const struct brine_call *call)
{
	const struct brine_cancel_child *child = call->child;
	if (child && child->given_ms != BRINE_FOREVER)
		return child->given_ms;
	return call->timeout_ms ? call->timeout_ms : client->options.timeout_ms;
}

const char *brine_call_timeout_source(const struct brine_call *call)
{
	const struct brine_cancel_child *child = call->child;
	return child && child->given_ms != BRINE_FOREVER ? ", all that its parent request had left" : "";
}

bool brine_client_end_cancelled(struct brine_client *client)
{
	bool ended = false;
	struct brine_cancel_child *child;
	while ((child = brine_cancel_child_next(&client->host))) {
		struct brine_call *call = child->call;
		/* What this side found before is how it ends. */
		if (call->failure == 0)
			call->failure = brine_call_take_cancel(call);
		brine_call_abort(client, call);
		ended = true;
	}
	return ended;
}
