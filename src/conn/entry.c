/* How a connection begins and is released, how bytes come in and go out, how events are taken. */
#include "base/alloc.h"
#include "conn/end.h"
#include "conn/events.h"
#include "conn/output.h"
#include "conn/receive.h"
#include "conn/streams.h"

#include <assert.h>

enum {
	TURN_MESSAGES = 32, /* messages without an event that one call of next handles */
	MESSAGE_SIZE_LEAST = 1024,
	DEPTH_LEAST = 4,
	OPTIONS_COUNT_MOST = 256,
};

static int check_conn_options(const struct brine_conn_options *options, struct brine_error *error)
{
	const struct brine_limits *limits = &options->limits;
	const char *fault = NULL;
	if (options->struct_size != sizeof *options)
		fault = "struct_size: start from BRINE_CONN_OPTIONS_INIT";
	else if (options->role != BRINE_CONNECTING && options->role != BRINE_ACCEPTING)
		fault = "role: BRINE_CONNECTING or BRINE_ACCEPTING";
	else if (options->wire < BRINE_WIRE_UNKNOWN || options->wire > BRINE_WIRE_PLAIN)
		fault = "wire: one of enum brine_wire";
	else if (options->plain_errors != BRINE_PLAIN_ERRORS_TEXT && options->plain_errors != BRINE_PLAIN_ERRORS_PAIR)
		fault = "plain_errors: one of enum brine_plain_errors";
	else if (options->hello && (options->role == BRINE_ACCEPTING || options->wire == BRINE_WIRE_PLAIN))
		fault = "hello: only the connecting side of a framed connection says it";
	else if (options->stream_items == 0 || options->stream_items > INT32_MAX)
		fault = "stream_items: 1 to 2147483647";
	else if (options->stream_size == 0 || options->streams_size_max == 0)
		fault = "stream_size, streams_size_max: at least 1";
	else if (limits->message_size_max < MESSAGE_SIZE_LEAST)
		fault = "limits.message_size_max: at least 1024";
	else if (limits->depth_max < DEPTH_LEAST || limits->depth_max > BRINE_FRAME_DEPTH_MAX)
		fault = "limits.depth_max: 4 to 32";
	else if (limits->options_count_max > OPTIONS_COUNT_MOST)
		fault = "limits.options_count_max: at most 256";
	else if (limits->calls_max == 0 || limits->output_mark == 0 || limits->method_size_max == 0)
		fault = "limits.calls_max, output_mark, method_size_max: at least 1";
	return fault ? brine_fail(error, BRINE_ERR_INVALID, 0, "%s", fault) : 0;
}

static int queue_hello(struct brine_conn *conn)
{
	struct brine_frame frame = {.type = BRINE_FRAME_HELLO, .hello = conn_own_hello(conn)};
	return conn->options.hello ? conn_queue(conn, &frame) : 0;
}

static void init_conn(struct brine_conn *conn, const struct brine_conn_options *options, uint64_t now_ms)
{
	conn->options = *options;
	conn->options.name = NULL;
	conn->wire = options->wire;
	if (options->role == BRINE_CONNECTING && options->wire == BRINE_WIRE_UNKNOWN)
		conn->wire = BRINE_WIRE_FRAMED;
	conn->id_next = options->first_id;
	conn->peer = (struct brine_frame_hello)BRINE_FRAME_HELLO_ASSUMED;
	if (conn->wire == BRINE_WIRE_PLAIN)
		conn->peer.calls_max = options->limits.calls_max;
	conn->now_ms = conn->began_ms = conn->heard_ms = conn->took_ms = conn->used_ms = now_ms;
	conn->progress_at_ms = conn->pace_at_ms = BRINE_FOREVER;
	conn->grace_at_ms = conn->quiet_at_ms = conn->linger_at_ms = BRINE_FOREVER;
	conn->input_idle = true;
	brine_buf_init(&conn->input, options->allocator);
	brine_buf_init(&conn->output, options->allocator);
	brine_buf_init(&conn->controls, options->allocator);
	brine_buf_init(&conn->peer_texts, options->allocator);
	calls_init(&conn->calls, options->allocator, options->seed);
}

static int copy_conn_name(struct brine_conn *conn, const char *name)
{
	if (!name)
		return 0;
	size_t size = strlen(name) + 1;
	char *copy = brine_resize(conn->options.allocator, NULL, 0, size);
	if (!copy)
		return BRINE_ERR_NOMEM;
	conn->name = memcpy(copy, name, size);
	return 0;
}

int brine_conn_new(struct brine_conn **ret_conn, const struct brine_conn_options *options, uint64_t now_ms,
                   struct brine_error *error)
{
	if (!ret_conn)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_conn is NULL");
	static const struct brine_conn_options defaults = BRINE_CONN_OPTIONS_INIT;
	if (!options)
		options = &defaults;
	int status = check_conn_options(options, error);
	if (status < 0)
		return status;
	struct brine_conn *conn = brine_alloc_zero(options->allocator, sizeof *conn);
	if (!conn)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	init_conn(conn, options, now_ms);
	if (copy_conn_name(conn, options->name) < 0 || queue_hello(conn) < 0) {
		brine_conn_free(conn);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	}
	*ret_conn = conn;
	return 0;
}

void brine_conn_free(struct brine_conn *conn)
{
	if (!conn)
		return;
	const struct brine_allocator *allocator = conn->options.allocator;
	char *name = conn->name;
	calls_done(&conn->calls);
	brine_buf_done(&conn->input);
	brine_buf_done(&conn->output);
	brine_buf_done(&conn->controls);
	brine_buf_done(&conn->peer_texts);
	if (name)
		brine_release(allocator, name, strlen(name) + 1);
	brine_release(allocator, conn, sizeof *conn);
}

static void release_message(struct brine_conn *conn)
{
	size_t size = conn->consumed;
	conn->consumed = 0;
	conn_input_take(conn, size);
	if (conn->state >= BRINE_CONN_CLOSING)
		brine_buf_done(&conn->input);
}

void *brine_conn_reserve(struct brine_conn *conn, size_t least, size_t *ret_size)
{
	if (!conn || !ret_size)
		return NULL;
	conn->due_known = false; /* memory that is held is given back at some time */
	release_message(conn);
	void *room = brine_buf_reserve(&conn->input, least ? least : 1);
	if (!room) {
		conn_fault_nomem(conn);
		return NULL;
	}
	*ret_size = conn->input.capacity - conn->input.end;
	return room;
}

void brine_conn_fed(struct brine_conn *conn, size_t size, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	if (size == 0)
		return;
	conn->counters.bytes_received += size;
	conn->heard_ms = conn->used_ms = conn->now_ms;
	if (conn->state >= BRINE_CONN_CLOSING) {
		conn->discarded += size;
		conn_advance(conn);
		return;
	}
	assert(size <= conn->input.capacity - conn->input.end);
	conn->input.end += size;
	conn->progress_size += size;
	conn->input_idle = false;
}

int brine_conn_feed(struct brine_conn *conn, struct brine_bytes data, uint64_t now_ms)
{
	if (!conn || (data.size && !data.data))
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	release_message(conn);
	if (data.size && conn->state < BRINE_CONN_CLOSING) {
		size_t size;
		void *room = brine_conn_reserve(conn, data.size, &size);
		if (!room)
			return BRINE_ERR_NOMEM;
		memcpy(room, data.data, data.size);
	}
	brine_conn_fed(conn, data.size, now_ms);
	return 0;
}

void brine_conn_eof(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	conn->eof = true;
	conn_advance(conn);
}

void brine_conn_mute(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	conn->mute = true;
}

void brine_conn_lost(struct brine_conn *conn, int status, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	if (conn->lost)
		return;
	conn->lost = conn->mute = true;
	conn->lost_status = status;
	conn_advance(conn);
}

int brine_conn_next(struct brine_conn *conn, struct brine_event *ret_event, uint64_t now_ms)
{
	if (!conn || !ret_event)
		return BRINE_ERR_INVALID;
	if (conn->at_rest) {
		conn_clock(conn, now_ms);
		return 0;
	}
	conn_changes(conn, now_ms);
	release_message(conn);
	conn_streams_first_credit(conn);
	struct brine_event event = {.deadline_ms = BRINE_FOREVER, .plain = conn->wire == BRINE_WIRE_PLAIN};
	conn->has_more = false;
	for (unsigned count = 0; count < TURN_MESSAGES;) {
		enum conn_step step = conn_take_local_event(conn, &event) ? CONN_EVENT : conn_receive(conn, &event);
		if (step == CONN_EVENT) {
			*ret_event = event;
			return 1;
		}
		count += step == CONN_HANDLED;
		if (step == CONN_HANDLED)
			continue;
		conn_advance(conn);
		if (!conn_has_local_event(conn)) {
			conn->at_rest = true;
			return 0;
		}
	}
	conn->has_more = true;
	return 0;
}

void brine_conn_sent(struct brine_conn *conn, size_t size, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	if (size) {
		conn->took_ms = conn->used_ms = conn->now_ms;
		conn->counters.bytes_sent += size;
		conn->pace_size += size;
	}
	conn_output_sent(conn, size);
	conn_advance(conn);
}
