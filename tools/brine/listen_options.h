/* brine/listen_options.h - the command line of brine listen. */
#ifndef BRINE_LISTEN_OPTIONS_H
#define BRINE_LISTEN_OPTIONS_H

#include <stdbool.h>

enum { LISTEN_ADDRESSES_MOST = 16 };

struct listen_options {
	const char *addresses[LISTEN_ADDRESSES_MOST];
	int address_count;
	bool interactive, raw, once, times, quiet, anybody, help;
	int names;          /* 1 always, 0 never, -1: unless raw or interactive */
	int escape;         /* 1 always, 0 never, -1 on terminals */
	const char *folder; /* NULL: standard output */
};

extern const char listen_help[];

/* Reads the command line. 0, or EXIT_FAILED having said why. */
int listen_options_read(struct listen_options *ret_options, int argc, char **argv);

#endif
