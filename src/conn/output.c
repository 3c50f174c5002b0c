#include "conn/output.h"

#include "base/later.h"
#include "base/poison.h"
#include "codec/put.h"
#include "frame/prefix.h"

enum { PONGS_UNSENT_MAX = 16 };

enum control_kind { CONTROL_ANSWER, CONTROL_PONG, CONTROL_CREDIT };

/* A frame that is not sent yet: an answer that no handler made, or credit. */
struct control {
	uint64_t end; /* in all bytes ever queued */
	enum control_kind kind;
	uint64_t serial; /* credit: of the call */
};

static void show_queued(struct brine_conn *conn, size_t size)
{
	if (!conn->options.tap)
		return;
	struct brine_bytes message = {conn->output.data + conn->output.end - size, size};
	if (conn->wire == BRINE_WIRE_FRAMED) {
		unsigned prefix_size = brine_prefix_read(message).size;
		message = BRINE_BYTES((const uint8_t *)message.data + prefix_size, size - prefix_size);
	}
	conn->options.tap(conn->options.tap_user, BRINE_SENT, conn->wire, message);
}

void conn_watch_pace(struct brine_conn *conn)
{
	const struct brine_limits *limits = &conn->options.limits;
	bool watches = limits->output_progress_size && limits->progress_interval_ms;
	conn->pace_size = 0;
	conn->pace_at_ms = watches ? brine_later(conn->now_ms, limits->progress_interval_ms) : BRINE_FOREVER;
}

int conn_queue(struct brine_conn *conn, const struct brine_frame *frame)
{
	if (conn->mute || conn->state == BRINE_CONN_CLOSED)
		return 0;
	size_t before = brine_buf_size(&conn->output);
	int status = brine_frame_write(&conn->output, frame, conn->wire, conn_peer_size_max(conn));
	if (status < 0)
		return status;
	if (before == 0) {
		conn->took_ms = conn->now_ms;
		conn_watch_pace(conn);
	}
	conn->used_ms = conn->now_ms;
	conn->counters.frames_sent++;
	show_queued(conn, brine_buf_size(&conn->output) - before);
	return 0;
}

/* Queues a frame and keeps track of it until it is sent. */
static int queue_tracked(struct brine_conn *conn, const struct brine_frame *frame, enum control_kind kind,
                         uint64_t serial)
{
	struct control *control = brine_buf_reserve(&conn->controls, sizeof *control);
	if (!control || conn_queue(conn, frame) < 0)
		return BRINE_ERR_NOMEM;
	*control = (struct control){conn->output_at + brine_buf_size(&conn->output), kind, serial};
	conn->controls.end += sizeof *control;
	return 0;
}

int conn_queue_control(struct brine_conn *conn, const struct brine_frame *frame)
{
	bool is_pong = frame->type == BRINE_FRAME_PONG;
	if (is_pong && conn->pongs_unsent >= PONGS_UNSENT_MAX) {
		conn->counters.glitches++;
		return 0;
	}
	if (conn->answers_unsent >= conn->options.limits.control_answers_max)
		return BRINE_ERR_OVERLOADED;
	int status = queue_tracked(conn, frame, is_pong ? CONTROL_PONG : CONTROL_ANSWER, 0);
	if (status < 0)
		return status;
	conn->answers_unsent++;
	conn->pongs_unsent += is_pong;
	return 0;
}

int conn_queue_credit(struct brine_conn *conn, struct call *call, uint32_t count)
{
	struct brine_frame frame = {
	        .type = call->is_ours ? BRINE_FRAME_ITEM_CREDIT : BRINE_FRAME_UPLOAD_CREDIT,
	        .id = call->id,
	        .number = count,
	};
	if (queue_tracked(conn, &frame, CONTROL_CREDIT, call->serial) < 0)
		return BRINE_ERR_NOMEM;
	call->in.granted += count;
	call->in.credit_unsent = true;
	return 0;
}

struct brine_frame conn_error_frame(const struct brine_conn *conn, struct brine_bytes id_bytes, int64_t code,
                                    struct brine_str text)
{
	struct brine_frame frame = {.type = BRINE_FRAME_RESPONSE, .id_bytes = id_bytes};
	frame.error = (struct brine_frame_error){.is_set = true, .code = code, .text = text};
	if (conn->wire == BRINE_WIRE_PLAIN) {
		/* Neovim's two kinds of error: 0 exception, 1 validation. */
		frame.error.code = code == BRINE_CODE_INVALID;
		frame.error.text_only = conn->options.plain_errors == BRINE_PLAIN_ERRORS_TEXT;
	}
	return frame;
}

/* Unsent output that is copied down over what is cut out of it. */
struct cut {
	struct brine_conn *conn;
	uint8_t *from, *to;
	uint64_t at;       /* of from, in all bytes ever queued */
	size_t size;       /* cut so far */
	struct call *call; /* the next whose place moves: calls of ours are listed in the order they were queued */
	struct control *control, *controls_end; /* the next that moves */
};

static void cut_out(struct cut *cut, size_t size)
{
	cut->from += size;
	cut->at += size;
	cut->size += size;
	cut->conn->counters.frames_sent--;
}

static void cut_keep(struct cut *cut, size_t size)
{
	memmove(cut->to, cut->from, size);
	cut->to += size;
	cut->from += size;
	cut->at += size;
	for (; cut->call && cut->call->queued_at < cut->at; cut->call = cut->call->next)
		cut->call->queued_at -= cut->size;
	for (; cut->control < cut->controls_end && cut->control->end <= cut->at; cut->control++)
		cut->control->end -= cut->size;
}

static struct cut cut_begin(struct brine_conn *conn, struct call *call)
{
	struct cut cut = {.conn = conn, .at = call->queued_at, .call = call->next};
	cut.from = cut.to = conn->output.data + conn->output.start + (call->queued_at - conn->output_at);
	cut.control = (struct control *)(void *)(conn->controls.data + conn->controls.start);
	cut.controls_end = cut.control + brine_buf_size(&conn->controls) / sizeof *cut.control;
	while (cut.control < cut.controls_end && cut.control->end <= cut.at)
		cut.control++;
	return cut;
}

/* Cuts the frames of the upload of a call out of everything from cut->from on. */
static void cut_upload(struct cut *cut, const struct call *call, const uint8_t *end)
{
	/* How the messages go on behind the array head. */
	uint8_t head[1 + 9] = {BRINE_FRAME_UPLOAD};
	size_t head_size = (size_t)(brine_put_uint(head + 1, call->id) - head);
	while (cut->from < end) {
		struct brine_prefix prefix = brine_prefix_read(BRINE_BYTES(cut->from, (size_t)(end - cut->from)));
		bool is_its = prefix.length > head_size && memcmp(cut->from + prefix.size + 1, head, head_size) == 0;
		(is_its ? cut_out : cut_keep)(cut, (size_t)prefix.size + prefix.length);
	}
}

bool conn_take_back(struct brine_conn *conn, struct call *call)
{
	if (call->queued_size == 0 || call->queued_at < conn->output_at)
		return false;
	const uint8_t *end = conn->output.data + conn->output.end;
	struct cut cut = cut_begin(conn, call);
	cut_out(&cut, call->queued_size);
	if (call->out.was_queued)
		cut_upload(&cut, call, end);
	cut_keep(&cut, (size_t)(end - cut.from));
	conn->output.end -= cut.size;
	call->queued_size = 0;
	return true;
}

static void forget_sent_controls(struct brine_conn *conn)
{
	while (brine_buf_size(&conn->controls)) {
		struct control first;
		memcpy(&first, conn->controls.data + conn->controls.start, sizeof first);
		if (first.end > conn->output_at)
			return;
		struct call *call = first.serial ? brine_idmap_find(&conn->calls.by_serial, first.serial) : NULL;
		if (call)
			call->in.credit_unsent = false;
		conn->answers_unsent -= first.kind != CONTROL_CREDIT;
		conn->pongs_unsent -= first.kind == CONTROL_PONG;
		brine_buf_take(&conn->controls, sizeof first);
	}
}

void conn_output_sent(struct brine_conn *conn, size_t size)
{
	size_t held = brine_buf_size(&conn->output);
	size = size < held ? size : held;
	conn->output_at += size;
	conn->output.start += size;
	/* Unlike brine_buf_take() this keeps the memory: the tick gives it back once the connection has been idle. */
	if (conn->output.start == conn->output.end) {
		conn->output.start = conn->output.end = 0;
		ASAN_POISON_MEMORY_REGION(conn->output.data, conn->output.capacity);
	}
	forget_sent_controls(conn);
}

void conn_output_drop(struct brine_conn *conn)
{
	conn->output_at += brine_buf_size(&conn->output);
	brine_buf_done(&conn->output);
	forget_sent_controls(conn);
}
