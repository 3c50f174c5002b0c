/* rpc/lane.h - one loop of a server: its thread, its connections and the requests that came over them.
 *
 * Everything in a lane belongs to its thread but what the lock guards. Other threads (workers, and whoever answers a
 * request later) never touch a connection: they write their answer into the request and post it here, and the lane acts
 * on it. A queue per lane, not a lock per connection: so handlers, timers and the state machine run without any lock,
 * and a hundred answers cost one wake. */
#ifndef BRINE_RPC_LANE_H
#define BRINE_RPC_LANE_H

#include "net/loop.h"
#include "rpc/home.h"

struct brine_server;
struct brine_session;

struct brine_lane {
	struct brine_home home;      /* first: a lane is one; its lock guards what is said below */
	struct brine_owner owner;    /* the server's may be gone before the last request is */
	struct brine_server *server; /* NULL once it was freed */
	struct brine_loop *loop;
	pthread_t thread;
	atomic_bool running; /* thread is in brine_lane_run() */
	struct brine_session *sessions;
	struct brine_session *touched;      /* those with something to do before the loop waits again, in order */
	struct brine_session *touched_last; /* while there is one */
	uint32_t round_busy, round_events;  /* sessions that had events in this round of turns, and how many */
	uint32_t round_share;               /* the most of them in one turn */
	void *input;                        /* BRINE_LINK_INPUT_SIZE bytes for reading */
	uint64_t random;                    /* state of a generator, for jitter */
	int stops_seen;
	int status; /* why brine_lane_run() ended */
	int system_errno;

	/* Guarded by the lock: */
	struct brine_request *posted, *posted_last;
	struct brine_session *arrivals; /* accepted by another lane for this one */
	struct brine_session *called;   /* whose callers have something for them, linked by called_next */
	bool over;                      /* takes no arrivals any more */
	size_t left;                    /* after the server was freed: requests that keep the lane, and who frees it */
};

/* Makes a lane of the server; number: which. Errors: BRINE_ERR_NOMEM, SYSTEM. */
int brine_lane_new(struct brine_lane **ret_lane, struct brine_server *server, uint32_t number);

/* Closes every connection and releases the lane, which does not run. NULL is allowed. Requests that the program has not
 * answered yet outlive it, and the last of them releases what they need of it; in a forked child, where nobody will
 * answer them, they go too. */
void brine_lane_free(struct brine_lane *lane, bool forked);

/* Serves in the calling thread until the server stops or the loop fails: lane->status. No connection is left then. */
void brine_lane_run(struct brine_lane *lane);

/* Whether the calling thread runs the lane. Any thread. */
bool brine_lane_is_mine(const struct brine_lane *lane);

/* Gives an accepted connection to a lane. Any thread. */
void brine_lane_hand(struct brine_lane *lane, struct brine_session *session);

/* Acts on all posts. By the lane's thread, or when none runs it. */
void brine_lane_take_posts(struct brine_lane *lane);

/* Any thread. */
static inline void brine_lane_count(struct brine_lane *lane, enum brine_count which, uint64_t change)
{
	brine_home_count(&lane->home, which, change);
}

#endif
