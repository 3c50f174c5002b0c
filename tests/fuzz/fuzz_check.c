/* Holds for any bytes: validator, scan, printer and object reader agree with each other, and with msgpack-c about what
 * is one well-formed value; the scan's verdict does not depend on the cuts. */
#include "support.h"

#include "fuzz.h"

#include "codec/scan.h"
#include "codec/token.h"
#include "codec/walk.h"

#include <brine/untyped.h>

/* Whether msgpack-c may see the bytes: it takes memory by claimed counts. */
static bool claims_are_small(const uint8_t *data, size_t size)
{
	struct brine_token token;
	for (size_t at = 0; at < size && brine_token_read(&token, data + at, size - at) == 1; at += token.size)
		if (brine_token_elements(&token) > 1000)
			return false;
	return true;
}

static void compare_with_msgpack_c(const uint8_t *data, size_t size, int verdict, uint64_t offset)
{
	msgpack_zone zone;
	msgpack_object object;
	size_t end = 0;
	if (verdict == BRINE_ERR_DEPTH || !claims_are_small(data, size))
		return;
	HOLDS(msgpack_zone_init(&zone, 1024));
	msgpack_unpack_return answer = msgpack_unpack((const char *)data, size, &end, &zone, &object);
	msgpack_zone_destroy(&zone);
	if (answer == MSGPACK_UNPACK_SUCCESS)
		HOLDS(verdict == 0);
	else if (answer == MSGPACK_UNPACK_EXTRA_BYTES)
		HOLDS(verdict == BRINE_ERR_TRAILING && offset == end);
	else
		HOLDS(verdict == BRINE_ERR_MALFORMED);
}

struct scanned {
	int verdict;
	uint64_t size;
	struct brine_error error;
};

static struct scanned scan_cut(const uint8_t *data, size_t size, uint64_t seed, size_t piece_max)
{
	struct scanned result = {0, 0, BRINE_ERROR_INIT};
	struct brine_scan scan;
	brine_scan_init(&scan, BRINE_FRAME_DEPTH_MAX, size);
	for (size_t at = 0; at < size && result.verdict == 0;) {
		size_t piece = 1 + (size_t)random_below(&seed, piece_max);
		piece = piece < size - at ? piece : size - at;
		result.verdict = brine_scan_feed(&scan, data + at, piece, &result.error);
		at += piece;
	}
	result.size = scan.size;
	return result;
}

static void compare_scans(const uint8_t *data, size_t size, int verdict, uint64_t offset)
{
	struct scanned whole = scan_cut(data, size, 0, SIZE_MAX);
	for (uint64_t seed = 1; seed < 4; seed++) {
		struct scanned cut = scan_cut(data, size, seed, seed == 1 ? 1 : 7);
		HOLDS(cut.verdict == whole.verdict && cut.error.offset == whole.error.offset);
		HOLDS(cut.verdict != 1 || cut.size == whole.size);
		HOLDS(strcmp(cut.error.text, whole.error.text) == 0);
	}
	if (verdict == 0)
		HOLDS(whole.verdict == 1 && whole.size == size);
	else if (verdict == BRINE_ERR_TRAILING)
		HOLDS(whole.verdict == 1 && whole.size == offset);
	else if (verdict ==
	         BRINE_ERR_DEPTH) /* the scan's limit is the size: it may see earlier that a value cannot fit */
		HOLDS(whole.verdict == BRINE_ERR_DEPTH ? whole.error.offset == offset
		                                       : whole.verdict == BRINE_ERR_TOO_BIG);
	else
		HOLDS(whole.verdict != 1 && whole.verdict != BRINE_ERR_DEPTH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct brine_bytes bytes = {data, size};
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_buf text = BRINE_BUF_INIT;
	msgpack_object object;
	int verdict = brine_check(bytes, BRINE_FRAME_DEPTH_MAX, &error);
	HOLDS(verdict == 0 || (error.code == verdict && error.text[0] && error.offset <= size));
	compare_with_msgpack_c(data, size, verdict, error.offset);
	if (size)
		compare_scans(data, size, verdict, error.offset);
	size_t end = verdict == BRINE_ERR_TRAILING ? error.offset : verdict == 0 ? size : 0;
	HOLDS(brine_value_size(data, size) == end);
	HOLDS(brine_object_loads(&object, bytes, &arena, NULL) == verdict);
	HOLDS((brine_value_print(&text, bytes, 20) == 0) == (verdict == 0));
	brine_buf_done(&text);
	brine_arena_done(&arena);
	return 0;
}
