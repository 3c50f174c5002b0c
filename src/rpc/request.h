/* rpc/request.h - one call or notification of a peer while its handler works on it. */
#ifndef BRINE_RPC_REQUEST_H
#define BRINE_RPC_REQUEST_H

#include "rpc/methods.h"

#include <stdatomic.h>

struct brine_session;

/* Lives in the list of its session, or of its server once the connection is gone. */
struct brine_request {
	struct brine_request *next, *previous;
	struct brine_server *server;
	struct brine_session *session; /* NULL: the connection is gone */
	const struct brine_entry *entry;
	uint64_t serial; /* 0: a notification */
	uint64_t deadline_ms;
	struct brine_str method;
	struct brine_bytes params;
	struct brine_bytes metadata;
	struct brine_peer peer;
	struct brine_arena
	        arena; /* everything of the request: name, params, decoded message, what the handler builds */
	atomic_bool cancelled;
	bool running;  /* its handler is on the stack: it must not be freed */
	bool answered; /* nothing more may be sent */
};

/* Requests in one list, newest first. */
struct brine_request_list {
	struct brine_request *first;
};

void brine_request_list_add(struct brine_request_list *list, struct brine_request *request);
void brine_request_list_remove(struct brine_request_list *list, struct brine_request *request);

/* Copies what the event says; NULL when out of memory. The request stands in its session's list. */
struct brine_request *brine_request_new(struct brine_session *session, const struct brine_entry *entry,
                                        const struct brine_event *event);

/* Ends the request: answered or not, its memory goes back. Its handler must not be running. */
void brine_request_end(struct brine_request *request);

/* The request of that serial, or NULL. */
struct brine_request *brine_request_find(const struct brine_request_list *list, uint64_t serial);

/* Tells the program's log what went wrong with a request; detail is escaped already. */
void brine_request_log(struct brine_request *request, const char *what, const char *detail);

/* Takes a request out of a session that ends. It waits for its handler in the server's list. */
void brine_request_orphan(struct brine_request *request);

#endif
