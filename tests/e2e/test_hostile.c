/* Proves: every line of tests/vectors/hostile-inputs.txt gets the verdict it says from a live server, whole and byte by
 * byte, memory does not grow, and a well-behaved client goes on meanwhile. */
#include "e2e/probe.h"

#include <netinet/tcp.h>

enum {
	LINES_MOST = 100,
	SIZE_MOST = 256,
	HELD_MOST = 2 << 20, /* 64 KiB of input, a few connections; an input that asks for gigabytes would show */
	WAIT_MS = 150,       /* limit of time for lines that say "wait" */
};

struct input {
	uint8_t bytes[SIZE_MOST];
	size_t size;
	char what[160];
	char verdict[64];
};

static struct input inputs[LINES_MOST];
static size_t input_count;

static void parse_line(char *line)
{
	struct input *input = &inputs[input_count];
	char *what = strchr(line, '|');
	char *verdict = what ? strchr(what + 1, '|') : NULL;
	assert_non_null(verdict);
	struct brine_buf bytes = BRINE_BUF_INIT;
	hex_append(&bytes, line);
	assert_true(brine_buf_size(&bytes) > 0 && brine_buf_size(&bytes) <= SIZE_MOST);
	input->size = brine_buf_size(&bytes);
	memcpy(input->bytes, bytes.data + bytes.start, input->size);
	brine_buf_done(&bytes);
	snprintf(input->what, sizeof input->what, "%.*s", (int)(verdict - what - 2), what + 2);
	snprintf(input->verdict, sizeof input->verdict, "%s", verdict + 2);
	input->verdict[strcspn(input->verdict, "\n")] = '\0';
	input_count++;
}

static int load(void **state)
{
	char line[1024];
	FILE *file = fopen(BRINE_VECTORS "/hostile-inputs.txt", "r");
	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		assert_true(input_count < LINES_MOST);
		parse_line(line);
	}
	fclose(file);
	assert_true(input_count >= 25);
	return 0;
}

/* What came back, by kind. */
struct outcome {
	struct brine_buf bytes;
	bool closed; /* the server closed before the follow-up was answered */
};

static bool is_plain(const struct input *input)
{
	return (input->bytes[0] & 0xf0) == 0x90 || input->bytes[0] >= 0xdc;
}

/* A good call after the input, with an id that no input uses: when its answer comes, the connection went on. */
static const char follow_up[] = "\x0a\x94\x00\x63\xa3"
                                "add\x92\x02\x03";
static const char follow_up_answer[] = "\x94\x01\x63\xc0\x05";

static bool ends_with(const struct brine_buf *bytes, const char *end, size_t size)
{
	return brine_buf_size(bytes) >= size && memcmp(bytes->data + bytes->end - size, end, size) == 0;
}

/* Sends an input, then, where the connection is to go on, the follow-up; reads what comes. */
static void play(const char *address, const struct input *input, bool byte_by_byte, struct outcome *outcome)
{
	int fd = raw_connect(address);
	*outcome = (struct outcome){.bytes = BRINE_BUF_INIT};
	int no_delay = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
	for (size_t i = 0; byte_by_byte && i < input->size; i++)
		raw_send(fd, input->bytes + i, 1);
	if (!byte_by_byte)
		raw_send(fd, input->bytes, input->size);
	bool ends =
	        strstr(input->verdict, "silent") || strstr(input->verdict, "goaway") || strstr(input->verdict, "wait");
	if (!ends) {
		size_t skip = is_plain(input) ? 1 : 0;
		raw_send(fd, follow_up + skip, sizeof follow_up - 1 - skip);
	}
	while (!ends_with(&outcome->bytes, follow_up_answer, sizeof follow_up_answer - 1) && !outcome->closed)
		outcome->closed = !raw_read(fd, &outcome->bytes, brine_buf_size(&outcome->bytes) + 1);
	close(fd);
}

/* The next message of the answers; false at their end. */
static bool next_message(struct brine_bytes *rest, bool plain, struct brine_frame *frame)
{
	struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_judgement judgement;
	struct brine_bytes message = *rest;
	size_t prefix = 0;
	if (rest->size == 0)
		return false;
	if (plain) {
		/* Plain answers of these tests: find the size by trying. */
		message.size = 1;
		while (message.size < rest->size && brine_check(message, 32, NULL) < 0)
			message.size++;
	} else {
		assert_int_equal(brine_frame_find(*rest, &limits, &message, &prefix, NULL), 1);
	}
	int wire = plain ? BRINE_WIRE_PLAIN : BRINE_WIRE_FRAMED;
	assert_int_equal(brine_frame_parse(frame, message, wire, &limits, &judgement, NULL), 0);
	rest->data = (const char *)rest->data + prefix + message.size;
	rest->size -= prefix + message.size;
	return true;
}

/* Words for what came: "answered error-1 goaway-7 silent" and so on; the follow-up's answer is "on". */
static void describe(struct outcome *outcome, bool plain, char *out, size_t capacity)
{
	struct brine_bytes rest = brine_buf_bytes(&outcome->bytes);
	struct brine_frame frame;
	size_t used = 0;
	out[0] = '\0';
	while (next_message(&rest, plain, &frame)) {
		if (frame.type == BRINE_FRAME_GOAWAY)
			used += (size_t)snprintf(out + used, capacity - used, "goaway-%d ", (int)frame.code);
		else if (frame.type != BRINE_FRAME_RESPONSE)
			used += (size_t)snprintf(out + used, capacity - used, "type-%d ", frame.type);
		else if (frame.has_id && frame.id == 0x63)
			used += (size_t)snprintf(out + used, capacity - used, "on ");
		else if (frame.error.is_set && !plain)
			used += (size_t)snprintf(out + used, capacity - used, "error-%d ", (int)frame.error.code);
		else
			used += (size_t)snprintf(out + used, capacity - used,
			                         frame.error.is_set ? "failed " : "answered ");
	}
	if (outcome->closed)
		snprintf(out + used, capacity - used, "closed ");
}

/* What describe() must say for a verdict. */
static const char *expected(const struct input *input)
{
	static const struct {
		const char *verdict, *framed, *plain;
	} rows[] = {
	        {"silent", "closed ", "closed "},
	        {"goaway-1", "goaway-1 closed ", NULL},
	        {"goaway-7", "goaway-7 closed ", NULL},
	        {"goaway-9", "goaway-9 closed ", NULL},
	        {"answered goaway-1", "answered goaway-1 closed ", NULL},
	        {"answered", "answered answered on ", "answered on "},
	        {"error-1", "error-1 on ", "failed on "},
	        {"ignored", "on ", "on "},
	        {"wait", "goaway-1 closed ", "closed "}, /* the limit of time for the rest of a frame */
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strcmp(input->verdict, rows[i].verdict) == 0)
			return is_plain(input) ? rows[i].plain : rows[i].framed;
	return NULL;
}

/* Whether a server gives the input its verdict. */
static bool is_right(const char *address, const struct input *input, bool byte_by_byte)
{
	struct outcome outcome;
	char words[256];
	const char *right = expected(input);
	play(address, input, byte_by_byte, &outcome);
	describe(&outcome, is_plain(input), words, sizeof words);
	brine_buf_done(&outcome.bytes);
	if (right && (strcmp(words, right) == 0 ||
	              (is_plain(input) && strcmp(input->verdict, "answered") == 0 && strcmp(words, "failed on ") == 0)))
		return true;
	print_error("%s: '%s' instead of '%s' (%s)\n", input->what, words, right, input->verdict);
	return false;
}

/* Lines that say "wait" meet a server with little patience, and the others one that has enough for a busy machine. */
static void verdicts(void **state, enum over kind, bool waits)
{
	enum { ROUNDS = 4 };
	struct host host;
	struct fail_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	fail_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	if (waits)
		options.limits.progress_interval_ms = WAIT_MS;
	host_start(&host, state, kind, &options);
	struct probe probe;
	probe_begin(&probe, host.address);
	int wrong = 0, played = 0;
	for (size_t i = 0; i < input_count * ROUNDS; i++) {
		const struct input *input = &inputs[i % input_count];
		if (waits == (strcmp(input->verdict, "wait") == 0)) {
			wrong += !is_right(host.address, input, i / input_count % 2);
			played++;
		}
	}
	assert_int_equal(wrong, 0);
	assert_in_range(played, ROUNDS, input_count * ROUNDS);
	probe_end(&probe);
	host_end(&host);
	/* A12: the log says what a stranger looked like. */
	assert_true(waits || strstr(host.log, "HTTP"));
	host_free(&host);
	assert_in_range(allocator.held_most, 1, HELD_MOST);
	assert_int_equal(allocator.held, 0);
}

static void verdicts_over(void **state, enum over kind)
{
	verdicts(state, kind, false);
	verdicts(state, kind, true);
}
DEFINE_BOTH(verdicts)

/* Five bytes: an array of 268 million elements, of which none follows. A Neovim 0.7.2 asks for gigabytes then, and
 * aborts where it cannot have them; so does an rpclib server. A Brine server closes the connection and has asked for
 * nothing, also where they are an argument. */
static void five_bytes_that_end_others_over(void **state, enum over kind)
{
	static const struct {
		const char *before, *answer;
	} rows[] = {
	        {"", ""},
	        {"9400 01 a3616464 92 02 03", "9401 01 c0 05"},
	        {"9400 01 a3616464 92 02", ""},
	        {"9302 a3616464 91", ""},
	        {"0a 9400 05 a3616464 92 02 03 0b 9400 06 a3616464", "05 9401 05 c0 05"},
	};
	enum { ROUNDS = 20, HELD_FEW = 256 << 10 };
	struct host host;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct probe probe;
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	host_start(&host, state, kind, &options);
	probe_begin(&probe, host.address);
	for (size_t i = 0; i < ROUNDS * sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf got = BRINE_BUF_INIT;
		int fd = raw_connect(host.address);
		raw_send_hex(fd, rows[i / ROUNDS].before);
		raw_expect_hex(fd, rows[i / ROUNDS].answer);
		raw_send_hex(fd, "dd 0f ff ff ff");
		raw_read_to_end(fd, &got);
		/* A framed peer is told why, a plain one is not. */
		assert_true(!brine_buf_size(&got) == (i / ROUNDS < 4));
		brine_buf_done(&got);
		close(fd);
	}
	probe_end(&probe);
	host_stop(&host);
	assert_in_range(allocator.fail.held_most, 1, HELD_FEW);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(five_bytes_that_end_others)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(verdicts), BOTH(five_bytes_that_end_others)};
	return cmocka_run_group_tests(tests, load, NULL);
}
