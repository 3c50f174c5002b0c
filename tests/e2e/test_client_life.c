/* Proves: how a client comes by its connections and what it does when they end: addresses in turn, waiting for a
 * server, one more try for idempotent methods and for no others (C30), signs of life, interceptors (E15, E16, E17). */
#include "harness.h"

/* ---- a server by hand, one connection after the other ---- */

enum act { ANSWER, CLOSE_AT_REQUEST, CLOSE_AT_ONCE, ANSWER_AFTER_PING, IGNORE, SEND_ELSEWHERE };

struct script {
	int listener;
	uint16_t port;
	const enum act *acts; /* one a connection */
	int count;
	atomic_int connections, requests, pings;
	pthread_t thread;
};

static bool take_frame(int fd, uint8_t frame[256], uint8_t *ret_size)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	if (poll(&poller, 1, PATIENCE_MS) <= 0 || recv(fd, ret_size, 1, MSG_WAITALL) != 1)
		return false;
	return recv(fd, frame, *ret_size, MSG_WAITALL) == *ret_size;
}

static void play(struct script *script, int fd, enum act act)
{
	uint8_t frame[256], size;
	while (act != CLOSE_AT_ONCE && take_frame(fd, frame, &size)) {
		bool is_request = frame[0] == 0x95 && frame[1] == 0;
		bool is_ping = frame[1] == 0x12;
		atomic_fetch_add(&script->requests, is_request);
		atomic_fetch_add(&script->pings, is_ping);
		if (is_request && act == CLOSE_AT_REQUEST)
			return;
		/* [1, 1, nil, 5]: ids begin at 1 on each connection. */
		if ((is_request && act == ANSWER) || (is_ping && act == ANSWER_AFTER_PING))
			raw_send_hex(fd, "05 94 01 01 c0 05");
		/* [1, id, [6, ""], nil] */
		uint8_t refusal[] = {0x07, 0x94, 0x01, frame[2], 0x92, 0x06, 0xa0, 0xc0};
		if (is_request && act == SEND_ELSEWHERE)
			raw_send(fd, refusal, sizeof refusal);
	}
}

static void *script_run(void *argument)
{
	struct script *script = argument;
	for (int i = 0; i < script->count; i++) {
		struct pollfd poller = {.fd = script->listener, .events = POLLIN};
		int fd = poll(&poller, 1, PATIENCE_MS) > 0 ? accept4(script->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
		if (fd < 0)
			break;
		atomic_fetch_add(&script->connections, 1);
		play(script, fd, script->acts[i]);
		close(fd);
	}
	return NULL;
}

static int listen_somewhere(uint16_t *ret_port, int backlog)
{
	int fd = e2e_keep_port(ret_port);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static struct brine_client *client_of_script(struct script *script, const enum act *acts, int count,
                                             const struct brine_client_options *options)
{
	char address[ADDRESS_SIZE];
	*script = (struct script){.acts = acts, .count = count};
	script->listener = listen_somewhere(&script->port, 8);
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", script->port);
	assert_int_equal(pthread_create(&script->thread, NULL, script_run, script), 0);
	return client_of(address, options);
}

static void script_finish(struct script *script)
{
	pthread_join(script->thread, NULL);
	close(script->listener);
}

/* ---- retries ---- */

/* C30: what may be sent again is, once; what may not is not, and the caller knows which it was. */
static void retries(void **state)
{
	static const enum act lost_once[] = {CLOSE_AT_REQUEST, ANSWER};
	static const enum act lost_twice[] = {CLOSE_AT_REQUEST, CLOSE_AT_REQUEST};
	static const struct {
		const enum act *acts;
		bool idempotent, retry;
		int connections, status;
	} rows[] = {
	        {lost_once, true, true, 2, 0},
	        {lost_once, false, true, 1, BRINE_ERR_LOST},
	        {lost_once, true, false, 1, BRINE_ERR_LOST},
	        {lost_twice, true, true, 2, BRINE_ERR_LOST},
	};
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};
	(void)state;
	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		size_t row = i / 2;
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_method method = calc_methods[CALC_ADD];
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number sum = {0};
		struct script script;
		options.mode = modes[i % 2];
		options.retry = rows[row].retry;
		options.backoff_first_ms = options.backoff_most_ms = 1;
		options.limits.linger_ms = 50;
		method.flags = rows[row].idempotent ? BRINE_METHOD_IDEMPOTENT : 0;
		struct brine_client *client =
		        client_of_script(&script, rows[row].acts, rows[row].connections, &options);
		int status = brine_client_call(client, &call, &method, &(struct calc_pair){2, 3}, &sum);
		if (status != rows[row].status)
			fail_msg("row %zu: %d: %s", row, status, brine_call_error_text(&call));
		assert_int_equal(sum.value, status == 0 ? 5 : 0);
		brine_client_free(client);
		brine_call_done(&call);
		script_finish(&script);
		assert_int_equal(atomic_load(&script.requests), rows[row].connections);
	}
}

/* C30: a server that says of every call that it is going away, and does not go, is asked once more and not for ever. */
static void retries_refused(void **state)
{
	static const enum act acts[] = {SEND_ELSEWHERE};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_method method = calc_methods[CALC_ADD];
	struct brine_call call = BRINE_CALL_INIT;
	struct script script;
	(void)state;
	options.limits.linger_ms = 50;
	method.flags = BRINE_METHOD_IDEMPOTENT;
	struct brine_client *client = client_of_script(&script, acts, 1, &options);
	call.timeout_ms = PATIENCE_MS;
	int status = brine_client_call(client, &call, &method, &(struct calc_pair){2, 3}, NULL);
	brine_client_free(client);
	script_finish(&script);
	assert_int_equal(atomic_load(&script.requests), 2);
	assert_int_equal(status, BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_GOING_AWAY);
	brine_call_done(&call);
}

/* C30: after a loss that may have run, a server that cannot be found again does not turn it into "not sent". */
static void retry_finds_nobody(void **state)
{
	struct brine_method method = calc_methods[CALC_ADD];
	struct brine_call call = BRINE_CALL_INIT;
	struct script script = {0};
	(void)state;
	method.flags = BRINE_METHOD_IDEMPOTENT;
	int kept = e2e_keep_port(&script.port);
	struct sockaddr_in at = {
	        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(script.port)};
	script.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(script.listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
	assert_int_equal(bind(script.listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(script.listener, 8), 0);
	char address[ADDRESS_SIZE];
	snprintf(address, sizeof address, "tcp://127.0.0.1:%u", script.port);
	struct brine_client *client = client_of(address, NULL);
	assert_int_equal(brine_client_begin(client, &call, &method, &(struct calc_pair){2, 3}), 0);
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	int fd = accept4(script.listener, NULL, NULL, SOCK_CLOEXEC);
	close(script.listener);
	play(&script, fd, CLOSE_AT_REQUEST);
	close(fd);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_LOST);
	assert_non_null(strstr(brine_call_error_text(&call), "may have run"));
	brine_client_free(client);
	brine_call_done(&call);
	close(kept);
}

/* ---- addresses ---- */

/* The next address is tried when one refuses, whatever came before. */
static void addresses_in_turn_over(void **state, enum over kind)
{
	struct host host;
	uint16_t port;
	char text[3 * ADDRESS_SIZE];
	int64_t sum;
	host_start(&host, state, kind, NULL);
	int kept = e2e_keep_port(&port);
	snprintf(text, sizeof text, "tcp://127.0.0.1:%u,unix:///nowhere/,x,%s", port, host.address);
	struct brine_client *client = client_of(text, NULL);
	assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
	assert_int_equal(sum, 5);
	brine_client_free(client);
	struct brine_error error = BRINE_ERROR_INIT;
	assert_int_equal(brine_client_open(&client, "tcp://127.0.0.1:1,tcp://x", NULL, &error), BRINE_ERR_ADDRESS);
	assert_true(error.offset >= strlen("tcp://127.0.0.1:1,"));
	host_stop(&host);
	close(kept);
}
DEFINE_BOTH(addresses_in_turn)

/* A TCP listener whose queue is full: who connects hears nothing. */
struct deaf {
	int listener, fillers[3];
	uint16_t port;
};

static void deaf_start(struct deaf *deaf)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	deaf->listener = listen_somewhere(&deaf->port, 0);
	at.sin_port = htons(deaf->port);
	for (int i = 0; i < 3; i++) {
		deaf->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(deaf->fillers[i], (struct sockaddr *)&at, sizeof at);
	}
}

static void deaf_stop(struct deaf *deaf)
{
	for (int i = 0; i < 3; i++)
		close(deaf->fillers[i]);
	close(deaf->listener);
}

/* E16: an address that does not answer is left after connect_timeout_ms; the call's own deadline holds besides. */
static void deaf_address(void **state)
{
	struct host host;
	struct deaf deaf;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	char text[2 * ADDRESS_SIZE];
	int64_t sum;
	host_start(&host, state, OVER_UNIX, NULL);
	deaf_start(&deaf);
	snprintf(text, sizeof text, "tcp://127.0.0.1:%u,%s", deaf.port, host.address);
	options.connect_timeout_ms = 60;
	struct brine_client *client = client_of(text, &options);
	uint64_t start_ms = brine_clock_ms();
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	assert_true(brine_clock_ms() - start_ms >= 60);
	brine_client_free(client);
	/* Alone it is the reason. */
	snprintf(text, sizeof text, "tcp://127.0.0.1:%u", deaf.port);
	client = client_of(text, &options);
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_CONNECT);
	assert_non_null(strstr(brine_call_error_text(&call), "in time"));
	brine_client_free(client);
	options.connect_timeout_ms = PATIENCE_MS;
	client = client_of(text, &options);
	call.timeout_ms = 40;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_DEADLINE);
	brine_client_free(client);
	brine_call_done(&call);
	deaf_stop(&deaf);
	host_stop(&host);
}

/* E17: seven addresses of a name hang, the eighth answers. */
static void seven_hang(void **state)
{
	struct host host;
	struct deaf deaf;
	struct brine_addr addr;
	struct brine_sockaddr list[8];
	char text[64];
	size_t index;
	int fd;
	host_start(&host, state, OVER_TCP, NULL);
	deaf_start(&deaf);
	snprintf(text, sizeof text, "tcp://127.0.0.1:%u", deaf.port);
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(text), BRINE_ADDR_CONNECT, NULL), 0);
	for (int i = 0; i < 7; i++)
		list[i] = addr.sockaddr;
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(host.address), BRINE_ADDR_CONNECT, NULL), 0);
	list[7] = addr.sockaddr;
	assert_int_equal(dial_and_wait(&fd, &index, list, 8, brine_clock_ms() + 10000, NULL), 0);
	assert_int_equal(index, 7);
	close(fd);
	deaf_stop(&deaf);
	host_stop(&host);
}

/* ---- waiting for a server ---- */

struct starter {
	struct host host;
	char address[ADDRESS_SIZE];
	struct brine_client *client;
	int status;
	int64_t sum;
	pthread_t thread;
};

static void *patient_run(void *argument)
{
	struct starter *starter = argument;
	struct brine_call call = BRINE_CALL_INIT;
	call.wait_for_ready = true;
	starter->status = calc_call_add(starter->client, &call, 2, 3, &starter->sum);
	brine_call_done(&call);
	return NULL;
}

/* A call that wants to wait is made when the server has come; one that does not is told at once. */
static void waits_for_a_server_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct starter starter = {0};
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		int64_t sum;
		int kept = address_kept_over(state, kind, starter.address);
		options.mode = mode;
		options.backoff_first_ms = 5;
		options.backoff_most_ms = 20;
		starter.client = client_of(starter.address, &options);
		assert_int_equal(pthread_create(&starter.thread, NULL, patient_run, &starter), 0);
		assert_int_equal(calc_call_add(starter.client, &call, 2, 3, &sum), BRINE_ERR_CONNECT);
		/* Nobody waits for a try that comes after the deadline. */
		host_start_at(&starter.host, starter.address, NULL);
		pthread_join(starter.thread, NULL);
		assert_int_equal(starter.status, 0);
		assert_int_equal(starter.sum, 5);
		brine_client_free(starter.client);
		brine_call_done(&call);
		host_stop(&starter.host);
		brine_socket_close(kept);
	}
}
DEFINE_BOTH(waits_for_a_server)

/* While a long back-off runs, a call whose deadline is nearer is told why at once. */
static void no_vain_wait(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	char address[ADDRESS_SIZE];
	int64_t sum;
	options.backoff_first_ms = options.backoff_most_ms = 1000000;
	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "nobody"));
	struct brine_client *client = client_of(address, &options);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_CONNECT);
		assert_non_null(strstr(brine_call_error_text(&call), "is the server running?"));
	}
	brine_client_free(client);
	brine_call_done(&call);
}

/* ---- signs of life ---- */

struct flood {
	int fd;
	struct brine_bytes bytes;
	pthread_t thread;
};

static void *flood_run(void *argument)
{
	struct flood *flood = argument;
	raw_send(flood->fd, flood->bytes.data, flood->bytes.size);
	return NULL;
}

/* Calls one that says nothing, or nothing but what it is asked for by a ping. False: the peer was so slow that it was
 * given up all the same. */
static bool keep_alive(int mode, enum act act, uint64_t keepalive_ms)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct script script;
	int64_t sum = 0;
	options.mode = mode;
	options.keepalive_ms = keepalive_ms;
	options.limits.linger_ms = 50;
	struct brine_client *client = client_of_script(&script, &act, 1, &options);
	int status = calc_call_add(client, &call, 2, 3, &sum);
	if (status != BRINE_ERR_LOST && (act == IGNORE || status != 0))
		fail_msg("mode %d: %d: %s", mode, status, brine_call_error_text(&call));
	assert_int_equal(sum, status == 0 ? 5 : 0);
	brine_client_free(client);
	brine_call_done(&call);
	script_finish(&script);
	assert_int_equal(atomic_load(&script.pings), 1);
	return act == IGNORE || status == 0;
}

static void keepalive(void **state)
{
	(void)state;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		assert_true(keep_alive(mode, IGNORE, 20));
		for (uint64_t ms = 100; !keep_alive(mode, ANSWER_AFTER_PING, ms); ms = twice_as_long(ms))
			;
	}
}

/* More strays than are handled in one go, in front of the answer: they cost time, not the connection. */
static void strays(void **state)
{
	enum { STRAYS = 20000 };
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_client *client;
		struct brine_buf bytes = BRINE_BUF_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number sum = {0};
		int fds[2];
		options.mode = modes[i];
		options.limits.linger_ms = 50;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		assert_int_equal(brine_client_open_fd(&client, fds[0], &options, NULL), 0);
		assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_ADD], &(struct calc_pair){2, 3}),
		                 0);
		/* A client in mode BLOCKING reads only in finish. */
		for (int j = 0; j < STRAYS; j++)
			hex_append(&bytes, "03 92 13 07");
		hex_append(&bytes, "05 94 01 01 c0 05");
		struct flood flood = {.fd = fds[1], .bytes = brine_buf_bytes(&bytes)};
		assert_int_equal(pthread_create(&flood.thread, NULL, flood_run, &flood), 0);
		assert_int_equal(brine_call_finish(&call, &sum), 0);
		assert_int_equal(sum.value, 5);
		pthread_join(flood.thread, NULL);
		brine_client_free(client);
		brine_call_done(&call);
		brine_buf_done(&bytes);
		close(fds[1]);
	}
}

/* ---- interceptors ---- */

struct watcher {
	char log[512];
	int refuse;
	struct brine_bytes metadata;
};

static int log_before(struct brine_call *call, const char *method, void *user)
{
	struct watcher *watcher = user;
	size_t used = strlen(watcher->log);
	snprintf(watcher->log + used, sizeof watcher->log - used, "<%s", method);
	if (watcher->metadata.size)
		call->metadata = watcher->metadata;
	return watcher->refuse;
}

static void log_after(struct brine_call *call, const char *method, int status, void *user)
{
	struct watcher *watcher = user;
	size_t used = strlen(watcher->log);
	snprintf(watcher->log + used, sizeof watcher->log - used, "%s:%d>", method, status);
	assert_int_equal(brine_call_status(call), status);
}

static void interceptors_over(void **state, enum over kind)
{
	struct host host;
	struct watcher first = {{0}, 0, {NULL, 0}}, second = {{0}, 0, {"\x81\xa1k\xa1v", 5}};
	struct brine_client_interceptor list[] = {{log_before, log_after, &first}, {log_before, log_after, &second}};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number number = {101};
	int64_t sum;
	options.interceptors = list;
	options.interceptor_count = 2;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_of(host.address, &options);
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	assert_int_equal(brine_client_call(client, &call, &calc_methods[CALC_REFUSE], &number, NULL), BRINE_ERR_REMOTE);
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_ADD], &(struct calc_pair){1, 2}), 0);
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_ADD], &(struct calc_pair){1, 2}), 0);
	brine_call_done(&call);
	const char *expected = "<addadd:0><calc.Calc/Refusecalc.Calc/Refuse:-400><addadd:0><addadd:-402>";
	assert_string_equal(first.log, expected);
	assert_string_equal(second.log, expected);
	/* The server has seen what was let go before it answers another one. */
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	/* One that refuses: the call is not made, and those before it hear of that. */
	int added = atomic_load(&host.calc.added);
	first.log[0] = second.log[0] = '\0';
	first.refuse = BRINE_ERR_STATE;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), BRINE_ERR_STATE);
	assert_string_equal(first.log, "<addadd:-3>");
	assert_string_equal(second.log, "");
	assert_int_equal(atomic_load(&host.calc.added), added);
	brine_client_free(client);
	brine_call_done(&call);
	host_stop(&host);
}
DEFINE_BOTH(interceptors)

/* ---- the process ---- */

/* G13: a child of a process whose client has a thread and calls under way. */
static void forked_background_over(void **state, enum over kind)
{
	struct host host;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	host_start(&host, state, kind, NULL);
	for (int mode = BRINE_CLIENT_BACKGROUND; mode <= BRINE_CLIENT_LOOP; mode++) {
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_nothing nothing = {0};
		int64_t sum;
		options.mode = mode;
		struct brine_client *client = client_of(host.address, &options);
		assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_HOLD], &nothing), 0);
		if (mode == BRINE_CLIENT_LOOP)
			brine_client_process(client);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			struct brine_call other = BRINE_CALL_INIT;
			bool refused = calc_call_add(client, &other, 1, 1, &sum) == BRINE_ERR_FORKED &&
			               brine_call_finish(&call, NULL) == BRINE_ERR_FORKED &&
			               (mode != BRINE_CLIENT_LOOP || brine_client_process(client) == BRINE_ERR_FORKED);
			brine_call_cancel(&call);
			brine_client_free(client);
			brine_call_done(&call);
			brine_call_done(&other);
			_exit(refused ? 0 : 1);
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		/* The parent's own call was not disturbed. */
		assert_int_equal(brine_call_status(&call), 0);
		assert_string_equal(brine_call_error_text(&call), "the call is running");
		brine_call_done(&call);
		brine_client_free(client);
	}
	host_stop(&host);
}
DEFINE_BOTH(forked_background)

static void *small_run(void *argument)
{
	struct starter *starter = argument;
	struct brine_client *client;
	starter->status = brine_client_open(&client, starter->address, NULL, NULL);
	if (starter->status == 0) {
		starter->status = calc_call_add(client, NULL, 2, 3, &starter->sum);
		brine_client_free(client);
	}
	return NULL;
}

/* G18: a client's whole life on a stack of 64 KiB (sanitizers want more for themselves). */
static void small_stack_over(void **state, enum over kind)
{
	struct starter starter = {0};
	pthread_attr_t attributes;
	size_t stack = 64 * 1024;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
	stack *= 4;
#endif
	host_start(&starter.host, state, kind, NULL);
	snprintf(starter.address, sizeof starter.address, "%s", starter.host.address);
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, stack), 0);
	assert_int_equal(pthread_create(&starter.thread, &attributes, small_run, &starter), 0);
	pthread_join(starter.thread, NULL);
	pthread_attr_destroy(&attributes);
	assert_int_equal(starter.status, 0);
	assert_int_equal(starter.sum, 5);
	host_stop(&starter.host);
}
DEFINE_BOTH(small_stack)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(retries),        e2e_test(retries_refused), e2e_test(retry_finds_nobody),
	        BOTH(addresses_in_turn),  e2e_test(deaf_address),    e2e_test(seven_hang),
	        BOTH(waits_for_a_server), e2e_test(no_vain_wait),    e2e_test(keepalive),
	        e2e_test(strays),         BOTH(interceptors),        BOTH(forked_background),
	        BOTH(small_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
