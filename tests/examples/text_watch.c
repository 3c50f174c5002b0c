/* text_watch.c - a full-screen program that shows the text of many sources while they print, and never waits for one of
 * them: a server in a thread of its own takes what comes; the screen and the keys have the main thread to themselves.
 *
 *   text_watch ADDRESS        keys: up and down (or k and j) choose a source, space holds the picture, q ends
 *
 * Sources are brine run and programs of brine/text.h. */
#include <brine/brine.h>

#include <curses.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	SOURCES_MOST = 64, /* more are turned away */
	LINES_KEPT = 200,  /* of each, the newest */
	LINE_SIZE = 256,   /* of one, escaped; the rest is cut */
	LIST_WIDTH = 26,
	REDRAW_MS = 100, /* at least so often: the clock goes on whatever happens */
	QUIET_MS = 1000, /* a source that said nothing for so long is called quiet */
};

struct source {
	char name[24]; /* escaped */
	char lines[LINES_KEPT][LINE_SIZE];
	unsigned long count;  /* lines that ended */
	char part[LINE_SIZE]; /* of the line that has not */
	size_t part_size;
	double heard;
	bool has_ended;
	struct brine_text_end end;
};

struct watch {
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	struct source *sources[SOURCES_MOST];
	int source_count;
	/* Set once: */
	int wakeup[2]; /* wakes the main thread */
	struct brine_server *server;
	pthread_t thread;
	double began;
	/* For the main thread: */
	int chosen;
	bool is_held;
	unsigned long keys;
};

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- the thread of the server: takes what comes, shows nothing ---- */

static void wake(const struct watch *watch)
{
	/* A full pipe wakes as well. */
	(void)!write(watch->wakeup[1], "", 1);
}

static int on_begin(struct brine_text *text, void *user, void **ret_user)
{
	struct watch *watch = user;
	struct source *source = calloc(1, sizeof *source);
	int status = source ? 0 : BRINE_ERR_NOMEM;
	const char *name = brine_text_source(text);
	pthread_mutex_lock(&watch->lock);
	if (status == 0 && watch->source_count == SOURCES_MOST)
		status = BRINE_ERR_OVERLOADED;
	if (status == 0) {
		brine_escape(source->name, sizeof source->name, name, strlen(name));
		source->heard = now();
		watch->sources[watch->source_count++] = source;
		*ret_user = source;
	} else {
		free(source);
	}
	pthread_mutex_unlock(&watch->lock);
	wake(watch);
	return status;
}

static void end_line(struct source *source)
{
	char *line = source->lines[source->count++ % LINES_KEPT];
	brine_escape(line, LINE_SIZE, source->part, source->part_size);
	source->part_size = 0;
}

/* There is one watch; handlers know their source alone. */
static struct watch watch;

static int on_piece(struct brine_text *text, const struct brine_text_piece *piece, void *user)
{
	struct source *source = user;
	const char *bytes = piece->data.data;
	(void)text;
	pthread_mutex_lock(&watch.lock);
	for (size_t i = 0; i < piece->data.size; i++) {
		if (bytes[i] == '\n')
			end_line(source);
		else if (source->part_size < sizeof source->part)
			source->part[source->part_size++] = bytes[i];
	}
	source->heard = now();
	pthread_mutex_unlock(&watch.lock);
	wake(&watch);
	return 0;
}

static void on_end(struct brine_text *text, const struct brine_text_end *end, void *user)
{
	struct source *source = user;
	(void)text;
	pthread_mutex_lock(&watch.lock);
	if (source->part_size)
		end_line(source);
	source->has_ended = true;
	source->end = *end;
	pthread_mutex_unlock(&watch.lock);
	wake(&watch);
}

static void *serve(void *argument)
{
	(void)brine_server_run(watch.server, NULL);
	return argument;
}

/* ---- the screen; the lock is held ---- */

static void describe(const struct source *source, char *out, size_t capacity)
{
	if (!source->has_ended)
		snprintf(out, capacity, "%s", now() - source->heard > QUIET_MS / 1e3 ? "quiet" : "live");
	else if (source->end.cut)
		snprintf(out, capacity, "cut off");
	else if (source->end.signal)
		snprintf(out, capacity, "signal %d", source->end.signal);
	else
		snprintf(out, capacity, "ended %d", source->end.status);
}

static void draw_list(void)
{
	for (int i = 0; i < watch.source_count && i + 2 < LINES; i++) {
		const struct source *source = watch.sources[i];
		char state[16];
		describe(source, state, sizeof state);
		if (i == watch.chosen)
			attron(A_REVERSE);
		mvprintw(i + 2, 0, "%-9.9s %6lu %-8.8s", source->name, source->count, state);
		attroff(A_REVERSE);
	}
}

/* The newest lines at the bottom. */
static void draw_lines(const struct source *source)
{
	char part[LINE_SIZE];
	int row = LINES - 1, width = COLS - LIST_WIDTH - 1;
	if (width < 1)
		return;
	if (source->part_size) {
		brine_escape(part, sizeof part, source->part, source->part_size);
		mvprintw(row--, LIST_WIDTH, "%.*s", width, part);
	}
	for (unsigned long i = 1; i <= source->count && i <= LINES_KEPT && row >= 2; i++)
		mvprintw(row--, LIST_WIDTH, "%.*s", width, source->lines[(source->count - i) % LINES_KEPT]);
}

static void draw(void)
{
	erase();
	mvprintw(0, 0, "%s  %d sources  %.1f s  %lu keys%s", brine_server_address(watch.server, 0), watch.source_count,
	         now() - watch.began, watch.keys, watch.is_held ? "  held" : "");
	draw_list();
	if (watch.chosen < watch.source_count)
		draw_lines(watch.sources[watch.chosen]);
	refresh();
}

/* ---- the main thread ---- */

/* False: the end. */
static bool press(int key)
{
	watch.keys++;
	if ((key == KEY_DOWN || key == 'j') && watch.chosen + 1 < watch.source_count)
		watch.chosen++;
	else if ((key == KEY_UP || key == 'k') && watch.chosen > 0)
		watch.chosen--;
	else if (key == ' ')
		watch.is_held = !watch.is_held;
	return key != 'q';
}

/* Waits for a key, for text, or for the time to draw the clock: never for a source. */
static void look(void)
{
	char bytes[256];
	bool goes_on = true;
	while (goes_on) {
		struct pollfd polled[] = {{.fd = STDIN_FILENO, .events = POLLIN},
		                          {.fd = watch.wakeup[0], .events = POLLIN}};
		int key;
		(void)poll(polled, 2, REDRAW_MS);
		if (polled[1].revents)
			(void)!read(watch.wakeup[0], bytes, sizeof bytes);
		pthread_mutex_lock(&watch.lock);
		while (goes_on && (key = getch()) != ERR)
			goes_on = press(key);
		if (!watch.is_held)
			draw();
		pthread_mutex_unlock(&watch.lock);
		if (polled[0].revents & (POLLHUP | POLLERR))
			goes_on = false;
	}
}

static int open_server(const char *address, struct brine_text_service **ret_service, struct brine_error *error)
{
	static const struct brine_text_handlers handlers = {on_begin, on_piece, on_end, NULL};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	brine_text_limits(&options.limits);
	int status = brine_server_new(&watch.server, &options);
	if (status < 0)
		return brine_fail(error, status, 0, "cannot make a server");
	status = brine_text_serve(ret_service, watch.server, &handlers, &watch, error);
	return status < 0 ? status : brine_server_listen(watch.server, address, error);
}

static int run(void)
{
	if (pipe2(watch.wakeup, O_CLOEXEC | O_NONBLOCK) < 0 || pthread_create(&watch.thread, NULL, serve, NULL) != 0)
		return 1;
	initscr();
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	look();
	endwin();
	/* At once: sources do not end because nobody looks any more. */
	brine_server_stop(watch.server);
	brine_server_stop(watch.server);
	pthread_join(watch.thread, NULL);
	close(watch.wakeup[0]);
	close(watch.wakeup[1]);
	return 0;
}

int main(int argc, char **argv)
{
	struct brine_text_service *service = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	int rc = 1;
	if (argc != 2) {
		fprintf(stderr, "Usage: text_watch ADDRESS\n");
		return 2;
	}
	pthread_mutex_init(&watch.lock, NULL);
	watch.began = now();
	if (open_server(argv[1], &service, &error) < 0)
		fprintf(stderr, "text_watch: %s\n", error.text);
	else
		rc = run();
	brine_server_free(watch.server);
	brine_text_service_free(service);
	for (int i = 0; i < watch.source_count; i++)
		free(watch.sources[i]);
	return rc;
}
