/* Proves G04 for a connection: with any limit of either side at its least legal value, at the next one, and with all of
 * them there at once, nothing waits for ever; each call ends once; a cancel and a goaway get through a full output; and
 * where the limit is not one that ends connections by itself, everything succeeds as it does with the defaults. */
#include "support.h"

#include <brine/conn.h>
#include <brine/pack.h>

enum {
	ITEMS = 40,             /* each way, of a call with streams */
	FLOOD_MAX = 300,        /* calls begun while nothing leaves */
	PATIENCE_MS = 200000,   /* simulated: more than all defaults together */
	ANSWER_AFTER_MS = 5000, /* deadline of the call that nobody answers */
};

/* ---- the limits ---- */

/* What a limit at its least may do by itself. */
enum effect {
	HARMLESS, /* everything succeeds */
	NARROW,   /* calls may be refused or end with an error; the connection goes on */
	ENDS,     /* the connection may end, by time or as a fault of the peer */
};

struct limit {
	const char *name;
	size_t offset, size; /* in struct brine_conn_options */
	uint64_t least;
	enum effect effect;      /* at the least value */
	enum effect effect_next; /* at the next one */
	unsigned sides;          /* 1: the connecting one, 2: the accepting one, 3: both */
};

#define LIMIT_OF(sides, field, least, effect, effect_next)                                                             \
	{                                                                                                              \
#field, offsetof(struct brine_conn_options, field),                                                    \
		        sizeof(((struct brine_conn_options *)NULL)->field), least, effect, effect_next, sides          \
	}
#define LIMIT(field, least, effect, effect_next) LIMIT_OF(3, field, least, effect, effect_next)

/* 0 turns most times off, and 1 ms is then the least. */
static const struct limit limits[] = {
        LIMIT(stream_items, 1, HARMLESS, HARMLESS),
        LIMIT(stream_size, 1, HARMLESS, HARMLESS),
        LIMIT(streams_size_max, 1, NARROW, NARROW),
        LIMIT(limits.message_size_max, 1024, HARMLESS, HARMLESS),
        LIMIT(limits.depth_max, 4, HARMLESS, HARMLESS),
        LIMIT(limits.calls_max, 1, HARMLESS, HARMLESS),
        LIMIT(limits.method_size_max, 1, HARMLESS, HARMLESS),
        LIMIT(limits.options_count_max, 0, ENDS, ENDS),
        LIMIT(limits.metadata_size_max, 0, HARMLESS, HARMLESS),
        LIMIT(limits.error_text_size_max, 0, HARMLESS, HARMLESS),
        LIMIT(limits.control_answers_max, 0, ENDS, ENDS),
        LIMIT_OF(1, limits.output_mark, 1, NARROW, NARROW), /* it goes on reading, and answers error 5 */
        LIMIT_OF(2, limits.output_mark, 1, HARMLESS, HARMLESS),
        LIMIT(limits.head_timeout_ms, 0, HARMLESS, ENDS),
        LIMIT(limits.head_timeout_ms, 1, ENDS, ENDS),
        LIMIT(limits.progress_interval_ms, 0, HARMLESS, ENDS),
        LIMIT(limits.progress_interval_ms, 1, ENDS, ENDS),
        LIMIT(limits.progress_size, 0, HARMLESS, HARMLESS),
        LIMIT(limits.stuck_output_ms, 0, HARMLESS, ENDS),
        LIMIT(limits.stuck_output_ms, 1, ENDS, ENDS),
        LIMIT(limits.idle_timeout_ms, 0, HARMLESS, ENDS),
        LIMIT(limits.idle_timeout_ms, 1, ENDS, ENDS),
        LIMIT(limits.linger_ms, 0, HARMLESS, HARMLESS),
        LIMIT(limits.linger_size, 0, HARMLESS, HARMLESS),
        LIMIT(limits.stall_timeout_ms, 0, HARMLESS, NARROW),
        LIMIT(limits.stall_timeout_ms, 1, NARROW, NARROW),
        LIMIT(limits.output_progress_size, 0, HARMLESS, ENDS),
};
enum { LIMITS = sizeof limits / sizeof limits[0] };

static void set_limit(struct brine_conn_options *options, const struct limit *limit, uint64_t value)
{
	void *field = (char *)options + limit->offset;
	if (limit->size == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)value;
	else
		*(uint64_t *)field = value;
}

static uint64_t get_limit(const struct brine_conn_options *options, const struct limit *limit)
{
	const void *field = (const char *)options + limit->offset;
	return limit->size == sizeof(uint32_t) ? *(const uint32_t *)field : *(const uint64_t *)field;
}

/* ---- two ends ---- */

enum kind { ECHO, HOLD, LATE, BOTH, KINDS };
static const char *const methods[KINDS] = {"e", "h", "l", "b"};

/* A call of one end. */
struct call {
	enum kind kind;
	bool begun;
	unsigned ended;
	int status;
	uint64_t serial;
	unsigned sent, received; /* items */
	bool upload_ended;
	bool waits; /* for the CREDIT event */
};

/* A request that is not answered. */
struct handler {
	uint64_t serial;
	enum kind kind;
	bool upload_ended, waits;
	unsigned sent, received;
};

struct end {
	struct brine_conn *conn;
	struct call calls[FLOOD_MAX];
	unsigned call_count;
	struct handler handlers[FLOOD_MAX];
	unsigned handler_count;
	unsigned cancels, notifications, requests;
	bool greeted, going_away, closed, told_eof;
	int closed_status;
};

struct world {
	const char *what;
	struct end ends[2]; /* the connecting side, the accepting side */
	uint64_t now_ms;
	bool blocked; /* nothing leaves the connecting side */
};

static struct handler *find_handler(struct end *end, uint64_t serial)
{
	for (unsigned i = 0; i < end->handler_count; i++)
		if (end->handlers[i].serial == serial)
			return &end->handlers[i];
	return NULL;
}

static void forget_handler(struct end *end, struct handler *handler)
{
	*handler = end->handlers[--end->handler_count];
}

static enum kind kind_of(struct brine_str method)
{
	for (int kind = 0; kind < KINDS; kind++)
		if (method.size == 1 && method.data[0] == methods[kind][0])
			return (enum kind)kind;
	fail_msg("an unknown method came");
	return KINDS;
}

static void on_request(struct world *world, struct end *end, const struct brine_event *event)
{
	struct brine_bytes none = {NULL, 0};
	enum kind kind = kind_of(event->method);
	end->requests++;
	if (kind == ECHO)
		brine_conn_reply(end->conn, event->serial, event->params, none, world->now_ms);
	else
		end->handlers[end->handler_count++] = (struct handler){.serial = event->serial, .kind = kind};
}

static void on_cancel(struct world *world, struct end *end, const struct brine_event *event)
{
	struct handler *handler = find_handler(end, event->serial);
	assert_non_null(handler);
	end->cancels += event->status == BRINE_ERR_CANCELLED;
	brine_conn_release(end->conn, event->serial, world->now_ms);
	forget_handler(end, handler);
}

static void on_item(struct world *world, struct end *end, const struct brine_event *event)
{
	struct call *call = event->user;
	struct handler *handler = call ? NULL : find_handler(end, event->serial);
	if (call)
		call->received++;
	else
		handler->received++;
	brine_conn_taken(end->conn, event->serial, 1, event->result.size, world->now_ms);
}

static void on_event(struct world *world, struct end *end, const struct brine_event *event)
{
	switch (event->type) {
	case BRINE_EVENT_REQUEST: on_request(world, end, event); break;
	case BRINE_EVENT_NOTIFICATION: end->notifications++; break;
	case BRINE_EVENT_CANCEL: on_cancel(world, end, event); break;
	case BRINE_EVENT_ITEM: on_item(world, end, event); break;
	case BRINE_EVENT_UPLOAD_END: find_handler(end, event->serial)->upload_ended = true; break;
	case BRINE_EVENT_HELLO: end->greeted = true; break;
	case BRINE_EVENT_GOAWAY: end->going_away = true; break;
	case BRINE_EVENT_RESPONSE: {
		struct call *call = event->user;
		call->ended++;
		call->status = event->status;
		break;
	}
	case BRINE_EVENT_CLOSED:
		end->closed = true;
		end->closed_status = event->status;
		break;
	case BRINE_EVENT_CREDIT:
		*(event->user ? &((struct call *)event->user)->waits : &find_handler(end, event->serial)->waits) =
		        false;
		break;
	default: break;
	}
}

static bool pull(struct world *world, struct end *end)
{
	struct brine_event event;
	bool moved = false;
	while (brine_conn_next(end->conn, &event, world->now_ms) > 0) {
		on_event(world, end, &event);
		moved = true;
	}
	return moved;
}

/* Moves what may move from one end to the other. */
static bool carry(struct world *world, int from)
{
	struct end *sender = &world->ends[from], *reader = &world->ends[!from];
	if (from == 0 && world->blocked)
		return false;
	struct brine_bytes bytes = brine_conn_pending(sender->conn);
	bool reads = brine_conn_wants_read(reader->conn) || brine_conn_state(reader->conn) >= BRINE_CONN_CLOSING;
	if (bytes.size && reads) {
		/* A few bytes at a time, so that every mark is met from below. */
		size_t size = bytes.size < 7 ? bytes.size : 7;
		assert_int_equal(brine_conn_feed(reader->conn, BRINE_BYTES(bytes.data, size), world->now_ms), 0);
		brine_conn_sent(sender->conn, size, world->now_ms);
		return true;
	}
	if (!bytes.size && brine_conn_state(sender->conn) >= BRINE_CONN_CLOSING && !reader->told_eof) {
		reader->told_eof = true;
		brine_conn_eof(reader->conn, world->now_ms);
		return true;
	}
	return false;
}

/* ---- what the programs of both ends do ---- */

static struct call *begin(struct world *world, struct end *end, enum kind kind)
{
	struct call *call = &end->calls[end->call_count++];
	*call = (struct call){.kind = kind};
	(void)world;
	return call;
}

/* Gives a call to the connection; one that is refused for now is tried again in the next turn, as a client does. */
static bool start(struct world *world, struct end *end, struct call *call)
{
	struct brine_conn_call request = {
	        .method = brine_str_from(methods[call->kind]),
	        .deadline_ms = call->kind == LATE ? world->now_ms + ANSWER_AFTER_MS : BRINE_FOREVER,
	        .wants_items = call->kind == BOTH,
	        .has_upload = call->kind == BOTH,
	        .user = call,
	};
	int status = brine_conn_call(end->conn, &request, world->now_ms, &call->serial, NULL);
	if (status == BRINE_ERR_OVERLOADED)
		return false;
	call->begun = status == 0;
	if (status < 0) {
		call->ended = 1;
		call->status = status;
	}
	return true;
}

/* Each item is bigger than the least stream_size. */
static bool send_items(struct world *world, struct end *end, uint64_t serial, unsigned *sent, bool *waits)
{
	bool moved = false;
	while (*sent < ITEMS && !*waits) {
		int status = brine_conn_send(end->conn, serial, BRINE_BYTES("\xa2hi", 3), world->now_ms);
		*waits = status == BRINE_ERR_NO_CREDIT;
		if (status < 0)
			break;
		++*sent;
		moved = true;
	}
	return moved;
}

static bool go_on_calling(struct world *world, struct end *end)
{
	bool moved = false;
	for (unsigned i = 0; i < end->call_count; i++) {
		struct call *call = &end->calls[i];
		if (!call->begun && !call->ended)
			moved |= start(world, end, call);
		if (call->kind != BOTH || !call->begun || call->ended)
			continue;
		moved |= send_items(world, end, call->serial, &call->sent, &call->waits);
		if (call->sent == ITEMS && !call->upload_ended) {
			brine_conn_end_upload(end->conn, call->serial, world->now_ms);
			call->upload_ended = moved = true;
		}
	}
	return moved;
}

static bool go_on_answering(struct world *world, struct end *end)
{
	struct brine_bytes none = {NULL, 0};
	bool moved = false;
	for (unsigned i = 0; i < end->handler_count; i++) {
		struct handler *handler = &end->handlers[i];
		if (handler->kind != BOTH)
			continue;
		moved |= send_items(world, end, handler->serial, &handler->sent, &handler->waits);
		if (handler->sent < ITEMS || !handler->upload_ended)
			continue;
		brine_conn_reply(end->conn, handler->serial, none, none, world->now_ms);
		forget_handler(end, handler);
		moved = true;
	}
	return moved;
}

/* One turn of both ends. Where nothing moves, time passes up to the next deadline. */
static void turn(struct world *world)
{
	bool moved = false;
	uint64_t due_ms = BRINE_FOREVER;
	for (int i = 0; i < 2; i++) {
		struct end *end = &world->ends[i];
		moved |= pull(world, end);
		moved |= go_on_calling(world, end);
		moved |= go_on_answering(world, end);
		moved |= carry(world, i);
		uint64_t deadline_ms = brine_conn_deadline(end->conn);
		if (deadline_ms <= world->now_ms) {
			brine_conn_tick(end->conn, world->now_ms);
			moved = true;
		}
		due_ms = deadline_ms < due_ms ? deadline_ms : due_ms;
	}
	if (moved)
		return;
	if (due_ms == BRINE_FOREVER)
		fail_msg("%s: nothing moves, and nothing will", world->what);
	world->now_ms = due_ms > world->now_ms ? due_ms : world->now_ms + 1;
}

typedef bool condition_fn(const struct world *world);

static void run_until(struct world *world, condition_fn *condition, const char *what)
{
	uint64_t until_ms = world->now_ms + PATIENCE_MS;
	for (unsigned turns = 0; !condition(world); turns++) {
		if (world->now_ms > until_ms || turns > 200000)
			fail_msg("%s: no end of waiting for %s", world->what, what);
		turn(world);
	}
}

/* ---- what must hold ---- */

static bool is_greeted(const struct world *world)
{
	return world->ends[0].greeted || world->ends[0].closed;
}

static bool holds_or_ended(const struct world *world)
{
	return world->ends[1].handler_count > 0 || world->ends[0].calls[0].ended;
}

static bool all_ended(const struct world *world)
{
	for (int i = 0; i < 2; i++)
		for (unsigned n = 0; n < world->ends[i].call_count; n++)
			if (!world->ends[i].calls[n].ended)
				return false;
	return true;
}

static bool both_closed(const struct world *world)
{
	return world->ends[0].closed && world->ends[1].closed;
}

static void expect_status(const struct world *world, const struct call *call, enum effect effect)
{
	static const int right[KINDS] = {[HOLD] = BRINE_ERR_CANCELLED, [LATE] = BRINE_ERR_DEADLINE};
	if (call->ended != 1)
		fail_msg("%s: call '%s' ended %u times", world->what, methods[call->kind], call->ended);
	if (effect == HARMLESS && call->status != right[call->kind])
		fail_msg("%s: call '%s' ended with %s", world->what, methods[call->kind],
		         brine_error_name(call->status));
	if (effect == HARMLESS && call->kind == BOTH && (call->sent != ITEMS || call->received != ITEMS))
		fail_msg("%s: %u items sent, %u received", world->what, call->sent, call->received);
}

/* Calls of every kind in both directions, with a cancel, and then the end. */
static void script_ordinary(struct world *world, enum effect effect)
{
	struct end *client = &world->ends[0], *server = &world->ends[1];
	run_until(world, is_greeted, "the welcome");
	struct call *hold = begin(world, client, HOLD);
	for (int i = 0; i < 3; i++) {
		begin(world, client, ECHO);
		begin(world, client, BOTH);
		begin(world, server, ECHO);
	}
	begin(world, client, LATE);
	begin(world, server, BOTH);
	run_until(world, holds_or_ended, "the first request");
	unsigned cancels = server->cancels;
	if (hold->begun && !hold->ended) {
		brine_conn_cancel(client->conn, hold->serial, world->now_ms);
		pull(world, client);
		if (hold->ended != 1)
			fail_msg("%s: a cancelled call did not end at once", world->what);
	}
	run_until(world, all_ended, "the ends of all calls");
	if (effect != ENDS && server->cancels == cancels)
		fail_msg("%s: the cancel did not get through", world->what);
	brine_conn_drain(client->conn, 1000, world->now_ms);
	run_until(world, both_closed, "the end of the connection");
	for (int i = 0; i < 2; i++)
		for (unsigned n = 0; n < world->ends[i].call_count; n++)
			expect_status(world, &world->ends[i].calls[n], effect);
}

/* As many calls and items as fit in while nothing leaves, and then a cancel of the oldest and a goaway. */
static void script_full(struct world *world, enum effect effect)
{
	struct end *client = &world->ends[0], *server = &world->ends[1];
	run_until(world, is_greeted, "the welcome");
	struct call *held = begin(world, client, HOLD);
	run_until(world, holds_or_ended, "the first request");
	world->blocked = true;
	struct call *flood = NULL;
	while (client->call_count < FLOOD_MAX - 1) {
		flood = begin(world, client, client->call_count == 1 ? BOTH : ECHO);
		if (!start(world, client, flood) || flood->ended)
			break;
		go_on_calling(world, client);
	}
	if (flood->begun == 0 && !flood->ended)
		client->call_count--; /* one that a client would keep for later */
	if (held->begun && !held->ended) {
		brine_conn_cancel(client->conn, held->serial, world->now_ms);
		pull(world, client);
		if (held->ended != 1)
			fail_msg("%s: a call cancelled behind a full output did not end at once", world->what);
	}
	brine_conn_drain(client->conn, PATIENCE_MS / 2, world->now_ms);
	world->blocked = false;
	run_until(world, both_closed, "the end of the connection");
	if (effect != ENDS && (server->cancels == 0 || !server->going_away))
		fail_msg("%s: %u cancels and %s goaway got through", world->what, server->cancels,
		         server->going_away ? "a" : "no");
	for (unsigned n = 0; n < client->call_count; n++)
		expect_status(world, &client->calls[n], effect);
}

typedef void script_fn(struct world *world, enum effect effect);

static void run_world(script_fn *script, const struct brine_conn_options given[2], enum effect effect, const char *what)
{
	static struct world world;
	struct fail_allocator memory;
	fail_allocator_init(&memory, 0, false);
	world = (struct world){.what = what, .now_ms = 1000};
	for (int i = 0; i < 2; i++) {
		struct brine_conn_options options = given[i];
		struct brine_error error;
		options.allocator = &memory.base;
		if (brine_conn_new(&world.ends[i].conn, &options, world.now_ms, &error) < 0)
			fail_msg("%s: refused: %s", what, error.text);
	}
	script(&world, effect);
	for (int i = 0; i < 2; i++) {
		if (effect != ENDS)
			assert_int_equal(world.ends[i].closed_status, BRINE_OK);
		brine_conn_free(world.ends[i].conn);
	}
	assert_int_equal(memory.held, 0);
}

static void default_options(struct brine_conn_options options[2])
{
	for (int i = 0; i < 2; i++) {
		options[i] = (struct brine_conn_options)BRINE_CONN_OPTIONS_INIT;
		options[i].role = i ? BRINE_ACCEPTING : BRINE_CONNECTING;
		options[i].wire = i ? BRINE_WIRE_UNKNOWN : BRINE_WIRE_FRAMED;
		options[i].hello = i == 0;
		options[i].live = true;
	}
}

static void run_one(const struct limit *limit, int side, uint64_t value, enum effect effect)
{
	struct brine_conn_options options[2];
	char what[128];
	default_options(options);
	set_limit(&options[side], limit, value);
	snprintf(what, sizeof what, "%s = %llu of the %s side", limit->name, (unsigned long long)value,
	         side ? "accepting" : "connecting");
	run_world(script_ordinary, options, effect, what);
	run_world(script_full, options, effect, what);
}

static void G04_each_limit_at_its_least(void **state)
{
	(void)state;
	for (int i = 0; i < LIMITS; i++)
		for (int side = 0; side < 2; side++) {
			if (!(limits[i].sides & 1u << side))
				continue;
			run_one(&limits[i], side, limits[i].least, limits[i].effect);
			run_one(&limits[i], side, limits[i].least + 1, limits[i].effect_next);
		}
}

/* All that do not end the connection by themselves, at both sides; the times that do stay. */
static void G04_all_limits_at_their_least(void **state)
{
	(void)state;
	for (uint64_t more = 0; more < 2; more++) {
		struct brine_conn_options options[2];
		default_options(options);
		for (int i = 0; i < LIMITS; i++)
			for (int side = 0; side < 2; side++)
				if ((more ? limits[i].effect_next : limits[i].effect) != ENDS)
					set_limit(&options[side], &limits[i], limits[i].least + more);
		run_world(script_ordinary, options, NARROW, more ? "all limits at least + 1" : "all limits at least");
		run_world(script_full, options, NARROW, more ? "all limits at least + 1" : "all limits at least");
	}
}

/* One below the least is refused, with the name of the limit: so they are the least. */
static void G04_below_the_least_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < LIMITS; i++) {
		struct brine_conn_options options[2];
		struct brine_conn *conn;
		struct brine_error error = BRINE_ERROR_INIT;
		const char *name = strrchr(limits[i].name, '.');
		bool was_tried = i > 0 && limits[i - 1].offset == limits[i].offset;
		if (limits[i].least == 0 || was_tried)
			continue;
		default_options(options);
		set_limit(&options[0], &limits[i], limits[i].least - 1);
		assert_int_equal(brine_conn_new(&conn, &options[0], 0, &error), BRINE_ERR_INVALID);
		if (!strstr(error.text, name ? name + 1 : limits[i].name))
			fail_msg("%s is not named in '%s'", limits[i].name, error.text);
	}
}

/* A limit that is added to the struct has to be added here (compilers warn of one left out), and to the table. */
static void G04_the_table_has_every_limit(void **state)
{
	static const struct brine_limits numbered = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
	bool seen[18] = {false};
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	(void)state;
	options.limits = numbered;
	for (int i = 0; i < LIMITS; i++)
		if (strncmp(limits[i].name, "limits.", 7) == 0)
			seen[get_limit(&options, &limits[i])] = true;
	for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++)
		if (!seen[i])
			fail_msg("number %zu of struct brine_limits is not in the table", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(G04_each_limit_at_its_least),
	        cmocka_unit_test(G04_all_limits_at_their_least),
	        cmocka_unit_test(G04_below_the_least_is_refused),
	        cmocka_unit_test(G04_the_table_has_every_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
