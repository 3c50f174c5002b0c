/* dispatch/request.h - one call or notification of a peer while its handler works on it.
 *
 * It begins and ends in the owner's context (channel/host.h). It ends when its handler has ended (returned, that is)
 * and its answer was delivered, in whichever order: so a handler on a worker may return BRINE_PENDING after another
 * thread has answered, and a cancelled handler counts until it returns. */
#ifndef BRINE_DISPATCH_REQUEST_H
#define BRINE_DISPATCH_REQUEST_H

#include "channel/channel.h"
#include "dispatch/methods.h"
#include "run/pool.h"

#include <stdatomic.h>

struct brine_client;
struct brine_cancel_scope;
struct brine_request_stream;

/* A pointer of the program's, by a key of its own. */
struct brine_attached {
	struct brine_attached *next;
	const void *key;
	void *value;
};

/* What goes to the peer: a result, or an error. */
struct brine_answer {
	bool is_error;
	int64_t code;
	struct brine_str text;    /* in the request's arena */
	struct brine_bytes value; /* encoded result or error data */
};

struct brine_request {
	/* Set once, before the handler begins. */
	struct brine_host *host;
	struct brine_entry entry; /* a copy: the request may outlive the server's table; but not its name */
	uint64_t serial;          /* 0: a notification */
	uint64_t deadline_ms;
	struct brine_str method;
	struct brine_bytes params;
	struct brine_bytes metadata;
	struct brine_peer peer;
	bool plain;                          /* the peer speaks plain MessagePack-RPC */
	uint64_t order;                      /* a client's: which of the things that came it is */
	struct brine_request_stream *stream; /* NULL: the method has no streams */

	/* For the one thread that works on it. */
	struct brine_arena
	        arena; /* everything of the request: name, params, decoded message, what the handler builds */
	struct brine_buf encoded; /* what answer.value points to, unless it is delivered at once */
	struct brine_answer answer;
	struct brine_attached *attached;  /* in the arena */
	struct brine_client *peer_client; /* calls the peer, held; NULL: nobody asked for it */
	size_t entered;                   /* interceptors whose before was called */
	unsigned held_posts;              /* not posted yet: they go with the end of the handler */
	bool holds_posts;

	/* For all threads. */
	atomic_int ended; /* BRINE_ERR_CANCELLED, DEADLINE or LOST: nobody waits for the answer; 0: somebody does */
	atomic_bool answered;
	_Atomic(struct brine_cancel_scope *) scope; /* calls that its handler makes; NULL: none yet */

	/* [owner] channel is changed under the owner's lock, so that others may read it there. */
	struct brine_request *next, *previous; /* in its channel's list, or in its owner's of orphans */
	struct brine_channel *channel;         /* NULL: the connection is gone */
	bool handler_ended;
	bool answer_waits; /* for the items in front of it */
	bool delivered;    /* the answer */
	bool wake_due;     /* the program is to be told, once the handler has ended */
	bool woken;        /* a client's: on_ready is to be called */
	bool is_notifying; /* on_ready is being called, and the request stays until it returns */

	/* Guarded by the owner's lock. */
	struct brine_request *posted_next;
	unsigned posts; /* enum brine_post; 0: not in the loop thread's queue */
	void (*on_ready)(struct brine_request *request, void *user);
	void *on_ready_user;
	int wakeup; /* signalled when nobody waits any more; -1: nobody asked for it */

	struct brine_job job;               /* its handler, for a worker */
	struct brine_request *pending_next; /* a client's: in the queue of those whose handlers were not called yet */
};

void brine_request_list_add(struct brine_request_list *list, struct brine_request *request);
void brine_request_list_remove(struct brine_request_list *list, struct brine_request *request);

/* Gives back what is kept for the next requests. True: now there is memory for one. [owner] */
bool brine_requests_make_room(struct brine_host *host);

/* Releases what a host holds for requests, none of which is left. [owner] */
void brine_requests_done(struct brine_host *host);

/* Tells the watch when the connection of the request has ended, unless that has happened: false. Borrowed until then.
 * Any thread. */
bool brine_request_watch_channel(struct brine_request *request, struct brine_channel_watch *watch);

/* All of these are called at host. */

/* Copies what the event says; NULL when out of memory. The request stands in its channel's list. */
struct brine_request *brine_request_new(struct brine_channel *channel, const struct brine_entry *entry,
                                        const struct brine_event *event);

/* Ends the request: its memory goes back to its owner. */
void brine_request_end(struct brine_request *request);

/* Ends it where its handler has ended and its answer was delivered. */
void brine_request_finish_if_done(struct brine_request *request);

/* Releases its memory; it stands in no list. */
void brine_request_release(struct brine_request *request);

/* The request of that serial, or NULL. */
struct brine_request *brine_request_find(const struct brine_request_list *list, uint64_t serial);

/* BRINE_ERR_FORKED in a child of the process whose request it is: nobody there may lock or send anything; 0 else. Any
 * thread. */
int brine_request_check(const struct brine_request *request);

/* Tells the program's log what went wrong with a request; detail is escaped already. Any thread. */
void brine_request_log(struct brine_request *request, const char *what, const char *detail);

/* Whether a typed function is of the method that is handled: 0, else BRINE_ERR_INVALID, which the log is told. NULLs
 * are refused. Any thread. */
int brine_request_check_method(struct brine_request *request, const struct brine_method *method);

/* Nobody waits for the answer any more: status says why. The program is told where it wants to be: the request may be
 * gone afterwards, as with the next two. */
void brine_request_cancel(struct brine_request *request, int status);

/* Takes a request out of a channel that ends. It waits in its owner's list for its handler and its answer. */
void brine_request_orphan(struct brine_request *request);

/* Calls the program's on_ready, after the handler has ended and before the answer. */
void brine_request_wake(struct brine_request *request);

/* Calls it now, from wherever the program expects it: between keep and let_go, so that the request is there until it
 * has returned, whoever answers meanwhile. */
void brine_request_keep(struct brine_request *request);
void brine_request_call_back(struct brine_request *request);
void brine_request_let_go(struct brine_request *request);

/* answer.c */

/* Gives the answer to the connection; what that said to it. The request may be gone afterwards. */
int brine_request_deliver(struct brine_request *request);

/* Acts on what was posted: a set of enum brine_post. The request may be gone afterwards. */
void brine_request_process_posts(struct brine_request *request, unsigned posts);

/* Says that a handler was not started, because nobody waits for its answer any more. */
void brine_request_skip(struct brine_request *request);

#endif
