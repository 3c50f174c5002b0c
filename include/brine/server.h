/* brine/server.h - answers calls. Register, listen, run; handlers run on the thread of brine_server_run(). */
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

/* A handler may return this: the answer comes later through brine_request_reply(), _reply_raw() or _fail(). */
#define BRINE_PENDING 1

/* Where the peer of a request is. On Unix sockets uid, gid and pid come from the kernel; elsewhere has_credentials is
 * false. */
struct brine_peer {
	char address[128]; /* "tcp://127.0.0.1:40312", "unix:///run/x.sock" */
	bool has_credentials;
	uint32_t uid, gid;
	int32_t pid;
};

/* Tells the program what the server notices (a peer refused, accept failing ...): one escaped line. Called from the
 * thread of brine_server_run(); must not block and must not call the server but brine_server_stop(). */
typedef void brine_log_fn(void *user, const char *line);

struct brine_server_options {
	size_t struct_size;
	const char *name; /* told in welcome; NULL: none. Copied. */
	struct brine_limits limits;
	uint32_t connections_max; /* more are closed without a byte */
	uint64_t drain_ms;        /* brine_server_stop(): how long running calls may take */
	int plain_errors;         /* enum brine_plain_errors */
	bool plain_refused;       /* framed peers only */
	int unix_mode;            /* permissions of Unix sockets, set before listen */
	brine_log_fn *log;        /* NULL: none */
	void *log_user;
	brine_tap_fn *tap; /* sees every message; NULL: none */
	void *tap_user;
	const struct brine_allocator *allocator; /* NULL: the default; must outlive the server */
};
#define BRINE_SERVER_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		sizeof(struct brine_server_options), NULL, BRINE_LIMITS_INIT, 10000, 30000, BRINE_PLAIN_ERRORS_TEXT,   \
		        false, 0600, NULL, NULL, NULL, NULL, NULL                                                      \
	}

/* What happened since the server was made. Never wrap within 64 bits. */
struct brine_server_counters {
	uint64_t connections_accepted;
	uint64_t connections_refused;   /* over connections_max, or no descriptor or memory left for them */
	uint64_t connections_open;      /* now */
	uint64_t requests;              /* calls that reached a handler */
	uint64_t notifications;         /* notifications that reached a handler */
	uint64_t notifications_dropped; /* unknown, malformed, or their handler failed */
};

/* Handles an untyped call: params is one encoded array that lives as long as the request. Returns 0 after
 * brine_request_reply_raw() (or for a nil answer), BRINE_PENDING, or brine_request_fail(...). */
typedef int brine_raw_handler_fn(struct brine_request *request, struct brine_bytes params, void *user);

BRINE_BEGIN

/* Creates a server, owned by the caller until brine_server_free(). Options are copied; NULL: the defaults.
 * Errors: BRINE_ERR_INVALID, NOMEM, SYSTEM; *ret_server is then untouched. */
BRINE_API int brine_server_new(struct brine_server **ret_server, const struct brine_server_options *options);

/* Closes everything at once and releases it. NULL is allowed. Not while brine_server_run() runs. Requests still pending
 * end. */
BRINE_API void brine_server_free(struct brine_server *server);

/* Registers the methods of a service: handlers is the generated struct of function pointers, whose NULL members answer
 * "no such method". handlers, service and user must outlive the server. Before run only. Errors: BRINE_ERR_EXISTS (a
 * wire name registered already), ABI, INVALID, NOMEM. Nothing is then registered. */
BRINE_API int brine_server_serve(struct brine_server *server, const struct brine_service *service, const void *handlers,
                                 void *user, struct brine_error *error);

/* Registers one untyped method under its wire name (copied); method NULL: every name not registered otherwise. */
BRINE_API int brine_server_serve_raw(struct brine_server *server, const char *method, brine_raw_handler_fn *handler,
                                     void *user, struct brine_error *error);

/* Listens on an address, several times for several: "tcp://127.0.0.1:7411", "tcp://[::1]:0" (any free port),
 * "unix:///run/x.sock", "unix://@abstract". A Unix path left over from a dead server is replaced, a live one never.
 * Errors: BRINE_ERR_ADDRESS, ADDRESS_IN_USE, NOT_SOCKET, RESOLVE, SYSTEM, NOMEM; the text says what to do. */
BRINE_API int brine_server_listen(struct brine_server *server, const char *address, struct brine_error *error);

/* The address of the listener of that number (0 first), with the port the kernel chose; NULL beyond the last. Borrowed
 * until brine_server_free(). */
BRINE_API const char *brine_server_address(const struct brine_server *server, unsigned number);

/* Serves until brine_server_stop(), once in the server's life. 0 after a stop. Errors: BRINE_ERR_SYSTEM, NOMEM, FORKED,
 * INVALID (nothing to listen on), STATE (ran already). */
BRINE_API int brine_server_run(struct brine_server *server, struct brine_error *error);

/* Borrowed while the server lives; for the server's thread, or when it does not run. */
BRINE_API const struct brine_server_counters *brine_server_counters(const struct brine_server *server);

/* Stops: the first call drains (no new connections, goaway, running calls finish or are cancelled at drain_ms), the
 * second ends at once. Safe in signal handlers and from any thread. */
BRINE_API void brine_server_stop(struct brine_server *server);

/* The rest is for handlers. A request lives until its handler has returned something else than BRINE_PENDING, or until
 * its answer. Except where said, only the server's thread may use it. */

/* The method's wire name. Lives as long as the request. */
BRINE_API struct brine_str brine_request_method(const struct brine_request *request);
/* True when nobody waits for an answer. */
BRINE_API bool brine_request_is_notification(const struct brine_request *request);
/* True once the caller cancelled, its deadline passed or its connection ended: stop working. Any thread. */
BRINE_API bool brine_request_cancelled(const struct brine_request *request);
/* Milliseconds until the deadline, 0 when past, BRINE_FOREVER for none. Any thread. */
BRINE_API uint64_t brine_request_remaining_ms(const struct brine_request *request);
/* The encoded metadata map; size 0: none. Lives as long as the request. */
BRINE_API struct brine_bytes brine_request_metadata(const struct brine_request *request);
/* The peer. Lives as long as the request. */
BRINE_API const struct brine_peer *brine_request_peer(const struct brine_request *request);

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

/* Answers with one encoded value (untyped handlers), size 0: nil. Inside the handler or, after BRINE_PENDING, later,
 * which ends the request. Errors: BRINE_ERR_STATE (answered already), CANCELLED, DEADLINE, LOST (nobody waits),
 * TOO_BIG, NOMEM: the request is ended all the same. MALFORMED, DEPTH, TRAILING (not one value): nothing was sent and
 * the request is still open. */
BRINE_API int brine_request_reply_raw(struct brine_request *request, struct brine_bytes result);
/* The same with a struct of the method's response type: the later answer of a typed handler. A result that does not fit
 * its schema is answered with error 10, the reason returned and told to the log. */
BRINE_API int brine_request_reply(struct brine_request *request, const void *response);

BRINE_END

#endif
