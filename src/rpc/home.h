/* rpc/home.h - what requests need of the place where they are handled: a lane of a server, or a client that serves the
 * calls of its peer.
 *
 * A request begins and ends where its connection is looked after: on the thread of its lane, or under the lock of its
 * client. That is what "at home" says below; handlers run elsewhere, or there, and whoever answers may be anywhere. */
#ifndef BRINE_RPC_HOME_H
#define BRINE_RPC_HOME_H

#include "rpc/log.h"
#include "rpc/owner.h"
#include "rpc/request.h"

#include <pthread.h>

struct brine_client;
struct brine_meter;
struct brine_workers;

/* What is told about a request from outside its home. */
enum brine_post {
	BRINE_POST_ANSWER = 1, /* the answer is there */
	BRINE_POST_ENDED = 2,  /* its handler, which ran elsewhere, has ended */
	BRINE_POST_FLOW = 4,   /* its streams have something for the connection */
	BRINE_POST_READY = 8,  /* the program wants to be told of what happened already */
};

enum brine_count {
	BRINE_COUNT_ACCEPTED,
	BRINE_COUNT_REFUSED,
	BRINE_COUNT_OPEN,
	BRINE_COUNT_REQUESTS,
	BRINE_COUNT_NOTIFICATIONS,
	BRINE_COUNT_DROPPED,
	BRINE_COUNT_SLOW_TURNS,
	BRINE_COUNT_SHORTAGES,
	BRINE_COUNTS
};

/* Somebody who is to be told of the end of a connection. */
struct brine_line_watch {
	struct brine_line_watch *next;
	/* At home, once. The watch may be released in it. */
	void (*on_gone)(struct brine_line_watch *watch);
};

/* A connection as its requests see it. */
struct brine_line {
	struct brine_home *home;
	struct brine_conn *conn;     /* borrowed */
	struct brine_client *caller; /* of a server: calls this peer, and its lock guards conn; NULL: nobody does */
	struct brine_peer peer;
	struct brine_request_list requests; /* not ended */
	struct brine_line_watch *watches;   /* guarded by the home's lock */
};

struct brine_home_ops {
	/* Whether the calling thread is at home, so that an answer can be delivered at once. Any thread. */
	bool (*is_mine)(const struct brine_home *home);

	/* Says that something happened to a request: posts, a set of enum brine_post. Any thread that is not at home;
	 * the request may be gone when it returns. */
	void (*post)(struct brine_request *request, unsigned posts);

	/* Something may be to be sent. At home. */
	void (*touch)(struct brine_line *line);

	/* Calls request->on_ready, now or soon. At home. */
	void (*wake)(struct brine_request *request);

	/* A request has ended. At home. NULL: nobody wants to know. */
	void (*ended)(struct brine_home *home);

	/* The client that calls the peer of the request; held until the request ends. Any thread. */
	struct brine_client *(*caller)(struct brine_request *request);

	/* Waits until brine_flow_has_moved(): 0, or BRINE_ERR_WOULD_BLOCK where the calling thread may not wait. The
	 * thread of the handler, without a lock. NULL: others move the bytes, and it can sleep. */
	int (*wait)(struct brine_request *request);
};

struct brine_home {
	const struct brine_home_ops *ops;
	const struct brine_allocator *allocator;
	struct brine_meter *meter;       /* keeps the allocator alive; NULL: it is the program's */
	const struct brine_owner *owner; /* lives as long as requests do */
	const struct brine_methods *methods;
	const struct brine_server_interceptor *interceptors;
	size_t interceptor_count;
	struct brine_workers *workers; /* NULL: every handler runs in the same way */
	atomic_uint_fast64_t counts[BRINE_COUNTS];

	/* At home only: */
	struct brine_request_list orphans; /* requests whose connection has gone, not ended yet */
	struct brine_request *pool;        /* for the next requests */
	uint32_t pool_count;
	struct brine_buf scratch; /* encoded results */

	pthread_mutex_t lock;
	struct brine_log *log; /* guarded by the lock; NULL: nobody is told */
};

/* Gives back what is kept for the next requests. True: now there is memory for one. At home. */
bool brine_home_make_room(struct brine_home *home);

/* Releases what a home holds; no request of it is left but in the pool. */
void brine_home_done(struct brine_home *home);

/* Counts a notification that nobody got, and tells the log. At home. */
void brine_home_drop(struct brine_home *home, const struct brine_peer *peer, struct brine_str method, const char *why);

/* Tells the watch when the connection of the request has ended, unless that has happened: false. Borrowed until then.
 * Any thread. */
bool brine_request_watch_line(struct brine_request *request, struct brine_line_watch *watch);

/* Tells those who watch the line, none of whose requests is left. At home. */
void brine_line_gone(struct brine_line *line);

/* The connection of a line may be used in between. At home. */
void brine_line_lock(struct brine_line *line);
void brine_line_unlock(struct brine_line *line);

/* Any thread. */
static inline void brine_home_count(struct brine_home *home, enum brine_count which, uint64_t change)
{
	atomic_fetch_add_explicit(&home->counts[which], change, memory_order_relaxed);
}

#endif
