/* Items, ends and credit. No call of ours asks for items or uploads, and no handler gives credit: what comes for a
 * running call is judged, what comes for any other crossed its end. */
#include "conn/conn.h"

static enum conn_step glitch(struct brine_conn *conn)
{
	conn->counters.glitches++;
	return CONN_HANDLED;
}

static enum conn_step no_credit(struct brine_conn *conn, const struct brine_frame *frame)
{
	conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_PROTO, conn->input_at, "no credit for an item of call %lld",
	           (long long)frame->id);
	return CONN_HANDLED;
}

enum conn_step conn_on_item(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	(void)event; /* no items are asked for, so none are delivered */
	const struct call *call = brine_idmap_find(&conn->calls.outgoing_ids, (uint64_t)frame->id);
	return call && call->list == &conn->calls.outgoing ? no_credit(conn, frame) : glitch(conn);
}

enum conn_step conn_on_upload(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	(void)event; /* no credit is given, so no items are delivered */
	struct call *call = brine_idmap_find(&conn->calls.incoming_ids, (uint64_t)frame->id);
	bool is_end = frame->result.size == 0;
	if (!call)
		return glitch(conn);
	if (!is_end)
		return no_credit(conn, frame);
	if (!call->has_upload || call->upload_ended)
		return glitch(conn);
	call->upload_ended = true;
	return CONN_HANDLED;
}

enum conn_step conn_on_upload_credit(struct brine_conn *conn, const struct brine_frame *frame,
                                     struct brine_event *event)
{
	(void)frame;
	(void)event;
	return glitch(conn);
}

enum conn_step conn_on_item_credit(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	(void)event;
	struct call *call = brine_idmap_find(&conn->calls.incoming_ids, (uint64_t)frame->id);
	if (!call || !call->wants_items)
		return glitch(conn);
	if (frame->number > (uint64_t)INT32_MAX - call->credit) {
		conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_PROTO, conn->input_at,
		           "credit overflow: %u and %llu more", call->credit, (unsigned long long)frame->number);
		return CONN_HANDLED;
	}
	call->credit += (uint32_t)frame->number;
	return CONN_HANDLED;
}
