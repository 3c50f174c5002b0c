#include "inspect/fields.h"

#include "codec/desc.h"

#include <brine/pack.h>

static const void *load_pointer(const void *from)
{
	const void *pointer;
	memcpy(&pointer, from, sizeof pointer);
	return pointer;
}

struct inspect_values inspect_field_values(const struct brine_field *field, const void *message)
{
	const char *base = message;
	struct inspect_values values = {base + field->offset, 1, brine_field_value_size(field)};
	int32_t which;
	switch (field->shape) {
	case BRINE_SHAPE_OPTIONAL: values.count = *(const bool *)(base + field->aux); break;
	case BRINE_SHAPE_POINTER:
		values.data = load_pointer(values.data);
		values.count = values.data != NULL;
		break;
	case BRINE_SHAPE_REPEATED:
	case BRINE_SHAPE_MAP:
		values.data = load_pointer(values.data);
		memcpy(&values.count, base + field->aux, sizeof values.count);
		break;
	case BRINE_SHAPE_ONEOF:
		memcpy(&which, base + field->aux, sizeof which);
		values.count = which == (int32_t)field->number;
		if (values.count && field->kind == BRINE_KIND_MESSAGE)
			values.data = load_pointer(values.data);
		break;
	default: break;
	}
	return values;
}

bool inspect_field_is_list(const struct brine_field *field)
{
	return field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP;
}

const char *inspect_field_enum_name(const struct brine_field *field, const void *at)
{
	return field->kind == BRINE_KIND_ENUM && field->enumeration
	               ? brine_enum_name(field->enumeration, *(const int32_t *)at)
	               : NULL;
}

static int pack_text(struct brine_buf *out, const char *text, size_t size_max)
{
	return brine_pack_str(out, text, text ? strnlen(text, size_max) : 0);
}

int inspect_field_pack(struct brine_buf *out, const struct brine_field *field, const void *at)
{
	const struct brine_bytes *view = at;
	switch (field->kind) {
	case BRINE_KIND_BOOL: return brine_pack_bool(out, *(const bool *)at);
	case BRINE_KIND_INT8: return brine_pack_int(out, *(const int8_t *)at);
	case BRINE_KIND_INT16: return brine_pack_int(out, *(const int16_t *)at);
	case BRINE_KIND_ENUM:
	case BRINE_KIND_INT32: return brine_pack_int(out, *(const int32_t *)at);
	case BRINE_KIND_INT64: return brine_pack_int(out, *(const int64_t *)at);
	case BRINE_KIND_UINT8: return brine_pack_uint(out, *(const uint8_t *)at);
	case BRINE_KIND_UINT16: return brine_pack_uint(out, *(const uint16_t *)at);
	case BRINE_KIND_UINT32: return brine_pack_uint(out, *(const uint32_t *)at);
	case BRINE_KIND_UINT64: return brine_pack_uint(out, *(const uint64_t *)at);
	case BRINE_KIND_FLOAT: return brine_pack_float(out, *(const float *)at);
	case BRINE_KIND_DOUBLE: return brine_pack_double(out, *(const double *)at);
	case BRINE_KIND_STRING: return brine_pack_str(out, view->data, view->size);
	case BRINE_KIND_BYTES: return brine_pack_bin(out, view->data, view->size);
	case BRINE_KIND_TIMESTAMP: return brine_pack_timestamp(out, *(const struct brine_timestamp *)at);
	case BRINE_KIND_VALUE: return view->size ? brine_buf_append(out, view->data, view->size) : brine_pack_nil(out);
	case BRINE_KIND_CSTRING: return pack_text(out, load_pointer(at), SIZE_MAX);
	case BRINE_KIND_CHARS: return pack_text(out, at, field->capacity);
	default: return brine_pack_nil(out);
	}
}
