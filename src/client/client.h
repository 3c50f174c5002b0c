/* client/client.h - inside a client, and what its files share:
 *
 *   client.c       making and freeing, options, who holds it
 *   connect.c      getting a connection: addresses, names, back-off
 *   command.c      a peer that is a program to start
 *   drive.c        moving bytes, in the three modes
 *   wait.c         waiting
 *   callbacks.c    callbacks, and calls handed out by brine_client_completed()
 *   calls.c        calls: how they begin, wait for their turn and end
 *   result.c       how calls end, what is asked of one, and refusals
 *   parent.c       calls that end with the request whose handler made them
 *   call_stream.c  their streams
 *   api.c          the public functions that make calls
 *   finish.c       and those that end them
 *   incoming.c     calls of the peer, and their handlers
 *
 * One lock guards everything but what the lock of the host guards, which is taken behind it. At most one thread at a
 * time is the leader: it waits for descriptors (without the lock), and nobody else closes one. In mode BLOCKING whoever
 * waits and finds no leader becomes it; when its own wait is over it signals the next waiter. Callbacks are called by
 * the leader without the lock, one at a time.
 *
 * Handlers of the peer's calls are called like callbacks, but in mode BLOCKING: there a thread that waits calls them
 * while it is not the leader, so that they may wait themselves.
 *
 * A server's client for calls to one of its peers (server/peer_client.h) is attached: the loop thread of the connection
 * moves the bytes, under the lock of the client. */
#ifndef BRINE_CLIENT_CLIENT_H
#define BRINE_CLIENT_CLIENT_H

#include <brine/client.h>

#include "channel/channel.h"
#include "dispatch/methods.h"
#include "net/addr.h"
#include "net/dial.h"
#include "net/epoll_set.h"
#include "net/wakeup.h"
#include "run/fork_guard.h"
#include "run/lookup.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	BRINE_CLIENT_ADDRESSES_MAX = 16, /* in one string */
	BRINE_CLIENT_CHANNELS_MAX = 5,   /* one for new calls, and those that still end theirs */
	BRINE_CLIENT_NESTED_MAX = 16,    /* handlers on one thread, each waiting for what the next one answers */
};

/* What a loop thread does for the client whose connection it looks after. */
struct brine_attachment {
	/* Calls wait to be sent, or to be cancelled. Any thread; the lock of the client or of its host is held. */
	void (*wake)(struct brine_attachment *attachment);
	struct brine_pool *pool; /* threads that may not all wait for a peer; NULL: none */
};

/* Calls in order. A call is in one list at most. */
struct brine_call_list {
	struct brine_call *first, *last;
	uint32_t count;
};

/* A thread that waits while another one moves the bytes; on its stack. */
struct brine_waiter {
	struct brine_waiter *prev, *next;
	bool for_connection; /* not for the end of a call */
	pthread_cond_t changed;
};

enum brine_connecting {
	BRINE_CONNECTING_NOT = 0,
	BRINE_CONNECTING_RESOLVE,
	BRINE_CONNECTING_DIAL,
};

/* Getting a connection. */
struct brine_connector {
	struct brine_addr *addrs; /* tried in turn */
	size_t addr_count;        /* 0: the client was made of a descriptor, which cannot be had again */
	size_t addr_index;
	enum brine_connecting state;
	struct brine_lookup *lookup;
	struct brine_dial dial;
	uint64_t give_up_ms;       /* the next address is tried then */
	uint64_t backoff_until_ms; /* nothing is tried before */
	uint64_t backoff_ms;       /* the last one; 0: none */
	uint64_t failures;         /* rounds in which no address could be reached */
	struct brine_error last;   /* why the last one failed */
	unsigned wanted;           /* threads that wait for nothing but a connection */
};

/* A thread in a handler; on its stack. */
struct brine_handling {
	struct brine_handling *next;
	pthread_t thread;
	bool frees; /* brine_client_free() was called in it */
};

struct brine_client {
	struct brine_host host; /* first: a client is one, for the calls of its peer */
	struct brine_methods methods;
	atomic_uint holders;                 /* the program, its calls, requests, threads inside */
	struct brine_client_options options; /* name points to our copy */
	struct brine_fork_guard fork_guard;
	char peer_text[BRINE_ADDR_TEXT_SIZE]; /* the address, for error texts */
	struct brine_lock lock;
	pthread_condattr_t clock; /* of condition variables */
	pthread_cond_t quiet;     /* the leader stopped, or a callback returned */
	bool closing;             /* brine_client_free() was called: nothing new begins */
	bool ending;              /* and is being done: only that thread moves bytes */
	uint64_t seed;

	bool attached;                       /* a server's */
	struct brine_attachment *attachment; /* attached: NULL: the connection has gone. Changed under both locks. */

	struct brine_channel *channels; /* all of them */
	struct brine_channel *current;  /* takes new calls; NULL: there is none */
	uint64_t channels_made;
	struct brine_connector connector;
	struct brine_command *command; /* the program to start; NULL: the client has addresses */
	void *input;                   /* BRINE_INPUT_SIZE bytes for reading */
	struct brine_buf scratch;      /* encoded params */

	struct brine_call_list queued;    /* begun, but not given to a connection */
	uint64_t queued_due_ms;           /* none of their deadlines is earlier */
	struct brine_call_list ready;     /* wait for their on_ready */
	struct brine_call_list ended;     /* are to be told of: by on_done, or by brine_client_completed() */
	struct brine_call_list completed; /* mode BACKGROUND: for brine_client_completed() */
	int completed_fd;                 /* -1: nobody asked */

	bool leading;          /* there is a leader */
	bool polling;          /* it waits, without the lock */
	uint64_t polled_until; /* until then at most; mode LOOP: what the program was told */
	int wakeup;            /* ends its wait; closed under both locks */
	struct brine_waiter *waiters;
	atomic_uint entering;                         /* threads that are about to queue something */
	uint64_t order;                               /* of the next thing that is to be told to the program */
	struct brine_request *pending, *pending_last; /* whose handlers were not called yet, linked by job_next */
	uint32_t pending_count;
	size_t pending_size;              /* bytes of what they carry */
	uint64_t handled_order;           /* of that whose handler the leader is in; UINT64_MAX: none */
	bool has_woken;                   /* requests may want their on_ready called */
	struct brine_handling *handlings; /* mode BLOCKING: threads in handlers, the latest first */
	struct brine_call *calling;       /* whose callback runs */
	bool calls_back;                  /* a callback runs */
	bool free_deferred;               /* brine_client_free() was called in it, and not in a handler */
	pthread_t callback_thread;        /* who runs it */
	struct brine_epoll_set epoll_set; /* mode LOOP */
	int process_status;               /* mode LOOP: what became of the connection */
	pthread_t thread;                 /* mode BACKGROUND */
	bool has_thread;
};

static inline void brine_client_lock(struct brine_client *client)
{
	brine_lock_take(&client->lock);
}

static inline void brine_client_unlock(struct brine_client *client)
{
	brine_lock_release(&client->lock);
}

/* Lets other threads in for a while. What leave returns goes to brine_client_return(). */
static inline int brine_client_leave(struct brine_client *client)
{
	return brine_lock_leave(&client->lock);
}

static inline void brine_client_return(struct brine_client *client, int state)
{
	brine_lock_return(&client->lock, state);
}

/* Has the loop thread of an attached client look after it. The lock is held, or that of the host. */
static inline void brine_client_wake_attached(struct brine_client *client)
{
	if (client->attachment)
		client->attachment->wake(client->attachment);
}

/* The threads that may not all wait for the peer; NULL: all may. The lock is held. */
static inline struct brine_pool *brine_client_pool(const struct brine_client *client)
{
	return client->attachment ? client->attachment->pool : NULL;
}

/* Sleeps until the condition is signalled, or until brine_clock_ms() reaches until_ms. */
void brine_client_sleep(struct brine_client *client, pthread_cond_t *condition, uint64_t until_ms);

/* client.c */

/* A client without an address; options NULL: the defaults. attached: without descriptors of its own. */
int brine_client_make(struct brine_client **ret_client, const struct brine_client_options *options, bool attached,
                      struct brine_error *error);

/* now + timeout without wrapping; BRINE_FOREVER stays. */
uint64_t brine_deadline_after(uint64_t timeout_ms);

/* A holder keeps the memory, not the connection. */
void brine_client_hold(struct brine_client *client);
void brine_client_drop(struct brine_client *client);

/* Does what brine_client_free() left to the callback or handler in which it was called, once that has returned. The
 * lock is held. */
void brine_client_end_deferred(struct brine_client *client);

/* BRINE_ERR_FORKED in a child, 0 else. */
int brine_client_check(const struct brine_client *client, struct brine_error *error);

/* Whether there is a connection, or one can be had. */
static inline bool brine_client_may_connect(const struct brine_client *client)
{
	return client->connector.addr_count > 0 || (client->attachment && !client->channels);
}

static inline bool brine_client_in_callback(const struct brine_client *client)
{
	return client->calls_back && pthread_equal(client->callback_thread, pthread_self());
}

/* connect.c; the lock is held. */

/* For a connection to the address; NULL: of a descriptor. */
struct brine_conn_options brine_client_conn_options(const struct brine_client *client, const struct brine_addr *addr);

/* Takes over a connected socket, also on error. */
int brine_client_adopt(struct brine_client *client, int fd, const struct brine_addr *addr, struct brine_error *error);

/* Goes on with connecting where one is wanted. For the leader. */
void brine_connector_step(struct brine_client *client, uint64_t now_ms);
void brine_connector_poll_set(const struct brine_client *client, struct brine_poll_set *set);
/* When the next step is due; BRINE_FOREVER: never. */
uint64_t brine_connector_due(struct brine_client *client);
void brine_connector_stop(struct brine_client *client);

/* A connection that brought nothing ended: as if it had not been made. */
void brine_connector_was_useless(struct brine_client *client, uint64_t now_ms);

/* Why there is no connection. Returns the code. */
int brine_connector_explain(const struct brine_client *client, struct brine_error *error);

/* Whether the connection for new calls takes some. Retires it where not. */
bool brine_client_is_connected(struct brine_client *client);

/* wait.c; the lock is held. */

/* Waits until the condition holds; for_connection: one that has to do with more than this call. 0, BRINE_ERR_DEADLINE
 * (the deadline is that of the wait, not of the call), or BRINE_ERR_WOULD_BLOCK where this thread may not wait. */
typedef bool brine_condition_fn(struct brine_client *client, const struct brine_call *call);
int brine_client_wait(struct brine_client *client, struct brine_call *call, brine_condition_fn *condition,
                      bool for_connection, uint64_t deadline_ms);

/* A worker of a server takes a place among those that may wait for a peer: before it sends anything, where it can. 0,
 * or what brine_pool_begin_blocking() says, which then stands in call->error. Clients that are not attached have room
 * for all.
 */
int brine_call_begin_blocking(struct brine_client *client, struct brine_call *call);
void brine_call_end_blocking(struct brine_call *call);

/* The end of the call. */
bool brine_call_is_over(struct brine_client *client, const struct brine_call *call);

/* False on a loop, and in a callback. */
bool brine_client_may_wait(const struct brine_client *client);

/* Tells the threads that wait for a connection. */
void brine_client_wake_waiters(struct brine_client *client);

/* callbacks.c; the lock is held. */

/* Whether a callback is due. */
bool brine_client_has_callbacks(const struct brine_client *client);

/* Whether something that came before the end of the call is still to be told, or is being told. */
bool brine_client_has_earlier(const struct brine_client *client, const struct brine_call *call);

/* Calls those that are, for whoever moves the bytes. */
void brine_client_flush_callbacks(struct brine_client *client);

/* leader.c; the lock is held. */

/* One turn of the thread that moves the bytes, waiting until deadline_ms at most; not at all where something is due,
 * because that may be what the thread waits for. */
void brine_client_turn(struct brine_client *client, uint64_t deadline_ms);

/* Takes the events of a channel. */
void brine_client_take_events(struct brine_client *client, struct brine_channel *channel, uint64_t now_ms);

/* Looks what came on a connection that nobody watches. */
void brine_client_poll_now(struct brine_client *client);

/* After something was queued or changed: sends it, unless another thread is about to queue more and will, and tells the
 * leader where it has to know. */
void brine_client_flush_or_wake(struct brine_client *client);

/* Calls the callbacks that are due, where nobody moves the bytes. */
void brine_client_call_back(struct brine_client *client);

/* The channel was of use. */
void brine_client_proven(struct brine_client *client, struct brine_channel *channel);

/* One turn without waiting, as long as something comes, until deadline_ms: for the end. */
void brine_client_linger(struct brine_client *client, uint64_t deadline_ms);

/* When a turn is needed next. */
uint64_t brine_client_due(struct brine_client *client);

/* calls.c; the lock is held. */

void brine_call_list_add(struct brine_call_list *list, struct brine_call *call);
void brine_call_unlist(struct brine_client *client, struct brine_call *call);

/* Starts a call that is ready to run: gives it to the connection or lets it wait for its turn. An error has ended it.
 */
int brine_call_submit(struct brine_client *client, struct brine_call *call, struct brine_str method,
                      struct brine_bytes params);

/* Gives the calls that wait to the connection as far as it takes them. */
void brine_calls_flush(struct brine_client *client, uint64_t now_ms);

/* Ends those whose deadline has passed. */
void brine_calls_expire(struct brine_client *client, uint64_t now_ms);

/* Ends those that wait for a connection, which could not be made; `all`: also those that want to wait on. */
void brine_calls_refuse(struct brine_client *client, const struct brine_error *why, bool all);

/* Ends a running call in no list but `queued`; what there is to say stands in call->text or call->error. */
int brine_call_end(struct brine_client *client, struct brine_call *call, int status);

/* Lets brine_client_completed() hand it out. */
void brine_call_completed(struct brine_client *client, struct brine_call *call);

/* Events about a call: event->user. */
brine_event_fn brine_call_on_response, brine_call_on_item, brine_call_on_credit;

/* outcome.c: keeps what the event says in the call and returns its status. */
int brine_call_take_result(const struct brine_client *client, const struct brine_channel *channel,
                           struct brine_call *call, const struct brine_event *event);

/* False for NULL, and for a struct of another version, of which nothing is touched. */
static inline bool brine_call_is_usable(const struct brine_call *call)
{
	return call && (!call->struct_size || call->struct_size == sizeof *call);
}

/* Why a function was refused that left the call as it is, for brine_call_error_text(), until accept is called for the
 * next function. text: static, NULL: that of the status; with: a copy of the error's. Both return the code. For the
 * thread that uses the call. */
void brine_call_accept(struct brine_call *call);
int brine_call_refuse(struct brine_call *call, int status, const char *text);
int brine_call_refuse_with(struct brine_call *call, const struct brine_error *error);

/* The text of one that nobody has begun. */
extern const char brine_call_not_made[];

/* Whether a typed function is of the method that was begun: 0, else refuses it with BRINE_ERR_INVALID, or STATE where
 * nothing was. */
int brine_call_check_method(struct brine_call *call, const struct brine_method *method);

/* finish.c: decodes the answer of a call that went well, as one of the method; response NULL: dropped. */
int brine_call_take_response(struct brine_call *call, const struct brine_method *method, void *response);

/* How a call ends that was aborted while it could not end: keeps it in the call, returns the status. */
int brine_call_take_abort(struct brine_call *call);

/* Ends a running call as cancelled. One that is neither queued nor on a channel ends itself: it is told. */
void brine_call_abort(struct brine_client *client, struct brine_call *call);

/* call_stream.c: the peer may have room for what the call uploads; forget everything, without the lock. */
void brine_call_has_room(struct brine_client *client, struct brine_call *call);
void brine_call_items_done(struct brine_call *call);
int brine_call_end_upload_locked(struct brine_client *client, struct brine_call *call);

/* incoming.c; the lock is held. */

extern const struct brine_host_ops brine_client_host_ops;
extern const struct brine_event_table brine_client_events;

/* Whether so much has arrived that the rest has to wait in its connection until handlers were called. */
bool brine_client_is_full(const struct brine_client *client);

/* Calls the next handler, without the lock; there is one. May end the client, which the peer_client must hold. */
void brine_client_handle(struct brine_client *client);

/* The next request whose on_ready is due; NULL: none. */
struct brine_request *brine_client_next_woken(struct brine_client *client);

/* The innermost handler that the calling thread is in, having waited; NULL: none. */
struct brine_handling *brine_client_current_handler(const struct brine_client *client);

/* Ends the requests of the connection that nobody has begun. */
void brine_client_drop_pending(struct brine_client *client, const struct brine_channel *channel);

/* The same, and lets the rest live without its connection. */
void brine_client_detach_requests(struct brine_client *client, struct brine_channel *channel);

/* Interceptors behind a call, once. Without the lock. */
void brine_call_run_after(struct brine_client *client, struct brine_call *call);

static inline int brine_call_state_of(const struct brine_call *call)
{
	return __atomic_load_n(&call->state, __ATOMIC_ACQUIRE);
}

#endif
