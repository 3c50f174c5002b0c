#include "inspect/template.h"

#include <brine/codec.h>

/* A template in the making. Messages lead to others so often that each level may have many times the fields of the one
 * above. */
struct limits {
	unsigned depth_most;
	size_t fields_left;
	bool exceeded; /* there are more fields: what was made is of no use */
};

/* The messages that are open, innermost first. */
struct open {
	const struct open *up;
	const struct brine_type *type;
	struct limits *limits;
	unsigned depth;
};

static json_t *make_message(const struct open *up, const struct brine_type *type, struct limits *limits);

static bool is_left_out(const struct open *open, const struct brine_type *type)
{
	if (open->depth >= open->limits->depth_most)
		return true;
	for (; open; open = open->up) {
		if (open->type == type)
			return true;
	}
	return false;
}

static json_t *make_enum(const struct brine_enum *enumeration)
{
	bool named = enumeration && enumeration->value_count;
	return named ? json_string(enumeration->values[0].name) : json_integer(0);
}

/* One value of the field's kind. */
static json_t *make_one(const struct open *open, const struct brine_field *field)
{
	switch (field->kind) {
	case BRINE_KIND_MESSAGE: return make_message(open, field->type, open->limits);
	case BRINE_KIND_BOOL: return json_false();
	case BRINE_KIND_INT64:
	case BRINE_KIND_UINT64: return json_string("0");
	case BRINE_KIND_FLOAT:
	case BRINE_KIND_DOUBLE: return json_real(0);
	case BRINE_KIND_STRING:
	case BRINE_KIND_BYTES: return json_string("");
	case BRINE_KIND_ENUM: return make_enum(field->enumeration);
	case BRINE_KIND_TIMESTAMP: return json_string("1970-01-01T00:00:00Z");
	case BRINE_KIND_VALUE: return json_object();
	default: return json_integer(0);
	}
}

static const char *template_key(const struct brine_field *key)
{
	return key->kind == BRINE_KIND_STRING ? "" : key->kind == BRINE_KIND_BOOL ? "false" : "0";
}

/* Lists of what is left out are empty. */
static json_t *template_list(const struct open *open, const struct brine_field *field)
{
	const struct brine_field *element = field->shape == BRINE_SHAPE_MAP ? &field->type->fields[1] : field;
	json_t *list = field->shape == BRINE_SHAPE_MAP ? json_object() : json_array();
	if (!list || (element->kind == BRINE_KIND_MESSAGE && is_left_out(open, element->type)))
		return list;
	int rc = field->shape == BRINE_SHAPE_MAP
	                 ? json_object_set_new(list, template_key(&field->type->fields[0]), make_one(open, element))
	                 : json_array_append_new(list, make_one(open, element));
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* Whether another member of the field's oneof stands before it. */
static bool is_second_member(const struct brine_type *type, uint32_t index)
{
	const struct brine_field *field = &type->fields[index];
	for (uint32_t i = 0; field->shape == BRINE_SHAPE_ONEOF && i < index; i++) {
		if (type->fields[i].shape == BRINE_SHAPE_ONEOF && type->fields[i].aux == field->aux)
			return true;
	}
	return false;
}

static json_t *make_message(const struct open *up, const struct brine_type *type, struct limits *limits)
{
	struct open open = {up, type, limits, up ? up->depth + 1 : 0};
	limits->exceeded |= type->field_count > limits->fields_left;
	if (limits->exceeded)
		return NULL;
	limits->fields_left -= type->field_count;
	json_t *object = json_object();
	for (uint32_t i = 0; object && i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		bool is_list = field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP;
		if (is_second_member(type, i) ||
		    (!is_list && field->kind == BRINE_KIND_MESSAGE && is_left_out(&open, field->type)))
			continue;
		json_t *value = is_list ? template_list(&open, field) : make_one(&open, field);
		if (json_object_set_new(object, field->name, value) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *inspect_template(const struct brine_type *type)
{
	for (unsigned depth = INSPECT_TEMPLATE_DEPTH_MOST;; depth--) {
		struct limits limits = {.depth_most = depth, .fields_left = INSPECT_TEMPLATE_FIELDS_MOST};
		json_t *template = make_message(NULL, type, &limits);
		if (!limits.exceeded || depth == 0)
			return template;
	}
}
