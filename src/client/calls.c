/* The life of a call inside a client:
 *
 *   submit -- a connection takes it --------------> on a channel --- answer, deadline, cancel, loss ---> ended
 *     |                                              ^    |
 *     +-- none is there, or it takes no more --> queued <-+ lost, and its method may be sent again
 *                                                 |
 *                                                 +-- deadline, cancel, no connection to be had ----> ended */
#include "client/client.h"

#include "client/parent.h"
#include "net/clock.h"

#include <inttypes.h>

enum {
	BUSY_ASSUMED = 256, /* calls a connection is assumed to take before there is one */
};

void brine_call_list_add(struct brine_call_list *list, struct brine_call *call)
{
	call->list = list;
	call->prev = list->last;
	call->next = NULL;
	if (list->last)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
	list->count++;
}

static void list_add_first(struct brine_call_list *list, struct brine_call *call)
{
	call->list = list;
	call->prev = NULL;
	call->next = list->first;
	if (list->first)
		list->first->prev = call;
	else
		list->last = call;
	list->first = call;
	list->count++;
}

void brine_call_unlist(struct brine_client *client, struct brine_call *call)
{
	struct brine_call_list *list = call->list;
	if (!list)
		return;
	if (call->prev)
		call->prev->next = call->next;
	else
		list->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		list->last = call->prev;
	list->count--;
	call->list = call->prev = call->next = NULL;
	if (list == &client->completed && list->count == 0 && client->completed_fd >= 0)
		brine_wakeup_clear(client->completed_fd);
}

/* ---- the request, kept for later ---- */

static bool keep_bytes(struct brine_call *call, struct brine_bytes bytes, struct brine_bytes *ret_copy)
{
	const void *copy = bytes.size ? brine_arena_copy(&call->arena, bytes.data, bytes.size) : NULL;
	if (bytes.size && !copy)
		return false;
	*ret_copy = (struct brine_bytes){copy, bytes.size};
	return true;
}

static int keep_request(struct brine_call *call, struct brine_str method, struct brine_bytes params)
{
	struct brine_bytes name;
	if (call->kept)
		return 0;
	if (!keep_bytes(call, (struct brine_bytes){method.data, method.size}, &name) ||
	    !keep_bytes(call, params, &call->kept_params) || !keep_bytes(call, call->metadata, &call->kept_metadata))
		return brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory keeping the request");
	call->kept_method = (struct brine_str){name.data, name.size};
	call->kept = true;
	return 0;
}

/* ---- beginning ---- */

/* Gives the call to the connection. */
static int send_call(struct brine_client *client, struct brine_call *call, struct brine_str method,
                     struct brine_bytes params, struct brine_bytes metadata, uint64_t now_ms)
{
	struct brine_channel *channel = client->current;
	struct brine_conn_call request = {.method = method,
	                                  .params = params,
	                                  .metadata = metadata,
	                                  .deadline_ms = call->deadline_ms,
	                                  .wants_items = call->streams & BRINE_METHOD_DOWNLOAD,
	                                  .has_upload = call->streams & BRINE_METHOD_UPLOAD,
	                                  .user = call};
	if (client->options.calls_max && channel->calls >= client->options.calls_max)
		return brine_fail(&call->error, BRINE_ERR_OVERLOADED, 0, "%" PRIu32 " calls are running already",
		                  channel->calls);
	int status = brine_conn_call(channel->conn, &request, now_ms, &call->serial, &call->error);
	if (status < 0)
		return status;
	call->error.code = 0;
	call->channel = channel;
	if (call->upload_ended)
		(void)brine_conn_end_upload(channel->conn, call->serial, now_ms);
	/* Silence before there was anything to answer says nothing. */
	if (channel->calls++ == 0)
		channel->heard_ms = now_ms;
	return 0;
}

/* Whether a later try may fare better than this one. A peer's limit is assumed to be small until its welcome came. */
static bool may_change(const struct brine_client *client, int status)
{
	const struct brine_channel *channel = client->current;
	if (status == BRINE_ERR_TOO_BIG)
		return channel && !channel->hello_received && client->options.hello &&
		       brine_conn_wire(channel->conn) == BRINE_WIRE_FRAMED;
	return status == BRINE_ERR_OVERLOADED || status == BRINE_ERR_GOING_AWAY || status == BRINE_ERR_LOST;
}

/* Lets the call wait for a connection, or for its turn on it. */
static int enqueue(struct brine_client *client, struct brine_call *call, struct brine_str method,
                   struct brine_bytes params, uint64_t now_ms)
{
	const struct brine_connector *connector = &client->connector;
	bool connected = brine_client_is_connected(client);
	uint64_t most = client->options.queue_max;
	if (!connected && !brine_client_may_connect(client))
		return brine_fail(&call->error, BRINE_ERR_NOT_SENT, 0, "the connection of %s has ended",
		                  client->peer_text);
	if (!connected)
		most += client->options.calls_max ? client->options.calls_max : BUSY_ASSUMED;
	if (client->queued.count >= most && call->error.code != BRINE_ERR_TOO_BIG)
		return brine_fail(&call->error, BRINE_ERR_OVERLOADED, 0, "%" PRIu32 " calls wait already, not sent",
		                  client->queued.count);
	if (call->deadline_ms <= now_ms)
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0, "the deadline has passed, not sent");
	if (!connected && !call->wait_for_ready && call->deadline_ms <= connector->backoff_until_ms)
		return brine_connector_explain(client, &call->error);
	int status = keep_request(call, method, params);
	if (status < 0)
		return status;
	if (client->queued.count == 0 || call->deadline_ms < client->queued_due_ms)
		client->queued_due_ms = call->deadline_ms;
	brine_call_list_add(&client->queued, call);
	return 0;
}

int brine_call_submit(struct brine_client *client, struct brine_call *call, struct brine_str method,
                      struct brine_bytes params)
{
	uint64_t now_ms = brine_clock_ms();
	if (call->aborted || client->closing)
		return brine_call_end(client, call, brine_call_take_abort(call));
	call->resends = client->options.retry && call->method && !call->streams &&
	                (call->method->flags & BRINE_METHOD_IDEMPOTENT);
	int status = call->resends ? keep_request(call, method, params) : 0;
	if (status < 0)
		return brine_call_end(client, call, status);
	bool direct = client->queued.count == 0 && brine_client_is_connected(client);
	status = direct ? send_call(client, call, method, params, call->metadata, now_ms) : BRINE_ERR_LOST;
	if (status < 0 && may_change(client, status))
		status = enqueue(client, call, method, params, now_ms);
	return status < 0 ? brine_call_end(client, call, status) : 0;
}

void brine_calls_flush(struct brine_client *client, uint64_t now_ms)
{
	struct brine_call *call;
	while ((call = client->queued.first) && brine_client_is_connected(client)) {
		int status = send_call(client, call, call->kept_method, call->kept_params, call->kept_metadata, now_ms);
		if (status < 0 && may_change(client, status))
			return;
		brine_call_unlist(client, call);
		if (status < 0)
			brine_call_end(client, call, status);
		else
			brine_call_has_room(client, call);
	}
}

/* ---- ends without an answer ---- */

static int deadline_passed(struct brine_client *client, struct brine_call *call)
{
	uint64_t had_ms = brine_call_timeout_used_ms(client, call);
	const char *had_from = brine_call_timeout_source(call);
	call->code = BRINE_CODE_DEADLINE;
	/* It waited for a welcome that would have allowed it. */
	if (call->error.code == BRINE_ERR_TOO_BIG)
		return BRINE_ERR_TOO_BIG;
	if (brine_client_is_connected(client))
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
		                  "deadline exceeded: not sent to %.100s within %" PRIu64
		                  " ms%s, as too many calls run",
		                  client->peer_text, had_ms, had_from);
	const struct brine_error *last = &client->connector.last;
	return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
	                  "deadline exceeded: no connection to %.80s within %" PRIu64 " ms%s%s%.80s", client->peer_text,
	                  had_ms, had_from, last->code ? ": " : "", last->text);
}

void brine_calls_expire(struct brine_client *client, uint64_t now_ms)
{
	if (client->queued.count == 0 || now_ms < client->queued_due_ms)
		return;
	client->queued_due_ms = BRINE_FOREVER;
	for (struct brine_call *call = client->queued.first, *next; call; call = next) {
		next = call->next;
		if (call->deadline_ms <= now_ms) {
			brine_call_unlist(client, call);
			brine_call_end(client, call, deadline_passed(client, call));
		} else if (call->deadline_ms < client->queued_due_ms) {
			client->queued_due_ms = call->deadline_ms;
		}
	}
}

void brine_calls_refuse(struct brine_client *client, const struct brine_error *why, bool all)
{
	for (struct brine_call *call = client->queued.first, *next; call; call = next) {
		next = call->next;
		if (call->wait_for_ready && !all)
			continue;
		brine_call_unlist(client, call);
		call->error = *why;
		brine_call_end(client, call, why->code);
	}
}

int brine_call_take_abort(struct brine_call *call)
{
	/* Nothing else can have failed yet. */
	if (call->failure)
		return brine_call_take_cancel(call);
	call->code = BRINE_CODE_CANCELLED;
	return BRINE_ERR_CANCELLED;
}

void brine_call_abort(struct brine_client *client, struct brine_call *call)
{
	struct brine_channel *channel = call->channel;
	if (brine_call_state_of(call) != BRINE_CALL_RUNNING)
		return;
	if (!channel && call->list != &client->queued) {
		call->aborted = true;
		if (call->waiter)
			pthread_cond_signal(&((struct brine_waiter *)call->waiter)->changed);
		return;
	}
	if (channel) {
		brine_conn_abandon(channel->conn, call->serial, brine_clock_ms());
		channel->calls--;
	}
	brine_call_unlist(client, call);
	if (call->failure == 0)
		call->code = BRINE_CODE_CANCELLED;
	brine_call_end(client, call, call->failure ? call->failure : BRINE_ERR_CANCELLED);
}

/* ---- ends ---- */

/* What was sent once and may have run is never reported as not sent. */
static int no_false_not_sent(struct brine_call *call, int status)
{
	bool says_not_sent = status == BRINE_ERR_NOT_SENT || status == BRINE_ERR_CONNECT ||
	                     status == BRINE_ERR_RESOLVE || status == BRINE_ERR_OVERLOADED ||
	                     status == BRINE_ERR_GOING_AWAY;
	if (!call->resent || !says_not_sent)
		return status;
	char why[sizeof call->error.text];
	memcpy(why, call->error.text, sizeof why);
	return brine_fail(&call->error, BRINE_ERR_LOST, 0, "%s; then: %.180s", brine_error_text(BRINE_ERR_LOST), why);
}

int brine_call_end(struct brine_client *client, struct brine_call *call, int status)
{
	struct brine_waiter *waiter = call->waiter;
	brine_call_unlist(client, call); /* from those that are ready */
	brine_call_leave_scope(call, false);
	call->channel = NULL;
	call->order = client->order++;
	call->status = status = no_false_not_sent(call, status);
	__atomic_store_n(&call->state, BRINE_CALL_FINISHED, __ATOMIC_RELEASE);
	if (waiter)
		pthread_cond_signal(&waiter->changed);
	if (call->sync)
		return status;
	bool is_completed = client->options.mode == BRINE_CLIENT_BACKGROUND && !call->on_ready && !waiter;
	if (call->on_done || is_completed)
		brine_call_list_add(&client->ended, call);
	else if (call->on_ready)
		brine_call_list_add(&client->ready, call);
	return status;
}

void brine_call_completed(struct brine_client *client, struct brine_call *call)
{
	brine_call_list_add(&client->completed, call);
	if (client->completed.count == 1 && client->completed_fd >= 0)
		brine_wakeup_signal(client->completed_fd);
}

/* Lets a call that was lost, or that a peer going away did not start, wait for the next connection. False: that is not
 * allowed, or of no use. */
static bool send_again(struct brine_client *client, struct brine_call *call, const struct brine_event *event)
{
	/* What a plain peer means by its numbers is its own affair. */
	bool refused = event->status == BRINE_ERR_REMOTE && !event->plain && event->error.code == BRINE_CODE_GOING_AWAY;
	if (!refused && event->status != BRINE_ERR_NOT_SENT && event->status != BRINE_ERR_LOST)
		return false;
	if (!call->resends || client->closing || client->connector.addr_count == 0 ||
	    call->deadline_ms <= brine_clock_ms())
		return false;
	/* Once more, but where it was never sent. */
	call->resends = event->status == BRINE_ERR_NOT_SENT;
	call->resent = event->status == BRINE_ERR_LOST;
	call->channel = NULL;
	if (client->queued.count == 0 || call->deadline_ms < client->queued_due_ms)
		client->queued_due_ms = call->deadline_ms;
	list_add_first(&client->queued, call);
	return true;
}

void brine_call_on_response(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	struct brine_call *call = event->user;
	struct brine_client *client = call->client;
	(void)now_ms;
	if (event->status == BRINE_OK || event->status == BRINE_ERR_REMOTE)
		brine_client_proven(client, channel);
	channel->calls--;
	if (!send_again(client, call, event))
		brine_call_end(client, call, brine_call_take_result(client, channel, call, event));
}
