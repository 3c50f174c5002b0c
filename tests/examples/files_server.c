/* files_server.c - an example of streams: keeps files in a folder. Whatever their size, it holds a few pieces of them
 * in memory at a time: a handler that does not take items slows its caller, a caller that does not take items its
 * handler.
 *
 *   files_server FOLDER ADDRESS...
 *
 * Ends on SIGINT and SIGTERM. */
#include "files.brine.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CHUNK_SIZE = 64 << 10,
	NAME_SIZE_MAX = 200,
};

static struct brine_server *server; /* for the signal handler */

static void on_signal(int number)
{
	(void)number;
	brine_server_stop(server);
}

/* The path of a name that a peer chose, which must not lead out of the folder, nor to a file half there. */
static int make_path(char path[PATH_MAX], const char *folder, struct brine_str name)
{
	if (name.size == 0 || name.size > NAME_SIZE_MAX || name.data[0] == '.' || memchr(name.data, '/', name.size) ||
	    memchr(name.data, '\0', name.size))
		return -1;
	return snprintf(path, PATH_MAX, "%s/%.*s", folder, BRINE_ARG(name)) < PATH_MAX ? 0 : -1;
}

static int fail_errno(struct brine_request *request, const char *what)
{
	return brine_request_fail(request, BRINE_CODE_FAILED, "%s: %s", what, strerror(errno));
}

/* Takes the rest of an upload, whose first chunk is there. */
static int receive(struct brine_request *request, struct files_chunk *chunk, FILE *file, uint64_t *ret_size)
{
	uint64_t size = 0;
	int status;
	do {
		if (fwrite(chunk->data.data, 1, chunk->data.size, file) != chunk->data.size)
			return fail_errno(request, "write");
		size += chunk->data.size;
	} while ((status = files_put_request_next(request, chunk)) > 0);
	*ret_size = size;
	return status;
}

static int put(struct brine_request *request, struct files_stored *stored, void *user)
{
	const char *folder = user;
	char path[PATH_MAX], part[PATH_MAX];
	struct files_chunk chunk;
	int status = files_put_request_next(request, &chunk);
	if (status < 0)
		return status;
	if (status == 0 || make_path(path, folder, chunk.name) < 0)
		return brine_request_fail(request, BRINE_CODE_INVALID, "the first piece must have a plain name");

	if (snprintf(part, sizeof part, "%s/.part-XXXXXX", folder) >= (int)sizeof part)
		return brine_request_fail(request, BRINE_CODE_FAILED, "the folder's name is too long");
	int fd = mkstemp(part);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
	if (!file) {
		status = fail_errno(request, "create");
		if (fd >= 0)
			close(fd);
	} else {
		status = receive(request, &chunk, file, &stored->size);
		if (fclose(file) != 0 && status == 0)
			status = fail_errno(request, "write");
	}
	if (status == 0 && rename(part, path) != 0)
		status = fail_errno(request, "rename");
	if (status != 0 && fd >= 0)
		unlink(part);
	return status;
}

static int get(struct brine_request *request, const struct files_wanted *wanted, void *user)
{
	char path[PATH_MAX];
	if (make_path(path, user, wanted->name) < 0)
		return brine_request_fail(request, BRINE_CODE_INVALID, "not a plain name");
	FILE *file = fopen(path, "rb");
	char *data = brine_request_alloc(request, CHUNK_SIZE);
	if (!file)
		return fail_errno(request, "open");
	int status = data ? 0 : BRINE_ERR_NOMEM;
	while (status == 0) {
		size_t size = fread(data, 1, CHUNK_SIZE, file);
		if (size == 0)
			break;
		/* Waits while the peer takes no more. */
		status = files_get_request_send(request, &(struct files_chunk){.data = {data, size}});
	}
	if (status == 0 && ferror(file))
		status = fail_errno(request, "read");
	fclose(file);
	return status;
}

int main(int argc, char **argv)
{
	static const struct files_handlers handlers = {.put = put, .get = get};
	struct brine_error error = BRINE_ERROR_INIT;
	const char *address;

	if (argc < 3) {
		fprintf(stderr, "usage: files_server FOLDER ADDRESS...\n");
		return 2;
	}
	if (brine_server_new(&server, NULL) < 0 || files_serve(server, &handlers, argv[1], &error) < 0)
		goto failed;
	for (int i = 2; i < argc; i++)
		if (brine_server_listen(server, argv[i], &error) < 0)
			goto failed;
	for (unsigned i = 0; (address = brine_server_address(server, i)) != NULL; i++)
		printf("listening on %s\n", address);
	fflush(stdout);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (brine_server_run(server, &error) < 0)
		goto failed;
	brine_server_free(server);
	return 0;

failed:
	fprintf(stderr, "files_server: %s\n", error.code ? error.text : "out of memory");
	brine_server_free(server);
	return 1;
}
