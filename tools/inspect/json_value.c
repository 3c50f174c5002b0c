#include "inspect/json_value.h"

#include "base/utf8.h"
#include "codec/desc.h"
#include "codec/token.h"
#include "inspect/base64.h"
#include "inspect/walk.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Integers that every JSON reader keeps exact. */
#define EXACT_MOST ((INT64_C(1) << 53) - 1)

/* Takes value; {"name": value}, NULL (and value released) when out of memory. */
static json_t *wrap(const char *name, json_t *value)
{
	json_t *object = json_object();
	if (json_object_set_new(object, name, value) < 0) { /* without an object too, value is released */
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *inspect_json_base64(struct brine_bytes bytes)
{
	char *text = malloc(INSPECT_BASE64_SIZE(bytes.size) + 1);
	if (!text)
		return NULL;
	inspect_base64(text, bytes);
	json_t *string = json_stringn_nocheck(text, INSPECT_BASE64_SIZE(bytes.size));
	free(text);
	return string;
}

json_t *inspect_json_text(struct brine_bytes text)
{
	if (brine_utf8_check(text.data, text.size) == text.size)
		return json_stringn_nocheck(text.data, text.size);
	return wrap("$str", inspect_json_base64(text));
}

json_t *inspect_json_error_text(const char *text, size_t size)
{
	return json_stringn(text, brine_utf8_check(text, size));
}

json_t *inspect_json_float(double value)
{
	if (isnan(value))
		return json_string("NaN");
	if (isinf(value))
		return json_string(value < 0 ? "-Infinity" : "Infinity");
	return json_real(value);
}

bool inspect_json_is(const json_t *value, const char *text)
{
	size_t size = json_string_length(value);
	return json_is_string(value) && size == strlen(text) && memcmp(json_string_value(value), text, size) == 0;
}

bool inspect_json_float_name(const json_t *value, double *ret_value)
{
	static const char *const names[] = {"NaN", "Infinity", "-Infinity"};
	const double values[] = {NAN, INFINITY, -INFINITY};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (inspect_json_is(value, names[i])) {
			*ret_value = values[i];
			return true;
		}
	}
	return false;
}

static json_t *from_number(const struct brine_token *token)
{
	char text[24];
	if (token->kind == BRINE_TOKEN_UINT) {
		if (token->uint <= EXACT_MOST)
			return json_integer((json_int_t)token->uint);
		snprintf(text, sizeof text, "%" PRIu64, token->uint);
	} else {
		if (token->sint >= -EXACT_MOST)
			return json_integer(token->sint);
		snprintf(text, sizeof text, "%" PRId64, token->sint);
	}
	return wrap("$int", json_string(text));
}

static json_t *from_float(const struct brine_token *token)
{
	double value;
	if (token->kind == BRINE_TOKEN_FLOAT) {
		uint32_t bits = (uint32_t)token->bits;
		float single;
		memcpy(&single, &bits, sizeof single);
		value = (double)single;
	} else {
		memcpy(&value, &token->bits, sizeof value);
	}
	return isfinite(value) ? json_real(value) : wrap("$float", inspect_json_float(value));
}

/* RFC 3339, as in the text form; the caller has made sure that value is a time. */
static json_t *from_time(struct brine_bytes value)
{
	struct brine_buf text = BRINE_BUF_INIT;
	json_t *string = NULL;
	if (brine_value_print(&text, value, 0) == 0)
		string = json_stringn(brine_buf_bytes(&text).data, brine_buf_size(&text));
	brine_buf_done(&text);
	return wrap("$time", string);
}

/* In the shortest of its forms, so that it comes back as it was. */
static bool is_shortest(const struct brine_token *token, struct brine_timestamp time)
{
	bool fits_32 = time.seconds >= 0 && time.seconds <= UINT32_MAX && time.nanos == 0;
	bool fits_64 = time.seconds >= 0 && time.seconds < INT64_C(1) << 34;
	return token->content.size == (fits_32 ? 4u : fits_64 ? 8u : 12u);
}

static json_t *from_ext(const struct brine_token *token, struct brine_bytes value)
{
	struct brine_timestamp time;
	if (token->ext_type == -1 && brine_timestamp_read(token->content, &time) && brine_timestamp_valid(time) &&
	    is_shortest(token, time))
		return from_time(value);
	json_t *pair = json_pack("[i, o]", token->ext_type, inspect_json_base64(token->content));
	return wrap("$ext", pair);
}

static json_t *from_array(struct brine_bytes value, bool masked)
{
	struct inspect_walk walk;
	struct brine_bytes element;
	json_t *array = json_array();
	inspect_walk_array(&walk, value);
	while (array && inspect_walk_element(&walk, &element)) {
		if (json_array_append_new(array, inspect_json_value(element, masked)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Whether key can name a member: UTF-8, without NUL, not one of our own words. */
static bool is_member_name(struct brine_bytes key, struct brine_bytes *ret_name)
{
	struct brine_token token;
	if (brine_token_read(&token, key.data, key.size) <= 0 || token.kind != BRINE_TOKEN_STR)
		return false;
	*ret_name = token.content;
	const char *text = token.content.data;
	return brine_utf8_check(text, token.content.size) == token.content.size &&
	       !memchr(text, '\0', token.content.size) && (token.content.size == 0 || text[0] != '$');
}

static json_t *pair_value(struct brine_bytes key, struct brine_bytes value, bool masked)
{
	return masked && inspect_is_secret(key) ? json_string(INSPECT_SECRET_MARK) : inspect_json_value(value, masked);
}

/* A map as an object. NULL when out of memory or, with *ret_unfit, where its keys are not different names. */
static json_t *as_object(struct brine_bytes map, bool masked, bool *ret_unfit)
{
	struct inspect_walk walk;
	struct brine_bytes key, value, name;
	json_t *object = json_object();
	inspect_walk_map(&walk, map);
	while (object && inspect_walk_pair(&walk, &key, &value)) {
		char *terminated = NULL;
		*ret_unfit = !is_member_name(key, &name) || !(terminated = strndup(name.data, name.size)) ||
		             json_object_get(object, terminated);
		if (*ret_unfit || json_object_set_new_nocheck(object, terminated, pair_value(key, value, masked)) < 0) {
			json_decref(object);
			object = NULL;
		}
		free(terminated);
	}
	return object;
}

static json_t *as_pairs(struct brine_bytes map, bool masked)
{
	struct inspect_walk walk;
	struct brine_bytes key, value;
	json_t *list = json_array();
	inspect_walk_map(&walk, map);
	while (list && inspect_walk_pair(&walk, &key, &value)) {
		json_t *pair = json_array();
		if (!pair || json_array_append_new(list, pair) < 0 ||
		    json_array_append_new(pair, inspect_json_value(key, masked)) < 0 ||
		    json_array_append_new(pair, pair_value(key, value, masked)) < 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return wrap("$map", list);
}

static json_t *from_map(struct brine_bytes map, bool masked)
{
	bool unfit = false;
	json_t *object = as_object(map, masked, &unfit);
	return unfit ? as_pairs(map, masked) : object;
}

json_t *inspect_json_value(struct brine_bytes value, bool masked)
{
	struct brine_token token;
	const uint8_t *bytes = value.data;
	if (brine_token_read(&token, bytes, value.size) <= 0)
		return NULL;
	switch (token.kind) {
	case BRINE_TOKEN_NIL: return json_null();
	case BRINE_TOKEN_BOOL: return json_boolean(token.boolean);
	case BRINE_TOKEN_UINT:
	case BRINE_TOKEN_INT: return from_number(&token);
	case BRINE_TOKEN_FLOAT:
	case BRINE_TOKEN_DOUBLE: return from_float(&token);
	case BRINE_TOKEN_STR: return inspect_json_text(token.content);
	case BRINE_TOKEN_BIN: return wrap("$bin", inspect_json_base64(token.content));
	case BRINE_TOKEN_EXT: return from_ext(&token, value);
	case BRINE_TOKEN_ARRAY: return from_array(value, masked);
	case BRINE_TOKEN_MAP: return from_map(value, masked);
	default: return NULL;
	}
}
