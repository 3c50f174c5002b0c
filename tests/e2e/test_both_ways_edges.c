/* Proves, of servers and clients that call each other: the places where things meet that seldom do. However handlers
 * nest, the pool of workers keeps its bounds; what came first is told first in each mode; a client that is freed while
 * its handlers and callbacks run ends, and ends all of them; requests outlive whoever answers them meanwhile; a forked
 * child disturbs nothing. */
#include "nesting.h"

#include <sys/wait.h>

/* ---- gates ---- */

/* Where handlers wait until the test lets them go on. */
struct gate {
	atomic_int inside; /* now */
	atomic_int most;   /* at once, ever */
	atomic_int passed;
	atomic_bool open;
};

static void gate_pass(struct gate *gate)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	keep_most(&gate->most, atomic_fetch_add(&gate->inside, 1) + 1);
	while (!atomic_load(&gate->open) && brine_clock_ms() < deadline_ms)
		poll(NULL, 0, 1);
	atomic_fetch_sub(&gate->inside, 1);
	atomic_fetch_add(&gate->passed, 1);
}

static int pass_gate(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	gate_pass(user);
	return 0;
}

/* ---- workers ---- */

enum { VISITS = 400, GATED = 400 };

/* Calls the client again and again. */
static int visit(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_call call = BRINE_CALL_INIT;
	(void)params;
	atomic_fetch_add((atomic_int *)user, 1);
	int status = 0;
	for (int i = 0; i < VISITS && status == 0; i++)
		status =
		        brine_client_call_raw(brine_request_client(request), &call, "nest", BRINE_BYTES("\x91\x00", 2));
	status = status < 0 ? nest_fail(request, &call) : 0;
	brine_call_done(&call);
	return status;
}

/* C28: one handler that calls its peer often, while many others wait for a worker, starts no more threads than there
 * are places: those that wait for a peer, and those allowed. */
static void workers_are_bounded_over(void **state, enum over kind)
{
	struct host host;
	struct gate gate = {0};
	atomic_int visiting = 0;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	options.workers = 1;
	host_prepare(&host, state, kind, &options);
	assert_int_equal(brine_server_serve_raw_as(host.server, "visit", BRINE_METHOD_BLOCKING, visit, &visiting, NULL),
	                 0);
	assert_int_equal(brine_server_serve_raw_as(host.server, "gate", BRINE_METHOD_BLOCKING, pass_gate, &gate, NULL),
	                 0);
	host_launch(&host);
	own.mode = BRINE_CLIENT_BACKGROUND;
	struct brine_client *client = nest_client(&host, &own, NULL);
	call.timeout_ms = 3 * PATIENCE_MS;
	assert_int_equal(brine_client_begin_raw(client, &call, "visit", NO_PARAMS), 0);
	wait_for_count(&visiting, 1);
	for (int i = 0; i < GATED; i++)
		assert_int_equal(brine_client_notify_raw(client, NULL, "gate", NO_PARAMS), 0);
	assert_int_equal(brine_call_finish(&call, NULL), 0);
	assert_int_equal(atomic_load(&gate.most), 1);
	/* The place that a visitor left is nobody's for good: there is one worker again. */
	atomic_store(&gate.open, true);
	wait_for_count(&gate.passed, GATED);
	assert_int_equal(atomic_load(&gate.most), 1);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}
DEFINE_BOTH(workers_are_bounded)

/* ---- order ---- */

enum { NOTES = 9 };

/* Notifies the client so often, then answers. */
static int send_notes(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	(void)user;
	for (int i = 0; i < NOTES; i++)
		if (brine_client_notify_raw(brine_request_client(request), NULL, "note", NO_PARAMS) < 0)
			return brine_request_fail(request, 1000, "note %d was not sent", i);
	return 0;
}

/* What a client was told. */
struct told {
	atomic_int notes;
	atomic_int early; /* ends of calls that came before notes that were sent before them */
	atomic_int ends;
};

static int take_note(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct told *told = user;
	(void)request;
	(void)params;
	poll(NULL, 0, 1); /* others have time to come first */
	atomic_fetch_add(&told->notes, 1);
	return 0;
}

static void expect_notes(struct told *told)
{
	atomic_fetch_add(&told->early, atomic_load(&told->notes) < NOTES);
	atomic_store(&told->notes, 0);
	atomic_fetch_add(&told->ends, 1);
}

static void notes_done(struct brine_call *call, void *user)
{
	if (brine_call_status(call) == 0)
		expect_notes(user);
}

/* Gives the client time to move bytes in, in whichever mode. */
static void drive(struct brine_client *client, int mode)
{
	if (mode == BRINE_CLIENT_BLOCKING) {
		assert_int_equal(brine_client_call_raw(client, NULL, "nothing", NO_PARAMS), 0);
	} else {
		struct pollfd poller = {.fd = mode == BRINE_CLIENT_LOOP ? brine_client_get_fd(client) : -1,
		                        .events = POLLIN};
		poll(&poller, 1, 5);
		if (mode == BRINE_CLIENT_LOOP)
			brine_client_process(client);
	}
}

static int do_nothing(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 0;
}

/* The ways in which a program hears of the end of a call. */
enum way { WAY_WAIT, WAY_FINISH, WAY_ON_DONE, WAY_COMPLETED, WAYS };

static bool way_is_open(enum way way, int mode)
{
	bool waits = way == WAY_WAIT || way == WAY_FINISH;
	return waits ? mode != BRINE_CLIENT_LOOP : way == WAY_ON_DONE || mode == BRINE_CLIENT_BACKGROUND;
}

static void hear_of_one(struct brine_client *client, int mode, enum way way, struct told *told)
{
	struct brine_call call = BRINE_CALL_INIT;
	int before = atomic_load(&told->ends);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	if (way == WAY_ON_DONE) {
		call.on_done = notes_done;
		call.user = told;
	}
	if (way == WAY_WAIT)
		assert_int_equal(brine_client_call_raw(client, &call, "notes", NO_PARAMS), 0);
	else
		assert_int_equal(brine_client_begin_raw(client, &call, "notes", NO_PARAMS), 0);
	if (way == WAY_FINISH)
		assert_int_equal(brine_call_finish(&call, NULL), 0);
	if (way == WAY_COMPLETED)
		while (!brine_client_completed(client) && brine_clock_ms() < deadline_ms)
			sched_yield();
	if (way != WAY_ON_DONE)
		expect_notes(told);
	while (atomic_load(&told->ends) == before && brine_clock_ms() < deadline_ms)
		drive(client, mode);
	assert_int_equal(atomic_load(&told->ends), before + 1);
	brine_call_done(&call);
}

/* WIRE.md section 3.1: what came before the answer is told before the answer is, however that is told. */
static void told_in_order_over(void **state, enum over kind)
{
	struct host host;
	host_prepare(&host, state, kind, NULL);
	assert_int_equal(brine_server_serve_raw_as(host.server, "notes", BRINE_METHOD_BLOCKING, send_notes, NULL, NULL),
	                 0);
	assert_int_equal(brine_server_serve_raw(host.server, "nothing", do_nothing, NULL, NULL), 0);
	host_launch(&host);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++) {
		struct told told = {0};
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		options.mode = mode;
		struct brine_client *client = client_of(host.address, &options);
		assert_int_equal(brine_client_serve_raw(client, "note", take_note, &told, NULL), 0);
		for (enum way way = WAY_WAIT; way < WAYS; way++)
			for (int round = 0; round < 5 && way_is_open(way, mode); round++) {
				hear_of_one(client, mode, way, &told);
				if (atomic_load(&told.early))
					fail_msg("mode %d, way %d: an end was told too early", mode, (int)way);
			}
		brine_client_free(client);
	}
	host_stop(&host);
}
DEFINE_BOTH(told_in_order)

/* ---- the end of a client ---- */

/* A request that is never answered by itself; the last of them is kept. */
static int hold(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct calc *calc = user;
	(void)params;
	calc->held[calc->held_now++] = request;
	atomic_fetch_add(&calc->held_count, 1);
	return BRINE_PENDING;
}

static int hand_back(struct brine_request *request, const char *method)
{
	struct brine_call call = BRINE_CALL_INIT;
	call.timeout_ms = BRINE_FOREVER;
	int status = brine_client_call_raw(brine_request_client(request), &call, method, NO_PARAMS);
	status = status < 0 ? nest_fail(request, &call) : 0;
	brine_call_done(&call);
	return status;
}

/* Asks the client for the method of its name. */
static int ask_client(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	return hand_back(request, user);
}

/* A server whose methods end in a call that is held, or in the client. */
struct rig {
	struct host host;
	struct calc held;
	struct brine_client *client;
	atomic_int inside; /* handlers of the client that were begun */
};

static void rig_start(struct rig *rig, void **state, enum over kind, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_server_options own = BRINE_SERVER_OPTIONS_INIT;
	own.workers = 8;
	memset(rig, 0, sizeof *rig);
	host_prepare(&rig->host, state, kind, &own);
	struct brine_server *server = rig->host.server;
	assert_int_equal(brine_server_serve_raw(server, "hold", hold, &rig->held, NULL), 0);
	static char wait[] = "wait", quit[] = "quit";
	assert_int_equal(brine_server_serve_raw_as(server, "ask wait", BRINE_METHOD_BLOCKING, ask_client, wait, NULL),
	                 0);
	assert_int_equal(brine_server_serve_raw_as(server, "ask quit", BRINE_METHOD_BLOCKING, ask_client, quit, NULL),
	                 0);
	host_launch(&rig->host);
	options.mode = mode;
	options.timeout_ms = BRINE_FOREVER;
	rig->client = client_of(rig->host.address, &options);
}

static void rig_end(struct rig *rig)
{
	calc_let_go(&rig->held);
	host_stop(&rig->host);
}

struct waiting {
	struct brine_client *client;
	const char *method;
	struct brine_call call;
	pthread_t thread;
	int status;
};

static void *wait_for_call(void *argument)
{
	struct waiting *waiting = argument;
	waiting->status = brine_call_finish(&waiting->call, NULL);
	return NULL;
}

/* Calls the method, and waits for the answer in a thread. */
static void waiting_start(struct waiting *waiting, struct brine_client *client, const char *method)
{
	*waiting = (struct waiting){.client = client, .call = BRINE_CALL_INIT};
	assert_int_equal(brine_client_begin_raw(client, &waiting->call, method, NO_PARAMS), 0);
	assert_int_equal(pthread_create(&waiting->thread, NULL, wait_for_call, waiting), 0);
}

static void waiting_end(struct waiting *waiting, int status)
{
	pthread_join(waiting->thread, NULL);
	assert_int_equal(waiting->status, status);
	brine_call_done(&waiting->call);
}

/* A handler of the client that waits for what its server never says. */
static int wait_for_server(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	atomic_fetch_add((atomic_int *)user, 1);
	return hand_back(request, "hold");
}

/* Handlers that wait in the client while it is freed: their calls end, and so do they. */
static void freed_under_handlers_over(void **state, enum over kind)
{
	enum { THREADS = 3 };
	struct rig rig;
	struct waiting waiting[THREADS];
	rig_start(&rig, state, kind, BRINE_CLIENT_BLOCKING);
	assert_int_equal(brine_client_serve_raw(rig.client, "wait", wait_for_server, &rig.inside, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		waiting_start(&waiting[i], rig.client, "ask wait");
		wait_for_count(&rig.held.held_count, i + 1);
	}
	brine_client_free(rig.client);
	for (int i = 0; i < THREADS; i++)
		waiting_end(&waiting[i], BRINE_ERR_CANCELLED);
	assert_int_equal(atomic_load(&rig.inside), THREADS);
	rig_end(&rig);
}
DEFINE_BOTH(freed_under_handlers)

static int quit(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct rig *rig = user;
	(void)request;
	(void)params;
	/* The others have time to go to sleep. */
	poll(NULL, 0, 20);
	atomic_fetch_add(&rig->inside, 1);
	brine_client_free(rig->client);
	return 0;
}

/* The client is freed in a handler while another thread moves its bytes, or is in a handler and waits. */
static void freed_beside_others_over(void **state, enum over kind)
{
	static const char *const others[] = {"hold", "ask wait"};
	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		struct waiting waiting[2];
		rig_start(&rig, state, kind, BRINE_CLIENT_BLOCKING);
		assert_int_equal(brine_client_serve_raw(rig.client, "wait", wait_for_server, &rig.held.added, NULL), 0);
		assert_int_equal(brine_client_serve_raw(rig.client, "quit", quit, &rig, NULL), 0);
		waiting_start(&waiting[0], rig.client, others[i]);
		wait_for_count(&rig.held.held_count, 1);
		waiting_start(&waiting[1], rig.client, "ask quit");
		waiting_end(&waiting[0], BRINE_ERR_CANCELLED);
		/* The handler's own answer goes out, and may come back before the end does. */
		pthread_join(waiting[1].thread, NULL);
		assert_true(waiting[1].status == 0 || waiting[1].status == BRINE_ERR_CANCELLED);
		brine_call_done(&waiting[1].call);
		assert_int_equal(atomic_load(&rig.inside), 1);
		rig_end(&rig);
	}
}
DEFINE_BOTH(freed_beside_others)

/* ---- peers by hand ---- */

/* So many notifications in one piece. */
static void send_many_notes(int fd, size_t count)
{
	static const uint8_t note[] = {0x08, 0x93, 0x02, 0xa4, 'n', 'o', 't', 'e', 0x90};
	struct brine_buf bytes = BRINE_BUF_INIT;
	for (size_t i = 0; i < count; i++)
		if (brine_buf_append(&bytes, note, sizeof note) < 0)
			abort();
	raw_send(fd, bytes.data + bytes.start, brine_buf_size(&bytes));
	brine_buf_done(&bytes);
}

struct freeing {
	struct brine_client *client;
	atomic_int notes;
};

static int free_at_once(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct freeing *freeing = user;
	(void)request;
	(void)params;
	if (atomic_fetch_add(&freeing->notes, 1) == 0)
		brine_client_free(freeing->client);
	return 0;
}

/* Once the client was freed no handler begins, also none for what had come with that. */
static void nothing_begins_after_free(void **state)
{
	(void)state;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++) {
		struct freeing freeing = {0};
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		struct brine_call call = BRINE_CALL_INIT;
		int fd;
		options.mode = mode;
		options.limits.linger_ms = 10;
		freeing.client = client_of_pair(&fd, &options);
		assert_int_equal(brine_client_serve_raw(freeing.client, "note", free_at_once, &freeing, NULL), 0);
		send_many_notes(fd, 50);
		assert_int_equal(brine_client_begin_raw(freeing.client, &call, "x", NO_PARAMS), 0);
		if (mode == BRINE_CLIENT_LOOP)
			assert_int_equal(brine_client_process(freeing.client), 0);
		else
			assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
		assert_int_equal(brine_call_status(&call), BRINE_ERR_CANCELLED);
		assert_int_equal(atomic_load(&freeing.notes), 1);
		brine_call_done(&call);
		close(fd);
	}
}

/* More came than a client keeps for its handlers, and none was called: its end does not wait for that. */
static void freed_while_flooded(void **state)
{
	struct freeing freeing = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	int fd;
	(void)state;
	options.limits.linger_ms = PATIENCE_MS;
	freeing.client = client_of_pair(&fd, &options);
	assert_int_equal(brine_client_serve_raw(freeing.client, "note", free_at_once, &freeing, NULL), 0);
	send_many_notes(fd, 10000);
	/* Reads, but waits for nothing. */
	assert_int_equal(brine_client_begin_raw(freeing.client, &call, "x", NO_PARAMS), 0);
	shutdown(fd, SHUT_WR);
	uint64_t began_ms = brine_clock_ms();
	brine_client_free(freeing.client);
	assert_true(brine_clock_ms() - began_ms < PATIENCE_MS / 2);
	assert_int_equal(atomic_load(&freeing.notes), 0);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	brine_call_done(&call);
	close(fd);
}

/* ---- bytes that nobody asked for ---- */

static void begin_next(struct brine_call *call, void *user)
{
	struct brine_call *next = user;
	assert_int_equal(brine_client_begin_raw(call->client, next, "b", NO_PARAMS), 0);
}

/* A call that a callback begins goes out, also where that was the last thing that the waiting thread did. */
static void begun_in_callback(void **state)
{
	struct brine_call call = BRINE_CALL_INIT, other = BRINE_CALL_INIT, next = BRINE_CALL_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	int fd;
	(void)state;
	options.hello = false;
	options.timeout_ms = BRINE_FOREVER;
	struct brine_client *client = client_of_pair(&fd, &options);
	call.on_done = begin_next;
	call.user = &next;
	assert_int_equal(brine_client_begin_raw(client, &call, "a", NO_PARAMS), 0);
	assert_int_equal(brine_client_begin_raw(client, &other, "o", NO_PARAMS), 0);
	raw_send_hex(fd, "05 94 01 01 c0 c0  05 94 01 02 c0 c0");
	assert_int_equal(brine_call_finish(&other, NULL), 0);
	raw_expect_hex(fd, "06 94 00 01 a1 61 90  06 94 00 02 a1 6f 90  06 94 00 03 a1 62 90");
	brine_call_done(&call);
	brine_call_done(&other);
	brine_call_done(&next);
	close(fd);
	brine_client_free(client);
}

/* A client with a thread of its own that says it is connected serves its peer from then on. */
static void connected_is_served(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	int fd;
	(void)state;
	options.hello = false;
	options.mode = BRINE_CLIENT_BACKGROUND;
	struct brine_client *client = client_of_pair(&fd, &options);
	assert_int_equal(brine_client_serve_raw(client, "a", do_nothing, NULL, NULL), 0);
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	raw_send_hex(fd, "06 94 00 01 a1 61 90");
	raw_expect_hex(fd, "05 94 01 01 c0 c0");
	close(fd);
	brine_client_free(client);
}

/* ---- requests and their callbacks ---- */

enum { HELD = 65 }; /* more than a home keeps for the next calls */

struct holding {
	struct brine_request *held[HELD];
	atomic_int count;
	struct gate gate;
	bool was_cancelled;
};

static void on_cancelled(struct brine_request *request, void *user)
{
	struct holding *holding = user;
	gate_pass(&holding->gate);
	holding->was_cancelled = brine_request_cancelled(request);
}

static int hold_many(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct holding *holding = user;
	(void)params;
	brine_request_on_ready(request, on_cancelled, holding);
	holding->held[atomic_load(&holding->count)] = request;
	atomic_fetch_add(&holding->count, 1);
	return BRINE_PENDING;
}

/* A request that is answered while its on_ready runs, in another thread, lives until that has returned. */
static void answered_in_on_ready(void **state)
{
	struct holding holding = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	int fd;
	(void)state;
	options.hello = false;
	options.mode = BRINE_CLIENT_BACKGROUND;
	struct brine_client *client = client_of_pair(&fd, &options);
	assert_int_equal(brine_client_serve_raw(client, "a", hold_many, &holding, NULL), 0);
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	for (int id = 0; id < HELD; id++)
		raw_send_request(fd, id, "a", NO_PARAMS);
	wait_for_count(&holding.count, HELD);
	for (int id = 0; id < HELD - 1; id++)
		assert_int_equal(nest_reply(holding.held[id], 1), 0);
	raw_send_hex(fd, "03 92 08 40");
	wait_for_count(&holding.gate.inside, 1);
	assert_int_equal(nest_reply(holding.held[HELD - 1], 1), BRINE_ERR_CANCELLED);
	atomic_store(&holding.gate.open, true);
	wait_for_count(&holding.gate.passed, 1);
	brine_client_free(client);
	assert_true(holding.was_cancelled);
	close(fd);
}

/* ---- forks ---- */

/* What a child lets go of. */
struct family {
	struct brine_client *client;
	struct brine_server *server;
};

static void count_nothing(struct brine_request *request, void *user)
{
	(void)request;
	(void)user;
}

/* In a child: whether nothing can be done with the request. */
static bool is_refused(struct brine_request *request)
{
	int64_t sum = 0;
	struct brine_client *client = brine_request_client(request);
	brine_request_on_ready(request, count_nothing, NULL);
	return !client && nest_reply(request, 7) == BRINE_ERR_FORKED && brine_request_reply(request, &sum) < 0 &&
	       brine_request_fail(request, 100, "no") == BRINE_ERR_FORKED && !brine_request_keep_client(request);
}

/* Forks in the handler, and answers in both processes. user: what to free in the child. */
static int answer_twice(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct family *family = user;
	int status;
	(void)params;
	pid_t child = fork();
	if (child == 0) {
		bool refused = is_refused(request);
		brine_client_free(family->client);
		brine_server_free(family->server);
		_exit(refused ? 0 : 1);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return brine_request_fail(request, 100, "the child ended with %x", (unsigned)status);
	return nest_reply(request, 5);
}

/* G13: a child of a handler, on either side, says nothing to its parent's peer and can let go of everything. */
static void forked_in_handler_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct host host;
		struct family there = {0}, here = {0};
		struct nest_params params;
		struct brine_call call = BRINE_CALL_INIT;
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		nest_prepare(&host, state, kind, NULL, NULL);
		there.server = host.server;
		assert_int_equal(brine_server_serve_raw(host.server, "loop", answer_twice, &there, NULL), 0);
		assert_int_equal(brine_server_serve_raw_as(host.server, "worker", BRINE_METHOD_BLOCKING, answer_twice,
		                                           &there, NULL),
		                 0);
		host_launch(&host);
		options.mode = mode;
		here.client = client_of(host.address, &options);
		assert_int_equal(brine_client_serve_raw(here.client, "nest", answer_twice, &here, NULL), 0);
		static const char *const methods[] = {"loop", "worker", "nest"};
		for (size_t i = 0; i < 3; i++) {
			int status = brine_client_call_raw(here.client, &call, methods[i], nest_params(&params, 1));
			if (status < 0)
				fail_msg("mode %d, %s: %s", mode, methods[i], brine_call_error_text(&call));
			assert_int_equal(nest_number(brine_call_result(&call)), i == 2 ? 6 : 5);
		}
		brine_call_done(&call);
		brine_client_free(here.client);
		host_stop(&host);
	}
}
DEFINE_BOTH(forked_in_handler)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(workers_are_bounded),           BOTH(told_in_order),
	                                   BOTH(freed_under_handlers),          BOTH(freed_beside_others),
	                                   e2e_test(nothing_begins_after_free), e2e_test(freed_while_flooded),
	                                   e2e_test(begun_in_callback),         e2e_test(connected_is_served),
	                                   e2e_test(answered_in_on_ready),      BOTH(forked_in_handler)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
