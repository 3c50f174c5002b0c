/* Calls that come from peers, and how they become conversations.
 *
 *   Write -> its first piece -> join ---> event form: the loop takes the pieces and calls the handlers
 *   Read  -> its argument ----> join -'-> else: the request goes to the conversation, whose thread waits in it
 *
 * A conversation is there from the first of its calls to the last, or to brine_text_close(). */
#include "text/service.h"

#include "base/alloc.h"
#include "net/random.h"
#include "server/server.h"
#include "text/wait.h"

#include <errno.h>
#include <string.h>

/* What a Write keeps between turns of the loop, in the request's memory. */
struct writing {
	struct brine_text_service *service;
	struct brine_text *text; /* NULL: its first piece has not come */
};

/* ---- connections; the service's lock is held ---- */

static void remove_text(struct text_peer *peer, struct brine_text *text)
{
	if (text->session)
		(void)brine_idmap_remove(&peer->sessions, text->session);
	*(text->of_previous ? &text->of_previous->of_next : &peer->texts) = text->of_next;
	if (text->of_next)
		text->of_next->of_previous = text->of_previous;
	text->of = NULL;
}

static int add_text(struct text_peer *peer, struct brine_text *text)
{
	int status = text->session ? brine_idmap_put(&peer->sessions, text->session, text) : 0;
	if (status < 0)
		return status;
	text->of = peer;
	text->of_previous = NULL;
	text->of_next = peer->texts;
	if (peer->texts)
		peer->texts->of_previous = text;
	peer->texts = text;
	return 0;
}

static void free_peer(struct text_peer *peer)
{
	struct brine_text_service *service = peer->service;
	(void)brine_idmap_remove(&service->peers, peer->connection);
	*(peer->previous ? &peer->previous->next : &service->first_peer) = peer->next;
	if (peer->next)
		peer->next->previous = peer->previous;
	brine_idmap_done(&peer->sessions);
	brine_release(service->allocator, peer, sizeof *peer);
}

/* The connection has ended: none of its conversations gets another call. */
static void on_gone(struct brine_channel_watch *watch)
{
	struct text_peer *peer = (struct text_peer *)watch;
	struct brine_text_service *service = peer->service;
	pthread_mutex_lock(&service->lock);
	while (peer->texts) {
		struct brine_text *text = peer->texts;
		remove_text(peer, text);
		brine_text_joins_lost(&text->joins);
	}
	free_peer(peer);
	pthread_mutex_unlock(&service->lock);
}

static struct text_peer *new_peer(struct brine_text_service *service, struct brine_request *request)
{
	struct text_peer *peer = brine_alloc_zero(service->allocator, sizeof *peer);
	if (!peer)
		return NULL;
	*peer = (struct text_peer){.watch = {.on_gone = on_gone},
	                           .service = service,
	                           .connection = brine_request_peer(request)->connection,
	                           .next = service->first_peer};
	brine_idmap_init(&peer->sessions, service->allocator, service->peers.seed);
	if (service->first_peer)
		service->first_peer->previous = peer;
	service->first_peer = peer;
	if (brine_idmap_put(&service->peers, peer->connection, peer) == 0 &&
	    brine_request_watch_channel(request, &peer->watch))
		return peer;
	free_peer(peer);
	return NULL;
}

/* The connection of the request; NULL: out of memory, or it has gone. */
static struct text_peer *peer_of(struct brine_text_service *service, struct brine_request *request)
{
	struct text_peer *peer = brine_idmap_find(&service->peers, brine_request_peer(request)->connection);
	return peer ? peer : new_peer(service, request);
}

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
static struct brine_text *create(struct text_peer *peer, struct brine_request *request,
                                 const struct brine_wire_source *source)
{
	struct brine_text_service *service = peer->service;
	struct brine_text *text = brine_text_new(service->allocator, source->session, source->name);
	if (!text)
		return NULL;
	text->service = service;
	text->peer = *brine_request_peer(request);
	text->out.is_open = true;
	text->in.is_open = !service->handlers;
	brine_text_joins_open(&text->joins);
	if (add_text(peer, text) == 0) {
		if (service->handlers || enqueue(service, text) == 0)
			return text;
		remove_text(peer, text);
	}
	brine_text_drop(text);
	return NULL;
}

static int refuse_nobody(struct brine_request *request)
{
	return brine_request_fail(request, BRINE_CODE_OVERLOADED, "nobody takes the text: try again later");
}

/* Lets a call run in its conversation, which is made where it is the first one: 0. Else it was answered, or its
 * connection has gone. direction: as we see it. */
static int join(struct brine_text_service *service, struct brine_request *request,
                const struct brine_wire_source *source, enum brine_text_direction direction,
                struct brine_text **ret_text, bool *ret_is_new)
{
	struct brine_text *text = NULL;
	pthread_mutex_lock(&service->lock);
	struct text_peer *peer = peer_of(service, request);
	if (peer && source->session)
		text = brine_idmap_find(&peer->sessions, source->session);
	*ret_is_new = !text;
	if (peer && !text)
		text = create(peer, request, source);
	bool claimed = text && brine_text_claim(&text->joins, direction);
	if (claimed) {
		text->calls++;
		brine_text_hold(text);
		*ret_text = text;
	}
	pthread_mutex_unlock(&service->lock);
	if (!text)
		return refuse_nobody(request);
	if (!claimed)
		return brine_request_fail(request, BRINE_CODE_INVALID, "this session %s already, or was closed",
		                          direction == BRINE_TEXT_READ ? "writes" : "reads");
	return 0;
}

/* Takes it out of its connection's, where it is still there. */
static void forget(struct brine_text *text)
{
	if (text->of)
		remove_text(text->of, text);
}

/* A call has left the conversation. The last one ends it, where the program does not. */
static void leave(struct brine_text_service *service, struct brine_text *text)
{
	pthread_mutex_lock(&service->lock);
	bool ends = --text->calls == 0 && !text->is_kept;
	if (ends)
		forget(text);
	pthread_mutex_unlock(&service->lock);
	if (ends)
		brine_text_drop(text);
	brine_text_drop(text);
}

void brine_text_service_forget(struct brine_text_service *service, struct brine_text *text)
{
	pthread_mutex_lock(&service->lock);
	forget(text);
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

/* ---- Write ---- */

/* Hands the call to the thread that will receive. */
static int hand_over_writing(struct brine_request *request, struct brine_text *text,
                             const struct brine_wire_piece *first)
{
	/* It waits, and is not called back. */
	brine_request_on_ready(request, NULL, NULL);
	if (brine_text_hand_over(&text->joins, BRINE_TEXT_READ, request, first))
		return BRINE_PENDING;
	return brine_request_fail(request, BRINE_CODE_CANCELLED, "nobody reads the text any more");
}

static int begin_writing(struct brine_request *request, struct writing *writing, const struct brine_wire_piece *first)
{
	static const struct brine_wire_source nobody;
	bool is_new;
	const struct brine_wire_source *source = first->which == TEXT_CONTENT_BEGIN ? first->content.begin : &nobody;
	struct brine_text_service *service = writing->service;
	struct brine_text *text;
	int status = join(service, request, source, BRINE_TEXT_READ, &text, &is_new);
	if (status < 0)
		return status;
	if (!service->handlers) {
		status = hand_over_writing(request, text, first);
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
	struct brine_text *text;
	int status = join(service, request, message, BRINE_TEXT_WRITE, &text, &is_new);
	if (status < 0)
		return status;
	if (is_new && announce(service, text) < 0) {
		leave(service, text);
		return brine_request_fail(request, BRINE_CODE_DENIED, "the listener has no text for this peer");
	}
	/* The request is the conversation's from here on: whoever sends in it hears of a reader that went away. */
	status = BRINE_PENDING;
	if (!brine_text_hand_over(&text->joins, BRINE_TEXT_WRITE, request, NULL)) {
		status = brine_request_fail(request, BRINE_CODE_CANCELLED, "the text was cut off");
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
	brine_idmap_init(&service->peers, allocator, seed);
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
	/* Only in a forked child, which hears of no end. */
	while (service->first_peer)
		free_peer(service->first_peer);
	brine_idmap_done(&service->peers);
	pthread_cond_destroy(&service->arrived);
	pthread_mutex_destroy(&service->lock);
	brine_release(service->allocator, service, sizeof *service);
}
