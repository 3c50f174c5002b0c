/* Proves: what a program may do in a handler of its client, and in the on_ready of a request, it may do in each mode:
 * everything works or is refused as documented, every call is told of once, nothing is left over (G16). */
#include "nesting.h"

enum action {
	NOTHING,
	WAIT,         /* for a call in this client */
	FINISH_OTHER, /* a call that is answered at once */
	BEGIN,        /* a call with a callback */
	CANCEL_OTHER, /* a call that is never answered */
	DONE_OTHER,
	CANCEL_OUTER, /* the call whose peer waits for this handler */
	NOTIFY,
	CONNECT,
	ANSWER,       /* by itself, in front of what it returns */
	ANSWER_LATER, /* in another thread, after it returned */
	FREE,         /* the client */
	ACTIONS
};

enum place { HANDLER, ON_READY, PLACES };

enum asked { UNASKED, ASKED, IN_VAIN };

/* A call and how often its end was told. */
struct told {
	struct brine_call call;
	atomic_int count;
	int status;
};

struct cell {
	enum action action;
	enum place place;
	int mode;
	struct brine_client *client;
	struct told outer, held, quick, begun;
	atomic_int asked; /* UNASKED until its handler is called or nobody asks any more */
	atomic_int acted;
	int inner; /* what the action returned */
	pthread_t answering;
	bool answers;
	struct brine_request *request;
};

static void on_told(struct brine_call *call, void *user)
{
	struct told *told = user;
	told->status = brine_call_status(call);
	atomic_fetch_add(&told->count, 1);
}

static int told_begin(struct told *told, struct brine_client *client, const char *method)
{
	*told = (struct told){.call = BRINE_CALL_INIT};
	told->call.on_done = on_told;
	told->call.user = told;
	return brine_client_begin_raw(client, &told->call, method, BRINE_BYTES("\x90", 1));
}

static void *answer_later(void *argument)
{
	struct cell *cell = argument;
	poll(NULL, 0, 2);
	cell->inner = nest_reply(cell->request, 5);
	return NULL;
}

static void act(struct cell *cell, struct brine_request *request)
{
	struct brine_client *client = cell->client;
	switch (cell->action) {
	case WAIT: cell->inner = brine_client_call_raw(client, NULL, "quick", BRINE_BYTES("\x90", 1)); break;
	case FINISH_OTHER: cell->inner = brine_call_finish(&cell->quick.call, NULL); break;
	case BEGIN: cell->inner = told_begin(&cell->begun, client, "quick"); break;
	case CANCEL_OTHER: brine_call_cancel(&cell->held.call); break;
	case DONE_OTHER: brine_call_done(&cell->held.call); break;
	case CANCEL_OUTER: brine_call_cancel(&cell->outer.call); break;
	case NOTIFY: cell->inner = brine_client_notify_raw(client, NULL, "quick", BRINE_BYTES("\x90", 1)); break;
	case CONNECT: cell->inner = brine_client_connect(client, 0, NULL); break;
	case ANSWER: cell->inner = nest_reply(request, 5); break;
	case ANSWER_LATER:
		cell->request = request;
		cell->answers = pthread_create(&cell->answering, NULL, answer_later, cell) == 0;
		break;
	case FREE: brine_client_free(client); break;
	default: break;
	}
}

static void act_when_ready(struct brine_request *request, void *user)
{
	struct cell *cell = user;
	act(cell, request);
	/* One that was cancelled has to be answered all the same. */
	if (cell->action != ANSWER && cell->action != ANSWER_LATER)
		nest_reply(request, 5);
	atomic_fetch_add(&cell->acted, 1);
}

static int act_in_handler(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct cell *cell = user;
	(void)params;
	if (!atomic_compare_exchange_strong(&cell->asked, &(int){UNASKED}, ASKED))
		return nest_reply(request, 5);
	if (cell->place == ON_READY) {
		brine_request_on_ready(request, act_when_ready, cell);
		return BRINE_PENDING;
	}
	act(cell, request);
	atomic_fetch_add(&cell->acted, 1);
	if (cell->action == ANSWER_LATER)
		return BRINE_PENDING;
	return cell->action == ANSWER ? 0 : nest_reply(request, 5);
}

/* ---- the server ---- */

/* How long it asks in vain. */
static atomic_uint_fast64_t vain_ms;

static int ask(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_call call = BRINE_CALL_INIT;
	bool gives_up = *(const bool *)user;
	(void)params;
	call.timeout_ms = gives_up ? atomic_load(&vain_ms) : PATIENCE_MS;
	int status = brine_client_call_raw(brine_request_client(request), &call, "act", BRINE_BYTES("\x90", 1));
	if (gives_up && status == BRINE_ERR_DEADLINE)
		status = nest_reply(request, 5);
	else
		status = status < 0 ? nest_fail(request, &call)
		                    : nest_reply(request, nest_number(brine_call_result(&call)));
	brine_call_done(&call);
	return status;
}

static int quick(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 0;
}

static void serve(struct host *host)
{
	static const bool stays = false, gives_up = true;
	struct brine_server *server = host->server;
	assert_int_equal(
	        brine_server_serve_raw_as(server, "ask", BRINE_METHOD_BLOCKING, ask, (void *)(uintptr_t)&stays, NULL),
	        0);
	assert_int_equal(brine_server_serve_raw_as(server, "ask in vain", BRINE_METHOD_BLOCKING, ask,
	                                           (void *)(uintptr_t)&gives_up, NULL),
	                 0);
	assert_int_equal(brine_server_serve_raw(server, "quick", quick, NULL, NULL), 0);
}

/* ---- cells ---- */

/* The server gave up before the client was asked. What comes now is too late. */
static bool is_in_vain(struct cell *cell)
{
	if (cell->place == ON_READY && atomic_load(&cell->outer.count))
		atomic_compare_exchange_strong(&cell->asked, &(int){UNASKED}, IN_VAIN);
	return atomic_load(&cell->asked) == IN_VAIN;
}

/* Lets the client move until both have been told. */
static void drive(struct cell *cell)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	bool is_freed = cell->action == FREE && atomic_load(&cell->acted);
	while (!is_freed && !is_in_vain(cell) && (!atomic_load(&cell->outer.count) || !atomic_load(&cell->acted))) {
		if (brine_clock_ms() > deadline_ms)
			fail_msg("mode %d, place %d, action %d: nothing happens", cell->mode, cell->place,
			         cell->action);
		if (cell->mode == BRINE_CLIENT_LOOP) {
			struct pollfd poller = {.fd = brine_client_get_fd(cell->client), .events = POLLIN};
			poll(&poller, 1, 5);
			brine_client_process(cell->client);
		} else if (cell->mode == BRINE_CLIENT_BLOCKING) {
			struct brine_call call = BRINE_CALL_INIT;
			call.timeout_ms = PATIENCE_MS;
			(void)brine_client_call_raw(cell->client, &call, "quick", BRINE_BYTES("\x90", 1));
			brine_call_done(&call);
		} else {
			sched_yield();
		}
		is_freed = cell->action == FREE && atomic_load(&cell->acted);
	}
	/* It ends when the callback has returned, in whichever thread that was. */
	while (is_freed && (!atomic_load(&cell->outer.count) || !atomic_load(&cell->held.count)))
		assert_true(brine_clock_ms() < deadline_ms);
}

static void check(const struct cell *cell)
{
	bool may_wait = cell->place == HANDLER && cell->mode == BRINE_CLIENT_BLOCKING;
	int inner = 0, outer = 0;
	if (cell->action == WAIT || (cell->action == FINISH_OTHER && cell->inner < 0))
		inner = may_wait ? 0 : BRINE_ERR_WOULD_BLOCK;
	bool ended = cell->place == ON_READY && (cell->action == ANSWER || cell->action == ANSWER_LATER);
	if (ended && (cell->inner == BRINE_ERR_CANCELLED || cell->inner == BRINE_ERR_DEADLINE))
		inner = cell->inner;
	if (cell->action == CANCEL_OUTER || cell->action == FREE)
		outer = BRINE_ERR_CANCELLED;
	/* That is a race where nobody waits for the handler any more, or its own answer goes out first. */
	bool may_be_well = cell->action == FREE || cell->place == ON_READY;
	if (cell->inner != inner || (cell->outer.status != outer && !(may_be_well && cell->outer.status == 0)))
		fail_msg("mode %d, place %d, action %d: inner %d, outer %d", cell->mode, cell->place, cell->action,
		         cell->inner, cell->outer.status);
	assert_int_equal(atomic_load(&cell->outer.count), 1);
	assert_int_equal(atomic_load(&cell->acted), 1);
	assert_int_equal(atomic_load(&cell->held.count), cell->action != DONE_OTHER);
	assert_int_equal(atomic_load(&cell->begun.count), cell->action == BEGIN);
	if (cell->action != DONE_OTHER)
		assert_int_equal(cell->held.status, BRINE_ERR_CANCELLED);
}

/* False: the server did not ask for long enough. */
static bool run_cell(struct host *host, enum place place, enum action action, int mode)
{
	struct shared_allocator allocator;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct cell cell = {.action = action, .place = place, .mode = mode};
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	options.mode = mode;
	options.limits.linger_ms = 50;
	cell.client = client_of(host->address, &options);
	assert_int_equal(brine_client_serve_raw(cell.client, "act", act_in_handler, &cell, NULL), 0);
	assert_int_equal(told_begin(&cell.held, cell.client, "calc.Calc/Hold"), 0);
	assert_int_equal(told_begin(&cell.quick, cell.client, "quick"), 0);
	assert_int_equal(told_begin(&cell.outer, cell.client, place == HANDLER ? "ask" : "ask in vain"), 0);
	drive(&cell);
	bool is_over = !is_in_vain(&cell);
	if (cell.answers)
		pthread_join(cell.answering, NULL);
	if (action != FREE || !is_over)
		brine_client_free(cell.client);
	if (is_over)
		check(&cell);
	struct told *all[] = {&cell.outer, &cell.held, &cell.quick, &cell.begun};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		brine_call_done(&all[i]->call);
	/* The thread of a client that was freed in it may be on its way out. */
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	size_t held;
	do {
		pthread_mutex_lock(&allocator.lock);
		held = allocator.fail.held;
		pthread_mutex_unlock(&allocator.lock);
	} while (held && brine_clock_ms() < deadline_ms);
	if (held)
		fail_msg("mode %d, place %d, action %d: %zu bytes are left", mode, place, action, held);
	return is_over;
}

static void handler_matrix_over(void **state, enum over kind)
{
	struct host host;
	host_prepare(&host, state, kind, NULL);
	serve(&host);
	host_launch(&host);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++)
		for (enum place place = HANDLER; place < PLACES; place++)
			for (enum action action = NOTHING; action < ACTIONS; action++) {
				uint64_t ms = 10;
				for (atomic_store(&vain_ms, ms); !run_cell(&host, place, action, mode);
				     atomic_store(&vain_ms, ms))
					ms = twice_as_long(ms);
			}
	host_stop(&host);
}
DEFINE_BOTH(handler_matrix)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(handler_matrix)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
