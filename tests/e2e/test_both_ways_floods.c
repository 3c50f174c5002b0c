/* Proves: a client whose peer talks without end holds a bounded amount of what came, by number and by bytes, in each
 * mode, and handles all of it in the end; one that nobody waits in reads no more. */
#include "nesting.h"

enum {
	FLOOD = 20000,        /* notifications in one go */
	FLOOD_MOST = 3 << 20, /* bytes that a client may hold meanwhile, one read of small ones included */
	BIG_NOTE = 100000,    /* bytes of a big one */
	BIG_NOTES = 60,
};

struct flood {
	struct shared_allocator allocator;
	struct brine_client *client;
	int fd;
	atomic_int notes;
	struct brine_call call;
};

static int count_note(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)request;
	(void)params;
	atomic_fetch_add((atomic_int *)user, 1);
	return 0;
}

static void flood_start(struct flood *flood, int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	*flood = (struct flood){.call = BRINE_CALL_INIT};
	shared_allocator_init(&flood->allocator, 0, false);
	options.allocator = &flood->allocator.base;
	options.mode = mode;
	options.hello = false;
	options.limits.linger_ms = 10;
	flood->client = client_of_pair(&flood->fd, &options);
	assert_int_equal(brine_client_serve_raw(flood->client, "note", count_note, &flood->notes, NULL), 0);
	assert_int_equal(fcntl(flood->fd, F_SETFL, O_NONBLOCK), 0);
}

/* Lets the client read and call handlers until all have come, or once where it only reads. */
static void flood_turn(struct flood *flood, int mode, bool handles)
{
	struct brine_call call = BRINE_CALL_INIT;
	call.timeout_ms = 1;
	if (mode == BRINE_CLIENT_LOOP)
		(void)brine_client_process(flood->client);
	else if (mode == BRINE_CLIENT_BACKGROUND)
		poll(NULL, 0, 1);
	else if (handles)
		(void)brine_client_call_raw(flood->client, &call, "x", NO_PARAMS);
	else
		(void)brine_client_begin_raw(flood->client, &call, "x", NO_PARAMS);
	brine_call_done(&call);
}

/* Writes as much as goes in, lets the client move, and so on. */
static void flood_send(struct flood *flood, int mode, bool handles, struct brine_bytes bytes)
{
	const char *at = bytes.data;
	size_t left = bytes.size;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	int idle = 0;
	while (left && idle < 50 && brine_clock_ms() < deadline_ms) {
		ssize_t sent = send(flood->fd, at, left, MSG_NOSIGNAL);
		idle = sent > 0 ? 0 : idle + !handles;
		if (sent > 0) {
			at += sent;
			left -= (size_t)sent;
		}
		flood_turn(flood, mode, handles);
	}
	assert_true(!handles || left == 0);
}

static void flood_end(struct flood *flood, int mode, int notes)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(&flood->notes) < notes && brine_clock_ms() < deadline_ms)
		flood_turn(flood, mode, true);
	assert_int_equal(atomic_load(&flood->notes), notes);
	brine_client_free(flood->client);
	brine_call_done(&flood->call);
	close(flood->fd);
	assert_int_equal(flood->allocator.fail.held, 0);
	if (flood->allocator.fail.held_most > FLOOD_MOST)
		fail_msg("mode %d: %zu bytes were held", mode, flood->allocator.fail.held_most);
}

/* A peer that notifies without end: whatever the client does meanwhile it holds a bounded amount of it, and in the end
 * everything was handled. */
static void flooded(void **state)
{
	struct brine_buf small = BRINE_BUF_INIT, big = BRINE_BUF_INIT;
	static const uint8_t note[] = {0x08, 0x93, 0x02, 0xa4, 'n', 'o', 't', 'e', 0x90};
	static const uint8_t head[] = {0xce, 0,   1,   0x86, 0xad, 0x93, 2, 0xa4, 'n',
	                               'o',  't', 'e', 0x91, 0xc6, 0,    1, 0x86, 0xa0};
	static const char zeros[BIG_NOTE];
	(void)state;
	for (int i = 0; i < FLOOD; i++)
		assert_int_equal(brine_buf_append(&small, note, sizeof note), 0);
	for (int i = 0; i < BIG_NOTES; i++) {
		assert_int_equal(brine_buf_append(&big, head, sizeof head), 0);
		assert_int_equal(brine_buf_append(&big, zeros, sizeof zeros), 0);
	}
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++) {
		for (int is_big = 0; is_big < 2; is_big++) {
			struct flood flood;
			flood_start(&flood, mode);
			if (mode == BRINE_CLIENT_BACKGROUND)
				assert_int_equal(brine_client_connect(flood.client, 0, NULL), 0);
			flood_send(&flood, mode, true, brine_buf_bytes(is_big ? &big : &small));
			flood_end(&flood, mode, is_big ? BIG_NOTES : FLOOD);
		}
	}
	/* One that never waits handles nothing, and reads no more. */
	for (int is_big = 0; is_big < 2; is_big++) {
		struct flood flood;
		flood_start(&flood, BRINE_CLIENT_BLOCKING);
		flood_send(&flood, BRINE_CLIENT_BLOCKING, false, brine_buf_bytes(is_big ? &big : &small));
		assert_int_equal(atomic_load(&flood.notes), 0);
		flood_end(&flood, BRINE_CLIENT_BLOCKING, 0);
	}
	brine_buf_done(&small);
	brine_buf_done(&big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {e2e_test(flooded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
