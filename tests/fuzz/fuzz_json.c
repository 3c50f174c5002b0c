/* Holds for any bytes as JSON: they are refused with a harmless text that says why, or become MessagePack that is well
 * formed and whose JSON becomes the same bytes again; and the values in them, as a stream, do not depend on how it was
 * cut. */
#include "support.h"

#include "fuzz.h"

#include "inspect/json_items.h"
#include "inspect/json_pack.h"
#include "inspect/json_text.h"
#include "inspect/json_value.h"

#include <brine/codec.h>

enum { DEPTH = 28 };

static void check_text(const char *text)
{
	HOLDS(*text);
	for (; *text; text++)
		HOLDS((uint8_t)*text >= 0x20 && *text != 0x7f);
}

/* The bytes of the JSON in text; false where it is refused. */
static bool pack_text(struct brine_buf *out, struct brine_bytes text)
{
	struct brine_error error = BRINE_ERROR_INIT;
	json_t *value = inspect_json_parse(text, &error);
	int rc = value ? inspect_json_pack(out, value, DEPTH, &error) : error.code;
	json_decref(value);
	HOLDS(rc <= 0 && (rc < 0) == (error.code < 0));
	if (rc < 0)
		check_text(error.text);
	return rc == 0;
}

static void check_round(const struct brine_buf *packed)
{
	struct brine_bytes bytes = brine_buf_bytes(packed);
	struct brine_buf again = BRINE_BUF_INIT;
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	HOLDS(brine_check(bytes, DEPTH, NULL) == 0);
	json_t *value = inspect_json_value(bytes, false);
	HOLDS(value != NULL);
	inspect_json_print(&line, value, bytes.size % 2);
	json_decref(value);
	HOLDS(line.status == 0);
	HOLDS(pack_text(&again, brine_buf_bytes(&line.text)));
	HOLDS(brine_buf_size(&again) == bytes.size);
	HOLDS(memcmp(brine_buf_bytes(&again).data, bytes.data, bytes.size) == 0);
	inspect_line_done(&line);
	brine_buf_done(&again);
}

/* The values of the stream, each with its size in front. */
static struct brine_buf split(const uint8_t *data, size_t size, size_t step)
{
	struct inspect_json_items items = {.depth = 0};
	struct brine_buf out = BRINE_BUF_INIT;
	struct brine_bytes item;
	for (size_t at = 0;; at += step) {
		size_t piece = at >= size ? 0 : size - at < step ? size - at : step;
		HOLDS(inspect_json_items_feed(&items, data + (piece ? at : 0), piece) == 0);
		while (inspect_json_items_next(&items, &item) > 0) {
			HOLDS(item.size > 0);
			HOLDS(brine_buf_append(&out, &item.size, sizeof item.size) == 0);
			HOLDS(brine_buf_append(&out, item.data, item.size) == 0);
		}
		if (piece == 0)
			break;
	}
	inspect_json_items_done(&items);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct brine_buf packed = BRINE_BUF_INIT;
	if (pack_text(&packed, BRINE_BYTES(data, size)))
		check_round(&packed);
	brine_buf_done(&packed);
	struct brine_buf whole = split(data, size, size + 1), cut = split(data, size, 1 + size / 7);
	HOLDS(brine_buf_size(&whole) == brine_buf_size(&cut));
	HOLDS(brine_buf_size(&whole) == 0 ||
	      memcmp(brine_buf_bytes(&whole).data, brine_buf_bytes(&cut).data, brine_buf_size(&whole)) == 0);
	brine_buf_done(&whole);
	brine_buf_done(&cut);
	return 0;
}
