/* Proves: one peer that sends as much as it can, of everything there is, leaves the others their share of a server's
 * loop (F10).
 *
 * Measured is the processor time of the loop's thread for the same calls with and without the flood, in turns. All
 * peers live in that thread: a handler writes the next request of its own peer and fills the flooder's socket, and the
 * time that this takes is left out. So neither the scheduler nor the load of the machine has a part in it. */
#include "harness.h"

#include "server/listener.h"

#include <time.h>

enum {
	PEERS = 9,   /* that behave; the flooder comes after them */
	CALLS = 200, /* of each of them in a round, one at a time */
	CALLS_PER_FLOOD = 100,
	BLOCK_LEAST = 32, /* KiB of the flood's messages */
};

/* A thread checker weighs every part of the work differently: it gets only the threads to check. */
#ifdef __SANITIZE_THREAD__
enum { ROUNDS = 1, IS_MEASURED = false };
#else
enum { ROUNDS = 7, IS_MEASURED = true }; /* with each flood, and as many without */
#endif

struct fair {
	struct host host;
	int fds[PEERS + 1];
	int left[PEERS]; /* calls in this round */
	int busy;        /* peers with calls left */
	bool flooding;
	int since_flood;        /* calls */
	struct brine_buf block; /* what the flooder sends, over and over */
	size_t block_at;
	uint64_t flooded;  /* bytes, in this round */
	uint64_t began_us; /* of the thread's processor time; 0: the round has not begun */
	uint64_t spent_us; /* on the peers' behalf */
	uint64_t took_us;  /* the round */
	atomic_int rounds; /* ended */
};

static uint64_t thread_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void drain(int fd)
{
	char chunk[16384];
	while (recv(fd, chunk, sizeof chunk, MSG_DONTWAIT) > 0)
		;
}

/* [0, 1, "call", [peer]] */
static void send_call(struct fair *fair, int peer)
{
	const uint8_t frame[] = {0x0a, 0x94, 0, 1, 0xa4, 'c', 'a', 'l', 'l', 0x91, (uint8_t)peer};
	drain(fair->fds[peer]);
	if (send(fair->fds[peer], frame, sizeof frame, MSG_NOSIGNAL) != sizeof frame)
		abort();
}

/* Sends until the flooder's socket is full. */
static void flood(struct fair *fair)
{
	drain(fair->fds[PEERS]);
	for (;;) {
		const uint8_t *data = fair->block.data + fair->block.start + fair->block_at;
		size_t size = brine_buf_size(&fair->block) - fair->block_at;
		ssize_t sent = send(fair->fds[PEERS], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			abort();
		fair->flooded += (uint64_t)sent;
		fair->block_at = (size_t)sent == size ? 0 : fair->block_at + (size_t)sent;
	}
}

static int on_call(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct fair *fair = user;
	uint64_t now_us = thread_us();
	int peer = ((const uint8_t *)params.data)[1];
	(void)request;
	if (peer >= PEERS)
		return 0; /* the flooder's */
	if (!fair->began_us)
		fair->began_us = now_us;
	if (--fair->left[peer] > 0)
		send_call(fair, peer);
	else
		fair->busy--;
	/* Far from empty until then; more often would cost the thread its caches. */
	if (fair->flooding && ++fair->since_flood == CALLS_PER_FLOOD) {
		fair->since_flood = 0;
		flood(fair);
	}
	fair->spent_us += thread_us() - now_us;
	if (fair->busy == 0) {
		fair->took_us = now_us - fair->began_us - (fair->spent_us - (thread_us() - now_us));
		atomic_fetch_add(&fair->rounds, 1);
	}
	return 0;
}

/* What the flooder sends. */
static const char *const everything[] = {
        "0a 94 00 07 a4 63616c6c 91 09",             /* a call */
        "09 94 00 07 a4 6e6f6e65 90",                /* of no method */
        "0a 94 00 07 a3 616464 92 c2 03",            /* with wrong arguments */
        "0d 95 00 07 a3 616464 90 81 a2 6d64 05",    /* with wrong options */
        "09 93 02 a4 63616c6c 91 09",                /* a notification */
        "08 93 02 a4 6e6f6e65 90",                   /* of no method */
        "0a 94 00 08 a4 63616c6c 91 09 03 92 08 08", /* a call and its cancel */
        "03 92 08 63",                               /* a cancel, */
        "04 93 04 63 01",                            /* an item, */
        "03 92 04 63",                               /* an end, */
        "04 93 06 63 05",                            /* credit, */
        "05 94 01 63 c0 05",                         /* an answer, all for nothing */
        "03 92 12 01",                               /* a ping */
        "03 92 40 01",                               /* something of the future */
        NULL,
};
static const char *const calls[] = {"0a 94 00 07 a4 63616c6c 91 09", NULL};
static const char *const pings[] = {"03 92 12 01", NULL};
static const char *const bad_calls[] = {"09 94 00 07 a4 6e6f6e65 90", NULL};
static const char *const strays[] = {"03 92 08 63", "04 93 06 63 05", "03 92 40 01", NULL};

static void make_block(struct brine_buf *block, const char *const *messages)
{
	brine_buf_take(block, brine_buf_size(block));
	while (brine_buf_size(block) < BLOCK_LEAST * 1024)
		for (size_t i = 0; messages[i]; i++)
			hex_append(block, messages[i]);
}

/* Runs a round; returns the processor time that its calls took. */
static uint64_t run_round(struct fair *fair, bool flooding)
{
	int rounds = atomic_load(&fair->rounds);
	fair->since_flood = CALLS_PER_FLOOD - 1; /* begins with the first call */
	fair->flooding = flooding;
	fair->busy = PEERS;
	fair->began_us = fair->spent_us = fair->flooded = 0;
	for (int i = 0; i < PEERS; i++)
		fair->left[i] = CALLS;
	for (int i = 0; i < PEERS; i++)
		send_call(fair, i);
	/* Asleep, not spinning: the loop may need the processor. */
	for (uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS; atomic_load(&fair->rounds) == rounds;) {
		assert_true(brine_clock_ms() < deadline_ms);
		poll(NULL, 0, 1);
	}
	if (flooding)
		assert_true(fair->flooded > 4 * brine_buf_size(&fair->block));
	return fair->took_us;
}

/* Waits until the server has worked off what the flooder sent: then it answers a last call. */
static void end_flood(struct fair *fair)
{
	static const char last[] = "\x09\x94\x00\x7e\xa4none\x90", answer[] = "\x94\x01\x7e\x92\x02";
	int fd = fair->fds[PEERS];
	struct brine_buf got = BRINE_BUF_INIT;
	if (fair->block_at)
		raw_send(fd, fair->block.data + fair->block.start + fair->block_at,
		         brine_buf_size(&fair->block) - fair->block_at);
	fair->block_at = 0;
	raw_send(fd, last, sizeof last - 1);
	do {
		size_t keep = brine_buf_size(&got) < sizeof answer ? brine_buf_size(&got) : sizeof answer;
		brine_buf_take(&got, brine_buf_size(&got) - keep);
		if (!raw_read(fd, &got, keep + 1))
			fail_msg("the flooder was closed");
	} while (!memmem(got.data + got.start, brine_buf_size(&got), answer, sizeof answer - 1));
	brine_buf_done(&got);
}

/* The fair share of nine in ten is 0.9 of the loop; of that they must keep 0.8. */
static const double kept_least = 0.8 * PEERS / (PEERS + 1);

/* How much of the loop the nine keep beside this flood: by the round of each sort that was disturbed least by whatever
 * else the machine does. While that seems too little there are more rounds, which can only bring it nearer to what it
 * is. */
static double measure(struct fair *fair, const char *name, const char *const *messages)
{
	uint64_t alone_us = UINT64_MAX, flooded_us = UINT64_MAX;
	double kept = 0;
	make_block(&fair->block, messages);
	for (int i = 0; i < ROUNDS || (IS_MEASURED && i < 4 * ROUNDS && kept < kept_least); i++) {
		uint64_t took_us = run_round(fair, false);
		alone_us = took_us < alone_us ? took_us : alone_us;
		took_us = run_round(fair, true);
		flooded_us = took_us < flooded_us ? took_us : flooded_us;
		end_flood(fair);
		kept = (double)alone_us / (double)flooded_us;
	}
	print_message("beside a flood of %s nine peers keep %.2f of the loop\n", name, kept);
	return kept;
}

static void F10_a_flood_leaves_the_others_their_share_over(void **state, enum over kind)
{
	static const struct {
		const char *name;
		const char *const *messages;
	} floods[] = {
	        {"everything", everything}, {"calls", calls},   {"calls of nothing", bad_calls},
	        {"pings", pings},           {"strays", strays},
	};
	static struct fair fair;
	const int room = 65536;
	fair = (struct fair){0};
	host_prepare(&fair.host, state, kind, NULL);
	assert_int_equal(brine_server_serve_raw(fair.host.server, "call", on_call, &fair, NULL), 0);
	/* What the sockets hold has to be worked off after each round. */
	(void)setsockopt(brine_listen_socket_fd(fair.host.server->listeners->socket), SOL_SOCKET, SO_RCVBUF, &room,
	                 sizeof room);
	host_launch(&fair.host);
	for (int i = 0; i <= PEERS; i++)
		fair.fds[i] = raw_connect(fair.host.address);
	assert_int_equal(setsockopt(fair.fds[PEERS], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
	run_round(&fair, false);
	for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
		double kept = measure(&fair, floods[i].name, floods[i].messages);
		assert_true(kept >= kept_least || !IS_MEASURED);
	}
	for (int i = 0; i <= PEERS; i++)
		close(fair.fds[i]);
	host_stop(&fair.host);
	brine_buf_done(&fair.block);
}
DEFINE_BOTH(F10_a_flood_leaves_the_others_their_share)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(F10_a_flood_leaves_the_others_their_share)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
