#include <brine/pack.h>

#include "codec/put.h"

#include <assert.h>

/* Why nothing could be reserved. */
static int no_room(const struct brine_buf *out)
{
	return out ? BRINE_ERR_NOMEM : BRINE_ERR_INVALID;
}

/* Ends an append that wrote from the reserved room up to end. */
static int put_end(struct brine_buf *out, const uint8_t *end)
{
	assert(end <= out->data + out->capacity);
	out->end = (size_t)(end - out->data);
	return 0;
}

int brine_pack_nil(struct brine_buf *out)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_nil(to)) : no_room(out);
}

int brine_pack_bool(struct brine_buf *out, bool value)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_bool(to, value)) : no_room(out);
}

int brine_pack_int(struct brine_buf *out, int64_t value)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_int(to, value)) : no_room(out);
}

int brine_pack_uint(struct brine_buf *out, uint64_t value)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_uint(to, value)) : no_room(out);
}

int brine_pack_float(struct brine_buf *out, float value)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_float(to, &value)) : no_room(out);
}

int brine_pack_double(struct brine_buf *out, double value)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_double(to, &value)) : no_room(out);
}

/* Appends a head of head_size bytes and the content behind it. */
static int append_content(struct brine_buf *out, const uint8_t *head, size_t head_size, const void *data, size_t size)
{
	if (size && !data)
		return BRINE_ERR_INVALID;
	uint8_t *to = brine_buf_reserve(out, head_size + size);
	if (!to)
		return no_room(out);
	memcpy(to, head, head_size);
	if (size)
		memcpy(to + head_size, data, size);
	return put_end(out, to + head_size + size);
}

int brine_pack_str(struct brine_buf *out, const char *data, size_t size)
{
	uint8_t head[BRINE_PUT_MOST];
	if (size > UINT32_MAX)
		return BRINE_ERR_LIMIT;
	const uint8_t *end = brine_put_str_head(head, (uint32_t)size);
	return append_content(out, head, (size_t)(end - head), data, size);
}

int brine_pack_bin(struct brine_buf *out, const void *data, size_t size)
{
	uint8_t head[BRINE_PUT_MOST];
	if (size > UINT32_MAX)
		return BRINE_ERR_LIMIT;
	const uint8_t *end = brine_put_bin_head(head, (uint32_t)size);
	return append_content(out, head, (size_t)(end - head), data, size);
}

int brine_pack_ext(struct brine_buf *out, int8_t type, const void *data, size_t size)
{
	uint8_t head[BRINE_PUT_MOST];
	if (size > UINT32_MAX)
		return BRINE_ERR_LIMIT;
	const uint8_t *end = brine_put_ext_head(head, type, (uint32_t)size);
	return append_content(out, head, (size_t)(end - head), data, size);
}

int brine_pack_timestamp(struct brine_buf *out, struct brine_timestamp time)
{
	if (time.nanos < 0 || time.nanos > 999999999)
		return BRINE_ERR_RANGE;
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_TIMESTAMP_MOST);
	return to ? put_end(out, brine_put_timestamp(to, time)) : no_room(out);
}

int brine_pack_array(struct brine_buf *out, uint32_t count)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_array_head(to, count)) : no_room(out);
}

int brine_pack_map(struct brine_buf *out, uint32_t pair_count)
{
	uint8_t *to = brine_buf_reserve(out, BRINE_PUT_MOST);
	return to ? put_end(out, brine_put_map_head(to, pair_count)) : no_room(out);
}
