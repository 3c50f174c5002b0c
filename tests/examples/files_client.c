/* files_client.c - an example of streams: sends files to files_server and brings them back.
 *
 *   files_client ADDRESS put NAME < FILE
 *   files_client ADDRESS get NAME > FILE
 *
 * Says on stderr how many bytes went and how much memory that took. Exit status 0: all of it went; 1: not; 2: usage. */
#include "files.brine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { CHUNK_SIZE = 64 << 10 };

static int put(struct brine_client *client, struct brine_call *call, const char *name, uint64_t *ret_size)
{
	static char data[CHUNK_SIZE];
	struct files_chunk chunk = {.name = brine_str_from(name)};
	struct files_stored stored;
	size_t size;

	int status = files_put_open(client, call);
	do {
		size = fread(data, 1, sizeof data, stdin);
		chunk.data = (struct brine_bytes){data, size};
		/* Waits while the server takes no more. */
		if (status == 0)
			status = files_put_send(call, &chunk);
		chunk.name = BRINE_STR("");
	} while (status == 0 && size == sizeof data);
	if (ferror(stdin)) {
		fprintf(stderr, "files_client: read: %s\n", strerror(errno));
		brine_call_cancel(call);
	}
	status = files_put_close(call, &stored);
	*ret_size = status < 0 ? 0 : stored.size;
	return status;
}

static int get(struct brine_client *client, struct brine_call *call, const char *name, uint64_t *ret_size)
{
	struct files_chunk chunk;
	uint64_t size = 0;
	int status;

	files_get_open(client, call, &(struct files_wanted){.name = brine_str_from(name)});
	while ((status = files_get_next(call, &chunk)) > 0) {
		size += chunk.data.size;
		if (fwrite(chunk.data.data, 1, chunk.data.size, stdout) != chunk.data.size)
			break;
	}
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "files_client: write: %s\n", strerror(errno));
		brine_call_cancel(call);
	}
	*ret_size = size;
	return files_get_close(call);
}

int main(int argc, char **argv)
{
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error;
	uint64_t size = 0;

	if (argc != 4 || (strcmp(argv[2], "put") != 0 && strcmp(argv[2], "get") != 0)) {
		fprintf(stderr, "usage: files_client ADDRESS put|get NAME\n");
		return 2;
	}
	if (brine_client_open(&client, argv[1], NULL, &error) < 0) {
		fprintf(stderr, "files_client: %s\n", error.text);
		return 1;
	}
	call.timeout_ms = BRINE_FOREVER; /* who knows how large it is */
	int status = (argv[2][0] == 'p' ? put : get)(client, &call, argv[3], &size);
	if (status < 0)
		fprintf(stderr, "files_client: %s\n", brine_call_error_text(&call));
	struct rusage usage;
	if (status == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
		fprintf(stderr, "%s: %llu bytes, peak memory %ld KiB\n", argv[2], (unsigned long long)size,
		        usage.ru_maxrss);
	brine_call_done(&call);
	brine_client_free(client);
	return status < 0;
}
