/* net/loop.h - waits for many descriptors and timers at once. Level-triggered. One thread at a time runs and changes a
 * loop; only brine_loop_wake() is for all.
 *
 * Deferral: callbacks come from brine_loop_turn() and from nowhere else. Inside one everything is allowed, also
 * removing and releasing the watch or timer that fired and any other, but brine_loop_turn() and brine_loop_free() are
 * not. A watch or timer that was removed never fires afterwards, not even for events that were collected before. */
#ifndef BRINE_NET_LOOP_H
#define BRINE_NET_LOOP_H

#include "net/socket.h"

#include <brine/allocator.h>

struct brine_loop; /* opaque */

/* A watched descriptor, in the caller's storage; all zero when unused. Not moved while it is added. */
struct brine_watch {
	/* ready: a set of enum brine_ready. May hold one that was not asked for when the descriptor has an error. */
	void (*on_ready)(struct brine_watch *watch, unsigned ready);
	void *user;
	/* private: */
	int fd;
	unsigned ready;
	uint32_t slot; /* 0: not added */
};

/* A one-shot timer, in the caller's storage; all zero when unused. Not moved while it is set. */
struct brine_timer {
	void (*on_due)(struct brine_timer *timer, uint64_t now_ms);
	void *user;
	uint64_t due_ms; /* for reading while set */
	/* private: a pairing heap, so that setting a timer never allocates and never fails */
	bool set;
	struct brine_timer *child, *next, *previous;
};

enum {
	BRINE_LOOP_EVENTS_MAX = 128, /* descriptors, and timers, handled in one turn: the rest in the next */
};

/* Creates a loop, owned by the caller until brine_loop_free(). on_wake (NULL allowed) is called in the turn after
 * brine_loop_wake(), once for any number of wakes. Errors: BRINE_ERR_SYSTEM (error.system_errno), NOMEM. */
int brine_loop_new(struct brine_loop **ret_loop, void (*on_wake)(void *user), void *user,
                   const struct brine_allocator *allocator, struct brine_error *error);

/* Releases the loop. NULL is allowed. Watches and timers are forgotten, not called; their descriptors stay open. */
void brine_loop_free(struct brine_loop *loop);

/* Watches fd for a set of enum brine_ready (0: errors only); watch->on_ready must be set, fd stays the caller's.
 * Errors: BRINE_ERR_SYSTEM (errno), NOMEM: nothing is watched then. */
int brine_loop_add(struct brine_loop *loop, struct brine_watch *watch, int fd, unsigned ready);

/* Changes what is waited for; no system call when it is the same. On error (BRINE_ERR_SYSTEM, errno) the watch is
 * removed: close the connection, nobody would look at it again. */
int brine_loop_modify(struct brine_loop *loop, struct brine_watch *watch, unsigned ready);

/* Stops watching; before the descriptor is closed. Not added: nothing happens. Never fails. */
void brine_loop_remove(struct brine_loop *loop, struct brine_watch *watch);

static inline bool brine_watch_added(const struct brine_watch *watch)
{
	return watch->slot != 0;
}

/* Sets the timer to fire once when brine_clock_ms() reaches due_ms, also when it was set already; BRINE_FOREVER: stops
 * it. timer->on_due must be set. Never fails. */
void brine_timer_set(struct brine_loop *loop, struct brine_timer *timer, uint64_t due_ms);

/* Stops it. Not set: nothing happens. */
void brine_timer_stop(struct brine_loop *loop, struct brine_timer *timer);

/* When the next timer is due; BRINE_FOREVER: none. */
uint64_t brine_loop_deadline(const struct brine_loop *loop);

/* One turn: waits until something happens, a timer is due or brine_clock_ms() reaches deadline_ms (past: does not wait;
 * BRINE_FOREVER: no end), then calls what is ready, at most BRINE_LOOP_EVENTS_MAX of each kind, descriptors before
 * timers. The number of callbacks, 0 for none (also after a signal), or BRINE_ERR_SYSTEM (errno). */
int brine_loop_turn(struct brine_loop *loop, uint64_t deadline_ms);

/* Ends the wait of the current or next turn. Any thread, and signal handlers (errno is kept). Never fails. */
void brine_loop_wake(struct brine_loop *loop);

/* The descriptor that is readable when a turn would find something; for a loop of the program's, with
 * brine_loop_deadline(). */
int brine_loop_fd(const struct brine_loop *loop);

#endif
