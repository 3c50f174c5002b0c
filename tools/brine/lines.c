#include "lines.h"

#include <stdlib.h>
#include <string.h>

/* Moves what is in memory to the file. */
static int spill(struct lines *lines)
{
	if (!lines->spill)
		lines->spill = tmpfile();
	if (!lines->spill || fwrite(lines->data, 1, lines->size, lines->spill) != lines->size)
		return -1;
	lines->spilled += lines->size;
	lines->size = 0;
	return 0;
}

static int keep_rest(struct lines *lines, const char *data, size_t size)
{
	while (size > 0) {
		if (lines->size == LINES_MEMORY_MOST && spill(lines) < 0)
			return -1;
		size_t room = LINES_MEMORY_MOST - lines->size, some = size < room ? size : room;
		if (lines->size + some > lines->capacity) {
			size_t capacity = lines->capacity ? lines->capacity : 256;
			while (capacity < lines->size + some)
				capacity *= 2;
			char *grown = realloc(lines->data, capacity);
			if (!grown)
				return -1;
			lines->data = grown;
			lines->capacity = capacity;
		}
		memcpy(lines->data + lines->size, data, some);
		lines->size += some;
		data += some;
		size -= some;
	}
	return 0;
}

/* The beginning of a long line, back from the file. True: there was one. */
static int give_spilled(struct lines *lines, lines_fn *give, void *user)
{
	char chunk[16 * 1024];
	size_t got;
	int is_first = 1;
	if (!lines->spill)
		return 0;
	rewind(lines->spill);
	while ((got = fread(chunk, 1, sizeof chunk, lines->spill)) > 0) {
		give(user, chunk, got, is_first, 0);
		is_first = 0;
	}
	fclose(lines->spill);
	lines->spill = NULL;
	lines->spilled = 0;
	return 1;
}

/* The line ends with these bytes. */
static void give_line(struct lines *lines, const char *data, size_t size, lines_fn *give, void *user)
{
	int has_begun = give_spilled(lines, give, user);
	if (lines->size > 0) {
		give(user, lines->data, lines->size, !has_begun, 0);
		has_begun = 1;
	}
	lines->size = 0;
	give(user, data, size, !has_begun, 1);
}

int lines_put(struct lines *lines, const char *data, size_t size, lines_fn *give, void *user)
{
	const char *newline;
	while (size > 0 && (newline = memchr(data, '\n', size))) {
		size_t length = (size_t)(newline - data);
		give_line(lines, data, length, give, user);
		data += length + 1;
		size -= length + 1;
	}
	if (keep_rest(lines, data, size) < 0)
		return -1;
	/* No disk holds everything. */
	return lines->spilled > LINES_FILE_MOST ? lines_end(lines, give, user) : 0;
}

int lines_end(struct lines *lines, lines_fn *give, void *user)
{
	if (lines->size > 0 || lines->spill)
		give_line(lines, "", 0, give, user);
	return 0;
}

void lines_done(struct lines *lines)
{
	free(lines->data);
	if (lines->spill)
		fclose(lines->spill);
	*lines = (struct lines){.data = NULL};
}
