/* Proves: many calls on one connection, by one thread or by many, in every mode of a client: each ends exactly once,
 * whatever is done to it and whenever (C19, G14, G15, G16). */
#include "harness.h"

enum { MANY = 64, THREADS = 8 };

static struct brine_client *client_in_mode(const char *address, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = mode;
	options.limits.linger_ms = 200;
	return client_of(address, &options);
}

/* What a program's loop does, once. */
static void drive(struct brine_client *client)
{
	struct pollfd poller = {.fd = brine_client_get_fd(client), .events = (short)brine_client_get_events(client)};
	int wait_ms = brine_client_get_timeout_ms(client);
	if (poll(&poller, 1, wait_ms < 0 || wait_ms > PATIENCE_MS ? PATIENCE_MS : wait_ms) == 0 && wait_ms < 0)
		fail_msg("nothing happened on the loop");
	brine_client_process(client);
}

/* Until the counter has come that far: by the loop, by the client's thread, or by waiting for a call of no use. */
static void drive_until(struct brine_client *client, int mode, atomic_int *counter, int least)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	int64_t sum;
	while (atomic_load(counter) < least) {
		assert_true(brine_clock_ms() < deadline_ms);
		if (mode == BRINE_CLIENT_LOOP)
			drive(client);
		else if (mode == BRINE_CLIENT_BLOCKING)
			calc_call_add(client, NULL, 1, 1, &sum);
		else
			sched_yield();
	}
}

static int begin_add(struct brine_client *client, struct brine_call *call, int64_t a, int64_t b)
{
	struct calc_pair pair = {a, b};
	return brine_client_begin(client, call, &calc_methods[CALC_ADD], &pair);
}

static int finish_add(struct brine_call *call, int64_t *sum)
{
	struct calc_number number = {0};
	int status = brine_call_finish(call, &number);
	*sum = number.value;
	return status;
}

/* Answers wait for each other in no order. */
static void in_any_order(void **state, enum over kind, int mode)
{
	struct host host;
	static struct brine_call calls[MANY];
	uint64_t seed = 7;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_in_mode(host.address, mode);
	for (int round = 0; round < 4; round++) {
		int order[MANY];
		for (int i = 0; i < MANY; i++) {
			order[i] = i;
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			assert_int_equal(begin_add(client, &calls[i], i, 1000), 0);
			if (mode == BRINE_CLIENT_BLOCKING)
				assert_int_equal(begin_add(client, &calls[i], 0, 0), BRINE_ERR_BUSY);
		}
		for (int i = MANY - 1; i > 0; i--) {
			int j = (int)random_below(&seed, (uint64_t)i + 1), other = order[i];
			order[i] = order[j];
			order[j] = other;
		}
		for (int i = 0; i < MANY; i++) {
			int64_t sum;
			assert_int_equal(finish_add(&calls[order[i]], &sum), 0);
			assert_int_equal(sum, 1000 + order[i]);
			/* On a finished call at once. */
			assert_int_equal(brine_call_finish(&calls[order[i]], NULL), 0);
			brine_call_done(&calls[order[i]]);
		}
	}
	assert_int_equal(atomic_load(&host.calc.added), 4 * MANY);
	brine_client_free(client);
	host_stop(&host);
}

static void in_any_order_over(void **state, enum over kind)
{
	in_any_order(state, kind, BRINE_CLIENT_BLOCKING);
	in_any_order(state, kind, BRINE_CLIENT_BACKGROUND);
}
DEFINE_BOTH(in_any_order)

/* ---- limits ---- */

/* C19: more calls than the peer, or the client's own option, allows wait for their turn; and no more than agreed. */
static void limits_over(void **state, enum over kind)
{
	struct host host;
	struct brine_server_options server = BRINE_SERVER_OPTIONS_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	static struct brine_call calls[MANY];
	server.limits.calls_max = 4;
	host_start(&host, state, kind, &server);
	for (int own = 0; own < 2; own++) {
		options.calls_max = own ? 3 : 0;
		options.queue_max = 20;
		struct brine_client *client = client_of(host.address, &options);
		int64_t sum;
		/* The peer's limit is known after the first answer. */
		assert_int_equal(calc_call_add(client, NULL, 1, 2, &sum), 0);
		int begun = 0, refused = 0;
		for (int i = 0; i < MANY; i++) {
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			int status = begin_add(client, &calls[i], i, i);
			assert_true(status == 0 || status == BRINE_ERR_OVERLOADED);
			begun += status == 0;
			refused += status != 0;
		}
		/* One thread: nothing was read while it began. */
		assert_int_equal(begun, 20 + (own ? 3 : 4));
		assert_int_equal(refused, MANY - begun);
		for (int i = 0; i < MANY; i++) {
			assert_int_equal(finish_add(&calls[i], &sum), i < begun ? 0 : BRINE_ERR_OVERLOADED);
			assert_int_equal(sum, i < begun ? 2 * i : 0);
			brine_call_done(&calls[i]);
		}
		brine_client_free(client);
	}
	options.queue_max = 0;
	struct brine_client *client = client_of(host.address, &options);
	assert_int_equal(brine_client_connect(client, 0, NULL), 0);
	for (int i = 0; i < 4; i++) {
		calls[i] = (struct brine_call)BRINE_CALL_INIT;
		assert_int_equal(begin_add(client, &calls[i], i, i), i < 3 ? 0 : BRINE_ERR_OVERLOADED);
	}
	brine_client_free(client);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(brine_call_status(&calls[i]), i < 3 ? BRINE_ERR_CANCELLED : BRINE_ERR_OVERLOADED);
		brine_call_done(&calls[i]);
	}
	host_stop(&host);
}
DEFINE_BOTH(limits)

/* ---- threads ---- */

struct sharer {
	struct brine_client *client;
	pthread_t thread;
	uint64_t seed;
	int rounds;
	bool may_lose;
	int good, lost, odd, odd_status;
	bool wrong;
};

static bool is_loss(int status)
{
	return status == BRINE_ERR_LOST || status == BRINE_ERR_NOT_SENT || status == BRINE_ERR_CONNECT;
}

static void count_end(struct sharer *sharer, int status, int64_t sum, int64_t expected)
{
	if (status == 0)
		sharer->wrong |= sum != expected;
	if (status == 0)
		sharer->good++;
	else if (sharer->may_lose && is_loss(status))
		sharer->lost++;
	else {
		sharer->odd++;
		sharer->odd_status = status;
	}
}

static void *share_run(void *argument)
{
	struct sharer *sharer = argument;
	struct brine_call call = BRINE_CALL_INIT, pair[2] = {BRINE_CALL_INIT, BRINE_CALL_INIT};
	for (int i = 0; i < sharer->rounds; i++) {
		int64_t a = (int64_t)random_below(&sharer->seed, 1000000), sum;
		if (random_below(&sharer->seed, 2)) {
			int status = calc_call_add(sharer->client, &call, a, i, &sum);
			count_end(sharer, status, sum, a + i);
		} else {
			(void)begin_add(sharer->client, &pair[0], a, 1);
			(void)begin_add(sharer->client, &pair[1], a, 2);
			for (int j = 1; j >= 0; j--) {
				int status = finish_add(&pair[j], &sum);
				count_end(sharer, status, sum, a + j + 1);
			}
		}
	}
	brine_call_done(&call);
	brine_call_done(&pair[0]);
	brine_call_done(&pair[1]);
	return NULL;
}

static void start_sharers(struct sharer sharers[THREADS], struct brine_client *client, int rounds, bool may_lose)
{
	for (int i = 0; i < THREADS; i++) {
		sharers[i] = (struct sharer){
		        .client = client, .seed = (uint64_t)i + 1, .rounds = rounds, .may_lose = may_lose};
		assert_int_equal(pthread_create(&sharers[i].thread, NULL, share_run, &sharers[i]), 0);
	}
}

static struct sharer join_sharers(struct sharer sharers[THREADS])
{
	struct sharer all = {0};
	for (int i = 0; i < THREADS; i++) {
		pthread_join(sharers[i].thread, NULL);
		all.good += sharers[i].good;
		all.lost += sharers[i].lost;
		all.wrong |= sharers[i].wrong;
		if (sharers[i].odd)
			fail_msg("thread %d: %d calls ended oddly, one with %d", i, sharers[i].odd,
			         sharers[i].odd_status);
	}
	assert_false(all.wrong);
	return all;
}

/* G15: each thread gets its own answers, over one connection. */
static void shared_over(void **state, enum over kind)
{
	struct host host;
	struct sharer sharers[THREADS];
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};
	host_start(&host, state, kind, NULL);
	for (int i = 0; i < 2; i++) {
		struct brine_client *client = client_in_mode(host.address, modes[i]);
		start_sharers(sharers, client, 200, false);
		assert_true(join_sharers(sharers).good >= 200 * THREADS);
		brine_client_free(client);
	}
	host_end(&host);
	struct brine_server_counters counters;
	brine_server_counters(host.server, &counters);
	assert_int_equal(counters.connections_accepted, 2);
	host_free(&host);
}
DEFINE_BOTH(shared)

/* A peer that answers add() and resets the connection after a few frames, again and again. */
struct resetter {
	int listener;
	pthread_t thread;
	atomic_bool stop;
	int resets;
	int answered;
};

static void answer_one(int fd, const uint8_t *frame, size_t size)
{
	/* [0, id, "add", [a, b], {...}] with ids and numbers of any width: read by hand, far enough. */
	struct brine_buf reply = BRINE_BUF_INIT;
	size_t at = 2;
	uint64_t numbers[3] = {0, 0, 0};
	for (int i = 0; i < 3; i++) {
		uint8_t head = frame[at++];
		size_t more = head < 0x80 ? 0 : (size_t)1 << (head - 0xcc);
		numbers[i] = head < 0x80 ? head : 0;
		for (size_t j = 0; j < more; j++)
			numbers[i] = numbers[i] << 8 | frame[at++];
		at += i == 0 ? 5 : 0; /* "add" and the head of [a, b] */
	}
	(void)size;
	uint8_t prefix = 0;
	brine_buf_append(&reply, &prefix, 1);
	brine_pack_array(&reply, 4);
	brine_pack_int(&reply, 1);
	brine_pack_int(&reply, (int64_t)numbers[0]);
	brine_pack_nil(&reply);
	brine_pack_int(&reply, (int64_t)(numbers[1] + numbers[2]));
	reply.data[reply.start] = (uint8_t)(brine_buf_size(&reply) - 1);
	raw_send(fd, reply.data + reply.start, brine_buf_size(&reply));
	brine_buf_done(&reply);
}

static bool take_whole(int fd, void *into, size_t size)
{
	while (size) {
		ssize_t got = recv(fd, into, size, 0);
		if (got <= 0)
			return false;
		into = (char *)into + got;
		size -= (size_t)got;
	}
	return true;
}

static void *reset_run(void *argument)
{
	struct resetter *resetter = argument;
	uint64_t seed = 99;
	while (!atomic_load(&resetter->stop)) {
		struct pollfd poller = {.fd = resetter->listener, .events = POLLIN};
		if (poll(&poller, 1, 20) <= 0)
			continue;
		int fd = accept4(resetter->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		struct timeval patience = {.tv_usec = 200000};
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		uint64_t frames = 1 + random_below(&seed, 40);
		uint8_t size, frame[256];
		while (frames-- && take_whole(fd, &size, 1) && take_whole(fd, frame, size)) {
			if (frame[0] == 0x95 && frame[1] == 0) {
				answer_one(fd, frame, size);
				resetter->answered++;
			}
		}
		struct linger abort = {.l_onoff = 1, .l_linger = 0};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
		close(fd);
		resetter->resets++;
	}
	return NULL;
}

/* Every call ends once, with its answer or a word that fits, while connections die under eight threads. */
static void resets(void **state)
{
	static const int modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};
	struct sharer sharers[THREADS];
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t size = sizeof at;
		struct resetter resetter = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
		assert_int_equal(bind(resetter.listener, (struct sockaddr *)&at, sizeof at), 0);
		assert_int_equal(listen(resetter.listener, 64), 0);
		assert_int_equal(getsockname(resetter.listener, (struct sockaddr *)&at, &size), 0);
		char address[ADDRESS_SIZE];
		snprintf(address, sizeof address, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		options.mode = modes[i];
		options.backoff_first_ms = options.backoff_most_ms = 1;
		options.limits.linger_ms = 50;
		assert_int_equal(pthread_create(&resetter.thread, NULL, reset_run, &resetter), 0);
		struct brine_client *client = client_of(address, &options);
		start_sharers(sharers, client, 100, true);
		struct sharer all = join_sharers(sharers);
		brine_client_free(client);
		atomic_store(&resetter.stop, true);
		pthread_join(resetter.thread, NULL);
		close(resetter.listener);
		assert_true(resetter.resets > 5);
		assert_true(all.good > 0 && all.lost > 0);
		/* Nobody was given an answer that was not sent. */
		assert_true(all.good <= resetter.answered);
	}
}

/* ---- cancel ---- */

struct canceller {
	struct host *host;
	struct brine_call *call;
	int held; /* cancel once so many calls are held; 0: at once */
	pthread_t thread;
};

static void *cancel_run(void *argument)
{
	struct canceller *canceller = argument;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(&canceller->host->calc.held_count) < canceller->held && brine_clock_ms() < deadline_ms)
		sched_yield();
	brine_call_cancel(canceller->call);
	return NULL;
}

static void cancel_in_mode(void **state, enum over kind, int mode)
{
	struct host host;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_nothing nothing = {0};
	char nowhere[ADDRESS_SIZE];
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_in_mode(host.address, mode);
	/* Idle: nothing happens. */
	brine_call_cancel(&call);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_STATE);
	/* Its handler runs, and another thread cancels while this one waits. */
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_HOLD], &nothing), 0);
	struct canceller canceller = {.host = &host, .call = &call, .held = 1};
	assert_int_equal(pthread_create(&canceller.thread, NULL, cancel_run, &canceller), 0);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	assert_int_equal(brine_call_code(&call), BRINE_CODE_CANCELLED);
	pthread_join(canceller.thread, NULL);
	/* It had ended. */
	brine_call_cancel(&call);
	assert_int_equal(brine_call_status(&call), BRINE_ERR_CANCELLED);
	/* The connection goes on. */
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	brine_call_cancel(&call);
	assert_int_equal(brine_call_status(&call), 0);
	/* done cancels what runs. */
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_HOLD], &nothing), 0);
	brine_call_done(&call);
	assert_int_equal(calc_call_add(client, &call, 2, 3, &sum), 0);
	brine_client_free(client);
	/* While it waits for a connection. */
	snprintf(nowhere, sizeof nowhere, "unix://%s", e2e_path(state, "nobody"));
	client = client_in_mode(nowhere, mode);
	call.wait_for_ready = true;
	assert_int_equal(begin_add(client, &call, 1, 2), 0);
	canceller.held = 0;
	assert_int_equal(pthread_create(&canceller.thread, NULL, cancel_run, &canceller), 0);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	pthread_join(canceller.thread, NULL);
	brine_client_free(client);
	brine_call_done(&call);
	host_stop(&host);
}

static void cancel_over(void **state, enum over kind)
{
	cancel_in_mode(state, kind, BRINE_CLIENT_BLOCKING);
	cancel_in_mode(state, kind, BRINE_CLIENT_BACKGROUND);
}
DEFINE_BOTH(cancel)

/* A client that is not for a loop says so. */
static void only_for_a_loop(void **state)
{
	(void)state;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++) {
		bool loops = mode == BRINE_CLIENT_LOOP;
		struct brine_client *client = client_in_mode("unix://@brine-test-nobody", mode);
		assert_int_equal(brine_client_get_fd(client) >= 0, loops);
		assert_int_equal(brine_client_get_events(client), loops ? POLLIN : BRINE_ERR_STATE);
		assert_int_equal(brine_client_get_timeout_ms(client), -1);
		assert_int_equal(brine_client_process(client), loops ? 0 : BRINE_ERR_STATE);
		brine_client_free(client);
	}
}

/* ---- what no connection would take ---- */

/* Nobody needs to be there: it is refused by begin, and nobody is called back. */
static void a_size_over_its_limit_is_refused_at_once(void **state)
{
	static const struct {
		size_t name_size, metadata_size;
		int status;
		const char *text;
	} rows[] = {
	        {0, 0, BRINE_ERR_INVALID,
	         "method name of 0 bytes, expected 1 to 255 (limits.method_size_max), not sent"},
	        {256, 0, BRINE_ERR_INVALID,
	         "method name of 256 bytes, expected 1 to 255 (limits.method_size_max), not sent"},
	        {1, 8193, BRINE_ERR_TOO_BIG,
	         "metadata of 8193 bytes, at most 8192 (limits.metadata_size_max), not sent"},
	};
	char address[ADDRESS_SIZE], name[257];
	static uint8_t metadata[8193] = {0x81, 0xa1, 'x', 0xc5, 8187 >> 8, 8187 & 0xff};
	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "nobody"));
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++) {
		struct brine_client *client = client_in_mode(address, mode);
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			struct brine_call call = BRINE_CALL_INIT;
			memset(name, 'x', sizeof name);
			name[rows[i].name_size] = '\0';
			call.metadata = BRINE_BYTES(metadata, rows[i].metadata_size);
			call.wait_for_ready = true;
			assert_int_equal(brine_client_begin_raw(client, &call, name, BRINE_BYTES("\x90", 1)),
			                 rows[i].status);
			assert_string_equal(brine_call_error_text(&call), rows[i].text);
			assert_int_equal(brine_call_finish(&call, NULL), rows[i].status);
			brine_call_done(&call);
		}
		brine_client_free(client);
	}
}

/* ---- callbacks ---- */

enum action { NOTHING, FINISH, FINISH_OTHER, BLOCK, BEGIN_AGAIN, BEGIN_OTHER, CANCEL_OTHER, DONE, FREE, ACTIONS };

struct called {
	struct brine_client *client;
	struct brine_call call, other;
	enum action action;
	int mode;
	atomic_int count, other_count;
	int begun; /* calls of on_done that must come for `call` */
	int status, other_status, inner;
	int64_t sum;
};

static void other_done(struct brine_call *call, void *user)
{
	struct called *called = user;
	called->other_status = brine_call_status(call);
	atomic_fetch_add(&called->other_count, 1);
}

static void call_done(struct brine_call *call, void *user)
{
	struct called *called = user;
	struct calc_nothing nothing = {0};
	bool again = atomic_load(&called->count) > 0;
	called->status = brine_call_status(call);
	switch (again ? NOTHING : called->action) {
	case FINISH: called->inner = finish_add(call, &called->sum); break;
	case FINISH_OTHER: called->inner = brine_call_finish(&called->other, NULL); break;
	case BLOCK: called->inner = calc_call_add(called->client, NULL, 1, 1, &called->sum); break;
	case BEGIN_AGAIN: called->inner = begin_add(called->client, call, 3, 4); break;
	case BEGIN_OTHER:
		brine_call_done(&called->other);
		called->inner = brine_client_begin(called->client, &called->other, &calc_methods[CALC_HOLD], &nothing);
		break;
	case CANCEL_OTHER: brine_call_cancel(&called->other); break;
	case DONE: brine_call_done(call); break;
	case FREE: brine_client_free(called->client); break;
	default: break;
	}
	atomic_fetch_add(&called->count, 1);
}

/* G16: everything is allowed in a callback, and what would wait is refused. */
static void callback_matrix(void **state, enum over kind, int mode)
{
	static const int inner[ACTIONS] = {[FINISH_OTHER] = BRINE_ERR_WOULD_BLOCK, [BLOCK] = BRINE_ERR_WOULD_BLOCK};
	struct host host;
	host_start(&host, state, kind, NULL);
	for (enum action action = NOTHING; action < ACTIONS; action++) {
		struct called called = {
		        .action = action, .mode = mode, .call = BRINE_CALL_INIT, .other = BRINE_CALL_INIT};
		struct calc_nothing nothing = {0};
		called.client = client_in_mode(host.address, mode);
		called.call.on_done = call_done;
		called.other.on_done = other_done;
		called.call.user = called.other.user = &called;
		assert_int_equal(brine_client_begin(called.client, &called.other, &calc_methods[CALC_HOLD], &nothing),
		                 0);
		assert_int_equal(begin_add(called.client, &called.call, 2, 3), 0);
		assert_true(mode == BRINE_CLIENT_BACKGROUND || atomic_load(&called.count) == 0);
		int expected = action == BEGIN_AGAIN ? 2 : 1;
		if (mode == BRINE_CLIENT_BLOCKING && action == FREE)
			assert_int_equal(brine_call_finish(&called.other, NULL), BRINE_ERR_CANCELLED);
		else
			drive_until(called.client, mode, &called.count, expected);
		if (called.status != 0 || called.inner != inner[action])
			fail_msg("mode %d, action %d: status %d, inner %d", mode, action, called.status, called.inner);
		if (action == FINISH)
			assert_int_equal(called.sum, 5);
		if (action == CANCEL_OTHER)
			drive_until(called.client, mode, &called.other_count, 1);
		if (action != FREE) {
			brine_client_free(called.client);
		} else {
			/* It ends when the callback has returned, in whichever thread that was. */
			uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
			while (atomic_load(&called.other_count) == 0)
				assert_true(brine_clock_ms() < deadline_ms);
		}
		/* However it was, each was told once. */
		assert_int_equal(atomic_load(&called.count), expected);
		assert_int_equal(atomic_load(&called.other_count), 1);
		assert_int_equal(called.other_status, BRINE_ERR_CANCELLED);
		brine_call_done(&called.call);
		brine_call_done(&called.other);
	}
	host_stop(&host);
}

static void callbacks_over(void **state, enum over kind)
{
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++)
		callback_matrix(state, kind, mode);
}
DEFINE_BOTH(callbacks)

/* ---- completions ---- */

static void completions_over(void **state, enum over kind)
{
	struct host host;
	static struct brine_call calls[MANY];
	struct brine_call *call;
	bool seen[MANY] = {false};
	int64_t sum;
	host_start(&host, state, kind, NULL);
	struct brine_client *client = client_in_mode(host.address, BRINE_CLIENT_BACKGROUND);
	int fd = brine_client_completed_fd(client);
	assert_true(fd >= 0);
	assert_int_equal(brine_client_completed_fd(client), fd);
	assert_null(brine_client_completed(client));
	for (int i = 0; i < MANY; i++) {
		calls[i] = (struct brine_call)BRINE_CALL_INIT;
		assert_int_equal(begin_add(client, &calls[i], i, 0), 0);
	}
	for (int count = 0; count < MANY;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&poller, 1, PATIENCE_MS), 1);
		while ((call = brine_client_completed(client))) {
			assert_false(seen[call - calls]);
			seen[call - calls] = true;
			assert_int_equal(finish_add(call, &sum), 0);
			assert_int_equal(sum, call - calls);
			brine_call_done(call);
			count++;
		}
		assert_int_equal(poll(&poller, 1, 0), 0);
	}
	/* One that is waited for is not handed out, nor one that was let go. */
	assert_int_equal(begin_add(client, &calls[0], 1, 2), 0);
	assert_int_equal(finish_add(&calls[0], &sum), 0);
	assert_int_equal(begin_add(client, &calls[1], 1, 2), 0);
	brine_call_done(&calls[1]);
	assert_int_equal(calc_call_add(client, &calls[2], 1, 2, &sum), 0);
	assert_null(brine_client_completed(client));
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&poller, 1, 0), 0);
	brine_client_free(client);
	brine_call_done(&calls[0]);
	brine_call_done(&calls[2]);
	host_stop(&host);
}
DEFINE_BOTH(completions)

/* ---- a loop of the program's own ---- */

static void on_loop_done(struct brine_call *call, void *user)
{
	struct calc_number number = {0};
	if (brine_call_finish(call, &number) == 0)
		atomic_fetch_add((atomic_int *)user, (int)number.value);
	else
		atomic_fetch_add((atomic_int *)user, 1000000);
}

static void loop_over(void **state, enum over kind)
{
	struct host host;
	static struct brine_call calls[MANY];
	atomic_int total = 0;
	char address[ADDRESS_SIZE];
	int kept = address_kept_over(state, kind, address);
	host_start_at(&host, address, NULL);
	struct brine_client *client = client_in_mode(host.address, BRINE_CLIENT_LOOP);
	int fd = brine_client_get_fd(client);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < MANY; i++) {
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			calls[i].on_done = on_loop_done;
			calls[i].user = &total;
			calls[i].wait_for_ready = true;
			assert_int_equal(begin_add(client, &calls[i], 1, 0), 0);
		}
		drive_until(client, BRINE_CLIENT_LOOP, &total, round * MANY);
		assert_int_equal(atomic_load(&total), round * MANY);
		for (int i = 0; i < MANY; i++)
			brine_call_done(&calls[i]);
		/* The next round finds another connection behind the same descriptor. */
		host_stop(&host);
		host_start_at(&host, address, NULL);
		assert_int_equal(brine_client_get_fd(client), fd);
	}
	struct brine_call call = BRINE_CALL_INIT;
	int64_t sum;
	assert_int_equal(calc_call_add(client, &call, 1, 1, &sum), BRINE_ERR_WOULD_BLOCK);
	assert_non_null(strstr(brine_call_error_text(&call), "use begin and on_done"));
	assert_int_equal(begin_add(client, &call, 1, 1), 0);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_WOULD_BLOCK);
	assert_int_equal(brine_client_connect(client, 10, NULL), BRINE_ERR_WOULD_BLOCK);
	brine_client_free(client);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
	brine_call_done(&call);
	host_stop(&host);
	brine_socket_close(kept);
}
DEFINE_BOTH(loop)

/* A loop's client whose server is silent ends its calls by get_timeout_ms alone. */
static void loop_deadline(void **state)
{
	struct host host;
	struct calc_nothing nothing = {0};
	struct brine_call call = BRINE_CALL_INIT;
	atomic_int total = 0;
	host_start(&host, state, OVER_UNIX, NULL);
	struct brine_client *client = client_in_mode(host.address, BRINE_CLIENT_LOOP);
	call.timeout_ms = 40;
	call.on_done = on_loop_done;
	call.user = &total;
	assert_int_equal(brine_client_begin(client, &call, &calc_methods[CALC_HOLD], &nothing), 0);
	drive_until(client, BRINE_CLIENT_LOOP, &total, 1);
	assert_int_equal(brine_call_status(&call), BRINE_ERR_DEADLINE);
	brine_client_free(client);
	brine_call_done(&call);
	host_stop(&host);
}

/* ---- the end ---- */

struct waiting {
	struct brine_client *client;
	struct brine_call call;
	int status;
	pthread_t thread;
};

static void *wait_run(void *argument)
{
	struct waiting *waiting = argument;
	waiting->status = brine_call_finish(&waiting->call, NULL);
	return NULL;
}

/* G15: freeing ends the calls that other threads wait for; calls and what they hold live on. */
static void freed_over(void **state, enum over kind)
{
	struct host host;
	struct waiting waiting[4];
	struct calc_nothing nothing = {0};
	host_start(&host, state, kind, NULL);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct brine_client *client = client_in_mode(host.address, mode);
		struct brine_call kept = BRINE_CALL_INIT;
		struct calc_order order = {.symbol = BRINE_STR("ACME")}, answer;
		assert_int_equal(brine_client_call(client, &kept, &calc_methods[CALC_ECHO], &order, &answer), 0);
		int before = atomic_load(&host.calc.held_count);
		for (int i = 0; i < 4; i++) {
			waiting[i] = (struct waiting){.client = client, .call = BRINE_CALL_INIT};
			assert_int_equal(
			        brine_client_begin(client, &waiting[i].call, &calc_methods[CALC_HOLD], &nothing), 0);
			assert_int_equal(pthread_create(&waiting[i].thread, NULL, wait_run, &waiting[i]), 0);
		}
		wait_for_count(&host.calc.held_count, before + 4);
		brine_client_free(client);
		for (int i = 0; i < 4; i++) {
			pthread_join(waiting[i].thread, NULL);
			assert_int_equal(waiting[i].status, BRINE_ERR_CANCELLED);
			brine_call_done(&waiting[i].call);
		}
		assert_true(brine_str_equal(answer.symbol, order.symbol));
		brine_call_done(&kept);
	}
	host_stop(&host);
}
DEFINE_BOTH(freed)

/* ---- a thread that is cancelled ---- */

static void *doomed_run(void *argument)
{
	struct waiting *waiting = argument;
	waiting->status = brine_call_finish(&waiting->call, NULL);
	pthread_testcancel();
	return NULL;
}

/* G14: a thread cancelled inside a call ends when the call does; no other is held up. */
static void cancelled_thread_over(void **state, enum over kind)
{
	struct host host;
	struct calc_nothing nothing = {0};
	host_start(&host, state, kind, NULL);
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct brine_client *client = client_in_mode(host.address, mode);
		struct waiting waiting = {.client = client, .call = BRINE_CALL_INIT, .status = 1};
		int before = atomic_load(&host.calc.held_count);
		int64_t sum;
		void *result;
		assert_int_equal(brine_client_begin(client, &waiting.call, &calc_methods[CALC_HOLD], &nothing), 0);
		assert_int_equal(pthread_create(&waiting.thread, NULL, doomed_run, &waiting), 0);
		wait_for_count(&host.calc.held_count, before + 1);
		assert_int_equal(pthread_cancel(waiting.thread), 0);
		for (int i = 0; i < 100; i++)
			assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
		brine_call_cancel(&waiting.call);
		assert_int_equal(pthread_join(waiting.thread, &result), 0);
		assert_true(result == PTHREAD_CANCELED);
		/* 1: it was cancelled before it came to the call. */
		assert_true(waiting.status == BRINE_ERR_CANCELLED || waiting.status == 1);
		assert_int_equal(calc_call_add(client, NULL, 2, 3, &sum), 0);
		brine_client_free(client);
		brine_call_done(&waiting.call);
	}
	host_stop(&host);
}
DEFINE_BOTH(cancelled_thread)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        BOTH(in_any_order),
	        BOTH(limits),
	        BOTH(shared),
	        e2e_test(resets),
	        BOTH(cancel),
	        BOTH(callbacks),
	        BOTH(completions),
	        BOTH(loop),
	        e2e_test(loop_deadline),
	        BOTH(freed),
	        BOTH(cancelled_thread),
	        e2e_test(a_size_over_its_limit_is_refused_at_once),
	        e2e_test(only_for_a_loop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
