/* FILEs whose writes are frames. What stdio does, and what must be done about it:
 *
 * - A short write: the callback says how much it took, and stdio drops the rest, because it empties its buffer whatever
 *   the count was. So everything is sent, or the write fails.
 * - Failure is told by 0, never by a negative number, which stdio takes for progress. errno is kept.
 * - EINTR does not come out of here: what waits for a peer goes on after the program's signal handler.
 * - Line buffering: stdio makes a buffer of a size that it chooses, whatever setvbuf(NULL) says. So it is given one,
 *   which must live until fclose() has returned. A line longer than it goes out in parts.
 * - fclose() flushes, then calls us, all under the FILE's lock; its result is EOF when either failed.
 * - The end of the process flushes FILEs that are open, after all handlers, but closes none: what is buffered is sent,
 *   the end of the text is not said.
 * - fork() gives the child a copy of the buffer, which the child's end flushes: such writes fail, or the text would be
 *   sent twice.
 * - Two programs that ask each other and then wait for the answer wait for ever where the questions sit in buffers. So
 *   whoever waits for the peer sends first what its FILEs of the same conversation hold, as stdio does for terminals.
 * - "r+" needs fflush() or fseek() between reading and writing, and has one lock for both, so that nobody can print
 *   while somebody waits for a line. There is none. */
#include "text/flusher.h"
#include "text/text.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio_ext.h>
#include <string.h>

struct text_file {
	struct text_file *next, **at; /* in text->files, guarded by its files_lock */
	FILE *file;
	struct brine_text *text; /* held */
	bool owns_text;          /* fclose() ends it */
	bool writes;
	uint64_t end_timeout_ms;
	char stream[TEXT_STREAM_MAX + 1];
	struct brine_bytes rest; /* of the piece received last */
	struct text_flusher *flusher;
	char *buffer; /* of stdio */
	size_t buffer_size;
};

/* What a FILE says of it. */
static int errno_of(int status)
{
	switch (status) {
	case BRINE_ERR_LOST:
	case BRINE_ERR_NOT_SENT:
	case BRINE_ERR_GOAWAY:
	case BRINE_ERR_GOING_AWAY:
	case BRINE_ERR_CANCELLED:
	case BRINE_ERR_STATE: return EPIPE;
	case BRINE_ERR_DEADLINE: return ETIMEDOUT;
	case BRINE_ERR_NOMEM: return ENOMEM;
	case BRINE_ERR_FORKED: return EBADF;
	case BRINE_ERR_TOO_BIG: return EMSGSIZE;
	case BRINE_ERR_REMOTE: return EREMOTEIO;
	case BRINE_ERR_PROTO: return EPROTO;
	case BRINE_ERR_WOULD_BLOCK: return EDEADLK;
	default: return EIO;
	}
}

static ssize_t write_text(void *cookie, const char *data, size_t size)
{
	struct text_file *file = cookie;
	int status = brine_text_send(file->text, file->stream, data, size);
	if (status == 0)
		return (ssize_t)size;
	errno = errno_of(status);
	return 0;
}

/* Sends what is in the FILEs of a conversation. One whose lock is taken is left alone: whoever has it is printing, or
 * inside fclose(), which waits for the lock that is held here. */
static void flush_writers(struct brine_text *text)
{
	if (brine_text_forked(text))
		return;
	pthread_mutex_lock(&text->files_lock);
	for (struct text_file *file = text->files; file; file = file->next) {
		if (!file->writes || ftrylockfile(file->file) != 0)
			continue;
		/* Errors stay in the FILE, for the program to find. */
		if (__fpending(file->file) > 0)
			(void)fflush_unlocked(file->file);
		funlockfile(file->file);
	}
	pthread_mutex_unlock(&text->files_lock);
}

/* Gives what is there: stdio does not wait until its buffer is full. */
static ssize_t read_text(void *cookie, char *data, size_t size)
{
	struct text_file *file = cookie;
	struct brine_text_piece piece;
	int status = 1;
	if (file->rest.size == 0)
		flush_writers(file->text);
	while (file->rest.size == 0 && (status = brine_text_receive(file->text, &piece)) > 0)
		file->rest = piece.data;
	if (status <= 0) {
		errno = status < 0 ? errno_of(status) : errno;
		return status < 0 ? -1 : 0;
	}
	size_t some = size < file->rest.size ? size : file->rest.size;
	memcpy(data, file->rest.data, some);
	file->rest.data = (const char *)file->rest.data + some;
	file->rest.size -= some;
	return (ssize_t)some;
}

static void add_file(struct text_file *file)
{
	struct brine_text *text = file->text;
	pthread_mutex_lock(&text->files_lock);
	file->next = text->files;
	file->at = &text->files;
	if (file->next)
		file->next->at = &file->next;
	text->files = file;
	pthread_mutex_unlock(&text->files_lock);
}

static void remove_file(struct text_file *file)
{
	struct brine_text *text = file->text;
	if (!file->at || brine_text_forked(text))
		return;
	pthread_mutex_lock(&text->files_lock);
	*file->at = file->next;
	if (file->next)
		file->next->at = file->at;
	pthread_mutex_unlock(&text->files_lock);
}

/* The buffer is stdio's until fclose() has returned, which is after this: it flushes before and only forgets it after.
 */
static int close_text(void *cookie)
{
	struct text_file *file = cookie;
	int status = 0;
	brine_text_flusher_stop(file->flusher);
	remove_file(file);
	if (file->owns_text && file->writes)
		status = brine_text_end(file->text, 0, 0, file->end_timeout_ms);
	if (file->owns_text)
		brine_text_close(file->text);
	const struct brine_allocator *allocator = file->text->allocator;
	brine_text_drop(file->text);
	brine_release(allocator, file->buffer, file->buffer_size);
	brine_release(allocator, file, sizeof *file);
	if (status == 0)
		return 0;
	errno = errno_of(status);
	return EOF;
}

static const cookie_io_functions_t writing = {.write = write_text, .close = close_text};
static const cookie_io_functions_t reading = {.read = read_text, .close = close_text};

/* ---- making one ---- */

static int set_buffer(FILE *stream, struct text_file *file, const struct brine_text_options *options)
{
	static const int modes[] = {[BRINE_TEXT_LINE] = _IOLBF, [BRINE_TEXT_NONE] = _IONBF, [BRINE_TEXT_FULL] = _IOFBF};
	size_t size = options->buffer_size ? options->buffer_size : BUFSIZ;
	if (options->buffering == BRINE_TEXT_NONE)
		return setvbuf(stream, NULL, _IONBF, 0) == 0 ? 0 : BRINE_ERR_INVALID;
	file->buffer = brine_resize(file->text->allocator, NULL, 0, size);
	if (!file->buffer)
		return BRINE_ERR_NOMEM;
	file->buffer_size = size;
	return setvbuf(stream, file->buffer, modes[options->buffering], size) == 0 ? 0 : BRINE_ERR_INVALID;
}

/* After this fclose() releases everything. */
static int open_stream(FILE **ret_stream, struct text_file *file)
{
	*ret_stream = fopencookie(file, file->writes ? "w" : "r", file->writes ? writing : reading);
	return *ret_stream ? 0 : BRINE_ERR_NOMEM;
}

static int prepare(FILE *stream, struct text_file *file, const struct brine_text_options *options)
{
	if (!file->writes)
		return 0;
	int status = set_buffer(stream, file, options);
	if (status == 0 && options->flush_ms)
		status = brine_text_flusher_start(&file->flusher, file->text->allocator, stream, options->flush_ms);
	return status;
}

static int check(const char *mode, const char *stream, const struct brine_text_options *options,
                 struct brine_error *error)
{
	if (strcmp(mode, "r") != 0 && strcmp(mode, "w") != 0)
		return brine_fail(error, BRINE_ERR_INVALID, 0,
		                  "a FILE of text has mode \"r\" or \"w\"; for both make two of one conversation");
	if (strlen(stream) == 0 || strlen(stream) > TEXT_STREAM_MAX)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "the stream's name has 1 to %d bytes", TEXT_STREAM_MAX);
	if (options->buffering < BRINE_TEXT_LINE || options->buffering > BRINE_TEXT_FULL)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "no such buffering: BRINE_TEXT_LINE, _NONE or _FULL");
	return 0;
}

static int make_file(FILE **ret_file, struct brine_text *text, bool writes, const char *name,
                     const struct brine_text_options *options, bool owns_text, struct brine_error *error)
{
	struct text_file *file = brine_alloc_zero(text->allocator, sizeof *file);
	FILE *stream;
	if (!file)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a FILE");
	file->text = text;
	file->writes = writes;
	file->end_timeout_ms = options->end_timeout_ms;
	strcpy(file->stream, name);
	int status = open_stream(&stream, file);
	if (status < 0) {
		brine_release(text->allocator, file, sizeof *file);
		return brine_fail(error, status, 0, "out of memory making a FILE");
	}
	brine_text_hold(text);
	status = prepare(stream, file, options);
	if (status < 0) {
		fclose(stream);
		return brine_fail(error, status, 0, "cannot make a FILE: %s", brine_error_text(status));
	}
	file->owns_text = owns_text;
	file->file = stream;
	add_file(file);
	*ret_file = stream;
	return 0;
}

static const struct brine_text_options defaults = BRINE_TEXT_OPTIONS_INIT;

int brine_text_file(FILE **ret_file, struct brine_text *text, const char *mode, const char *stream,
                    const struct brine_text_options *options, struct brine_error *error)
{
	if (!ret_file || !text || !mode)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_file, text or mode is NULL");
	const struct brine_text_options *chosen = options ? options : &defaults;
	const char *name = stream ? stream : chosen->stream ? chosen->stream : "stdout";
	int status = check(mode, name, chosen, error);
	return status < 0 ? status : make_file(ret_file, text, *mode == 'w', name, chosen, false, error);
}

int brine_text_open(FILE **ret_file, const char *address, const char *mode, const struct brine_text_options *options,
                    struct brine_error *error)
{
	if (!ret_file || !address || !mode)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_file, address or mode is NULL");
	const struct brine_text_options *chosen = options ? options : &defaults;
	const char *name = chosen->stream ? chosen->stream : "stdout";
	struct brine_text *text;
	int status = check(mode, name, chosen, error);
	if (status == 0)
		status = brine_text_connect(&text, address, *mode == 'w' ? BRINE_TEXT_WRITE : BRINE_TEXT_READ, chosen,
		                            error);
	if (status < 0)
		return status;
	status = make_file(ret_file, text, *mode == 'w', name, chosen, true, error);
	if (status < 0)
		brine_text_close(text);
	return status;
}
