/* Proves: clients and servers that are home to the parents of each other's calls, while many threads begin chains and
 * give them up at any time, neither hang nor lose an end. */
#include "nesting.h"

enum {
	OWN_MS = 60000,
	CROSSING_MS = 1500,
	CROSSING_DEPTH = 6,
	CROSSING_THREADS = 4,
};

/* Two servers, each with a client, which are asked in turn: server 1, client 1, server 2, client 2, server 1 ... */
struct crossing {
	struct brine_server *servers[2];
	struct brine_client *clients[2];
	pthread_t threads[2];
	atomic_int live; /* handlers that have not answered */
	atomic_int leaves, cut, answered, refused;
	atomic_bool over;
	atomic_int wrong;
};

static struct crossing crossing;

struct bounce {
	struct brine_call call;
	struct brine_request *request;
};

static void bounced(struct brine_call *call, void *user)
{
	struct bounce *bounce = user;
	struct brine_request *request = bounce->request;
	int status = brine_call_finish(call, NULL);
	if (status == BRINE_ERR_CANCELLED && brine_request_cancelled(request))
		atomic_fetch_add(&crossing.cut, 1);
	brine_call_done(call);
	free(bounce);
	(void)(status < 0 ? brine_request_fail(request, 1000, "%d", status) : nest_reply(request, 0));
	atomic_fetch_sub(&crossing.live, 1);
}

/* Whoever waits at the end of a chain is let go by nothing but its cancellation. */
static void end_leaf(struct brine_request *request, void *user)
{
	(void)user;
	if (!brine_request_cancelled(request))
		return;
	brine_request_fail(request, 100, "nobody waits");
	atomic_fetch_sub(&crossing.live, 1);
}

/* user: the client to ask; NULL: the caller. */
static int bounce(struct brine_request *request, struct brine_bytes params, void *user)
{
	int64_t depth = nest_number(params);
	struct nest_params less;
	if (depth == 0)
		return nest_reply(request, 0);
	atomic_fetch_add(&crossing.live, 1);
	if (depth == 1) {
		atomic_fetch_add(&crossing.leaves, 1);
		brine_request_on_ready(request, end_leaf, NULL);
		return BRINE_PENDING;
	}
	struct bounce *next = calloc(1, sizeof *next);
	struct brine_client *client = user ? *(struct brine_client **)user : brine_request_client(request);
	next->call = (struct brine_call){.parent = request, .on_done = bounced, .user = next};
	next->request = request;
	int status = client ? brine_client_begin_raw(client, &next->call, "bounce", nest_params(&less, depth - 1))
	                    : BRINE_ERR_LOST;
	if (status == 0)
		return BRINE_PENDING;
	atomic_fetch_add(&crossing.refused, 1);
	brine_call_done(&next->call);
	free(next);
	atomic_fetch_sub(&crossing.live, 1);
	return brine_request_fail(request, 1000, "%d", status);
}

/* Begins chains and gives them up, one way or the other, at any time. */
static void *cross(void *argument)
{
	uint64_t random = 7 + *(const unsigned *)argument;
	struct brine_client *client = crossing.clients[*(const unsigned *)argument % 2];
	struct brine_call call = BRINE_CALL_INIT;
	while (!atomic_load(&crossing.over)) {
		struct nest_params params;
		int64_t depth = (int64_t)random_below(&random, CROSSING_DEPTH + 1);
		bool is_short = random_below(&random, 4) == 0;
		call.timeout_ms = is_short ? 1 + random_below(&random, 4) : OWN_MS;
		int status = brine_client_begin_raw(client, &call, "bounce", nest_params(&params, depth));
		usleep((useconds_t)random_below(&random, 800));
		if (random_below(&random, 2) && (is_short || depth == 0))
			status = brine_call_finish(&call, NULL);
		else if (random_below(&random, 2))
			brine_call_cancel(&call);
		else
			brine_call_done(&call);
		atomic_fetch_add(&crossing.answered, status == 0);
		brine_call_done(&call);
	}
	return NULL;
}

static void *crossing_run(void *argument)
{
	if (brine_server_run(argument, NULL) < 0)
		atomic_store(&crossing.wrong, 1);
	return NULL;
}

/* Lets the threads cross for a while, and until chains have ended in each way. */
static void let_them_cross(void)
{
	uint64_t now_ms = brine_clock_ms(), until_ms = now_ms + CROSSING_MS, last_ms = until_ms + PATIENCE_MS;
	for (bool all = false; now_ms < (all ? until_ms : last_ms); now_ms = brine_clock_ms()) {
		usleep(10000);
		all = crossing.leaves > 0 && crossing.cut > 0 && crossing.answered > 0;
	}
	atomic_store(&crossing.over, true);
}

static void parents_cross_over(void **state, enum over kind)
{
	static const unsigned numbers[CROSSING_THREADS] = {0, 1, 2, 3};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	pthread_t threads[CROSSING_THREADS];
	memset(&crossing, 0, sizeof crossing);
	options.mode = BRINE_CLIENT_BACKGROUND;
	for (int i = 0; i < 2; i++) {
		char address[ADDRESS_SIZE];
		assert_int_equal(brine_server_new(&crossing.servers[i], NULL), 0);
		assert_int_equal(brine_server_serve_raw(crossing.servers[i], "bounce", bounce, NULL, NULL), 0);
		address_over(state, i == 0 ? kind : OVER_TCP, address);
		assert_int_equal(brine_server_listen(crossing.servers[i], address, NULL), 0);
		crossing.clients[i] = client_of(brine_server_address(crossing.servers[i], 0), &options);
		assert_int_equal(
		        brine_client_serve_raw(crossing.clients[i], "bounce", bounce, &crossing.clients[1 - i], NULL),
		        0);
		pthread_create(&crossing.threads[i], NULL, crossing_run, crossing.servers[i]);
	}
	alarm(120);
	for (int i = 0; i < CROSSING_THREADS; i++)
		pthread_create(&threads[i], NULL, cross, (void *)(uintptr_t)&numbers[i]);
	let_them_cross();
	for (int i = 0; i < CROSSING_THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Every chain was given up, and every handler of it has heard. */
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(&crossing.live) && brine_clock_ms() < deadline_ms)
		usleep(1000);
	printf("%d begun or answered, %d at the ends of chains, %d cut, %d refused, %d left\n", crossing.answered,
	       crossing.leaves, crossing.cut, crossing.refused, crossing.live);
	assert_int_equal(atomic_load(&crossing.live), 0);
	assert_true(crossing.leaves > 0 && crossing.cut > 0 && crossing.answered > 0 && !crossing.wrong);
	for (int i = 0; i < 2; i++) {
		brine_client_free(crossing.clients[i]);
		brine_server_stop(crossing.servers[i]);
		pthread_join(crossing.threads[i], NULL);
		brine_server_free(crossing.servers[i]);
	}
	alarm(0);
}
DEFINE_BOTH(parents_cross)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(parents_cross)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
