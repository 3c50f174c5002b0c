/* codec/desc.h - what writer, reader and table check know about descriptors, and where in a message an error is. */
#ifndef BRINE_CODEC_DESC_H
#define BRINE_CODEC_DESC_H

#include <brine/codec.h>

#include <stdarg.h>

/* One step from a message into a field, kept on the stack of whoever descends; read only when an error names its place.
 */
struct brine_path {
	const struct brine_path *up; /* NULL: the message itself */
	const struct brine_field *field;
	size_t index; /* of an element; BRINE_PATH_WHOLE: the field itself */
};
#define BRINE_PATH_WHOLE SIZE_MAX

/* brine_fail() with the place in front: "field orders[3].symbol: ..."; path NULL: the message, "message: ...". */
int brine_path_fail(struct brine_error *error, int code, uint64_t offset, const struct brine_path *path,
                    const char *format, ...) BRINE_PRINTF(5, 6);

/* The C type of one value of a kind. */
struct brine_kind_info {
	const char *name; /* "int32": for error texts */
	uint8_t size;     /* 0: field.type or field.capacity says */
	uint8_t alignment;
	int64_t least; /* integers and enum */
	uint64_t most; /* 0: no integer */
};

/* NULL where kind is none of enum brine_kind. */
const struct brine_kind_info *brine_kind_info(unsigned kind);

/* Bytes from one value of the field to the next, in an array. */
size_t brine_field_value_size(const struct brine_field *field);

/* The field of that number, or NULL. */
const struct brine_field *brine_field_find(const struct brine_type *type, uint32_t number);

/* Reads the content of an ext of type -1: 4, 8 or 12 bytes, else false. Nanoseconds that do not fit come back as the
 * most. */
bool brine_timestamp_read(struct brine_bytes content, struct brine_timestamp *ret_time);

/* The range of seconds that google.protobuf.Timestamp has: the years 1 to 9999. */
static inline bool brine_timestamp_valid(struct brine_timestamp time)
{
	return time.seconds >= INT64_C(-62135596800) && time.seconds <= INT64_C(253402300799) && time.nanos >= 0 &&
	       time.nanos <= 999999999;
}

static inline bool brine_field_has_presence(const struct brine_field *field)
{
	return field->shape == BRINE_SHAPE_OPTIONAL || field->shape == BRINE_SHAPE_POINTER ||
	       field->shape == BRINE_SHAPE_ONEOF;
}

/* What the codec relies on at run time, in a few comparisons; brine_type_check() proves the rest. 0, BRINE_ERR_ABI,
 * INVALID. */
int brine_type_usable(const struct brine_type *type, const struct brine_path *path, struct brine_error *error);

#endif
