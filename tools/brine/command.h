/* brine/command.h - what the subcommands of the brine command share. */
#ifndef BRINE_COMMAND_H
#define BRINE_COMMAND_H

#include <brine/error.h>

/* Exit statuses (brine(1)); a subcommand may have more. */
enum {
	EXIT_SOUND = 0,
	EXIT_UNSOUND = 1,      /* dump: the traffic was read and something in it is wrong */
	EXIT_FAILED = 2,       /* usage, files, memory: the answer is not known */
	EXIT_RUN_FAILED = 125, /* run: itself, as the smaller numbers are the program's */
	EXIT_CANNOT_RUN = 126,
	EXIT_NO_PROGRAM = 127,
	EXIT_CLOSED = 141, /* whoever read our output has closed it, as the shell reports SIGPIPE */
};

/* One subcommand: run gets its own name as argv[0] and returns the exit status. */
struct command {
	const char *name;
	const char *summary; /* one line */
	const char *help;    /* the whole text, 80 columns */
	int (*run)(int argc, char **argv);
};

extern const struct command call_command, describe_command, dump_command, listen_command, run_command;

/* Prints "brine NAME: text" to standard error (usage: and where to find help); returns EXIT_FAILED. */
int command_fail(const char *name, const char *format, ...) BRINE_PRINTF(2, 3);
int command_usage(const char *name, const char *format, ...) BRINE_PRINTF(2, 3);

/* Flushes standard output: 0; EXIT_CLOSED, quietly, where nobody reads it; EXIT_FAILED, having said why. */
int command_flush(const char *name);

#endif
