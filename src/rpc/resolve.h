/* rpc/resolve.h - names to addresses within a deadline. */
#ifndef BRINE_RPC_RESOLVE_H
#define BRINE_RPC_RESOLVE_H

#include "net/addr.h"

/* As brine_addr_resolve() for connecting, but ends at deadline_ms. A name is looked up by a thread of its own, because
 * the system's resolver cannot be interrupted; one that comes too late finishes by itself and its result is discarded.
 * list has room for BRINE_ADDR_RESOLVED_MAX. Errors: BRINE_ERR_RESOLVE, DEADLINE, NOMEM, SYSTEM. */
int brine_resolve(const struct brine_addr *addr, uint64_t deadline_ms, struct brine_sockaddr *list, size_t *ret_count,
                  struct brine_error *error);

#endif
