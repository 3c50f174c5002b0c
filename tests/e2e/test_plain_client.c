/* Proves: a client of plain MessagePack-RPC sends exactly what such peers read, takes every form of their answers,
 * drops what comes late, refuses what would hurt before it is sent; and a client whose peer does not speak what was
 * asked for says what it speaks and what to do. */
#include "harness.h"

/* ---- a peer that answers with given bytes ---- */

struct stranger {
	int listener;
	char address[ADDRESS_SIZE]; /* "127.0.0.1:1", "/path" */
	const char *answer;         /* bytes for the first connection */
	size_t answer_size;
	bool waits; /* sends the answer only once something came */
	bool stays; /* does not close before the client does */
	struct brine_buf got;
	pthread_t thread;
};

static void *stranger_run(void *argument)
{
	struct stranger *stranger = argument;
	int fd = accept4(stranger->listener, NULL, NULL, SOCK_CLOEXEC);
	char input[4096];
	ssize_t size = stranger->waits ? recv(fd, input, sizeof input, 0) : 0;
	if (size > 0)
		brine_buf_append(&stranger->got, input, (size_t)size);
	raw_send(fd, stranger->answer, stranger->answer_size);
	if (!stranger->stays)
		shutdown(fd, SHUT_WR);
	while ((size = recv(fd, input, sizeof input, 0)) > 0)
		brine_buf_append(&stranger->got, input, (size_t)size);
	close(fd);
	return NULL;
}

static void stranger_start(struct stranger *stranger, void **state, enum over kind)
{
	struct brine_addr addr;
	char address[ADDRESS_SIZE];
	address_over(state, kind, address);
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_LISTEN, NULL), 0);
	stranger->got = (struct brine_buf)BRINE_BUF_INIT;
	stranger->listener = socket(addr.sockaddr.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(stranger->listener, &addr.sockaddr.u.any, addr.sockaddr.size), 0);
	assert_int_equal(listen(stranger->listener, 1), 0);
	assert_int_equal(brine_socket_local(stranger->listener, &addr.sockaddr), 0);
	brine_sockaddr_format(address, sizeof address, &addr.sockaddr);
	snprintf(stranger->address, sizeof stranger->address, "%s", strstr(address, "://") + 3);
	assert_int_equal(pthread_create(&stranger->thread, NULL, stranger_run, stranger), 0);
}

static void stranger_finish(struct stranger *stranger)
{
	pthread_join(stranger->thread, NULL);
	close(stranger->listener);
	brine_buf_done(&stranger->got);
}

static struct brine_client *client_to(const struct stranger *stranger, const char *scheme,
                                      const struct brine_client_options *options)
{
	char address[ADDRESS_SIZE + 32];
	snprintf(address, sizeof address, "%s://%s", scheme, stranger->address);
	return client_of(address, options);
}

/* ---- strangers are named ---- */

struct row {
	const char *answer;
	size_t size;
	int status;
	const char *text;
};
#define ROW(bytes, status, text)                                                                                       \
	{                                                                                                              \
		"" bytes, sizeof(bytes) - 1, status, text                                                              \
	}

static const struct row others[] = {
        ROW("HTTP/1.1 400 Bad Request\r\n\r\n", BRINE_ERR_NOT_BRINE, "it looks like an HTTP response"),
        ROW("\x15\x03\x01\x00\x02\x02\x46", BRINE_ERR_NOT_BRINE, "it looks like a TLS alert"),
        ROW("SSH-2.0-OpenSSH_9.2\r\n", BRINE_ERR_NOT_BRINE, "it looks like an SSH banner"),
        ROW("-ERR unknown command\r\n", BRINE_ERR_NOT_BRINE, "it looks like an error of Redis"),
        ROW("220 mail.example ESMTP\r\n", BRINE_ERR_NOT_BRINE, "the greeting of a mail or file server"),
        ROW("+OK ready\r\n", BRINE_ERR_NOT_BRINE, "the greeting of a mail server"),
        ROW("ERROR\r\n", BRINE_ERR_NOT_BRINE, "it looks like an error of memcached"),
        ROW("AMQP\x00\x00\x09\x01", BRINE_ERR_NOT_BRINE, "it looks like AMQP"),
        ROW("RFB 003.008\n", BRINE_ERR_NOT_BRINE, "it looks like a VNC greeting"),
        ROW("Content-Length: 40\r\n\r\n{}", BRINE_ERR_NOT_BRINE, "the header of a language server's message"),
        ROW("{\"error\":1}", BRINE_ERR_NOT_BRINE, "it looks like JSON"),
        ROW("\xff\xff\xff\xff", BRINE_ERR_NOT_BRINE, "it looks like another protocol"),
};

/* Calls once; how it ended and what it says. Peers that answer at once, and those that wait for a word, are told alike.
 */
static void meet(void **state, enum over kind, const char *scheme, const struct row *row, const char *advice)
{
	for (int waits = 0; waits < 2; waits++) {
		struct stranger stranger = {
		        .answer = row->answer, .answer_size = row->size, .waits = waits, .stays = true};
		struct brine_call call = BRINE_CALL_INIT;
		stranger_start(&stranger, state, kind);
		struct brine_client *client = client_to(&stranger, scheme, NULL);
		call.timeout_ms = PATIENCE_MS;
		int status = brine_client_call_raw(client, &call, "x", BRINE_BYTES(NULL, 0));
		if (status != row->status)
			fail_msg("%d, not %d: %s", status, row->status, brine_call_error_text(&call));
		expect_in(brine_call_error_text(&call), scheme);
		expect_in(brine_call_error_text(&call), row->text);
		expect_in(brine_call_error_text(&call), advice);
		brine_call_done(&call);
		brine_client_free(client);
		stranger_finish(&stranger);
		if (kind == OVER_UNIX)
			unlink(stranger.address);
	}
}

static void strangers_are_named_over(void **state, enum over kind)
{
	const char *schemes[][2] = {{"tcp", "msgpack-rpc"}, {"unix", "msgpack-rpc+unix"}};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		for (int plain = 0; plain < 2; plain++)
			meet(state, kind, schemes[kind == OVER_UNIX][plain], &others[i],
			     "is this the address of the right program?");
}
DEFINE_BOTH(strangers_are_named)

/* The other one of our own two wires: the address to use is told. */
static void the_other_wire_is_named_over(void **state, enum over kind)
{
	/* What Neovim says to a hello, a response, a notification; a welcome and a response in frames. */
	static const struct row plain[] = {
	        ROW("\x94\x01\x00\x92\x01\xb7Message is not an array\xc0", BRINE_ERR_NOT_BRINE,
	            "the peer speaks plain MessagePack-RPC, which was not asked for"),
	        ROW("\x93\x02\xa1x\x90", BRINE_ERR_NOT_BRINE, "the peer speaks plain MessagePack-RPC"),
	};
	static const struct row framed[] = {
	        ROW("\x06\x92\x11\x81\xa1v\x01", BRINE_ERR_NOT_BRINE,
	            "the peer speaks frames, which was not asked for"),
	        ROW("\x05\x94\x01\x01\xc0\x05", BRINE_ERR_NOT_BRINE, "the peer speaks frames"),
	};
	bool is_unix = kind == OVER_UNIX;
	for (size_t i = 0; i < 2; i++) {
		meet(state, kind, is_unix ? "unix" : "tcp", &plain[i],
		     is_unix ? ": use msgpack-rpc+unix:// instead of unix://"
		             : ": use msgpack-rpc:// instead of tcp://");
		meet(state, kind, is_unix ? "msgpack-rpc+unix" : "msgpack-rpc", &framed[i],
		     is_unix ? ": use unix:// instead of msgpack-rpc+unix://"
		             : ": use tcp:// instead of msgpack-rpc://");
	}
}
DEFINE_BOTH(the_other_wire_is_named)

/* One that closes without a word, as a Brine server does that refuses plain peers. */
static void silence_is_told_over(void **state, enum over kind)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct host host;
	int64_t sum;
	options.plain_refused = true;
	host_start(&host, state, kind, &options);
	char address[ADDRESS_SIZE + 16];
	struct brine_client *client = client_of(plain_address(&host, address), NULL);
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), BRINE_ERR_LOST);
	expect_in(brine_call_error_text(&call), "it never said a word: does it speak plain MessagePack-RPC?");
	brine_client_free(client);
	host_stop(&host);
	brine_call_done(&call);
}
DEFINE_BOTH(silence_is_told)

/* Calls one that says nothing at all. False: the deadline passed before the call was sent. */
static bool meet_silence(void **state, enum over kind, int plain, uint64_t timeout_ms)
{
	struct stranger stranger = {.waits = true, .stays = true};
	const char *schemes[][2] = {{"tcp", "msgpack-rpc"}, {"unix", "msgpack-rpc+unix"}};
	struct brine_call call = BRINE_CALL_INIT;
	char within[64];
	if (kind == OVER_UNIX)
		unlink(e2e_path(state, "socket"));
	stranger_start(&stranger, state, kind);
	struct brine_client *client = client_to(&stranger, schemes[kind == OVER_UNIX][plain], NULL);
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	call.timeout_ms = timeout_ms;
	assert_int_equal(brine_client_call_raw(client, &call, "x", BRINE_BYTES(NULL, 0)), BRINE_ERR_DEADLINE);
	bool met = strstr(brine_call_error_text(&call), "no answer from");
	if (met) {
		snprintf(within, sizeof within, "within %d ms; it never said a word: does it speak ", (int)timeout_ms);
		expect_in(brine_call_error_text(&call), within);
		expect_in(brine_call_error_text(&call), plain ? "plain MessagePack-RPC?" : "Brine?");
	}
	brine_call_done(&call);
	brine_client_free(client);
	stranger_finish(&stranger);
	return met;
}

/* The deadline tells as much, in frames too. */
static void silence_without_end_is_told_over(void **state, enum over kind)
{
	for (int plain = 0; plain < 2; plain++)
		for (uint64_t ms = 50; !meet_silence(state, kind, plain, ms); ms = twice_as_long(ms))
			;
}
DEFINE_BOTH(silence_without_end_is_told)

/* Over a descriptor the option says what is spoken, and the advice names it. */
static void descriptors(void **state)
{
	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		struct brine_client *client;
		int fds[2];
		options.plain = plain;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		assert_int_equal(brine_client_open_fd(&client, fds[0], &options, NULL), 0);
		assert_int_equal(brine_client_begin_raw(client, &call, "x", BRINE_BYTES(NULL, 0)), 0);
		raw_send_hex(fds[1], plain ? "05 94 01 01 c0 05" : "94 01 01 c0 05");
		assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_NOT_BRINE);
		expect_in(brine_call_error_text(&call),
		          plain ? "leave `plain` out of the client's options" : "set `plain` in the client's options");
		brine_call_done(&call);
		brine_client_free(client);
		close(fds[1]);
	}
}

/* ---- what goes over the wire ---- */

/* A plain client over one end of a pair, and the other end. */
static struct brine_client *plain_pair(int *ret_fd, const struct brine_client_options *given)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	int fds[2];
	if (given)
		options = *given;
	options.plain = true;
	options.limits.linger_ms = 10;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], &options, NULL), 0);
	*ret_fd = fds[1];
	return client;
}

/* Ids count from 1, there is no hello, no deadline and no cancel; what is late is dropped. */
static void only_three_messages(void **state)
{
	int fd;
	(void)state;
	struct brine_client *client = plain_pair(&fd, NULL);
	struct brine_call call = BRINE_CALL_INIT, other = BRINE_CALL_INIT;
	uint64_t ms = 50;
	/* The id of one that was not sent in time is not used up. */
	do {
		call.timeout_ms = ms;
		assert_int_equal(brine_client_call_raw(client, &call, "one", BRINE_BYTES("\x91\x07", 2)),
		                 BRINE_ERR_DEADLINE);
		ms = twice_as_long(ms);
	} while (!strstr(brine_call_error_text(&call), "no answer from"));
	raw_expect_hex(fd, "94 00 01 a3 6f 6e 65 91 07");
	assert_int_equal(brine_client_begin_raw(client, &other, "two", BRINE_BYTES(NULL, 0)), 0);
	brine_call_cancel(&other);
	raw_expect_hex(fd, "94 00 02 a3 74 77 6f 90");
	assert_int_equal(brine_client_notify_raw(client, NULL, "note", BRINE_BYTES("\x91\xc3", 2)), 0);
	raw_expect_hex(fd, "93 02 a4 6e 6f 74 65 91 c3");
	/* The answers to both come now, and one to nobody; the third call has its own. */
	call.timeout_ms = 0;
	assert_int_equal(brine_client_begin_raw(client, &call, "three", BRINE_BYTES(NULL, 0)), 0);
	raw_expect_hex(fd, "94 00 03 a5 74 68 72 65 65 90");
	raw_send_hex(fd, "94 01 01 c0 0b 94 01 02 c0 16 94 01 63 c0 21 94 01 00 c0 00 94 01 03 c0 2c");
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	assert_int_equal(*(const uint8_t *)brine_call_result(&call).data, 44);
	brine_call_done(&call);
	brine_call_done(&other);
	brine_client_free(client);
	close(fd);
}

/* Values come as they are: ext types of any number, str that is no UTF-8, bin. */
static void values_pass_through(void **state)
{
	static const char *const values[] = {"d4 00 05",
	                                     "d5 01 cd 03",
	                                     "c7 03 02 ce 00 01",
	                                     "c7 01 ff 00",
	                                     "d6 7f 00 01 02 03",
	                                     "a4 63 61 66 e9",
	                                     "d9 02 ff fe",
	                                     "c4 03 00 ff 61",
	                                     "82 a1 ff 01 05 d4 00 01",
	                                     "cf ff ff ff ff ff ff ff ff",
	                                     "d3 80 00 00 00 00 00 00 00",
	                                     "c0"};
	int fd;
	(void)state;
	struct brine_client *client = plain_pair(&fd, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		struct brine_buf value = BRINE_BUF_INIT, params = BRINE_BUF_INIT;
		hex_append(&value, values[i]);
		hex_append(&params, "91");
		hex_append(&params, values[i]);
		assert_int_equal(brine_client_begin_raw(client, &call, "v", brine_buf_bytes(&params)), 0);
		char expected[96];
		snprintf(expected, sizeof expected, "94 00 %02zx a1 76 91 %s", i + 1, values[i]);
		raw_expect_hex(fd, expected);
		snprintf(expected, sizeof expected, "94 01 %02zx c0 %s", i + 1, values[i]);
		raw_send_hex(fd, expected);
		assert_int_equal(brine_call_finish(&call, NULL), 0);
		assert_int_equal(brine_call_result(&call).size, brine_buf_size(&value));
		assert_memory_equal(brine_call_result(&call).data, brine_buf_bytes(&value).data,
		                    brine_buf_size(&value));
		brine_buf_done(&value);
		brine_buf_done(&params);
	}
	brine_call_done(&call);
	brine_client_free(client);
	close(fd);
}

/* Peers put anything where the error stands. */
static void errors_of_any_shape(void **state)
{
	static const struct {
		const char *error;
		int64_t code;
		const char *text;
		size_t data_size;
	} rows[] = {
	        {"a4 6f 6f 70 73", 0, "oops", 0},                   /* "oops" */
	        {"c4 04 6f 6f 70 73", 0, "oops", 0},                /* the same as bin */
	        {"92 00 a4 6f 6f 70 73", 0, "oops", 0},             /* [0, "oops"]: Neovim */
	        {"92 01 a4 6f 6f 70 73", 1, "oops", 0},             /* [1, "oops"] */
	        {"93 cd 03 e8 a4 6f 6f 70 73 07", 1000, "oops", 1}, /* [1000, "oops", 7] */
	        {"2a", 42, "", 0},                                  /* 42 */
	        {"ff", -1, "", 0},                                  /* -1 */
	        {"c3", 0, "", 1},                                   /* true */
	        {"81 a4 63 6f 64 65 05", 0, "", 7},                 /* {"code": 5} */
	        {"90", 0, "", 1},                                   /* [] */
	        {"92 a1 61 a1 62", 0, "", 5},                       /* ["a", "b"] */
	        {"92 03 a4 6c 61 74 65", 3, "late", 0},             /* no deadline of ours: an error of its own */
	        {"a4 6f 1b 70 73", 0, "o\\x1bps", 0},               /* shown escaped */
	};
	int fd;
	(void)state;
	struct brine_client *client = plain_pair(&fd, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char answer[96];
		assert_int_equal(brine_client_begin_raw(client, &call, "e", BRINE_BYTES(NULL, 0)), 0);
		/* A result beside the error counts for nothing. */
		snprintf(answer, sizeof answer, "94 01 %02zx %s %s", i + 1, rows[i].error, i % 2 ? "c0" : "05");
		raw_send_hex(fd, answer);
		assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_REMOTE);
		assert_int_equal(brine_call_code(&call), rows[i].code);
		assert_int_equal(brine_call_error_data(&call).size, rows[i].data_size);
		assert_int_equal(brine_call_result(&call).size, 0);
		expect_in(brine_call_error_text(&call), rows[i].text);
	}
	brine_call_done(&call);
	brine_client_free(client);
	close(fd);
}

/* What is too big, too deep or no array is refused here, and the peer sees none of it. */
static void refused_before_sending(void **state)
{
	int fd;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	(void)state;
	options.limits.message_size_max = 4096;
	struct brine_client *client = plain_pair(&fd, &options);
	struct brine_call call = BRINE_CALL_INIT;
	static uint8_t big[8192] = {0x91, 0xc5, 0x10, 0x00};
	assert_int_equal(brine_client_call_raw(client, &call, "x", BRINE_BYTES(big, 4 + 4096)), BRINE_ERR_TOO_BIG);
	expect_in(brine_call_error_text(&call), "4096");
	assert_int_equal(brine_client_notify_raw(client, NULL, "x", BRINE_BYTES(big, 4 + 4096)), BRINE_ERR_TOO_BIG);
	uint8_t deep[40];
	memset(deep, 0x91, sizeof deep);
	deep[31] = 0x01;
	assert_int_equal(brine_client_begin_raw(client, &call, "x", BRINE_BYTES(deep, 32)), 0);
	brine_call_done(&call);
	deep[31] = 0x91;
	deep[32] = 0x01;
	assert_int_equal(brine_client_call_raw(client, &call, "x", BRINE_BYTES(deep, 33)), BRINE_ERR_INVALID);
	assert_int_equal(brine_client_call_raw(client, &call, "x", BRINE_BYTES("\x01", 1)), BRINE_ERR_INVALID);
	assert_int_equal(brine_client_call_raw(client, &call, "", BRINE_BYTES(NULL, 0)), BRINE_ERR_INVALID);
	/* A stream needs frames. */
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_WATCH], &(struct calc_number){1}),
	                 BRINE_ERR_UNSUPPORTED);
	expect_in(brine_call_error_text(&call), "streams need a framed peer");
	/* All that came is the call of 31 levels. */
	struct brine_buf got = BRINE_BUF_INIT;
	brine_call_done(&call);
	brine_client_free(client);
	raw_read_to_end(fd, &got);
	assert_int_equal(brine_buf_size(&got), 5 + 32);
	brine_buf_done(&got);
	close(fd);
}

/* An answer that is too big or no message ends the connection, and the calls say so. */
static void broken_answers(void **state)
{
	static const struct {
		const char *hex;
		int status;
		const char *text;
	} rows[] = {
	        {"94 01 01 c0 c5 20 00", BRINE_ERR_LOST, "8"},      /* 8 KiB, of 4 */
	        {"94 01 01 c0 dd ff ff ff ff", BRINE_ERR_LOST, ""}, /* four thousand million elements */
	        {"94 01 01 c0 c1", BRINE_ERR_LOST, ""},             /* no MessagePack */
	        {"93 01 01 c0", BRINE_ERR_LOST, ""},                /* a response of three */
	        {"94 05 01 c0 c0", BRINE_ERR_LOST, ""},             /* an unknown type */
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		int fd;
		options.limits.message_size_max = 4096;
		struct brine_client *client = plain_pair(&fd, &options);
		assert_int_equal(brine_client_begin_raw(client, &call, "x", BRINE_BYTES(NULL, 0)), 0);
		raw_send_hex(fd, rows[i].hex);
		assert_int_equal(brine_call_finish(&call, NULL), rows[i].status);
		expect_in(brine_call_error_text(&call), rows[i].text);
		brine_call_done(&call);
		brine_client_free(client);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(strangers_are_named),         BOTH(the_other_wire_is_named), BOTH(silence_is_told),
	        BOTH(silence_without_end_is_told), e2e_test(descriptors),         e2e_test(only_three_messages),
	        e2e_test(values_pass_through),     e2e_test(errors_of_any_shape), e2e_test(refused_before_sending),
	        e2e_test(broken_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
