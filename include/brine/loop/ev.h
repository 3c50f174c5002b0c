/* brine/loop/ev.h - a client or a server in a libev loop. Link libev; the library itself does not.
 *
 *   options.mode = BRINE_CLIENT_LOOP;
 *   brine_client_open(&client, address, &options, &error);
 *   brine_ev_attach(&adapter, client, loop);              calls begin, on_done comes from ev_run()
 *   ...
 *   brine_ev_detach(&adapter); brine_client_free(client);
 *
 * All of it on the loop's thread. An attached client keeps the loop running, as every watcher does. The loop must be
 * made with multiplicity (libev's default). */
#ifndef BRINE_LOOP_EV_H
#define BRINE_LOOP_EV_H

#include <brine/loop/target.h>

#include <ev.h>

/* The caller's storage, from attach to detach; neither moved nor copied meanwhile. Private. The client and the loop
 * stay the caller's and must outlive it. */
struct brine_ev {
	struct brine_loop_target target;
	struct ev_loop *loop;
	ev_io readable;
	ev_timer timer;
	ev_prepare prepare;
};

static inline void brine_ev_on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	brine_loop_target_process(((struct brine_ev *)watcher->data)->target);
}

static inline void brine_ev_on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop;
	(void)events;
	brine_loop_target_process(((struct brine_ev *)watcher->data)->target);
}

/* Before the loop waits: whatever ran since may have begun calls, whose deadlines count. */
static inline void brine_ev_on_prepare(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct brine_ev *adapter = (struct brine_ev *)watcher->data;
	int timeout_ms = brine_loop_target_timeout_ms(&adapter->target);
	(void)events;
	ev_timer_stop(loop, &adapter->timer);
	if (timeout_ms < 0)
		return;
	ev_timer_set(&adapter->timer, timeout_ms / 1000., 0.);
	ev_timer_start(loop, &adapter->timer);
}

static inline int brine_ev_attach_target(struct brine_ev *adapter, struct brine_loop_target target,
                                         struct ev_loop *loop)
{
	if (!adapter || !loop)
		return BRINE_ERR_INVALID;
	int fd = brine_loop_target_fd(&target);
	if (fd < 0)
		return fd;
	adapter->target = target;
	adapter->loop = loop;
	ev_io_init(&adapter->readable, brine_ev_on_readable, fd, EV_READ);
	ev_timer_init(&adapter->timer, brine_ev_on_timer, 0., 0.);
	ev_prepare_init(&adapter->prepare, brine_ev_on_prepare);
	adapter->readable.data = adapter->timer.data = adapter->prepare.data = adapter;
	ev_io_start(loop, &adapter->readable);
	ev_prepare_start(loop, &adapter->prepare);
	return 0;
}

/* Attaches a client of mode LOOP. 0; BRINE_ERR_STATE: another mode, nothing is attached then. */
static inline int brine_ev_attach(struct brine_ev *adapter, struct brine_client *client, struct ev_loop *loop)
{
	return brine_ev_attach_target(adapter, brine_loop_target_client(client), loop);
}

/* Attaches a server instead, which has one loop (options.loops) and does not run: it serves from here on. ended: called
 * once brine_server_stop() was heeded and nothing is left to do, or when the server cannot go on; it must detach, and
 * may free the server. Returns as above. */
static inline int brine_ev_attach_server(struct brine_ev *adapter, struct brine_server *server, struct ev_loop *loop,
                                         void (*ended)(struct brine_server *server, void *user), void *user)
{
	return brine_ev_attach_target(adapter, brine_loop_target_server(server, ended, user), loop);
}

/* Detaches, before the client is freed; also from inside any callback. The storage is the caller's again at once. */
static inline void brine_ev_detach(struct brine_ev *adapter)
{
	if (!adapter)
		return;
	ev_io_stop(adapter->loop, &adapter->readable);
	ev_timer_stop(adapter->loop, &adapter->timer);
	ev_prepare_stop(adapter->loop, &adapter->prepare);
}

#endif
