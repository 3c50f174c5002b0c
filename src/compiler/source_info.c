#include "compiler/source_info.h"

#include "base/alloc.h"
#include "compiler/wire.h"

#include <stdlib.h>

struct location {
	const int32_t *path;
	unsigned path_count;
	unsigned order; /* as it came: makes the sorted order one and only */
	struct source_place place;
};

struct source_info {
	struct location *locations; /* ordered by path */
	size_t count;
};

static int compare_paths(const struct location *a, const struct location *b)
{
	for (unsigned i = 0; i < a->path_count && i < b->path_count; i++)
		if (a->path[i] != b->path[i])
			return a->path[i] < b->path[i] ? -1 : 1;
	return a->path_count == b->path_count ? 0 : a->path_count < b->path_count ? -1 : 1;
}

static int compare_locations(const void *left, const void *right)
{
	const struct location *a = left, *b = right;
	int order = compare_paths(a, b);
	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

/* Appends the numbers of a packed or single field; false where there are too many. */
static bool read_numbers(const struct wire_field *field, int32_t *numbers, unsigned *count, struct wire_reader *outer)
{
	struct wire_reader reader = wire_open(field->bytes);
	uint64_t value = field->value;
	bool single = field->type == WIRE_VARINT;
	while (single || reader.at < reader.end) {
		if (*count == SOURCE_PATH_MAX)
			return false;
		if (!single && !wire_varint(&reader, &value)) {
			outer->bad = true;
			return false;
		}
		numbers[(*count)++] = (int32_t)(uint32_t)value;
		if (single)
			break;
	}
	return true;
}

static void *alloc_array(struct brine_arena *arena, size_t count, size_t size)
{
	size_t total;
	return brine_mul(count, size, &total) ? brine_arena_alloc(arena, total) : NULL;
}

/* Reads one location. 1, or 0 where it is of no use: its path is deeper than any declaration's. */
static int parse_location(struct location *location, struct brine_arena *arena, struct brine_bytes bytes)
{
	int32_t path[SOURCE_PATH_MAX], span[SOURCE_PATH_MAX];
	unsigned path_count = 0, span_count = 0;
	bool useful = true;
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (wire_next(&reader, &field)) {
		struct brine_str text = {field.bytes.data, field.bytes.size};
		if (field.number == 1)
			useful &= read_numbers(&field, path, &path_count, &reader);
		else if (field.number == 2)
			useful &= read_numbers(&field, span, &span_count, &reader);
		else if (field.number == 3)
			location->place.leading = text;
		else if (field.number == 4)
			location->place.trailing = text;
	}
	if (reader.bad)
		return BRINE_ERR_MALFORMED;
	if (!useful || span_count < 3 || span[0] < 0 || span[1] < 0)
		return 0;
	int32_t *copy = alloc_array(arena, path_count, sizeof path[0]);
	if (!copy)
		return BRINE_ERR_NOMEM;
	memcpy(copy, path, path_count * sizeof path[0]);
	location->path = copy;
	location->path_count = path_count;
	location->place.line = (uint32_t)span[0] + 1;
	location->place.column = (uint32_t)span[1] + 1;
	return 1;
}

int source_parse(struct source_info **ret_info, struct brine_arena *arena, struct brine_bytes bytes)
{
	struct source_info *info = alloc_array(arena, 1, sizeof *info);
	struct location *locations = alloc_array(arena, wire_count(bytes, 1), sizeof *locations);
	if (!info || !locations)
		return BRINE_ERR_NOMEM;
	struct wire_reader reader = wire_open(bytes);
	struct wire_field field;
	while (wire_next(&reader, &field)) {
		if (field.number != 1 || field.type != WIRE_BYTES)
			continue;
		struct location *location = &locations[info->count];
		*location = (struct location){.order = (unsigned)info->count};
		int status = parse_location(location, arena, field.bytes);
		if (status < 0)
			return status;
		info->count += (size_t)status;
	}
	if (reader.bad)
		return BRINE_ERR_MALFORMED;
	qsort(locations, info->count, sizeof *locations, compare_locations);
	info->locations = locations;
	*ret_info = info;
	return 0;
}

/* The first location of the path, or NULL. */
static const struct location *find(const struct source_info *info, const int32_t *path, unsigned path_count)
{
	struct location key = {.path = path, .path_count = path_count};
	size_t low = 0, high = info->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_paths(&info->locations[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < info->count && compare_paths(&info->locations[low], &key) == 0 ? &info->locations[low] : NULL;
}

struct source_place source_find(const struct source_info *info, const int32_t *path, unsigned path_count, int32_t which)
{
	static const struct source_place unknown;
	int32_t longer[SOURCE_PATH_MAX];
	const struct location *location = NULL;
	if (!info)
		return unknown;
	if (which && path_count < SOURCE_PATH_MAX) {
		if (path_count)
			memcpy(longer, path, path_count * sizeof longer[0]);
		longer[path_count] = which;
		location = find(info, longer, path_count + 1);
	}
	if (!location)
		location = find(info, path, path_count);
	return location ? location->place : unknown;
}
