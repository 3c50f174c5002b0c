#include "run_options.h"

#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const char run_help[] = "Usage: brine run [OPTION]... ADDRESS -- PROGRAM [ARGUMENT]...\n\n"
                        "Runs PROGRAM and sends what it prints to the listener at ADDRESS (brine listen,\n"
                        "or a program of brine/text.h) as it is printed; what the listener sends is the\n"
                        "program's standard input. By default the program has a pseudo-terminal: so it\n"
                        "prints each line when it is complete, and prompts at once, as it would to you.\n\n"
                        "  --pty                a pseudo-terminal for standard input, output and error\n"
                        "                       (default); without echo, and bytes pass unchanged\n"
                        "  --pty-output         for output and error only; input is a pipe\n"
                        "  --pipe               pipes; output and error stay apart; the program decides\n"
                        "                       when it prints\n"
                        "  --no-input           standard input is empty, whatever the listener sends\n"
                        "  --name NAME          what the listener calls it (the program's name)\n"
                        "  --term TERM          terminal type of the pseudo-terminal (dumb)\n"
                        "  --size COLUMNSxROWS  and its size (80x24)\n"
                        "  -h, --help           this text\n\n"
                        "ADDRESS: tcp://127.0.0.1:7411, unix:///run/x.sock, ...\n"
                        "Signals that brine run gets go to the program. When the listener goes away, a\n"
                        "program on a pseudo-terminal gets SIGHUP, one on pipes SIGPIPE at its next\n"
                        "write.\n\n"
                        "Exit status: that of the program; 128 + N where signal N ended it; 125 brine run\n"
                        "itself failed, 126 PROGRAM cannot be run, 127 there is none.\n";

enum option_id {
	OPTION_PTY = 256,
	OPTION_PTY_OUTPUT,
	OPTION_PIPE,
	OPTION_NO_INPUT,
	OPTION_NAME,
	OPTION_TERM,
	OPTION_SIZE,
};

static const struct option long_options[] = {
        {"pty", no_argument, NULL, OPTION_PTY},
        {"pty-output", no_argument, NULL, OPTION_PTY_OUTPUT},
        {"pipe", no_argument, NULL, OPTION_PIPE},
        {"no-input", no_argument, NULL, OPTION_NO_INPUT},
        {"name", required_argument, NULL, OPTION_NAME},
        {"term", required_argument, NULL, OPTION_TERM},
        {"size", required_argument, NULL, OPTION_SIZE},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

/* The complaint is BEFORE, what was written, AFTER. */
static int run_usage(const char *before, const char *what, const char *after)
{
	char shown[128];
	(void)command_usage("run", "%s%s%s", before, brine_escape(shown, sizeof shown, what, strlen(what)), after);
	return EXIT_RUN_FAILED;
}

static int read_terminal_size(struct run_options *options)
{
	char rest;
	if (sscanf(optarg, "%5ux%5u%c", &options->columns, &options->rows, &rest) == 2 && options->columns > 0 &&
	    options->rows > 0 && options->columns < 65536 && options->rows < 65536)
		return 0;
	return run_usage("--size wants COLUMNSxROWS, as 80x24, not \"", optarg, "\"");
}

static int read_run_option(struct run_options *options, int id, const char *as_written)
{
	switch (id) {
	case OPTION_PTY: options->terminal = RUN_TERMINAL_ALL; return 0;
	case OPTION_PTY_OUTPUT: options->terminal = RUN_TERMINAL_OUTPUT; return 0;
	case OPTION_PIPE: options->terminal = RUN_TERMINAL_NONE; return 0;
	case OPTION_NO_INPUT: options->no_input = true; return 0;
	case OPTION_NAME: options->name = optarg; return 0;
	case OPTION_TERM: options->term = optarg; return 0;
	case OPTION_SIZE: return read_terminal_size(options);
	case 'h': options->help = true; return 0;
	case ':': return run_usage("", as_written, " wants a value");
	default: return run_usage("there is no option ", as_written, "");
	}
}

int run_options_read(struct run_options *ret_options, int argc, char **argv)
{
	struct run_options options = {.term = "dumb", .columns = 80, .rows = 24};
	int id;
	opterr = 0;
	/* "+": what follows ADDRESS belongs to the program. */
	while ((id = getopt_long(argc, argv, "+:h", long_options, NULL)) != -1) {
		if (read_run_option(&options, id, argv[optind - 1]) != 0)
			return EXIT_RUN_FAILED;
	}
	*ret_options = options;
	if (options.help)
		return 0;
	if (optind == argc)
		return run_usage("where to? brine run ADDRESS -- PROGRAM", "", "");
	ret_options->address = argv[optind++];
	if (optind < argc && strcmp(argv[optind], "--") == 0)
		optind++;
	if (optind == argc)
		return run_usage("which program? brine run ", ret_options->address, " -- PROGRAM");
	ret_options->program = argv + optind;
	return 0;
}
