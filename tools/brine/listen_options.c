#include "listen_options.h"

#include "command.h"

#include <getopt.h>
#include <string.h>

static const char default_address[] = "tcp://127.0.0.1:7411";

const char listen_help[] = "Usage: brine listen [OPTION]... [ADDRESS]...\n\n"
                           "Prints the text that programs send (brine run, programs of brine/text.h), each\n"
                           "line behind the name of its source. Lines are whole, however many talk at once.\n"
                           "Listens on tcp://127.0.0.1:7411 where no address is given.\n\n"
                           "  -i, --interactive   show parts of lines at once; send standard input to the\n"
                           "                      source that came first; an interrupt goes there too\n"
                           "  --raw               bytes as they come, without names: for one source\n"
                           "  --dir DIR           a file in DIR for each stream of each source, with its\n"
                           "                      bytes as they came: NAME.stdout; nothing is overwritten\n"
                           "  --time              the time of arrival in front of each line\n"
                           "  --names WHEN        always, never or auto: unless -i or --raw (auto)\n"
                           "  --escape WHEN       show control characters and bytes that are no UTF-8 as\n"
                           "                      \\x1b: always, never or auto: on terminals (auto)\n"
                           "  --once              end after the first source, with its exit status\n"
                           "  --anybody           listen on addresses that other machines can reach: whoever\n"
                           "                      can connect may print here\n"
                           "  -q, --quiet         do not tell who comes and goes\n"
                           "  -h, --help          this text\n\n"
                           "Who comes and goes is told on standard error, and the addresses.\n\n"
                           "Exit status: 0 ended by a signal; with --once that of the program, 128 + N where\n"
                           "signal N ended it, 1 where its text was cut off; 2 usage, files or memory, 141\n"
                           "the reader of the output has gone.\n";

enum option_id {
	OPTION_RAW = 256,
	OPTION_DIR,
	OPTION_TIME,
	OPTION_NAMES,
	OPTION_ESCAPE,
	OPTION_ONCE,
	OPTION_ANYBODY,
};

static const struct option long_options[] = {
        {"interactive", no_argument, NULL, 'i'},
        {"raw", no_argument, NULL, OPTION_RAW},
        {"dir", required_argument, NULL, OPTION_DIR},
        {"time", no_argument, NULL, OPTION_TIME},
        {"names", required_argument, NULL, OPTION_NAMES},
        {"escape", required_argument, NULL, OPTION_ESCAPE},
        {"once", no_argument, NULL, OPTION_ONCE},
        {"anybody", no_argument, NULL, OPTION_ANYBODY},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

/* The complaint is BEFORE, what was written, AFTER. */
static int listen_usage(const char *before, const char *what, const char *after)
{
	char shown[128];
	return command_usage("listen", "%s%s%s", before, brine_escape(shown, sizeof shown, what, strlen(what)), after);
}

static int read_when(const char *complaint, int *ret_when)
{
	static const char *const words[] = {"auto", "never", "always"};
	for (int i = 0; i < 3; i++) {
		if (strcmp(optarg, words[i]) == 0) {
			*ret_when = i - 1;
			return 0;
		}
	}
	return listen_usage(complaint, optarg, "\"");
}

static int read_listen_option(struct listen_options *options, int id, const char *as_written)
{
	switch (id) {
	case 'i': options->interactive = true; return 0;
	case 'q': options->quiet = true; return 0;
	case 'h': options->help = true; return 0;
	case OPTION_RAW: options->raw = true; return 0;
	case OPTION_DIR: options->folder = optarg; return 0;
	case OPTION_TIME: options->times = true; return 0;
	case OPTION_NAMES: return read_when("--names wants always, never or auto, not \"", &options->names);
	case OPTION_ESCAPE: return read_when("--escape wants always, never or auto, not \"", &options->escape);
	case OPTION_ONCE: options->once = true; return 0;
	case OPTION_ANYBODY: options->anybody = true; return 0;
	case ':': return listen_usage("", as_written, " wants a value");
	default: return listen_usage("there is no option ", as_written, "");
	}
}

/* Addresses of this machine alone: Unix sockets and the loopback network. Names other than localhost may be anything,
 * those that begin like a number too.
 */
static bool is_local(const char *address)
{
	static const char *const heads[] = {"unix:", "tcp://localhost:", "tcp://[::1]:"};
	static const char number[] = "tcp://127.";
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		if (strncmp(address, heads[i], strlen(heads[i])) == 0)
			return true;
	if (strncmp(address, number, strlen(number)) == 0)
		return address[strlen(number) + strspn(address + strlen(number), "0123456789.")] == ':';
	return strncmp(address, "tcp:", 4) != 0;
}

int listen_options_read(struct listen_options *ret_options, int argc, char **argv)
{
	struct listen_options options = {.names = -1, .escape = -1};
	int id;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":iqh", long_options, NULL)) != -1) {
		if (read_listen_option(&options, id, argv[optind - 1]) != 0)
			return EXIT_FAILED;
	}
	if (argc - optind > LISTEN_ADDRESSES_MOST)
		return command_usage("listen", "more than %d addresses", LISTEN_ADDRESSES_MOST);
	for (int i = optind; i < argc; i++) {
		if (!options.anybody && !is_local(argv[i]))
			return listen_usage("other machines could print here through ", argv[i],
			                    ": say --anybody if they may");
		options.addresses[options.address_count++] = argv[i];
	}
	if (options.address_count == 0)
		options.addresses[options.address_count++] = default_address;
	*ret_options = options;
	return 0;
}
