/* Proves: metadata that is built name by name is one map, in which each is found again; running out of memory leaves it
 * as it was; and bytes that are no metadata are never read beyond their end. */
#include "support.h"

#include <brine/codec.h>
#include <brine/metadata.h>

static void each_name_is_found_again(void **state)
{
	(void)state;
	struct brine_buf metadata = BRINE_BUF_INIT;
	struct brine_str value;
	char name[16], text[16];
	assert_false(brine_metadata_find(brine_buf_bytes(&metadata), "x", &value));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "n%d", i);
		snprintf(text, sizeof text, "%d", i * i);
		assert_int_equal(brine_metadata_add(&metadata, name, brine_str_from(text)), 0);
		assert_int_equal(brine_check(brine_buf_bytes(&metadata), 1, NULL), 0);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "n%d", i);
		snprintf(text, sizeof text, "%d", i * i);
		assert_true(brine_metadata_find(brine_buf_bytes(&metadata), name, &value));
		assert_true(brine_str_equal(value, brine_str_from(text)));
	}
	assert_false(brine_metadata_find(brine_buf_bytes(&metadata), "n300", &value));
	assert_int_equal(brine_metadata_add(&metadata, "", BRINE_STR("x")), BRINE_ERR_INVALID);
	brine_buf_done(&metadata);
}

static void other_kinds_and_other_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		const char *found; /* under "b" */
	} rows[] = {
	        {"82 a161 01 a162 a178", "x"}, /* [1] {"a": 1, "b": "x"} */
	        {"82 a161 9101 a162 c40178", "x"},
	        {"81 d90162 a178", "x"}, /* a longer form of the name */
	        {"81 a162 01", NULL},
	        {"81 c40162 a178", NULL},
	        {"80", NULL},
	        {"91 a162", NULL},
	        {"a162", NULL},
	        {"dfffffffff a161 a178", NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		struct brine_str value = BRINE_STR("untouched");
		size_t size = hex_append(&bytes, rows[i].hex);
		bool found = brine_metadata_find(brine_buf_bytes(&bytes), "b", &value);
		assert_int_equal(found, rows[i].found != NULL);
		assert_true(brine_str_equal(value, brine_str_from(found ? rows[i].found : "untouched")));
		/* Cut short: in memory of its own, so that a byte too many shows. */
		for (size_t cut = 0; cut < size; cut++) {
			void *copy = malloc(cut + 1);
			void *part = (char *)copy + 1;
			memcpy(part, bytes.data, cut);
			(void)brine_metadata_find(BRINE_BYTES(part, cut), "b", &value);
			free(copy);
		}
		/* Not made by brine_metadata_add(). */
		assert_int_equal(brine_metadata_add(&bytes, "c", BRINE_STR("y")), BRINE_ERR_INVALID);
		assert_int_equal(brine_buf_size(&bytes), size);
		brine_buf_done(&bytes);
	}
}

static void no_memory_changes_nothing(void **state)
{
	(void)state;
	struct fail_allocator fail;
	int failed = 0, status;
	static char text[1000];
	memset(text, 'x', sizeof text);
	for (uint64_t at = 1; at < 10; at++) {
		struct brine_buf metadata;
		struct brine_str value;
		fail_allocator_init(&fail, at, false);
		brine_buf_init(&metadata, &fail.base);
		for (char name[] = "a"; name[0] <= 'f'; name[0]++) {
			size_t before = brine_buf_size(&metadata);
			status = brine_metadata_add(&metadata, name, (struct brine_str){text, sizeof text});
			failed += status == BRINE_ERR_NOMEM;
			assert_int_equal(brine_metadata_find(brine_buf_bytes(&metadata), name, &value), status == 0);
			if (status < 0)
				assert_int_equal(brine_buf_size(&metadata), before);
		}
		brine_buf_done(&metadata);
		assert_int_equal(fail.held, 0);
	}
	assert_in_range(failed, 3, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_name_is_found_again),
	        cmocka_unit_test(other_kinds_and_other_bytes),
	        cmocka_unit_test(no_memory_changes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
