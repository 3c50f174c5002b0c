/* The public functions that make calls. */
#include "client/client.h"
#include "client/parent.h"

#include "net/clock.h"

#include <inttypes.h>

enum {
	PARAMS_DEPTH_MAX = BRINE_FRAME_DEPTH_MAX - 1, /* the message's own array is the first level */
};

static const char would_block[] =
        "a blocking call on a loop or in a callback: use begin and on_done, or mark the method blocking";

/* A method, typed or not, and its arguments. */
struct invocation {
	const struct brine_method *method; /* NULL: untyped, or not given */
	const void *request;
	struct brine_str name;
	struct brine_bytes params;
	uint32_t streams; /* of enum brine_method_flags: those to open */
};

static struct invocation typed(const struct brine_method *method, const void *request)
{
	return (struct invocation){
	        .method = method, .request = request, .name = brine_str_from(method ? method->name : NULL)};
}

static struct invocation untyped(const char *method, struct brine_bytes params)
{
	return (struct invocation){.name = brine_str_from(method), .params = params};
}

/* What the program left out; NULL: nothing. */
static const char *find_missing(const struct brine_client *client, const struct invocation *what)
{
	const struct brine_method *method = what->method;
	if (!client)
		return "the client is NULL";
	if (!what->name.data)
		return "the method is NULL, or its name";
	if (method && !(what->streams & BRINE_METHOD_UPLOAD) && (!what->request || !method->request))
		return "the request is NULL, or its type";
	return !what->params.data && what->params.size ? "the params are NULL" : NULL;
}

/* ---- a call in itself ---- */

/* Takes the call from the client that it was used with, waiting for a callback in another thread. */
static void leave_client(struct brine_call *call)
{
	struct brine_client *client = call->client;
	if (!client)
		return;
	if (brine_client_check(client, NULL) == 0) {
		brine_client_lock(client);
		/* Whoever lets go of a running call does not want to hear of it. */
		call->sync = true;
		brine_call_abort(client, call);
		brine_call_unlist(client, call);
		brine_client_flush_or_wake(client);
		while (client->calling == call && !brine_client_in_callback(client))
			brine_client_sleep(client, &client->quiet, BRINE_FOREVER);
		brine_client_unlock(client);
		brine_call_run_after(client, call);
	} else {
		brine_call_leave_scope(call, true);
	}
	call->client = NULL;
	brine_client_drop(client);
}

void brine_call_done(struct brine_call *call)
{
	if (!brine_call_is_usable(call))
		return;
	leave_client(call);
	brine_call_items_done(call);
	brine_arena_done(&call->arena);
	call->status = 0;
	call->text = call->refusal = NULL;
	call->data = call->result = call->result_metadata = (struct brine_bytes){NULL, 0};
	__atomic_store_n(&call->state, BRINE_CALL_IDLE, __ATOMIC_RELEASE);
}

/* Makes a call ready to run; it keeps its first block of memory, and forgets its parent, which may be gone next time.
 */
static void refresh(struct brine_call *call, const struct brine_allocator *allocator)
{
	brine_call_items_done(call);
	if (call->arena.allocator != allocator)
		brine_arena_done(&call->arena);
	brine_arena_reset(&call->arena);
	struct brine_call fresh = {.struct_size = sizeof fresh,
	                           .timeout_ms = call->timeout_ms,
	                           .metadata = call->metadata,
	                           .wait_for_ready = call->wait_for_ready,
	                           .on_done = call->on_done,
	                           .on_ready = call->on_ready,
	                           .user = call->user,
	                           .client = call->client,
	                           .arena = call->arena};
	fresh.arena.allocator = allocator;
	fresh.arena.budget = 0;
	*call = fresh;
}

/* Ends a call that no client knows yet. */
static int end_early(struct brine_call *call, int status)
{
	call->status = status;
	__atomic_store_n(&call->state, BRINE_CALL_FINISHED, __ATOMIC_RELEASE);
	return status;
}

/* Ends a call that has entered and does not begin; nobody will be called back. */
static int end_unbegun(struct brine_client *client, struct brine_call *call, int status)
{
	brine_call_end(client, call, status);
	brine_call_unlist(client, call);
	brine_client_flush_or_wake(client);
	brine_client_unlock(client);
	return status;
}

/* Ends a call that cannot begin, and forgets what it was before. */
static int end_unusable(struct brine_call *call, const struct brine_method *method, const char *missing)
{
	leave_client(call);
	refresh(call, call->arena.allocator);
	call->method = method;
	return end_early(call, brine_fail(&call->error, BRINE_ERR_INVALID, 0, "%s", missing));
}

/* Enters the client with a call, which runs from then on; on success the lock is held. BRINE_ERR_BUSY leaves the call
 * as it is, and so does INVALID where its struct is of another version; other errors have ended it: INVALID, FORKED,
 * and what brine_call_join_scope() says. */
static int enter(struct brine_client *client, struct brine_call *call, const struct invocation *what)
{
	const char *missing = find_missing(client, what);
	if (!brine_call_is_usable(call))
		return BRINE_ERR_INVALID;
	if (brine_call_state_of(call) == BRINE_CALL_RUNNING)
		return brine_call_refuse(call, BRINE_ERR_BUSY, "the call runs already: finish or cancel it first");
	if (missing)
		return end_unusable(call, what->method, missing);
	if (brine_client_check(client, NULL) < 0) {
		refresh(call, client->options.allocator);
		call->method = what->method;
		return end_early(call, brine_client_check(client, &call->error));
	}
	if (call->client && call->client != client)
		leave_client(call);
	atomic_fetch_add_explicit(&client->entering, 1, memory_order_relaxed);
	brine_client_lock(client);
	atomic_fetch_sub_explicit(&client->entering, 1, memory_order_relaxed);
	if (client->calling == call && !brine_client_in_callback(client)) {
		brine_client_flush_or_wake(client);
		brine_client_unlock(client);
		return brine_call_refuse(call, BRINE_ERR_BUSY, "the call's callback has not returned");
	}
	if (call->client)
		brine_call_unlist(client, call);
	struct brine_request *parent = call->parent;
	refresh(call, client->options.allocator);
	call->method = what->method;
	call->deadline_ms = brine_deadline_after(call->timeout_ms ? call->timeout_ms : client->options.timeout_ms);
	if (!call->client) {
		brine_client_hold(client);
		call->client = client;
	}
	__atomic_store_n(&call->state, BRINE_CALL_RUNNING, __ATOMIC_RELEASE);
	int status = parent ? brine_call_join_scope(call, parent) : 0;
	return status < 0 ? end_unbegun(client, call, status) : 0;
}

/* ---- what is called ---- */

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

/* No connection would take it, so that there need not be one to say so. */
static int check_name(const struct brine_client *client, struct brine_call *call, struct brine_str name)
{
	uint32_t most = client->options.limits.method_size_max;
	if (name.size > 0 && name.size <= most)
		return 0;
	return brine_fail(&call->error, BRINE_ERR_INVALID, 0,
	                  "method name of %zu bytes, expected 1 to %" PRIu32 " (limits.method_size_max), not sent",
	                  name.size, most);
}

/* What the caller encoded by hand must be one array and one map, or the peer would take the whole connection as broken.
 */
static int check_encoded(const struct brine_client *client, struct brine_call *call, struct brine_bytes params)
{
	struct brine_error *error = &call->error;
	uint32_t most = client->options.limits.metadata_size_max;
	if (call->metadata.size > most)
		return brine_fail(error, BRINE_ERR_TOO_BIG, 0,
		                  "metadata of %zu bytes, at most %" PRIu32 " (limits.metadata_size_max), not sent",
		                  call->metadata.size, most);
	if (params.size && (brine_check(params, PARAMS_DEPTH_MAX, error) < 0 || !is_array(params)))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "params are not one encoded array");
	if (call->metadata.size &&
	    (brine_check(call->metadata, PARAMS_DEPTH_MAX - 1, error) < 0 || !is_map(call->metadata)))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "metadata is not one encoded map");
	return 0;
}

/* Interceptors before a call, without the lock. */
static int intercept(struct brine_client *client, struct brine_call *call, const struct invocation *what)
{
	const struct brine_client_options *options = &client->options;
	int status = 0;
	if (options->interceptor_count == 0)
		return 0;
	call->method_name = brine_arena_copy(&call->arena, what->name.data, what->name.size);
	if (!call->method_name)
		return brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory");
	/* What others left to this thread does not wait for them. */
	brine_client_flush_or_wake(client);
	int state = brine_client_leave(client);
	while (call->begun < options->interceptor_count && status >= 0) {
		const struct brine_client_interceptor *interceptor = &options->interceptors[call->begun++];
		if (interceptor->before)
			status = interceptor->before(call, call->method_name, interceptor->user);
	}
	brine_client_return(client, state);
	return status < 0 ? status : 0;
}

/* Interceptors and encoding: the arguments are in what->params then, which may be client->scratch. */
static int prepare(struct brine_client *client, struct brine_call *call, struct invocation *what)
{
	int status = check_name(client, call, what->name);
	if (status == 0)
		status = intercept(client, call, what);
	if (status == 0 && what->method && !(what->streams & BRINE_METHOD_UPLOAD)) {
		status = brine_encode(&client->scratch, what->method->request, what->request, BRINE_AS_PARAMS,
		                      &call->error);
		what->params = brine_buf_bytes(&client->scratch);
		if (status == 0 && call->metadata.size)
			status = check_encoded(client, call, (struct brine_bytes){NULL, 0});
	} else if (status == 0) {
		status = check_encoded(client, call, what->params);
	}
	call->streams = what->streams;
	return status;
}

/* A connection that nobody waits on may have ended meanwhile: looks before it is used. */
static void check_alive(struct brine_client *client)
{
	if (!client->has_thread && !client->leading && client->current && client->current->calls == 0)
		brine_client_poll_now(client);
}

/* The call is running, or the error has ended it and nobody will be called back. */
static int begin(struct brine_client *client, struct brine_call *call, struct invocation *what)
{
	check_alive(client);
	int status = prepare(client, call, what);
	if (status < 0)
		status = brine_call_end(client, call, status);
	else
		status = brine_call_submit(client, call, what->name, what->params);
	brine_buf_take(&client->scratch, brine_buf_size(&client->scratch));
	if (status < 0)
		brine_call_unlist(client, call);
	brine_client_flush_or_wake(client);
	return status;
}

/* Whether a call may wait, which is settled before anything is sent. An error has ended it. */
static int prepare_to_wait(struct brine_client *client, struct brine_call *call)
{
	int status = brine_client_may_wait(client)
	                     ? brine_call_begin_blocking(client, call)
	                     : brine_fail(&call->error, BRINE_ERR_WOULD_BLOCK, 0, "%s", would_block);
	if (status == 0)
		return 0;
	brine_client_flush_or_wake(client);
	return brine_call_end(client, call, status);
}

static int call_and_wait(struct brine_client *client, struct brine_call *call, struct invocation *what, void *response)
{
	int status = enter(client, call, what);
	if (status < 0)
		return status;
	call->sync = true;
	status = prepare_to_wait(client, call);
	if (status == 0)
		status = begin(client, call, what);
	if (status == 0)
		(void)brine_client_wait(client, call, brine_call_is_over, false, BRINE_FOREVER);
	brine_call_end_blocking(call);
	brine_client_call_back(client);
	brine_client_unlock(client);
	brine_call_run_after(client, call);
	return brine_call_take_response(call, call->method, response);
}

/* The same with a call of our own. Not inlined: handlers that call nest on one stack, and most bring theirs. */
static __attribute__((noinline)) int call_default(struct brine_client *client, struct invocation *what, void *response)
{
	struct brine_call own_call = BRINE_CALL_INIT;
	int status = call_and_wait(client, &own_call, what, response);
	brine_call_done(&own_call);
	return status;
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

int brine_client_call(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                      const void *request, void *response)
{
	struct invocation what = typed(method, request);
	if (call)
		return call_and_wait(client, call, &what, response);
	if (response && method && method->response && holds_views(method->response))
		return BRINE_ERR_INVALID;
	return call_default(client, &what, response);
}

int brine_client_call_raw(struct brine_client *client, struct brine_call *call, const char *method,
                          struct brine_bytes params)
{
	struct invocation what = untyped(method, params);
	return call ? call_and_wait(client, call, &what, NULL) : call_default(client, &what, NULL);
}

/* ---- beginning ---- */

static int begin_only(struct brine_client *client, struct brine_call *call, struct invocation *what)
{
	int status = enter(client, call, what);
	if (status < 0)
		return status;
	status = begin(client, call, what);
	brine_client_unlock(client);
	return status;
}

int brine_client_begin(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                       const void *request)
{
	struct invocation what = typed(method, request);
	what.streams = method ? method->flags & (BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD) : 0;
	return begin_only(client, call, &what);
}

int brine_client_begin_raw(struct brine_client *client, struct brine_call *call, const char *method,
                           struct brine_bytes params)
{
	struct invocation what = untyped(method, params);
	return begin_only(client, call, &what);
}

/* ---- notifications and connecting ---- */

/* call->serial: how many rounds had failed before. */
static bool is_connected_or_refused(struct brine_client *client, const struct brine_call *call)
{
	return client->closing || call->aborted || client->connector.failures != call->serial ||
	       brine_client_is_connected(client) || !brine_client_may_connect(client);
}

/* Waits for a connection. The error stands in call->error. */
static int get_connected(struct brine_client *client, struct brine_call *call)
{
	struct brine_connector *connector = &client->connector;
	check_alive(client);
	if (brine_client_is_connected(client))
		return 0;
	if (!brine_client_may_wait(client))
		return brine_fail(&call->error, BRINE_ERR_WOULD_BLOCK, 0, "%s", would_block);
	call->serial = connector->failures;
	connector->wanted++;
	brine_client_flush_or_wake(client);
	int status = brine_client_wait(client, call, is_connected_or_refused, true, call->deadline_ms);
	connector->wanted--;
	/* A worker that found no place has said why. */
	if (status < 0 && call->error.code != status)
		brine_fail(&call->error, status, 0, "no connection to %.150s in time", client->peer_text);
	if (status < 0)
		return status;
	if (client->closing || call->aborted)
		return brine_call_take_abort(call);
	if (brine_client_is_connected(client))
		return 0;
	if (!brine_client_may_connect(client))
		return brine_fail(&call->error, BRINE_ERR_NOT_SENT, 0, "the connection of %s has ended",
		                  client->peer_text);
	return brine_connector_explain(client, &call->error);
}

static struct brine_channel *channel_numbered(const struct brine_client *client, uint64_t number)
{
	struct brine_channel *channel = client->channels;
	while (channel && channel->peer.connection != number)
		channel = channel->next;
	return channel && !channel->closed && !channel->dead ? channel : NULL;
}

/* call->serial: the connection. */
static bool is_greeted_or_gone(struct brine_client *client, const struct brine_call *call)
{
	const struct brine_channel *channel = channel_numbered(client, call->serial);
	return client->closing || call->aborted || !channel || channel->hello_received;
}

static bool is_written_or_gone(struct brine_client *client, const struct brine_call *call)
{
	const struct brine_channel *channel = channel_numbered(client, call->serial);
	return client->closing || call->aborted || !channel || brine_conn_pending(channel->conn).size == 0;
}

/* Gives a notification to the connection, which lives. */
static int queue_notification(struct brine_client *client, struct brine_call *call, const struct invocation *what)
{
	struct brine_channel *channel = client->current;
	int status = brine_conn_notify(channel->conn, what->name, what->params, call->metadata, &call->error);
	bool may_grow = !channel->hello_received && client->options.hello && brine_client_may_wait(client) &&
	                brine_conn_wire(channel->conn) == BRINE_WIRE_FRAMED;
	call->serial = channel->peer.connection;
	if (status == BRINE_ERR_TOO_BIG && may_grow) {
		brine_client_flush_or_wake(client);
		(void)brine_client_wait(client, call, is_greeted_or_gone, true, call->deadline_ms);
		if (call->aborted)
			return brine_call_take_abort(call);
		channel = channel_numbered(client, call->serial);
		status = channel && channel->hello_received ? brine_conn_notify(channel->conn, what->name, what->params,
		                                                                call->metadata, &call->error)
		                                            : status;
	}
	return status == BRINE_ERR_LOST || status == BRINE_ERR_GOING_AWAY ? BRINE_ERR_NOT_SENT : status;
}

/* Until the kernel has it, where this thread may wait. */
static int hand_over(struct brine_client *client, struct brine_call *call)
{
	brine_client_flush_or_wake(client);
	if (!brine_client_may_wait(client))
		return 0;
	int status = brine_client_wait(client, call, is_written_or_gone, true, call->deadline_ms);
	if (status < 0 && call->error.code != status)
		brine_fail(&call->error, status, 0, "%s took no notification in time", client->peer_text);
	if (status < 0)
		return status;
	const struct brine_channel *channel = channel_numbered(client, call->serial);
	if (call->aborted && channel && brine_conn_pending(channel->conn).size)
		return brine_call_take_abort(call);
	return channel ? 0 : BRINE_ERR_NOT_SENT;
}

static int notify(struct brine_client *client, struct brine_call *call, struct invocation *what)
{
	struct brine_buf params = BRINE_BUF_INIT;
	int status = enter(client, call, what);
	if (status < 0)
		return status;
	/* No answer comes that could be taken as one of it. */
	call->method = NULL;
	call->sync = true;
	status = get_connected(client, call);
	if (status == 0)
		status = prepare(client, call, what);
	/* Others use the scratch while this one waits. */
	if (what->method) {
		params = client->scratch;
		brine_buf_init(&client->scratch, client->options.allocator);
	}
	if (status == 0 && call->aborted)
		status = brine_call_take_abort(call);
	if (status == 0)
		status =
		        brine_client_is_connected(client) ? queue_notification(client, call, what) : BRINE_ERR_NOT_SENT;
	if (status == 0)
		status = hand_over(client, call);
	brine_call_end(client, call, status);
	brine_client_flush_or_wake(client);
	if (what->method) {
		brine_buf_done(&client->scratch);
		brine_buf_take(&params, brine_buf_size(&params));
		client->scratch = params;
	}
	brine_client_call_back(client);
	brine_client_unlock(client);
	brine_call_run_after(client, call);
	return call->status;
}

static int notify_any(struct brine_client *client, struct brine_call *call, struct invocation *what)
{
	struct brine_call own_call = BRINE_CALL_INIT;
	int status = notify(client, call ? call : &own_call, what);
	brine_call_done(&own_call);
	return status;
}

int brine_client_notify(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                        const void *request)
{
	struct invocation what = typed(method, request);
	return notify_any(client, call, &what);
}

int brine_client_notify_raw(struct brine_client *client, struct brine_call *call, const char *method,
                            struct brine_bytes params)
{
	struct invocation what = untyped(method, params);
	return notify_any(client, call, &what);
}

int brine_client_connect(struct brine_client *client, uint64_t timeout_ms, struct brine_error *error)
{
	struct brine_call own_call = BRINE_CALL_INIT;
	own_call.timeout_ms = timeout_ms;
	struct invocation nothing = untyped("", (struct brine_bytes){NULL, 0});
	int status = enter(client, &own_call, &nothing);
	if (status == 0) {
		own_call.sync = true;
		status = brine_call_end(client, &own_call, get_connected(client, &own_call));
		brine_client_call_back(client);
		brine_client_unlock(client);
	}
	if (status < 0 && error) {
		*error = own_call.error;
		if (error->code != status)
			brine_fail(error, status, 0, "%s", brine_error_text(status));
	}
	brine_call_done(&own_call);
	return status;
}
