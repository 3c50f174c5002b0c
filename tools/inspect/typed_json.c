#include "inspect/fields.h"
#include "inspect/json_value.h"
#include "inspect/typed.h"

#include <stdlib.h>

/* The text form of a packed number or time, as a string. */
static json_t *json_printed(struct inspect_line *line, struct brine_bytes packed)
{
	inspect_line_value(line, packed);
	return line->status < 0 ? NULL : json_stringn(brine_buf_bytes(&line->text).data, brine_buf_size(&line->text));
}

/* A value that is no message and no named enum. line: empty. */
static json_t *json_scalar(struct inspect_line *line, const struct brine_field *field, const void *at)
{
	struct brine_buf *scratch = inspect_line_scratch(line);
	if (inspect_field_pack(scratch, field, at) < 0)
		return NULL;
	switch (field->kind) {
	case BRINE_KIND_INT64:
	case BRINE_KIND_UINT64:
	case BRINE_KIND_TIMESTAMP: return json_printed(line, brine_buf_bytes(scratch));
	case BRINE_KIND_FLOAT: return inspect_json_float((double)*(const float *)at);
	case BRINE_KIND_DOUBLE: return inspect_json_float(*(const double *)at);
	case BRINE_KIND_BYTES: return inspect_json_base64(*(const struct brine_bytes *)at);
	default: return inspect_json_value(brine_buf_bytes(scratch), false);
	}
}

static json_t *json_one(const struct brine_field *field, const void *at)
{
	const char *name = inspect_field_enum_name(field, at);
	if (name)
		return json_string(name);
	if (field->kind == BRINE_KIND_MESSAGE)
		return inspect_typed_json(field->type, at);
	struct inspect_line line;
	inspect_line_init(&line, NULL);
	json_t *value = json_scalar(&line, field, at);
	inspect_line_done(&line);
	return value;
}

static json_t *entry_part(const struct brine_type *entry, unsigned index, const void *at)
{
	return json_one(&entry->fields[index], inspect_field_values(&entry->fields[index], at).data);
}

/* Adds one entry: proto3 writes every key as a string. False where it did not work, with *ret_unfit where the key
 * cannot name one more member. */
static bool add_member(json_t *object, const struct brine_type *entry, const void *at, bool *ret_unfit)
{
	json_t *key = entry_part(entry, 0, at);
	const char *name = json_string_value(key);
	char *dumped = key && !name ? json_dumps(key, JSON_ENCODE_ANY) : NULL;
	if (dumped)
		name = dumped;
	*ret_unfit = name && (strlen(name) != (dumped ? strlen(dumped) : json_string_length(key)) || name[0] == '$' ||
	                      json_object_get(object, name));
	bool done = name && !*ret_unfit && json_object_set_new(object, name, entry_part(entry, 1, at)) == 0;
	free(dumped);
	json_decref(key);
	return done;
}

static json_t *map_object(const struct brine_type *entry, struct inspect_values values, bool *ret_unfit)
{
	json_t *object = json_object();
	for (size_t i = 0; object && i < values.count; i++) {
		if (!add_member(object, entry, values.data + i * values.stride, ret_unfit)) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* Keys twice, which the wire allows, and the few that could be mistaken for a form of ours: all pairs, in order. */
static json_t *map_pairs(const struct brine_type *entry, struct inspect_values values)
{
	json_t *list = json_array();
	for (size_t i = 0; list && i < values.count; i++) {
		const char *at = values.data + i * values.stride;
		json_t *pair = json_pack("[o, o]", entry_part(entry, 0, at), entry_part(entry, 1, at));
		if (json_array_append_new(list, pair) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s: o}", "$map", list);
}

static json_t *json_map(const struct brine_type *entry, struct inspect_values values)
{
	bool unfit = false;
	json_t *object = map_object(entry, values, &unfit);
	return unfit ? map_pairs(entry, values) : object;
}

static json_t *json_list(const struct brine_field *field, struct inspect_values values)
{
	json_t *array = json_array();
	for (size_t i = 0; array && i < values.count; i++) {
		if (json_array_append_new(array, json_one(field, values.data + i * values.stride)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *inspect_typed_json(const struct brine_type *type, const void *message)
{
	json_t *object = json_object();
	for (uint32_t i = 0; object && i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		struct inspect_values values = inspect_field_values(field, message);
		if (values.count == 0 && !inspect_field_is_list(field))
			continue;
		json_t *value = field->shape == BRINE_SHAPE_MAP        ? json_map(field->type, values)
		                : field->shape == BRINE_SHAPE_REPEATED ? json_list(field, values)
		                                                       : json_one(field, values.data);
		if (json_object_set_new(object, field->name, value) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}
