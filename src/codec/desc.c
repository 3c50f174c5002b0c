#include "codec/desc.h"

#include "codec/endian.h"

#include <stdalign.h>
#include <stdio.h>

const struct brine_kind_info *brine_kind_info(unsigned kind)
{
#define SIZES(type) sizeof(type), alignof(type)
	static const struct brine_kind_info infos[] = {
	        [BRINE_KIND_BOOL] = {"bool", SIZES(bool), 0, 0},
	        [BRINE_KIND_INT8] = {"int8", SIZES(int8_t), INT8_MIN, INT8_MAX},
	        [BRINE_KIND_INT16] = {"int16", SIZES(int16_t), INT16_MIN, INT16_MAX},
	        [BRINE_KIND_INT32] = {"int32", SIZES(int32_t), INT32_MIN, INT32_MAX},
	        [BRINE_KIND_INT64] = {"int64", SIZES(int64_t), INT64_MIN, INT64_MAX},
	        [BRINE_KIND_UINT8] = {"uint8", SIZES(uint8_t), 0, UINT8_MAX},
	        [BRINE_KIND_UINT16] = {"uint16", SIZES(uint16_t), 0, UINT16_MAX},
	        [BRINE_KIND_UINT32] = {"uint32", SIZES(uint32_t), 0, UINT32_MAX},
	        [BRINE_KIND_UINT64] = {"uint64", SIZES(uint64_t), 0, UINT64_MAX},
	        [BRINE_KIND_FLOAT] = {"float", SIZES(float), 0, 0},
	        [BRINE_KIND_DOUBLE] = {"double", SIZES(double), 0, 0},
	        [BRINE_KIND_STRING] = {"string", SIZES(struct brine_str), 0, 0},
	        [BRINE_KIND_BYTES] = {"bytes", SIZES(struct brine_bytes), 0, 0},
	        [BRINE_KIND_ENUM] = {"enum", SIZES(int32_t), INT32_MIN, INT32_MAX},
	        [BRINE_KIND_TIMESTAMP] = {"timestamp", SIZES(struct brine_timestamp), 0, 0},
	        [BRINE_KIND_VALUE] = {"value", SIZES(struct brine_value), 0, 0},
	        [BRINE_KIND_MESSAGE] = {"message", 0, 1, 0, 0},
	        [BRINE_KIND_CSTRING] = {"string", SIZES(const char *), 0, 0},
	        [BRINE_KIND_CHARS] = {"string", 0, 1, 0, 0},
	};
#undef SIZES
	return kind < sizeof infos / sizeof infos[0] && infos[kind].name ? &infos[kind] : NULL;
}

size_t brine_field_value_size(const struct brine_field *field)
{
	if (field->kind == BRINE_KIND_MESSAGE || field->shape == BRINE_SHAPE_MAP)
		return field->type->size;
	return field->kind == BRINE_KIND_CHARS ? field->capacity : brine_kind_info(field->kind)->size;
}

const struct brine_field *brine_field_find(const struct brine_type *type, uint32_t number)
{
	/* Numbers mostly run without holes from 1, and an entry never stands behind its number. */
	uint32_t index = number < type->field_count ? number : type->field_count;
	while (index > 0 && type->fields[index - 1].number > number)
		index--;
	return index > 0 && type->fields[index - 1].number == number ? &type->fields[index - 1] : NULL;
}

const char *brine_enum_name(const struct brine_enum *enumeration, int32_t number)
{
	for (uint32_t i = 0; enumeration && i < enumeration->value_count; i++)
		if (enumeration->values[i].number == number)
			return enumeration->values[i].name;
	return NULL;
}

bool brine_timestamp_read(struct brine_bytes content, struct brine_timestamp *ret_time)
{
	const uint8_t *data = content.data;
	uint32_t nanos = 0;
	int64_t seconds;
	switch (content.size) {
	case 4: seconds = brine_load32(data); break;
	case 8:
		nanos = (uint32_t)(brine_load64(data) >> 34);
		seconds = (int64_t)(brine_load64(data) & ((UINT64_C(1) << 34) - 1));
		break;
	case 12:
		nanos = brine_load32(data);
		seconds = (int64_t)brine_load64(data + 4);
		break;
	default: return false;
	}
	*ret_time = (struct brine_timestamp){seconds, nanos > INT32_MAX ? INT32_MAX : (int32_t)nanos};
	return true;
}

int brine_type_usable(const struct brine_type *type, const struct brine_path *path, struct brine_error *error)
{
	if (type->abi != BRINE_ABI)
		return brine_path_fail(error, BRINE_ERR_ABI, 0, path, "descriptor of ABI %u, this library has %d",
		                       type->abi, BRINE_ABI);
	if (type->layout != BRINE_LAYOUT_BARE)
		return 0;
	const struct brine_field *field = type->fields;
	bool single = type->field_count == 1 && field->shape == BRINE_SHAPE_SINGLE && field->kind != BRINE_KIND_MESSAGE;
	bool list = type->field_count == 1 && (field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP);
	if (!single && !list)
		return brine_path_fail(error, BRINE_ERR_INVALID, 0, path,
		                       "BARE layout needs exactly one field, of no message type and without presence");
	return 0;
}

/* Appends to text, cut to fit; always terminated. */
static void append_text(char *text, size_t capacity, const char *format, ...) BRINE_PRINTF(3, 4);
static void append_text(char *text, size_t capacity, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text + used, capacity - used, format, arguments);
	va_end(arguments);
}

/* Recurses as deep as the message does: BRINE_MESSAGE_DEPTH_MAX levels, map entries twice. */
static void append_path(char *text, size_t capacity, const struct brine_path *path)
{
	if (path->up) {
		append_path(text, capacity, path->up);
		append_text(text, capacity, ".");
	}
	append_text(text, capacity, "%s", path->field->name);
	if (path->index != BRINE_PATH_WHOLE)
		append_text(text, capacity, "[%zu]", path->index);
}

int brine_path_fail(struct brine_error *error, int code, uint64_t offset, const struct brine_path *path,
                    const char *format, ...)
{
	if (!error)
		return code;
	char place[144] = "message";
	if (path) {
		snprintf(place, sizeof place, "field ");
		append_path(place, sizeof place, path);
	}
	char what[sizeof error->text];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	return brine_fail(error, code, offset, "%s: %s", place, what);
}
