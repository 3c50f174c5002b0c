#include "compiler/wire.h"

#include <assert.h>

enum {
	VARINT_SIZE_MAX = 10,
	GROUP_DEPTH_MAX = 32,
};

struct wire_reader wire_open(struct brine_bytes bytes)
{
	const uint8_t *data = bytes.data;
	return (struct wire_reader){data, data ? data + bytes.size : data, false};
}

static bool fail_wire(struct wire_reader *reader)
{
	reader->bad = true;
	reader->at = reader->end;
	return false;
}

bool wire_varint(struct wire_reader *reader, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < VARINT_SIZE_MAX && reader->at < reader->end; i++) {
		uint8_t byte = *reader->at++;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*ret_value = value;
			return true;
		}
	}
	return fail_wire(reader);
}

static bool skip_bytes(struct wire_reader *reader, uint64_t size)
{
	assert(reader->at <= reader->end);
	if (size > (uint64_t)(reader->end - reader->at))
		return fail_wire(reader);
	reader->at += size;
	return true;
}

/* A tag and its value; groups are shown as their two ends. */
static bool next_token(struct wire_reader *reader, struct wire_field *field)
{
	uint64_t tag;
	*field = (struct wire_field){.number = 0};
	if (reader->at == reader->end || !wire_varint(reader, &tag))
		return false;
	if (tag > UINT32_MAX || tag >> 3 == 0)
		return fail_wire(reader);
	field->number = (uint32_t)tag >> 3;
	field->type = tag & 7;
	switch (field->type) {
	case WIRE_VARINT: return wire_varint(reader, &field->value);
	case WIRE_FIXED64: return skip_bytes(reader, 8);
	case WIRE_FIXED32: return skip_bytes(reader, 4);
	case WIRE_GROUP_START:
	case WIRE_GROUP_END: return true;
	case WIRE_BYTES:
		if (!wire_varint(reader, &field->value))
			return false;
		field->bytes = (struct brine_bytes){reader->at, (size_t)field->value};
		return skip_bytes(reader, field->value);
	default: return fail_wire(reader);
	}
}

bool wire_next(struct wire_reader *reader, struct wire_field *ret_field)
{
	uint32_t groups[GROUP_DEPTH_MAX];
	unsigned depth = 0;
	while (next_token(reader, ret_field)) {
		if (ret_field->type == WIRE_GROUP_START) {
			if (depth == GROUP_DEPTH_MAX)
				return fail_wire(reader);
			groups[depth++] = ret_field->number;
		} else if (ret_field->type == WIRE_GROUP_END) {
			if (depth == 0 || groups[--depth] != ret_field->number)
				return fail_wire(reader);
		} else if (depth == 0) {
			return true;
		}
	}
	return depth ? fail_wire(reader) : false;
}

size_t wire_count(struct brine_bytes bytes, uint32_t number)
{
	size_t count = 0;
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (wire_next(&reader, &field))
		count += field.number == number && field.type == WIRE_BYTES;
	return count;
}

struct brine_bytes wire_find(struct brine_bytes bytes, uint32_t number)
{
	struct brine_bytes found = {NULL, 0};
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (wire_next(&reader, &field))
		if (field.number == number && field.type == WIRE_BYTES)
			found = field.bytes;
	return found;
}

static size_t encode_varint(uint8_t out[VARINT_SIZE_MAX], uint64_t value)
{
	size_t size = 0;
	for (; value > 0x7f; value >>= 7)
		out[size++] = (uint8_t)(value | 0x80);
	out[size++] = (uint8_t)value;
	return size;
}

static int put_pair(struct brine_buf *out, uint64_t tag, uint64_t value)
{
	uint8_t bytes[2 * VARINT_SIZE_MAX];
	size_t size = encode_varint(bytes, tag);
	size += encode_varint(bytes + size, value);
	return brine_buf_append(out, bytes, size);
}

int wire_put_varint(struct brine_buf *out, uint32_t number, uint64_t value)
{
	return put_pair(out, (uint64_t)number << 3 | WIRE_VARINT, value);
}

int wire_put_bytes(struct brine_buf *out, uint32_t number, struct brine_bytes bytes)
{
	int status = put_pair(out, (uint64_t)number << 3 | WIRE_BYTES, bytes.size);
	return status < 0 ? status : brine_buf_append(out, bytes.data, bytes.size);
}
