#include <brine/codec.h>

#include "base/poison.h"
#include "base/utf8.h"
#include "codec/desc.h"
#include "codec/put.h"
#include "codec/token.h"
#include "codec/walk.h"

#include <assert.h>

/* Offsets in errors are where in the output the value would have begun. */
struct writer {
	struct brine_buf *out;
	size_t held; /* bytes in out before */
	struct brine_error *error;
	unsigned depth;
};

static int write_message(struct writer *writer, const struct brine_path *path, const struct brine_type *type,
                         const void *message);

#define fail(writer, code, path, ...)                                                                                  \
	brine_path_fail((writer)->error, (code), brine_buf_size((writer)->out) - (writer)->held, (path), __VA_ARGS__)

static int fail_output_memory(struct writer *writer, const struct brine_path *path)
{
	return fail(writer, BRINE_ERR_NOMEM, path, "out of memory");
}

/* Room for size bytes, or NULL. The call is only made when the room at hand does not suffice. */
static inline uint8_t *output_room(struct writer *writer, size_t size)
{
	struct brine_buf *out = writer->out;
	if (out->end == 0)
		ASAN_UNPOISON_MEMORY_REGION(out->data, out->capacity);
	if (out->data && size <= out->capacity - out->end)
		return out->data + out->end;
	return brine_buf_reserve(out, size);
}

/* Ends a write into output_room(). */
static inline int wrote(struct writer *writer, const uint8_t *end)
{
	assert(end <= writer->out->data + writer->out->capacity);
	writer->out->end = (size_t)(end - writer->out->data);
	return 0;
}

static const void *const_member_at(const void *structure, size_t offset)
{
	return (const uint8_t *)structure + offset;
}

/* The C type of the field's kind, at a place of the caller's struct. */
#define LOAD(type, from) (*(const type *)(from))

/* A pointer of whatever type. */
static const void *pointer_from(const void *from)
{
	const void *pointer;
	memcpy(&pointer, from, sizeof pointer);
	return pointer;
}

static int write_content(struct writer *writer, const struct brine_path *path, const struct brine_field *field,
                         const void *data, size_t size)
{
	bool binary = field->kind == BRINE_KIND_BYTES;
	if (size && !data)
		return fail(writer, BRINE_ERR_INVALID, path, "%zu bytes at NULL", size);
	size_t limit = field->limit ? field->limit : UINT32_MAX;
	if (size > limit)
		return fail(writer, BRINE_ERR_LIMIT, path, "%zu bytes, at most %zu", size, limit);
	bool any = binary || (field->flags & BRINE_FIELD_ANY_BYTES);
	size_t valid = any ? size : brine_utf8_check(data, size);
	if (valid < size)
		return fail(writer, BRINE_ERR_UTF8, path, "invalid UTF-8 at byte %zu", valid);
	uint8_t *to = output_room(writer, BRINE_PUT_MOST + size);
	if (!to)
		return fail_output_memory(writer, path);
	to = binary ? brine_put_bin_head(to, (uint32_t)size) : brine_put_str_head(to, (uint32_t)size);
	if (size)
		memcpy(to, data, size);
	return wrote(writer, to + size);
}

static int write_chars(struct writer *writer, const struct brine_path *path, const struct brine_field *field,
                       const char *text)
{
	size_t size = strnlen(text, field->capacity);
	if (size == field->capacity)
		return fail(writer, BRINE_ERR_RANGE, path, "no NUL within its %u bytes", field->capacity);
	return write_content(writer, path, field, text, size);
}

/* A value comes from the program, but may have come from anywhere before: it must not break the message around it. */
static int write_value(struct writer *writer, const struct brine_path *path, const struct brine_value *value)
{
	size_t size = value->size;
	uint8_t *to = output_room(writer, size ? size : 1);
	if (!to)
		return fail_output_memory(writer, path);
	if (size == 0)
		return wrote(writer, brine_put_nil(to));
	if (!value->data)
		return fail(writer, BRINE_ERR_INVALID, path, "%zu bytes at NULL", size);
	unsigned levels = BRINE_MESSAGE_DEPTH_MAX - writer->depth;
	size_t one = brine_value_size_within(value->data, size, levels);
	if (one == 0 && brine_value_size(value->data, size))
		return fail(writer, BRINE_ERR_DEPTH, path, "nesting deeper than %d", BRINE_MESSAGE_DEPTH_MAX);
	if (one != size)
		return fail(writer, BRINE_ERR_MALFORMED, path, "not one well-formed MessagePack value");
	memcpy(to, value->data, size);
	return wrote(writer, to + size);
}

static int write_real(struct writer *writer, const struct brine_path *path, const struct brine_field *field,
                      const void *from)
{
	bool narrow = field->kind == BRINE_KIND_FLOAT;
	if (field->flags & BRINE_FIELD_FINITE) {
		double value = narrow ? (double)LOAD(float, from) : LOAD(double, from);
		if (!__builtin_isfinite(value))
			return fail(writer, BRINE_ERR_RANGE, path, "not a finite number");
	}
	uint8_t *to = output_room(writer, BRINE_PUT_MOST);
	if (!to)
		return fail_output_memory(writer, path);
	return wrote(writer, narrow ? brine_put_float(to, from) : brine_put_double(to, from));
}

static inline bool is_integer(uint8_t kind)
{
	return (kind >= BRINE_KIND_INT8 && kind <= BRINE_KIND_UINT64) || kind == BRINE_KIND_ENUM;
}

static inline uint8_t *put_integer(uint8_t *to, uint8_t kind, const void *from)
{
	switch (kind) {
	case BRINE_KIND_INT8: return brine_put_int(to, LOAD(int8_t, from));
	case BRINE_KIND_INT16: return brine_put_int(to, LOAD(int16_t, from));
	case BRINE_KIND_INT32:
	case BRINE_KIND_ENUM: return brine_put_int(to, LOAD(int32_t, from));
	case BRINE_KIND_INT64: return brine_put_int(to, LOAD(int64_t, from));
	case BRINE_KIND_UINT8: return brine_put_uint(to, LOAD(uint8_t, from));
	case BRINE_KIND_UINT16: return brine_put_uint(to, LOAD(uint16_t, from));
	case BRINE_KIND_UINT32: return brine_put_uint(to, LOAD(uint32_t, from));
	default: return brine_put_uint(to, LOAD(uint64_t, from));
	}
}

static inline bool write_short_text(struct writer *writer, const struct brine_field *field,
                                    const struct brine_str *text)
{
	enum { SHORT = 31 }; /* its length is part of the head */
	if (text->size > SHORT || !text->data || (field->limit && text->size > field->limit) ||
	    brine_utf8_check(text->data, text->size) < text->size)
		return false;
	uint8_t *to = output_room(writer, BRINE_PUT_MOST + SHORT);
	if (!to)
		return false;
	to = brine_put_str_head(to, (uint32_t)text->size);
	memcpy(to, text->data, text->size);
	return wrote(writer, to + text->size) == 0;
}

/* The short way for what most fields are. False where it is something else, or there is something to be said of it. */
static inline bool write_plain(struct writer *writer, const struct brine_field *field, const void *message)
{
	const void *from = const_member_at(message, field->offset);
	if (field->shape != BRINE_SHAPE_SINGLE || field->flags)
		return false;
	if (field->kind == BRINE_KIND_STRING)
		return write_short_text(writer, field, from);
	uint8_t *to = output_room(writer, BRINE_PUT_MOST);
	if (!to)
		return false;
	switch (field->kind) {
	case BRINE_KIND_BOOL: to = brine_put_bool(to, LOAD(bool, from)); break;
	case BRINE_KIND_FLOAT: to = brine_put_float(to, from); break;
	case BRINE_KIND_DOUBLE: to = brine_put_double(to, from); break;
	default:
		if (!is_integer(field->kind))
			return false;
		to = put_integer(to, field->kind, from);
	}
	return wrote(writer, to) == 0;
}

static int write_integer(struct writer *writer, const struct brine_path *path, const struct brine_field *field,
                         const void *from)
{
	if ((field->flags & BRINE_FIELD_CLOSED) && !brine_enum_name(field->enumeration, LOAD(int32_t, from)))
		return fail(writer, BRINE_ERR_RANGE, path, "%d is not in enum %s", LOAD(int32_t, from),
		            field->enumeration ? field->enumeration->name : "");
	uint8_t *to = output_room(writer, 2 * BRINE_PUT_MOST);
	if (!to)
		return fail_output_memory(writer, path);
	if (!(field->flags & BRINE_FIELD_EXT))
		return wrote(writer, put_integer(to, field->kind, from));
	uint8_t inner[BRINE_PUT_MOST];
	size_t size = (size_t)(put_integer(inner, field->kind, from) - inner);
	to = brine_put_ext_head(to, field->ext, (uint32_t)size);
	memcpy(to, inner, size);
	return wrote(writer, to + size);
}

static int write_timestamp(struct writer *writer, const struct brine_path *path, const struct brine_timestamp *time)
{
	if (!brine_timestamp_valid(*time))
		return fail(writer, BRINE_ERR_RANGE, path, "%lld s and %d ns are no time of the years 1 to 9999",
		            (long long)time->seconds, time->nanos);
	uint8_t *to = output_room(writer, BRINE_PUT_TIMESTAMP_MOST);
	return to ? wrote(writer, brine_put_timestamp(to, *time)) : fail_output_memory(writer, path);
}

/* One value of the field's kind, at `from`. */
static int write_one(struct writer *writer, const struct brine_path *path, const struct brine_field *field,
                     const void *from)
{
	switch (field->kind) {
	case BRINE_KIND_BOOL: {
		uint8_t *to = output_room(writer, 1);
		return to ? wrote(writer, brine_put_bool(to, LOAD(bool, from))) : fail_output_memory(writer, path);
	}
	case BRINE_KIND_FLOAT:
	case BRINE_KIND_DOUBLE: return write_real(writer, path, field, from);
	case BRINE_KIND_STRING:
	case BRINE_KIND_BYTES: {
		const struct brine_bytes *view = from; /* the two views have one layout */
		return write_content(writer, path, field, view->data, view->size);
	}
	case BRINE_KIND_CSTRING: {
		const char *text = pointer_from(from);
		return write_content(writer, path, field, text, text ? strlen(text) : 0);
	}
	case BRINE_KIND_CHARS: return write_chars(writer, path, field, from);
	case BRINE_KIND_TIMESTAMP: return write_timestamp(writer, path, from);
	case BRINE_KIND_VALUE: return write_value(writer, path, from);
	case BRINE_KIND_MESSAGE: return write_message(writer, path, field->type, from);
	default: return write_integer(writer, path, field, from);
	}
}

/* Opens a container of count elements or pairs; end_container() closes it. */
static int begin_container(struct writer *writer, const struct brine_path *path, bool map, size_t count)
{
	if (writer->depth == BRINE_MESSAGE_DEPTH_MAX)
		return fail(writer, BRINE_ERR_DEPTH, path, "nesting deeper than %d", BRINE_MESSAGE_DEPTH_MAX);
	uint8_t *to = output_room(writer, BRINE_PUT_MOST);
	if (!to)
		return fail_output_memory(writer, path);
	writer->depth++;
	return wrote(writer, map ? brine_put_map_head(to, (uint32_t)count) : brine_put_array_head(to, (uint32_t)count));
}

static void end_container(struct writer *writer)
{
	assert(writer->depth > 0);
	writer->depth--;
}

static int write_entry(struct writer *writer, const struct brine_path *path, const struct brine_type *type,
                       const void *entry)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct brine_field *field = &type->fields[i];
		struct brine_path step = {path, field, BRINE_PATH_WHOLE};
		int status = write_one(writer, &step, field, const_member_at(entry, field->offset));
		if (status < 0)
			return status;
	}
	return 0;
}

static bool is_plain_integer(const struct brine_field *field)
{
	return is_integer(field->kind) && field->flags == 0 && field->shape == BRINE_SHAPE_REPEATED;
}

/* Integers that nothing can be wrong with, with one look at the room for many of them. */
static int write_integers(struct writer *writer, const struct brine_path *path, const uint8_t *items, size_t count)
{
	enum { AT_ONCE = 1024 };
	uint8_t kind = path->field->kind;
	size_t step = brine_kind_info(kind)->size;
	while (count) {
		size_t some = count < AT_ONCE ? count : AT_ONCE;
		uint8_t *to = output_room(writer, some * BRINE_PUT_MOST);
		if (!to)
			return fail_output_memory(writer, path);
		for (size_t i = 0; i < some; i++, items += step)
			to = put_integer(to, kind, items);
		wrote(writer, to);
		count -= some;
	}
	return 0;
}

static int write_elements(struct writer *writer, struct brine_path *path, const uint8_t *items, size_t count)
{
	const struct brine_field *field = path->field;
	bool map = field->shape == BRINE_SHAPE_MAP;
	size_t step = brine_field_value_size(field);
	int status = 0;
	if (is_plain_integer(field))
		return write_integers(writer, path, items, count);
	for (path->index = 0; path->index < count && status == 0; path->index++, items += step)
		status = map ? write_entry(writer, path, field->type, items) : write_one(writer, path, field, items);
	return status;
}

/* Repeated and map: the pointer at the field's offset, the count at aux. */
static int write_list(struct writer *writer, const struct brine_path *up, const struct brine_field *field,
                      const void *message)
{
	bool map = field->shape == BRINE_SHAPE_MAP;
	const uint8_t *items = pointer_from(const_member_at(message, field->offset));
	size_t count = LOAD(size_t, const_member_at(message, field->aux));
	struct brine_path path = {up, field, BRINE_PATH_WHOLE};
	size_t limit = field->limit ? field->limit : UINT32_MAX;
	if (count > limit)
		return fail(writer, BRINE_ERR_LIMIT, &path, "%zu elements, at most %zu", count, limit);
	if (count && !items)
		return fail(writer, BRINE_ERR_INVALID, &path, "%zu elements at NULL", count);
	int status = begin_container(writer, &path, map, count);
	if (status == 0)
		status = write_elements(writer, &path, items, count);
	if (status == 0)
		end_container(writer);
	return status;
}

/* Whether a field is there. */
static inline bool is_present(const struct brine_field *field, const void *message)
{
	switch (field->shape) {
	case BRINE_SHAPE_OPTIONAL: return LOAD(bool, const_member_at(message, field->aux));
	case BRINE_SHAPE_POINTER: return pointer_from(const_member_at(message, field->offset)) != NULL;
	case BRINE_SHAPE_ONEOF: return LOAD(int32_t, const_member_at(message, field->aux)) == (int32_t)field->number;
	default: return true;
	}
}

/* A oneof's number must name one of its members, else a value set by mistake would be lost without a word. */
static int check_oneof(struct writer *writer, const struct brine_path *up, const struct brine_type *type,
                       const struct brine_field *field, const void *message)
{
	int32_t which = LOAD(int32_t, const_member_at(message, field->aux));
	if (which == 0)
		return 0;
	const struct brine_field *member = which > 0 ? brine_field_find(type, (uint32_t)which) : NULL;
	if (member && member->shape == BRINE_SHAPE_ONEOF && member->aux == field->aux)
		return 0;
	struct brine_path path = {up, field, BRINE_PATH_WHOLE};
	return fail(writer, BRINE_ERR_INVALID, &path, "%d is no member of its oneof", which);
}

/* One field that is there. */
static int write_field(struct writer *writer, const struct brine_path *up, const struct brine_field *field,
                       const void *message)
{
	if (field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP)
		return write_list(writer, up, field, message);
	struct brine_path path = {up, field, BRINE_PATH_WHOLE};
	const void *from = const_member_at(message, field->offset);
	bool pointer = field->shape == BRINE_SHAPE_POINTER ||
	               (field->shape == BRINE_SHAPE_ONEOF && field->kind == BRINE_KIND_MESSAGE);
	if (pointer)
		from = pointer_from(from);
	if (!from)
		return fail(writer, BRINE_ERR_INVALID, &path, "the member set is NULL");
	return write_one(writer, &path, field, from);
}

static int write_nils(struct writer *writer, const struct brine_path *path, uint32_t count)
{
	uint8_t *to = output_room(writer, count);
	if (!to)
		return fail_output_memory(writer, path);
	memset(to, 0xc0, count);
	return wrote(writer, to + count);
}

/* Looks at the presence of all fields. *ret_end: behind the last one that is there. */
static int survey(struct writer *writer, const struct brine_path *path, const struct brine_type *type,
                  const void *message, uint32_t *ret_count, uint32_t *ret_end)
{
	uint32_t count = 0, end = 0;
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct brine_field *field = &type->fields[i];
		int status = field->shape == BRINE_SHAPE_ONEOF ? check_oneof(writer, path, type, field, message) : 0;
		if (status < 0)
			return status;
		bool present = is_present(field, message);
		count += present;
		end = present ? i + 1 : end;
	}
	*ret_count = count;
	*ret_end = end;
	return 0;
}

static int write_array(struct writer *writer, const struct brine_path *path, const struct brine_type *type,
                       const void *message)
{
	uint32_t present, count;
	int status = survey(writer, path, type, message, &present, &count);
	if (status < 0)
		return status;
	uint32_t written = 0;
	status = begin_container(writer, path, false, count ? type->fields[count - 1].number : 0);
	for (uint32_t i = 0; i < count && status == 0; i++) {
		const struct brine_field *field = &type->fields[i];
		if (!is_present(field, message))
			continue;
		if (field->number - 1 > written)
			status = write_nils(writer, path, field->number - 1 - written);
		if (status == 0 && !write_plain(writer, field, message))
			status = write_field(writer, path, field, message);
		written = field->number;
	}
	if (status == 0)
		end_container(writer);
	return status;
}

static int write_map(struct writer *writer, const struct brine_path *path, const struct brine_type *type,
                     const void *message)
{
	uint32_t count, end;
	int status = survey(writer, path, type, message, &count, &end);
	if (status == 0)
		status = begin_container(writer, path, true, count);
	for (uint32_t i = 0; i < type->field_count && status == 0; i++) {
		const struct brine_field *field = &type->fields[i];
		if (!is_present(field, message))
			continue;
		size_t size = strlen(field->name);
		uint8_t *to = output_room(writer, BRINE_PUT_MOST + size);
		if (!to)
			return fail_output_memory(writer, path);
		to = brine_put_str_head(to, (uint32_t)size);
		memcpy(to, field->name, size);
		wrote(writer, to + size);
		status = write_field(writer, path, field, message);
	}
	if (status == 0)
		end_container(writer);
	return status;
}

static int write_message(struct writer *writer, const struct brine_path *path, const struct brine_type *type,
                         const void *message)
{
	int status = brine_type_usable(type, path, writer->error);
	if (status < 0)
		return status;
	switch (type->layout) {
	case BRINE_LAYOUT_ARRAY: return write_array(writer, path, type, message);
	case BRINE_LAYOUT_MAP: return write_map(writer, path, type, message);
	default: return write_field(writer, path, type->fields, message);
	}
}

/* The message in its place: what stands around it does not count as its depth. */
static int write_placed(struct writer *writer, const struct brine_type *type, const void *message,
                        enum brine_place place)
{
	uint8_t *to = output_room(writer, 1);
	if (!to)
		return fail_output_memory(writer, NULL);
	if (type->field_count == 0 && place == BRINE_AS_RESULT)
		return wrote(writer, brine_put_nil(to));
	if (type->field_count == 0 && place == BRINE_AS_PARAMS)
		return wrote(writer, brine_put_array_head(to, 0));
	if (place == BRINE_AS_PARAMS && type->layout != BRINE_LAYOUT_ARRAY)
		wrote(writer, brine_put_array_head(to, 1));
	return write_message(writer, NULL, type, message);
}

int brine_encode(struct brine_buf *out, const struct brine_type *type, const void *message, enum brine_place place,
                 struct brine_error *error)
{
	if (!out || !type || !message)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "out, type or message is NULL");
	struct writer writer = {.out = out, .held = brine_buf_size(out), .error = error};
	int status = write_placed(&writer, type, message, place);
	if (status < 0)
		out->end = out->start + writer.held;
	return status;
}

int brine_dumps(struct brine_bytes *ret_bytes, const struct brine_type *type, const void *message,
                struct brine_arena *arena, struct brine_error *error)
{
	if (!ret_bytes || !type || !message || !arena)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_bytes, type, message or arena is NULL");
	struct brine_buf out;
	brine_buf_init(&out, arena->allocator);
	int status = brine_encode(&out, type, message, BRINE_AS_MESSAGE, error);
	if (status == 0) {
		struct brine_bytes bytes = brine_buf_bytes(&out);
		const void *copy = brine_arena_copy(arena, bytes.data, bytes.size);
		if (copy)
			*ret_bytes = (struct brine_bytes){copy, bytes.size};
		else
			status = brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory for a message of %zu bytes",
			                    bytes.size);
	}
	brine_buf_done(&out);
	return status;
}
