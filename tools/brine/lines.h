/* brine/lines.h - whole lines out of text that comes in parts, of any length in bounded memory. */
#ifndef BRINE_LINES_H
#define BRINE_LINES_H

#include <stdio.h>

enum {
	LINES_MEMORY_MOST = 16 * 1024, /* bytes of an unfinished line that are kept in memory; more go to a file */
	LINES_FILE_MOST = 1 << 30,     /* and so many there: it is given in parts then */
};

/* One stream's unfinished line; all zero: none. */
struct lines {
	char *data;
	size_t size, capacity;
	FILE *spill; /* the beginning of a long line, in a file without a name; NULL: there is none */
	size_t spilled;
};

/* Gets a line in parts: all but the last with is_last false. The newline is not among the bytes. */
typedef void lines_fn(void *user, const char *data, size_t size, int is_first, int is_last);

/* Takes bytes and gives every line that they complete. 0, or -1: out of memory or disk (errno). */
int lines_put(struct lines *lines, const char *data, size_t size, lines_fn *give, void *user);

/* Gives what is left, as a line of its own. 0 or -1. */
int lines_end(struct lines *lines, lines_fn *give, void *user);

void lines_done(struct lines *lines);

#endif
