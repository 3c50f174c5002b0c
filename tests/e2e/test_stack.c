/* Proves G18: what the library itself needs of a thread's stack, found by painting it, in all kinds of threads that it
 * runs in; and that the threads that it starts get the size that was asked for. The whole suite runs on small stacks as
 * well (CMakeLists.txt). */
#include "scenario.h"
#include "stacks.h"
#include "streaming.h"

#include <netdb.h>

enum { STACK_SIZE = 1 << 20 };

/* What README.md and limits.h promise; sanitizers and unoptimised builds need more. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || !defined __OPTIMIZE__ || defined __clang__
enum { NEEDED_MOST = 128 * 1024, PARSING_MOST = NEEDED_MOST };
#else
enum { NEEDED_MOST = 24 * 1024, PARSING_MOST = 5 * 1024 };
#endif

struct job {
	void **state;
	enum over kind;
	void (*run)(struct job *job);
};

static void *job_run(void *argument)
{
	struct job *job = argument;
	job->run(job);
	return NULL;
}

/* In a painted thread, all of whose threads are painted. Returns what the one with the deepest stack used. */
static size_t measure(struct job *job, size_t *ret_count)
{
	pthread_attr_t attributes;
	pthread_t thread;
	stacks_paint(true);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	assert_int_equal(pthread_create(&thread, &attributes, job_run, job), 0);
	pthread_attr_destroy(&attributes);
	pthread_join(thread, NULL);
	stacks_paint(false);
	size_t used = stacks_most_used(ret_count);
	stacks_forget();
	return used;
}

static void do_nothing(struct job *job)
{
	(void)job;
}

/* What a thread costs that does nothing. */
static size_t base_of_all(void)
{
	struct job job = {.run = do_nothing};
	size_t count;
	return measure(&job, &count);
}

static void expect_used_most(const char *what, size_t used, size_t count, size_t threads_least, size_t most)
{
	size_t base = base_of_all();
	printf("%s: %zu bytes of stack, beside %zu of any thread; %zu threads\n", what, used - base, base, count);
	assert_true(count >= threads_least);
	assert_in_range(used - base, 512, most);
}

static void expect_used(const char *what, size_t used, size_t count, size_t threads_least)
{
	expect_used_most(what, used, count, threads_least, NEEDED_MOST);
}

/* ---- what is measured ---- */

static struct scenario scenario;
static struct streams streams;

/* A server and a client in a life that touches most of both. */
static void live(struct job *job)
{
	scenario = (struct scenario){0};
	address_over(job->state, job->kind, scenario.listen);
	scenario_run(&scenario);
}

static void live_over(void **state, enum over kind)
{
	struct job job = {.state = state, .kind = kind, .run = live};
	size_t count, used = measure(&job, &count);
	assert_int_equal(scenario.setup, 0);
	expect_used("calls", used, count, 2);
}
DEFINE_BOTH(live)

static int take_all(struct brine_call *call)
{
	struct calc_number number;
	int status;
	while ((status = brine_call_next(call, &number)) > 0)
		;
	return status;
}

/* Workers, a second loop, a client in the background, callbacks, streams. */
static void stream(struct job *job)
{
	struct brine_server_options server_options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options client_options = BRINE_CLIENT_OPTIONS_INIT;
	struct calc_number number = {100};
	server_options.loops = 2;
	client_options.mode = BRINE_CLIENT_BACKGROUND;
	streams_start(&streams, job->state, job->kind, &server_options);
	for (int i = 0; i < 4; i++) {
		struct brine_client *client = client_of(streams.host.address, &client_options);
		struct brine_call call = BRINE_CALL_INIT;
		if (brine_client_begin(client, &call, &streams_methods[1], &number) < 0 || take_all(&call) < 0)
			abort();
		if (brine_client_begin(client, &call, &streams_methods[3], NULL) < 0 ||
		    brine_call_send(&call, &number) < 0 || brine_call_end_upload(&call) < 0 || take_all(&call) < 0)
			abort();
		brine_call_done(&call);
		brine_client_free(client);
	}
	host_stop(&streams.host);
}

static void stream_over(void **state, enum over kind)
{
	struct job job = {.state = state, .kind = kind, .run = stream};
	size_t count, used = measure(&job, &count);
	expect_used("streams, workers, the background", used, count, 6);
}
DEFINE_BOTH(stream)

/* Arguments and results as deep as they may be: reading and writing them recurses. */
struct nest {
	const struct nest *inner;
};
static const struct brine_type nest_type;
static const struct brine_field nest_fields[] = {BRINE_FIELD_POINTER(struct nest, 1, inner, &nest_type)};
static const struct brine_type nest_type = BRINE_TYPE(struct nest, "calc.Nest", BRINE_LAYOUT_ARRAY, nest_fields);

enum { NEST_DEPTH = 28 }; /* the most that the writer allows */

static int nest_echo(const void *handlers, struct brine_request *request, const void *message, void *response,
                     void *user)
{
	(void)handlers;
	(void)request;
	(void)user;
	*(struct nest *)response = *(const struct nest *)message;
	return 0;
}

static const struct brine_method nest_methods[] = {
        {"nest", &nest_type, &nest_type, 0, nest_echo},
        {"nest/worker", &nest_type, &nest_type, BRINE_METHOD_BLOCKING, nest_echo}};
static const struct brine_service nest_service = {BRINE_ABI, "calc.Nests", nest_methods, 2};

static int nest_depth; /* that came back */

static void nest(struct job *job)
{
	static struct host host;
	static struct nest chain[NEST_DEPTH];
	struct brine_call call = BRINE_CALL_INIT;
	struct nest back;
	for (int i = 0; i < NEST_DEPTH - 1; i++)
		chain[i].inner = &chain[i + 1];
	host_prepare(&host, job->state, job->kind, NULL);
	if (brine_server_serve(host.server, &nest_service, &host, NULL, NULL) < 0)
		abort();
	host_launch(&host);
	struct brine_client *client = client_of(host.address, NULL);
	nest_depth = 0;
	for (int i = 0; i < 2; i++) {
		int status = brine_client_call(client, &call, &nest_methods[i], &chain[0], &back);
		for (const struct nest *at = status < 0 ? NULL : &back; at; at = at->inner)
			nest_depth++;
		/* One level too many. */
		struct nest more = {&chain[0]};
		if (brine_client_call(client, &call, &nest_methods[i], &more, &back) == 0)
			abort();
	}
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&host);
}

static void deep_messages_over(void **state, enum over kind)
{
	struct job job = {.state = state, .kind = kind, .run = nest};
	size_t count, used = measure(&job, &count);
	assert_int_equal(nest_depth, 2 * NEST_DEPTH);
	expect_used("deep messages", used, count, 3);
}
DEFINE_BOTH(deep_messages)

/* A request with options and metadata: two maps, each of which is searched for keys that come twice. */
static void parse(struct job *job)
{
	static const uint8_t message[] = "\x95\x00\x01\xa1m\x90\x82\xa3ttl\x05\xa2md\x81\xa1x\x01";
	static const struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_frame frame;
	struct brine_judgement judgement;
	(void)job;
	if (brine_frame_parse(&frame, BRINE_BYTES(message, sizeof message - 1), BRINE_WIRE_FRAMED, &limits, &judgement,
	                      NULL) < 0 ||
	    frame.options.ttl_ms != 5 || frame.options.metadata.size != 4)
		abort();
}

static void parsing(void **state)
{
	(void)state;
	struct job job = {.run = parse};
	size_t count, used = measure(&job, &count);
	expect_used_most("parsing", used, count, 1, PARSING_MOST);
}

/* ---- sizes ---- */

static void serve_once(void **state, size_t stack_size)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options client_options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number number = {10};
	options.thread_stack_size = client_options.thread_stack_size = stack_size;
	client_options.mode = BRINE_CLIENT_BACKGROUND;
	streams_start(&streams, state, OVER_UNIX, &options);
	struct brine_client *client = client_of(streams.host.address, &client_options);
	assert_int_equal(brine_client_begin(client, &call, &streams_methods[1], &number), 0);
	assert_int_equal(take_all(&call), 0);
	brine_call_done(&call);
	brine_client_free(client);
	host_stop(&streams.host);
}

/* The last thread is the worker's, or the client's: both have the size. */
static void options_choose_the_size(void **state)
{
	serve_once(state, 0);
	size_t usual = stacks_last_size();
	serve_once(state, 1);
	size_t least = stacks_last_size();
	serve_once(state, BRINE_THREAD_STACK_LEAST);
	assert_int_equal(stacks_last_size(), least);
	serve_once(state, (size_t)4 << 20);
	size_t big = stacks_last_size();
	assert_true(usual >= BRINE_THREAD_STACK_SIZE && usual < 6 * BRINE_THREAD_STACK_SIZE);
	assert_true(least >= BRINE_THREAD_STACK_LEAST && least < usual);
	assert_true(big >= (size_t)4 << 20 && big > usual);
}

/* More than there is: as if there were no threads, but nothing wraps around. */
static void a_size_without_sense_is_refused(void **state)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	int64_t sum;
	options.mode = BRINE_CLIENT_BACKGROUND;
	options.thread_stack_size = SIZE_MAX;
	options.timeout_ms = 1000;
	(void)state;
	struct brine_client *client = client_of("unix://@brine-test-nobody", &options);
	assert_in_range(-calc_call_add(client, NULL, 1, 2, &sum), 1, 1000);
	brine_client_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(live),
	        BOTH(stream),
	        BOTH(deep_messages),
	        e2e_test(parsing),
	        e2e_test(options_choose_the_size),
	        e2e_test(a_size_without_sense_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
