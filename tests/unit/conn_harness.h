/* conn_harness.h - drives one connection through a script, on simulated time, with a small service behind it.
 *
 * Each script runs 18 times: its bytes fed whole, one by one, and at 16 seeded random cuts; the script asserts, so the
 * outcome must not depend on the cuts. At the end of each run the harness asserts what must hold in every case: each
 * call of ours ended exactly once, each request reached its handler at most once and by its own serial, memory stayed
 * in its bounds and everything was given back. */
#ifndef BRINE_TESTS_CONN_HARNESS_H
#define BRINE_TESTS_CONN_HARNESS_H

#include "pyrepr.h"
#include "support.h"

#include <brine/conn.h>
#include <brine/pack.h>

enum {
	HARNESS_RUNS = 18, /* whole, byte by byte, 16 random cuts */
	HARNESS_SERIALS = 4096,
	HARNESS_MEMORY = 64 * 1024, /* what a connection may hold beside what was fed and what waits to be sent */
};

static const struct brine_bytes none = {NULL, 0};

struct harness;
/* Sees each event first; true: it is dealt with. */
typedef bool harness_hook_fn(struct harness *h, const struct brine_event *event);

struct harness {
	struct fail_allocator memory;
	struct brine_conn *conn;
	uint64_t now_ms;
	unsigned run;
	uint64_t seed;
	bool no_writing; /* the peer takes nothing */
	bool no_taking;  /* the program takes no items */
	harness_hook_fn *hook;
	size_t fed, written;
	struct brine_buf output; /* what the peer got */
	struct brine_buf log;    /* one line an event */
	uint64_t slow[64];       /* serials of "slow" calls, unanswered */
	unsigned slow_count;
	uint8_t started[HARNESS_SERIALS], ended[HARNESS_SERIALS]; /* calls of ours, by serial */
	uint8_t handled[HARNESS_SERIALS];                         /* requests, by serial */
	uint64_t handlers, cancels;
	bool closed;
	int closed_status;
};

typedef void harness_script_fn(struct harness *h);

static inline void harness_log(struct harness *h, const char *format, ...) BRINE_PRINTF(2, 3);
static inline void harness_log(struct harness *h, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	assert_in_range(size, 1, sizeof text - 1);
	for (const char *at = text; *at; at++)
		assert_true((unsigned char)*at >= 0x20);
	brine_buf_append(&h->log, text, (size_t)size);
	brine_buf_append(&h->log, "\n", 1);
}

/* add(a, b), echo(...), fail(), slow() which answers when the script says so; anything else is no method. */
static inline void harness_request(struct harness *h, const struct brine_event *event)
{
	uint8_t bytes[16];
	struct brine_buf result = BRINE_BUF_INIT;
	const uint8_t *params = event->params.data;
	if (brine_str_equal(event->method, BRINE_STR("add")) && event->params.size == 3) {
		bytes[0] = (uint8_t)(params[1] + params[2]);
		brine_conn_reply(h->conn, event->serial, BRINE_BYTES(bytes, 1), none, h->now_ms);
	} else if (brine_str_equal(event->method, BRINE_STR("echo"))) {
		brine_conn_reply(h->conn, event->serial, event->params, none, h->now_ms);
	} else if (brine_str_equal(event->method, BRINE_STR("fail"))) {
		brine_conn_fail(h->conn, event->serial, 1000, BRINE_STR("out of stock"), BRINE_BYTES("\x07", 1),
		                h->now_ms);
	} else if (brine_str_equal(event->method, BRINE_STR("slow"))) {
		assert_in_range(h->slow_count, 0, 63);
		h->slow[h->slow_count++] = event->serial;
	} else {
		char text[160], name[128];
		snprintf(text, sizeof text, "no such method: %s",
		         brine_escape(name, sizeof name, event->method.data, event->method.size));
		brine_conn_fail(h->conn, event->serial, BRINE_CODE_NO_METHOD, brine_str_from(text), none, h->now_ms);
	}
	brine_buf_done(&result);
}

static inline void harness_log_invocation(struct harness *h, const char *what, const struct brine_event *event)
{
	char name[64];
	struct brine_buf text = BRINE_BUF_INIT;
	brine_escape(name, sizeof name, event->method.data, event->method.size);
	if (event->params.size < 100)
		harness_log(h, "%s %s %s", what, name, repr(&text, event->params));
	else
		harness_log(h, "%s %s of %zu bytes", what, name, event->params.size);
	brine_buf_done(&text);
}

static inline void harness_log_response(struct harness *h, const struct brine_event *event)
{
	struct brine_buf text = BRINE_BUF_INIT;
	char escaped[200];
	brine_escape(escaped, sizeof escaped, event->error.text.data, event->error.text.size);
	if (event->status == BRINE_OK)
		harness_log(h, "response %llu = %s", (unsigned long long)event->serial, repr(&text, event->result));
	else if (event->error.is_set)
		harness_log(h, "response %llu %s %lld '%s'", (unsigned long long)event->serial,
		            brine_error_name(event->status), (long long)event->error.code, escaped);
	else
		harness_log(h, "response %llu %s", (unsigned long long)event->serial, brine_error_name(event->status));
	brine_buf_done(&text);
}

static inline void harness_log_item(struct harness *h, const struct brine_event *event)
{
	struct brine_buf text = BRINE_BUF_INIT;
	assert_int_equal(h->started[event->serial] + h->handled[event->serial], 1);
	assert_int_equal(h->ended[event->serial], 0);
	if (event->result.size < 100)
		harness_log(h, "item of %llu: %s", (unsigned long long)event->serial, repr(&text, event->result));
	else
		harness_log(h, "item of %llu: %zu bytes", (unsigned long long)event->serial, event->result.size);
	brine_buf_done(&text);
}

/* Events say whose call they are about and carry what the program attached to it. */
static inline void harness_check_owner(struct harness *h, const struct brine_event *event)
{
	assert_in_range(event->serial, 0, HARNESS_SERIALS - 1);
	assert_int_equal(event->is_ours, h->started[event->serial]);
	if (event->is_ours)
		assert_int_equal((uintptr_t)event->user, event->serial);
	else
		assert_ptr_equal(event->user, h->handled[event->serial] ? &h->handled[event->serial] : NULL);
	if (event->type == BRINE_EVENT_REQUEST)
		assert_int_equal(brine_conn_attach(h->conn, event->serial, &h->handled[event->serial]), 0);
}

static inline void harness_event(struct harness *h, const struct brine_event *event)
{
	assert_false(h->closed);
	if (h->hook && h->hook(h, event))
		return;
	harness_check_owner(h, event);
	switch (event->type) {
	case BRINE_EVENT_REQUEST:
		assert_in_range(event->serial, 1, HARNESS_SERIALS - 1);
		assert_int_equal(h->handled[event->serial]++, 0);
		h->handlers++;
		harness_log_invocation(h, "request", event);
		harness_request(h, event);
		break;
	case BRINE_EVENT_NOTIFICATION: harness_log_invocation(h, "notification", event); break;
	case BRINE_EVENT_RESPONSE:
		assert_int_equal(h->started[event->serial], 1);
		assert_int_equal(h->ended[event->serial]++, 0);
		harness_log_response(h, event);
		break;
	case BRINE_EVENT_ITEM:
		harness_log_item(h, event);
		if (!h->no_taking)
			brine_conn_taken(h->conn, event->serial, 1, event->result.size, h->now_ms);
		break;
	case BRINE_EVENT_UPLOAD_END:
		assert_int_equal(h->handled[event->serial], 1);
		harness_log(h, "upload of %llu ended %s", (unsigned long long)event->serial,
		            brine_error_name(event->status));
		break;
	case BRINE_EVENT_CREDIT: harness_log(h, "credit for %llu", (unsigned long long)event->serial); break;
	case BRINE_EVENT_CANCEL:
		assert_int_equal(h->handled[event->serial], 1);
		h->cancels++;
		harness_log(h, "cancel %s", brine_error_name(event->status));
		break;
	case BRINE_EVENT_HELLO: harness_log(h, "hello max %u", brine_conn_peer(h->conn)->message_size_max); break;
	case BRINE_EVENT_PONG: harness_log(h, "pong"); break;
	case BRINE_EVENT_GOAWAY: {
		char text[64];
		brine_escape(text, sizeof text, event->error.text.data, event->error.text.size);
		harness_log(h, "goaway %lld '%s'", (long long)event->error.code, text);
		break;
	}
	case BRINE_EVENT_CLOSED:
		h->closed = true;
		h->closed_status = event->status;
		assert_int_equal(event->status, brine_conn_fault(h->conn)->code);
		harness_log(h, "closed %s%s%s", brine_error_name(event->status), event->status ? ": " : "",
		            brine_conn_fault(h->conn)->text);
		break;
	default: fail_msg("unknown event %d", event->type);
	}
}

/* Pulls events and takes output until nothing moves. */
static inline void harness_pump(struct harness *h)
{
	struct brine_event event;
	unsigned turns = 0;
	for (bool moved = true; moved; turns++) {
		assert_in_range(turns, 0, 10000);
		moved = false;
		while (brine_conn_next(h->conn, &event, h->now_ms) > 0) {
			harness_event(h, &event);
			moved = true;
		}
		struct brine_bytes pending = brine_conn_pending(h->conn);
		if (pending.size && !h->no_writing) {
			brine_buf_append(&h->output, pending.data, pending.size);
			brine_conn_sent(h->conn, pending.size, h->now_ms);
			h->written += pending.size;
			moved = true;
		}
		if (brine_conn_deadline(h->conn) <= h->now_ms) {
			brine_conn_tick(h->conn, h->now_ms);
			moved = true;
		}
	}
}

/* Every other run reads into the connection's own room. */
static inline void harness_take_piece(struct harness *h, struct brine_bytes piece)
{
	h->fed += piece.size;
	if (h->run % 2 == 0) {
		assert_int_equal(brine_conn_feed(h->conn, piece, h->now_ms), 0);
		return;
	}
	size_t room = 0;
	void *to = brine_conn_reserve(h->conn, piece.size, &room);
	assert_non_null(to);
	assert_in_range(room, piece.size, SIZE_MAX);
	memcpy(to, piece.data, piece.size);
	brine_conn_fed(h->conn, piece.size, h->now_ms);
}

/* Feeds bytes of the peer, cut as this run says. */
static inline void harness_feed_bytes(struct harness *h, const void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t piece = size - at;
		if (h->run == 1)
			piece = 1;
		else if (h->run > 1)
			piece = 1 + random_below(&h->seed, piece);
		harness_take_piece(h, BRINE_BYTES((const uint8_t *)data + at, piece));
		at += piece;
		harness_pump(h);
	}
}

static inline void harness_feed(struct harness *h, const char *hex)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	hex_append(&bytes, hex);
	harness_feed_bytes(h, bytes.data, brine_buf_size(&bytes));
	brine_buf_done(&bytes);
}

/* One message; its length goes before it. */
static inline void harness_message(struct harness *h, const char *hex)
{
	struct brine_buf message = BRINE_BUF_INIT, frame = BRINE_BUF_INIT;
	hex_append(&message, hex);
	brine_pack_uint(&frame, brine_buf_size(&message));
	brine_buf_append(&frame, message.data, brine_buf_size(&message));
	harness_feed_bytes(h, frame.data, brine_buf_size(&frame));
	brine_buf_done(&message);
	brine_buf_done(&frame);
}

static inline void harness_eof(struct harness *h)
{
	brine_conn_eof(h->conn, h->now_ms);
	harness_pump(h);
}

/* Lets time pass, ticking exactly when the connection wants to be ticked. */
static inline void harness_pass(struct harness *h, uint64_t ms)
{
	uint64_t until = h->now_ms + ms;
	for (unsigned turns = 0; brine_conn_deadline(h->conn) <= until; turns++) {
		assert_in_range(turns, 0, 10000);
		uint64_t due = brine_conn_deadline(h->conn);
		h->now_ms = due > h->now_ms ? due : h->now_ms;
		brine_conn_tick(h->conn, h->now_ms);
		harness_pump(h);
	}
	h->now_ms = until;
	brine_conn_tick(h->conn, h->now_ms);
	harness_pump(h);
}

/* Starts a call of ours, with streams; returns its serial. */
static inline uint64_t harness_open(struct harness *h, const char *method, uint64_t timeout_ms, bool wants_items,
                                    bool has_upload)
{
	struct brine_conn_call call = {
	        .method = brine_str_from(method),
	        .deadline_ms = timeout_ms == BRINE_FOREVER ? BRINE_FOREVER : h->now_ms + timeout_ms,
	        .wants_items = wants_items,
	        .has_upload = has_upload,
	};
	/* Serials count up, so that the next one is known; it comes back as the user's pointer. */
	struct brine_error error = BRINE_ERROR_INIT;
	uint64_t serial = 0;
	static uint64_t next;
	next = 1;
	while (next < HARNESS_SERIALS && (h->started[next] || h->handled[next]))
		next++;
	call.user = (void *)(uintptr_t)next;
	int rc = brine_conn_call(h->conn, &call, h->now_ms, &serial, &error);
	if (rc < 0)
		fail_msg("call refused: %s", error.text);
	assert_int_equal(serial, next);
	h->started[serial] = 1;
	return serial;
}

static inline uint64_t harness_call(struct harness *h, const char *method, uint64_t timeout_ms)
{
	return harness_open(h, method, timeout_ms, false, false);
}

static inline void harness_answer_slow(struct harness *h, unsigned number)
{
	brine_conn_reply(h->conn, h->slow[number], BRINE_BYTES("\x2a", 1), (struct brine_bytes){NULL, 0}, h->now_ms);
}

/* What the peer got since the last time is exactly this. */
static inline void harness_expect(struct harness *h, const char *hex)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	size_t size = hex_append(&bytes, hex);
	if (brine_buf_size(&h->output) != size ||
	    (size && memcmp(bytes.data, h->output.data + h->output.start, size) != 0)) {
		char got[512] = "";
		for (size_t i = 0; i < brine_buf_size(&h->output) && i < 160; i++)
			snprintf(got + i * 3, 4, "%02x ", h->output.data[h->output.start + i]);
		fail_msg("run %u: expected output %s, got %s", h->run, hex, got);
	}
	brine_buf_take(&h->output, size);
	brine_buf_done(&bytes);
}

/* The events since the last time are exactly these lines. */
static inline void harness_expect_log(struct harness *h, const char *lines)
{
	brine_buf_append(&h->log, "", 1);
	const char *got = (const char *)h->log.data;
	if (strcmp(got, lines) != 0)
		fail_msg("run %u: expected events\n%s-- got\n%s", h->run, lines, got);
	brine_buf_done(&h->log);
}

/* Forgets what the peer got and what happened so far. */
static inline void harness_forget(struct harness *h)
{
	harness_pump(h);
	brine_buf_done(&h->output);
	brine_buf_done(&h->log);
}

/* Sends a small number as an item; 0 or BRINE_ERR_*. */
static inline int harness_send_number(struct harness *h, uint64_t serial, uint8_t number)
{
	return brine_conn_send(h->conn, serial, BRINE_BYTES(&number, 1), h->now_ms);
}

/* The output is one goaway with this code. */
static inline void harness_expect_goaway(struct harness *h, int code)
{
	struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_bytes message;
	size_t prefix_size;
	assert_int_equal(brine_frame_find(brine_buf_bytes(&h->output), &limits, &message, &prefix_size, NULL), 1);
	struct brine_frame frame;
	struct brine_judgement judgement;
	assert_int_equal(brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, &limits, &judgement, NULL), 0);
	assert_int_equal(frame.type, BRINE_FRAME_GOAWAY);
	assert_int_equal(frame.code, code);
	assert_in_range(frame.text.size, 1, 256);
	for (size_t i = 0; i < frame.text.size; i++)
		assert_true((unsigned char)frame.text.data[i] >= 0x20);
	assert_int_equal(brine_buf_size(&h->output), prefix_size + message.size);
	brine_buf_done(&h->output);
}

/* The connection ended with this status and a text that has `text` in it, after nothing but one goaway; code -1: after
 * nothing at all. */
static inline void harness_expect_fault(struct harness *h, int goaway_code, int status, const char *text)
{
	const struct brine_error *fault = brine_conn_fault(h->conn);
	if (fault->code != status || !strstr(fault->text, text))
		fail_msg("run %u: expected %s with '%s', got %s '%s'", h->run, brine_error_name(status), text,
		         brine_error_name(fault->code), fault->text);
	if (goaway_code < 0)
		harness_expect(h, "");
	else
		harness_expect_goaway(h, goaway_code);
	assert_true(brine_conn_state(h->conn) >= BRINE_CONN_CLOSING);
}

static inline void harness_begin(struct harness *h, const struct brine_conn_options *options, unsigned run)
{
	memset(h, 0, sizeof *h);
	h->run = run;
	h->seed = run;
	h->now_ms = 1000;
	fail_allocator_init(&h->memory, 0, false);
	struct brine_conn_options own = *options;
	own.allocator = &h->memory.base;
	own.seed = run;
	assert_int_equal(brine_conn_new(&h->conn, &own, h->now_ms, NULL), 0);
	harness_pump(h);
}

/* Ends the run and asserts what holds in every case. */
static inline void harness_end(struct harness *h)
{
	if (!h->closed) {
		brine_conn_lost(h->conn, BRINE_OK, h->now_ms);
		h->no_writing = true;
		harness_pump(h);
	}
	assert_true(h->closed);
	assert_int_equal(brine_conn_calls_outgoing(h->conn), 0);
	for (size_t i = 0; i < HARNESS_SERIALS; i++)
		assert_int_equal(h->started[i], h->ended[i]);
	/* Buffers double as they grow and are copied while they do: at most four times what is in them. */
	if (h->memory.held_most > 4 * (h->fed + h->written) + HARNESS_MEMORY)
		fail_msg("%zu bytes held for %zu fed and %zu written", h->memory.held_most, h->fed, h->written);
	brine_conn_free(h->conn);
	assert_int_equal(h->memory.held, 0);
	brine_buf_done(&h->output);
	brine_buf_done(&h->log);
}

static inline void harness_run(const struct brine_conn_options *options, harness_script_fn *script)
{
	static struct harness h;
	for (unsigned run = 0; run < HARNESS_RUNS; run++) {
		harness_begin(&h, options, run);
		script(&h);
		harness_end(&h);
	}
}

static inline struct brine_conn_options harness_accepting(void)
{
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.role = BRINE_ACCEPTING;
	return options;
}

static inline struct brine_conn_options harness_connecting(void)
{
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	return options;
}

/* Runs a script with the default options of either side. */
static inline void harness_serve(harness_script_fn *script)
{
	struct brine_conn_options options = harness_accepting();
	harness_run(&options, script);
}

static inline void harness_connect(harness_script_fn *script)
{
	struct brine_conn_options options = harness_connecting();
	harness_run(&options, script);
}

#endif
