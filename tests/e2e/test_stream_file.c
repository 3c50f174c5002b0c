/* Proves: a file goes up to a server and comes down again in constant memory, byte for byte, with a peer that stops for
 * a while in between. The argument is its size in MiB; 16 without one. */
#include "streaming.h"

#include <sys/stat.h>

enum {
	CHUNK = 64 * 1024,
	MIB = 1 << 20,
	CREDIT = 16, /* items under way in a stream, the default */
	/* What the server may hold, however big the file is: the credit of one stream, waiting in a buffer that has
	 * just doubled (the old half, and the new whole with as much again to spare), taken as items, and 1 MiB for the
	 * rest. */
	MEMORY_MOST = CREDIT * CHUNK * 4 + MIB,
};

static unsigned file_mib = 16;

struct store {
	struct host host;
	char path[300];
	atomic_int status;
};

/* Takes an encoded run of bytes apart. */
static struct brine_bytes bytes_in(struct brine_bytes item)
{
	struct calc_blob blob = {{NULL, 0}};
	struct brine_arena arena = BRINE_ARENA_INIT;
	if (brine_decode(&blob, &calc_blob_type, item, BRINE_AS_RESULT, 0, &arena, NULL) < 0)
		abort();
	brine_arena_done(&arena);
	return blob.data;
}

/* Writes what comes into a file; the answer is how many bytes. */
static int put(const void *handlers, struct brine_request *request, const void *message, void *response, void *user)
{
	struct store *store = user;
	struct calc_number *size = response;
	struct calc_blob blob;
	int status;
	(void)handlers;
	(void)message;
	FILE *file = fopen(store->path, "wb");
	if (!file)
		return brine_request_fail(request, 100, "no file");
	while ((status = brine_request_next(request, &blob)) > 0)
		size->value += (int64_t)fwrite(blob.data.data, 1, blob.data.size, file);
	fclose(file);
	atomic_store(&store->status, status);
	return status;
}

/* Sends the file. */
static int get(const void *handlers, struct brine_request *request, const void *message, void *response, void *user)
{
	struct store *store = user;
	static char chunk[CHUNK];
	int status = 0;
	size_t size;
	(void)handlers;
	(void)message;
	(void)response;
	FILE *file = fopen(store->path, "rb");
	if (!file)
		return brine_request_fail(request, 100, "no file");
	while (status == 0 && (size = fread(chunk, 1, sizeof chunk, file)) > 0)
		status = brine_request_send(request, &(struct calc_blob){BRINE_BYTES(chunk, size)});
	fclose(file);
	atomic_store(&store->status, status);
	return status;
}

static const struct brine_method store_methods[] = {
        {"put", &calc_blob_type, &calc_number_type, BRINE_METHOD_UPLOAD | BRINE_METHOD_BLOCKING, put},
        {"get", &calc_number_type, &calc_blob_type, BRINE_METHOD_DOWNLOAD | BRINE_METHOD_BLOCKING, get},
};
static const struct brine_service store_service = {BRINE_ABI, "store.Store", store_methods, 2};

/* The bytes of the file, which are nowhere kept: chunk `number` is made when it is needed. */
static void make_chunk(uint64_t number, uint8_t chunk[CHUNK])
{
	uint64_t state = number;
	for (size_t i = 0; i < CHUNK; i += sizeof state) {
		uint64_t word = random_next(&state);
		memcpy(chunk + i, &word, sizeof word);
	}
}

static void stop_for_a_while(uint64_t chunk, uint64_t chunks)
{
	/* Long enough for the other side to fill whatever room there is. */
	if (chunk == chunks / 2)
		poll(NULL, 0, 50);
}

static void upload(struct peer *peer, uint64_t chunks)
{
	static uint8_t chunk[CHUNK];
	struct brine_buf item = BRINE_BUF_INIT;
	struct brine_event event = {0};
	uint64_t sent = 0;
	bool ended = false;
	uint64_t serial = peer_call(peer, BRINE_METHOD_UPLOAD, "put", 0, BRINE_FOREVER);
	while (event.type != BRINE_EVENT_RESPONSE) {
		while (sent < chunks) {
			make_chunk(sent, chunk);
			brine_buf_take(&item, brine_buf_size(&item));
			brine_pack_bin(&item, chunk, CHUNK);
			if (brine_conn_send(peer->conn, serial, brine_buf_bytes(&item), brine_clock_ms()) < 0)
				break;
			stop_for_a_while(sent++, chunks);
		}
		if (sent == chunks && !ended)
			ended = brine_conn_end_upload(peer->conn, serial, brine_clock_ms()) == 0;
		peer_wait(peer, &event);
	}
	assert_int_equal(event.status, BRINE_OK);
	assert_int_equal(number_decoded(event.result), chunks * CHUNK);
	brine_buf_done(&item);
}

static void download(struct peer *peer, uint64_t chunks)
{
	static uint8_t chunk[CHUNK];
	struct brine_event event = {0};
	uint64_t taken = 0;
	peer_call(peer, BRINE_METHOD_DOWNLOAD, "get", 0, BRINE_FOREVER);
	for (peer_wait(peer, &event); event.type != BRINE_EVENT_RESPONSE; peer_wait(peer, &event)) {
		if (event.type != BRINE_EVENT_ITEM)
			continue;
		struct brine_bytes data = bytes_in(event.result);
		make_chunk(taken, chunk);
		assert_int_equal(data.size, CHUNK);
		assert_memory_equal(data.data, chunk, CHUNK);
		peer_taken(peer, &event);
		stop_for_a_while(taken++, chunks);
	}
	assert_int_equal(event.status, BRINE_OK);
	assert_int_equal(taken, chunks);
}

static void there_and_back_over(void **state, enum over kind)
{
	static struct store store;
	struct shared_allocator allocator;
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct peer peer;
	uint64_t chunks = (uint64_t)file_mib * MIB / CHUNK;
	memset(&store, 0, sizeof store);
	shared_allocator_init(&allocator, 0, false);
	options.allocator = &allocator.base;
	host_prepare(&store.host, state, kind, &options);
	snprintf(store.path, sizeof store.path, "%s", e2e_path(state, "file"));
	assert_int_equal(brine_server_serve(store.host.server, &store_service, &store, &store, NULL), 0);
	host_launch(&store.host);
	peer_open(&peer, store.host.address);
	upload(&peer, chunks);
	assert_int_equal(atomic_load(&store.status), 0);
	struct stat written;
	assert_int_equal(stat(store.path, &written), 0);
	assert_int_equal(written.st_size, chunks * CHUNK);
	download(&peer, chunks);
	assert_int_equal(atomic_load(&store.status), 0);
	peer_close(&peer);
	host_stop(&store.host);
	print_message("%u MiB up and down, the server held at most %zu KiB\n", file_mib,
	              allocator.fail.held_most / 1024);
	assert_in_range(allocator.fail.held_most, CHUNK, MEMORY_MOST);
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(there_and_back)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {BOTH(there_and_back)};
	if (argc > 1)
		file_mib = (unsigned)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
