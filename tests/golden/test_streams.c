/* Proves: the generated functions of streams fit together over a real connection: uploads, downloads and both at once,
 * more items than there is credit for; the handlers in event form, on the server's loop. */
#include "everything.brine.h"

#include "e2e/harness.h"

enum { ITEMS = 2000 };

/* What a handler keeps while its call runs: all of it on the server's loop. */
struct stream {
	bool has_item; /* not sent yet */
	uint32_t next;
	uint64_t sum;
	struct everything_scalars item;
};

/* Handlers run on one thread, one stream at a time is enough. */
struct service {
	struct stream stream;
	unsigned waits; /* how often there was nothing to take, or no room */
};

/* What a step says: BRINE_PENDING, or how the call ends. */
static int report(struct service *service, int status)
{
	if (status != BRINE_ERR_WOULD_BLOCK)
		return status;
	service->waits++;
	return BRINE_PENDING;
}

static int upload_step(struct brine_request *request, struct service *service)
{
	struct everything_scalars item;
	int status;
	while ((status = everything_upload_request_next(request, &item)) > 0)
		service->stream.sum += item.u64;
	return report(service, status);
}

static void upload_ready(struct brine_request *request, void *user)
{
	struct service *service = user;
	int status = upload_step(request, service);
	if (status == 0)
		everything_upload_reply(request, &(struct everything_empty){0});
	else if (status < 0)
		brine_request_fail(request, BRINE_CODE_FAILED, "upload: %s", brine_error_text(status));
}

static int upload(struct brine_request *request, struct everything_empty *response, void *user)
{
	struct service *service = user;
	(void)response;
	service->stream = (struct stream){0};
	brine_request_on_ready(request, upload_ready, service);
	return upload_step(request, service);
}

/* Items of a size that the server does not hold all of. */
static int download_step(struct brine_request *request, struct service *service)
{
	static const char blob[1000];
	int status = 0;
	while (service->stream.next < ITEMS && status == 0) {
		struct parts_v1_part part = {service->stream.next, {blob, sizeof blob}};
		status = everything_download_request_send(request, &part);
		service->stream.next += status == 0;
	}
	return report(service, status);
}

static void download_ready(struct brine_request *request, void *user)
{
	int status = download_step(request, user);
	if (status == 0)
		everything_download_reply(request);
	else if (status < 0)
		brine_request_fail(request, BRINE_CODE_FAILED, "download: %s", brine_error_text(status));
}

static int download(struct brine_request *request, const struct everything_empty *message, void *user)
{
	struct service *service = user;
	(void)message;
	service->stream = (struct stream){0};
	brine_request_on_ready(request, download_ready, service);
	return download_step(request, service);
}

/* Sends back twice what came. */
static int chat_step(struct brine_request *request, struct service *service)
{
	struct stream *stream = &service->stream;
	for (int status;;) {
		if (!stream->has_item && (status = everything_chat_request_next(request, &stream->item)) <= 0)
			return report(service, status);
		stream->item.u64 *= stream->has_item ? 1 : 2;
		stream->has_item = true;
		if ((status = everything_chat_request_send(request, &stream->item)) < 0)
			return report(service, status);
		stream->has_item = false;
	}
}

static void chat_ready(struct brine_request *request, void *user)
{
	int status = chat_step(request, user);
	if (status == 0)
		everything_chat_reply(request);
	else if (status < 0)
		brine_request_fail(request, BRINE_CODE_FAILED, "chat: %s", brine_error_text(status));
}

static int chat(struct brine_request *request, void *user)
{
	struct service *service = user;
	service->stream = (struct stream){0};
	brine_request_on_ready(request, chat_ready, service);
	return chat_step(request, service);
}

static const struct everything_handlers handlers = {.upload = upload, .download = download, .chat = chat};

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

static void an_upload(void **state)
{
	struct setup setup;
	struct everything_empty nothing;
	setup_start(&setup, state);
	assert_int_equal(everything_upload_open(setup.client, &setup.call), 0);
	for (uint64_t i = 1; i <= ITEMS; i++)
		assert_int_equal(everything_upload_send(&setup.call, &(struct everything_scalars){.u64 = i}), 0);
	assert_int_equal(everything_upload_close(&setup.call, &nothing), 0);
	setup_end(&setup);
	assert_int_equal(setup.service.stream.sum, (uint64_t)ITEMS * (ITEMS + 1) / 2);
	assert_true(setup.service.waits > 0);
}

static void a_download(void **state)
{
	struct setup setup;
	struct parts_v1_part part;
	setup_start(&setup, state);
	assert_int_equal(everything_download_open(setup.client, &setup.call, &(struct everything_empty){0}), 0);
	for (uint32_t i = 0; i < ITEMS; i++) {
		assert_int_equal(everything_download_next(&setup.call, &part), 1);
		assert_int_equal(part.serial, i);
	}
	assert_int_equal(everything_download_next(&setup.call, &part), 0);
	assert_int_equal(everything_download_close(&setup.call), 0);
	setup_end(&setup);
	assert_true(setup.service.waits > 0);
}

static void a_download_left_early(void **state)
{
	struct setup setup;
	struct parts_v1_part part;
	setup_start(&setup, state);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(everything_download_open(setup.client, &setup.call, &(struct everything_empty){0}), 0);
		assert_int_equal(everything_download_next(&setup.call, &part), 1);
		assert_int_equal(everything_download_close(&setup.call), BRINE_ERR_CANCELLED);
	}
	setup_end(&setup);
	assert_true(setup.service.stream.next < ITEMS);
}

static void items_both_ways(void **state)
{
	struct setup setup;
	struct everything_scalars item = {0};
	setup_start(&setup, state);
	assert_int_equal(everything_chat_open(setup.client, &setup.call), 0);
	for (uint64_t i = 1; i <= ITEMS; i++) {
		assert_int_equal(everything_chat_send(&setup.call, &(struct everything_scalars){.u64 = i}), 0);
		assert_int_equal(everything_chat_next(&setup.call, &item), 1);
		assert_int_equal(item.u64, 2 * i);
	}
	assert_int_equal(brine_call_end_upload(&setup.call), 0);
	assert_int_equal(everything_chat_next(&setup.call, &item), 0);
	assert_int_equal(everything_chat_close(&setup.call), 0);
	setup_end(&setup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(an_upload),
	        e2e_test(a_download),
	        e2e_test(a_download_left_early),
	        e2e_test(items_both_ways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
