#include "dispatch/dispatch.h"

#include "base/container.h"
#include "base/meter.h"
#include "dispatch/request_stream.h"
#include "run/pool.h"

#include <stdio.h>

enum {
	METHOD_SHOWN = 129, /* at most 128 bytes of a peer's method name go into texts */
};

/* Answers without a handler; a notification is dropped. */
static void refuse(struct brine_channel *channel, const struct brine_event *event, int64_t code, const char *text,
                   uint64_t now_ms)
{
	if (event->type != BRINE_EVENT_REQUEST) {
		brine_host_drop_notification(channel->host, &channel->peer, event->method, text);
		return;
	}
	brine_channel_lock(channel);
	brine_conn_fail(channel->conn, event->serial, code, brine_str_from(text), (struct brine_bytes){NULL, 0},
	                now_ms);
	brine_channel_unlock(channel);
}

static void refuse_unknown(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	char shown[METHOD_SHOWN];
	char text[METHOD_SHOWN + 32];
	brine_escape(shown, sizeof shown, event->method.data, event->method.size);
	snprintf(text, sizeof text, "no such method: '%s'", shown);
	refuse(channel, event, BRINE_CODE_NO_METHOD, text, now_ms);
}

/* WIRE.md section 7: what streams a method takes. NULL: all is well. */
static const char *check_streams(const struct brine_event *event, uint32_t flags, int64_t *ret_code)
{
	*ret_code = BRINE_CODE_UNSUPPORTED;
	if (event->plain && (flags & (BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD)))
		return "this method has a stream, which plain MessagePack-RPC has not: call it with a Brine client";
	*ret_code = BRINE_CODE_INVALID;
	if (event->has_upload && !(flags & BRINE_METHOD_UPLOAD))
		return "this method takes no upload stream ('up' must not be set)";
	if (!event->has_upload && (flags & BRINE_METHOD_UPLOAD))
		return "this method takes an upload stream ('up' must be set)";
	*ret_code = BRINE_CODE_UNSUPPORTED;
	if (!event->wants_items && (flags & BRINE_METHOD_DOWNLOAD))
		return "this method answers with a stream: the request must give credit ('win')";
	return NULL;
}

/* Sends what a handler made, or says that it made nothing. */
static void conclude(struct brine_request *request, int status, const void *response)
{
	if (status == 0) {
		if (request->entry.method)
			brine_request_reply(request, response);
		else
			brine_request_reply_raw(request, (struct brine_bytes){NULL, 0});
	} else if (status == BRINE_ERR_NO_METHOD) {
		char shown[METHOD_SHOWN];
		brine_request_fail(request, BRINE_CODE_NO_METHOD, "no such method: '%s'",
		                   brine_escape(shown, sizeof shown, request->method.data, request->method.size));
	} else {
		brine_request_log(request, "its handler returned", brine_error_text(status));
		brine_request_fail(request, BRINE_CODE_INTERNAL, "internal error");
	}
}

/* The handler begins. What it builds is its own affair: the budget is for what a peer makes us build. */
static void begin(struct brine_request *request)
{
	request->arena.budget = 0;
	brine_host_count(request->host, request->serial ? BRINE_COUNT_REQUESTS : BRINE_COUNT_NOTIFICATIONS, 1);
}

static int decode_arguments(struct brine_request *request, void *message)
{
	unsigned flags = BRINE_DECODE_CHECKED | (request->plain ? BRINE_DECODE_ARITY : 0);
	struct brine_error error;
	int status = brine_decode(message, request->entry.method->request, request->params, BRINE_AS_PARAMS, flags,
	                          &request->arena, &error);
	if (status == BRINE_ERR_NOMEM)
		return brine_request_fail(request, BRINE_CODE_TOO_LARGE,
		                          "the arguments take too much memory when decoded");
	if (status < 0)
		return brine_request_fail(request, BRINE_CODE_INVALID, "%s", error.text);
	return 0;
}

/* Decodes the arguments and runs a typed handler, which writes *ret_response. */
static int run_typed(struct brine_request *request, void **ret_response)
{
	const struct brine_entry *entry = &request->entry;
	const struct brine_method *method = entry->method;
	if (!method->invoke)
		return BRINE_ERR_NO_METHOD;
	/* What travels as items is no argument, and no result. */
	bool uploads = entry->flags & BRINE_METHOD_UPLOAD, downloads = entry->flags & BRINE_METHOD_DOWNLOAD;
	void *message = uploads ? NULL : brine_arena_alloc(&request->arena, method->request->size);
	void *response = downloads ? NULL : brine_arena_alloc(&request->arena, method->response->size);
	if ((!uploads && !message) || (!downloads && !response))
		return brine_request_fail(request, BRINE_CODE_OVERLOADED, "out of memory, not started");
	int status = message ? decode_arguments(request, message) : 0;
	if (status < 0)
		return status;
	*ret_response = response;
	begin(request);
	return method->invoke(entry->handlers, request, message, response, entry->user);
}

static int run_handler(struct brine_request *request, void **ret_response)
{
	if (request->entry.method)
		return run_typed(request, ret_response);
	begin(request);
	return request->entry.raw(request, request->params, request->entry.user);
}

/* Runs a handler within the interceptors. */
static void run(struct brine_request *request)
{
	const struct brine_host *host = request->host;
	void *response = NULL;
	int status = 0;
	while (status == 0 && request->entered < host->interceptor_count) {
		const struct brine_server_interceptor *at = &host->interceptors[request->entered++];
		if (at->before)
			status = at->before(request, at->user);
		if (status > 0)
			status = BRINE_ERR_STATE;
	}
	if (status == 0)
		status = run_handler(request, &response);
	/* After BRINE_PENDING the request may be in another thread's hands. */
	if (status != BRINE_PENDING && !atomic_load_explicit(&request->answered, memory_order_relaxed)) {
		request->holds_posts = true;
		conclude(request, status, response);
	}
	for (size_t i = request->entered; i > 0; i--) {
		const struct brine_server_interceptor *at = &host->interceptors[i - 1];
		if (at->after)
			at->after(request, status, at->user);
	}
}

void brine_dispatch_job(struct brine_request *request)
{
	if (atomic_load_explicit(&request->ended, memory_order_acquire))
		brine_request_skip(request);
	else
		run(request);
	request->host->ops->post(request, BRINE_POST_ENDED | request->held_posts);
}

static void run_here(struct brine_request *request)
{
	run(request);
	request->handler_ended = true;
	if (request->delivered)
		brine_request_end(request);
	else if (request->wake_due)
		brine_request_wake(request);
}

static void run_job(struct brine_job *job)
{
	brine_dispatch_job(brine_container_of(job, struct brine_request, job));
}

/* Lets a worker run the handler. */
static void run_elsewhere(struct brine_request *request)
{
	request->job.run = run_job;
	int status = brine_pool_submit(request->host->pool, &request->job);
	if (status == BRINE_ERR_OVERLOADED)
		brine_dispatch_refuse(request, BRINE_CODE_OVERLOADED, "every worker is busy, not started");
	else if (status < 0)
		brine_dispatch_refuse(request, BRINE_CODE_OVERLOADED, "no worker could be started, not started");
}

void brine_dispatch_refuse(struct brine_request *request, int64_t code, const char *text)
{
	request->answer = (struct brine_answer){.is_error = true, .code = code, .text = brine_str_from(text)};
	request->handler_ended = true;
	atomic_store_explicit(&request->answered, true, memory_order_relaxed);
	brine_request_deliver(request);
}

struct brine_request *brine_dispatch_accept(struct brine_channel *channel, const struct brine_event *event,
                                            uint64_t now_ms)
{
	const struct brine_entry *entry = brine_methods_find(channel->host->methods, event->method);
	if (!entry) {
		refuse_unknown(channel, event, now_ms);
		return NULL;
	}
	int64_t code;
	const char *fault = check_streams(event, entry->flags, &code);
	if (fault) {
		refuse(channel, event, code, fault, now_ms);
		return NULL;
	}
	if (brine_meter_is_short(channel->host->meter) && !brine_requests_make_room(channel->host)) {
		brine_host_count(channel->host, BRINE_COUNT_SHORTAGES, 1);
		refuse(channel, event, BRINE_CODE_OVERLOADED, "the server is short of memory, not started", now_ms);
		return NULL;
	}
	if (entry->method_limit && !brine_method_limit_acquire(entry->method_limit)) {
		refuse(channel, event, BRINE_CODE_OVERLOADED, "too many calls of this method run, not started", now_ms);
		return NULL;
	}
	struct brine_request *request = brine_request_new(channel, entry, event);
	if (!request && entry->method_limit)
		brine_method_limit_release(entry->method_limit);
	if (!request)
		refuse(channel, event, BRINE_CODE_OVERLOADED, "out of memory, not started", now_ms);
	return request;
}

void brine_dispatch(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	struct brine_request *request = brine_dispatch_accept(channel, event, now_ms);
	if (!request)
		return;
	if (request->entry.flags & BRINE_METHOD_BLOCKING)
		run_elsewhere(request);
	else
		run_here(request);
}

void brine_dispatch_change(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	(void)now_ms;
	struct brine_request *request = brine_request_find(&channel->requests, event->serial);
	if (!request)
		return;
	switch (event->type) {
	case BRINE_EVENT_CANCEL: brine_request_cancel(request, event->status); break;
	case BRINE_EVENT_ITEM: brine_request_stream_receive(request, event->result); break;
	case BRINE_EVENT_UPLOAD_END: brine_request_stream_end(request, event->status); break;
	default: brine_request_stream_advance(request, false); break; /* credit */
	}
}
