/* brine/run_options.h - the command line of brine run. */
#ifndef BRINE_RUN_OPTIONS_H
#define BRINE_RUN_OPTIONS_H

#include <stdbool.h>

enum run_terminal {
	RUN_TERMINAL_ALL = 0, /* standard input, output and error on a pseudo-terminal */
	RUN_TERMINAL_OUTPUT,  /* input is a pipe */
	RUN_TERMINAL_NONE,    /* three pipes */
};

struct run_options {
	int terminal; /* enum run_terminal */
	bool no_input, help;
	const char *name; /* NULL: the program's */
	const char *term; /* TERM of the program */
	unsigned columns, rows;
	const char *address;
	char **program; /* and its arguments, ended by NULL */
};

extern const char run_help[];

/* Reads the command line. 0, or the exit status having said why. */
int run_options_read(struct run_options *ret_options, int argc, char **argv);

#endif
