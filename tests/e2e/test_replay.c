/* Proves: what recorded clients of plain MessagePack-RPC sent, sent again to a live server with the same methods, gets
 * the recorded answers, however the bytes are cut. The answers were a stand-in's, not the work of a program anybody
 * uses: where it chose a form of its own, the table says what Brine answers and why that is the same in meaning. */
#include "harness.h"
#include "unit/files.h"
#include "unit/pyrepr.h"

#include "codec/scan.h"

#include <netinet/tcp.h>

enum { MESSAGES_MOST = 32, SLOW_MOST = 4, CUTS = 6 };

struct session {
	const char *name;
	int plain_errors; /* what such a client expects */
};

static const struct session sessions[] = {
        {"npm-msgpack-rpc-node", BRINE_PLAIN_ERRORS_TEXT}, {"npm-neovim", BRINE_PLAIN_ERRORS_PAIR},
        {"pynvim-vs-fake", BRINE_PLAIN_ERRORS_PAIR},       {"rpclib-client", BRINE_PLAIN_ERRORS_TEXT},
        {"ruby-client", BRINE_PLAIN_ERRORS_TEXT},          {"nvim-as-client", BRINE_PLAIN_ERRORS_PAIR},
};

#define AS_TEXT "errors are texts on this listener"
#define AS_PAIR "errors are pairs on this listener"
#define AS_MAP  "no listener writes errors as maps"
#define UNASKED "a Brine server sends nothing that was not asked for"

/* What Brine answers instead of what was recorded; NULL recorded: nothing was; NULL answer: nothing is. */
static const struct difference {
	const char *session, *recorded, *answer, *why;
} differences[] = {
        {"npm-msgpack-rpc-node", "[1, 2, {'code': 5, 'message': 'it failed'}, None]", "[1, 2, 'it failed', None]",
         AS_MAP},
        {"npm-neovim", "[2, 'note', ['a', 1]]", NULL, UNASKED},
        {"npm-neovim", "[0, 1, 'sum', [20, 22]]", NULL, UNASKED},
        {"npm-neovim", "[1, 8, 'it failed', None]", "[1, 8, [0, 'it failed'], None]", AS_PAIR},
        {"npm-neovim", "[1, 10, {'code': 5, 'message': 'it failed'}, None]", "[1, 10, [0, 'it failed'], None]", AS_MAP},
        {"pynvim-vs-fake", "[1, 4, 'it failed', None]", "[1, 4, [0, 'it failed'], None]", AS_PAIR},
        {"pynvim-vs-fake", "[1, 6, {'code': 5, 'message': 'it failed'}, None]", "[1, 6, [0, 'it failed'], None]",
         AS_MAP},
        {"pynvim-vs-fake", "[2, 'note', ['a', 1]]", NULL, UNASKED},
        {"pynvim-vs-fake", "[0, 1, 'sum', [20, 22]]", NULL, UNASKED},
        {"rpclib-client", "[1, 6, [0, 'it failed'], None]", "[1, 6, 'it failed', None]", AS_TEXT},
        {"rpclib-client", "[1, 7, {'code': 5, 'message': 'it failed'}, None]", "[1, 7, 'it failed', None]", AS_MAP},
        {"rpclib-client", "[1, 8, [1, 'Invalid method: nosuch'], None]", "[1, 8, \"no such method: 'nosuch'\", None]",
         AS_TEXT ", in Brine's words"},
        {"rpclib-client", NULL, "[1, 9, None, 'slow']", "the recording ends before this answer"},
        {"ruby-client", "[1, 3, [0, 'it failed'], None]", "[1, 3, 'it failed', None]", AS_TEXT},
        {"ruby-client", "[1, 4, {'code': 5, 'message': 'it failed'}, None]", "[1, 4, 'it failed', None]", AS_MAP},
        {"nvim-as-client", "[1, 3, 'it failed', None]", "[1, 3, [0, 'it failed'], None]", AS_PAIR},
        {"nvim-as-client", "[1, 5, {'code': 5, 'message': 'it failed'}, None]", "[1, 5, [0, 'it failed'], None]",
         AS_MAP},
        {"nvim-as-client", "[0, 1, 'nvim_eval', ['6*7']]", NULL, UNASKED},
        {"nvim-as-client", "[2, 'note', ['a', 1]]", NULL, UNASKED},
};

/* ---- messages ---- */

/* The messages of one direction as text. */
struct messages {
	char *texts[MESSAGES_MOST];
	size_t count;
	struct brine_bytes first_result; /* of the first answer; points into the stream */
};

static void split(struct messages *messages, struct brine_bytes stream)
{
	const struct brine_limits limits = BRINE_LIMITS_INIT;
	const uint8_t *bytes = stream.data;
	*messages = (struct messages){.count = 0};
	for (size_t at = 0; at < stream.size;) {
		struct brine_scan scan;
		struct brine_frame frame;
		struct brine_judgement judgement;
		struct brine_buf text = BRINE_BUF_INIT;
		brine_scan_init(&scan, limits.depth_max, limits.message_size_max);
		assert_int_equal(brine_scan_feed(&scan, bytes + at, stream.size - at, NULL), 1);
		struct brine_bytes message = {bytes + at, (size_t)scan.size};
		assert_int_equal(brine_frame_parse(&frame, message, BRINE_WIRE_PLAIN, &limits, &judgement, NULL), 0);
		assert_in_range(messages->count, 0, MESSAGES_MOST - 1);
		messages->texts[messages->count++] = strdup(repr(&text, message));
		if (frame.type == BRINE_FRAME_RESPONSE && !messages->first_result.size)
			messages->first_result = frame.result;
		brine_buf_done(&text);
		at += message.size;
	}
}

static void messages_done(struct messages *messages)
{
	for (size_t i = 0; i < messages->count; i++)
		free(messages->texts[i]);
}

static bool holds(const struct messages *messages, const char *text)
{
	for (size_t i = 0; i < messages->count; i++)
		if (strcmp(messages->texts[i], text) == 0)
			return true;
	return false;
}

/* ---- the stand-in's methods ---- */

struct stand_in {
	struct brine_bytes api_info;
	struct brine_request *slow[SLOW_MOST];
	atomic_int slow_count;
};

static int reply(struct brine_request *request, struct brine_bytes result)
{
	int status = brine_request_reply_raw(request, result);
	return status < 0 ? status : 0;
}

/* One argument comes back as it is, several as an array. */
static int stand_in_echo(struct brine_request *request, struct brine_bytes params, void *user)
{
	const uint8_t *bytes = params.data;
	(void)user;
	return reply(request, bytes[0] == 0x91 ? BRINE_BYTES(bytes + 1, params.size - 1) : params);
}

static int stand_in_fail(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	(void)user;
	return brine_request_fail(request, 5, "it failed");
}

static int stand_in_forty_two(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	(void)user;
	return reply(request, BRINE_BYTES("\x2a", 1));
}

static int stand_in_yes(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	(void)user;
	return reply(request, BRINE_BYTES("\xc3", 1));
}

static int stand_in_info(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct stand_in *stand_in = user;
	(void)params;
	return reply(request, stand_in->api_info);
}

/* Answered by the test once everything else was. */
static int stand_in_slow(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct stand_in *stand_in = user;
	int count = atomic_load(&stand_in->slow_count);
	(void)params;
	if (count == SLOW_MOST)
		return BRINE_ERR_STATE;
	stand_in->slow[count] = request;
	atomic_store(&stand_in->slow_count, count + 1);
	return BRINE_PENDING;
}

static void stand_in_answer_slow(struct stand_in *stand_in, int count)
{
	wait_for_count(&stand_in->slow_count, count);
	while (count > 0)
		assert_int_equal(brine_request_reply_raw(stand_in->slow[--count], BRINE_BYTES("\xa4slow", 5)), 0);
	atomic_store(&stand_in->slow_count, 0);
}

static void start(struct host *host, struct stand_in *stand_in, void **state, enum over kind,
                  const struct session *session)
{
	static const struct {
		const char *name;
		brine_raw_handler_fn *handler;
	} methods[] = {
	        {"echo", stand_in_echo},           {"fail", stand_in_fail},
	        {"failarr", stand_in_fail},        {"failmap", stand_in_fail},
	        {"slow", stand_in_slow},           {"log", stand_in_yes},
	        {"nvim_eval", stand_in_forty_two}, {"notifyback", stand_in_yes},
	        {"callback", stand_in_forty_two},  {"nvim_get_api_info", stand_in_info},
	};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.plain_errors = session->plain_errors;
	host_prepare(host, state, kind, &options);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		assert_int_equal(
		        brine_server_serve_raw(host->server, methods[i].name, methods[i].handler, stand_in, NULL), 0);
	host_launch(host);
}

/* ---- playing ---- */

/* Sends the client's side in pieces (cut 0: whole, 1: single bytes, else at random) and reads all that comes back. */
static void play(const char *address, struct stand_in *stand_in, const struct brine_buf *sent, unsigned cut,
                 int slow_count, struct brine_buf *got)
{
	int fd = raw_connect(address), no_delay = 1;
	uint64_t seed = cut;
	size_t size = brine_buf_size(sent);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
	for (size_t at = 0, piece; at < size; at += piece) {
		piece = cut == 0 ? size : cut == 1 ? 1 : 1 + (size_t)random_below(&seed, size / 4);
		piece = piece < size - at ? piece : size - at;
		raw_send(fd, sent->data + sent->start + at, piece);
	}
	shutdown(fd, SHUT_WR);
	stand_in_answer_slow(stand_in, slow_count);
	raw_read_to_end(fd, got);
	close(fd);
}

/* The difference that begins with that recorded message (NULL: that adds an answer); NULL: none. */
static const struct difference *find_difference(const char *session, const char *recorded, size_t *from)
{
	for (size_t i = *from; i < sizeof differences / sizeof differences[0]; i++) {
		const struct difference *row = &differences[i];
		*from = i + 1;
		if (strcmp(row->session, session) == 0 && !row->recorded == !recorded &&
		    (!recorded || strcmp(row->recorded, recorded) == 0))
			return row;
	}
	return NULL;
}

static void expect_answer(const char *session, const struct messages *got, const char *answer, size_t *count)
{
	if (!holds(got, answer)) {
		for (size_t i = 0; i < got->count; i++)
			print_error("%s\n", got->texts[i]);
		fail_msg("%s: no %s is among these", session, answer);
	}
	++*count;
}

/* Everything recorded came, but for the differences, and nothing else did. */
static void compare(const char *session, const struct messages *recorded, const struct messages *got)
{
	size_t count = 0;
	for (size_t i = 0; i < recorded->count; i++) {
		size_t from = 0;
		const struct difference *row = find_difference(session, recorded->texts[i], &from);
		if (!row)
			expect_answer(session, got, recorded->texts[i], &count);
		else if (row->answer)
			expect_answer(session, got, row->answer, &count);
	}
	const struct difference *added;
	for (size_t from = 0; (added = find_difference(session, NULL, &from));)
		expect_answer(session, got, added->answer, &count);
	assert_int_equal(got->count, count);
}

static struct brine_buf read_side(const char *session, const char *side)
{
	char path[128];
	snprintf(path, sizeof path, "captures/%s.%s.bin", session, side);
	return file_read(path);
}

static void replay(void **state, enum over kind, const struct session *session)
{
	struct brine_buf c2s = read_side(session->name, "c2s"), s2c = read_side(session->name, "s2c");
	struct messages asked, recorded, got;
	split(&asked, brine_buf_bytes(&c2s));
	split(&recorded, brine_buf_bytes(&s2c));
	int slow_count = 0;
	for (size_t i = 0; i < asked.count; i++)
		slow_count += strstr(asked.texts[i], "'slow'") != NULL;
	struct stand_in stand_in = {.api_info = recorded.first_result};
	struct host host;
	start(&host, &stand_in, state, kind, session);
	for (unsigned cut = 0; cut < CUTS; cut++) {
		struct brine_buf bytes = BRINE_BUF_INIT;
		play(host.address, &stand_in, &c2s, cut, slow_count, &bytes);
		split(&got, brine_buf_bytes(&bytes));
		compare(session->name, &recorded, &got);
		messages_done(&got);
		brine_buf_done(&bytes);
	}
	host_end(&host);
	assert_null(strstr(host.log, "closed:"));
	host_free(&host);
	messages_done(&asked);
	messages_done(&recorded);
	brine_buf_done(&c2s);
	brine_buf_done(&s2c);
}

static void recorded_clients_get_the_recorded_answers_over(void **state, enum over kind)
{
	for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++)
		replay(state, kind, &sessions[i]);
}
DEFINE_BOTH(recorded_clients_get_the_recorded_answers)

/* Each row of the table must speak of something that was recorded: a row that does not would hide nothing. */
static void each_difference_is_about_a_recording(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++) {
		const struct difference *row = &differences[i];
		struct brine_buf s2c = read_side(row->session, "s2c");
		struct messages recorded;
		split(&recorded, brine_buf_bytes(&s2c));
		assert_true(!row->recorded || holds(&recorded, row->recorded));
		assert_true(!row->answer || !holds(&recorded, row->answer));
		messages_done(&recorded);
		brine_buf_done(&s2c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(recorded_clients_get_the_recorded_answers),
	        e2e_test(each_difference_is_about_a_recording),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
