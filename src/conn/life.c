/* How a connection ages and ends:
 *
 *   OPEN -- goaway 0 sent or received --> DRAINING -- owes and awaits nothing, or the grace is over --+
 *     |                                                                                               v
 *     +-- fault, close(), end of the peer's side with nothing owed --------------------------------> CLOSING
 *                                                                                                     |
 *   CLOSED <-- all sent, and the peer's end read, 1 s or 16 MiB (or nothing was ever said) ------------+
 *     ^-- transport lost, output stuck ------------------------------------------------- any state */
#include "conn/conn.h"

#include "base/later.h"
#include "frame/prefix.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHRINK_MS = 1000 };

void conn_end_outgoing(struct brine_conn *conn, struct call *call, int status)
{
	bool unsent = conn_take_back(conn, call);
	if (unsent || PLANT(ID_EARLY))
		call_drop_id(&conn->calls, call);
	if (PLANT(ID_EARLY))
		conn->id_next = call->id;
	unsent = unsent || PLANT(SAYS_NOT_SENT);
	call->status = status == BRINE_ERR_LOST && unsent ? BRINE_ERR_NOT_SENT : status;
	call_disarm(&conn->calls, call);
	call_unqueue(call);
	call_forget_items(&conn->calls, call);
	call_move(call, &conn->calls.events);
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
	call_move(call, PLANT(CANCEL_UNTOLD) ? &conn->calls.ghosts : &conn->calls.events);
	conn->calls.incoming_handlers -= PLANT(CANCEL_UNCOUNTED);
	if (status == BRINE_ERR_LOST)
		return;
	struct brine_frame frame = conn_error_frame(conn, BRINE_BYTES(call->id_bytes, call->id_size), code,
	                                            brine_str_from(text ? text : brine_code_text(code)));
	conn_queue_must(conn, &frame);
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
		brine_conn_cancel(conn, conn->calls.outgoing.first->serial, conn->now_ms);
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
	/* Requests that are not sent must not go out behind the word that they were not. */
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

static bool is_idle(const struct brine_conn *conn)
{
	return conn->calls.outgoing.count == 0 && (conn->calls.incoming.count == 0 || PLANT(DRAIN_CUTS));
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
static void settle_eof(struct brine_conn *conn)
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
static void settle_drain(struct brine_conn *conn)
{
	bool waits = conn->drain_sent && !conn->drain_received && conn->wire == BRINE_WIRE_FRAMED && conn->recognised;
	if (!is_idle(conn)) {
		conn->quiet_at_ms = BRINE_FOREVER;
	} else if (!waits) {
		enter_closing(conn);
	} else if (conn->quiet_at_ms == BRINE_FOREVER) {
		conn->quiet_at_ms = brine_later(conn->now_ms, conn->options.limits.linger_ms);
	} else if (conn->now_ms >= conn->quiet_at_ms) {
		enter_closing(conn);
	}
}

static void settle_closing(struct brine_conn *conn)
{
	if (brine_buf_size(&conn->output))
		return;
	if (conn->linger_at_ms == BRINE_FOREVER)
		conn->linger_at_ms = brine_later(conn->now_ms, conn->options.limits.linger_ms);
	if (conn->eof || conn->now_ms >= conn->linger_at_ms || conn->discarded >= conn->options.limits.linger_size)
		enter_closed(conn);
}

void conn_settle(struct brine_conn *conn)
{
	if (conn->fault_due && conn->state < BRINE_CONN_CLOSING) {
		conn->fault_due = false;
		enter_closing(conn);
	}
	bool all_read = conn->input_idle && conn->consumed == 0 && conn->state < BRINE_CONN_CLOSING;
	if (all_read && conn->lost)
		conn_cut(conn, conn->lost_status, "the transport was lost");
	else if (all_read && conn->eof)
		settle_eof(conn);
	if (conn->state == BRINE_CONN_DRAINING && all_read)
		settle_drain(conn);
	if (conn->state == BRINE_CONN_CLOSING && conn->lost)
		enter_closed(conn);
	if (conn->state == BRINE_CONN_CLOSING)
		settle_closing(conn);
}

void brine_conn_drain(struct brine_conn *conn, uint64_t grace_ms, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_clock(conn, now_ms);
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
	conn_settle(conn);
}

void brine_conn_close(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_clock(conn, now_ms);
	if (conn->state >= BRINE_CONN_CLOSING)
		return;
	cancel_all(conn);
	enter_closing(conn);
	conn_settle(conn);
}

/* since + interval; BRINE_FOREVER for an interval of 0, which stands for "never". */
static uint64_t after(uint64_t since_ms, uint64_t interval_ms)
{
	return interval_ms == 0 ? BRINE_FOREVER : brine_later(since_ms, interval_ms);
}

/* Looks at a message that is not whole yet: it has to bring so many bytes in each interval after its first. */
static void tick_progress(struct brine_conn *conn)
{
	const struct brine_limits *limits = &conn->options.limits;
	if (conn->now_ms < conn->progress_at_ms)
		return;
	bool we_held_it = !brine_conn_wants_read(conn) || !conn->input_idle || conn->eof;
	if (conn->progress_counts && !we_held_it && conn->progress_size < limits->progress_size) {
		conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_NO_PROGRESS, conn->input_at,
		           "no progress: %llu bytes of a frame in %llu ms, at least %u",
		           (unsigned long long)conn->progress_size, (unsigned long long)limits->progress_interval_ms,
		           limits->progress_size);
		return;
	}
	conn->progress_counts = true;
	conn->progress_size = 0;
	conn->progress_at_ms = brine_later(conn->now_ms, limits->progress_interval_ms);
}

/* Output that the peer could take. */
static bool output_waits(const struct brine_conn *conn)
{
	return brine_buf_size(&conn->output) && !conn->mute;
}

static uint64_t pace_at(const struct brine_conn *conn)
{
	return output_waits(conn) ? conn->pace_at_ms : BRINE_FOREVER;
}

void conn_watch_pace(struct brine_conn *conn)
{
	const struct brine_limits *limits = &conn->options.limits;
	conn->pace_size = 0;
	conn->pace_at_ms =
	        limits->output_progress_size ? after(conn->now_ms, limits->progress_interval_ms) : BRINE_FOREVER;
}

static void tick_pace(struct brine_conn *conn)
{
	const struct brine_limits *limits = &conn->options.limits;
	char text[sizeof conn->fault.text];
	if (conn->now_ms < pace_at(conn))
		return;
	if (conn->pace_size >= limits->output_progress_size) {
		conn_watch_pace(conn);
		return;
	}
	snprintf(text, sizeof text, "the peer took %llu bytes of output in %llu ms, at least %u",
	         (unsigned long long)conn->pace_size, (unsigned long long)limits->progress_interval_ms,
	         limits->output_progress_size);
	conn_cut(conn, BRINE_ERR_NO_PROGRESS, text);
}

/* When each of the connection's own timers fires; BRINE_FOREVER: it does not run. */
static uint64_t head_at(const struct brine_conn *conn)
{
	bool waits = conn->options.role == BRINE_ACCEPTING && !conn->recognised && conn->state < BRINE_CONN_CLOSING;
	return waits ? after(conn->began_ms, conn->options.limits.head_timeout_ms) : BRINE_FOREVER;
}

static uint64_t stuck_at(const struct brine_conn *conn)
{
	return output_waits(conn) ? after(conn->took_ms, conn->options.limits.stuck_output_ms) : BRINE_FOREVER;
}

static uint64_t idle_at(const struct brine_conn *conn)
{
	bool quiet = conn->state == BRINE_CONN_OPEN && is_idle(conn) && brine_buf_size(&conn->output) == 0;
	return quiet ? after(conn->used_ms, conn->options.limits.idle_timeout_ms) : BRINE_FOREVER;
}

static uint64_t shrink_at(const struct brine_conn *conn)
{
	bool holds = conn->input.capacity || conn->output.capacity || conn->controls.capacity ||
	             conn->calls.spare_count || conn->calls.timer_capacity;
	bool empty = brine_buf_size(&conn->input) == 0 && brine_buf_size(&conn->output) == 0 && is_idle(conn);
	return holds && empty ? after(conn->used_ms, SHRINK_MS) : BRINE_FOREVER;
}

static void tick_shrink(struct brine_conn *conn)
{
	brine_buf_done(&conn->input);
	brine_buf_done(&conn->output);
	brine_buf_done(&conn->controls);
	calls_shrink(&conn->calls);
}

static void tick_calls(struct brine_conn *conn)
{
	struct call *call;
	while ((call = calls_nearest(&conn->calls)) && call->deadline_ms <= conn->now_ms) {
		if (call->is_ours)
			conn_end_outgoing(conn, call, BRINE_ERR_DEADLINE);
		else
			conn_end_incoming(conn, call, BRINE_CODE_DEADLINE, NULL, BRINE_ERR_DEADLINE);
	}
}

void brine_conn_tick(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_clock(conn, now_ms);
	tick_calls(conn);
	conn_streams_tick(conn);
	if (conn->now_ms >= head_at(conn))
		conn_fault(conn, CONN_NO_GOAWAY, BRINE_ERR_NO_PROGRESS, conn->input_at, "no frame within %llu ms",
		           (unsigned long long)conn->options.limits.head_timeout_ms);
	tick_progress(conn);
	if (conn->now_ms >= stuck_at(conn))
		conn_cut(conn, BRINE_ERR_NO_PROGRESS, "the peer took no output for too long");
	tick_pace(conn);
	if (conn->now_ms >= idle_at(conn))
		brine_conn_drain(conn, conn->options.limits.linger_ms, now_ms);
	if (conn->now_ms >= conn->grace_at_ms && conn->state < BRINE_CONN_CLOSING)
		brine_conn_close(conn, now_ms);
	conn_settle(conn);
	if (conn->now_ms >= shrink_at(conn) && conn->consumed == 0)
		tick_shrink(conn);
}

uint64_t brine_conn_deadline(const struct brine_conn *conn)
{
	if (!conn)
		return BRINE_FOREVER;
	if (conn_has_local_event(conn) || conn->has_more || conn->fault_due)
		return conn->now_ms;
	if (conn->state == BRINE_CONN_CLOSED)
		return BRINE_FOREVER;
	const struct call *call = calls_nearest(&conn->calls);
	uint64_t times[] = {call ? call->deadline_ms : BRINE_FOREVER,
	                    head_at(conn),
	                    conn->progress_at_ms,
	                    stuck_at(conn),
	                    pace_at(conn),
	                    idle_at(conn),
	                    conn->grace_at_ms,
	                    conn->quiet_at_ms,
	                    conn->linger_at_ms,
	                    conn_streams_deadline(conn),
	                    shrink_at(conn)};
	uint64_t least = BRINE_FOREVER;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		least = times[i] < least ? times[i] : least;
	return least;
}
