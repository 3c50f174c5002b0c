/* Proves on random schedules: every accepted call ends exactly once and with its own answer, a handler runs at most
 * once for a request, items arrive in order and none is lost on a stream that ended well, everything is given back, and
 * nothing grows without bound or waits for ever, whatever is cut, delayed, half-closed, reset, drained, cancelled or
 * taken late. Two endpoints in memory a connection, three connections a seed that advance in random order.
 *
 *   sim_conn [--seeds N] [--first S]     many seeds; the first that fails is printed
 *   sim_conn SEED                        one seed again */
#include "sim.h"

#include "conn/timers.h"

enum { PAIRS = 3, STEPS = 160, HELD_MAX = 4 << 20, ROUNDS_MAX = 5000 };

static const char *const injected_names[INJECTED_COUNT] = {
        "cuts",
        "delays",
        "half-closes",
        "resets",
        "pieces read behind a failed write",
        "drains",
        "closes",
        "cancels",
        "abandons",
        "deadlines",
        "late answers",
        "stalls",
        "early answers",
        "uploads cut by an end",
        "overruns",
        "failed encoders",
};
static const char *const outcome_names[OUTCOME_COUNT] = {
        "calls", "answered", "lost", "not sent", "items", "whole streams", "pairs finished",
};

uint64_t seed_now, random_state, now_ms;
uint64_t injected[INJECTED_COUNT], outcomes[OUTCOME_COUNT];
static struct fail_allocator memory;

_Noreturn void sim_fail(const char *file, int line, const char *condition)
{
	printf("seed %" PRIu64 ": %s:%d: %s\n", seed_now, file, line, condition);
	exit(1);
}

static void on_event(struct side *side, struct side *peer, const struct brine_event *event)
{
	REQUIRE(!side->closed);
	switch (event->type) {
	case BRINE_EVENT_REQUEST: on_request(side, peer, event); break;
	case BRINE_EVENT_RESPONSE: on_response(side, event); break;
	case BRINE_EVENT_CANCEL: on_cancel(side, peer, event); break;
	case BRINE_EVENT_ITEM:
	case BRINE_EVENT_UPLOAD_END:
	case BRINE_EVENT_CREDIT: on_stream_event(side, peer, event); break;
	case BRINE_EVENT_CLOSED:
		side->closed = true;
		REQUIRE(event->status == BRINE_OK || event->status == BRINE_ERR_SYSTEM ||
		        event->status == BRINE_ERR_TRUNCATED);
		break;
	default: break;
	}
}

/* What the connection keeps of its next deadline is right, whatever happened since it was asked last. */
static uint64_t due_of(struct side *side)
{
	REQUIRE(conn_due_is_right(side->conn));
	return brine_conn_deadline(side->conn);
}

static void pull(struct pair *pair, unsigned which)
{
	struct side *side = &pair->sides[which];
	struct brine_event event;
	due_of(side);
	while (brine_conn_next(side->conn, &event, now_ms) > 0) {
		due_of(side);
		on_event(side, &pair->sides[!which], &event);
		due_of(side);
	}
}

/* Feeds a part of the bytes, or reads it into the connection's own room; returns its size. */
static size_t read_some(struct side *reader, struct brine_bytes bytes)
{
	size_t size = 1 + random_below(&random_state, bytes.size);
	if (chance(30)) {
		REQUIRE(brine_conn_feed(reader->conn, BRINE_BYTES(bytes.data, size), now_ms) == 0);
		return size;
	}
	size_t room = 0, least = random_below(&random_state, 100);
	void *to = brine_conn_reserve(reader->conn, least, &room);
	REQUIRE(to && room >= 1 && room >= least);
	due_of(reader);
	size = size < room ? size : room;
	memcpy(to, bytes.data, size);
	brine_conn_fed(reader->conn, size, now_ms);
	return size;
}

/* Moves some bytes of one direction, or the end of them. */
static void carry(struct pair *pair, unsigned from)
{
	struct side *sender = &pair->sides[from], *reader = &pair->sides[!from];
	struct brine_bytes pending = brine_conn_pending(sender->conn);
	if (pending.size && !pair->was_reset && !sender->wire_ended) {
		size_t size = 1 + random_below(&random_state, pending.size);
		injected[INJECTED_CUT] += size < pending.size;
		brine_buf_append(&sender->wire, pending.data, size);
		brine_conn_sent(sender->conn, size, now_ms);
	}
	bool ends = brine_conn_state(sender->conn) >= BRINE_CONN_CLOSING && brine_conn_pending(sender->conn).size == 0;
	sender->wire_ended = sender->wire_ended || ends;
	if (chance(30)) {
		injected[INJECTED_DELAY]++;
		return;
	}
	struct brine_bytes wire = brine_buf_bytes(&sender->wire);
	if (wire.size &&
	    (brine_conn_wants_read(reader->conn) || brine_conn_state(reader->conn) == BRINE_CONN_CLOSING)) {
		brine_buf_take(&sender->wire, read_some(reader, wire));
	} else if (wire.size == 0 && sender->wire_ended && !reader->told_eof) {
		reader->told_eof = true;
		brine_conn_eof(reader->conn, now_ms);
	}
}

/* From now on calls of both sides may end as lost. */
static void cut(struct pair *pair)
{
	pair->sides[0].may_lose = pair->sides[1].may_lose = true;
}

/* A write of this side failed: it reads what had arrived, in pieces. */
static void read_rest(struct pair *pair, unsigned which)
{
	struct brine_conn *conn = pair->sides[which].conn;
	struct brine_buf *wire = &pair->sides[!which].wire;
	brine_conn_mute(conn, now_ms);
	pull(pair, which);
	while (brine_buf_size(wire) && brine_conn_wants_read(conn)) {
		size_t size = 1 + random_below(&random_state, brine_buf_size(wire));
		REQUIRE(brine_conn_feed(conn, BRINE_BYTES(brine_buf_bytes(wire).data, size), now_ms) == 0);
		brine_buf_take(wire, size);
		pull(pair, which);
		injected[INJECTED_REST]++;
	}
}

static void reset_pair(struct pair *pair)
{
	cut(pair);
	pair->was_reset = true;
	injected[INJECTED_RESET]++;
	for (unsigned i = 0; i < 2; i++) {
		pull(pair, i);
		if (chance(50))
			read_rest(pair, i);
		brine_conn_lost(pair->sides[i].conn, BRINE_ERR_SYSTEM, now_ms);
		pull(pair, i);
	}
}

/* Cancels a call, or forgets it: then nothing may be heard of it any more. */
static void give_up(struct side *side, struct sim_call *call)
{
	if (chance(70) || !call->started || call->ended) {
		injected[INJECTED_CANCEL]++;
		brine_conn_cancel(side->conn, call->serial, now_ms);
		return;
	}
	injected[INJECTED_ABANDON]++;
	brine_conn_abandon(side->conn, call->serial, now_ms);
	call->ended = true;
	forget_items(side, &call->answers);
}

static void disturb(struct pair *pair, struct side *side)
{
	if (chance(4) && side->call_count) {
		give_up(side, &side->calls[random_below(&random_state, side->call_count)]);
	} else if (random_below(&random_state, 600) == 0) {
		injected[INJECTED_DRAIN]++;
		uint64_t grace_ms = random_below(&random_state, 100);
		if (now_ms + grace_ms < side->grace_at_ms)
			side->grace_at_ms = now_ms + grace_ms;
		/* Who has heard nothing yet may say nothing, and just closes. */
		if (brine_conn_counters(side->conn)->frames_received == 0)
			cut(pair);
		brine_conn_drain(side->conn, grace_ms, now_ms);
	} else if (random_below(&random_state, 900) == 0) {
		injected[INJECTED_CLOSE]++;
		cut(pair);
		brine_conn_close(side->conn, now_ms);
	} else if (random_below(&random_state, 900) == 0 && brine_conn_pending(side->conn).size == 0) {
		injected[INJECTED_HALF_CLOSE]++;
		cut(pair);
		side->wire_ended = true;
	} else if (random_below(&random_state, 900) == 0 && !pair->was_reset) {
		reset_pair(pair);
	}
}

static void settle(struct pair *pair, unsigned which)
{
	if (now_ms >= pair->sides[which].grace_at_ms)
		cut(pair);
	pull(pair, which);
	if (due_of(&pair->sides[which]) <= now_ms) {
		brine_conn_tick(pair->sides[which].conn, now_ms);
		pull(pair, which);
		check_calls(&pair->sides[which]);
	}
	REQUIRE(memory.held < HELD_MAX);
}

static void step(struct pair *pair)
{
	unsigned which = (unsigned)random_below(&random_state, 2);
	struct side *side = &pair->sides[which], *peer = &pair->sides[!which];
	now_ms += random_below(&random_state, 3);
	if (chance(25))
		start_call(side);
	send_items(side, peer, false);
	take_items(side, peer, false);
	if (chance(40))
		answer(side, peer, false);
	disturb(pair, side);
	carry(pair, which);
	settle(pair, which);
}

static bool is_undisturbed(const struct pair *pair)
{
	for (unsigned i = 0; i < 2; i++)
		if (pair->was_reset || pair->sides[i].wire_ended || pair->sides[i].closed ||
		    brine_conn_state(pair->sides[i].conn) >= BRINE_CONN_CLOSING)
			return false;
	return true;
}

static bool is_running(const struct side *side)
{
	return side->handler_count || (!side->closed && brine_conn_calls_outgoing(side->conn));
}

/* Every call and stream of a pair that nothing disturbs any more comes to its end by itself. */
static void finish_pair(struct pair *pair)
{
	unsigned round = 0;
	for (; is_running(&pair->sides[0]) || is_running(&pair->sides[1]); round++) {
		REQUIRE(round < ROUNDS_MAX);
		now_ms++;
		for (unsigned i = 0; i < 2; i++) {
			struct side *side = &pair->sides[i], *peer = &pair->sides[!i];
			send_items(side, peer, true);
			take_items(side, peer, true);
			answer(side, peer, true);
			carry(pair, i);
			settle(pair, i);
		}
	}
	outcomes[OUTCOME_FINISHED_PAIRS]++;
}

static void begin_pair(struct pair *pair)
{
	memset(pair, 0, sizeof *pair);
	bool is_tight = chance(20);
	for (int i = 0; i < 2; i++) {
		struct side *side = &pair->sides[i];
		struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
		options.role = i;
		options.hello = i == BRINE_CONNECTING && chance(80);
		options.first_id = (uint32_t)random_next(&random_state);
		options.seed = random_next(&random_state);
		options.stream_items = 1 + (uint32_t)random_below(&random_state, WINDOW_MAX);
		options.stream_size = 1 + random_below(&random_state, 4096);
		options.streams_size_max = is_tight ? 2 * ITEM_MAX : (size_t)1 << 20;
		options.limits.calls_max = 4 + (uint32_t)random_below(&random_state, 12);
		options.limits.output_mark = 256 + random_below(&random_state, 4096);
		options.allocator = &memory.base;
		side->options = options;
		side->grace_at_ms = BRINE_FOREVER;
		REQUIRE(brine_conn_new(&side->conn, &options, now_ms, NULL) == 0);
	}
}

static void end_pair(struct pair *pair)
{
	if (is_undisturbed(pair))
		finish_pair(pair);
	cut(pair);
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &pair->sides[i];
		brine_conn_lost(side->conn, BRINE_ERR_SYSTEM, now_ms);
		while (due_of(side) <= now_ms) {
			pull(pair, i);
			brine_conn_tick(side->conn, now_ms);
		}
		pull(pair, i);
		REQUIRE(side->closed);
		check_calls(side);
		for (unsigned call = 0; call < side->call_count; call++)
			REQUIRE(side->calls[call].started && side->calls[call].ended);
		while (side->handler_count)
			answer(side, &pair->sides[!i], false);
		REQUIRE(brine_conn_calls_incoming(side->conn) == 0 && brine_conn_calls_outgoing(side->conn) == 0);
		REQUIRE(side->untaken_size == 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		brine_conn_free(pair->sides[i].conn);
		brine_buf_done(&pair->sides[i].wire);
	}
}

static void run_seed(uint64_t seed)
{
	static struct pair pairs[PAIRS];
	seed_now = random_state = seed;
	now_ms = 1;
	fail_allocator_init(&memory, 0, false);
	for (unsigned i = 0; i < PAIRS; i++)
		begin_pair(&pairs[i]);
	for (unsigned i = 0; i < PAIRS * STEPS; i++)
		step(&pairs[random_below(&random_state, PAIRS)]);
	for (unsigned i = 0; i < PAIRS; i++)
		end_pair(&pairs[i]);
	REQUIRE(memory.held == 0);
}

/* Prints what happened; 1 where something that had to did not. */
static int report(uint64_t seeds, bool is_sweep)
{
	int missing = 0;
	printf("%" PRIu64 " seeds\n", seeds);
	for (unsigned i = 0; i < OUTCOME_COUNT + INJECTED_COUNT; i++) {
		bool is_outcome = i < OUTCOME_COUNT;
		uint64_t count = is_outcome ? outcomes[i] : injected[i - OUTCOME_COUNT];
		const char *name = is_outcome ? outcome_names[i] : injected_names[i - OUTCOME_COUNT];
		printf("%s: %" PRIu64 "%s\n", name, count, is_sweep && count == 0 ? ": this proved nothing" : "");
		missing |= is_sweep && count == 0;
	}
	return missing;
}

int main(int argc, char **argv)
{
	uint64_t seeds = 1000, first = 1;
	bool is_sweep = true;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
			seeds = strtoull(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc) {
			first = strtoull(argv[++i], NULL, 10);
		} else {
			first = strtoull(argv[i], NULL, 10);
			seeds = 1;
			is_sweep = false;
		}
	}
	for (uint64_t seed = first; seed < first + seeds; seed++)
		run_seed(seed);
	return report(seeds, is_sweep);
}
