/* Items, ends and credit (WIRE.md section 4). A call has at most one stream each way: `out`, whose items we send, and
 * `in`, whose items we receive.
 *
 *   send without credit -----> stalled -- credit comes --> ready -- the output has room --> CREDIT event
 *   send into a full output --------------------------------^
 *
 * Items may fill half of the output's room: reading goes on, and calls and answers still go, where a stream's reader is
 * slow. Credit is given when items are taken, in batches. No stream has more than one credit frame in the output: what
 * it brings makes the peer send, and taking that gives the next, so nothing piles up for a peer that does not read. */
#include "conn/streams.h"

#include "base/later.h"
#include "conn/end.h"
#include "conn/output.h"

#include <stdio.h>

enum { BATCH_LEAST = 4 }; /* items to a credit frame, where a stream's room has as many */

static enum conn_step stream_fault(struct brine_conn *conn, const struct brine_frame *frame, const char *what)
{
	conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_PROTO, conn->input_at, "%s of call %lld", what,
	           (long long)frame->id);
	return CONN_HANDLED;
}

static bool is_call_running(const struct brine_conn *conn, const struct call *call)
{
	return call->list == &conn->calls.outgoing || call->list == &conn->calls.incoming;
}

/* The running call of ours that a message names; NULL: the message crossed its end. */
static struct call *running_ours(const struct brine_conn *conn, const struct brine_frame *frame)
{
	struct call *call = brine_idmap_find(&conn->calls.outgoing_ids, (uint64_t)frame->id);
	return call && is_call_running(conn, call) ? call : NULL;
}

static struct call *running_theirs(const struct brine_conn *conn, const struct brine_frame *frame)
{
	return brine_idmap_find(&conn->calls.incoming_ids, (uint64_t)frame->id);
}

void conn_streams_ours(struct brine_conn *conn, struct call *call, bool wants_items, bool has_upload)
{
	call->in.is_open = wants_items;
	call->in.granted = wants_items ? conn->options.stream_items : 0;
	call->out.is_open = has_upload;
	call->out.credit = conn->peer.win;
}

void conn_streams_theirs(struct brine_conn *conn, struct call *call, const struct brine_frame *request)
{
	bool was_told = conn->options.role == BRINE_ACCEPTING ? conn->peer_spoke : conn->options.hello;
	call->out.is_open = request->options.has_win;
	call->out.credit = request->options.win;
	call->in.is_open = request->options.up;
	if (call->in.is_open && was_told)
		call->in.granted = conn->options.stream_items;
	else if (call->in.is_open)
		conn->credit_due = call->serial;
}

void conn_streams_first_credit(struct brine_conn *conn)
{
	if (conn->credit_due == 0)
		return;
	struct call *call = brine_idmap_find(&conn->calls.by_serial, conn->credit_due);
	conn->credit_due = 0;
	if (call && is_call_running(conn, call) && conn_queue_credit(conn, call, conn->options.stream_items) < 0)
		conn_fault_nomem(conn);
}

/* Receiving. */

static enum conn_step overrun(struct brine_conn *conn, struct call *call)
{
	static const char text[] = "too many bytes of items wait to be taken";
	if (call->is_ours)
		conn_give_up(conn, call, BRINE_ERR_LIMIT);
	else
		conn_end_incoming(conn, call, BRINE_CODE_TOO_LARGE, text, BRINE_ERR_LIMIT);
	return CONN_HANDLED;
}

static enum conn_step deliver_item(struct brine_conn *conn, struct call *call, const struct brine_frame *frame,
                                   struct brine_event *event)
{
	struct stream_in *in = &call->in;
	size_t size = frame->result.size;
	if (in->granted == 0)
		return stream_fault(conn, frame, "no credit for an item");
	if (size > conn->options.streams_size_max - conn->calls.untaken_size)
		return overrun(conn, call);
	in->granted--;
	in->untaken++;
	in->untaken_size += size;
	in->item_size = in->item_size ? in->item_size - in->item_size / 8 + size / 8 : size;
	conn->calls.untaken_size += size;
	conn_event_about(event, BRINE_EVENT_ITEM, call);
	event->result = frame->result;
	return CONN_EVENT;
}

enum conn_step conn_on_item(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	struct call *call = running_ours(conn, frame);
	if (!call)
		return conn_glitch(conn);
	if (call->in.is_open)
		return deliver_item(conn, call, frame, event);
	conn_end_outgoing(conn, call, BRINE_ERR_PROTO);
	return stream_fault(conn, frame, "an item that was not asked for");
}

static enum conn_step end_upload(struct brine_conn *conn, struct call *call, struct brine_event *event)
{
	if (!call->in.is_open)
		return conn_glitch(conn);
	call->in.is_open = false;
	call->in.has_ended = true;
	conn_event_about(event, BRINE_EVENT_UPLOAD_END, call);
	return CONN_EVENT;
}

enum conn_step conn_on_upload(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	struct call *call = running_theirs(conn, frame);
	bool is_end = frame->result.size == 0;
	if (!call)
		return conn_glitch(conn);
	if (is_end)
		return end_upload(conn, call, event);
	return call->in.has_ended ? stream_fault(conn, frame, "item after the end")
	                          : deliver_item(conn, call, frame, event);
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Items that fit into size bytes, by what came so far. */
static size_t items_in(const struct stream_in *in, size_t size)
{
	return in->item_size ? size / in->item_size : size;
}

/* How many items more may be granted: those granted and those not taken yet together stay within stream_items, and, but
 * for one, about stream_size. */
static size_t room_of(const struct brine_conn *conn, const struct stream_in *in)
{
	size_t size = conn->options.stream_size, items = conn->options.stream_items;
	size = size > in->untaken_size ? size - in->untaken_size : 0;
	items = items > in->untaken ? items - in->untaken : 0;
	items = min_size(items, items_in(in, size));
	if (items == 0 && in->untaken == 0)
		items = 1;
	return items > in->granted ? items - in->granted : 0;
}

/* Whether to say so now: half of the stream's window is free, or, where that is not even a batch, the peer has nothing
 * left to send with. */
static bool is_worth_it(const struct brine_conn *conn, const struct stream_in *in, size_t room)
{
	size_t window = min_size(conn->options.stream_items, items_in(in, conn->options.stream_size));
	if (in->granted == 0 && (in->untaken == 0 || window < BATCH_LEAST))
		return true;
	return room >= BATCH_LEAST && room >= window / 2;
}

void brine_conn_taken(struct brine_conn *conn, uint64_t serial, uint32_t count, size_t size, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (!call)
		return;
	struct stream_in *in = &call->in;
	in->untaken -= count < in->untaken ? count : in->untaken;
	size = in->untaken ? min_size(size, in->untaken_size) : in->untaken_size;
	in->untaken_size -= size;
	conn->calls.untaken_size -= size;
	if (!in->is_open || !is_call_running(conn, call) || in->credit_unsent)
		return;
	size_t room = room_of(conn, in);
	if (room && is_worth_it(conn, in, room) && conn_queue_credit(conn, call, (uint32_t)room) < 0)
		conn_fault_nomem(conn);
}

/* Sending. */

static enum conn_step add_credit(struct brine_conn *conn, struct call *call, uint64_t count)
{
	struct stream_out *out = &call->out;
	if (count > (uint64_t)INT32_MAX - out->credit) {
		conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_PROTO, conn->input_at,
		           "credit overflow: %u and %llu more", out->credit, (unsigned long long)count);
		return CONN_HANDLED;
	}
	out->credit += (uint32_t)count;
	if (out->queue == &conn->calls.stalled && count)
		call_enqueue(call, &conn->calls.ready, conn->now_ms);
	return CONN_HANDLED;
}

enum conn_step conn_on_upload_credit(struct brine_conn *conn, const struct brine_frame *frame,
                                     struct brine_event *event)
{
	(void)event; /* comes from the queue of those that wait */
	struct call *call = running_ours(conn, frame);
	return call && call->out.is_open ? add_credit(conn, call, frame->number) : conn_glitch(conn);
}

enum conn_step conn_on_item_credit(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	(void)event; /* comes from the queue of those that wait */
	struct call *call = running_theirs(conn, frame);
	return call && call->out.is_open ? add_credit(conn, call, frame->number) : conn_glitch(conn);
}

void conn_streams_welcome(struct brine_conn *conn)
{
	struct call *next;
	for (struct call *call = conn->calls.outgoing.first; call; call = next) {
		/* A fault ends the call and all others. */
		next = call->next;
		if (call->out.is_open)
			add_credit(conn, call, conn->peer.win);
		if (conn->state >= BRINE_CONN_CLOSING)
			return;
	}
}

/* An item over the peer's limit ends its call. */
static void end_too_big(struct brine_conn *conn, struct call *call, size_t size)
{
	char text[96];
	snprintf(text, sizeof text, "an item of %zu bytes exceeds the caller's max of %u", size,
	         conn_peer_size_max(conn));
	if (call->is_ours)
		conn_give_up(conn, call, BRINE_ERR_TOO_BIG);
	else
		conn_end_incoming(conn, call, BRINE_CODE_TOO_LARGE, text, BRINE_ERR_TOO_BIG);
}

/* Waits where the item cannot go now; true: it waits. */
static bool wait_for_room(struct brine_conn *conn, struct call *call)
{
	struct calls *calls = &conn->calls;
	bool is_full = brine_buf_size(&conn->output) > conn->options.limits.output_mark / 2;
	if (call->out.credit && !is_full)
		return false;
	struct call_queue *queue = call->out.credit ? &calls->ready : &calls->stalled;
	if (call->out.queue != queue)
		call_enqueue(call, queue, conn->now_ms);
	return true;
}

int brine_conn_send(struct brine_conn *conn, uint64_t serial, struct brine_bytes item, uint64_t now_ms)
{
	if (!conn || (item.size && !item.data))
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (!call || (call->is_ours && !is_call_running(conn, call)))
		return BRINE_ERR_NOT_FOUND;
	if (!is_call_running(conn, call))
		return call->status;
	if (!call->out.is_open)
		return BRINE_ERR_STATE;
	if (item.size == 0)
		return BRINE_ERR_INVALID;
	if (wait_for_room(conn, call))
		return BRINE_ERR_NO_CREDIT;
	struct brine_frame frame = {
	        .type = call->is_ours ? BRINE_FRAME_UPLOAD : BRINE_FRAME_ITEM,
	        .id = call->id,
	        .result = item,
	};
	int status = conn_queue(conn, &frame);
	if (status == BRINE_ERR_TOO_BIG)
		end_too_big(conn, call, item.size);
	/* A stream that goes on without the item would end well and not be whole. */
	else if (status == BRINE_ERR_NOMEM && !call->is_ours)
		conn_end_incoming(conn, call, BRINE_CODE_INTERNAL, "out of memory", status);
	if (status < 0)
		return status;
	call_unqueue(call);
	call->out.credit--;
	call->out.was_queued = true;
	return 0;
}

int brine_conn_end_upload(struct brine_conn *conn, uint64_t serial, uint64_t now_ms)
{
	if (!conn)
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (!call || (call->is_ours && !is_call_running(conn, call)))
		return 0;
	if (!call->is_ours || !call->out.is_open)
		return BRINE_ERR_STATE;
	struct brine_frame frame = {.type = BRINE_FRAME_UPLOAD, .id = call->id};
	if (conn_queue(conn, &frame) < 0)
		return BRINE_ERR_NOMEM;
	call_unqueue(call);
	call->out.is_open = false;
	call->out.was_queued = true;
	return 0;
}

/* Events and time. */

static bool may_go_on(const struct brine_conn *conn)
{
	return conn->calls.ready.first && brine_buf_size(&conn->output) <= conn->options.limits.output_mark / 4;
}

bool conn_streams_have_event(const struct brine_conn *conn)
{
	return conn->uploads_cut || may_go_on(conn);
}

/* The next upload that the end of the peer's side left open. */
static bool take_cut_upload(struct brine_conn *conn, struct brine_event *event)
{
	struct call *call = conn->calls.incoming.first;
	while (call && !call->in.is_open)
		call = call->next;
	conn->uploads_cut = call;
	if (!call)
		return false;
	end_upload(conn, call, event);
	event->status = BRINE_ERR_CANCELLED;
	return true;
}

bool conn_streams_take_event(struct brine_conn *conn, struct brine_event *event)
{
	if (conn->uploads_cut && take_cut_upload(conn, event))
		return true;
	if (!may_go_on(conn))
		return false;
	struct call *call = conn->calls.ready.first;
	call_unqueue(call);
	conn_event_about(event, BRINE_EVENT_CREDIT, call);
	return true;
}

uint64_t conn_streams_deadline(const struct brine_conn *conn)
{
	const struct call *call = conn->calls.stalled.first;
	uint64_t timeout_ms = conn->options.limits.stall_timeout_ms;
	return call && timeout_ms ? brine_later(call->out.since_ms, timeout_ms) : BRINE_FOREVER;
}

void conn_streams_tick(struct brine_conn *conn)
{
	static const char text[] = "the caller gave no credit for too long";
	while (conn->now_ms >= conn_streams_deadline(conn)) {
		struct call *call = conn->calls.stalled.first;
		if (call->is_ours)
			conn_give_up(conn, call, BRINE_ERR_NO_PROGRESS);
		else
			conn_end_incoming(conn, call, BRINE_CODE_CANCELLED, text, BRINE_ERR_NO_PROGRESS);
	}
}
