/* clang-format off */
/* How a connection ages and ends:
 *
 *   OPEN -- goaway 0 sent or received --> DRAINING -- owes and awaits nothing, or the grace is over --+
 *     |                                                                                               v
 *     +-- fault, close(), end of the peer's side with nothing owed --------------------------------> CLOSING
 *                                                                                                     |
 *   CLOSED <-- all sent, and the peer's end read, 1 s or 16 MiB (or nothing was ever said) ------------+
 *     ^-- transport lost, output stuck ------------------------------------------------- any state */
/* clang-format on */
#include "conn/end.h"

#include "base/later.h"
#include "conn/output.h"
#include "frame/prefix.h"

#include <stdarg.h>
#include <stdio.h>

void conn_end_outgoing(struct brine_conn *conn, struct call *call, int status)
{
	bool unsent = conn_take_back(conn, call);
	if (unsent)
		call_drop_id(&conn->calls, call);
	call->status = status == BRINE_ERR_LOST && unsent ? BRINE_ERR_NOT_SENT : status;
	call_disarm(&conn->calls, call);
	call_unqueue(call);
	call_forget_items(&conn->calls, call);
	call_move(call, &conn->calls.events);
}

void conn_queue_must(struct brine_conn *conn, const struct brine_frame *frame)
{
	if (conn_queue(conn, frame) < 0)
		conn_fault_nomem(conn);
}

void conn_control_must(struct brine_conn *conn, const struct brine_frame *frame)
{
	int status = conn_queue_control(conn, frame);
	if (status == BRINE_ERR_OVERLOADED)
		conn_cut(conn, BRINE_ERR_NO_PROGRESS, "the peer reads none of the answers to what it sends");
	else if (status < 0)
		conn_fault_nomem(conn);
}

void conn_give_up(struct brine_conn *conn, struct call *call, int status)
{
	conn_end_outgoing(conn, call, status);
	if (!call->owes_id || conn->wire == BRINE_WIRE_PLAIN)
		return;
	struct brine_frame frame = {.type = BRINE_FRAME_CANCEL, .id = call->id};
	conn_queue_must(conn, &frame);
}

void conn_end_incoming(struct brine_conn *conn, struct call *call, int64_t code, const char *text, int status)
{
	call->status = status;
	call_disarm(&conn->calls, call);
	call_unqueue(call);
	call_drop_id(&conn->calls, call);
	call_move(call, &conn->calls.events);
	if (status == BRINE_ERR_LOST)
		return;
	struct brine_frame frame = conn_error_frame(conn, BRINE_BYTES(call->id_bytes, call->id_size), code,
	                                            brine_str_from(text ? text : brine_code_text(code)));
	conn_queue_must(conn, &frame);
}

/* An ended call of ours whose id the peer still owes: the late answer frees it, or the next ones once there are too
 * many. */
static void await_late_answer(struct brine_conn *conn, struct call *call)
{
	call_move(call, &conn->calls.awaiting_late_answer);
	if (conn->calls.awaiting_late_answer.count > conn->options.limits.calls_max)
		call_free(&conn->calls, conn->calls.awaiting_late_answer.first);
}

void conn_forget_ended(struct brine_conn *conn, struct call *call)
{
	if (!call->is_ours)
		call_move(call, &conn->calls.awaiting_handler);
	else if (call->owes_id)
		await_late_answer(conn, call);
	else
		call_free(&conn->calls, call);
}

static void end_all_lost(struct brine_conn *conn)
{
	while (conn->calls.outgoing.first)
		conn_end_outgoing(conn, conn->calls.outgoing.first, BRINE_ERR_LOST);
	while (conn->calls.incoming.first)
		conn_end_incoming(conn, conn->calls.incoming.first, 0, NULL, BRINE_ERR_LOST);
}

/* Ends what runs before we close by our own will: the peer is told, in both directions. */
static void cancel_all(struct brine_conn *conn)
{
	while (conn->calls.outgoing.first)
		conn_give_up(conn, conn->calls.outgoing.first, BRINE_ERR_CANCELLED);
	while (conn->calls.incoming.first)
		conn_end_incoming(conn, conn->calls.incoming.first, BRINE_CODE_CANCELLED, NULL, BRINE_ERR_CANCELLED);
}

/* Drops what is not handled yet; what the last event points into stays. */
static void drop_input(struct brine_conn *conn)
{
	if (conn->consumed)
		conn->input.end = conn->input.start + conn->consumed;
	else
		brine_buf_done(&conn->input);
}

static void enter_closed(struct brine_conn *conn)
{
	conn_output_drop(conn);
	drop_input(conn);
	conn->state = BRINE_CONN_CLOSED;
}

/* Whatever was queued still goes out; nothing more is read. */
static void enter_closing(struct brine_conn *conn)
{
	if (conn->state >= BRINE_CONN_CLOSING)
		return;
	conn->state = BRINE_CONN_CLOSING;
	drop_input(conn);
	conn->progress_at_ms = conn->grace_at_ms = conn->quiet_at_ms = BRINE_FOREVER;
	end_all_lost(conn);
	bool never_spoke = conn->output_at == 0 && brine_buf_size(&conn->output) == 0;
	if (never_spoke)
		enter_closed(conn);
}

static void say_goaway(struct brine_conn *conn, int code, const char *text, uint64_t grace_ms)
{
	bool may = conn->wire == BRINE_WIRE_FRAMED && (conn->recognised || conn->options.role == BRINE_CONNECTING);
	if (!may)
		return;
	struct brine_frame frame = {
	        .type = BRINE_FRAME_GOAWAY, .code = code, .text = brine_str_from(text), .number = grace_ms};
	/* Out of memory here: the end of the connection has to say it. */
	(void)conn_queue(conn, &frame);
}

void conn_fault(struct brine_conn *conn, int goaway_code, int code, uint64_t offset, const char *format, ...)
{
	if (conn->state >= BRINE_CONN_CLOSING)
		return;
	va_list arguments;
	char text[sizeof conn->fault.text];
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	brine_fail(&conn->fault, code, offset, "%s", text);
	/* This takes unsent requests out of the output before goaway is queued. Their callers are told "not sent", so
	 * the peer must never see them. */
	end_all_lost(conn);
	if (goaway_code != CONN_NO_GOAWAY)
		say_goaway(conn, goaway_code, text, 0);
	enter_closing(conn);
}

void conn_fault_nomem(struct brine_conn *conn)
{
	conn_fault(conn, BRINE_CODE_INTERNAL, BRINE_ERR_NOMEM, conn->input_at, "out of memory");
}

void conn_cut(struct brine_conn *conn, int code, const char *text)
{
	if (conn->state == BRINE_CONN_CLOSED)
		return;
	if (conn->fault.code == 0)
		brine_fail(&conn->fault, code, conn->input_at, "%s", text);
	end_all_lost(conn);
	enter_closed(conn);
}

static void fault_truncated(struct brine_conn *conn)
{
	struct brine_bytes input = brine_buf_bytes(&conn->input);
	int goaway_code = conn->recognised && conn->wire == BRINE_WIRE_FRAMED ? BRINE_CODE_INVALID : CONN_NO_GOAWAY;
	struct brine_prefix prefix = brine_prefix_read(input);
	if (conn->wire != BRINE_WIRE_PLAIN && prefix.is_whole)
		conn_fault(conn, goaway_code, BRINE_ERR_TRUNCATED, conn->input_at, "truncated frame, have %zu of %llu",
		           input.size, (unsigned long long)prefix.size + prefix.length);
	else
		conn_fault(conn, goaway_code, BRINE_ERR_TRUNCATED, conn->input_at,
		           "truncated frame, have %zu bytes of its beginning", input.size);
}

/* The peer's side has ended and everything it said was handled. */
static void advance_after_eof(struct brine_conn *conn)
{
	if (brine_buf_size(&conn->input)) {
		fault_truncated(conn);
		return;
	}
	if (!conn->eof_done) {
		conn->eof_done = conn->uploads_cut = true;
		while (conn->calls.outgoing.first)
			conn_end_outgoing(conn, conn->calls.outgoing.first, BRINE_ERR_LOST);
	}
	if (conn->calls.incoming.count == 0)
		enter_closing(conn);
}

/* After a goaway. The side that sent it first waits for the peer to close, for as long as it would linger anyway:
 * requests that crossed the goaway get their error 6. */
static void advance_draining(struct brine_conn *conn)
{
	bool waits = conn->drain_sent && !conn->drain_received && conn->wire == BRINE_WIRE_FRAMED && conn->recognised;
	if (!conn_is_idle(conn)) {
		conn->quiet_at_ms = BRINE_FOREVER;
	} else if (!waits) {
		enter_closing(conn);
	} else if (conn->quiet_at_ms == BRINE_FOREVER) {
		conn->quiet_at_ms = brine_later(conn->now_ms, conn->options.limits.linger_ms);
	} else if (conn->now_ms >= conn->quiet_at_ms) {
		enter_closing(conn);
	}
}

static void advance_closing(struct brine_conn *conn)
{
	if (brine_buf_size(&conn->output))
		return;
	if (conn->linger_at_ms == BRINE_FOREVER)
		conn->linger_at_ms = brine_later(conn->now_ms, conn->options.limits.linger_ms);
	if (conn->eof || conn->now_ms >= conn->linger_at_ms || conn->discarded >= conn->options.limits.linger_size)
		enter_closed(conn);
}

void conn_advance(struct brine_conn *conn)
{
	if (conn->fault_due && conn->state < BRINE_CONN_CLOSING) {
		conn->fault_due = false;
		enter_closing(conn);
	}
	bool all_read = conn->input_idle && conn->consumed == 0 && conn->state < BRINE_CONN_CLOSING;
	if (all_read && conn->lost)
		conn_cut(conn, conn->lost_status, "the transport was lost");
	else if (all_read && conn->eof)
		advance_after_eof(conn);
	if (conn->state == BRINE_CONN_DRAINING && all_read)
		advance_draining(conn);
	if (conn->state == BRINE_CONN_CLOSING && conn->lost)
		enter_closed(conn);
	if (conn->state == BRINE_CONN_CLOSING)
		advance_closing(conn);
}

void brine_conn_drain(struct brine_conn *conn, uint64_t grace_ms, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	if (conn->state >= BRINE_CONN_CLOSING)
		return;
	uint64_t grace_at_ms = brine_later(conn->now_ms, grace_ms);
	if (grace_at_ms < conn->grace_at_ms)
		conn->grace_at_ms = grace_at_ms;
	if (!conn->drain_sent) {
		conn->drain_sent = true;
		conn->state = BRINE_CONN_DRAINING;
		say_goaway(conn, 0, "draining", grace_ms);
	}
	conn_advance(conn);
}

void brine_conn_close(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	if (conn->state >= BRINE_CONN_CLOSING)
		return;
	cancel_all(conn);
	enter_closing(conn);
	conn_advance(conn);
}
