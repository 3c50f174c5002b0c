/* Proves: many threads of both sides that call, stream, cancel, notify, give up and answer each other at random, in all
 * three modes of a client, while connections end under them and the system calls in between take their time, neither
 *hang nor lose, mix up or leak anything. Each round is made of a seed, which a failure names.
 *
 *	e2e/fault_both_ways_stress [SEED [SECONDS]]     // rounds from that seed on, for so long */
#include "faults.h"
#include "nesting.h"
#include "stress.h"

enum {
	DEPTH_MAX = 3,         /* calls on top of each other */
	CALLERS = 6,           /* threads that call the server: of each mode some */
	BACKS = 2,             /* threads that call clients */
	ROUND_MS = 150,        /* of calling */
	SECONDS_DEFAULT = 4,   /* of rounds */
	NESTED_MS = 10000,     /* what a call in a handler may take */
	SHORT_CALL_PERCENT = 5 /* calls that have a millisecond */
};

/* ---- what calls carry ---- */

/* [token as 3 bytes of a bin, depth] */
struct work {
	uint8_t bytes[8];
};

static struct brine_bytes pack_work(struct work *work, unsigned token, unsigned depth)
{
	uint8_t bytes[7] = {0x92,           0xc4,          3, (uint8_t)(token >> 16), (uint8_t)(token >> 8),
	                    (uint8_t)token, (uint8_t)depth};
	memcpy(work->bytes, bytes, sizeof bytes);
	return BRINE_BYTES(work->bytes, sizeof bytes);
}

static unsigned token_of(struct brine_bytes params)
{
	const uint8_t *at = params.data;
	return ((unsigned)at[3] << 16 | (unsigned)at[4] << 8 | at[5]) % TOKENS;
}

static unsigned new_token(void)
{
	return atomic_fetch_add(&stress.token, 1) % TOKENS;
}

/* What became of a call. is_short: it may run out of time. */
static void judge(const struct brine_call *call, int status, unsigned token, unsigned depth, bool is_short)
{
	switch (status) {
	case 0:
		REQUIRE(nest_number(brine_call_result(call)) == depth && atomic_load(&stress.ran[token]) == 1);
		atomic_fetch_add(&stress.answered, 1);
		break;
	case BRINE_ERR_REMOTE:
		/* Overloaded and going away promise that nothing ran. */
		if (brine_call_code(call) == BRINE_CODE_OVERLOADED || brine_call_code(call) == BRINE_CODE_GOING_AWAY)
			atomic_store(&stress.not_sent[token], 1);
		atomic_fetch_add(&stress.refused, 1);
		break;
	case BRINE_ERR_CANCELLED: atomic_fetch_add(&stress.cancelled, 1); break;
	case BRINE_ERR_LOST: atomic_fetch_add(&stress.lost, 1); break;
	case BRINE_ERR_DEADLINE:
		REQUIRE(is_short);
		atomic_fetch_add(&stress.late, 1);
		break;
	case BRINE_ERR_CONNECT:
	case BRINE_ERR_NOT_SENT:
	case BRINE_ERR_OVERLOADED:
	case BRINE_ERR_GOING_AWAY:
		atomic_store(&stress.not_sent[token], 1);
		atomic_fetch_add(&stress.unsent, 1);
		break;
	default: REQUIRE(status == 0); break;
	}
}

static void mark(struct brine_bytes params)
{
	REQUIRE(atomic_fetch_add(&stress.ran[token_of(params)], 1) == 0);
}

/* ---- handlers ---- */

/* A call that a handler begins and answers with. */
struct later {
	struct brine_call call;
	struct brine_request *request;
	unsigned token, depth;
};

static void answer_with(struct brine_request *request, struct brine_call *call, int status, unsigned token,
                        unsigned depth)
{
	/* What began with little time may end before this side finds that it has none left. */
	judge(call, status, token, depth, call->timeout_ms < NESTED_MS / 2 || brine_request_cancelled(request));
	if (status < 0)
		brine_request_fail(request, 1000, "%d", status);
	else
		nest_reply(request, nest_number(brine_call_result(call)) + 1);
}

static void later_done(struct brine_call *call, void *user)
{
	struct later *later = user;
	int status = brine_call_finish(call, NULL);
	answer_with(later->request, call, status, later->token, later->depth);
	brine_call_done(call);
	free(later);
}

static uint64_t nested_ms(const struct brine_request *request)
{
	uint64_t left_ms = brine_request_remaining_ms(request);
	return left_ms == 0 ? 1 : left_ms < NESTED_MS ? left_ms : NESTED_MS;
}

/* Half of the calls that handlers make end with their requests. */
static struct brine_request *draw_parent(struct brine_request *request)
{
	return draw(2) ? request : NULL;
}

/* Asks the other side for one less, and answers when that has. */
static int work_later(struct brine_request *request, unsigned depth)
{
	struct work work;
	struct later *later = calloc(1, sizeof *later);
	*later = (struct later){.call = BRINE_CALL_INIT, .request = request, .token = new_token(), .depth = depth - 1};
	later->call.on_done = later_done;
	later->call.user = later;
	later->call.timeout_ms = nested_ms(request);
	later->call.parent = draw_parent(request);
	struct brine_client *client = brine_request_client(request);
	int status = client ? brine_client_begin_raw(client, &later->call, "work",
	                                             pack_work(&work, later->token, later->depth))
	                    : BRINE_ERR_LOST;
	if (status == 0)
		return BRINE_PENDING;
	status = brine_request_fail(request, 1000, "%d", status);
	brine_call_done(&later->call);
	free(later);
	return status;
}

static int work_now(struct brine_request *request, unsigned depth)
{
	struct work work;
	struct brine_call call = BRINE_CALL_INIT;
	unsigned token = new_token();
	call.timeout_ms = nested_ms(request);
	call.parent = draw_parent(request);
	struct brine_client *client = brine_request_client(request);
	int status = BRINE_ERR_LOST;
	if (client)
		status = brine_client_call_raw(client, &call, "work", pack_work(&work, token, depth - 1));
	answer_with(request, &call, status, token, depth - 1);
	brine_call_done(&call);
	return 0;
}

static void on_request_ready(struct brine_request *request, void *user)
{
	(void)user;
	REQUIRE(brine_request_cancelled(request));
	atomic_fetch_add(&stress.woken, 1);
}

/* Leaves the answer to another thread. */
static int leave(struct brine_request *request)
{
	if (draw(2))
		brine_request_on_ready(request, on_request_ready, NULL);
	if (queue_put(&stress.pending, request))
		return BRINE_PENDING;
	return nest_reply(request, 0);
}

/* user: not NULL where it may wait. */
static int do_work(struct brine_request *request, struct brine_bytes params, void *user)
{
	unsigned depth = (unsigned)nest_number(params);
	mark(params);
	if (brine_request_is_notification(request))
		return 0;
	if (depth == 0)
		return draw(4) ? nest_reply(request, 0) : leave(request);
	atomic_fetch_add(&stress.nested, 1);
	return user && draw(4) ? work_now(request, depth) : work_later(request, depth);
}

static int keep(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_client *client = brine_request_keep_client(request);
	(void)params;
	(void)user;
	if (client && !queue_put(&stress.kept, client))
		brine_client_free(client);
	return 0;
}

/* ---- threads ---- */

/* Answers what handlers left, in any order. */
static void *answer_run(void *argument)
{
	(void)argument;
	for (;;) {
		bool last = atomic_load(&stress.all_over);
		draw(1);
		struct brine_request *request = queue_take(&stress.pending, &chance_state);
		if (request)
			(void)(draw(8) ? nest_reply(request, 0) : brine_request_fail(request, 100, "no"));
		else if (last)
			return NULL;
		else
			usleep((useconds_t)draw(300));
	}
}

enum { LEFT = 4 };

/* A call and its callback. */
struct told {
	struct brine_call call;
	atomic_int count;
	unsigned token, depth;
};

struct caller {
	struct brine_client *client;
	int mode;
	bool is_back; /* it calls a client, which reads only when it feels like it */
	atomic_bool only_finishes;
	struct told left[LEFT]; /* calls that still run when the client is freed */
	int left_count;
	pthread_t thread;
};

static void count_told(struct brine_call *call, void *user)
{
	struct told *told = user;
	REQUIRE(call == &told->call && brine_call_status(call) <= 0);
	atomic_fetch_add(&stress.callbacks, 1);
	atomic_fetch_add(&told->count, 1);
}

static unsigned draw_depth(void)
{
	return stress.is_narrow ? 0 : (unsigned)draw(DEPTH_MAX + 1);
}

static const char *choose_method(const struct caller *caller)
{
	return caller->is_back || draw(3) ? "work" : "light";
}

static bool set_timeout(const struct caller *caller, struct brine_call *call)
{
	bool is_short = caller->is_back || draw(100) < SHORT_CALL_PERCENT;
	call->timeout_ms = is_short ? 1 + draw(20) : PATIENCE_MS;
	return is_short;
}

static int begin_work(struct caller *caller, struct told *told, unsigned depth)
{
	struct work work;
	told->token = new_token();
	told->depth = depth;
	return brine_client_begin_raw(caller->client, &told->call, choose_method(caller),
	                              pack_work(&work, told->token, depth));
}

static void process(struct brine_client *client)
{
	int wait_ms = brine_client_get_timeout_ms(client);
	struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
	poll(&poller, 1, wait_ms < 0 || wait_ms > 20 ? 20 : wait_ms);
	brine_client_process(client);
}

/* Lets the client move until the callback has come. */
static void await_told(struct caller *caller, struct told *told)
{
	while (!atomic_load(&told->count)) {
		if (caller->mode == BRINE_CLIENT_LOOP)
			process(caller->client);
		else if (caller->mode == BRINE_CLIENT_BLOCKING && !caller->is_back)
			(void)brine_client_call_raw(caller->client, NULL, "ping", BRINE_BYTES("\x90", 1));
		else
			usleep(200);
	}
}

/* Begins a call with a callback and waits for that. */
static void call_back_once(struct caller *caller, unsigned depth)
{
	struct told told = {.call = BRINE_CALL_INIT};
	told.call.on_done = count_told;
	told.call.user = &told;
	bool is_short = set_timeout(caller, &told.call);
	int status = begin_work(caller, &told, depth);
	if (status == 0) {
		if (draw(4) == 0)
			brine_call_cancel(&told.call);
		await_told(caller, &told);
		status = brine_call_finish(&told.call, NULL);
	}
	judge(&told.call, status, told.token, depth, is_short);
	brine_call_done(&told.call);
}

static void wait_once(struct caller *caller, unsigned depth)
{
	struct work work;
	struct brine_call call = BRINE_CALL_INIT;
	unsigned token = new_token();
	bool is_short = set_timeout(caller, &call);
	int status =
	        brine_client_call_raw(caller->client, &call, choose_method(caller), pack_work(&work, token, depth));
	judge(&call, status, token, depth, is_short);
	brine_call_done(&call);
}

/* Begins several, cancels or drops some, and waits for the others. */
static void begin_some(struct caller *caller)
{
	enum { SOME = 5 };
	struct told told[SOME];
	int status[SOME];
	bool is_short[SOME], dropped[SOME] = {false};
	for (int i = 0; i < SOME; i++) {
		told[i] = (struct told){.call = BRINE_CALL_INIT};
		is_short[i] = set_timeout(caller, &told[i].call);
		status[i] = begin_work(caller, &told[i], 0);
	}
	for (int i = 0; i < SOME; i++) {
		uint64_t dice = draw(6);
		if (dice == 0)
			brine_call_cancel(&told[i].call);
		dropped[i] = dice == 1;
		if (dropped[i])
			brine_call_done(&told[i].call);
	}
	for (int i = 0; i < SOME; i++) {
		if (dropped[i])
			continue;
		if (status[i] == 0)
			status[i] = brine_call_finish(&told[i].call, NULL);
		judge(&told[i].call, status[i], told[i].token, 0, is_short[i]);
		brine_call_done(&told[i].call);
	}
}

static void notify_once(struct caller *caller)
{
	struct work work;
	struct brine_call call = BRINE_CALL_INIT;
	unsigned token = new_token();
	call.timeout_ms = caller->is_back ? 20 : PATIENCE_MS;
	int status = brine_client_notify_raw(caller->client, &call, choose_method(caller), pack_work(&work, token, 0));
	/* On a loop there may be no connection, and waiting for one is not allowed. */
	REQUIRE(status == 0 || status == BRINE_ERR_NOT_SENT || status == BRINE_ERR_OVERLOADED ||
	        (status == BRINE_ERR_DEADLINE && caller->is_back) ||
	        (status == BRINE_ERR_WOULD_BLOCK && caller->mode == BRINE_CLIENT_LOOP));
	brine_call_done(&call);
}

/* What became of a stream that did not end well. */
static void judge_stream(int status, bool is_short)
{
	switch (status) {
	case BRINE_ERR_DEADLINE: REQUIRE(is_short); break;
	case BRINE_ERR_REMOTE:
	case BRINE_ERR_CANCELLED:
	case BRINE_ERR_LOST:
	case BRINE_ERR_CONNECT:
	case BRINE_ERR_NOT_SENT:
	case BRINE_ERR_OVERLOADED:
	case BRINE_ERR_GOING_AWAY: break;
	default: REQUIRE(status == 0);
	}
	atomic_fetch_add(&stress.broken, 1);
}

/* Sends items, some ahead, and takes them back doubled, all or as many as it likes. */
static void stream_once(struct caller *caller)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number item;
	int64_t items = (int64_t)draw(100), ahead = 1 + (int64_t)draw(20), sent = 0, taken = 0;
	int64_t stop = draw(4) ? -1 : (int64_t)draw(100);
	bool is_short = set_timeout(caller, &call), dropped = false;
	/* A worker that waits for items keeps its place: handlers that wait for another one must not wait for it. */
	bool may_take_worker = caller->is_back || stress.is_narrow;
	int which = may_take_worker && draw(2) ? STREAMS_DOUBLE : STREAMS_DOUBLE_ON_LOOP;
	int status = brine_client_begin(caller->client, &call, &streams_methods[which], NULL);
	while (status >= 0 && taken < items && !dropped) {
		for (; status >= 0 && sent < items && sent < taken + ahead; sent++)
			status = brine_call_send(&call, &(struct calc_number){sent});
		if (status >= 0)
			status = brine_call_next(&call, &item);
		REQUIRE(status != 0 && (status < 0 || item.value == 2 * taken));
		taken++;
		if (taken == stop && draw(2))
			brine_call_cancel(&call);
		else
			dropped = taken == stop;
	}
	if (status >= 0 && !dropped) {
		(void)brine_call_end_upload(&call);
		status = brine_call_next(&call, &item);
		REQUIRE(status <= 0);
	}
	if (status < 0)
		judge_stream(status, is_short);
	else if (!dropped)
		atomic_fetch_add(&stress.streamed, 1);
	brine_call_done(&call);
}

static void act(struct caller *caller)
{
	bool waits = caller->mode != BRINE_CLIENT_LOOP;
	unsigned depth = draw_depth();
	switch (draw(9)) {
	case 0:
	case 1:
	case 2:
		if (waits)
			wait_once(caller, depth);
		else
			call_back_once(caller, depth);
		break;
	case 3:
	case 4: call_back_once(caller, depth); break;
	case 5:
		if (waits)
			begin_some(caller);
		break;
	case 6: notify_once(caller); break;
	case 7:
		if (waits)
			stream_once(caller);
		break;
	default:
		if (waits && !caller->is_back)
			(void)brine_client_call_raw(caller->client, NULL, "keep", BRINE_BYTES("\x90", 1));
	}
}

/* Calls until the round is over, and leaves some calls to the end of the client. */
static void *caller_run(void *argument)
{
	struct caller *caller = argument;
	while (!atomic_load(&stress.over) && !atomic_load(&stress.wrong) && atomic_load(&stress.token) < TOKENS / 2)
		act(caller);
	for (int i = 0; i < LEFT; i++) {
		struct told *told = &caller->left[i];
		*told = (struct told){.call = BRINE_CALL_INIT};
		told->call.on_done = count_told;
		told->call.user = told;
		told->call.timeout_ms = PATIENCE_MS;
		if (begin_work(caller, told, draw_depth()) < 0)
			atomic_store(&told->count, 1);
	}
	struct told last = {.call = BRINE_CALL_INIT};
	last.call.timeout_ms = PATIENCE_MS;
	int status = begin_work(caller, &last, draw_depth());
	atomic_store(&caller->only_finishes, true);
	if (status == 0 && caller->mode != BRINE_CLIENT_LOOP) {
		status = brine_call_finish(&last.call, NULL);
		judge(&last.call, status, last.token, last.depth, false);
	}
	brine_call_done(&last.call);
	return NULL;
}

/* What was left has been told once, now that the client is gone. */
static void check_left(struct caller *caller)
{
	for (int i = 0; i < LEFT; i++) {
		struct told *told = &caller->left[i];
		REQUIRE(atomic_load(&told->count) == 1);
		if (brine_call_status(&told->call) == BRINE_ERR_NOT_SENT)
			atomic_store(&stress.not_sent[told->token], 1);
		brine_call_done(&told->call);
	}
}

/* Calls clients from threads of the server's program. */
static void *back_run(void *argument)
{
	(void)argument;
	while (!atomic_load(&stress.over)) {
		struct caller caller = {.mode = BRINE_CLIENT_BLOCKING, .is_back = true};
		draw(1);
		caller.client = queue_take(&stress.kept, &chance_state);
		if (!caller.client) {
			usleep((useconds_t)draw(300));
			continue;
		}
		for (uint64_t i = draw(8); i > 0; i--) {
			act(&caller);
			atomic_fetch_add(&stress.back, 1);
		}
		brine_client_free(caller.client);
	}
	return NULL;
}

/* ---- rounds ---- */

static int ping(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 0;
}

static void *server_run(void *argument)
{
	(void)argument;
	REQUIRE(brine_server_run(stress.server, NULL) == 0);
	return NULL;
}

static void make_server(void **state, enum over kind, const struct brine_allocator *allocator)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	static char waits[] = "waits";
	char address[ADDRESS_SIZE];
	options.allocator = allocator;
	options.loops = 1 + (uint32_t)draw(2);
	options.workers = 1 + (uint32_t)draw(4);
	options.drain_ms = draw(2) ? 1 : 1000;
	options.connection_age_max_ms = draw(2) ? 10 + draw(50) : 0;
	options.limits.linger_ms = 50;
	assert_int_equal(brine_server_new(&stress.server, &options), 0);
	struct brine_server *server = stress.server;
	assert_int_equal(brine_server_serve_raw_as(server, "work", BRINE_METHOD_BLOCKING, do_work, waits, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "light", do_work, NULL, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "ping", ping, NULL, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "keep", keep, NULL, NULL), 0);
	assert_int_equal(brine_server_serve(server, &streams_service, NULL, &stress.streams[0], NULL), 0);
	assert_int_equal(brine_server_listen(server, address_over(state, kind, address), NULL), 0);
}

/* Where nothing may wait both have the event form. */
static const struct brine_method not_waiting_methods[] = {
        {"double", &calc_number_type, &calc_number_type, STREAMS_BOTH, streams_double_on_loop},
        {"double/loop", &calc_number_type, &calc_number_type, STREAMS_BOTH, streams_double_on_loop},
};
static const struct brine_service waiting = {BRINE_ABI, "streams.Streams", &streams_methods[STREAMS_DOUBLE], 2};
static const struct brine_service not_waiting = {BRINE_ABI, "streams.Streams", not_waiting_methods, 2};

static struct brine_client *make_client(int mode, const struct brine_allocator *allocator)
{
	static char waits[] = "waits";
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.allocator = allocator;
	options.mode = mode;
	options.calls_max = stress.is_narrow ? 4 : 0;
	options.limits.linger_ms = 50;
	options.backoff_first_ms = options.backoff_most_ms = 1;
	struct brine_client *client = client_of(brine_server_address(stress.server, 0), &options);
	assert_int_equal(
	        brine_client_serve_raw(client, "work", do_work, mode == BRINE_CLIENT_BLOCKING ? waits : NULL, NULL), 0);
	assert_int_equal(brine_client_serve(client, mode == BRINE_CLIENT_BLOCKING ? &waiting : &not_waiting, NULL,
	                                    &stress.streams[1], NULL),
	                 0);
	return client;
}

static void begin_round(uint64_t seed)
{
	stress.seed = seed;
	stress.is_narrow = seed % 4 == 0;
	atomic_store(&chance_threads, 0);
	chance_state = 0;
	atomic_store(&stress.over, false);
	atomic_store(&stress.all_over, false);
	atomic_store(&stress.token, 0);
	memset(stress.ran, 0, sizeof stress.ran);
	memset(stress.not_sent, 0, sizeof stress.not_sent);
	fault_reset();
	if (draw(2))
		fault_short_io(seed);
	static const enum fault_function slow[] = {FAULT_send,       FAULT_recv, FAULT_poll,
	                                           FAULT_epoll_wait, FAULT_read, FAULT_write};
	for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++)
		fault_hook(slow[i], dawdle, NULL);
}

static void end_round(void)
{
	struct brine_client *client;
	while ((client = queue_take(&stress.kept, &chance_state)))
		brine_client_free(client);
	for (int i = 0; i < TOKENS; i++)
		REQUIRE(!(stress.not_sent[i] && stress.ran[i]));
	for (int i = 0; i < 2; i++)
		REQUIRE(atomic_load(&stress.streams[i].started) == atomic_load(&stress.streams[i].ended));
	REQUIRE(stress.pending.count == 0);
}

static void stop_server(pthread_t thread)
{
	for (uint64_t i = 1 + draw(2); i > 0; i--)
		brine_server_stop(stress.server);
	pthread_join(thread, NULL);
}

static void live_round(void **state, enum over kind)
{
	struct shared_allocator allocators[2];
	struct caller callers[CALLERS];
	struct brine_client *clients[3];
	pthread_t server, backs[BACKS], answering;
	for (int i = 0; i < 2; i++)
		shared_allocator_init(&allocators[i], 0, false);
	make_server(state, kind, &allocators[0].base);
	pthread_create(&server, NULL, server_run, NULL);
	pthread_create(&answering, NULL, answer_run, NULL);
	for (int mode = 0; mode < 3; mode++)
		clients[mode] = make_client(mode, &allocators[1].base);
	for (int i = 0; i < CALLERS; i++) {
		/* One alone drives a loop. */
		int mode = i == 0 ? BRINE_CLIENT_LOOP : i < 3 ? BRINE_CLIENT_BACKGROUND : BRINE_CLIENT_BLOCKING;
		callers[i] = (struct caller){.client = clients[mode], .mode = mode};
		pthread_create(&callers[i].thread, NULL, caller_run, &callers[i]);
	}
	for (int i = 0; i < BACKS; i++)
		pthread_create(&backs[i], NULL, back_run, NULL);
	usleep(ROUND_MS * 1000);
	atomic_store(&stress.over, true);
	for (int i = 0; i < BACKS; i++)
		pthread_join(backs[i], NULL);
	for (int i = 0; i < CALLERS; i++)
		while (!atomic_load(&callers[i].only_finishes))
			usleep(100);
	bool server_first = draw(2);
	if (server_first)
		stop_server(server);
	for (int mode = 0; mode < 3; mode++)
		brine_client_free(clients[mode]);
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(callers[i].thread, NULL);
		check_left(&callers[i]);
	}
	if (!server_first)
		stop_server(server);
	if (draw(2)) {
		brine_server_free(stress.server);
		stress.server = NULL;
	}
	atomic_store(&stress.all_over, true);
	pthread_join(answering, NULL);
	brine_server_free(stress.server);
	end_round();
	for (int i = 0; i < 2; i++)
		REQUIRE(allocators[i].fail.held == 0);
}

static uint64_t first_seed = 1, run_ms = SECONDS_DEFAULT * 1000;

/* Whether everything was seen that the rounds are for. */
static bool has_seen_all(void)
{
	return stress.streamed > 0 && stress.broken > 0 && stress.streams[1].started > 0 && stress.answered > 0 &&
	       stress.cancelled > 0 && stress.callbacks > 0 && stress.nested > 0 && stress.back > 0;
}

static void rounds_over(void **state, enum over kind)
{
	uint64_t until_ms = brine_clock_ms() + run_ms / 2, last_ms = until_ms + PATIENCE_MS;
	pthread_mutex_init(&stress.pending.lock, NULL);
	pthread_mutex_init(&stress.kept.lock, NULL);
	uint64_t seed = first_seed;
	do {
		/* A round that hangs is ended by SIGALRM: a stack trace of a debugger says more than a message. */
		alarm(120);
		begin_round(seed);
		live_round(state, kind);
		if (atomic_load(&stress.wrong))
			fail_msg("seed %llu: line %d", (unsigned long long)seed, atomic_exchange(&stress.wrong, 0));
		seed++;
	} while (brine_clock_ms() < (has_seen_all() ? until_ms : last_ms));
	alarm(0);
	fault_reset();
	printf("%u rounds: %u answered, %u refused, %u cancelled, %u lost, %u not sent, %u late; %u callbacks, %u "
	       "nested, "
	       "%u woken, %u back, %u streamed, %u not to the end, %u on clients\n",
	       (unsigned)(seed - first_seed), stress.answered, stress.refused, stress.cancelled, stress.lost,
	       stress.unsent, stress.late, stress.callbacks, stress.nested, stress.woken, stress.back, stress.streamed,
	       stress.broken, (unsigned)stress.streams[1].started);
	assert_true(has_seen_all());
}
DEFINE_BOTH(rounds)

int main(int argc, char **argv)
{
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		run_ms = 1000 * strtoull(argv[2], NULL, 10);
	const struct CMUnitTest tests[] = {BOTH(rounds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
