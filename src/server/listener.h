/* server/listener.h - a listening socket of a server. */
#ifndef BRINE_SERVER_LISTENER_H
#define BRINE_SERVER_LISTENER_H

#include "net/listen_socket.h"
#include "server/server.h"

struct brine_listener {
	struct brine_listener *next; /* in server->listeners */
	struct brine_server *server;
	struct brine_listen_socket *socket; /* NULL once it was closed */
	struct brine_watch watch;
	struct brine_timer pause; /* runs while there are no descriptors left for peers */
	struct brine_listen_options options;
	char address[BRINE_ADDR_TEXT_SIZE];
};

/* How a listener treats its peers where nothing else was said: as the server's options do. */
struct brine_listen_options brine_listener_defaults(const struct brine_server *server);

/* Takes no new peers any more. What the listeners are called stays readable. */
void brine_listeners_close(struct brine_server *server);

/* Closes and releases them all. In a forked child their paths are left to the parent. */
void brine_listeners_free(struct brine_server *server, bool forked);

#endif
