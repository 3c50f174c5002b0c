/* compiler/source_info.h - where the declarations of a file stand, and the comments on them. */
#ifndef BRINE_COMPILER_SOURCE_INFO_H
#define BRINE_COMPILER_SOURCE_INFO_H

#include "compiler/schema.h"

/* Counted from 1; line 0: unknown. Comments are borrowed from the request, not checked, size 0 without. */
struct source_place {
	uint32_t line, column;
	struct brine_str leading, trailing;
};

/* Reads a SourceCodeInfo; NULL when out of memory or malformed (schema->status says which). */
struct source_info *source_parse(struct schema *schema, struct brine_bytes bytes);

/* The place of a path with `which` behind it where that is not 0, else (also where the longer path is unknown) of the
 * path itself. */
struct source_place source_find(const struct source_info *info, const int32_t *path, unsigned path_count,
                                int32_t which);

#endif
