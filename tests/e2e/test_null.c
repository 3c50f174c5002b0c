/* Proves: O02 NULL for every pointer of every public function, one at a time, of clients, servers, requests and text:
 * BRINE_ERR_INVALID, nothing and a neutral value, or what the header says. tests/tree/nulls.sh counts that each pointer
 * of each function is here, or in tests/unit/test_null.c. */
#include "harness.h"

#include <brine/text.h>

#define REFUSED(call) assert_int_equal(call, BRINE_ERR_INVALID)
#define METHOD(which) (&calc_methods[CALC_##which])

static const struct brine_bytes none = {NULL, 0}, missing = {NULL, 5};
static const struct brine_method both_ways = {"left", &calc_number_type, &calc_number_type,
                                              BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD, NULL};

/* ---- clients ---- */

static void opening_clients(void **state)
{
	static const char *const argv[] = {"/bin/false", NULL};
	struct brine_client *client;
	struct brine_error error;
	int ends[2];
	(void)state;
	REFUSED(brine_client_open(NULL, "unix:///x", NULL, &error));
	REFUSED(brine_client_open(&client, NULL, NULL, &error));
	expect_in(error.text, "address");
	assert_int_equal(brine_client_open(&client, "unix:///x", NULL, NULL), 0);
	brine_client_free(client);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	/* Also on error the descriptor is the client's. */
	REFUSED(brine_client_open_fd(NULL, ends[0], NULL, &error));
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
	assert_int_equal(brine_client_open_fd(&client, ends[1], NULL, NULL), 0);
	brine_client_free(client);
	REFUSED(brine_client_open_command(NULL, argv, NULL, NULL, &error));
	REFUSED(brine_client_open_command(&client, NULL, NULL, NULL, &error));
	static const struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
	static const struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	assert_int_equal(brine_client_open_command(&client, argv, NULL, &options, &error), 0);
	brine_client_free(client);
	assert_int_equal(brine_client_open_command(&client, argv, &command, NULL, NULL), 0);
	brine_client_free(client);
	brine_client_free(NULL);
}

static int raw_handler(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 0;
}

static void clients(void **state)
{
	struct brine_client *client = client_of("unix:///nowhere", NULL);
	struct brine_error error;
	struct calc_pair pair = {1, 2};
	struct calc_number number;
	(void)state;
	REFUSED(brine_client_serve(NULL, &calc_service, &error, &error, &error));
	REFUSED(brine_client_serve(client, NULL, &error, &error, &error));
	assert_int_equal(brine_client_serve(client, &calc_service, NULL, NULL, NULL), 0);
	REFUSED(brine_client_serve_raw(NULL, "x", raw_handler, NULL, &error));
	REFUSED(brine_client_serve_raw(client, "x", NULL, NULL, &error));
	assert_int_equal(brine_client_serve_raw(client, NULL, raw_handler, NULL, NULL), 0);
	REFUSED(brine_client_connect(NULL, 0, &error));
	assert_int_equal(error.code, BRINE_ERR_INVALID);
	assert_int_equal(brine_client_connect(client, 0, NULL), BRINE_ERR_CONNECT);
	REFUSED(brine_client_call(NULL, NULL, METHOD(ADD), &pair, &number));
	REFUSED(brine_client_call(client, NULL, NULL, &pair, &number));
	REFUSED(brine_client_call(client, NULL, METHOD(ADD), NULL, &number));
	assert_int_equal(brine_client_call(client, NULL, METHOD(ADD), &pair, &number), BRINE_ERR_CONNECT);
	assert_int_equal(brine_client_call(client, NULL, METHOD(ADD), &pair, NULL), BRINE_ERR_CONNECT);
	REFUSED(brine_client_call_raw(NULL, NULL, "x", none));
	REFUSED(brine_client_call_raw(client, NULL, NULL, none));
	REFUSED(brine_client_call_raw(client, NULL, "x", missing));
	REFUSED(brine_client_notify(NULL, NULL, METHOD(ADD), &pair));
	REFUSED(brine_client_notify(client, NULL, NULL, &pair));
	REFUSED(brine_client_notify(client, NULL, METHOD(ADD), NULL));
	assert_int_equal(brine_client_notify(client, NULL, METHOD(ADD), &pair), BRINE_ERR_CONNECT);
	REFUSED(brine_client_notify_raw(NULL, NULL, "x", none));
	REFUSED(brine_client_notify_raw(client, NULL, NULL, none));
	REFUSED(brine_client_notify_raw(client, NULL, "x", missing));
	REFUSED(brine_client_get_fd(NULL));
	REFUSED(brine_client_get_events(NULL));
	assert_int_equal(brine_client_get_timeout_ms(NULL), -1);
	REFUSED(brine_client_process(NULL));
	REFUSED(brine_client_completed_fd(NULL));
	assert_null(brine_client_completed(NULL));
	brine_client_free(client);
}

static void beginning(void **state)
{
	struct brine_client *client = client_of("unix:///nowhere", NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_pair pair = {1, 2};
	(void)state;
	REFUSED(brine_client_begin(NULL, &call, METHOD(ADD), &pair));
	REFUSED(brine_client_begin(client, NULL, METHOD(ADD), &pair));
	REFUSED(brine_client_begin(client, &call, NULL, &pair));
	REFUSED(brine_client_begin(client, &call, METHOD(ADD), NULL));
	/* A type that is not there. */
	static const struct brine_method bare = {"x", NULL, NULL, 0, NULL}, nameless = {.request = &calc_pair_type};
	REFUSED(brine_client_begin(client, &call, &bare, &pair));
	REFUSED(brine_client_begin(client, &call, &nameless, &pair));
	REFUSED(brine_client_begin_raw(NULL, &call, "x", none));
	REFUSED(brine_client_begin_raw(client, NULL, "x", none));
	REFUSED(brine_client_begin_raw(client, &call, NULL, none));
	REFUSED(brine_client_begin_raw(client, &call, "x", missing));
	call.metadata = missing;
	REFUSED(brine_client_begin_raw(client, &call, "x", none));
	brine_call_done(&call);
	brine_client_free(client);
}

/* ---- calls ---- */

static void no_call(void **state)
{
	struct calc_number number;
	struct brine_bytes item;
	(void)state;
	REFUSED(brine_call_finish(NULL, &number));
	REFUSED(brine_call_finish_as(NULL, METHOD(ADD), &number));
	REFUSED(brine_call_flush(NULL));
	REFUSED(brine_call_wait(NULL, 0));
	brine_call_cancel(NULL);
	REFUSED(brine_call_next(NULL, &number));
	REFUSED(brine_call_next_as(NULL, METHOD(ADD), &number));
	REFUSED(brine_call_next_raw(NULL, &item));
	REFUSED(brine_call_send(NULL, &number));
	REFUSED(brine_call_send_as(NULL, METHOD(ADD), &number));
	REFUSED(brine_call_send_raw(NULL, none));
	REFUSED(brine_call_end_upload(NULL));
	REFUSED(brine_call_status(NULL));
	assert_int_equal(brine_call_code(NULL), 0);
	assert_int_equal(brine_call_error_data(NULL).size, 0);
	REFUSED(brine_call_error_loads(NULL, &calc_number_type, &number));
	assert_string_equal(brine_call_error_text(NULL), "invalid argument");
	assert_int_equal(brine_call_result(NULL).size, 0);
	assert_int_equal(brine_call_metadata(NULL).size, 0);
	brine_call_done(NULL);
}

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
        {"left", &calc_number_type, &calc_number_type, BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD, leave_to_test},
        {"left/plain", &calc_number_type, &calc_number_type, 0, leave_to_test},
};
static const struct brine_service left_service = {BRINE_ABI, "left.Left", left_methods, 2};

struct setup {
	struct host host;
	_Atomic(struct brine_request *) left;
	struct brine_client *client;
	struct brine_call call;
};

static void setup_start(struct setup *setup, void **state)
{
	*setup = (struct setup){.call = BRINE_CALL_INIT};
	host_prepare(&setup->host, state, OVER_UNIX, NULL);
	assert_int_equal(brine_server_serve(setup->host.server, &left_service, NULL, &setup->left, NULL), 0);
	host_launch(&setup->host);
	setup->client = client_of(setup->host.address, NULL);
	/* What is begun goes out at once then. */
	assert_int_equal(brine_client_connect(setup->client, 0, NULL), 0);
}

static void setup_end(struct setup *setup)
{
	brine_call_done(&setup->call);
	brine_client_free(setup->client);
	host_stop(&setup->host);
}

static struct brine_request *await_left(struct setup *setup)
{
	struct brine_request *request;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (!(request = atomic_exchange(&setup->left, NULL))) {
		if (brine_clock_ms() > deadline_ms)
			fail_msg("no request came");
		sched_yield();
	}
	return request;
}

static void calls(void **state)
{
	struct setup setup;
	struct calc_number number = {555};
	setup_start(&setup, state);
	struct brine_call *call = &setup.call;
	assert_int_equal(brine_client_begin(setup.client, call, METHOD(REFUSE), &number), 0);
	REFUSED(brine_call_finish_as(call, NULL, &number));
	assert_int_equal(brine_call_finish_as(call, METHOD(REFUSE), NULL), BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_finish(call, NULL), BRINE_ERR_REMOTE);
	REFUSED(brine_call_error_loads(call, NULL, &number));
	REFUSED(brine_call_error_loads(call, &calc_pair_type, NULL));
	assert_int_equal(brine_client_begin(setup.client, call, &both_ways, NULL), 0);
	struct brine_request *request = await_left(&setup);
	REFUSED(brine_call_next(call, NULL));
	REFUSED(brine_call_next_as(call, NULL, &number));
	REFUSED(brine_call_next_as(call, &both_ways, NULL));
	REFUSED(brine_call_next_raw(call, NULL));
	REFUSED(brine_call_send(call, NULL));
	REFUSED(brine_call_send_as(call, NULL, &number));
	REFUSED(brine_call_send_as(call, &both_ways, NULL));
	REFUSED(brine_call_send_raw(call, missing));
	assert_int_equal(brine_call_send_as(call, &both_ways, &number), 0);
	brine_request_fail(request, 100, "enough");
	assert_int_equal(brine_call_next(call, &number), BRINE_ERR_REMOTE);
	setup_end(&setup);
}

/* ---- servers ---- */

static void servers(void **state)
{
	struct brine_server *server;
	struct brine_server_counters counters;
	struct brine_method_options options = BRINE_METHOD_OPTIONS_INIT;
	struct brine_error error;
	char address[ADDRESS_SIZE];
	REFUSED(brine_server_new(NULL, NULL));
	assert_int_equal(brine_server_new(&server, NULL), 0);
	REFUSED(brine_server_serve(NULL, &calc_service, &error, &error, &error));
	REFUSED(brine_server_serve(server, NULL, &error, &error, &error));
	assert_int_equal(brine_server_serve(server, &calc_service, NULL, NULL, NULL), 0);
	REFUSED(brine_server_serve_raw(NULL, "x", raw_handler, NULL, &error));
	REFUSED(brine_server_serve_raw(server, "x", NULL, NULL, &error));
	assert_int_equal(brine_server_serve_raw(server, NULL, raw_handler, NULL, NULL), 0);
	REFUSED(brine_server_serve_raw_as(NULL, "x", 0, raw_handler, NULL, &error));
	REFUSED(brine_server_serve_raw_as(server, "x", 0, NULL, NULL, &error));
	assert_int_equal(brine_server_serve_raw_as(server, NULL, 0, raw_handler, NULL, NULL), BRINE_ERR_EXISTS);
	REFUSED(brine_server_tune(NULL, "add", &options, &error));
	REFUSED(brine_server_tune(server, "add", NULL, &error));
	assert_int_equal(brine_server_tune(server, NULL, &options, NULL), 0);
	REFUSED(brine_server_listen(NULL, "unix:///x", &error));
	REFUSED(brine_server_listen(server, NULL, &error));
	assert_int_equal(brine_server_listen(server, address_over(state, OVER_TCP, address), NULL), 0);
	REFUSED(brine_server_listen_as(NULL, "unix:///x", NULL, &error));
	REFUSED(brine_server_listen_as(server, NULL, NULL, &error));
	assert_int_equal(brine_server_listen_as(server, address_over(state, OVER_UNIX, address), NULL, NULL), 0);
	assert_null(brine_server_address(NULL, 0));
	REFUSED(brine_server_run(NULL, &error));
	brine_server_counters(NULL, &counters);
	brine_server_counters(server, NULL);
	brine_server_stop(NULL);
	REFUSED(brine_server_get_fd(NULL));
	REFUSED(brine_server_get_events(NULL));
	assert_int_equal(brine_server_get_timeout_ms(NULL), -1);
	REFUSED(brine_server_process(NULL));
	brine_server_stop(server);
	assert_int_equal(brine_server_run(server, NULL), 0);
	brine_server_free(NULL);
	brine_server_free(server);
}

/* ---- requests ---- */

static void no_request(void **state)
{
	struct calc_number number;
	struct brine_bytes item;
	(void)state;
	assert_int_equal(brine_request_method(NULL).size, 0);
	assert_false(brine_request_is_notification(NULL));
	assert_true(brine_request_cancelled(NULL));
	REFUSED(brine_request_cancelled_fd(NULL));
	assert_int_equal(brine_request_remaining_ms(NULL), 0);
	assert_int_equal(brine_request_metadata(NULL).size, 0);
	assert_null(brine_request_peer(NULL));
	assert_null(brine_request_client(NULL));
	assert_null(brine_request_keep_client(NULL));
	REFUSED(brine_request_attach(NULL, &number, &number));
	assert_null(brine_request_attached(NULL, &number));
	assert_int_equal(brine_request_code(NULL), 0);
	assert_null(brine_request_alloc(NULL, 1));
	assert_null(brine_request_printf(NULL, "x").data);
	REFUSED(brine_request_fail(NULL, 100, "x"));
	REFUSED(brine_request_fail_data(NULL, 100, &calc_number_type, &number, "x"));
	REFUSED(brine_request_reply_raw(NULL, none));
	REFUSED(brine_request_reply(NULL, &number));
	REFUSED(brine_request_reply_as(NULL, METHOD(ADD), &number));
	REFUSED(brine_request_next(NULL, &number));
	REFUSED(brine_request_next_as(NULL, METHOD(ADD), &number));
	REFUSED(brine_request_next_raw(NULL, &item));
	REFUSED(brine_request_send(NULL, &number));
	REFUSED(brine_request_send_as(NULL, METHOD(ADD), &number));
	REFUSED(brine_request_send_raw(NULL, none));
	brine_request_on_ready(NULL, NULL, NULL);
}

static void requests(void **state)
{
	struct setup setup;
	struct calc_number number = {5};
	setup_start(&setup, state);
	assert_int_equal(brine_client_begin(setup.client, &setup.call, &left_methods[1], &number), 0);
	struct brine_request *request = await_left(&setup);
	/* Keys and values are the program's own. */
	assert_int_equal(brine_request_attach(request, NULL, &number), 0);
	assert_ptr_equal(brine_request_attached(request, NULL), &number);
	assert_int_equal(brine_request_attach(request, NULL, NULL), 0);
	assert_null(brine_request_printf(request, NULL).data);
	brine_request_on_ready(request, NULL, &number);
	/* All of these leave it open. */
	REFUSED(brine_request_fail(request, 100, NULL));
	REFUSED(brine_request_fail_data(request, 100, NULL, &number, "x"));
	REFUSED(brine_request_fail_data(request, 100, &calc_number_type, NULL, "x"));
	REFUSED(brine_request_fail_data(request, 100, &calc_number_type, &number, NULL));
	REFUSED(brine_request_reply_raw(request, missing));
	REFUSED(brine_request_reply(request, NULL));
	REFUSED(brine_request_reply_as(request, NULL, &number));
	REFUSED(brine_request_reply_as(request, &left_methods[1], NULL));
	assert_int_equal(brine_request_reply_as(request, &left_methods[1], &number), 0);
	assert_int_equal(brine_call_finish(&setup.call, NULL), 0);

	assert_int_equal(brine_client_begin(setup.client, &setup.call, &left_methods[0], NULL), 0);
	request = await_left(&setup);
	assert_int_equal(brine_call_send(&setup.call, &number), 0);
	REFUSED(brine_request_next(request, NULL));
	REFUSED(brine_request_next_as(request, NULL, &number));
	REFUSED(brine_request_next_as(request, &left_methods[0], NULL));
	REFUSED(brine_request_next_raw(request, NULL));
	assert_int_equal(brine_request_next(request, &number), 1);
	REFUSED(brine_request_send(request, NULL));
	REFUSED(brine_request_send_as(request, NULL, &number));
	REFUSED(brine_request_send_as(request, &left_methods[0], NULL));
	REFUSED(brine_request_send_raw(request, missing));
	assert_int_equal(brine_request_reply(request, NULL), 0);
	setup_end(&setup);
}

/* ---- text ---- */

static void no_text(void **state)
{
	struct brine_text_piece piece;
	struct brine_text *text;
	struct brine_error error;
	FILE *file;
	(void)state;
	REFUSED(brine_text_open(NULL, "unix:///x", "w", NULL, &error));
	REFUSED(brine_text_open(&file, NULL, "w", NULL, &error));
	REFUSED(brine_text_open(&file, "unix:///x", NULL, NULL, &error));
	assert_int_equal(brine_text_open(&file, "unix:///nowhere", "w", NULL, &error), BRINE_ERR_CONNECT);
	REFUSED(brine_text_connect(NULL, "unix:///x", BRINE_TEXT_WRITE, NULL, &error));
	REFUSED(brine_text_connect(&text, NULL, BRINE_TEXT_WRITE, NULL, &error));
	brine_text_close(NULL);
	REFUSED(brine_text_send(NULL, "stdout", "x", 1));
	REFUSED(brine_text_signal(NULL, 1));
	REFUSED(brine_text_end(NULL, 0, 0, 0));
	REFUSED(brine_text_receive(NULL, &piece));
	assert_null(brine_text_ending(NULL));
	assert_string_equal(brine_text_source(NULL), "");
	assert_null(brine_text_peer(NULL));
	assert_null(brine_text_listener_address(NULL));
	REFUSED(brine_text_accept(NULL, &text, 0, &error));
	brine_text_listener_stop(NULL);
	brine_text_listener_free(NULL);
	brine_text_limits(NULL);
	assert_int_equal(brine_text_restore(NULL), 0);
}

static void text_services(void **state)
{
	static const struct brine_text_handlers handlers;
	struct brine_text_service *service;
	struct brine_server *server;
	struct brine_error error;
	(void)state;
	assert_int_equal(brine_server_new(&server, NULL), 0);
	REFUSED(brine_text_serve(NULL, server, &handlers, NULL, &error));
	REFUSED(brine_text_serve(&service, NULL, &handlers, NULL, &error));
	REFUSED(brine_text_serve(&service, server, NULL, NULL, &error));
	assert_int_equal(brine_text_serve(&service, server, &handlers, NULL, NULL), 0);
	brine_server_free(server);
	brine_text_service_free(service);
	brine_text_service_free(NULL);
}

static void conversations(void **state)
{
	struct brine_text_listener *listener;
	struct brine_text_redirect *redirect;
	struct brine_text *ours, *theirs;
	struct brine_text_piece piece;
	struct brine_error error;
	char address[ADDRESS_SIZE];
	FILE *file;
	address_over(state, OVER_UNIX, address);
	REFUSED(brine_text_listen(NULL, address, NULL, &error));
	REFUSED(brine_text_listen(&listener, NULL, NULL, &error));
	assert_int_equal(brine_text_listen(&listener, address, NULL, NULL), 0);
	assert_int_equal(brine_text_connect(&ours, address, BRINE_TEXT_WRITE, NULL, NULL), 0);
	REFUSED(brine_text_accept(listener, NULL, PATIENCE_MS, &error));
	assert_int_equal(brine_text_accept(listener, &theirs, PATIENCE_MS, NULL), 0);
	REFUSED(brine_text_file(NULL, ours, "w", NULL, NULL, &error));
	REFUSED(brine_text_file(&file, NULL, "w", NULL, NULL, &error));
	REFUSED(brine_text_file(&file, ours, NULL, NULL, NULL, &error));
	static const struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	assert_int_equal(brine_text_file(&file, ours, "w", NULL, &options, &error), 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(brine_text_file(&file, ours, "w", "stdout", NULL, NULL), 0);
	assert_int_equal(fclose(file), 0);
	REFUSED(brine_text_send(ours, "stdout", NULL, 1));
	assert_int_equal(brine_text_send(ours, NULL, "x", 1), 0);
	REFUSED(brine_text_receive(theirs, NULL));
	assert_int_equal(brine_text_receive(theirs, &piece), 1);
	REFUSED(brine_text_redirect(NULL, ours, BRINE_TEXT_STDOUT, NULL, &error));
	REFUSED(brine_text_redirect(&redirect, NULL, BRINE_TEXT_STDOUT, NULL, &error));
	REFUSED(brine_text_redirect(&redirect, ours, 0, NULL, NULL));
	brine_text_close(theirs);
	brine_text_close(ours);
	brine_text_listener_free(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(opening_clients), e2e_test(clients),       e2e_test(beginning),     e2e_test(no_call),
	        e2e_test(calls),           e2e_test(servers),       e2e_test(no_request),    e2e_test(requests),
	        e2e_test(no_text),         e2e_test(text_services), e2e_test(conversations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
