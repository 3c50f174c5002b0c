/* brine/sources.h - who talks to brine listen, and where it goes. Used by the thread of the server alone, but for what
 * keyboard.h takes. */
#ifndef BRINE_SOURCES_H
#define BRINE_SOURCES_H

#include "lines.h"
#include "listen_options.h"

#include <brine/text.h>

/* One stream of a source, as "stdout". */
struct stream {
	struct stream *next;
	struct source *source;
	char name[65];
	struct lines lines;
	char held[4]; /* with escapes: the beginning of a character whose rest has not come */
	size_t held_size;
	FILE *file; /* with --dir */
};

struct source {
	struct source *next, **at; /* of those that live */
	struct sources *sources;
	struct brine_text *text;
	char name[160]; /* escaped, and unlike any other */
	char file_name[80];
	struct stream *streams;
	unsigned stream_count;
};

struct sources {
	const struct listen_options *options;
	struct source *first;
	struct stream *open; /* whose line stands unfinished on the screen; NULL: none does */
	bool escapes, names;
	int failure; /* exit status: the output cannot be written */
};

/* A source came; NULL: out of memory. */
struct source *source_new(struct sources *sources, struct brine_text *text);

/* Shows, or writes, what came of it. 0, or -1: it is to be cut off, having said why. */
int source_put(struct source *source, const struct brine_text_piece *piece);

/* It has ended: shows what is left and releases it. */
void source_end(struct source *source, const struct brine_text_end *end);

#endif
