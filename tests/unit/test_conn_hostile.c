/* Proves: every line of hostile-inputs.txt gets the verdict that stands beside it, however its bytes are cut, and costs
 * no memory beyond what arrived. */
#include "conn_harness.h"
#include "files.h"

#include "codec/walk.h"

enum { MEMORY_MAX = 6144 };

static const struct brine_limits limits = BRINE_LIMITS_INIT;
static char *input_hex, *verdict;

/* Takes the next message of the output apart; false where there is none. */
static bool next_message(struct harness *h, struct brine_frame *frame)
{
	struct brine_bytes output = brine_buf_bytes(&h->output), message = output;
	size_t prefix_size = 0;
	int wire = brine_conn_wire(h->conn);
	if (output.size == 0)
		return false;
	if (wire == BRINE_WIRE_FRAMED)
		assert_int_equal(brine_frame_find(output, &limits, &message, &prefix_size, NULL), 1);
	else
		message.size = brine_value_size(output.data, output.size);
	struct brine_judgement judgement;
	assert_int_equal(brine_frame_parse(frame, message, wire, &limits, &judgement, NULL), 0);
	h->output.start += prefix_size + message.size;
	return true;
}

static void check_word(struct harness *h, const char *word)
{
	struct brine_frame frame;
	if (strcmp(word, "answered") == 0) {
		assert_true(next_message(h, &frame));
		assert_int_equal(frame.type, BRINE_FRAME_RESPONSE);
	} else if (strncmp(word, "error-", 6) == 0) {
		assert_true(next_message(h, &frame));
		assert_int_equal(frame.type, BRINE_FRAME_RESPONSE);
		assert_true(frame.error.is_set);
		if (brine_conn_wire(h->conn) == BRINE_WIRE_FRAMED)
			assert_int_equal(frame.error.code, atoi(word + 6));
	} else if (strncmp(word, "goaway-", 7) == 0) {
		assert_true(next_message(h, &frame));
		assert_int_equal(frame.type, BRINE_FRAME_GOAWAY);
		assert_int_equal(frame.code, atoi(word + 7));
		assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_CLOSING);
	} else if (strcmp(word, "silent") == 0) {
		assert_true(h->closed);
		assert_true(h->closed_status < 0);
	} else if (strcmp(word, "wait") == 0) {
		assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
		harness_pass(h, 30000);
		assert_int_equal(h->closed_status, BRINE_ERR_NO_PROGRESS);
		assert_true(next_message(h, &frame));
	} else {
		assert_string_equal(word, "ignored");
		assert_int_equal(brine_conn_state(h->conn), BRINE_CONN_OPEN);
	}
}

static void line_script(struct harness *h)
{
	char words[64];
	harness_feed(h, input_hex);
	snprintf(words, sizeof words, "%s", verdict);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		check_word(h, word);
	struct brine_frame frame;
	if (next_message(h, &frame)) {
		/* The last line is two requests: both are answered. */
		assert_int_equal(frame.type, BRINE_FRAME_RESPONSE);
		assert_false(next_message(h, &frame));
	}
	assert_in_range(h->memory.held_most, 1, MEMORY_MAX);
}

static void hostile_inputs_get_their_verdicts(void **state)
{
	(void)state;
	struct brine_buf file = file_read("hostile-inputs.txt");
	char *text = (char *)file.data;
	unsigned count = 0;
	struct brine_conn_options options = harness_accepting();
	for (char *line; (line = next_line(&text));) {
		if (line[0] == '#' || !line[0])
			continue;
		input_hex = line;
		verdict = strrchr(line, '|') + 2;
		print_message("%.60s\n", line);
		harness_run(&options, line_script);
		count++;
	}
	assert_int_equal(count, 25);
	brine_buf_done(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hostile_inputs_get_their_verdicts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
