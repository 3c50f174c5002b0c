/* Proves: a client takes and sends items in every mode: in order, none lost, in constant memory and no faster than the
 * other side takes them; streams end as their calls do, whatever ends them (D07, D12). */
#include "harness.h"

#include "channel/channel.h"

/* ---- a peer with streams ---- */

/* Answers "watch" [n]: numbers 1 .. n as items; "sum": the upload's numbers, added; "mirror": each item back; "stall":
 * nothing ever. Numbers above SIZES are sent as blobs of so many bytes. */
struct peer {
	int fd;
	pthread_t thread;
	struct brine_channel link;
	uint64_t serial; /* one call at a time */
	enum { NO_CALL, WATCH, SUM, MIRROR, STALL, BROKEN } kind;
	int64_t sent, last, sum;
	size_t blob;
	bool upload_ended, cancelled;
	atomic_int items_sent, items_taken, cancels;
	int reset_at; /* close the connection after so many items; 0: never */
};

static int64_t read_int(struct brine_bytes bytes)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct calc_number number = {-1};
	if (brine_decode(&number, &calc_number_type, bytes, BRINE_AS_RESULT, 0, &arena, NULL) < 0)
		abort();
	brine_arena_done(&arena);
	return number.value;
}

static void answer(struct peer *peer, int64_t value, bool nil)
{
	struct brine_buf out = BRINE_BUF_INIT;
	if (!nil)
		brine_pack_int(&out, value);
	brine_conn_reply(peer->link.conn, peer->serial, brine_buf_bytes(&out), BRINE_BYTES(NULL, 0), brine_clock_ms());
	peer->kind = NO_CALL;
	brine_buf_done(&out);
}

/* False: no credit. */
static bool send_number(struct peer *peer, int64_t value)
{
	struct brine_buf out = BRINE_BUF_INIT;
	if (peer->blob) {
		void *blob = calloc(1, peer->blob);
		brine_pack_bin(&out, blob, peer->blob);
		free(blob);
	} else if (peer->kind == BROKEN) {
		brine_pack_str(&out, "no number", 9);
	} else {
		brine_pack_int(&out, value);
	}
	int status = brine_conn_send(peer->link.conn, peer->serial, brine_buf_bytes(&out), brine_clock_ms());
	brine_buf_done(&out);
	if (status == 0)
		atomic_fetch_add(&peer->items_sent, 1);
	return status == 0;
}

static void on_request(struct peer *peer, const struct brine_event *event)
{
	static const char *const names[] = {
	        [WATCH] = "watch", [SUM] = "sum", [MIRROR] = "mirror", [STALL] = "stall", [BROKEN] = "broken"};
	peer->serial = event->serial;
	peer->sent = peer->sum = 0;
	peer->upload_ended = false;
	peer->kind = NO_CALL;
	for (int i = WATCH; i <= BROKEN; i++)
		if (brine_str_equal(event->method, brine_str_from(names[i])))
			peer->kind = i;
	if (peer->kind == WATCH || peer->kind == BROKEN) {
		struct brine_bytes number = {(const uint8_t *)event->params.data + 1, event->params.size - 1};
		peer->last = read_int(number);
	}
	if (peer->kind == NO_CALL)
		answer(peer, 1, false);
}

static void on_event(struct peer *peer, const struct brine_event *event)
{
	switch (event->type) {
	case BRINE_EVENT_REQUEST: on_request(peer, event); break;
	case BRINE_EVENT_ITEM:
		atomic_fetch_add(&peer->items_taken, 1);
		if (peer->kind == STALL)
			break;
		if (peer->kind == SUM)
			peer->sum += read_int(event->result);
		if (peer->kind == MIRROR && !send_number(peer, read_int(event->result)))
			abort(); /* the test takes as many as it sends */
		brine_conn_taken(peer->link.conn, peer->serial, 1, event->result.size, brine_clock_ms());
		break;
	case BRINE_EVENT_UPLOAD_END: peer->upload_ended = true; break;
	case BRINE_EVENT_CANCEL:
		peer->kind = NO_CALL;
		brine_conn_release(peer->link.conn, event->serial, brine_clock_ms());
		atomic_fetch_add(&peer->cancels, 1);
		break;
	default: break;
	}
}

/* Sends and ends what can be. */
static void peer_work(struct peer *peer)
{
	while ((peer->kind == WATCH || peer->kind == BROKEN) && peer->sent < peer->last &&
	       send_number(peer, peer->sent + 1))
		peer->sent++;
	if ((peer->kind == WATCH || peer->kind == BROKEN) && peer->sent == peer->last)
		answer(peer, 0, true);
	else if (peer->kind == SUM && peer->upload_ended)
		answer(peer, peer->sum, false);
	else if (peer->kind == MIRROR && peer->upload_ended)
		answer(peer, 0, true);
}

static void *peer_run(void *argument)
{
	struct peer *peer = argument;
	struct brine_event event;
	bool closed = false;
	static uint8_t input[BRINE_INPUT_SIZE]; /* one peer at a time */
	while (!closed) {
		unsigned ready = brine_channel_wants(&peer->link);
		uint64_t due_ms = brine_conn_deadline(peer->link.conn);
		if (ready && !peer->link.dead)
			(void)brine_socket_wait(brine_stream_fd(peer->link.stream), ready, due_ms);
		else if (!peer->link.dead)
			brine_channel_fail(&peer->link, 0, brine_clock_ms());
		uint64_t now_ms = brine_clock_ms();
		brine_channel_read(&peer->link, input, now_ms);
		brine_conn_tick(peer->link.conn, now_ms);
		while (brine_conn_next(peer->link.conn, &event, now_ms) > 0) {
			closed |= event.type == BRINE_EVENT_CLOSED;
			on_event(peer, &event);
		}
		peer_work(peer);
		if (peer->reset_at && atomic_load(&peer->items_sent) >= peer->reset_at)
			break;
		brine_channel_write(&peer->link, input, now_ms);
	}
	brine_channel_done(&peer->link);
	return NULL;
}

/* A client of that mode whose peer is such a one. */
static struct brine_client *client_with(struct peer *peer, int mode, const struct brine_allocator *allocator)
{
	int fds[2];
	struct brine_client *client;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_conn_options accepting = BRINE_CONN_OPTIONS_INIT;
	options.mode = mode;
	options.allocator = allocator;
	accepting.role = BRINE_ACCEPTING;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(brine_stream_new_socket(&peer->link.stream, fds[1], NULL, NULL), 0);
	assert_int_equal(brine_conn_new(&peer->link.conn, &accepting, brine_clock_ms(), NULL), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], &options, NULL), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
	return client;
}

static void part(struct brine_client *client, struct brine_call *call, struct peer *peer)
{
	brine_client_free(client);
	brine_call_done(call);
	pthread_join(peer->thread, NULL);
}

static const struct brine_field params_fields[] = {BRINE_FIELD(struct calc_number, 1, value)};
static const struct brine_type params_type =
        BRINE_TYPE(struct calc_number, "streams.Params", BRINE_LAYOUT_ARRAY, params_fields);
static const struct brine_method watch = {"watch", &params_type, &calc_number_type, BRINE_METHOD_DOWNLOAD, NULL};
static const struct brine_method watch_blobs = {"watch", &params_type, &calc_blob_type, BRINE_METHOD_DOWNLOAD, NULL};
static const struct brine_method broken = {"broken", &params_type, &calc_number_type, BRINE_METHOD_DOWNLOAD, NULL};
static const struct brine_method sum = {"sum", &calc_number_type, &calc_number_type, BRINE_METHOD_UPLOAD, NULL};
static const struct brine_method stall = {"stall", &calc_number_type, &calc_number_type, BRINE_METHOD_UPLOAD, NULL};
static const struct brine_method mirror = {"mirror", &calc_number_type, &calc_number_type,
                                           BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD, NULL};

static void open_watch(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                       int64_t count)
{
	struct calc_number number = {count};
	assert_int_equal(brine_client_begin(client, call, method, &number), 0);
}

/* ---- tests ---- */

static const int waiting_modes[] = {BRINE_CLIENT_BLOCKING, BRINE_CLIENT_BACKGROUND};

/* Many small items, all in order; then a call, as the connection goes on. */
static void download(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct peer peer = {0};
		struct brine_client *client = client_with(&peer, waiting_modes[i], NULL);
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number item;
		assert_int_equal(brine_call_next(&call, &item), BRINE_ERR_STATE);
		for (int64_t count = 0; count <= 10000; count = count * 10 + 1) {
			open_watch(client, &call, &watch, count);
			for (int64_t at = 1; at <= count; at++) {
				assert_int_equal(brine_call_next(&call, &item), 1);
				assert_int_equal(item.value, at);
			}
			assert_int_equal(brine_call_next(&call, &item), 0);
			assert_int_equal(brine_call_next(&call, &item), 0);
			assert_int_equal(brine_call_finish(&call, NULL), 0);
		}
		assert_int_equal(brine_client_call_raw(client, &call, "any", BRINE_BYTES(NULL, 0)), 0);
		part(client, &call, &peer);
	}
}

static void upload(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct peer peer = {0};
		struct brine_client *client = client_with(&peer, waiting_modes[i], NULL);
		struct brine_call call = BRINE_CALL_INIT;
		for (int64_t count = 0; count <= 10000; count = count * 10 + 1) {
			struct calc_number result = {0};
			assert_int_equal(brine_client_begin(client, &call, &sum, NULL), 0);
			for (int64_t at = 1; at <= count; at++)
				assert_int_equal(brine_call_send(&call, &(struct calc_number){at}), 0);
			/* finish would do it as well. */
			if (count > 1)
				assert_int_equal(brine_call_end_upload(&call), 0);
			if (count > 1)
				assert_int_equal(brine_call_send(&call, &(struct calc_number){1}), BRINE_ERR_STATE);
			assert_int_equal(brine_call_finish(&call, &result), 0);
			assert_int_equal(result.value, count * (count + 1) / 2);
			assert_int_equal(brine_call_send(&call, &(struct calc_number){1}), BRINE_ERR_STATE);
		}
		part(client, &call, &peer);
	}
}

/* D12: both ways on one call, and one side ends before the other. */
static void both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct peer peer = {0};
		struct brine_client *client = client_with(&peer, waiting_modes[i], NULL);
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number item;
		assert_int_equal(brine_client_begin(client, &call, &mirror, NULL), 0);
		for (int64_t at = 0; at < 500; at++) {
			assert_int_equal(brine_call_send(&call, &(struct calc_number){at}), 0);
			assert_int_equal(brine_call_next(&call, &item), 1);
			assert_int_equal(item.value, at);
		}
		for (int64_t at = 0; at < 5; at++)
			assert_int_equal(brine_call_send(&call, &(struct calc_number){at}), 0);
		assert_int_equal(brine_call_end_upload(&call), 0);
		for (int64_t at = 0; at < 5; at++)
			assert_int_equal(brine_call_next(&call, &item), 1);
		assert_int_equal(brine_call_next(&call, &item), 0);
		part(client, &call, &peer);
	}
}

/* 100 MiB of items through a client that never holds more than a few of them. */
static void constant_memory(void **state)
{
	enum { BLOB = 65536, BLOBS = 1600 };
	struct peer peer = {.blob = BLOB};
	struct fail_allocator counting;
	struct brine_call call = BRINE_CALL_INIT;
	struct calc_blob blob;
	(void)state;
	fail_allocator_init(&counting, 0, false);
	struct brine_client *client = client_with(&peer, BRINE_CLIENT_BLOCKING, &counting.base);
	open_watch(client, &call, &watch_blobs, BLOBS);
	for (int i = 0; i < BLOBS; i++) {
		assert_int_equal(brine_call_next(&call, &blob), 1);
		assert_int_equal(blob.data.size, BLOB);
	}
	assert_int_equal(brine_call_next(&call, &blob), 0);
	assert_true(counting.held_most < (size_t)4 << 20);
	brine_call_done(&call);
	brine_client_free(client);
	pthread_join(peer.thread, NULL);
	assert_int_equal(counting.held, 0);
}

/* The items that went to a peer which gives no room for more, until the deadline. */
static int stall_for(int mode, uint64_t timeout_ms)
{
	struct peer peer = {0};
	struct brine_client *client = client_with(&peer, mode, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	int sent = 0, status;
	call.timeout_ms = timeout_ms;
	status = brine_client_begin(client, &call, &stall, NULL);
	while (status == 0 && (status = brine_call_send(&call, &(struct calc_number){1})) == 0)
		sent++;
	assert_int_equal(status, BRINE_ERR_DEADLINE);
	assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_DEADLINE);
	part(client, &call, &peer);
	return sent;
}

/* D07: a peer that gives no room holds the writer, until its deadline or a cancel; nothing piles up. */
static void stalled(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		int sent;
		for (uint64_t ms = 100; (sent = stall_for(waiting_modes[i], ms)) == 0; ms = twice_as_long(ms))
			;
		assert_in_range(sent, 1, 64);
	}
}

/* A reader that goes away in the middle, by finish, cancel and done; and what does not fit its schema. */
static void ends_early(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct peer peer = {0};
		struct brine_client *client = client_with(&peer, waiting_modes[i], NULL);
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number item;
		for (int how = 0; how < 4; how++) {
			open_watch(client, &call, how == 3 ? &broken : &watch, 1000000);
			if (how == 3) {
				assert_int_equal(brine_call_next(&call, &item), BRINE_ERR_TYPE);
				assert_int_equal(brine_call_status(&call), BRINE_ERR_TYPE);
			} else {
				assert_int_equal(brine_call_next(&call, &item), 1);
			}
			if (how == 0)
				assert_int_equal(brine_call_finish(&call, NULL), BRINE_ERR_CANCELLED);
			if (how == 1) {
				int status;
				brine_call_cancel(&call);
				/* What had come is still there. */
				while ((status = brine_call_next(&call, &item)) == 1)
					;
				assert_int_equal(status, BRINE_ERR_CANCELLED);
			}
			if (how == 2)
				brine_call_done(&call);
			assert_int_equal(brine_client_call_raw(client, NULL, "any", BRINE_BYTES(NULL, 0)), 0);
			assert_int_equal(atomic_load(&peer.cancels), how + 1);
		}
		part(client, &call, &peer);
	}
}

/* The connection dies in the middle of a stream: what had come is given, then the loss. */
static void lost(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct peer peer = {.reset_at = 40};
		struct brine_client *client = client_with(&peer, waiting_modes[i], NULL);
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number item;
		int64_t at = 0;
		int status;
		open_watch(client, &call, &watch, 1000);
		while ((status = brine_call_next(&call, &item)) == 1)
			assert_int_equal(item.value, ++at);
		assert_int_equal(status, BRINE_ERR_LOST);
		assert_in_range(at, 1, 48);
		part(client, &call, &peer);
	}
}

/* ---- event form ---- */

struct mirrored {
	int64_t sent, taken, last;
	bool ended;
	int ends, status;
};

static void mirror_on(struct brine_call *call, void *user)
{
	struct mirrored *mirrored = user;
	struct calc_number item;
	int status = 0;
	while (mirrored->sent - mirrored->taken < 4 && mirrored->sent < mirrored->last) {
		struct calc_number number = {mirrored->sent};
		status = brine_call_send(call, &number);
		if (status < 0)
			break;
		mirrored->sent++;
	}
	while ((status = brine_call_next(call, &item)) == 1) {
		if (item.value != mirrored->taken++)
			abort();
		if (mirrored->sent < mirrored->last &&
		    brine_call_send(call, &(struct calc_number){mirrored->sent}) == 0)
			mirrored->sent++;
	}
	if (mirrored->sent == mirrored->last && !mirrored->ended) {
		brine_call_end_upload(call);
		mirrored->ended = true;
	}
}

static void mirror_end(struct brine_call *call, void *user)
{
	struct mirrored *mirrored = user;
	struct calc_number item;
	while (brine_call_next(call, &item) == 1)
		if (item.value != mirrored->taken++)
			abort();
	mirrored->status = brine_call_status(call);
	mirrored->ends++;
}

static void event_form(void **state)
{
	struct peer peer = {0};
	struct brine_client *client = client_with(&peer, BRINE_CLIENT_LOOP, NULL);
	struct brine_call call = BRINE_CALL_INIT;
	struct mirrored mirrored = {.last = 2000};
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	(void)state;
	call.on_ready = mirror_on;
	call.on_done = mirror_end;
	call.user = &mirrored;
	assert_int_equal(brine_client_begin(client, &call, &mirror, NULL), 0);
	mirror_on(&call, &mirrored);
	while (mirrored.ends == 0) {
		struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
		int wait_ms = brine_client_get_timeout_ms(client);
		assert_true(brine_clock_ms() < deadline_ms);
		poll(&poller, 1, wait_ms < 0 || wait_ms > PATIENCE_MS ? PATIENCE_MS : wait_ms);
		assert_int_equal(brine_client_process(client), 0);
	}
	assert_int_equal(mirrored.taken, 2000);
	assert_int_equal(mirrored.sent, 2000);
	assert_int_equal(mirrored.ends, 1);
	assert_int_equal(mirrored.status, 0);
	part(client, &call, &peer);
}

/* G01: memory runs out anywhere in a stream's life. */
static void out_of_memory(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) {
		struct fail_allocator failing;
		struct peer peer = {0};
		struct brine_call call = BRINE_CALL_INIT;
		struct calc_number item;
		int64_t at = 0;
		int status;
		fail_allocator_init(&failing, 0, false);
		struct brine_client *client = client_with(&peer, BRINE_CLIENT_BLOCKING, &failing.base);
		failing.fail_at = failing.calls + n;
		struct calc_number number = {40};
		status = brine_client_begin(client, &call, &watch, &number);
		while (status >= 0 && (status = brine_call_next(&call, &item)) == 1)
			assert_int_equal(item.value, ++at);
		assert_true(status == 0 ? at == 40
		                        : status == BRINE_ERR_NOMEM || status == BRINE_ERR_LOST ||
		                                  status == BRINE_ERR_NOT_SENT);
		if (status == 0 || failing.failures == 0)
			assert_int_equal(brine_call_finish(&call, NULL), 0);
		status = brine_client_begin(client, &call, &sum, NULL);
		for (int64_t i = 0; status == 0 && i < 40; i++)
			status = brine_call_send(&call, &(struct calc_number){i});
		if (status == 0)
			status = brine_call_finish(&call, &item);
		if (status == 0)
			assert_int_equal(item.value, 40 * 39 / 2);
		part(client, &call, &peer);
		assert_int_equal(failing.held, 0);
		if (failing.failures == 0) {
			assert_true(n > 20);
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(download),      e2e_test(upload),     e2e_test(both_ways), e2e_test(constant_memory),
	        e2e_test(stalled),       e2e_test(ends_early), e2e_test(lost),      e2e_test(event_form),
	        e2e_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
