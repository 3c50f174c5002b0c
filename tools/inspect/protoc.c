#include "inspect/protoc.h"

#include "base/alloc.h"

#include <brine/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { READ_SIZE = 64 * 1024 };

static int fail_protoc(struct brine_error *error, const char *what, const char *path)
{
	char shown[128];
	int number = errno;
	brine_escape(shown, sizeof shown, path, strlen(path));
	brine_fail(error, BRINE_ERR_SYSTEM, 0, "%s %s: %s", what, shown, strerror(number));
	if (error)
		error->system_errno = number;
	return BRINE_ERR_SYSTEM;
}

/* Adds the descriptor set that fd holds from its place on. */
static int add_from(struct inspect_schema *schema, int fd, const char *path, struct brine_error *error)
{
	struct brine_buf content = BRINE_BUF_INIT;
	int rc = 0;
	for (;;) {
		void *to = brine_buf_reserve(&content, READ_SIZE);
		ssize_t size = to ? read(fd, to, READ_SIZE) : 0;
		if (!to)
			rc = brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
		else if (size < 0 && errno == EINTR)
			continue;
		else if (size < 0)
			rc = fail_protoc(error, "cannot read", path);
		else if (size == 0)
			break;
		else
			content.end += (size_t)size;
		if (rc == 0 && brine_buf_size(&content) > INSPECT_SCHEMA_SIZE_MOST) {
			char shown[128];
			rc = brine_fail(error, BRINE_ERR_LIMIT, INSPECT_SCHEMA_SIZE_MOST,
			                "%s is larger than %d bytes: no schema",
			                brine_escape(shown, sizeof shown, path, strlen(path)),
			                INSPECT_SCHEMA_SIZE_MOST);
		}
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = inspect_schema_add(schema, brine_buf_bytes(&content), path, error);
	brine_buf_done(&content);
	return rc;
}

/* Runs protoc to its end. Its errors go to standard error. */
static int run_protoc(const char *const *arguments, const char *path, struct brine_error *error)
{
	pid_t pid;
	int status;
	errno = posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)(uintptr_t)arguments, environ);
	if (errno)
		return fail_protoc(error, "cannot run protoc (Debian: protobuf-compiler; or give a descriptor set) for",
		                   path);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return fail_protoc(error, "cannot wait for protoc, which reads", path);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	char shown[128];
	return brine_fail(error, BRINE_ERR_SCHEMA, 0, "protoc does not take %s",
	                  brine_escape(shown, sizeof shown, path, strlen(path)));
}

/* The command line: import directories, the directory of the file, then the file, never taken for an option. */
static const char *const *make_arguments(struct brine_arena *arena, const char *path, const char *const *import_dirs,
                                         size_t import_dir_count, int out)
{
	char *directory = brine_arena_copy(arena, path, strlen(path));
	const char **arguments = brine_arena_alloc(arena, (import_dir_count + 8) * sizeof *arguments);
	if (!directory || !arguments)
		return NULL;
	size_t count = 0;
	arguments[count++] = "protoc";
	arguments[count++] = "--include_imports";
	arguments[count++] = "--include_source_info";
	arguments[count++] = brine_arena_printf(arena, "--descriptor_set_out=/proc/self/fd/%d", out).data;
	for (size_t i = 0; i < import_dir_count; i++)
		arguments[count++] = brine_arena_printf(arena, "--proto_path=%s", import_dirs[i]).data;
	arguments[count++] = brine_arena_printf(arena, "--proto_path=%s", dirname(directory)).data;
	/* Brine's own schemas, where they are installed; protoc complains about a directory that is not there. */
	if (access(BRINE_PROTO_DIR, R_OK) == 0)
		arguments[count++] = "--proto_path=" BRINE_PROTO_DIR;
	arguments[count++] = brine_arena_printf(arena, "%s%s", path[0] == '-' ? "./" : "", path).data;
	for (size_t i = 0; i < count; i++) {
		if (!arguments[i])
			return NULL;
	}
	return arguments;
}

static int load_proto(struct inspect_schema *schema, const char *path, const char *const *import_dirs,
                      size_t import_dir_count, struct brine_error *error)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	/* A file without a name: nothing is left behind, however this ends. protoc inherits it. */
	int out = memfd_create("brine-descriptor-set", 0);
	if (out < 0)
		return fail_protoc(error, "no temporary file for", path);
	const char *const *arguments = make_arguments(&arena, path, import_dirs, import_dir_count, out);
	int rc =
	        arguments ? run_protoc(arguments, path, error) : brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory");
	if (rc == 0)
		rc = add_from(schema, out, path, error);
	close(out);
	brine_arena_done(&arena);
	return rc;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);
	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

int inspect_schema_load(struct inspect_schema *schema, const char *path, const char *const *import_dirs,
                        size_t import_dir_count, struct brine_error *error)
{
	if (ends_with(path, ".proto"))
		return load_proto(schema, path, import_dirs, import_dir_count, error);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_protoc(error, "cannot open", path);
	int rc = add_from(schema, fd, path, error);
	close(fd);
	return rc;
}
