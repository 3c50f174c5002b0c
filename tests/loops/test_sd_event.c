/* Proves: brine/loop/sd_event.h drives a client in an sd-event loop. */
#include "loops.h"

#include <brine/loop/sd_event.h>

static sd_event *event;
static struct brine_sd_event adapter;
static bool stopped;

static void loop_open(void)
{
	assert_true(sd_event_new(&event) >= 0);
}

static void loop_close(void)
{
	event = sd_event_unref(event);
}

static int loop_attach(struct brine_client *client)
{
	return brine_sd_event_attach(&adapter, client, event);
}

static void loop_refuses_null(struct brine_client *client)
{
	assert_int_equal(brine_sd_event_attach(NULL, client, event), BRINE_ERR_INVALID);
	assert_int_equal(brine_sd_event_attach(&adapter, NULL, event), BRINE_ERR_INVALID);
	assert_int_equal(brine_sd_event_attach(&adapter, client, NULL), BRINE_ERR_INVALID);
	brine_sd_event_detach(NULL);
}

static int loop_attach_server(struct brine_server *server, void (*ended)(struct brine_server *server, void *user))
{
	return brine_sd_event_attach_server(&adapter, server, event, ended, NULL);
}

/* The storage is the caller's again: what is still in it must not matter. */
static void loop_detach(void)
{
	brine_sd_event_detach(&adapter);
	memset(&adapter, 0xa5, sizeof adapter);
}

/* sd_event_exit() would be for ever. */
static void loop_run(void)
{
	for (stopped = false; !stopped;)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
}

static void loop_stop(void)
{
	stopped = true;
}

static int on_later(sd_event_source *source, uint64_t time_us, void *user)
{
	void (*function)(void);
	(void)source;
	(void)time_us;
	memcpy(&function, &user, sizeof function);
	function();
	return 0;
}

static void loop_later(void (*function)(void))
{
	void *user;
	memcpy(&user, &function, sizeof user);
	assert_true(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, 1000, 1, on_later, user) >= 0);
}

int main(void)
{
	return run_loop_tests();
}
