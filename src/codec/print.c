#include <brine/codec.h>

#include "base/utf8.h"
#include "codec/desc.h"
#include "codec/endian.h"
#include "codec/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ESCAPE_CHUNK = 256 }; /* bytes escaped at a time; each becomes at most four */

/* Keeps the first failure, so that the printing below reads straight down. */
struct printer {
	struct brine_buf *out;
	size_t text_max;
	int status;
};

static void print(struct printer *printer, const char *text, size_t size)
{
	if (printer->status == 0)
		printer->status = brine_buf_append(printer->out, text, size);
}

static void print_text(struct printer *printer, const char *text)
{
	print(printer, text, strlen(text));
}

static void print_hex(struct printer *printer, const uint8_t *data, size_t size)
{
	size_t shown = printer->text_max && size > printer->text_max ? printer->text_max : size;
	print_text(printer, "h\"");
	for (size_t i = 0; i < shown; i++) {
		char digits[3];
		snprintf(digits, sizeof digits, "%02x", data[i]);
		print(printer, digits, 2);
	}
	print_text(printer, "\"");
	if (shown < size) {
		char rest[40];
		snprintf(rest, sizeof rest, "...(%zu more)", size - shown);
		print_text(printer, rest);
	}
}

/* Where to cut text so that no character is split: at most `at`, back to the first byte of a character. */
static size_t cut_before(const uint8_t *text, size_t size, size_t at)
{
	size_t cut = at;
	if (at >= size)
		return size;
	while (cut > 0 && at - cut < 3 && (text[cut] & 0xc0) == 0x80)
		cut--;
	/* Bytes that are no UTF-8 at all are cut where asked. */
	return cut == 0 || (text[cut] & 0xc0) == 0x80 ? at : cut;
}

static void print_escaped_text(struct printer *printer, const uint8_t *text, size_t size)
{
	char escaped[4 * ESCAPE_CHUNK + 1];
	while (size) {
		const uint8_t *quote = memchr(text, '"', size);
		size_t run = quote ? (size_t)(quote - text) : size;
		if (run > ESCAPE_CHUNK)
			run = cut_before(text, run, ESCAPE_CHUNK);
		if (run)
			print_text(printer, brine_escape(escaped, sizeof escaped, text, run));
		else
			print_text(printer, "\\\"");
		text += run ? run : 1;
		size -= run ? run : 1;
	}
}

static void print_str(struct printer *printer, const uint8_t *text, size_t size)
{
	size_t shown = printer->text_max ? cut_before(text, size, printer->text_max) : size;
	print_text(printer, "\"");
	print_escaped_text(printer, text, shown);
	print_text(printer, "\"");
	if (shown < size) {
		char rest[40];
		snprintf(rest, sizeof rest, "...(%zu more)", size - shown);
		print_text(printer, rest);
	}
}

/* The fewest digits that read back as the same number, with a point, whatever the locale's is. */
static void print_real(struct printer *printer, double value, bool narrow)
{
	char text[40];
	int digits = narrow ? 6 : 15, most = narrow ? 9 : 17;
	do
		snprintf(text, sizeof text, "%.*g", digits, value);
	while (++digits <= most && (narrow ? (double)strtof(text, NULL) : strtod(text, NULL)) != value);
	size_t plain = strspn(text, "-0123456789");
	bool finite = __builtin_isfinite(value);
	if (finite && text[plain] == '\0')
		strcat(text, ".0");
	else if (finite && text[plain] != 'e')
		text[plain] = '.';
	print_text(printer, text);
}

/* RFC 3339, or false where the bytes are no time of the years 1 to 9999. */
static bool print_timestamp(struct printer *printer, const struct brine_token *token)
{
	struct brine_timestamp time;
	struct tm civil;
	char text[96], fraction[16] = "";
	if (token->ext_type != -1 || !brine_timestamp_read(token->content, &time) || !brine_timestamp_valid(time))
		return false;
	time_t seconds = (time_t)time.seconds;
	if (!gmtime_r(&seconds, &civil))
		return false;
	if (time.nanos % 1000000 == 0)
		snprintf(fraction, sizeof fraction, ".%03d", time.nanos / 1000000);
	else if (time.nanos % 1000 == 0)
		snprintf(fraction, sizeof fraction, ".%06d", time.nanos / 1000);
	else
		snprintf(fraction, sizeof fraction, ".%09d", time.nanos);
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", civil.tm_year + 1900, civil.tm_mon + 1,
	         civil.tm_mday, civil.tm_hour, civil.tm_min, civil.tm_sec, time.nanos ? fraction : "");
	print_text(printer, text);
	return true;
}

static void print_ext(struct printer *printer, const struct brine_token *token)
{
	char head[16];
	if (print_timestamp(printer, token))
		return;
	snprintf(head, sizeof head, "ext(%d, ", token->ext_type);
	print_text(printer, head);
	print_hex(printer, token->content.data, token->content.size);
	print_text(printer, ")");
}

static void print_token(struct printer *printer, const struct brine_token *token)
{
	char number[24];
	switch (token->kind) {
	case BRINE_TOKEN_NIL: print_text(printer, "nil"); break;
	case BRINE_TOKEN_BOOL: print_text(printer, token->boolean ? "true" : "false"); break;
	case BRINE_TOKEN_UINT:
		snprintf(number, sizeof number, "%llu", (unsigned long long)token->uint);
		print_text(printer, number);
		break;
	case BRINE_TOKEN_INT:
		snprintf(number, sizeof number, "%lld", (long long)token->sint);
		print_text(printer, number);
		break;
	case BRINE_TOKEN_FLOAT: print_real(printer, (double)brine_float_of((uint32_t)token->bits), true); break;
	case BRINE_TOKEN_DOUBLE: print_real(printer, brine_double_of(token->bits), false); break;
	case BRINE_TOKEN_STR: print_str(printer, token->content.data, token->content.size); break;
	case BRINE_TOKEN_BIN: print_hex(printer, token->content.data, token->content.size); break;
	case BRINE_TOKEN_EXT: print_ext(printer, token); break;
	case BRINE_TOKEN_ARRAY: print_text(printer, "["); break;
	case BRINE_TOKEN_MAP: print_text(printer, "{"); break;
	}
}

/* The containers that are open: what each still owes, and what stands between its values. */
struct open_container {
	uint64_t left, count;
	bool map;
};

static void print_separator(struct printer *printer, const struct open_container *open)
{
	uint64_t index = open->count - open->left;
	if (index)
		print_text(printer, open->map && index % 2 ? ": " : ", ");
}

int brine_value_print(struct brine_buf *out, struct brine_bytes value, size_t text_max)
{
	if (!out || (value.size && !value.data))
		return BRINE_ERR_INVALID;
	struct printer printer = {out, text_max, 0};
	struct open_container stack[BRINE_FRAME_DEPTH_MAX];
	const uint8_t *data = value.data;
	size_t at = 0;
	unsigned depth = 0;
	bool done = false;
	while (!done && printer.status == 0) {
		struct brine_token token;
		if (value.size == at || brine_token_read(&token, data + at, value.size - at) != 1)
			return BRINE_ERR_MALFORMED;
		at += token.size;
		if (depth)
			print_separator(&printer, &stack[depth - 1]);
		if (depth)
			stack[depth - 1].left--;
		print_token(&printer, &token);
		if (token.kind == BRINE_TOKEN_ARRAY || token.kind == BRINE_TOKEN_MAP) {
			uint64_t count = brine_token_elements(&token);
			if (depth == BRINE_FRAME_DEPTH_MAX)
				return BRINE_ERR_MALFORMED;
			stack[depth++] = (struct open_container){count, count, token.kind == BRINE_TOKEN_MAP};
		}
		while (depth && stack[depth - 1].left == 0)
			print_text(&printer, stack[--depth].map ? "}" : "]");
		done = depth == 0;
	}
	if (printer.status == 0 && at < value.size)
		return BRINE_ERR_MALFORMED;
	return printer.status;
}
