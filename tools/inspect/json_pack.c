#include "inspect/json_pack.h"

#include "inspect/base64.h"
#include "inspect/json_value.h"
#include "inspect/time_text.h"

#include <brine/pack.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One step into the value, on the stack of whoever descends; read only when an error names its place. */
struct step {
	const struct step *up; /* NULL: the value itself */
	const char *key;       /* a member; NULL: an element */
	size_t index;
};

struct packer {
	struct brine_buf *out;
	struct brine_error *error;
	unsigned depth_max;
};

static int pack_value(const struct packer *packer, const struct step *step, const json_t *value, unsigned depth);

/* Adds "[3]" or ".name" for each step, cut to fit. */
static void append_place(char *text, size_t capacity, const struct step *step)
{
	char shown[64];
	if (!step)
		return;
	append_place(text, capacity, step->up);
	size_t used = strlen(text);
	if (step->key)
		snprintf(text + used, capacity - used, ".%s",
		         brine_escape(shown, sizeof shown, step->key, strlen(step->key)));
	else
		snprintf(text + used, capacity - used, "[%zu]", step->index);
}

static int fail_step(const struct packer *packer, const struct step *step, int code, const char *text)
{
	char place[128] = "";
	append_place(place, sizeof place, step);
	return brine_fail(packer->error, code, 0, "%s%s%s", place, *place ? ": " : "", text);
}

/* What the packer of a value returned, with its text. */
static int packed(const struct packer *packer, const struct step *step, int rc)
{
	return rc == 0 ? 0 : fail_step(packer, step, rc, brine_error_text(rc));
}

/* The head of an array or map. */
static int pack_head(const struct packer *packer, const struct step *step, size_t count, unsigned depth,
                     int (*pack)(struct brine_buf *out, uint32_t count))
{
	if (depth < packer->depth_max)
		return packed(packer, step, pack(packer->out, (uint32_t)count));
	char text[64];
	snprintf(text, sizeof text, "nested more than %u levels deep", packer->depth_max);
	return fail_step(packer, step, BRINE_ERR_DEPTH, text);
}

/* ---- the forms that begin with $ ---- */

/* Base64 into data, which is empty. 0, BRINE_ERR_TYPE, NOMEM. */
static int read_base64(struct brine_buf *data, const json_t *text)
{
	size_t size;
	if (!json_is_string(text))
		return BRINE_ERR_TYPE;
	uint8_t *to = brine_buf_reserve(data, INSPECT_BASE64_ROOM(json_string_length(text)));
	if (!to)
		return BRINE_ERR_NOMEM;
	if (!inspect_base64_read(to, &size, json_string_value(text), json_string_length(text)))
		return BRINE_ERR_TYPE;
	data->end += size;
	return 0;
}

static int pack_int_form(struct brine_buf *out, const json_t *content)
{
	const char *text = json_string_value(content);
	char *end;
	if (!text || !(text[0] == '-' || (text[0] >= '0' && text[0] <= '9')))
		return BRINE_ERR_TYPE;
	errno = 0;
	int64_t negative = text[0] == '-' ? strtoll(text, &end, 10) : 0;
	uint64_t positive = text[0] == '-' ? 0 : strtoull(text, &end, 10);
	if (end == text || *end || strlen(text) != json_string_length(content))
		return BRINE_ERR_TYPE;
	if (errno)
		return BRINE_ERR_RANGE;
	return text[0] == '-' ? brine_pack_int(out, negative) : brine_pack_uint(out, positive);
}

static int pack_float_form(struct brine_buf *out, const json_t *content)
{
	double value;
	return inspect_json_float_name(content, &value) ? brine_pack_double(out, value) : BRINE_ERR_TYPE;
}

enum binary { AS_STR, AS_BIN, AS_EXT };

static int pack_binary(struct brine_buf *out, const json_t *text, enum binary binary, int8_t ext_type)
{
	struct brine_buf data;
	brine_buf_init(&data, out->allocator);
	int rc = read_base64(&data, text);
	struct brine_bytes bytes = brine_buf_bytes(&data);
	if (rc == 0)
		rc = binary == AS_STR   ? brine_pack_str(out, bytes.data, bytes.size)
		     : binary == AS_BIN ? brine_pack_bin(out, bytes.data, bytes.size)
		                        : brine_pack_ext(out, ext_type, bytes.data, bytes.size);
	brine_buf_done(&data);
	return rc;
}

static int pack_str_form(struct brine_buf *out, const json_t *content)
{
	return pack_binary(out, content, AS_STR, 0);
}

static int pack_bin_form(struct brine_buf *out, const json_t *content)
{
	return pack_binary(out, content, AS_BIN, 0);
}

static int pack_ext_form(struct brine_buf *out, const json_t *content)
{
	const json_t *type = json_array_get(content, 0);
	json_int_t number = json_integer_value(type);
	if (json_array_size(content) != 2 || !json_is_integer(type) || number < INT8_MIN || number > INT8_MAX)
		return BRINE_ERR_TYPE;
	return pack_binary(out, json_array_get(content, 1), AS_EXT, (int8_t)number);
}

static int pack_time_form(struct brine_buf *out, const json_t *content)
{
	struct brine_timestamp time;
	if (!json_is_string(content) ||
	    !inspect_time_read(json_string_value(content), json_string_length(content), &time))
		return BRINE_ERR_TYPE;
	return brine_pack_timestamp(out, time);
}

/* The forms but $map. pack returns BRINE_ERR_TYPE or RANGE where the content is not what is wanted. */
struct form {
	const char *name;
	int (*pack)(struct brine_buf *out, const json_t *content);
	const char *wanted;
};

static const struct form forms[] = {
        {"$int", pack_int_form, "{\"$int\": ...} wants an integer of at most 64 bits as a string of decimal digits"},
        {"$float", pack_float_form, "{\"$float\": ...} wants \"NaN\", \"Infinity\" or \"-Infinity\""},
        {"$str", pack_str_form, "{\"$str\": ...} wants a string of base64"},
        {"$bin", pack_bin_form, "{\"$bin\": ...} wants a string of base64"},
        {"$ext", pack_ext_form, "{\"$ext\": ...} wants [type, base64], the type from -128 to 127"},
        {"$time", pack_time_form, "{\"$time\": ...} wants a time like \"2026-11-22T10:00:00Z\""},
};

static int pack_pairs(const struct packer *packer, const struct step *step, const json_t *pairs, unsigned depth)
{
	static const char wanted[] = "{\"$map\": ...} wants [[key, value], ...]";
	size_t count = json_array_size(pairs);
	if (!json_is_array(pairs))
		return fail_step(packer, step, BRINE_ERR_TYPE, wanted);
	int rc = pack_head(packer, step, count, depth, brine_pack_map);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const json_t *pair = json_array_get(pairs, i);
		struct step of_pair = {step, NULL, i};
		if (json_array_size(pair) != 2)
			return fail_step(packer, &of_pair, BRINE_ERR_TYPE, wanted);
		rc = pack_value(packer, &of_pair, json_array_get(pair, 0), depth + 1);
		if (rc == 0)
			rc = pack_value(packer, &of_pair, json_array_get(pair, 1), depth + 1);
	}
	return rc;
}

static int pack_form(const struct packer *packer, const struct step *step, const char *name, const json_t *content,
                     unsigned depth)
{
	if (strcmp(name, "$map") == 0)
		return pack_pairs(packer, step, content, depth);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (strcmp(forms[i].name, name) == 0) {
			int rc = forms[i].pack(packer->out, content);
			bool is_misfit = rc == BRINE_ERR_TYPE || rc == BRINE_ERR_RANGE;
			return is_misfit ? fail_step(packer, step, rc, forms[i].wanted) : packed(packer, step, rc);
		}
	}
	return fail_step(packer, step, BRINE_ERR_TYPE,
	                 "of names with $ in front only {\"$int\": ...}, $float, $str, $bin, $ext, $time and $map are "
	                 "known, each "
	                 "alone; any other map is {\"$map\": [[key, value], ...]}");
}

/* ---- values ---- */

static int pack_array(const struct packer *packer, const struct step *step, const json_t *array, unsigned depth)
{
	size_t count = json_array_size(array);
	int rc = pack_head(packer, step, count, depth, brine_pack_array);
	for (size_t i = 0; i < count && rc == 0; i++) {
		struct step of_element = {step, NULL, i};
		rc = pack_value(packer, &of_element, json_array_get(array, i), depth + 1);
	}
	return rc;
}

static int pack_object(const struct packer *packer, const struct step *step, const json_t *object, unsigned depth)
{
	json_t *members = (json_t *)(uintptr_t)object; /* read only */
	const char *key;
	json_t *value;
	json_object_foreach(members, key, value)
	{
		if (key[0] != '$')
			continue;
		return pack_form(packer, step, json_object_size(object) == 1 ? key : "", value, depth);
	}
	int rc = pack_head(packer, step, json_object_size(object), depth, brine_pack_map);
	for (void *at = json_object_iter(members); at && rc == 0; at = json_object_iter_next(members, at)) {
		key = json_object_iter_key(at);
		struct step of_member = {step, key, 0};
		rc = packed(packer, &of_member, brine_pack_str(packer->out, key, strlen(key)));
		if (rc == 0)
			rc = pack_value(packer, &of_member, json_object_iter_value(at), depth + 1);
	}
	return rc;
}

/* Recurses as deep as depth_max allows. */
static int pack_value(const struct packer *packer, const struct step *step, const json_t *value, unsigned depth)
{
	struct brine_buf *out = packer->out;
	switch (json_typeof(value)) {
	case JSON_OBJECT: return pack_object(packer, step, value, depth);
	case JSON_ARRAY: return pack_array(packer, step, value, depth);
	case JSON_STRING:
		return packed(packer, step, brine_pack_str(out, json_string_value(value), json_string_length(value)));
	case JSON_INTEGER: return packed(packer, step, brine_pack_int(out, json_integer_value(value)));
	case JSON_REAL: return packed(packer, step, brine_pack_double(out, json_real_value(value)));
	case JSON_TRUE:
	case JSON_FALSE: return packed(packer, step, brine_pack_bool(out, json_is_true(value)));
	default: return packed(packer, step, brine_pack_nil(out));
	}
}

int inspect_json_pack(struct brine_buf *out, const json_t *value, unsigned depth_max, struct brine_error *error)
{
	struct packer packer = {out, error, depth_max};
	size_t size = brine_buf_size(out);
	int rc = pack_value(&packer, NULL, value, 0);
	if (rc < 0)
		out->end = out->start + size;
	return rc;
}
