#include "call_options.h"

#include "command.h"

#include <brine/conn.h>

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

const char call_help[] = "Usage: brine call [OPTION]... ADDRESS METHOD [ARGUMENT]...\n"
                         "       brine call --template --schema FILE METHOD\n\n"
                         "Calls a method of a server and prints the answer as JSON. ADDRESS is\n"
                         "tcp://HOST:PORT, unix:///PATH or, for plain MessagePack-RPC servers,\n"
                         "msgpack-rpc://HOST:PORT, msgpack-rpc+unix:///PATH; several, separated by\n"
                         "commas, are tried in turn.\n\n"
                         "Each ARGUMENT is one JSON value, one parameter; @FILE reads it from a file, -\n"
                         "from standard input. With --schema there is one, the request as an object\n"
                         "(default {}); METHOD may then be short. Items of an upload are read from\n"
                         "standard input, one JSON value after another; those of an answer stream are\n"
                         "printed one a line.\n\n"
                         "  --schema FILE         a .proto file (needs protoc) or a descriptor set; may be\n"
                         "                        repeated\n"
                         "  -I, --import-dir DIR  where .proto files find their imports; may be repeated\n"
                         "  -s, --string TEXT     an argument that is a string: TEXT, without JSON quotes\n"
                         "  -m, --metadata K=V    metadata of the call; K=@FILE takes the value from FILE,\n"
                         "                        where ps(1) does not show it; may be repeated\n"
                         "  --timeout TIME        milliseconds, or 500ms, 2s, 5m, none (30s, streams none)\n"
                         "  --notify              send a notification: there is no answer to wait for\n"
                         "  --error-type MESSAGE  the schema's message that error data are\n"
                         "  --json-errors         errors as one JSON object\n"
                         "  --pretty, --compact   indented (default on terminals), or one line\n"
                         "  --template            print an empty request of METHOD instead of calling it\n"
                         "  -h, --help            this text\n\n"
                         "Exit status: 0 answered, 1 the server answered an error, 2 usage, files, JSON or\n"
                         "schema, 3 not connected or not sent, 4 deadline, 5 connection lost (the call may\n"
                         "have run), 6 the answer does not fit the schema, 130 interrupted, 141 the reader\n"
                         "of the output has gone.\n\n"
                         "Examples: brine call tcp://127.0.0.1:7411 add 2 -3\n"
                         "  brine call msgpack-rpc+unix:///tmp/nvim.sock nvim_eval -s 'getpid()'\n"
                         "  brine call --schema exchange.proto tcp://127.0.0.1:7411 Place \\\n"
                         "             '{\"symbol\": \"ACME\", \"quantity\": 10}'\n";

enum option_id {
	OPTION_SCHEMA = 256,
	OPTION_TIMEOUT,
	OPTION_NOTIFY,
	OPTION_ERROR_TYPE,
	OPTION_JSON_ERRORS,
	OPTION_PRETTY,
	OPTION_COMPACT,
	OPTION_TEMPLATE,
};

static const struct option long_options[] = {
        {"schema", required_argument, NULL, OPTION_SCHEMA},
        {"import-dir", required_argument, NULL, 'I'},
        {"string", required_argument, NULL, 's'},
        {"metadata", required_argument, NULL, 'm'},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"notify", no_argument, NULL, OPTION_NOTIFY},
        {"error-type", required_argument, NULL, OPTION_ERROR_TYPE},
        {"json-errors", no_argument, NULL, OPTION_JSON_ERRORS},
        {"pretty", no_argument, NULL, OPTION_PRETTY},
        {"compact", no_argument, NULL, OPTION_COMPACT},
        {"template", no_argument, NULL, OPTION_TEMPLATE},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

/* Digits and a unit, ms without one. */
static int read_timeout(uint64_t *ret_timeout_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *end = optarg, shown[128];
	errno = 0;
	uint64_t number = optarg[0] >= '0' && optarg[0] <= '9' ? strtoull(optarg, &end, 10) : 0;
	*ret_timeout_ms = BRINE_FOREVER;
	if (strcmp(optarg, "none") == 0)
		return 0;
	for (size_t i = 0; number && !errno && i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(units[i].name, end) == 0 && !__builtin_mul_overflow(number, units[i].ms, ret_timeout_ms))
			return 0;
	}
	return command_usage("call", "--timeout wants a time above 0 like 500, 500ms, 2s or 5m, or none, not \"%s\"",
	                     brine_escape(shown, sizeof shown, optarg, strlen(optarg)));
}

/* The value may be a secret, so that the error does not show it. */
static int add_metadata_option(struct call_options *options)
{
	const char *equals = strchr(optarg, '=');
	if (!equals || equals == optarg)
		return command_usage("call", "--metadata wants KEY=VALUE");
	if (options->metadata_count == CALL_METADATA_MOST)
		return command_usage("call", "more than %d --metadata", CALL_METADATA_MOST);
	options->metadata[options->metadata_count++] = optarg;
	return 0;
}

static int read_call_option(struct call_options *options, int id, const char *as_written)
{
	char shown[128];
	switch (id) {
	case OPTION_SCHEMA: return schema_option_add_file(&options->schema, optarg);
	case 'I': return schema_option_add_import_dir(&options->schema, optarg);
	case 'm': return add_metadata_option(options);
	case OPTION_TIMEOUT: return read_timeout(&options->timeout_ms);
	case OPTION_NOTIFY: options->notify = true; return 0;
	case OPTION_ERROR_TYPE: options->error_type = optarg; return 0;
	case OPTION_JSON_ERRORS: options->json_errors = true; return 0;
	case OPTION_PRETTY: options->pretty = 1; return 0;
	case OPTION_COMPACT: options->pretty = 0; return 0;
	case OPTION_TEMPLATE: options->template = true; return 0;
	case 'h': options->help = true; return 0;
	case ':':
		return command_usage("call", "%s wants a value",
		                     brine_escape(shown, sizeof shown, as_written, strlen(as_written)));
	default:
		return command_usage("call", "there is no option %s",
		                     brine_escape(shown, sizeof shown, as_written, strlen(as_written)));
	}
}

/* Reads options and words in the order in which they stand. A number below 0 is a word. */
static int read_words(struct call_options *options, size_t *ret_count, int argc, char **argv)
{
	size_t count = 0;
	opterr = 0;
	for (;;) {
		const char *next = optind < argc ? argv[optind] : "";
		if (next[0] == '-' && next[1] >= '0' && next[1] <= '9') {
			options->words[count++] = (struct call_argument){argv[optind++], false};
			continue;
		}
		int id = getopt_long(argc, argv, "-:I:s:m:h", long_options, NULL);
		if (id == -1)
			break;
		if (id == 1 || id == 's')
			options->words[count++] = (struct call_argument){optarg, id == 's'};
		else if (read_call_option(options, id, argv[optind - 1]) != 0)
			return EXIT_FAILED;
	}
	while (optind < argc) /* behind -- */
		options->words[count++] = (struct call_argument){argv[optind++], false};
	*ret_count = count;
	return 0;
}

/* Which word is what, and which options do not go together. */
static int take_words(struct call_options *options, size_t count)
{
	size_t at = 0;
	if (options->help)
		return 0;
	if (!options->template || count > 1)
		options->address = at < count ? options->words[at++].text : NULL;
	options->method = at < count ? options->words[at++].text : NULL;
	options->arguments = options->words + at;
	options->argument_count = count - at;
	if (!options->address && !options->template)
		return command_usage("call", "which address, which method?");
	if (!options->method)
		return command_usage("call", "which method?");
	if (options->template && options->schema.file_count == 0)
		return command_usage("call", "--template wants --schema");
	if (options->error_type && options->schema.file_count == 0)
		return command_usage("call", "--error-type wants --schema");
	if (options->template && options->argument_count)
		return command_usage("call", "--template takes no arguments");
	if (options->metadata_count && call_options_are_plain(options))
		return command_usage("call", "plain MessagePack-RPC has no metadata");
	return 0;
}

int call_options_read(struct call_options *ret_options, int argc, char **argv)
{
	struct call_options options = {.schema = {.command = "call"}, .pretty = -1};
	size_t count = 0;
	options.words = calloc((size_t)argc, sizeof *options.words);
	if (!options.words)
		return command_fail("call", "out of memory");
	int status = read_words(&options, &count, argc, argv);
	if (status == 0)
		status = take_words(&options, count);
	if (status == 0)
		*ret_options = options;
	else
		call_options_done(&options);
	return status;
}

void call_options_done(struct call_options *options)
{
	free(options->words);
	options->words = NULL;
}

bool call_options_are_plain(const struct call_options *options)
{
	static const char scheme[] = "msgpack-rpc";
	for (const char *at = options->address; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, scheme, strlen(scheme)) == 0)
			return true;
	}
	return false;
}
