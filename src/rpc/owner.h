/* rpc/owner.h - tells the process that made an object from a forked child, without a lock or a system call. */
#ifndef BRINE_RPC_OWNER_H
#define BRINE_RPC_OWNER_H

#include <brine/error.h>

/* A page that the kernel zeroes in every child. Where it cannot, the process id is compared instead. */
struct brine_owner {
	const int *page;   /* the maker's process id; 0 in a child */
	bool compares_pid; /* the kernel does not know MADV_WIPEONFORK */
};

/* 0 or BRINE_ERR_SYSTEM. Give it back with brine_owner_done(). */
int brine_owner_init(struct brine_owner *owner, struct brine_error *error);

/* Releases the page. An owner of all zero is allowed. */
void brine_owner_done(struct brine_owner *owner);

/* True in a child of the process that made the object. Safe in signal handlers. */
bool brine_owner_forked(const struct brine_owner *owner);

/* Fills *error and returns BRINE_ERR_FORKED. what: "client", "server". */
int brine_owner_refuse(const char *what, struct brine_error *error);

#endif
