/* protoc-gen-brine - protoc's plugin for Brine: schemas to C. protoc starts it:
 *   protoc --brine_out=OUT -I DIR FILE.proto        writes OUT/FILE.brine.h and OUT/FILE.brine.c
 * By itself it compares two versions of schemas and lists what breaks programs of the older one:
 *   protoc --include_imports --include_source_info -o OLD.desc FILE.proto       the same for NEW.desc, then
 *   protoc-gen-brine --check OLD.desc NEW.desc      exit status 0: nothing, 1: something, 2: not compared */
#include "compiler/compiler.h"

#include <brine/api.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	REQUEST_SIZE_MAX = 64 << 20,
	READ_SIZE = 64 << 10,
};

static const char usage[] =
        "protoc-gen-brine " BRINE_VERSION "\n"
        "protoc starts this program: protoc --brine_out=OUT -I DIR FILE.proto\n"
        "writes OUT/FILE.brine.h and OUT/FILE.brine.c\n"
        "protoc-gen-brine --check OLD.desc NEW.desc lists what breaks between two versions, each made by\n"
        "protoc --include_imports --include_source_info -o OLD.desc FILE.proto\n";

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "protoc-gen-brine: %s: %s\n", what, why);
	return -1;
}

/* Appends all that can be read; -1 after a complaint that begins with name. */
static int read_all(int fd, const char *name, struct brine_buf *out)
{
	for (;;) {
		void *to = brine_buf_reserve(out, READ_SIZE);
		if (!to)
			return complain(name, "out of memory");
		ssize_t size = read(fd, to, READ_SIZE);
		if (size == 0)
			return 0;
		if (size < 0 && errno != EINTR)
			return complain(name, strerror(errno));
		if (size > 0)
			out->end += (size_t)size;
		if (brine_buf_size(out) > REQUEST_SIZE_MAX)
			return complain(name, "over 64 MiB");
	}
}

static int read_path(const char *path, struct brine_buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return complain(path, strerror(errno));
	int status = read_all(fd, path, out);
	close(fd);
	return status;
}

static int write_all(struct brine_bytes bytes)
{
	const char *at = bytes.data;
	size_t left = bytes.size;
	while (left > 0) {
		ssize_t size = write(STDOUT_FILENO, at, left);
		if (size < 0 && errno != EINTR)
			return complain("standard output", strerror(errno));
		if (size > 0) {
			at += size;
			left -= (size_t)size;
		}
	}
	return 0;
}

/* What protoc starts the program for. */
static int generate_code(struct brine_buf *request, struct brine_buf *response)
{
	struct brine_error error;
	if (read_all(STDIN_FILENO, "request", request) < 0)
		return 1;
	if (compiler_run(response, brine_buf_bytes(request), NULL, &error) < 0)
		return -complain("request", error.text);
	return -write_all(brine_buf_bytes(response));
}

static int check_versions(const char *older, const char *newer, struct brine_buf sets[2], struct brine_buf *report)
{
	struct brine_error error;
	if (read_path(older, &sets[0]) < 0 || read_path(newer, &sets[1]) < 0)
		return 2;
	int breaks = compiler_compare(report, brine_buf_bytes(&sets[0]), brine_buf_bytes(&sets[1]), NULL, &error);
	if (write_all(brine_buf_bytes(report)) < 0)
		return 2;
	if (breaks < 0)
		complain("--check", error.text);
	return breaks < 0 ? 2 : breaks > 0;
}

int main(int argc, char **argv)
{
	struct brine_buf inputs[2] = {BRINE_BUF_INIT, BRINE_BUF_INIT}, output = BRINE_BUF_INIT;
	int status;
	if (argc == 1) {
		status = generate_code(&inputs[0], &output);
	} else if (argc == 4 && strcmp(argv[1], "--check") == 0) {
		status = check_versions(argv[2], argv[3], inputs, &output);
	} else {
		status = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0) ? 0 : 2;
		fputs(usage, status ? stderr : stdout);
	}
	brine_buf_done(&inputs[0]);
	brine_buf_done(&inputs[1]);
	brine_buf_done(&output);
	return status;
}
