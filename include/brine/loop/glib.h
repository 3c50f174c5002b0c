/* brine/loop/glib.h - a client or a server in a GLib main context, so also in GTK. Link glib-2.0; the library itself
 * does not.
 *
 *   options.mode = BRINE_CLIENT_LOOP;
 *   brine_client_open(&client, address, &options, &error);
 *   brine_glib_attach(&adapter, client, NULL);            calls begin, on_done comes from g_main_loop_run()
 *   ...
 *   brine_glib_detach(&adapter); brine_client_free(client);
 *
 * All of it on the thread that runs the context. */
#ifndef BRINE_LOOP_GLIB_H
#define BRINE_LOOP_GLIB_H

#include <brine/loop/target.h>

#include <glib.h>

/* The source, in GLib's memory: it may outlive a detach from inside its own callback. */
struct brine_glib_source {
	GSource source;
	struct brine_loop_target target;
	gpointer readable; /* tag of the descriptor */
};

/* The caller's storage, from attach to detach. Private. The client stays the caller's and must outlive it; the context
 * is kept by the caller. */
struct brine_glib {
	struct brine_glib_source *source;
};

/* Before the loop waits: whatever ran since may have begun calls, whose deadlines count. */
static inline gboolean brine_glib_prepare(GSource *source, gint *timeout_ms)
{
	*timeout_ms = brine_loop_target_timeout_ms(&((struct brine_glib_source *)(void *)source)->target);
	return *timeout_ms == 0;
}

static inline gboolean brine_glib_check(GSource *source)
{
	struct brine_glib_source *own = (struct brine_glib_source *)(void *)source;
	return g_source_query_unix_fd(source, own->readable) != 0 || brine_loop_target_timeout_ms(&own->target) == 0;
}

static inline gboolean brine_glib_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
	(void)callback;
	(void)user;
	brine_loop_target_process(((struct brine_glib_source *)(void *)source)->target);
	return G_SOURCE_CONTINUE;
}

static inline int brine_glib_attach_target(struct brine_glib *adapter, struct brine_loop_target target,
                                           GMainContext *context)
{
	static GSourceFuncs functions = {brine_glib_prepare, brine_glib_check, brine_glib_dispatch, NULL, NULL, NULL};
	if (!adapter)
		return BRINE_ERR_INVALID;
	int fd = brine_loop_target_fd(&target);
	if (fd < 0)
		return fd;
	GSource *source = g_source_new(&functions, sizeof(struct brine_glib_source));
	adapter->source = (struct brine_glib_source *)(void *)source;
	adapter->source->target = target;
	adapter->source->readable = g_source_add_unix_fd(source, fd, G_IO_IN);
	g_source_attach(source, context);
	return 0;
}

/* Attaches a client of mode LOOP to a context, NULL: the default one. 0; BRINE_ERR_STATE: another mode, nothing is
 * attached then. As everywhere in GLib, running out of memory ends the program. */
static inline int brine_glib_attach(struct brine_glib *adapter, struct brine_client *client, GMainContext *context)
{
	return brine_glib_attach_target(adapter, brine_loop_target_client(client), context);
}

/* Attaches a server instead, which has one loop (options.loops) and does not run: it serves from here on. ended: called
 * once brine_server_stop() was heeded and nothing is left to do, or when the server cannot go on; it must detach, and
 * may free the server. Returns as above. */
static inline int brine_glib_attach_server(struct brine_glib *adapter, struct brine_server *server,
                                           GMainContext *context,
                                           void (*ended)(struct brine_server *server, void *user), void *user)
{
	return brine_glib_attach_target(adapter, brine_loop_target_server(server, ended, user), context);
}

/* Detaches, before the client is freed; also from inside any callback. The storage is the caller's again at once. */
static inline void brine_glib_detach(struct brine_glib *adapter)
{
	if (!adapter)
		return;
	GSource *source = &adapter->source->source;
	g_source_destroy(source);
	g_source_unref(source);
	adapter->source = NULL;
}

#endif
