/* Proves: recorded sessions, mutated by the thousand, do nothing to a live server: it does not crash, what it holds in
 * memory does not grow, a plain peer gets answers and nothing else, and a client of the same port goes on.
 *
 *	e2e_mutations [COUNT [FIRST-SEED]] */
#include "e2e/probe.h"
#include "unit/files.h"

#include "codec/scan.h"

enum {
	BATCH = 64, /* connections at a time */
	STREAM_MOST = 160 << 10,
	HELD_MOST = 32 << 20,  /* of a batch: input, output and the calls of each */
	HELD_SLACK = 64 << 10, /* what buffers that are kept may differ by */
};

/* ThreadSanitizer takes six times as long, and looks for something else. */
#ifdef __SANITIZE_THREAD__
static unsigned long mutation_count = 10000;
#else
static unsigned long mutation_count = 100000;
#endif
static unsigned long first_seed = 1;

/* ---- what is mutated ---- */

static const char *const sessions[] = {
        "framed-session", "npm-msgpack-rpc-node", "npm-neovim",    "nvim-as-client", "nvim-tcp",
        "nvim-unix",      "pynvim-vs-fake",       "rpclib-client", "rpclib-server",  "ruby-client",
};

enum { STREAMS = 2 * sizeof sessions / sizeof sessions[0] };
static struct brine_buf streams[STREAMS];

static int load(void **state)
{
	(void)state;
	for (size_t i = 0; i < STREAMS; i++) {
		char path[128];
		snprintf(path, sizeof path, "captures/%s.%s.bin", sessions[i / 2], i % 2 ? "s2c" : "c2s");
		streams[i] = file_read(path);
		assert_in_range(brine_buf_size(&streams[i]), 1, STREAM_MOST / 2);
	}
	return 0;
}

static int unload(void **state)
{
	(void)state;
	for (size_t i = 0; i < STREAMS; i++)
		brine_buf_done(&streams[i]);
	return 0;
}

struct mutant {
	uint8_t bytes[STREAM_MOST];
	size_t size;
};

/* Where in the mutant a change begins: mostly early, where more depends on it. */
static size_t place(const struct mutant *mutant, uint64_t *seed)
{
	size_t within = random_below(seed, 2) && mutant->size > 200 ? 200 : mutant->size;
	return within ? (size_t)random_below(seed, within) : 0;
}

static void insert(struct mutant *mutant, size_t at, const uint8_t *bytes, size_t size)
{
	if (size > STREAM_MOST - mutant->size)
		size = STREAM_MOST - mutant->size;
	memmove(mutant->bytes + at + size, mutant->bytes + at, mutant->size - at);
	memcpy(mutant->bytes + at, bytes, size);
	mutant->size += size;
}

/* Bytes that mean much: heads that claim much, what must not be, numbers at their ends. */
static void strike(struct mutant *mutant, size_t at, uint64_t *seed)
{
	static const uint8_t blows[][9] = {
	        {0xc1},
	        {0xdd, 0xff, 0xff, 0xff, 0xff},
	        {0xdf, 0x0f, 0xff, 0xff, 0xff},
	        {0xdb, 0xff, 0xff, 0xff, 0xff},
	        {0xc6, 0x7f, 0xff, 0xff, 0xff},
	        {0xdc, 0xff, 0xff},
	        {0x94},
	        {0x93},
	        {0x00},
	        {0x7f},
	        {0xff},
	        {0xc0},
	        {0xce, 0xff, 0xff, 0xff, 0xff},
	        {0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	        {0xd3, 0x80},
	        {0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91, 0x91},
	};
	size_t which = (size_t)random_below(seed, sizeof blows / sizeof blows[0]), size = sizeof blows[0];
	while (size > 1 && blows[which][size - 1] == 0)
		size--;
	if (random_below(seed, 2)) {
		insert(mutant, at, blows[which], size);
		return;
	}
	size = size < mutant->size - at ? size : mutant->size - at;
	memcpy(mutant->bytes + at, blows[which], size);
}

static void mutate(struct mutant *mutant, uint64_t *seed)
{
	size_t at = place(mutant, seed);
	size_t size = (size_t)random_below(seed, 40) + 1;
	if (size > mutant->size - at)
		size = mutant->size - at;
	const struct brine_buf *other = &streams[random_below(seed, STREAMS)];
	uint8_t copy[40];
	switch (random_below(seed, 7)) {
	case 0:
		if (size)
			mutant->bytes[at] ^= (uint8_t)(1u << random_below(seed, 8));
		break;
	case 1: strike(mutant, at, seed); break;
	case 2:
		memmove(mutant->bytes + at, mutant->bytes + at + size, mutant->size - at - size);
		mutant->size -= size;
		break;
	case 3:
		memcpy(copy, mutant->bytes + at, size);
		insert(mutant, place(mutant, seed), copy, size);
		break;
	case 4: mutant->size = at; break;
	case 5: insert(mutant, at, other->data, brine_buf_size(other) < 300 ? brine_buf_size(other) : 300); break;
	default:
		for (size_t i = 0; i < size; i++)
			mutant->bytes[at + i] = (uint8_t)random_next(seed);
	}
}

/* A mutant that differs from what it was made of. */
static void make_mutant(struct mutant *mutant, uint64_t seed)
{
	/* What clients sent is more to the point than what they got. */
	size_t which = (size_t)random_below(&seed, STREAMS);
	which = random_below(&seed, 2) ? which & ~(size_t)1 : which;
	const struct brine_buf *stream = &streams[which];
	size_t size = brine_buf_size(stream);
	do {
		memcpy(mutant->bytes, stream->data, size);
		mutant->size = size;
		for (uint64_t count = random_below(&seed, 3) + 1; count > 0; count--)
			mutate(mutant, &seed);
	} while (mutant->size == size && memcmp(mutant->bytes, stream->data, size) == 0);
}

/* ---- what comes of it ---- */

struct tally {
	uint64_t sent, plain, framed, neither; /* mutants, by how they begin */
	uint64_t answers, failures, frames, silent;
};

/* What a plain peer got: whole responses, nothing else. */
static void check_plain(struct tally *tally, struct brine_bytes output, uint64_t seed)
{
	const struct brine_limits limits = BRINE_LIMITS_INIT;
	const uint8_t *bytes = output.data;
	for (size_t at = 0; at < output.size;) {
		struct brine_scan scan;
		struct brine_frame frame;
		struct brine_judgement judgement;
		brine_scan_init(&scan, limits.depth_max, limits.message_size_max);
		if (brine_scan_feed(&scan, bytes + at, output.size - at, NULL) != 1)
			fail_msg("seed %llu: an answer is cut", (unsigned long long)seed);
		brine_frame_parse(&frame, BRINE_BYTES(bytes + at, (size_t)scan.size), BRINE_WIRE_PLAIN, &limits,
		                  &judgement, NULL);
		if (judgement.verdict != BRINE_VERDICT_OK || frame.type != BRINE_FRAME_RESPONSE)
			fail_msg("seed %llu: something was sent that is no answer", (unsigned long long)seed);
		*(frame.error.is_set ? &tally->failures : &tally->answers) += 1;
		at += (size_t)scan.size;
	}
}

/* What a framed peer got: whole frames. */
static void check_framed(struct tally *tally, struct brine_bytes output, uint64_t seed)
{
	const struct brine_limits limits = BRINE_LIMITS_INIT;
	while (output.size) {
		struct brine_bytes message;
		size_t prefix;
		if (brine_frame_find(output, &limits, &message, &prefix, NULL) != 1)
			fail_msg("seed %llu: a frame is cut", (unsigned long long)seed);
		tally->frames++;
		output = BRINE_BYTES((const char *)message.data + message.size, output.size - prefix - message.size);
	}
}

static void check_output(struct tally *tally, const struct mutant *mutant, struct brine_bytes output, uint64_t seed)
{
	struct brine_error error;
	int wire = brine_wire_detect(BRINE_BYTES(mutant->bytes, mutant->size), &error);
	tally->sent++;
	tally->silent += output.size == 0;
	if (wire == BRINE_WIRE_PLAIN) {
		tally->plain++;
		check_plain(tally, output, seed);
	} else if (wire == BRINE_WIRE_FRAMED) {
		tally->framed++;
		check_framed(tally, output, seed);
	} else {
		tally->neither++;
		assert_int_equal(output.size, 0);
	}
}

/* Sends a batch, each on a connection of its own, and reads what comes until the server closes. */
static void play_batch(const char *address, struct mutant *mutants, uint64_t seed, size_t count, struct tally *tally)
{
	int fds[BATCH];
	struct linger hard = {1, 0}; /* no TIME_WAIT: there are not ports enough for that */
	for (size_t i = 0; i < count; i++) {
		make_mutant(&mutants[i], seed + i);
		fds[i] = raw_connect(address);
		raw_send(fds[i], mutants[i].bytes, mutants[i].size);
		shutdown(fds[i], SHUT_WR);
	}
	for (size_t i = 0; i < count; i++) {
		struct brine_buf output = BRINE_BUF_INIT;
		raw_read_to_end(fds[i], &output);
		check_output(tally, &mutants[i], brine_buf_bytes(&output), seed + i);
		brine_buf_done(&output);
		setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		close(fds[i]);
	}
}

/* Every name that nobody registered: what came goes back. */
static int echo(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)user;
	int status = brine_request_reply_raw(request, params);
	return status < 0 ? status : 0;
}

static size_t held_now(struct shared_allocator *allocator)
{
	pthread_mutex_lock(&allocator->lock);
	size_t held = allocator->fail.held;
	pthread_mutex_unlock(&allocator->lock);
	return held;
}

/* Waits until only the probe's connection is left, then says what the server holds. */
static size_t held_at_rest(const struct host *host, struct shared_allocator *allocator)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (host_counters(host).connections_open > 1)
		if (brine_clock_ms() > deadline_ms)
			fail_msg("connections stay open");
		else
			poll(NULL, 0, 1);
	return held_now(allocator);
}

static void mutants_do_nothing_over(void **state, enum over kind)
{
	struct host host;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct probe probe;
	struct tally tally = {0};
	struct mutant *mutants = calloc(BATCH, sizeof *mutants);
	/* Over TCP a tenth: what differs is below the connection. */
	unsigned long count = kind == OVER_TCP ? mutation_count / 10 : mutation_count - mutation_count / 10;
	uint64_t seed = first_seed + (kind == OVER_TCP ? 0 : mutation_count / 10);
	assert_non_null(mutants);
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	host_prepare(&host, state, kind, &options);
	assert_int_equal(brine_server_serve_raw(host.server, NULL, echo, NULL, NULL), 0);
	host_launch(&host);
	probe_begin(&probe, host.address);
	size_t held_early = 0;
	for (unsigned long done = 0, size; done < count; done += size) {
		size = count - done < BATCH ? count - done : BATCH;
		play_batch(host.address, mutants, seed + done, size, &tally);
		if (!held_early && done >= count / 10)
			held_early = held_at_rest(&host, &allocator);
	}
	size_t held_late = held_at_rest(&host, &allocator);
	probe_end(&probe);
	host_stop(&host);
	free(mutants);
	print_message(
	        "%llu mutants (%llu plain, %llu framed, %llu neither): %llu answers, %llu errors, %llu frames, %llu "
	        "silent; held at rest %zu then %zu, at most %zu; %d calls of the probe\n",
	        (unsigned long long)tally.sent, (unsigned long long)tally.plain, (unsigned long long)tally.framed,
	        (unsigned long long)tally.neither, (unsigned long long)tally.answers,
	        (unsigned long long)tally.failures, (unsigned long long)tally.frames, (unsigned long long)tally.silent,
	        held_early, held_late, allocator.fail.held_most, probe.calls);
	assert_int_equal(tally.sent, count);
	assert_true(tally.plain && tally.framed && tally.neither && tally.answers && tally.failures && tally.frames &&
	            tally.silent);
	assert_true(held_late <= held_early + HELD_SLACK);
	assert_in_range(allocator.fail.held_most, 1, HELD_MOST);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(mutants_do_nothing)

int main(int argc, char **argv)
{
	if (argc > 1)
		mutation_count = strtoul(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoul(argv[2], NULL, 10);
	const struct CMUnitTest tests[] = {BOTH(mutants_do_nothing)};
	return cmocka_run_group_tests(tests, load, unload);
}
