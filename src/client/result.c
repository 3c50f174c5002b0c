/* What became of a call: kept in the call, and asked of it. */
#include "client/client.h"
#include "client/parent.h"

#include <inttypes.h>

enum {
	BUDGET_BASE = 64 * 1024, /* what the answer may cost in memory: this, and */
	BUDGET_FACTOR = 16,      /* so many bytes for each byte that came */
	ESCAPE_FACTOR = 4,       /* the most bytes that brine_escape() makes of one */
	METHOD_SHOWN = 97,       /* two names go into one text */
};

const char brine_call_not_made[] = "the call was not made";

static bool is_finished(const struct brine_call *call)
{
	return brine_call_is_usable(call) && brine_call_state_of(call) == BRINE_CALL_FINISHED;
}

int brine_call_status(const struct brine_call *call)
{
	if (!brine_call_is_usable(call))
		return BRINE_ERR_INVALID;
	return is_finished(call) ? call->status : 0;
}

int64_t brine_call_code(const struct brine_call *call)
{
	return is_finished(call) ? call->code : 0;
}

struct brine_bytes brine_call_error_data(const struct brine_call *call)
{
	return is_finished(call) ? call->data : (struct brine_bytes){NULL, 0};
}

struct brine_bytes brine_call_result(const struct brine_call *call)
{
	return is_finished(call) ? call->result : (struct brine_bytes){NULL, 0};
}

struct brine_bytes brine_call_metadata(const struct brine_call *call)
{
	return is_finished(call) ? call->result_metadata : (struct brine_bytes){NULL, 0};
}

/* ---- functions that were refused ---- */

void brine_call_accept(struct brine_call *call)
{
	__atomic_store_n(&call->refusal, NULL, __ATOMIC_RELAXED);
}

int brine_call_refuse(struct brine_call *call, int status, const char *text)
{
	__atomic_store_n(&call->refusal, text ? text : brine_error_text(status), __ATOMIC_RELAXED);
	return status;
}

int brine_call_refuse_with(struct brine_call *call, const struct brine_error *error)
{
	memcpy(call->refusal_text, error->text, sizeof call->refusal_text);
	return brine_call_refuse(call, error->code, "");
}

/* The name of a method as texts have it. */
static const char *show_method(char *out, size_t capacity, const struct brine_method *method)
{
	struct brine_str name = brine_str_from(method ? method->name : "(an untyped one)");
	return brine_escape(out, capacity, name.data, name.size);
}

int brine_call_check_method(struct brine_call *call, const struct brine_method *method)
{
	char begun[METHOD_SHOWN], asked[METHOD_SHOWN];
	struct brine_error error;
	if (!brine_call_is_usable(call))
		return BRINE_ERR_INVALID;
	if (!method)
		return brine_call_refuse(call, BRINE_ERR_INVALID, "the method is NULL");
	if (brine_call_state_of(call) == BRINE_CALL_IDLE)
		return brine_call_refuse(call, BRINE_ERR_STATE, brine_call_not_made);
	if (brine_method_equal(call->method, method))
		return 0;
	brine_fail(&error, BRINE_ERR_INVALID, 0, "the call is of the method '%s', this function of '%s'",
	           show_method(begun, sizeof begun, call->method), show_method(asked, sizeof asked, method));
	return brine_call_refuse_with(call, &error);
}

const char *brine_call_error_text(const struct brine_call *call)
{
	if (!brine_call_is_usable(call))
		return call ? "struct_size: start from BRINE_CALL_INIT" : brine_error_text(BRINE_ERR_INVALID);
	const char *refusal = __atomic_load_n(&call->refusal, __ATOMIC_RELAXED);
	if (refusal)
		return refusal[0] ? refusal : call->refusal_text;
	int state = brine_call_state_of(call);
	if (state != BRINE_CALL_FINISHED)
		return state == BRINE_CALL_RUNNING ? "the call is running" : brine_call_not_made;
	if (call->text)
		return call->text;
	return call->status && call->error.code == call->status ? call->error.text : brine_error_text(call->status);
}

int brine_call_error_loads(struct brine_call *call, const struct brine_type *type, void *ret_message)
{
	if (!brine_call_is_usable(call) || !type || !ret_message)
		return BRINE_ERR_INVALID;
	if (!is_finished(call) || call->data.size == 0)
		return BRINE_ERR_NOT_FOUND;
	return brine_decode(ret_message, type, call->data, BRINE_AS_RESULT, BRINE_DECODE_CHECKED, &call->arena, NULL);
}

/* Copies bytes of the connection into the call. False when out of memory. */
static bool keep(struct brine_call *call, struct brine_bytes bytes, struct brine_bytes *ret_copy)
{
	if (bytes.size == 0)
		return true;
	const void *copy = brine_arena_copy(&call->arena, bytes.data, bytes.size);
	if (copy)
		*ret_copy = (struct brine_bytes){copy, bytes.size};
	return copy != NULL;
}

/* Keeps what an answer holds and bounds what decoding it may cost. */
static int keep_answer(struct brine_call *call, const struct brine_event *event)
{
	size_t size = event->result.size + event->error.text.size + event->error.data.size + event->metadata.size;
	size_t used = call->arena.used;
	call->arena.budget = size < (SIZE_MAX - used) / BUDGET_FACTOR - BUDGET_BASE
	                             ? used + size * BUDGET_FACTOR + BUDGET_BASE
	                             : SIZE_MAX;
	if (keep(call, event->result, &call->result) && keep(call, event->error.data, &call->data) &&
	    keep(call, event->metadata, &call->result_metadata))
		return 0;
	return brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory keeping the answer");
}

/* "no such method: 'x' (error 2 from the server)". */
static const char *remote_text(struct brine_call *call, const struct brine_frame_error *error)
{
	size_t capacity = error->text.size * ESCAPE_FACTOR + 1;
	char *escaped = brine_arena_alloc(&call->arena, capacity);
	if (!escaped)
		return NULL;
	brine_escape(escaped, capacity, error->text.data, error->text.size);
	return brine_arena_printf(&call->arena, "%s (error %" PRId64 " from the server)",
	                          escaped[0] ? escaped : brine_code_text(error->code), error->code)
	        .data;
}

static int take_error(struct brine_call *call, const struct brine_event *event)
{
	int status = keep_answer(call, event);
	if (status < 0)
		return status;
	call->code = event->error.code;
	call->text = remote_text(call, &event->error);
	return event->status;
}

/* What the program's author can do where the peer speaks the other one of our two wires. */
static const char *other_wire(const struct brine_client *client, const struct brine_channel *channel)
{
	static const char *const advice[][2] = {
	        {": use msgpack-rpc:// instead of tcp://", ": use tcp:// instead of msgpack-rpc://"},
	        {": use msgpack-rpc+unix:// instead of unix://", ": use unix:// instead of msgpack-rpc+unix://"},
	        {": leave `framed` out of its options", ": set `framed` in its options"},
	        {": set `plain` in the client's options", ": leave `plain` out of the client's options"},
	};
	const struct brine_connector *connector = &client->connector;
	size_t row = client->command ? 2 : connector->addr_count == 0 ? 3 : (size_t)connector->addrs[0].kind;
	return advice[row][channel->plain];
}

/* Advice where a connection was of no use from its beginning, "" else. */
static const char *advise(const struct brine_client *client, const struct brine_channel *channel)
{
	const struct brine_conn *conn = channel->conn;
	bool is_stranger = brine_conn_fault(conn)->code == BRINE_ERR_NOT_BRINE;
	if (is_stranger && channel->plain != (brine_conn_wire(conn) == BRINE_WIRE_PLAIN))
		return other_wire(client, channel);
	if (is_stranger)
		return "; is this the address of the right program?";
	if (channel->proven || brine_conn_counters(conn)->bytes_received)
		return "";
	return channel->plain ? "; it never said a word: does it speak plain MessagePack-RPC?"
	                      : "; it never said a word: does it speak Brine? (plain MessagePack-RPC: msgpack-rpc://)";
}

/* The connection ended under the call: says why. */
static int take_loss(const struct brine_client *client, const struct brine_channel *channel, struct brine_call *call,
                     int status)
{
	const struct brine_error *fault = brine_conn_fault(channel->conn);
	const char *ending = channel->ended ? brine_stream_ending(channel->stream) : NULL;
	const char *why = ending ? ending : channel->system_errno ? strerror(channel->system_errno) : "the peer closed";
	bool told = fault->code && fault->code != BRINE_ERR_LOST; /* which is all the connection knows of its end */
	const char *advice = ending && !told ? "; the next call starts it anew" : advise(client, channel);
	if (told)
		why = fault->text;
	if (fault->code == BRINE_ERR_NOT_BRINE)
		return brine_fail(&call->error, fault->code, fault->offset, "%.80s: %s%s", client->peer_text, why,
		                  advice);
	return brine_fail(&call->error, status, fault->offset, "%s: %.80s: %s%s", brine_error_text(status),
	                  client->peer_text, why, advice);
}

static int take_deadline(const struct brine_client *client, const struct brine_channel *channel,
                         struct brine_call *call)
{
	call->code = BRINE_CODE_DEADLINE;
	return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
	                  "deadline exceeded: no answer from %.80s within %" PRIu64 " ms%s%s", client->peer_text,
	                  brine_call_timeout_used_ms(client, call), brine_call_timeout_source(call),
	                  advise(client, channel));
}

int brine_call_take_result(const struct brine_client *client, const struct brine_channel *channel,
                           struct brine_call *call, const struct brine_event *event)
{
	if (call->failure)
		return call->failure;
	if (event->error.is_set)
		return take_error(call, event);
	switch (event->status) {
	case BRINE_OK: return keep_answer(call, event);
	case BRINE_ERR_DEADLINE: return take_deadline(client, channel, call);
	case BRINE_ERR_CANCELLED: call->code = BRINE_CODE_CANCELLED; return BRINE_ERR_CANCELLED;
	default: return take_loss(client, channel, call, event->status);
	}
}

void brine_call_run_after(struct brine_client *client, struct brine_call *call)
{
	size_t count = call->after_run ? 0 : call->begun;
	call->after_run = true;
	for (size_t i = count; i-- > 0;) {
		const struct brine_client_interceptor *interceptor = &client->options.interceptors[i];
		if (interceptor->after)
			interceptor->after(call, call->method_name, brine_call_status(call), interceptor->user);
	}
}
