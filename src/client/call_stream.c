/* The streams of a call, as the program sees them. Items that come wait in the call until they are taken, which is told
 * to the connection so that the peer may send more: what waits is bounded by the stream's room there.
 *
 *   next: nothing there -----> wants_item ----- ITEM, the end ------> waiter, or on_ready
 *   send: the peer is full --> wants_room ----- CREDIT, the end ----> waiter, or on_ready */
#include "client/client.h"

#include "base/alloc.h"
#include "net/clock.h"

enum {
	BUDGET_BASE = 64 * 1024, /* what an item may cost in memory: this, and */
	BUDGET_FACTOR = 16,      /* so many bytes for each byte that came */
};

struct brine_call_item {
	struct brine_call_item *next;
	size_t size;
	uint8_t data[];
};

static void release_item(const struct brine_call *call, struct brine_call_item *item)
{
	if (item)
		brine_release(call->arena.allocator, item, sizeof *item + item->size);
}

/* The program is done with the last one. */
static void release_taken(struct brine_call *call)
{
	release_item(call, call->item_taken);
	call->item_taken = NULL;
	brine_arena_reset(&call->item_arena);
}

void brine_call_items_done(struct brine_call *call)
{
	struct brine_call_item *item;
	release_taken(call);
	while ((item = call->items)) {
		call->items = item->next;
		release_item(call, item);
	}
	call->items_end = NULL;
	brine_arena_done(&call->item_arena);
	brine_buf_done(&call->upload);
}

/* ---- what comes ---- */

/* Tells whoever waits for more than the end. */
static void tell_ready(struct brine_client *client, struct brine_call *call)
{
	struct brine_waiter *waiter = call->waiter;
	call->wants_item = call->wants_room = false;
	if (waiter)
		pthread_cond_signal(&waiter->changed);
	if (call->on_ready && !call->list)
		brine_call_list_add(&client->ready, call);
}

void brine_call_on_item(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	struct brine_call *call = event->user;
	struct brine_client *client = call->client;
	struct brine_bytes bytes = event->result;
	struct brine_call_item *item = NULL;
	if (bytes.size < SIZE_MAX - sizeof *item)
		item = brine_resize(client->options.allocator, NULL, 0, sizeof *item + bytes.size);
	if (!item) {
		if (call->failure == 0)
			call->failure = brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory keeping an item");
		brine_conn_cancel(channel->conn, call->serial, now_ms);
		return;
	}
	item->next = NULL;
	item->size = bytes.size;
	memcpy(item->data, bytes.data, bytes.size);
	if (call->items_end)
		call->items_end->next = item;
	else
		call->items = item;
	call->items_end = item;
	if (call->wants_item)
		tell_ready(client, call);
}

void brine_call_has_room(struct brine_client *client, struct brine_call *call)
{
	if (call->wants_room)
		tell_ready(client, call);
}

void brine_call_on_credit(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	struct brine_call *call = event->user;
	(void)channel;
	(void)now_ms;
	brine_call_has_room(call->client, call);
}

/* ---- waiting ---- */

static bool has_item(struct brine_client *client, const struct brine_call *call)
{
	return call->items || brine_call_is_over(client, call);
}

static bool has_room(struct brine_client *client, const struct brine_call *call)
{
	return !call->wants_room || brine_call_is_over(client, call);
}

/* Waits, or says that this call does not. */
static int await(struct brine_client *client, struct brine_call *call, brine_condition_fn *condition)
{
	if (call->on_ready)
		return brine_call_refuse(call, BRINE_ERR_WOULD_BLOCK, "not yet: on_ready tells when to try again");
	return brine_client_wait(client, call, condition, false, BRINE_FOREVER);
}

/* Whether the call was begun and has one of the streams: 0; or why not; or how the call ended before it was begun. */
static int check_call_stream(struct brine_call *call, uint32_t streams)
{
	if (!brine_call_is_usable(call))
		return BRINE_ERR_INVALID;
	brine_call_accept(call);
	int state = brine_call_state_of(call);
	if (state == BRINE_CALL_FINISHED && !call->client)
		return call->status;
	if (state == BRINE_CALL_IDLE)
		return brine_call_refuse(call, BRINE_ERR_STATE, brine_call_not_made);
	if (!call->method || !(call->method->flags & streams))
		return brine_call_refuse(call, BRINE_ERR_STATE, "the call has no such stream");
	int status = brine_client_check(call->client, NULL);
	return status < 0 ? brine_call_refuse(call, status, NULL) : 0;
}

/* The lock is held on success. */
static int enter_stream(struct brine_call *call, uint32_t streams)
{
	int status = check_call_stream(call, streams);
	if (status == 0)
		brine_client_lock(call->client);
	return status;
}

/* An error that is not how the call ended has refused this function alone. */
static void keep_refusal(struct brine_client *client, struct brine_call *call, int status)
{
	bool is_end = brine_call_is_over(client, call) && call->status == status;
	if (status < 0 && !is_end && !call->refusal)
		brine_call_refuse(call, status, NULL);
}

/* The program gave no place for an item, or none to send. */
static int refuse_item(struct brine_call *call)
{
	return brine_call_is_usable(call) ? brine_call_refuse(call, BRINE_ERR_INVALID, "the item is NULL, or its type")
	                                  : BRINE_ERR_INVALID;
}

/* Ends the call because of what this side found. */
static int fail_call(struct brine_client *client, struct brine_call *call, int status)
{
	brine_client_lock(client);
	if (brine_call_state_of(call) == BRINE_CALL_RUNNING) {
		call->failure = status;
		brine_call_abort(client, call);
		brine_client_flush_or_wake(client);
	} else {
		call->status = status;
	}
	brine_client_unlock(client);
	return status;
}

/* ---- taking ---- */

static int take_item(struct brine_call *call, struct brine_bytes *ret_item)
{
	int status = enter_stream(call, BRINE_METHOD_DOWNLOAD);
	if (status < 0)
		return status;
	struct brine_client *client = call->client;
	release_taken(call);
	if (!has_item(client, call)) {
		call->wants_item = true;
		status = await(client, call, has_item);
	}
	struct brine_call_item *item = call->items;
	if (status == 0 && item) {
		const struct brine_channel *channel = call->channel;
		call->wants_item = false;
		call->items = item->next;
		if (!item->next)
			call->items_end = NULL;
		call->item_taken = item;
		if (channel) {
			brine_conn_taken(channel->conn, call->serial, 1, item->size, brine_clock_ms());
			brine_client_flush_or_wake(client);
		}
		*ret_item = (struct brine_bytes){item->data, item->size};
		status = 1;
	} else if (status == 0) {
		status = call->status;
	}
	keep_refusal(client, call, status);
	brine_client_call_back(client);
	brine_client_unlock(client);
	return status;
}

int brine_call_next_raw(struct brine_call *call, struct brine_bytes *ret_item)
{
	return ret_item ? take_item(call, ret_item) : refuse_item(call);
}

/* Takes an item as one of that type. */
static int next_typed(struct brine_call *call, const struct brine_type *type, void *ret_item)
{
	struct brine_bytes item;
	struct brine_error error = BRINE_ERROR_INIT;
	int status = ret_item && type ? take_item(call, &item) : refuse_item(call);
	if (status <= 0)
		return status;
	call->item_arena.allocator = call->arena.allocator;
	call->item_arena.budget =
	        item.size < SIZE_MAX / BUDGET_FACTOR - BUDGET_BASE ? item.size * BUDGET_FACTOR + BUDGET_BASE : SIZE_MAX;
	status = brine_decode(ret_item, type, item, BRINE_AS_RESULT, BRINE_DECODE_CHECKED, &call->item_arena, &error);
	if (status == 0)
		return 1;
	brine_client_lock(call->client);
	call->error = error;
	brine_client_unlock(call->client);
	return fail_call(call->client, call, status);
}

int brine_call_next(struct brine_call *call, void *ret_item)
{
	int status = check_call_stream(call, BRINE_METHOD_DOWNLOAD);
	return status < 0 ? status : next_typed(call, call->method->response, ret_item);
}

int brine_call_next_as(struct brine_call *call, const struct brine_method *method, void *ret_item)
{
	int status = brine_call_check_method(call, method);
	return status < 0 ? status : next_typed(call, method->response, ret_item);
}

/* ---- sending ---- */

/* The call has ended, and the upload with it. */
static int ended_early(struct brine_call *call)
{
	return call->status < 0 ? call->status
	                        : brine_call_refuse(call, BRINE_ERR_STATE, "the peer has answered already");
}

static int try_to_send(struct brine_client *client, struct brine_call *call, struct brine_bytes item)
{
	struct brine_channel *channel = call->channel;
	if (brine_call_is_over(client, call))
		return ended_early(call);
	if (call->upload_ended)
		return brine_call_refuse(call, BRINE_ERR_STATE, "the upload was ended");
	if (!channel)
		return BRINE_ERR_NO_CREDIT;
	uint64_t now_ms = brine_clock_ms();
	int status = brine_conn_send(channel->conn, call->serial, item, now_ms);
	if (status == BRINE_ERR_TOO_BIG || status == BRINE_ERR_NOT_FOUND)
		brine_client_take_events(client, channel, now_ms);
	if (status == BRINE_ERR_NOT_FOUND && brine_call_is_over(client, call))
		return ended_early(call);
	/* It has ended, and an event that is still to come will say how. */
	return status == BRINE_ERR_NOT_FOUND ? BRINE_ERR_NO_CREDIT : status;
}

int brine_call_send_raw(struct brine_call *call, struct brine_bytes item)
{
	int status = enter_stream(call, BRINE_METHOD_UPLOAD);
	if (status < 0)
		return status;
	struct brine_client *client = call->client;
	while ((status = try_to_send(client, call, item)) == BRINE_ERR_NO_CREDIT) {
		call->wants_room = true;
		brine_client_flush_or_wake(client);
		status = await(client, call, has_room);
		if (status < 0)
			break;
	}
	brine_client_flush_or_wake(client);
	keep_refusal(client, call, status);
	brine_client_call_back(client);
	brine_client_unlock(client);
	return status;
}

/* Sends an item of that type. */
static int send_typed(struct brine_call *call, const struct brine_type *type, const void *item)
{
	struct brine_error error = BRINE_ERROR_INIT;
	if (!item || !type)
		return refuse_item(call);
	call->upload.allocator = call->arena.allocator;
	brine_buf_take(&call->upload, brine_buf_size(&call->upload));
	int status = brine_encode(&call->upload, type, item, BRINE_AS_RESULT, &error);
	return status < 0 ? brine_call_refuse_with(call, &error)
	                  : brine_call_send_raw(call, brine_buf_bytes(&call->upload));
}

int brine_call_send(struct brine_call *call, const void *item)
{
	int status = check_call_stream(call, BRINE_METHOD_UPLOAD);
	return status < 0 ? status : send_typed(call, call->method->request, item);
}

int brine_call_send_as(struct brine_call *call, const struct brine_method *method, const void *item)
{
	int status = brine_call_check_method(call, method);
	if (status == 0)
		status = check_call_stream(call, BRINE_METHOD_UPLOAD);
	return status < 0 ? status : send_typed(call, method->request, item);
}

int brine_call_end_upload_locked(struct brine_client *client, struct brine_call *call)
{
	struct brine_channel *channel = call->channel;
	if (brine_call_is_over(client, call) || call->upload_ended)
		return 0;
	int status = channel ? brine_conn_end_upload(channel->conn, call->serial, brine_clock_ms()) : 0;
	call->upload_ended = status == 0;
	return status;
}

int brine_call_end_upload(struct brine_call *call)
{
	int status = enter_stream(call, BRINE_METHOD_UPLOAD);
	if (status < 0)
		return status;
	struct brine_client *client = call->client;
	status = brine_call_end_upload_locked(client, call);
	keep_refusal(client, call, status);
	brine_client_flush_or_wake(client);
	brine_client_unlock(client);
	return status;
}

/* ---- waiting for what was sent ---- */

static bool is_flushed(struct brine_client *client, const struct brine_call *call)
{
	const struct brine_channel *channel = call->channel;
	if (brine_call_is_over(client, call))
		return true;
	return channel && (channel->closed || brine_conn_pending(channel->conn).size == 0);
}

int brine_call_flush(struct brine_call *call)
{
	int status = enter_stream(call, BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD);
	if (status < 0)
		return status;
	struct brine_client *client = call->client;
	if (!client->leading && !client->has_thread)
		brine_client_poll_now(client);
	if (!is_flushed(client, call))
		status = brine_client_wait(client, call, is_flushed, true, BRINE_FOREVER);
	if (status == 0 && brine_call_is_over(client, call))
		status = call->status;
	brine_client_flush_or_wake(client);
	keep_refusal(client, call, status);
	brine_client_call_back(client);
	brine_client_unlock(client);
	return status;
}
