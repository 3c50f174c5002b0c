#include "inspect/json_text.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	DIGITS_LEAST = 15, /* every decimal of so many comes back from a double */
	DIGITS_MOST = 17,  /* every double comes back from so many */
	INDENT = 2,
};

/* ---- text to value ---- */

/* What jansson found, as one of our codes. */
static int code_of(const json_error_t *found)
{
	switch (json_error_code(found)) {
	case json_error_out_of_memory:
	case json_error_unknown: return BRINE_ERR_NOMEM; /* the one failure that jansson does not always tell */
	case json_error_stack_overflow: return BRINE_ERR_DEPTH;
	case json_error_invalid_utf8: return BRINE_ERR_UTF8;
	case json_error_duplicate_key: return BRINE_ERR_DUPLICATE;
	case json_error_numeric_overflow: return BRINE_ERR_RANGE;
	case json_error_end_of_input_expected: return BRINE_ERR_TRAILING;
	default: return BRINE_ERR_MALFORMED;
	}
}

static const char *advice_of(int code)
{
	switch (code) {
	case BRINE_ERR_RANGE:
		return "; integers of more than 63 bits are strings, {\"$int\": \"...\"} without a schema";
	case BRINE_ERR_DEPTH: return "; that is more than any message holds";
	case BRINE_ERR_DUPLICATE: return "; a map with a key twice is {\"$map\": [[key, value], ...]}";
	default: return "";
	}
}

static const char *text_of(const json_error_t *found, int code)
{
	return code == BRINE_ERR_NOMEM ? "out of memory" : code == BRINE_ERR_UTF8 ? "invalid UTF-8" : found->text;
}

json_t *inspect_json_parse(struct brine_bytes text, struct brine_error *error)
{
	json_error_t found;
	char shown[128];
	if (text.size > INSPECT_JSON_SIZE_MOST) {
		brine_fail(error, BRINE_ERR_LIMIT, INSPECT_JSON_SIZE_MOST, "larger than %d bytes",
		           INSPECT_JSON_SIZE_MOST);
		return NULL;
	}
	json_t *value = json_loadb(text.size ? text.data : "", text.size,
	                           JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &found);
	if (value)
		return value;
	int code = code_of(&found);
	brine_fail(error, code, found.position < 0 ? 0 : (uint64_t)found.position, "%s (line %d, column %d)%s",
	           brine_escape(shown, sizeof shown, text_of(&found, code), strlen(text_of(&found, code))), found.line,
	           found.column, advice_of(code));
	return NULL;
}

/* ---- value to text ---- */

/* Digits of the mantissa, at least `digits`, with which a float comes back as it was. */
static int digits_of(double value, int digits)
{
	char text[40];
	while (digits < DIGITS_MOST) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) >= value && strtod(text, NULL) <= value)
			break;
		digits++;
	}
	return digits;
}

/* The same for all floats in value. Recurses as deep as the value does. */
static int digits_within(const json_t *value, int digits)
{
	json_t *child;
	size_t index;
	const char *key;
	if (json_is_real(value))
		return digits_of(json_real_value(value), digits);
	json_array_foreach((json_t *)(uintptr_t)value, index, child) digits = digits_within(child, digits);
	json_object_foreach((json_t *)(uintptr_t)value, key, child) digits = digits_within(child, digits);
	return digits;
}

/* jansson writes DEL as it is; within ASCII it can only stand in a string, where it may be escaped. */
static int add_json(const char *text, size_t size, void *user)
{
	struct inspect_line *line = user;
	while (size) {
		const char *del = memchr(text, 0x7f, size);
		size_t part = del ? (size_t)(del - text) : size;
		inspect_line_add(line, text, part);
		if (del)
			inspect_line_text(line, "\\u007f");
		part += del != NULL;
		text += part;
		size -= part;
	}
	return line->status;
}

void inspect_json_print(struct inspect_line *line, const json_t *value, bool pretty)
{
	size_t flags = JSON_ENCODE_ANY | JSON_ENSURE_ASCII | (pretty ? JSON_INDENT(INDENT) : JSON_COMPACT) |
	               JSON_REAL_PRECISION((size_t)digits_within(value, DIGITS_LEAST));
	if (!value || json_dump_callback(value, add_json, line, flags) < 0)
		line->status = BRINE_ERR_NOMEM;
}
