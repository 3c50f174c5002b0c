#include "text/text.h"

#include "base/utf8.h"

#include <string.h>

void brine_text_out_init(struct text_out *out)
{
	pthread_mutex_init(&out->lock, NULL);
	strcpy(out->stream, "stdout");
}

void brine_text_out_close(struct text_out *out, bool forked)
{
	if (out->request && !forked)
		(void)brine_request_fail(out->request, BRINE_CODE_CANCELLED, "the text was cut off");
	out->request = NULL;
	out->is_open = false;
	brine_call_done(&out->call);
}

/* ---- one piece; the lock is held ---- */

/* Waits until the peer reads, where it has not begun to. */
static int await_reader(struct brine_text *text)
{
	struct text_out *out = &text->out;
	if (!text->client && !out->request && out->status == 0)
		out->status = brine_text_await_read(&text->joins, &out->request);
	return out->status;
}

/* Sends it and sees it into the kernel. An error is for good. */
static int send_piece(struct brine_text *text, struct brine_wire_piece *piece)
{
	struct text_out *out = &text->out;
	int status = await_reader(text);
	if (status < 0)
		return status;
	piece->sequence = out->pieces;
	if (text->client) {
		status = brine_call_send(&out->call, piece);
		if (status == 0)
			status = brine_call_flush(&out->call);
	} else {
		status = brine_request_send(out->request, piece);
	}
	if (status == 0)
		out->pieces++;
	else if (status != BRINE_ERR_WOULD_BLOCK && status != BRINE_ERR_NOMEM)
		out->status = status;
	return status;
}

/* The name a piece must carry: none while the stream stays the same. */
static int name_stream(struct text_out *out, const char *stream, struct brine_str *ret_name)
{
	size_t size = strlen(stream);
	*ret_name = (struct brine_str){NULL, 0};
	if (size == 0 || size > TEXT_STREAM_MAX || brine_utf8_check(stream, size) < size)
		return BRINE_ERR_INVALID;
	if (strcmp(stream, out->stream) != 0)
		*ret_name = (struct brine_str){stream, size};
	return 0;
}

/* How much of the bytes goes into one piece: characters stay whole where the bytes are UTF-8. */
static size_t piece_size(const char *data, size_t size)
{
	size_t cut = TEXT_PIECE_SIZE_MAX;
	if (size <= cut)
		return size;
	while (cut > TEXT_PIECE_SIZE_MAX - 4 && ((unsigned char)data[cut] & 0xc0) == 0x80)
		cut--;
	return cut;
}

static int send_some(struct brine_text *text, const char *stream, const char *data, size_t size)
{
	struct text_out *out = &text->out;
	struct brine_wire_piece piece = {.which = TEXT_CONTENT_TEXT};
	int status = name_stream(out, stream, &piece.stream);
	if (status < 0)
		return status;
	if (brine_utf8_check(data, size) == size) {
		piece.content.text = (struct brine_str){data, size};
	} else {
		piece.which = TEXT_CONTENT_DATA;
		piece.content.data = (struct brine_bytes){data, size};
	}
	status = send_piece(text, &piece);
	if (status == 0 && piece.stream.size)
		strcpy(out->stream, stream);
	if (status == 0)
		out->size += size;
	return status;
}

/* ---- the public functions ---- */

/* The lock is held on success. The lock of a forked child may be held by a thread that is not there. */
static int enter(struct brine_text *text)
{
	struct text_out *out = &text->out;
	if (brine_text_forked(text))
		return BRINE_ERR_FORKED;
	pthread_mutex_lock(&out->lock);
	int status = out->status;
	if (!out->is_open || out->has_ended)
		status = BRINE_ERR_STATE;
	if (status < 0)
		pthread_mutex_unlock(&out->lock);
	return status;
}

int brine_text_send(struct brine_text *text, const char *stream, const void *data, size_t size)
{
	if (!text || (size && !data))
		return BRINE_ERR_INVALID;
	const char *at = data;
	int status = enter(text);
	if (status < 0)
		return status;
	while (status == 0 && size > 0) {
		size_t some = piece_size(at, size);
		status = send_some(text, stream ? stream : "stdout", at, some);
		at += some;
		size -= some;
	}
	pthread_mutex_unlock(&text->out.lock);
	return status;
}

int brine_text_signal(struct brine_text *text, int signal)
{
	struct brine_wire_piece piece = {.which = TEXT_CONTENT_SIGNAL, .content.signal = signal};
	if (!text || signal < 1 || signal > TEXT_SIGNAL_MAX)
		return BRINE_ERR_INVALID;
	int status = enter(text);
	if (status < 0)
		return status;
	status = send_piece(text, &piece);
	pthread_mutex_unlock(&text->out.lock);
	return status;
}

/* Waits for the peer's word that it has taken everything. */
static int await_receipt(struct text_out *out, uint64_t timeout_ms)
{
	struct brine_wire_receipt receipt;
	int status = brine_call_end_upload(&out->call);
	if (status == 0)
		status = brine_call_wait(&out->call, timeout_ms);
	if (status == 0)
		status = brine_call_finish(&out->call, &receipt);
	if (status == 0 && (receipt.pieces != out->pieces || receipt.size != out->size))
		status = BRINE_ERR_PROTO;
	return status;
}

int brine_text_end(struct brine_text *text, int exit_status, int signal, uint64_t timeout_ms)
{
	if (!text)
		return BRINE_ERR_INVALID;
	struct text_out *out = &text->out;
	struct brine_wire_end end = {exit_status, signal};
	struct brine_wire_piece piece = {.which = TEXT_CONTENT_END, .content.end = &end};
	if (signal < 0 || signal > TEXT_SIGNAL_MAX)
		return BRINE_ERR_INVALID;
	int status = enter(text);
	if (status < 0)
		return status;
	if (!text->client && !out->request)
		out->request = brine_text_last_read(&text->joins);
	/* A peer that never read has nothing to be told. */
	if (text->client || out->request)
		status = send_piece(text, &piece);
	out->has_ended = true;
	if (status == 0 && text->client) {
		status = await_receipt(out, timeout_ms);
	} else if (status == 0 && out->request) {
		status = brine_request_reply(out->request, NULL);
		out->request = NULL;
	}
	pthread_mutex_unlock(&out->lock);
	return status;
}
