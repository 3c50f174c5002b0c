/* Proves: programs that speak plain MessagePack-RPC and have never heard of Brine are answered by typed methods, each
 * listener as its options say; ids come back as they came, and nothing unasked is ever sent. */
#include "e2e/probe.h"
#include "unit/pyrepr.h"

#include "codec/scan.h"
#include "channel/channel.h"

static bool raw_read_one(int fd, struct brine_buf *into)
{
	char byte;
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	if (poll(&poller, 1, PATIENCE_MS) <= 0)
		fail_msg("the peer neither answered nor closed");
	return recv(fd, &byte, 1, 0) == 1 && brine_buf_append(into, &byte, 1) == 0;
}

/* Reads the next message of a plain peer, as text; NULL at the peer's end. The buffer is the caller's to end. */
static const char *read_message(int fd, struct brine_buf *text)
{
	struct brine_buf message = BRINE_BUF_INIT;
	struct brine_scan scan;
	brine_scan_init(&scan, BRINE_FRAME_DEPTH_MAX, 1 << 20);
	int ended = 0;
	while (ended == 0 && raw_read_one(fd, &message))
		ended = brine_scan_feed(&scan, message.data + message.end - 1, 1, NULL);
	const char *shown = ended > 0 ? repr(text, brine_buf_bytes(&message)) : NULL;
	brine_buf_done(&message);
	return shown;
}

/* Sends what is written as hex and expects that answer, as text; NULL: the connection ends. */
static void exchange(int fd, const char *hex, const char *answer)
{
	struct brine_buf text = BRINE_BUF_INIT;
	raw_send_hex(fd, hex);
	const char *got = read_message(fd, &text);
	if (!got != !answer || (got && strcmp(got, answer) != 0))
		fail_msg("%s: got %s instead of %s", hex, got ? got : "the end", answer ? answer : "the end");
	brine_buf_done(&text);
}

/* ---- listeners ---- */

enum listener { LISTENER_DEFAULT, LISTENER_TEXT, LISTENER_PAIR, LISTENER_REFUSING, LISTENERS };

static const char call_add[] = "9400 05 a3616464 92 02 03", added[] = "[1, 5, None, 5]";

/* One server with a listener of each kind; its own options say pairs, so that those of a listener are seen to win. */
static void listen_to_all(struct host *host, void **state, enum over kind, char addresses[LISTENERS][ADDRESS_SIZE])
{
	static const struct {
		int errors;
		bool refused;
	} rows[LISTENERS] = {[LISTENER_PAIR] = {BRINE_PLAIN_ERRORS_PAIR, false}, [LISTENER_REFUSING] = {0, true}};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.plain_errors = BRINE_PLAIN_ERRORS_PAIR;
	host_prepare(host, state, kind, &options);
	for (unsigned i = LISTENER_TEXT; i < LISTENERS; i++) {
		struct brine_listen_options listen = BRINE_LISTEN_OPTIONS_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		char address[ADDRESS_SIZE], name[16];
		snprintf(name, sizeof name, "socket%u", i);
		if (kind == OVER_UNIX)
			snprintf(address, sizeof address, "unix://%s", e2e_path(state, name));
		else
			snprintf(address, sizeof address, "tcp://127.0.0.1:0");
		listen.plain_errors = rows[i].errors;
		listen.plain_refused = rows[i].refused;
		if (brine_server_listen_as(host->server, address, &listen, &error) < 0)
			fail_msg("listen: %s", error.text);
	}
	for (unsigned i = 0; i < LISTENERS; i++)
		snprintf(addresses[i], ADDRESS_SIZE, "%s", brine_server_address(host->server, i));
}

/* Each kind of error, in the form that the listener gives it; their numbers are Neovim's. */
static void expect_answers(const char *address, bool pairs)
{
	static const struct {
		const char *call, *text, *pair;
	} rows[] = {
	        {call_add, "[1, 5, None, 5]", "[1, 5, None, 5]"},
	        {"9400 06 b063616c632e43616c632f526566757365 91 07", "[1, 6, 'refused\\n7', None]",
	         "[1, 6, [0, 'refused\\n7'], None]"},
	        {"9400 07 a178 90", "[1, 7, \"no such method: 'x'\", None]",
	         "[1, 7, [0, \"no such method: 'x'\"], None]"},
	        {"9400 08 a3616464 91 01", "[1, 8, 'takes 2 arguments, got 1', None]",
	         "[1, 8, [1, 'takes 2 arguments, got 1'], None]"},
	        {"9400 09 a3616464 01", "[1, 9, 'params: expected array, got int', None]",
	         "[1, 9, [1, 'params: expected array, got int'], None]"},
	};
	int fd = raw_connect(address);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		exchange(fd, rows[i].call, pairs ? rows[i].pair : rows[i].text);
	close(fd);
}

static void each_listener_has_its_options_over(void **state, enum over kind)
{
	struct host host;
	char addresses[LISTENERS][ADDRESS_SIZE];
	listen_to_all(&host, state, kind, addresses);
	host_launch(&host);
	expect_answers(addresses[LISTENER_DEFAULT], true);
	expect_answers(addresses[LISTENER_TEXT], false);
	expect_answers(addresses[LISTENER_PAIR], true);
	int fd = raw_connect(addresses[LISTENER_REFUSING]);
	exchange(fd, call_add, NULL);
	close(fd);
	for (unsigned i = 0; i < LISTENERS; i++) {
		struct brine_client *framed = client_of(addresses[i], NULL);
		int64_t sum;
		assert_int_equal(calc_call_add(framed, NULL, 2, 3, &sum), 0);
		assert_int_equal(sum, 5);
		brine_client_free(framed);
	}
	host_end(&host);
	assert_non_null(strstr(host.log, "plain MessagePack-RPC, which is refused here (plain_refused)"));
	host_free(&host);
}
DEFINE_BOTH(each_listener_has_its_options)

static void wrong_listen_options_are_named(void **state)
{
	struct brine_server *server;
	struct brine_listen_options options = BRINE_LISTEN_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	(void)state;
	assert_int_equal(brine_server_new(&server, NULL), 0);
	options.plain_errors = 2;
	assert_int_equal(brine_server_listen_as(server, "tcp://127.0.0.1:0", &options, &error), BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "plain_errors"));
	options = (struct brine_listen_options){0};
	assert_int_equal(brine_server_listen_as(server, "tcp://127.0.0.1:0", &options, &error), BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "BRINE_LISTEN_OPTIONS_INIT"));
	assert_null(brine_server_address(server, 0));
	assert_int_equal(brine_server_listen_as(server, "tcp://127.0.0.1:0", NULL, &error), 0);
	brine_server_free(server);
}

/* ---- shapes and ids ---- */

/* Any integer names a call, also one that is in use, and comes back in the very bytes in which it came. */
static void ids_come_back_as_they_came_over(void **state, enum over kind)
{
	static const char *const ids[] = {
	        "00",
	        "7f",
	        "ff",
	        "e0",
	        "cc05",
	        "cd0005",
	        "ce00000005",
	        "cf0000000000000005",
	        "cf0000000100000000",
	        "cfffffffffffffffff",
	        "d0ff",
	        "d1ffff",
	        "d2ffffffff",
	        "d3ffffffffffffffff",
	        "d38000000000000000",
	};
	struct host host;
	char hex[128];
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		snprintf(hex, sizeof hex, "9400 %s a3616464 92 02 03", ids[i]);
		raw_send_hex(fd, hex);
		raw_send_hex(fd, hex);
		snprintf(hex, sizeof hex, "9401 %s c0 05 9401 %s c0 05", ids[i], ids[i]);
		raw_expect_hex(fd, hex);
	}
	close(fd);
	host_stop(&host);
}
DEFINE_BOTH(ids_come_back_as_they_came)

/* Sends bytes written as hex, one by one. */
static void send_slowly(int fd, const char *hex)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	hex_append(&bytes, hex);
	for (size_t i = 0; i < brine_buf_size(&bytes); i++)
		raw_send(fd, bytes.data + bytes.start + i, 1);
	brine_buf_done(&bytes);
}

static void shapes_are_strict_over(void **state, enum over kind)
{
	static const struct {
		const char *what, *sent, *answer; /* NULL: the connection ends, without a byte */
	} rows[] = {
	        {"a method as bin", "9400 01 c403616464 92 02 03", "[1, 1, None, 5]"},
	        {"a notification first, as pynvim begins", "9302 c40e63616c632e43616c632f4e6f7465 90", ""},
	        {"a notification of no method", "9302 a178 90", ""},
	        {"a head of three bytes", "dc0004 00 01 a3616464 92 02 03", "[1, 1, None, 5]"},
	        {"a head of five bytes", "dd00000004 00 01 a3616464 92 02 03", "[1, 1, None, 5]"},
	        {"params nil", "9400 01 a3616464 c0", "[1, 1, 'takes 2 arguments, got 0', None]"},
	        {"a method that is no text", "9400 01 07 90", "[1, 1, 'method: expected str, got int', None]"},
	        {"a method without a name", "9400 01 a0 90",
	         "[1, 1, 'method name of 0 bytes, expected 1 to 255', None]"},
	        {"an answer to nothing", "9401 01 c0 02", ""},
	        {"a request with options", "9500 01 a3616464 92 02 03 80", NULL},
	        {"a request of three", "9300 01 a3616464", NULL},
	        {"a notification of four", "9402 a3616464 90 90", NULL},
	        {"an answer of three", "9301 01 c0", NULL},
	        {"type 3", "9303 01 c0", NULL},
	        {"a ping", "9312 01 c0", NULL},
	        {"a hello", "9310 80 c0", NULL},
	        {"a type that is text", "94 a3616464 01 a178 90", NULL},
	        {"an id that is a float", "9400 cb3ff0000000000000 a3616464 92 02 03", NULL},
	        {"an id that is nil", "9400 c0 a3616464 92 02 03", NULL},
	        {"0xc1 inside", "9400 c1", NULL},
	};
	struct host host;
	host_start(&host, state, kind, NULL);
	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		const char *sent = rows[i / 2].sent, *answer = rows[i / 2].answer;
		int fd = raw_connect(host.address);
		if (i % 2) {
			send_slowly(fd, sent);
			sent = "";
		}
		if (!answer || answer[0])
			exchange(fd, sent, answer);
		else
			raw_send_hex(fd, sent);
		if (answer)
			exchange(fd, call_add, added);
		close(fd);
	}
	assert_int_equal(atomic_load(&host.calc.notes), 2);
	/* A peer that opened as plain stays it. */
	int fd = raw_connect(host.address);
	exchange(fd, call_add, added);
	exchange(fd, "0a 94 00 05 a3616464 92 02 03", NULL);
	close(fd);
	host_stop(&host);
}
DEFINE_BOTH(shapes_are_strict)

/* A wrong argument is named by its parameter, a wrong number of them by both numbers; answers are bare values. */
static void typed_methods_serve_plain_callers_over(void **state, enum over kind)
{
	/* calc.Calc/Echo(id, symbol, price, quantity, urgent, parts, pair): the last may be absent. */
#define ECHO "ae63616c632e43616c632f4563686f "
	static const struct {
		const char *call, *answer;
	} rows[] = {
	        {"9400 01 " ECHO "97 07 a441434d45 cb3ff8000000000000 f6 c3 920102 920809",
	         "[1, 1, None, [7, 'ACME', 1.5, -10, True, [1, 2], [8, 9]]]"},
	        {"9400 02 " ECHO "96 07 a441434d45 01 f6 c3 90", "[1, 2, None, [7, 'ACME', 1.0, -10, True, []]]"},
	        {"9400 03 " ECHO "95 07 a441434d45 01 f6 c3", "[1, 3, 'takes 6 to 7 arguments, got 5', None]"},
	        {"9400 04 " ECHO "98 07 a441434d45 01 f6 c3 90 c0 c0", "[1, 4, 'takes 6 to 7 arguments, got 8', None]"},
	        {"9400 05 " ECHO "96 07 05 01 f6 c3 90",
	         "[1, 5, 'field symbol: expected string, got int at offset 2', None]"},
	        {"9400 06 " ECHO "96 ff a0 01 f6 c3 90",
	         "[1, 6, 'field id: -1 out of range 0..18446744073709551615 at offset 1', None]"},
	        {"9400 07 " ECHO "97 07 a0 01 f6 c3 9101 920101", "[1, 7, None, [7, '', 1.0, -10, True, [1], [1, 1]]]"},
	        {"9400 08 " ECHO "96 07 a0 01 f6 c3 9201a178",
	         "[1, 8, 'field parts[1]: expected int32, got str at offset 8', None]"},
	        {"9400 09 " ECHO "97 07 a0 01 f6 c3 90 9201a178",
	         "[1, 9, 'field pair.b: expected int64, got str at offset 9', None]"},
	        {"9400 0a a3616464 92 02 a23130", "[1, 10, 'field b: expected int64, got str at offset 2', None]"},
	};
#undef ECHO
	struct host host;
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		exchange(fd, rows[i].call, rows[i].answer);
	close(fd);
	host_stop(&host);
}
DEFINE_BOTH(typed_methods_serve_plain_callers)

/* ---- limits ---- */

static void calls_over_the_limit_are_answered_over(void **state, enum over kind)
{
	enum { RUNNING = 4, SENT = 1000 };
	static const char hold[] = "9400 07 ae63616c632e43616c632f486f6c64 90";
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.limits.calls_max = RUNNING;
	options.drain_ms = 100;
	host_start(&host, state, kind, &options);
	int fd = raw_connect(host.address);
	for (int i = 0; i < RUNNING; i++)
		raw_send_hex(fd, hold);
	wait_for_count(&host.calc.held_count, RUNNING);
	for (int i = RUNNING; i < SENT; i++)
		exchange(fd, hold, "[1, 7, 'too many calls in flight, not started', None]");
	close(fd);
	host_stop(&host);
	assert_int_equal(atomic_load(&host.calc.held_count), RUNNING);
}
DEFINE_BOTH(calls_over_the_limit_are_answered)

/* The size of a message is refused as soon as its heads say that it must be too big, not when it is. */
static void sizes_over_the_limit_end_it_over(void **state, enum over kind)
{
	enum { MAX = 4096, LEVELS = 32 };
	static const char *const claims[] = {
	        "9400 01 a3616464 91 da1000",     /* a text of 4,096 bytes, as the message may have in all */
	        "9400 01 a3616464 91 dbffffffff", /* of 4 GiB */
	        "9400 01 a3616464 dc1000",        /* 4,096 values, a byte each at least */
	        "9400 01 a3616464 91 de0800",     /* 2,048 pairs */
	        "9400 01 a3616464 91 c90000100001", "9400 01 da1000",
	};
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_buf message = BRINE_BUF_INIT, text = BRINE_BUF_INIT;
	options.limits.message_size_max = MAX;
	host_start(&host, state, kind, &options);
	for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
		int fd = raw_connect(host.address);
		exchange(fd, call_add, added);
		exchange(fd, claims[i], NULL);
		close(fd);
	}
	/* calc.Calc/Measure of as many bytes as fit. */
	hex_append(&message, "9400 01 b163616c632e43616c632f4d656173757265 91 c5");
	size_t left = MAX - brine_buf_size(&message) - 2;
	uint8_t size[] = {(uint8_t)(left >> 8), (uint8_t)left};
	brine_buf_append(&message, size, sizeof size);
	void *rest = brine_buf_reserve(&message, left);
	assert_non_null(rest);
	memset(rest, 'x', left);
	int fd = raw_connect(host.address);
	raw_send(fd, message.data + message.start, brine_buf_size(&message) + left);
	char expected[32];
	snprintf(expected, sizeof expected, "[1, 1, None, %zu]", left);
	assert_string_equal(read_message(fd, &text), expected);
	close(fd);
	brine_buf_done(&message);
	brine_buf_done(&text);
	host_stop(&host);
}
DEFINE_BOTH(sizes_over_the_limit_end_it)

/* Streams are what plain peers have not; they hear so. */
static void methods_with_streams_say_so_over(void **state, enum over kind)
{
#define STREAM_TEXT                                                                                                    \
	"'this method has a stream, which plain MessagePack-RPC has not: call it with a Brine client', None]"
	struct host host;
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	exchange(fd, "9400 01 af63616c632e43616c632f5761746368 90", "[1, 1, " STREAM_TEXT);
	exchange(fd, "9400 02 b063616c632e43616c632f55706c6f6164 90", "[1, 2, " STREAM_TEXT);
	close(fd);
	host_stop(&host);
#undef STREAM_TEXT
}
DEFINE_BOTH(methods_with_streams_say_so)

/* Requests without end and answers that are never read, unknown methods included: the server stops reading at its mark
 * and cuts the connection in the end; what it holds is bounded, and others are served. */
static void never_reading_is_bounded_over(void **state, enum over kind)
{
	enum {
		MARK = 64 << 10,
		ROUNDS = 2000,
		/* Output up to its mark and what one turn adds, what is left of one read and the next one, each in a
		 * buffer that doubles as it grows; what the loop reads into; the rest of two connections. However much
		 * the kernel holds. */
		HELD_MOST = 2 * MARK + 4 * BRINE_INPUT_SIZE + BRINE_INPUT_SIZE + (64 << 10),
	};
	static const char round[] =
	        "9400 01 a3616464 92 02 03 9400 02 a178 90 9400 03 b063616c632e43616c632f526566757365 91 07";
	struct host host;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_buf burst = BRINE_BUF_INIT, got = BRINE_BUF_INIT;
	struct probe probe;
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	options.limits.output_mark = MARK;
	options.limits.stuck_output_ms = 150;
	host_start(&host, state, kind, &options);
	probe_begin(&probe, host.address);
	for (int i = 0; i < ROUNDS; i++)
		hex_append(&burst, round);
	int fd = raw_connect(host.address);
	/* Until the server takes no more, and has cut the connection. */
	for (size_t at = 0; atomic_load(&host.log_lines) == 0;) {
		ssize_t sent = send(fd, burst.data + burst.start + at, brine_buf_size(&burst) - at,
		                    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0)
			at = (at + (size_t)sent) % brine_buf_size(&burst);
		else
			poll(NULL, 0, 1);
	}
	probe_end(&probe);
	raw_read_to_end(fd, &got);
	close(fd);
	host_end(&host);
	expect_cut_off(&host, kind);
	host_free(&host);
	brine_buf_done(&burst);
	brine_buf_done(&got);
	assert_in_range(allocator.fail.held_most, 1, HELD_MOST);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(never_reading_is_bounded)

/* ---- silence ---- */

/* What became of a handler's call to its own caller, and of its notification. */
struct asked {
	int called, notified;
};

static int ask_the_caller(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct asked *asked = user;
	struct brine_client *caller = brine_request_client(request);
	(void)params;
	asked->called = brine_client_call_raw(caller, NULL, "sum", BRINE_BYTES("\x90", 1));
	asked->notified = brine_client_notify_raw(caller, NULL, "note", BRINE_BYTES("\x90", 1));
	return 0;
}

/* A handler that calls its caller is refused where that is plain: it would hear what it did not ask for. */
static void plain_callers_are_not_called_over(void **state, enum over kind)
{
	struct host host;
	struct asked asked = {0, 0};
	struct brine_buf got = BRINE_BUF_INIT;
	host_prepare(&host, state, kind, NULL);
	assert_int_equal(
	        brine_server_serve_raw_as(host.server, "ask", BRINE_METHOD_BLOCKING, ask_the_caller, &asked, NULL), 0);
	host_launch(&host);
	int fd = raw_connect(host.address);
	exchange(fd, "9400 01 a361736b 90", "[1, 1, None, None]");
	shutdown(fd, SHUT_WR);
	raw_read_to_end(fd, &got);
	assert_int_equal(brine_buf_size(&got), 0);
	brine_buf_done(&got);
	close(fd);
	host_stop(&host);
	assert_int_equal(asked.called, BRINE_ERR_STATE);
	assert_int_equal(asked.notified, BRINE_ERR_STATE);
}
DEFINE_BOTH(plain_callers_are_not_called)

/* Nothing unasked: not on connecting, not beside an answer, not after a fault of the peer, not when the server ends. */
static void nothing_unasked_is_sent_over(void **state, enum over kind)
{
	struct host host;
	struct brine_buf got = BRINE_BUF_INIT;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.drain_ms = 100;
	host_start(&host, state, kind, &options);
	int quiet = raw_connect(host.address), faulty = raw_connect(host.address), waiting = raw_connect(host.address);
	exchange(quiet, call_add, added);
	exchange(faulty, call_add, added);
	raw_send_hex(faulty, "9400c1");
	raw_read_to_end(faulty, &got);
	raw_send_hex(waiting, "9400 01 ae63616c632e43616c632f486f6c64 90");
	wait_for_count(&host.calc.held_count, 1);
	brine_server_stop(host.server);
	raw_read_to_end(quiet, &got);
	assert_int_equal(brine_buf_size(&got), 0);
	/* Who waits is told the one thing that was asked for. */
	exchange(waiting, "", "[1, 1, 'cancelled', None]");
	raw_read_to_end(waiting, &got);
	assert_int_equal(brine_buf_size(&got), 0);
	brine_buf_done(&got);
	close(quiet);
	close(faulty);
	close(waiting);
	host_join(&host);
	host_free(&host);
}
DEFINE_BOTH(nothing_unasked_is_sent)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(each_listener_has_its_options),     e2e_test(wrong_listen_options_are_named),
	        BOTH(ids_come_back_as_they_came),        BOTH(shapes_are_strict),
	        BOTH(typed_methods_serve_plain_callers), BOTH(calls_over_the_limit_are_answered),
	        BOTH(sizes_over_the_limit_end_it),       BOTH(methods_with_streams_say_so),
	        BOTH(never_reading_is_bounded),          BOTH(plain_callers_are_not_called),
	        BOTH(nothing_unasked_is_sent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
