/* compiler/wire.h - protobuf's wire format, as much of it as a protoc plugin needs. */
#ifndef BRINE_COMPILER_WIRE_H
#define BRINE_COMPILER_WIRE_H

#include <brine/buf.h>

/* Reads the fields of one message. The bytes are borrowed; bad stays true after a fault, and nothing more is read. */
struct wire_reader {
	const uint8_t *at, *end;
	bool bad;
};

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP_START = 3, /* skipped whole, never shown */
	WIRE_GROUP_END = 4,
	WIRE_FIXED32 = 5,
};

struct wire_field {
	uint32_t number;
	unsigned type;            /* enum wire_type */
	uint64_t value;           /* of a varint */
	struct brine_bytes bytes; /* of WIRE_BYTES */
};

struct wire_reader wire_open(struct brine_bytes bytes);

/* The next field: true; false at the end and at a fault (reader->bad). */
bool wire_next(struct wire_reader *reader, struct wire_field *ret_field);

/* One varint at the reader's place, as in packed fields. */
bool wire_varint(struct wire_reader *reader, uint64_t *ret_value);

/* How often a length-delimited field of this number stands in a message, up to the first fault: as often as wire_next()
 * will show it. */
size_t wire_count(struct brine_bytes bytes, uint32_t number);

/* The last length-delimited field of this number, or nothing. */
struct brine_bytes wire_find(struct brine_bytes bytes, uint32_t number);

/* Appends one field. 0 or BRINE_ERR_NOMEM. */
int wire_put_varint(struct brine_buf *out, uint32_t number, uint64_t value);
int wire_put_bytes(struct brine_buf *out, uint32_t number, struct brine_bytes bytes);

#endif
