/* both.h - the two sides of a conversation in one process, for the tests of text. */
#ifndef BRINE_TESTS_TEXT_BOTH_H
#define BRINE_TESTS_TEXT_BOTH_H

#include "e2e/harness.h"

#include <brine/text.h>

struct both {
	struct brine_text_listener *listener;
	char address[320];
};

static inline void both_start_over(struct both *both, void **state, enum over kind)
{
	struct brine_error error = BRINE_ERROR_INIT;
	char where[ADDRESS_SIZE];
	if (brine_text_listen(&both->listener, address_over(state, kind, where), NULL, &error) < 0)
		fail_msg("listen: %s", error.text);
	snprintf(both->address, sizeof both->address, "%s", brine_text_listener_address(both->listener));
}

static inline void both_start(struct both *both, void **state)
{
	both_start_over(both, state, OVER_UNIX);
}

static inline void both_stop(struct both *both)
{
	brine_text_listener_free(both->listener);
}

static inline struct brine_text *both_accept(struct both *both)
{
	struct brine_text *text;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_text_accept(both->listener, &text, PATIENCE_MS, &error) < 0)
		fail_msg("accept: %s", error.text);
	return text;
}

static inline struct brine_text *both_connect(struct both *both, unsigned directions)
{
	struct brine_text *text;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_text_connect(&text, both->address, directions, NULL, &error) < 0)
		fail_msg("connect: %s", error.text);
	return text;
}

static inline FILE *both_open(struct both *both, const char *mode, const struct brine_text_options *options)
{
	FILE *file;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_text_open(&file, both->address, mode, options, &error) < 0)
		fail_msg("open: %s", error.text);
	return file;
}

/* The next piece is exactly this. */
static inline void expect_piece(struct brine_text *text, const char *expected)
{
	struct brine_text_piece piece;
	int status = brine_text_receive(text, &piece);
	if (status != 1)
		fail_msg("%s came instead of \"%s\"", status ? brine_error_name(status) : "the end", expected);
	if (piece.data.size != strlen(expected) || memcmp(piece.data.data, expected, piece.data.size) != 0)
		fail_msg("\"%.*s\" came instead of \"%s\"", BRINE_ARG(piece.data), expected);
}

/* The next bytes are these, in however many pieces. */
static inline void expect_bytes(struct brine_text *text, const char *expected, size_t size)
{
	struct brine_text_piece piece;
	while (size > 0) {
		assert_int_equal(brine_text_receive(text, &piece), 1);
		assert_true(piece.data.size <= size);
		assert_memory_equal(piece.data.data, expected, piece.data.size);
		expected += piece.data.size;
		size -= piece.data.size;
	}
}

static inline void expect_end(struct brine_text *text, int status, int signal)
{
	struct brine_text_piece piece;
	assert_int_equal(brine_text_receive(text, &piece), 0);
	const struct brine_text_end *end = brine_text_ending(text);
	assert_non_null(end);
	assert_false(end->cut);
	assert_int_equal(end->status, status);
	assert_int_equal(end->signal, signal);
}

/* ---- in another thread ---- */

struct helper {
	pthread_t thread;
	void *(*run)(struct helper *helper);
	struct both *both;
	FILE *file;
	struct brine_text *text;
	int number;
	int status;
	size_t size;
	int failure; /* errno */
};

static inline void *helper_run(void *argument)
{
	struct helper *helper = argument;
	return helper->run(helper);
}

static inline void helper_begin(struct helper *helper)
{
	assert_int_equal(pthread_create(&helper->thread, NULL, helper_run, helper), 0);
}

static inline void helper_end(struct helper *helper)
{
	pthread_join(helper->thread, NULL);
}

/* fclose(), which waits for the other side. */
static inline void *helper_close(struct helper *helper)
{
	helper->status = fclose(helper->file);
	helper->failure = errno;
	return NULL;
}

#endif
