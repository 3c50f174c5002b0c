/* Proves: typed and untyped calls over TCP and Unix sockets give values, errors, typed error data, deadlines and texts
 * that say what happened; memory belongs to the call. */
#include "harness.h"

static void values_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	assert_int_equal(sum, 5);
	assert_string_equal(brine_call_error_text(&call), "success");
	assert_int_equal(calc_call_add(client, &call, INT64_MIN, 7, &sum), 0);
	assert_true(sum == INT64_MIN + 7);

	int32_t parts[3] = {1, -2, 300000};
	struct calc_pair pair = {8, 9};
	struct calc_order order = {.id = UINT64_MAX,
	                           .symbol = BRINE_STR("ACME \xc3\xa9"),
	                           .price = 1.5,
	                           .quantity = -10,
	                           .urgent = true,
	                           .parts = parts,
	                           .part_count = 3,
	                           .pair = &pair};
	struct calc_order answer;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_ECHO], &order, &answer), 0);
	assert_true(answer.id == UINT64_MAX && answer.price == 1.5 && answer.quantity == -10 && answer.urgent);
	assert_true(brine_str_equal(answer.symbol, order.symbol));
	assert_int_equal(answer.part_count, 3);
	assert_memory_equal(answer.parts, parts, sizeof parts);
	assert_true(answer.pair->a == 8 && answer.pair->b == 9);
	/* What the answer points to belongs to the call, not to the client. */
	brine_client_free(client);
	assert_true(brine_str_equal(answer.symbol, order.symbol));
	brine_call_done(&call);
	brine_call_done(NULL);
	host_stop(&host);
}
DEFINE_BOTH(values)

static void many_over(void **state, enum over kind)
{
	struct host host;
	struct fail_allocator allocator;
	fail_allocator_init(&allocator, 0, false);
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.allocator = &allocator.base;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, &options);
	struct brine_call call = BRINE_CALL_INIT;
	uint64_t steady = 0;
	for (int i = 0; i < 500; i++) {
		int64_t sum;
		assert_int_equal(calc_call_add(client, &call, i, 1, &sum), 0);
		assert_int_equal(sum, i + 1);
		if (i == 9)
			steady = allocator.calls;
	}
	/* No allocation once everything has its size. */
	assert_int_equal(allocator.calls, steady);
	brine_client_free(client);
	brine_call_done(&call);
	assert_int_equal(allocator.held, 0);
	host_stop(&host);
}
DEFINE_BOTH(many)

static void untyped_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES("\x92\x02\x03", 3)), 0);
	assert_int_equal(brine_call_result(&call).size, 1);
	assert_memory_equal(brine_call_result(&call).data, "\x05", 1);
	/* What is not one encoded array never reaches the wire. */
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES("\x02", 1)), BRINE_ERR_INVALID);
	assert_string_equal(brine_call_error_text(&call), "params are not one encoded array");
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES("\x92\x02", 2)), BRINE_ERR_INVALID);
	call.metadata = BRINE_BYTES("\x90", 1);
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES("\x92\x02\x03", 3)),
	                 BRINE_ERR_INVALID);
	call.metadata = BRINE_BYTES("\x81\xa1k\xa1v", 5);
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES("\x92\x02\x03", 3)), 0);
	/* No params are an empty array; framed calls take missing arguments as zero. */
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES(NULL, 0)), 0);
	assert_memory_equal(brine_call_result(&call).data, "\x00", 1);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(untyped)

static void without_call_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	int64_t sum;
	assert_int_equal(calc_call_add(client, NULL, 20, 22, &sum), 0);
	assert_int_equal(sum, 42);
	/* A response with views would point to memory that nobody owns. */
	struct calc_order order = {.id = 1}, answer;
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_ECHO], &order, &answer), BRINE_ERR_INVALID);
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_ECHO], &order, NULL), 0);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(without_call)

static void errors_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number number = {4711};
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_REFUSE], &number, &number),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(number.value, 4711);
	assert_int_equal(brine_call_status(&call), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), 4711);
	assert_string_equal(brine_call_error_text(&call), "refused\\n4711 (error 4711 from the server)");
	struct calc_pair pair;
	assert_int_equal(brine_call_error_loads(&call, &calc_pair_type, &pair), 0);
	assert_true(pair.a == 4711 && pair.b == -4711);

	/* Two codes have a status of their own; what the server says of them is kept as well. */
	number.value = BRINE_CODE_DEADLINE;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_REFUSE], &number, NULL),
	                 BRINE_ERR_DEADLINE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_DEADLINE);
	assert_string_equal(brine_call_error_text(&call), "refused\\n3 (error 3 from the server)");
	number.value = BRINE_CODE_CANCELLED;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_REFUSE], &number, NULL),
	                 BRINE_ERR_CANCELLED);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_CANCELLED);
	assert_string_equal(brine_call_error_text(&call), "refused\\n4 (error 4 from the server)");
	assert_int_equal(brine_call_error_loads(&call, &calc_pair_type, &pair), 0);
	assert_true(pair.a == 4 && pair.b == -4);

	/* A handler that ends with a code of its own says nothing to the peer but "internal"; the log has the reason.
	 */
	struct calc_nothing nothing = {0};
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_BROKEN], &nothing, NULL),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_INTERNAL);
	assert_string_equal(brine_call_error_text(&call), "internal error (error 10 from the server)");
	assert_int_equal(brine_call_error_data(&call).size, 0);
	assert_int_equal(brine_call_error_loads(&call, &calc_pair_type, &pair), BRINE_ERR_NOT_FOUND);

	/* C27: the second answer is refused, the first one stands. */
	number.value = 6;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_TWICE], &number, &number), 0);
	assert_int_equal(number.value, 6);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
	assert_int_equal(host.calc.release_status, BRINE_ERR_STATE);
	assert_non_null(strstr(host.log, "'calc.Calc/Broken'"));
	assert_non_null(strstr(host.log, "out of memory"));
}
DEFINE_BOTH(errors)

/* C13 C14: names that no handler has. */
static void unknown_methods_over(void **state, enum over kind)
{
	static const char *const names[] = {"", "nobody", "/../../etc", "a\nb\x1b[2J", "\xff\xfe", "calc.Calc/Ech"};
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(brine_client_call_raw(client, &call, names[i], BRINE_BYTES("\x90", 1)),
		                 BRINE_ERR_REMOTE);
		assert_int_equal(brine_call_code(&call), BRINE_CODE_NO_METHOD);
		for (const char *at = brine_call_error_text(&call); *at; at++)
			assert_true((unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f);
	}
	assert_string_equal(brine_call_error_text(&call), "no such method: 'calc.Calc/Ech' (error 2 from the server)");
	char longest[256];
	memset(longest, 'm', 255);
	longest[255] = '\0';
	assert_int_equal(brine_client_call_raw(client, &call, longest, BRINE_BYTES("\x90", 1)), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_NO_METHOD);
	longest[128] = '\0';
	assert_null(strstr(brine_call_error_text(&call), longest));
	longest[120] = '\0';
	assert_non_null(strstr(brine_call_error_text(&call), longest));
	/* Too long or empty for the wire: refused here. */
	assert_int_equal(brine_client_call_raw(client, &call, names[0], BRINE_BYTES("\x90", 1)), BRINE_ERR_INVALID);
	/* A service whose handler is missing answers the same. */
	struct calc_nothing nothing = {0};
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MISSING], &nothing, NULL),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_NO_METHOD);
	assert_int_equal(calc_call_add(client, &call, 1, 1, &sum), 0);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(unknown_methods)

/* WIRE.md section 7: methods with streams, called without; and the other way round. */
static void streams_are_refused_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_nothing nothing = {0};
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_WATCH], &nothing, NULL), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_UNSUPPORTED);
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_UPLOAD], &nothing, NULL),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_INVALID);
	brine_call_done(&call);
	brine_client_free(client);
	int fd = raw_connect(host.address);
	/* [0, 5, "add", [2, 3], {"up": true}] */
	raw_send_hex(fd, "0f 95 00 05 a3 61 64 64 92 02 03 81 a2 75 70 c3");
	struct brine_buf answer = BRINE_BUF_INIT;
	assert_true(raw_read(fd, &answer, 7));
	assert_memory_equal((char *)answer.data + 1, "\x94\x01\x05\x92\x01", 5);
	brine_buf_done(&answer);
	close(fd);
	host_stop(&host);
}
DEFINE_BOTH(streams_are_refused)

/* C16: notifications are never answered; those nobody takes are dropped and counted. */
static void notifications_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_nothing nothing = {0};
	struct calc_number number = {100};
	assert_int_equal(brine_client_notify(client, &call, &calc_methods[CALC_NOTE], &nothing), 0);
	assert_int_equal(brine_client_notify(client, NULL, &calc_methods[CALC_NOTE], &nothing), 0);
	assert_int_equal(brine_client_notify_raw(client, NULL, "calc.Calc/Note", BRINE_BYTES(NULL, 0)), 0);
	wait_for_count(&host.calc.notes, 3);
	assert_int_equal(brine_client_notify_raw(client, NULL, "nobody\n", BRINE_BYTES(NULL, 0)), 0);
	assert_int_equal(brine_client_notify(client, NULL, &calc_methods[CALC_REFUSE], &number), 0);
	assert_int_equal(brine_client_notify(client, NULL, &calc_methods[CALC_BROKEN], &nothing), 0);
	assert_int_equal(brine_client_notify_raw(client, NULL, "add", BRINE_BYTES("\x91\xa1x", 3)), 0);
	/* Notifications come before the call made after them, and the call gets its own answer. */
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), 0);
	assert_int_equal(sum, 3);
	brine_call_done(&call);
	brine_client_free(client);
	host_end(&host);
	assert_int_equal(host_counters(&host).notifications_dropped, 4);
	assert_non_null(strstr(host.log, "notification 'nobody\\n' dropped"));
	host_free(&host);
}
DEFINE_BOTH(notifications)

/* Holds a call until its deadline. False: that passed before the handler was called. */
static bool hold_to_the_deadline(struct host *host, struct brine_client *client, struct brine_call *call,
                                 uint64_t timeout_ms)
{
	struct calc_nothing nothing = {0};
	struct calc_number number;
	int64_t sum;
	call->timeout_ms = timeout_ms;
	assert_int_equal(brine_client_call(client, call, &calc_methods[CALC_HOLD], &nothing, &number),
	                 BRINE_ERR_DEADLINE);
	/* What was sent before this one was handled before it. */
	assert_int_equal(calc_call_add(client, NULL, 1, 1, &sum), 0);
	if (atomic_load(&host->calc.held_count) == 0)
		return false;
	assert_int_equal(brine_call_code(call), BRINE_CODE_DEADLINE);
	assert_non_null(strstr(brine_call_error_text(call), "deadline exceeded"));
	return true;
}

static void deadline_over(void **state, enum over kind)
{
	struct host host;
	uint64_t ms = 40;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_nothing nothing = {0};
	struct calc_number number = {9};
	while (!hold_to_the_deadline(&host, client, &call, ms))
		ms = twice_as_long(ms);
	assert_int_equal(atomic_load(&host.calc.held_count), 1);
	/* The same connection goes on, and the handler sees that nobody waits; its clock started a little later than
	 * ours. C08: its late answer reaches no call. */
	call.timeout_ms = 0;
	struct calc_number cancelled = {0};
	while (!cancelled.value)
		assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_CHECK], &nothing, &cancelled), 0);
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_RELEASE], &number, &number), 0);
	assert_int_equal(number.value, 9);
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 4, 4, &sum), 0);
	assert_int_equal(sum, 8);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
	assert_true(host.calc.was_cancelled);
	assert_int_equal(host.calc.release_status, BRINE_ERR_DEADLINE);
	assert_true(host.calc.remaining_ms <= ms);
}
DEFINE_BOTH(deadline)

/* A call can be held and answered later; the deadline travels, so that the handler knows it. */
static void deadline_is_told_over(void **state, enum over kind)
{
	static const struct {
		uint64_t client_ms, call_ms, least, most;
	} rows[] = {
	        {25000, 0, 1, 25000},
	        {25000, 60000, 25001, 60000},
	        {25000, BRINE_FOREVER, BRINE_FOREVER, BRINE_FOREVER},
	        {0, 0, 1, 30000}, /* the default is finite */
	};
	struct host host;
	host_start(&host, state, kind, NULL);
	for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		options.timeout_ms = rows[i].client_ms;
		struct brine_client *client = client_of(host.address, &options);
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_nothing nothing = {0};
		struct calc_number number = {0};
		struct release release;
		release_begin(&release, &host, i + 1);
		call.timeout_ms = rows[i].call_ms;
		assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_HOLD], &nothing, &number), 0);
		release_finish(&release);
		assert_int_equal(number.value, i + 1);
		assert_true(host.calc.remaining_ms >= rows[i].least && host.calc.remaining_ms <= rows[i].most);
		brine_call_done(&call);
		brine_client_free(client);
	}
	host_stop(&host);
	assert_int_equal(host.calc.release_status, 0);
	assert_false(host.calc.was_cancelled);
	/* The peer is known, on a Unix socket by its user too. */
	assert_int_equal(strncmp(host.calc.peer, kind == OVER_UNIX ? "unix:///" : "tcp://127.0.0.1:", 8), 0);
	assert_int_equal(host.calc.has_credentials, kind == OVER_UNIX);
	if (kind == OVER_UNIX)
		assert_int_equal(host.calc.uid, getuid());
}
DEFINE_BOTH(deadline_is_told)

/* A18: too big for the peer: refused here, with both sizes; too big for us: the server answers error 7. */
static void sizes_over(void **state, enum over kind)
{
	struct host host;
	struct brine_server_options server_options = BRINE_SERVER_OPTIONS_INIT;
	server_options.limits.message_size_max = 3u << 20;
	host_start(&host, state, kind, &server_options);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	size_t size = (4u << 20);
	char *data = calloc(1, size);
	assert_non_null(data);
	struct calc_blob blob = {BRINE_BYTES(data, size)};
	struct calc_number number = {0};
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MEASURE], &blob, &number),
	                 BRINE_ERR_TOO_BIG);
	assert_non_null(strstr(brine_call_error_text(&call), "3145728"));
	assert_non_null(strstr(brine_call_error_text(&call), "41943"));
	brine_client_free(client);
	/* More than is assumed of a peer before its welcome, but not more than it takes: the first call waits for it.
	 */
	blob.data.size = 2u << 20;
	client = client_of(host.address, NULL);
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MEASURE], &blob, &number), 0);
	assert_int_equal(number.value, 2 << 20);
	brine_client_free(client);
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.limits.message_size_max = 2u << 20;
	client = client_of(host.address, &options);
	struct calc_blob answer;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MAKE], &number, &answer),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_TOO_LARGE);
	assert_non_null(strstr(brine_call_error_text(&call), "max of 2097152"));
	assert_non_null(strstr(brine_call_error_text(&call), "answer of 20971"));
	/* The connection goes on; big answers that fit come whole. */
	number.value = 1 << 20;
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_MAKE], &number, &answer), 0);
	assert_int_equal(answer.data.size, 1 << 20);
	for (size_t i = 0; i < answer.data.size; i++)
		assert_true(((const char *)answer.data.data)[i] == 'x');
	free(data);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(sizes)

/* C15: a plain caller gives exactly the arguments; a framed one may leave some out or give more. */
static void plain_callers_over(void **state, enum over kind)
{
	static const struct {
		const char *params;
		size_t size;
		const char *got;
	} rows[] = {{"\x90", 1, "got 0"}, {"\x91\x02", 2, "got 1"}, {"\x93\x02\x03\x04", 4, "got 3"}};
	struct host host;
	char address[ADDRESS_SIZE + 16];
	host_start(&host, state, kind, NULL);
	struct brine_client *plain = client_of(plain_address(&host, address), NULL);
	struct brine_client *framed = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	assert_int_equal(calc_call_add(plain, &call, 2, 3, &sum), 0);
	assert_int_equal(sum, 5);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_bytes params = {rows[i].params, rows[i].size};
		assert_int_equal(brine_client_call_raw(plain, &call, "add", params), BRINE_ERR_REMOTE);
		assert_non_null(strstr(brine_call_error_text(&call), "takes 2 arguments"));
		assert_non_null(strstr(brine_call_error_text(&call), rows[i].got));
		assert_int_equal(brine_client_call_raw(framed, &call, "add", params), 0);
	}
	struct brine_buf many = BRINE_BUF_INIT;
	assert_int_equal(brine_pack_array(&many, 10000), 0);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(brine_pack_int(&many, 1), 0);
	assert_int_equal(brine_client_call_raw(plain, &call, "add", brine_buf_bytes(&many)), BRINE_ERR_REMOTE);
	assert_non_null(strstr(brine_call_error_text(&call), "got 10000"));
	assert_int_equal(brine_client_call_raw(framed, &call, "add", brine_buf_bytes(&many)), 0);
	brine_buf_done(&many);
	struct calc_number number = {7};
	assert_int_equal(brine_client_call(plain, &call, &calc_methods[CALC_REFUSE], &number, NULL), BRINE_ERR_REMOTE);
	assert_non_null(strstr(brine_call_error_text(&call), "refused"));
	assert_int_equal(brine_client_notify(plain, &call, &calc_methods[CALC_NOTE], &(struct calc_nothing){0}), 0);
	wait_for_count(&host.calc.notes, 1);
	for (uint64_t ms = 40; !hold_to_the_deadline(&host, plain, &call, ms); ms = twice_as_long(ms))
		;
	/* A plain server cannot be told that nobody waits; its late answer is dropped. */
	assert_int_equal(brine_client_call(framed, NULL, &calc_methods[CALC_RELEASE], &number, NULL), 0);
	call.timeout_ms = 0;
	assert_int_equal(calc_call_add(plain, &call, 20, 1, &sum), 0);
	assert_int_equal(sum, 21);
	brine_call_done(&call);
	brine_client_free(plain);
	brine_client_free(framed);
	host_stop(&host);
}
DEFINE_BOTH(plain_callers)

/* A request that does not fit its schema names the field; an answer that does not is an error of that call only. */
static void misfits_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	assert_int_equal(brine_client_call_raw(client, &call, "add", BRINE_BYTES("\x92\x02\xa1x", 4)),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_INVALID);
	assert_non_null(strstr(brine_call_error_text(&call), "b"));
	static const struct brine_method wrong = {"add", &calc_pair_type, &calc_order_type, 0, NULL};
	struct calc_pair pair = {1, 2};
	struct calc_order order;
	assert_int_equal(brine_client_call(client, &call, &wrong, &pair, &order), BRINE_ERR_TYPE);
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 1, 2, &sum), 0);
	/* What cannot be encoded is not sent. */
	struct calc_order bad = {.symbol = BRINE_STR("\xff")};
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_ECHO], &bad, NULL), BRINE_ERR_UTF8);
	assert_non_null(strstr(brine_call_error_text(&call), "symbol"));
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(misfits)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(values),
	        BOTH(many),
	        BOTH(untyped),
	        BOTH(without_call),
	        BOTH(errors),
	        BOTH(unknown_methods),
	        BOTH(streams_are_refused),
	        BOTH(notifications),
	        BOTH(deadline),
	        BOTH(deadline_is_told),
	        BOTH(sizes),
	        BOTH(plain_callers),
	        BOTH(misfits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
