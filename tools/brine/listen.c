/* brine listen: prints the text that programs send.
 *
 *   main thread       the server: takes what comes and shows it, so that whoever reads our output slows the sources
 *   signal thread     interrupts: to the program that has the keyboard, or the end
 *   keyboard thread   with -i: standard input */
#include "command.h"
#include "keyboard.h"
#include "sources.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CONNECTIONS_MOST = 1000,
	CALLS_MOST = 4, /* of a connection: a Write and a Read, and a second program of the same process */
};

struct listen {
	struct listen_options options;
	struct brine_server *server;
	struct brine_text_service *service;
	struct sources sources;
	struct keyboard keyboard;
	sigset_t signals;
	pthread_t signal_thread;
	atomic_bool is_over; /* the server has ended */
	bool has_ended;      /* --once: the first source has */
	int status;          /* --once: exit status */
};

/* ---- what happens; on the thread of the server ---- */

static int on_begin(struct brine_text *text, void *user, void **ret_user)
{
	struct listen *listen = user;
	if (listen->options.once && listen->sources.first)
		return BRINE_ERR_OVERLOADED;
	*ret_user = source_new(&listen->sources, text);
	return *ret_user ? 0 : BRINE_ERR_NOMEM;
}

static int on_piece(struct brine_text *text, const struct brine_text_piece *piece, void *user)
{
	struct source *source = user;
	(void)text;
	return source_put(source, piece) == 0 ? 0 : BRINE_ERR_CANCELLED;
}

static struct listen *listen_of(struct source *source)
{
	return (struct listen *)((char *)source->sources - offsetof(struct listen, sources));
}

static void on_end(struct brine_text *text, const struct brine_text_end *end, void *user)
{
	struct listen *listen = listen_of(user);
	source_end(user, end);
	if (listen->options.interactive)
		keyboard_ended(&listen->keyboard, text);
	if (listen->options.once && !listen->has_ended) {
		listen->has_ended = true;
		listen->status = end->cut ? EXIT_UNSOUND : end->signal ? 128 + end->signal : end->status;
	}
	if (listen->has_ended || listen->sources.failure)
		brine_server_stop(listen->server);
}

static void on_reader(struct brine_text *text, void *user)
{
	keyboard_add(&listen_of(user)->keyboard, text);
}

/* A source that only reads never writes, but counts as one as long as the program runs. */
static const struct brine_text_handlers with_keyboard = {on_begin, on_piece, on_end, on_reader};
static const struct brine_text_handlers without_keyboard = {on_begin, on_piece, on_end, NULL};

/* ---- signals ---- */

static void *wait_for_signals(void *argument)
{
	struct listen *listen = argument;
	int number;
	for (;;) {
		if (sigwait(&listen->signals, &number) != 0)
			continue;
		if (atomic_load(&listen->is_over))
			return NULL;
		if (number == SIGUSR1) /* this program's own, for its end; not from others */
			continue;
		if (number == SIGINT && listen->options.interactive && keyboard_signal(&listen->keyboard, SIGINT))
			continue;
		/* At once: sources do not end because somebody stops listening. */
		brine_server_stop(listen->server);
		brine_server_stop(listen->server);
	}
}

/* In all threads that begin later. */
static void block_end_signals(struct listen *listen)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
	sigemptyset(&listen->signals);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaddset(&listen->signals, signals[i]);
	pthread_sigmask(SIG_BLOCK, &listen->signals, NULL);
}

static int catch_signals(struct listen *listen)
{
	int failure = pthread_create(&listen->signal_thread, NULL, wait_for_signals, listen);
	return failure == 0 ? 0 : command_fail("listen", "no thread: %s", strerror(failure));
}

/* ---- the server ---- */

static void say_log(void *user, const char *line)
{
	const struct listen *listen = user;
	if (!listen->options.quiet)
		fprintf(stderr, "brine listen: %s\n", line);
}

static int open_server(struct listen *listen)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	brine_text_limits(&options.limits);
	/* What a source may cost times their number is what all of them may. */
	options.connections_max = CONNECTIONS_MOST;
	options.limits.calls_max = CALLS_MOST;
	options.drain_ms = 1000;
	options.log = say_log;
	options.log_user = listen;
	int status = brine_server_new(&listen->server, &options);
	if (status < 0)
		return command_fail("listen", "%s", brine_error_text(status));
	status = brine_text_serve(&listen->service, listen->server,
	                          listen->options.interactive ? &with_keyboard : &without_keyboard, listen, &error);
	for (int i = 0; i < listen->options.address_count && status == 0; i++) {
		status = brine_server_listen(listen->server, listen->options.addresses[i], &error);
		if (status == 0 && !listen->options.quiet)
			fprintf(stderr, "brine listen: listening on %s\n",
			        brine_server_address(listen->server, (unsigned)i));
	}
	return status == 0 ? 0 : command_fail("listen", "%s", error.text);
}

static int serve(struct listen *listen)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int rc = 0;
	block_end_signals(listen);
	if (listen->options.interactive)
		rc = keyboard_start(&listen->keyboard);
	if (rc == 0)
		rc = catch_signals(listen);
	if (rc == 0) {
		if (brine_server_run(listen->server, &error) < 0)
			rc = command_fail("listen", "%s", error.text);
		atomic_store(&listen->is_over, true);
		pthread_kill(listen->signal_thread, SIGUSR1);
		pthread_join(listen->signal_thread, NULL);
	}
	keyboard_stop(&listen->keyboard);
	return rc;
}

/* A folder that is not there is better told now than to each source. */
static int check_folder(const char *folder)
{
	char inside[4096], shown[256];
	if (!folder)
		return 0;
	int size = snprintf(inside, sizeof inside, "%s/.", folder);
	errno = ENAMETOOLONG;
	if (size < (int)sizeof inside && access(inside, W_OK | X_OK) == 0)
		return 0;
	int reason = errno;
	return command_fail("listen", "cannot write into %s: %s",
	                    brine_escape(shown, sizeof shown, folder, strlen(folder)), strerror(reason));
}

static int run_listen(int argc, char **argv)
{
	struct listen *listen = calloc(1, sizeof *listen);
	if (!listen)
		return command_fail("listen", "out of memory");
	int rc = listen_options_read(&listen->options, argc, argv);
	if (rc == 0 && listen->options.help) {
		fputs(listen_help, stdout);
		rc = command_flush("listen");
	} else if (rc == 0) {
		const struct listen_options *options = &listen->options;
		listen->sources.options = options;
		listen->sources.names = options->names < 0 ? !options->raw && !options->interactive : options->names;
		listen->sources.escapes = options->escape < 0 ? isatty(STDOUT_FILENO) : options->escape;
		rc = check_folder(options->folder);
		if (rc == 0)
			rc = open_server(listen);
		if (rc == 0)
			rc = serve(listen);
		brine_server_free(listen->server);
		brine_text_service_free(listen->service);
		if (rc == 0)
			rc = listen->sources.failure ? listen->sources.failure : listen->status;
	}
	free(listen);
	return rc;
}

const struct command listen_command = {"listen", "print the text that programs send", listen_help, run_listen};
