/* brine/client.h - calls to a server.
 * A client holds one connection, made at the first call or by brine_client_connect(), and made anew when it was lost
 * and is needed. No call is ever sent twice, unless its method is declared idempotent. Any number of threads share it;
 * one thread at a time uses one struct brine_call, but for brine_call_cancel(). Who moves the bytes is chosen by
 * options.mode:
 *
 *   BRINE_CLIENT_BLOCKING    the threads that wait: one of them reads for all, and passes the reading on when its own
 *                            answer has come. An idle client reads nothing, not even pings.
 *   BRINE_CLIENT_BACKGROUND  a thread of the client's own, started when first needed. Callbacks come from it.
 *   BRINE_CLIENT_LOOP        the program's loop: wait on brine_client_get_fd(), then call brine_client_process().
 *                            Callbacks come from there.
 *
 * Functions that wait return BRINE_ERR_WOULD_BLOCK in mode LOOP, inside callbacks, and on the loop threads of any
 * server: use begin and on_done there. A callback must not wait for anything: nothing of its client moves meanwhile. In
 * a forked child every function returns BRINE_ERR_FORKED. Nothing here raises SIGPIPE or changes signal handlers. A
 * thread that is cancelled (pthread_cancel()) inside a function ends when that has returned.
 *
 * All times are those of CLOCK_MONOTONIC: setting the wall clock changes nothing, and while the machine is suspended no
 * time passes (the peer's may: it can have given us up). Where time jumps all the same, because the process was stopped
 * or a virtual machine paused, what had arrived meanwhile counts before what the time would end. */
#ifndef BRINE_CLIENT_H
#define BRINE_CLIENT_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/codec.h>
#include <brine/conn.h>
#include <brine/error.h>
#include <brine/limits.h>
#include <brine/type.h>

struct brine_client;    /* opaque */
struct brine_call_item; /* opaque */
struct brine_request;   /* brine/server.h */
struct brine_call;

enum brine_client_mode {
	BRINE_CLIENT_BLOCKING = 0,
	BRINE_CLIENT_BACKGROUND,
	BRINE_CLIENT_LOOP,
};

/* Calls around every call of a client: logging, metrics, credentials. before may set call->metadata and may end the
 * call by returning a negative code (what it set stays in a call that is used again); after sees how it ended. From the
 * threads that begin and finish; must not call the client. */
struct brine_client_interceptor {
	int (*before)(struct brine_call *call, const char *method, void *user); /* NULL allowed */
	void (*after)(struct brine_call *call, const char *method, int status, void *user);
	void *user;
};

struct brine_client_options {
	size_t struct_size;
	uint64_t timeout_ms; /* of calls that say 0; 0: 30,000; BRINE_FOREVER: none */
	const char *name;    /* told in hello; NULL: none. Copied. */
	bool hello;          /* say hello (WIRE.md section 5), framed only */
	bool plain;         /* over a descriptor of the program's: plain MessagePack-RPC; addresses say it themselves */
	int mode;           /* enum brine_client_mode */
	uint32_t calls_max; /* calls in flight; 0: what the peer allows. More wait in order for their turn, within their
	                       deadline: those of handlers, too, so that calls which the peer answers by calling back
	                       should stay below it */
	uint32_t queue_max; /* calls that wait so; more are refused with BRINE_ERR_OVERLOADED. 0: all are refused */
	uint64_t connect_timeout_ms; /* for one address (name and connection), then the next one is tried */
	uint64_t backoff_first_ms; /* after a failed connect nothing is tried for about so long (jittered), doubling */
	uint64_t backoff_most_ms;  /* up to so long */
	uint64_t keepalive_ms; /* silence while a call runs after which a ping goes out; twice as long without a sign:
	                          lost, unless the peer still takes what went before it. 0: off */
	bool retry;            /* idempotent methods are sent once more after a loss, or where a server that goes away
	                          did not start them, within their deadline */
	const struct brine_client_interceptor
	        *interceptors; /* called in order before, in reverse order after. Borrowed */
	size_t interceptor_count;
	size_t thread_stack_size; /* mode BACKGROUND: of the client's thread; 0: 1 MiB, see limits.h */
	struct brine_limits limits;
	brine_tap_fn *tap; /* sees every message, from the thread that moves it; must not use the client; NULL: none */
	void *tap_user;
	/* NULL: the default; must outlive the client, its calls, and calls whose parent is a request that it handles */
	const struct brine_allocator *allocator;
};
#define BRINE_CLIENT_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		sizeof(struct brine_client_options), 30000, NULL, true, false, BRINE_CLIENT_BLOCKING, 0, 1024, 10000,  \
		        50, 5000, 0, true, NULL, 0, 0, BRINE_LIMITS_INIT, NULL, NULL, NULL                             \
	}

/* The program of brine_client_open_command(). */
struct brine_command_options {
	size_t struct_size;
	bool framed;             /* it speaks frames; false: plain MessagePack-RPC */
	bool quiet;              /* its stderr goes to /dev/null; false: to that of this process */
	uint64_t end_timeout_ms; /* once its stdin ended it has so long to end, then SIGTERM comes, after as long again
	                            SIGKILL; BRINE_FOREVER: neither */
	const char *const *environment; /* "NAME=value", ends with NULL, copied; NULL: that of this process */
};
#define BRINE_COMMAND_OPTIONS_INIT                                                                                     \
	{                                                                                                              \
		sizeof(struct brine_command_options), false, false, 2000, NULL                                         \
	}

enum brine_call_state {
	BRINE_CALL_IDLE = 0,
	BRINE_CALL_RUNNING,
	BRINE_CALL_FINISHED,
};

/* One call, in the caller's storage: zero or BRINE_CALL_INIT before the first use, reusable, never copied or moved
 * while it runs. Everything the reply points to lives in it until brine_call_done() or the next use. */
struct brine_call {
	uint32_t struct_size;
	uint32_t reserved;
	/* in: covers resolve + connect + queue + reply; 0: the client's default; BRINE_FOREVER: none */
	uint64_t timeout_ms;
	/* in: an encoded map, see metadata.h; size 0: none. Borrowed while the call starts */
	struct brine_bytes metadata;
	bool wait_for_ready; /* in: while there is no server keep trying to connect, until the deadline */
	/* in: called once when the call ended, also when begin itself failed after it returned 0; never from inside
	 * begin. From the thread that moves the bytes, behind the handlers of what came before; may finish, begin,
	 * cancel and done any call, this one too, and free the client (which then happens when the callback has
	 * returned). NULL: none. */
	void (*on_done)(struct brine_call *call, void *user);
	/* in, streams: called when brine_call_next() or _send() that said BRINE_ERR_WOULD_BLOCK may be tried again, and
	 * without on_done also at the end. With it set those functions never wait. May do what on_done may. */
	void (*on_ready)(struct brine_call *call, void *user);
	void *user; /* in: for both */
	/* in: the request whose handler makes the call, not answered yet. The call inherits its deadline (the earlier
	 * one counts) and its end: where the caller cancels, its deadline passes or its connection is lost, the call is
	 * cancelled, too, and ends with BRINE_ERR_CANCELLED, or DEADLINE; one that begins afterwards sends nothing. The
	 * answer of the request ends nothing: the call runs on for itself. Taken when the call begins, and NULL from
	 * then on: set it each time. A client in mode BLOCKING ends the call at once where a thread waits in it, else
	 * when it is used next. NULL: none. */
	struct brine_request *parent;
	/* private: */
	int state; /* enum brine_call_state */
	int status;
	int64_t code;
	uint64_t serial;
	uint64_t deadline_ms;
	const char *text;
	struct brine_bytes data;
	struct brine_bytes result;
	struct brine_bytes result_metadata;
	struct brine_arena arena;
	struct brine_error error;
	struct brine_client *client; /* held until brine_call_done() or the next use */
	const struct brine_method *method;
	const char *method_name;
	struct brine_call *prev, *next;
	void *list, *channel, *waiter;
	struct brine_str kept_method; /* the request, while it may have to be sent later or again */
	struct brine_bytes kept_params, kept_metadata;
	size_t begun; /* interceptors that were called before it */
	bool kept, resent, resends, sync, aborted, after_run, upload_ended, wants_item, wants_room;
	uint32_t streams;
	int failure;
	struct brine_call_item *items, *items_end, *item_taken;
	struct brine_arena item_arena;
	struct brine_buf upload;
	uint64_t order;
	void *blocking, *child;
	const char *refusal; /* why the last function was refused; "": refusal_text says it; NULL: it was not */
	char refusal_text[256];
	void *reserved_[1];
};
#define BRINE_CALL_INIT                                                                                                \
	{                                                                                                              \
		.struct_size = sizeof(struct brine_call)                                                               \
	}

BRINE_BEGIN

/* Creates a client for an address: "tcp://host:port", "tcp://[::1]:port", "unix:///path", "unix://@abstract",
 * "msgpack-rpc://host:port", "msgpack-rpc+unix:///path" (plain MessagePack-RPC peers: Neovim, rpclib ...). Several,
 * separated by commas, are tried in turn. Parses, but does not connect. *ret_client is owned by the caller until
 * brine_client_free(). Options are copied; NULL: the defaults. Errors: BRINE_ERR_ADDRESS with the position of the
 * fault, INVALID, NOMEM; *ret_client is then untouched. */
BRINE_API int brine_client_open(struct brine_client **ret_client, const char *address,
                                const struct brine_client_options *options, struct brine_error *error);

/* The same over a connected stream socket, which the client owns from then on, also on error. Once its connection has
 * ended, calls return BRINE_ERR_NOT_SENT. Errors: BRINE_ERR_INVALID (not a stream socket), SYSTEM, NOMEM. */
BRINE_API int brine_client_open_fd(struct brine_client **ret_client, int fd, const struct brine_client_options *options,
                                   struct brine_error *error);

/* The same for a program that is started and then spoken to over its stdin and stdout, which are sockets: an editor
 * (nvim --embed), a plugin host, a helper of one's own. argv ends with NULL and is copied; argv[0] without a slash
 * is looked up in PATH, no shell is involved. command NULL: the defaults. The program is started when the client
 * connects, and started anew when it has ended and is needed: how it ended is told in the error text of the calls that
 * were lost ("the program ended with status 3"). One that cannot be executed is BRINE_ERR_CONNECT of the first call, or
 * of brine_client_connect(). It begins with an empty signal mask, SIGPIPE and SIGCHLD at their defaults, and none of
 * this process's close-on-exec descriptors. It should end when its stdin does; brine_client_free() waits for it, in
 * mode LOOP too, and makes sure: see end_timeout_ms. One that ends by itself is collected when that is noticed, which
 * an idle client in mode BLOCKING does at its next call. Errors as brine_client_open() but ADDRESS. */
BRINE_API int brine_client_open_command(struct brine_client **ret_client, const char *const argv[],
                                        const struct brine_command_options *command,
                                        const struct brine_client_options *options, struct brine_error *error);

/* Registers handlers for the calls and notifications that the peer makes to this client, as brine_server_serve() does:
 * the same handlers, with the same requests. They are called
 *
 *   BLOCKING          by threads that wait in this client, for whatever it is, several at a time where several wait,
 *                     and may wait in it themselves: what the peer then asks is handled on top, at most 16 deep
 *                     (error 5 beyond, a notification is dropped); each takes 3 KiB of stack beside its own. Where
 *                     nobody waits, they wait too, and with 256 of them, or 1 MiB, nothing more is read.
 *   BACKGROUND, LOOP  like callbacks, one at a time: a handler that cannot answer at once returns BRINE_PENDING.
 *
 * and begin in the order in which the peer's messages came, ends of calls included: a call is over for the program once
 * the handlers of what came before its end were called. So a handler must not wait for a lock that is held around
 * calls. BRINE_METHOD_BLOCKING makes no difference. Before the first connection only; a client of a descriptor refuses
 * what comes earlier. handlers, service and user must outlive the client and its requests; a request that is not
 * answered keeps the client's memory. A framed peer calls only who said hello. brine_request_next() and _send() wait as
 * calls do: in the modes BLOCKING and, in threads of the program, BACKGROUND; elsewhere they return
 * BRINE_ERR_WOULD_BLOCK. Errors: BRINE_ERR_EXISTS, ABI, INVALID, NOMEM, STATE (too late, or a server's client). */
BRINE_API int brine_client_serve(struct brine_client *client, const struct brine_service *service, const void *handlers,
                                 void *user, struct brine_error *error);

/* Registers one untyped method under its wire name (copied); method NULL: every name not registered otherwise. */
BRINE_API int brine_client_serve_raw(struct brine_client *client, const char *method, brine_raw_handler_fn *handler,
                                     void *user, struct brine_error *error);

/* Connects now; timeout_ms 0: the client's default. 0 also when connected already. Errors: BRINE_ERR_RESOLVE, CONNECT,
 * DEADLINE, SYSTEM, NOMEM, WOULD_BLOCK, FORKED; NOT_SENT for a client of a descriptor that has ended. */
BRINE_API int brine_client_connect(struct brine_client *client, uint64_t timeout_ms, struct brine_error *error);

/* Closes in order, which takes limits.linger_ms at most, and releases everything. NULL is allowed. Running calls end
 * with BRINE_ERR_CANCELLED, those of the peer are cancelled. Callbacks due are called, no handler is begun any more;
 * those that run in other threads are waited for. No other thread may use the client any more, but to finish its calls:
 * calls and what they hold outlive it. Inside a callback or a handler of the client it happens when that has returned,
 * and a handler's own answer still goes out. In mode LOOP it never waits for the peer, but for the end of a program. In
 * a forked child: only closes descriptors and releases memory. */
BRINE_API void brine_client_free(struct brine_client *client);

/* Waits for a typed call. request and response are structs of method->request and method->response; response NULL drops
 * the answer; it is written only on success. call NULL: a call with the defaults; the response must then hold no views
 * (BRINE_ERR_INVALID else). Generated stubs call this. 0, or how the call ended:
 *   REMOTE: the peer answered with an error, see brine_call_code() and brine_call_error_data()
 *   DEADLINE, CANCELLED: whoever noticed; what the peer said of it is kept as with REMOTE
 *   LOST: the connection ended, the call may have run
 *   NOT_SENT, CONNECT, RESOLVE, SYSTEM, TOO_BIG, OVERLOADED, GOING_AWAY, INVALID, BUSY, FORKED: nothing was sent
 *   NOT_BRINE: the peer speaks something else
 *   errors of brine_encode(): nothing was sent; errors of brine_decode(): the answer does not fit
 *   NOMEM: out of memory before anything was sent, or keeping the answer
 * BRINE_ERR_BUSY for a call that is running, or whose callback runs in another thread, leaves that call alone. */
BRINE_API int brine_client_call(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                                const void *request, void *response);

/* Waits for an untyped call: params is one encoded array (size 0: []), borrowed until it returns. brine_call_result()
 * has the encoded answer. Errors: as above. */
BRINE_API int brine_client_call_raw(struct brine_client *client, struct brine_call *call, const char *method,
                                    struct brine_bytes params);

/* Sends a notification; returns when it was handed to the kernel (on a loop and in callbacks: when it was queued;
 * without a connection BRINE_ERR_WOULD_BLOCK). call: timeout, metadata and parent, NULL: defaults. Errors: as above but
 * REMOTE; after DEADLINE and CANCELLED it may still go out. */
BRINE_API int brine_client_notify(struct brine_client *client, struct brine_call *call,
                                  const struct brine_method *method, const void *request);
BRINE_API int brine_client_notify_raw(struct brine_client *client, struct brine_call *call, const char *method,
                                      struct brine_bytes params);

/* Begins a typed call and returns at once: the arguments are encoded, the call is queued, BRINE_ERR_* is how it failed
 * (finish then returns the same). Opens the streams of a method that has them; with an upload the request is ignored
 * (NULL), its items follow by brine_call_send(). In BLOCKING mode bytes move inside this and every other call. 0 or as
 * brine_client_call(). */
BRINE_API int brine_client_begin(struct brine_client *client, struct brine_call *call,
                                 const struct brine_method *method, const void *request);
BRINE_API int brine_client_begin_raw(struct brine_client *client, struct brine_call *call, const char *method,
                                     struct brine_bytes params);

/* Waits for the end of a call that was begun and decodes the response (NULL: dropped). Returns how it ended, as
 * brine_client_call() does; on a finished call at once, but for handlers that come first. A call with an answer stream
 * (response: NULL) that has not ended is cancelled first, an upload is ended. */
BRINE_API int brine_call_finish(struct brine_call *call, void *response);
/* The same for a call of that method and no other, with a response of its type. Generated stubs call this.
 * BRINE_ERR_INVALID: the call was begun with another method. It then stays as it was, nothing is written, and
 * brine_call_error_text() has both names. */
BRINE_API int brine_call_finish_as(struct brine_call *call, const struct brine_method *method, void *response);

/* Waits until all that was sent of the call is in the kernel: the end of the process does not lose it any more. Takes
 * in what had come meanwhile, so a peer that has gone is noticed. 0; how the call ended; BRINE_ERR_WOULD_BLOCK on a
 * loop and in callbacks, where something is left. */
BRINE_API int brine_call_flush(struct brine_call *call);

/* Waits until a call that was begun has ended, at most timeout_ms (BRINE_FOREVER: no end): 0, and brine_call_finish()
 * does not wait; BRINE_ERR_DEADLINE: it runs on; WOULD_BLOCK, STATE (not begun). A handler that the thread is in when
 * its time is over ends first (mode BLOCKING). */
BRINE_API int brine_call_wait(struct brine_call *call, uint64_t timeout_ms);

/* Ends a running call now with BRINE_ERR_CANCELLED; others: nothing happens. Any thread. What brine_call.parent does
 * where that request is cancelled. */
BRINE_API void brine_call_cancel(struct brine_call *call);

/* Takes the next item of the answer stream of a call begun by brine_client_begin() with a method that has
 * BRINE_METHOD_DOWNLOAD: 1 and *ret_item, a struct of method->response whose views live until the next _next on the
 * call; 0: the stream ended well; negative: how the call ended (items that had come are given first), an item that does
 * not fit its schema (the call then ends with that), BRINE_ERR_WOULD_BLOCK (on_ready is set, on a loop, in a callback),
 * STATE (no such stream). */
BRINE_API int brine_call_next(struct brine_call *call, void *ret_item);
/* The same for a call of that method and no other, as brine_call_finish_as(). */
BRINE_API int brine_call_next_as(struct brine_call *call, const struct brine_method *method, void *ret_item);
/* The same without decoding: the encoded item, which lives as long. */
BRINE_API int brine_call_next_raw(struct brine_call *call, struct brine_bytes *ret_item);

/* Sends an item, a struct of method->request, of a call begun with a method that has BRINE_METHOD_UPLOAD: waits while
 * the peer takes no more, so a slow reader slows its writer. 0; how the call ended; BRINE_ERR_WOULD_BLOCK as above: the
 * item was not sent; STATE: the peer has answered well without waiting for the rest, the upload was ended, or there is
 * none; errors of brine_encode(), and TOO_BIG, which ends the call. */
BRINE_API int brine_call_send(struct brine_call *call, const void *item);
/* The same for a call of that method and no other, as brine_call_finish_as(). */
BRINE_API int brine_call_send_as(struct brine_call *call, const struct brine_method *method, const void *item);
/* The same with an encoded item, borrowed until it returns. */
BRINE_API int brine_call_send_raw(struct brine_call *call, struct brine_bytes item);

/* Ends the upload in order; the response, or the rest of the answer stream, still comes. Never waits. 0,
 * BRINE_ERR_STATE (no such stream), NOMEM. */
BRINE_API int brine_call_end_upload(struct brine_call *call);

/* For a loop of the program's own (mode LOOP). The descriptor stays the same for the client's whole life, also over
 * reconnects, and so do the events to wait for, POLLIN as poll() has it: wait until it is readable or timeout_ms has
 * passed (-1: no end), then process, which never waits. 0 or BRINE_ERR_* of the connection (the calls were told
 * already). In other modes BRINE_ERR_STATE, and -1 for the time-out. */
BRINE_API int brine_client_get_fd(const struct brine_client *client);
BRINE_API int brine_client_get_events(const struct brine_client *client);
BRINE_API int brine_client_get_timeout_ms(struct brine_client *client);
BRINE_API int brine_client_process(struct brine_client *client);

/* For a GUI or a computing thread (mode BACKGROUND): an eventfd, readable while calls without on_done have ended that
 * brine_client_completed() has not handed out. That returns them one by one, in the order they ended, then NULL. Any
 * thread. */
BRINE_API int brine_client_completed_fd(struct brine_client *client);
BRINE_API struct brine_call *brine_client_completed(struct brine_client *client);

/* How the last call ended: 0 or a negative code, as the call returned it. */
BRINE_API int brine_call_status(const struct brine_call *call);

/* The peer's error: its code (enum brine_code or the application's; valid with BRINE_ERR_REMOTE, DEADLINE, CANCELLED),
 * its data as an encoded value (size 0: none). Live as long as the call's memory. */
BRINE_API int64_t brine_call_code(const struct brine_call *call);
BRINE_API struct brine_bytes brine_call_error_data(const struct brine_call *call);

/* Decodes the error data into a struct of `type`. Errors as brine_loads(); BRINE_ERR_NOT_FOUND where there is none. */
BRINE_API int brine_call_error_loads(struct brine_call *call, const struct brine_type *type, void *ret_message);

/* One line for people, never NULL, escaped: what happened and what to do. Where a function was refused and left the
 * call as it was, it says why: until the next function that takes the call. So BRINE_ERR_BUSY is told by "the call runs
 * already", and brine_call_status() still tells of the call. A call that could not begin has ended with that error: no
 * text of an earlier one is left. Lives until the next use of the call. */
BRINE_API const char *brine_call_error_text(const struct brine_call *call);

/* The encoded answer and its metadata; size 0: none. Live as long as the call's memory. */
BRINE_API struct brine_bytes brine_call_result(const struct brine_call *call);
BRINE_API struct brine_bytes brine_call_metadata(const struct brine_call *call);

/* Releases what the call holds; it can be used again. NULL and idle calls are allowed. A running call is cancelled, and
 * nobody is called back; waits only for a callback of this call that runs in another thread. */
BRINE_API void brine_call_done(struct brine_call *call);

BRINE_END

#endif
