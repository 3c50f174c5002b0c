/* brine describe: the methods and messages of a schema. */
#include "inspect/describe.h"
#include "command.h"
#include "inspect/lookup.h"
#include "schema_option.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] = "Usage: brine describe [OPTION]... FILE [NAME]...\n\n"
                           "Prints the methods that FILE declares, a .proto file (needs protoc) or a\n"
                           "descriptor set, one a line. With NAME prints that method with its messages, or\n"
                           "that message; the end of a name that tells it from all others is enough.\n\n"
                           "  -I, --import-dir DIR  where .proto files find their imports; may be repeated\n"
                           "  -h, --help            this text\n\n"
                           "Exit status: 0 printed, 2 usage, files, or no such name, 141 the reader of the\n"
                           "output has gone.\n";

static const struct option long_options[] = {
        {"import-dir", required_argument, NULL, 'I'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static void describe_all(struct inspect_line *line, const struct inspect_schema *schema)
{
	const struct inspect_method *method;
	for (size_t i = 0; (method = inspect_schema_method_at(schema, i)) != NULL; i++)
		inspect_describe_method(line, method);
}

static void describe_method(struct inspect_line *line, const struct inspect_schema *schema,
                            const struct brine_method *wanted)
{
	const struct inspect_method *method;
	for (size_t i = 0; (method = inspect_schema_method_at(schema, i)) != NULL; i++) {
		if (method->method == wanted)
			inspect_describe_method(line, method);
	}
	inspect_describe_type(line, wanted->request);
	if (wanted->response != wanted->request)
		inspect_describe_type(line, wanted->response);
}

/* A method, else a message of that name. 0 or EXIT_FAILED. */
static int describe_name(struct inspect_line *line, const struct inspect_schema *schema, const char *name)
{
	struct brine_error no_method = BRINE_ERROR_INIT, no_type = BRINE_ERROR_INIT;
	const struct brine_method *method = inspect_lookup_method(schema, name, &no_method);
	const struct brine_type *type = method ? NULL : inspect_lookup_type(schema, name, &no_type);
	if (method)
		describe_method(line, schema, method);
	else if (type)
		inspect_describe_type(line, type);
	else if (no_method.code == BRINE_ERR_EXISTS)
		return command_fail("describe", "%s", no_method.text);
	else if (no_type.code == BRINE_ERR_EXISTS)
		return command_fail("describe", "%s", no_type.text);
	else {
		command_fail("describe", "%s", no_method.text);
		return command_fail("describe", "%s", no_type.text);
	}
	return 0;
}

static int describe_schema(const struct schema_option *option, char **names)
{
	struct inspect_schema *schema = NULL;
	struct inspect_line line;
	int status = schema_option_load(option, &schema);
	if (status)
		return status;
	inspect_line_init(&line, NULL);
	if (!*names)
		describe_all(&line, schema);
	for (; *names && status == 0; names++)
		status = describe_name(&line, schema, *names);
	struct brine_bytes text = brine_buf_bytes(&line.text);
	if (status == 0 && line.status < 0)
		status = command_fail("describe", "out of memory");
	else if (status == 0 && text.size)
		fwrite(text.data, 1, text.size, stdout);
	inspect_line_done(&line);
	inspect_schema_free(schema);
	return status ? status : command_flush("describe");
}

static int run_describe(int argc, char **argv)
{
	struct schema_option option = {.command = "describe"};
	char shown[128];
	int id, status = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":I:h", long_options, NULL)) != -1) {
		if (id == 'h') {
			fputs(help, stdout);
			return command_flush("describe");
		}
		const char *as_written = argv[optind - 1];
		brine_escape(shown, sizeof shown, as_written, strlen(as_written));
		if (id == 'I')
			status = schema_option_add_import_dir(&option, optarg);
		else
			status = command_usage("describe", id == ':' ? "%s wants a value" : "there is no option %s",
			                       shown);
		if (status)
			return status;
	}
	if (optind == argc)
		return command_usage("describe", "which schema?");
	status = schema_option_add_file(&option, argv[optind]);
	return status ? status : describe_schema(&option, argv + optind + 1);
}

const struct command describe_command = {"describe", "print the methods and messages of a schema", help, run_describe};
