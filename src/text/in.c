#include "dispatch/request_stream.h"
#include "text/text.h"

#include <string.h>

void brine_text_in_init(struct text_in *in)
{
	pthread_mutex_init(&in->lock, NULL);
	strcpy(in->stream, "stdout");
}

void brine_text_in_close(struct text_in *in, bool forked)
{
	if (in->request && !forked)
		(void)brine_request_fail(in->request, BRINE_CODE_CANCELLED, "nobody reads the text any more");
	in->request = NULL;
	in->is_open = false;
	brine_call_done(&in->call);
}

void brine_text_in_abandon(struct text_in *in, bool forked)
{
	atomic_store(&in->is_abandoned, true);
	if (!forked && (atomic_load(&in->is_lent) || pthread_mutex_trylock(&in->lock) != 0))
		return;
	brine_text_in_close(in, forked);
	if (!forked)
		pthread_mutex_unlock(&in->lock);
}

void brine_text_in_lend(struct text_in *in)
{
	atomic_store(&in->is_lent, true);
}

void brine_text_in_give_back(struct text_in *in)
{
	atomic_store(&in->is_lent, false);
	if (atomic_load(&in->is_abandoned))
		brine_text_in_abandon(in, false);
}

/* ---- what came ---- */

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return BRINE_ERR_PROTO;
}

/* Names are kept as C strings: what cannot be one is refused. */
static bool keep_name(struct text_in *in, struct brine_str name)
{
	if (name.size > TEXT_STREAM_MAX || memchr(name.data, 0, name.size))
		return false;
	memcpy(in->stream, name.data, name.size);
	in->stream[name.size] = 0;
	return true;
}

int brine_text_in_take(struct text_in *in, const struct brine_wire_piece *piece, struct brine_text_piece *ret_piece,
                       const char **ret_why)
{
	if (in->is_over)
		return refuse(ret_why, "a piece after the end of the text");
	if (piece->sequence != in->pieces)
		return refuse(ret_why, "a piece of text is missing: its sequence is not the next number");
	if (piece->stream.size && !keep_name(in, piece->stream))
		return refuse(ret_why, "a stream's name holds a NUL");
	in->pieces++;
	*ret_piece = (struct brine_text_piece){.stream = {in->stream, strlen(in->stream)}};
	switch (piece->which) {
	case TEXT_CONTENT_TEXT:
		ret_piece->data = (struct brine_bytes){piece->content.text.data, piece->content.text.size};
		break;
	case TEXT_CONTENT_DATA: ret_piece->data = piece->content.data; break;
	case TEXT_CONTENT_BEGIN: return in->pieces == 1 ? 0 : refuse(ret_why, "begin stands first or nowhere");
	case TEXT_CONTENT_END:
		if (piece->content.end->signal < 0 || piece->content.end->signal > TEXT_SIGNAL_MAX)
			return refuse(ret_why, "signals are 1 to 64, and 0 is none");
		in->end = (struct brine_text_end){
		        .status = piece->content.end->status,
		        .signal = piece->content.end->signal,
		};
		in->is_over = true;
		return 0;
	case TEXT_CONTENT_SIGNAL:
		if (piece->content.signal < 1 || piece->content.signal > TEXT_SIGNAL_MAX)
			return refuse(ret_why, "signals are 1 to 64");
		ret_piece->signal = piece->content.signal;
		return 1;
	default: return 0; /* content of a later version */
	}
	in->size += ret_piece->data.size;
	return ret_piece->data.size > 0;
}

void brine_text_in_finish(struct text_in *in, int status)
{
	/* A peer that said how it ended has ended in order, whatever became of the connection afterwards. */
	if (!in->is_over)
		in->end.cut = status < 0;
	in->status = in->is_over ? 0 : status;
	in->is_over = true;
}

struct brine_wire_receipt brine_text_in_receipt(const struct text_in *in)
{
	return (struct brine_wire_receipt){in->pieces, in->size};
}

/* ---- taking; the lock is held ---- */

/* Gets the next piece: 1, 0 at the end, or an error. The first one came before its call was handed over. fault: what is
 * wrong with one that does not fit its schema. */
static int next_piece(struct brine_text *text, struct brine_wire_piece *piece, struct brine_error *fault)
{
	struct text_in *in = &text->in;
	if (text->client)
		return brine_call_next(&in->call, piece);
	if (in->request)
		return brine_request_take(in->request, piece, fault);
	if (in->is_over)
		return in->status;
	int status = brine_text_await_write(&text->joins, &in->request, piece);
	return status < 0 ? status : 1;
}

/* Tells a peer that connected to us what became of its text. */
static void answer(struct text_in *in, int status, const char *why)
{
	struct brine_wire_receipt receipt = brine_text_in_receipt(in);
	struct brine_request *request = in->request;
	in->request = NULL;
	if (request && status == 0)
		(void)brine_request_reply(request, &receipt);
	else if (request)
		(void)brine_request_fail(request, BRINE_CODE_INVALID, "%s", why);
}

static int receive(struct brine_text *text, struct brine_text_piece *ret_piece)
{
	struct text_in *in = &text->in;
	const char *why = "the text was cut off";
	struct brine_error fault = BRINE_ERROR_INIT;
	struct brine_wire_piece piece;
	int status = 0, taken = 0;
	/* After the end mark only the end of the stream comes; anything else is refused. */
	while (taken == 0 && (status = next_piece(text, &piece, &fault)) > 0)
		taken = brine_text_in_take(in, &piece, ret_piece, &why);
	if (taken > 0)
		return 1;
	/* It could be taken again. */
	if (status == BRINE_ERR_WOULD_BLOCK)
		return status;
	status = taken < 0 ? taken : status;
	if (fault.code)
		why = fault.text;
	answer(in, status, why);
	brine_text_in_finish(in, status);
	if (taken < 0)
		brine_call_cancel(&in->call);
	return in->status;
}

/* ---- the public functions ---- */

int brine_text_receive(struct brine_text *text, struct brine_text_piece *ret_piece)
{
	if (!text || !ret_piece)
		return BRINE_ERR_INVALID;
	struct text_in *in = &text->in;
	if (brine_text_forked(text))
		return BRINE_ERR_FORKED;
	pthread_mutex_lock(&in->lock);
	int status = in->status;
	if (!in->is_open)
		status = BRINE_ERR_STATE;
	else if (!in->is_over || in->request)
		status = receive(text, ret_piece);
	bool is_cut = in->is_over && in->end.cut;
	pthread_mutex_unlock(&in->lock);
	if (is_cut && !text->client)
		brine_text_no_reader(&text->joins);
	if (atomic_load(&in->is_abandoned))
		brine_text_in_abandon(in, false);
	return status;
}

const struct brine_text_end *brine_text_ending(const struct brine_text *text)
{
	return text && text->in.is_over ? &text->in.end : NULL;
}
