/* Proves: streams of a server, in each direction and both, on workers and on loops: long ones run in constant memory, a
 * slow side slows its own stream only, cancels and errors end them in every state. */
#include "streaming.h"

enum {
	MANY = 100000,
	SOME = 25000,
	MEMORY_MOST = 2 << 20, /* what a server with a connection and a stream may hold */
};

/* ---- long streams ---- */

struct measured {
	struct streams streams;
	struct shared_allocator allocator;
	struct brine_server_options options;
};

static void measured_start(struct measured *measured, void **state, enum over kind)
{
	shared_allocator_init(&measured->allocator, 0, false);
	measured->options = (struct brine_server_options)BRINE_SERVER_OPTIONS_INIT;
	measured->options.allocator = &measured->allocator.base;
	measured->options.loops = 2;
	streams_start(&measured->streams, state, kind, &measured->options);
}

static void measured_stop(struct measured *measured)
{
	host_stop(&measured->streams.host);
	assert_in_range(measured->allocator.fail.held_most, 1, MEMORY_MOST);
	assert_int_equal(measured->allocator.fail.held, 0);
}

/* The sum of so many numbers from 0, one item each. */
static int64_t upload(struct peer *peer, uint64_t serial, int64_t count)
{
	struct brine_event event;
	int64_t next = 0;
	bool ended = false;
	for (;;) {
		while (next < count && peer_send_number(peer, serial, next) == 0)
			next++;
		if (next == count && !ended)
			ended = brine_conn_end_upload(peer->conn, serial, brine_clock_ms()) == 0;
		peer_wait(peer, &event);
		if (event.type == BRINE_EVENT_RESPONSE)
			break;
	}
	assert_int_equal(event.status, BRINE_OK);
	return number_decoded(event.result);
}

static void long_upload_over(void **state, enum over kind)
{
	static struct measured measured;
	struct peer peer;
	measured_start(&measured, state, kind);
	peer_open(&peer, measured.streams.host.address);
	uint64_t serial = peer_call(&peer, BRINE_METHOD_UPLOAD, "sum", 0, BRINE_FOREVER);
	assert_int_equal(upload(&peer, serial, MANY), (int64_t)MANY * (MANY - 1) / 2);
	peer_close(&peer);
	measured_stop(&measured);
	assert_int_equal(measured.streams.last_status, 0);
}
DEFINE_BOTH(long_upload)

/* Takes items, which must be the numbers that follow each other, step apart, until the answer. */
static int64_t download(struct peer *peer, int step, struct brine_event *ret_answer)
{
	struct brine_event event;
	int64_t next = 0;
	for (peer_wait(peer, &event); event.type != BRINE_EVENT_RESPONSE; peer_wait(peer, &event)) {
		if (event.type != BRINE_EVENT_ITEM)
			continue;
		assert_int_equal(number_decoded(event.result), next * step);
		peer_taken(peer, &event);
		next++;
	}
	*ret_answer = event;
	return next;
}

static void long_download_over(void **state, enum over kind)
{
	static struct measured measured;
	struct peer peer;
	struct brine_event event;
	measured_start(&measured, state, kind);
	peer_open(&peer, measured.streams.host.address);
	peer_call(&peer, BRINE_METHOD_DOWNLOAD, "count", MANY, BRINE_FOREVER);
	assert_int_equal(download(&peer, 1, &event), MANY);
	assert_int_equal(event.status, BRINE_OK);
	/* A handler that fails: what it had sent comes first. */
	peer_call(&peer, BRINE_METHOD_DOWNLOAD, "count", -500, BRINE_FOREVER);
	assert_int_equal(download(&peer, 1, &event), 500);
	assert_int_equal(event.status, BRINE_ERR_REMOTE);
	assert_int_equal(event.error.code, 100);
	peer_close(&peer);
	measured_stop(&measured);
}
DEFINE_BOTH(long_download)

static void both_ways(void **state, enum over kind, const char *method)
{
	static struct measured measured;
	struct peer peer;
	struct brine_event event;
	int64_t sent = 0, taken = 0;
	bool ended = false;
	measured_start(&measured, state, kind);
	peer_open(&peer, measured.streams.host.address);
	uint64_t serial = peer_call(&peer, STREAMS_BOTH, method, 0, BRINE_FOREVER);
	for (event.type = 0; event.type != BRINE_EVENT_RESPONSE; peer_wait(&peer, &event)) {
		if (event.type == BRINE_EVENT_ITEM) {
			assert_int_equal(number_decoded(event.result), 2 * taken);
			taken++;
			peer_taken(&peer, &event);
		}
		while (sent < SOME && peer_send_number(&peer, serial, sent) == 0)
			sent++;
		if (sent == SOME && !ended)
			ended = brine_conn_end_upload(peer.conn, serial, brine_clock_ms()) == 0;
	}
	assert_int_equal(event.status, BRINE_OK);
	assert_int_equal(taken, SOME);
	peer_close(&peer);
	measured_stop(&measured);
	assert_int_equal(measured.streams.last_status, 0);
}

static void both_ways_on_worker_over(void **state, enum over kind)
{
	both_ways(state, kind, "double");
}
DEFINE_BOTH(both_ways_on_worker)

static void both_ways_on_loop_over(void **state, enum over kind)
{
	both_ways(state, kind, "double/loop");
}
DEFINE_BOTH(both_ways_on_loop)

/* ---- slow sides ---- */

static void call_add(struct peer *peer, int64_t number)
{
	struct brine_conn_call call = {.method = BRINE_STR("add"),
	                               .params = BRINE_BYTES("\x92\x02\x03", 3),
	                               .deadline_ms = BRINE_FOREVER,
	                               .user = &number};
	uint64_t serial;
	struct brine_event event = {0};
	assert_int_equal(brine_conn_call(peer->conn, &call, brine_clock_ms(), &serial, NULL), 0);
	while (event.type != BRINE_EVENT_RESPONSE || event.serial != serial) {
		peer_wait(peer, &event);
		assert_int_not_equal(event.type, BRINE_EVENT_CLOSED);
	}
	assert_int_equal(event.status, BRINE_OK);
	assert_int_equal(number_decoded(event.result), 5);
}

/* A handler that takes nothing stops its own uploader, and nobody else on the connection. */
static void slow_handler_over(void **state, enum over kind)
{
	static struct measured measured;
	struct peer peer;
	measured_start(&measured, state, kind);
	atomic_store(&measured.streams.gate, false);
	peer_open(&peer, measured.streams.host.address);
	uint64_t serial = peer_call(&peer, BRINE_METHOD_UPLOAD, "sum", 0, BRINE_FOREVER);
	wait_for_count(&measured.streams.started, 1);
	call_add(&peer, 0);
	/* With the welcome came the first credit, and it is all there is. */
	int64_t sent = 0;
	while (peer_send_number(&peer, serial, 1) == 0)
		sent++;
	assert_in_range(sent, 1, 1000);
	for (int i = 0; i < 100; i++)
		call_add(&peer, i);
	assert_int_equal(peer_send_number(&peer, serial, 1), BRINE_ERR_NO_CREDIT);
	atomic_store(&measured.streams.gate, true);
	for (struct brine_event event = {0}; event.type != BRINE_EVENT_CREDIT;)
		peer_wait(&peer, &event);
	assert_int_equal(upload(&peer, serial, MANY / 10), sent + (int64_t)(MANY / 10) * (MANY / 10 - 1) / 2);
	peer_close(&peer);
	measured_stop(&measured);
}
DEFINE_BOTH(slow_handler)

/* D11: a reader that takes nothing of one stream stops that one; 99 others and ordinary calls on the same connection go
 * on. Then it reads, and gets everything. */
static void slow_reader_over(void **state, enum over kind)
{
	enum { STREAMS = 99, EACH = 200 };
	static struct measured measured;
	struct peer peer;
	struct brine_event event;
	measured_start(&measured, state, kind);
	peer_open(&peer, measured.streams.host.address);
	uint64_t slow = peer_call(&peer, BRINE_METHOD_DOWNLOAD, "count", MANY, BRINE_FOREVER);
	uint64_t serials[STREAMS];
	int64_t sent[STREAMS] = {0}, taken[STREAMS] = {0};
	int untaken = 0, finished = 0;
	size_t untaken_size = 0;
	for (int i = 0; i < STREAMS; i++)
		serials[i] = peer_call(&peer, STREAMS_BOTH, "double/loop", 0, BRINE_FOREVER);
	while (finished < STREAMS) {
		for (int i = 0; i < STREAMS; i++) {
			while (sent[i] < EACH && peer_send_number(&peer, serials[i], sent[i]) == 0)
				sent[i]++;
			if (sent[i] == EACH && brine_conn_end_upload(peer.conn, serials[i], brine_clock_ms()) == 0)
				sent[i]++;
		}
		peer_wait(&peer, &event);
		if (event.serial == slow && event.type == BRINE_EVENT_ITEM) {
			assert_int_equal(number_decoded(event.result), untaken);
			untaken++;
			untaken_size += event.result.size;
		} else if (event.type == BRINE_EVENT_ITEM) {
			int i = 0;
			while (serials[i] != event.serial)
				i++;
			assert_int_equal(number_decoded(event.result), 2 * taken[i]++);
			peer_taken(&peer, &event);
		} else if (event.type == BRINE_EVENT_RESPONSE) {
			assert_int_not_equal(event.serial, slow);
			finished++;
		}
	}
	for (int i = 0; i < STREAMS; i++)
		assert_int_equal(taken[i], EACH);
	for (int i = 0; i < 100; i++)
		call_add(&peer, i);
	assert_in_range(untaken, 1, 1000);
	brine_conn_taken(peer.conn, slow, (uint32_t)untaken, untaken_size, brine_clock_ms());
	for (peer_wait(&peer, &event); event.type != BRINE_EVENT_RESPONSE; peer_wait(&peer, &event)) {
		if (event.type != BRINE_EVENT_ITEM)
			continue;
		assert_int_equal(number_decoded(event.result), untaken++);
		peer_taken(&peer, &event);
	}
	assert_int_equal(untaken, MANY);
	peer_close(&peer);
	measured_stop(&measured);
	assert_true(atomic_load(&measured.streams.would_block) >= STREAMS);
}
DEFINE_BOTH(slow_reader)

/* D09: streams that nobody reads: as many as calls may run, error 5 for the rest, and memory stays bounded. */
static void unread_streams_over(void **state, enum over kind)
{
	enum { LIMIT = 64, OPENED = 1000 };
	static struct measured measured;
	struct brine_buf item = BRINE_BUF_INIT;
	shared_allocator_init(&measured.allocator, 0, false);
	measured.options = (struct brine_server_options)BRINE_SERVER_OPTIONS_INIT;
	measured.options.allocator = &measured.allocator.base;
	measured.options.limits.calls_max = LIMIT;
	measured.options.workers = LIMIT;
	streams_start(&measured.streams, state, kind, &measured.options);
	int fd = raw_connect(measured.streams.host.address);
	for (int id = 0; id < OPENED; id++) {
		/* [0, id, "count", [1000000], {"win": 0}] */
		uint8_t frame[] = {0,           0x95, 0,    0xcd, (uint8_t)(id >> 8),
		                   (uint8_t)id, 0xa5, 'c',  'o',  'u',
		                   'n',         't',  0x91, 0xce, 0x00,
		                   0x0f,        0x42, 0x40, 0x81, 0xa3,
		                   'w',         'i',  'n',  0};
		frame[0] = sizeof frame - 1;
		raw_send(fd, frame, sizeof frame);
	}
	for (int i = 0; i < OPENED - LIMIT; i++) {
		uint8_t frame[128];
		assert_true(raw_read_frame(fd, frame) > 8);
		int code = frame[frame[2] < 0x80 ? 4 : frame[2] == 0xcc ? 5 : 6];
		assert_int_equal(code, BRINE_CODE_OVERLOADED);
	}
	wait_for_count(&measured.streams.started, LIMIT);
	raw_send_hex(fd, "03 92 12 01");
	raw_expect_hex(fd, "03 92 13 01");
	close(fd);
	host_stop(&measured.streams.host);
	assert_int_equal(measured.streams.ended, LIMIT);
	assert_int_equal(measured.streams.last_status, BRINE_ERR_LOST);
	assert_in_range(measured.allocator.fail.held_most, 1, LIMIT * 256 * 1024);
	assert_int_equal(measured.allocator.fail.held, 0);
	brine_buf_done(&item);
}
DEFINE_BOTH(unread_streams)

/* D07: a reader that never gives credit is cut off, and the handler hears why. */
static void no_credit_ever_over(void **state, enum over kind)
{
	static struct streams streams;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	uint8_t frame[128];
	options.limits.stall_timeout_ms = 50;
	streams_start(&streams, state, kind, &options);
	int fd = raw_connect(streams.host.address);
	/* [0, 1, "count", [1000000], {"win": 0}] */
	raw_send_hex(fd, "15 95 00 01 a5 63 6f 75 6e 74 91 ce 00 0f 42 40 81 a3 77 69 6e 00");
	assert_true(raw_read_frame(fd, frame) > 5);
	assert_memory_equal(frame, "\x94\x01\x01\x92\x04", 5);
	wait_for_count(&streams.ended, 1);
	assert_int_equal(atomic_load(&streams.last_status), BRINE_ERR_NO_PROGRESS);
	close(fd);
	host_stop(&streams.host);
}
DEFINE_BOTH(no_credit_ever)

struct opener {
	int fd;
	int pairs;
	pthread_t thread;
};

static void *opener_run(void *argument)
{
	struct opener *opener = argument;
	for (int id = 0; id < opener->pairs; id++) {
		/* [0, id, "count", [1000000], {"win": 4}], [8, id] */
		uint8_t high = (uint8_t)(id >> 8), low = (uint8_t)id;
		uint8_t frames[] = {23,   0x95, 0,    0xcd, high, low, 0xa5, 'c', 'o', 'u', 'n',  't', 0x91, 0xce, 0x00,
		                    0x0f, 0x42, 0x40, 0x81, 0xa3, 'w', 'i',  'n', 4,   5,   0x92, 8,   0xcd, high, low};
		raw_send(opener->fd, frames, sizeof frames);
	}
	return NULL;
}

/* D10: streams opened and cancelled as fast as the socket takes them: each is answered once, handlers that run are
 * never more than the limit, and what was cancelled leaves nothing. */
static void opened_and_reset_over(void **state, enum over kind)
{
	enum { PAIRS = 10000, LIMIT = 8 };
	static struct measured measured;
	shared_allocator_init(&measured.allocator, 0, false);
	measured.options = (struct brine_server_options)BRINE_SERVER_OPTIONS_INIT;
	measured.options.allocator = &measured.allocator.base;
	measured.options.limits.calls_max = LIMIT;
	measured.options.limits.control_answers_max = PAIRS; /* how fast this peer reads is not the point */
	measured.options.workers = 2 * LIMIT;
	streams_start(&measured.streams, state, kind, &measured.options);
	struct opener opener = {.fd = raw_connect(measured.streams.host.address), .pairs = PAIRS};
	assert_int_equal(pthread_create(&opener.thread, NULL, opener_run, &opener), 0);
	int answers[11] = {0};
	for (int answered = 0; answered < PAIRS;) {
		uint8_t frame[128];
		assert_true(raw_read_frame(opener.fd, frame) > 3);
		if (frame[1] != 1)
			continue;
		int code = frame[frame[2] < 0x80 ? 4 : frame[2] == 0xcc ? 5 : 6];
		assert_in_range(code, 4, 5);
		answers[code]++;
		answered++;
	}
	pthread_join(opener.thread, NULL);
	close(opener.fd);
	measured_stop(&measured);
	assert_true(answers[4] > 0);
	assert_int_equal(atomic_load(&measured.streams.started), atomic_load(&measured.streams.ended));
	assert_true(atomic_load(&measured.streams.running_most) <= LIMIT);
}
DEFINE_BOTH(opened_and_reset)

/* ---- ends ---- */

enum end { END_CANCEL, END_DEADLINE, END_RESET, END_FIN, ENDS };

/* Ends a call in which a handler waits, but for one that has a deadline. */
static void end_wait(struct peer *peer, uint64_t serial, enum end end)
{
	struct linger hard = {1, 0};
	if (end == END_CANCEL) {
		brine_conn_cancel(peer->conn, serial, brine_clock_ms());
		peer_write(peer);
	} else if (end == END_RESET) {
		setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(peer->fd);
		peer->fd = -1;
	} else if (end == END_FIN) {
		shutdown(peer->fd, SHUT_WR);
	}
}

/* Whether the server has answered, which may be late here for a call that has run out of time. */
static bool poll_for_answer(struct peer *peer)
{
	struct brine_event event = {0};
	bool answered = peer_poll(peer, &event) && event.type == BRINE_EVENT_RESPONSE && event.error.is_set;
	return answered || brine_conn_counters(peer->conn)->late_answers > 0;
}

/* What a handler hears that waits in a stream when its call ends. False: its time was over before it was called. */
static bool ends_its_wait(void **state, enum over kind, const char *method, uint32_t flags, enum end end,
                          uint64_t timeout_ms)
{
	static const int heard[] = {BRINE_ERR_CANCELLED, BRINE_ERR_DEADLINE, BRINE_ERR_LOST, BRINE_ERR_CANCELLED};
	static struct measured measured;
	struct peer peer;
	measured_start(&measured, state, kind);
	peer_open(&peer, measured.streams.host.address);
	uint64_t deadline_ms = end == END_DEADLINE ? brine_clock_ms() + timeout_ms : BRINE_FOREVER;
	uint64_t serial = peer_call(&peer, flags, method, MANY, deadline_ms);
	if (end != END_DEADLINE)
		wait_for_count(&measured.streams.started, 1);
	end_wait(&peer, serial, end);
	bool answered = serial == 0;
	while (peer.fd >= 0 && !atomic_load(&measured.streams.ended) && !answered)
		answered = poll_for_answer(&peer);
	bool waited = end != END_DEADLINE || atomic_load(&measured.streams.started);
	if (waited) {
		wait_for_count(&measured.streams.ended, 1);
		assert_int_equal(atomic_load(&measured.streams.last_status), heard[end]);
	}
	peer_close(&peer);
	measured_stop(&measured);
	return waited;
}

static void ends_in_wait(void **state, enum over kind, const char *method, uint32_t flags)
{
	for (enum end end = 0; end < ENDS; end++) {
		/* A peer that only stops sending still reads: its answer stream goes on. */
		if (end == END_FIN && !(flags & BRINE_METHOD_UPLOAD))
			continue;
		for (uint64_t ms = 50; !ends_its_wait(state, kind, method, flags, end, ms); ms = twice_as_long(ms))
			;
	}
}

static void ends_in_next_over(void **state, enum over kind)
{
	ends_in_wait(state, kind, "sum", BRINE_METHOD_UPLOAD);
}
DEFINE_BOTH(ends_in_next)

static void ends_in_send_over(void **state, enum over kind)
{
	ends_in_wait(state, kind, "count", BRINE_METHOD_DOWNLOAD);
}
DEFINE_BOTH(ends_in_send)

static void ends_on_loop_over(void **state, enum over kind)
{
	ends_in_wait(state, kind, "double/loop", STREAMS_BOTH);
}
DEFINE_BOTH(ends_on_loop)

static void expect_error(struct peer *peer, int64_t code, const char *text)
{
	struct brine_event event = {0};
	while (event.type != BRINE_EVENT_RESPONSE)
		peer_wait(peer, &event);
	assert_int_equal(event.status, BRINE_ERR_REMOTE);
	assert_int_equal(event.error.code, code);
	if (!memmem(event.error.text.data, event.error.text.size, text, strlen(text)))
		fail_msg("'%.*s' does not say '%s'", BRINE_ARG(event.error.text), text);
}

/* WIRE.md section 7: a method's streams and the call's must be the same; an item that does not fit ends its call. */
static void wrong_streams_over(void **state, enum over kind)
{
	static struct measured measured;
	struct peer peer;
	measured_start(&measured, state, kind);
	peer_open(&peer, measured.streams.host.address);
	peer_call(&peer, 0, "count", 5, BRINE_FOREVER);
	expect_error(&peer, BRINE_CODE_UNSUPPORTED, "'win'");
	peer_call(&peer, 0, "sum", 5, BRINE_FOREVER);
	expect_error(&peer, BRINE_CODE_INVALID, "'up'");
	peer_call(&peer, BRINE_METHOD_UPLOAD, "add", 5, BRINE_FOREVER);
	expect_error(&peer, BRINE_CODE_INVALID, "'up'");
	uint64_t serial = peer_call(&peer, BRINE_METHOD_UPLOAD, "sum", 0, BRINE_FOREVER);
	wait_for_count(&measured.streams.started, 1);
	while (brine_conn_send(peer.conn, serial, BRINE_BYTES("\xa1x", 2), brine_clock_ms()) == BRINE_ERR_NO_CREDIT) {
		struct brine_event event;
		peer_wait(&peer, &event);
	}
	expect_error(&peer, BRINE_CODE_INVALID, "value");
	wait_for_count(&measured.streams.ended, 1);
	assert_int_equal(atomic_load(&measured.streams.last_status), BRINE_ERR_TYPE);
	call_add(&peer, 1);
	peer_close(&peer);
	measured_stop(&measured);
}
DEFINE_BOTH(wrong_streams)

static int raw_misuse(struct brine_request *request, struct brine_bytes params, void *user)
{
	int *wrong = user;
	struct brine_bytes item;
	(void)params;
	/* No upload; not one value; on a loop nothing waits; a result beside the stream; nothing after the answer. */
	*wrong += brine_request_next_raw(request, &item) != BRINE_ERR_STATE;
	*wrong += brine_request_send_raw(request, BRINE_BYTES("\x92\x01", 2)) != BRINE_ERR_MALFORMED;
	*wrong += brine_request_send_raw(request, BRINE_BYTES("", 0)) == 0;
	*wrong += brine_request_send(request, &item) != BRINE_ERR_STATE;
	int status = 0;
	static uint8_t big[8192] = {0xc5, 0x1f, 0xfd};
	for (int i = 0; i < 1000 && status == 0; i++)
		status = brine_request_send_raw(request, BRINE_BYTES(big, sizeof big));
	*wrong += status != BRINE_ERR_WOULD_BLOCK;
	*wrong += brine_request_reply_raw(request, BRINE_BYTES("\x05", 1)) != BRINE_ERR_INVALID;
	*wrong += brine_request_reply_raw(request, BRINE_BYTES(NULL, 0)) != 0;
	*wrong += brine_request_send_raw(request, BRINE_BYTES("\x05", 1)) != BRINE_ERR_STATE;
	return 0;
}

/* What a handler does wrong, or may not do where it is, it is told; its answer waits for its items. */
static void misuse_over(void **state, enum over kind)
{
	static struct streams streams;
	struct peer peer;
	struct brine_event event;
	int wrong = 0, items = 0;
	streams_prepare(&streams, state, kind, NULL);
	assert_int_equal(brine_server_serve_raw_as(streams.host.server, "misuse", BRINE_METHOD_DOWNLOAD, raw_misuse,
	                                           &wrong, NULL),
	                 0);
	host_launch(&streams.host);
	peer_open(&peer, streams.host.address);
	peer_call(&peer, BRINE_METHOD_DOWNLOAD, "misuse", 0, BRINE_FOREVER);
	for (peer_wait(&peer, &event); event.type != BRINE_EVENT_RESPONSE; peer_wait(&peer, &event)) {
		items += event.type == BRINE_EVENT_ITEM;
		if (event.type == BRINE_EVENT_ITEM)
			peer_taken(&peer, &event);
	}
	assert_int_equal(event.status, BRINE_OK);
	assert_true(items >= 8);
	peer_close(&peer);
	host_stop(&streams.host);
	assert_int_equal(wrong, 0);
}
DEFINE_BOTH(misuse)

/* Items that do not fit, in the event form: the call is answered inside brine_request_next(), and the handler goes on
 * using its request until it returns. More of them than the server keeps requests for the next calls. */
static void bad_items_in_events_over(void **state, enum over kind)
{
	enum { CALLS = 100 };
	static struct streams streams;
	struct peer peer;
	struct brine_event event;
	uint64_t serials[CALLS];
	int answered = 0;
	streams_start(&streams, state, kind, NULL);
	peer_open(&peer, streams.host.address);
	do
		peer_wait(&peer, &event);
	while (event.type != BRINE_EVENT_HELLO);
	for (int i = 0; i < CALLS; i++)
		serials[i] = peer_call(&peer, STREAMS_BOTH, "double/loop", 0, BRINE_FOREVER);
	for (int i = 0; i < CALLS; i++)
		while (brine_conn_send(peer.conn, serials[i], BRINE_BYTES("\xa4what", 5), brine_clock_ms()) ==
		       BRINE_ERR_NO_CREDIT)
			peer_wait(&peer, &event);
	for (; answered < CALLS; answered += event.type == BRINE_EVENT_RESPONSE) {
		peer_wait(&peer, &event);
		if (event.type == BRINE_EVENT_RESPONSE)
			assert_int_equal(event.error.code, BRINE_CODE_INVALID);
	}
	peer_close(&peer);
	host_stop(&streams.host);
	assert_int_equal(atomic_load(&streams.ended), CALLS);
}
DEFINE_BOTH(bad_items_in_events)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(long_upload),    BOTH(long_download), BOTH(both_ways_on_worker), BOTH(both_ways_on_loop),
	        BOTH(slow_handler),   BOTH(slow_reader),   BOTH(unread_streams),      BOTH(opened_and_reset),
	        BOTH(no_credit_ever), BOTH(ends_in_next),  BOTH(ends_in_send),        BOTH(ends_on_loop),
	        BOTH(wrong_streams),  BOTH(misuse),        BOTH(bad_items_in_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
