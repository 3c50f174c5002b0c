/* Proves: a handler that waits for something else, on a worker, is told by its request's descriptor when nobody wants
 * its answer any more: because of a cancel, the deadline, the end of the connection or of the server; also where that
 * had happened before it asked. What is not cancelled signals nothing. */
#include "harness.h"

enum end { END_ANSWERED, END_CANCEL, END_DEADLINE, END_LOST, END_STOP, END_EARLY, ENDS };

struct waits {
	struct host host;
	enum end end;
	atomic_int waiting, ended;
	int found; /* by poll() */
	bool was_cancelled;
};

static int wait_by_poll(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct waits *waits = user;
	(void)params;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	if (waits->end == END_EARLY)
		atomic_store(&waits->waiting, 1);
	while (waits->end == END_EARLY && !brine_request_cancelled(request) && brine_clock_ms() < deadline_ms)
		sched_yield();
	struct pollfd poller = {.fd = brine_request_cancelled_fd(request), .events = POLLIN};
	atomic_store(&waits->waiting, 1);
	waits->found = poll(&poller, 1, waits->end == END_ANSWERED ? 0 : PATIENCE_MS);
	if (poller.fd < 0 || poller.fd != brine_request_cancelled_fd(request))
		waits->found = -1;
	waits->was_cancelled = brine_request_cancelled(request);
	atomic_store(&waits->ended, 1);
	return brine_request_reply_raw(request, BRINE_BYTES("\x07", 1));
}

/* False: the call ended before its handler was called. */
static bool begins_to_wait(struct waits *waits, struct brine_client *client, struct brine_call *call)
{
	int status = brine_client_begin_raw(client, call, "wait", BRINE_BYTES("\x90", 1));
	assert_true(status == 0 || (status == BRINE_ERR_DEADLINE && waits->end == END_DEADLINE));
	while (!atomic_load(&waits->waiting) && brine_call_wait(call, 1) == BRINE_ERR_DEADLINE)
		;
	return atomic_load(&waits->waiting);
}

/* Ends the call, in which a handler waits. */
static void let_it_end(struct waits *waits, struct brine_client **client, struct brine_call *call)
{
	enum end end = waits->end;
	if (end == END_CANCEL || end == END_EARLY)
		brine_call_cancel(call);
	if (end == END_LOST) {
		brine_client_free(*client);
		*client = NULL;
	}
	if (end == END_STOP) {
		brine_server_stop(waits->host.server);
		brine_server_stop(waits->host.server);
	}
	wait_for_count(&waits->ended, 1);
	int status = brine_call_finish(call, NULL);
	assert_int_equal(status < 0, end != END_ANSWERED);
}

/* False: a deadline that passed before the handler was called. */
static bool is_told(void **state, enum over kind, enum end end, uint64_t deadline_ms)
{
	static struct waits waits;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	options.mode = BRINE_CLIENT_BACKGROUND;
	waits = (struct waits){.end = end};
	host_prepare(&waits.host, state, kind, NULL);
	assert_int_equal(
	        brine_server_serve_raw_as(waits.host.server, "wait", BRINE_METHOD_BLOCKING, wait_by_poll, &waits, NULL),
	        0);
	host_launch(&waits.host);
	struct brine_client *client = client_of(waits.host.address, &options);
	call.timeout_ms = end == END_DEADLINE ? deadline_ms : 0;
	bool waited = begins_to_wait(&waits, client, &call);
	if (waited)
		let_it_end(&waits, &client, &call);
	brine_call_done(&call);
	brine_client_free(client);
	if (end == END_STOP)
		host_join(&waits.host);
	else
		host_end(&waits.host);
	host_free(&waits.host);
	assert_true(waited || end == END_DEADLINE);
	if (waited) {
		assert_int_equal(waits.found, end == END_ANSWERED ? 0 : 1);
		assert_int_equal(waits.was_cancelled, end != END_ANSWERED);
	}
	return waited;
}

static void waiting_handlers_are_told_over(void **state, enum over kind)
{
	for (enum end end = 0; end < ENDS; end++)
		for (uint64_t ms = 50; !is_told(state, kind, end, ms); ms = twice_as_long(ms))
			;
}
DEFINE_BOTH(waiting_handlers_are_told)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(waiting_handlers_are_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
