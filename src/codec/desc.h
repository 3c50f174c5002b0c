/* codec/desc.h - facts about descriptors that the writer, the reader and the check of tables share, and the path of a
 * field for error texts. Any thread. */
#ifndef BRINE_CODEC_DESC_H
#define BRINE_CODEC_DESC_H

#include <brine/codec.h>

#include <stdarg.h>

/* One step from a message into a field. The function that descends keeps it on its stack. It is read only when an error
 * names the place. */
struct brine_path {
	const struct brine_path *up; /* NULL for a field of the outermost message */
	const struct brine_field *field;
	size_t index; /* of an element; BRINE_PATH_WHOLE for the field itself */
};
#define BRINE_PATH_WHOLE SIZE_MAX

/* Calls brine_fail() with the path in front of the text, "field orders[3].symbol: ...". A path of NULL means the
 * message itself, "message: ...". Returns code. */
int brine_path_fail(struct brine_error *error, int code, uint64_t offset, const struct brine_path *path,
                    const char *format, ...) BRINE_PRINTF(5, 6);

/* The C type of one value of a kind. */
struct brine_kind_info {
	const char *name; /* for error texts, "int32" */
	uint8_t size;     /* in bytes; 0 if field.type or field.capacity has it */
	uint8_t alignment;
	int64_t least; /* of integers and enums */
	uint64_t most; /* 0 if the kind is no integer */
};

/* Returns static data, or NULL if kind is not in enum brine_kind. */
const struct brine_kind_info *brine_kind_info(unsigned kind);

/* Returns the size of one value of the field, which is the step of an array. */
size_t brine_field_value_size(const struct brine_field *field);

/* Returns the field of that number, or NULL. */
const struct brine_field *brine_field_find(const struct brine_type *type, uint32_t number);

/* Reads the content of an ext of type -1. Returns false unless it has 4, 8 or 12 bytes. Nanoseconds above INT32_MAX are
 * stored as INT32_MAX, which brine_timestamp_valid() refuses. */
bool brine_timestamp_read(struct brine_bytes content, struct brine_timestamp *ret_time);

/* Tells whether a time is within the years 1 to 9999, as google.protobuf.Timestamp demands, and its nanoseconds within
 * a second. */
static inline bool brine_timestamp_valid(struct brine_timestamp time)
{
	return time.seconds >= INT64_C(-62135596800) && time.seconds <= INT64_C(253402300799) && time.nanos >= 0 &&
	       time.nanos <= 999999999;
}

/* Tells whether the field can be absent. */
static inline bool brine_field_has_presence(const struct brine_field *field)
{
	return field->shape == BRINE_SHAPE_OPTIONAL || field->shape == BRINE_SHAPE_POINTER ||
	       field->shape == BRINE_SHAPE_ONEOF;
}

/* Checks in a few comparisons what the codec relies on at run time. brine_type_check() checks the rest. Errors:
 *   BRINE_ERR_ABI
 *   BRINE_ERR_INVALID   the layout is BARE and the field cannot be bare */
int brine_type_usable(const struct brine_type *type, const struct brine_path *path, struct brine_error *error);

#endif
