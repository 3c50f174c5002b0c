#include "rpc/dispatch.h"

#include <stdio.h>

enum {
	METHOD_SHOWN = 129, /* at most 128 bytes of a peer's method name go into texts */
};

/* Answers without a handler; a notification is dropped. */
static void refuse(struct brine_session *session, const struct brine_event *event, int64_t code, const char *text,
                   uint64_t now_ms)
{
	if (event->type == BRINE_EVENT_REQUEST)
		brine_conn_fail(session->link.conn, event->serial, code, brine_str_from(text),
		                (struct brine_bytes){NULL, 0}, now_ms);
	else
		brine_server_drop(session->server, &session->peer, event->method, text);
}

static void refuse_unknown(struct brine_session *session, const struct brine_event *event, uint64_t now_ms)
{
	char shown[METHOD_SHOWN];
	char text[METHOD_SHOWN + 32];
	brine_escape(shown, sizeof shown, event->method.data, event->method.size);
	snprintf(text, sizeof text, "no such method: '%s'", shown);
	refuse(session, event, BRINE_CODE_NO_METHOD, text, now_ms);
}

/* WIRE.md section 7: what streams a method takes. NULL: all is well. */
static const char *check_streams(const struct brine_event *event, uint32_t flags, int64_t *ret_code)
{
	*ret_code = BRINE_CODE_INVALID;
	if (event->has_upload && !(flags & BRINE_METHOD_UPLOAD))
		return "this method takes no upload stream ('up' must not be set)";
	if (!event->has_upload && (flags & BRINE_METHOD_UPLOAD))
		return "this method takes an upload stream ('up' must be set)";
	*ret_code = BRINE_CODE_UNSUPPORTED;
	if (!event->wants_items && (flags & BRINE_METHOD_DOWNLOAD))
		return "this method answers with a stream: the request must give credit ('win')";
	if (flags & (BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD))
		return "this server does not serve streams";
	return NULL;
}

/* Sends what a handler made, or says that it made nothing. */
static void conclude(struct brine_request *request, int status, const void *response)
{
	if (request->answered || status == BRINE_PENDING)
		return;
	if (status == 0) {
		int sent = request->entry->method ? brine_request_reply(request, response)
		                                  : brine_request_reply_raw(request, (struct brine_bytes){NULL, 0});
		if (sent == BRINE_ERR_TOO_BIG)
			brine_request_log(request, "its result was not sent", brine_error_text(sent));
	} else if (status == BRINE_ERR_NO_METHOD) {
		brine_request_fail(request, BRINE_CODE_NO_METHOD, "no such method: '%.*s'",
		                   BRINE_ARG(request->entry->name));
	} else {
		brine_request_log(request, "its handler returned", brine_error_text(status));
		brine_request_fail(request, BRINE_CODE_INTERNAL, "internal error");
	}
}

/* Runs a handler on a request that is whole. */
static void run(struct brine_request *request, const void *message, void *response)
{
	const struct brine_entry *entry = request->entry;
	struct brine_server_counters *counters = &request->server->counters;
	*(request->serial ? &counters->requests : &counters->notifications) += 1;
	/* The budget is for what a peer makes us build; what the handler builds is its own affair. */
	request->arena.budget = 0;
	int status = entry->method ? entry->method->invoke(entry->handlers, request, message, response, entry->user)
	                           : entry->raw(request, request->params, entry->user);
	conclude(request, status, response);
}

static void run_typed(struct brine_request *request, bool plain)
{
	const struct brine_method *method = request->entry->method;
	void *message = brine_arena_alloc(&request->arena, method->request->size);
	void *response = brine_arena_alloc(&request->arena, method->response->size);
	if (!message || !response) {
		brine_request_fail(request, BRINE_CODE_OVERLOADED, "out of memory, not started");
		return;
	}
	unsigned flags = BRINE_DECODE_CHECKED | (plain ? BRINE_DECODE_ARITY : 0);
	struct brine_error error;
	int status = brine_decode(message, method->request, request->params, BRINE_AS_PARAMS, flags, &request->arena,
	                          &error);
	if (status == BRINE_ERR_NOMEM)
		brine_request_fail(request, BRINE_CODE_TOO_LARGE, "the arguments take too much memory when decoded");
	else if (status < 0)
		brine_request_fail(request, BRINE_CODE_INVALID, "%s", error.text);
	else
		run(request, message, response);
}

void brine_dispatch(struct brine_session *session, const struct brine_event *event, uint64_t now_ms)
{
	const struct brine_entry *entry = brine_methods_find(&session->server->methods, event->method);
	if (!entry) {
		refuse_unknown(session, event, now_ms);
		return;
	}
	int64_t code;
	const char *fault = check_streams(event, entry->method ? entry->method->flags : 0, &code);
	if (fault) {
		refuse(session, event, code, fault, now_ms);
		return;
	}
	struct brine_request *request = brine_request_new(session, entry, event);
	if (!request) {
		refuse(session, event, BRINE_CODE_OVERLOADED, "out of memory, not started", now_ms);
		return;
	}
	request->running = true;
	if (entry->method)
		run_typed(request, event->plain);
	else
		run(request, NULL, NULL);
	request->running = false;
	if (request->answered)
		brine_request_end(request);
}
