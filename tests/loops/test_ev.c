/* Proves: brine/loop/ev.h drives a client in a libev loop. */
#include "loops.h"

#include <brine/loop/ev.h>

static struct ev_loop *loop;
static struct brine_ev adapter;
static ev_timer later;

static void loop_open(void)
{
	loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(loop);
}

static void loop_close(void)
{
	ev_loop_destroy(loop);
}

static int loop_attach(struct brine_client *client)
{
	return brine_ev_attach(&adapter, client, loop);
}

static void loop_refuses_null(struct brine_client *client)
{
	assert_int_equal(brine_ev_attach(NULL, client, loop), BRINE_ERR_INVALID);
	assert_int_equal(brine_ev_attach(&adapter, NULL, loop), BRINE_ERR_INVALID);
	assert_int_equal(brine_ev_attach(&adapter, client, NULL), BRINE_ERR_INVALID);
	brine_ev_detach(NULL);
}

static int loop_attach_server(struct brine_server *server, void (*ended)(struct brine_server *server, void *user))
{
	return brine_ev_attach_server(&adapter, server, loop, ended, NULL);
}

/* The storage is the caller's again: what is still in it must not matter. */
static void loop_detach(void)
{
	brine_ev_detach(&adapter);
	memset(&adapter, 0xa5, sizeof adapter);
}

static void loop_run(void)
{
	ev_run(loop, 0);
}

static void loop_stop(void)
{
	ev_break(loop, EVBREAK_ALL);
}

static void on_later(struct ev_loop *which, ev_timer *watcher, int events)
{
	void (*function)(void);
	(void)which;
	(void)events;
	memcpy(&function, &watcher->data, sizeof function);
	function();
}

static void loop_later(void (*function)(void))
{
	ev_timer_init(&later, on_later, 0.001, 0.);
	memcpy(&later.data, &function, sizeof function);
	ev_timer_start(loop, &later);
}

int main(void)
{
	return run_loop_tests();
}
