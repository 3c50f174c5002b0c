#include "call_output.h"

#include "command.h"
#include "inspect/json_text.h"
#include "inspect/json_value.h"
#include "inspect/typed.h"

#include <inttypes.h>
#include <stdio.h>

int call_format(struct inspect_line *line, json_t *value, bool pretty)
{
	inspect_json_print(line, value, pretty);
	inspect_line_text(line, "\n");
	json_decref(value);
	return line->status < 0 ? command_fail("call", "out of memory") : 0;
}

/* Takes value. 0 or EXIT_FAILED. */
static int print_to(FILE *file, const char *before, json_t *value, bool pretty)
{
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	inspect_line_text(&line, before);
	int status = call_format(&line, value, pretty);
	struct brine_bytes text = brine_buf_bytes(&line.text);
	if (status == 0)
		fwrite(text.data, 1, text.size, file);
	inspect_line_done(&line);
	return status;
}

int call_print(json_t *value, bool pretty)
{
	int status = print_to(stdout, "", value, pretty);
	return status ? status : command_flush("call");
}

bool call_is_misfit(int status)
{
	return status <= BRINE_ERR_MALFORMED && status > BRINE_ERR_REMOTE;
}

static int exit_status_of(int status, bool began)
{
	switch (status) {
	case BRINE_ERR_REMOTE:
	case BRINE_ERR_CANCELLED: return EXIT_REFUSED;
	case BRINE_ERR_DEADLINE: return EXIT_DEADLINE;
	case BRINE_ERR_LOST: return EXIT_LOST;
	case BRINE_ERR_NOMEM: return EXIT_FAILED;
	case BRINE_ERR_NOT_SENT:
	case BRINE_ERR_CONNECT:
	case BRINE_ERR_RESOLVE:
	case BRINE_ERR_SYSTEM:
	case BRINE_ERR_TOO_BIG:
	case BRINE_ERR_OVERLOADED:
	case BRINE_ERR_GOING_AWAY:
	case BRINE_ERR_NOT_BRINE: return EXIT_NOT_SENT;
	default: return began && call_is_misfit(status) ? EXIT_MISFIT : EXIT_FAILED;
	}
}

/* "REMOTE" of "BRINE_ERR_REMOTE". */
static const char *short_name(int code)
{
	static const char prefix[] = "BRINE_ERR_";
	const char *name = brine_error_name(code);
	return strncmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : name;
}

/* Error data as JSON: by the schema where they fit it. */
static json_t *data_json(const struct call_errors *errors, struct brine_call *call)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	void *message = errors->type ? brine_arena_alloc(&arena, errors->type->size) : NULL;
	json_t *data = NULL;
	if (message && brine_call_error_loads(call, errors->type, message) == 0)
		data = inspect_typed_json(errors->type, message);
	else
		data = inspect_json_value(brine_call_error_data(call), false);
	brine_arena_done(&arena);
	return data;
}

/* Takes data; NULL: none. code: of the peer, where it answered. size: bytes of text. */
static void report_json(int exit_status, int status, const int64_t *code, const char *text, size_t size, json_t *data)
{
	json_t *object = json_pack("{s: i, s: s}", "status", exit_status, "error", short_name(status));
	if (code)
		json_object_set_new(object, "code", json_integer(*code));
	json_object_set_new(object, "text", inspect_json_error_text(text, size));
	if (data)
		json_object_set_new(object, "data", data);
	print_to(stderr, "", object, false);
}

int call_report_text(const struct call_errors *errors, int exit_status, int code, const char *text)
{
	if (errors->json)
		report_json(exit_status, code, NULL, text, strlen(text), NULL);
	else
		command_fail("call", "%s", text);
	return exit_status;
}

/* The text without what only people need, as the code stands beside it: "(error 100 from the server)". */
static size_t bare_size(const char *text, int64_t code)
{
	char tail[64];
	size_t size = strlen(text);
	size_t tail_size = (size_t)snprintf(tail, sizeof tail, " (error %" PRId64 " from the server)", code);
	return size >= tail_size && strcmp(text + size - tail_size, tail) == 0 ? size - tail_size : size;
}

int call_report(const struct call_errors *errors, struct brine_call *call, int status, bool began)
{
	static const char misfit[] = "the answer does not fit the schema: ";
	int exit_status = exit_status_of(status, began);
	const char *text = brine_call_error_text(call);
	bool answered = status == BRINE_ERR_REMOTE || status == BRINE_ERR_CANCELLED || status == BRINE_ERR_DEADLINE;
	int64_t code = brine_call_code(call);
	json_t *data = brine_call_error_data(call).size ? data_json(errors, call) : NULL;
	if (errors->json) {
		report_json(exit_status, status, answered ? &code : NULL, text, bare_size(text, code), data);
		return exit_status;
	}
	command_fail("call", "%s%s", exit_status == EXIT_MISFIT ? misfit : "", text);
	if (data)
		print_to(stderr, "data: ", data, false);
	else if (code == BRINE_CODE_UNSUPPORTED && !errors->has_schema)
		fputs("A method with streams can be called with its schema only: --schema FILE\n", stderr);
	return exit_status;
}
