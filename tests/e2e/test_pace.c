/* Proves: a reader that takes a mebibyte a second slows its writer down, whose memory stays where it is, and a stream
 * that stands still takes nothing from the others of its connection. */
#include "streaming.h"

#include <time.h>

/* ---- a reader at its own pace ---- */

enum {
	ITEM_SIZE = 16 * 1024,
	ITEMS = 192,             /* 3 MiB */
	ITEMS_A_SECOND = 64,     /* 1 MiB */
	HELD_MOST = 1024 * 1024, /* by a writer, or a reader: its windows, not what passes through it */
	WINDOW = 16,             /* items, the default */
	/* A window, what a handler's stream keeps that waits for credit, and the item that is being handed over. */
	AHEAD_MOST = WINDOW + 64 * 1024 / ITEM_SIZE + 1,
};

/* Items of one stream. */
struct progress {
	atomic_int read;
	int ahead_most; /* so many more were written */
};

struct paced {
	struct host host;
	struct progress up, down; /* what the server's handlers read, and write */
	int status;               /* how the writing one ended */
};

/* The writer has written so many. */
static void note_written(struct progress *progress, int written)
{
	int ahead = written - atomic_load(&progress->read);
	progress->ahead_most = ahead > progress->ahead_most ? ahead : progress->ahead_most;
}

/* Returns when it is time for the reader's next item. */
static void keep_pace(uint64_t began_ms, uint64_t items)
{
	uint64_t due_ms = began_ms + items * 1000 / ITEMS_A_SECOND;
	for (uint64_t now_ms; (now_ms = brine_clock_ms()) < due_ms;)
		poll(NULL, 0, (int)(due_ms - now_ms));
}

static int paced_sink(const void *handlers, struct brine_request *request, const void *message, void *response,
                      void *user)
{
	struct paced *paced = user;
	struct calc_number *size = response;
	struct calc_blob blob;
	uint64_t began_ms = brine_clock_ms(), items = 0;
	int status;
	(void)handlers;
	(void)message;
	while ((status = brine_request_next(request, &blob)) > 0) {
		size->value += (int64_t)blob.data.size;
		atomic_store(&paced->up.read, (int)++items);
		keep_pace(began_ms, items);
	}
	return status;
}

static int paced_source(const void *handlers, struct brine_request *request, const void *message, void *response,
                        void *user)
{
	static const uint8_t zeros[ITEM_SIZE];
	struct paced *paced = user;
	struct calc_blob blob = {BRINE_BYTES(zeros, sizeof zeros)};
	int status = 0;
	(void)handlers;
	(void)message;
	(void)response;
	for (int i = 0; i < ITEMS && status == 0; i++) {
		status = brine_request_send(request, &blob);
		note_written(&paced->down, i + 1);
	}
	paced->status = status;
	return status;
}

enum { SINK, SOURCE };

static const struct brine_method paced_methods[] = {
        {"sink", &calc_blob_type, &calc_number_type, BRINE_METHOD_UPLOAD | BRINE_METHOD_BLOCKING, paced_sink},
        {"source", &calc_nothing_type, &calc_blob_type, BRINE_METHOD_DOWNLOAD | BRINE_METHOD_BLOCKING, paced_source},
};

static const struct brine_service paced_service = {BRINE_ABI, "pace.Pace", paced_methods, 2};

static struct brine_client *counted_client(const struct paced *paced, struct shared_allocator *allocator)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	shared_allocator_init(allocator, 0, false);
	options.allocator = &allocator->base;
	return client_of(paced->host.address, &options);
}

/* An upload whose reader is the handler. In a thread of its own. */
struct uploader {
	struct paced *paced;
	pthread_t thread;
	struct shared_allocator allocator;
	int status;
	int64_t size;
};

static void *uploader_run(void *argument)
{
	static const uint8_t zeros[ITEM_SIZE];
	struct uploader *uploader = argument;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_blob blob = {BRINE_BYTES(zeros, sizeof zeros)};
	struct calc_number size = {0};
	struct brine_client *client = counted_client(uploader->paced, &uploader->allocator);
	int status = brine_client_begin(client, &call, &paced_methods[SINK], NULL);
	for (int i = 0; i < ITEMS && status == 0; i++) {
		status = brine_call_send(&call, &blob);
		note_written(&uploader->paced->up, i + 1);
	}
	if (status == 0)
		status = brine_call_end_upload(&call);
	uploader->status = status < 0 ? status : brine_call_finish(&call, &size);
	uploader->size = size.value;
	brine_call_done(&call);
	brine_client_free(client);
	return NULL;
}

/* An answer stream whose reader is the client. */
static void download_slowly(struct paced *paced)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_blob blob;
	struct shared_allocator allocator;
	struct brine_client *client = counted_client(paced, &allocator);
	assert_int_equal(brine_client_begin(client, &call, &paced_methods[SOURCE], &(struct calc_nothing){0}), 0);
	uint64_t began_ms = brine_clock_ms();
	for (uint64_t i = 1; i <= ITEMS; i++) {
		assert_int_equal(brine_call_next(&call, &blob), 1);
		assert_int_equal(blob.data.size, ITEM_SIZE);
		atomic_store(&paced->down.read, (int)i);
		keep_pace(began_ms, i);
	}
	assert_int_equal(brine_call_next(&call, &blob), 0);
	brine_call_done(&call);
	brine_client_free(client);
	assert_in_range(allocator.fail.held_most, ITEM_SIZE, HELD_MOST);
	assert_int_equal(allocator.fail.held, 0);
}

/* Both directions at once, over a connection each: the server reads the one and writes the other. */
static void E04_a_mebibyte_a_second_over(void **state, enum over kind)
{
	static struct paced paced;
	static struct uploader uploader;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	paced = (struct paced){0};
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	host_prepare(&paced.host, state, kind, &options);
	assert_int_equal(brine_server_serve(paced.host.server, &paced_service, &paced, &paced, NULL), 0);
	host_launch(&paced.host);
	uploader = (struct uploader){.paced = &paced};
	assert_int_equal(pthread_create(&uploader.thread, NULL, uploader_run, &uploader), 0);
	download_slowly(&paced);
	pthread_join(uploader.thread, NULL);
	host_stop(&paced.host);
	assert_int_equal(uploader.status, 0);
	assert_int_equal(uploader.size, (int64_t)ITEMS * ITEM_SIZE);
	assert_int_equal(paced.status, 0);
	print_message("3 MiB each way at 1 MiB a second: uploader held %zu bytes at most, server %zu; writers were "
	              "%d and %d items ahead\n",
	              uploader.allocator.fail.held_most, allocator.fail.held_most, paced.up.ahead_most,
	              paced.down.ahead_most);
	/* The writers wrote as fast as they could, which was as fast as their readers read. */
	assert_in_range(paced.up.ahead_most, 1, AHEAD_MOST);
	assert_in_range(paced.down.ahead_most, 1, AHEAD_MOST);
	assert_in_range(uploader.allocator.fail.held_most, ITEM_SIZE, HELD_MOST);
	assert_in_range(allocator.fail.held_most, ITEM_SIZE, 2 * HELD_MOST);
	assert_int_equal(uploader.allocator.fail.held, 0);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(E04_a_mebibyte_a_second)

/* ---- D11: one stream of a hundred stands still ---- */

enum {
	FLOWING = 99,
	EACH = 40, /* items of each of them in a round */
	ROUNDS = 9,
};

#define KEPT_LEAST 0.9

static uint64_t process_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Lets the streams flow from beginning to end; returns the processor time that it took both sides. */
static uint64_t flow(struct peer *peer, uint64_t stalled)
{
	uint64_t serials[FLOWING], began_us = process_us();
	int sent[FLOWING] = {0}, taken = 0, finished = 0;
	struct brine_event event;
	for (int i = 0; i < FLOWING; i++)
		serials[i] = peer_call(peer, STREAMS_BOTH, "double/loop", 0, BRINE_FOREVER);
	while (finished < FLOWING) {
		for (int i = 0; i < FLOWING; i++) {
			while (sent[i] < EACH && peer_send_number(peer, serials[i], sent[i]) == 0)
				sent[i]++;
			if (sent[i] == EACH && brine_conn_end_upload(peer->conn, serials[i], brine_clock_ms()) == 0)
				sent[i]++;
		}
		peer_wait(peer, &event);
		assert_true(event.type == BRINE_EVENT_CREDIT || event.serial != stalled);
		if (event.type == BRINE_EVENT_ITEM) {
			taken++;
			peer_taken(peer, &event);
		}
		finished += event.type == BRINE_EVENT_RESPONSE;
	}
	assert_int_equal(taken, FLOWING * EACH);
	return process_us() - began_us;
}

/* A stream whose items, as many as the server may send, are not taken. */
static uint64_t stall(struct peer *peer)
{
	struct brine_event event;
	uint64_t serial = peer_call(peer, BRINE_METHOD_DOWNLOAD, "count", 1000000, BRINE_FOREVER);
	for (int items = 0; items < WINDOW;) {
		peer_wait(peer, &event);
		assert_int_equal(event.type, BRINE_EVENT_ITEM);
		assert_int_equal(event.serial, serial);
		items++;
	}
	return serial;
}

static void unstall(struct peer *peer, uint64_t serial)
{
	struct brine_event event;
	brine_conn_cancel(peer->conn, serial, brine_clock_ms());
	peer_wait(peer, &event);
	assert_int_equal(event.type, BRINE_EVENT_RESPONSE);
	assert_int_equal(event.status, BRINE_ERR_CANCELLED);
}

static void D11_one_stands_still_over(void **state, enum over kind)
{
	static struct streams streams;
	struct peer peer;
	struct brine_event event;
	uint64_t alone_us = UINT64_MAX, beside_us = UINT64_MAX;
	streams_start(&streams, state, kind, NULL);
	peer_open(&peer, streams.host.address);
	peer_wait(&peer, &event);
	assert_int_equal(event.type, BRINE_EVENT_HELLO);
	double kept = 0;
	int rounds = 0;
	/* More rounds can only bring the least of each sort nearer to what it is. */
	for (; rounds < ROUNDS || (rounds < 4 * ROUNDS && kept < KEPT_LEAST); rounds++) {
		uint64_t took_us = flow(&peer, 0);
		alone_us = took_us < alone_us ? took_us : alone_us;
		uint64_t stalled = stall(&peer);
		took_us = flow(&peer, stalled);
		beside_us = took_us < beside_us ? took_us : beside_us;
		unstall(&peer, stalled);
		kept = (double)alone_us / (double)beside_us;
	}
	print_message("beside one that stands still %d streams keep %.2f of their rate\n", FLOWING, kept);
	assert_true(kept >= KEPT_LEAST);
	peer_close(&peer);
	host_stop(&streams.host);
	assert_int_equal(atomic_load(&streams.ended), rounds * (2 * FLOWING + 1));
}
DEFINE_BOTH(D11_one_stands_still)

int main(void)
{
	const struct CMUnitTest tests[] = {BOTH(E04_a_mebibyte_a_second), BOTH(D11_one_stands_still)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
