/* Streams both ways: senders that wait and do not, takers that are slow, ends and what comes instead of them. Items
 * arrive in order, none twice, none lost on a stream that ended well, and never more of them wait than may. */
#include "sim.h"

enum { TARGET_MAX = 40 };

void plan_streams(struct sim_call *call)
{
	*call = (struct sim_call){0};
	call->upload.wanted = chance(40);
	call->upload.target = (unsigned)random_below(&random_state, TARGET_MAX);
	call->answers.wanted = chance(40);
	call->answers.target = (unsigned)random_below(&random_state, TARGET_MAX);
}

static void pack_item(struct brine_buf *item, unsigned number)
{
	static const char zeros[ITEM_MAX];
	size_t size = random_below(&random_state, chance(10) ? ITEM_MAX - 16 : 24);
	brine_pack_array(item, 2);
	brine_pack_uint(item, number);
	brine_pack_bin(item, zeros, size);
}

/* One item of a stream, if it has one left. True: it went out. */
static bool send_item(struct side *side, uint64_t serial, struct flow *flow)
{
	if (flow->ended || flow->sent == flow->target)
		return false;
	struct brine_buf item = BRINE_BUF_INIT;
	pack_item(&item, flow->sent);
	int rc = brine_conn_send(side->conn, serial, brine_buf_bytes(&item), now_ms);
	brine_buf_done(&item);
	if (rc == BRINE_ERR_NO_CREDIT) {
		flow->waits = true;
		injected[INJECTED_STALL]++;
	} else if (rc == 0) {
		flow->sent++;
		flow->waits = false;
		outcomes[OUTCOME_ITEMS]++;
	} else {
		/* The connection ended the call and the event that says so is not pulled yet. */
		REQUIRE(rc == BRINE_ERR_NOT_FOUND || rc == BRINE_ERR_CANCELLED || rc == BRINE_ERR_DEADLINE ||
		        rc == BRINE_ERR_LOST || rc == BRINE_ERR_LIMIT);
	}
	return rc == 0;
}

static void send_upload(struct side *side, struct sim_call *call, unsigned count)
{
	struct flow *flow = &call->upload;
	if (!flow->wanted || call->ended || flow->ended)
		return;
	while (count-- && send_item(side, call->serial, flow))
		continue;
	if (flow->sent < flow->target)
		return;
	REQUIRE(brine_conn_end_upload(side->conn, call->serial, now_ms) == 0);
	flow->ended = true;
	flow->waits = false;
}

/* A sender that waits for its event does not try before it comes, most of the time. */
static bool may_try(const struct flow *flow, bool finishing)
{
	return !flow->waits || (!finishing && chance(10));
}

void send_items(struct side *side, struct side *peer, bool finishing)
{
	for (unsigned i = 0; i < side->call_count; i++)
		if ((finishing || chance(30)) && may_try(&side->calls[i].upload, finishing))
			send_upload(side, &side->calls[i], 1 + (unsigned)random_below(&random_state, 8));
	for (unsigned i = 0; i < side->handler_count; i++) {
		const struct handler *handler = &side->handlers[i];
		struct flow *flow = &peer->calls[handler->number].answers;
		if (!flow->wanted || handler->told || !may_try(flow, finishing) || !(finishing || chance(30)))
			continue;
		unsigned count = 1 + (unsigned)random_below(&random_state, 8);
		while (count-- && send_item(side, handler->serial, flow))
			continue;
	}
}

static void take(struct side *side, uint64_t serial, struct flow *flow, bool finishing)
{
	if (flow->untaken == 0 || !(finishing || chance(30)))
		return;
	unsigned count = finishing ? flow->untaken : 1 + (unsigned)random_below(&random_state, flow->untaken);
	size_t size = 0;
	for (unsigned i = 0; i < count; i++)
		size += flow->sizes[i];
	flow->untaken -= count;
	memmove(flow->sizes, flow->sizes + count, flow->untaken * sizeof *flow->sizes);
	side->untaken_size -= size;
	brine_conn_taken(side->conn, serial, count, size, now_ms);
}

void take_items(struct side *side, struct side *peer, bool finishing)
{
	for (unsigned i = 0; i < side->call_count; i++)
		take(side, side->calls[i].serial, &side->calls[i].answers, finishing);
	for (unsigned i = 0; i < side->handler_count; i++)
		take(side, side->handlers[i].serial, &peer->calls[side->handlers[i].number].upload, finishing);
}

void forget_items(struct side *side, struct flow *flow)
{
	for (unsigned i = 0; i < flow->untaken; i++)
		side->untaken_size -= flow->sizes[i];
	flow->untaken = 0;
}

static void on_item(struct side *side, struct flow *flow, struct brine_bytes item)
{
	REQUIRE(flow->wanted && !flow->end_received);
	REQUIRE(number_in(item) == flow->received && flow->received < flow->sent);
	REQUIRE(flow->untaken < side->options.stream_items);
	flow->received++;
	flow->sizes[flow->untaken++] = item.size;
	side->untaken_size += item.size;
	REQUIRE(side->untaken_size <= side->options.streams_size_max);
}

static void on_upload_end(const struct side *side, struct flow *flow, int status)
{
	REQUIRE(!flow->end_received);
	flow->end_received = true;
	if (status == BRINE_OK) {
		REQUIRE(flow->ended && flow->received == flow->sent);
		outcomes[OUTCOME_WHOLE_STREAMS] += flow->sent > 0;
	} else {
		REQUIRE(status == BRINE_ERR_CANCELLED && side->told_eof);
		injected[INJECTED_CUT_UPLOAD]++;
	}
}

void on_stream_event(struct side *side, struct side *peer, const struct brine_event *event)
{
	struct handler *handler = find_handler(side, event->serial);
	struct sim_call *own = handler ? NULL : find_call(side, event->serial);
	REQUIRE(handler ? handler->told == 0 && !event->is_ours : own && !own->ended && event->is_ours);
	REQUIRE(handler ? event->user == &peer->calls[handler->number]
	                : own->serial == side->calls[(uintptr_t)event->user - 1].serial);
	struct sim_call *call = handler ? &peer->calls[handler->number] : own;
	struct flow *in = handler ? &call->upload : &call->answers, *out = handler ? &call->answers : &call->upload;
	if (event->type == BRINE_EVENT_ITEM) {
		on_item(side, in, event->result);
	} else if (event->type == BRINE_EVENT_UPLOAD_END) {
		REQUIRE(handler);
		on_upload_end(side, in, event->status);
	} else {
		REQUIRE(out->waits);
		out->waits = false;
	}
}
