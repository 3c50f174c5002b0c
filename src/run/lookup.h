/* run/lookup.h - names to addresses without blocking. A name is looked up by a thread of its own, because the system's
 * resolver cannot be interrupted; one that comes too late finishes by itself and its result is discarded. */
#ifndef BRINE_RUN_LOOKUP_H
#define BRINE_RUN_LOOKUP_H

#include "net/addr.h"

struct brine_lookup; /* opaque */

/* Starts to look up addr->host, for connecting. *ret_lookup is the caller's until brine_lookup_drop(). Errors:
 * BRINE_ERR_NOMEM, SYSTEM. */
int brine_lookup_start(struct brine_lookup **ret_lookup, const struct brine_addr *addr, struct brine_error *error);

/* A descriptor that is readable when the result is there. */
int brine_lookup_fd(const struct brine_lookup *lookup);

/* 1: done, list (room for BRINE_ADDR_RESOLVED_MAX) and *ret_count are filled; 0: not yet. Errors: BRINE_ERR_RESOLVE,
 * NOMEM, SYSTEM. */
int brine_lookup_take(const struct brine_lookup *lookup, struct brine_sockaddr *list, size_t *ret_count,
                      struct brine_error *error);

/* Lets go of it, done or not. NULL is allowed. */
void brine_lookup_drop(struct brine_lookup *lookup);

#endif
