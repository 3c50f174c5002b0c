/* brine/client.h - calls to a server.
 * A client holds one connection, made at the first call or by brine_client_connect(), and made anew by the next call
 * after it was lost; no call is ever sent twice. A blocking client moves bytes only inside calls: an idle one reads
 * nothing, not even pings. One thread at a time uses a client (BRINE_ERR_BUSY else). In a forked child every function
 * returns BRINE_ERR_FORKED. Nothing here raises SIGPIPE or changes signal handlers. */
#ifndef BRINE_CLIENT_H
#define BRINE_CLIENT_H

#include <brine/arena.h>
#include <brine/buf.h>
#include <brine/codec.h>
#include <brine/conn.h>
#include <brine/error.h>
#include <brine/limits.h>
#include <brine/type.h>

struct brine_client; /* opaque */

struct brine_client_options {
	size_t struct_size;
	uint64_t timeout_ms; /* of calls that say 0; 0: 30,000; BRINE_FOREVER: none */
	const char *name;    /* told in hello; NULL: none. Copied. */
	bool hello;          /* say hello (WIRE.md section 5), framed only */
	struct brine_limits limits;
	brine_tap_fn *tap; /* sees every message, from the calling thread; must not use the client; NULL: none */
	void *tap_user;
	const struct brine_allocator *allocator; /* NULL: the default; must outlive the client and its calls */
};
#define BRINE_CLIENT_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		sizeof(struct brine_client_options), 30000, NULL, true, BRINE_LIMITS_INIT, NULL, NULL, NULL            \
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
	struct brine_bytes metadata; /* in: an encoded map; size 0: none. Borrowed until the call returns */
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
	void *private_[4];
};
#define BRINE_CALL_INIT                                                                                                \
	{                                                                                                              \
		.struct_size = sizeof(struct brine_call)                                                               \
	}

BRINE_BEGIN

/* Creates a client for an address: "tcp://host:port", "tcp://[::1]:port", "unix:///path", "unix://@abstract",
 * "msgpack-rpc://host:port", "msgpack-rpc+unix:///path" (plain MessagePack-RPC peers). Parses, but does not connect.
 * *ret_client is owned by the caller until brine_client_free(). Options are copied; NULL: the defaults.
 * Errors: BRINE_ERR_ADDRESS with the position of the fault, INVALID, NOMEM; *ret_client is then untouched. */
BRINE_API int brine_client_open(struct brine_client **ret_client, const char *address,
                                const struct brine_client_options *options, struct brine_error *error);

/* The same over a connected stream socket, which the client owns from then on, also on error. Once its connection has
 * ended, calls return BRINE_ERR_NOT_SENT. Errors: BRINE_ERR_INVALID (not a stream socket), SYSTEM, NOMEM. */
BRINE_API int brine_client_open_fd(struct brine_client **ret_client, int fd, const struct brine_client_options *options,
                                   struct brine_error *error);

/* Connects now; timeout_ms 0: the client's default. 0 also when connected already. Errors: BRINE_ERR_RESOLVE, CONNECT,
 * DEADLINE, SYSTEM, NOMEM, BUSY, FORKED; NOT_SENT for a client of a descriptor that has ended. */
BRINE_API int brine_client_connect(struct brine_client *client, uint64_t timeout_ms, struct brine_error *error);

/* Closes in order, which takes limits.linger_ms at most, and releases everything. NULL is allowed. Not while a call
 * runs. Calls and what they hold outlive the client. In a forked child: only closes descriptors and releases memory. */
BRINE_API void brine_client_free(struct brine_client *client);

/* Waits for a typed call. request and response are structs of method->request and method->response; response NULL drops
 * the answer; it is written only on success. call NULL: a call with the defaults; the response must then hold no views
 * (BRINE_ERR_INVALID else). Generated stubs call this. 0, or how the call ended:
 *   REMOTE: the peer answered with an error, see brine_call_code() and brine_call_error_data()
 *   DEADLINE, CANCELLED: whoever noticed
 *   LOST: the connection ended, the call may have run
 *   NOT_SENT, CONNECT, RESOLVE, SYSTEM, TOO_BIG, OVERLOADED, GOING_AWAY, INVALID, BUSY, FORKED: nothing was sent
 *   NOT_BRINE: the peer speaks something else
 *   errors of brine_encode(): nothing was sent; errors of brine_decode(): the answer does not fit
 *   NOMEM: out of memory before anything was sent, or keeping the answer
 * BRINE_ERR_BUSY for a call that is running leaves that call alone. */
BRINE_API int brine_client_call(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                                const void *request, void *response);

/* Waits for an untyped call: params is one encoded array (size 0: []), borrowed until it returns. brine_call_result()
 * has the encoded answer. Errors: as above. */
BRINE_API int brine_client_call_raw(struct brine_client *client, struct brine_call *call, const char *method,
                                    struct brine_bytes params);

/* Sends a notification; returns when it was handed to the kernel. call: timeout and metadata, NULL: defaults. Errors:
 * as above but REMOTE; after DEADLINE it may still go out, with the next call. */
BRINE_API int brine_client_notify(struct brine_client *client, struct brine_call *call,
                                  const struct brine_method *method, const void *request);
BRINE_API int brine_client_notify_raw(struct brine_client *client, struct brine_call *call, const char *method,
                                      struct brine_bytes params);

/* How the last call ended: 0 or a negative code, as the call returned it. */
BRINE_API int brine_call_status(const struct brine_call *call);

/* The peer's error: its code (enum brine_code or the application's; valid with BRINE_ERR_REMOTE, DEADLINE, CANCELLED),
 * its data as an encoded value (size 0: none). Live as long as the call's memory. */
BRINE_API int64_t brine_call_code(const struct brine_call *call);
BRINE_API struct brine_bytes brine_call_error_data(const struct brine_call *call);

/* Decodes the error data into a struct of `type`. Errors as brine_loads(); BRINE_ERR_NOT_FOUND where there is none. */
BRINE_API int brine_call_error_loads(struct brine_call *call, const struct brine_type *type, void *ret_message);

/* One line for people, never NULL, escaped: what happened and what to do. Lives until the next use of the call. */
BRINE_API const char *brine_call_error_text(const struct brine_call *call);

/* The encoded answer and its metadata; size 0: none. Live as long as the call's memory. */
BRINE_API struct brine_bytes brine_call_result(const struct brine_call *call);
BRINE_API struct brine_bytes brine_call_metadata(const struct brine_call *call);

/* Releases what the call holds; it can be used again. NULL and idle calls are allowed; a running one is left alone. */
BRINE_API void brine_call_done(struct brine_call *call);

BRINE_END

#endif
