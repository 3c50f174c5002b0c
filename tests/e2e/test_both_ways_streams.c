/* Proves: a client serves streams as a server does, up, down and both ways, in each mode: in order, none lost, in
 * constant memory, at the pace of its handler; whatever ends them, the handler hears of it and nothing is left over. */
#include "nesting.h"
#include "streaming.h"

enum {
	ITEMS = 5000,
	CLIENT_MOST = 1 << 20,      /* what a client with a connection and a stream may hold */
	EXCHANGES = STREAMS_METHODS /* one method more: each item makes the client's handler call the server */
};

/* ---- the server: streams from and to whoever calls it ---- */

/* How the streams that the server opens go. */
struct drive {
	int64_t items;
	uint64_t timeout_ms; /* of the stream; 0: PATIENCE_MS */
	int64_t stops_after; /* items; then the stream is given up; 0: never */
	atomic_int driven, items_sent;
};

static const struct brine_method exchanges = {"exchanges", &calc_number_type, &calc_number_type,
                                              STREAMS_BOTH | BRINE_METHOD_BLOCKING, NULL};

static int drive_sum(struct drive *drive, struct brine_call *call)
{
	struct calc_number sum;
	int status = 0;
	for (int64_t i = 0; i < drive->items && status == 0; i++) {
		status = brine_call_send(call, &(struct calc_number){i});
		atomic_fetch_add(&drive->items_sent, status == 0);
		if (drive->stops_after && i == drive->stops_after)
			brine_call_cancel(call);
	}
	int finished = brine_call_finish(call, &sum);
	return finished == 0 && sum.value != drive->items * (drive->items - 1) / 2 ? BRINE_ERR_INVALID : finished;
}

static int drive_count(struct drive *drive, struct brine_call *call)
{
	struct calc_number item;
	int64_t next = 0;
	int status;
	while ((status = brine_call_next(call, &item)) > 0) {
		if (item.value != next++)
			return BRINE_ERR_INVALID;
		if (drive->stops_after && next == drive->stops_after)
			brine_call_cancel(call);
	}
	return status == 0 && next != drive->items ? BRINE_ERR_INVALID : status;
}

/* Each item comes back doubled. */
static int drive_double(struct drive *drive, struct brine_call *call)
{
	enum { AHEAD = 10 };
	struct calc_number item;
	int64_t sent = 0, taken = 0;
	int status = 0;
	while (status >= 0 && taken < drive->items) {
		for (; status >= 0 && sent < drive->items && sent < taken + AHEAD; sent++)
			status = brine_call_send(call, &(struct calc_number){sent});
		if (status >= 0 && sent == drive->items)
			(void)brine_call_end_upload(call);
		if (status >= 0)
			status = brine_call_next(call, &item);
		if (status > 0 && item.value != 2 * taken++)
			return BRINE_ERR_INVALID;
		if (status == 0)
			return BRINE_ERR_INVALID;
		if (drive->stops_after && taken == drive->stops_after)
			brine_call_cancel(call);
	}
	return status < 0 ? status : brine_call_next(call, &item);
}

/* Opens the stream that the number asks for at whoever asks; answers with how it ended. */
static int drive(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct drive *how = user;
	struct brine_call call = BRINE_CALL_INIT;
	int64_t which = nest_number(params);
	const struct brine_method *method = which == EXCHANGES ? &exchanges : &streams_methods[which];
	struct calc_number items = {how->items};
	call.timeout_ms = how->timeout_ms ? how->timeout_ms : PATIENCE_MS;
	int status = brine_client_begin(brine_request_client(request), &call, method,
	                                which == STREAMS_COUNT ? (void *)&items : NULL);
	if (status == 0 && which == STREAMS_SUM)
		status = drive_sum(how, &call);
	else if (status == 0 && which == STREAMS_COUNT)
		status = drive_count(how, &call);
	else if (status == 0)
		status = drive_double(how, &call);
	brine_call_done(&call);
	atomic_fetch_add(&how->driven, 1);
	uint8_t room[9];
	return brine_request_reply_raw(request, number_encoded(status, room));
}

/* ---- the client ---- */

/* Doubles in a thread of its own, which may wait. */
struct elsewhere {
	struct brine_request *request;
	struct streams *streams;
};

static void *double_elsewhere(void *argument)
{
	struct elsewhere *elsewhere = argument;
	struct brine_request *request = elsewhere->request;
	int status = streams_double(NULL, request, NULL, NULL, elsewhere->streams);
	if (status == 0)
		brine_request_reply(request, NULL);
	else
		brine_request_fail(request, BRINE_CODE_CANCELLED, "ended with %d", status);
	free(elsewhere);
	return NULL;
}

static int double_in_thread(const void *handlers, struct brine_request *request, const void *message, void *response,
                            void *user)
{
	struct elsewhere *elsewhere = malloc(sizeof *elsewhere);
	pthread_t thread;
	(void)handlers;
	(void)message;
	(void)response;
	*elsewhere = (struct elsewhere){request, user};
	if (pthread_create(&thread, NULL, double_elsewhere, elsewhere) != 0)
		abort();
	pthread_detach(thread);
	return BRINE_PENDING;
}

/* Doubles by asking the server for the sum of each item and itself. */
static int double_by_calls(const void *handlers, struct brine_request *request, const void *message, void *response,
                           void *user)
{
	struct calc_number number;
	int status;
	(void)handlers;
	(void)message;
	(void)response;
	atomic_fetch_add(&((struct streams *)user)->started, 1);
	while ((status = brine_request_next(request, &number)) > 0) {
		struct brine_call call = BRINE_CALL_INIT;
		status = calc_call_add(brine_request_client(request), &call, number.value, number.value, &number.value);
		brine_call_done(&call);
		if (status == 0)
			status = brine_request_send(request, &number);
		if (status < 0)
			break;
	}
	return streams_done(user, status);
}

struct pair {
	struct host host;
	struct drive drive;
	struct streams streams; /* of the client; its host is not used */
	struct shared_allocator allocator;
	struct brine_client *client;
	struct brine_method methods[EXCHANGES + 1];
	struct brine_service service;
};

static void client_start(struct pair *pair, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = mode;
	options.allocator = &pair->allocator.base;
	memset(&pair->streams, 0, sizeof pair->streams);
	atomic_store(&pair->streams.gate, true);
	pair->client = client_of(pair->host.address, &options);
	assert_int_equal(brine_client_serve(pair->client, &pair->service, NULL, &pair->streams, NULL), 0);
}

/* threaded: streams that wait are handled in threads of the test. */
static void pair_start(struct pair *pair, void **state, enum over kind, int mode, bool threaded)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	memset(pair, 0, sizeof *pair);
	options.workers = 8;
	host_prepare(&pair->host, state, kind, &options);
	assert_int_equal(
	        brine_server_serve_raw_as(pair->host.server, "drive", BRINE_METHOD_BLOCKING, drive, &pair->drive, NULL),
	        0);
	host_launch(&pair->host);
	pair->drive.items = ITEMS;
	memcpy(pair->methods, streams_methods, sizeof streams_methods);
	pair->methods[EXCHANGES] = exchanges;
	pair->methods[EXCHANGES].invoke = double_by_calls;
	if (threaded)
		pair->methods[STREAMS_DOUBLE].invoke = double_in_thread;
	pair->service = (struct brine_service){BRINE_ABI, "streams.Streams", pair->methods, EXCHANGES + 1};
	shared_allocator_init(&pair->allocator, 0, false);
	client_start(pair, mode);
}

static size_t held(struct shared_allocator *allocator)
{
	pthread_mutex_lock(&allocator->lock);
	size_t size = allocator->fail.held;
	pthread_mutex_unlock(&allocator->lock);
	return size;
}

static void client_stop(struct pair *pair)
{
	brine_client_free(pair->client);
	/* A handler in a thread of its own may not have noticed yet. */
	wait_for_count(&pair->streams.ended, atomic_load(&pair->streams.started));
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (held(&pair->allocator) && brine_clock_ms() < deadline_ms)
		sched_yield();
	assert_int_equal(held(&pair->allocator), 0);
}

static void pair_stop(struct pair *pair)
{
	client_stop(pair);
	assert_in_range(pair->allocator.fail.held_most, 1, CLIENT_MOST);
	host_stop(&pair->host);
}

/* How the stream of that kind ended, as the server saw it. */
static int drive_from(struct pair *pair, int which)
{
	struct nest_params params;
	struct brine_call call = BRINE_CALL_INIT;
	call.timeout_ms = 2 * PATIENCE_MS;
	int status = brine_client_begin_raw(pair->client, &call, "drive", nest_params(&params, which));
	while (status == 0 && brine_client_get_fd(pair->client) >= 0 &&
	       brine_call_finish(&call, NULL) == BRINE_ERR_WOULD_BLOCK) {
		struct pollfd poller = {.fd = brine_client_get_fd(pair->client), .events = POLLIN};
		poll(&poller, 1, brine_client_get_timeout_ms(pair->client));
		brine_client_process(pair->client);
	}
	if (status == 0)
		status = brine_call_finish(&call, NULL);
	if (status == 0)
		status = (int)number_decoded(brine_call_result(&call));
	brine_call_done(&call);
	return status;
}

/* ---- tests ---- */

/* A thread that waits for its own call handles what the server streams meanwhile, and may itself wait for items, and
 * for calls. */
static void blocking_over(void **state, enum over kind)
{
	static struct pair pair;
	pair_start(&pair, state, kind, BRINE_CLIENT_BLOCKING, false);
	for (int which = STREAMS_SUM; which <= EXCHANGES; which++) {
		assert_int_equal(drive_from(&pair, which), 0);
		assert_int_equal(atomic_load(&pair.streams.last_status), 0);
		assert_int_equal(atomic_load(&pair.streams.ended), which + 1);
	}
	assert_true(atomic_load(&pair.streams.would_block) == 0);
	pair_stop(&pair);
}
DEFINE_BOTH(blocking)

/* The event form where nothing may wait, and threads of the program's own where they may. */
static void not_waiting_over(void **state, enum over kind)
{
	static const int modes[] = {BRINE_CLIENT_BACKGROUND, BRINE_CLIENT_LOOP};
	for (size_t i = 0; i < 2; i++) {
		static struct pair pair;
		pair_start(&pair, state, kind, modes[i], true);
		/* Waits where it must not. */
		assert_int_equal(drive_from(&pair, STREAMS_SUM), BRINE_ERR_REMOTE);
		assert_int_equal(atomic_load(&pair.streams.last_status), BRINE_ERR_WOULD_BLOCK);
		assert_int_equal(drive_from(&pair, STREAMS_DOUBLE_ON_LOOP), 0);
		assert_true(atomic_load(&pair.streams.would_block) > 0);
		if (modes[i] == BRINE_CLIENT_BACKGROUND)
			assert_int_equal(drive_from(&pair, STREAMS_DOUBLE), 0);
		pair_stop(&pair);
	}
}
DEFINE_BOTH(not_waiting)

struct thread {
	struct pair *pair;
	pthread_t thread;
	int which, wrong;
};

static void *drive_often(void *argument)
{
	struct thread *thread = argument;
	for (int i = 0; i < 5; i++)
		thread->wrong += drive_from(thread->pair, (thread->which + i) % (EXCHANGES + 1)) != 0;
	return NULL;
}

/* Several threads in one client, each in a stream of its own or of another one. */
static void many_threads_over(void **state, enum over kind)
{
	enum { THREADS = 4 };
	static struct pair pair;
	struct thread threads[THREADS];
	pair_start(&pair, state, kind, BRINE_CLIENT_BLOCKING, false);
	pair.drive.items = ITEMS / 10;
	for (int i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){.pair = &pair, .which = i};
		assert_int_equal(pthread_create(&threads[i].thread, NULL, drive_often, &threads[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i].thread, NULL);
		assert_int_equal(threads[i].wrong, 0);
	}
	assert_int_equal(atomic_load(&pair.drive.driven), THREADS * 5);
	pair_stop(&pair);
}
DEFINE_BOTH(many_threads)

/* A handler that takes nothing slows the server's stream, and nothing else. */
static void slow_handler_over(void **state, enum over kind)
{
	static struct pair pair;
	struct thread thread = {.pair = &pair, .which = STREAMS_SUM};
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	pair_start(&pair, state, kind, BRINE_CLIENT_BLOCKING, false);
	atomic_store(&pair.streams.gate, false);
	assert_int_equal(pthread_create(&thread.thread, NULL, drive_often, &thread), 0);
	wait_for_count(&pair.streams.started, 1);
	for (int i = 0; i < 200; i++)
		assert_int_equal(calc_call_add(pair.client, &call, i, 1, &sum), 0);
	assert_in_range(atomic_load(&pair.drive.items_sent), 0, ITEMS / 2);
	brine_call_done(&call);
	atomic_store(&pair.streams.gate, true);
	pthread_join(thread.thread, NULL);
	assert_int_equal(thread.wrong, 0);
	pair_stop(&pair);
}
DEFINE_BOTH(slow_handler)

/* The server gives up in the middle: the handler hears of it where it waits or sends. */
static void given_up_over(void **state, enum over kind)
{
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND, BRINE_CLIENT_LOOP};
	for (size_t i = 0; i < 3; i++) {
		static struct pair pair;
		pair_start(&pair, state, kind, modes[i], false);
		pair.drive.stops_after = 100;
		pair.drive.items = 10 * ITEMS; /* more than can be under way */
		for (int which = i == 0 ? STREAMS_SUM : STREAMS_DOUBLE_ON_LOOP; which <= STREAMS_DOUBLE_ON_LOOP;
		     which++) {
			int started = atomic_load(&pair.streams.ended) + 1;
			assert_int_equal(drive_from(&pair, which), BRINE_ERR_CANCELLED);
			/* It may not have noticed when the server's other answer comes. */
			for (int turn = 0; atomic_load(&pair.streams.ended) < started && turn < 10000; turn++) {
				struct brine_call call = BRINE_CALL_INIT;
				int64_t sum;
				if (modes[i] == BRINE_CLIENT_LOOP)
					brine_client_process(pair.client);
				else
					assert_int_equal(calc_call_add(pair.client, &call, 1, 1, &sum), 0);
				brine_call_done(&call);
			}
			assert_int_equal(atomic_load(&pair.streams.ended), started);
			if (atomic_load(&pair.streams.last_status) != BRINE_ERR_CANCELLED)
				fail_msg("mode %d, method %d: %d", modes[i], which,
				         atomic_load(&pair.streams.last_status));
		}
		pair_stop(&pair);
	}
}
DEFINE_BOTH(given_up)

static void *finish(void *call)
{
	return (void *)(intptr_t)brine_call_finish(call, NULL);
}

/* The end of the client, or of the server, wakes a handler that waits for items, in a thread of its own or in one that
 * waits for a call. */
static void ended_over(void **state, enum over kind)
{
	for (int round = 0; round < 4; round++) {
		static struct pair pair;
		struct brine_call call = BRINE_CALL_INIT;
		bool by_server = round & 1, blocks = round & 2;
		pthread_t thread;
		void *status = NULL;
		pair_start(&pair, state, kind, blocks ? BRINE_CLIENT_BLOCKING : BRINE_CLIENT_BACKGROUND, !blocks);
		struct nest_params params;
		/* Never ends its upload within the test. */
		pair.drive.items = INT64_MAX;
		assert_int_equal(
		        brine_client_begin_raw(pair.client, &call, "drive", nest_params(&params, STREAMS_DOUBLE)), 0);
		if (blocks)
			assert_int_equal(pthread_create(&thread, NULL, finish, &call), 0);
		wait_for_count(&pair.streams.started, 1);
		if (by_server) {
			brine_server_stop(pair.host.server);
			brine_server_stop(pair.host.server);
			wait_for_count(&pair.streams.ended, 1);
		}
		brine_client_free(pair.client);
		pair.client = NULL;
		if (blocks)
			pthread_join(thread, &status);
		assert_true(blocks ? status != NULL : brine_call_finish(&call, NULL) < 0);
		brine_call_done(&call);
		client_stop(&pair);
		assert_true(atomic_load(&pair.streams.last_status) < 0);
		host_stop(&pair.host);
	}
}
DEFINE_BOTH(ended)

/* Out of memory in the client, at each allocation in turn: the stream ends well, or with an error on both sides; the
 * next client is as good as the first. */
static void out_of_memory(void **state)
{
	static struct pair pair;
	int failed = 0, went_well = 0;
	pair_start(&pair, state, OVER_UNIX, BRINE_CLIENT_BLOCKING, false);
	pair.drive.items = 30;
	client_stop(&pair);
	for (uint64_t fail_at = 1; went_well < 3; fail_at++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		shared_allocator_init(&pair.allocator, fail_at, false);
		options.allocator = &pair.allocator.base;
		memset(&pair.streams, 0, sizeof pair.streams);
		atomic_store(&pair.streams.gate, true);
		int status = brine_client_open(&pair.client, pair.host.address, &options, NULL);
		if (status < 0)
			continue;
		status = brine_client_serve(pair.client, &pair.service, NULL, &pair.streams, NULL);
		for (int which = STREAMS_SUM; which <= STREAMS_DOUBLE && status == 0; which++)
			status = drive_from(&pair, which);
		failed += status < 0;
		went_well = status == 0 ? went_well + 1 : 0;
		client_stop(&pair);
	}
	assert_true(failed > 10);
	host_stop(&pair.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(blocking),         BOTH(not_waiting), BOTH(many_threads),
	                                   BOTH(slow_handler),     BOTH(given_up),    BOTH(ended),
	                                   e2e_test(out_of_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
