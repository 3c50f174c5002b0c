#include "dump_options.h"

#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_MAX = 256 }; /* bytes shown of a string */

const char dump_help[] = "Usage: brine dump [OPTION]... [FILE]\n"
                         "       brine dump [OPTION]... C2S-FILE S2C-FILE\n\n"
                         "Shows the messages in FILE, the raw bytes of one direction of a connection\n"
                         "(standard input where FILE is - or missing), one a line. With two files, both\n"
                         "directions of one connection: the first from the side that connected. Framed\n"
                         "Brine or plain MessagePack-RPC is told by the first bytes.\n\n"
                         "A line is: offset, direction (> client to server, < back, - unknown), size\n"
                         "(prefix+message), type, #id, method, values. Bytes that are no message are shown\n"
                         "as hex.\n\n"
                         "  --schema FILE         a .proto file (needs protoc) or a descriptor set: show\n"
                         "                        fields by name; may be repeated\n"
                         "  -I, --import-dir DIR  where .proto files find their imports; may be repeated\n"
                         "  --json                one JSON object a line\n"
                         "  --hex                 add the bytes\n"
                         "  --text-max N          show at most N bytes of a string, 0: all (256); not in\n"
                         "                        JSON, which always has all\n"
                         "  --show-secrets        show passwords, tokens and cookies in metadata\n"
                         "  --direction DIR       c2s or s2c: the direction of a single file\n"
                         "  --wire WIRE           framed, plain or auto (auto)\n"
                         "  --max BYTES           largest message accepted; K, M, G may follow (16M)\n"
                         "  --resync              after a fault look for the next message\n"
                         "  --color WHEN          always, never or auto (on terminals, without NO_COLOR)\n"
                         "  -h, --help            this text\n\n"
                         "Exit status: 0 the stream is sound, 1 it is not, 2 usage, files or memory, 141\n"
                         "the reader of the output has gone.\n";

enum option_id {
	OPTION_SCHEMA = 256,
	OPTION_JSON,
	OPTION_HEX,
	OPTION_TEXT_MAX,
	OPTION_SHOW_SECRETS,
	OPTION_DIRECTION,
	OPTION_WIRE,
	OPTION_MAX,
	OPTION_RESYNC,
	OPTION_COLOR,
};

static const struct option long_options[] = {
        {"schema", required_argument, NULL, OPTION_SCHEMA},
        {"import-dir", required_argument, NULL, 'I'},
        {"json", no_argument, NULL, OPTION_JSON},
        {"hex", no_argument, NULL, OPTION_HEX},
        {"text-max", required_argument, NULL, OPTION_TEXT_MAX},
        {"show-secrets", no_argument, NULL, OPTION_SHOW_SECRETS},
        {"direction", required_argument, NULL, OPTION_DIRECTION},
        {"wire", required_argument, NULL, OPTION_WIRE},
        {"max", required_argument, NULL, OPTION_MAX},
        {"resync", no_argument, NULL, OPTION_RESYNC},
        {"color", required_argument, NULL, OPTION_COLOR},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static int bad_value(const char *option, const char *wanted)
{
	char shown[128];
	return command_usage("dump", "--%s wants %s, not \"%s\"", option, wanted,
	                     brine_escape(shown, sizeof shown, optarg, strlen(optarg)));
}

/* A number that may end in K, M or G. */
static int read_size(const char *option, uint64_t least, uint64_t most, uint64_t *ret_size)
{
	static const char units[] = "KMG";
	char *end;
	errno = 0;
	unsigned long long number = strtoull(optarg, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	int shift = unit ? 10 * (int)(unit - units + 1) : 0;
	bool is_number = optarg[0] >= '0' && optarg[0] <= '9' && !errno && !*(unit ? end + 1 : end);
	if (!is_number || number > most >> shift || (number << shift) < least) {
		char wanted[64];
		snprintf(wanted, sizeof wanted, "%llu to %llu bytes", (unsigned long long)least,
		         (unsigned long long)most);
		return bad_value(option, wanted);
	}
	*ret_size = number << shift;
	return 0;
}

/* The place of the value among words (ended by NULL) plus first. */
static int read_word(const char *option, const char *wanted, const char *const *words, int first, int *ret_value)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], optarg) == 0) {
			*ret_value = i + first;
			return 0;
		}
	}
	return bad_value(option, wanted);
}

static int read_dump_option(struct dump_options *options, int id, const char *as_written)
{
	static const char *const directions[] = {"c2s", "s2c", NULL};
	static const char *const wires[] = {"auto", "framed", "plain", NULL};
	static const char *const colours[] = {"auto", "never", "always", NULL};
	uint64_t size = options->stream.limits.message_size_max;
	char shown[128];
	int rc;
	switch (id) {
	case OPTION_SCHEMA: return schema_option_add_file(&options->schema, optarg);
	case 'I': return schema_option_add_import_dir(&options->schema, optarg);
	case OPTION_JSON: options->json = true; return 0;
	case OPTION_HEX: options->view.hex = true; return 0;
	case OPTION_SHOW_SECRETS: options->view.show_secrets = true; return 0;
	case OPTION_RESYNC: options->stream.resync = true; return 0;
	case 'h': options->help = true; return 0;
	case OPTION_DIRECTION:
		return read_word("direction", "c2s or s2c", directions, INSPECT_C2S, &options->direction);
	case OPTION_WIRE:
		return read_word("wire", "auto, framed or plain", wires, BRINE_WIRE_UNKNOWN, &options->stream.wire);
	case OPTION_COLOR: return read_word("color", "auto, never or always", colours, -1, &options->colour);
	case OPTION_TEXT_MAX:
		rc = read_size("text-max", 0, UINT32_MAX, &size);
		options->text_max = (size_t)size;
		return rc;
	case OPTION_MAX:
		rc = read_size("max", 1024, UINT32_MAX, &size);
		options->stream.limits.message_size_max = (uint32_t)size;
		return rc;
	case ':':
		return command_usage("dump", "%s wants a value",
		                     brine_escape(shown, sizeof shown, as_written, strlen(as_written)));
	default:
		return command_usage("dump", "there is no option %s",
		                     brine_escape(shown, sizeof shown, as_written, strlen(as_written)));
	}
}

int dump_options_read(struct dump_options *ret_options, int argc, char **argv)
{
	struct dump_options options = {
	        .schema = {.command = "dump"},
	        .stream = {BRINE_WIRE_UNKNOWN, false, BRINE_LIMITS_INIT},
	        .text_max = TEXT_MAX,
	        .colour = -1,
	};
	int id;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":I:h", long_options, NULL)) != -1) {
		if (read_dump_option(&options, id, argv[optind - 1]) != 0)
			return EXIT_FAILED;
	}
	options.file_count = argc - optind;
	if (options.file_count > 2)
		return command_usage("dump", "more than two files: one, or the two directions of one connection");
	if (options.file_count == 2 && options.direction != INSPECT_DIRECTION_UNKNOWN)
		return command_usage("dump", "--direction is for one file; of two, the first is c2s");
	for (int i = 0; i < options.file_count; i++)
		options.files[i] = argv[optind + i];
	if (options.file_count == 0)
		options.files[options.file_count++] = "-";
	*ret_options = options;
	return 0;
}
