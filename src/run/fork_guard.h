/* run/fork_guard.h - tells the process that made an object from a forked child, without a lock or a system call. */
#ifndef BRINE_RUN_FORK_GUARD_H
#define BRINE_RUN_FORK_GUARD_H

#include <brine/error.h>

/* A page that the kernel zeroes in every child. Where it cannot, the process id is compared instead. */
struct brine_fork_guard {
	const int *page;   /* the maker's process id; 0 in a child */
	bool compares_pid; /* the kernel does not know MADV_WIPEONFORK */
};

/* 0 or BRINE_ERR_SYSTEM. Give it back with brine_fork_guard_done(). */
int brine_fork_guard_init(struct brine_fork_guard *owner, struct brine_error *error);

/* Releases the page. An owner of all zero is allowed. */
void brine_fork_guard_done(struct brine_fork_guard *owner);

/* True in a child of the process that made the object. Safe in signal handlers. */
bool brine_fork_guard_is_child(const struct brine_fork_guard *owner);

/* Fills *error and returns BRINE_ERR_FORKED. what: "client", "server". */
int brine_fork_guard_refuse(const char *what, struct brine_error *error);

#endif
