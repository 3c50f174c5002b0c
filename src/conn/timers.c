#include "conn/timers.h"

#include "base/later.h"
#include "conn/end.h"
#include "conn/events.h"
#include "conn/output.h"
#include "conn/streams.h"

#include <assert.h>
#include <stdio.h>

enum { SHRINK_MS = 1000 };

/* since + interval; BRINE_FOREVER for an interval of 0, which stands for "never". */
static uint64_t after_interval(uint64_t since_ms, uint64_t interval_ms)
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
	return waits ? after_interval(conn->began_ms, conn->options.limits.head_timeout_ms) : BRINE_FOREVER;
}

static uint64_t stuck_at(const struct brine_conn *conn)
{
	return output_waits(conn) ? after_interval(conn->took_ms, conn->options.limits.stuck_output_ms) : BRINE_FOREVER;
}

static uint64_t idle_at(const struct brine_conn *conn)
{
	bool quiet = conn->state == BRINE_CONN_OPEN && conn_is_idle(conn) && brine_buf_size(&conn->output) == 0;
	return quiet ? after_interval(conn->used_ms, conn->options.limits.idle_timeout_ms) : BRINE_FOREVER;
}

static uint64_t shrink_at(const struct brine_conn *conn)
{
	bool holds = conn->input.capacity || conn->output.capacity || conn->controls.capacity ||
	             conn->calls.spare_count || conn->calls.timer_capacity;
	bool empty = brine_buf_size(&conn->input) == 0 && brine_buf_size(&conn->output) == 0 && conn_is_idle(conn);
	return holds && empty ? after_interval(conn->used_ms, SHRINK_MS) : BRINE_FOREVER;
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
	conn_changes(conn, now_ms);
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
	conn_advance(conn);
	if (conn->now_ms >= shrink_at(conn) && conn->consumed == 0)
		tick_shrink(conn);
}

static uint64_t sooner(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* When the connection is due next, by all that runs in it. */
static uint64_t find_due(const struct brine_conn *conn)
{
	if (conn_has_local_event(conn) || conn->has_more || conn->fault_due)
		return conn->now_ms;
	if (conn->state == BRINE_CONN_CLOSED)
		return BRINE_FOREVER;
	const struct call *call = calls_nearest(&conn->calls);
	uint64_t due_ms = call ? call->deadline_ms : BRINE_FOREVER;
	due_ms = sooner(due_ms, sooner(head_at(conn), conn->progress_at_ms));
	due_ms = sooner(due_ms, sooner(stuck_at(conn), pace_at(conn)));
	due_ms = sooner(due_ms, sooner(idle_at(conn), shrink_at(conn)));
	due_ms = sooner(due_ms, sooner(conn->grace_at_ms, conn->quiet_at_ms));
	return sooner(due_ms, sooner(conn->linger_at_ms, conn_streams_deadline(conn)));
}

bool conn_due_is_right(const struct brine_conn *conn)
{
	return !conn->due_known || conn->due_ms == find_due(conn);
}

uint64_t brine_conn_deadline(struct brine_conn *conn)
{
	if (!conn)
		return BRINE_FOREVER;
	assert(conn_due_is_right(conn));
	if (!conn->due_known) {
		conn->due_ms = find_due(conn);
		conn->due_known = true;
	}
	return conn->due_ms;
}
