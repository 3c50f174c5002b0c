/* brine/child.h - a program in a process of its own, on a pseudo-terminal or on pipes. */
#ifndef BRINE_CHILD_H
#define BRINE_CHILD_H

#include "run_options.h"

#include <stddef.h>
#include <sys/types.h>

/* Our ends. The descriptors belong to the caller, who closes them; -1: there is none. */
struct child {
	pid_t process;
	int input;  /* does not block; what is written is the program's standard input */
	int output; /* standard output, or all that is printed on a terminal */
	int errors; /* standard error; -1 on a terminal */
	/* Another end of the terminal: when the last one is closed the kernel hangs up on the program, even on one that
	 * has only closed its output before it ends. */
	int terminal;
	bool has_terminal_input;
	size_t unended; /* bytes of input since the last end of a line */
};

/* Starts the program of options in a session of its own, with default signals. 0, or the exit status having said why.
 */
int child_start(struct child *ret_child, const struct run_options *options);

#endif
