/* json_support.h - what the tests of JSON share: text to values and back. */
#ifndef BRINE_TESTS_JSON_SUPPORT_H
#define BRINE_TESTS_JSON_SUPPORT_H

#include "support.h"

#include "inspect/json_text.h"

static inline struct brine_bytes bytes_of(const char *text)
{
	return BRINE_BYTES(text, strlen(text));
}

static inline json_t *parse(const char *text)
{
	struct brine_error error = BRINE_ERROR_INIT;
	json_t *value = inspect_json_parse(bytes_of(text), &error);
	if (!value)
		fail_msg("%s: %s", text, error.text);
	return value;
}

static inline void assert_same_bytes(struct brine_bytes a, struct brine_bytes b, const char *text)
{
	if (a.size != b.size || (a.size && memcmp(a.data, b.data, a.size)))
		fail_msg("%zu bytes became %zu others by %s", a.size, b.size, text);
}

/* value as JSON text, ended by NUL. */
static inline void print(struct inspect_line *line, json_t *value)
{
	assert_non_null(value);
	inspect_line_reset(line);
	inspect_json_print(line, value, false);
	inspect_line_add(line, "", 1);
	assert_int_equal(line->status, 0);
	json_decref(value);
}

static inline const char *text_of(const struct inspect_line *line)
{
	return brine_buf_bytes(&line->text).data;
}

#endif
