/* pyrepr.h - prints one MessagePack value as Python's repr() does: the form in which the recorded sessions are listed.
 */
#ifndef BRINE_TESTS_PYREPR_H
#define BRINE_TESTS_PYREPR_H

#include "support.h"

#include "base/utf8.h"
#include "codec/token.h"

static inline void repr_text(struct brine_buf *out, const char *format, ...) BRINE_PRINTF(2, 3);
static inline void repr_text(struct brine_buf *out, const char *format, ...)
{
	char text[64];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert_int_equal(brine_buf_append(out, text, (size_t)size), 0);
}

/* str: code points above 0x7f as they are; what is no UTF-8 as the lone surrogate Python keeps it in. bytes: \x.. */
static inline void repr_quoted(struct brine_buf *out, struct brine_bytes content, bool is_str)
{
	const uint8_t *bytes = content.data;
	bool single = content.size && memchr(bytes, '\'', content.size) != NULL;
	bool is_double = single && !memchr(bytes, '"', content.size);
	char quote = is_double ? '"' : '\'';
	repr_text(out, "%s%c", is_str ? "" : "b", quote);
	for (size_t at = 0; at < content.size;) {
		uint32_t point;
		unsigned size = is_str ? brine_utf8_next(bytes + at, content.size - at, &point) : 1;
		uint8_t byte = bytes[at];
		if (size > 1)
			assert_int_equal(brine_buf_append(out, bytes + at, size), 0);
		else if (byte == '\\' || byte == (uint8_t)quote)
			repr_text(out, "\\%c", byte);
		else if (byte == '\n' || byte == '\r' || byte == '\t')
			repr_text(out, "\\%c", byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't');
		else if (size == 0)
			repr_text(out, "\\udc%02x", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			repr_text(out, "\\x%02x", byte);
		else
			repr_text(out, "%c", byte);
		at += size ? size : 1;
	}
	repr_text(out, "%c", quote);
}

static inline void repr_double(struct brine_buf *out, double value)
{
	char text[40];
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	repr_text(out, "%s%s", text, strpbrk(text, ".en") ? "" : ".0");
}

/* Prints the value at *at and moves *at behind it. */
static inline void repr_value(struct brine_buf *out, const uint8_t **at, const uint8_t *end)
{
	struct brine_token token;
	assert_int_equal(brine_token_read(&token, *at, (size_t)(end - *at)), 1);
	*at += token.size;
	float single;
	double value;
	uint32_t low;
	switch (token.kind) {
	case BRINE_TOKEN_NIL: repr_text(out, "None"); break;
	case BRINE_TOKEN_BOOL: repr_text(out, "%s", token.boolean ? "True" : "False"); break;
	case BRINE_TOKEN_UINT: repr_text(out, "%llu", (unsigned long long)token.uint); break;
	case BRINE_TOKEN_INT: repr_text(out, "%lld", (long long)token.sint); break;
	case BRINE_TOKEN_FLOAT:
		low = (uint32_t)token.bits;
		memcpy(&single, &low, sizeof single);
		repr_double(out, single);
		break;
	case BRINE_TOKEN_DOUBLE:
		memcpy(&value, &token.bits, sizeof value);
		repr_double(out, value);
		break;
	case BRINE_TOKEN_STR: repr_quoted(out, token.content, true); break;
	case BRINE_TOKEN_BIN: repr_quoted(out, token.content, false); break;
	case BRINE_TOKEN_EXT:
		repr_text(out, "ExtType(code=%d, data=", token.ext_type);
		repr_quoted(out, token.content, false);
		repr_text(out, ")");
		break;
	case BRINE_TOKEN_ARRAY:
		repr_text(out, "[");
		for (uint32_t i = 0; i < token.count; i++) {
			repr_text(out, "%s", i ? ", " : "");
			repr_value(out, at, end);
		}
		repr_text(out, "]");
		break;
	case BRINE_TOKEN_MAP:
		repr_text(out, "{");
		for (uint32_t i = 0; i < token.count; i++) {
			repr_text(out, "%s", i ? ", " : "");
			repr_value(out, at, end);
			repr_text(out, ": ");
			repr_value(out, at, end);
		}
		repr_text(out, "}");
		break;
	}
}

/* The value as text that ends with NUL. The buffer is the caller's to end. */
static inline const char *repr(struct brine_buf *out, struct brine_bytes value)
{
	const uint8_t *at = value.data;
	repr_value(out, &at, at + value.size);
	assert_ptr_equal(at, (const uint8_t *)value.data + value.size);
	assert_int_equal(brine_buf_append(out, "", 1), 0);
	return (const char *)brine_buf_bytes(out).data;
}

#endif
