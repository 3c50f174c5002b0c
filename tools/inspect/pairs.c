#include "inspect/pairs.h"

#include "codec/token.h"

#include <strings.h>

bool inspect_pairs_begin(struct inspect_pairs *pairs, struct brine_bytes value)
{
	struct brine_token token;
	*pairs = (struct inspect_pairs){{NULL, 0}};
	if (brine_token_read(&token, value.data, value.size) <= 0 || token.kind != BRINE_TOKEN_MAP)
		return false;
	pairs->rest = (struct brine_bytes){(const uint8_t *)value.data + token.size, value.size - token.size};
	return true;
}

static struct brine_bytes take_value(struct brine_bytes *rest)
{
	struct brine_bytes value = {rest->data, brine_value_size(rest->data, rest->size)};
	*rest = (struct brine_bytes){(const uint8_t *)rest->data + value.size, rest->size - value.size};
	return value;
}

bool inspect_pairs_next(struct inspect_pairs *pairs, struct brine_bytes *ret_key, struct brine_bytes *ret_value)
{
	if (pairs->rest.size == 0)
		return false;
	*ret_key = take_value(&pairs->rest);
	*ret_value = take_value(&pairs->rest);
	return true;
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
