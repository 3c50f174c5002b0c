/* server/loop_thread.h - one loop of a server: its thread, its connections and the requests that came over them.
 *
 * Everything in a loop thread belongs to its thread but what the lock guards. Other threads (workers, and whoever
 * answers a request later) never touch a connection: they write their answer into the request and post it here, and the
 * loop thread acts on it. A queue per loop thread, not a lock per connection: so handlers, timers and the state machine
 * run without any lock, and a hundred answers cost one wake. */
#ifndef BRINE_SERVER_LOOP_THREAD_H
#define BRINE_SERVER_LOOP_THREAD_H

#include "dispatch/request.h"
#include "net/loop.h"

struct brine_server;
struct brine_connection;

struct brine_loop_thread {
	struct brine_host host;             /* first: a loop thread is one; its lock guards what is said below */
	struct brine_fork_guard fork_guard; /* the server's may be gone before the last request is */
	struct brine_server *server;        /* NULL once it was freed */
	struct brine_loop *loop;
	pthread_t thread;
	atomic_bool running; /* thread is in brine_loop_thread_run() */
	struct brine_connection *connections;
	struct brine_connection *scheduled;      /* those with something to do before the loop waits again, in order */
	struct brine_connection *scheduled_last; /* while there is one */
	uint32_t round_busy, round_events;       /* connections that had events in this round of turns, and how many */
	uint32_t round_share;                    /* the most of them in one turn */
	void *input;                             /* BRINE_INPUT_SIZE bytes for reading */
	uint64_t random;                         /* state of a generator, for jitter */
	int stops_seen;
	int status; /* why brine_loop_thread_run() ended */
	int system_errno;

	/* Guarded by the lock: */
	struct brine_request *posted, *posted_last;
	struct brine_connection *arrivals; /* accepted by another loop thread for this one */
	struct brine_connection *summoned; /* whose callers have something for them, linked by called_next */
	bool over;                         /* takes no arrivals any more */
	size_t left; /* after the server was freed: requests that keep the loop thread, and who frees it */
};

/* Makes a loop thread of the server; number: which. Errors: BRINE_ERR_NOMEM, SYSTEM. */
int brine_loop_thread_new(struct brine_loop_thread **ret_lane, struct brine_server *server, uint32_t number);

/* Closes every connection and releases the loop thread, which does not run. NULL is allowed. Requests that the program
 * has not answered yet outlive it, and the last of them releases what they need of it; in a forked child, where nobody
 * will answer them, they go too. */
void brine_loop_thread_free(struct brine_loop_thread *loop_thread, bool forked);

/* Serves in the calling thread until the server stops or the loop fails: loop thread->status. No connection is left
 * then. */
void brine_loop_thread_run(struct brine_loop_thread *loop_thread);

/* One turn of it in the calling thread, without waiting, for a loop of the program's. False: the server has stopped, or
 * the loop failed (loop_thread->status); no connection is left then. */
bool brine_loop_thread_process(struct brine_loop_thread *loop_thread);

/* When it is to be called next, if its loop's descriptor does not become readable before; BRINE_FOREVER: never. */
uint64_t brine_loop_thread_due(const struct brine_loop_thread *loop_thread);

/* Whether the calling thread runs the loop thread. Any thread. */
bool brine_loop_thread_is_current(const struct brine_loop_thread *loop_thread);

/* Gives an accepted connection to a loop thread. Any thread. */
void brine_loop_thread_hand(struct brine_loop_thread *loop_thread, struct brine_connection *connection);

/* Acts on all posts. By the loop thread, or when none runs it. */
void brine_loop_thread_take_posts(struct brine_loop_thread *loop_thread);

/* Any thread. */
static inline void brine_loop_thread_count(struct brine_loop_thread *loop_thread, enum brine_count which,
                                           uint64_t change)
{
	brine_host_count(&loop_thread->host, which, change);
}

#endif
