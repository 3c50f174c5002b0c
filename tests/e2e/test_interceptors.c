/* Proves: interceptors of both sides are enough for logging, metrics and authentication: a client's gives every call
 * its credentials, a server's refuses who has none, tells the handler who calls, and another one knows of each call who
 * made it, how it ended and how long it took. Handlers run on the loop, and on workers. */
#include "harness.h"

#include <brine/metadata.h>

static const char whose; /* its address is the key */
static const char since;

struct record {
	char method[32], who[32];
	int status;
	int64_t code;
	uint64_t began_ms;
};

struct audited {
	struct host host;
	pthread_mutex_t lock;
	struct record records[16];
	int count;
	const char *token; /* the client's; NULL: none */
};

/* ---- the server's ---- */

static int authenticate(struct brine_request *request, void *user)
{
	struct brine_str token;
	(void)user;
	if (!brine_metadata_find(brine_request_metadata(request), "token", &token))
		return brine_request_fail(request, BRINE_CODE_DENIED, "no token");
	if (!brine_str_equal(token, BRINE_STR("secret")))
		return brine_request_fail(request, BRINE_CODE_DENIED, "a wrong token");
	struct brine_str who = brine_request_printf(request, "alice of %.16s", brine_request_peer(request)->address);
	if (!who.data || brine_request_attach(request, &whose, (void *)(uintptr_t)who.data) < 0)
		return brine_request_fail(request, BRINE_CODE_OVERLOADED, "out of memory");
	return 0;
}

static int note_beginning(struct brine_request *request, void *user)
{
	uint64_t *began_ms = brine_request_alloc(request, sizeof *began_ms);
	(void)user;
	if (!began_ms || brine_request_attach(request, &since, began_ms) < 0)
		return brine_request_fail(request, BRINE_CODE_OVERLOADED, "out of memory");
	*began_ms = brine_clock_ms();
	return 0;
}

static void record_end(struct brine_request *request, int status, void *user)
{
	struct audited *audited = user;
	const char *who = brine_request_attached(request, &whose);
	const uint64_t *began_ms = brine_request_attached(request, &since);
	struct brine_str method = brine_request_method(request);
	pthread_mutex_lock(&audited->lock);
	struct record *record = &audited->records[audited->count++];
	snprintf(record->method, sizeof record->method, "%.*s", BRINE_ARG(method));
	snprintf(record->who, sizeof record->who, "%s", who ? who : "nobody");
	record->status = status;
	record->code = brine_request_code(request);
	record->began_ms = began_ms ? *began_ms : 0;
	pthread_mutex_unlock(&audited->lock);
}

/* Answers with who is calling, or with an error where the argument says so. */
static int greet(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct brine_buf out = BRINE_BUF_INIT;
	const char *who = brine_request_attached(request, &whose);
	(void)user;
	if (params.size > 1)
		return brine_request_fail(request, 1234, "not today");
	if (brine_pack_str(&out, who, strlen(who)) < 0)
		abort();
	int status = brine_request_reply_raw(request, brine_buf_bytes(&out));
	brine_buf_done(&out);
	return status;
}

/* ---- the client's ---- */

struct signer {
	const struct audited *audited;
	struct brine_buf metadata;
	atomic_int ended;
};

static int sign(struct brine_call *call, const char *method, void *user)
{
	struct signer *signer = user;
	(void)method;
	if (signer->audited->token)
		call->metadata = brine_buf_bytes(&signer->metadata);
	return 0;
}

static void count_end(struct brine_call *call, const char *method, int status, void *user)
{
	struct signer *signer = user;
	(void)method;
	if (status != brine_call_status(call))
		abort();
	atomic_fetch_add(&signer->ended, 1);
}

/* ---- together ---- */

static void expect_record(struct audited *audited, int number, const char *method, const char *who, int status,
                          int64_t code)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	int count;
	do {
		pthread_mutex_lock(&audited->lock);
		count = audited->count;
		pthread_mutex_unlock(&audited->lock);
		sched_yield();
	} while (count <= number && brine_clock_ms() < deadline_ms);
	assert_int_equal(count, number + 1);
	const struct record *record = &audited->records[number];
	assert_string_equal(record->method, method);
	assert_int_equal(strncmp(record->who, who, strlen(who)), 0);
	assert_int_equal(record->status, status);
	assert_int_equal(record->code, code);
	assert_in_range(record->began_ms, 1, brine_clock_ms());
}

static void logging_metrics_authentication_over(void **state, enum over kind)
{
	static struct audited audited;
	struct signer signer = {.audited = &audited, .metadata = BRINE_BUF_INIT};
	const struct brine_server_interceptor servers[] = {
	        {.before = note_beginning, .after = record_end, .user = &audited}, {.before = authenticate}};
	const struct brine_client_interceptor clients[] = {{sign, count_end, &signer}};
	struct brine_server_options server_options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	static const char *const methods[] = {"greet", "greet/worker"};
	struct brine_str text;
	int number = 0;
	audited = (struct audited){.lock = PTHREAD_MUTEX_INITIALIZER};
	server_options.interceptors = servers;
	server_options.interceptor_count = 2;
	host_prepare(&audited.host, state, kind, &server_options);
	for (int i = 0; i < 2; i++)
		assert_int_equal(brine_server_serve_raw_as(audited.host.server, methods[i],
		                                           i ? BRINE_METHOD_BLOCKING : 0, greet, NULL, NULL),
		                 0);
	host_launch(&audited.host);
	options.interceptors = clients;
	options.interceptor_count = 1;
	struct brine_client *client = client_of(audited.host.address, &options);
	for (int i = 0; i < 2; i++) {
		struct brine_call call = BRINE_CALL_INIT;
		audited.token = NULL;
		assert_int_equal(brine_client_call_raw(client, &call, methods[i], BRINE_BYTES("\x90", 1)),
		                 BRINE_ERR_REMOTE);
		assert_int_equal(brine_call_code(&call), BRINE_CODE_DENIED);
		expect_record(&audited, number++, methods[i], "nobody", BRINE_ERR_REMOTE, BRINE_CODE_DENIED);
		call.metadata = (struct brine_bytes){NULL, 0};
		audited.token = "secret";
		if (i == 0)
			assert_int_equal(brine_metadata_add(&signer.metadata, "token", brine_str_from(audited.token)),
			                 0);
		assert_int_equal(brine_client_call_raw(client, &call, methods[i], BRINE_BYTES("\x90", 1)), 0);
		struct brine_bytes result = brine_call_result(&call);
		text = (struct brine_str){(const char *)result.data + 1, result.size - 1};
		assert_true(text.size > 9 && memcmp(text.data, "alice of ", 9) == 0);
		expect_record(&audited, number++, methods[i], "alice of ", 0, 0);
		/* Its code is known; and nothing of the call before is left. */
		assert_int_equal(brine_client_call_raw(client, &call, methods[i], BRINE_BYTES("\x91\x01", 2)),
		                 BRINE_ERR_REMOTE);
		assert_int_equal(brine_call_code(&call), 1234);
		expect_record(&audited, number++, methods[i], "alice of ", BRINE_ERR_REMOTE, 1234);
		brine_call_done(&call);
	}
	assert_int_equal(atomic_load(&signer.ended), number);
	brine_client_free(client);
	brine_buf_done(&signer.metadata);
	host_stop(&audited.host);
}
DEFINE_BOTH(logging_metrics_authentication)

/* ---- answers ---- */

enum { LATER = 8 };

struct metered {
	struct host host;
	atomic_int answers, failures, afters;
	struct brine_request *_Atomic pending;
};

static void count_answer(struct brine_request *request, void *user)
{
	struct metered *metered = user;
	atomic_fetch_add(&metered->answers, 1);
	if (brine_request_code(request) == 1234)
		atomic_fetch_add(&metered->failures, 1);
}

static void count_after(struct brine_request *request, int status, void *user)
{
	(void)request;
	(void)status;
	atomic_fetch_add(&((struct metered *)user)->afters, 1);
}

static int refuse_some(struct brine_request *request, void *user)
{
	(void)user;
	return brine_request_method(request).size == 4 ? brine_request_fail(request, 1234, "not these") : 0;
}

static int keep(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	atomic_store(&((struct metered *)user)->pending, request);
	return BRINE_PENDING;
}

static int at_once(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	(void)user;
	return 0;
}

static struct brine_request *take_pending(struct metered *metered)
{
	struct brine_request *request;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (!(request = atomic_exchange(&metered->pending, NULL)) && brine_clock_ms() < deadline_ms)
		sched_yield();
	assert_non_null(request);
	return request;
}

/* Each answer is told once, whoever gives it: also one that comes later, and one that nobody waits for any more. */
static void answers_are_told_over(void **state, enum over kind)
{
	static struct metered metered;
	const struct brine_server_interceptor interceptors[] = {
	        {.answered = count_answer, .after = count_after, .user = &metered}, {.before = refuse_some}};
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	memset(&metered, 0, sizeof metered);
	options.interceptors = interceptors;
	options.interceptor_count = 2;
	host_prepare(&metered.host, state, kind, &options);
	struct brine_server *server = metered.host.server;
	assert_int_equal(brine_server_serve_raw(server, "later", keep, &metered, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "once!", at_once, NULL, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "none", at_once, NULL, NULL), 0);
	host_launch(&metered.host);
	struct brine_client *client = client_of(metered.host.address, NULL);
	assert_int_equal(brine_client_call_raw(client, &call, "once!", BRINE_BYTES("\x90", 1)), 0);
	assert_int_equal(atomic_load(&metered.answers), 1);
	assert_int_equal(brine_client_call_raw(client, &call, "none", BRINE_BYTES("\x90", 1)), BRINE_ERR_REMOTE);
	assert_int_equal(atomic_load(&metered.answers), 2);
	assert_int_equal(atomic_load(&metered.failures), 1);
	for (int i = 0; i < LATER; i++) {
		bool fails = i % 2, is_cancelled = i >= LATER / 2;
		assert_int_equal(brine_client_begin_raw(client, &call, "later", BRINE_BYTES("\x90", 1)), 0);
		struct brine_request *request = take_pending(&metered);
		assert_int_equal(atomic_load(&metered.answers), 2 + i);
		if (is_cancelled)
			brine_call_cancel(&call);
		if (fails)
			brine_request_fail(request, 1234, "later");
		else
			brine_request_reply_raw(request, (struct brine_bytes){NULL, 0});
		assert_int_equal(atomic_load(&metered.answers), 3 + i);
		int status = brine_call_finish(&call, NULL);
		assert_int_equal(status, is_cancelled ? BRINE_ERR_CANCELLED : fails ? BRINE_ERR_REMOTE : 0);
	}
	assert_int_equal(atomic_load(&metered.failures), 1 + LATER / 2);
	/* What no method takes is no request. */
	assert_int_equal(brine_client_call_raw(client, &call, "unknown", BRINE_BYTES("\x90", 1)), BRINE_ERR_REMOTE);
	assert_int_equal(atomic_load(&metered.answers), 2 + LATER);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&metered.host);
	assert_int_equal(atomic_load(&metered.afters), 2 + LATER);
}
DEFINE_BOTH(answers_are_told)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(logging_metrics_authentication), BOTH(answers_are_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
