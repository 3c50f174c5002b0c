#include "rpc/client.h"

#include "net/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	BUDGET_BASE = 64 * 1024,                      /* what the answer may cost in memory: this, and */
	BUDGET_FACTOR = 16,                           /* so many bytes for each byte that came */
	PARAMS_DEPTH_MAX = BRINE_FRAME_DEPTH_MAX - 1, /* the message's own array is the first level */
	ESCAPE_FACTOR = 4,                            /* the most bytes that brine_escape() makes of one */
};

/* ---- a call in itself ---- */

/* Makes a call ready to run; it keeps its first block of memory. Errors: BRINE_ERR_BUSY, INVALID: the call is
 * untouched. */
static int start(struct brine_call *call, const struct brine_client *client)
{
	if (call->state == BRINE_CALL_RUNNING)
		return BRINE_ERR_BUSY;
	if (call->struct_size && call->struct_size != sizeof *call)
		return BRINE_ERR_INVALID;
	if (call->arena.allocator != client->options.allocator)
		brine_call_done(call);
	brine_arena_reset(&call->arena);
	struct brine_call fresh = BRINE_CALL_INIT;
	fresh.timeout_ms = call->timeout_ms;
	fresh.metadata = call->metadata;
	fresh.arena = call->arena;
	fresh.arena.allocator = client->options.allocator;
	fresh.arena.budget = 0;
	fresh.state = BRINE_CALL_RUNNING;
	fresh.deadline_ms = brine_deadline_after(call->timeout_ms ? call->timeout_ms : client->options.timeout_ms);
	*call = fresh;
	return 0;
}

/* Ends a call; what there is to say stands in call->text or call->error. */
static int end(struct brine_call *call, int status)
{
	call->state = BRINE_CALL_FINISHED;
	call->status = status;
	return status;
}

void brine_call_done(struct brine_call *call)
{
	if (!call || call->state == BRINE_CALL_RUNNING)
		return;
	brine_arena_done(&call->arena);
	call->state = BRINE_CALL_IDLE;
	call->status = 0;
	call->text = NULL;
	call->data = call->result = call->result_metadata = (struct brine_bytes){NULL, 0};
}

int brine_call_status(const struct brine_call *call)
{
	return call->status;
}

int64_t brine_call_code(const struct brine_call *call)
{
	return call->code;
}

struct brine_bytes brine_call_error_data(const struct brine_call *call)
{
	return call->data;
}

struct brine_bytes brine_call_result(const struct brine_call *call)
{
	return call->result;
}

struct brine_bytes brine_call_metadata(const struct brine_call *call)
{
	return call->result_metadata;
}

const char *brine_call_error_text(const struct brine_call *call)
{
	if (call->state == BRINE_CALL_FINISHED && call->text)
		return call->text;
	if (call->state == BRINE_CALL_FINISHED)
		return call->status && call->error.code == call->status ? call->error.text
		                                                        : brine_error_text(call->status);
	return call->state == BRINE_CALL_RUNNING ? "the call is running" : "the call was not made";
}

int brine_call_error_loads(struct brine_call *call, const struct brine_type *type, void *ret_message)
{
	if (call->data.size == 0)
		return BRINE_ERR_NOT_FOUND;
	return brine_decode(ret_message, type, call->data, BRINE_AS_RESULT, BRINE_DECODE_CHECKED, &call->arena, NULL);
}

/* ---- how a call ends ---- */

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
	call->arena.budget =
	        size < SIZE_MAX / BUDGET_FACTOR - BUDGET_BASE ? size * BUDGET_FACTOR + BUDGET_BASE : SIZE_MAX;
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
	if (call->code == BRINE_CODE_DEADLINE)
		return BRINE_ERR_DEADLINE;
	return call->code == BRINE_CODE_CANCELLED ? BRINE_ERR_CANCELLED : BRINE_ERR_REMOTE;
}

/* The connection ended under the call: says why. */
static int take_loss(struct brine_call *call, const struct brine_client *client, int status)
{
	const struct brine_error *fault = brine_conn_fault(client->link.conn);
	const char *why = client->link.system_errno ? strerror(client->link.system_errno) : "the peer closed";
	if (fault->code)
		why = fault->text;
	if (fault->code == BRINE_ERR_NOT_BRINE)
		status = BRINE_ERR_NOT_BRINE;
	return brine_fail(&call->error, status, fault->offset, "%s: %s: %s", brine_error_text(status),
	                  client->peer_text, why);
}

static int take_deadline(struct brine_call *call, const struct brine_client *client)
{
	uint64_t timeout_ms = call->timeout_ms ? call->timeout_ms : client->options.timeout_ms;
	call->code = BRINE_CODE_DEADLINE;
	return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
	                  "deadline exceeded: no answer from %s within %" PRIu64 " ms", client->peer_text, timeout_ms);
}

void brine_call_complete(struct brine_call *call, struct brine_client *client, const struct brine_event *event)
{
	int status = event->status;
	switch (status) {
	case BRINE_OK: status = keep_answer(call, event); break;
	case BRINE_ERR_REMOTE: status = take_error(call, event); break;
	case BRINE_ERR_DEADLINE: status = take_deadline(call, client); break;
	case BRINE_ERR_CANCELLED: call->code = BRINE_CODE_CANCELLED; break;
	default: status = take_loss(call, client, status); break;
	}
	end(call, status);
}

/* ---- making a call ---- */

static bool is_array(struct brine_bytes bytes)
{
	uint8_t head = *(const uint8_t *)bytes.data;
	return (head & 0xf0) == 0x90 || head == 0xdc || head == 0xdd;
}

static bool is_map(struct brine_bytes bytes)
{
	uint8_t head = *(const uint8_t *)bytes.data;
	return (head & 0xf0) == 0x80 || head == 0xde || head == 0xdf;
}

/* What the caller encoded by hand must be one array and one map, or the peer would take the whole connection as broken.
 */
static int check_encoded(struct brine_call *call, struct brine_bytes params)
{
	struct brine_error *error = &call->error;
	if (params.size && (brine_check(params, PARAMS_DEPTH_MAX, error) < 0 || !is_array(params)))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "params are not one encoded array");
	if (call->metadata.size &&
	    (brine_check(call->metadata, PARAMS_DEPTH_MAX - 1, error) < 0 || !is_map(call->metadata)))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "metadata is not one encoded map");
	return 0;
}

/* A peer's limit is assumed to be small until its welcome came; a bigger message is worth waiting for it. */
static bool wait_for_welcome(struct brine_client *client, uint64_t deadline_ms)
{
	if (client->greeted || !client->options.hello || client->addr.plain)
		return false;
	brine_client_push(client);
	while (client->link.conn && !client->greeted && brine_clock_ms() < deadline_ms)
		brine_client_turn(client, deadline_ms);
	return client->greeted && client->link.conn;
}

static int begin(struct brine_client *client, struct brine_call *call, const char *method, struct brine_bytes params)
{
	int status = check_encoded(call, params);
	if (status == 0)
		status = brine_client_ready(client, call->deadline_ms, &call->error);
	if (status < 0)
		return end(call, status);
	struct brine_conn_call request = {.method = brine_str_from(method),
	                                  .params = params,
	                                  .metadata = call->metadata,
	                                  .deadline_ms = call->deadline_ms,
	                                  .user = call};
	status = brine_conn_call(client->link.conn, &request, brine_clock_ms(), &call->serial, &call->error);
	if (status == BRINE_ERR_TOO_BIG && wait_for_welcome(client, call->deadline_ms))
		status = brine_conn_call(client->link.conn, &request, brine_clock_ms(), &call->serial, &call->error);
	if (status < 0)
		return end(call, status == BRINE_ERR_LOST ? BRINE_ERR_NOT_SENT : status);
	brine_client_push(client);
	return 0;
}

/* Moves bytes until the call is finished; the connection ends it at its deadline. */
static int run(struct brine_client *client, struct brine_call *call)
{
	while (call->state == BRINE_CALL_RUNNING && client->link.conn)
		brine_client_turn(client, call->deadline_ms);
	return call->state == BRINE_CALL_RUNNING ? end(call, BRINE_ERR_LOST) : call->status;
}

/* Hands a notification to the kernel. */
static int send_notification(struct brine_client *client, struct brine_call *call, const char *method,
                             struct brine_bytes params)
{
	struct brine_error *error = &call->error;
	struct brine_link *link = &client->link;
	struct brine_str name = brine_str_from(method);
	int status = check_encoded(call, params);
	if (status == 0)
		status = brine_client_ready(client, call->deadline_ms, error);
	if (status == 0)
		status = brine_conn_notify(link->conn, name, params, call->metadata, error);
	if (status == BRINE_ERR_TOO_BIG && wait_for_welcome(client, call->deadline_ms))
		status = brine_conn_notify(link->conn, name, params, call->metadata, error);
	if (status < 0)
		return end(call, status == BRINE_ERR_LOST ? BRINE_ERR_NOT_SENT : status);
	brine_client_push(client);
	while (link->conn && !link->dead && brine_conn_pending(link->conn).size) {
		if (brine_clock_ms() >= call->deadline_ms)
			return end(call, take_deadline(call, client));
		brine_client_turn(client, call->deadline_ms);
	}
	return end(call, link->conn && !link->dead ? 0 : BRINE_ERR_NOT_SENT);
}

/* Whether a struct of that type points to memory outside itself. Embedded structs cannot nest without end. */
static bool holds_views(const struct brine_type *type)
{
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		bool inside = field->shape == BRINE_SHAPE_SINGLE || field->shape == BRINE_SHAPE_OPTIONAL;
		switch (field->kind) {
		case BRINE_KIND_STRING:
		case BRINE_KIND_BYTES:
		case BRINE_KIND_VALUE:
		case BRINE_KIND_CSTRING: return true;
		case BRINE_KIND_MESSAGE:
			if (!inside || holds_views(field->type))
				return true;
			break;
		default:
			if (!inside && field->shape != BRINE_SHAPE_ONEOF)
				return true;
		}
	}
	return false;
}

/* The two kinds of use of a connection, for the public functions below. */
typedef int exchange_fn(struct brine_client *client, struct brine_call *call, const char *method,
                        struct brine_bytes params);

static int call_and_wait(struct brine_client *client, struct brine_call *call, const char *method,
                         struct brine_bytes params)
{
	int status = begin(client, call, method, params);
	return status < 0 ? status : run(client, call);
}

static int exchange_typed(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                          const void *request, exchange_fn *exchange)
{
	struct brine_buf *scratch = &client->scratch;
	int status = brine_encode(scratch, method->request, request, BRINE_AS_PARAMS, &call->error);
	if (status < 0)
		return end(call, status);
	status = exchange(client, call, method->name, brine_buf_bytes(scratch));
	brine_buf_take(scratch, brine_buf_size(scratch));
	return status;
}

/* Starts the call and enters the client. Errors: the call ends with them, but BRINE_ERR_BUSY leaves a running one
 * alone. */
static int enter(struct brine_client *client, struct brine_call *call)
{
	int status = start(call, client);
	if (status < 0)
		return status;
	status = brine_client_enter(client, &call->error);
	return status < 0 ? end(call, status) : 0;
}

static int call_typed(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                      const void *request, void *response)
{
	int status = enter(client, call);
	if (status < 0)
		return status;
	status = exchange_typed(client, call, method, request, call_and_wait);
	if (status == 0 && response)
		status = end(call, brine_decode(response, method->response, call->result, BRINE_AS_RESULT,
		                                BRINE_DECODE_CHECKED, &call->arena, &call->error));
	brine_client_leave(client);
	return status;
}

int brine_client_call(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                      const void *request, void *response)
{
	if (call)
		return call_typed(client, call, method, request, response);
	if (response && holds_views(method->response))
		return BRINE_ERR_INVALID;
	struct brine_call unseen = BRINE_CALL_INIT;
	int status = call_typed(client, &unseen, method, request, response);
	brine_call_done(&unseen);
	return status;
}

static int use_raw(struct brine_client *client, struct brine_call *call, const char *method, struct brine_bytes params,
                   exchange_fn *exchange)
{
	struct brine_call unseen = BRINE_CALL_INIT;
	struct brine_call *used = call ? call : &unseen;
	int status = enter(client, used);
	if (status == 0) {
		status = exchange(client, used, method, params);
		brine_client_leave(client);
	}
	brine_call_done(&unseen);
	return status;
}

int brine_client_call_raw(struct brine_client *client, struct brine_call *call, const char *method,
                          struct brine_bytes params)
{
	return use_raw(client, call, method, params, call_and_wait);
}

int brine_client_notify_raw(struct brine_client *client, struct brine_call *call, const char *method,
                            struct brine_bytes params)
{
	return use_raw(client, call, method, params, send_notification);
}

int brine_client_notify(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                        const void *request)
{
	struct brine_call unseen = BRINE_CALL_INIT;
	struct brine_call *used = call ? call : &unseen;
	int status = enter(client, used);
	if (status == 0) {
		status = exchange_typed(client, used, method, request, send_notification);
		brine_client_leave(client);
	}
	brine_call_done(&unseen);
	return status;
}
