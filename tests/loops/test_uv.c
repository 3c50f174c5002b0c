/* Proves: brine/loop/uv.h drives a client in a libuv loop. */
#include "loops.h"

#include <brine/loop/uv.h>

static uv_loop_t loop;
static struct brine_uv adapter;
static uv_timer_t later;
static bool detaching, detached;

static void loop_open(void)
{
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_timer_init(&loop, &later), 0);
	detaching = detached = false;
}

static int loop_attach(struct brine_client *client)
{
	return brine_uv_attach(&adapter, client, &loop);
}

static int loop_attach_server(struct brine_server *server, void (*ended)(struct brine_server *server, void *user))
{
	return brine_uv_attach_server(&adapter, server, &loop, ended, NULL);
}

static void on_detached(struct brine_uv *which)
{
	assert_ptr_equal(which, &adapter);
	detached = true;
}

static void loop_refuses_null(struct brine_client *client)
{
	assert_int_equal(brine_uv_attach(NULL, client, &loop), BRINE_ERR_INVALID);
	assert_int_equal(brine_uv_attach(&adapter, NULL, &loop), BRINE_ERR_INVALID);
	assert_int_equal(brine_uv_attach(&adapter, client, NULL), BRINE_ERR_INVALID);
	brine_uv_detach(NULL, NULL);
}

static void loop_detach(void)
{
	brine_uv_detach(&adapter, on_detached);
	detaching = true;
}

static void loop_run(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void loop_stop(void)
{
	uv_stop(&loop);
}

static void on_later(uv_timer_t *timer)
{
	void (*function)(void);
	memcpy(&function, &timer->data, sizeof function);
	function();
}

static void loop_later(void (*function)(void))
{
	memcpy(&later.data, &function, sizeof function);
	assert_int_equal(uv_timer_start(&later, on_later, 1, 0), 0);
}

/* libuv closes handles while it runs. */
static void loop_close(void)
{
	uv_close((uv_handle_t *)&later, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(detached, detaching);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	/* libuv keeps descriptors of its own from the first loop on. */
	uv_loop_t first;
	if (uv_loop_init(&first) < 0 || uv_loop_close(&first) < 0)
		return 1;
	return run_loop_tests();
}
