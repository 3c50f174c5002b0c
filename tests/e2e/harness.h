/* harness.h - what the tests of client and server share: a server in a thread of its own, and peers made of bare
 * sockets. Assertions belong to the main thread; other threads collect results. */
#ifndef BRINE_TESTS_HARNESS_H
#define BRINE_TESTS_HARNESS_H

#include "calc.h"
#include "dial.h"
#include "e2e.h"

#include "net/addr.h"
#include "net/clock.h"
#include "net/socket.h"
#include "net/stream_watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum {
	ADDRESS_SIZE = 320,
	PATIENCE_MS = 20000, /* nothing in these tests takes so long unless it hangs */
};

enum over { OVER_TCP, OVER_UNIX };

/* Makes two tests of `static void name_over(void **state, enum over kind)`; BOTH(name) are their entries in the table.
 */
#define DEFINE_BOTH(name)                                                                                              \
	static void name##_over_tcp(void **state)                                                                      \
	{                                                                                                              \
		name##_over(state, OVER_TCP);                                                                          \
	}                                                                                                              \
	static void name##_over_unix(void **state)                                                                     \
	{                                                                                                              \
		name##_over(state, OVER_UNIX);                                                                         \
	}
#define BOTH(name) e2e_test(name##_over_tcp), e2e_test(name##_over_unix)

/* ---- memory ---- */

/* The failing allocator for objects that several threads work for. */
struct shared_allocator {
	struct brine_allocator base; /* hand &base to the code under test */
	struct fail_allocator fail;
	pthread_mutex_t lock;
};

static inline void *shared_allocator_resize(void *user, void *memory, size_t old_size, size_t new_size)
{
	struct shared_allocator *shared = user;
	pthread_mutex_lock(&shared->lock);
	void *resized = shared->fail.base.resize(&shared->fail, memory, old_size, new_size);
	pthread_mutex_unlock(&shared->lock);
	return resized;
}

static inline void shared_allocator_init(struct shared_allocator *shared, uint64_t fail_at, bool fail_after)
{
	shared->base = (struct brine_allocator){shared_allocator_resize, shared};
	fail_allocator_init(&shared->fail, fail_at, fail_after);
	pthread_mutex_init(&shared->lock, NULL);
}

/* ---- texts ---- */

static inline void expect_in(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* ---- a server ---- */

struct host {
	struct calc calc;
	struct brine_server *server;
	pthread_t thread;
	int result; /* of brine_server_run() */
	char address[ADDRESS_SIZE];
	char log[4096];
	atomic_int log_lines;
	bool log_is_clean; /* no control character was in it */
};

static inline void host_log(void *user, const char *line)
{
	struct host *host = user;
	size_t used = strlen(host->log);
	for (const char *at = line; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			host->log_is_clean = false;
	snprintf(host->log + used, sizeof host->log - used, "%s\n", line);
	atomic_fetch_add(&host->log_lines, 1);
}

static inline void *host_run(void *argument)
{
	struct host *host = argument;
	host->result = brine_server_run(host->server, NULL);
	return NULL;
}

/* Where a test's server listens: a free port, or a socket in the test's folder. */
static inline const char *address_over(void **state, enum over kind, char address[ADDRESS_SIZE])
{
	if (kind == OVER_UNIX)
		snprintf(address, ADDRESS_SIZE, "unix://%s", e2e_path(state, "socket"));
	else
		snprintf(address, ADDRESS_SIZE, "tcp://127.0.0.1:0");
	return address;
}

/* The same for servers that come one after the other: their port is theirs until the descriptor is closed, which is
 * returned; -1 for Unix sockets. */
static inline int address_kept_over(void **state, enum over kind, char address[ADDRESS_SIZE])
{
	uint16_t port;
	if (kind == OVER_UNIX) {
		address_over(state, kind, address);
		return -1;
	}
	int fd = e2e_keep_port(&port);
	snprintf(address, ADDRESS_SIZE, "tcp://127.0.0.1:%u", port);
	return fd;
}

/* Makes a server of the calc service, which listens at the address but does not run yet. options NULL: the defaults. */
static inline void host_prepare_at(struct host *host, const char *address, const struct brine_server_options *options)
{
	struct brine_server_options own = BRINE_SERVER_OPTIONS_INIT;
	if (options)
		own = *options;
	*host = (struct host){.log_is_clean = true};
	own.log = host_log;
	own.log_user = host;
	struct brine_error error = BRINE_ERROR_INIT;
	assert_int_equal(brine_server_new(&host->server, &own), 0);
	host->calc.server = host->server;
	assert_int_equal(brine_server_serve(host->server, &calc_service, host, &host->calc, &error), 0);
	if (brine_server_listen(host->server, address, &error) < 0)
		fail_msg("listen: %s", error.text);
	snprintf(host->address, sizeof host->address, "%s", brine_server_address(host->server, 0));
}

static inline void host_prepare(struct host *host, void **state, enum over kind,
                                const struct brine_server_options *options)
{
	char address[ADDRESS_SIZE];
	host_prepare_at(host, address_over(state, kind, address), options);
}

static inline void host_launch(struct host *host)
{
	assert_int_equal(pthread_create(&host->thread, NULL, host_run, host), 0);
}

static inline void host_start(struct host *host, void **state, enum over kind,
                              const struct brine_server_options *options)
{
	host_prepare(host, state, kind, options);
	host_launch(host);
}

static inline void host_start_at(struct host *host, const char *address, const struct brine_server_options *options)
{
	host_prepare_at(host, address, options);
	host_launch(host);
}

static inline void host_join(struct host *host)
{
	pthread_join(host->thread, NULL);
}

/* Releases the server, which has ended. */
static inline void host_free(struct host *host)
{
	brine_server_free(host->server);
	calc_let_go(&host->calc);
	assert_true(host->log_is_clean);
}

/* Drains the server and waits for its end; it can still be asked. */
static inline void host_end(struct host *host)
{
	brine_server_stop(host->server);
	host_join(host);
	assert_int_equal(host->result, 0);
}

static inline struct brine_server_counters host_counters(const struct host *host)
{
	struct brine_server_counters counters;
	brine_server_counters(host->server, &counters);
	return counters;
}

/* The log says that a peer which took nothing was cut off: by our patience or, over TCP, by that of the kernel, which
 * is twice as long and may end first where the machine is busy. */
static inline void expect_cut_off(const struct host *host, enum over kind)
{
	bool by_kernel = kind == OVER_TCP && strstr(host->log, "the peer has vanished");
	if (!by_kernel)
		expect_in(host->log, "took no output");
}

static inline void host_stop(struct host *host)
{
	host_end(host);
	host_free(host);
}

static inline struct brine_client *client_of(const char *address, const struct brine_client_options *options)
{
	struct brine_client *client;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_client_open(&client, address, options, &error) < 0)
		fail_msg("open: %s", error.text);
	return client;
}

/* A client on one end of a pair; ret_fd: the other. */
static inline struct brine_client *client_of_pair(int *ret_fd, const struct brine_client_options *options)
{
	int fds[2];
	struct brine_client *client;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(brine_client_open_fd(&client, fds[0], options, NULL), 0);
	*ret_fd = fds[1];
	return client;
}

/* The address of a host for a plain client. */
static inline const char *plain_address(const struct host *host, char out[ADDRESS_SIZE + 16])
{
	if (strncmp(host->address, "unix", 4) == 0)
		snprintf(out, ADDRESS_SIZE + 16, "msgpack-rpc+%s", host->address);
	else
		snprintf(out, ADDRESS_SIZE + 16, "msgpack-rpc%s", host->address + 3);
	return out;
}

/* ---- raw peers ---- */

/* A connected socket, by hand. */
static inline int raw_connect(const char *address)
{
	struct brine_addr addr;
	int fd;
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_CONNECT, NULL), 0);
	assert_int_equal(dial_and_wait(&fd, NULL, &addr.sockaddr, 1, brine_clock_ms() + PATIENCE_MS, NULL), 0);
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK), 0);
	return fd;
}

/* The same to a TCP address, from another address of this machine: 127.0.0.n. */
static inline int raw_connect_from(const char *address, uint8_t n)
{
	struct brine_addr addr;
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl((INADDR_LOOPBACK & 0xffffff00) | n)};
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_CONNECT, NULL), 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	/* Ports are chosen by connect(): the same one serves several peers. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	if (connect(fd, &addr.sockaddr.u.any, addr.sockaddr.size) < 0)
		fail_msg("connect from 127.0.0.%u: %s", n, strerror(errno));
	return fd;
}

/* Writes everything; a peer that closes meanwhile is no failure. */
static inline void raw_send(int fd, const void *data, size_t size)
{
	const char *bytes = data;
	while (size) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
		if (sent <= 0)
			return;
		bytes += sent;
		size -= (size_t)sent;
	}
}

static inline void raw_send_hex(int fd, const char *hex)
{
	struct brine_buf bytes = BRINE_BUF_INIT;
	hex_append(&bytes, hex);
	raw_send(fd, bytes.data + bytes.start, brine_buf_size(&bytes));
	brine_buf_done(&bytes);
}

/* Reads until size bytes are there (the buffer then holds at least that) or the peer's end. True: the bytes came. */
static inline bool raw_read(int fd, struct brine_buf *into, size_t size)
{
	while (brine_buf_size(into) < size) {
		char chunk[4096];
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		if (poll(&poller, 1, PATIENCE_MS) <= 0)
			fail_msg("the peer neither answered nor closed");
		ssize_t got = recv(fd, chunk, sizeof chunk, 0);
		if (got <= 0)
			return false;
		if (brine_buf_append(into, chunk, (size_t)got) < 0)
			abort();
	}
	return true;
}

static inline void raw_read_to_end(int fd, struct brine_buf *into)
{
	raw_read(fd, into, SIZE_MAX);
}

/* Reads exactly the bytes written as hex. */
static inline void raw_expect_hex(int fd, const char *hex)
{
	struct brine_buf expected = BRINE_BUF_INIT, got = BRINE_BUF_INIT;
	size_t size = hex_append(&expected, hex);
	while (brine_buf_size(&got) < size) {
		char chunk[256];
		size_t missing = size - brine_buf_size(&got);
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		if (poll(&poller, 1, PATIENCE_MS) <= 0)
			fail_msg("expected %s, but nothing came", hex);
		ssize_t count = recv(fd, chunk, missing < sizeof chunk ? missing : sizeof chunk, 0);
		if (count <= 0)
			fail_msg("expected %s, but the peer closed", hex);
		brine_buf_append(&got, chunk, (size_t)count);
	}
	assert_memory_equal(got.data + got.start, expected.data + expected.start, size);
	brine_buf_done(&expected);
	brine_buf_done(&got);
}

/* Sends [0, id, method, params] or, where id < 0, [2, method, params]; params: one encoded array of at most 100 bytes.
 */
static inline void raw_send_request(int fd, int id, const char *method, struct brine_bytes params)
{
	struct brine_buf frame = BRINE_BUF_INIT;
	uint8_t prefix = 0;
	brine_buf_append(&frame, &prefix, 1);
	brine_pack_array(&frame, id < 0 ? 3 : 4);
	brine_pack_int(&frame, id < 0 ? 2 : 0);
	if (id >= 0)
		brine_pack_int(&frame, id);
	brine_pack_str(&frame, method, strlen(method));
	brine_buf_append(&frame, params.data, params.size);
	assert_true(brine_buf_size(&frame) <= 0x80);
	frame.data[frame.start] = (uint8_t)(brine_buf_size(&frame) - 1);
	raw_send(fd, frame.data + frame.start, brine_buf_size(&frame));
	brine_buf_done(&frame);
}

/* Reads one short frame (its prefix is one byte) without its prefix. Returns its size; 0 at the peer's end. */
static inline size_t raw_read_frame(int fd, uint8_t frame[128])
{
	uint8_t size;
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	if (poll(&poller, 1, PATIENCE_MS) <= 0)
		fail_msg("a frame was expected, but nothing came");
	if (recv(fd, &size, 1, 0) <= 0)
		return 0;
	assert_true(size < 0x80);
	assert_int_equal(recv(fd, frame, size, MSG_WAITALL), size);
	return size;
}

/* Keeps the greatest number that any thread came with. */
static inline void keep_most(atomic_int *most, int now)
{
	int before = atomic_load(most);
	while (now > before && !atomic_compare_exchange_weak(most, &before, now))
		;
}

/* The next limit of time for what was meant to get far within the last one, and did not on a busy machine. Only what
 * never gets there fails:
 *
 *	for (uint64_t ms = 50; !got_far_in(ms); ms = twice_as_long(ms))
 *		; */
static inline uint64_t twice_as_long(uint64_t ms)
{
	if (ms >= PATIENCE_MS)
		fail_msg("it did not get far enough in %llu ms either", (unsigned long long)ms);
	return 2 * ms;
}

/* Waits until the other thread has counted that far. */
static inline void wait_for_count(atomic_int *counter, int least)
{
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(counter) < least) {
		if (brine_clock_ms() > deadline_ms)
			fail_msg("a counter stayed at %d instead of %d", atomic_load(counter), least);
		sched_yield();
	}
}

/* ---- a call that is held ---- */

struct release {
	struct host *host;
	int count; /* lets go once so many calls have been held */
	int status;
	pthread_t thread;
};

static inline void *release_run(void *argument)
{
	struct release *release = argument;
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (atomic_load(&release->host->calc.held_count) < release->count && brine_clock_ms() < deadline_ms)
		sched_yield();
	struct brine_client *client;
	release->status = brine_client_open(&client, release->host->address, NULL, NULL);
	if (release->status < 0)
		return NULL;
	struct calc_number number = {release->count};
	release->status = brine_client_call(client, NULL, &calc_methods[CALC_RELEASE], &number, NULL);
	brine_client_free(client);
	return NULL;
}

/* Lets the count-th held call go, from another client in another thread: its answer is that number. */
static inline void release_begin(struct release *release, struct host *host, int count)
{
	*release = (struct release){.host = host, .count = count};
	assert_int_equal(pthread_create(&release->thread, NULL, release_run, release), 0);
}

static inline void release_finish(struct release *release)
{
	pthread_join(release->thread, NULL);
	assert_int_equal(release->status, 0);
}

#endif
