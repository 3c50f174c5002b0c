#include "conn/conn.h"

#include "base/poison.h"

struct brine_frame_hello conn_own_hello(const struct brine_conn *conn)
{
	return (struct brine_frame_hello){
	        .version = 1,
	        .name = brine_str_from(conn->name),
	        .has_message_size_max = true,
	        .message_size_max = conn->options.limits.message_size_max,
	        .has_calls_max = true,
	        .calls_max = conn->options.limits.calls_max,
	        .win = conn->options.stream_items,
	        .live = conn->options.live,
	};
}

uint32_t conn_peer_size_max(const struct brine_conn *conn)
{
	return conn->wire == BRINE_WIRE_PLAIN ? conn->options.limits.message_size_max : conn->peer.message_size_max;
}

enum conn_step conn_glitch(struct brine_conn *conn)
{
	conn->counters.glitches++;
	return CONN_HANDLED;
}

void conn_input_take(struct brine_conn *conn, size_t size)
{
	conn->input.start += size;
	conn->input_at += size;
	/* Unlike brine_buf_take() this keeps the memory: the tick gives it back once the connection has been idle. */
	if (conn->input.start < conn->input.end)
		return;
	conn->input.start = conn->input.end = 0;
	ASAN_POISON_MEMORY_REGION(conn->input.data, conn->input.capacity);
}

size_t brine_conn_unhandled(const struct brine_conn *conn)
{
	if (!conn)
		return 0;
	return brine_buf_size(&conn->input) - conn->consumed;
}

const struct brine_error *brine_conn_fault(const struct brine_conn *conn)
{
	return conn ? &conn->fault : NULL;
}

struct brine_bytes brine_conn_pending(const struct brine_conn *conn)
{
	return conn ? brine_buf_bytes(&conn->output) : (struct brine_bytes){NULL, 0};
}

bool brine_conn_wants_read(const struct brine_conn *conn)
{
	if (!conn)
		return false;
	if (conn->state >= BRINE_CONN_CLOSING)
		return conn->state == BRINE_CONN_CLOSING && !conn->eof;
	bool is_behind = conn->has_more || (conn->mute && !conn->input_idle);
	return !conn->eof && !conn->lost && !is_behind && !conn_is_paused(conn);
}

enum brine_conn_state brine_conn_state(const struct brine_conn *conn)
{
	return conn ? conn->state : BRINE_CONN_CLOSED;
}

int brine_conn_wire(const struct brine_conn *conn)
{
	return conn ? conn->wire : BRINE_WIRE_UNKNOWN;
}

const struct brine_frame_hello *brine_conn_peer(const struct brine_conn *conn)
{
	return conn ? &conn->peer : NULL;
}

const struct brine_conn_counters *brine_conn_counters(const struct brine_conn *conn)
{
	return conn ? &conn->counters : NULL;
}

uint32_t brine_conn_calls_outgoing(const struct brine_conn *conn)
{
	return conn ? conn->calls.outgoing.count : 0;
}

uint32_t brine_conn_calls_incoming(const struct brine_conn *conn)
{
	return conn ? conn->calls.incoming_handlers : 0;
}
