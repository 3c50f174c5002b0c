/* The standard streams. What makes this harder than dup2():
 *
 * - A FILE keeps what it buffered when its descriptor changes underneath: it is flushed first, or old text goes to the
 * new place, and at the end the other way round.
 * - on_exit() cannot be taken back. What it was given is a leash that stays, 8 bytes, and may have nothing at its end.
 * - Handlers at the end run newest first, then stdio flushes what is still open. So the text cannot be ended by the
 * last of all; it is ended by ours, and what is printed later goes where it went before.
 * - Children hold the pipe open: its end does not come when we are done, so it is drained: read until nothing is there.
 * - A forked child has the streams and the handler, but neither threads nor connection: there the handler does nothing.
 */
#include "text/flusher.h"
#include "text/pump.h"
#include "text/text.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS = 3, PIPE_SIZE = 4096 };

static const char *const names[STREAMS] = {"stdin", "stdout", "stderr"};

struct leash {
	struct brine_text_redirect *redirect; /* NULL: it was taken back */
};

/* One standard stream. */
struct standard {
	bool is_redirected;
	FILE *before, *now; /* stdio */
	int saved;          /* descriptors: what was there before; -1: it was closed */
	int ours;           /* and our end of the pipe, until the pump has it; -1 */
	bool was_line_buffered;
	struct text_pump *pump;
	struct text_flusher *flusher;
};

struct brine_text_redirect {
	struct brine_text *text; /* held */
	struct brine_text_options options;
	bool has_descriptors;
	pid_t maker;
	struct standard streams[STREAMS];
	struct leash *leash;
};

static FILE **variable(int number)
{
	return number == 0 ? &stdin : number == 1 ? &stdout : &stderr;
}

/* ---- stdio ---- */

static int redirect_file(struct brine_text_redirect *redirect, int number, struct brine_error *error)
{
	struct standard *stream = &redirect->streams[number];
	struct brine_text_options options = redirect->options;
	/* As programs expect of it. */
	if (number == 2)
		options.buffering = BRINE_TEXT_NONE;
	if (number > 0)
		(void)fflush(*variable(number));
	int status = brine_text_file(&stream->now, redirect->text, number ? "w" : "r", names[number], &options, error);
	if (status < 0)
		return status;
	stream->before = *variable(number);
	*variable(number) = stream->now;
	stream->is_redirected = true;
	return 0;
}

/* closes false: another thread may still use it, as the process ends. */
static int restore_file(struct standard *stream, int number, bool closes)
{
	int failed = number > 0 ? fflush(stream->now) : 0;
	*variable(number) = stream->before;
	if (closes)
		failed |= fclose(stream->now);
	return failed ? BRINE_ERR_LOST : 0;
}

/* ---- descriptors ---- */

/* Standard input: our end of its pipe, which belongs to the pump: that may outlive the redirection. */
struct pipe_end {
	const struct brine_allocator *allocator;
	int fd; /* -1: closed */
};

static int put_into_pipe(struct text_pump *pump, const struct brine_text_piece *piece, void *user)
{
	const struct pipe_end *end = user;
	return brine_text_pump_write(pump, end->fd, piece->data.data, piece->data.size);
}

static void close_pipe(struct text_pump *pump, void *user)
{
	struct pipe_end *end = user;
	(void)pump;
	close(end->fd);
	end->fd = -1;
}

static void release_pipe(void *user)
{
	struct pipe_end *end = user;
	if (end->fd >= 0)
		close(end->fd);
	brine_release(end->allocator, end, sizeof *end);
}

static int start_input(struct brine_text_redirect *redirect, struct standard *stream, int fd)
{
	const struct brine_allocator *allocator = redirect->text->allocator;
	struct pipe_end *end = brine_alloc_zero(allocator, sizeof *end);
	struct text_sink sink = {put_into_pipe, close_pipe, release_pipe, end};
	if (!end || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		brine_release(allocator, end, sizeof *end);
		close(fd);
		return end ? BRINE_ERR_SYSTEM : BRINE_ERR_NOMEM;
	}
	end->allocator = allocator;
	end->fd = fd;
	return brine_text_pump_in(&stream->pump, redirect->text, &sink);
}

/* Starts the thread at our end of the pipe, which is its own then. */
static int start_pump(struct brine_text_redirect *redirect, int number, int fd)
{
	struct standard *stream = &redirect->streams[number];
	if (number == 0)
		return start_input(redirect, stream, fd);
	return brine_text_pump_out(&stream->pump, redirect->text, fd, names[number], NULL, NULL);
}

/* The FILE on top: what it holds belongs to the old place. */
static void prepare_file(struct brine_text_redirect *redirect, int number)
{
	static const int modes[] = {[BRINE_TEXT_LINE] = _IOLBF, [BRINE_TEXT_NONE] = _IONBF, [BRINE_TEXT_FULL] = _IOFBF};
	struct standard *stream = &redirect->streams[number];
	FILE *file = *variable(number);
	if (number == 0) {
		clearerr(file);
		return;
	}
	(void)fflush(file);
	stream->was_line_buffered = __flbf(file);
	if (number == 1)
		setvbuf(file, NULL, modes[redirect->options.buffering], BUFSIZ);
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* A pipe whose ends are none of the standard descriptors, which may be closed. 0, or -1 and errno. */
static int make_pipe(int both[2])
{
	int made[2];
	if (pipe2(made, O_CLOEXEC) < 0)
		return -1;
	both[0] = fcntl(made[0], F_DUPFD_CLOEXEC, STREAMS);
	both[1] = fcntl(made[1], F_DUPFD_CLOEXEC, STREAMS);
	int reason = errno;
	close(made[0]);
	close(made[1]);
	if (both[0] >= 0 && both[1] >= 0)
		return 0;
	close_one(both[0]);
	errno = reason;
	return -1;
}

/* Keeps what a descriptor was and puts an end of a pipe in its place. 0, or -1, errno and nothing changed. */
static int replace(struct standard *stream, int number, int end)
{
	stream->saved = fcntl(number, F_DUPFD_CLOEXEC, STREAMS);
	if (stream->saved < 0 && errno != EBADF)
		return -1;
	if (dup2(end, number) >= 0)
		return 0;
	int reason = errno;
	close_one(stream->saved);
	errno = reason;
	return -1;
}

/* Puts the pipe in place. All of them are before anything else is opened, which could take the number of one that is
 * closed. */
static int redirect_descriptor(struct brine_text_redirect *redirect, int number, struct brine_error *error)
{
	struct standard *stream = &redirect->streams[number];
	int both[2], ours = number ? 0 : 1;
	if (make_pipe(both) < 0)
		return brine_fail(error, BRINE_ERR_SYSTEM, 0, "no pipe: %s", strerror(errno));
	/* The less it holds, the less a sudden end can lose. */
	(void)fcntl(both[1], F_SETPIPE_SZ, PIPE_SIZE);
	prepare_file(redirect, number);
	if (replace(stream, number, both[!ours]) < 0) {
		int reason = errno;
		close(both[0]);
		close(both[1]);
		return brine_fail(error, BRINE_ERR_SYSTEM, 0, "descriptor %d: %s", number, strerror(reason));
	}
	close(both[!ours]);
	stream->ours = both[ours];
	stream->is_redirected = true;
	return 0;
}

static int carry_descriptor(struct brine_text_redirect *redirect, int number, struct brine_error *error)
{
	struct standard *stream = &redirect->streams[number];
	int fd = stream->ours;
	stream->ours = -1;
	int status = start_pump(redirect, number, fd);
	if (status == 0 && number == 1 && redirect->options.flush_ms)
		status = brine_text_flusher_start(&stream->flusher, redirect->text->allocator, stdout,
		                                  redirect->options.flush_ms);
	return status < 0 ? brine_fail(error, status, 0, "cannot carry %s: %s", names[number], brine_error_text(status))
	                  : 0;
}

/* Standard input: the thread ends when it hears of that, which on the side that was connected to may be late. */
static void stop_input(const struct standard *stream)
{
	brine_text_pump_stop(stream->pump);
	brine_text_pump_leave(stream->pump);
}

static int drain_output(const struct brine_text_redirect *redirect, const struct standard *stream)
{
	brine_text_pump_drain(stream->pump);
	if (brine_text_pump_wait(stream->pump, redirect->options.end_timeout_ms) == 0)
		return brine_text_pump_free(stream->pump);
	brine_text_pump_stop(stream->pump);
	brine_text_pump_leave(stream->pump);
	return BRINE_ERR_DEADLINE;
}

static int restore_descriptor(const struct brine_text_redirect *redirect, int number)
{
	struct standard stream = redirect->streams[number];
	int failed = 0, status = 0;
	brine_text_flusher_stop(stream.flusher);
	if (number > 0)
		failed = fflush(*variable(number));
	if (stream.saved >= 0)
		(void)dup2(stream.saved, number);
	else
		close(number);
	close_one(stream.saved);
	close_one(stream.ours);
	if (number == 1)
		setvbuf(stdout, NULL, stream.was_line_buffered ? _IOLBF : _IOFBF, BUFSIZ);
	if (stream.pump && number > 0)
		status = drain_output(redirect, &stream);
	else if (stream.pump)
		stop_input(&stream);
	return failed && status == 0 ? BRINE_ERR_LOST : status;
}

/* ---- all of them ---- */

static int restore_all(struct brine_text_redirect *redirect, bool closes)
{
	int worst = 0;
	for (int i = STREAMS - 1; i >= 0; i--) {
		struct standard *stream = &redirect->streams[i];
		int status = 0;
		if (stream->is_redirected)
			status = redirect->has_descriptors ? restore_descriptor(redirect, i)
			                                   : restore_file(stream, i, closes);
		stream->is_redirected = false;
		worst = worst < 0 ? worst : status;
	}
	return worst;
}

static void at_exit(int exit_status, void *argument)
{
	const struct leash *leash = argument;
	struct brine_text_redirect *redirect = leash->redirect;
	if (!redirect || redirect->maker != getpid())
		return;
	(void)restore_all(redirect, false);
	(void)brine_text_end(redirect->text, exit_status, 0, redirect->options.end_timeout_ms);
}

/* The leash is never released: it comes from the default allocator, which is always there. */
static int hear_of_exit(struct brine_text_redirect *redirect)
{
	struct leash *leash = brine_alloc_zero(NULL, sizeof *leash);
	if (!leash)
		return BRINE_ERR_NOMEM;
	if (on_exit(at_exit, leash) != 0) {
		brine_release(NULL, leash, sizeof *leash);
		return BRINE_ERR_NOMEM;
	}
	leash->redirect = redirect;
	redirect->leash = leash;
	return 0;
}

static int redirect_all(struct brine_text_redirect *redirect, unsigned what, struct brine_error *error)
{
	int status = hear_of_exit(redirect);
	if (status < 0)
		return brine_fail(error, status, 0, "out of memory redirecting");
	for (int i = 0; i < STREAMS && status == 0; i++) {
		if (!(what & (1u << i)))
			continue;
		status = redirect->has_descriptors ? redirect_descriptor(redirect, i, error)
		                                   : redirect_file(redirect, i, error);
	}
	for (int i = 0; i < STREAMS && status == 0 && redirect->has_descriptors; i++) {
		if (redirect->streams[i].is_redirected)
			status = carry_descriptor(redirect, i, error);
	}
	return status;
}

int brine_text_redirect(struct brine_text_redirect **ret_redirect, struct brine_text *text, unsigned what,
                        const struct brine_text_options *options, struct brine_error *error)
{
	if (!ret_redirect || !text)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_redirect or text is NULL");
	static const struct brine_text_options defaults = BRINE_TEXT_OPTIONS_INIT;
	const unsigned streams = BRINE_TEXT_STDIN | BRINE_TEXT_STDOUT | BRINE_TEXT_STDERR;
	const struct brine_text_options *chosen = options ? options : &defaults;
	if ((what & streams) == 0 || (what & ~(streams | BRINE_TEXT_DESCRIPTORS)))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "nothing to redirect: BRINE_TEXT_STDOUT ...");
	if (chosen->buffering < BRINE_TEXT_LINE || chosen->buffering > BRINE_TEXT_FULL)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "no such buffering: BRINE_TEXT_LINE, _NONE or _FULL");
	struct brine_text_redirect *redirect = brine_alloc_zero(text->allocator, sizeof *redirect);
	if (!redirect)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory redirecting");
	redirect->text = text;
	redirect->options = *chosen;
	redirect->has_descriptors = what & BRINE_TEXT_DESCRIPTORS;
	redirect->maker = getpid();
	brine_text_hold(text);
	int status = redirect_all(redirect, what, error);
	if (status < 0)
		(void)brine_text_restore(redirect);
	else
		*ret_redirect = redirect;
	return status;
}

int brine_text_restore(struct brine_text_redirect *redirect)
{
	if (!redirect)
		return 0;
	if (redirect->maker != getpid())
		return BRINE_ERR_FORKED;
	int status = restore_all(redirect, true);
	if (redirect->leash)
		redirect->leash->redirect = NULL;
	const struct brine_allocator *allocator = redirect->text->allocator;
	brine_text_drop(redirect->text);
	brine_release(allocator, redirect, sizeof *redirect);
	return status;
}
