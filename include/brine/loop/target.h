/* brine/loop/target.h - what the adapters of this folder drive: a client of mode LOOP, or a server. */
#ifndef BRINE_LOOP_TARGET_H
#define BRINE_LOOP_TARGET_H

#include <brine/client.h>
#include <brine/server.h>

/* Private to the adapters. */
struct brine_loop_target {
	struct brine_client *client; /* NULL: the server */
	struct brine_server *server;
	void (*ended)(struct brine_server *server, void *user);
	void *user;
};

static inline struct brine_loop_target brine_loop_target_client(struct brine_client *client)
{
	struct brine_loop_target target = {client, NULL, NULL, NULL};
	return target;
}

static inline struct brine_loop_target brine_loop_target_server(struct brine_server *server,
                                                                void (*ended)(struct brine_server *server, void *user),
                                                                void *user)
{
	struct brine_loop_target target = {NULL, server, ended, user};
	return target;
}

static inline int brine_loop_target_fd(const struct brine_loop_target *target)
{
	return target->client ? brine_client_get_fd(target->client) : brine_server_get_fd(target->server);
}

static inline int brine_loop_target_timeout_ms(const struct brine_loop_target *target)
{
	return target->client ? brine_client_get_timeout_ms(target->client)
	                      : brine_server_get_timeout_ms(target->server);
}

/* Lets it work. Its callbacks may detach, so that nothing is touched after them: a copy is passed. How a connection of
 * a client fares is told to its calls. */
static inline void brine_loop_target_process(struct brine_loop_target target)
{
	if (target.client)
		(void)brine_client_process(target.client);
	else if (brine_server_process(target.server) != 0 && target.ended)
		target.ended(target.server, target.user);
}

#endif
