#include "show.h"

#include "command.h"

#include <string.h>
#include <time.h>

enum { ESCAPE_CHUNK = 1024 }; /* bytes escaped at once; each becomes ten at most */

static void print_time(void)
{
	struct timespec now;
	struct tm local;
	char text[32], zone[8];
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &local);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
	strftime(zone, sizeof zone, "%z", &local);
	printf("%s.%03ld%s ", text, now.tv_nsec / 1000000, zone);
}

static void begin_line(const struct stream *stream)
{
	const struct sources *sources = stream->source->sources;
	char shown[128];
	if (sources->options->times)
		print_time();
	if (!sources->names)
		return;
	printf("%s", stream->source->name);
	if (strcmp(stream->name, "stdout") != 0)
		printf("/%s", brine_escape(shown, sizeof shown, stream->name, strlen(stream->name)));
	printf(": ");
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The next bytes to escape together: no character is cut. */
static size_t chunk_of(const char *data, size_t size)
{
	size_t cut = ESCAPE_CHUNK;
	if (size <= cut)
		return size;
	while (cut > ESCAPE_CHUNK - 4 && is_continuation(data[cut]))
		cut--;
	return cut;
}

/* What a terminal would obey is shown instead; tabs are harmless and make columns. */
static void print_harmless(const char *data, size_t size)
{
	char shown[10 * ESCAPE_CHUNK + 1];
	while (size > 0) {
		const char *tab = memchr(data, '\t', size);
		size_t some = chunk_of(data, tab ? (size_t)(tab - data) : size);
		if (some == 0) {
			putchar('\t');
			some = 1;
		} else {
			fputs(brine_escape(shown, sizeof shown, data, some), stdout);
		}
		data += some;
		size -= some;
	}
}

/* How many bytes at the end begin a character whose rest is not there. */
static size_t unfinished_size(const char *data, size_t size)
{
	size_t count = 1;
	while (count < 4 && count < size && is_continuation(data[size - count]))
		count++;
	unsigned char first = size ? (unsigned char)data[size - count] : 0;
	size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
	return count < wanted ? count : 0;
}

static void print_held(struct stream *stream)
{
	print_harmless(stream->held, stream->held_size);
	stream->held_size = 0;
}

/* A part of a line, which may begin and end within a character: what is unfinished waits for the next. */
static void print_part(struct stream *stream, const char *data, size_t size, bool is_last)
{
	while (size && is_continuation(*data) && unfinished_size(stream->held, stream->held_size)) {
		stream->held[stream->held_size++] = *data++;
		size--;
	}
	if (is_last || size || !unfinished_size(stream->held, stream->held_size))
		print_held(stream);
	size_t unfinished = is_last ? 0 : unfinished_size(data, size);
	print_harmless(data, size - unfinished);
	if (unfinished) {
		memcpy(stream->held, data + size - unfinished, unfinished);
		stream->held_size = unfinished;
	}
}

static void print_bytes(struct stream *stream, const char *data, size_t size, bool is_last)
{
	if (stream->source->sources->escapes)
		print_part(stream, data, size, is_last);
	else
		fwrite(data, 1, size, stdout);
}

void show_line(void *user, const char *data, size_t size, int is_first, int is_last)
{
	struct stream *stream = user;
	if (is_first)
		begin_line(stream);
	print_bytes(stream, data, size, is_last);
	if (is_last)
		putchar('\n');
}

void show_end_line(struct sources *sources)
{
	if (sources->open)
		print_held(sources->open);
	if (sources->open && !sources->options->raw)
		putchar('\n');
	sources->open = NULL;
}

void show_parts(struct stream *stream, const char *data, size_t size)
{
	struct sources *sources = stream->source->sources;
	if (sources->open && sources->open != stream)
		show_end_line(sources);
	while (size > 0) {
		const char *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;
		if (!sources->open)
			begin_line(stream);
		print_bytes(stream, data, length, newline);
		if (newline)
			putchar('\n');
		sources->open = newline ? NULL : stream;
		length += newline != NULL;
		data += length;
		size -= length;
	}
}

void show_flush(struct sources *sources)
{
	if (!sources->failure)
		sources->failure = command_flush("listen");
}
