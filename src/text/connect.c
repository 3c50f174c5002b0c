#include "text/text.h"

#include "base/alloc.h"
#include "base/utf8.h"
#include "net/random.h"
#include "text/service.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void brine_text_limits(struct brine_limits *limits)
{
	if (!limits)
		return;
	limits->stall_timeout_ms = 0;
	limits->stuck_output_ms = 0;
}

const char *brine_text_program(void)
{
	return program_invocation_short_name;
}

/* ---- making and releasing ---- */

struct brine_text *brine_text_new(const struct brine_allocator *allocator, uint64_t session, struct brine_str source)
{
	struct brine_text *text = brine_alloc_zero(allocator, sizeof *text);
	if (!text)
		return NULL;
	atomic_init(&text->holders, 1);
	text->allocator = allocator;
	text->maker = getpid();
	text->session = session;
	text->out.call = text->in.call = (struct brine_call)BRINE_CALL_INIT;
	for (size_t i = 0; i < source.size && i < TEXT_SOURCE_MAX; i++)
		text->source[i] = (char)(source.data[i] ? source.data[i] : '?');
	pthread_mutex_init(&text->files_lock, NULL);
	brine_text_joins_init(&text->joins);
	brine_text_out_init(&text->out);
	brine_text_in_init(&text->in);
	return text;
}

void brine_text_hold(struct brine_text *text)
{
	atomic_fetch_add(&text->holders, 1);
}

void brine_text_drop(struct brine_text *text)
{
	if (atomic_fetch_sub(&text->holders, 1) > 1)
		return;
	pthread_mutex_destroy(&text->files_lock);
	brine_text_joins_done(&text->joins);
	pthread_mutex_destroy(&text->out.lock);
	pthread_mutex_destroy(&text->in.lock);
	brine_release(text->allocator, text, sizeof *text);
}

void brine_text_close(struct brine_text *text)
{
	if (!text)
		return;
	bool forked = brine_text_forked(text);
	if (text->service && !forked)
		brine_text_service_forget(text->service, text);
	/* In a child the locks are as threads that are not there had them. */
	if (!forked)
		brine_text_joins_close(&text->joins);
	brine_text_in_abandon(&text->in, forked);
	if (!forked)
		pthread_mutex_lock(&text->out.lock);
	brine_text_out_close(&text->out, forked);
	if (!forked)
		pthread_mutex_unlock(&text->out.lock);
	brine_client_free(text->client);
	brine_text_drop(text);
}

const char *brine_text_source(const struct brine_text *text)
{
	return text ? text->source : "";
}

const struct brine_peer *brine_text_peer(const struct brine_text *text)
{
	return text && !text->client ? &text->peer : NULL;
}

/* ---- connecting ---- */

/* Says who we are: the first piece of a Write. */
static int begin_writing(struct brine_text *text, struct brine_str name)
{
	struct text_out *out = &text->out;
	struct brine_wire_source source = {text->session, name};
	struct brine_wire_piece piece = {.which = TEXT_CONTENT_BEGIN, .content.begin = &source};
	out->call.timeout_ms = BRINE_FOREVER;
	int status = brine_client_begin(text->client, &out->call, &brine_wire_write_method, NULL);
	if (status == 0)
		status = brine_call_send(&out->call, &piece);
	out->pieces = 1;
	out->is_open = status == 0;
	return status;
}

static int begin_reading(struct brine_text *text, struct brine_str name)
{
	struct text_in *in = &text->in;
	struct brine_wire_source source = {text->session, name};
	in->call.timeout_ms = BRINE_FOREVER;
	int status = brine_client_begin(text->client, &in->call, &brine_wire_read_method, &source);
	in->is_open = status == 0;
	return status;
}

/* Reading is begun first: its request is there before the first piece of ours, which waits for credit. So a peer that
 * looks at the first piece knows whether we read. */
static int begin(struct brine_text *text, unsigned directions, struct brine_str name, struct brine_error *error)
{
	struct brine_call *failed = NULL;
	int status = brine_client_connect(text->client, 0, error);
	if (status < 0)
		return status;
	if ((directions & BRINE_TEXT_READ) && (status = begin_reading(text, name)) < 0)
		failed = &text->in.call;
	else if ((directions & BRINE_TEXT_WRITE) && (status = begin_writing(text, name)) < 0)
		failed = &text->out.call;
	return failed ? brine_fail(error, status, 0, "%s", brine_call_error_text(failed)) : 0;
}

static int open_client(struct brine_text *text, const char *address, const struct brine_client_options *given,
                       struct brine_error *error)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	brine_text_limits(&options.limits);
	if (given && given->mode == BRINE_CLIENT_LOOP)
		return brine_fail(error, BRINE_ERR_INVALID, 0,
		                  "a conversation waits, which a client of mode LOOP never does: use BLOCKING or "
		                  "BACKGROUND, or brine_text_serve()");
	return brine_client_open(&text->client, address, given ? given : &options, error);
}

static int connect_text(struct brine_text *text, const char *address, unsigned directions, struct brine_str name,
                        const struct brine_client_options *client, struct brine_error *error)
{
	int status = open_client(text, address, client, error);
	return status < 0 ? status : begin(text, directions, name, error);
}

int brine_text_connect(struct brine_text **ret_text, const char *address, unsigned directions,
                       const struct brine_text_options *options, struct brine_error *error)
{
	if (!ret_text || !address)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_text or address is NULL");
	const struct brine_client_options *client = options ? options->client : NULL;
	const char *name = options && options->source ? options->source : brine_text_program();
	size_t size = strlen(name);
	uint64_t session = 0;
	if (directions == 0 || directions > (BRINE_TEXT_WRITE | BRINE_TEXT_READ))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "no such direction: BRINE_TEXT_WRITE, _READ or both");
	if (size > TEXT_SOURCE_MAX || brine_utf8_check(name, size) < size)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "the source's name is over %d bytes or no UTF-8",
		                  TEXT_SOURCE_MAX);
	/* Where there is no randomness the two directions are not told to be one conversation, no more. */
	if (brine_random_fill(&session, sizeof session) < 0)
		session = 0;
	struct brine_text *text =
	        brine_text_new(client ? client->allocator : NULL, session, (struct brine_str){NULL, 0});
	if (!text)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a conversation");
	int status = connect_text(text, address, directions, (struct brine_str){name, size}, client, error);
	if (status < 0)
		brine_text_close(text);
	else
		*ret_text = text;
	return status;
}
