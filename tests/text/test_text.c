/* Proves: what is printed to a stream of text is at the peer when stdio was told to send it; nothing is lost, changed
 * or sent twice; errors come out of the ordinary calls; a reader that stops stops its writers. */
#include "both.h"

#include <stdio_ext.h>

/* ---- delivery ---- */

static void lines_arrive_at_their_newline(void **state)
{
	struct both both;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", NULL);
	assert_int_equal(fprintf(file, "spam %d", 1), 6);
	assert_int_equal(fprintf(file, "\negg"), 4);
	struct brine_text *text = both_accept(&both);
	expect_piece(text, "spam 1\n");
	assert_true(fputs("s\n", file) >= 0);
	expect_bytes(text, "eggs\n", 5);
	fputs("no newline", file);
	struct helper closer = {.run = helper_close, .file = file};
	helper_begin(&closer);
	expect_piece(text, "no newline");
	expect_end(text, 0, 0);
	helper_end(&closer);
	assert_int_equal(closer.status, 0);
	brine_text_close(text);
	both_stop(&both);
}

static void unbuffered_arrives_at_once(void **state)
{
	struct both both;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.buffering = BRINE_TEXT_NONE;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", &options);
	struct brine_text *text = both_accept(&both);
	fprintf(file, "sp");
	expect_piece(text, "sp");
	putc('a', file);
	expect_piece(text, "a");
	brine_text_close(text);
	fclose(file);
	both_stop(&both);
}

static void full_buffers_wait_for_fflush(void **state)
{
	struct both both;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.buffering = BRINE_TEXT_FULL;
	options.buffer_size = 1024;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", &options);
	struct brine_text *text = both_accept(&both);
	fputs("spam\n", file);
	fputs("eggs", file);
	assert_int_equal(fflush(file), 0);
	expect_piece(text, "spam\neggs");
	char many[1500];
	memset(many, 'x', sizeof many);
	assert_int_equal(fwrite(many, 1, sizeof many, file), sizeof many);
	expect_bytes(text, many, 1024);
	brine_text_close(text);
	fclose(file);
	both_stop(&both);
}

static void an_interval_leaves_nothing_waiting(void **state)
{
	struct both both;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.buffering = BRINE_TEXT_FULL;
	options.flush_ms = 20;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", &options);
	struct brine_text *text = both_accept(&both);
	for (int i = 0; i < 3; i++) {
		/* No flush: it would wait here for ever. */
		fputs("name? ", file);
		expect_piece(text, "name? ");
	}
	/* A FILE that is held is flushed as soon as it is let go, and closing one that is held does not hang. */
	flockfile(file);
	fputs("held", file);
	usleep(60000);
	funlockfile(file);
	expect_piece(text, "held");
	brine_text_close(text);
	fclose(file);
	both_stop(&both);
}

static void an_interval_without_end_flushes_nothing(void **state)
{
	struct both both;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.buffering = BRINE_TEXT_FULL;
	both_start(&both, state);
	for (uint64_t less = 0; less < 2; less++) {
		options.flush_ms = BRINE_FOREVER - less;
		FILE *file = both_open(&both, "w", &options);
		struct brine_text *text = both_accept(&both);
		fputs("name? ", file);
		usleep(50000);
		assert_int_equal(__fpending(file), strlen("name? "));
		fflush(file);
		expect_piece(text, "name? ");
		brine_text_close(text);
		fclose(file);
	}
	both_stop(&both);
}

static void a_stream_is_read_by_line_over(void **state, enum over kind)
{
	struct both both;
	char line[64], *grown = NULL;
	size_t capacity = 0;
	both_start_over(&both, state, kind);
	FILE *file = both_open(&both, "r", NULL);
	struct brine_text *text = both_accept(&both);
	assert_int_equal(brine_text_send(text, NULL, "sp", 2), 0);
	assert_int_equal(brine_text_send(text, NULL, "am\neg", 5), 0);
	assert_string_equal(fgets(line, sizeof line, file), "spam\n");
	assert_int_equal(brine_text_send(text, NULL, "gs\n\nham", 7), 0);
	assert_int_equal(brine_text_end(text, 0, 0, BRINE_FOREVER), 0);
	assert_int_equal(getline(&grown, &capacity, file), 5);
	assert_string_equal(grown, "eggs\n");
	assert_int_equal(getline(&grown, &capacity, file), 1);
	assert_string_equal(fgets(line, sizeof line, file), "ham");
	assert_null(fgets(line, sizeof line, file));
	assert_true(feof(file));
	assert_false(ferror(file));
	assert_int_equal(fclose(file), 0);
	free(grown);
	brine_text_close(text);
	both_stop(&both);
}
DEFINE_BOTH(a_stream_is_read_by_line)

static void both_directions_and_two_streams(void **state)
{
	struct both both;
	struct brine_text_piece piece;
	FILE *out, *err, *in;
	char line[16];
	both_start(&both, state);
	struct brine_text *mine = both_connect(&both, BRINE_TEXT_WRITE | BRINE_TEXT_READ);
	assert_int_equal(brine_text_file(&out, mine, "w", NULL, NULL, NULL), 0);
	assert_int_equal(brine_text_file(&err, mine, "w", "stderr", NULL, NULL), 0);
	assert_int_equal(brine_text_file(&in, mine, "r", NULL, NULL, NULL), 0);
	struct brine_text *text = both_accept(&both);
	assert_string_equal(brine_text_source(text), "text_text");
	fputs("question\n", out);
	fputs("warning\n", err);
	fputs("again\n", out);
	expect_piece(text, "question\n");
	assert_int_equal(brine_text_receive(text, &piece), 1);
	assert_memory_equal(piece.stream.data, "stderr", 6);
	assert_int_equal(brine_text_receive(text, &piece), 1);
	assert_memory_equal(piece.stream.data, "stdout", 6);
	assert_int_equal(brine_text_send(text, "stdin", "answer\n", 7), 0);
	assert_string_equal(fgets(line, sizeof line, in), "answer\n");
	assert_int_equal(brine_text_signal(mine, 65), BRINE_ERR_INVALID);
	assert_int_equal(brine_text_end(mine, 0, 65, 0), BRINE_ERR_INVALID);
	assert_int_equal(brine_text_end(mine, 0, -1, 0), BRINE_ERR_INVALID);
	assert_int_equal(brine_text_signal(mine, 2), 0);
	assert_int_equal(brine_text_receive(text, &piece), 1);
	assert_int_equal(piece.signal, 2);
	brine_text_close(text);
	assert_int_equal(fclose(in), 0);
	fclose(out);
	fclose(err);
	brine_text_close(mine);
	both_stop(&both);
}

/* Asks into a full buffer, and waits for the answer. */
static void *ask(struct helper *helper)
{
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	FILE *out, *in;
	char line[64] = "";
	options.buffering = BRINE_TEXT_FULL;
	helper->status = brine_text_file(&out, helper->text, "w", NULL, &options, NULL);
	if (helper->status == 0)
		helper->status = brine_text_file(&in, helper->text, "r", NULL, &options, NULL);
	if (helper->status < 0)
		return NULL;
	for (int i = 0; i < 10; i++) {
		fprintf(out, "question %d?\n", i);
		helper->number += fgets(line, sizeof line, in) && line[0] == 'q';
	}
	fclose(out);
	fclose(in);
	return NULL;
}

static void two_that_ask_do_not_wait_for_each_other(void **state)
{
	struct both both;
	both_start(&both, state);
	struct helper one = {.run = ask, .text = both_connect(&both, BRINE_TEXT_WRITE | BRINE_TEXT_READ)};
	struct helper other = {.run = ask, .text = both_accept(&both)};
	helper_begin(&one);
	helper_begin(&other);
	helper_end(&one);
	helper_end(&other);
	assert_int_equal(one.number, 10);
	assert_int_equal(other.number, 10);
	brine_text_close(one.text);
	brine_text_close(other.text);
	both_stop(&both);
}

/* ---- any bytes ---- */

enum { BIG = 64 << 20 };

static char *make_big(void)
{
	char *bytes = malloc(BIG);
	uint64_t random = 7;
	assert_non_null(bytes);
	for (size_t i = 0; i < BIG; i += 8) {
		uint64_t eight = random_next(&random);
		memcpy(bytes + i, &eight, 8);
	}
	/* A stretch of UTF-8, so that both kinds of pieces are there, and cuts that would fall into a character. */
	for (size_t i = 0; i + 3 <= BIG / 2; i += 3)
		memcpy(bytes + i, "\xe2\x82\xac", 3);
	for (size_t i = 0; i < BIG; i++)
		if (bytes[i] == '\n')
			bytes[i] = 0;
	bytes[BIG - 1] = '\n';
	return bytes;
}

static void *write_big(struct helper *helper)
{
	char *bytes = make_big();
	helper->size = fwrite(bytes, 1, BIG, helper->file);
	free(bytes);
	return helper_close(helper);
}

static void a_line_of_64_MiB_of_any_bytes(void **state)
{
	struct both both;
	both_start(&both, state);
	struct helper writer = {.run = write_big, .file = both_open(&both, "w", NULL)};
	struct brine_text *text = both_accept(&both);
	char *expected = make_big();
	helper_begin(&writer);
	expect_bytes(text, expected, BIG);
	expect_end(text, 0, 0);
	helper_end(&writer);
	assert_int_equal(writer.size, BIG);
	assert_int_equal(writer.status, 0);
	free(expected);
	brine_text_close(text);
	both_stop(&both);
}

/* ---- threads ---- */

enum { THREADS = 4, LINES = 500 };

static void *print_lines(struct helper *helper)
{
	for (int i = 0; i < LINES; i++)
		if (fprintf(helper->file, "%d says %d\n", helper->number, i) < 0)
			helper->failure = errno;
	return NULL;
}

static void lines_of_threads_stay_whole(void **state)
{
	struct both both;
	struct helper writers[THREADS];
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	int next[THREADS] = {0};
	struct brine_text_piece piece;
	options.flush_ms = 1;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", &options);
	struct brine_text *text = both_accept(&both);
	for (int i = 0; i < THREADS; i++) {
		writers[i] = (struct helper){.run = print_lines, .file = file, .number = i};
		helper_begin(&writers[i]);
	}
	char *all = NULL;
	size_t size = 0;
	FILE *kept = open_memstream(&all, &size);
	for (int lines = 0; lines < THREADS * LINES;) {
		assert_int_equal(brine_text_receive(text, &piece), 1);
		fwrite(piece.data.data, 1, piece.data.size, kept);
		for (size_t i = 0; i < piece.data.size; i++)
			lines += ((const char *)piece.data.data)[i] == '\n';
	}
	fclose(kept);
	for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
		int who, number;
		assert_int_equal(sscanf(line, "%d says %d", &who, &number), 2);
		assert_int_equal(number, next[who]++);
	}
	for (int i = 0; i < THREADS; i++) {
		helper_end(&writers[i]);
		assert_int_equal(writers[i].failure, 0);
		assert_int_equal(next[i], LINES);
	}
	free(all);
	brine_text_close(text);
	fclose(file);
	both_stop(&both);
}

/* ---- back-pressure ---- */

static void *write_much(struct helper *helper)
{
	static const char chunk[1024] = "x";
	while (helper->number-- > 0 && fwrite(chunk, 1, sizeof chunk, helper->file) == sizeof chunk)
		__atomic_add_fetch(&helper->size, sizeof chunk, __ATOMIC_RELAXED);
	return helper_close(helper);
}

static void a_stopped_reader_stops_the_writer(void **state)
{
	enum { KIB = 16 * 1024, BOUND = 4 << 20 };
	struct both both;
	struct brine_text_piece piece;
	size_t before, size = 0;
	both_start(&both, state);
	struct helper writer = {.run = write_much, .file = both_open(&both, "w", NULL), .number = KIB};
	struct brine_text *text = both_accept(&both);
	helper_begin(&writer);
	/* It stands still when it has not moved for a while. */
	do {
		before = __atomic_load_n(&writer.size, __ATOMIC_RELAXED);
		usleep(300000);
	} while (before == 0 || __atomic_load_n(&writer.size, __ATOMIC_RELAXED) != before);
	assert_true(before > 0);
	assert_true(before < BOUND);
	while (brine_text_receive(text, &piece) == 1)
		size += piece.data.size;
	assert_int_equal(size, (size_t)KIB * 1024);
	helper_end(&writer);
	assert_int_equal(writer.status, 0);
	brine_text_close(text);
	both_stop(&both);
}

/* ---- errors ---- */

static void a_peer_that_goes_is_an_error_of_stdio(void **state)
{
	struct both both;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", NULL);
	struct brine_text *text = both_accept(&both);
	assert_true(fputs("spam\n", file) >= 0);
	expect_piece(text, "spam\n");
	brine_text_close(text);
	/* The peer's answer may be under way. */
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS;
	while (fputs("eggs\n", file) >= 0 && brine_clock_ms() < until_ms)
		usleep(1000);
	assert_int_equal(errno, EPIPE);
	assert_true(ferror(file));
	clearerr(file);
	assert_true(fputs("eggs\n", file) < 0);
	assert_true(ferror(file));
	assert_int_equal(fclose(file), EOF);
	file = both_open(&both, "w", NULL);
	both_stop(&both);
	until_ms = brine_clock_ms() + PATIENCE_MS;
	while (fputs("eggs\n", file) >= 0 && brine_clock_ms() < until_ms)
		usleep(1000);
	assert_true(ferror(file));
	fclose(file);
}

static void nobody_listens(void **state)
{
	struct brine_error error;
	char address[320];
	FILE *file = NULL;
	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "nobody"));
	assert_int_equal(brine_text_open(&file, address, "w", NULL, &error), BRINE_ERR_CONNECT);
	assert_true(strlen(error.text) > 0);
	assert_int_equal(brine_text_open(&file, address, "r+", NULL, &error), BRINE_ERR_INVALID);
	assert_int_equal(brine_text_open(&file, "nonsense", "w", NULL, &error), BRINE_ERR_ADDRESS);
	assert_null(file);
}

static void closing_tells_what_was_not_taken(void **state)
{
	struct both both;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.end_timeout_ms = 50;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", &options);
	struct brine_text *text = both_accept(&both);
	fputs("spam\n", file);
	assert_int_equal(fclose(file), EOF);
	assert_int_equal(errno, ETIMEDOUT);
	brine_text_close(text);
	both_stop(&both);
}

static void a_cut_is_told_from_an_end_over(void **state, enum over kind)
{
	struct both both;
	struct brine_text_piece piece;
	both_start_over(&both, state, kind);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		FILE *file;
		if (brine_text_open(&file, both.address, "w", NULL, NULL) < 0)
			_exit(1);
		fputs("spam\n", file);
		fputs("lost with stdio's buffer", file);
		_exit(0);
	}
	struct brine_text *text = both_accept(&both);
	expect_piece(text, "spam\n");
	assert_true(brine_text_receive(text, &piece) < 0);
	assert_true(brine_text_ending(text)->cut);
	brine_text_close(text);
	int status;
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	both_stop(&both);
}
DEFINE_BOTH(a_cut_is_told_from_an_end)

/* What had come before the end of a process is there, also for a reader that was busy. */
static void nothing_that_came_is_lost_with_its_writer_over(void **state, enum over kind)
{
	enum { BEFORE = 12 };
	struct both both;
	struct brine_text_piece piece;
	int status;
	both_start_over(&both, state, kind);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		FILE *file;
		if (brine_text_open(&file, both.address, "w", NULL, NULL) < 0)
			_exit(1);
		for (int i = 0; i < BEFORE; i++)
			fprintf(file, "line %d\n", i);
		_exit(0);
	}
	struct brine_text *text = both_accept(&both);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	usleep(200000); /* the server has seen the end by then */
	for (int i = 0; i < BEFORE; i++) {
		char line[32];
		snprintf(line, sizeof line, "line %d\n", i);
		expect_piece(text, line);
	}
	assert_true(brine_text_receive(text, &piece) < 0);
	assert_true(brine_text_ending(text)->cut);
	brine_text_close(text);
	both_stop(&both);
}
DEFINE_BOTH(nothing_that_came_is_lost_with_its_writer)

static void a_forked_child_sends_nothing(void **state)
{
	struct both both;
	int status;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.buffering = BRINE_TEXT_FULL;
	options.flush_ms = 60000;
	both_start(&both, state);
	FILE *file = both_open(&both, "w", &options);
	struct brine_text *text = both_accept(&both);
	fputs("once\n", file);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		int failed = fflush(file) == EOF && errno == EBADF;
		failed = fclose(file) == EOF && failed;
		_exit(failed ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	fputs("and then\n", file);
	fflush(file);
	expect_piece(text, "once\nand then\n");
	brine_text_close(text);
	fclose(file);
	both_stop(&both);
}

/* ---- out of memory ---- */

/* Everything that a program may do, until something fails: what did. */
static int print_a_little(const char *where, struct shared_allocator *allocator)
{
	struct brine_client_options client = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	struct brine_error error;
	FILE *file;
	brine_text_limits(&client.limits);
	client.allocator = &allocator->base;
	options.client = &client;
	options.flush_ms = 1000;
	int status = brine_text_open(&file, where, "w", &options, &error);
	if (status < 0)
		return status;
	bool failed = fputs("spam\n", file) < 0 && errno == ENOMEM;
	failed |= fputs("eggs", file) < 0;
	failed |= fclose(file) == EOF;
	return failed ? BRINE_ERR_NOMEM : 0;
}

/* Takes whatever comes, whole or cut, until the listener is stopped. */
static void *take_all(struct helper *helper)
{
	struct brine_text_piece piece;
	struct brine_text *text;
	while (brine_text_accept(helper->both->listener, &text, BRINE_FOREVER, NULL) == 0) {
		while (brine_text_receive(text, &piece) > 0)
			__atomic_add_fetch(&helper->size, piece.data.size, __ATOMIC_SEQ_CST);
		brine_text_close(text);
	}
	return NULL;
}

static void memory_that_fails_loses_nothing_quietly(void **state)
{
	struct both both;
	struct shared_allocator allocator;
	uint64_t failures = 0, n = 1;
	both_start(&both, state);
	struct helper taker = {.run = take_all, .both = &both};
	helper_begin(&taker);
	do {
		size_t before = __atomic_load_n(&taker.size, __ATOMIC_SEQ_CST);
		shared_allocator_init(&allocator, n++, false);
		int status = print_a_little(both.address, &allocator);
		failures += allocator.fail.failures;
		assert_int_equal(allocator.fail.held, 0);
		/* What goes well without memory, as saying goodbye, need not be told; but then all of it arrived. */
		if (status == 0)
			assert_int_equal(__atomic_load_n(&taker.size, __ATOMIC_SEQ_CST) - before, 9);
	} while (allocator.fail.failures && n < 1000);
	assert_true(failures > 10);
	brine_text_listener_stop(both.listener);
	helper_end(&taker);
	both_stop(&both);
}

/* ---- what comes by hand ---- */

static void raw_piece(struct brine_call *call, struct brine_client *client, uint64_t first, uint64_t second,
                      int *status)
{
	static const struct brine_method write = {"brine.text.Text/Write", NULL, NULL, BRINE_METHOD_UPLOAD, NULL};
	uint8_t item[] = {0x93, (uint8_t)first, 0xa0, 0xa2, 'h', 'i'};
	call->timeout_ms = PATIENCE_MS;
	*status = brine_client_begin(client, call, &write, NULL);
	assert_int_equal(*status, 0);
	*status = brine_call_send_raw(call, BRINE_BYTES(item, sizeof item));
	item[1] = (uint8_t)second;
	if (*status == 0)
		*status = brine_call_send_raw(call, BRINE_BYTES(item, sizeof item));
	if (*status == 0)
		*status = brine_call_finish(call, NULL);
}

static void *receive_all(struct helper *helper)
{
	struct brine_text_piece piece;
	struct brine_text *text;
	helper->status = brine_text_accept(helper->both->listener, &text, PATIENCE_MS, NULL);
	while (helper->status >= 0 && (helper->status = brine_text_receive(text, &piece)) > 0)
		helper->size += piece.data.size;
	brine_text_close(text);
	return NULL;
}

static void pieces_by_hand_and_a_gap(void **state)
{
	struct both both;
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	int status;
	both_start(&both, state);
	assert_int_equal(brine_client_open(&client, both.address, NULL, NULL), 0);
	struct helper reader = {.run = receive_all, .both = &both};
	helper_begin(&reader);
	raw_piece(&call, client, 0, 1, &status);
	helper_end(&reader);
	assert_int_equal(status, 0);
	assert_int_equal(reader.status, 0);
	assert_int_equal(reader.size, 4);
	reader.size = 0;
	helper_begin(&reader);
	raw_piece(&call, client, 0, 2, &status);
	helper_end(&reader);
	assert_int_equal(reader.status, BRINE_ERR_PROTO);
	assert_int_equal(reader.size, 2);
	assert_int_equal(status, BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_INVALID);
	assert_non_null(strstr(brine_call_error_text(&call), "missing"));
	brine_call_done(&call);
	brine_client_free(client);
	both_stop(&both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(lines_arrive_at_their_newline),
	        e2e_test(unbuffered_arrives_at_once),
	        e2e_test(full_buffers_wait_for_fflush),
	        e2e_test(an_interval_leaves_nothing_waiting),
	        e2e_test(an_interval_without_end_flushes_nothing),
	        BOTH(a_stream_is_read_by_line),
	        e2e_test(both_directions_and_two_streams),
	        e2e_test(two_that_ask_do_not_wait_for_each_other),
	        e2e_test(a_line_of_64_MiB_of_any_bytes),
	        e2e_test(lines_of_threads_stay_whole),
	        e2e_test(a_stopped_reader_stops_the_writer),
	        e2e_test(a_peer_that_goes_is_an_error_of_stdio),
	        e2e_test(nobody_listens),
	        e2e_test(closing_tells_what_was_not_taken),
	        BOTH(a_cut_is_told_from_an_end),
	        BOTH(nothing_that_came_is_lost_with_its_writer),
	        e2e_test(a_forked_child_sends_nothing),
	        e2e_test(memory_that_fails_loses_nothing_quietly),
	        e2e_test(pieces_by_hand_and_a_gap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
