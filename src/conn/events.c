#include "conn/events.h"

#include "conn/end.h"
#include "conn/streams.h"

bool conn_has_local_event(const struct brine_conn *conn)
{
	return conn->calls.events.count || conn_streams_have_event(conn) ||
	       (conn->state == BRINE_CONN_CLOSED && !conn->closed_told);
}

bool conn_take_local_event(struct brine_conn *conn, struct brine_event *event)
{
	struct call *call = conn->calls.events.first;
	if (call) {
		conn_event_about(event, call->is_ours ? BRINE_EVENT_RESPONSE : BRINE_EVENT_CANCEL, call);
		event->status = call->status;
		conn_forget_ended(conn, call);
		return true;
	}
	if (conn_streams_take_event(conn, event))
		return true;
	if (conn->state != BRINE_CONN_CLOSED || conn->closed_told)
		return false;
	conn->closed_told = true;
	event->type = BRINE_EVENT_CLOSED;
	event->status = conn->fault.code;
	return true;
}
