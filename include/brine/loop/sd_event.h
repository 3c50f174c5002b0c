/* brine/loop/sd_event.h - a client or a server in an sd-event loop. Link libsystemd; the library itself does not.
 *
 *   options.mode = BRINE_CLIENT_LOOP;
 *   brine_client_open(&client, address, &options, &error);
 *   brine_sd_event_attach(&adapter, client, event);       calls begin, on_done comes from sd_event_loop()
 *   ...
 *   brine_sd_event_detach(&adapter); brine_client_free(client);
 *
 * All of it on the loop's thread. */
#ifndef BRINE_LOOP_SD_EVENT_H
#define BRINE_LOOP_SD_EVENT_H

#include <brine/loop/target.h>

#include <systemd/sd-event.h>

#include <errno.h>
#include <time.h>

/* The caller's storage, from attach to detach; neither moved nor copied meanwhile. Private. The client stays the
 * caller's and must outlive it; the event loop is kept by its sources. */
struct brine_sd_event {
	struct brine_loop_target target;
	sd_event_source *readable;
	sd_event_source *timer;
};

/* A negative result would switch the source off. */
static inline int brine_sd_event_on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	(void)source;
	(void)fd;
	(void)events;
	brine_loop_target_process(((struct brine_sd_event *)user)->target);
	return 0;
}

static inline int brine_sd_event_on_timer(sd_event_source *source, uint64_t time_us, void *user)
{
	(void)source;
	(void)time_us;
	brine_loop_target_process(((struct brine_sd_event *)user)->target);
	return 0;
}

/* Before the loop waits: whatever ran since may have begun calls, whose deadlines count. */
static inline int brine_sd_event_on_prepare(sd_event_source *source, void *user)
{
	struct brine_sd_event *adapter = (struct brine_sd_event *)user;
	int timeout_ms = brine_loop_target_timeout_ms(&adapter->target);
	uint64_t now_us;
	if (timeout_ms < 0)
		return sd_event_source_set_enabled(adapter->timer, SD_EVENT_OFF);
	int status = sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now_us);
	if (status >= 0)
		status = sd_event_source_set_time(adapter->timer, now_us + (uint64_t)timeout_ms * 1000);
	return status < 0 ? status : sd_event_source_set_enabled(adapter->timer, SD_EVENT_ONESHOT);
}

/* Detaches, before the client is freed; also from inside any callback. The storage is the caller's again at once. */
static inline void brine_sd_event_detach(struct brine_sd_event *adapter)
{
	if (!adapter)
		return;
	adapter->readable = sd_event_source_disable_unref(adapter->readable);
	adapter->timer = sd_event_source_disable_unref(adapter->timer);
}

static inline int brine_sd_event_attach_target(struct brine_sd_event *adapter, struct brine_loop_target target,
                                               sd_event *event)
{
	if (!adapter || !event)
		return BRINE_ERR_INVALID;
	int fd = brine_loop_target_fd(&target);
	if (fd < 0)
		return fd;
	adapter->target = target;
	adapter->readable = adapter->timer = NULL;
	int status = sd_event_add_io(event, &adapter->readable, fd, EPOLLIN, brine_sd_event_on_readable, adapter);
	/* An accuracy of 1 microsecond: the default, 250 ms, is for timers that save power. */
	if (status >= 0)
		status = sd_event_add_time(event, &adapter->timer, CLOCK_MONOTONIC, 0, 1, brine_sd_event_on_timer,
		                           adapter);
	if (status >= 0)
		status = sd_event_source_set_enabled(adapter->timer, SD_EVENT_OFF);
	if (status >= 0)
		status = sd_event_source_set_prepare(adapter->readable, brine_sd_event_on_prepare);
	if (status >= 0)
		return 0;
	brine_sd_event_detach(adapter);
	errno = -status;
	return BRINE_ERR_SYSTEM;
}

/* Attaches a client of mode LOOP. 0; BRINE_ERR_STATE: another mode; BRINE_ERR_SYSTEM with errno: sd-event refused. On
 * failure nothing is attached. */
static inline int brine_sd_event_attach(struct brine_sd_event *adapter, struct brine_client *client, sd_event *event)
{
	return brine_sd_event_attach_target(adapter, brine_loop_target_client(client), event);
}

/* Attaches a server instead, which has one loop (options.loops) and does not run: it serves from here on. ended: called
 * once brine_server_stop() was heeded and nothing is left to do, or when the server cannot go on; it must detach, and
 * may free the server. Returns as above. */
static inline int brine_sd_event_attach_server(struct brine_sd_event *adapter, struct brine_server *server,
                                               sd_event *event, void (*ended)(struct brine_server *server, void *user),
                                               void *user)
{
	return brine_sd_event_attach_target(adapter, brine_loop_target_server(server, ended, user), event);
}

#endif
