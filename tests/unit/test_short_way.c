/* Proves: what the reader takes the short way is what the long way would have made of it, for every kind of field,
 * every first byte, cut anywhere. */
#include "support.h"

#include "codec/scalar.h"

enum { SIZE = 48, RANDOM = 400000 };

union value {
	uint8_t bytes[16];
	struct brine_str text;
	uint64_t alignment;
};

static void compare(const struct brine_field *field, const uint8_t *data, size_t size, unsigned flags, size_t *taken)
{
	struct brine_reader reader = {.data = data, .size = size, .flags = flags};
	union value fast = {{0}}, slow = {{0}};
	struct brine_token token;
	if (!brine_scalar_take_plain(&reader, field, &fast)) {
		assert_int_equal(reader.at, 0);
		return;
	}
	(*taken)++;
	size_t used = reader.at;
	reader.at = 0;
	assert_int_equal(brine_token_read(&token, data, size), 1);
	assert_int_equal(token.size, used);
	assert_int_equal(brine_scalar_read(&reader, NULL, field, &token, &slow), 0);
	assert_memory_equal(&fast, &slow, sizeof fast);
}

static void same_as_the_long_way(void **state)
{
	uint64_t random = 1;
	size_t taken[BRINE_KIND_CHARS + 1] = {0};
	(void)state;
	for (int i = 0; i < RANDOM; i++) {
		uint8_t data[SIZE];
		unsigned kind = BRINE_KIND_BOOL + (unsigned)random_below(&random, BRINE_KIND_VALUE - BRINE_KIND_BOOL);
		struct brine_field field = {.name = "f", .number = 1, .kind = (uint8_t)kind};
		field.flags = random_below(&random, 8) ? 0 : (uint8_t)(1u << random_below(&random, 4));
		field.limit = random_below(&random, 4) ? 0 : (uint32_t)random_below(&random, 20);
		bool ascii = random_below(&random, 2);
		for (size_t at = 0; at < SIZE; at++)
			data[at] = (uint8_t)random_below(&random, ascii ? 128 : 256);
		data[0] = (uint8_t)i;
		/* Each byte a size of its own, so that a read beyond the end is seen. */
		size_t size = random_below(&random, SIZE + 1);
		uint8_t *exact = malloc(size ? size : 1);
		memcpy(exact, data, size);
		compare(&field, exact, size, random_below(&random, 4) ? 0 : BRINE_DECODE_COPY, &taken[kind]);
		free(exact);
	}
	for (unsigned kind = BRINE_KIND_BOOL; kind <= BRINE_KIND_ENUM; kind++) {
		bool has_short_way = kind != BRINE_KIND_FLOAT && kind != BRINE_KIND_BYTES;
		if (has_short_way != (taken[kind] > 20))
			fail_msg("kind %u: %zu values were taken", kind, taken[kind]);
	}
}

/* The bounds of each integer kind, and one beyond. */
static void bounds(void **state)
{
	(void)state;
	for (uint8_t kind = BRINE_KIND_INT8; kind <= BRINE_KIND_UINT64; kind++) {
		const struct brine_kind_info *info = brine_kind_info(kind);
		struct brine_field field = {.name = "f", .number = 1, .kind = kind};
		const uint64_t edges[] = {info->most, info->most + 1, (uint64_t)info->least, (uint64_t)info->least - 1};
		for (size_t i = 0; i < 4; i++) {
			bool is_signed = i >= 2;
			uint8_t data[9] = {is_signed ? 0xd3 : 0xcf};
			for (int byte = 0; byte < 8; byte++)
				data[1 + byte] = (uint8_t)(edges[i] >> (56 - 8 * byte));
			struct brine_reader reader = {.data = data, .size = sizeof data};
			union value fast = {{0}};
			bool wraps = (i == 1 && info->most == UINT64_MAX) || (i == 3 && info->least == INT64_MIN);
			bool fits = i == 0 || i == 2 || (wraps && (i == 1 || info->most == INT64_MAX));
			if (brine_scalar_take_plain(&reader, &field, &fast) != fits)
				fail_msg("%s: edge %zu", info->name, i);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_the_long_way), cmocka_unit_test(bounds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
