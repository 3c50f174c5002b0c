/* Proves G04 for clients and servers: with any option or limit of either at its least legal value, and at the next one,
 * no call hangs, a cancelled one ends at once, and the server stops in order. Where the value is not one that refuses
 * or ends things by itself, everything succeeds as it does with the defaults. So it does with any time at its most. A
 * failure names the option. */
#include "streaming.h"

enum {
	NUMBERS = 40,   /* items of each stream */
	LINGER_MS = 20, /* a connection that broke may use it up */
	STOP_WITHIN_MS = 10000,
};

enum effect {
	HARMLESS, /* everything succeeds */
	NARROW,   /* things may be refused, or end with an error, at once */
	TIMES,    /* things may take too long for it */
};

enum owner { CLIENT, SERVER };

struct option {
	const char *name;
	size_t offset, size; /* in struct brine_client_options or brine_server_options */
	uint64_t least;
	enum owner owner;
	enum effect effect, effect_next; /* at the least value, at the next one */
};

#define OPTION(type, owner, field, least, effect, effect_next)                                                         \
	{                                                                                                              \
#field, offsetof(struct type, field), sizeof(((struct type *)NULL)->field), least, owner, effect,      \
		        effect_next                                                                                    \
	}
#define OF_CLIENT(field, least, effect, effect_next)                                                                   \
	OPTION(brine_client_options, CLIENT, field, least, effect, effect_next)
#define OF_SERVER(field, least, effect, effect_next)                                                                   \
	OPTION(brine_server_options, SERVER, field, least, effect, effect_next)
#define OF_BOTH(field, least, effect, effect_next)                                                                     \
	OF_CLIENT(field, least, effect, effect_next), OF_SERVER(field, least, effect, effect_next)

/* 0 stands for another value in some: the least is then 1. */
static const struct option options[] = {
        OF_CLIENT(timeout_ms, 1, TIMES, TIMES),
        OF_CLIENT(calls_max, 0, HARMLESS, HARMLESS),
        OF_CLIENT(calls_max, 1, HARMLESS, HARMLESS),
        OF_CLIENT(queue_max, 0, HARMLESS, HARMLESS),
        OF_CLIENT(connect_timeout_ms, 1, TIMES, TIMES),
        OF_CLIENT(backoff_first_ms, 0, HARMLESS, HARMLESS),
        OF_CLIENT(backoff_most_ms, 0, HARMLESS, HARMLESS),
        OF_CLIENT(keepalive_ms, 0, HARMLESS, TIMES),
        OF_CLIENT(keepalive_ms, 1, TIMES, TIMES),
        OF_SERVER(connections_max, 0, NARROW, HARMLESS),
        OF_SERVER(loops, 1, HARMLESS, HARMLESS),
        OF_SERVER(workers, 1, HARMLESS, HARMLESS),
        OF_SERVER(worker_queue_max, 0, HARMLESS, HARMLESS),
        OF_BOTH(thread_stack_size, 0, HARMLESS, HARMLESS),
        OF_SERVER(memory_max, 1 << 20, HARMLESS, HARMLESS),
        OF_SERVER(connection_age_max_ms, 0, HARMLESS, NARROW),
        OF_SERVER(connection_age_max_ms, 1, NARROW, NARROW),
        OF_SERVER(drain_ms, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.message_size_max, 1024, HARMLESS, HARMLESS),
        OF_BOTH(limits.depth_max, 4, HARMLESS, HARMLESS),
        OF_BOTH(limits.calls_max, 1, NARROW, NARROW), /* those beyond are refused while the peer does not know it */
        OF_BOTH(limits.method_size_max, 1, NARROW, NARROW),
        OF_BOTH(limits.options_count_max, 0, NARROW, NARROW),
        OF_BOTH(limits.metadata_size_max, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.error_text_size_max, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.control_answers_max, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.output_mark, 1, HARMLESS, HARMLESS),
        OF_BOTH(limits.head_timeout_ms, 0, HARMLESS, NARROW),
        OF_BOTH(limits.head_timeout_ms, 1, NARROW, NARROW),
        OF_BOTH(limits.progress_interval_ms, 0, HARMLESS, NARROW),
        OF_BOTH(limits.progress_interval_ms, 1, NARROW, NARROW),
        OF_BOTH(limits.progress_size, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.stuck_output_ms, 0, HARMLESS, NARROW),
        OF_BOTH(limits.stuck_output_ms, 1, NARROW, NARROW),
        OF_BOTH(limits.idle_timeout_ms, 0, HARMLESS, NARROW),
        OF_BOTH(limits.idle_timeout_ms, 1, NARROW, NARROW),
        OF_BOTH(limits.linger_ms, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.linger_size, 0, HARMLESS, HARMLESS),
        OF_BOTH(limits.stall_timeout_ms, 0, HARMLESS, NARROW),
        OF_BOTH(limits.stall_timeout_ms, 1, NARROW, NARROW),
};
enum { OPTIONS = sizeof options / sizeof options[0] };

struct run {
	const struct option *option;
	uint64_t value;
	enum effect effect;
	char what[128];
	struct brine_client_options client_options;
	struct brine_server_options server_options;
	struct streams streams;
	struct brine_client *client;
	int steps; /* checked so far: a run that did nothing proves nothing */
};

/* One thing the client did. expected: where nothing is in its way. */
static void expect(struct run *run, const char *step, int status, int expected)
{
	run->steps++;
	bool hung = status == BRINE_ERR_DEADLINE && run->effect != TIMES;
	bool is_named = status <= 0 && strcmp(brine_error_name(status), "BRINE_ERR_UNKNOWN") != 0;
	bool is_right = run->effect == HARMLESS ? status == expected : is_named;
	if (hung || !is_right)
		fail_msg("%s: %s: %s", run->what, step, brine_error_name(status));
}

static void set(struct run *run)
{
	char *base = run->option->owner == CLIENT ? (char *)&run->client_options : (char *)&run->server_options;
	void *field = base + run->option->offset;
	if (run->option->size == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)run->value;
	else
		*(uint64_t *)field = run->value;
}

/* ---- what the client does ---- */

/* Several calls at once, of which the first is never answered and cancelled. */
static void calls_at_once(struct run *run)
{
	struct brine_call hold = BRINE_CALL_INIT, calls[3];
	struct calc_pair pair = {2, 3};
	struct calc_number sum;
	int begun = brine_client_begin(run->client, &hold, &calc_methods[CALC_HOLD], &(struct calc_nothing){0});
	memset(calls, 0, sizeof calls);
	brine_call_cancel(&hold);
	expect(run, "a cancelled call", begun < 0 ? begun : brine_call_finish(&hold, NULL), BRINE_ERR_CANCELLED);
	for (int i = 0; i < 3; i++) {
		int status = brine_client_begin(run->client, &calls[i], &calc_methods[CALC_ADD], &pair);
		/* Over calls_max of the client, and nothing may wait. */
		bool refused = status == BRINE_ERR_OVERLOADED &&
		               run->option->offset == offsetof(struct brine_client_options, queue_max);
		if (!refused && status < 0)
			expect(run, "a call begun", status, 0);
	}
	for (int i = 0; i < 3; i++) {
		expect(run, "one of three calls", brine_call_finish(&calls[i], &sum), 0);
		brine_call_done(&calls[i]);
	}
	brine_call_done(&hold);
}

static void ordinary_calls(struct run *run)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_order order = {.id = 7, .symbol = BRINE_STR("ACME")}, echoed;
	struct calc_number number = {500};
	struct calc_blob blob;
	int status = brine_client_call(run->client, &call, &calc_methods[CALC_ECHO], &order, &echoed);
	expect(run, "echo", status, 0);
	expect(run, "refuse", brine_client_call(run->client, &call, &calc_methods[CALC_REFUSE], &number, NULL),
	       BRINE_ERR_REMOTE);
	expect(run, "make", brine_client_call(run->client, &call, &calc_methods[CALC_MAKE], &number, &blob), 0);
	expect(run, "notify",
	       brine_client_notify(run->client, &call, &calc_methods[CALC_NOTE], &(struct calc_nothing){0}), 0);
	brine_call_done(&call);
}

/* Reads a stream that a worker writes. */
static void download(struct run *run)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number number = {NUMBERS};
	int items = 0;
	int status = brine_client_begin(run->client, &call, &streams_methods[1], &number);
	while (status >= 0 && (status = brine_call_next(&call, &number)) > 0)
		items++;
	expect(run, "a download", status, 0);
	expect(run, "the items of a download", status == 0 && items != NUMBERS ? BRINE_ERR_STATE : status, 0);
	brine_call_done(&call);
}

/* Sends a stream and reads another one, item by item. */
static void both_ways(struct run *run)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_number doubled;
	int status = brine_client_begin(run->client, &call, &streams_methods[3], NULL);
	for (struct calc_number number = {1}; number.value <= NUMBERS && status >= 0; number.value++) {
		status = brine_call_send(&call, &number);
		if (status == 0)
			status = brine_call_next(&call, &doubled);
		if (status == 1 && doubled.value != 2 * number.value)
			fail_msg("%s: a wrong item", run->what);
	}
	if (status >= 0)
		status = brine_call_end_upload(&call);
	if (status == 0)
		status = brine_call_next(&call, &doubled);
	expect(run, "streams both ways", status, 0);
	brine_call_done(&call);
}

/* ---- a run ---- */

static void stop_in_time(struct run *run)
{
	uint64_t began_ms = brine_clock_ms();
	calc_let_go(&run->streams.host.calc);
	host_stop(&run->streams.host);
	if (brine_clock_ms() - began_ms > STOP_WITHIN_MS)
		fail_msg("%s: the server took %u ms to stop", run->what, (unsigned)(brine_clock_ms() - began_ms));
}

static void run_once(void **state, enum over kind, int mode, const struct option *option, uint64_t value,
                     enum effect effect)
{
	static struct run run;
	run = (struct run){.option = option,
	                   .value = value,
	                   .effect = effect,
	                   .client_options = BRINE_CLIENT_OPTIONS_INIT,
	                   .server_options = BRINE_SERVER_OPTIONS_INIT};
	snprintf(run.what, sizeof run.what, "%s = %llu of the %s (%s)", option->name, (unsigned long long)value,
	         option->owner == CLIENT ? "client" : "server",
	         mode == BRINE_CLIENT_BLOCKING ? "blocking" : "background");
	run.client_options.mode = mode;
	run.client_options.timeout_ms = PATIENCE_MS;
	run.client_options.backoff_first_ms = run.client_options.backoff_most_ms = 1;
	run.client_options.limits.linger_ms = run.server_options.limits.linger_ms = LINGER_MS;
	run.server_options.drain_ms = 1000;
	set(&run);
	streams_start(&run.streams, state, kind, &run.server_options);
	run.client = client_of(run.streams.host.address, &run.client_options);
	calls_at_once(&run);
	ordinary_calls(&run);
	download(&run);
	both_ways(&run);
	brine_client_free(run.client);
	assert_in_range(run.steps, 11, 14);
	stop_in_time(&run);
}

static void G04_each_option_at_its_least_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++)
		for (int i = 0; i < OPTIONS; i++) {
			run_once(state, kind, mode, &options[i], options[i].least, options[i].effect);
			run_once(state, kind, mode, &options[i], options[i].least + 1, options[i].effect_next);
		}
}
DEFINE_BOTH(G04_each_option_at_its_least)

/* Some have two rows. */
static bool is_new_time(int option)
{
	const char *name = options[option].name;
	for (int i = 0; i < option; i++)
		if (options[i].offset == options[option].offset && options[i].owner == options[option].owner)
			return false;
	return strcmp(name + strlen(name) - 3, "_ms") == 0;
}

/* Added to what the clock says they must not come before it. */
static void each_time_at_its_most_over(void **state, enum over kind)
{
	int times = 0;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++)
		for (int i = 0; i < OPTIONS; i++) {
			times += is_new_time(i);
			for (uint64_t less = 0; is_new_time(i) && less < 2; less++)
				run_once(state, kind, mode, &options[i], UINT64_MAX - less, HARMLESS);
		}
	assert_int_equal(times, 2 * 19);
}
DEFINE_BOTH(each_time_at_its_most)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(G04_each_option_at_its_least), BOTH(each_time_at_its_most)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
