/* brine/schema_option.h - the options --schema and --import-dir, which several subcommands have. */
#ifndef BRINE_SCHEMA_OPTION_H
#define BRINE_SCHEMA_OPTION_H

#include "inspect/schema.h"

enum { SCHEMA_PATHS_MOST = 32 };

/* Paths borrow from the command line. All zero: none given. */
struct schema_option {
	const char *command; /* name of the subcommand, for errors */
	const char *files[SCHEMA_PATHS_MOST];
	const char *import_dirs[SCHEMA_PATHS_MOST];
	size_t file_count, import_dir_count;
};

/* Adds a path. 0, or EXIT_FAILED having said why. */
int schema_option_add_file(struct schema_option *option, const char *path);
int schema_option_add_import_dir(struct schema_option *option, const char *path);

/* Loads what was given; *ret_schema is NULL where nothing was, else the caller's until inspect_schema_free(). 0, or
 * EXIT_FAILED having said why. */
int schema_option_load(const struct schema_option *option, struct inspect_schema **ret_schema);

#endif
