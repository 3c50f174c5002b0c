/* protoc-gen-brine - protoc's plugin for Brine: schemas to C. protoc starts it:
 *   protoc --brine_out=OUT -I DIR FILE.proto        writes OUT/FILE.brine.h and OUT/FILE.brine.c */
#include "compiler/compiler.h"

#include <brine/api.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	REQUEST_SIZE_MAX = 64 << 20,
	READ_SIZE = 64 << 10,
};

static const char usage[] = "protoc-gen-brine " BRINE_VERSION "\n"
                            "protoc starts this program: protoc --brine_out=OUT -I DIR FILE.proto\n"
                            "writes OUT/FILE.brine.h and OUT/FILE.brine.c\n";

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "protoc-gen-brine: %s: %s\n", what, why);
	return 1;
}

/* 1 with bytes appended, 0 at the end, -1 after a complaint. */
static int read_more(struct brine_buf *request)
{
	void *to = brine_buf_reserve(request, READ_SIZE);
	if (!to)
		return -complain("request", "out of memory");
	ssize_t size = read(STDIN_FILENO, to, READ_SIZE);
	if (size < 0)
		return errno == EINTR ? 1 : -complain("reading the request", strerror(errno));
	request->end += (size_t)size;
	if (brine_buf_size(request) > REQUEST_SIZE_MAX)
		return -complain("request", "over 64 MiB");
	return size > 0;
}

static int write_all(struct brine_bytes bytes)
{
	const char *at = bytes.data;
	size_t left = bytes.size;
	while (left > 0) {
		ssize_t size = write(STDOUT_FILENO, at, left);
		if (size < 0 && errno != EINTR)
			return complain("writing the response", strerror(errno));
		if (size > 0) {
			at += size;
			left -= (size_t)size;
		}
	}
	return 0;
}

static int run(struct brine_buf *request, struct brine_buf *response)
{
	struct brine_error error;
	int status;
	while ((status = read_more(request)) > 0)
		continue;
	if (status < 0)
		return 1;
	if (compiler_run(response, brine_buf_bytes(request), NULL, &error) < 0)
		return complain("request", error.text);
	return write_all(brine_buf_bytes(response));
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		bool asked = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0;
		fputs(usage, asked ? stdout : stderr);
		return asked ? 0 : 2;
	}
	struct brine_buf request = BRINE_BUF_INIT, response = BRINE_BUF_INIT;
	int status = run(&request, &response);
	brine_buf_done(&request);
	brine_buf_done(&response);
	return status;
}
