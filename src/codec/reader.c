#include "base/alloc.h"
#include "codec/names.h"
#include "codec/scalar.h"
#include "codec/walk.h"

#include <assert.h>

static int read_message(struct brine_reader *reader, const struct brine_path *path, const struct brine_type *type,
                        void *message);

static void *member_at(void *structure, size_t offset)
{
	return (uint8_t *)structure + offset;
}

/* Reads the token at reader->at without taking it. Input that passed brine_check() has one; input whose caller only
 * says so is still never read beyond its end. */
static int peek_token(struct brine_reader *reader, const struct brine_path *path, struct brine_token *ret_token)
{
	if (brine_token_read(ret_token, reader->data + reader->at, reader->size - reader->at) == 1)
		return 0;
	return brine_reader_fail(reader, BRINE_ERR_MALFORMED, path, "truncated or invalid value at offset %zu",
	                         reader->at);
}

static int skip_value(struct brine_reader *reader, const struct brine_path *path)
{
	unsigned levels = BRINE_MESSAGE_DEPTH_MAX - reader->depth;
	size_t size = brine_value_size_within(reader->data + reader->at, reader->size - reader->at, levels);
	if (size == 0)
		return brine_reader_fail(reader, BRINE_ERR_DEPTH, path,
		                         "nesting deeper than %d within the value at offset %zu",
		                         BRINE_MESSAGE_DEPTH_MAX, reader->at);
	reader->at += size;
	return 0;
}

/* Takes the head of a container, `token`; leave_container() closes it. */
static int enter_container(struct brine_reader *reader, const struct brine_path *path, const struct brine_token *token)
{
	if (reader->depth == BRINE_MESSAGE_DEPTH_MAX)
		return brine_reader_fail(reader, BRINE_ERR_DEPTH, path, "nesting deeper than %d at offset %zu",
		                         BRINE_MESSAGE_DEPTH_MAX, reader->at);
	if (brine_token_elements(token) > reader->size - reader->at)
		return brine_reader_fail(reader, BRINE_ERR_MALFORMED, path, "%u elements claimed at offset %zu",
		                         token->count, reader->at);
	reader->at += token->size;
	reader->depth++;
	return 0;
}

static void leave_container(struct brine_reader *reader)
{
	assert(reader->depth > 0);
	reader->depth--;
}

static int fail_values_memory(struct brine_reader *reader, const struct brine_path *path, size_t count)
{
	return brine_reader_fail(reader, BRINE_ERR_NOMEM, path, "out of memory for %zu values", count);
}

/* One value of the field's kind into *to. */
static int read_one(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                    void *to)
{
	struct brine_token token;
	if (field->kind == BRINE_KIND_MESSAGE)
		return read_message(reader, path, field->type, to);
	if (brine_scalar_take_plain(reader, field, to))
		return 0;
	int status = peek_token(reader, path, &token);
	if (status == 0)
		status = brine_scalar_read(reader, path, field, &token, to);
	if (status < 0)
		return status;
	if (token.kind != BRINE_TOKEN_ARRAY && token.kind != BRINE_TOKEN_MAP)
		reader->at += token.size;
	else
		status = skip_value(reader, path);
	return status;
}

/* Entries are key, then value; their nil is an error like that of repeated elements. */
static int read_entry(struct brine_reader *reader, const struct brine_path *path, const struct brine_type *type,
                      void *entry)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct brine_field *field = &type->fields[i];
		struct brine_path step = {path, field, BRINE_PATH_WHOLE};
		int status = read_one(reader, &step, field, member_at(entry, field->offset));
		if (status < 0)
			return status;
	}
	return 0;
}

static bool begins_message(const struct brine_type *type, const struct brine_token *token)
{
	switch (type->layout) {
	case BRINE_LAYOUT_ARRAY: return token->kind == BRINE_TOKEN_ARRAY;
	case BRINE_LAYOUT_MAP: return token->kind == BRINE_TOKEN_MAP;
	default: return token->kind != BRINE_TOKEN_NIL || type->fields->kind == BRINE_KIND_VALUE;
	}
}

/* Refuses what cannot be an element before memory is taken for all of them. */
static int check_first(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field)
{
	struct brine_token token;
	if (field->shape == BRINE_SHAPE_MAP)
		field = &field->type->fields[0];
	int status = peek_token(reader, path, &token);
	if (status < 0)
		return status;
	if (field->kind == BRINE_KIND_MESSAGE ? begins_message(field->type, &token) : brine_scalar_fits(field, &token))
		return 0;
	return brine_reader_fail_type(reader, path, brine_kind_info(field->kind)->name, &token);
}

static int read_elements(struct brine_reader *reader, struct brine_path *path, size_t count, uint8_t *items)
{
	const struct brine_field *field = path->field;
	bool map = field->shape == BRINE_SHAPE_MAP;
	size_t step = brine_field_value_size(field);
	for (size_t i = 0; i < count; i++, items += step) {
		path->index = i;
		int status = map ? read_entry(reader, path, field->type, items) : read_one(reader, path, field, items);
		if (status < 0)
			return status;
	}
	return 0;
}

/* Repeated and map: the pointer goes to the field's offset, the count to aux. */
static int read_list(struct brine_reader *reader, const struct brine_path *up, const struct brine_field *field,
                     void *message)
{
	struct brine_path path = {up, field, BRINE_PATH_WHOLE};
	struct brine_token token;
	bool map = field->shape == BRINE_SHAPE_MAP;
	int status = peek_token(reader, &path, &token);
	if (status < 0)
		return status;
	if (token.kind != (map ? BRINE_TOKEN_MAP : BRINE_TOKEN_ARRAY))
		return brine_reader_fail_type(reader, &path, map ? "map" : "array", &token);
	size_t count = token.count;
	if (field->limit && count > field->limit)
		return brine_reader_fail(reader, BRINE_ERR_LIMIT, &path, "%zu elements, at most %u, at offset %zu",
		                         count, field->limit, reader->at);
	status = enter_container(reader, &path, &token);
	if (status < 0)
		return status;
	if (count) {
		path.index = 0;
		status = check_first(reader, &path, field);
		size_t size;
		uint8_t *items = NULL;
		if (status == 0 && brine_mul(count, brine_field_value_size(field), &size))
			items = brine_arena_alloc(reader->arena, size);
		if (status == 0 && !items)
			status = fail_values_memory(reader, &path, count);
		if (status == 0)
			status = read_elements(reader, &path, count, items);
		if (status < 0)
			return status;
		memcpy(member_at(message, field->offset), &items, sizeof items);
		memcpy(member_at(message, field->aux), &count, sizeof count);
	}
	leave_container(reader);
	return 0;
}

/* Marks the field as there; a oneof that has a member already is an error. */
static int set_presence(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                        void *message)
{
	if (field->shape == BRINE_SHAPE_OPTIONAL)
		*(bool *)member_at(message, field->aux) = true;
	if (field->shape != BRINE_SHAPE_ONEOF)
		return 0;
	int32_t *which = member_at(message, field->aux);
	if (*which)
		return brine_reader_fail(reader, BRINE_ERR_DUPLICATE, path,
		                         "a second member of its oneof, after number %d, at offset %zu", *which,
		                         reader->at);
	*which = (int32_t)field->number;
	return 0;
}

/* A field of a message that is there; nil stands for absent, and for the default where there is no presence. */
static int read_field(struct brine_reader *reader, const struct brine_path *up, const struct brine_field *field,
                      void *message)
{
	struct brine_path path = {up, field, BRINE_PATH_WHOLE};
	if (reader->at < reader->size && reader->data[reader->at] == 0xc0) {
		reader->at++;
		return 0;
	}
	if (field->shape == BRINE_SHAPE_REPEATED || field->shape == BRINE_SHAPE_MAP)
		return read_list(reader, up, field, message);
	int status = set_presence(reader, &path, field, message);
	void *to = member_at(message, field->offset);
	bool pointer = field->shape == BRINE_SHAPE_POINTER ||
	               (field->shape == BRINE_SHAPE_ONEOF && field->kind == BRINE_KIND_MESSAGE);
	if (status == 0 && pointer) {
		void *pointed = brine_arena_alloc(reader->arena, field->type->size);
		if (!pointed)
			return fail_values_memory(reader, &path, 1);
		memcpy(to, &pointed, sizeof pointed);
		to = pointed;
	}
	return status < 0 ? status : read_one(reader, &path, field, to);
}

/* Skips the value of an element or key that no field has. nil says nothing, so it passes also where others do not. */
static int skip_unknown(struct brine_reader *reader, const struct brine_path *path, uint32_t number,
                        struct brine_bytes name)
{
	bool nil = reader->at < reader->size && reader->data[reader->at] == 0xc0;
	if (!(reader->flags & BRINE_DECODE_STRICT) || nil)
		return skip_value(reader, path);
	if (number)
		return brine_reader_fail(reader, BRINE_ERR_UNKNOWN_FIELD, path, "unknown field %u at offset %zu",
		                         number, reader->at);
	char text[64];
	return brine_reader_fail(reader, BRINE_ERR_UNKNOWN_FIELD, path, "unknown field \"%s\" at offset %zu",
	                         brine_escape(text, sizeof text, name.data, name.size), reader->at);
}

static int read_array(struct brine_reader *reader, const struct brine_path *path, const struct brine_type *type,
                      const struct brine_token *token, void *message)
{
	uint32_t index = 0;
	int status = enter_container(reader, path, token);
	for (uint32_t number = 1; number <= token->count && status == 0; number++) {
		if (index < type->field_count && type->fields[index].number == number)
			status = read_field(reader, path, &type->fields[index++], message);
		else
			status = skip_unknown(reader, path, number, (struct brine_bytes){NULL, 0});
	}
	if (status == 0)
		leave_container(reader);
	return status;
}

/* Which fields came, one bit each; more than 64 take memory of the arena. */
struct seen {
	uint64_t few;
	uint64_t *bits;
};

static bool see(struct seen *seen, size_t index)
{
	uint64_t *word = &seen->bits[index / 64], bit = UINT64_C(1) << index % 64;
	bool before = *word & bit;
	*word |= bit;
	return before;
}

static int read_pair(struct brine_reader *reader, const struct brine_path *path, const struct brine_type *type,
                     void *message, struct seen *seen, struct brine_names *names)
{
	struct brine_token key;
	int status = peek_token(reader, path, &key);
	if (status < 0)
		return status;
	if (key.kind != BRINE_TOKEN_STR && key.kind != BRINE_TOKEN_BIN)
		return brine_reader_fail_type(reader, path, "a field name as key", &key);
	const struct brine_field *field = brine_names_find(names, key.content);
	if (field && see(seen, (size_t)(field - type->fields)))
		return brine_reader_fail(reader, BRINE_ERR_DUPLICATE, path, "duplicate field %s at offset %zu",
		                         field->name, reader->at);
	reader->at += key.size;
	return field ? read_field(reader, path, field, message) : skip_unknown(reader, path, 0, key.content);
}

static int read_map(struct brine_reader *reader, const struct brine_path *path, const struct brine_type *type,
                    const struct brine_token *token, void *message)
{
	struct seen seen = {0, &seen.few};
	struct brine_names names;
	if (type->field_count > 64) {
		seen.bits = brine_arena_alloc(reader->arena, (type->field_count + 63) / 64 * sizeof *seen.bits);
		if (!seen.bits)
			return fail_values_memory(reader, path, 1);
	}
	if (brine_names_init(&names, type, token->count, reader->arena) < 0)
		return fail_values_memory(reader, path, 1);
	int status = enter_container(reader, path, token);
	for (uint32_t i = 0; i < token->count && status == 0; i++)
		status = read_pair(reader, path, type, message, &seen, &names);
	if (status == 0)
		leave_container(reader);
	return status;
}

/* *message is zero. */
static int read_message(struct brine_reader *reader, const struct brine_path *path, const struct brine_type *type,
                        void *message)
{
	struct brine_token token;
	int status = brine_type_usable(type, path, reader->error);
	if (status == 0)
		status = peek_token(reader, path, &token);
	if (status < 0)
		return status;
	/* Fields were asked for nil before; here it is an element or a map's value, where only a bare message by itself
	 * may be nil. */
	bool map = type->layout == BRINE_LAYOUT_MAP, bare = type->layout == BRINE_LAYOUT_BARE;
	if (!begins_message(type, &token) && !(bare && !path))
		return brine_reader_fail_type(reader, path, map ? "map" : bare ? type->name : "array", &token);
	if (bare)
		return read_field(reader, path, type->fields, message);
	return map ? read_map(reader, path, type, &token, message) : read_array(reader, path, type, &token, message);
}

/* Plain MessagePack-RPC knows no optional arguments but at the end (WIRE.md section 7). */
static int check_arity(struct brine_reader *reader, const struct brine_type *type, uint32_t count)
{
	uint32_t least = 0, most = 0;
	if (type->layout != BRINE_LAYOUT_ARRAY)
		least = most = type->field_count != 0;
	for (uint32_t i = 0; type->layout == BRINE_LAYOUT_ARRAY && i < type->field_count; i++) {
		most = type->fields[i].number;
		if (!brine_field_has_presence(&type->fields[i]))
			least = most;
	}
	if (count >= least && count <= most)
		return 0;
	if (least == most)
		return brine_fail(reader->error, BRINE_ERR_ARITY, 0, "takes %u argument%s, got %u", most,
		                  most == 1 ? "" : "s", count);
	return brine_fail(reader->error, BRINE_ERR_ARITY, 0, "takes %u to %u arguments, got %u", least, most, count);
}

/* Params are an array: of the fields, or around the one message. Elements behind that are skipped like unknown fields.
 */
static int read_params(struct brine_reader *reader, const struct brine_type *type, const struct brine_token *token,
                       void *message)
{
	int status = 0;
	if (token->kind != BRINE_TOKEN_ARRAY)
		return brine_reader_fail_type(reader, NULL, "array", token);
	if (reader->flags & BRINE_DECODE_ARITY)
		status = check_arity(reader, type, token->count);
	if (status < 0)
		return status;
	if (type->layout == BRINE_LAYOUT_ARRAY || type->field_count == 0)
		return read_array(reader, NULL, type, token, message);
	reader->at += token->size;
	if (token->count)
		status = read_message(reader, NULL, type, message);
	for (uint32_t i = 1; i < token->count && status == 0; i++)
		status = skip_unknown(reader, NULL, i + 1, (struct brine_bytes){NULL, 0});
	return status;
}

static int read_placed(struct brine_reader *reader, const struct brine_type *type, enum brine_place place,
                       void *message)
{
	struct brine_token token;
	int status = peek_token(reader, NULL, &token);
	if (status < 0)
		return status;
	bool empty = type->field_count == 0;
	if (token.kind == BRINE_TOKEN_NIL && (empty || place == BRINE_AS_PARAMS)) {
		reader->at++;
		struct brine_token none = {.kind = BRINE_TOKEN_ARRAY};
		return place == BRINE_AS_PARAMS ? read_params(reader, type, &none, message) : 0;
	}
	if (place == BRINE_AS_PARAMS)
		return read_params(reader, type, &token, message);
	if (empty && token.kind == BRINE_TOKEN_ARRAY)
		return read_array(reader, NULL, type, &token, message);
	return read_message(reader, NULL, type, message);
}

int brine_decode(void *ret_message, const struct brine_type *type, struct brine_bytes bytes, enum brine_place place,
                 unsigned flags, struct brine_arena *arena, struct brine_error *error)
{
	if (!ret_message || !type || !arena || (bytes.size && !bytes.data))
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_message, type, bytes or arena is NULL");
	struct brine_reader reader = {
	        .data = bytes.data, .size = bytes.size, .flags = flags, .arena = arena, .error = error};
	/* The array around a MAP or BARE argument is none of the message's own levels. */
	unsigned levels = BRINE_MESSAGE_DEPTH_MAX + (place == BRINE_AS_PARAMS && type->layout != BRINE_LAYOUT_ARRAY);
	int status = flags & BRINE_DECODE_CHECKED ? 0 : brine_check(bytes, levels, error);
	if (status < 0)
		return status;
	void *message = brine_arena_alloc(arena, type->size);
	if (!message)
		return fail_values_memory(&reader, NULL, 1);
	status = read_placed(&reader, type, place, message);
	if (status == 0 && reader.at < reader.size)
		status = brine_reader_fail(&reader, BRINE_ERR_TRAILING, NULL, "%zu bytes after it",
		                           reader.size - reader.at);
	if (status == 0)
		memcpy(ret_message, message, type->size);
	return status;
}

int brine_loads(void *ret_message, const struct brine_type *type, struct brine_bytes bytes, struct brine_arena *arena,
                struct brine_error *error)
{
	return brine_decode(ret_message, type, bytes, BRINE_AS_MESSAGE, 0, arena, error);
}

int brine_loads_copy(void *ret_message, const struct brine_type *type, struct brine_bytes bytes,
                     struct brine_arena *arena, struct brine_error *error)
{
	return brine_decode(ret_message, type, bytes, BRINE_AS_MESSAGE, BRINE_DECODE_COPY, arena, error);
}
