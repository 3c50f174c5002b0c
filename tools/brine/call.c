/* brine call: calls a method of a server and prints the answer. */
#include "call_loop.h"
#include "call_options.h"
#include "call_output.h"
#include "call_request.h"
#include "call_streams.h"
#include "command.h"
#include "inspect/json_value.h"
#include "inspect/lookup.h"
#include "inspect/template.h"
#include "inspect/typed.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STREAM_FLAGS = BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD };

struct run {
	struct call_options options;
	struct call_errors errors;
	struct inspect_schema *schema;     /* NULL: none */
	const struct brine_method *method; /* NULL: without a schema */
	struct call_request request;
	struct brine_client *client;
	struct brine_call call;
	bool is_done; /* the call has ended */
	bool pretty;
};

static int find_called_method(struct run *run)
{
	struct brine_error error = BRINE_ERROR_INIT;
	const struct call_options *options = &run->options;
	int status = schema_option_load(&options->schema, &run->schema);
	if (status || !run->schema)
		return status;
	run->method = inspect_lookup_method(run->schema, options->method, &error);
	if (!run->method)
		return command_fail("call", "%s", error.text);
	run->errors.type = options->error_type ? inspect_lookup_type(run->schema, options->error_type, &error) : NULL;
	return options->error_type && !run->errors.type ? command_fail("call", "%s", error.text) : 0;
}

static bool is_stream(const struct run *run)
{
	return run->method && run->method->flags & STREAM_FLAGS;
}

static int open_call_client(struct run *run)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	options.name = "brine call";
	options.mode = run->options.notify ? BRINE_CLIENT_BLOCKING : BRINE_CLIENT_LOOP;
	if (is_stream(run) && run->options.notify)
		return command_usage("call", "%s has a stream and cannot be a notification", run->method->name);
	if (is_stream(run) && call_options_are_plain(&run->options))
		return command_usage("call", "plain MessagePack-RPC has no streams");
	if (brine_client_open(&run->client, run->options.address, &options, &error) < 0)
		return command_usage("call", "%s", error.text);
	run->call = (struct brine_call)BRINE_CALL_INIT;
	run->call.timeout_ms = run->options.timeout_ms ? run->options.timeout_ms : is_stream(run) ? BRINE_FOREVER : 0;
	run->call.metadata = brine_buf_bytes(&run->request.metadata);
	return 0;
}

static struct brine_bytes params_of(const struct run *run)
{
	return brine_buf_bytes(&run->request.params);
}

static int send_notification(struct run *run)
{
	int rc = run->method ? brine_client_notify(run->client, &run->call, run->method, run->request.typed)
	                     : brine_client_notify_raw(run->client, &run->call, run->options.method, params_of(run));
	return rc < 0 ? call_report(&run->errors, &run->call, rc, false) : 0;
}

static void on_done(struct brine_call *call, void *user)
{
	struct run *run = user;
	(void)call;
	run->is_done = true;
}

static int begin_call(struct run *run)
{
	run->call.on_done = on_done;
	run->call.user = run;
	return run->method ? brine_client_begin(run->client, &run->call, run->method, run->request.typed)
	                   : brine_client_begin_raw(run->client, &run->call, run->options.method, params_of(run));
}

/* Ends the call as the user or a failure wants it, and lets the peer know. */
static int give_up_call(struct run *run, int status)
{
	brine_call_cancel(&run->call);
	brine_client_process(run->client);
	return status;
}

/* Prints the answer of a call that has ended, or says how it failed. */
static int conclude_call(struct run *run)
{
	bool has_answer = !run->method || !(run->method->flags & BRINE_METHOD_DOWNLOAD);
	void *response = run->method && has_answer ? calloc(1, run->method->response->size) : NULL;
	if (run->method && has_answer && !response)
		return command_fail("call", "out of memory");
	int status = 0, rc = brine_call_finish(&run->call, response);
	if (rc < 0)
		status = call_report(&run->errors, &run->call, rc, true);
	else if (has_answer)
		status = call_print(response ? inspect_typed_json(run->method->response, response)
		                             : inspect_json_value(brine_call_result(&run->call), false),
		                    run->pretty);
	free(response);
	return status;
}

/* Until the call has ended; both streams of it move meanwhile. */
static int converse(struct run *run, struct call_loop *loop)
{
	struct call_streams streams = {.is_over = true};
	int status = is_stream(run) ? call_streams_init(&streams, &run->call, run->method, loop, &run->errors) : 0;
	while (status == 0 && !(run->is_done && streams.is_over)) {
		status = call_loop_turn(loop);
		if (status == 0 && is_stream(run))
			status = call_streams_step(&streams);
	}
	if (status)
		give_up_call(run, status);
	call_streams_done(&streams);
	return status;
}

static int call(struct run *run)
{
	struct call_loop loop;
	int status = call_loop_init(&loop, run->client);
	if (status)
		return status;
	int rc = begin_call(run);
	if (rc < 0)
		status = call_report(&run->errors, &run->call, rc, false);
	else
		status = converse(run, &loop);
	/* What is left does not wait for the peer. Printing may take as long as the reader likes, but can be
	 * interrupted.
	 */
	call_loop_done(&loop);
	return status || rc < 0 ? status : conclude_call(run);
}

static int run_with(struct run *run)
{
	int status = find_called_method(run);
	if (status)
		return status;
	if (run->options.template)
		return call_print(inspect_template(run->method->request), run->pretty);
	status = call_request_make(&run->request, &run->options, run->method);
	if (status == 0)
		status = open_call_client(run);
	if (status)
		return status;
	return run->options.notify ? send_notification(run) : call(run);
}

static int run_call(int argc, char **argv)
{
	struct run run = {.request = CALL_REQUEST_INIT};
	int status = call_options_read(&run.options, argc, argv);
	if (status)
		return status;
	run.errors.json = run.options.json_errors;
	run.errors.has_schema = run.options.schema.file_count > 0;
	run.pretty = run.options.pretty < 0 ? isatty(STDOUT_FILENO) : run.options.pretty;
	if (run.options.help) {
		fputs(call_help, stdout);
		status = command_flush("call");
	} else {
		status = run_with(&run);
	}
	brine_call_done(&run.call);
	brine_client_free(run.client);
	call_request_done(&run.request);
	inspect_schema_free(run.schema);
	call_options_done(&run.options);
	return status;
}

const struct command call_command = {"call", "call a method of a server", call_help, run_call};
