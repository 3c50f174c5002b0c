/* Proves: a server drains, stops, limits and answers as its header says. */
#include "harness.h"

/* A client in a thread of its own whose call is held by the server. */
struct held_call {
	const struct host *host;
	struct brine_call call;
	int64_t value;
	int status;
	pthread_t thread;
};

static void *held_run(void *argument)
{
	struct held_call *held = argument;
	struct brine_client *client;
	struct calc_nothing nothing = {0};
	struct calc_number number = {0};
	held->status = brine_client_open(&client, held->host->address, NULL, NULL);
	if (held->status < 0)
		return NULL;
	held->status = brine_client_call(client, &held->call, &calc_methods[CALC_HOLD], &nothing, &number);
	held->value = number.value;
	brine_client_free(client);
	return NULL;
}

static void held_begin(struct held_call *held, struct host *host)
{
	*held = (struct held_call){.host = host, .call = BRINE_CALL_INIT};
	assert_int_equal(pthread_create(&held->thread, NULL, held_run, held), 0);
	wait_for_count(&host->calc.held_count, 1);
}

/* The first stop lets running calls finish, refuses new ones with error 6, and ends when nothing is owed. */
static void drain_over(void **state, enum over kind)
{
	struct host host;
	uint8_t frame[128];
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	raw_send_request(fd, 1, "calc.Calc/Hold", NO_PARAMS);
	wait_for_count(&host.calc.held_count, 1);
	brine_server_stop(host.server);
	assert_true(raw_read_frame(fd, frame) > 4);
	assert_memory_equal(frame, "\x94\x14\x00", 3); /* goaway 0 */
	raw_send_request(fd, 5, "add", BRINE_BYTES("\x92\x02\x03", 3));
	assert_true(raw_read_frame(fd, frame) > 5);
	assert_memory_equal(frame, "\x94\x01\x05\x92\x06", 5); /* going away, not started */
	/* Notifications go on, and so the call held is answered. */
	raw_send_request(fd, -1, "calc.Calc/Release", BRINE_BYTES("\x91\x07", 2));
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x01\xc0\x07", 5);
	assert_int_equal(raw_read_frame(fd, frame), 0);
	close(fd);
	host_join(&host);
	assert_int_equal(host.result, 0);
	assert_int_equal(atomic_load(&host.calc.added), 0);
	host_free(&host);
}
DEFINE_BOTH(drain)

/* The second stop ends at once; C27: the handler that never answered is named. */
static void second_stop_over(void **state, enum over kind)
{
	struct host host;
	struct held_call held;
	host_start(&host, state, kind, NULL);
	held_begin(&held, &host);
	brine_server_stop(host.server);
	brine_server_stop(host.server);
	host_join(&host);
	pthread_join(held.thread, NULL);
	assert_int_equal(held.status, BRINE_ERR_LOST);
	brine_call_done(&held.call);
	assert_int_equal(host.result, 0);
	assert_non_null(strstr(host.log, "'calc.Calc/Hold'"));
	assert_non_null(strstr(host.log, "has not ended"));
	host_free(&host);
}
DEFINE_BOTH(second_stop)

/* E18: a drain does not wait for ever: what runs is cancelled when its time is over. */
static void drain_ends_over(void **state, enum over kind)
{
	struct host host;
	struct held_call held;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	options.drain_ms = 50;
	host_start(&host, state, kind, &options);
	held_begin(&held, &host);
	brine_server_stop(host.server);
	host_join(&host);
	pthread_join(held.thread, NULL);
	if (held.status != BRINE_ERR_CANCELLED)
		fail_msg("%d: %s", held.status, brine_call_error_text(&held.call));
	brine_call_done(&held.call);
	host_free(&host);
}
DEFINE_BOTH(drain_ends)

/* A connection that ends cancels what it had asked for. */
static void vanished_caller_over(void **state, enum over kind)
{
	struct host host;
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	raw_send_request(fd, 1, "calc.Calc/Hold", NO_PARAMS);
	wait_for_count(&host.calc.held_count, 1);
	/* Unread input and no linger: the peer is gone at once, not half closed. */
	struct linger hard = {1, 0};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(fd);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (host_counters(&host).connections_open)
		assert_true(brine_clock_ms() < deadline_ms);
	struct brine_client *client = client_of(host.address, NULL);
	struct calc_number number = {1};
	assert_int_equal(brine_client_call(client, NULL, &calc_methods[CALC_RELEASE], &number, NULL), 0);
	brine_client_free(client);
	host_stop(&host);
	assert_true(host.calc.was_cancelled);
	assert_int_equal(host.calc.release_status, BRINE_ERR_LOST);
}
DEFINE_BOTH(vanished_caller)

/* E06: the caller says that it sends no more, and gets its answers before the end. */
static void half_close_over(void **state, enum over kind)
{
	struct host host;
	uint8_t frame[128];
	host_start(&host, state, kind, NULL);
	int fd = raw_connect(host.address);
	raw_send_request(fd, 1, "calc.Calc/Hold", NO_PARAMS);
	raw_send_request(fd, 2, "add", BRINE_BYTES("\x92\x02\x03", 3));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x02\xc0\x05", 5);
	struct release release;
	release_begin(&release, &host, 1);
	release_finish(&release);
	assert_int_equal(raw_read_frame(fd, frame), 5);
	assert_memory_equal(frame, "\x94\x01\x01\xc0\x01", 5);
	assert_int_equal(raw_read_frame(fd, frame), 0);
	close(fd);
	host_stop(&host);
}
DEFINE_BOTH(half_close)

/* C18: calls over the limit are answered error 5 at once, without a handler. */
static void too_many_calls_over(void **state, enum over kind)
{
	enum { RUNNING = 4, SENT = 1000 };
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint8_t frame[128];
	options.limits.calls_max = RUNNING;
	host_start(&host, state, kind, &options);
	int fd = raw_connect(host.address);
	for (int i = 0; i < RUNNING; i++)
		raw_send_request(fd, i, "calc.Calc/Hold", NO_PARAMS);
	wait_for_count(&host.calc.held_count, RUNNING);
	for (int i = RUNNING; i < SENT; i++) {
		raw_send_request(fd, 100, "calc.Calc/Hold", NO_PARAMS);
		assert_true(raw_read_frame(fd, frame) > 5);
		assert_memory_equal(frame, "\x94\x01\x64\x92\x05", 5);
	}
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
	close(fd);
	brine_server_stop(host.server);
	host_stop(&host);
	assert_int_equal(atomic_load(&host.calc.held_count), RUNNING);
}
DEFINE_BOTH(too_many_calls)

/* F06: connections over the limit are closed without a byte; when one ends there is room again. */
static void too_many_connections_over(void **state, enum over kind)
{
	struct host host;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_buf nothing = BRINE_BUF_INIT;
	options.connections_max = 2;
	host_start(&host, state, kind, &options);
	int first = raw_connect(host.address), second = raw_connect(host.address);
	raw_send_hex(first, "03 92 12 01");
	raw_expect_hex(first, "03 92 13 01");
	raw_send_hex(second, "03 92 12 01");
	raw_expect_hex(second, "03 92 13 01");
	int third = raw_connect(host.address);
	raw_read_to_end(third, &nothing);
	assert_int_equal(brine_buf_size(&nothing), 0);
	close(third);
	/* The peer's end is answered by ours: then the place is free. */
	assert_int_equal(shutdown(second, SHUT_WR), 0);
	raw_read_to_end(second, &nothing);
	close(second);
	struct brine_client *client = client_of(host.address, NULL);
	int64_t sum;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (calc_call_add(client, NULL, 1, 1, &sum) < 0)
		assert_true(brine_clock_ms() < deadline_ms);
	brine_client_free(client);
	close(first);
	host_end(&host);
	assert_true(host_counters(&host).connections_refused >= 1);
	assert_non_null(strstr(host.log, "the most allowed"));
	host_free(&host);
	brine_buf_done(&nothing);
}
DEFINE_BOTH(too_many_connections)

struct flood {
	int fd;
	int count;
	pthread_t thread;
};

static void *flood_run(void *argument)
{
	struct flood *flood = argument;
	static const char request[] = "\x0a\x94\x00\x05\xa3"
	                              "add\x92\x02\x03";
	enum { SIZE = sizeof request - 1, BATCH = 500 };
	char batch[SIZE * BATCH];
	for (int i = 0; i < BATCH; i++)
		memcpy(batch + i * SIZE, request, SIZE);
	for (int i = 0; i < flood->count; i += BATCH)
		raw_send(flood->fd, batch, sizeof batch);
	return NULL;
}

/* A09: a burst of small requests on one connection: all answered in order, and others are served between. */
static void burst_over(void **state, enum over kind)
{
	enum { COUNT = 50000, ANSWER = 6, PROBES = 100 };
	struct host host;
	host_start(&host, state, kind, NULL);
	struct flood flood = {.fd = raw_connect(host.address), .count = COUNT};
	struct brine_client *client = client_of(host.address, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	assert_int_equal(pthread_create(&flood.thread, NULL, flood_run, &flood), 0);
	struct brine_buf answers = BRINE_BUF_INIT;
	int probes = 0;
	for (size_t size = ANSWER; size <= (size_t)COUNT * ANSWER; size += (size_t)COUNT / PROBES * ANSWER) {
		int64_t sum;
		assert_true(raw_read(flood.fd, &answers, size));
		assert_int_equal(calc_call_add(client, &call, probes, 1, &sum), 0);
		assert_int_equal(sum, ++probes);
	}
	assert_true(raw_read(flood.fd, &answers, (size_t)COUNT * ANSWER));
	pthread_join(flood.thread, NULL);
	assert_int_equal(brine_buf_size(&answers), (size_t)COUNT * ANSWER);
	for (size_t i = 0; i < COUNT; i++)
		assert_memory_equal(answers.data + answers.start + i * ANSWER, "\x05\x94\x01\x05\xc0\x05", ANSWER);
	brine_buf_done(&answers);
	brine_call_done(&call);
	brine_client_free(client);
	close(flood.fd);
	host_stop(&host);
	assert_int_equal(atomic_load(&host.calc.added), COUNT + probes);
}
DEFINE_BOTH(burst)

/* F08 K01: the log is called at most ten times a second, says how much it left out, and stays on one line. */
static void log_is_limited_over(void **state, enum over kind)
{
	enum { COUNT = 2000 };
	struct host host;
	host_start(&host, state, kind, NULL);
	uint64_t start_ms = brine_clock_ms();
	int fd = raw_connect(host.address);
	for (int i = 0; i < COUNT; i++)
		raw_send_request(fd, -1, "no\n\x1b[2J%n%s\xff", NO_PARAMS);
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
	close(fd);
	host_end(&host);
	int seconds = (int)((brine_clock_ms() - start_ms) / 1000) + 1;
	assert_int_equal(host_counters(&host).notifications_dropped, COUNT);
	assert_in_range(host.log_lines, 11, 11 * (seconds + 1));
	assert_non_null(strstr(host.log, "lines left out"));
	assert_non_null(strstr(host.log, "'no\\n\\x1b[2J%n%s\\xff'"));
	host_free(&host);
}
DEFINE_BOTH(log_is_limited)

/* ---- registering and listening ---- */

static int raw_twice(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)user;
	/* Not a value: refused, and the request is still open. */
	if (brine_request_reply_raw(request, BRINE_BYTES("\xc1", 1)) != BRINE_ERR_MALFORMED)
		return BRINE_ERR_STATE;
	return brine_request_reply_raw(request, params);
}

static int raw_nil(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 0;
}

static int raw_positive(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 7;
}

static void registering(void **state)
{
	static const struct brine_method doubled[] = {
	        {"one", &calc_pair_type, &calc_number_type, 0, calc_add},
	        {"two", &calc_pair_type, &calc_number_type, 0, calc_add},
	        {"one", &calc_pair_type, &calc_number_type, 0, calc_add},
	};
	struct brine_service service = {BRINE_ABI, "Doubled", doubled, 3};
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_server *server;
	(void)state;
	assert_int_equal(brine_server_new(&server, NULL), 0);
	assert_int_equal(brine_server_serve(server, &service, NULL, NULL, &error), BRINE_ERR_EXISTS);
	assert_non_null(strstr(error.text, "'one'"));
	service.method_count = 2;
	assert_int_equal(brine_server_serve(server, &service, NULL, NULL, &error), 0);
	assert_int_equal(brine_server_serve(server, &service, NULL, NULL, &error), BRINE_ERR_EXISTS);
	assert_int_equal(brine_server_serve_raw(server, "two", raw_nil, NULL, &error), BRINE_ERR_EXISTS);
	assert_int_equal(brine_server_serve_raw(server, "", raw_nil, NULL, &error), BRINE_ERR_INVALID);
	assert_int_equal(brine_server_serve_raw(server, "x", NULL, NULL, &error), BRINE_ERR_INVALID);
	assert_int_equal(brine_server_serve_raw(server, NULL, raw_nil, NULL, &error), 0);
	assert_int_equal(brine_server_serve_raw(server, NULL, raw_nil, NULL, &error), BRINE_ERR_EXISTS);
	service.abi = BRINE_ABI + 1;
	assert_int_equal(brine_server_serve(server, &service, NULL, NULL, &error), BRINE_ERR_ABI);
	/* Many names: the table grows. */
	for (int i = 0; i < 300; i++) {
		char name[16];
		snprintf(name, sizeof name, "m%d", i);
		assert_int_equal(brine_server_serve_raw(server, name, raw_nil, NULL, &error), 0);
	}
	assert_int_equal(brine_server_serve_raw(server, "m150", raw_nil, NULL, &error), BRINE_ERR_EXISTS);
	assert_int_equal(brine_server_run(server, &error), BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "listen"));
	brine_server_free(server);
	brine_server_free(NULL);
	struct brine_server_options options = {0};
	assert_int_equal(brine_server_new(&server, &options), BRINE_ERR_INVALID);
	/* Limits that no connection could have. */
	options = (struct brine_server_options)BRINE_SERVER_OPTIONS_INIT;
	options.limits.message_size_max = 5;
	assert_int_equal(brine_server_new(&server, &options), BRINE_ERR_INVALID);
	struct brine_client_options client_options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_client *client;
	client_options.limits.depth_max = 1;
	assert_int_equal(brine_client_open(&client, "tcp://127.0.0.1:1", &client_options, &error), BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "depth"));
}

/* Several listeners, untyped handlers, and the methods of nobody in particular. */
static void several_listeners(void **state)
{
	struct host host;
	struct brine_error error;
	char unix_address[ADDRESS_SIZE];
	snprintf(unix_address, sizeof unix_address, "unix://%s", e2e_path(state, "second"));
	host_prepare(&host, state, OVER_TCP, NULL);
	assert_int_equal(brine_server_listen(host.server, unix_address, &error), 0);
	assert_int_equal(brine_server_listen(host.server, unix_address, &error), BRINE_ERR_ADDRESS_IN_USE);
	assert_int_equal(brine_server_listen(host.server, "tcp://127.0.0.1", &error), BRINE_ERR_ADDRESS);
	assert_string_equal(brine_server_address(host.server, 1), unix_address);
	assert_null(brine_server_address(host.server, 2));
	assert_int_equal(brine_server_serve_raw(host.server, "twice", raw_twice, NULL, &error), 0);
	assert_int_equal(brine_server_serve_raw(host.server, "positive", raw_positive, NULL, &error), 0);
	assert_int_equal(brine_server_serve_raw(host.server, NULL, raw_nil, NULL, &error), 0);
	host_launch(&host);
	struct brine_client *clients[] = {client_of(host.address, NULL), client_of(unix_address, NULL)};
	struct brine_call call = BRINE_CALL_INIT;
	for (size_t i = 0; i < 2; i++) {
		int64_t sum;
		assert_int_equal(calc_call_add(clients[i], &call, 2, 3, &sum), 0);
		assert_int_equal(sum, 5);
		assert_int_equal(brine_client_call_raw(clients[i], &call, "twice", BRINE_BYTES("\x91\xc3", 2)), 0);
		assert_memory_equal(brine_call_result(&call).data, "\x91\xc3", 2);
		assert_int_equal(brine_client_call_raw(clients[i], &call, "anything", NO_PARAMS), 0);
		assert_memory_equal(brine_call_result(&call).data, "\xc0", 1);
		assert_int_equal(brine_client_call_raw(clients[i], &call, "positive", NO_PARAMS), BRINE_ERR_REMOTE);
		assert_int_equal(brine_call_code(&call), BRINE_CODE_INTERNAL);
		brine_client_free(clients[i]);
	}
	brine_call_done(&call);
	host_end(&host);
	assert_int_equal(brine_server_run(host.server, &error), BRINE_ERR_STATE);
	assert_int_equal(brine_server_listen(host.server, "tcp://127.0.0.1:0", &error), BRINE_ERR_STATE);
	assert_int_equal(brine_server_serve_raw(host.server, "late", raw_nil, NULL, &error), BRINE_ERR_STATE);
	host_free(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(drain),
	        BOTH(second_stop),
	        BOTH(drain_ends),
	        BOTH(vanished_caller),
	        BOTH(half_close),
	        BOTH(too_many_calls),
	        BOTH(too_many_connections),
	        BOTH(burst),
	        BOTH(log_is_limited),
	        e2e_test(registering),
	        e2e_test(several_listeners),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
