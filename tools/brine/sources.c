#include "sources.h"

#include "command.h"
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAMS_MOST = 4, FILES_MOST = 10000 };

/* ---- names ---- */

static bool is_taken(const struct sources *sources, const char *name)
{
	for (const struct source *source = sources->first; source; source = source->next)
		if (strcmp(source->name, name) == 0)
			return true;
	return false;
}

/* As the source calls itself; with a number where another one of that name lives. */
static void choose_name(struct source *source)
{
	const char *given = brine_text_source(source->text);
	char shown[128];
	brine_escape(shown, sizeof shown, *given ? given : "?", *given ? strlen(given) : 1);
	snprintf(source->name, sizeof source->name, "%s", shown);
	for (unsigned number = 2; is_taken(source->sources, source->name); number++)
		snprintf(source->name, sizeof source->name, "%s#%u", shown, number);
}

/* A name that stays in its folder. */
static void choose_file_name(char *out, size_t capacity, const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t size = 0;
	for (; name[size] && size + 1 < capacity; size++)
		out[size] = strchr(allowed, name[size]) && (size > 0 || name[size] != '.') ? name[size] : '_';
	out[size] = 0;
}

/* ---- streams ---- */

/* A file that was not there: nothing is overwritten, no link followed. */
static FILE *create_file(const struct source *source, const char *stream)
{
	char path[4096], part[65];
	const char *folder = source->sources->options->folder;
	int fd = -1;
	choose_file_name(part, sizeof part, stream);
	for (int number = 1; fd < 0 && number < FILES_MOST; number++) {
		if (number == 1)
			snprintf(path, sizeof path, "%s/%s.%s", folder, source->file_name, part);
		else
			snprintf(path, sizeof path, "%s/%s.%d.%s", folder, source->file_name, number, part);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		(void)command_fail("listen", "cannot create %s: %s", path, strerror(errno));
	if (!file && fd >= 0)
		close(fd);
	return file;
}

static void release_stream(struct stream *stream)
{
	if (stream->source->sources->open == stream)
		show_end_line(stream->source->sources);
	if (stream->file && fclose(stream->file) != 0)
		(void)command_fail("listen", "cannot write the file of %s: %s", stream->source->name, strerror(errno));
	lines_done(&stream->lines);
	free(stream);
}

static struct stream *add_stream(struct source *source, struct brine_str name)
{
	struct stream *stream = calloc(1, sizeof *stream);
	if (!stream)
		return NULL;
	stream->source = source;
	memcpy(stream->name, name.data, name.size < sizeof stream->name ? name.size : sizeof stream->name - 1);
	if (source->sources->options->folder && !(stream->file = create_file(source, stream->name))) {
		free(stream);
		return NULL;
	}
	stream->next = source->streams;
	source->streams = stream;
	source->stream_count++;
	return stream;
}

/* A source may have a handful; what belongs to others goes to the newest of them. */
static struct stream *find_stream(struct source *source, struct brine_str name)
{
	struct stream *stream = source->streams;
	for (; stream; stream = stream->next)
		if (brine_str_equal(brine_str_from(stream->name), name))
			return stream;
	return source->stream_count < STREAMS_MOST ? add_stream(source, name) : source->streams;
}

/* ---- sources ---- */

static void tell_source(const struct source *source, const char *what)
{
	if (!source->sources->options->quiet)
		fprintf(stderr, "brine listen: %s %s\n", source->name, what);
}

struct source *source_new(struct sources *sources, struct brine_text *text)
{
	char what[160];
	struct source *source = calloc(1, sizeof *source);
	if (!source)
		return NULL;
	source->sources = sources;
	source->text = text;
	choose_name(source);
	choose_file_name(source->file_name, sizeof source->file_name, source->name);
	source->next = sources->first;
	source->at = &sources->first;
	if (source->next)
		source->next->at = &source->next;
	sources->first = source;
	snprintf(what, sizeof what, "began (%s)", brine_text_peer(text)->address);
	tell_source(source, what);
	return source;
}

static int write_file(struct stream *stream, struct brine_bytes data)
{
	if (fwrite(data.data, 1, data.size, stream->file) == data.size && fflush(stream->file) == 0)
		return 0;
	return command_fail("listen", "cannot write the file of %s: %s", stream->source->name, strerror(errno));
}

int source_put(struct source *source, const struct brine_text_piece *piece)
{
	struct sources *sources = source->sources;
	struct stream *stream = find_stream(source, piece->stream);
	if (piece->signal)
		return 0;
	if (!stream) {
		(void)command_fail("listen", "%s is cut off: no memory, or no file, for its stream", source->name);
		return -1;
	}
	if (stream->file)
		return write_file(stream, piece->data) == 0 ? 0 : -1;
	if (sources->options->raw || sources->options->interactive) {
		show_parts(stream, piece->data.data, piece->data.size);
	} else if (lines_put(&stream->lines, piece->data.data, piece->data.size, show_line, stream) < 0) {
		(void)command_fail("listen", "%s is cut off: cannot keep its long line: %s", source->name,
		                   strerror(errno));
		return -1;
	}
	show_flush(sources);
	return sources->failure ? -1 : 0;
}

void source_end(struct source *source, const struct brine_text_end *end)
{
	struct stream *stream;
	char what[64];
	while ((stream = source->streams)) {
		source->streams = stream->next;
		if (!stream->file)
			(void)lines_end(&stream->lines, show_line, stream);
		release_stream(stream);
	}
	show_flush(source->sources);
	if (end->cut)
		snprintf(what, sizeof what, "was cut off");
	else if (end->signal)
		snprintf(what, sizeof what, "ended by signal %d", end->signal);
	else
		snprintf(what, sizeof what, "ended, status %d", end->status);
	tell_source(source, what);
	*source->at = source->next;
	if (source->next)
		source->next->at = source->at;
	free(source);
}
