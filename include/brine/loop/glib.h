/* brine/loop/glib.h - a client in a GLib main context, so also in GTK. Link glib-2.0; the library itself does not.
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

#include <brine/client.h>

#include <glib.h>

/* The source, in GLib's memory: it may outlive a detach from inside its own callback. */
struct brine_glib_source {
	GSource source;
	struct brine_client *client;
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
	*timeout_ms = brine_client_get_timeout_ms(((struct brine_glib_source *)(void *)source)->client);
	return *timeout_ms == 0;
}

static inline gboolean brine_glib_check(GSource *source)
{
	struct brine_glib_source *own = (struct brine_glib_source *)(void *)source;
	return g_source_query_unix_fd(source, own->readable) != 0 || brine_client_get_timeout_ms(own->client) == 0;
}

/* Lets the client work. Its callbacks may detach, so nothing is touched after it. How the connection fares is told to
 * the calls. */
static inline gboolean brine_glib_dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
	(void)callback;
	(void)user;
	brine_client_process(((struct brine_glib_source *)(void *)source)->client);
	return G_SOURCE_CONTINUE;
}

/* Attaches a client of mode LOOP to a context, NULL: the default one. 0; BRINE_ERR_STATE: another mode, nothing is
 * attached then. As everywhere in GLib, running out of memory ends the program. */
static inline int brine_glib_attach(struct brine_glib *adapter, struct brine_client *client, GMainContext *context)
{
	static GSourceFuncs functions = {brine_glib_prepare, brine_glib_check, brine_glib_dispatch, NULL, NULL, NULL};
	if (!adapter)
		return BRINE_ERR_INVALID;
	int fd = brine_client_get_fd(client);
	if (fd < 0)
		return fd;
	GSource *source = g_source_new(&functions, sizeof(struct brine_glib_source));
	adapter->source = (struct brine_glib_source *)(void *)source;
	adapter->source->client = client;
	adapter->source->readable = g_source_add_unix_fd(source, fd, G_IO_IN);
	g_source_attach(source, context);
	return 0;
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
