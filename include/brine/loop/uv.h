/* brine/loop/uv.h - a client or a server in a libuv loop. Link libuv; the library itself does not.
 *
 *   options.mode = BRINE_CLIENT_LOOP;
 *   brine_client_open(&client, address, &options, &error);
 *   brine_uv_attach(&adapter, client, loop);              calls begin, on_done comes from uv_run()
 *   ...
 *   brine_uv_detach(&adapter, detached); brine_client_free(client);
 *
 * All of it on the loop's thread. An attached client keeps the loop running, as every handle does. */
#ifndef BRINE_LOOP_UV_H
#define BRINE_LOOP_UV_H

#include <brine/loop/target.h>

#include <uv.h>

#include <errno.h>

/* The caller's storage, from attach until `detached` was called; neither moved nor copied meanwhile. Private but for
 * user, which is the caller's. The client and the loop stay the caller's too and must outlive it. */
struct brine_uv {
	void *user;
	struct brine_loop_target target;
	uv_poll_t readable;
	uv_timer_t timer;
	uv_prepare_t prepare;
	unsigned open; /* handles that libuv has not let go */
	void (*detached)(struct brine_uv *adapter);
};

static inline void brine_uv_process(struct brine_uv *adapter)
{
	brine_loop_target_process(adapter->target);
}

static inline void brine_uv_on_readable(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	brine_uv_process((struct brine_uv *)handle->data);
}

static inline void brine_uv_on_timer(uv_timer_t *handle)
{
	brine_uv_process((struct brine_uv *)handle->data);
}

/* Before the loop waits: whatever ran since may have begun calls, whose deadlines count. */
static inline void brine_uv_on_prepare(uv_prepare_t *handle)
{
	struct brine_uv *adapter = (struct brine_uv *)handle->data;
	int timeout_ms = brine_loop_target_timeout_ms(&adapter->target);
	if (timeout_ms < 0)
		uv_timer_stop(&adapter->timer);
	else
		uv_timer_start(&adapter->timer, brine_uv_on_timer, (uint64_t)timeout_ms, 0);
}

static inline int brine_uv_attach_target(struct brine_uv *adapter, struct brine_loop_target target, uv_loop_t *loop)
{
	if (!adapter || !loop)
		return BRINE_ERR_INVALID;
	int fd = brine_loop_target_fd(&target);
	if (fd < 0)
		return fd;
	int status = uv_poll_init(loop, &adapter->readable, fd);
	if (status < 0) {
		errno = -status;
		return BRINE_ERR_SYSTEM;
	}
	uv_timer_init(loop, &adapter->timer);
	uv_prepare_init(loop, &adapter->prepare);
	adapter->target = target;
	adapter->readable.data = adapter->timer.data = adapter->prepare.data = adapter;
	adapter->open = 3;
	uv_poll_start(&adapter->readable, UV_READABLE, brine_uv_on_readable);
	uv_prepare_start(&adapter->prepare, brine_uv_on_prepare);
	return 0;
}

/* Attaches a client of mode LOOP. 0; BRINE_ERR_STATE: another mode; BRINE_ERR_SYSTEM with errno: libuv refused. On
 * failure nothing is attached. adapter->user is left as it is. */
static inline int brine_uv_attach(struct brine_uv *adapter, struct brine_client *client, uv_loop_t *loop)
{
	return brine_uv_attach_target(adapter, brine_loop_target_client(client), loop);
}

/* Attaches a server instead, which has one loop (options.loops) and does not run: it serves from here on. ended: called
 * once brine_server_stop() was heeded and nothing is left to do, or when the server cannot go on; it must detach, and
 * may free the server. Returns as above. */
static inline int brine_uv_attach_server(struct brine_uv *adapter, struct brine_server *server, uv_loop_t *loop,
                                         void (*ended)(struct brine_server *server, void *user), void *user)
{
	return brine_uv_attach_target(adapter, brine_loop_target_server(server, ended, user), loop);
}

static inline void brine_uv_on_close(uv_handle_t *handle)
{
	struct brine_uv *adapter = (struct brine_uv *)handle->data;
	if (--adapter->open == 0 && adapter->detached)
		adapter->detached(adapter);
}

/* Detaches, once, before the client is freed; also from inside any callback. The client is not touched again, so it may
 * be freed at once; the storage is libuv's until `detached` (NULL: none) was called, from uv_run(). */
static inline void brine_uv_detach(struct brine_uv *adapter, void (*detached)(struct brine_uv *adapter))
{
	if (!adapter)
		return;
	adapter->detached = detached;
	uv_close((uv_handle_t *)&adapter->readable, brine_uv_on_close);
	uv_close((uv_handle_t *)&adapter->timer, brine_uv_on_close);
	uv_close((uv_handle_t *)&adapter->prepare, brine_uv_on_close);
}

#endif
