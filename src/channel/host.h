/* channel/host.h - what requests need of the place where they are handled: a loop thread of a server, or a client that
 * serves the calls of its peer.
 *
 * A request begins and ends where its connection is looked after: on its loop thread, or under the lock of its
 * client. That is what "in the owner's context" says below; handlers run elsewhere, or there, and whoever answers may
 * be anywhere. */
#ifndef BRINE_CHANNEL_HOST_H
#define BRINE_CHANNEL_HOST_H

#include "dispatch/request.h"
#include "run/fork_guard.h"
#include "run/log.h"

#include <pthread.h>

struct brine_client;
struct brine_meter;
struct brine_pool;

/* What is told about a request from outside its owner. */
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

/* Somebody who is to be told of the end of a connection. */
struct brine_channel_watch {
	struct brine_channel_watch *next;
	/* [owner], once. The watch may be released in it. */
	void (*on_gone)(struct brine_channel_watch *watch);
};

/* A connection as its requests see it. */
struct brine_channel {
	struct brine_host *host;
	struct brine_conn *conn; /* borrowed */
	struct brine_client
	        *peer_client; /* of a server: calls this peer, and its lock guards conn; NULL: nobody does */
	struct brine_peer peer;
	struct brine_request_list requests;  /* not ended */
	struct brine_channel_watch *watches; /* guarded by the owner's lock */
};

struct brine_host_ops {
	/* Whether the calling thread is in the owner's context, so that an answer can be delivered at once. Any thread.
	 */
	bool (*is_mine)(const struct brine_host *host);

	/* Says that something happened to a request: posts, a set of enum brine_post. Any thread that is not in the
	 * owner's context; the request may be gone when it returns. */
	void (*post)(struct brine_request *request, unsigned posts);

	/* Something may be to be sent. [owner] */
	void (*schedule)(struct brine_channel *channel);

	/* Calls request->on_ready, now or soon. [owner] */
	void (*wake)(struct brine_request *request);

	/* A request has ended. [owner] NULL: nobody wants to know. */
	void (*ended)(struct brine_host *host);

	/* The client that calls the peer of the request; held until the request ends. Any thread. */
	struct brine_client *(*peer_client)(struct brine_request *request);

	/* Waits until brine_request_stream_has_changed(): 0, or BRINE_ERR_WOULD_BLOCK where the calling thread may not
	 * wait. The thread of the handler, without a lock. NULL: others move the bytes, and it can sleep. */
	int (*wait)(struct brine_request *request);
};

struct brine_host {
	const struct brine_host_ops *ops;
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
	struct brine_log *log; /* guarded by the lock; NULL: nobody is told */
};

/* Gives back what is kept for the next requests. True: now there is memory for one. [owner] */
bool brine_host_make_room(struct brine_host *host);

/* Releases what a owner holds; no request of it is left but in the pool. */
void brine_host_done(struct brine_host *host);

/* Counts a notification that nobody got, and tells the log. [owner] */
void brine_host_drop_notification(struct brine_host *host, const struct brine_peer *peer, struct brine_str method,
                                  const char *why);

/* Tells the watch when the connection of the request has ended, unless that has happened: false. Borrowed until then.
 * Any thread. */
bool brine_request_watch_channel(struct brine_request *request, struct brine_channel_watch *watch);

/* Tells those who watch the channel, none of whose requests is left. [owner] */
void brine_channel_closed(struct brine_channel *channel);

/* The connection of a channel may be used in between. [owner] */
void brine_channel_lock(struct brine_channel *channel);
void brine_channel_unlock(struct brine_channel *channel);

/* Any thread. */
static inline void brine_host_count(struct brine_host *host, enum brine_count which, uint64_t change)
{
	atomic_fetch_add_explicit(&host->counts[which], change, memory_order_relaxed);
}

#endif
