#include "codec/scalar.h"

#include "base/utf8.h"
#include "codec/endian.h"
#include "codec/walk.h"

int brine_reader_fail_type(const struct brine_reader *reader, const struct brine_path *path, const char *expected,
                           const struct brine_token *token)
{
	if (token->kind == BRINE_TOKEN_EXT)
		return brine_reader_fail(reader, BRINE_ERR_TYPE, path,
		                         "expected %s, got ext %d of %zu bytes at offset %zu", expected,
		                         token->ext_type, token->content.size, reader->at);
	return brine_reader_fail(reader, BRINE_ERR_TYPE, path, "expected %s, got %s at offset %zu", expected,
	                         brine_token_name(token->kind), reader->at);
}

bool brine_scalar_fits(const struct brine_field *field, const struct brine_token *token)
{
	enum {
		INTEGER = 1 << BRINE_TOKEN_UINT | 1 << BRINE_TOKEN_INT,
		REAL = 1 << BRINE_TOKEN_FLOAT | 1 << BRINE_TOKEN_DOUBLE | INTEGER,
		TEXT = 1 << BRINE_TOKEN_STR,
		EXT = 1 << BRINE_TOKEN_EXT,
	};
	static const uint16_t accepted[] = {
	        [BRINE_KIND_BOOL] = 1 << BRINE_TOKEN_BOOL,
	        [BRINE_KIND_INT8] = INTEGER,
	        [BRINE_KIND_INT16] = INTEGER,
	        [BRINE_KIND_INT32] = INTEGER,
	        [BRINE_KIND_INT64] = INTEGER,
	        [BRINE_KIND_UINT8] = INTEGER,
	        [BRINE_KIND_UINT16] = INTEGER,
	        [BRINE_KIND_UINT32] = INTEGER,
	        [BRINE_KIND_UINT64] = INTEGER,
	        [BRINE_KIND_FLOAT] = REAL,
	        [BRINE_KIND_DOUBLE] = REAL,
	        [BRINE_KIND_STRING] = TEXT,
	        [BRINE_KIND_BYTES] = TEXT | 1 << BRINE_TOKEN_BIN,
	        [BRINE_KIND_ENUM] = INTEGER,
	        [BRINE_KIND_TIMESTAMP] = EXT,
	        [BRINE_KIND_VALUE] = 0xffff,
	        [BRINE_KIND_MESSAGE] = 0,
	        [BRINE_KIND_CSTRING] = TEXT,
	        [BRINE_KIND_CHARS] = TEXT,
	};
	unsigned kinds = accepted[field->kind];
	if (field->flags & BRINE_FIELD_EXT)
		kinds |= EXT;
	return kinds >> token->kind & 1;
}

static void store_integer(uint8_t kind, uint64_t value, void *to)
{
	switch (kind) {
	case BRINE_KIND_INT8:
	case BRINE_KIND_UINT8: *(uint8_t *)to = (uint8_t)value; break;
	case BRINE_KIND_INT16:
	case BRINE_KIND_UINT16: *(uint16_t *)to = (uint16_t)value; break;
	case BRINE_KIND_INT32:
	case BRINE_KIND_UINT32:
	case BRINE_KIND_ENUM: *(uint32_t *)to = (uint32_t)value; break;
	default: *(uint64_t *)to = value;
	}
}

static int fail_range(const struct brine_reader *reader, const struct brine_path *path, const struct brine_token *token,
                      const struct brine_kind_info *info)
{
	if (token->kind == BRINE_TOKEN_INT)
		return brine_reader_fail(reader, BRINE_ERR_RANGE, path, "%lld out of range %lld..%llu at offset %zu",
		                         (long long)token->sint, (long long)info->least, (unsigned long long)info->most,
		                         reader->at);
	return brine_reader_fail(reader, BRINE_ERR_RANGE, path, "%llu out of range %lld..%llu at offset %zu",
	                         (unsigned long long)token->uint, (long long)info->least,
	                         (unsigned long long)info->most, reader->at);
}

/* The one integer inside the ext that the field travels as. */
static int unwrap_ext(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                      const struct brine_token *token, struct brine_token *ret_inner)
{
	const struct brine_bytes content = token->content;
	bool integer = token->ext_type == field->ext && brine_token_read(ret_inner, content.data, content.size) == 1 &&
	               (ret_inner->kind == BRINE_TOKEN_UINT || ret_inner->kind == BRINE_TOKEN_INT) &&
	               ret_inner->size == content.size;
	if (integer)
		return 0;
	return brine_reader_fail(reader, BRINE_ERR_TYPE, path,
	                         "expected an integer or ext %d holding one, got ext %d of %zu bytes at offset %zu",
	                         field->ext, token->ext_type, content.size, reader->at);
}

static int read_integer(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                        const struct brine_token *token, void *to)
{
	struct brine_token inner;
	const struct brine_kind_info *info = brine_kind_info(field->kind);
	if (token->kind == BRINE_TOKEN_EXT) {
		int status = unwrap_ext(reader, path, field, token, &inner);
		if (status < 0)
			return status;
		token = &inner;
	}
	bool fits = token->kind == BRINE_TOKEN_INT ? token->sint >= info->least : token->uint <= info->most;
	if (!fits)
		return fail_range(reader, path, token, info);
	if ((field->flags & BRINE_FIELD_CLOSED) && !brine_enum_name(field->enumeration, (int32_t)token->sint))
		return brine_reader_fail(reader, BRINE_ERR_RANGE, path, "%lld is not in enum %s at offset %zu",
		                         (long long)token->sint, field->enumeration ? field->enumeration->name : "",
		                         reader->at);
	store_integer(field->kind, token->uint, to);
	return 0;
}

/* Whether an integer has at most that many significant bits, so that a float or double holds it exactly. */
static bool is_exact(const struct brine_token *token, int bits)
{
	uint64_t value = token->kind == BRINE_TOKEN_INT ? 0 - token->uint : token->uint;
	return value == 0 || 64 - __builtin_clzll(value) - __builtin_ctzll(value) <= bits;
}

/* NaNs change width by hand: the payload's leading bits stay, and a signalling one is not quieted. */
static uint64_t widen_nan(uint32_t bits)
{
	return (uint64_t)(bits >> 31) << 63 | UINT64_C(0x7ff) << 52 | (uint64_t)(bits & 0x7fffff) << 29;
}

static uint32_t narrow_nan(uint64_t bits)
{
	uint32_t payload = (uint32_t)(bits >> 29) & 0x7fffff;
	/* A payload that is lost must not turn the NaN into an infinity. */
	return (uint32_t)(bits >> 63) << 31 | 0x7f800000 | (payload ? payload : 0x400000);
}

/* The bits of the double that token stands for. */
static uint64_t double_bits(const struct brine_token *token)
{
	double value;
	if (token->kind == BRINE_TOKEN_DOUBLE)
		return token->bits;
	if (token->kind == BRINE_TOKEN_FLOAT) {
		float narrow = brine_float_of((uint32_t)token->bits);
		if (__builtin_isnan(narrow))
			return widen_nan((uint32_t)token->bits);
		value = (double)narrow;
	} else {
		value = token->kind == BRINE_TOKEN_INT ? (double)token->sint : (double)token->uint;
	}
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

static int read_real(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                     const struct brine_token *token, void *to)
{
	bool narrow = field->kind == BRINE_KIND_FLOAT;
	bool integer = token->kind == BRINE_TOKEN_UINT || token->kind == BRINE_TOKEN_INT;
	if (integer && !is_exact(token, narrow ? 24 : 53))
		return brine_reader_fail(reader, BRINE_ERR_RANGE, path,
		                         "expected %s, got an int it cannot hold exactly at offset %zu",
		                         narrow ? "float" : "double", reader->at);
	uint64_t bits = double_bits(token);
	double value = brine_double_of(bits);
	if ((field->flags & BRINE_FIELD_FINITE) && !__builtin_isfinite(value))
		return brine_reader_fail(reader, BRINE_ERR_RANGE, path, "not a finite number at offset %zu",
		                         reader->at);
	if (!narrow) {
		memcpy(to, &bits, sizeof bits);
		return 0;
	}
	uint32_t narrow_bits = (uint32_t)token->bits;
	if (__builtin_isnan(value) && token->kind == BRINE_TOKEN_DOUBLE) {
		narrow_bits = narrow_nan(bits);
	} else if (token->kind != BRINE_TOKEN_FLOAT) {
		/* Rounds up to 2^128 from half a unit beyond the largest float on. */
		if (__builtin_isfinite(value) && __builtin_fabs(value) >= 0x1.ffffffp127)
			return brine_reader_fail(reader, BRINE_ERR_RANGE, path,
			                         "a double too large for a float at offset %zu", reader->at);
		float rounded = (float)value;
		memcpy(&narrow_bits, &rounded, sizeof narrow_bits);
	}
	memcpy(to, &narrow_bits, sizeof narrow_bits);
	return 0;
}

static int read_timestamp(struct brine_reader *reader, const struct brine_path *path, const struct brine_token *token,
                          struct brine_timestamp *to)
{
	struct brine_timestamp time;
	if (token->ext_type != -1)
		return brine_reader_fail_type(reader, path, "timestamp", token);
	if (!brine_timestamp_read(token->content, &time))
		return brine_reader_fail(reader, BRINE_ERR_TYPE, path,
		                         "a timestamp of %zu bytes, expected 4, 8 or 12 at offset %zu",
		                         token->content.size, reader->at);
	if (!brine_timestamp_valid(time))
		return brine_reader_fail(reader, BRINE_ERR_RANGE, path,
		                         "%lld s and %ld ns are no time of the years 1 to 9999 at offset %zu",
		                         (long long)time.seconds, (long)time.nanos, reader->at);
	*to = time;
	return 0;
}

static int check_text(const struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                      struct brine_bytes text)
{
	bool terminated = field->kind == BRINE_KIND_CSTRING || field->kind == BRINE_KIND_CHARS;
	const void *nul = terminated && text.size ? memchr(text.data, 0, text.size) : NULL;
	if (nul)
		return brine_reader_fail(reader, BRINE_ERR_RANGE, path, "embedded NUL at byte %zu, at offset %zu",
		                         (size_t)((const uint8_t *)nul - (const uint8_t *)text.data), reader->at);
	if (field->kind == BRINE_KIND_BYTES || (field->flags & BRINE_FIELD_ANY_BYTES) ||
	    (reader->flags & BRINE_DECODE_ANY_UTF8))
		return 0;
	size_t valid = brine_utf8_check(text.data, text.size);
	if (valid < text.size)
		return brine_reader_fail(reader, BRINE_ERR_UTF8, path, "invalid UTF-8 at byte %zu, at offset %zu",
		                         valid, reader->at);
	return 0;
}

/* A copy in the arena, NUL behind it. */
static int copy_content(struct brine_reader *reader, const struct brine_path *path, struct brine_bytes *content)
{
	const void *copy = brine_arena_copy(reader->arena, content->data, content->size);
	if (!copy)
		return brine_reader_fail(reader, BRINE_ERR_NOMEM, path, "out of memory for %zu bytes", content->size);
	content->data = copy;
	return 0;
}

static int read_content(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                        const struct brine_token *token, void *to)
{
	struct brine_bytes content = token->content;
	size_t limit = field->limit ? field->limit : SIZE_MAX;
	if (field->kind == BRINE_KIND_CHARS && limit >= field->capacity)
		limit = field->capacity - 1;
	if (content.size > limit)
		return brine_reader_fail(reader, BRINE_ERR_LIMIT, path, "%zu bytes, at most %zu, at offset %zu",
		                         content.size, limit, reader->at);
	int status = check_text(reader, path, field, content);
	if (status < 0)
		return status;
	if (field->kind == BRINE_KIND_CHARS) {
		if (content.size)
			memcpy(to, content.data, content.size);
		return 0;
	}
	if (field->kind == BRINE_KIND_CSTRING || (reader->flags & BRINE_DECODE_COPY))
		status = copy_content(reader, path, &content);
	if (status < 0)
		return status;
	if (field->kind == BRINE_KIND_CSTRING)
		memcpy(to, &content.data, sizeof content.data);
	else
		memcpy(to, &content, sizeof content); /* the views of string and bytes have one layout */
	return 0;
}

/* nil is what an empty value is written as, so it comes back empty. */
static int read_value(struct brine_reader *reader, const struct brine_path *path, const struct brine_token *token,
                      struct brine_value *to)
{
	struct brine_bytes value = {reader->data + reader->at, 0};
	if (token->kind == BRINE_TOKEN_NIL)
		return 0;
	unsigned levels = BRINE_MESSAGE_DEPTH_MAX - reader->depth;
	value.size = brine_value_size_within(value.data, reader->size - reader->at, levels);
	if (value.size == 0)
		return brine_reader_fail(reader, BRINE_ERR_DEPTH, path,
		                         "nesting deeper than %d within the value at offset %zu",
		                         BRINE_MESSAGE_DEPTH_MAX, reader->at);
	int status = reader->flags & BRINE_DECODE_COPY ? copy_content(reader, path, &value) : 0;
	if (status == 0)
		*to = (struct brine_value){value.data, value.size};
	return status;
}

int brine_scalar_read(struct brine_reader *reader, const struct brine_path *path, const struct brine_field *field,
                      const struct brine_token *token, void *to)
{
	if (!brine_scalar_fits(field, token))
		return brine_reader_fail_type(reader, path, brine_kind_info(field->kind)->name, token);
	switch (field->kind) {
	case BRINE_KIND_BOOL: *(bool *)to = token->boolean; return 0;
	case BRINE_KIND_FLOAT:
	case BRINE_KIND_DOUBLE: return read_real(reader, path, field, token, to);
	case BRINE_KIND_STRING:
	case BRINE_KIND_BYTES:
	case BRINE_KIND_CSTRING:
	case BRINE_KIND_CHARS: return read_content(reader, path, field, token, to);
	case BRINE_KIND_TIMESTAMP: return read_timestamp(reader, path, token, to);
	case BRINE_KIND_VALUE: return read_value(reader, path, token, to);
	default: return read_integer(reader, path, field, token, to);
	}
}

/* ---- the short way ---- */

/* These return the bytes of the value that they stored; 0: it is something else. */

static size_t take_integer(uint8_t kind, const uint8_t *at, size_t size, void *to)
{
	uint8_t type = at[0];
	uint64_t value = type;
	size_t whole = 1;
	if (type >= 0xcc && type <= 0xd3) {
		whole = 1 + ((size_t)1 << (type & 3));
		if (size < whole)
			return 0;
		switch (type) {
		case 0xcc: value = at[1]; break;
		case 0xcd: value = brine_load16(at + 1); break;
		case 0xce: value = brine_load32(at + 1); break;
		case 0xd0: value = (uint64_t)(int8_t)at[1]; break;
		case 0xd1: value = (uint64_t)(int16_t)brine_load16(at + 1); break;
		case 0xd2: value = (uint64_t)(int32_t)brine_load32(at + 1); break;
		default: value = brine_load64(at + 1); break;
		}
	} else if (type >= 0xe0) {
		value = (uint64_t)(int8_t)type;
	} else if (type > 0x7f) {
		return 0;
	}
	const struct brine_kind_info *info = brine_kind_info(kind);
	bool negative = type >= 0xd0 && (int64_t)value < 0;
	if (negative ? (int64_t)value < info->least : value > info->most)
		return 0;
	store_integer(kind, value, to);
	return whole;
}

static size_t take_double(const uint8_t *at, size_t size, void *to)
{
	if (at[0] != 0xcb || size < 9)
		return 0;
	uint64_t bits = brine_load64(at + 1);
	memcpy(to, &bits, sizeof bits);
	return 9;
}

/* A string whose length is part of the head. */
static size_t take_short_text(const struct brine_field *field, const uint8_t *at, size_t size, void *to)
{
	size_t length = at[0] & 0x1f;
	if ((at[0] & 0xe0) != 0xa0 || size - 1 < length || (field->limit && length > field->limit) ||
	    brine_utf8_check(at + 1, length) < length)
		return 0;
	struct brine_str text = {(const char *)at + 1, length};
	memcpy(to, &text, sizeof text);
	return 1 + length;
}

bool brine_scalar_take_plain(struct brine_reader *reader, const struct brine_field *field, void *to)
{
	const uint8_t *at = reader->data + reader->at;
	size_t size = reader->size - reader->at;
	size_t taken = 0;
	if (size == 0 || field->flags)
		return false;
	switch (field->kind) {
	case BRINE_KIND_BOOL:
		taken = at[0] == 0xc2 || at[0] == 0xc3;
		if (taken)
			*(bool *)to = at[0] == 0xc3;
		break;
	case BRINE_KIND_INT8:
	case BRINE_KIND_INT16:
	case BRINE_KIND_INT32:
	case BRINE_KIND_INT64:
	case BRINE_KIND_UINT8:
	case BRINE_KIND_UINT16:
	case BRINE_KIND_UINT32:
	case BRINE_KIND_UINT64:
	case BRINE_KIND_ENUM: taken = take_integer(field->kind, at, size, to); break;
	case BRINE_KIND_DOUBLE: taken = take_double(at, size, to); break;
	case BRINE_KIND_STRING:
		if (!(reader->flags & BRINE_DECODE_COPY))
			taken = take_short_text(field, at, size, to);
		break;
	default: break;
	}
	reader->at += taken;
	return taken > 0;
}
