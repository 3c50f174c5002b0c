/* Proves: each frame of vectors.txt parses to the meaning beside it, and writing what was parsed gives the same bytes.
 */
#include "files.h"
#include "pyrepr.h"
#include "support.h"

#include <brine/frame.h>

static const struct brine_limits limits = BRINE_LIMITS_INIT;

/* "name | size | hex | meaning": one frame. */
static void check_vector(char *line)
{
	char *hex = strchr(strchr(line, '|') + 1, '|') + 1;
	char *meaning = strchr(hex, '|') + 2;
	struct brine_buf bytes = BRINE_BUF_INIT, text = BRINE_BUF_INIT, written = BRINE_BUF_INIT;
	size_t size = hex_append(&bytes, hex);
	assert_int_equal(size, strtoul(strchr(line, '|') + 1, NULL, 10));
	struct brine_bytes message;
	size_t prefix_size;
	struct brine_error error = BRINE_ERROR_INIT;
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(
		        brine_frame_find(BRINE_BYTES(bytes.data, cut), &limits, &message, &prefix_size, &error), 0);
	assert_int_equal(brine_frame_find(brine_buf_bytes(&bytes), &limits, &message, &prefix_size, &error), 1);
	assert_int_equal(message.size + prefix_size, size);
	assert_string_equal(repr(&text, message), meaning);

	struct brine_frame frame;
	struct brine_judgement judgement;
	int rc = brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, &limits, &judgement, &error);
	if (strncmp(line, "advisory", 8) == 0) {
		assert_int_equal(judgement.verdict, BRINE_VERDICT_IGNORE);
		assert_int_equal(frame.type, 40);
	} else {
		assert_int_equal(rc, 0);
		assert_int_equal(judgement.verdict, BRINE_VERDICT_OK);
		assert_int_equal(brine_frame_write(&written, &frame, BRINE_WIRE_FRAMED, UINT32_MAX), 0);
		assert_int_equal(brine_buf_size(&written), size);
		assert_memory_equal(brine_buf_bytes(&written).data, bytes.data, size);
	}
	brine_buf_done(&bytes);
	brine_buf_done(&text);
	brine_buf_done(&written);
}

static void vectors_both_ways(void **state)
{
	(void)state;
	struct brine_buf file = file_read("vectors.txt");
	char *text = (char *)file.data;
	unsigned count = 0;
	for (char *line; (line = next_line(&text));) {
		if (line[0] != '#' && strchr(line, '|')) {
			check_vector(line);
			count++;
		}
	}
	assert_int_equal(count, 23);
	brine_buf_done(&file);
}

/* The last line of the file: how lengths look, the longest form allowed too. */
static void prefix_forms(void **state)
{
	(void)state;
	static const struct {
		const char *hex;
		size_t prefix_size;
		size_t length;
	} rows[] = {
	        {"cc d3", 2, 0xd3}, {"ce 00 01 11 70", 5, 70000}, {"ce 00 00 00 0a", 5, 10}, {"cd 00 0a", 3, 10},
	        {"7f", 1, 127},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		hex_append(&bytes, rows[i].hex);
		memset(brine_buf_reserve(&bytes, rows[i].length), 0x94, rows[i].length);
		bytes.end += rows[i].length;
		struct brine_bytes message;
		size_t prefix_size;
		assert_int_equal(brine_frame_find(brine_buf_bytes(&bytes), &limits, &message, &prefix_size, NULL), 1);
		assert_int_equal(prefix_size, rows[i].prefix_size);
		assert_int_equal(message.size, rows[i].length);
		brine_buf_done(&bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(vectors_both_ways),
	        cmocka_unit_test(prefix_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
