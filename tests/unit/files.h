/* files.h - whole files of tests/vectors in memory. */
#ifndef BRINE_TESTS_FILES_H
#define BRINE_TESTS_FILES_H

#include "support.h"

/* The bytes of tests/vectors/NAME with a NUL behind them; the caller ends the buffer. */
static inline struct brine_buf file_read(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", BRINE_VECTORS, name);
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("%s: cannot be opened", path);
	struct brine_buf buf = BRINE_BUF_INIT;
	for (size_t got = 1; got;) {
		void *to = brine_buf_reserve(&buf, 65536);
		assert_non_null(to);
		got = fread(to, 1, 65535, file);
		buf.end += got;
	}
	fclose(file);
	buf.data[buf.end] = 0;
	return buf;
}

/* The next line of a text that file_read() gave, without its end, NUL put there; NULL behind the last. */
static inline char *next_line(char **text)
{
	char *line = *text;
	if (!*line)
		return NULL;
	char *end = strchr(line, '\n');
	*text = end ? end + 1 : line + strlen(line);
	if (end)
		*end = 0;
	return line;
}

#endif
