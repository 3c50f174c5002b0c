/* Proves: O01 a function of another method than was begun is refused with both names, writes nothing and leaves the
 * call or request as it was; O03 after a function that was refused the error text is why, and never that of an earlier
 * call.
 */
#include "streaming.h"

#define METHOD(which) (&calc_methods[CALC_##which])
#define STREAM(which) (&streams_methods[STREAMS_##which])

struct setup {
	struct streams streams;
	struct brine_client *client;
	struct brine_call call;
};

static void setup_start(struct setup *setup, void **state, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = mode;
	streams_start(&setup->streams, state, OVER_UNIX, NULL);
	setup->client = client_of(setup->streams.host.address, &options);
	setup->call = (struct brine_call)BRINE_CALL_INIT;
}

static void setup_end(struct setup *setup)
{
	brine_call_done(&setup->call);
	brine_client_free(setup->client);
	host_stop(&setup->streams.host);
}

static void expect_text(const struct brine_call *call, const char *part)
{
	expect_in(brine_call_error_text(call), part);
}

/* Refused because of these two methods. */
static void expect_mix_up(const struct brine_call *call, int status, const char *begun, const char *asked)
{
	assert_int_equal(status, BRINE_ERR_INVALID);
	expect_text(call, begun);
	expect_text(call, asked);
}

/* ---- calls ---- */

static void a_response_of_another_method(void **state)
{
	struct setup setup;
	struct calc_pair pair = {40, 2};
	struct calc_number sum = {0};
	struct calc_order order, before;
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_call *call = &setup.call;
	memset(&before, 0x5a, sizeof before);
	order = before;
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(ADD), &pair), 0);
	/* Running, finished, and finished as what it is. */
	for (int round = 0; round < 3; round++) {
		expect_mix_up(call, brine_call_finish_as(call, METHOD(ECHO), &order), "'add'", "'calc.Calc/Echo'");
		assert_memory_equal(&order, &before, sizeof order);
		assert_int_equal(brine_call_status(call), 0);
		if (round == 0)
			assert_int_equal(brine_call_wait(call, PATIENCE_MS), 0);
		else
			assert_int_equal(brine_call_finish_as(call, METHOD(ADD), &sum), 0);
		assert_string_equal(brine_call_error_text(call), "success");
	}
	assert_int_equal(sum.value, 42);
	setup_end(&setup);
}

static void a_refused_call_keeps_its_error(void **state)
{
	struct setup setup;
	struct calc_number number = {555};
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_call *call = &setup.call;
	assert_int_equal(brine_client_call(setup.client, call, METHOD(REFUSE), &number, &number), BRINE_ERR_REMOTE);
	expect_mix_up(call, brine_call_finish_as(call, METHOD(ADD), &number), "'calc.Calc/Refuse'", "'add'");
	assert_int_equal(brine_call_status(call), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(call), 555);
	assert_int_equal(brine_call_finish_as(call, METHOD(REFUSE), &number), BRINE_ERR_REMOTE);
	expect_text(call, "refused\\n555");
	setup_end(&setup);
}

/* The same schema in a program and in its plugin; and a method that only bears the same name. */
static void methods_are_told_by_what_they_say(void **state)
{
	struct setup setup;
	struct calc_pair pair = {1, 2};
	struct calc_number sum;
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	const struct brine_type number_type = calc_number_type, pair_type = calc_pair_type;
	const char add[] = {'a', 'd', 'd', 0};
	const struct brine_method twin = {add, &pair_type, &number_type, 0, NULL};
	const struct brine_method other_response = {"add", &calc_pair_type, &calc_order_type, 0, NULL};
	const struct brine_method other_request = {"add", &calc_number_type, &calc_number_type, 0, NULL};
	const struct brine_method no_types = {"add", NULL, NULL, 0, NULL};
	const struct brine_method no_name = {NULL, &calc_pair_type, &calc_number_type, 0, NULL};
	struct brine_call *call = &setup.call;
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(ADD), &pair), 0);
	assert_int_equal(brine_call_finish_as(call, &other_response, &sum), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_finish_as(call, &other_request, &sum), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_finish_as(call, &no_types, &sum), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_finish_as(call, &no_name, &sum), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_finish_as(call, &twin, &sum), 0);
	assert_int_equal(sum.value, 3);
	setup_end(&setup);
}

static void what_was_begun_untyped(void **state)
{
	struct setup setup;
	struct calc_number number = {7};
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_call *call = &setup.call;
	struct brine_bytes params = BRINE_BYTES("\x92\x01\x02", 3);
	assert_int_equal(brine_call_finish_as(call, METHOD(ADD), &number), BRINE_ERR_STATE);
	expect_text(call, "not made");
	assert_int_equal(brine_client_begin_raw(setup.client, call, "add", params), 0);
	expect_mix_up(call, brine_call_finish_as(call, METHOD(ADD), &number), "untyped", "'add'");
	assert_int_equal(brine_call_finish(call, &number), BRINE_ERR_INVALID);
	expect_text(call, "begun without a type");
	assert_int_equal(brine_call_finish(call, NULL), 0);
	/* No answer comes. */
	struct calc_nothing nothing = {0};
	assert_int_equal(brine_client_notify(setup.client, call, METHOD(NOTE), &nothing), 0);
	assert_int_equal(brine_call_finish_as(call, METHOD(NOTE), &nothing), BRINE_ERR_INVALID);
	assert_int_equal(number.value, 7);
	setup_end(&setup);
}

static void items_of_another_method(void **state)
{
	struct setup setup;
	struct calc_number number = {3}, item = {-1};
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_call *call = &setup.call;
	assert_int_equal(brine_client_begin(setup.client, call, STREAM(COUNT), &number), 0);
	for (int64_t i = 0; i < 3; i++) {
		expect_mix_up(call, brine_call_next_as(call, STREAM(DOUBLE), &item), "'count'", "'double'");
		expect_mix_up(call, brine_call_send_as(call, STREAM(SUM), &item), "'count'", "'sum'");
		expect_mix_up(call, brine_call_finish_as(call, STREAM(DOUBLE), NULL), "'count'", "'double'");
		assert_int_equal(item.value, i - 1);
		assert_int_equal(brine_call_next_as(call, STREAM(COUNT), &item), 1);
		assert_int_equal(item.value, i);
		assert_null(strstr(brine_call_error_text(call), "double"));
	}
	assert_int_equal(brine_call_next_as(call, STREAM(COUNT), &item), 0);
	assert_int_equal(brine_call_finish_as(call, STREAM(COUNT), NULL), 0);

	assert_int_equal(brine_client_begin(setup.client, call, STREAM(SUM), NULL), 0);
	for (int i = 0; i < 3; i++) {
		expect_mix_up(call, brine_call_send_as(call, STREAM(DOUBLE), &number), "'sum'", "'double'");
		assert_int_equal(brine_call_send_as(call, STREAM(SUM), &number), 0);
	}
	expect_mix_up(call, brine_call_finish_as(call, STREAM(DOUBLE), &item), "'sum'", "'double'");
	assert_int_equal(brine_call_send_as(call, STREAM(SUM), &number), 0);
	assert_int_equal(brine_call_finish_as(call, STREAM(SUM), &item), 0);
	assert_int_equal(item.value, 12);
	setup_end(&setup);
}

/* ---- requests ---- */

/* A handler that leaves its request to the test's own thread. */
static int leave_to_test(const void *handlers, struct brine_request *request, const void *message, void *response,
                         void *user)
{
	(void)handlers;
	(void)message;
	(void)response;
	atomic_store((_Atomic(struct brine_request *) *)user, request);
	return BRINE_PENDING;
}

static const struct brine_method left_methods[] = {
        {"left/plain", &calc_number_type, &calc_number_type, 0, leave_to_test},
        {"left/both", &calc_number_type, &calc_number_type, STREAMS_BOTH, leave_to_test},
};
static const struct brine_service left_service = {BRINE_ABI, "left.Left", left_methods, 2};

static struct brine_request *await_left(_Atomic(struct brine_request *) *left)
{
	struct brine_request *request;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (!(request = atomic_exchange(left, NULL))) {
		if (brine_clock_ms() > deadline_ms)
			fail_msg("no request came");
		sched_yield();
	}
	return request;
}

static void requests_of_another_method(void **state)
{
	_Atomic(struct brine_request *) left = NULL;
	struct setup setup;
	struct calc_number number = {5}, item = {-1};
	streams_prepare(&setup.streams, state, OVER_UNIX, NULL);
	struct host *host = &setup.streams.host;
	assert_int_equal(brine_server_serve(host->server, &left_service, NULL, &left, NULL), 0);
	host_launch(host);
	setup.client = client_of(host->address, NULL);
	setup.call = (struct brine_call)BRINE_CALL_INIT;
	struct brine_call *call = &setup.call;
	/* What is begun goes out at once then. */
	assert_int_equal(brine_client_connect(setup.client, 0, NULL), 0);

	assert_int_equal(brine_client_begin(setup.client, call, &left_methods[0], &number), 0);
	struct brine_request *request = await_left(&left);
	assert_int_equal(brine_request_reply_as(request, METHOD(CHECK), &number), BRINE_ERR_INVALID);
	assert_int_equal(brine_request_reply_as(request, &left_methods[0], &number), 0);
	assert_int_equal(brine_call_finish_as(call, &left_methods[0], &item), 0);
	assert_int_equal(item.value, 5);
	expect_in(host->log, "'left/plain' of unix:");
	expect_in(host->log, ": calc.Calc/Check");

	assert_int_equal(brine_client_begin(setup.client, call, &left_methods[1], NULL), 0);
	request = await_left(&left);
	assert_int_equal(brine_call_send_as(call, &left_methods[1], &number), 0);
	item.value = -1;
	assert_int_equal(brine_request_next_as(request, STREAM(SUM), &item), BRINE_ERR_INVALID);
	assert_int_equal(item.value, -1);
	assert_int_equal(brine_request_next_as(request, &left_methods[1], &item), 1);
	assert_int_equal(item.value, 5);
	assert_int_equal(brine_request_send_as(request, STREAM(COUNT), &number), BRINE_ERR_INVALID);
	assert_int_equal(brine_request_send_as(request, &left_methods[1], &number), 0);
	assert_int_equal(brine_request_reply_as(request, STREAM(DOUBLE), NULL), BRINE_ERR_INVALID);
	assert_int_equal(brine_request_reply_as(request, &left_methods[1], NULL), 0);
	assert_int_equal(brine_call_next_as(call, &left_methods[1], &item), 1);
	assert_int_equal(brine_call_next_as(call, &left_methods[1], &item), 0);
	expect_in(host->log, ": sum");
	expect_in(host->log, ": count");
	expect_in(host->log, ": double");
	setup_end(&setup);
}

/* ---- the text of what was refused ---- */

/* Makes a call that fails and has a text of its own. */
static void fail_first(struct setup *setup)
{
	struct calc_number number = {555};
	assert_int_equal(brine_client_call(setup->client, &setup->call, METHOD(REFUSE), &number, &number),
	                 BRINE_ERR_REMOTE);
	expect_text(&setup->call, "refused\\n555");
}

/* It could not begin: that is how it ended, and nothing is left of the one before. */
static void expect_not_begun(struct setup *setup, int status, const char *why)
{
	struct brine_call *call = &setup->call;
	struct calc_number number = {7};
	assert_int_equal(status, BRINE_ERR_INVALID);
	expect_text(call, why);
	assert_int_equal(brine_call_status(call), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_code(call), 0);
	assert_int_equal(brine_call_error_data(call).size + brine_call_result(call).size, 0);
	assert_int_equal(brine_call_wait(call, PATIENCE_MS), 0);
	assert_int_equal(brine_call_finish(call, &number), BRINE_ERR_INVALID);
	assert_int_equal(number.value, 7);
	expect_text(call, why);
	fail_first(setup);
}

static void calls_that_could_not_begin(void **state)
{
	struct setup setup;
	struct calc_pair pair = {1, 2};
	struct calc_number number;
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_client *client = setup.client;
	struct brine_call *call = &setup.call;
	struct brine_bytes none = {NULL, 0}, missing = {NULL, 5};
	fail_first(&setup);
	expect_not_begun(&setup, brine_client_call(NULL, call, METHOD(ADD), &pair, &number), "client is NULL");
	expect_not_begun(&setup, brine_client_call(client, call, NULL, &pair, &number), "method is NULL");
	expect_not_begun(&setup, brine_client_call(client, call, METHOD(ADD), NULL, &number), "request is NULL");
	expect_not_begun(&setup, brine_client_begin(NULL, call, METHOD(ADD), &pair), "client is NULL");
	expect_not_begun(&setup, brine_client_begin(client, call, NULL, &pair), "method is NULL");
	expect_not_begun(&setup, brine_client_begin(client, call, METHOD(ADD), NULL), "request is NULL");
	expect_not_begun(&setup, brine_client_notify(NULL, call, METHOD(NOTE), &pair), "client is NULL");
	expect_not_begun(&setup, brine_client_notify(client, call, NULL, &pair), "method is NULL");
	expect_not_begun(&setup, brine_client_notify(client, call, METHOD(NOTE), NULL), "request is NULL");
	expect_not_begun(&setup, brine_client_call_raw(client, call, NULL, none), "method is NULL");
	expect_not_begun(&setup, brine_client_begin_raw(NULL, call, "add", none), "client is NULL");
	expect_not_begun(&setup, brine_client_notify_raw(client, call, "add", missing), "params are NULL");
	expect_not_begun(&setup, brine_client_begin_raw(client, call, "", none), "method name of 0 bytes");
	/* Streams of a call that could not begin say how it ended, too. */
	assert_int_equal(brine_client_begin(NULL, call, STREAM(DOUBLE), NULL), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_next_as(call, STREAM(DOUBLE), &number), BRINE_ERR_INVALID);
	expect_text(call, "client is NULL");
	setup_end(&setup);
}

/* Nothing of such a struct is touched. */
static void calls_of_another_version(void **state)
{
	struct setup setup;
	struct calc_pair pair = {1, 2};
	struct calc_number number = {7};
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_call *call = &setup.call;
	fail_first(&setup);
	uint32_t size = call->struct_size;
	call->struct_size = 8;
	const struct brine_call before = *call;
	assert_int_equal(brine_client_call(setup.client, call, METHOD(ADD), &pair, &number), BRINE_ERR_INVALID);
	expect_text(call, "struct_size");
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(ADD), &pair), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_finish(call, &number), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_finish_as(call, METHOD(ADD), &number), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_next(call, &number), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_send(call, &number), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_wait(call, 0), BRINE_ERR_INVALID);
	assert_int_equal(brine_call_status(call), BRINE_ERR_INVALID);
	brine_call_done(call);
	assert_memory_equal(call, &before, sizeof before);
	call->struct_size = size;
	expect_text(call, "refused\\n555");
	setup_end(&setup);
}

static void a_call_that_runs_is_left_alone(void **state)
{
	struct setup setup;
	struct calc_nothing nothing = {0};
	struct calc_number number = {9};
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_client *client = setup.client;
	struct brine_call *call = &setup.call;
	struct brine_bytes none = {NULL, 0};
	fail_first(&setup);
	assert_int_equal(brine_client_begin(client, call, METHOD(HOLD), &nothing), 0);
	expect_text(call, "the call is running");
	assert_int_equal(brine_client_call(client, call, METHOD(RELEASE), &number, NULL), BRINE_ERR_BUSY);
	expect_text(call, "runs already");
	assert_int_equal(brine_client_begin(client, call, METHOD(RELEASE), &number), BRINE_ERR_BUSY);
	assert_int_equal(brine_client_notify_raw(client, call, "x", none), BRINE_ERR_BUSY);
	/* Nor by what else is wrong with it. */
	assert_int_equal(brine_client_begin(NULL, call, NULL, NULL), BRINE_ERR_BUSY);
	assert_int_equal(brine_call_wait(call, 1), BRINE_ERR_DEADLINE);
	expect_text(call, "deadline");
	assert_int_equal(brine_call_next(call, &number), BRINE_ERR_STATE);
	expect_text(call, "no such stream");
	assert_int_equal(brine_call_flush(call), BRINE_ERR_STATE);
	expect_text(call, "no such stream");
	assert_int_equal(brine_client_call(client, NULL, METHOD(RELEASE), &number, NULL), 0);
	number.value = 0;
	assert_int_equal(brine_call_finish_as(call, METHOD(HOLD), &number), 0);
	assert_int_equal(number.value, 9);
	assert_string_equal(brine_call_error_text(call), "success");
	brine_call_done(call);
	assert_int_equal(brine_call_finish(call, &number), BRINE_ERR_STATE);
	expect_text(call, "not made");
	assert_int_equal(brine_call_wait(call, 0), BRINE_ERR_STATE);
	assert_int_equal(brine_call_end_upload(call), BRINE_ERR_STATE);
	expect_text(call, "not made");
	setup_end(&setup);
}

static void a_loop_waits_for_nothing(void **state)
{
	struct setup setup;
	struct calc_nothing nothing = {0};
	setup_start(&setup, state, BRINE_CLIENT_LOOP);
	struct brine_call *call = &setup.call;
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(HOLD), &nothing), 0);
	assert_int_equal(brine_call_finish_as(call, METHOD(HOLD), &nothing), BRINE_ERR_WOULD_BLOCK);
	expect_text(call, "blocking");
	assert_int_equal(brine_call_wait(call, 1), BRINE_ERR_WOULD_BLOCK);
	expect_text(call, "blocking");
	brine_call_cancel(call);
	assert_int_equal(brine_call_finish(call, NULL), BRINE_ERR_CANCELLED);
	assert_string_equal(brine_call_error_text(call), "cancelled");
	assert_int_equal(brine_client_begin(setup.client, call, STREAM(DOUBLE), NULL), 0);
	assert_int_equal(brine_call_next_as(call, STREAM(DOUBLE), &nothing), BRINE_ERR_WOULD_BLOCK);
	expect_text(call, "blocking");
	setup_end(&setup);
}

static void never_ready(struct brine_call *call, void *user)
{
	(void)call;
	(void)user;
}

static void items_that_were_refused(void **state)
{
	struct setup setup;
	struct calc_number number = {1};
	struct calc_blob blob = {{NULL, 5}};
	static const struct brine_method blobs = {"sum", &calc_blob_type, &calc_number_type, BRINE_METHOD_UPLOAD, NULL};
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	struct brine_call *call = &setup.call;
	assert_int_equal(brine_client_begin(setup.client, call, &blobs, NULL), 0);
	assert_int_equal(brine_call_send_as(call, &blobs, &blob), BRINE_ERR_INVALID);
	expect_text(call, "field data");
	assert_int_equal(brine_call_send_as(call, &blobs, NULL), BRINE_ERR_INVALID);
	expect_text(call, "item is NULL");
	assert_int_equal(brine_call_send_raw(call, (struct brine_bytes){NULL, 0}), BRINE_ERR_INVALID);
	expect_text(call, "invalid argument");
	assert_int_equal(brine_call_send_raw(call, BRINE_BYTES("\x05", 1)), 0);
	assert_int_equal(brine_call_end_upload(call), 0);
	assert_int_equal(brine_call_send_raw(call, BRINE_BYTES("\x05", 1)), BRINE_ERR_STATE);
	assert_int_equal(brine_call_wait(call, PATIENCE_MS), 0);
	assert_int_equal(brine_call_send_raw(call, BRINE_BYTES("\x05", 1)), BRINE_ERR_STATE);
	expect_text(call, "answered already");
	assert_int_equal(brine_call_finish_as(call, &blobs, &number), 0);
	assert_int_equal(number.value, 5);
	assert_string_equal(brine_call_error_text(call), "success");

	call->on_ready = never_ready;
	assert_int_equal(brine_client_begin(setup.client, call, STREAM(DOUBLE), NULL), 0);
	assert_int_equal(brine_call_next_as(call, STREAM(DOUBLE), &number), BRINE_ERR_WOULD_BLOCK);
	expect_text(call, "on_ready tells");
	assert_int_equal(brine_call_next_as(call, STREAM(DOUBLE), NULL), BRINE_ERR_INVALID);
	expect_text(call, "item is NULL");
	setup_end(&setup);
}

/* Its callback runs in another thread until the test has seen that the call is in use. */
struct slow {
	atomic_bool runs, may_end;
};

static void slow_done(struct brine_call *call, void *user)
{
	struct slow *slow = user;
	(void)call;
	atomic_store(&slow->runs, true);
	while (!atomic_load(&slow->may_end))
		sched_yield();
}

static void a_call_whose_callback_runs(void **state)
{
	struct setup setup;
	struct slow slow = {false, false};
	struct calc_pair pair = {1, 2};
	setup_start(&setup, state, BRINE_CLIENT_BACKGROUND);
	struct brine_call *call = &setup.call;
	call->on_done = slow_done;
	call->user = &slow;
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(ADD), &pair), 0);
	while (!atomic_load(&slow.runs))
		sched_yield();
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(ADD), &pair), BRINE_ERR_BUSY);
	expect_text(call, "callback");
	atomic_store(&slow.may_end, true);
	setup_end(&setup);
}

static int refused_in_child(struct brine_call *call, struct brine_client *client)
{
	struct calc_nothing nothing = {0};
	if (brine_call_finish(call, NULL) != BRINE_ERR_FORKED || !strstr(brine_call_error_text(call), "process"))
		return 1;
	brine_call_done(call);
	if (brine_client_begin(client, call, METHOD(HOLD), &nothing) != BRINE_ERR_FORKED ||
	    !strstr(brine_call_error_text(call), "process"))
		return 2;
	return brine_call_finish_as(call, METHOD(HOLD), NULL) == BRINE_ERR_FORKED ? 0 : 3;
}

static void a_forked_child_is_told(void **state)
{
	struct setup setup;
	int status = -1;
	setup_start(&setup, state, BRINE_CLIENT_BLOCKING);
	fail_first(&setup);
	pid_t child = fork();
	if (child == 0)
		_exit(refused_in_child(&setup.call, setup.client));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	expect_text(&setup.call, "refused\\n555");
	setup_end(&setup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(a_response_of_another_method),
	        e2e_test(a_refused_call_keeps_its_error),
	        e2e_test(methods_are_told_by_what_they_say),
	        e2e_test(what_was_begun_untyped),
	        e2e_test(items_of_another_method),
	        e2e_test(requests_of_another_method),
	        e2e_test(calls_that_could_not_begin),
	        e2e_test(calls_of_another_version),
	        e2e_test(a_call_that_runs_is_left_alone),
	        e2e_test(a_loop_waits_for_nothing),
	        e2e_test(items_that_were_refused),
	        e2e_test(a_call_whose_callback_runs),
	        e2e_test(a_forked_child_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
