/* How requests are answered: the handler's thread, or any other, writes the answer; it is delivered at host. */
#include "dispatch/request.h"

#include "dispatch/request_stream.h"
#include "net/clock.h"

#include <stdarg.h>

enum {
	RESULT_DEPTH_MAX = BRINE_FRAME_DEPTH_MAX - 1, /* the response's own array is the first level */
};

/* ---- in the owner's context ---- */

static int send_to_peer(struct brine_request *request)
{
	const struct brine_answer *answer = &request->answer;
	struct brine_channel *channel = request->channel;
	uint64_t now_ms = brine_clock_ms();
	int status;
	if (!channel)
		return BRINE_ERR_LOST;
	request->host->ops->schedule(channel);
	brine_channel_lock(channel);
	if (answer->is_error)
		status = brine_conn_fail(channel->conn, request->serial, answer->code, answer->text, answer->value,
		                         now_ms);
	else
		status = brine_conn_reply(channel->conn, request->serial, answer->value, (struct brine_bytes){NULL, 0},
		                          now_ms);
	brine_channel_unlock(channel);
	return status;
}

static void drop_notification(struct brine_request *request)
{
	char why[BRINE_LOG_TEXT_SIZE];
	brine_escape(why, sizeof why, request->answer.text.data, request->answer.text.size);
	brine_host_drop_notification(request->host, &request->peer, request->method, why);
}

int brine_request_deliver(struct brine_request *request)
{
	int status = 0;
	request->answer_waits = request->stream && !brine_request_stream_flush(request);
	if (request->answer_waits)
		return 0;
	if (request->serial)
		status = send_to_peer(request);
	else if (request->answer.is_error)
		drop_notification(request);
	if (status == BRINE_ERR_TOO_BIG)
		brine_request_log(request, "its answer was not sent", brine_error_text(status));
	request->delivered = true;
	brine_request_finish_if_done(request);
	return status;
}

void brine_request_process_posts(struct brine_request *request, unsigned posts)
{
	bool ends = posts & BRINE_POST_ENDED;
	bool tells = (posts & BRINE_POST_READY) || (ends && request->wake_due);
	request->handler_ended |= ends;
	if (posts & BRINE_POST_ANSWER)
		brine_request_deliver(request);
	else if (request->delivered)
		brine_request_finish_if_done(request);
	else if (request->stream)
		brine_request_stream_advance(request, tells);
	else if (tells)
		brine_request_wake(request);
}

/* ---- on any thread ---- */

/* The first who answers has the right to: 0, or why not. */
static int claim(struct brine_request *request)
{
	int status = brine_request_check(request);
	return status == 0 && atomic_exchange(&request->answered, true) ? BRINE_ERR_STATE : status;
}

static bool is_in_owner_context(const struct brine_request *request)
{
	return request->host->ops->is_mine(request->host);
}

/* Where an answer is encoded: it must stay until it is delivered, unless that is done at once. */
static struct brine_buf *room(struct brine_request *request)
{
	return !request->stream && is_in_owner_context(request) ? &request->host->scratch : &request->encoded;
}

/* The interceptors hear of the answer. */
static void tell(struct brine_request *request)
{
	for (size_t i = request->entered; i > 0; i--) {
		const struct brine_server_interceptor *at = &request->host->interceptors[i - 1];
		if (at->answered)
			at->answered(request, at->user);
	}
}

/* Sends the answer, whose value stands in `out`, or on its way. The request may be gone afterwards. */
static int answer(struct brine_request *request, struct brine_answer given, struct brine_buf *out)
{
	request->answer = given;
	tell(request);
	if (is_in_owner_context(request)) {
		bool borrowed = out != &request->encoded;
		int status = brine_request_deliver(request);
		if (borrowed)
			brine_buf_take(out, brine_buf_size(out));
		return status;
	}
	int ended = atomic_load_explicit(&request->ended, memory_order_acquire);
	if (request->holds_posts)
		request->held_posts |= BRINE_POST_ANSWER;
	else
		request->host->ops->post(request, BRINE_POST_ANSWER);
	return ended;
}

static int answer_error(struct brine_request *request, int64_t code, struct brine_str text, struct brine_buf *out)
{
	struct brine_answer error = {.is_error = true, .code = code, .text = text, .value = brine_buf_bytes(out)};
	(void)answer(request, error, out);
	return BRINE_ERR_REMOTE;
}

/* A handler is done without an answer of its own. */
static void answer_internal(struct brine_request *request, struct brine_str text)
{
	struct brine_buf *out = room(request);
	brine_buf_take(out, brine_buf_size(out));
	answer_error(request, BRINE_CODE_INTERNAL, text, out);
}

void brine_request_skip(struct brine_request *request)
{
	request->holds_posts = true;
	if (claim(request) == 0)
		answer_internal(request, BRINE_STR("not started"));
}

int brine_request_fail(struct brine_request *request, int64_t code, const char *format, ...)
{
	if (!request || !format)
		return BRINE_ERR_INVALID;
	int status = claim(request);
	if (status < 0)
		return status;
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&request->arena, format, arguments);
	va_end(arguments);
	return answer_error(request, code, text, room(request));
}

int brine_request_fail_data(struct brine_request *request, int64_t code, const struct brine_type *type,
                            const void *data, const char *format, ...)
{
	if (!request || !type || !data || !format)
		return BRINE_ERR_INVALID;
	int status = claim(request);
	if (status < 0)
		return status;
	va_list arguments;
	va_start(arguments, format);
	struct brine_str text = brine_arena_vprintf(&request->arena, format, arguments);
	va_end(arguments);
	struct brine_buf *out = room(request);
	struct brine_error error;
	if (brine_encode(out, type, data, BRINE_AS_RESULT, &error) < 0)
		brine_request_log(request, "error data left out", error.text);
	return answer_error(request, code, text, out);
}

int brine_request_reply_raw(struct brine_request *request, struct brine_bytes result)
{
	if (!request)
		return BRINE_ERR_INVALID;
	if (atomic_load_explicit(&request->answered, memory_order_relaxed))
		return BRINE_ERR_STATE;
	int status = result.size ? brine_check(result, RESULT_DEPTH_MAX, NULL) : 0;
	if (status == 0 && result.size && (request->entry.flags & BRINE_METHOD_DOWNLOAD))
		status = BRINE_ERR_INVALID;
	if (status == 0)
		status = claim(request);
	if (status < 0)
		return status;
	struct brine_buf *out = room(request);
	if (out == &request->encoded) {
		/* The caller's bytes may be gone before the answer is delivered. */
		if (brine_buf_append(out, result.data, result.size) < 0) {
			answer_internal(request, BRINE_STR("out of memory"));
			return BRINE_ERR_NOMEM;
		}
		result = brine_buf_bytes(out);
	}
	return answer(request, (struct brine_answer){.value = result}, out);
}

int brine_request_check_method(struct brine_request *request, const struct brine_method *method)
{
	char shown[BRINE_LOG_TEXT_SIZE];
	if (!request || !method)
		return BRINE_ERR_INVALID;
	if (brine_method_equal(request->entry.method, method))
		return 0;
	struct brine_str name = brine_str_from(method->name);
	brine_request_log(request, "its handler used a function of another method",
	                  brine_escape(shown, sizeof shown, name.data, name.size));
	return BRINE_ERR_INVALID;
}

/* Answers with a response of that type. */
static int reply_typed(struct brine_request *request, const struct brine_type *type, const void *response)
{
	if (request->entry.flags & BRINE_METHOD_DOWNLOAD)
		return brine_request_reply_raw(request, (struct brine_bytes){NULL, 0});
	int status = response ? claim(request) : BRINE_ERR_INVALID;
	if (status < 0)
		return status;
	struct brine_buf *out = room(request);
	struct brine_error error;
	status = brine_encode(out, type, response, BRINE_AS_RESULT, &error);
	if (status < 0) {
		brine_request_log(request, "the result does not fit its schema", error.text);
		answer_internal(request, BRINE_STR("the result does not fit its schema"));
		return status;
	}
	return answer(request, (struct brine_answer){.value = brine_buf_bytes(out)}, out);
}

int brine_request_reply(struct brine_request *request, const void *response)
{
	if (!request)
		return BRINE_ERR_INVALID;
	const struct brine_method *method = request->entry.method;
	return method ? reply_typed(request, method->response, response) : BRINE_ERR_STATE;
}

int brine_request_reply_as(struct brine_request *request, const struct brine_method *method, const void *response)
{
	int status = brine_request_check_method(request, method);
	return status < 0 ? status : reply_typed(request, method->response, response);
}
