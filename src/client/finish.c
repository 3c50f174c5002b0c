/* The public functions that end calls. */
#include "client/client.h"

int brine_call_take_response(struct brine_call *call, const struct brine_method *method, void *response)
{
	int status = call->status;
	if (status < 0 || !response)
		return status;
	if (!method)
		return brine_call_refuse(call, BRINE_ERR_INVALID,
		                         "the call was begun without a type: brine_call_result() has its answer");
	call->status = brine_decode(response, method->response, call->result, BRINE_AS_RESULT, BRINE_DECODE_CHECKED,
	                            &call->arena, &call->error);
	return call->status;
}

/* Nobody takes or sends items any more. */
static void end_streams(struct brine_client *client, struct brine_call *call)
{
	if (call->streams & BRINE_METHOD_DOWNLOAD)
		brine_call_abort(client, call);
	else
		(void)brine_call_end_upload_locked(client, call);
	brine_client_flush_or_wake(client);
}

static int finish_typed(struct brine_call *call, const struct brine_method *method, void *response)
{
	struct brine_client *client = call->client;
	bool is_idle = brine_call_state_of(call) == BRINE_CALL_IDLE;
	brine_call_accept(call);
	if (!client)
		return is_idle ? brine_call_refuse(call, BRINE_ERR_STATE, brine_call_not_made) : call->status;
	int status = brine_client_check(client, NULL);
	if (status < 0)
		return brine_call_refuse(call, status, NULL);
	brine_client_lock(client);
	if (call->streams)
		end_streams(client, call);
	status = brine_client_wait(client, call, brine_call_is_over, false, BRINE_FOREVER);
	/* Who has its end need not be told of it. */
	if (status == 0 && !call->on_done && !call->on_ready)
		brine_call_unlist(client, call);
	brine_client_call_back(client);
	brine_client_unlock(client);
	if (status < 0)
		return brine_call_refuse(call, status, NULL);
	brine_call_run_after(client, call);
	return brine_call_take_response(call, method, response);
}

int brine_call_finish(struct brine_call *call, void *response)
{
	return brine_call_is_usable(call) ? finish_typed(call, call->method, response) : BRINE_ERR_INVALID;
}

int brine_call_finish_as(struct brine_call *call, const struct brine_method *method, void *response)
{
	int status = brine_call_check_method(call, method);
	return status < 0 ? status : finish_typed(call, method, response);
}

int brine_call_wait(struct brine_call *call, uint64_t timeout_ms)
{
	if (!brine_call_is_usable(call))
		return BRINE_ERR_INVALID;
	struct brine_client *client = call->client;
	int state = brine_call_state_of(call);
	brine_call_accept(call);
	if (state == BRINE_CALL_IDLE)
		return brine_call_refuse(call, BRINE_ERR_STATE, brine_call_not_made);
	/* One that could not begin. */
	if (!client)
		return 0;
	int status = brine_client_check(client, NULL);
	if (status < 0)
		return brine_call_refuse(call, status, NULL);
	brine_client_lock(client);
	brine_client_flush_or_wake(client);
	status = brine_client_wait(client, call, brine_call_is_over, false, brine_deadline_after(timeout_ms));
	brine_client_call_back(client);
	brine_client_unlock(client);
	return status < 0 ? brine_call_refuse(call, status, NULL) : 0;
}

void brine_call_cancel(struct brine_call *call)
{
	bool is_running = call && brine_call_state_of(call) == BRINE_CALL_RUNNING;
	struct brine_client *client = is_running ? call->client : NULL;
	if (!client || brine_client_check(client, NULL) < 0)
		return;
	brine_client_lock(client);
	brine_call_abort(client, call);
	brine_client_flush_or_wake(client);
	brine_client_unlock(client);
}
