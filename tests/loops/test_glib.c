/* Proves: brine/loop/glib.h drives a client in a GLib main context. */
#include "loops.h"

#include <brine/loop/glib.h>

static GMainContext *context;
static GMainLoop *loop;
static struct brine_glib adapter;

static void loop_open(void)
{
	context = g_main_context_new();
	loop = g_main_loop_new(context, FALSE);
}

static void loop_close(void)
{
	g_main_loop_unref(loop);
	g_main_context_unref(context);
}

static int loop_attach(struct brine_client *client)
{
	return brine_glib_attach(&adapter, client, context);
}

static void loop_refuses_null(struct brine_client *client)
{
	assert_int_equal(brine_glib_attach(NULL, client, context), BRINE_ERR_INVALID);
	assert_int_equal(brine_glib_attach(&adapter, NULL, context), BRINE_ERR_INVALID);
	brine_glib_detach(NULL);
}

static int loop_attach_server(struct brine_server *server, void (*ended)(struct brine_server *server, void *user))
{
	return brine_glib_attach_server(&adapter, server, context, ended, NULL);
}

/* The storage is the caller's again: what is still in it must not matter. */
static void loop_detach(void)
{
	brine_glib_detach(&adapter);
	memset(&adapter, 0xa5, sizeof adapter);
}

static void loop_run(void)
{
	g_main_loop_run(loop);
}

static void loop_stop(void)
{
	g_main_loop_quit(loop);
}

static gboolean on_later(gpointer user)
{
	void (*function)(void);
	memcpy(&function, &user, sizeof function);
	function();
	return G_SOURCE_REMOVE;
}

static void loop_later(void (*function)(void))
{
	gpointer user;
	memcpy(&user, &function, sizeof user);
	GSource *source = g_timeout_source_new(1);
	g_source_set_callback(source, on_later, user, NULL);
	g_source_attach(source, context);
	g_source_unref(source);
}

int main(void)
{
	return run_loop_tests();
}
