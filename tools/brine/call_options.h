/* brine/call_options.h - the command line of brine call. */
#ifndef BRINE_CALL_OPTIONS_H
#define BRINE_CALL_OPTIONS_H

#include "schema_option.h"

enum { CALL_METADATA_MOST = 64 };

/* One positional parameter as it was written. */
struct call_argument {
	const char *text;
	bool is_string; /* of --string: taken as it is; else JSON, @FILE or - */
};

struct call_options {
	struct schema_option schema;
	const char *address;             /* NULL: with --template not needed */
	const char *method;              /* NULL only with --help */
	struct call_argument *arguments; /* those behind the method */
	size_t argument_count;
	const char *metadata[CALL_METADATA_MOST]; /* KEY=VALUE */
	size_t metadata_count;
	const char *error_type; /* message of error data; NULL: shown without a schema */
	uint64_t timeout_ms;    /* 0: not given; BRINE_FOREVER: none */
	bool notify, template, json_errors, help;
	int pretty;                  /* 1 always, 0 never, -1 on terminals */
	struct call_argument *words; /* all positional ones, owned */
};

extern const char call_help[];

/* Reads the command line, from which everything borrows. 0 and the options, the caller's until call_options_done(); or
 * EXIT_FAILED having said why. */
int call_options_read(struct call_options *ret_options, int argc, char **argv);
void call_options_done(struct call_options *options);

/* Whether one of the addresses is a plain MessagePack-RPC peer's. */
bool call_options_are_plain(const struct call_options *options);

#endif
