/* Proves: after a failed write what the peer had sent before is read to its end, in pieces of which only one is held at
 * a time, and a peer that goes on sending is not listened to for ever. The stream is made up: no sockets. */
#include "support.h"

#include "channel/channel.h"

#include <errno.h>

enum {
	PIECES_MAX = 64, /* that are read after a failed write */
	/* What is left of one piece and the next one, in a buffer that doubles as it grows; the rest of a connection.
	 */
	HELD_MOST = 4 * BRINE_INPUT_SIZE + (16 << 10),
};

/* A peer that takes nothing: each write fails. */
struct gone_peer {
	struct brine_stream base;
	struct brine_bytes sent; /* before it went away */
	size_t read;
	bool goes_on; /* it sends the same again and again */
	bool waits;   /* its end did not come */
};

static ssize_t gone_read(struct brine_stream *stream, void *data, size_t size)
{
	struct gone_peer *peer = (struct gone_peer *)stream;
	size_t left = peer->sent.size - peer->read;
	if (left == 0 && peer->waits)
		return BRINE_STREAM_AGAIN;
	size = size < left ? size : left;
	if (size)
		memcpy(data, (const char *)peer->sent.data + peer->read, size);
	peer->read += size;
	if (peer->goes_on && peer->read == peer->sent.size)
		peer->read = 0;
	return (ssize_t)size;
}

static ssize_t gone_writev(struct brine_stream *stream, const struct iovec *parts, int count)
{
	(void)parts;
	(void)count;
	stream->system_errno = EPIPE;
	return BRINE_ERR_SYSTEM;
}

static const struct brine_stream_ops gone_ops = {.read = gone_read, .writev = gone_writev};

struct run {
	struct fail_allocator memory;
	struct gone_peer peer;
	struct brine_channel channel;
	unsigned requests, notifications, answers, turns;
	struct brine_error end; /* what CLOSED said, and of a goaway its text */
};

/* Pulls what is there; true: the connection has ended. */
static bool pull(struct run *run)
{
	struct brine_event event;
	while (brine_conn_next(run->channel.conn, &event, 1) > 0) {
		run->requests += event.type == BRINE_EVENT_REQUEST;
		run->notifications += event.type == BRINE_EVENT_NOTIFICATION;
		run->answers += event.type == BRINE_EVENT_RESPONSE && event.status == BRINE_OK;
		if (event.type != BRINE_EVENT_CLOSED)
			continue;
		run->end = *brine_conn_fault(run->channel.conn);
		return true;
	}
	return false;
}

/* Turns until the connection has ended, as clients and servers do it: a write, then what came of it. */
static void run_to_end(struct run *run)
{
	uint8_t *input = malloc(BRINE_INPUT_SIZE);
	assert_non_null(input);
	do {
		assert_in_range(++run->turns, 1, 1000000);
		brine_channel_write(&run->channel, input, 1);
		assert_true(run->channel.dead);
		assert_false(brine_channel_read(&run->channel, input, 1));
	} while (!pull(run));
	free(input);
	assert_int_equal(run->channel.system_errno, EPIPE);
	brine_conn_free(run->channel.conn);
	assert_in_range(run->memory.held_most, 1, HELD_MOST);
	assert_int_equal(run->memory.held, 0);
}

/* A connection of that role with output for the peer, which had sent these bytes. */
static void begin(struct run *run, int role, struct brine_bytes sent)
{
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	*run = (struct run){.peer = {.base = {.ops = &gone_ops}, .sent = sent}};
	fail_allocator_init(&run->memory, 0, false);
	options.role = role;
	options.limits.output_mark = 1; /* what waits is too much: nothing would be handled of a peer that is there */
	options.allocator = &run->memory.base;
	assert_int_equal(brine_conn_new(&run->channel.conn, &options, 0, NULL), 0);
	run->channel.stream = &run->peer.base;
	if (role == BRINE_CONNECTING) {
		struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
		uint64_t serial;
		assert_int_equal(brine_conn_call(run->channel.conn, &call, 0, &serial, NULL), 0);
		return;
	}
	assert_int_equal(brine_conn_feed(run->channel.conn, BRINE_BYTES("\x03\x92\x12\x01", 4), 0), 0);
	assert_false(pull(run));
}

/* So many of a message, and a last one. */
static void repeat(struct brine_buf *bytes, unsigned count, const char *hex, const char *last)
{
	struct brine_buf one = BRINE_BUF_INIT;
	size_t size = hex_append(&one, hex);
	for (unsigned i = 0; i < count; i++)
		brine_buf_append(bytes, one.data, size);
	hex_append(bytes, last);
	brine_buf_done(&one);
}

/* Megabytes that arrived while the peer took no answers: each message is seen, requests are dropped. */
static void the_rest_is_handled_in_pieces(void **state)
{
	enum { COUNT = 300000 };
	static const char request[] = "06 94 00 01 a178 90", note[] = "05 93 02 a178 90";
	struct run run;
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		repeat(&bytes, COUNT, i & 1 ? note : request, note);
		assert_in_range(brine_buf_size(&bytes), 4 * HELD_MOST, PIECES_MAX * BRINE_INPUT_SIZE);
		begin(&run, BRINE_ACCEPTING, brine_buf_bytes(&bytes));
		run.peer.waits = i & 2;
		run_to_end(&run);
		assert_int_equal(run.requests, 0);
		assert_int_equal(run.notifications, i & 1 ? COUNT + 1 : 1);
		assert_int_equal(run.end.code, BRINE_ERR_LOST);
		brine_buf_done(&bytes);
	}
}

/* The reason stands behind everything else; so does an answer. */
static void the_last_words_are_heard(void **state)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	struct run run;
	(void)state;
	repeat(&bytes, 100000, "05 93 02 a178 90", "05 94 01 01 c0 05 0a 94 14 07 a5 746f6f2062 00");
	begin(&run, BRINE_CONNECTING, brine_buf_bytes(&bytes));
	run_to_end(&run);
	assert_int_equal(run.answers, 1);
	assert_int_equal(run.end.code, BRINE_ERR_GOAWAY);
	assert_non_null(strstr(run.end.text, "too b"));
	brine_buf_done(&bytes);
}

static void who_goes_on_is_not_heard_for_ever(void **state)
{
	enum { LENGTH = 6 };
	struct brine_buf bytes = BRINE_BUF_INIT;
	struct run run;
	(void)state;
	repeat(&bytes, 1000, "05 93 02 a178 90", "");
	begin(&run, BRINE_ACCEPTING, brine_buf_bytes(&bytes));
	run.peer.goes_on = true;
	run_to_end(&run);
	assert_in_range(run.notifications, 1000, PIECES_MAX * BRINE_INPUT_SIZE / LENGTH);
	brine_buf_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_rest_is_handled_in_pieces),
	        cmocka_unit_test(the_last_words_are_heard),
	        cmocka_unit_test(who_goes_on_is_not_heard_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
