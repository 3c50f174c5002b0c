#include "conn/conn.h"

#include "base/alloc.h"

enum {
	TURN_MESSAGES = 32, /* messages without an event that one call of next handles */
	MESSAGE_SIZE_LEAST = 1024,
	DEPTH_LEAST = 4,
	OPTIONS_COUNT_MOST = 256,
};

static int check_options(const struct brine_conn_options *options, struct brine_error *error)
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

static int queue_hello(struct brine_conn *conn)
{
	struct brine_frame frame = {.type = BRINE_FRAME_HELLO, .hello = conn_own_hello(conn)};
	return conn->options.hello ? conn_queue(conn, &frame) : 0;
}

static void init(struct brine_conn *conn, const struct brine_conn_options *options, uint64_t now_ms)
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

static int copy_name(struct brine_conn *conn, const char *name)
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
	int rc = check_options(options, error);
	if (rc < 0)
		return rc;
	struct brine_conn *conn = brine_alloc_zero(options->allocator, sizeof *conn);
	if (!conn)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	init(conn, options, now_ms);
	if (copy_name(conn, options->name) < 0 || queue_hello(conn) < 0) {
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

void conn_clock(struct brine_conn *conn, uint64_t now_ms)
{
	if (now_ms > conn->now_ms)
		conn->now_ms = now_ms;
}

void conn_input_take(struct brine_conn *conn, size_t size)
{
	conn->input.start += size;
	conn->input_at += size;
	/* Unlike brine_buf_take() this keeps the memory: the tick gives it back once the connection has been idle. */
	if (conn->input.start == conn->input.end)
		conn->input.start = conn->input.end = 0;
}

static void release_message(struct brine_conn *conn)
{
	size_t size = conn->consumed;
	conn->consumed = 0;
	conn_input_take(conn, size);
	if (conn->state >= BRINE_CONN_CLOSING)
		brine_buf_done(&conn->input);
}

int brine_conn_feed(struct brine_conn *conn, struct brine_bytes data, uint64_t now_ms)
{
	if (!conn || (data.size && !data.data))
		return BRINE_ERR_INVALID;
	conn_clock(conn, now_ms);
	release_message(conn);
	if (data.size == 0)
		return 0;
	conn->counters.bytes_received += data.size;
	conn->heard_ms = conn->used_ms = conn->now_ms;
	if (conn->state >= BRINE_CONN_CLOSING) {
		conn->discarded += data.size;
		conn_settle(conn);
		return 0;
	}
	if (brine_buf_append(&conn->input, data.data, data.size) < 0) {
		conn_fault_nomem(conn);
		return BRINE_ERR_NOMEM;
	}
	conn->progress_size += data.size;
	conn->input_idle = false;
	return 0;
}

size_t brine_conn_unhandled(const struct brine_conn *conn)
{
	if (!conn)
		return 0;
	return brine_buf_size(&conn->input) - conn->consumed;
}

void brine_conn_eof(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_clock(conn, now_ms);
	conn->eof = true;
	conn_settle(conn);
}

void brine_conn_mute(struct brine_conn *conn, uint64_t now_ms)
{
	conn_clock(conn, now_ms);
	conn->mute = true;
}

void brine_conn_lost(struct brine_conn *conn, int status, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_clock(conn, now_ms);
	if (conn->lost)
		return;
	conn->lost = conn->mute = true;
	conn->lost_status = status;
	conn_settle(conn);
}

/* An ended call of ours whose id the peer still owes: the late answer frees it, or the next ones once there are too
 * many. */
static void keep_zombie(struct brine_conn *conn, struct call *call)
{
	call_move(call, &conn->calls.zombies);
	if (conn->calls.zombies.count > conn->options.limits.calls_max)
		call_free(&conn->calls, conn->calls.zombies.first);
}

bool conn_has_local_event(const struct brine_conn *conn)
{
	return conn->calls.events.count || conn_streams_have_event(conn) ||
	       (conn->state == BRINE_CONN_CLOSED && !conn->closed_told);
}

void conn_forget_ended(struct brine_conn *conn, struct call *call)
{
	if (!call->is_ours)
		call_move(call, &conn->calls.ghosts);
	else if (call->owes_id)
		keep_zombie(conn, call);
	else
		call_free(&conn->calls, call);
}

/* An event that was made here and not by a message: the end of a call, the end of everything. */
static bool take_local_event(struct brine_conn *conn, struct brine_event *event)
{
	struct call *call = conn->calls.events.first;
	if (call) {
		event->type = call->is_ours ? BRINE_EVENT_RESPONSE : BRINE_EVENT_CANCEL;
		event->serial = call->serial;
		event->user = call->user;
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

int brine_conn_next(struct brine_conn *conn, struct brine_event *ret_event, uint64_t now_ms)
{
	if (!conn || !ret_event)
		return BRINE_ERR_INVALID;
	conn_clock(conn, now_ms);
	release_message(conn);
	conn_streams_first_credit(conn);
	struct brine_event event = {.deadline_ms = BRINE_FOREVER, .plain = conn->wire == BRINE_WIRE_PLAIN};
	conn->has_more = false;
	for (unsigned count = 0; count < TURN_MESSAGES;) {
		enum conn_step step = take_local_event(conn, &event) ? CONN_EVENT : conn_receive(conn, &event);
		if (step == CONN_EVENT) {
			*ret_event = event;
			return 1;
		}
		count += step == CONN_HANDLED;
		if (step == CONN_HANDLED)
			continue;
		conn_settle(conn);
		if (!conn_has_local_event(conn))
			return 0;
	}
	conn->has_more = true;
	return 0;
}

const struct brine_error *brine_conn_fault(const struct brine_conn *conn)
{
	return conn ? &conn->fault : NULL;
}

struct brine_bytes brine_conn_pending(const struct brine_conn *conn)
{
	return conn ? brine_buf_bytes(&conn->output) : (struct brine_bytes){NULL, 0};
}

void brine_conn_sent(struct brine_conn *conn, size_t size, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_clock(conn, now_ms);
	if (size) {
		conn->took_ms = conn->used_ms = conn->now_ms;
		conn->counters.bytes_sent += size;
		conn->pace_size += size;
	}
	conn_output_sent(conn, size);
	conn_settle(conn);
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
