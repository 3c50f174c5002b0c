/* sources.c - many sources at once, for the tests of brine listen.
 *
 *   text_sources ADDRESS SOURCES LINES SIZE PROGRESS-FILE [HELD]
 *
 * Each is a process that prints LINES lines of SIZE bytes and more, "source line xxx", and ends; the bytes that stdio
 * took are counted in PROGRESS-FILE, eight bytes for each source. The one with the number HELD stops after half of its
 * lines, to be killed. Exit status 0: all of them ended well, but for those
 * that were killed. Their process ids are printed first. */
#include <brine/text.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOURCES_MOST = 200 };

static int print_lines(const char *address, int number, long lines, size_t size, uint64_t *progress, bool is_held)
{
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	struct brine_error error;
	char name[16];
	FILE *file;
	char *filler = calloc(1, size + 1);
	if (!filler)
		return 1;
	memset(filler, 'x', size);
	snprintf(name, sizeof name, "s%d", number);
	options.source = name;
	options.end_timeout_ms = 60000;
	if (brine_text_open(&file, address, "w", &options, &error) < 0) {
		fprintf(stderr, "%s: %s\n", name, error.text);
		return 1;
	}
	for (long line = 0; line < lines; line++) {
		int count = fprintf(file, "%s %ld %s\n", name, line, filler);
		if (count < 0) {
			fprintf(stderr, "%s: line %ld: %s\n", name, line, strerror(errno));
			return 1;
		}
		if (is_held && line == lines / 2)
			pause();
		__atomic_add_fetch(progress, (uint64_t)count, __ATOMIC_RELAXED);
	}
	free(filler);
	if (fclose(file) == 0)
		return 0;
	fprintf(stderr, "%s: fclose: %s\n", name, strerror(errno));
	return 1;
}

static uint64_t *map_progress(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, SOURCES_MOST * 8) < 0)
		return NULL;
	void *map = mmap(NULL, SOURCES_MOST * 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? NULL : map;
}

int main(int argc, char **argv)
{
	if (argc < 6)
		return 2;
	int sources = atoi(argv[2]), held = argc > 6 ? atoi(argv[6]) : -1, failures = 0, status;
	long lines = atol(argv[3]);
	size_t size = (size_t)atol(argv[4]);
	uint64_t *progress = map_progress(argv[5]);
	if (sources < 1 || sources > SOURCES_MOST || lines < 1 || !progress)
		return 2;
	for (int i = 0; i < sources; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(print_lines(argv[1], i, lines, size, &progress[i], i == held));
		printf("%d\n", (int)child);
	}
	fflush(stdout);
	while (wait(&status) > 0)
		failures += status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return failures > 0;
}
