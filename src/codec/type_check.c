#include "codec/desc.h"

#include <stdalign.h>

enum {
	TYPES_MOST = 256, /* message types reachable from one that are checked with it */
	NUMBER_MOST = 4096,
};

/* Types seen, so that recursive ones are checked once. */
struct types {
	const struct brine_type *list[TYPES_MOST];
	size_t count;
};

static int fail_field(struct brine_error *error, const struct brine_type *type, const struct brine_field *field,
                      const char *what)
{
	return brine_fail(error, BRINE_ERR_INVALID, 0, "type %s, field %s (%u): %s", type->name,
	                  field->name ? field->name : "?", field->number, what);
}

/* Whether an object of that size and alignment lies within the struct. */
static bool lies_within(const struct brine_type *type, size_t offset, size_t size, size_t alignment)
{
	return offset % alignment == 0 && offset <= type->size && size <= type->size - offset;
}

static const char *check_place(const struct brine_type *type, const struct brine_field *field)
{
	bool message = field->kind == BRINE_KIND_MESSAGE;
	const struct brine_kind_info *info = brine_kind_info(field->kind);
	bool pointer = field->shape == BRINE_SHAPE_POINTER || field->shape == BRINE_SHAPE_REPEATED ||
	               field->shape == BRINE_SHAPE_MAP || (field->shape == BRINE_SHAPE_ONEOF && message);
	size_t size = pointer ? sizeof(void *) : brine_field_value_size(field);
	size_t alignment = pointer ? alignof(void *) : info->alignment;
	if (!lies_within(type, field->offset, size, alignment))
		return "its offset is outside of the struct or not aligned";
	size_t aux = field->shape == BRINE_SHAPE_OPTIONAL                                      ? sizeof(bool)
	             : field->shape == BRINE_SHAPE_ONEOF                                       ? sizeof(int32_t)
	             : field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP ? sizeof(size_t)
	                                                                                       : 0;
	if (aux && !lies_within(type, field->aux, aux, aux))
		return "its aux offset is outside of the struct or not aligned";
	return NULL;
}

static bool is_integer_field(const struct brine_field *field)
{
	return brine_kind_info(field->kind)->most != 0;
}

static const char *check_map_entry(const struct brine_type *entry)
{
	if (!entry)
		return "a map needs the type of its entries";
	if (entry->field_count != 2 || entry->fields[0].number != 1 || entry->fields[1].number != 2 ||
	    entry->fields[0].shape != BRINE_SHAPE_SINGLE || entry->fields[1].shape != BRINE_SHAPE_SINGLE)
		return "a map's entry has the single fields 1 \"key\" and 2 \"value\"";
	const struct brine_field *key = &entry->fields[0];
	if (!brine_kind_info(key->kind) ||
	    (!is_integer_field(key) && key->kind != BRINE_KIND_BOOL && key->kind != BRINE_KIND_STRING &&
	     key->kind != BRINE_KIND_CSTRING && key->kind != BRINE_KIND_CHARS))
		return "a map's key is an integer, bool or string";
	return NULL;
}

static bool is_text(const struct brine_field *field)
{
	return field->kind == BRINE_KIND_STRING || field->kind == BRINE_KIND_CSTRING || field->kind == BRINE_KIND_CHARS;
}

static const char *check_flags(const struct brine_field *field)
{
	bool real = field->kind == BRINE_KIND_FLOAT || field->kind == BRINE_KIND_DOUBLE;
	if ((field->flags & BRINE_FIELD_EXT) && !is_integer_field(field))
		return "only integers travel as ext";
	if ((field->flags & BRINE_FIELD_FINITE) && !real)
		return "only float and double can be finite";
	if ((field->flags & BRINE_FIELD_CLOSED) && (field->kind != BRINE_KIND_ENUM || !field->enumeration))
		return "only an enum with its names can be closed";
	if ((field->flags & BRINE_FIELD_ANY_BYTES) && !is_text(field))
		return "only text can hold any bytes";
	if (field->enumeration && field->enumeration->abi != BRINE_ABI)
		return "its enum was made for another ABI";
	return NULL;
}

static const char *check_field(const struct brine_type *type, const struct brine_field *field)
{
	bool message = field->kind == BRINE_KIND_MESSAGE;
	if (!field->name || !*field->name)
		return "it has no name";
	if (field->number < 1 || field->number > NUMBER_MOST)
		return "its number is not 1 .. 4096";
	if (field->shape > BRINE_SHAPE_ONEOF)
		return "unknown shape";
	if (field->shape == BRINE_SHAPE_MAP) {
		const char *what = check_map_entry(field->type);
		return what ? what : check_place(type, field);
	}
	if (!brine_kind_info(field->kind))
		return "unknown kind";
	if (message && !field->type)
		return "a message needs its type";
	if (message && field->shape == BRINE_SHAPE_OPTIONAL)
		return "an optional message is a pointer";
	if (message && field->shape == BRINE_SHAPE_SINGLE && field->type == type)
		return "a message cannot embed itself";
	if (!message && field->shape == BRINE_SHAPE_POINTER)
		return "only messages are held by pointer";
	if (field->kind == BRINE_KIND_CHARS && (field->shape != BRINE_SHAPE_SINGLE || field->capacity == 0))
		return "a char array is single and has a capacity";
	const char *what = check_flags(field);
	return what ? what : check_place(type, field);
}

/* A bare message holds bare ones only in lists; such a chain must end. */
static bool is_bare_cycle(const struct brine_type *type)
{
	const struct brine_type *next = type;
	for (unsigned steps = 0; next->layout == BRINE_LAYOUT_BARE && next->field_count == 1; steps++) {
		const struct brine_field *field = &next->fields[0];
		const struct brine_type *inner = field->type;
		if (field->shape == BRINE_SHAPE_MAP && inner && inner->field_count == 2)
			inner = inner->fields[1].type;
		if (!inner)
			return false;
		if (inner == type || steps == TYPES_MOST)
			return true;
		next = inner;
	}
	return false;
}

static int check_type(const struct brine_type *type, struct brine_error *error)
{
	if (type->abi != BRINE_ABI)
		return brine_fail(error, BRINE_ERR_ABI, 0, "type of ABI %u, this library has %d", type->abi, BRINE_ABI);
	if (!type->name || type->layout > BRINE_LAYOUT_BARE || (type->field_count && !type->fields))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "type %s: no name, layout or fields",
		                  type->name ? type->name : "?");
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		const char *what = check_field(type, field);
		if (!what && i && field->number <= type->fields[i - 1].number)
			what = "fields are ordered by number";
		if (what)
			return fail_field(error, type, field, what);
	}
	int status = brine_type_usable(type, NULL, error);
	if (status < 0)
		return status;
	return is_bare_cycle(type) ? fail_field(error, type, type->fields, "a cycle of BARE messages") : 0;
}

static void add_type(struct types *types, const struct brine_type *type)
{
	for (size_t i = 0; i < types->count; i++)
		if (types->list[i] == type)
			return;
	if (types->count < TYPES_MOST)
		types->list[types->count++] = type;
}

int brine_type_check(const struct brine_type *type, struct brine_error *error)
{
	if (!type)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "type is NULL");
	struct types types = {{type}, 1};
	for (size_t next = 0; next < types.count; next++) {
		int status = check_type(types.list[next], error);
		if (status < 0)
			return status;
		for (uint32_t i = 0; i < types.list[next]->field_count; i++) {
			const struct brine_field *field = &types.list[next]->fields[i];
			if (field->kind == BRINE_KIND_MESSAGE || field->shape == BRINE_SHAPE_MAP)
				add_type(&types, field->type);
		}
	}
	return 0;
}
