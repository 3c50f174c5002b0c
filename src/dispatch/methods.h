/* dispatch/methods.h - what a server answers to, by wire name. */
#ifndef BRINE_DISPATCH_METHODS_H
#define BRINE_DISPATCH_METHODS_H

#include "dispatch/method_limit.h"

#include <brine/server.h>

/* One method: typed (method, handlers) or untyped (raw). */
struct brine_entry {
	struct brine_str name; /* size 0: a free slot */
	size_t owned;          /* bytes of name that belong to the table; 0: borrowed */
	const struct brine_method *method;
	const void *handlers;
	brine_raw_handler_fn *raw;
	void *user;
	uint32_t flags;                          /* enum brine_method_flags */
	struct brine_method_limit *method_limit; /* the table's; NULL: any number of requests may run */
};

/* An open hash table. Peers look names up but never add any, so its chains are as long as the program made them. */
struct brine_methods {
	struct brine_entry *slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
	uint64_t seed;
	struct brine_entry fallback; /* raw NULL: none */
	const struct brine_allocator *allocator;
};

void brine_methods_init(struct brine_methods *methods, const struct brine_allocator *allocator, uint64_t seed);
void brine_methods_done(struct brine_methods *methods);

/* Adds all methods of a service, or none. Errors: BRINE_ERR_ABI, EXISTS, INVALID, NOMEM. */
int brine_methods_add_service(struct brine_methods *methods, const struct brine_service *service, const void *handlers,
                              void *user, struct brine_error *error);

/* Adds one untyped method, its name copied; name NULL: what no other entry has. Errors: BRINE_ERR_EXISTS, INVALID,
 * NOMEM. */
int brine_methods_add_raw(struct brine_methods *methods, const char *name, uint32_t flags,
                          brine_raw_handler_fn *handler, void *user, struct brine_error *error);

/* Bounds how many requests of an entry run at once (0: not) and adds to its flags; name NULL: of the fallback. Errors:
 * BRINE_ERR_NOT_FOUND, NOMEM. */
int brine_methods_tune(struct brine_methods *methods, const char *name, uint32_t flags, uint32_t running_max,
                       struct brine_error *error);

/* Whether both describe one method. Its schema may be linked twice, in a program and in its plugin. NULL is none. */
bool brine_method_equal(const struct brine_method *a, const struct brine_method *b);

/* The entry of that name, else the fallback, else NULL. Lives until the next addition. */
const struct brine_entry *brine_methods_find(const struct brine_methods *methods, struct brine_str name);

#endif
