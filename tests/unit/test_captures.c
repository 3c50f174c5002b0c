/* Proves: every recorded session, in both directions, is cut into exactly the objects listed beside it, whole, byte by
 * byte and at 16 seeded random cuts. Plain sessions go through the resumable scan, the framed one through frame_find.
 */
#include "files.h"
#include "pyrepr.h"
#include "support.h"

#include "codec/scan.h"

#include <brine/frame.h>

enum { CUTS = 16, OBJECTS_MAX = 4096 };

static const struct brine_limits limits = BRINE_LIMITS_INIT;

struct object {
	size_t offset, size;
	const char *text;
};

struct listing {
	struct object objects[OBJECTS_MAX];
	size_t count;
};

/* Reads the list of one direction, "C>S" or "S>C". */
static void read_listing(struct listing *listing, char *text, const char *direction)
{
	bool here = false;
	listing->count = 0;
	for (char *line; (line = next_line(&text));) {
		if (line[0] == '#') {
			here = strstr(line, direction) != NULL;
		} else if (here && line[0]) {
			struct object *object = &listing->objects[listing->count++];
			object->offset = strtoul(line, &line, 10);
			object->size = strtoul(line, &line, 10);
			object->text = line + 1;
		}
	}
}

static size_t characters(const char *text)
{
	size_t count = 0;
	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

/* Long objects are listed cut: "beginning ... (N chars)". */
static void check_text(const char *text, const char *expected)
{
	const char *cut = strstr(expected, " ... (");
	if (!cut) {
		assert_string_equal(text, expected);
		return;
	}
	assert_memory_equal(text, expected, (size_t)(cut - expected));
	assert_int_equal(characters(text), strtoul(cut + 6, NULL, 10));
}

static void check_object(const struct listing *listing, size_t number, size_t offset, struct brine_bytes value)
{
	assert_in_range(number, 0, listing->count - 1);
	const struct object *object = &listing->objects[number];
	assert_int_equal(offset, object->offset);
	assert_int_equal(value.size, object->size);
	struct brine_buf text = BRINE_BUF_INIT;
	check_text(repr(&text, value), object->text);
	brine_buf_done(&text);
}

/* A message must also be one: its type is known or advisory. The framed session ends with one of a reserved type. */
static void check_message(struct brine_bytes value, int wire)
{
	static const uint8_t reserved[] = {0x93, 0x07, 0x01, 0x02};
	bool is_reserved = value.size == sizeof reserved && memcmp(value.data, reserved, sizeof reserved) == 0;
	struct brine_frame frame;
	struct brine_judgement judgement;
	struct brine_error error = BRINE_ERROR_INIT;
	brine_frame_parse(&frame, value, wire, &limits, &judgement, &error);
	if (is_reserved)
		assert_int_equal(judgement.code, BRINE_CODE_UNSUPPORTED);
	else if (judgement.verdict != BRINE_VERDICT_OK && judgement.verdict != BRINE_VERDICT_IGNORE)
		fail_msg("a recorded message was refused: %s", error.text);
}

/* Takes what is complete in bytes[*done .. size); prefixes are listed as objects of their own. */
static size_t take_framed(const struct listing *listing, const uint8_t *bytes, size_t size, size_t *done, size_t number)
{
	struct brine_bytes message;
	size_t prefix_size;
	int rc;
	while ((rc = brine_frame_find(BRINE_BYTES(bytes + *done, size - *done), &limits, &message, &prefix_size,
	                              NULL)) > 0) {
		check_object(listing, number++, *done, BRINE_BYTES(bytes + *done, prefix_size));
		check_object(listing, number++, *done + prefix_size, message);
		check_message(message, BRINE_WIRE_FRAMED);
		*done += prefix_size + message.size;
	}
	assert_int_equal(rc, 0);
	return number;
}

static size_t take_plain(struct brine_scan *scan, const struct listing *listing, const uint8_t *bytes, size_t size,
                         size_t *done, size_t number)
{
	size_t seen;
	int rc = 0;
	while ((seen = *done + scan->size + scan->head_size) < size &&
	       (rc = brine_scan_feed(scan, bytes + seen, size - seen, NULL)) > 0) {
		struct brine_bytes value = {bytes + *done, scan->size};
		check_object(listing, number++, *done, value);
		check_message(value, BRINE_WIRE_PLAIN);
		*done += value.size;
		brine_scan_init(scan, limits.depth_max, limits.message_size_max);
	}
	assert_true(rc >= 0);
	return number;
}

/* step 0: random pieces from seed; else pieces of that size. */
static void check_stream(const struct listing *listing, const struct brine_buf *stream, size_t step, uint64_t seed)
{
	size_t size = brine_buf_size(stream), done = 0, number = 0;
	int wire = brine_wire_detect(brine_buf_bytes(stream), NULL);
	assert_in_range(wire, BRINE_WIRE_FRAMED, BRINE_WIRE_PLAIN);
	struct brine_scan scan;
	brine_scan_init(&scan, limits.depth_max, limits.message_size_max);
	for (size_t fed = 0; fed < size;) {
		size_t piece = step ? step : 1 + random_below(&seed, size / 8 + 1);
		fed = piece < size - fed ? fed + piece : size;
		if (wire == BRINE_WIRE_FRAMED)
			number = take_framed(listing, stream->data, fed, &done, number);
		else
			number = take_plain(&scan, listing, stream->data, fed, &done, number);
	}
	assert_int_equal(done, size);
	assert_int_equal(number, listing->count);
}

static void check_session(const char *name)
{
	static const struct {
		const char *suffix, *direction;
	} sides[] = {{"c2s", "C>S"}, {"s2c", "S>C"}};
	for (size_t side = 0; side < 2; side++) {
		char path[128];
		snprintf(path, sizeof path, "captures/%s.txt", name);
		struct brine_buf text = file_read(path);
		snprintf(path, sizeof path, "captures/%s.%s.bin", name, sides[side].suffix);
		struct brine_buf stream = file_read(path);
		static struct listing listing;
		read_listing(&listing, (char *)text.data, sides[side].direction);
		assert_true(listing.count > 2);
		check_stream(&listing, &stream, brine_buf_size(&stream), 0);
		check_stream(&listing, &stream, 1, 0);
		for (uint64_t seed = 1; seed <= CUTS; seed++)
			check_stream(&listing, &stream, 0, seed);
		brine_buf_done(&text);
		brine_buf_done(&stream);
	}
}

static void recorded_sessions_decode_to_their_listings(void **state)
{
	(void)state;
	static const char *const names[] = {
	        "framed-session", "npm-msgpack-rpc-node", "npm-neovim",    "nvim-as-client", "nvim-tcp",
	        "nvim-unix",      "pynvim-vs-fake",       "rpclib-client", "rpclib-server",  "ruby-client",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		check_session(names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(recorded_sessions_decode_to_their_listings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
