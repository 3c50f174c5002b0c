/* Proves: a call whose parent is a request has its deadline and ends with it, whichever mode its client has, wherever
 * the request is at home and whatever the call is doing; where it may not begin nothing is sent; an answered parent
 * leaves the call alone. Elsewhere: clients that are home to the parents of each other's calls (test_parents_cross.c).
 */
#include "nesting.h"

enum { OWN_MS = 60000 }; /* of calls whose parents have less */

/* ---- the middle of a chain: a server whose handlers call another one ---- */

struct middle {
	struct host last; /* where Hold keeps what comes */
	struct host host;
	struct brine_client *next; /* calls `last` */
	bool calls_back;           /* its handlers call their own caller instead */
	uint64_t own_ms;           /* the timeout of those calls */
	atomic_bool gate;          /* shut: handlers that look at it wait */
	atomic_int begun, ended;
	int status;
	int64_t code;
	char text[256];
	struct brine_call early;               /* runs on behind the answer */
	struct brine_request *_Atomic request; /* that waits for the call of forward_later() */
	bool forgot;                           /* the call had no parent any more, once it was begun */
};

/* How a call of a handler ended. */
static void note_end(struct middle *middle, struct brine_call *call, int status)
{
	middle->status = status;
	middle->code = brine_call_code(call);
	snprintf(middle->text, sizeof middle->text, "%s", brine_call_error_text(call));
	atomic_fetch_add(&middle->ended, 1);
}

static struct brine_call child_of(struct middle *middle, struct brine_request *request)
{
	struct brine_call call = BRINE_CALL_INIT;
	call.timeout_ms = middle->own_ms;
	call.parent = request;
	return call;
}

static struct brine_client *next_of(struct middle *middle, struct brine_request *request)
{
	return middle->calls_back ? brine_request_client(request) : middle->next;
}

/* Waits in the call, on a worker. */
static int forward(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	struct calc_nothing nothing = {0};
	struct brine_call call = child_of(middle, request);
	(void)params;
	atomic_fetch_add(&middle->begun, 1);
	int status = brine_client_call(next_of(middle, request), &call, &calc_methods[CALC_HOLD], &nothing, NULL);
	note_end(middle, &call, status);
	status = status < 0 ? nest_fail(request, &call) : 0;
	brine_call_done(&call);
	return status;
}

struct later {
	struct brine_call call;
	struct middle *middle;
	struct brine_request *request;
};

static void later_done(struct brine_call *call, void *user)
{
	struct later *later = user;
	int status = brine_call_finish(call, NULL);
	note_end(later->middle, call, status);
	if (status < 0)
		nest_fail(later->request, call);
	else
		brine_request_reply_raw(later->request, (struct brine_bytes){NULL, 0});
	brine_call_done(call);
	free(later);
}

/* The same by a callback. */
static int forward_later(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	struct calc_nothing nothing = {0};
	struct later *later = calloc(1, sizeof *later);
	(void)params;
	*later = (struct later){.call = child_of(middle, request), .middle = middle, .request = request};
	later->call.on_done = later_done;
	later->call.user = later;
	middle->request = request;
	int status = brine_client_begin(next_of(middle, request), &later->call, &calc_methods[CALC_HOLD], &nothing);
	if (status == 0)
		return BRINE_PENDING;
	note_end(middle, &later->call, status);
	status = nest_fail(request, &later->call);
	brine_call_done(&later->call);
	free(later);
	return status;
}

/* Calls, and notifies, once nobody wants the answer any more. */
static int forward_too_late(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	struct calc_nothing nothing = {0};
	(void)params;
	atomic_fetch_add(&middle->begun, 1);
	while (!brine_request_cancelled(request))
		sched_yield();
	struct brine_call call = child_of(middle, request);
	int noted = brine_client_notify(middle->next, &call, &calc_methods[CALC_NOTE], &nothing);
	middle->forgot = call.parent == NULL;
	call.parent = request;
	int status = brine_client_call(middle->next, &call, &calc_methods[CALC_HOLD], &nothing, NULL);
	note_end(middle, &call, status == noted ? status : 0);
	brine_call_done(&call);
	return brine_request_fail(request, 100, "too late");
}

/* Answers while its call runs. */
static int forward_and_answer(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	struct calc_nothing nothing = {0};
	(void)params;
	middle->early = child_of(middle, request);
	middle->status = brine_client_begin(middle->next, &middle->early, &calc_methods[CALC_HOLD], &nothing);
	middle->forgot = middle->early.parent == NULL;
	return middle->status;
}

/* The same, and waits for it behind the answer. */
static int answer_and_wait(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	struct calc_nothing nothing = {0};
	struct brine_call call = child_of(middle, request);
	(void)params;
	int status = brine_client_begin(middle->next, &call, &calc_methods[CALC_HOLD], &nothing);
	brine_request_reply_raw(request, (struct brine_bytes){NULL, 0});
	atomic_fetch_add(&middle->begun, 1);
	note_end(middle, &call, status < 0 ? status : brine_call_finish(&call, NULL));
	brine_call_done(&call);
	return BRINE_PENDING;
}

/* Whoever asks for this is called from then on. */
static int be_next(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	(void)params;
	middle->next = brine_request_keep_client(request);
	return 0;
}

/* A stream that never brings anything. */
static const struct brine_method silence = {"silence", &calc_nothing_type, &calc_number_type, BRINE_METHOD_DOWNLOAD,
                                            NULL};

struct silences {
	atomic_int kept, ended;
};

static void end_silence(struct brine_request *request, void *user)
{
	if (!brine_request_cancelled(request))
		return;
	atomic_fetch_add(&((struct silences *)user)->ended, 1);
	brine_request_fail(request, 100, "nobody listens");
}

static int keep_silent(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	atomic_fetch_add(&((struct silences *)user)->kept, 1);
	brine_request_on_ready(request, end_silence, user);
	return BRINE_PENDING;
}

static int forward_stream(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct middle *middle = user;
	struct calc_nothing nothing = {0};
	struct calc_number number;
	struct brine_call call = child_of(middle, request);
	(void)params;
	int status = brine_client_begin(middle->next, &call, &silence, &nothing);
	atomic_fetch_add(&middle->begun, 1);
	if (status == 0)
		status = brine_call_next(&call, &number);
	note_end(middle, &call, status);
	brine_call_done(&call);
	return brine_request_fail(request, 100, "over");
}

/* A notification that a peer which reads nothing cannot take. */
static int forward_note(struct brine_request *request, struct brine_bytes params, void *user)
{
	enum { MUCH = 8 << 20 };
	struct middle *middle = user;
	struct brine_buf buf = BRINE_BUF_INIT;
	struct brine_call call = child_of(middle, request);
	char *much = calloc(1, MUCH);
	(void)params;
	brine_pack_array(&buf, 1);
	brine_pack_bin(&buf, much, MUCH);
	atomic_fetch_add(&middle->begun, 1);
	note_end(middle, &call, brine_client_notify_raw(middle->next, &call, "note", brine_buf_bytes(&buf)));
	brine_call_done(&call);
	brine_buf_done(&buf);
	free(much);
	return brine_request_fail(request, 100, "over");
}

static void middle_start(struct middle *middle, void **state, enum over kind, int mode)
{
	static const struct {
		const char *name;
		uint32_t flags;
		brine_raw_handler_fn *handler;
	} rows[] = {{"forward", BRINE_METHOD_BLOCKING, forward},
	            {"later", 0, forward_later},
	            {"too late", BRINE_METHOD_BLOCKING, forward_too_late},
	            {"answer", 0, forward_and_answer},
	            {"be next", 0, be_next},
	            {"answer and wait", BRINE_METHOD_BLOCKING, answer_and_wait},
	            {"stream", BRINE_METHOD_BLOCKING, forward_stream},
	            {"note", BRINE_METHOD_BLOCKING, forward_note}};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	memset(middle, 0, sizeof *middle);
	middle->own_ms = OWN_MS;
	host_start(&middle->last, state, OVER_TCP, NULL);
	host_prepare(&middle->host, state, kind, NULL);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(brine_server_serve_raw_as(middle->host.server, rows[i].name, rows[i].flags,
		                                           rows[i].handler, middle, NULL),
		                 0);
	options.mode = mode;
	middle->next = client_of(middle->last.address, &options);
	host_launch(&middle->host);
}

/* Lets a client in mode LOOP move, for 10 ms at most: what is waited for may change without it. */
static void move_next(struct middle *middle)
{
	struct pollfd poller = {.fd = brine_client_get_fd(middle->next), .events = POLLIN};
	if (poller.fd < 0)
		return;
	int wait_ms = brine_client_get_timeout_ms(middle->next);
	poll(&poller, 1, wait_ms < 0 || wait_ms > 10 ? 10 : wait_ms);
	brine_client_process(middle->next);
}

/* Lets a client in mode LOOP move until the counter is there, waits else. */
static void await(struct middle *middle, atomic_int *counter, int least)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	bool moves = brine_client_get_fd(middle->next) >= 0;
	while (moves && atomic_load(counter) < least && brine_clock_ms() < deadline_ms)
		move_next(middle);
	wait_for_count(counter, least);
}

static void middle_stop(struct middle *middle)
{
	host_stop(&middle->host);
	brine_client_free(middle->next);
	host_stop(&middle->last);
}

static void wait_until_cancelled(const struct brine_request *request)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (!brine_request_cancelled(request)) {
		if (brine_clock_ms() > deadline_ms)
			fail_msg("the end of the chain did not hear of the cancellation");
		sched_yield();
	}
}

/* ---- the beginning of a chain ---- */

enum ending { ENDING_CANCEL, ENDING_LOSS, ENDING_DEADLINE, ENDINGS };

/* Who calls the middle: a client, or a bare socket which can be closed. */
struct first {
	struct brine_client *client;
	struct brine_call call;
	int fd;
};

/* timeout_ms: how long it waits that ends by its deadline. */
static void first_begin_for(struct first *first, const struct host *host, const char *method, enum ending ending,
                            uint64_t timeout_ms)
{
	*first = (struct first){.call = BRINE_CALL_INIT, .fd = -1};
	if (ending == ENDING_LOSS) {
		first->fd = raw_connect(host->address);
		raw_send_request(first->fd, 1, method, NO_PARAMS);
		return;
	}
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = BRINE_CLIENT_BACKGROUND;
	first->client = client_of(host->address, &options);
	first->call.timeout_ms = ending == ENDING_DEADLINE ? timeout_ms : OWN_MS;
	int status = brine_client_begin_raw(first->client, &first->call, method, NO_PARAMS);
	assert_true(status == 0 || (status == BRINE_ERR_DEADLINE && ending == ENDING_DEADLINE));
}

static void first_begin(struct first *first, const struct host *host, const char *method, enum ending ending)
{
	assert_int_not_equal(ending, ENDING_DEADLINE);
	first_begin_for(first, host, method, ending, 0);
}

/* Whether the chain gets so far that the counter is there, which only its deadline could prevent. */
static bool first_gets_to(struct first *first, struct middle *middle, enum ending ending, atomic_int *counter,
                          int least)
{
	bool runs = ending == ENDING_DEADLINE;
	while (runs && atomic_load(counter) < least) {
		move_next(middle);
		runs = brine_call_wait(&first->call, 1) == BRINE_ERR_DEADLINE;
	}
	if (ending != ENDING_DEADLINE)
		await(middle, counter, least);
	return atomic_load(counter) >= least;
}

static void first_give_up(struct first *first, enum ending ending)
{
	if (ending == ENDING_LOSS) {
		/* Without a farewell: a TCP peer that only sends no more may still wait for its answer. */
		(void)setsockopt(first->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
		                 sizeof(struct linger));
		close(first->fd);
	} else if (ending == ENDING_CANCEL) {
		brine_call_cancel(&first->call);
	}
}

static void first_end(struct first *first)
{
	brine_call_done(&first->call);
	brine_client_free(first->client);
}

static void expect_end(const struct middle *middle, enum ending ending)
{
	static const char *const texts[] = {"was cancelled", "is lost", "deadline"};
	bool late = ending == ENDING_DEADLINE;
	assert_int_equal(middle->status, late ? BRINE_ERR_DEADLINE : BRINE_ERR_CANCELLED);
	assert_int_equal(middle->code, late ? BRINE_CODE_DEADLINE : BRINE_CODE_CANCELLED);
	expect_in(middle->text, texts[ending]);
}

/* Gives the chain up and waits until the call in the middle has ended, the count-th one. */
static void first_give_up_and_see(struct first *first, struct middle *middle, enum ending ending, int count)
{
	first_give_up(first, ending);
	await(middle, &middle->ended, count);
	expect_end(middle, ending);
}

/* ---- tests ---- */

/* The earlier one of the two deadlines is told to the end of the chain. */
static void deadline_travels_over(void **state, enum over kind)
{
	static const struct {
		uint64_t first_ms, own_ms, most_ms;
	} rows[] = {{20000, OWN_MS, 20000}, {20000, 0, 20000}, {20000, BRINE_FOREVER, 20000}, {OWN_MS, 10000, 10000}};
	struct middle middle;
	middle_start(&middle, state, kind, BRINE_CLIENT_BACKGROUND);
	struct brine_client *client = client_of(middle.host.address, NULL);
	for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
		struct brine_call call = BRINE_CALL_INIT;
		struct release release;
		middle.own_ms = rows[i].own_ms;
		call.timeout_ms = rows[i].first_ms;
		release_begin(&release, &middle.last, i + 1);
		if (brine_client_call_raw(client, &call, "forward", NO_PARAMS) < 0)
			fail_msg("row %d: %s", i, brine_call_error_text(&call));
		release_finish(&release);
		assert_in_range(middle.last.calc.remaining_ms, 1, rows[i].most_ms);
		brine_call_done(&call);
	}
	brine_client_free(client);
	middle_stop(&middle);
}
DEFINE_BOTH(deadline_travels)

/* A chain that is given up at its beginning ends everywhere. */
static void end_chain(struct middle *middle, const char *method, enum ending ending, int round)
{
	struct first first;
	first_begin(&first, &middle->host, method, ending);
	await(middle, &middle->last.calc.held_count, round);
	first_give_up_and_see(&first, middle, ending, round);
	wait_until_cancelled(middle->last.calc.held[round - 1]);
	first_end(&first);
}

/* The same for one whose time is over. False: that was before it got to its end. */
static bool run_out_of_time(void **state, enum over kind, int mode, const char *method, uint64_t timeout_ms)
{
	static struct middle middle;
	struct first first;
	middle_start(&middle, state, kind, mode);
	first_begin_for(&first, &middle.host, method, ENDING_DEADLINE, timeout_ms);
	bool held = first_gets_to(&first, &middle, ENDING_DEADLINE, &middle.last.calc.held_count, 1);
	if (held) {
		first_give_up_and_see(&first, &middle, ENDING_DEADLINE, 1);
		wait_until_cancelled(middle.last.calc.held[0]);
	}
	first_end(&first);
	middle_stop(&middle);
	return held;
}

/* Nobody waits in a client of mode BLOCKING after "later": see unattended_over(). */
static bool has_mover(int mode, const char *method)
{
	bool waits = strcmp(method, "forward") == 0;
	return mode != (waits ? BRINE_CLIENT_LOOP : BRINE_CLIENT_BLOCKING);
}

static void ends_travel_over(void **state, enum over kind)
{
	static const char *const methods[] = {"forward", "later"};
	static struct middle middle;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++) {
		int round = 0;
		middle_start(&middle, state, kind, mode);
		for (enum ending ending = 0; ending < ENDING_DEADLINE; ending++)
			for (int i = 0; i < 2; i++)
				if (has_mover(mode, methods[i]))
					end_chain(&middle, methods[i], ending, ++round);
		middle_stop(&middle);
		for (int i = 0; i < 2; i++)
			for (uint64_t ms = 100;
			     has_mover(mode, methods[i]) && !run_out_of_time(state, kind, mode, methods[i], ms);
			     ms = twice_as_long(ms))
				;
	}
}
DEFINE_BOTH(ends_travel)

/* A client in mode BLOCKING in which nobody waits ends the call when it is used next. */
static void unattended_over(void **state, enum over kind)
{
	struct middle middle;
	struct first first;
	int64_t sum;
	middle_start(&middle, state, kind, BRINE_CLIENT_BLOCKING);
	assert_int_equal(brine_client_connect(middle.next, 0, NULL), 0);
	first_begin(&first, &middle.host, "later", ENDING_CANCEL);
	wait_for_count(&middle.last.calc.held_count, 1);
	first_give_up(&first, ENDING_CANCEL);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (!atomic_load(&middle.ended) && brine_clock_ms() < deadline_ms)
		assert_int_equal(calc_call_add(middle.next, NULL, 1, 2, &sum), 0);
	wait_for_count(&middle.ended, 1);
	expect_end(&middle, ENDING_CANCEL);
	wait_until_cancelled(middle.last.calc.held[0]);
	first_end(&first);
	middle_stop(&middle);
}
DEFINE_BOTH(unattended)

/* What a client can serve of the calc service: nothing that streams. */
static const struct brine_service unary = {BRINE_ABI, "calc.Calc", calc_methods, CALC_WATCH};

/* The call goes back to the caller, over the connection of its parent. */
static void calls_back_over(void **state, enum over kind)
{
	static const char *const methods[] = {"forward", "later"};
	struct middle middle;
	struct calc calc = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	middle_start(&middle, state, kind, BRINE_CLIENT_BLOCKING);
	middle.calls_back = true;
	options.mode = BRINE_CLIENT_BACKGROUND;
	struct brine_client *client = client_of(middle.host.address, &options);
	assert_int_equal(brine_client_serve(client, &unary, NULL, &calc, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct brine_call call = BRINE_CALL_INIT;
		call.timeout_ms = OWN_MS;
		assert_int_equal(brine_client_begin_raw(client, &call, methods[i], NO_PARAMS), 0);
		wait_for_count(&calc.held_count, i + 1);
		assert_in_range(calc.remaining_ms, 1, OWN_MS);
		brine_call_cancel(&call);
		wait_for_count(&middle.ended, i + 1);
		expect_end(&middle, ENDING_CANCEL);
		wait_until_cancelled(calc.held[i]);
		brine_call_done(&call);
	}
	calc_let_go(&calc);
	brine_client_free(client);
	middle_stop(&middle);
}
DEFINE_BOTH(calls_back)

/* A server whose handlers call another peer of it, over that one's connection. */
struct apart {
	struct middle middle;
	struct calc calc; /* of the other peer */
	struct brine_client *next, *peer;
};

static void apart_start(struct apart *apart, void **state, enum over kind)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	apart->calc = (struct calc){0};
	middle_start(&apart->middle, state, kind, BRINE_CLIENT_BACKGROUND);
	apart->next = apart->middle.next;
	options.mode = BRINE_CLIENT_BACKGROUND;
	apart->peer = client_of(apart->middle.host.address, &options);
	assert_int_equal(brine_client_serve(apart->peer, &unary, NULL, &apart->calc, NULL), 0);
	assert_int_equal(brine_client_call_raw(apart->peer, NULL, "be next", NO_PARAMS), 0);
}

static void apart_stop(struct apart *apart)
{
	calc_let_go(&apart->calc);
	brine_client_free(apart->middle.next);
	apart->middle.next = apart->next;
	brine_client_free(apart->peer);
	middle_stop(&apart->middle);
}

/* The round-th chain over it. False: its time was over before it got to its end. */
static bool apart_ends(struct apart *apart, const char *method, enum ending ending, int round, uint64_t timeout_ms)
{
	struct first first;
	first_begin_for(&first, &apart->middle.host, method, ending, timeout_ms);
	bool held = first_gets_to(&first, &apart->middle, ending, &apart->calc.held_count, round);
	if (held) {
		first_give_up_and_see(&first, &apart->middle, ending, round);
		wait_until_cancelled(apart->calc.held[round - 1]);
	}
	first_end(&first);
	return held;
}

static void calls_another_peer_over(void **state, enum over kind)
{
	static const char *const methods[] = {"forward", "later"};
	static struct apart apart;
	int round = 0;
	apart_start(&apart, state, kind);
	for (int i = 0; i < 2; i++)
		for (enum ending ending = 0; ending < ENDING_DEADLINE; ending++)
			assert_true(apart_ends(&apart, methods[i], ending, ++round, 0));
	apart_stop(&apart);
	for (int i = 0; i < 2; i++) {
		uint64_t ms = 100;
		bool held = false;
		for (; !held; ms = held ? ms : twice_as_long(ms)) {
			apart_start(&apart, state, kind);
			held = apart_ends(&apart, methods[i], ENDING_DEADLINE, 1, ms);
			apart_stop(&apart);
		}
	}
}
DEFINE_BOTH(calls_another_peer)

/* False: the deadline passed before the chain got to its end. */
static bool ends_in_a_client(void **state, enum over kind, int mode, uint64_t timeout_ms)
{
	struct middle asker, middle;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	bool blocks = mode == BRINE_CLIENT_BLOCKING, held = true;
	middle_start(&asker, state, kind, BRINE_CLIENT_BLOCKING);
	middle_start(&middle, state, OVER_TCP, BRINE_CLIENT_BACKGROUND);
	asker.calls_back = true;
	options.mode = mode;
	struct brine_client *client = client_of(asker.host.address, &options);
	assert_int_equal(brine_client_serve_raw(client, calc_methods[CALC_HOLD].name, blocks ? forward : forward_later,
	                                        &middle, NULL),
	                 0);
	/* In mode BLOCKING the handler has this thread, which nothing but the deadline gives back. */
	call.timeout_ms = blocks ? timeout_ms : OWN_MS;
	if (blocks) {
		assert_int_equal(brine_client_call_raw(client, &call, "forward", NO_PARAMS), BRINE_ERR_DEADLINE);
		held = atomic_load(&middle.last.calc.held_count) > 0;
	} else {
		assert_int_equal(brine_client_begin_raw(client, &call, "forward", NO_PARAMS), 0);
		wait_for_count(&middle.last.calc.held_count, 1);
		brine_call_cancel(&call);
	}
	if (held) {
		wait_for_count(&middle.ended, 1);
		expect_end(&middle, blocks ? ENDING_DEADLINE : ENDING_CANCEL);
		assert_in_range(middle.last.calc.remaining_ms, 0, call.timeout_ms);
		wait_until_cancelled(middle.last.calc.held[0]);
		wait_for_count(&asker.ended, 1);
		expect_end(&asker, blocks ? ENDING_DEADLINE : ENDING_CANCEL);
	}
	brine_call_done(&call);
	brine_client_free(client);
	middle_stop(&asker);
	middle_stop(&middle);
	return held;
}

/* The parent is at home in a client: a server asks it, and gives up. */
static void home_in_a_client_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++)
		for (uint64_t ms = 200; !ends_in_a_client(state, kind, mode, ms); ms = twice_as_long(ms))
			;
}
DEFINE_BOTH(home_in_a_client)

/* Nothing is sent for a parent that has ended. False: its time was over before its handler was called. */
static bool begin_too_late(void **state, enum over kind, enum ending ending, uint64_t timeout_ms)
{
	struct middle middle;
	struct first first;
	int64_t sum;
	middle_start(&middle, state, kind, BRINE_CLIENT_BLOCKING);
	first_begin_for(&first, &middle.host, "too late", ending, timeout_ms);
	bool begun = first_gets_to(&first, &middle, ending, &middle.begun, 1);
	if (begun) {
		first_give_up_and_see(&first, &middle, ending, 1);
		expect_in(middle.text, "not sent");
		assert_true(middle.forgot);
	}
	first_end(&first);
	/* A call behind them would come after them. */
	assert_int_equal(calc_call_add(middle.next, NULL, 1, 2, &sum), 0);
	assert_int_equal(atomic_load(&middle.last.calc.held_count), 0);
	assert_int_equal(atomic_load(&middle.last.calc.notes), 0);
	middle_stop(&middle);
	return begun;
}

static void begins_too_late_over(void **state, enum over kind)
{
	for (enum ending ending = 0; ending < ENDINGS; ending++)
		for (uint64_t ms = 100; !begin_too_late(state, kind, ending, ms); ms = twice_as_long(ms))
			;
}
DEFINE_BOTH(begins_too_late)

/* What its handler has begun outlives a request that was answered, and the connection that it came over. */
static void outlives_its_parent_over(void **state, enum over kind)
{
	struct middle middle;
	struct release release;
	struct calc_number number;
	middle_start(&middle, state, kind, BRINE_CLIENT_BACKGROUND);
	struct brine_client *client = client_of(middle.host.address, NULL);
	assert_int_equal(brine_client_call_raw(client, NULL, "answer", NO_PARAMS), 0);
	assert_int_equal(middle.status, 0);
	assert_true(middle.forgot);
	wait_for_count(&middle.last.calc.held_count, 1);
	brine_client_free(client);
	/* Other requests come and go in its memory. */
	for (int i = 0; i < 3; i++) {
		struct first first;
		first_begin(&first, &middle.host, "later", ENDING_CANCEL);
		wait_for_count(&middle.last.calc.held_count, i + 2);
		first_give_up(&first, ENDING_CANCEL);
		wait_for_count(&middle.ended, i + 1);
		first_end(&first);
	}
	assert_int_equal(brine_call_wait(&middle.early, 0), BRINE_ERR_DEADLINE);
	/* Release answers the last one that is held. */
	struct brine_request **held = middle.last.calc.held, *other = held[3];
	held[3] = held[0];
	held[0] = other;
	release_begin(&release, &middle.last, 4);
	assert_int_equal(brine_call_finish(&middle.early, &number), 0);
	assert_int_equal(number.value, 4);
	release_finish(&release);
	/* It is used again, long after. */
	assert_int_equal(brine_client_call_raw(middle.next, &middle.early, "no such", NO_PARAMS), BRINE_ERR_REMOTE);
	brine_call_done(&middle.early);
	middle_stop(&middle);
}
DEFINE_BOTH(outlives_its_parent)

/* The same while its handler has not returned, whose connection is lost meanwhile. */
static void outlives_its_answer_over(void **state, enum over kind)
{
	struct middle middle;
	struct first first;
	struct release release;
	middle_start(&middle, state, kind, BRINE_CLIENT_BACKGROUND);
	first_begin(&first, &middle.host, "answer and wait", ENDING_LOSS);
	wait_for_count(&middle.last.calc.held_count, 1);
	wait_for_count(&middle.begun, 1);
	first_give_up(&first, ENDING_LOSS);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (host_counters(&middle.host).connections_open && brine_clock_ms() < deadline_ms)
		sched_yield();
	assert_int_equal(host_counters(&middle.host).connections_open, 0);
	release_begin(&release, &middle.last, 1);
	wait_for_count(&middle.ended, 1);
	assert_int_equal(middle.status, 0);
	release_finish(&release);
	first_end(&first);
	middle_stop(&middle);
}
DEFINE_BOTH(outlives_its_answer)

/* A forked child lets go of both ends of a tie without a lock, and its parent does not notice. */
static void forks_over(void **state, enum over kind)
{
	struct middle middle;
	struct first first;
	int status;
	middle_start(&middle, state, kind, BRINE_CLIENT_BACKGROUND);
	struct brine_client *client = client_of(middle.host.address, NULL);
	assert_int_equal(brine_client_call_raw(client, NULL, "answer", NO_PARAMS), 0);
	first_begin(&first, &middle.host, "later", ENDING_CANCEL);
	wait_for_count(&middle.last.calc.held_count, 2);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(PATIENCE_MS / 1000);
		/* What the child makes for itself has no parent here. */
		struct brine_client *own = client_of(middle.last.address, NULL);
		struct brine_call call = child_of(&middle, middle.request);
		if (brine_client_call_raw(own, &call, "no such", NO_PARAMS) != BRINE_ERR_FORKED)
			_exit(1);
		brine_call_done(&call);
		brine_client_free(own);
		brine_call_done(&middle.early);
		brine_client_free(middle.next);
		brine_server_free(middle.host.server);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	first_give_up_and_see(&first, &middle, ENDING_CANCEL, 1);
	assert_int_equal(brine_call_wait(&middle.early, 0), BRINE_ERR_DEADLINE);
	brine_call_done(&middle.early);
	first_end(&first);
	brine_client_free(client);
	middle_stop(&middle);
}
DEFINE_BOTH(forks)

/* A handler that waits for an item, or for a peer to take a notification, goes on. */
static void whatever_waits_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct middle middle;
		struct first first;
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct silences silences = {0};
		int pair[2];
		middle_start(&middle, state, kind, mode);
		struct host host;
		char address[ADDRESS_SIZE];
		host_prepare_at(&host, address_over(state, OVER_TCP, address), NULL);
		assert_int_equal(brine_server_serve_raw_as(host.server, "silence", BRINE_METHOD_DOWNLOAD, keep_silent,
		                                           &silences, NULL),
		                 0);
		host_launch(&host);
		options.mode = mode;
		struct brine_client *next = middle.next;
		middle.next = client_of(host.address, &options);
		first_begin(&first, &middle.host, "stream", ENDING_CANCEL);
		wait_for_count(&silences.kept, 1);
		first_give_up_and_see(&first, &middle, ENDING_CANCEL, 1);
		wait_for_count(&silences.ended, 1);
		first_end(&first);
		brine_client_free(middle.next);
		host_stop(&host);
		/* Nobody reads what is written here. */
		options.plain = true;
		options.limits.linger_ms = 1;
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(brine_client_open_fd(&middle.next, pair[0], &options, NULL), 0);
		first_begin(&first, &middle.host, "note", ENDING_CANCEL);
		struct pollfd taken = {.fd = pair[1], .events = POLLIN};
		assert_int_equal(poll(&taken, 1, PATIENCE_MS), 1);
		first_give_up(&first, ENDING_CANCEL);
		wait_for_count(&middle.ended, 2);
		assert_int_equal(middle.status, BRINE_ERR_CANCELLED);
		expect_in(middle.text, "was cancelled");
		first_end(&first);
		brine_client_free(middle.next);
		close(pair[1]);
		middle.next = next;
		middle_stop(&middle);
	}
}
DEFINE_BOTH(whatever_waits)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(deadline_travels),
	        BOTH(ends_travel),
	        BOTH(unattended),
	        BOTH(calls_back),
	        BOTH(home_in_a_client),
	        BOTH(begins_too_late),
	        BOTH(outlives_its_parent),
	        BOTH(whatever_waits),
	        BOTH(outlives_its_answer),
	        BOTH(calls_another_peer),
	        BOTH(forks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
