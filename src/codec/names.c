#include "codec/names.h"

#include <brine/error.h>

enum {
	FEW = 8, /* fields that are tried one by one, whatever comes */
};

/* By length first: most names differ there. */
static int compare_field_name(const char *known, struct brine_bytes name)
{
	size_t size = strlen(known);
	if (size != name.size)
		return size < name.size ? -1 : 1;
	return memcmp(known, name.data, size);
}

/* Where the name is in the first count of order, or belongs; *ret_found says which. */
static uint32_t search_names(const struct brine_names *names, uint32_t count, struct brine_bytes name, bool *ret_found)
{
	uint32_t low = 0, high = count;
	*ret_found = false;
	while (low < high && !*ret_found) {
		uint32_t middle = low + (high - low) / 2;
		int order = compare_field_name(names->type->fields[names->order[middle]].name, name);
		*ret_found = order == 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return high;
}

int brine_names_init(struct brine_names *names, const struct brine_type *type, uint32_t keys_count,
                     struct brine_arena *arena)
{
	*names = (struct brine_names){.type = type};
	if (type->field_count <= FEW || keys_count <= type->field_count)
		return 0;
	names->order = brine_arena_alloc(arena, type->field_count * sizeof *names->order);
	if (!names->order)
		return BRINE_ERR_NOMEM;
	for (uint32_t i = 0; i < type->field_count; i++) {
		const char *name = type->fields[i].name;
		bool found;
		uint32_t at = search_names(names, i, (struct brine_bytes){name, strlen(name)}, &found);
		memmove(names->order + at + 1, names->order + at, (i - at) * sizeof *names->order);
		names->order[at] = (uint16_t)i;
	}
	return 0;
}

const struct brine_field *brine_names_find(struct brine_names *names, struct brine_bytes name)
{
	const struct brine_type *type = names->type;
	uint32_t index = names->hint;
	bool found = index < type->field_count && compare_field_name(type->fields[index].name, name) == 0;
	if (!found && names->order) {
		uint32_t at = search_names(names, type->field_count, name, &found);
		index = found ? names->order[at] : 0;
	} else if (!found) {
		for (index = 0; index < type->field_count && !found; index += !found)
			found = compare_field_name(type->fields[index].name, name) == 0;
	}
	if (!found)
		return NULL;
	names->hint = index + 1;
	return &type->fields[index];
}
