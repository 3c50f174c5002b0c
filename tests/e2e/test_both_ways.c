/* Proves: a server calls the clients that are connected to it, typed and untyped, from loops, workers and threads of
 * its own, while these wait in calls of theirs or not; handlers nest to the limit and no deeper, whatever the number of
 * workers; what came first is told first; nothing hangs or is lost where either side ends. */
#include "nesting.h"

/* ---- handlers of the server ---- */

/* Adds 2 and 3 by asking the client, typed, on a worker. */
static int ask_typed(struct brine_request *request, struct brine_bytes params, void *user)
{
	int64_t sum = 0;
	struct brine_call call = BRINE_CALL_INIT;
	(void)params;
	(void)user;
	int status = calc_call_add(brine_request_client(request), &call, 2, 3, &sum);
	status = status < 0 ? nest_fail(request, &call) : nest_reply(request, sum);
	brine_call_done(&call);
	return status;
}

/* The same on the loop, which may not wait: begin, and answer when it is done. */
struct later {
	struct brine_call call;
	struct brine_request *request;
};

static void answer_later(struct brine_call *call, void *user)
{
	struct later *later = user;
	struct calc_number sum;
	if (brine_call_finish(call, &sum) < 0)
		nest_fail(later->request, call);
	else
		nest_reply(later->request, sum.value);
	brine_call_done(call);
	free(later);
}

static int ask_on_loop(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct later *later = calloc(1, sizeof *later);
	struct calc_pair pair = {40, 2};
	(void)params;
	(void)user;
	later->call = (struct brine_call)BRINE_CALL_INIT;
	later->call.on_done = answer_later;
	later->call.user = later;
	later->request = request;
	int status = brine_client_begin(brine_request_client(request), &later->call, &calc_methods[CALC_ADD], &pair);
	if (status == 0)
		return BRINE_PENDING;
	nest_fail(request, &later->call);
	brine_call_done(&later->call);
	free(later);
	return BRINE_ERR_REMOTE;
}

/* Waits on a loop, in a client of another server: refused at once, with advice. */
static int wait_on_loop(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	bool elsewhere = nest_number(params) == 1;
	struct brine_client *client = elsewhere ? user : brine_request_client(request);
	int status = calc_call_add(client, &call, 1, 1, &sum);
	bool advised = strstr(brine_call_error_text(&call), "use begin and on_done") != NULL;
	brine_call_done(&call);
	return nest_reply(request, status == BRINE_ERR_WOULD_BLOCK && advised);
}

/* Sends notes 1 to 9 to the client, then answers. */
static int send_notes(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct nest_params note;
	(void)params;
	(void)user;
	for (int64_t i = 1; i < 10; i++)
		if (brine_client_notify_raw(brine_request_client(request), NULL, "note", nest_params(&note, i)) < 0)
			return brine_request_fail(request, 1000, "note %d was not sent", (int)i);
	return 0;
}

/* Keeps the way to the client, and tells how often it was asked to. */
struct kept {
	atomic_int count;
	struct brine_client *_Atomic client;
};

static int keep(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct kept *kept = user;
	(void)params;
	struct brine_client *before = atomic_exchange(&kept->client, brine_request_keep_client(request));
	brine_client_free(before);
	atomic_fetch_add(&kept->count, 1);
	return 0;
}

static void serve_all(struct host *host, struct brine_client *elsewhere, struct kept *kept)
{
	struct brine_server *server = host->server;
	assert_int_equal(brine_server_serve_raw_as(server, "typed", BRINE_METHOD_BLOCKING, ask_typed, NULL, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "on loop", ask_on_loop, NULL, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "wait on loop", wait_on_loop, elsewhere, NULL), 0);
	assert_int_equal(brine_server_serve_raw_as(server, "notes", BRINE_METHOD_BLOCKING, send_notes, NULL, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "keep", keep, kept, NULL), 0);
}

static int64_t ask(struct brine_client *client, const char *method, struct brine_bytes params)
{
	struct brine_call call = BRINE_CALL_INIT;
	int status = brine_client_call_raw(client, &call, method, params);
	if (status < 0)
		fail_msg("%s: %s", method, brine_call_error_text(&call));
	int64_t number = nest_number(brine_call_result(&call));
	brine_call_done(&call);
	return number;
}

/* A server, a client that serves calc in the given mode, and the way back to it. */
struct pair {
	struct host host;
	struct kept kept;
	struct calc calc; /* of the client */
	struct brine_client *client;
};

static void pair_start(struct pair *pair, void **state, enum over kind, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	memset(pair, 0, sizeof *pair);
	host_prepare(&pair->host, state, kind, NULL);
	serve_all(&pair->host, NULL, &pair->kept);
	host_launch(&pair->host);
	options.mode = mode;
	pair->client = client_of(pair->host.address, &options);
	assert_int_equal(brine_client_serve(pair->client, &calc_service, NULL, &pair->calc, NULL), 0);
}

/* The same with a reader of its own, and the way back is known. */
static void pair_start_kept(struct pair *pair, void **state, enum over kind)
{
	pair_start(pair, state, kind, BRINE_CLIENT_BACKGROUND);
	ask(pair->client, "keep", NO_PARAMS);
}

/* Begins a call to the client that it holds. */
static void begin_hold(struct pair *pair, struct brine_call *call, int held)
{
	struct calc_nothing nothing = {0};
	assert_int_equal(brine_client_begin(pair->kept.client, call, &calc_methods[CALC_HOLD], &nothing), 0);
	wait_for_count(&pair->calc.held_count, held);
}

/* ---- tests ---- */

static void typed_and_loops_over(void **state, enum over kind)
{
	struct host host;
	struct calc calc = {0};
	struct kept kept = {0};
	struct nest_params elsewhere;
	host_prepare(&host, state, kind, NULL);
	struct brine_client *other = client_of(host.address, NULL);
	serve_all(&host, other, &kept);
	host_launch(&host);
	struct brine_client *client = client_of(host.address, NULL);
	assert_int_equal(brine_client_serve(client, &calc_service, &calc, &calc, NULL), 0);
	assert_int_equal(brine_client_serve(client, &calc_service, &calc, &calc, NULL), BRINE_ERR_EXISTS);
	assert_int_equal(ask(client, "typed", NO_PARAMS), 5);
	assert_int_equal(ask(client, "on loop", NO_PARAMS), 42);
	assert_int_equal(ask(client, "wait on loop", nest_params(&elsewhere, 0)), 1);
	assert_int_equal(ask(client, "wait on loop", nest_params(&elsewhere, 1)), 1);
	assert_int_equal(atomic_load(&calc.added), 2);
	/* Too late: the peer may have asked already. */
	assert_int_equal(brine_client_serve_raw(client, "late", nest_handler, NULL, NULL), BRINE_ERR_STATE);
	brine_client_free(client);
	brine_client_free(other);
	host_stop(&host);
}
DEFINE_BOTH(typed_and_loops)

/* C28: the client's handlers nest on one thread, 16 deep; the server has a worker for each level, however few it was
 * allowed. */
static void nested_over(void **state, enum over kind)
{
	for (uint32_t workers = 1; workers <= 4; workers += 3) {
		struct host host;
		struct nest_params params;
		struct brine_call call = BRINE_CALL_INIT;
		struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
		atomic_int there = 0, here = 0;
		options.workers = workers;
		nest_prepare(&host, state, kind, &options, &there);
		host_launch(&host);
		struct brine_client *client = nest_client(&host, NULL, &here);
		/* Odd levels are the client's. */
		for (int64_t depth = 0; depth <= 32; depth++)
			assert_int_equal(ask(client, "nest", nest_params(&params, depth)), depth);
		assert_int_equal(atomic_load(&here), 16 * 17);
		assert_int_equal(atomic_load(&there), 33 + 16 * 16);
		/* The 17th is refused, which everybody hands back; all is as before. */
		int status = brine_client_call_raw(client, &call, "nest", nest_params(&params, 33));
		assert_int_equal(status, BRINE_ERR_REMOTE);
		assert_int_equal(brine_call_code(&call), BRINE_CODE_OVERLOADED);
		assert_non_null(strstr(brine_call_error_text(&call), "nested too deep"));
		assert_int_equal(ask(client, "nest", nest_params(&params, 32)), 32);
		brine_call_done(&call);
		brine_client_free(client);
		host_stop(&host);
	}
}
DEFINE_BOTH(nested)

struct notes {
	atomic_int count;
	bool in_order;
};

static int take_note(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct notes *notes = user;
	if (!brine_request_is_notification(request))
		return BRINE_ERR_INVALID;
	/* The answer has come meanwhile, and a thread that waits for it must not know yet. */
	if (nest_number(params) == 9)
		poll(NULL, 0, 5);
	notes->in_order &= atomic_fetch_add(&notes->count, 1) + 1 == nest_number(params);
	return 0;
}

/* What came before the answer is handed over before the call completes, and nothing that came after. */
static void notes_come_first_over(void **state, enum over kind)
{
	struct host host;
	struct kept kept = {0};
	struct notes notes = {.in_order = true};
	host_prepare(&host, state, kind, NULL);
	serve_all(&host, NULL, &kept);
	host_launch(&host);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		options.mode = mode;
		struct brine_client *client = client_of(host.address, &options);
		assert_int_equal(brine_client_serve_raw(client, "note", take_note, &notes, NULL), 0);
		for (int round = 0; round < 50; round++) {
			atomic_store(&notes.count, 0);
			ask(client, "notes", NO_PARAMS);
			assert_int_equal(atomic_load(&notes.count), 9);
			atomic_store(&notes.count, 0);
			assert_int_equal(brine_client_begin_raw(client, &call, "notes", NO_PARAMS), 0);
			assert_int_equal(brine_call_finish(&call, NULL), 0);
			assert_int_equal(atomic_load(&notes.count), 9);
		}
		assert_true(notes.in_order);
		brine_call_done(&call);
		brine_client_free(client);
	}
	host_stop(&host);
}
DEFINE_BOTH(notes_come_first)

/* A client with a reader of its own is called while it does nothing, long after its request was answered; it is refused
 * once it has gone. */
static void kept_over(void **state, enum over kind)
{
	struct pair pair;
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	int status;
	pair_start_kept(&pair, state, kind);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(calc_call_add(pair.kept.client, &call, i, 1, &sum), 0);
		assert_int_equal(sum, i + 1);
	}
	/* The client ends in order: a call under way is cancelled, what comes after is not sent. */
	begin_hold(&pair, &call, 1);
	brine_client_free(pair.client);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while ((status = calc_call_add(pair.kept.client, &call, 1, 1, &sum)) != BRINE_ERR_NOT_SENT &&
	       brine_clock_ms() < deadline_ms)
		sched_yield();
	assert_int_equal(status, BRINE_ERR_NOT_SENT);
	assert_non_null(strstr(brine_call_error_text(&call), "has ended"));
	assert_int_equal(brine_client_connect(pair.kept.client, 0, NULL), BRINE_ERR_NOT_SENT);
	calc_let_go(&pair.calc);
	brine_call_done(&call);
	host_stop(&pair.host);
	/* It outlives its server. */
	assert_int_equal(calc_call_add(pair.kept.client, &call, 1, 1, &sum), BRINE_ERR_NOT_SENT);
	brine_call_done(&call);
	brine_client_free(pair.kept.client);
}
DEFINE_BOTH(kept)

/* Whoever said no hello is only answered. */
static void without_hello_over(void **state, enum over kind)
{
	struct host host;
	struct kept kept = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	char plain[ADDRESS_SIZE + 16];
	host_prepare(&host, state, kind, NULL);
	serve_all(&host, NULL, &kept);
	host_launch(&host);
	options.hello = false;
	const char *addresses[] = {host.address, plain_address(&host, plain)};
	for (size_t i = 0; i < 2; i++) {
		struct brine_client *client = client_of(addresses[i], &options);
		assert_int_equal(brine_client_call_raw(client, &call, "typed", NO_PARAMS), BRINE_ERR_REMOTE);
		assert_non_null(strstr(brine_call_error_text(&call), "may only be answered"));
		brine_client_free(client);
	}
	brine_call_done(&call);
	host_stop(&host);
}
DEFINE_BOTH(without_hello)

/* A call to the client that its server gives up is cancelled there, and counts until its handler has ended. */
static void cancelled_over(void **state, enum over kind)
{
	struct pair pair;
	struct brine_call call = BRINE_CALL_INIT;
	pair_start_kept(&pair, state, kind);
	for (int round = 1; round <= 20; round++) {
		begin_hold(&pair, &call, round);
		if (round % 2)
			brine_call_cancel(&call);
		else
			brine_call_done(&call); /* which may not leave anything of it to the loop */
		const struct brine_request *held = pair.calc.held[pair.calc.held_now - 1];
		uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
		while (!brine_request_cancelled(held) && brine_clock_ms() < deadline_ms)
			sched_yield();
		assert_true(brine_request_cancelled(held));
		calc_let_go(&pair.calc);
		assert_int_equal(pair.calc.release_status, BRINE_ERR_CANCELLED);
		if (round % 2)
			assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	}
	brine_call_done(&call);
	brine_client_free(pair.client);
	brine_client_free(pair.kept.client);
	host_stop(&pair.host);
}
DEFINE_BOTH(cancelled)

/* ---- many threads ---- */

struct caller {
	struct brine_client *client;
	pthread_t thread;
	int rounds;
	int done, lost, wrong;
};

/* What becomes of calls whose connection ends, or of those that their handlers made. */
static bool is_loss(int status, int64_t code)
{
	return status == BRINE_ERR_LOST || status == BRINE_ERR_NOT_SENT || status == BRINE_ERR_CANCELLED ||
	       (status == BRINE_ERR_REMOTE && (code == BRINE_CODE_GOING_AWAY || code == 1000));
}

static void *call_often(void *argument)
{
	struct caller *caller = argument;
	for (int i = 0; i < caller->rounds; i++) {
		struct nest_params params;
		struct brine_call call = BRINE_CALL_INIT;
		int64_t depth = i % 5;
		int status = brine_client_call_raw(caller->client, &call, "nest", nest_params(&params, depth));
		if (status == 0)
			caller->wrong += nest_number(brine_call_result(&call)) != depth;
		caller->done += status == 0;
		caller->lost += is_loss(status, brine_call_code(&call));
		brine_call_done(&call);
	}
	return NULL;
}

/* Eight threads in one client whose handlers call, too; resets in between lose calls but none of them hangs or gets
 * what another one asked for. */
static void many_threads_over(void **state, enum over kind)
{
	enum { THREADS = 8, ROUNDS = 60 };
	for (int resets = 0; resets < 2; resets++) {
		struct host host;
		struct caller callers[THREADS];
		struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
		int done = 0, lost = 0;
		options.loops = 2;
		options.workers = 8;
		if (resets)
			options.connection_age_max_ms = 20;
		options.drain_ms = 1; /* old connections are not only drained but cut */
		nest_prepare(&host, state, kind, &options, NULL);
		host_launch(&host);
		struct brine_client *client = nest_client(&host, NULL, NULL);
		for (int i = 0; i < THREADS; i++) {
			callers[i] = (struct caller){.client = client, .rounds = ROUNDS};
			assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(callers[i].thread, NULL);
			assert_int_equal(callers[i].wrong, 0);
			done += callers[i].done;
			lost += callers[i].lost;
		}
		assert_true(done > 0);
		assert_int_equal(resets ? done + lost : done, THREADS * ROUNDS);
		brine_client_free(client);
		host_stop(&host);
	}
}
DEFINE_BOTH(many_threads)

/* ---- ends ---- */

/* The server stops at once while a call to a client that does not answer is under way. */
static void server_ends_over(void **state, enum over kind)
{
	struct pair pair;
	struct brine_call call = BRINE_CALL_INIT;
	pair_start_kept(&pair, state, kind);
	begin_hold(&pair, &call, 1);
	brine_server_stop(pair.host.server);
	host_stop(&pair.host);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_LOST);
	calc_let_go(&pair.calc);
	brine_call_done(&call);
	brine_client_free(pair.kept.client);
	brine_client_free(pair.client);
}
DEFINE_BOTH(server_ends)

/* A handler that frees its own client: the calls of that client end, and so does the client when it has returned. */
static int free_client(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_client **client = user;
	(void)request;
	(void)params;
	brine_client_free(*client);
	*client = NULL;
	return 0;
}

static void freed_in_handler_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct host host;
		struct nest_params params;
		struct brine_call call = BRINE_CALL_INIT;
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		nest_prepare(&host, state, kind, NULL, NULL);
		host_launch(&host);
		options.mode = mode;
		struct brine_client *client = client_of(host.address, &options);
		assert_int_equal(brine_client_serve_raw(client, "nest", free_client, &client, NULL), 0);
		int status = brine_client_call_raw(client, &call, "nest", nest_params(&params, 1));
		assert_int_equal(status, BRINE_ERR_CANCELLED);
		brine_call_done(&call);
		assert_null(client);
		host_stop(&host);
	}
}
DEFINE_BOTH(freed_in_handler)

/* Answers that come after everything else has gone. */
static int hold_request(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_request **held = user;
	(void)params;
	*held = request;
	return BRINE_PENDING;
}

/* False: the deadline passed before the client was asked. */
static bool answer_too_late(const struct host *host, uint64_t timeout_ms)
{
	struct nest_params params;
	struct brine_request *held = NULL;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_client *client = client_of(host->address, NULL);
	assert_int_equal(brine_client_serve_raw(client, "nest", hold_request, &held, NULL), 0);
	call.timeout_ms = timeout_ms;
	int status = brine_client_call_raw(client, &call, "nest", nest_params(&params, 1));
	assert_int_equal(status, BRINE_ERR_DEADLINE);
	brine_client_free(client);
	if (held)
		assert_int_not_equal(nest_reply(held, 1), 0);
	brine_call_done(&call);
	return held;
}

static void answered_too_late_over(void **state, enum over kind)
{
	struct host host;
	nest_prepare(&host, state, kind, NULL, NULL);
	host_launch(&host);
	for (uint64_t ms = 50; !answer_too_late(&host, ms); ms = twice_as_long(ms))
		;
	host_stop(&host);
}
DEFINE_BOTH(answered_too_late)

/* A client in a loop of the program's, which is called, asked and told of the cancel of what it holds. */
static void count_ready(struct brine_request *request, void *user)
{
	(void)request;
	atomic_fetch_add((atomic_int *)user, 1);
}

struct looping {
	struct brine_request *held;
	atomic_int told;
};

static int hold_in_loop(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct looping *looping = user;
	(void)params;
	looping->held = request;
	brine_request_on_ready(request, count_ready, &looping->told);
	return BRINE_PENDING;
}

static void process_until(struct brine_client *client, const atomic_int *counter)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(counter) == 0 && brine_clock_ms() < deadline_ms) {
		struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
		poll(&poller, 1, brine_client_get_timeout_ms(client));
		brine_client_process(client);
	}
	assert_int_not_equal(atomic_load(counter), 0);
}

static void count_done(struct brine_call *call, void *user)
{
	(void)call;
	atomic_fetch_add((atomic_int *)user, 1);
}

static void in_a_loop_over(void **state, enum over kind)
{
	struct pair pair;
	struct looping looping = {0};
	atomic_int done = 0;
	struct brine_call call = BRINE_CALL_INIT, back = BRINE_CALL_INIT;
	pair_start(&pair, state, kind, BRINE_CLIENT_LOOP);
	assert_int_equal(brine_client_serve_raw(pair.client, "hold", hold_in_loop, &looping, NULL), 0);
	call.on_done = count_done;
	call.user = &done;
	assert_int_equal(brine_client_begin_raw(pair.client, &call, "typed", NO_PARAMS), 0);
	process_until(pair.client, &done);
	assert_int_equal(brine_call_status(&call), 0);
	assert_int_equal(nest_number(brine_call_result(&call)), 5);
	atomic_store(&done, 0);
	assert_int_equal(brine_client_begin_raw(pair.client, &call, "keep", NO_PARAMS), 0);
	process_until(pair.client, &done);
	assert_int_equal(brine_client_begin_raw(pair.kept.client, &back, "hold", NO_PARAMS), 0);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (!looping.held && brine_clock_ms() < deadline_ms)
		brine_client_process(pair.client);
	brine_call_cancel(&back);
	process_until(pair.client, &looping.told);
	assert_int_equal(nest_reply(looping.held, 1), BRINE_ERR_CANCELLED);
	brine_call_done(&back);
	brine_call_done(&call);
	brine_client_free(pair.kept.client);
	brine_client_free(pair.client);
	host_stop(&pair.host);
}
DEFINE_BOTH(in_a_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(typed_and_loops),  BOTH(nested),
	                                   BOTH(notes_come_first), BOTH(kept),
	                                   BOTH(without_hello),    BOTH(cancelled),
	                                   BOTH(many_threads),     BOTH(server_ends),
	                                   BOTH(freed_in_handler), BOTH(answered_too_late),
	                                   BOTH(in_a_loop)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
