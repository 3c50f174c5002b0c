/* brine dump: shows what crossed a connection, from files of its raw bytes. */
#include "command.h"
#include "dump_options.h"
#include "inspect/json.h"
#include "inspect/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

/* One input, with the piece that comes next in it. */
struct source {
	char name[256]; /* escaped */
	int fd;
	int direction;             /* enum inspect_direction */
	bool at_end, is_drained;   /* no more bytes; no more pieces either */
	bool has_piece, was_shown; /* the first piece was */
	struct inspect_stream stream;
	struct inspect_piece piece;
};

struct dump {
	const struct dump_options *options;
	struct source sources[2];
	int source_count;
	struct inspect_schema *schema;
	struct inspect_session session;
	struct inspect_line line;
	struct brine_arena arena; /* of one record */
	uint64_t mismatches;
	uint8_t *chunk; /* READ_SIZE bytes */
};

static int fail_dump_memory(void)
{
	return command_fail("dump", "out of memory");
}

static int source_open(struct source *source, const char *path, const struct dump_options *options)
{
	bool is_stdin = strcmp(path, "-") == 0;
	brine_escape(source->name, sizeof source->name, path, strlen(path));
	source->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (source->fd < 0)
		return command_fail("dump", "cannot open %s: %s", source->name, strerror(errno));
	inspect_stream_init(&source->stream, &options->stream, NULL);
	return 0;
}

static void source_close(struct source *source)
{
	inspect_stream_done(&source->stream);
	if (source->fd > STDIN_FILENO)
		close(source->fd);
}

/* Reads the next bytes into the stream. What is known so far is shown before a read that may wait. */
static int source_read(struct dump *dump, struct source *source)
{
	int rc = command_flush("dump");
	if (rc)
		return rc;
	ssize_t size;
	do {
		size = read(source->fd, dump->chunk, READ_SIZE);
	} while (size < 0 && errno == EINTR);
	if (size < 0)
		return command_fail("dump", "cannot read %s: %s", source->name, strerror(errno));
	if (size == 0) {
		source->at_end = true;
		inspect_stream_end(&source->stream);
	}
	return inspect_stream_feed(&source->stream, dump->chunk, (size_t)size) < 0 ? fail_dump_memory() : 0;
}

/* Makes sure that source has its next piece, if there is one. 0 or the exit status. */
static int source_fill(struct dump *dump, struct source *source)
{
	while (!source->has_piece && !source->is_drained) {
		int rc = 0;
		if (inspect_stream_next(&source->stream, &source->piece))
			source->has_piece = true;
		else if (source->at_end)
			source->is_drained = true;
		else
			rc = source_read(dump, source);
		if (rc)
			return rc;
	}
	return 0;
}

/* The source whose piece comes next, NULL at the end. brine(1) "Two files" has the rule. */
static struct source *choose_source(struct dump *dump)
{
	struct source *c2s = &dump->sources[0], *s2c = &dump->sources[1];
	if (!c2s->has_piece || !s2c->has_piece)
		return c2s->has_piece ? c2s : s2c->has_piece ? s2c : NULL;
	enum inspect_turn back = inspect_session_turn(&dump->session, &s2c->piece, INSPECT_S2C, &c2s->piece);
	if (back == INSPECT_TURN_NOW)
		return s2c;
	enum inspect_turn forth = inspect_session_turn(&dump->session, &c2s->piece, INSPECT_C2S, &s2c->piece);
	return forth == INSPECT_TURN_WAITS && back == INSPECT_TURN_LATE ? s2c : c2s;
}

static int show_source(struct dump *dump, struct source *source)
{
	struct inspect_record record;
	int wire = source->stream.wire;
	bool mismatch = false;
	if (source->direction == INSPECT_DIRECTION_UNKNOWN && !source->was_shown)
		source->direction = inspect_direction_of(&source->piece, wire);
	source->was_shown = true;
	if (inspect_session_take(&dump->session, &source->piece, source->direction, wire, &record) < 0)
		return fail_dump_memory();
	inspect_line_reset(&dump->line);
	if (dump->options->json)
		inspect_json_record(&dump->line, &record, &dump->options->view, &dump->arena, &mismatch);
	else
		inspect_text_record(&dump->line, &record, &dump->options->view, &dump->arena, &mismatch);
	inspect_line_text(&dump->line, "\n");
	if (dump->line.status < 0)
		return fail_dump_memory();
	dump->mismatches += mismatch;
	struct brine_bytes text = brine_buf_bytes(&dump->line.text);
	if (fwrite(text.data, 1, text.size, stdout) < text.size)
		return command_flush("dump");
	source->has_piece = false;
	return 0;
}

static int run_sources(struct dump *dump)
{
	for (;;) {
		for (int i = 0; i < dump->source_count; i++) {
			int rc = source_fill(dump, &dump->sources[i]);
			if (rc)
				return rc;
		}
		struct source *source = choose_source(dump);
		if (!source)
			return command_flush("dump");
		int rc = show_source(dump, source);
		if (rc)
			return rc;
	}
}

/* Says on standard error what is not as it should be. Returns the exit status. */
static int conclude_dump(const struct dump *dump)
{
	const struct inspect_session *session = &dump->session;
	/* In one direction alone no answer is ever seen. */
	uint64_t forgotten = dump->source_count < 2
	                             ? 0
	                             : session->calls[INSPECT_C2S].forgotten + session->calls[INSPECT_S2C].forgotten;
	if (dump->mismatches)
		fprintf(stderr, "brine dump: messages that the schema does not fit: %" PRIu64 "\n", dump->mismatches);
	if (forgotten)
		fprintf(stderr, "brine dump: calls without an answer, forgotten to save memory: %" PRIu64 "\n",
		        forgotten);
	if (session->faults == 0)
		return EXIT_SOUND;
	fprintf(stderr, "brine dump: not sound; faults: %" PRIu64 ", bytes not decoded: %" PRIu64 "\n", session->faults,
	        session->undecoded_size);
	return EXIT_UNSOUND;
}

static int open_sources(struct dump *dump)
{
	const struct dump_options *options = dump->options;
	if (options->file_count == 2 && strcmp(options->files[0], "-") == 0 && strcmp(options->files[1], "-") == 0)
		return command_usage("dump", "standard input cannot be both directions");
	for (int i = 0; i < options->file_count; i++) {
		int rc = source_open(&dump->sources[i], options->files[i], options);
		if (rc)
			return rc;
		dump->source_count++;
		dump->sources[i].direction = options->file_count == 1 ? options->direction : INSPECT_C2S + i;
	}
	return 0;
}

static bool wants_colour(const struct dump_options *options)
{
	const char *no_colour = getenv("NO_COLOR");
	if (options->json || options->colour >= 0)
		return !options->json && options->colour;
	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

static int run_dump(int argc, char **argv)
{
	struct dump_options options;
	struct dump dump = {.options = &options};
	int status = dump_options_read(&options, argc, argv);
	if (status)
		return status;
	if (options.help) {
		fputs(dump_help, stdout);
		return command_flush("dump");
	}
	inspect_line_init(&dump.line, NULL);
	dump.line.colour = wants_colour(&options);
	dump.line.text_max = options.text_max;
	dump.chunk = malloc(READ_SIZE);
	status = dump.chunk ? schema_option_load(&options.schema, &dump.schema) : fail_dump_memory();
	inspect_session_init(&dump.session, &options.stream.limits, dump.schema, NULL);
	if (!status)
		status = open_sources(&dump);
	if (!status)
		status = run_sources(&dump);
	if (!status)
		status = conclude_dump(&dump);
	for (int i = 0; i < dump.source_count; i++)
		source_close(&dump.sources[i]);
	inspect_session_done(&dump.session);
	inspect_schema_free(dump.schema);
	inspect_line_done(&dump.line);
	brine_arena_done(&dump.arena);
	free(dump.chunk);
	return status;
}

const struct command dump_command = {"dump", "show the messages in a recorded connection", dump_help, run_dump};
