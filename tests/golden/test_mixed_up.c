/* Proves: O01 every generated function of another method than that of its call or request is refused, over a real
 * connection: nothing is written, and the right function works afterwards. */
#include "everything.brine.h"

#include "e2e/harness.h"

/* What the handlers, on the server's loop, were told by functions of other methods. */
struct service {
	int reply, next, send, end;
};

static int echo(struct brine_request *request, const struct everything_scalars *message,
                struct everything_scalars *response, void *user)
{
	struct service *service = user;
	(void)response;
	service->reply = everything_tell_reply(request, &(struct everything_empty){0});
	everything_echo_reply(request, message);
	return BRINE_PENDING;
}

static int upload(struct brine_request *request, struct everything_empty *response, void *user)
{
	struct service *service = user;
	(void)response;
	service->next = everything_chat_request_next(request, &(struct everything_scalars){0});
	return 0;
}

static int download(struct brine_request *request, const struct everything_empty *message, void *user)
{
	struct service *service = user;
	(void)message;
	service->send = everything_chat_request_send(request, &(struct everything_scalars){.u64 = 1});
	service->end = everything_chat_reply(request);
	return everything_download_request_send(request, &(struct parts_v1_part){.serial = 7});
}

static const struct everything_handlers handlers = {.echo = echo, .upload = upload, .download = download};

struct setup {
	struct host host;
	struct service service;
	struct brine_client *client;
	struct brine_call call;
};

static void setup_start(struct setup *setup, void **state)
{
	*setup = (struct setup){.call = BRINE_CALL_INIT};
	host_prepare(&setup->host, state, OVER_UNIX, NULL);
	assert_int_equal(everything_serve(setup->host.server, &handlers, &setup->service, NULL), 0);
	host_launch(&setup->host);
	setup->client = client_of(setup->host.address, NULL);
	setup->call.timeout_ms = PATIENCE_MS;
}

static void setup_end(struct setup *setup)
{
	brine_call_done(&setup->call);
	brine_client_free(setup->client);
	host_stop(&setup->host);
}

static void expect_mix_up(const struct brine_call *call, int status, const char *begun, const char *asked)
{
	assert_int_equal(status, BRINE_ERR_INVALID);
	expect_in(brine_call_error_text(call), begun);
	expect_in(brine_call_error_text(call), asked);
}

/* The response that is begun is larger than the one that is taken. */
static void a_call(void **state)
{
	struct setup setup;
	struct everything_scalars in = {.u64 = 77, .text = BRINE_STR("hello")}, out = {0};
	struct everything_empty *small = calloc(1, sizeof *small);
	setup_start(&setup, state);
	struct brine_call *call = &setup.call;
	assert_int_equal(everything_echo_begin(setup.client, call, &in), 0);
	expect_mix_up(call, everything_tell_finish(call, small), "Everything/Echo'", "Everything/Tell'");
	expect_mix_up(call, everything_upload_close(call, small), "Everything/Echo'", "Everything/Upload'");
	assert_int_equal(small->unused, 0);
	assert_int_equal(everything_echo_finish(call, &out), 0);
	assert_int_equal(out.u64, 77);
	setup_end(&setup);
	assert_int_equal(setup.service.reply, BRINE_ERR_INVALID);
	free(small);
}

static void an_upload(void **state)
{
	struct setup setup;
	struct everything_scalars item = {.u64 = 1};
	struct everything_empty nothing;
	setup_start(&setup, state);
	struct brine_call *call = &setup.call;
	assert_int_equal(everything_upload_open(setup.client, call), 0);
	expect_mix_up(call, everything_chat_send(call, &item), "Everything/Upload'", "Everything/Chat'");
	expect_mix_up(call, everything_chat_close(call), "Everything/Upload'", "Everything/Chat'");
	assert_int_equal(everything_upload_close(call, &nothing), 0);
	setup_end(&setup);
	assert_int_equal(setup.service.next, BRINE_ERR_INVALID);
}

static void a_download(void **state)
{
	struct setup setup;
	struct parts_v1_part part;
	struct everything_scalars item = {.u64 = 5};
	setup_start(&setup, state);
	struct brine_call *call = &setup.call;
	assert_int_equal(everything_download_open(setup.client, call, &(struct everything_empty){0}), 0);
	expect_mix_up(call, everything_chat_next(call, &item), "Everything/Download'", "Everything/Chat'");
	expect_mix_up(call, everything_chat_close(call), "Everything/Download'", "Everything/Chat'");
	assert_int_equal(item.u64, 5);
	assert_int_equal(everything_download_next(call, &part), 1);
	assert_int_equal(part.serial, 7);
	assert_int_equal(everything_download_next(call, &part), 0);
	assert_int_equal(everything_download_close(call), 0);
	setup_end(&setup);
	assert_int_equal(setup.service.send, BRINE_ERR_INVALID);
	assert_int_equal(setup.service.end, BRINE_ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(a_call),
	        e2e_test(an_upload),
	        e2e_test(a_download),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
