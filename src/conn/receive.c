#include "conn/receive.h"

#include "base/later.h"
#include "base/utf8.h"
#include "conn/end.h"
#include "conn/output.h"
#include "conn/streams.h"

#include <stdio.h>

enum {
	TYPES = 32,
	NAME_SIZE_MAX = 255,
	QUOTE_SIZE = 64,
};

typedef enum conn_step handler_fn(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);

/* Answers a request that no handler will see. */
static enum conn_step refuse_request(struct brine_conn *conn, const struct brine_frame *frame, int64_t code,
                                     const char *text)
{
	if (conn->mute)
		return CONN_HANDLED;
	struct brine_frame answer = conn_error_frame(conn, frame->id_bytes, code, brine_str_from(text));
	conn->counters.calls_refused += code == BRINE_CODE_OVERLOADED || code == BRINE_CODE_GOING_AWAY;
	conn_control_must(conn, &answer);
	return CONN_HANDLED;
}

/* A framed id names one call at a time; a plain peer may use one as often as it likes. */
static bool is_id_in_use(struct brine_conn *conn, const struct brine_frame *frame)
{
	if (conn->wire == BRINE_WIRE_PLAIN || !brine_idmap_find(&conn->calls.incoming_ids, (uint64_t)frame->id))
		return false;
	conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_PROTO, conn->input_at, "id %lld is in use",
	           (long long)frame->id);
	return true;
}

static uint64_t deadline_of(const struct brine_conn *conn, const struct brine_frame *frame)
{
	return frame->options.has_ttl ? brine_later(conn->heard_ms, frame->options.ttl_ms) : BRINE_FOREVER;
}

/* Registers the call; NULL when out of memory. */
static struct call *accept_call(struct brine_conn *conn, const struct brine_frame *frame, uint64_t deadline_ms)
{
	struct call *call = call_new(&conn->calls, false);
	if (!call)
		return NULL;
	call->id_size = (uint8_t)frame->id_bytes.size;
	memcpy(call->id_bytes, frame->id_bytes.data, frame->id_bytes.size);
	bool is_framed = conn->wire == BRINE_WIRE_FRAMED;
	if ((is_framed && call_own_id(&conn->calls, call, (uint32_t)frame->id) < 0) ||
	    call_arm(&conn->calls, call, deadline_ms) < 0) {
		call_free(&conn->calls, call);
		return NULL;
	}
	return call;
}

static enum conn_step on_request(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	if (is_id_in_use(conn, frame) || conn->mute)
		return CONN_HANDLED;
	if (conn->drain_sent)
		return refuse_request(conn, frame, BRINE_CODE_GOING_AWAY, "going away, not started");
	if (conn->calls.incoming_handlers >= conn->options.limits.calls_max)
		return refuse_request(conn, frame, BRINE_CODE_OVERLOADED, "too many calls in flight, not started");
	if (conn_is_over_mark(conn))
		return refuse_request(conn, frame, BRINE_CODE_OVERLOADED, "too many answers unread, not started");
	uint64_t deadline_ms = deadline_of(conn, frame);
	if (deadline_ms <= conn->now_ms)
		return refuse_request(conn, frame, BRINE_CODE_DEADLINE, brine_code_text(BRINE_CODE_DEADLINE));
	struct call *call = accept_call(conn, frame, deadline_ms);
	if (!call) {
		conn_fault_nomem(conn);
		return CONN_HANDLED;
	}
	conn_streams_theirs(conn, call, frame);
	conn_event_about(event, BRINE_EVENT_REQUEST, call);
	event->deadline_ms = deadline_ms;
	event->method = (struct brine_str){frame->method.data, frame->method.size};
	event->params = frame->params;
	event->metadata = frame->options.metadata;
	event->wants_items = call->out.is_open;
	event->has_upload = call->in.is_open;
	return CONN_EVENT;
}

static enum conn_step on_notification(struct brine_conn *conn, const struct brine_frame *frame,
                                      struct brine_event *event)
{
	if (conn->calls.incoming_handlers >= conn->options.limits.calls_max) {
		conn->counters.notifications_dropped++;
		return CONN_HANDLED;
	}
	event->type = BRINE_EVENT_NOTIFICATION;
	event->method = (struct brine_str){frame->method.data, frame->method.size};
	event->params = frame->params;
	event->metadata = frame->options.metadata;
	return CONN_EVENT;
}

/* Cuts a long text of the peer and marks the cut. The bytes are ours: they lie in the receive buffer. */
static struct brine_str cut_text(struct brine_conn *conn, struct brine_str text)
{
	static const char mark[] = {'.', '.', '.'};
	size_t most = conn->options.limits.error_text_size_max;
	if (text.size <= most)
		return text;
	size_t kept = most > sizeof mark ? most - sizeof mark : 0;
	while (kept && ((uint8_t)text.data[kept] & 0xc0) == 0x80)
		kept--;
	char *own = (char *)conn->input.data + (text.data - (const char *)conn->input.data);
	size_t mark_size = most < sizeof mark ? most : sizeof mark;
	memcpy(own + kept, mark, mark_size);
	return (struct brine_str){text.data, kept + mark_size};
}

/* The call of ours that an answer names: running; anything else was counted. */
static struct call *answered_call(struct brine_conn *conn, const struct brine_frame *frame)
{
	struct call *call = NULL;
	if (frame->id >= 0 && frame->id <= UINT32_MAX)
		call = brine_idmap_find(&conn->calls.outgoing_ids, (uint64_t)frame->id);
	if (!call) {
		conn->counters.glitches++;
		return NULL;
	}
	if (call->list == &conn->calls.outgoing)
		return call;
	conn->counters.late_answers++;
	if (call->list == &conn->calls.awaiting_late_answer)
		call_free(&conn->calls, call);
	else
		call_drop_id(&conn->calls, call);
	return NULL;
}

static int status_of(const struct brine_conn *conn, const struct brine_frame_error *error)
{
	if (!error->is_set)
		return BRINE_OK;
	bool is_framed = conn->wire == BRINE_WIRE_FRAMED;
	if (is_framed && error->code == BRINE_CODE_DEADLINE)
		return BRINE_ERR_DEADLINE;
	return is_framed && error->code == BRINE_CODE_CANCELLED ? BRINE_ERR_CANCELLED : BRINE_ERR_REMOTE;
}

/* Ends the call that frame answers. */
static enum conn_step finish_call(struct brine_conn *conn, const struct brine_frame *frame, int status,
                                  struct brine_event *event)
{
	struct call *call = answered_call(conn, frame);
	if (!call)
		return CONN_HANDLED;
	conn_event_about(event, BRINE_EVENT_RESPONSE, call);
	event->status = status;
	event->error = frame->error;
	event->error.text = cut_text(conn, frame->error.text);
	event->metadata = frame->options.metadata;
	if (status == BRINE_OK)
		event->result = frame->result;
	call_free(&conn->calls, call);
	return CONN_EVENT;
}

static enum conn_step on_response(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	return finish_call(conn, frame, status_of(conn, &frame->error), event);
}

static enum conn_step on_cancel(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	(void)event; /* comes from the list of ended calls */
	struct call *call = brine_idmap_find(&conn->calls.incoming_ids, (uint64_t)frame->id);
	if (!call)
		return conn_glitch(conn);
	conn_end_incoming(conn, call, BRINE_CODE_CANCELLED, NULL, BRINE_ERR_CANCELLED);
	return CONN_HANDLED;
}

static int keep_peer_texts(struct brine_conn *conn, const struct brine_frame_hello *hello)
{
	size_t name_size = hello->name.size < NAME_SIZE_MAX ? hello->name.size : NAME_SIZE_MAX;
	struct brine_buf *texts = &conn->peer_texts;
	if (brine_buf_append(texts, hello->features.data, hello->features.size) < 0 ||
	    brine_buf_append(texts, hello->name.data, name_size) < 0)
		return BRINE_ERR_NOMEM;
	const uint8_t *data = brine_buf_bytes(texts).data;
	conn->peer.features = BRINE_BYTES(data, hello->features.size);
	conn->peer.name = (struct brine_str){name_size ? (const char *)data + hello->features.size : NULL, name_size};
	return 0;
}

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Takes over what the peer told. Huge limits are cut down to our own, the version to the one we speak. */
static enum conn_step learn_peer(struct brine_conn *conn, const struct brine_frame_hello *hello,
                                 struct brine_event *event)
{
	conn->peer = *hello;
	conn->peer.version = 1;
	conn->peer.message_size_max = min_u32(hello->message_size_max, conn->options.limits.message_size_max);
	conn->peer.calls_max = min_u32(hello->calls_max, conn->options.limits.calls_max);
	conn->peer_spoke = true;
	if (keep_peer_texts(conn, hello) < 0) {
		conn_fault_nomem(conn);
		return CONN_HANDLED;
	}
	event->type = BRINE_EVENT_HELLO;
	return CONN_EVENT;
}

static enum conn_step out_of_place(struct brine_conn *conn, const struct brine_frame *frame)
{
	conn_fault(conn, BRINE_CODE_INVALID, BRINE_ERR_PROTO, conn->input_at, "%s out of place",
	           brine_frame_type_name(frame->type));
	return CONN_HANDLED;
}

static enum conn_step on_hello(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	if (conn->options.role != BRINE_ACCEPTING || conn->counters.frames_received != 1)
		return out_of_place(conn, frame);
	enum conn_step step = learn_peer(conn, &frame->hello, event);
	if (step != CONN_EVENT)
		return step;
	struct brine_frame welcome = {.type = BRINE_FRAME_WELCOME, .hello = conn_own_hello(conn)};
	conn_queue_must(conn, &welcome);
	return conn->state < BRINE_CONN_CLOSING ? CONN_EVENT : CONN_HANDLED;
}

static enum conn_step on_welcome(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	if (!conn->options.hello || conn->peer_spoke)
		return out_of_place(conn, frame);
	enum conn_step step = learn_peer(conn, &frame->hello, event);
	if (step == CONN_EVENT)
		conn_streams_welcome(conn);
	return conn->state < BRINE_CONN_CLOSING ? step : CONN_HANDLED;
}

static enum conn_step on_ping(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	(void)event; /* none */
	struct brine_frame pong = {.type = BRINE_FRAME_PONG, .number = frame->number};
	conn_control_must(conn, &pong);
	return CONN_HANDLED;
}

static enum conn_step on_pong(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	if (!conn->pinging || frame->number != conn->ping_token)
		return conn_glitch(conn);
	conn->pinging = false;
	event->type = BRINE_EVENT_PONG;
	return CONN_EVENT;
}

static enum conn_step on_goaway(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event)
{
	event->type = BRINE_EVENT_GOAWAY;
	event->error =
	        (struct brine_frame_error){.is_set = true, .code = frame->code, .text = cut_text(conn, frame->text)};
	if (frame->code == 0) {
		conn->drain_received = true;
		conn->state = BRINE_CONN_DRAINING;
		return CONN_EVENT;
	}
	char text[QUOTE_SIZE * 3];
	brine_escape(text, sizeof text, frame->text.data, frame->text.size);
	brine_fail(&conn->fault, BRINE_ERR_GOAWAY, conn->input_at, "the peer reported fault %lld: %s",
	           (long long)frame->code, text);
	event->status = BRINE_ERR_GOAWAY;
	conn->fault_due = true;
	return CONN_EVENT;
}

static handler_fn *const message_handlers[TYPES] = {
        [BRINE_FRAME_REQUEST] = on_request,
        [BRINE_FRAME_RESPONSE] = on_response,
        [BRINE_FRAME_NOTIFICATION] = on_notification,
        [BRINE_FRAME_ITEM] = conn_on_item,
        [BRINE_FRAME_UPLOAD] = conn_on_upload,
        [BRINE_FRAME_UPLOAD_CREDIT] = conn_on_upload_credit,
        [BRINE_FRAME_ITEM_CREDIT] = conn_on_item_credit,
        [BRINE_FRAME_CANCEL] = on_cancel,
        [BRINE_FRAME_HELLO] = on_hello,
        [BRINE_FRAME_WELCOME] = on_welcome,
        [BRINE_FRAME_PING] = on_ping,
        [BRINE_FRAME_PONG] = on_pong,
        [BRINE_FRAME_GOAWAY] = on_goaway,
};

/* A message that hurts only itself: a request is answered, a notification dropped, an answer ends its call. */
static enum conn_step on_bad_message(struct brine_conn *conn, const struct brine_frame *frame, int code,
                                     const struct brine_error *error, struct brine_event *event)
{
	if (frame->type == BRINE_FRAME_REQUEST)
		return is_id_in_use(conn, frame) ? CONN_HANDLED : refuse_request(conn, frame, code, error->text);
	if (frame->type == BRINE_FRAME_RESPONSE) {
		struct brine_frame answer = {.type = frame->type, .id = frame->id};
		return finish_call(conn, &answer, BRINE_ERR_PROTO, event);
	}
	conn->counters.notifications_dropped++;
	return CONN_HANDLED;
}

static enum conn_step handle_message(struct brine_conn *conn, struct brine_bytes message, struct brine_event *event)
{
	struct brine_frame frame;
	struct brine_judgement judgement;
	struct brine_error error = BRINE_ERROR_INIT;
	uint64_t message_at =
	        conn->input_at + (uint64_t)((const uint8_t *)message.data - (conn->input.data + conn->input.start));
	conn->counters.frames_received++;
	if (conn->options.tap)
		conn->options.tap(conn->options.tap_user, BRINE_RECEIVED, conn->wire, message);
	brine_frame_parse(&frame, message, conn->wire, &conn->options.limits, &judgement, &error);
	switch (judgement.verdict) {
	case BRINE_VERDICT_OK: return message_handlers[frame.type](conn, &frame, event);
	case BRINE_VERDICT_ERROR: return on_bad_message(conn, &frame, judgement.code, &error, event);
	case BRINE_VERDICT_IGNORE: return conn_glitch(conn);
	default: break;
	}
	int goaway_code = judgement.verdict == BRINE_VERDICT_GOAWAY ? judgement.code : CONN_NO_GOAWAY;
	int code = error.code == BRINE_ERR_UNSUPPORTED ? error.code : BRINE_ERR_PROTO;
	conn_fault(conn, goaway_code, code, message_at + error.offset, "%s", error.text);
	return CONN_HANDLED;
}

/* Decides by the first bytes what the peer speaks; false: not yet, or something that is not for us. */
static bool recognise_wire(struct brine_conn *conn)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int wire = brine_wire_detect(brine_buf_bytes(&conn->input), &error);
	if (wire == BRINE_WIRE_UNKNOWN)
		return false;
	if (wire < 0) {
		conn_fault(conn, CONN_NO_GOAWAY, wire, error.offset, "%s", error.text);
		return false;
	}
	bool expected = conn->wire == BRINE_WIRE_UNKNOWN ? wire == BRINE_WIRE_FRAMED || !conn->options.plain_refused
	                                                 : wire == conn->wire;
	if (!expected) {
		conn_fault(conn, CONN_NO_GOAWAY, BRINE_ERR_NOT_BRINE, 0, "the peer speaks %s, which %s",
		           wire == BRINE_WIRE_PLAIN ? "plain MessagePack-RPC" : "frames",
		           conn->wire == BRINE_WIRE_UNKNOWN ? "is refused here (plain_refused)" : "was not asked for");
		if (conn->options.role == BRINE_CONNECTING)
			conn->wire = wire; /* for whoever wants to give advice */
		return false;
	}
	conn->wire = wire;
	conn->recognised = true;
	brine_scan_init(&conn->scan, conn->options.limits.depth_max, conn->options.limits.message_size_max);
	return true;
}

/* 1 and the next message, 0 where it is not whole, or fatal and the connection is closing. */
static int find_plain_message(struct brine_conn *conn, struct brine_bytes *ret_message, size_t *ret_prefix_size)
{
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes input = brine_buf_bytes(&conn->input);
	size_t seen = (size_t)conn->scan.size + conn->scan.head_size;
	int status = seen < input.size ? brine_scan_feed(&conn->scan, (const uint8_t *)input.data + seen,
	                                                 input.size - seen, &error)
	                               : 0;
	if (status < 0)
		conn_fault(conn, CONN_NO_GOAWAY, status == BRINE_ERR_TOO_BIG ? status : BRINE_ERR_PROTO,
		           conn->input_at + error.offset, "%s", error.text);
	if (status <= 0)
		return status;
	*ret_message = BRINE_BYTES(input.data, (size_t)conn->scan.size);
	*ret_prefix_size = 0;
	brine_scan_init(&conn->scan, conn->options.limits.depth_max, conn->options.limits.message_size_max);
	return 1;
}

static int find_framed_message(struct brine_conn *conn, struct brine_bytes *ret_message, size_t *ret_prefix_size)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int status = brine_frame_find(brine_buf_bytes(&conn->input), &conn->options.limits, ret_message,
	                              ret_prefix_size, &error);
	if (status < 0)
		conn_fault(conn, status == BRINE_ERR_TOO_BIG ? BRINE_CODE_TOO_LARGE : BRINE_CODE_INVALID, status,
		           conn->input_at + error.offset, "%s", error.text);
	return status;
}

/* Starts or stops the clock of a message that is not whole yet. */
static void watch_progress(struct brine_conn *conn, bool is_unfinished)
{
	uint64_t interval_ms = conn->options.limits.progress_interval_ms;
	if (!is_unfinished || interval_ms == 0) {
		conn->progress_at_ms = BRINE_FOREVER;
	} else if (conn->progress_at_ms == BRINE_FOREVER) {
		conn->progress_at_ms = brine_later(conn->heard_ms, interval_ms);
		conn->progress_counts = false;
		conn->progress_size = 0;
	}
}

enum conn_step conn_receive(struct brine_conn *conn, struct brine_event *event)
{
	if (conn->state >= BRINE_CONN_CLOSING || conn->fault_due || conn_is_paused(conn))
		return CONN_IDLE;
	struct brine_bytes message;
	size_t prefix_size;
	int status = 0;
	if (brine_buf_size(&conn->input) && (conn->recognised || recognise_wire(conn)))
		status = conn->wire == BRINE_WIRE_PLAIN ? find_plain_message(conn, &message, &prefix_size)
		                                        : find_framed_message(conn, &message, &prefix_size);
	if (conn->state >= BRINE_CONN_CLOSING)
		return CONN_IDLE;
	watch_progress(conn, status == 0 && brine_buf_size(&conn->input));
	if (status == 0) {
		conn->input_idle = true;
		return CONN_IDLE;
	}
	event->plain = conn->wire == BRINE_WIRE_PLAIN;
	conn->consumed = prefix_size + message.size;
	enum conn_step step = handle_message(conn, message, event);
	if (step == CONN_HANDLED) {
		size_t size = conn->consumed;
		conn->consumed = 0;
		conn_input_take(conn, size);
	}
	return step;
}
