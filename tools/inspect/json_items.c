#include "inspect/json_items.h"

#include "inspect/json_text.h"

void inspect_json_items_done(struct inspect_json_items *items)
{
	brine_buf_done(&items->bytes);
	*items = (struct inspect_json_items){.depth = 0};
}

static void drop_taken(struct inspect_json_items *items)
{
	brine_buf_take(&items->bytes, items->taken);
	items->taken = 0;
}

int inspect_json_items_feed(struct inspect_json_items *items, const void *data, size_t size)
{
	drop_taken(items);
	items->at_end |= size == 0;
	return brine_buf_append(&items->bytes, data, size);
}

static bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* Looks at the next byte. True where a value ends: behind the byte, or, with *ret_before, before it. */
static bool scan(struct inspect_json_items *items, uint8_t byte, bool *ret_before)
{
	bool begins = byte == '"' || byte == '{' || byte == '[';
	if (items->in_string) {
		bool closes = byte == '"' && !items->is_escaped;
		items->is_escaped = byte == '\\' && !items->is_escaped;
		items->in_string = !closes;
		return closes && items->depth == 0;
	}
	if (items->in_word && (begins || is_space(byte))) {
		items->in_word = false;
		*ret_before = true;
		return true;
	}
	if (byte == '"') {
		items->in_string = true;
	} else if (byte == '{' || byte == '[') {
		items->depth++;
	} else if (byte == '}' || byte == ']') {
		items->depth -= items->depth > 0;
		items->in_word = false;
		return items->depth == 0;
	} else if (items->depth == 0) {
		items->in_word = true;
	}
	return false;
}

/* Cuts the space before the next value off. */
static void skip_space(struct inspect_json_items *items)
{
	struct brine_bytes bytes = brine_buf_bytes(&items->bytes);
	const uint8_t *data = bytes.data;
	size_t size = 0;
	while (size < bytes.size && is_space(data[size]))
		size++;
	brine_buf_take(&items->bytes, size);
}

/* Hands out the first size bytes. */
static int take_text(struct inspect_json_items *items, size_t size, struct brine_bytes *ret_text)
{
	items->taken = size;
	items->scanned = items->depth = 0;
	items->in_string = items->is_escaped = items->in_word = false;
	*ret_text = BRINE_BYTES(brine_buf_bytes(&items->bytes).data, size);
	return size > INSPECT_JSON_SIZE_MOST ? BRINE_ERR_LIMIT : 1;
}

int inspect_json_items_next(struct inspect_json_items *items, struct brine_bytes *ret_text)
{
	drop_taken(items);
	if (items->scanned == 0)
		skip_space(items);
	struct brine_bytes bytes = brine_buf_bytes(&items->bytes);
	const uint8_t *data = bytes.data;
	while (items->scanned < bytes.size) {
		bool before = false;
		bool ends = scan(items, data[items->scanned], &before);
		items->scanned += !before;
		if (ends)
			return take_text(items, items->scanned, ret_text);
	}
	if (bytes.size > INSPECT_JSON_SIZE_MOST)
		return BRINE_ERR_LIMIT;
	return items->at_end && bytes.size ? take_text(items, bytes.size, ret_text) : 0;
}
