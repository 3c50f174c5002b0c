/* rpc/server.h - inside a server. */
#ifndef BRINE_RPC_SERVER_H
#define BRINE_RPC_SERVER_H

#include "base/meter.h"
#include "rpc/lane.h"
#include "rpc/log.h"
#include "rpc/methods.h"
#include "rpc/owner.h"
#include "rpc/quota.h"
#include "rpc/workers.h"

struct brine_server {
	struct brine_server_options options; /* name points to our copy */
	struct brine_meter *meter;           /* options.allocator goes through it; NULL: no limit of memory */
	struct brine_owner owner;
	struct brine_methods methods; /* not changed while the server runs */
	struct brine_log log;
	struct brine_quota quota;
	struct brine_port *ports;  /* in the order they were made; served by the first lane */
	struct brine_lane **lanes; /* options.loops; the first runs in the thread of brine_server_run() */
	struct brine_workers workers;
	uint64_t seed;
	atomic_uint_fast64_t connections_made;
	atomic_int stops; /* how often brine_server_stop() was called */
	bool ran;         /* brine_server_run() was called: nothing more can be registered */
};

/* Whether nothing new may begin, for want of memory. Any thread. */
static inline bool brine_server_is_short(const struct brine_server *server)
{
	return brine_meter_is_short(server->meter);
}

#endif
