#include "schema_option.h"

#include "command.h"
#include "inspect/protoc.h"

static int add_path(const char *command, const char **paths, size_t *count, const char *path)
{
	if (*count == SCHEMA_PATHS_MOST)
		return command_usage(command, "more than %d schemas or import directories", SCHEMA_PATHS_MOST);
	paths[(*count)++] = path;
	return 0;
}

int schema_option_add_file(struct schema_option *option, const char *path)
{
	return add_path(option->command, option->files, &option->file_count, path);
}

int schema_option_add_import_dir(struct schema_option *option, const char *path)
{
	return add_path(option->command, option->import_dirs, &option->import_dir_count, path);
}

int schema_option_load(const struct schema_option *option, struct inspect_schema **ret_schema)
{
	struct brine_error error = BRINE_ERROR_INIT;
	struct inspect_schema *schema = NULL;
	int rc = 0;
	if (option->file_count && !(schema = inspect_schema_new(NULL)))
		return command_fail(option->command, "out of memory");
	for (size_t i = 0; i < option->file_count && rc == 0; i++)
		rc = inspect_schema_load(schema, option->files[i], option->import_dirs, option->import_dir_count,
		                         &error);
	if (rc < 0) {
		inspect_schema_free(schema);
		return command_fail(option->command, "%s", error.text);
	}
	*ret_schema = schema;
	return 0;
}
