#include "sim.h"

static const struct brine_bytes none = {NULL, 0};

unsigned number_in(struct brine_bytes value)
{
	const uint8_t *at = value.data;
	at += (*at & 0xf0) == 0x90;
	return *at == 0xcd ? at[1] * 256u + at[2] : *at == 0xcc ? at[1] : at[0];
}

struct handler *find_handler(struct side *side, uint64_t serial)
{
	for (unsigned i = 0; i < side->handler_count; i++)
		if (side->handlers[i].serial == serial)
			return &side->handlers[i];
	return NULL;
}

struct sim_call *find_call(struct side *side, uint64_t serial)
{
	for (unsigned i = 0; i < side->call_count; i++)
		if (side->calls[i].serial == serial)
			return &side->calls[i];
	return NULL;
}

/* The bytes that an encoder writes, or does not write to their end. */
struct encoding {
	struct brine_bytes bytes;
	bool fails;
};

static int encode(struct brine_buf *out, void *user)
{
	const struct encoding *encoding = user;
	brine_buf_append(out, encoding->bytes.data, encoding->bytes.size - encoding->fails);
	injected[INJECTED_ENCODER] += encoding->fails;
	return encoding->fails ? BRINE_ERR_RANGE : 0;
}

void start_call(struct side *side)
{
	if (side->call_count == CALLS_MAX)
		return;
	unsigned number = side->call_count;
	struct sim_call *record = &side->calls[number];
	plan_streams(record);
	record->deadline_ms = chance(30) ? now_ms + 1 + random_below(&random_state, 80) : BRINE_FOREVER;
	struct brine_buf params = BRINE_BUF_INIT;
	brine_pack_array(&params, 1);
	brine_pack_uint(&params, number);
	struct brine_conn_call call = {
	        .method = BRINE_STR("m"),
	        .params = brine_buf_bytes(&params),
	        .deadline_ms = record->deadline_ms,
	        .wants_items = record->answers.wanted,
	        .has_upload = record->upload.wanted,
	        .user = (void *)(uintptr_t)(number + 1),
	};
	struct encoding encoding = {call.params, chance(5)};
	struct brine_encoder encoder = {encode, &encoding};
	if (chance(50)) {
		call.encoder = &encoder;
		call.params = none;
	}
	size_t before = brine_conn_pending(side->conn).size;
	int status = brine_conn_call(side->conn, &call, now_ms, &record->serial, NULL);
	REQUIRE(status == 0 || brine_conn_pending(side->conn).size == before);
	REQUIRE(status != 0 || !call.encoder || !encoding.fails);
	if (status == 0) {
		record->started = true;
		side->call_count++;
		outcomes[OUTCOME_BEGUN]++;
	}
	brine_buf_done(&params);
}

void on_request(struct side *side, struct side *peer, const struct brine_event *event)
{
	unsigned number = number_in(event->params);
	REQUIRE(number < peer->call_count && !peer->calls[number].ran && side->handler_count < CALLS_MAX);
	struct sim_call *call = &peer->calls[number];
	REQUIRE(event->wants_items == call->answers.wanted && event->has_upload == call->upload.wanted);
	call->ran = true;
	side->handlers[side->handler_count++] = (struct handler){.serial = event->serial, .number = number};
	REQUIRE(!event->is_ours && !event->user);
	REQUIRE(brine_conn_attach(side->conn, event->serial, call) == 0);
}

/* The streams of a call that ended well brought all that was sent. */
static void check_streams(const struct sim_call *call)
{
	REQUIRE(call->answers.received == call->answers.sent);
	outcomes[OUTCOME_WHOLE_STREAMS] += call->answers.sent > 0;
}

void on_response(struct side *side, const struct brine_event *event)
{
	uintptr_t number = (uintptr_t)event->user - 1;
	REQUIRE(number < side->call_count);
	struct sim_call *call = &side->calls[number];
	REQUIRE(event->is_ours && call->started && !call->ended && event->serial == call->serial);
	call->ended = true;
	switch (event->status) {
	case BRINE_OK:
		REQUIRE(number_in(event->result) == number && call->ran);
		check_streams(call);
		outcomes[OUTCOME_ANSWERED]++;
		break;
	case BRINE_ERR_DEADLINE:
		REQUIRE(now_ms >= call->deadline_ms);
		injected[INJECTED_DEADLINE]++;
		break;
	case BRINE_ERR_LOST:
		REQUIRE(side->may_lose);
		outcomes[OUTCOME_LOST]++;
		break;
	case BRINE_ERR_NOT_SENT:
		REQUIRE(side->may_lose && !call->ran);
		outcomes[OUTCOME_NOT_SENT]++;
		break;
	case BRINE_ERR_LIMIT:
		REQUIRE(side->untaken_size + ITEM_MAX > side->options.streams_size_max);
		injected[INJECTED_OVERRUN]++;
		break;
	default: REQUIRE(event->status == BRINE_ERR_REMOTE || event->status == BRINE_ERR_CANCELLED); break;
	}
	forget_items(side, &call->answers);
}

void on_cancel(struct side *side, struct side *peer, const struct brine_event *event)
{
	struct handler *handler = find_handler(side, event->serial);
	REQUIRE(handler && handler->told == 0 && event->status < 0);
	REQUIRE(!event->is_ours && event->user == &peer->calls[handler->number]);
	handler->told = event->status;
	if (event->status == BRINE_ERR_LIMIT) {
		REQUIRE(side->untaken_size + ITEM_MAX > side->options.streams_size_max);
		injected[INJECTED_OVERRUN]++;
	} else if (event->status == BRINE_ERR_DEADLINE) {
		REQUIRE(peer->calls[handler->number].deadline_ms != BRINE_FOREVER);
	} else {
		REQUIRE(event->status == BRINE_ERR_CANCELLED || event->status == BRINE_ERR_LOST);
	}
}

static void drop_handler(struct side *side, struct side *peer, struct handler *handler)
{
	forget_items(side, &peer->calls[handler->number].upload);
	*handler = side->handlers[--side->handler_count];
}

/* Whether the streams of the call went as planned, so that it can be answered. */
static bool is_done(const struct handler *handler, const struct sim_call *call)
{
	bool has_all = !call->upload.wanted || call->upload.end_received;
	bool sent_all = !call->answers.wanted || call->answers.sent == call->answers.target;
	return handler->told || (has_all && sent_all);
}

/* An encoder that fails answers nothing: then it is tried again. */
static int reply_encoded(struct side *side, uint64_t serial, struct brine_bytes result)
{
	struct encoding encoding = {result, chance(20)};
	struct brine_encoder encoder = {encode, &encoding};
	uint64_t failed = injected[INJECTED_ENCODER];
	size_t before = brine_conn_pending(side->conn).size;
	int status = brine_conn_reply_encoded(side->conn, serial, &encoder, none, now_ms);
	if (injected[INJECTED_ENCODER] == failed)
		return status;
	REQUIRE(status == BRINE_ERR_RANGE && brine_conn_pending(side->conn).size == before);
	encoding.fails = false;
	return brine_conn_reply_encoded(side->conn, serial, &encoder, none, now_ms);
}

bool answer(struct side *side, struct side *peer, bool finishing)
{
	if (side->handler_count == 0)
		return false;
	struct handler *handler = &side->handlers[random_below(&random_state, side->handler_count)];
	struct sim_call *call = &peer->calls[handler->number];
	if (!is_done(handler, call)) {
		if (finishing || chance(90))
			return false;
		injected[INJECTED_EARLY_ANSWER]++;
	}
	struct brine_buf result = BRINE_BUF_INIT;
	int rc = 0;
	brine_pack_uint(&result, handler->number);
	unsigned kind = (unsigned)random_below(&random_state, 10);
	if (kind < 4)
		rc = brine_conn_reply(side->conn, handler->serial, brine_buf_bytes(&result), none, now_ms);
	else if (kind < 7)
		rc = reply_encoded(side, handler->serial, brine_buf_bytes(&result));
	else if (kind < 9)
		rc = brine_conn_fail(side->conn, handler->serial, 100, BRINE_STR("no"), none, now_ms);
	else
		brine_conn_release(side->conn, handler->serial, now_ms);
	injected[INJECTED_LATE_REPLY] += rc < 0;
	REQUIRE(rc != BRINE_ERR_NOT_FOUND && (kind == 9 || rc < 0 || !handler->told));
	REQUIRE(!handler->told || rc == 0 || rc == handler->told);
	REQUIRE(brine_conn_reply(side->conn, handler->serial, none, none, now_ms) == BRINE_ERR_NOT_FOUND);
	drop_handler(side, peer, handler);
	brine_buf_done(&result);
	return true;
}

/* What holds whenever nothing is left to pull. */
void check_calls(const struct side *side)
{
	REQUIRE(brine_conn_calls_incoming(side->conn) == side->handler_count);
	unsigned running = 0;
	for (unsigned i = 0; i < side->call_count; i++) {
		running += !side->calls[i].ended;
		REQUIRE(side->calls[i].ended || side->calls[i].deadline_ms > now_ms);
	}
	REQUIRE(brine_conn_calls_outgoing(side->conn) == running);
}
