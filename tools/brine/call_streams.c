#include "call_streams.h"

#include "command.h"
#include "inspect/json_text.h"
#include "inspect/typed.h"
#include "inspect/typed_read.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

int call_streams_init(struct call_streams *streams, struct brine_call *call, const struct brine_method *method,
                      struct call_loop *loop, const struct call_errors *errors)
{
	*streams = (struct call_streams){.call = call, .method = method, .loop = loop, .errors = errors};
	streams->upload_ended = !(method->flags & BRINE_METHOD_UPLOAD);
	streams->is_over = !(method->flags & BRINE_METHOD_DOWNLOAD);
	loop->wants_input = !streams->upload_ended;
	inspect_line_init(&streams->line, NULL);
	streams->answer_item = calloc(1, method->response->size);
	return streams->answer_item ? 0 : command_fail("call", "out of memory");
}

void call_streams_done(struct call_streams *streams)
{
	free(streams->answer_item);
	inspect_line_done(&streams->line);
	inspect_json_items_done(&streams->input);
	json_decref(streams->item_json);
	brine_arena_done(&streams->arena);
}

/* ---- the answer stream ---- */

static int take_item(struct call_streams *streams)
{
	streams->printed = 0;
	inspect_line_reset(&streams->line);
	return call_format(&streams->line, inspect_typed_json(streams->method->response, streams->answer_item), false);
}

/* As much of the item as does not wait: a pipe that takes anything takes this much. So signals are heard, and the
 * deadline comes, while nobody reads.
 */
static int print_some(struct call_streams *streams)
{
	struct brine_bytes text = brine_buf_bytes(&streams->line.text);
	size_t left = text.size - streams->printed, some = left < PIPE_BUF ? left : PIPE_BUF;
	fwrite((const char *)text.data + streams->printed, 1, some, stdout);
	streams->printed += some;
	return command_flush("call");
}

static int print_items(struct call_streams *streams)
{
	int status = 0;
	streams->loop->wants_output = false;
	while (!streams->is_over && status == 0) {
		if (!call_loop_can_print()) {
			streams->loop->wants_output = true;
			return 0;
		}
		if (streams->printed < brine_buf_size(&streams->line.text)) {
			status = print_some(streams);
			continue;
		}
		int rc = brine_call_next(streams->call, streams->answer_item);
		if (rc == BRINE_ERR_WOULD_BLOCK)
			return 0;
		if (rc > 0)
			status = take_item(streams);
		else
			streams->is_over = true;
	}
	return status;
}

/* ---- the upload ---- */

static int bad_item(const struct call_streams *streams, const struct brine_error *error)
{
	char text[320];
	snprintf(text, sizeof text, "item %" PRIu64 " of standard input: %s", streams->item_number, error->text);
	return call_report_text(streams->errors, EXIT_FAILED, error->code, text);
}

static void drop_item(struct call_streams *streams)
{
	json_decref(streams->item_json);
	streams->item_json = NULL;
	streams->item = NULL;
	brine_arena_reset(&streams->arena);
}

/* Makes the next item of what was read. 0 with item NULL: more must be read. Else the exit status. */
static int make_item(struct call_streams *streams)
{
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes text;
	int rc = inspect_json_items_next(&streams->input, &text);
	if (rc == 0)
		return 0;
	streams->item_number++;
	if (rc < 0)
		brine_fail(&error, rc, 0, "larger than %d bytes", INSPECT_JSON_SIZE_MOST);
	else if ((streams->item_json = inspect_json_parse(text, &error)) != NULL)
		inspect_typed_read(&streams->item, streams->method->request, streams->item_json, &streams->arena,
		                   &error);
	return error.code ? bad_item(streams, &error) : 0;
}

/* Reads once, as the loop has said that there is something. 0 or the exit status. */
static int read_input(struct call_streams *streams)
{
	uint8_t bytes[READ_SIZE];
	ssize_t size = read(STDIN_FILENO, bytes, sizeof bytes);
	if (size < 0)
		return errno == EINTR || errno == EAGAIN
		               ? 0
		               : command_fail("call", "cannot read standard input: %s", strerror(errno));
	streams->loop->has_input = false;
	if (inspect_json_items_feed(&streams->input, bytes, (size_t)size) < 0)
		return command_fail("call", "out of memory");
	return 0;
}

/* Sends the item that is ready. 0 also where the peer takes none now (item stays) or no more (upload_ended). */
static int send_ready_item(struct call_streams *streams)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int rc = brine_call_send(streams->call, streams->item);
	if (rc == BRINE_ERR_WOULD_BLOCK)
		return 0;
	drop_item(streams);
	if (rc == 0)
		return 0;
	streams->upload_ended = true;
	/* The call's own end is told when it is finished; else the item is at fault. */
	if (!call_is_misfit(rc) || brine_call_status(streams->call) < 0)
		return 0;
	brine_fail(&error, rc, 0, "%s: see the limits of its schema", brine_error_text(rc));
	return bad_item(streams, &error);
}

static int upload(struct call_streams *streams)
{
	int status = streams->loop->has_input ? read_input(streams) : 0;
	while (status == 0 && !streams->upload_ended) {
		if (!streams->item)
			status = make_item(streams);
		if (status || !streams->item)
			break;
		status = send_ready_item(streams);
		if (streams->item)
			break;
	}
	if (status == 0 && !streams->upload_ended && !streams->item && streams->input.at_end) {
		brine_call_end_upload(streams->call);
		streams->upload_ended = true;
	}
	streams->loop->wants_input = !streams->upload_ended && !streams->item;
	return status;
}

int call_streams_step(struct call_streams *streams)
{
	int status = streams->upload_ended ? 0 : upload(streams);
	return status ? status : print_items(streams);
}
