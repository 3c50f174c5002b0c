#include "inspect/typed_read.h"

#include "codec/desc.h"
#include "inspect/base64.h"
#include "inspect/json_pack.h"
#include "inspect/scalar_read.h"

#include <ctype.h>
#include <stdio.h>

enum { NAMES_SIZE = 96 }; /* of the fields that an error lists */

struct reader {
	struct brine_arena *arena;
	struct brine_error *error;
};

static int read_json_message(const struct reader *reader, const struct brine_path *path, const struct brine_type *type,
                             const json_t *value, unsigned depth, void *to);

/* Says what is wrong, with the place in front where there is one. Returns code. */
static int BRINE_PRINTF(4, 5)
        reader_fail(const struct reader *reader, int code, const struct brine_path *path, const char *format, ...)
{
	char text[sizeof reader->error->text];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return path ? brine_path_fail(reader->error, code, 0, path, "%s", text)
	            : brine_fail(reader->error, code, 0, "%s", text);
}

static int json_out_of_memory(const struct reader *reader, const struct brine_path *path)
{
	return reader_fail(reader, BRINE_ERR_NOMEM, path, "out of memory");
}

static void *allocate_array(const struct reader *reader, size_t count, size_t size)
{
	size_t total;
	return __builtin_mul_overflow(count, size, &total) ? NULL : brine_arena_alloc(reader->arena, total);
}

static int json_misfit(const struct reader *reader, const struct brine_path *path, const char *wanted,
                       const json_t *found)
{
	return reader_fail(reader, BRINE_ERR_TYPE, path, "expected %s, found %s", wanted, inspect_json_kind(found));
}

/* ---- values ---- */

static int read_bytes(const struct reader *reader, const struct brine_path *path, const json_t *value, void *to)
{
	struct brine_bytes *bytes = to;
	if (!json_is_string(value))
		return json_misfit(reader, path, "base64", value);
	size_t size = json_string_length(value);
	uint8_t *data = allocate_array(reader, INSPECT_BASE64_ROOM(size), 1);
	if (!data)
		return json_out_of_memory(reader, path);
	if (!inspect_base64_read(data, &bytes->size, json_string_value(value), size))
		return reader_fail(reader, BRINE_ERR_TYPE, path, "expected base64: printf %%s TEXT | base64 makes it");
	bytes->data = data;
	return 0;
}

/* brine.Value: any JSON, in the form without a schema. */
static int read_any(const struct reader *reader, const struct brine_path *path, const json_t *value, unsigned depth,
                    void *to)
{
	struct brine_buf packed;
	struct brine_value *any = to;
	struct brine_error error = BRINE_ERROR_INIT;
	brine_buf_init(&packed, reader->arena->allocator);
	unsigned left = depth < BRINE_MESSAGE_DEPTH_MAX ? BRINE_MESSAGE_DEPTH_MAX - depth : 0;
	int rc = inspect_json_pack(&packed, value, left, &error);
	struct brine_bytes bytes = brine_buf_bytes(&packed);
	const void *copy = rc == 0 ? brine_arena_copy(reader->arena, bytes.data, bytes.size) : NULL;
	if (rc < 0)
		reader_fail(reader, rc, path, "%s", error.text);
	else if (!copy)
		rc = json_out_of_memory(reader, path);
	else
		*any = (struct brine_value){copy, bytes.size};
	brine_buf_done(&packed);
	return rc;
}

static int read_json_value(const struct reader *reader, const struct brine_path *path, const struct brine_field *field,
                           const json_t *value, unsigned depth, void *to)
{
	char why[INSPECT_WHY_SIZE];
	switch (field->kind) {
	case BRINE_KIND_MESSAGE: return read_json_message(reader, path, field->type, value, depth, to);
	case BRINE_KIND_BYTES: return read_bytes(reader, path, value, to);
	case BRINE_KIND_VALUE: return read_any(reader, path, value, depth, to);
	default: break;
	}
	int rc = inspect_scalar_read(to, field, value, why);
	return rc == 0 ? 0 : reader_fail(reader, rc, path, "%s", why);
}

/* ---- lists and maps ---- */

static int check_depth(const struct reader *reader, const struct brine_path *path, unsigned depth)
{
	if (depth < BRINE_MESSAGE_DEPTH_MAX)
		return 0;
	return reader_fail(reader, BRINE_ERR_DEPTH, path, "nested more than %d levels deep", BRINE_MESSAGE_DEPTH_MAX);
}

/* Stores count elements of size bytes, to be filled, as a list's field has them. NULL: out of memory. */
static char *make_json_list(const struct reader *reader, const struct brine_field *field, size_t count, void *message)
{
	char *items = allocate_array(reader, count, brine_field_value_size(field));
	if (items) {
		memcpy((char *)message + field->offset, &items, sizeof items);
		memcpy((char *)message + field->aux, &count, sizeof count);
	}
	return items;
}

static int read_json_list(const struct reader *reader, struct brine_path *path, const struct brine_field *field,
                          const json_t *value, unsigned depth, void *message)
{
	size_t count = json_array_size(value), size = brine_field_value_size(field);
	if (!json_is_array(value))
		return json_misfit(reader, path, "an array", value);
	int rc = check_depth(reader, path, depth);
	char *items = make_json_list(reader, field, count, message);
	if (!items)
		return json_out_of_memory(reader, path);
	for (size_t i = 0; i < count && rc == 0; i++) {
		path->index = i;
		rc = read_json_value(reader, path, field, json_array_get(value, i), depth + 1, items + i * size);
	}
	return rc;
}

/* A map's entry: its key, as the name of a member or, in the form with pairs, as a value; and its value. */
static int read_json_entry(const struct reader *reader, const struct brine_path *path, const struct brine_type *type,
                           const char *name, const json_t *key, const json_t *value, unsigned depth, char *entry)
{
	const struct brine_field *fields = type->fields;
	struct brine_path of_key = {path, &fields[0], BRINE_PATH_WHOLE},
	                  of_value = {path, &fields[1], BRINE_PATH_WHOLE};
	char why[INSPECT_WHY_SIZE];
	int rc = name ? inspect_scalar_read_name(entry + fields[0].offset, &fields[0], name, why)
	              : inspect_scalar_read(entry + fields[0].offset, &fields[0], key, why);
	if (rc < 0)
		return reader_fail(reader, rc, &of_key, "%s", why);
	return read_json_value(reader, &of_value, &fields[1], value, depth, entry + fields[1].offset);
}

static int read_pairs(const struct reader *reader, struct brine_path *path, const struct brine_field *field,
                      const json_t *pairs, unsigned depth, void *message)
{
	size_t count = json_array_size(pairs);
	char *entries = make_json_list(reader, field, count, message);
	int rc = entries ? 0 : json_out_of_memory(reader, path);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const json_t *pair = json_array_get(pairs, i);
		path->index = i;
		if (json_array_size(pair) != 2)
			return json_misfit(reader, path, "[key, value]", pair);
		rc = read_json_entry(reader, path, field->type, NULL, json_array_get(pair, 0), json_array_get(pair, 1),
		                     depth + 1, entries + i * field->type->size);
	}
	return rc;
}

static int read_json_map(const struct reader *reader, struct brine_path *path, const struct brine_field *field,
                         const json_t *value, unsigned depth, void *message)
{
	json_t *members = (json_t *)(uintptr_t)value; /* read only */
	const json_t *pairs = json_object_get(value, "$map");
	if (!json_is_object(value))
		return json_misfit(reader, path, "an object", value);
	int rc = check_depth(reader, path, depth);
	if (rc < 0)
		return rc;
	if (json_is_array(pairs) && json_object_size(value) == 1)
		return read_pairs(reader, path, field, pairs, depth, message);
	char *entry = make_json_list(reader, field, json_object_size(value), message);
	if (!entry)
		return json_out_of_memory(reader, path);
	path->index = 0;
	for (void *at = json_object_iter(members); at && rc == 0; at = json_object_iter_next(members, at)) {
		rc = read_json_entry(reader, path, field->type, json_object_iter_key(at), NULL,
		                     json_object_iter_value(at), depth + 1, entry);
		entry += field->type->size;
		path->index++;
	}
	return rc;
}

/* ---- messages ---- */

/* Whether key is the field's name in lowerCamelCase, as protoc makes it. */
static bool is_camel_name(const char *name, const char *key)
{
	bool upper = false;
	for (; *name; name++) {
		char wanted = *name;
		if (upper)
			wanted = (char)toupper((unsigned char)wanted);
		upper = *name == '_';
		if (!upper && *key++ != wanted)
			return false;
	}
	return *key == '\0';
}

static const struct brine_field *find_json_field(const struct brine_type *type, const char *key)
{
	for (uint32_t i = 0; i < type->field_count; i++) {
		if (strcmp(type->fields[i].name, key) == 0)
			return &type->fields[i];
	}
	for (uint32_t i = 0; i < type->field_count; i++) {
		if (is_camel_name(type->fields[i].name, key))
			return &type->fields[i];
	}
	return NULL;
}

static int unknown_field(const struct reader *reader, const struct brine_path *path, const struct brine_type *type,
                         const char *key)
{
	char names[NAMES_SIZE] = "", shown[48];
	size_t used = 0;
	for (uint32_t i = 0; i < type->field_count && used < sizeof names; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
		                         type->fields[i].name);
	return reader_fail(reader, BRINE_ERR_UNKNOWN_FIELD, path, "%s has no field \"%s\"; it has %s%s", type->name,
	                   brine_escape(shown, sizeof shown, key, strlen(key)), *names ? names : "none",
	                   used < sizeof names ? "" : "...");
}

/* A message that is pointed to. */
static int read_pointed(const struct reader *reader, const struct brine_path *path, const struct brine_field *field,
                        const json_t *value, unsigned depth, char *at)
{
	void *message = allocate_array(reader, 1, field->type->size);
	if (!message)
		return json_out_of_memory(reader, path);
	memcpy(at, &message, sizeof message);
	return read_json_message(reader, path, field->type, value, depth, message);
}

static int read_member(const struct reader *reader, const struct brine_path *path, const struct brine_field *field,
                       const json_t *value, unsigned depth, char *message)
{
	int32_t which;
	memcpy(&which, message + field->aux, sizeof which);
	if (which)
		return reader_fail(reader, BRINE_ERR_DUPLICATE, path, "another member of the same oneof is set");
	which = (int32_t)field->number;
	memcpy(message + field->aux, &which, sizeof which);
	if (field->kind == BRINE_KIND_MESSAGE)
		return read_pointed(reader, path, field, value, depth, message + field->offset);
	return read_json_value(reader, path, field, value, depth, message + field->offset);
}

static int read_json_field(const struct reader *reader, struct brine_path *path, const struct brine_field *field,
                           const json_t *value, unsigned depth, char *message)
{
	bool is_list = field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP;
	if (json_is_null(value) && (is_list || field->kind != BRINE_KIND_VALUE))
		return 0;
	switch (field->shape) {
	case BRINE_SHAPE_REPEATED: return read_json_list(reader, path, field, value, depth, message);
	case BRINE_SHAPE_MAP: return read_json_map(reader, path, field, value, depth, message);
	case BRINE_SHAPE_ONEOF: return read_member(reader, path, field, value, depth, message);
	case BRINE_SHAPE_POINTER: return read_pointed(reader, path, field, value, depth, message + field->offset);
	case BRINE_SHAPE_OPTIONAL: *(bool *)(message + field->aux) = true; break;
	default: break;
	}
	return read_json_value(reader, path, field, value, depth, message + field->offset);
}

/* to: zero. path: NULL at the top. */
static int read_json_message(const struct reader *reader, const struct brine_path *path, const struct brine_type *type,
                             const json_t *value, unsigned depth, void *to)
{
	json_t *members = (json_t *)(uintptr_t)value; /* read only */
	const char *key;
	json_t *content;
	if (!json_is_object(value))
		return reader_fail(reader, BRINE_ERR_TYPE, path, "expected an object, a %s, found %s", type->name,
		                   inspect_json_kind(value));
	unsigned inside = depth + (type->layout != BRINE_LAYOUT_BARE); /* which is no container */
	int rc = check_depth(reader, path, depth);
	bool *seen = allocate_array(reader, type->field_count, sizeof *seen);
	if (!seen)
		return json_out_of_memory(reader, path);
	json_object_foreach(members, key, content)
	{
		const struct brine_field *field = find_json_field(type, key);
		if (rc < 0)
			return rc;
		if (!field)
			return unknown_field(reader, path, type, key);
		struct brine_path of_field = {path, field, BRINE_PATH_WHOLE};
		if (seen[field - type->fields])
			return reader_fail(reader, BRINE_ERR_DUPLICATE, &of_field, "given twice, by both of its names");
		seen[field - type->fields] = true;
		rc = read_json_field(reader, &of_field, field, content, inside, to);
	}
	return rc;
}

int inspect_typed_read(void **ret_message, const struct brine_type *type, const json_t *value,
                       struct brine_arena *arena, struct brine_error *error)
{
	struct reader reader = {arena, error};
	void *message = allocate_array(&reader, 1, type->size);
	int rc =
	        message ? read_json_message(&reader, NULL, type, value, 0, message) : json_out_of_memory(&reader, NULL);
	if (rc == 0)
		*ret_message = message;
	return rc;
}
