/* Calls that come from peers, and how they become conversations.
 *
 *   Write -> its first piece -> join ---> event form: the loop takes the pieces and calls the handlers
 *   Read  -> its argument ----> join -'-> else: the request goes to the conversation, whose thread waits in it
 *
 * A conversation is there from the first of its calls to the last, or to brine_text_close(). */
#include "text/service.h"

#include "base/alloc.h"
#include "net/random.h"
#include "rpc/server.h"
#include "text/wait.h"

#include <errno.h>
#include <string.h>

/* What a Write keeps between turns of the loop, in the request's memory. */
struct writing {
	struct brine_text_service *service;
	struct brine_text *text; /* NULL: its first piece has not come */
};

/* ---- conversations; the service's lock is held ---- */

static int enqueue(struct brine_text_service *service, struct brine_text *text)
{
	if (service->is_over || service->waiting_count >= service->waiting_max)
		return BRINE_ERR_OVERLOADED;
	*(service->waiting ? &service->last->next : &service->waiting) = text;
	service->last = text;
	service->waiting_count++;
	text->is_kept = true;
	pthread_cond_signal(&service->arrived);
	return 0;
}

/* A new conversation. The program is not told here: that takes no lock. */
static struct brine_text *create(struct brine_text_service *service, struct brine_request *request,
                                 const struct brine_wire_source *source)
{
	struct brine_text *text = brine_text_new(service->allocator, source->session, source->name);
	if (!text)
		return NULL;
	text->service = service;
	text->peer = *brine_request_peer(request);
	text->out.is_open = text->in.is_open = true;
	bool failed = source->session && brine_idmap_put(&service->sessions, source->session, text) < 0;
	if (!failed && !service->handlers && enqueue(service, text) < 0) {
		(void)brine_idmap_remove(&service->sessions, source->session);
		failed = true;
	}
	if (failed) {
		brine_text_drop(text);
		return NULL;
	}
	return text;
}

/* The conversation of a call, which runs in it from now on; NULL: there is none to be had. */
static struct brine_text *join(struct brine_text_service *service, struct brine_request *request,
                               const struct brine_wire_source *source, bool *ret_is_new)
{
	pthread_mutex_lock(&service->lock);
	struct brine_text *text = source->session ? brine_idmap_find(&service->sessions, source->session) : NULL;
	*ret_is_new = !text;
	if (!text)
		text = create(service, request, source);
	if (text) {
		text->calls++;
		brine_text_hold(text);
	}
	pthread_mutex_unlock(&service->lock);
	return text;
}

/* A call has left the conversation. The last one ends it, where the program does not. */
static void leave(struct brine_text_service *service, struct brine_text *text)
{
	pthread_mutex_lock(&service->lock);
	bool ends = --text->calls == 0 && !text->is_kept;
	if (ends && text->session)
		(void)brine_idmap_remove(&service->sessions, text->session);
	pthread_mutex_unlock(&service->lock);
	if (ends)
		brine_text_drop(text);
	brine_text_drop(text);
}

void brine_text_service_forget(struct brine_text_service *service, struct brine_text *text)
{
	pthread_mutex_lock(&service->lock);
	if (text->session && brine_idmap_find(&service->sessions, text->session) == text)
		(void)brine_idmap_remove(&service->sessions, text->session);
	pthread_mutex_unlock(&service->lock);
}

/* The program will close it. */
static void keep(struct brine_text_service *service, struct brine_text *text)
{
	pthread_mutex_lock(&service->lock);
	text->is_kept = true;
	pthread_mutex_unlock(&service->lock);
}

/* Tells the program of a new conversation; a negative code: it does not want it. */
static int announce(struct brine_text_service *service, struct brine_text *text)
{
	const struct brine_text_handlers *handlers = service->handlers;
	if (!handlers || !handlers->on_begin)
		return 0;
	text->user = service->user;
	return handlers->on_begin(text, service->user, &text->user);
}

static int refuse_nobody(struct brine_request *request)
{
	return brine_request_fail(request, BRINE_CODE_OVERLOADED, "nobody takes the text: try again later");
}

/* ---- Write ---- */

/* Hands the call to the thread that will receive. */
static int hand_over_writing(struct brine_request *request, struct brine_text *text,
                             const struct brine_wire_piece *first)
{
	struct text_in *in = &text->in;
	pthread_mutex_lock(&in->lock);
	bool taken = in->is_open && !in->request && !in->is_over;
	if (taken) {
		brine_request_on_ready(request, NULL, NULL);
		in->request = request;
		in->held = *first;
		in->has_held = true;
		pthread_cond_signal(&in->joined);
	}
	pthread_mutex_unlock(&in->lock);
	return taken ? BRINE_PENDING
	             : brine_request_fail(request, BRINE_CODE_INVALID, "this session writes already, or was closed");
}

static int begin_writing(struct brine_request *request, struct writing *writing, const struct brine_wire_piece *first)
{
	static const struct brine_wire_source nobody;
	bool is_new;
	const struct brine_wire_source *source = first->which == TEXT_CONTENT_BEGIN ? first->content.begin : &nobody;
	struct brine_text_service *service = writing->service;
	struct brine_text *text = join(service, request, source, &is_new);
	if (!text)
		return refuse_nobody(request);
	if (!service->handlers) {
		int status = hand_over_writing(request, text, first);
		leave(service, text);
		return status;
	}
	if (is_new && announce(service, text) < 0) {
		leave(service, text);
		return brine_request_fail(request, BRINE_CODE_DENIED, "the listener does not want this text");
	}
	writing->text = text;
	return 0;
}

/* One piece, in the event form. */
static int deliver(struct brine_request *request, const struct writing *writing, const struct brine_wire_piece *piece)
{
	const struct brine_text_handlers *handlers = writing->service->handlers;
	struct brine_text *text = writing->text;
	struct brine_text_piece shown;
	const char *why;
	int status = brine_text_in_take(&text->in, piece, &shown, &why);
	if (status < 0)
		return brine_request_fail(request, BRINE_CODE_INVALID, "%s", why);
	if (status > 0 && handlers->on_piece && handlers->on_piece(text, &shown, text->user) < 0)
		return brine_request_fail(request, BRINE_CODE_CANCELLED, "the listener takes no more of this text");
	return 0;
}

/* Takes what came. BRINE_PENDING, or how the call ends: 0, a negative code where it was answered or nobody waits. */
static int take_pieces(struct brine_request *request, struct writing *writing)
{
	struct brine_wire_piece piece;
	int status;
	while ((status = brine_request_next(request, &piece)) > 0) {
		if (!writing->text)
			status = begin_writing(request, writing, &piece);
		/* Somebody else's from here on. */
		if (status == BRINE_PENDING && !writing->service->handlers)
			return BRINE_PENDING;
		if (status >= 0)
			status = deliver(request, writing, &piece);
		if (status < 0)
			return status;
	}
	return status == BRINE_ERR_WOULD_BLOCK ? BRINE_PENDING : status;
}

/* The call is over, in the event form. */
static void end_writing(const struct writing *writing, int status)
{
	const struct brine_text_handlers *handlers = writing->service->handlers;
	struct brine_text *text = writing->text;
	if (!text || !handlers)
		return;
	brine_text_in_finish(&text->in, status);
	if (handlers->on_end)
		handlers->on_end(text, &text->in.end, text->user);
	leave(writing->service, text);
}

static struct brine_wire_receipt receipt_of(const struct writing *writing)
{
	return writing->text ? brine_text_in_receipt(&writing->text->in) : (struct brine_wire_receipt){0, 0};
}

static void write_ready(struct brine_request *request, void *user)
{
	struct writing *writing = user;
	int status = take_pieces(request, writing);
	if (status == BRINE_PENDING)
		return;
	struct brine_wire_receipt receipt = receipt_of(writing);
	/* The program has had it all before the peer is told so. */
	end_writing(writing, status);
	if (status == 0)
		(void)brine_request_reply(request, &receipt);
	else
		(void)brine_request_fail(request, BRINE_CODE_CANCELLED, "the text was cut off");
}

static int write_invoke(const void *handlers, struct brine_request *request, const void *message, void *response,
                        void *user)
{
	struct writing *writing = brine_request_alloc(request, sizeof *writing);
	(void)handlers;
	(void)message;
	if (!writing)
		return BRINE_ERR_NOMEM;
	writing->service = user;
	brine_request_on_ready(request, write_ready, writing);
	int status = take_pieces(request, writing);
	if (status == BRINE_PENDING)
		return status;
	*(struct brine_wire_receipt *)response = receipt_of(writing);
	end_writing(writing, status);
	return status;
}

/* ---- Read ---- */

/* The request belongs to the conversation from here on: whoever sends in it hears of a reader that went away. */
static bool hand_over_reading(struct brine_request *request, struct brine_text *text)
{
	struct text_out *out = &text->out;
	pthread_mutex_lock(&out->lock);
	bool taken = out->is_open && !out->has_ended && !out->request && out->pieces == 0;
	if (taken) {
		out->request = request;
		pthread_cond_signal(&out->joined);
	}
	pthread_mutex_unlock(&out->lock);
	return taken;
}

static int read_invoke(const void *handlers_, struct brine_request *request, const void *message, void *response,
                       void *user)
{
	struct brine_text_service *service = user;
	const struct brine_text_handlers *handlers = service->handlers;
	bool is_new;
	(void)handlers_;
	(void)response;
	if (handlers && !handlers->on_reader)
		return 0;
	struct brine_text *text = join(service, request, message, &is_new);
	if (!text)
		return refuse_nobody(request);
	if (is_new && announce(service, text) < 0) {
		leave(service, text);
		return brine_request_fail(request, BRINE_CODE_DENIED, "the listener has no text for this peer");
	}
	int status = BRINE_PENDING;
	if (!hand_over_reading(request, text)) {
		status = brine_request_fail(request, BRINE_CODE_INVALID, "this session reads already, or was closed");
	} else if (handlers) {
		keep(service, text);
		handlers->on_reader(text, text->user);
	}
	leave(service, text);
	return status;
}

/* ---- registration ---- */

static const struct brine_method methods[] = {
        {TEXT_WRITE_NAME, &brine_wire_piece_type, &brine_wire_receipt_type, BRINE_METHOD_UPLOAD, write_invoke},
        {TEXT_READ_NAME, &brine_wire_source_type, &brine_wire_piece_type, BRINE_METHOD_DOWNLOAD, read_invoke},
};

static const struct brine_service description = {BRINE_ABI, "brine.text.Text", methods,
                                                 sizeof methods / sizeof methods[0]};

int brine_text_service_new(struct brine_text_service **ret_service, struct brine_server *server,
                           const struct brine_text_handlers *handlers, void *user, struct brine_error *error)
{
	uint64_t seed = 0;
	const struct brine_allocator *allocator = server->options.allocator;
	struct brine_text_service *service = brine_alloc_zero(allocator, sizeof *service);
	if (!service)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory registering the text service");
	service->allocator = allocator;
	service->handlers = handlers;
	service->user = user;
	pthread_mutex_init(&service->lock, NULL);
	brine_text_condition_init(&service->arrived);
	/* Peers choose the keys. */
	int status = brine_random_fill(&seed, sizeof seed);
	brine_idmap_init(&service->sessions, allocator, seed);
	if (status < 0)
		(void)brine_fail(error, status, 0, "the kernel gives no randomness: %s", strerror(errno));
	else
		status = brine_server_serve(server, &description, service, service, error);
	if (status < 0)
		brine_text_service_free(service);
	else
		*ret_service = service;
	return status;
}

int brine_text_serve(struct brine_text_service **ret_service, struct brine_server *server,
                     const struct brine_text_handlers *handlers, void *user, struct brine_error *error)
{
	if (!ret_service || !server || !handlers)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_service, server or handlers is NULL");
	return brine_text_service_new(ret_service, server, handlers, user, error);
}

void brine_text_service_free(struct brine_text_service *service)
{
	struct brine_text *text;
	if (!service)
		return;
	while ((text = service->waiting)) {
		service->waiting = text->next;
		brine_text_close(text);
	}
	brine_idmap_done(&service->sessions);
	pthread_cond_destroy(&service->arrived);
	pthread_mutex_destroy(&service->lock);
	brine_release(service->allocator, service, sizeof *service);
}
