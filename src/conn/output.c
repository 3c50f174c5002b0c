#include "conn/conn.h"

#include "frame/prefix.h"

enum { PONGS_UNSENT_MAX = 16 };

/* An answer that no handler made and that is not sent yet. */
struct control {
	uint64_t end; /* in all bytes ever queued */
	bool is_pong;
};

uint32_t conn_peer_size_max(const struct brine_conn *conn)
{
	return conn->wire == BRINE_WIRE_PLAIN ? conn->options.limits.message_size_max : conn->peer.message_size_max;
}

static void show(struct brine_conn *conn, size_t size)
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

int conn_queue(struct brine_conn *conn, const struct brine_frame *frame)
{
	if (conn->lost || conn->state == BRINE_CONN_CLOSED)
		return 0;
	size_t before = brine_buf_size(&conn->output);
	int rc = brine_frame_write(&conn->output, frame, conn->wire, conn_peer_size_max(conn));
	if (rc < 0)
		return rc;
	if (before == 0)
		conn->took_ms = conn->now_ms;
	conn->used_ms = conn->now_ms;
	conn->counters.frames_sent++;
	show(conn, brine_buf_size(&conn->output) - before);
	return 0;
}

void conn_queue_must(struct brine_conn *conn, const struct brine_frame *frame)
{
	if (conn_queue(conn, frame) < 0)
		conn_fault_nomem(conn);
}

void conn_queue_control(struct brine_conn *conn, const struct brine_frame *frame)
{
	bool is_pong = frame->type == BRINE_FRAME_PONG;
	if (is_pong && conn->pongs_unsent >= PONGS_UNSENT_MAX) {
		conn->counters.glitches++;
		return;
	}
	if (brine_buf_size(&conn->controls) / sizeof(struct control) >= conn->options.limits.control_answers_max) {
		conn_cut(conn, BRINE_ERR_NO_PROGRESS, "the peer reads none of the answers to what it sends");
		return;
	}
	struct control *control = brine_buf_reserve(&conn->controls, sizeof *control);
	if (!control || conn_queue(conn, frame) < 0) {
		conn_fault_nomem(conn);
		return;
	}
	*control = (struct control){.end = conn->output_at + brine_buf_size(&conn->output), .is_pong = is_pong};
	conn->controls.end += sizeof *control;
	conn->pongs_unsent += is_pong;
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

bool conn_take_back(struct brine_conn *conn, struct call *call)
{
	if (call->queued_size == 0 || call->queued_at < conn->output_at)
		return false;
	uint8_t *begin = conn->output.data + conn->output.start + (call->queued_at - conn->output_at);
	size_t size = call->queued_size;
	memmove(begin, begin + size, (size_t)(conn->output.data + conn->output.end - (begin + size)));
	conn->output.end -= size;
	call->queued_size = 0;
	for (struct call *other = conn->calls.outgoing.first; other; other = other->next)
		if (other->queued_at > call->queued_at)
			other->queued_at -= size;
	struct control *controls = (struct control *)(void *)(conn->controls.data + conn->controls.start);
	for (size_t i = 0; i < brine_buf_size(&conn->controls) / sizeof *controls; i++)
		if (controls[i].end > call->queued_at)
			controls[i].end -= size;
	conn->counters.frames_sent--;
	return true;
}

static void forget_sent_controls(struct brine_conn *conn)
{
	while (brine_buf_size(&conn->controls)) {
		struct control first;
		memcpy(&first, conn->controls.data + conn->controls.start, sizeof first);
		if (first.end > conn->output_at)
			return;
		conn->pongs_unsent -= first.is_pong;
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
	if (conn->output.start == conn->output.end)
		conn->output.start = conn->output.end = 0;
	forget_sent_controls(conn);
}

void conn_output_drop(struct brine_conn *conn)
{
	conn->output_at += brine_buf_size(&conn->output);
	brine_buf_done(&conn->output);
	forget_sent_controls(conn);
}
