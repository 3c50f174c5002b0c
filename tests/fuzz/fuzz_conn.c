/* Holds for any bytes on both sides of a connection: events, output and fault are the same whether the bytes are fed
 * whole or read piece by piece into the connection's own room, and whether answers are copied or encoded in their
 * place; each call of ours ends exactly once, and everything is given back. */
#include "support.h"

#include "fuzz.h"

#include <brine/conn.h>

enum { CALLS = 4, ITEMS = 3 };

struct trace {
	struct fail_allocator memory;
	struct brine_conn *conn;
	struct brine_buf text; /* events, as bytes that can be compared */
	struct brine_buf output;
	unsigned ended;
	bool encodes; /* answers are encoded in their place */
};

static void note(struct trace *trace, const void *data, size_t size)
{
	HOLDS(brine_buf_append(&trace->text, data, size) == 0);
}

/* A few, and one that the credit may not cover, so that its event comes. */
static void send_items(struct trace *trace, uint64_t serial)
{
	for (unsigned i = 0; i < ITEMS; i++)
		if (brine_conn_send(trace->conn, serial, BRINE_BYTES("\x07", 1), 1) < 0)
			return;
}

/* After each event, however the bytes came: credit that is not sent yet is none. */
static void take_output(struct trace *trace)
{
	struct brine_bytes pending = brine_conn_pending(trace->conn);
	brine_buf_append(&trace->output, pending.data, pending.size);
	brine_conn_sent(trace->conn, pending.size, 1);
}

static int encode(struct brine_buf *out, void *user)
{
	const struct brine_bytes *bytes = user;
	return brine_buf_append(out, bytes->data, bytes->size);
}

static void reply(struct trace *trace, uint64_t serial, struct brine_bytes result)
{
	struct brine_bytes none = {NULL, 0};
	struct brine_encoder encoder = {encode, &result};
	if (trace->encodes)
		brine_conn_reply_encoded(trace->conn, serial, &encoder, none, 1);
	else
		brine_conn_reply(trace->conn, serial, result, none, 1);
}

static void pump(struct trace *trace)
{
	struct brine_event event;
	for (bool moved = true; moved;) {
		moved = false;
		while (brine_conn_next(trace->conn, &event, 1) > 0) {
			int head[] = {event.type, event.status};
			note(trace, head, sizeof head);
			note(trace, &event.error.code, sizeof event.error.code);
			note(trace, event.error.data.data, event.error.data.size);
			note(trace, event.method.data, event.method.size);
			note(trace, event.params.data, event.params.size);
			note(trace, event.result.data, event.result.size);
			note(trace, event.error.text.data, event.error.text.size);
			trace->ended += event.type == BRINE_EVENT_RESPONSE;
			if (event.type == BRINE_EVENT_ITEM)
				brine_conn_taken(trace->conn, event.serial, 1, event.result.size, 1);
			if (event.wants_items || event.type == BRINE_EVENT_CREDIT)
				send_items(trace, event.serial);
			bool is_answerable = event.type == BRINE_EVENT_REQUEST && !event.has_upload;
			if (is_answerable || event.type == BRINE_EVENT_UPLOAD_END)
				reply(trace, event.serial, event.params);
			take_output(trace);
			moved = true;
		}
		size_t size = brine_conn_pending(trace->conn).size;
		moved = moved || size || brine_conn_deadline(trace->conn) <= 1;
		take_output(trace);
	}
}

/* seed 0: whole. */
static void run(struct trace *trace, int role, int wire, const uint8_t *data, size_t size, uint64_t seed)
{
	*trace = (struct trace){.text = BRINE_BUF_INIT, .output = BRINE_BUF_INIT, .encodes = seed};
	fail_allocator_init(&trace->memory, 0, false);
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.role = role;
	options.wire = wire;
	options.hello = role == BRINE_CONNECTING && wire == BRINE_WIRE_FRAMED;
	options.allocator = &trace->memory.base;
	HOLDS(brine_conn_new(&trace->conn, &options, 1, NULL) == 0);
	struct brine_conn_call call = {.method = BRINE_STR("m"), .deadline_ms = BRINE_FOREVER};
	unsigned started = 0;
	uint64_t serial;
	for (unsigned i = 0; i < CALLS; i++) {
		call.wants_items = i & 1;
		call.has_upload = i & 2;
		if (brine_conn_call(trace->conn, &call, 1, &serial, NULL) < 0)
			continue;
		started++;
		send_items(trace, serial);
	}
	pump(trace);
	for (size_t at = 0; at < size;) {
		size_t piece = seed ? 1 + random_below(&seed, (size - at) / 4 + 1) : size - at;
		if (seed) {
			size_t room;
			void *to = brine_conn_reserve(trace->conn, 1 + piece / 2, &room);
			HOLDS(to && room > piece / 2);
			piece = piece < room ? piece : room;
			memcpy(to, data + at, piece);
			brine_conn_fed(trace->conn, piece, 1);
		} else {
			HOLDS(brine_conn_feed(trace->conn, BRINE_BYTES(data + at, piece), 1) == 0);
		}
		at += piece;
		pump(trace);
	}
	brine_conn_eof(trace->conn, 1);
	pump(trace);
	brine_conn_lost(trace->conn, BRINE_OK, 1);
	pump(trace);
	HOLDS(brine_conn_state(trace->conn) == BRINE_CONN_CLOSED && trace->ended == started);
	const struct brine_error *fault = brine_conn_fault(trace->conn);
	note(trace, &fault->code, sizeof fault->code);
	note(trace, &fault->offset, sizeof fault->offset);
	note(trace, fault->text, strlen(fault->text));
	brine_conn_free(trace->conn);
	HOLDS(trace->memory.held == 0);
}

static void compare(const struct brine_buf *a, const struct brine_buf *b)
{
	HOLDS(brine_buf_size(a) == brine_buf_size(b));
	HOLDS(brine_buf_size(a) == 0 || memcmp(a->data, b->data, brine_buf_size(a)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		int role, wire;
	} sides[] = {{BRINE_ACCEPTING, BRINE_WIRE_UNKNOWN},
	             {BRINE_CONNECTING, BRINE_WIRE_FRAMED},
	             {BRINE_CONNECTING, BRINE_WIRE_PLAIN}};
	for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
		struct trace whole, cut;
		uint64_t seed = 1 + size;
		for (size_t at = 0; at < size && at < 8; at++)
			seed = seed * 31 + data[at];
		run(&whole, sides[i].role, sides[i].wire, data, size, 0);
		run(&cut, sides[i].role, sides[i].wire, data, size, seed);
		compare(&whole.text, &cut.text);
		compare(&whole.output, &cut.output);
		brine_buf_done(&whole.text);
		brine_buf_done(&whole.output);
		brine_buf_done(&cut.text);
		brine_buf_done(&cut.output);
	}
	return 0;
}
