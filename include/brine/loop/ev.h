/* brine/loop/ev.h - a client in a libev loop. Link libev; the library itself does not.
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

#include <brine/client.h>

#include <ev.h>

/* The caller's storage, from attach to detach; neither moved nor copied meanwhile. Private. The client and the loop
 * stay the caller's and must outlive it. */
struct brine_ev {
	struct brine_client *client;
	struct ev_loop *loop;
	ev_io readable;
	ev_timer timer;
	ev_prepare prepare;
};

/* Lets the client work. Its callbacks may detach, so nothing is touched after it. How the connection fares is told to
 * the calls. */
static inline void brine_ev_on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop;
	(void)events;
	brine_client_process((struct brine_client *)watcher->data);
}

static inline void brine_ev_on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop;
	(void)events;
	brine_client_process((struct brine_client *)watcher->data);
}

/* Before the loop waits: whatever ran since may have begun calls, whose deadlines count. */
static inline void brine_ev_on_prepare(struct ev_loop *loop, ev_prepare *watcher, int events)
{
	struct brine_ev *adapter = (struct brine_ev *)watcher->data;
	int timeout_ms = brine_client_get_timeout_ms(adapter->client);
	(void)events;
	ev_timer_stop(loop, &adapter->timer);
	if (timeout_ms < 0)
		return;
	ev_timer_set(&adapter->timer, timeout_ms / 1000., 0.);
	ev_timer_start(loop, &adapter->timer);
}

/* Attaches a client of mode LOOP. 0; BRINE_ERR_STATE: another mode, nothing is attached then. */
static inline int brine_ev_attach(struct brine_ev *adapter, struct brine_client *client, struct ev_loop *loop)
{
	if (!adapter || !loop)
		return BRINE_ERR_INVALID;
	int fd = brine_client_get_fd(client);
	if (fd < 0)
		return fd;
	adapter->client = client;
	adapter->loop = loop;
	ev_io_init(&adapter->readable, brine_ev_on_readable, fd, EV_READ);
	ev_timer_init(&adapter->timer, brine_ev_on_timer, 0., 0.);
	ev_prepare_init(&adapter->prepare, brine_ev_on_prepare);
	adapter->readable.data = adapter->timer.data = client;
	adapter->prepare.data = adapter;
	ev_io_start(loop, &adapter->readable);
	ev_prepare_start(loop, &adapter->prepare);
	return 0;
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
