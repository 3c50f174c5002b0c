/* scenario.h - a short life of a server and a client that touches most of both, for tests in which anything may fail.
 * Whatever fails must come back as a named error; a scenario never takes as long as a deadline. */
#ifndef BRINE_TESTS_SCENARIO_H
#define BRINE_TESTS_SCENARIO_H

#include "harness.h"

enum {
	SCENARIO_STEPS_MAX = 32,
	SCENARIO_TIMEOUT_MS = PATIENCE_MS, /* reaching it is a hang */
	SCENARIO_LINGER_MS = 50,           /* a broken connection may use it up */
};

struct scenario {
	char listen[ADDRESS_SIZE];
	const struct brine_allocator *server_allocator, *client_allocator;
	struct host host;
	pthread_mutex_t lock;
	bool gone;                        /* the server has ended by itself, and was released */
	int setup;                        /* how making the server went */
	int statuses[SCENARIO_STEPS_MAX]; /* of the client's steps */
	int steps;
	bool wrong_answer; /* a call succeeded with a wrong answer */
	/* For other lives than the usual one; zero: that. */
	const struct scenario_kind *kind;
};

/* What a life has beside the calc service, and does in place of the usual calls. */
struct scenario_kind {
	int mode; /* of the client */
	const struct brine_server_interceptor *server_interceptor;
	const struct brine_client_interceptor *client_interceptor;
	int (*serve)(struct scenario *scenario);
	void (*call)(struct scenario *scenario, struct brine_client *client, struct brine_call *call);
};

/* A server that cannot go on is released at once, as a program would do: its peers see the end. */
static inline void *scenario_serve_run(void *argument)
{
	struct scenario *scenario = argument;
	scenario->host.result = brine_server_run(scenario->host.server, NULL);
	if (scenario->host.result < 0) {
		pthread_mutex_lock(&scenario->lock);
		scenario->gone = true;
		brine_server_free(scenario->host.server);
		pthread_mutex_unlock(&scenario->lock);
	}
	return NULL;
}

static inline void scenario_serve_end(struct scenario *scenario)
{
	pthread_mutex_lock(&scenario->lock);
	if (!scenario->gone)
		brine_server_stop(scenario->host.server);
	pthread_mutex_unlock(&scenario->lock);
	host_join(&scenario->host);
	if (!scenario->gone)
		brine_server_free(scenario->host.server);
}

static inline int scenario_serve(struct scenario *scenario)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct host *host = &scenario->host;
	options.allocator = scenario->server_allocator;
	options.limits.linger_ms = SCENARIO_LINGER_MS;
	options.name = "scenario";
	options.memory_max = (size_t)64 << 20;
	*host = (struct host){.log_is_clean = true};
	options.log = host_log;
	options.log_user = host;
	if (scenario->kind) {
		options.interceptors = scenario->kind->server_interceptor;
		options.interceptor_count = 1;
	}
	int status = brine_server_new(&host->server, &options);
	if (status < 0)
		return status;
	host->calc.server = host->server;
	status = brine_server_serve(host->server, &calc_service, host, &host->calc, NULL);
	if (status == 0 && scenario->kind)
		status = scenario->kind->serve(scenario);
	if (status == 0)
		status = brine_server_listen(host->server, scenario->listen, NULL);
	if (status < 0) {
		brine_server_free(host->server);
		return status;
	}
	snprintf(host->address, sizeof host->address, "%s", brine_server_address(host->server, 0));
	scenario->gone = false;
	pthread_mutex_init(&scenario->lock, NULL);
	assert_int_equal(pthread_create(&host->thread, NULL, scenario_serve_run, scenario), 0);
	return 0;
}

static inline int step(struct scenario *scenario, int status)
{
	scenario->statuses[scenario->steps++] = status;
	return status;
}

static inline void scenario_calls(struct scenario *scenario, struct brine_client *client, struct brine_call *call)
{
	struct calc_order order = {.id = 7, .symbol = BRINE_STR("ACME")}, answer;
	struct calc_number number = {4711};
	struct calc_blob blob;
	int64_t sum;
	if (step(scenario, calc_call_add(client, call, 2, 3, &sum)) == 0)
		scenario->wrong_answer |= sum != 5;
	if (step(scenario, brine_client_call(client, call, &calc_methods[CALC_ECHO], &order, &answer)) == 0)
		scenario->wrong_answer |= answer.id != 7 || !brine_str_equal(answer.symbol, order.symbol);
	int status = step(scenario, brine_client_call(client, call, &calc_methods[CALC_REFUSE], &number, NULL));
	if (status == 0)
		scenario->wrong_answer = true;
	step(scenario, brine_client_notify(client, call, &calc_methods[CALC_NOTE], &(struct calc_nothing){0}));
	number.value = 100000;
	if (step(scenario, brine_client_call(client, call, &calc_methods[CALC_MAKE], &number, &blob)) == 0)
		scenario->wrong_answer |= blob.data.size != 100000;
	status = step(scenario, brine_client_call_raw(client, call, "nobody", BRINE_BYTES(NULL, 0)));
	if (status == 0)
		scenario->wrong_answer = true;
}

/* Runs it; the server has ended and everything is released afterwards. */
static inline void scenario_run(struct scenario *scenario)
{
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.allocator = scenario->client_allocator;
	options.name = "scenario";
	options.timeout_ms = SCENARIO_TIMEOUT_MS;
	options.backoff_first_ms = options.backoff_most_ms = 1;
	options.limits.linger_ms = SCENARIO_LINGER_MS;
	if (scenario->kind) {
		options.mode = scenario->kind->mode;
		options.interceptors = scenario->kind->client_interceptor;
		options.interceptor_count = 1;
	}
	scenario->steps = 0;
	scenario->wrong_answer = false;
	scenario->setup = scenario_serve(scenario);
	if (scenario->setup < 0)
		return;
	if (step(scenario, brine_client_open(&client, scenario->host.address, &options, NULL)) == 0) {
		(scenario->kind ? scenario->kind->call : scenario_calls)(scenario, client, &call);
		brine_client_free(client);
	}
	brine_call_done(&call);
	scenario_serve_end(scenario);
}

/* What must hold whatever failed. */
static inline void scenario_check(const struct scenario *scenario, const char *what)
{
	assert_false(scenario->wrong_answer);
	for (int i = 0; i < scenario->steps; i++) {
		int status = scenario->statuses[i];
		if (status > 0 || status == BRINE_ERR_DEADLINE ||
		    strcmp(brine_error_name(status), "BRINE_ERR_UNKNOWN") == 0)
			fail_msg("%s: step %d ended with %d", what, i, status);
	}
}

#endif
