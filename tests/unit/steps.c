/* Proves: the end of a plain message is found in steps proportional to its bytes, whatever the cuts, and so is the
 * whole way from brine_conn_feed() to the event; and what is encoded and read in its place is not copied. No clock: the
 * library's layers are compiled into this program once more so that each basic block they run counts
 * (-fsanitize-coverage=trace-pc), and each byte they copy.
 *
 * A message four times as long may cost four times as much, and a little; where something were looked at again for each
 * piece it would be sixteen times. That this is seen is proved first. */
#include "support.h"

#include "codec/scan.h"

#include <brine/conn.h>
#include <brine/pack.h>

enum {
	SIZE_SMALL = 4 << 10,
	FACTOR = 4,
	SIZE_LARGE = FACTOR * SIZE_SMALL,
};

/* ---- counting ---- */

static uint64_t blocks, copied;

void __sanitizer_cov_trace_pc(void);
void *counted_memcpy(void *to, const void *from, size_t size);
void *counted_memmove(void *to, const void *from, size_t size);

void __sanitizer_cov_trace_pc(void)
{
	blocks++;
}

void *counted_memcpy(void *to, const void *from, size_t size)
{
	copied += size;
	return memcpy(to, from, size);
}

void *counted_memmove(void *to, const void *from, size_t size)
{
	copied += size;
	return memmove(to, from, size);
}

/* ---- messages ---- */

typedef void fill_fn(struct brine_buf *out, size_t size);

/* One text. */
static void fill_text(struct brine_buf *out, size_t size)
{
	char *text = malloc(size);
	assert_non_null(memset(text, 'x', size));
	brine_pack_array(out, 1);
	brine_pack_str(out, text, size);
	free(text);
}

/* As many values as there are bytes. */
static void fill_integers(struct brine_buf *out, size_t size)
{
	brine_pack_array(out, (uint32_t)size);
	for (size_t i = 0; i < size; i++)
		brine_pack_int(out, (int64_t)(i % 100));
}

/* Heads of many bytes, so that most pieces cut one. */
static void fill_doubles(struct brine_buf *out, size_t size)
{
	brine_pack_array(out, (uint32_t)(size / 9));
	for (size_t i = 0; i < size / 9; i++)
		brine_pack_double(out, (double)i);
}

/* As deep as may be, again and again: each end closes all levels. */
static void fill_nests(struct brine_buf *out, size_t size)
{
	enum { LEVELS = 30 };
	brine_pack_array(out, (uint32_t)(size / LEVELS));
	for (size_t i = 0; i < size / LEVELS; i++) {
		for (unsigned level = 1; level < LEVELS; level++)
			brine_pack_array(out, 1);
		brine_pack_nil(out);
	}
}

static void fill_maps(struct brine_buf *out, size_t size)
{
	brine_pack_array(out, 1);
	brine_pack_map(out, (uint32_t)(size / 6));
	for (size_t i = 0; i < size / 6; i++) {
		char key[8];
		snprintf(key, sizeof key, "%04x", (unsigned)i & 0xffff);
		brine_pack_str(out, key, 4);
		brine_pack_nil(out);
	}
}

/* [2, "m", PARAMS]: a notification, which leaves nothing behind. */
static struct brine_buf one_message(fill_fn *fill, size_t size)
{
	struct brine_buf out = BRINE_BUF_INIT;
	brine_buf_append(&out, "\x93\x02\xa1m", 4);
	fill(&out, size);
	return out;
}

/* Many small messages instead of a large one. */
static struct brine_buf many_messages(fill_fn *fill, size_t size)
{
	struct brine_buf out = BRINE_BUF_INIT;
	while (brine_buf_size(&out) < size) {
		brine_buf_append(&out, "\x93\x02\xa1m", 4);
		fill(&out, 40);
	}
	return out;
}

/* ---- measuring ---- */

/* Feeds a connection in pieces: of that size; 0: of random ones. */
static void feed(const struct brine_buf *stream, size_t piece_size)
{
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	struct brine_conn *conn;
	struct brine_event event;
	uint64_t seed = 1;
	size_t size = brine_buf_size(stream), events = 0;
	options.role = BRINE_ACCEPTING;
	assert_int_equal(brine_conn_new(&conn, &options, 0, NULL), 0);
	for (size_t at = 0, piece; at < size; at += piece) {
		piece = piece_size ? piece_size : 1 + (size_t)random_below(&seed, 40);
		piece = piece < size - at ? piece : size - at;
		assert_int_equal(brine_conn_feed(conn, BRINE_BYTES(stream->data + stream->start + at, piece), 0), 0);
		while (brine_conn_next(conn, &event, 0) > 0)
			events += event.type == BRINE_EVENT_NOTIFICATION;
	}
	assert_true(events > 0);
	assert_int_equal(brine_conn_state(conn), BRINE_CONN_OPEN);
	brine_conn_free(conn);
}

/* The naive way: with each piece the message is scanned from its beginning. */
static void feed_again_and_again(const struct brine_buf *stream, size_t piece_size)
{
	size_t size = brine_buf_size(stream);
	for (size_t end = piece_size; end <= size; end += piece_size) {
		struct brine_scan scan;
		brine_scan_init(&scan, BRINE_FRAME_DEPTH_MAX, SIZE_MAX / 2);
		assert_in_range(brine_scan_feed(&scan, stream->data + stream->start, end, NULL), 0, 1);
	}
}

struct cost {
	uint64_t blocks, copied;
};

static struct cost measure(void (*feeding)(const struct brine_buf *, size_t), struct brine_buf stream,
                           size_t piece_size)
{
	blocks = copied = 0;
	feeding(&stream, piece_size);
	struct cost cost = {blocks, copied};
	brine_buf_done(&stream);
	return cost;
}

static void the_naive_way_is_seen(void **state)
{
	(void)state;
	struct cost small = measure(feed_again_and_again, one_message(fill_integers, SIZE_SMALL), 16);
	struct cost large = measure(feed_again_and_again, one_message(fill_integers, SIZE_LARGE), 16);
	print_message("%llu and %llu blocks\n", (unsigned long long)small.blocks, (unsigned long long)large.blocks);
	assert_true(small.blocks > 0);
	assert_true(large.blocks > small.blocks * FACTOR * (FACTOR - 1));
}

static void steps_grow_as_the_bytes_do(void **state)
{
	static const struct {
		const char *name;
		struct brine_buf (*make)(fill_fn *, size_t);
		fill_fn *fill;
	} rows[] = {
	        {"a text", one_message, fill_text},
	        {"integers", one_message, fill_integers},
	        {"doubles", one_message, fill_doubles},
	        {"nests", one_message, fill_nests},
	        {"maps", one_message, fill_maps},
	        {"many texts", many_messages, fill_text},
	        {"many lists", many_messages, fill_integers},
	        {"many maps", many_messages, fill_maps},
	};
	static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 1 << 20, 0};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0] * 8; i++) {
		size_t piece = pieces[i % 8];
		struct cost small = measure(feed, rows[i / 8].make(rows[i / 8].fill, SIZE_SMALL), piece);
		struct cost large = measure(feed, rows[i / 8].make(rows[i / 8].fill, SIZE_LARGE), piece);
		/* Random pieces are not in proportion, and buffers double. */
		if (large.blocks > small.blocks * (2 * FACTOR + 1) / 2 || large.copied > small.copied * 2 * FACTOR)
			fail_msg("%s in pieces of %zu: %llu and %llu blocks, %llu and %llu bytes copied",
			         rows[i / 8].name, piece, (unsigned long long)small.blocks,
			         (unsigned long long)large.blocks, (unsigned long long)small.copied,
			         (unsigned long long)large.copied);
		assert_true(small.blocks > 0 && small.copied > SIZE_SMALL / 2);
	}
}

/* A message is walked over once where it is taken apart: whatever its params are, the rest is a constant. */
static void a_message_is_walked_over_once(void **state)
{
	static fill_fn *const fills[] = {fill_integers, fill_doubles, fill_nests, fill_maps};
	(void)state;
	for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++) {
		struct brine_limits limits = BRINE_LIMITS_INIT;
		struct brine_judgement judgement;
		struct brine_frame frame;
		struct brine_buf message = BRINE_BUF_INIT;
		brine_buf_append(&message, "\x95\x00\x01\xa1m", 5);
		fills[i](&message, SIZE_SMALL);
		brine_buf_append(&message, "\x80", 1);
		struct brine_bytes bytes = brine_buf_bytes(&message);
		blocks = 0;
		assert_int_equal(brine_check(bytes, BRINE_FRAME_DEPTH_MAX, NULL), 0);
		uint64_t once = blocks;
		blocks = 0;
		assert_int_equal(brine_frame_parse(&frame, bytes, BRINE_WIRE_FRAMED, &limits, &judgement, NULL), 0);
		print_message("%llu blocks to check, %llu to parse\n", (unsigned long long)once,
		              (unsigned long long)blocks);
		assert_in_range(blocks, once, once + 300);
		brine_buf_done(&message);
	}
}

/* ---- the straight path ---- */

static int append(struct brine_buf *out, void *user)
{
	const struct brine_bytes *bytes = user;
	return brine_buf_append(out, bytes->data, bytes->size);
}

/* Moves the output of one side into the input of the other, as read() would, and takes the one event. */
static struct brine_event carry(struct brine_conn *from, struct brine_conn *to)
{
	struct brine_bytes pending = brine_conn_pending(from);
	struct brine_event event = {0};
	size_t room = 0;
	void *into = brine_conn_reserve(to, pending.size, &room);
	assert_non_null(memcpy(into, pending.data, pending.size));
	brine_conn_fed(to, pending.size, 0);
	brine_conn_sent(from, pending.size, 0);
	assert_int_equal(brine_conn_next(to, &event, 0), 1);
	return event;
}

/* Params and result of a call are copied by their encoders and by nobody else, whatever their size. */
static void the_straight_path_copies_nothing(void **state)
{
	static const size_t sizes[] = {50, 5000, 100000};
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	struct brine_conn *caller, *callee;
	const struct brine_bytes none = {NULL, 0};
	(void)state;
	assert_int_equal(brine_conn_new(&caller, &options, 0, NULL), 0);
	options.role = BRINE_ACCEPTING;
	assert_int_equal(brine_conn_new(&callee, &options, 0, NULL), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct brine_buf value = BRINE_BUF_INIT;
		uint64_t serial;
		fill_text(&value, sizes[i]);
		struct brine_bytes bytes = brine_buf_bytes(&value);
		struct brine_encoder encoder = {append, &bytes};
		struct brine_conn_call call = {
		        .method = BRINE_STR("m"), .deadline_ms = BRINE_FOREVER, .encoder = &encoder};
		copied = 0;
		assert_int_equal(brine_conn_call(caller, &call, 0, &serial, NULL), 0);
		struct brine_event event = carry(caller, callee);
		assert_int_equal(event.params.size, bytes.size);
		assert_int_equal(brine_conn_reply_encoded(callee, event.serial, &encoder, none, 0), 0);
		event = carry(callee, caller);
		assert_int_equal(event.result.size, bytes.size);
		print_message("%zu bytes each way: %llu copied\n", bytes.size, (unsigned long long)copied);
		assert_in_range(copied, 2 * bytes.size, 2 * bytes.size + 100);
		brine_buf_done(&value);
	}
	brine_conn_free(caller);
	brine_conn_free(callee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_naive_way_is_seen),
	        cmocka_unit_test(steps_grow_as_the_bytes_do),
	        cmocka_unit_test(a_message_is_walked_over_once),
	        cmocka_unit_test(the_straight_path_copies_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
