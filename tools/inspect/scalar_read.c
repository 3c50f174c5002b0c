#include "inspect/scalar_read.h"

#include "codec/desc.h"
#include "inspect/json_value.h"
#include "inspect/time_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXACT_MOST 9007199254740992.0 /* doubles hold every integer up to here */

/* Text without NUL, and where it came from. */
struct word {
	const char *text;
	size_t size;
};

static int BRINE_PRINTF(3, 4) fail_scalar(char *why, int code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why, INSPECT_WHY_SIZE, format, arguments);
	va_end(arguments);
	return code;
}

const char *inspect_json_kind(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: return "an object";
	case JSON_ARRAY: return "an array";
	case JSON_STRING: return "a string";
	case JSON_INTEGER:
	case JSON_REAL: return "a number";
	case JSON_TRUE:
	case JSON_FALSE: return "a boolean";
	default: return "null";
	}
}

static int scalar_misfit(char *why, const struct brine_field *field, const json_t *found)
{
	return fail_scalar(why, BRINE_ERR_TYPE, "expected %s, found %s", brine_kind_info(field->kind)->name,
	                   inspect_json_kind(found));
}

/* ---- integers ---- */

struct integer {
	bool negative;
	uint64_t magnitude;
};

/* Decimal digits, all of text. BRINE_ERR_TYPE, RANGE. */
static int integer_of_text(struct word word, struct integer *ret_integer)
{
	const char *digits = word.text + (word.text[0] == '-');
	char *end;
	if (digits[0] < '0' || digits[0] > '9' || strlen(word.text) != word.size)
		return BRINE_ERR_TYPE;
	errno = 0;
	*ret_integer = (struct integer){digits > word.text, strtoull(digits, &end, 10)};
	return *end ? BRINE_ERR_TYPE : errno ? BRINE_ERR_RANGE : 0;
}

/* A number without a fraction: 10, 1e1, "10". */
static int integer_of(const json_t *value, struct integer *ret_integer)
{
	if (json_is_integer(value)) {
		json_int_t number = json_integer_value(value);
		*ret_integer = (struct integer){number < 0, number < 0 ? -(uint64_t)number : (uint64_t)number};
		return 0;
	}
	if (json_is_string(value))
		return integer_of_text((struct word){json_string_value(value), json_string_length(value)}, ret_integer);
	double number = json_real_value(value);
	if (!json_is_real(value) || number > EXACT_MOST || number < -EXACT_MOST)
		return BRINE_ERR_TYPE;
	int64_t whole = (int64_t)number;
	if ((double)whole < number || (double)whole > number)
		return BRINE_ERR_TYPE;
	*ret_integer = (struct integer){whole < 0, whole < 0 ? -(uint64_t)whole : (uint64_t)whole};
	return 0;
}

static void store_json_integer(void *to, size_t size, struct integer integer)
{
	uint64_t bits = integer.negative ? -integer.magnitude : integer.magnitude;
	switch (size) {
	case 1: *(uint8_t *)to = (uint8_t)bits; break;
	case 2: *(uint16_t *)to = (uint16_t)bits; break;
	case 4: *(uint32_t *)to = (uint32_t)bits; break;
	default: *(uint64_t *)to = bits;
	}
}

static int check_integer(char *why, const struct brine_field *field, int rc, struct integer integer, void *to)
{
	const struct brine_kind_info *info = brine_kind_info(field->kind);
	uint64_t most = integer.negative ? -(uint64_t)info->least : info->most;
	if (rc == BRINE_ERR_TYPE)
		return fail_scalar(why, rc, "expected %s, a number without a fraction", info->name);
	if (rc < 0 || integer.magnitude > most)
		return fail_scalar(why, BRINE_ERR_RANGE, "out of the range of %s", info->name);
	store_json_integer(to, info->size, integer);
	return 0;
}

static int read_json_integer(char *why, const struct brine_field *field, const json_t *value, void *to)
{
	struct integer integer = {false, 0};
	if (!json_is_number(value) && !json_is_string(value))
		return scalar_misfit(why, field, value);
	int rc = integer_of(value, &integer);
	return check_integer(why, field, rc, integer, to);
}

/* ---- floats ---- */

static bool float_of_text(struct word word, double *ret_number)
{
	char *end;
	size_t allowed = strspn(word.text, "+-.0123456789eE");
	*ret_number = strtod(word.text, &end);
	return word.size > 0 && allowed == word.size && *end == '\0' && isfinite(*ret_number);
}

static int read_float(char *why, const struct brine_field *field, const json_t *value, void *to)
{
	double number = json_number_value(value);
	if (json_is_string(value)) {
		struct word word = {json_string_value(value), json_string_length(value)};
		if (!inspect_json_float_name(value, &number) && !float_of_text(word, &number))
			return fail_scalar(why, BRINE_ERR_TYPE,
			                   "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"");
	} else if (!json_is_number(value)) {
		return scalar_misfit(why, field, value);
	}
	float single = (float)number;
	if (field->kind == BRINE_KIND_DOUBLE)
		memcpy(to, &number, sizeof number);
	else if (isfinite(number) && !isfinite(single))
		return fail_scalar(why, BRINE_ERR_RANGE, "out of the range of float");
	else
		memcpy(to, &single, sizeof single);
	return 0;
}

/* ---- the others ---- */

static int read_enum(char *why, const struct brine_field *field, const json_t *value, void *to)
{
	const struct brine_enum *enumeration = field->enumeration;
	if (!json_is_string(value))
		return read_json_integer(why, field, value, to);
	for (uint32_t i = 0; enumeration && i < enumeration->value_count; i++) {
		if (inspect_json_is(value, enumeration->values[i].name)) {
			*(int32_t *)to = enumeration->values[i].number;
			return 0;
		}
	}
	char shown[48], names[64] = "";
	size_t used = 0;
	for (uint32_t i = 0; enumeration && i < enumeration->value_count && used < sizeof names; i++)
		used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
		                         enumeration->values[i].name);
	return fail_scalar(why, BRINE_ERR_TYPE, "%s has no \"%s\"; it has %s%s",
	                   enumeration ? enumeration->name : "the enum",
	                   brine_escape(shown, sizeof shown, json_string_value(value), json_string_length(value)),
	                   names, used < sizeof names ? "" : "...");
}

static int read_json_text(char *why, const struct brine_field *field, const json_t *value, void *to)
{
	if (!json_is_string(value))
		return scalar_misfit(why, field, value);
	*(struct brine_str *)to = (struct brine_str){json_string_value(value), json_string_length(value)};
	return 0;
}

static int read_time(char *why, const struct brine_field *field, const json_t *value, void *to)
{
	if (!json_is_string(value))
		return scalar_misfit(why, field, value);
	if (!inspect_time_read(json_string_value(value), json_string_length(value), to))
		return fail_scalar(why, BRINE_ERR_TYPE, "expected a time like \"2026-11-22T10:00:00Z\"");
	return 0;
}

int inspect_scalar_read(void *to, const struct brine_field *field, const json_t *value, char *why)
{
	switch (field->kind) {
	case BRINE_KIND_BOOL:
		*(bool *)to = json_is_true(value);
		return json_is_boolean(value) ? 0 : scalar_misfit(why, field, value);
	case BRINE_KIND_FLOAT:
	case BRINE_KIND_DOUBLE: return read_float(why, field, value, to);
	case BRINE_KIND_STRING: return read_json_text(why, field, value, to);
	case BRINE_KIND_ENUM: return read_enum(why, field, value, to);
	case BRINE_KIND_TIMESTAMP: return read_time(why, field, value, to);
	default: return read_json_integer(why, field, value, to);
	}
}

int inspect_scalar_read_name(void *to, const struct brine_field *field, const char *name, char *why)
{
	struct word word = {name, strlen(name)};
	struct integer integer = {false, 0};
	switch (field->kind) {
	case BRINE_KIND_STRING: *(struct brine_str *)to = (struct brine_str){word.text, word.size}; return 0;
	case BRINE_KIND_BOOL:
		*(bool *)to = strcmp(name, "true") == 0;
		return *(bool *)to || strcmp(name, "false") == 0
		               ? 0
		               : fail_scalar(why, BRINE_ERR_TYPE, "expected true or false as the key of a map");
	default: break;
	}
	int rc = integer_of_text(word, &integer);
	return check_integer(why, field, rc, integer, to);
}
