/* What the program asks for: calls, notifications, answers, pings. */
#include "codec/token.h"
#include "conn/end.h"
#include "conn/output.h"
#include "conn/streams.h"

#include <stdio.h>

enum { PLAIN_ID_LAST = INT32_MAX };

/* To a peer that said neither hello nor welcome the accepting side only answers (WIRE.md section 5). */
static bool may_ask(const struct brine_conn *conn)
{
	return conn->options.role == BRINE_CONNECTING || (conn->wire == BRINE_WIRE_FRAMED && conn->peer_spoke);
}

/* An encoder of the program's, and what came of it. */
struct watched_encoder {
	const struct brine_encoder *encoder;
	bool wants_array;
	bool failed; /* by itself: its status is not ours to explain */
	size_t size; /* what it wrote */
};

static bool is_array(struct brine_bytes value)
{
	struct brine_token token;
	return brine_token_read(&token, value.data, value.size) == 1 && token.kind == BRINE_TOKEN_ARRAY;
}

static int refuse_params(struct brine_error *error)
{
	return brine_fail(error, BRINE_ERR_INVALID, 0, "params: expected one encoded array");
}

static int encode_watched(struct brine_buf *out, void *user)
{
	struct watched_encoder *watched = user;
	size_t before = brine_buf_size(out);
	int status = watched->encoder->encode(out, watched->encoder->user);
	watched->failed = status < 0;
	watched->size = brine_buf_size(out) - before;
	struct brine_bytes value = {out->data + out->start + before, watched->size};
	if (status < 0 || !watched->wants_array || value.size == 0 || is_array(value))
		return status;
	return BRINE_ERR_INVALID;
}

static int check_invocation(const struct brine_conn *conn, struct brine_str method, struct brine_bytes params,
                            struct brine_bytes metadata, struct brine_error *error)
{
	const struct brine_limits *limits = &conn->options.limits;
	if ((method.size && !method.data) || (params.size && !params.data) || (metadata.size && !metadata.data))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "method, params or metadata is NULL");
	if (method.size == 0 || method.size > limits->method_size_max)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "method name of %zu bytes, expected 1 to %u",
		                  method.size, limits->method_size_max);
	if (params.size && !is_array(params))
		return refuse_params(error);
	if (metadata.size > limits->metadata_size_max)
		return brine_fail(error, BRINE_ERR_TOO_BIG, 0, "metadata of %zu bytes, at most %u", metadata.size,
		                  limits->metadata_size_max);
	return 0;
}

static int check_may_send(const struct brine_conn *conn, struct brine_error *error)
{
	if (conn->state >= BRINE_CONN_CLOSING || conn->mute || conn->eof || conn->fault_due)
		return brine_fail(error, BRINE_ERR_LOST, 0, "the connection is closed");
	if (!may_ask(conn))
		return brine_fail(error, BRINE_ERR_STATE, 0, "the peer said no hello: it may only be answered");
	if (conn->drain_received)
		return brine_fail(error, BRINE_ERR_GOING_AWAY, 0, "the peer is going away, not sent");
	if (conn_is_over_mark(conn))
		return brine_fail(error, BRINE_ERR_OVERLOADED, 0, "%zu bytes wait to be sent, not queued",
		                  brine_buf_size(&conn->output));
	return 0;
}

/* Queues a request or notification and says why not. */
static int queue_invocation(struct brine_conn *conn, const struct brine_frame *frame, struct brine_error *error)
{
	const struct watched_encoder *watched = frame->encoder ? frame->encoder->user : NULL;
	int status = conn_queue(conn, frame);
	if (watched && watched->failed)
		return status;
	if (status == BRINE_ERR_TOO_BIG)
		return brine_fail(error, status, 0, "params of %zu bytes: the message exceeds the peer's max of %u",
		                  watched ? watched->size : frame->params.size, conn_peer_size_max(conn));
	if (status == BRINE_ERR_INVALID)
		return refuse_params(error);
	return status < 0 ? brine_fail(error, status, 0, "out of memory") : 0;
}

/* The next id that names no call. There are more ids than calls, so there is one. */
static uint32_t next_id(struct brine_conn *conn)
{
	bool is_plain = conn->wire == BRINE_WIRE_PLAIN;
	uint32_t id;
	do {
		id = conn->id_next;
		if (is_plain && (id == 0 || id > PLAIN_ID_LAST))
			id = 1;
		conn->id_next = id + 1;
	} while (brine_idmap_find(&conn->calls.outgoing_ids, id));
	return id;
}

/* Registers the call and queues its request; on failure everything is as before. */
static int start_call(struct brine_conn *conn, struct call *call, const struct brine_conn_call *wanted,
                      struct brine_error *error)
{
	struct watched_encoder watched = {.encoder = wanted->encoder, .wants_array = true};
	struct brine_encoder encoder = {encode_watched, &watched};
	uint32_t id = next_id(conn);
	if (call_own_id(&conn->calls, call, id) < 0 || call_arm(&conn->calls, call, wanted->deadline_ms) < 0)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	struct brine_frame frame = {
	        .type = BRINE_FRAME_REQUEST,
	        .id = id,
	        .method = {wanted->method.data, wanted->method.size},
	        .params = wanted->params,
	        .options.metadata = wanted->metadata,
	        .options.has_ttl = wanted->deadline_ms != BRINE_FOREVER,
	        .options.ttl_ms = wanted->deadline_ms - conn->now_ms,
	        .options.has_win = wanted->wants_items,
	        .options.win = conn->options.stream_items,
	        .options.up = wanted->has_upload,
	        .encoder = wanted->encoder ? &encoder : NULL,
	};
	size_t before = brine_buf_size(&conn->output);
	int status = queue_invocation(conn, &frame, error);
	if (status < 0)
		return status;
	conn_streams_ours(conn, call, wanted->wants_items, wanted->has_upload);
	call->user = wanted->user;
	call->queued_at = conn->output_at + before;
	call->queued_size = brine_buf_size(&conn->output) - before;
	return 0;
}

int brine_conn_call(struct brine_conn *conn, const struct brine_conn_call *call, uint64_t now_ms, uint64_t *ret_serial,
                    struct brine_error *error)
{
	if (!conn || !call || !ret_serial || (call->encoder && !call->encoder->encode))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "conn, call, ret_serial or encoder->encode is NULL");
	conn_changes(conn, now_ms);
	int status = check_may_send(conn, error);
	if (status == 0)
		status = check_invocation(conn, call->method, call->params, call->metadata, error);
	if (status < 0)
		return status;
	/* The peer may close as soon as it has read our goaway: the call could be lost without having run. */
	if (conn->drain_sent)
		return brine_fail(error, BRINE_ERR_GOING_AWAY, 0, "this side is going away, not sent");
	if ((call->wants_items || call->has_upload) && conn->wire == BRINE_WIRE_PLAIN)
		return brine_fail(error, BRINE_ERR_UNSUPPORTED, 0, "streams need a framed peer, this one is plain");
	if (call->deadline_ms <= conn->now_ms)
		return brine_fail(error, BRINE_ERR_DEADLINE, 0, "the deadline has passed, not sent");
	if (conn->calls.outgoing.count >= conn->peer.calls_max)
		return brine_fail(error, BRINE_ERR_OVERLOADED, 0, "%u calls are running, the peer takes %u, not sent",
		                  conn->calls.outgoing.count, conn->peer.calls_max);
	struct call *record = call_new(&conn->calls, true);
	if (!record)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	status = start_call(conn, record, call, error);
	if (status < 0) {
		call_free(&conn->calls, record);
		return status;
	}
	*ret_serial = record->serial;
	return 0;
}

int brine_conn_notify(struct brine_conn *conn, struct brine_str method, struct brine_bytes params,
                      struct brine_bytes metadata, struct brine_error *error)
{
	if (!conn)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "conn is NULL");
	conn_changes(conn, conn->now_ms);
	int status = check_may_send(conn, error);
	if (status == 0)
		status = check_invocation(conn, method, params, metadata, error);
	if (status < 0)
		return status;
	struct brine_frame frame = {
	        .type = BRINE_FRAME_NOTIFICATION,
	        .method = {method.data, method.size},
	        .params = params,
	        .options.metadata = metadata,
	};
	return queue_invocation(conn, &frame, error);
}

void brine_conn_cancel(struct brine_conn *conn, uint64_t serial, uint64_t now_ms)
{
	if (!conn)
		return;
	conn_changes(conn, now_ms);
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (!call || call->list != &conn->calls.outgoing)
		return;
	conn_give_up(conn, call, BRINE_ERR_CANCELLED);
}

void brine_conn_abandon(struct brine_conn *conn, uint64_t serial, uint64_t now_ms)
{
	if (!conn)
		return;
	brine_conn_cancel(conn, serial, now_ms);
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (call && call->is_ours && call->list == &conn->calls.events)
		conn_forget_ended(conn, call);
	conn_advance(conn);
}

/* The call of theirs that an answer is for. It is used up: 0 and the record where it still needs the answer, else why
 * not. */
static int take_answered(struct brine_conn *conn, uint64_t serial, struct call **ret_call)
{
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (!call || call->is_ours)
		return BRINE_ERR_NOT_FOUND;
	/* The handler may see that its time is over before the tick does: it is the deadline that ends the call. */
	if (call->list == &conn->calls.incoming && call->deadline_ms <= conn->now_ms)
		conn_end_incoming(conn, call, BRINE_CODE_DEADLINE, NULL, BRINE_ERR_DEADLINE);
	if (call->list == &conn->calls.incoming) {
		*ret_call = call;
		return 0;
	}
	int status = call->status;
	call_free(&conn->calls, call);
	return status;
}

/* Queues the answer and releases the call. A peer that cannot take so big an answer is told. A call whose encoder fails
 * stays. */
static int queue_answer(struct brine_conn *conn, struct call *call, struct brine_frame *frame)
{
	const struct watched_encoder *watched = frame->encoder ? frame->encoder->user : NULL;
	frame->id_bytes = BRINE_BYTES(call->id_bytes, call->id_size);
	int status = conn_queue(conn, frame);
	if (watched && watched->failed)
		return status;
	if (status == BRINE_ERR_TOO_BIG) {
		char text[96];
		size_t size = watched ? watched->size : frame->result.size + frame->error.data.size;
		snprintf(text, sizeof text, "the answer of %zu bytes exceeds the caller's max of %u", size,
		         conn_peer_size_max(conn));
		struct brine_frame error =
		        conn_error_frame(conn, frame->id_bytes, BRINE_CODE_TOO_LARGE, brine_str_from(text));
		conn_queue_must(conn, &error);
	}
	call_free(&conn->calls, call);
	if (status == BRINE_ERR_NOMEM)
		conn_fault_nomem(conn);
	return status;
}

int brine_conn_reply(struct brine_conn *conn, uint64_t serial, struct brine_bytes result, struct brine_bytes metadata,
                     uint64_t now_ms)
{
	if (!conn || (result.size && !result.data) || (metadata.size && !metadata.data))
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	struct call *call = NULL;
	int status = take_answered(conn, serial, &call);
	if (status < 0)
		return status;
	struct brine_frame frame = {.type = BRINE_FRAME_RESPONSE, .result = result, .options.metadata = metadata};
	return queue_answer(conn, call, &frame);
}

int brine_conn_reply_encoded(struct brine_conn *conn, uint64_t serial, const struct brine_encoder *result,
                             struct brine_bytes metadata, uint64_t now_ms)
{
	if (!conn || !result || !result->encode || (metadata.size && !metadata.data))
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	struct call *call = NULL;
	int status = take_answered(conn, serial, &call);
	if (status < 0)
		return status;
	struct watched_encoder watched = {.encoder = result};
	struct brine_encoder encoder = {encode_watched, &watched};
	struct brine_frame frame = {.type = BRINE_FRAME_RESPONSE, .encoder = &encoder, .options.metadata = metadata};
	return queue_answer(conn, call, &frame);
}

/* At most so many bytes of text, cut where a character begins. */
static struct brine_str shorten_text(struct brine_str text, size_t most)
{
	if (text.size <= most)
		return text;
	while (most && ((uint8_t)text.data[most] & 0xc0) == 0x80)
		most--;
	return (struct brine_str){text.data, most};
}

int brine_conn_fail(struct brine_conn *conn, uint64_t serial, int64_t code, struct brine_str text,
                    struct brine_bytes data, uint64_t now_ms)
{
	if (!conn || (text.size && !text.data) || (data.size && !data.data))
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	struct call *call = NULL;
	int status = take_answered(conn, serial, &call);
	if (status < 0)
		return status;
	struct brine_frame frame = conn_error_frame(conn, (struct brine_bytes){NULL, 0}, code,
	                                            shorten_text(text, conn->options.limits.error_text_size_max));
	if (conn->wire == BRINE_WIRE_FRAMED)
		frame.error.data = data;
	return queue_answer(conn, call, &frame);
}

void brine_conn_release(struct brine_conn *conn, uint64_t serial, uint64_t now_ms)
{
	if (!conn)
		return;
	const char *text = brine_code_text(BRINE_CODE_INTERNAL);
	(void)brine_conn_fail(conn, serial, BRINE_CODE_INTERNAL, brine_str_from(text), (struct brine_bytes){NULL, 0},
	                      now_ms);
}

int brine_conn_attach(struct brine_conn *conn, uint64_t serial, void *user)
{
	if (!conn)
		return BRINE_ERR_INVALID;
	struct call *call = brine_idmap_find(&conn->calls.by_serial, serial);
	if (!call || call->is_ours)
		return BRINE_ERR_NOT_FOUND;
	call->user = user;
	return 0;
}

int brine_conn_ping(struct brine_conn *conn, uint64_t now_ms)
{
	if (!conn)
		return BRINE_ERR_INVALID;
	conn_changes(conn, now_ms);
	if (conn->pinging)
		return BRINE_ERR_BUSY;
	if (conn->wire != BRINE_WIRE_FRAMED || !may_ask(conn))
		return BRINE_ERR_STATE;
	if (conn->state >= BRINE_CONN_CLOSING || conn->mute || conn->eof)
		return BRINE_ERR_LOST;
	struct brine_frame frame = {.type = BRINE_FRAME_PING, .number = conn->ping_token + 1};
	if (conn_queue(conn, &frame) < 0)
		return BRINE_ERR_NOMEM;
	conn->ping_token++;
	conn->pinging = true;
	return 0;
}
