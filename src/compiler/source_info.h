/* compiler/source_info.h - the places of the declarations of a file, and the comments on them. */
#ifndef BRINE_COMPILER_SOURCE_INFO_H
#define BRINE_COMPILER_SOURCE_INFO_H

#include <brine/arena.h>
#include <brine/error.h>

enum {
	SOURCE_PATH_MAX = 72, /* numbers of a path; locations with a longer path are left out */
};

struct source_info; /* opaque */

/* A place and the comments there. The comments are borrowed from the request and not checked. */
struct source_place {
	uint32_t line, column;              /* counted from 1; line 0 if the place is unknown */
	struct brine_str leading, trailing; /* size 0 if there is none */
};

/* Reads a SourceCodeInfo. *ret_info lives in the arena, and its texts are borrowed from bytes. On error *ret_info is
 * untouched. Errors:
 *   BRINE_ERR_MALFORMED
 *   BRINE_ERR_NOMEM */
int source_parse(struct source_info **ret_info, struct brine_arena *arena, struct brine_bytes bytes);

/* Returns the place of the path with `which` behind it. If `which` is 0 or that place is unknown, it is the place of
 * the path itself. info may be NULL and gives an unknown place. */
struct source_place source_find(const struct source_info *info, const int32_t *path, unsigned path_count,
                                int32_t which);

#endif
