/* brine/dump_options.h - the command line of brine dump. */
#ifndef BRINE_DUMP_OPTIONS_H
#define BRINE_DUMP_OPTIONS_H

#include "inspect/session.h"
#include "schema_option.h"

struct dump_options {
	struct schema_option schema;
	const char *files[2]; /* "-": standard input */
	int file_count;
	struct inspect_stream_options stream;
	struct inspect_view view;
	size_t text_max;
	int direction; /* of a single file; enum inspect_direction */
	bool json, help;
	int colour; /* 1 always, 0 never, -1 on terminals */
};

extern const char dump_help[];

/* Reads the command line. 0, or EXIT_FAILED having said why. */
int dump_options_read(struct dump_options *ret_options, int argc, char **argv);

#endif
