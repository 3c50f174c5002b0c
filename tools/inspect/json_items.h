/* inspect/json_items.h - JSON values one after another in a stream of bytes that comes in pieces: where each ends, so
 * that it can be parsed as soon as it is there. Only brackets and strings are looked at; whether what stands between
 * them is JSON is for inspect_json_parse() to say. Each byte is looked at once. Memory is bounded by
 * INSPECT_JSON_SIZE_MOST. Not thread-safe. */
#ifndef INSPECT_JSON_ITEMS_H
#define INSPECT_JSON_ITEMS_H

#include <brine/buf.h>

/* All zero is a valid start. Fields are private. */
struct inspect_json_items {
	struct brine_buf bytes;
	size_t taken;   /* of them: the value handed out last */
	size_t scanned; /* of those behind */
	size_t depth;   /* brackets open there */
	bool in_string, is_escaped, in_word, at_end;
};

void inspect_json_items_done(struct inspect_json_items *items);

/* Adds the next bytes of the stream; size 0 is its end. 0 or BRINE_ERR_NOMEM. */
int inspect_json_items_feed(struct inspect_json_items *items, const void *data, size_t size);

/* Takes the next value: 1 and *ret_text, which lives until the next call on items; at the end of the stream also what
 * is left of a value that was cut. 0: more bytes are needed, or nothing is left. BRINE_ERR_LIMIT: the value is larger
 * than INSPECT_JSON_SIZE_MOST. */
int inspect_json_items_next(struct inspect_json_items *items, struct brine_bytes *ret_text);

#endif
