/* compiler/pairs.h - a set of pairs of pointers, in the arena of a schema. */
#ifndef BRINE_COMPILER_PAIRS_H
#define BRINE_COMPILER_PAIRS_H

#include "compiler/schema.h"

/* Empty as zeroes. */
struct pairs {
	const void *(*slots)[2];
	size_t room, count; /* room is a power of two */
};

/* Adds a pair; false where it was there before, and when out of memory (schema->status then says so). left: not NULL.
 */
bool pairs_add(struct schema *schema, struct pairs *pairs, const void *left, const void *right);

#endif
