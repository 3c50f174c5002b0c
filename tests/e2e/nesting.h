/* nesting.h - handlers that call back: both sides have "nest", which asks the other side for one less until nothing is
 * left, and the server some more for the tests of calls to its clients. */
#ifndef BRINE_TESTS_NESTING_H
#define BRINE_TESTS_NESTING_H

#include "harness.h"

/* Params [n] of a call that is answered with how deep it went. */
struct nest_params {
	uint8_t bytes[8];
	size_t size;
};

static inline struct brine_bytes nest_params(struct nest_params *params, int64_t depth)
{
	struct brine_buf buf = BRINE_BUF_INIT;
	brine_pack_array(&buf, 1);
	brine_pack_int(&buf, depth);
	params->size = brine_buf_size(&buf);
	memcpy(params->bytes, brine_buf_bytes(&buf).data, params->size);
	brine_buf_done(&buf);
	return BRINE_BYTES(params->bytes, params->size);
}

/* The small number in an array of one, or alone. */
static inline int64_t nest_number(struct brine_bytes bytes)
{
	const uint8_t *data = bytes.data;
	return bytes.size == 0 ? -1 : data[bytes.size - 1];
}

static inline int nest_reply(struct brine_request *request, int64_t number)
{
	uint8_t byte = (uint8_t)number;
	return brine_request_reply_raw(request, BRINE_BYTES(&byte, 1));
}

/* Hands the error of a call on, with its code. */
static inline int nest_fail(struct brine_request *request, const struct brine_call *call)
{
	int64_t code = brine_call_status(call) == BRINE_ERR_REMOTE ? brine_call_code(call) : 1000;
	return brine_request_fail(request, code, "%d: %s", brine_call_status(call), brine_call_error_text(call));
}

/* [0]: 0. [n]: what the other side says to [n - 1], and one more. */
static inline int nest_handler(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct nest_params next;
	struct brine_call call = BRINE_CALL_INIT;
	int64_t depth = nest_number(params);
	if (user)
		atomic_fetch_add((atomic_int *)user, 1);
	if (depth == 0)
		return nest_reply(request, 0);
	call.timeout_ms = BRINE_FOREVER;
	call.parent = request;
	int status = brine_client_call_raw(brine_request_client(request), &call, "nest", nest_params(&next, depth - 1));
	status =
	        status < 0 ? nest_fail(request, &call) : nest_reply(request, nest_number(brine_call_result(&call)) + 1);
	brine_call_done(&call);
	return status;
}

/* A server that has "nest" on workers, in front of its start. options may be NULL. */
static inline void nest_prepare(struct host *host, void **state, enum over kind,
                                const struct brine_server_options *options, atomic_int *count)
{
	host_prepare(host, state, kind, options);
	assert_int_equal(
	        brine_server_serve_raw_as(host->server, "nest", BRINE_METHOD_BLOCKING, nest_handler, count, NULL), 0);
}

/* A client that has "nest". */
static inline struct brine_client *nest_client(const struct host *host, const struct brine_client_options *options,
                                               atomic_int *count)
{
	struct brine_client *client = client_of(host->address, options);
	struct brine_error error;
	if (brine_client_serve_raw(client, "nest", nest_handler, count, &error) < 0)
		fail_msg("serve: %s", error.text);
	return client;
}

#endif
