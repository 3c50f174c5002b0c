/* brine/server.h - answers calls. Register, listen, run.
 * Handlers run on a loop thread (the one that runs the connection) unless their method is marked blocking: then on a
 * bounded pool of workers. A handler on a loop must not wait; functions that would return BRINE_ERR_WOULD_BLOCK there,
 * those of every client included. A client can have handlers too (brine_client_serve()): what is said of requests below
 * holds for theirs as well. Times are those of CLOCK_MONOTONIC, as in client.h: none passes while the machine is
 * suspended. A thread of the program that is cancelled (pthread_cancel()) inside a function of a request ends when that
 * has returned. */
#ifndef BRINE_SERVER_H
#define BRINE_SERVER_H

#include <brine/arena.h>
#include <brine/codec.h>
#include <brine/conn.h>
#include <brine/error.h>
#include <brine/limits.h>
#include <brine/type.h>

struct brine_server;  /* opaque */
struct brine_request; /* opaque; one call being handled */

/* A handler may return this: the answer comes later, from any thread, through brine_request_reply(), _reply_raw(),
 * _fail() or _fail_data(). It must come, also for a request that was cancelled: until then the request counts as
 * running and keeps its memory, even beyond brine_server_free(). */
#define BRINE_PENDING 1

/* Where the peer of a request is. On Unix sockets uid, gid and pid come from the kernel; elsewhere has_credentials is
 * false. */
struct brine_peer {
	char address[128]; /* "tcp://127.0.0.1:40312", "unix:///run/x.sock" */
	bool has_credentials;
	uint32_t uid, gid;
	int32_t pid;
	uint64_t connection; /* its number, which no other connection of the server, or client, ever has */
};

/* Tells the program what the server notices (a peer refused, accept failing ...): one escaped line. Called from loop
 * threads and workers, by one at a time; must not block and must not call the server but brine_server_stop(). */
typedef void brine_log_fn(void *user, const char *line);

/* Calls around every call and notification of a registered method, on the thread of its handler: logging, metrics,
 * authentication. before runs ahead of decoding and returns 0, or refuses with brine_request_fail(...): then neither
 * the handler nor later interceptors run. after runs for every interceptor whose before did, and sees what the handler
 * returned or why it was not run (brine_request_code() tells more); after BRINE_PENDING it may only read the request,
 * and does not see the answer. answered does, for the same requests, once each: on the thread that gives the answer,
 * ahead of sending it, in reverse order; brine_request_code() says which it is. It only reads the request, and answers
 * no other. brine_request_attach() hands on what an interceptor found out. NULL: none. */
struct brine_server_interceptor {
	int (*before)(struct brine_request *request, void *user);
	void (*after)(struct brine_request *request, int status, void *user);
	void (*answered)(struct brine_request *request, void *user);
	void *user;
};

/* Decides about a new connection, before a byte of it is read, on its loop thread: 0 accepts it, anything else closes
 * it without a byte. peer lives until it returns. */
typedef int brine_accept_fn(const struct brine_peer *peer, void *user);

struct brine_server_options {
	size_t struct_size;
	const char *name; /* told in welcome; NULL: none. Copied. */
	struct brine_limits limits;
	uint32_t connections_max;          /* more are closed without a byte */
	uint32_t connections_per_peer_max; /* the same for an address (IPv6: a /64 prefix) or a Unix user; 0: off */
	uint32_t loops;                    /* 1 to 4,096 threads; that of brine_server_run() is the first */
	uint32_t workers;                  /* at most so many for methods marked blocking, started when needed, beside
	                                      those that wait for a peer: see brine_request_client() */
	uint32_t worker_queue_max;         /* such calls waiting for a worker; more are answered error 5 */
	/* Bytes that the server, its connections and requests may hold in all, by its allocator; 0: no limit, else at
	 * least 1 MiB for each loop. Above seven eighths nothing new begins: new connections are closed without a byte,
	 * new requests answered error 5, and connections without a running call that are in the middle of a message of
	 * over 4 KiB told to go away (goaway 0). The rest is for what runs; at the limit itself memory is out for
	 * whoever asks: that connection, or call, ends with an error. */
	size_t memory_max;
	size_t thread_stack_size;       /* of workers and of loop threads but the first; 0: 1 MiB, see limits.h */
	uint64_t connection_age_max_ms; /* they are drained then, up to a tenth earlier by chance; 0: never */
	brine_accept_fn *accept;        /* NULL: everybody */
	void *accept_user;
	/* Called in order before, in reverse order after. Borrowed: must outlive the server and its requests. */
	const struct brine_server_interceptor *interceptors;
	size_t interceptor_count;
	uint64_t drain_ms;  /* brine_server_stop(): how long running calls may take */
	int plain_errors;   /* enum brine_plain_errors; brine_server_listen_as() chooses by listener */
	bool plain_refused; /* framed peers only; likewise */
	int unix_mode;      /* permissions of Unix sockets, set before listen */
	brine_log_fn *log;  /* NULL: none */
	void *log_user;
	brine_tap_fn *tap; /* sees every message, on the loop thread of its connection; NULL: none */
	void *tap_user;
	/* NULL: the default. Must outlive the server, its requests and the calls that name one as their parent, and be
	 * safe for all threads that work for it: loops, workers, those that answer later or end such calls. */
	const struct brine_allocator *allocator;
};
#define BRINE_SERVER_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		sizeof(struct brine_server_options), NULL, BRINE_LIMITS_INIT, 10000, 0, 1, 4, 1024, 0, 0, 0, NULL,     \
		        NULL, NULL, 0, 30000, BRINE_PLAIN_ERRORS_TEXT, false, 0600, NULL, NULL, NULL, NULL, NULL       \
	}

/* How one listener treats programs that speak plain MessagePack-RPC (WIRE.md section 6). */
struct brine_listen_options {
	size_t struct_size;
	int plain_errors;   /* enum brine_plain_errors: PAIR for Neovim's own clients, TEXT for everybody else */
	bool plain_refused; /* framed peers only: plain ones are closed without a byte */
};
#define BRINE_LISTEN_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		sizeof(struct brine_listen_options), BRINE_PLAIN_ERRORS_TEXT, false                                    \
	}

/* What happened since the server was made. Never wrap within 64 bits. */
struct brine_server_counters {
	uint64_t connections_accepted;
	uint64_t connections_refused;   /* over a limit, or no descriptor or memory left for them */
	uint64_t connections_open;      /* now */
	uint64_t requests;              /* calls that reached a handler */
	uint64_t notifications;         /* notifications that reached a handler */
	uint64_t notifications_dropped; /* unknown, malformed, or their handler failed */
	uint64_t slow_turns;            /* handlers held a loop, with all of its connections, for over a second */
	uint64_t shortages;             /* connections, requests and messages that memory_max kept out */
	uint64_t memory_held;           /* bytes, now; 0 without memory_max */
};

BRINE_BEGIN

/* Creates a server, owned by the caller until brine_server_free(). Options are copied; NULL: the defaults.
 * Errors: BRINE_ERR_INVALID, NOMEM, SYSTEM; *ret_server is then untouched. */
BRINE_API int brine_server_new(struct brine_server **ret_server, const struct brine_server_options *options);

/* Closes everything at once and releases it. NULL is allowed. Not while brine_server_run() runs. Requests still pending
 * live on until they are answered (BRINE_ERR_LOST then), from any thread, at any time. In a forked child: only closes
 * descriptors and releases memory, also of requests. */
BRINE_API void brine_server_free(struct brine_server *server);

/* Registers the methods of a service: handlers is the generated struct of function pointers, whose NULL members answer
 * "no such method"; NULL: all of them do (a brine_invoke_fn written by hand may need none). handlers, service and user
 * must outlive the server and its requests. Before run only. Errors: BRINE_ERR_EXISTS (a wire name registered already),
 * ABI, INVALID, NOMEM. Nothing is then registered. */
BRINE_API int brine_server_serve(struct brine_server *server, const struct brine_service *service, const void *handlers,
                                 void *user, struct brine_error *error);

/* Registers one untyped method under its wire name (copied); method NULL: every name not registered otherwise. */
BRINE_API int brine_server_serve_raw(struct brine_server *server, const char *method, brine_raw_handler_fn *handler,
                                     void *user, struct brine_error *error);
/* The same with flags, a set of enum brine_method_flags: BRINE_METHOD_BLOCKING runs it on a worker, BRINE_METHOD_UPLOAD
 * and _DOWNLOAD give it streams. */
BRINE_API int brine_server_serve_raw_as(struct brine_server *server, const char *method, uint32_t flags,
                                        brine_raw_handler_fn *handler, void *user, struct brine_error *error);

/* What holds for one method beside what its schema says. */
struct brine_method_options {
	size_t struct_size;
	bool blocking;        /* run it on a worker, as BRINE_METHOD_BLOCKING does */
	uint32_t running_max; /* requests of it at once, over all connections; 0: no limit of its own */
};
#define BRINE_METHOD_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		.struct_size = sizeof(struct brine_method_options)                                                     \
	}

/* Sets that for a method that was registered, by its wire name; NULL: for what brine_server_serve_raw(NULL) has. Calls
 * beyond running_max are answered error 5 ("not started"), notifications dropped; a request counts until it was
 * answered and its handler has returned, cancelled or not. options are borrowed until it returns. Before run only; the
 * last call counts, but blocking stays. Errors: BRINE_ERR_NOT_FOUND, INVALID (no workers; struct_size), STATE, NOMEM.
 */
BRINE_API int brine_server_tune(struct brine_server *server, const char *method,
                                const struct brine_method_options *options, struct brine_error *error);

/* Listens on an address, several times for several: "tcp://127.0.0.1:7411", "tcp://[::1]:0" (any free port),
 * "unix:///run/x.sock", "unix://@abstract". A Unix path left over from a dead server is replaced, a live one never.
 * Errors: BRINE_ERR_ADDRESS, ADDRESS_IN_USE, NOT_SOCKET, RESOLVE, SYSTEM, NOMEM; the text says what to do. */
BRINE_API int brine_server_listen(struct brine_server *server, const char *address, struct brine_error *error);
/* The same with options of its own, which are copied; NULL: those of the server. Errors: also BRINE_ERR_INVALID (the
 * text names the option). */
BRINE_API int brine_server_listen_as(struct brine_server *server, const char *address,
                                     const struct brine_listen_options *options, struct brine_error *error);

/* The address of the listener of that number (0 first), with the port the kernel chose; NULL beyond the last. Borrowed
 * until brine_server_free(). */
BRINE_API const char *brine_server_address(const struct brine_server *server, unsigned number);

/* Serves until brine_server_stop(), once in the server's life. 0 after a stop. All other threads of the server have
 * ended when it returns: it waits for handlers on workers, which should ask brine_request_cancelled() now and then.
 * Errors: BRINE_ERR_SYSTEM, NOMEM, FORKED, INVALID (nothing to listen on), STATE (ran already). */
BRINE_API int brine_server_run(struct brine_server *server, struct brine_error *error);

/* Instead of brine_server_run(): a loop of the program's serves, with options.loops 1. It waits until the descriptor is
 * ready for the events of poll() that get_events says, for get_timeout_ms at most, and then calls
 * brine_server_process(). For libuv, libev, sd-event and GLib there are headers in brine/loop. Handlers are called
 * inside process, on whichever thread calls it, one thread at a time. Between two calls of it nothing is read.
 * Functions that wait must not be used on that thread, as on every loop thread.
 *
 * The descriptor is the server's and stays the same. Errors: BRINE_ERR_STATE (several loops, or brine_server_run() was
 * called), FORKED. */
BRINE_API int brine_server_get_fd(const struct brine_server *server);
BRINE_API int brine_server_get_events(const struct brine_server *server);
/* Milliseconds, as poll() takes them: -1 for no end. Ask each time before the wait. */
BRINE_API int brine_server_get_timeout_ms(const struct brine_server *server);

/* Does what can be done without waiting for a peer. 0: go on; 1: brine_server_stop() was called and nothing is left to
 * do: it waits for handlers on workers before it says so, as brine_server_run() does. Errors: BRINE_ERR_STATE, FORKED
 * as above; BUSY (called by a handler of the server); SYSTEM: it cannot go on. */
BRINE_API int brine_server_process(struct brine_server *server);

/* What was counted until now. Any thread. */
BRINE_API void brine_server_counters(const struct brine_server *server, struct brine_server_counters *ret_counters);

/* Stops: the first call drains (no new connections, goaway, running calls finish or are cancelled at drain_ms), the
 * second ends at once. Safe in signal handlers and from any thread. */
BRINE_API void brine_server_stop(struct brine_server *server);

/* The rest is for handlers. A request lives until its handler has returned something else than BRINE_PENDING, or until
 * its answer. One thread at a time uses it: the handler's, or after BRINE_PENDING whichever the program hands it to. In
 * a forked child functions return BRINE_ERR_FORKED, or NULL, and a handler must not return. */

/* The method's wire name. Lives as long as the request. */
BRINE_API struct brine_str brine_request_method(const struct brine_request *request);
/* True when nobody waits for an answer. */
BRINE_API bool brine_request_is_notification(const struct brine_request *request);
/* True once the caller cancelled, its deadline passed or its connection ended, and for NULL: stop working. Any thread.
 * A handler that waits is told by brine_request_cancelled_fd(), one that returned BRINE_PENDING by
 * brine_request_on_ready(). */
BRINE_API bool brine_request_cancelled(const struct brine_request *request);
/* For a handler on a worker that waits for something else, by poll() and the like: a descriptor that becomes readable
 * when the request is cancelled, for whatever reason. The request's, for as long as that lives: neither read nor close
 * it. The loop of the connection signals it (in a client, whoever moves its bytes). BRINE_ERR_SYSTEM, FORKED. */
BRINE_API int brine_request_cancelled_fd(struct brine_request *request);
/* Milliseconds until the deadline, 0 when past, BRINE_FOREVER for none. Calls that the handler makes inherit it, and
 * the cancellation, by `call.parent = request` (brine/client.h). Any thread. */
BRINE_API uint64_t brine_request_remaining_ms(const struct brine_request *request);
/* The encoded metadata map, see metadata.h; size 0: none. Lives as long as the request. */
BRINE_API struct brine_bytes brine_request_metadata(const struct brine_request *request);
/* The peer. Lives as long as the request. Of a request that a client handles: the address of its server, no more. */
BRINE_API const struct brine_peer *brine_request_peer(const struct brine_request *request);

/* The client that calls the peer of this request, over the same connection, also while the peer waits for its answer;
 * borrowed, lives as long as the request. NULL: out of memory, or the connection has ended. In a client's handler it is
 * that client. Calls of a server's client end with BRINE_ERR_STATE where the peer said no hello or speaks plain
 * MessagePack-RPC (it may only be answered), and with NOT_SENT once the connection has ended. Its on_done and on_ready
 * are called on the loop of the connection; functions that wait may be used on workers and threads of the program.
 * While a worker waits so another one takes its place, up to 256 of them; beyond that the call ends with OVERLOADED.
 * Calls that hand a call on should end with it: `call.parent = request`. */
BRINE_API struct brine_client *brine_request_client(struct brine_request *request);

/* The same, owned by the caller until brine_client_free(), which lets go of it: the connection and calls under way stay
 * as they are. For calls and notifications after the answer. Not of a client's own request: NULL. */
BRINE_API struct brine_client *brine_request_keep_client(struct brine_request *request);

/* Lets a pointer of the program's travel with the request: from an interceptor to the handler (who is calling), from
 * before to after (when it began). key is any address of the program's, compared as such; a second value takes the
 * place of the first. What value points to is the program's: memory of brine_request_alloc() lives long enough.
 * BRINE_ERR_NOMEM. */
BRINE_API int brine_request_attach(struct brine_request *request, const void *key, void *value);
/* What was attached under that key, or NULL. */
BRINE_API void *brine_request_attached(const struct brine_request *request, const void *key);

/* For interceptors, answered and after: the code of the error that is the answer; 0: none is. */
BRINE_API int64_t brine_request_code(const struct brine_request *request);

/* Memory that lives until the answer is encoded; zeroed; NULL when out of memory. */
BRINE_API void *brine_request_alloc(struct brine_request *request, size_t size);
BRINE_API struct brine_str brine_request_printf(struct brine_request *request, const char *format, ...)
        BRINE_PRINTF(2, 3);

/* Answers with an error: code of enum brine_code or the application's (100 and above). Returns a negative code, so that
 * handlers say `return brine_request_fail(...)`. The text travels to the peer. */
BRINE_API int brine_request_fail(struct brine_request *request, int64_t code, const char *format, ...)
        BRINE_PRINTF(3, 4);
/* The same with typed error data. */
BRINE_API int brine_request_fail_data(struct brine_request *request, int64_t code, const struct brine_type *type,
                                      const void *data, const char *format, ...) BRINE_PRINTF(5, 6);

/* Answers with one encoded value (untyped handlers), size 0: nil; copied. Inside the handler or, after BRINE_PENDING,
 * later, which ends the request. Errors: BRINE_ERR_STATE (answered already), CANCELLED, DEADLINE, LOST (nobody waits),
 * NOMEM: the request is ended all the same. TOO_BIG: likewise; other threads than the request's loop do not hear of it:
 * the peer is told and the log. MALFORMED, DEPTH, TRAILING (not one value): nothing was sent and the request is still
 * open; INVALID likewise, a result other than nil beside an answer stream. */
BRINE_API int brine_request_reply_raw(struct brine_request *request, struct brine_bytes result);
/* The same with a struct of the method's response type: the later answer of a typed handler; NULL after an answer
 * stream. A result that does not fit its schema is answered with error 10, the reason returned and told to the log. */
BRINE_API int brine_request_reply(struct brine_request *request, const void *response);
/* The same for a request of that method and no other, with a response of its type. Generated stubs call this.
 * BRINE_ERR_INVALID: the request is of another method, which the log is told with both names. Nothing was sent then and
 * the request is still open. */
BRINE_API int brine_request_reply_as(struct brine_request *request, const struct brine_method *method,
                                     const void *response);

/* Streams. Handlers of BRINE_METHOD_UPLOAD have no arguments but items, those of BRINE_METHOD_DOWNLOAD no result but
 * items: their invoke gets NULL for the one or the other. Items go out in order, before the answer; an answer stream
 * ends when the handler returns 0, by brine_request_reply(request, NULL), or with an error. A slow peer makes its own
 * stream wait and no other. The functions below wait on workers and in threads of the program; on loop threads, where
 * nothing may wait, they return BRINE_ERR_WOULD_BLOCK: mark the method blocking, or use brine_request_on_ready(). A
 * worker that waits in them keeps its place among options.workers. For a client's handlers see brine_client_serve().
 */

/* Takes the next upload item, a struct of the method's request type: 1 and *ret_item, whose views live until the next
 * _next on the request; 0: the upload has ended. Errors: WOULD_BLOCK; CANCELLED, DEADLINE, LOST (items that had come
 * are given first) and what else ended the call; STATE (no upload, or answered already); NOMEM; an item that does not
 * fit its schema, and TOO_BIG where one takes too much memory when decoded: the call was answered error 1 or 7 then.
 * The request lives on until the handler or on_ready in which that was found has returned; elsewhere it is gone. */
BRINE_API int brine_request_next(struct brine_request *request, void *ret_item);
/* The same for a request of that method and no other, as brine_request_reply_as(). */
BRINE_API int brine_request_next_as(struct brine_request *request, const struct brine_method *method, void *ret_item);
/* The same, encoded: one value. */
BRINE_API int brine_request_next_raw(struct brine_request *request, struct brine_bytes *ret_item);

/* Sends an item of the answer stream, a struct of the method's response type; copied. Waits while 64 KiB of items wait
 * for the peer. 0, or: WOULD_BLOCK; CANCELLED, DEADLINE, LOST, TOO_BIG (an item before this one was over the peer's
 * limit, which ended the call), NO_PROGRESS (the peer took nothing for too long) and what else ended the call; STATE
 * (no answer stream, or answered already); NOMEM; encoding errors: nothing was sent, the call goes on. */
BRINE_API int brine_request_send(struct brine_request *request, const void *item);
/* The same for a request of that method and no other, as brine_request_reply_as(). */
BRINE_API int brine_request_send_as(struct brine_request *request, const struct brine_method *method, const void *item);
/* The same with one encoded value. */
BRINE_API int brine_request_send_raw(struct brine_request *request, struct brine_bytes item);

/* The event form, for handlers that returned BRINE_PENDING: on_ready is called on the request's loop thread (a
 * client's: like its callbacks) when a _next or _send that said WOULD_BLOCK may be tried again, and once when the
 * request is cancelled, for whatever reason; sometimes for nothing. Never inside other functions of the request, and
 * not after the answer; one that another thread gives meanwhile may find it running, and the request then lives until
 * it returns. NULL: no more. */
BRINE_API void brine_request_on_ready(struct brine_request *request,
                                      void (*on_ready)(struct brine_request *request, void *user), void *user);

BRINE_END

#endif
