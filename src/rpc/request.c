#include "rpc/request.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "rpc/server.h"
#include "rpc/session.h"

#include <stdarg.h>

enum {
	POOL_MOST = 64,                               /* requests kept for the next calls */
	BUDGET_BASE = 64 * 1024,                      /* what decoding may cost: this, and */
	BUDGET_FACTOR = 16,                           /* so many bytes for each byte that came */
	RESULT_DEPTH_MAX = BRINE_FRAME_DEPTH_MAX - 1, /* the response's own array is the first level */
};

void brine_request_list_add(struct brine_request_list *list, struct brine_request *request)
{
	request->previous = NULL;
	request->next = list->first;
	if (list->first)
		list->first->previous = request;
	list->first = request;
}

void brine_request_list_remove(struct brine_request_list *list, struct brine_request *request)
{
	if (request->previous)
		request->previous->next = request->next;
	else
		list->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
}

struct brine_request *brine_request_find(const struct brine_request_list *list, uint64_t serial)
{
	struct brine_request *request = list->first;
	while (request && request->serial != serial)
		request = request->next;
	return request;
}

/* A used request keeps its arena's first block, so that a busy server allocates nothing. */
static struct brine_request *take_from_pool(struct brine_server *server)
{
	struct brine_request *request = server->pool;
	if (request) {
		server->pool = request->next;
		server->pool_count--;
		return request;
	}
	request = brine_alloc_zero(server->options.allocator, sizeof *request);
	if (request)
		brine_arena_init(&request->arena, server->options.allocator, 0);
	return request;
}

static void give_to_pool(struct brine_server *server, struct brine_request *request)
{
	if (server->pool_count == POOL_MOST) {
		brine_arena_done(&request->arena);
		brine_release(server->options.allocator, request, sizeof *request);
		return;
	}
	brine_arena_reset(&request->arena);
	request->next = server->pool;
	server->pool = request;
	server->pool_count++;
}

/* Copies what the event borrows from the connection. */
static bool copy_event(struct brine_request *request, const struct brine_event *event)
{
	struct brine_arena *arena = &request->arena;
	size_t size = event->method.size + event->params.size + event->metadata.size;
	arena->budget = size < SIZE_MAX / BUDGET_FACTOR - BUDGET_BASE ? size * BUDGET_FACTOR + BUDGET_BASE : SIZE_MAX;
	const char *method = brine_arena_copy(arena, event->method.data, event->method.size);
	const void *params = brine_arena_copy(arena, event->params.data, event->params.size);
	const void *metadata =
	        event->metadata.size ? brine_arena_copy(arena, event->metadata.data, event->metadata.size) : "";
	request->method = (struct brine_str){method, event->method.size};
	request->params = (struct brine_bytes){params, event->params.size};
	request->metadata = (struct brine_bytes){metadata, event->metadata.size};
	return method && params && metadata;
}

struct brine_request *brine_request_new(struct brine_session *session, const struct brine_entry *entry,
                                        const struct brine_event *event)
{
	struct brine_server *server = session->server;
	struct brine_request *request = take_from_pool(server);
	if (!request)
		return NULL;
	if (!copy_event(request, event)) {
		give_to_pool(server, request);
		return NULL;
	}
	request->server = server;
	request->session = session;
	request->entry = entry;
	request->serial = event->type == BRINE_EVENT_REQUEST ? event->serial : 0;
	request->deadline_ms = event->type == BRINE_EVENT_REQUEST ? event->deadline_ms : BRINE_FOREVER;
	request->peer = session->peer;
	request->running = false;
	request->answered = false;
	atomic_store_explicit(&request->cancelled, false, memory_order_relaxed);
	brine_request_list_add(&session->requests, request);
	return request;
}

void brine_request_end(struct brine_request *request)
{
	brine_request_list_remove(request->session ? &request->session->requests : &request->server->orphans, request);
	give_to_pool(request->server, request);
}

void brine_request_orphan(struct brine_request *request)
{
	brine_request_list_remove(&request->session->requests, request);
	request->session = NULL;
	atomic_store_explicit(&request->cancelled, true, memory_order_release);
	brine_request_list_add(&request->server->orphans, request);
}

/* The one place where an answer leaves a handler; `status` is what the connection said to it. */
static int finish(struct brine_request *request, int status)
{
	request->answered = true;
	if (request->session)
		brine_session_touch(request->session);
	if (!request->running)
		brine_request_end(request);
	return status;
}

static int send_result(struct brine_request *request, struct brine_bytes result)
{
	if (!request->session)
		return finish(request, BRINE_ERR_LOST);
	if (request->serial == 0)
		return finish(request, 0);
	struct brine_bytes metadata = {NULL, 0};
	return finish(request, brine_conn_reply(request->session->link.conn, request->serial, result, metadata,
	                                        brine_clock_ms()));
}

static int send_error(struct brine_request *request, int64_t code, struct brine_str text, struct brine_bytes data)
{
	if (request->serial == 0) {
		char why[BRINE_LOG_TEXT_SIZE];
		brine_escape(why, sizeof why, text.data, text.size);
		brine_server_drop(request->server, &request->peer, request->method, why);
	} else if (request->session) {
		brine_conn_fail(request->session->link.conn, request->serial, code, text, data, brine_clock_ms());
	}
	return finish(request, BRINE_ERR_REMOTE);
}

void brine_request_log(struct brine_request *request, const char *what, const char *detail)
{
	char shown[BRINE_LOG_TEXT_SIZE];
	brine_log_print(&request->server->log, brine_clock_ms(), "'%s' of %s: %s: %s",
	                brine_escape(shown, sizeof shown, request->method.data, request->method.size),
	                request->peer.address, what, detail);
}

struct brine_str brine_request_method(const struct brine_request *request)
{
	return request->method;
}

bool brine_request_is_notification(const struct brine_request *request)
{
	return request->serial == 0;
}

bool brine_request_cancelled(const struct brine_request *request)
{
	return atomic_load_explicit(&request->cancelled, memory_order_acquire) ||
	       brine_request_remaining_ms(request) == 0;
}

uint64_t brine_request_remaining_ms(const struct brine_request *request)
{
	if (request->deadline_ms == BRINE_FOREVER)
		return BRINE_FOREVER;
	uint64_t now_ms = brine_clock_ms();
	return request->deadline_ms > now_ms ? request->deadline_ms - now_ms : 0;
}

struct brine_bytes brine_request_metadata(const struct brine_request *request)
{
	return request->metadata;
}

const struct brine_peer *brine_request_peer(const struct brine_request *request)
{
	return &request->peer;
}

void *brine_request_alloc(struct brine_request *request, size_t size)
{
	return brine_arena_alloc(&request->arena, size);
}

struct brine_str brine_request_printf(struct brine_request *request, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&request->arena, format, arguments);
	va_end(arguments);
	return text;
}

int brine_request_fail(struct brine_request *request, int64_t code, const char *format, ...)
{
	if (request->answered)
		return BRINE_ERR_STATE;
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&request->arena, format, arguments);
	va_end(arguments);
	return send_error(request, code, text, (struct brine_bytes){NULL, 0});
}

int brine_request_fail_data(struct brine_request *request, int64_t code, const struct brine_type *type,
                            const void *data, const char *format, ...)
{
	if (request->answered)
		return BRINE_ERR_STATE;
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&request->arena, format, arguments);
	va_end(arguments);
	struct brine_buf *scratch = &request->server->scratch;
	struct brine_error error;
	if (brine_encode(scratch, type, data, BRINE_AS_RESULT, &error) < 0)
		brine_request_log(request, "error data left out", error.text);
	int status = send_error(request, code, text, brine_buf_bytes(scratch));
	brine_buf_take(scratch, brine_buf_size(scratch));
	return status;
}

int brine_request_reply_raw(struct brine_request *request, struct brine_bytes result)
{
	if (request->answered)
		return BRINE_ERR_STATE;
	int status = result.size ? brine_check(result, RESULT_DEPTH_MAX, NULL) : 0;
	return status < 0 ? status : send_result(request, result);
}

int brine_request_reply(struct brine_request *request, const void *response)
{
	if (request->answered || !request->entry->method)
		return BRINE_ERR_STATE;
	struct brine_buf *scratch = &request->server->scratch;
	struct brine_error error;
	int status = brine_encode(scratch, request->entry->method->response, response, BRINE_AS_RESULT, &error);
	if (status < 0) {
		brine_request_log(request, "the result does not fit its schema", error.text);
		send_error(request, BRINE_CODE_INTERNAL, BRINE_STR("the result does not fit its schema"),
		           (struct brine_bytes){NULL, 0});
		return status;
	}
	status = send_result(request, brine_buf_bytes(scratch));
	brine_buf_take(scratch, brine_buf_size(scratch));
	return status;
}
