#include <brine/metadata.h>
#include <brine/pack.h>

#include "codec/token.h"
#include "codec/walk.h"

enum { HEAD_SIZE = 3, MAP_16 = 0xde };

/* Where the names begin; NULL: this is no map that brine_metadata_add() made. */
static uint8_t *own_head(const struct brine_buf *metadata)
{
	uint8_t *head = metadata->data + metadata->start;
	return brine_buf_size(metadata) >= HEAD_SIZE && head[0] == MAP_16 ? head : NULL;
}

/* The head has always the same size, so that it can count on. */
static int begin_names(struct brine_buf *metadata)
{
	static const uint8_t empty[HEAD_SIZE] = {MAP_16};
	return brine_buf_size(metadata) ? 0 : brine_buf_append(metadata, empty, sizeof empty);
}

int brine_metadata_add(struct brine_buf *metadata, const char *name, struct brine_str value)
{
	if (!metadata || !name)
		return BRINE_ERR_INVALID;
	size_t before = brine_buf_size(metadata);
	if (!name[0] || (before && !own_head(metadata)))
		return BRINE_ERR_INVALID;
	int status = begin_names(metadata);
	uint8_t *head = status == 0 ? own_head(metadata) : NULL;
	uint32_t count = head ? (uint32_t)head[1] << 8 | head[2] : 0;
	if (count == UINT16_MAX)
		return BRINE_ERR_LIMIT;
	if (status == 0)
		status = brine_pack_str(metadata, name, strlen(name));
	if (status == 0)
		status = brine_pack_str(metadata, value.data, value.size);
	if (status < 0) {
		metadata->end = metadata->start + before;
		return status;
	}
	head = own_head(metadata);
	head[1] = (uint8_t)((count + 1) >> 8);
	head[2] = (uint8_t)(count + 1);
	return 0;
}

bool brine_metadata_find(struct brine_bytes metadata, const char *name, struct brine_str *ret_value)
{
	if (!name || !ret_value || (metadata.size && !metadata.data))
		return false;
	const uint8_t *at = metadata.data, *end = at ? at + metadata.size : at;
	struct brine_token token;
	size_t name_size = strlen(name);
	if (brine_token_read(&token, at, metadata.size) != 1 || token.kind != BRINE_TOKEN_MAP)
		return false;
	at += token.size;
	for (uint32_t left = token.count; left; left--) {
		struct brine_token key, value;
		size_t key_size = brine_value_size(at, (size_t)(end - at));
		size_t value_size = key_size ? brine_value_size(at + key_size, (size_t)(end - at) - key_size) : 0;
		/* Not the metadata of a call. */
		if (value_size == 0)
			return false;
		(void)brine_token_read(&key, at, key_size);
		(void)brine_token_read(&value, at + key_size, value_size);
		at += key_size + value_size;
		bool is_it = key.kind == BRINE_TOKEN_STR && key.content.size == name_size &&
		             memcmp(key.content.data, name, name_size) == 0;
		if (!is_it)
			continue;
		if (value.kind != BRINE_TOKEN_STR && value.kind != BRINE_TOKEN_BIN)
			return false;
		*ret_value = (struct brine_str){value.content.data, value.content.size};
		return true;
	}
	return false;
}
