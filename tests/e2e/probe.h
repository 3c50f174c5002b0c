/* probe.h - a well-behaved framed client in a thread of its own, which must be served as if nothing else happened. */
#ifndef BRINE_TESTS_PROBE_H
#define BRINE_TESTS_PROBE_H

#include "e2e/harness.h"

enum { PROBE_CALLS_LEAST = 100 };

struct probe {
	const char *address;
	atomic_bool stop;
	int calls, failures;
	pthread_t thread;
};

static inline void *probe_run(void *argument)
{
	struct probe *probe = argument;
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	if (brine_client_open(&client, probe->address, NULL, NULL) < 0)
		return NULL;
	while (!atomic_load(&probe->stop) || probe->calls < PROBE_CALLS_LEAST) {
		int64_t sum;
		if (calc_call_add(client, &call, probe->calls, 1, &sum) < 0 || sum != probe->calls + 1)
			probe->failures++;
		probe->calls++;
		if (probe->calls % 10 == 0)
			poll(NULL, 0, 1); /* leaves others some of the machine */
	}
	brine_call_done(&call);
	brine_client_free(client);
	return NULL;
}

static inline void probe_begin(struct probe *probe, const char *address)
{
	*probe = (struct probe){.address = address};
	assert_int_equal(pthread_create(&probe->thread, NULL, probe_run, probe), 0);
}

/* Lets it make the calls it has to make at least; none may have failed. */
static inline void probe_end(struct probe *probe)
{
	atomic_store(&probe->stop, true);
	pthread_join(probe->thread, NULL);
	assert_int_equal(probe->failures, 0);
	assert_in_range(probe->calls, PROBE_CALLS_LEAST, INT32_MAX);
}

#endif
