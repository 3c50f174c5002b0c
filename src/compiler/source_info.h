/* compiler/source_info.h - where the declarations of a file stand, and the comments on them. */
#ifndef BRINE_COMPILER_SOURCE_INFO_H
#define BRINE_COMPILER_SOURCE_INFO_H

#include <brine/arena.h>
#include <brine/error.h>

enum {
	SOURCE_PATH_MAX = 72, /* numbers of a path; locations with longer ones are left out */
};

struct source_info; /* opaque */

/* Counted from 1; line 0: unknown. Comments are borrowed from the request, not checked, size 0 without. */
struct source_place {
	uint32_t line, column;
	struct brine_str leading, trailing;
};

/* Reads a SourceCodeInfo into the arena. Its texts are borrowed from bytes. 0, BRINE_ERR_MALFORMED, BRINE_ERR_NOMEM:
 * *ret_info is untouched then. */
int source_parse(struct source_info **ret_info, struct brine_arena *arena, struct brine_bytes bytes);

/* The place of a path with `which` behind it where that is not 0, else (also where the longer path is unknown) of the
 * path itself. */
struct source_place source_find(const struct source_info *info, const int32_t *path, unsigned path_count,
                                int32_t which);

#endif
