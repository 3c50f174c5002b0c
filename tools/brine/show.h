/* brine/show.h - text of sources on standard output. */
#ifndef BRINE_SHOW_H
#define BRINE_SHOW_H

#include "sources.h"

/* A line of a stream (user); lines_fn. */
void show_line(void *user, const char *data, size_t size, int is_first, int is_last);

/* Bytes as they came, lines whole or not. A line that another stream left unfinished is ended first. */
void show_parts(struct stream *stream, const char *data, size_t size);

/* Ends a line that stands unfinished. */
void show_end_line(struct sources *sources);

/* Writes what was shown; keeps the exit status where that fails. */
void show_flush(struct sources *sources);

#endif
