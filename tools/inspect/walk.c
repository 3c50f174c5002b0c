#include "inspect/walk.h"

#include "codec/token.h"
#include "codec/walk.h"

#include <strings.h>

/* Begins behind the head, where that is of the given kind. */
static bool begin_walk(struct inspect_walk *walk, struct brine_bytes value, enum brine_token_kind kind)
{
	struct brine_token token;
	*walk = (struct inspect_walk){{NULL, 0}};
	if (brine_token_read(&token, value.data, value.size) <= 0 || token.kind != kind)
		return false;
	walk->rest = BRINE_BYTES((const uint8_t *)value.data + token.size, value.size - token.size);
	return true;
}

bool inspect_walk_array(struct inspect_walk *walk, struct brine_bytes value)
{
	return begin_walk(walk, value, BRINE_TOKEN_ARRAY);
}

bool inspect_walk_map(struct inspect_walk *walk, struct brine_bytes value)
{
	return begin_walk(walk, value, BRINE_TOKEN_MAP);
}

bool inspect_walk_element(struct inspect_walk *walk, struct brine_bytes *ret_element)
{
	const uint8_t *at = walk->rest.data;
	if (walk->rest.size == 0)
		return false;
	size_t size = brine_value_size(at, walk->rest.size);
	*ret_element = BRINE_BYTES(at, size);
	walk->rest = BRINE_BYTES(at + size, walk->rest.size - size);
	return true;
}

bool inspect_walk_pair(struct inspect_walk *walk, struct brine_bytes *ret_key, struct brine_bytes *ret_value)
{
	return inspect_walk_element(walk, ret_key) && inspect_walk_element(walk, ret_value);
}

bool inspect_text_of(struct brine_bytes value, struct brine_bytes *ret_text)
{
	struct brine_token token;
	if (brine_token_read(&token, value.data, value.size) <= 0)
		return false;
	if (token.kind != BRINE_TOKEN_STR && token.kind != BRINE_TOKEN_BIN)
		return false;
	*ret_text = token.content;
	return true;
}

bool inspect_is_nil(struct brine_bytes value)
{
	return value.size == 1 && *(const uint8_t *)value.data == 0xc0;
}

static bool contains(struct brine_bytes text, const char *word)
{
	size_t size = strlen(word);
	const char *data = text.data;
	for (size_t at = 0; at + size <= text.size; at++) {
		if (strncasecmp(data + at, word, size) == 0)
			return true;
	}
	return false;
}

bool inspect_is_secret(struct brine_bytes key)
{
	static const char *const words[] = {"authorization", "cookie",  "token",   "password",   "passwd",
	                                    "secret",        "api-key", "api_key", "credential", "apikey"};
	struct brine_bytes text;
	if (!inspect_text_of(key, &text))
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (contains(text, words[i]))
			return true;
	}
	return false;
}
