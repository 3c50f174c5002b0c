/* channel/host.h - the owner of connections: a loop thread of a server, or a client.
 *
 * Every connection has one owner: a loop thread (server) or a lock (client). Functions marked [owner] may be called
 * only on that thread, or with that lock held. Handlers may run on any thread, and any thread may answer a request. */
#ifndef BRINE_CHANNEL_HOST_H
#define BRINE_CHANNEL_HOST_H

#include <brine/buf.h>
#include <brine/server.h>

#include "run/fork_guard.h"
#include "run/log.h"

#include <pthread.h>
#include <stdatomic.h>

struct brine_cancel_child;
struct brine_channel;
struct brine_client;
struct brine_event_table;
struct brine_host;
struct brine_meter;
struct brine_methods;
struct brine_pool;
struct brine_request;

/* What is told about a request from outside the owner's context. */
enum brine_post {
	BRINE_POST_ANSWER = 1, /* the answer is there */
	BRINE_POST_ENDED = 2,  /* its handler, which ran elsewhere, has ended */
	BRINE_POST_STREAM = 4, /* its streams have something for the connection */
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

/* Requests in one list, newest first. */
struct brine_request_list {
	struct brine_request *first;
};

struct brine_host_ops {
	/* Whether the calling thread is in the owner's context, so that an answer can be delivered at once. Any
	 * thread. */
	bool (*is_mine)(const struct brine_host *host);

	/* Says that something happened to a request: posts, a set of enum brine_post. Any thread that is not in the
	 * owner's context. The request may be gone when it returns. */
	void (*post)(struct brine_request *request, unsigned posts);

	/* Something may be to be sent. [owner] */
	void (*schedule)(struct brine_channel *channel);

	/* Calls request->on_ready, now or soon. [owner] */
	void (*wake)(struct brine_request *request);

	/* Children of cancel scopes wait in host->cancelled. The host's lock is held. NULL: none ever do. */
	void (*wake_owner)(struct brine_host *host);

	/* A request has ended. [owner] NULL: nobody wants to know. */
	void (*ended)(struct brine_host *host);

	/* The client that calls the peer of the request, held until drop_client(). Any thread. */
	struct brine_client *(*peer_client)(struct brine_request *request);
	void (*drop_client)(struct brine_client *client);

	/* Waits until brine_request_stream_has_changed(): 0, or BRINE_ERR_WOULD_BLOCK where the calling thread may not
	 * wait. The thread of the handler, without a lock. NULL: others move the bytes, and it can sleep. */
	int (*wait)(struct brine_request *request);
};

struct brine_host {
	const struct brine_host_ops *ops;
	const struct brine_event_table *events;
	const struct brine_allocator *allocator;
	struct brine_meter *meter;                 /* keeps the allocator alive; NULL: it is the program's */
	const struct brine_fork_guard *fork_guard; /* lives as long as requests do */
	const struct brine_methods *methods;
	const struct brine_server_interceptor *interceptors;
	size_t interceptor_count;
	struct brine_pool *pool; /* NULL: every handler runs in the same way */
	atomic_uint_fast64_t counts[BRINE_COUNTS];

	/* [owner] */
	struct brine_request_list orphans; /* requests whose connection has gone, not ended yet */
	struct brine_request *spares;      /* for the next requests */
	uint32_t spare_count;
	struct brine_buf scratch; /* encoded results */

	pthread_mutex_t lock;
	/* Guarded by the lock: */
	struct brine_log *log; /* NULL: nobody is told */
	struct brine_cancel_child *cancelled;
};

/* Counts a notification that nobody got, and tells the log. [owner] */
void brine_host_drop_notification(struct brine_host *host, const struct brine_peer *peer, struct brine_str method,
                                  const char *why);

/* Any thread. */
static inline void brine_host_count(struct brine_host *host, enum brine_count which, uint64_t change)
{
	atomic_fetch_add_explicit(&host->counts[which], change, memory_order_relaxed);
}

#endif
