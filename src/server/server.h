/* server/server.h - inside a server. */
#ifndef BRINE_SERVER_SERVER_H
#define BRINE_SERVER_SERVER_H

#include "base/meter.h"
#include "dispatch/methods.h"
#include "run/fork_guard.h"
#include "run/log.h"
#include "run/pool.h"
#include "server/loop_thread.h"
#include "server/peer_limit.h"

struct brine_server {
	struct brine_server_options options; /* name points to our copy */
	struct brine_meter *meter;           /* options.allocator goes through it; NULL: no limit of memory */
	struct brine_fork_guard fork_guard;
	struct brine_methods methods; /* not changed while the server runs */
	struct brine_log log;
	struct brine_peer_limit peer_limit;
	struct brine_listener *listeners;        /* in the order they were made; served by the first loop thread */
	struct brine_loop_thread **loop_threads; /* options.loops; the first runs in the thread of brine_server_run() */
	struct brine_pool pool;
	uint64_t seed;
	atomic_uint_fast64_t connections_made;
	atomic_int stops; /* how often brine_server_stop() was called */
	bool ran;         /* brine_server_run() or _process() was called: nothing more can be registered */
	bool is_embedded; /* it was _process() */
	bool has_ended;   /* which said that it has stopped */
};

/* Whether nothing new may begin, for want of memory. Any thread. */
static inline bool brine_server_is_short(const struct brine_server *server)
{
	return brine_meter_is_short(server->meter);
}

#endif
