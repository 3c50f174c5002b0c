#include "call_request.h"

#include "command.h"
#include "inspect/json_pack.h"
#include "inspect/json_text.h"
#include "inspect/typed_read.h"

#include <brine/codec.h>
#include <brine/pack.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 * 1024,
	SECRET_SIZE_MOST = 64 * 1024,             /* bytes of a file with metadata; the wire takes fewer */
	PARAMS_DEPTH = BRINE_FRAME_DEPTH_MAX - 2, /* the message and its params are levels too */
	SHOWN_SIZE = 96,
};

static int fail_call_memory(void)
{
	return command_fail("call", "out of memory");
}

/* ---- files ---- */

static int read_descriptor(struct brine_buf *out, int fd, size_t size_max, const char *shown)
{
	for (;;) {
		void *to = brine_buf_reserve(out, READ_SIZE);
		if (!to)
			return fail_call_memory();
		ssize_t size = read(fd, to, READ_SIZE);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return command_fail("call", "cannot read %s: %s", shown, strerror(errno));
		if (size == 0)
			return 0;
		out->end += (size_t)size;
		if (brine_buf_size(out) > size_max)
			return command_fail("call", "%s is larger than %zu bytes", shown, size_max);
	}
}

/* Appends all of a file ("-": standard input) to out. 0, or EXIT_FAILED having said why. */
static int read_file(struct brine_buf *out, const char *path, size_t size_max)
{
	char shown[SHOWN_SIZE];
	bool is_stdin = strcmp(path, "-") == 0;
	brine_escape(shown, sizeof shown, path, strlen(path));
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return command_fail("call", "cannot open %s: %s", shown, strerror(errno));
	int status = read_descriptor(out, fd, size_max, is_stdin ? "standard input" : shown);
	if (!is_stdin)
		close(fd);
	return status;
}

/* ---- arguments ---- */

/* "argument 2, hello: ..." and what to do about it. */
static int no_json(size_t index, const char *text, const struct brine_error *error)
{
	char shown[SHOWN_SIZE];
	brine_escape(shown, sizeof shown, text, strlen(text));
	command_fail("call", "argument %zu, %s: %s", index + 1, shown, error->text);
	if (error->code == BRINE_ERR_MALFORMED && text[0] && !strchr("{[\"@-", text[0]) &&
	    !isdigit((unsigned char)text[0]))
		fprintf(stderr, "A string has its own quotes, '\"%s\"', or: --string '%s'\n", shown, shown);
	return EXIT_FAILED;
}

/* One argument as JSON: NULL having said why not. */
static json_t *parse_argument(const struct call_options *options, size_t index)
{
	const struct call_argument *argument = &options->arguments[index];
	const char *text = argument->text;
	bool is_file = !argument->is_string && (text[0] == '@' || strcmp(text, "-") == 0);
	struct brine_buf content = BRINE_BUF_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	json_t *value = NULL;
	if (argument->is_string) {
		value = json_string(text);
		if (!value)
			command_fail("call", "argument %zu: no UTF-8; such a string is {\"$str\": base64}", index + 1);
		return value;
	}
	if (is_file && read_file(&content, text + (text[0] == '@'), INSPECT_JSON_SIZE_MOST) == 0)
		value = inspect_json_parse(brine_buf_bytes(&content), &error);
	else if (!is_file)
		value = inspect_json_parse(BRINE_BYTES(text, strlen(text)), &error);
	if (error.code)
		no_json(index, text, &error);
	brine_buf_done(&content);
	return value;
}

static int check_sources(const struct call_options *options)
{
	unsigned count = 0;
	for (size_t i = 0; i < options->argument_count; i++) {
		const struct call_argument *argument = &options->arguments[i];
		count +=
		        !argument->is_string && (strcmp(argument->text, "-") == 0 || strcmp(argument->text, "@-") == 0);
	}
	return count > 1 ? command_usage("call", "standard input can be one argument only") : 0;
}

/* ---- the two kinds of requests ---- */

static int make_params(struct call_request *request, const struct call_options *options)
{
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_pack_array(&request->params, (uint32_t)options->argument_count) < 0)
		return fail_call_memory();
	for (size_t i = 0; i < options->argument_count; i++) {
		json_t *value = parse_argument(options, i);
		if (!value)
			return EXIT_FAILED;
		int rc = inspect_json_pack(&request->params, value, PARAMS_DEPTH, &error);
		json_decref(value);
		if (rc < 0)
			return command_fail("call", "argument %zu: %s", i + 1, error.text);
	}
	return 0;
}

static int make_typed(struct call_request *request, const struct call_options *options,
                      const struct brine_method *method)
{
	struct brine_error error = BRINE_ERROR_INIT;
	if (method->flags & BRINE_METHOD_UPLOAD)
		return options->argument_count == 0
		               ? 0
		               : command_usage("call", "%s takes a stream: its items come from standard input",
		                               method->name);
	if (options->argument_count > 1)
		return command_usage("call", "%s takes one argument, a %s as an object; --template shows an empty one",
		                     method->name, method->request->name);
	request->json = options->argument_count ? parse_argument(options, 0) : json_object();
	if (!request->json)
		return options->argument_count ? EXIT_FAILED : fail_call_memory();
	if (inspect_typed_read(&request->typed, method->request, request->json, &request->arena, &error) < 0)
		return command_fail("call", "the request: %s", error.text);
	return 0;
}

/* ---- metadata ---- */

/* KEY=VALUE or KEY=@FILE; nothing that is said shows the value. */
static int append_metadata(struct brine_buf *out, const char *text)
{
	struct brine_buf content = BRINE_BUF_INIT;
	const char *value = strchr(text, '=') + 1;
	struct brine_bytes bytes = {value, strlen(value)};
	int status = 0;
	if (value[0] == '@') {
		status = read_file(&content, value + 1, SECRET_SIZE_MOST);
		bytes = brine_buf_bytes(&content);
		const char *data = bytes.data;
		while (bytes.size && (data[bytes.size - 1] == '\n' || data[bytes.size - 1] == '\r'))
			bytes.size--;
	}
	if (status == 0 && (brine_pack_str(out, text, (size_t)(value - 1 - text)) < 0 ||
	                    brine_pack_str(out, bytes.data, bytes.size) < 0))
		status = fail_call_memory();
	brine_buf_done(&content);
	return status;
}

static int make_metadata(struct call_request *request, const struct call_options *options)
{
	if (options->metadata_count == 0)
		return 0;
	int status = brine_pack_map(&request->metadata, (uint32_t)options->metadata_count) < 0 ? fail_call_memory() : 0;
	for (size_t i = 0; i < options->metadata_count && status == 0; i++)
		status = append_metadata(&request->metadata, options->metadata[i]);
	return status;
}

int call_request_make(struct call_request *request, const struct call_options *options,
                      const struct brine_method *method)
{
	int status = check_sources(options);
	if (status == 0)
		status = method ? make_typed(request, options, method) : make_params(request, options);
	return status ? status : make_metadata(request, options);
}

void call_request_done(struct call_request *request)
{
	brine_buf_done(&request->params);
	brine_buf_done(&request->metadata);
	brine_arena_done(&request->arena);
	json_decref(request->json);
}
