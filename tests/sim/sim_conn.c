/* Proves on random schedules: every accepted call ends exactly once and with its own answer, a handler runs at most
 * once for a request, everything is given back, and nothing grows without bound, whatever is cut, delayed, half-closed,
 * reset, drained or cancelled. Two endpoints in memory a connection, three connections a seed that advance in random
 * order.
 *
 *   sim_conn [--seeds N] [--first S]     many seeds; the first that fails is printed
 *   sim_conn SEED                        one seed again */
#include "support.h"

#include <brine/conn.h>
#include <brine/pack.h>

#include <inttypes.h>

enum { PAIRS = 3, STEPS = 160, CALLS_MAX = 512, HELD_MAX = 4 << 20 };

enum {
	INJECTED_CUT,
	INJECTED_DELAY,
	INJECTED_HALF_CLOSE,
	INJECTED_RESET,
	INJECTED_DRAIN,
	INJECTED_CLOSE,
	INJECTED_CANCEL,
	INJECTED_DEADLINE,
	INJECTED_LATE_REPLY,
	INJECTED_COUNT
};
static const char *const injected_names[INJECTED_COUNT] = {
        "cuts", "delays", "half-closes", "resets", "drains", "closes", "cancels", "deadlines", "answers after the end"};

struct side {
	struct brine_conn *conn;
	struct brine_buf wire; /* sent by this side, not read by the other yet */
	bool wire_ended, closed, told_eof;
	uint8_t started[CALLS_MAX], ended[CALLS_MAX]; /* calls of this side by number */
	uint8_t ran[CALLS_MAX];                       /* handlers here, by the caller's number */
	uint64_t serials[CALLS_MAX];
	unsigned call_count;
	uint64_t open[CALLS_MAX]; /* requests not answered yet, and their numbers */
	unsigned open_numbers[CALLS_MAX];
	unsigned open_count;
};

struct pair {
	struct side sides[2];
	bool was_reset;
};

static uint64_t seed_now, random_state, now_ms;
static uint64_t injected[INJECTED_COUNT];
static uint64_t calls_total, answered_total, lost_total, not_sent_total;
static struct fail_allocator memory;

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("seed %" PRIu64 ": line %d: %s\n", seed_now, __LINE__, #condition);                     \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static bool chance(unsigned percent)
{
	return random_below(&random_state, 100) < percent;
}

static void start_call(struct side *side)
{
	if (side->call_count == CALLS_MAX)
		return;
	unsigned number = side->call_count;
	struct brine_buf params = BRINE_BUF_INIT;
	brine_pack_array(&params, 1);
	brine_pack_uint(&params, number);
	bool has_deadline = chance(40);
	struct brine_conn_call call = {
	        .method = BRINE_STR("m"),
	        .params = brine_buf_bytes(&params),
	        .deadline_ms = has_deadline ? now_ms + 1 + random_below(&random_state, 50) : BRINE_FOREVER,
	        .user = (void *)(uintptr_t)(number + 1),
	};
	if (brine_conn_call(side->conn, &call, now_ms, &side->serials[number], NULL) == 0) {
		side->started[number] = 1;
		side->call_count++;
		calls_total++;
	}
	brine_buf_done(&params);
}

/* The number in [n] or n. */
static unsigned number_in(struct brine_bytes value, bool is_params)
{
	const uint8_t *at = (const uint8_t *)value.data + is_params;
	return *at == 0xcd ? at[1] * 256u + at[2] : *at == 0xcc ? at[1] : at[0];
}

static void on_response(struct side *side, const struct brine_event *event)
{
	uintptr_t number = (uintptr_t)event->user - 1;
	REQUIRE(number < side->call_count && side->started[number] && !side->ended[number]);
	REQUIRE(event->serial == side->serials[number]);
	side->ended[number] = 1;
	switch (event->status) {
	case BRINE_OK:
		REQUIRE(number_in(event->result, false) == number);
		answered_total++;
		break;
	case BRINE_ERR_DEADLINE: injected[INJECTED_DEADLINE]++; break;
	case BRINE_ERR_LOST: lost_total++; break;
	case BRINE_ERR_NOT_SENT: not_sent_total++; break;
	default: REQUIRE(event->status == BRINE_ERR_REMOTE || event->status == BRINE_ERR_CANCELLED); break;
	}
}

static void on_event(struct side *side, const struct side *peer, const struct brine_event *event)
{
	REQUIRE(!side->closed);
	if (event->type == BRINE_EVENT_REQUEST) {
		unsigned number = number_in(event->params, true);
		REQUIRE(number < peer->call_count && side->ran[number] == 0);
		side->ran[number] = 1;
		side->open[side->open_count] = event->serial;
		side->open_numbers[side->open_count++] = number;
	} else if (event->type == BRINE_EVENT_RESPONSE) {
		on_response(side, event);
	} else if (event->type == BRINE_EVENT_CLOSED) {
		side->closed = true;
		REQUIRE(event->status == BRINE_OK || event->status == BRINE_ERR_SYSTEM ||
		        event->status == BRINE_ERR_TRUNCATED);
	}
}

static void pull(struct pair *pair, unsigned which)
{
	struct brine_event event;
	while (brine_conn_next(pair->sides[which].conn, &event, now_ms) > 0)
		on_event(&pair->sides[which], &pair->sides[!which], &event);
}

/* Answers one request that waits, in any order. */
static void answer(struct side *side)
{
	if (side->open_count == 0)
		return;
	unsigned at = (unsigned)random_below(&random_state, side->open_count);
	uint64_t serial = side->open[at];
	struct brine_buf result = BRINE_BUF_INIT;
	struct brine_bytes none = {NULL, 0};
	int rc = 0;
	brine_pack_uint(&result, side->open_numbers[at]);
	unsigned kind = (unsigned)random_below(&random_state, 10);
	if (kind < 7)
		rc = brine_conn_reply(side->conn, serial, brine_buf_bytes(&result), none, now_ms);
	else if (kind < 9)
		rc = brine_conn_fail(side->conn, serial, 100, BRINE_STR("no"), none, now_ms);
	else
		brine_conn_release(side->conn, serial, now_ms);
	injected[INJECTED_LATE_REPLY] += rc < 0;
	REQUIRE(rc != BRINE_ERR_NOT_FOUND);
	REQUIRE(brine_conn_reply(side->conn, serial, none, none, now_ms) == BRINE_ERR_NOT_FOUND);
	side->open_count--;
	side->open[at] = side->open[side->open_count];
	side->open_numbers[at] = side->open_numbers[side->open_count];
	brine_buf_done(&result);
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
		size_t size = 1 + random_below(&random_state, wire.size);
		REQUIRE(brine_conn_feed(reader->conn, BRINE_BYTES(wire.data, size), now_ms) == 0);
		brine_buf_take(&sender->wire, size);
	} else if (wire.size == 0 && sender->wire_ended && !reader->told_eof) {
		reader->told_eof = true;
		brine_conn_eof(reader->conn, now_ms);
	}
}

static void reset_pair(struct pair *pair)
{
	pair->was_reset = true;
	injected[INJECTED_RESET]++;
	for (unsigned i = 0; i < 2; i++) {
		pull(pair, i);
		brine_conn_lost(pair->sides[i].conn, BRINE_ERR_SYSTEM, now_ms);
		pull(pair, i);
	}
}

static void disturb(struct pair *pair, struct side *side)
{
	if (chance(4) && side->call_count) {
		injected[INJECTED_CANCEL]++;
		brine_conn_cancel(side->conn, side->serials[random_below(&random_state, side->call_count)], now_ms);
	} else if (random_below(&random_state, 600) == 0) {
		injected[INJECTED_DRAIN]++;
		brine_conn_drain(side->conn, random_below(&random_state, 100), now_ms);
	} else if (random_below(&random_state, 900) == 0) {
		injected[INJECTED_CLOSE]++;
		brine_conn_close(side->conn, now_ms);
	} else if (random_below(&random_state, 900) == 0 && brine_conn_pending(side->conn).size == 0) {
		injected[INJECTED_HALF_CLOSE]++;
		side->wire_ended = true;
	} else if (random_below(&random_state, 900) == 0 && !pair->was_reset) {
		reset_pair(pair);
	}
}

static void step(struct pair *pair)
{
	unsigned which = (unsigned)random_below(&random_state, 2);
	struct side *side = &pair->sides[which];
	now_ms += random_below(&random_state, 3);
	if (chance(25))
		start_call(side);
	if (chance(40))
		answer(side);
	disturb(pair, side);
	carry(pair, which);
	pull(pair, which);
	if (brine_conn_deadline(side->conn) <= now_ms) {
		brine_conn_tick(side->conn, now_ms);
		pull(pair, which);
	}
	REQUIRE(memory.held < HELD_MAX);
}

static void begin_pair(struct pair *pair)
{
	memset(pair, 0, sizeof *pair);
	for (int i = 0; i < 2; i++) {
		struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
		options.role = i;
		options.hello = i == BRINE_CONNECTING;
		options.first_id = (uint32_t)random_next(&random_state);
		options.seed = random_next(&random_state);
		options.limits.calls_max = 4 + (uint32_t)random_below(&random_state, 12);
		options.limits.output_mark = 256 + random_below(&random_state, 4096);
		options.allocator = &memory.base;
		REQUIRE(brine_conn_new(&pair->sides[i].conn, &options, now_ms, NULL) == 0);
	}
}

static void end_pair(struct pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &pair->sides[i];
		brine_conn_lost(side->conn, BRINE_ERR_SYSTEM, now_ms);
		while (brine_conn_deadline(side->conn) <= now_ms) {
			pull(pair, i);
			brine_conn_tick(side->conn, now_ms);
		}
		pull(pair, i);
		REQUIRE(side->closed);
		for (unsigned call = 0; call < side->call_count; call++)
			REQUIRE(side->started[call] == side->ended[call]);
		while (side->open_count)
			answer(side);
		REQUIRE(brine_conn_calls_incoming(side->conn) == 0 && brine_conn_calls_outgoing(side->conn) == 0);
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
	printf("%" PRIu64 " seeds, %" PRIu64 " calls: %" PRIu64 " answered, %" PRIu64 " lost, %" PRIu64 " not sent\n",
	       seeds, calls_total, answered_total, lost_total, not_sent_total);
	for (unsigned i = 0; i < INJECTED_COUNT; i++) {
		printf("%s: %" PRIu64 "\n", injected_names[i], injected[i]);
		if (is_sweep && injected[i] == 0) {
			printf("no %s were injected: this proved nothing\n", injected_names[i]);
			return 1;
		}
	}
	return is_sweep && (answered_total == 0 || lost_total == 0 || not_sent_total == 0);
}
