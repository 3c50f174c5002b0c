/* streaming.h - a peer that streams, made of a bare connection and a socket, and handlers of streams, for the tests of
 * servers. */
#ifndef BRINE_TESTS_STREAMING_H
#define BRINE_TESTS_STREAMING_H

#include "harness.h"

#include <brine/conn.h>

#include <netinet/tcp.h>

/* ---- handlers ---- */

struct streams {
	struct host host;
	atomic_bool gate; /* shut: handlers that look at it wait */
	atomic_int started;
	atomic_int ended;
	atomic_int running_most; /* handlers of count at once */
	atomic_int last_status;  /* with which the last handler ended */
	atomic_int would_block;  /* how often a function said so */
};

static inline void streams_wait_at_gate(struct streams *streams)
{
	while (!atomic_load(&streams->gate))
		sched_yield();
}

static inline int streams_done(struct streams *streams, int status)
{
	atomic_store(&streams->last_status, status);
	atomic_fetch_add(&streams->ended, 1);
	return status;
}

/* Adds the numbers that come. */
static inline int streams_sum(const void *handlers, struct brine_request *request, const void *message, void *response,
                              void *user)
{
	struct calc_number number, *sum = response;
	int status;
	(void)handlers;
	if (message)
		return BRINE_ERR_STATE;
	atomic_fetch_add(&((struct streams *)user)->started, 1);
	while ((status = brine_request_next(request, &number)) > 0) {
		sum->value += number.value;
		streams_wait_at_gate(user);
	}
	return streams_done(user, status);
}

/* Sends the numbers below the one given; a negative one: and fails after as many as that. */
static inline int streams_count(const void *handlers, struct brine_request *request, const void *message,
                                void *response, void *user)
{
	const struct calc_number *most = message;
	int64_t count = most->value < 0 ? -most->value : most->value;
	struct streams *streams = user;
	int status = 0;
	(void)handlers;
	if (response)
		return BRINE_ERR_STATE;
	int running = atomic_fetch_add(&streams->started, 1) + 1 - atomic_load(&streams->ended);
	keep_most(&streams->running_most, running);
	for (struct calc_number number = {0}; number.value < count && status == 0; number.value++)
		status = brine_request_send(request, &number);
	if (status == 0 && most->value < 0)
		status = brine_request_fail(request, 100, "no more");
	return streams_done(user, status);
}

/* Sends back what comes, doubled. */
static inline int streams_double(const void *handlers, struct brine_request *request, const void *message,
                                 void *response, void *user)
{
	struct calc_number number;
	int status;
	(void)handlers;
	if (message || response)
		return BRINE_ERR_STATE;
	atomic_fetch_add(&((struct streams *)user)->started, 1);
	while ((status = brine_request_next(request, &number)) > 0) {
		number.value *= 2;
		status = brine_request_send(request, &number);
		if (status < 0)
			break;
	}
	return streams_done(user, status);
}

/* The same in the event form, on a loop. */
struct doubler {
	struct streams *streams;
	struct calc_number held;
	bool holds; /* an item that could not be sent yet */
};

static inline void streams_doubler_go_on(struct brine_request *request, void *user)
{
	struct doubler *doubler = user;
	struct streams *streams = doubler->streams;
	int status = 1;
	while (status > 0) {
		if (!doubler->holds) {
			status = brine_request_next(request, &doubler->held);
			if (status <= 0)
				break;
			doubler->held.value *= 2;
			doubler->holds = true;
		}
		status = brine_request_send(request, &doubler->held);
		if (status == 0) {
			doubler->holds = false;
			status = 1;
		}
	}
	if (status == BRINE_ERR_WOULD_BLOCK) {
		atomic_fetch_add(&streams->would_block, 1);
		return;
	}
	streams_done(streams, status);
	if (status == 0)
		brine_request_reply(request, NULL);
	else
		brine_request_fail(request, BRINE_CODE_CANCELLED, "ended with %d", status);
}

static inline int streams_double_on_loop(const void *handlers, struct brine_request *request, const void *message,
                                         void *response, void *user)
{
	struct doubler *doubler = brine_request_alloc(request, sizeof *doubler);
	(void)handlers;
	(void)message;
	(void)response;
	if (!doubler)
		return BRINE_ERR_NOMEM;
	doubler->streams = user;
	atomic_fetch_add(&doubler->streams->started, 1);
	brine_request_on_ready(request, streams_doubler_go_on, doubler);
	streams_doubler_go_on(request, doubler);
	return BRINE_PENDING;
}

enum { STREAMS_BOTH = BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD };

enum { STREAMS_SUM, STREAMS_COUNT, STREAMS_DOUBLE, STREAMS_DOUBLE_ON_LOOP, STREAMS_METHODS };

static const struct brine_method streams_methods[] = {
        {"sum", &calc_number_type, &calc_number_type, BRINE_METHOD_UPLOAD | BRINE_METHOD_BLOCKING, streams_sum},
        {"count", &calc_number_type, &calc_number_type, BRINE_METHOD_DOWNLOAD | BRINE_METHOD_BLOCKING, streams_count},
        {"double", &calc_number_type, &calc_number_type, STREAMS_BOTH | BRINE_METHOD_BLOCKING, streams_double},
        {"double/loop", &calc_number_type, &calc_number_type, STREAMS_BOTH, streams_double_on_loop},
};

static const struct brine_service streams_service = {BRINE_ABI, "streams.Streams", streams_methods, STREAMS_METHODS};

static inline void streams_prepare(struct streams *streams, void **state, enum over kind,
                                   const struct brine_server_options *options)
{
	memset(streams, 0, sizeof *streams);
	atomic_store(&streams->gate, true);
	host_prepare(&streams->host, state, kind, options);
	assert_int_equal(brine_server_serve(streams->host.server, &streams_service, streams, streams, NULL), 0);
}

static inline void streams_start(struct streams *streams, void **state, enum over kind,
                                 const struct brine_server_options *options)
{
	streams_prepare(streams, state, kind, options);
	host_launch(&streams->host);
}

/* ---- the peer ---- */

struct peer {
	int fd;
	struct brine_conn *conn;
	bool ended;
};

static inline void peer_open(struct peer *peer, const char *address)
{
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	options.hello = true;
	options.wire = BRINE_WIRE_FRAMED;
	*peer = (struct peer){.fd = raw_connect(address)};
	assert_int_equal(fcntl(peer->fd, F_SETFL, O_NONBLOCK), 0);
	/* Fails on Unix sockets, which need it not. */
	(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	assert_int_equal(brine_conn_new(&peer->conn, &options, brine_clock_ms(), NULL), 0);
}

static inline void peer_close(struct peer *peer)
{
	brine_conn_free(peer->conn);
	close(peer->fd);
}

static inline void peer_write(struct peer *peer)
{
	struct brine_bytes bytes;
	while ((bytes = brine_conn_pending(peer->conn)).size) {
		ssize_t sent = send(peer->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		brine_conn_sent(peer->conn, (size_t)sent, brine_clock_ms());
	}
}

static inline bool peer_read(struct peer *peer)
{
	static char chunk[65536];
	ssize_t got = recv(peer->fd, chunk, sizeof chunk, 0);
	if (got < 0)
		return false;
	peer->ended |= got == 0;
	if (got > 0)
		(void)brine_conn_feed(peer->conn, BRINE_BYTES(chunk, (size_t)got), brine_clock_ms());
	else
		brine_conn_eof(peer->conn, brine_clock_ms());
	return true;
}

/* An event if there is one; moves bytes, but does not wait. */
static inline bool peer_poll(struct peer *peer, struct brine_event *event)
{
	for (;;) {
		peer_write(peer);
		if (brine_conn_next(peer->conn, event, brine_clock_ms()) > 0)
			return true;
		if (!peer->ended && peer_read(peer))
			continue;
		if (brine_conn_deadline(peer->conn) > brine_clock_ms())
			return false;
		brine_conn_tick(peer->conn, brine_clock_ms());
	}
}

/* The next event. */
static inline void peer_wait(struct peer *peer, struct brine_event *event)
{
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS;
	while (!peer_poll(peer, event)) {
		bool writes = brine_conn_pending(peer->conn).size;
		struct pollfd poller = {.fd = peer->fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
		uint64_t deadline_ms = brine_conn_deadline(peer->conn);
		(void)poll(&poller, 1, brine_wait_ms(deadline_ms < until_ms ? deadline_ms : until_ms));
		if (brine_clock_ms() > until_ms)
			fail_msg("nothing came from the server");
	}
}

static inline struct brine_bytes number_encoded(int64_t number, uint8_t room[9])
{
	struct brine_buf buf = BRINE_BUF_INIT;
	brine_pack_int(&buf, number);
	size_t size = brine_buf_size(&buf);
	memcpy(room, buf.data + buf.start, size);
	brine_buf_done(&buf);
	return BRINE_BYTES(room, size);
}

/* Starts a call, whose argument is a number for methods without an upload. 0: its deadline has passed. */
static inline uint64_t peer_call(struct peer *peer, uint32_t flags, const char *method, int64_t number,
                                 uint64_t deadline_ms)
{
	uint8_t params[10] = {0x91};
	struct brine_conn_call call = {.method = brine_str_from(method),
	                               .deadline_ms = deadline_ms,
	                               .wants_items = flags & BRINE_METHOD_DOWNLOAD,
	                               .has_upload = flags & BRINE_METHOD_UPLOAD};
	struct brine_error error;
	uint64_t serial;
	if (!(flags & BRINE_METHOD_UPLOAD))
		call.params = BRINE_BYTES(params, 1 + number_encoded(number, params + 1).size);
	int status = brine_conn_call(peer->conn, &call, brine_clock_ms(), &serial, &error);
	if (status == BRINE_ERR_DEADLINE)
		return 0;
	if (status < 0)
		fail_msg("%s", error.text);
	peer_write(peer);
	return serial;
}

/* 0, or BRINE_ERR_NO_CREDIT. It is written with the next event that is waited for. */
static inline int peer_send_number(struct peer *peer, uint64_t serial, int64_t number)
{
	uint8_t room[9];
	return brine_conn_send(peer->conn, serial, number_encoded(number, room), brine_clock_ms());
}

/* The number in an item or a result. */
static inline int64_t number_decoded(struct brine_bytes bytes)
{
	struct calc_number number = {-1};
	struct brine_arena arena = BRINE_ARENA_INIT;
	if (brine_decode(&number, &calc_number_type, bytes, BRINE_AS_RESULT, 0, &arena, NULL) < 0)
		number.value = INT64_MIN;
	brine_arena_done(&arena);
	return number.value;
}

static inline void peer_taken(struct peer *peer, const struct brine_event *event)
{
	brine_conn_taken(peer->conn, event->serial, 1, event->result.size, brine_clock_ms());
}

#endif
