/* rpc/server.h - inside a server. */
#ifndef BRINE_RPC_SERVER_H
#define BRINE_RPC_SERVER_H

#include "net/loop.h"
#include "rpc/log.h"
#include "rpc/methods.h"
#include "rpc/owner.h"
#include "rpc/request.h"

#include <stdatomic.h>

struct brine_server {
	struct brine_server_options options; /* name points to our copy */
	struct brine_owner owner;
	struct brine_loop *loop;
	struct brine_methods methods;
	struct brine_log log;
	struct brine_port *ports; /* in the order they were made */
	struct brine_session *sessions;
	struct brine_session *touched;      /* those with something to do before the loop waits again, in order */
	struct brine_session *touched_last; /* while there is one */
	struct brine_request_list orphans;  /* requests whose connection has gone and whose handlers have not ended */
	struct brine_request *pool;         /* for the next requests */
	uint32_t pool_count;
	struct brine_buf scratch; /* encoded results */
	void *input;              /* BRINE_LINK_INPUT_SIZE bytes for reading */
	struct brine_server_counters counters;
	uint64_t seed;
	atomic_int stops; /* how often brine_server_stop() was called */
	int stops_seen;
	bool ran; /* brine_server_run() was called: nothing more can be registered */
};

/* Counts a notification that nobody got, and tells the log. what is escaped here. */
void brine_server_drop(struct brine_server *server, const struct brine_peer *peer, struct brine_str method,
                       const char *why);

#endif
