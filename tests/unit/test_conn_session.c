/* Proves: the recorded framed session, its streams included, comes out right from both ends, whole, byte by byte and at
 * random cuts; and streams survive any allocation that fails. */
#include "conn_harness.h"

#include "files.h"

static struct brine_buf recorded;

/* What the handlers and calls of the session are at. */
static struct session {
	uint64_t count, sum, callback, nested; /* serials */
	uint8_t sent, target, received;
	unsigned total;
} session;

/* Goes on with the items from session.sent to target. True: all are sent. */
static bool send_more(struct harness *h, uint64_t serial)
{
	while (session.sent < session.target) {
		int rc = brine_conn_send(h->conn, serial, BRINE_BYTES(&session.sent, 1), h->now_ms);
		if (rc == BRINE_ERR_NO_CREDIT)
			return false;
		assert_int_equal(rc, 0);
		session.sent++;
	}
	return true;
}

static void count_more(struct harness *h)
{
	if (send_more(h, session.count))
		brine_conn_reply(h->conn, session.count, BRINE_BYTES(&session.target, 1), none, h->now_ms);
}

static bool serve_request(struct harness *h, const struct brine_event *event)
{
	const uint8_t *params = event->params.data;
	bool is_ours = true;
	if (brine_str_equal(event->method, BRINE_STR("count"))) {
		assert_true(event->wants_items && !event->has_upload);
		session.count = event->serial;
		session.target = params[1];
		count_more(h);
	} else if (brine_str_equal(event->method, BRINE_STR("sum"))) {
		session.sum = event->serial;
	} else if (brine_str_equal(event->method, BRINE_STR("callback"))) {
		session.callback = event->serial;
		h->handled[event->serial] = 1;
		session.nested = harness_call(h, "sum2", BRINE_FOREVER);
	} else {
		is_ours = brine_str_equal(event->method, BRINE_STR("sleep"));
	}
	h->handled[event->serial] = is_ours;
	return is_ours;
}

/* The server's side: count, sum of an upload, a call back to the client. */
static bool serve_hook(struct harness *h, const struct brine_event *event)
{
	switch (event->type) {
	case BRINE_EVENT_REQUEST: return serve_request(h, event);
	case BRINE_EVENT_CREDIT: count_more(h); return true;
	case BRINE_EVENT_CANCEL: return true;
	case BRINE_EVENT_ITEM:
		assert_int_equal(event->serial, session.sum);
		session.total += *(const uint8_t *)event->result.data;
		session.received++;
		brine_conn_taken(h->conn, event->serial, 1, event->result.size, h->now_ms);
		return true;
	case BRINE_EVENT_UPLOAD_END: {
		uint8_t total = (uint8_t)session.total;
		assert_int_equal(session.received, 10);
		brine_conn_reply(h->conn, session.sum, BRINE_BYTES(&total, 1), none, h->now_ms);
		return true;
	}
	case BRINE_EVENT_RESPONSE:
		assert_int_equal(event->serial, session.nested);
		h->ended[event->serial]++;
		brine_conn_reply(h->conn, session.callback, event->result, none, h->now_ms);
		return true;
	default: return false;
	}
}

/* The bytes occur in what the peer got; returns where. */
static size_t find_output(const struct harness *h, const char *hex, size_t from)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	size_t size = hex_append(&bytes, hex);
	struct brine_bytes output = {h->output.data + h->output.start, brine_buf_size(&h->output)};
	const uint8_t *found = memmem((const uint8_t *)output.data + from, output.size - from, bytes.data, size);
	if (!found)
		fail_msg("run %u: %s was not sent", h->run, hex);
	brine_buf_done(&bytes);
	return (size_t)(found - (const uint8_t *)output.data);
}

static void server_script(struct harness *h)
{
	session = (struct session){0};
	h->hook = serve_hook;
	harness_feed_bytes(h, recorded.data, brine_buf_size(&recorded));
	assert_int_equal(session.sent, 10);
	size_t at = 0;
	for (unsigned i = 0; i < 10; i++) {
		char item[16];
		snprintf(item, sizeof item, "04930305%02x", i);
		at = find_output(h, item, at);
	}
	at = find_output(h, "05940105c00a", at);
	find_output(h, "05940109c02d", 0);
	find_output(h, "1094010a9204", at);
	find_output(h, "0594010bc02a", at);
	assert_int_equal(brine_conn_fault(h->conn)->code, BRINE_ERR_UNSUPPORTED);
}

/* The client's side. */
static bool call_hook(struct harness *h, const struct brine_event *event)
{
	if (event->type == BRINE_EVENT_RESPONSE && event->result.size > 100) {
		h->ended[event->serial]++;
		return true;
	}
	if (event->type != BRINE_EVENT_CREDIT)
		return false;
	assert_int_equal(event->serial, session.sum);
	if (send_more(h, session.sum))
		assert_int_equal(brine_conn_end_upload(h->conn, session.sum, h->now_ms), 0);
	return true;
}

static void client_script(struct harness *h)
{
	static const char *const methods[] = {"add", "echo",  "echo", "echo",  "count",   "nosuch",
	                                      "add", "sleep", "sum",  "sleep", "callback"};
	session = (struct session){.target = 10};
	h->hook = call_hook;
	for (unsigned i = 0; i < sizeof methods / sizeof methods[0]; i++)
		harness_open(h, methods[i], BRINE_FOREVER, i == 4, i == 8);
	session.sum = 9;
	assert_false(send_more(h, session.sum));
	harness_pump(h);
	harness_feed_bytes(h, recorded.data, brine_buf_size(&recorded));
	assert_int_equal(session.sent, 10);
	size_t at = 0;
	for (unsigned i = 0; i < 10; i++) {
		char item[16];
		snprintf(item, sizeof item, "04930409%02x", i);
		at = find_output(h, item, at);
	}
	find_output(h, "03920409", at);
	brine_buf_append(&h->log, "", 1);
	static const char streams[] = "item of 5: 0\nitem of 5: 1\nitem of 5: 2\nitem of 5: 3\nitem of 5: 4\n"
	                              "item of 5: 5\nitem of 5: 6\nitem of 5: 7\nitem of 5: 8\nitem of 5: 9\n"
	                              "response 5 = 10\n";
	assert_non_null(strstr((const char *)h->log.data, streams));
	assert_non_null(strstr((const char *)h->log.data, "response 9 = 45\n"));
	assert_non_null(strstr((const char *)h->log.data, "response 11 = 42\n"));
	assert_int_equal(brine_conn_fault(h->conn)->code, BRINE_ERR_GOAWAY);
}

/* The recorded client was older than the option that announces an upload: without it items have no credit. */
static void unannounced_script(struct harness *h)
{
	session = (struct session){0};
	h->hook = serve_hook;
	harness_feed_bytes(h, recorded.data, brine_buf_size(&recorded));
	assert_int_equal(session.sent, 10);
	assert_int_equal(session.received, 0);
	assert_non_null(strstr(brine_conn_fault(h->conn)->text, "no credit for an item of call 9"));
}

/* Puts {"up": true} behind the one request that needs it. */
static void announce_upload(void)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	size_t old_size = hex_append(&bytes, "0894 0009 a373756d 90");
	const uint8_t *found = memmem(recorded.data, recorded.end, bytes.data, old_size);
	assert_non_null(found);
	size_t at = (size_t)(found - recorded.data);
	brine_buf_done(&bytes);
	brine_buf_append(&bytes, recorded.data, at);
	hex_append(&bytes, "0d95 0009 a373756d 90 81a27570c3");
	brine_buf_append(&bytes, recorded.data + at + old_size, recorded.end - at - old_size);
	brine_buf_done(&recorded);
	recorded = bytes;
}

static void the_recorded_session(void **state)
{
	(void)state;
	recorded = file_read("captures/framed-session.c2s.bin");
	struct brine_conn_options options = harness_accepting();
	harness_run(&options, unannounced_script);
	announce_upload();
	harness_run(&options, server_script);
	brine_buf_done(&recorded);
	recorded = file_read("captures/framed-session.s2c.bin");
	options = harness_connecting();
	options.hello = true;
	harness_run(&options, client_script);
	brine_buf_done(&recorded);
}

/* Two ends that open streams at each other; any step may fail for want of memory, none may surprise. */
struct end {
	struct brine_conn *conn;
	unsigned started, ended, items;
	bool closed;
};

static void open_streams(struct end *end)
{
	struct brine_conn_call call = {
	        .method = BRINE_STR("m"), .deadline_ms = 1000, .wants_items = true, .has_upload = true};
	uint64_t serial;
	for (unsigned i = 0; i < 3; i++) {
		if (brine_conn_call(end->conn, &call, 0, &serial, NULL) < 0)
			continue;
		end->started++;
		for (unsigned item = 0; item < 8; item++)
			brine_conn_send(end->conn, serial, BRINE_BYTES("\x07", 1), 0);
		if (i == 1)
			brine_conn_end_upload(end->conn, serial, 0);
		if (i == 2)
			brine_conn_cancel(end->conn, serial, 0);
	}
}

static void pull_end(struct end *end)
{
	struct brine_event event;
	while (brine_conn_next(end->conn, &event, 0) > 0) {
		end->ended += event.type == BRINE_EVENT_RESPONSE;
		end->closed |= event.type == BRINE_EVENT_CLOSED;
		end->items += event.type == BRINE_EVENT_ITEM;
		if (event.type == BRINE_EVENT_ITEM)
			brine_conn_taken(end->conn, event.serial, 1, event.result.size, 0);
		if (event.type == BRINE_EVENT_UPLOAD_END)
			brine_conn_reply(end->conn, event.serial, none, none, 0);
		if (event.type == BRINE_EVENT_REQUEST)
			for (unsigned item = 0; item < 40; item++)
				brine_conn_send(end->conn, event.serial, BRINE_BYTES("\x07", 1), 0);
		if (event.type == BRINE_EVENT_CREDIT)
			brine_conn_send(end->conn, event.serial, BRINE_BYTES("\x07", 1), 0);
	}
}

static void carry_to(struct end *from, struct end *to)
{
	struct brine_bytes bytes = brine_conn_pending(from->conn);
	if (bytes.size)
		brine_conn_feed(to->conn, bytes, 0);
	brine_conn_sent(from->conn, bytes.size, 0);
	pull_end(to);
}

static unsigned scenario(const struct brine_allocator *allocator)
{
	struct end ends[2] = {{0}, {0}};
	for (int i = 0; i < 2; i++) {
		struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
		options.role = i;
		options.hello = i == BRINE_CONNECTING;
		options.allocator = allocator;
		brine_conn_new(&ends[i].conn, &options, 0, NULL);
	}
	if (ends[0].conn && ends[1].conn) {
		open_streams(&ends[0]);
		carry_to(&ends[0], &ends[1]);
		open_streams(&ends[1]);
		for (unsigned i = 0; i < 6; i++)
			carry_to(&ends[!(i % 2)], &ends[i % 2]);
		for (int i = 0; i < 2; i++) {
			brine_conn_lost(ends[i].conn, BRINE_ERR_SYSTEM, 0);
			pull_end(&ends[i]);
			assert_true(ends[i].closed);
			assert_int_equal(ends[i].started, ends[i].ended);
		}
	}
	brine_conn_free(ends[0].conn);
	brine_conn_free(ends[1].conn);
	return ends[0].items + ends[1].items;
}

static void G01_every_allocation_of_streams_may_fail(void **state)
{
	(void)state;
	struct fail_allocator memory;
	fail_allocator_init(&memory, 0, false);
	assert_true(scenario(&memory.base) > 50);
	uint64_t calls = memory.calls, failures = 0;
	assert_true(calls > 20);
	for (uint64_t n = 1; n <= calls; n++) {
		for (unsigned after = 0; after < 2; after++) {
			fail_allocator_init(&memory, n, after);
			scenario(&memory.base);
			assert_int_equal(memory.held, 0);
			failures += memory.failures;
		}
	}
	assert_true(failures >= 2 * calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_recorded_session),
	        cmocka_unit_test(G01_every_allocation_of_streams_may_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
