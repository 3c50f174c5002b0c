/* rpc/port.h - a listening socket of a server. */
#ifndef BRINE_RPC_PORT_H
#define BRINE_RPC_PORT_H

#include "net/listener.h"
#include "rpc/server.h"

struct brine_port {
	struct brine_port *next; /* in server->ports */
	struct brine_server *server;
	struct brine_listener *listener; /* NULL once it was closed */
	struct brine_watch watch;
	struct brine_timer pause; /* runs while there are no descriptors left for peers */
	struct brine_listen_options options;
	char address[BRINE_ADDR_TEXT_SIZE];
};

/* How a port treats its peers where nothing else was said: as the server's options do. */
struct brine_listen_options brine_port_defaults(const struct brine_server *server);

/* Takes no new peers any more. What the ports are called stays readable. */
void brine_ports_close(struct brine_server *server);

/* Closes and releases them all. In a forked child their paths are left to the parent. */
void brine_ports_free(struct brine_server *server, bool forked);

#endif
