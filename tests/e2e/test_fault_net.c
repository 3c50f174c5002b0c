/* Proves: no system call that fails, and no short read or write, makes src/net crash, leak, hang or lie (G05, G06);
 * running out of descriptors in accept costs no busy loop (G07). */
#include "dial.h"
#include "e2e.h"
#include "faults.h"

#include <brine/conn.h>

#include "net/clock.h"
#include "net/descriptor.h"
#include "net/listen_socket.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/stream_pair.h"
#include "net/stream_watch.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum {
	MESSAGE_SIZE = 3000,
	TURNS_MAX = 5000,
	IDLE_TURNS_MAX = 100,
	SOON_MS = 1000,
};

/* Instead of an address: two pipes, a descriptor that listens. */
static const char pipes[] = "pipes", passed[] = "passed";

/* A client that sends a message and a server that echoes it, on one loop in one thread. */
struct exchange {
	const char *address;
	struct brine_loop *loop;
	struct brine_listen_socket *listeners[BRINE_ADDR_RESOLVED_MAX];
	size_t listener_count;
	struct brine_watch listener_watches[BRINE_ADDR_RESOLVED_MAX];
	struct brine_timer pause;
	unsigned pauses, refusals;
	struct brine_stream *client, *server;
	struct brine_stream_watch client_watch, server_watch;
	uint8_t message[MESSAGE_SIZE], echo[MESSAGE_SIZE + 1], relay[512];
	size_t sent, received, relay_start, relay_end;
	bool shut, server_ended, done;
	int failure; /* what ended it early */
	struct brine_error error;
	struct fail_allocator allocator;
};

static void set_failure(struct exchange *exchange, int code)
{
	if (!exchange->failure)
		exchange->failure = code;
}

static void watch_client(struct exchange *x)
{
	unsigned wanted = BRINE_READABLE | (x->sent < MESSAGE_SIZE ? BRINE_WRITABLE : 0u);
	set_failure(x, brine_loop_watch_stream(x->loop, &x->client_watch, x->client, wanted));
}

static void watch_server(struct exchange *x)
{
	unsigned wanted = x->relay_end ? BRINE_WRITABLE : BRINE_READABLE;
	set_failure(x, brine_loop_watch_stream(x->loop, &x->server_watch, x->server, wanted));
}

static void client_ready(struct brine_watch *watch, unsigned ready)
{
	struct exchange *x = watch->user;
	if ((ready & BRINE_WRITABLE) && x->sent < MESSAGE_SIZE) {
		size_t left = MESSAGE_SIZE - x->sent;
		struct iovec parts[2] = {{x->message + x->sent, left / 2},
		                         {x->message + x->sent + left / 2, left - left / 2}};
		ssize_t put = brine_stream_writev(x->client, parts, 2);
		if (put >= 0)
			x->sent += (size_t)put;
		else if (put != BRINE_STREAM_AGAIN)
			return set_failure(x, (int)put);
	}
	if (x->sent == MESSAGE_SIZE && !x->shut) {
		x->shut = true;
		int rc = brine_stream_shutdown(x->client);
		if (rc < 0)
			return set_failure(x, rc);
	}
	if (ready & BRINE_READABLE) {
		ssize_t got = brine_stream_read(x->client, x->echo + x->received, sizeof x->echo - x->received);
		if (got > 0)
			x->received += (size_t)got;
		else if (got == 0)
			x->done = true;
		else if (got != BRINE_STREAM_AGAIN)
			return set_failure(x, (int)got);
	}
	watch_client(x);
}

static void server_ready(struct brine_watch *watch, unsigned ready)
{
	struct exchange *x = watch->user;
	if ((ready & BRINE_READABLE) && x->relay_end == 0 && !x->server_ended) {
		ssize_t got = brine_stream_read(x->server, x->relay, sizeof x->relay);
		if (got > 0)
			x->relay_end = (size_t)got;
		else if (got == 0)
			x->server_ended = true;
		else if (got != BRINE_STREAM_AGAIN)
			return set_failure(x, (int)got);
	}
	if ((ready & BRINE_WRITABLE) && x->relay_end > 0) {
		ssize_t put = brine_stream_write(x->server, x->relay + x->relay_start, x->relay_end - x->relay_start);
		if (put >= 0)
			x->relay_start += (size_t)put;
		else if (put != BRINE_STREAM_AGAIN)
			return set_failure(x, (int)put);
		if (x->relay_start == x->relay_end)
			x->relay_start = x->relay_end = 0;
	}
	if (x->server_ended && x->relay_end == 0) {
		brine_loop_unwatch_stream(x->loop, &x->server_watch);
		brine_stream_close(x->server);
		x->server = NULL;
		return;
	}
	watch_server(x);
}

static int watch_listeners(struct exchange *x)
{
	for (size_t i = 0; i < x->listener_count; i++) {
		int rc = brine_loop_add(x->loop, &x->listener_watches[i], brine_listen_socket_fd(x->listeners[i]),
		                        BRINE_READABLE);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void pause_over(struct brine_timer *timer, uint64_t now_ms)
{
	(void)now_ms;
	struct exchange *x = timer->user;
	int rc = watch_listeners(x);
	if (rc < 0)
		set_failure(x, rc);
}

static void server_start(struct exchange *x, int fd)
{
	int rc = brine_stream_new_socket(&x->server, fd, &x->allocator.base, &x->error);
	if (rc < 0) {
		brine_socket_close(fd);
		return set_failure(x, rc);
	}
	watch_server(x);
}

static void listener_ready(struct brine_watch *watch, unsigned ready)
{
	struct exchange *x = watch->user;
	struct brine_sockaddr peer;
	int fd;
	assert_int_equal(ready, BRINE_READABLE);
	int rc = brine_listen_socket_accept(x->listeners[watch - x->listener_watches], &fd, &peer);
	switch (rc) {
	case BRINE_ACCEPT_NONE: break;
	case BRINE_ACCEPT_ONE: server_start(x, fd); break;
	case BRINE_ACCEPT_REFUSED: x->refusals++; break;
	case BRINE_ACCEPT_PAUSE:
		x->pauses++;
		for (size_t i = 0; i < x->listener_count; i++)
			brine_loop_remove(x->loop, &x->listener_watches[i]);
		brine_timer_set(x->loop, &x->pause, brine_clock_ms() + BRINE_ACCEPT_PAUSE_MS);
		break;
	default: set_failure(x, rc);
	}
}

/* A stream of two ends of pipes or FIFOs; on error they are closed. */
static int pair_open(struct brine_stream **ret_stream, struct exchange *x, int in_fd, int out_fd)
{
	int rc = brine_stream_new_pair(ret_stream, in_fd, out_fd, &x->allocator.base, &x->error);
	if (rc < 0) {
		brine_socket_close(in_fd);
		brine_socket_close(out_fd);
	}
	return rc;
}

/* Two pipes, one for each direction. */
static int exchange_start_pipes(struct exchange *x)
{
	int there[2], back[2];
	assert_int_equal(pipe2(there, O_CLOEXEC), 0);
	assert_int_equal(pipe2(back, O_CLOEXEC), 0);
	int rc = pair_open(&x->client, x, back[0], there[1]);
	int server_rc = pair_open(&x->server, x, there[0], back[1]);
	if (rc < 0 || server_rc < 0)
		return rc < 0 ? rc : server_rc;
	watch_client(x);
	watch_server(x);
	return 0;
}

/* What is to be listened on. A descriptor that listens is made; on error it is closed. */
static int exchange_listen(struct exchange *x)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	struct brine_addr addr;
	char text[32];
	int fd = -1;
	if (strcmp(x->address, passed) == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any.sun_family), 0);
		assert_int_equal(listen(fd, 8), 0);
		snprintf(text, sizeof text, "fd://%d", fd);
	}
	const char *address = fd < 0 ? x->address : text;
	int rc = brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_LISTEN, &x->error);
	if (rc == 0)
		rc = brine_listener_open_all(x->listeners, &x->listener_count, &addr, 0600, &x->allocator.base,
		                             &x->error);
	if (rc < 0)
		brine_socket_close(fd);
	return rc;
}

static int exchange_connect(struct exchange *x)
{
	struct brine_addr real;
	int rc = exchange_listen(x);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < x->listener_count; i++)
		x->listener_watches[i] = (struct brine_watch){.on_ready = listener_ready, .user = x};
	rc = watch_listeners(x);
	if (rc < 0)
		return rc;
	struct brine_str at = brine_str_from(brine_listen_socket_address(x->listeners[0]));
	assert_int_equal(brine_addr_parse(&real, at, BRINE_ADDR_CONNECT, &x->error), 0);
	int fd;
	rc = dial_and_wait(&fd, NULL, &real.sockaddr, 1, brine_clock_ms() + 10000, &x->error);
	if (rc < 0)
		return rc;
	rc = brine_stream_new_socket(&x->client, fd, &x->allocator.base, &x->error);
	if (rc < 0) {
		brine_socket_close(fd);
		return rc;
	}
	rc = brine_socket_wait(brine_stream_fd(x->client), BRINE_WRITABLE, BRINE_FOREVER);
	if (rc < 0)
		return rc;
	watch_client(x);
	return 0;
}

static int exchange_start(struct exchange *x)
{
	int rc = brine_loop_new(&x->loop, NULL, NULL, &x->allocator.base, &x->error);
	if (rc < 0)
		return rc;
	brine_stream_watch_init(&x->client_watch, client_ready, x);
	brine_stream_watch_init(&x->server_watch, server_ready, x);
	return strcmp(x->address, pipes) == 0 ? exchange_start_pipes(x) : exchange_connect(x);
}

static void exchange_run(struct exchange *x)
{
	fault_clock_auto(true);
	for (unsigned turns = 0, idle = 0; !x->done && !x->failure; turns++) {
		if (turns == TURNS_MAX || idle == IDLE_TURNS_MAX)
			fail_msg("no end after %u turns, %u of them idle: %s", turns, idle, fault_text());
		if (turns < 2)
			brine_loop_wake(x->loop);
		int rc = brine_loop_turn(x->loop, brine_clock_ms() + SOON_MS);
		if (rc < 0)
			set_failure(x, rc);
		idle += rc == 0;
	}
	fault_clock_auto(false);
}

static void exchange_end(struct exchange *x)
{
	for (size_t i = 0; i < x->listener_count; i++) {
		brine_loop_remove(x->loop, &x->listener_watches[i]);
		brine_listen_socket_close(x->listeners[i]);
	}
	if (x->client)
		brine_loop_unwatch_stream(x->loop, &x->client_watch);
	if (x->server)
		brine_loop_unwatch_stream(x->loop, &x->server_watch);
	brine_stream_close(x->client);
	brine_stream_close(x->server);
	if (x->loop)
		brine_timer_stop(x->loop, &x->pause);
	brine_loop_free(x->loop);
}

/* The whole scenario. Leaves nothing behind; x says how it went. */
static void exchange(struct exchange *x, const char *address, uint64_t fail_allocation)
{
	size_t descriptors = e2e_descriptors();
	*x = (struct exchange){.address = address, .pause = {.on_due = pause_over, .user = x}};
	fail_allocator_init(&x->allocator, fail_allocation, false);
	for (size_t i = 0; i < MESSAGE_SIZE; i++)
		x->message[i] = (uint8_t)(i * 7 + i / 256);
	set_failure(x, exchange_start(x));
	if (!x->failure)
		exchange_run(x);
	exchange_end(x);
	assert_int_equal(x->allocator.held, 0);
	assert_int_equal(e2e_descriptors(), descriptors);
	if (x->failure)
		return;
	if (x->refusals) /* the only peer was turned away: it was told the end, and got nothing */
		return assert_int_equal(x->received, 0);
	assert_int_equal(x->received, MESSAGE_SIZE);
	assert_memory_equal(x->echo, x->message, MESSAGE_SIZE);
}

static void faulty_exchange(void *user)
{
	struct exchange x;
	exchange(&x, user, 0);
	if (x.failure && (!fault_injected() || fault_invisible()))
		fail_msg("%s (%s) came of %s", brine_error_name(x.failure), x.error.text, fault_text());
}

/* G05: every system call fails once, with every errno it can give, at every place. */
static void sweep(const char *address, const enum fault_function *functions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fault_sweep(functions[i], faulty_exchange, (void *)(uintptr_t)address);
}

static void G05_tcp_survives_every_failing_call(void **state)
{
	e2e_needs_localhost();
	(void)state;
	static const enum fault_function functions[] = {
	        FAULT_socket,        FAULT_bind,        FAULT_listen,      FAULT_connect,     FAULT_accept4,
	        FAULT_send,          FAULT_sendmsg,     FAULT_recv,        FAULT_shutdown,    FAULT_setsockopt,
	        FAULT_getsockopt,    FAULT_getsockname, FAULT_getpeername, FAULT_getaddrinfo, FAULT_poll,
	        FAULT_epoll_create1, FAULT_epoll_ctl,   FAULT_epoll_wait,  FAULT_eventfd,     FAULT_read,
	        FAULT_write,         FAULT_close,       FAULT_fcntl};
	sweep("tcp://localhost:0", functions, sizeof functions / sizeof functions[0]);
}

static void G05_unix_survives_every_failing_call(void **state)
{
	static const enum fault_function functions[] = {FAULT_socket,    FAULT_bind,   FAULT_listen,   FAULT_connect,
	                                                FAULT_accept4,   FAULT_open,   FAULT_flock,    FAULT_fstat,
	                                                FAULT_fstatat,   FAULT_fchmod, FAULT_fchmodat, FAULT_renameat2,
	                                                FAULT_getrandom, FAULT_close,  FAULT_eventfd};
	char address[300];
	snprintf(address, sizeof address, "unix://%s", e2e_path(state, "x.sock"));
	sweep(address, functions, sizeof functions / sizeof functions[0]);
	assert_int_equal(e2e_files(state), 0);
}

static void G05_pipes_survive_every_failing_call(void **state)
{
	(void)state;
	static const enum fault_function functions[] = {FAULT_fcntl, FAULT_fstat,     FAULT_fstatfs,
	                                                FAULT_open,  FAULT_read,      FAULT_writev,
	                                                FAULT_close, FAULT_epoll_ctl, FAULT_epoll_create1};
	sweep(pipes, functions, sizeof functions / sizeof functions[0]);
}

static void G05_a_listening_descriptor_survives_every_failing_call(void **state)
{
	(void)state;
	static const enum fault_function functions[] = {FAULT_fcntl,   FAULT_getsockopt, FAULT_getsockname,
	                                                FAULT_eventfd, FAULT_close,      FAULT_accept4};
	sweep(passed, functions, sizeof functions / sizeof functions[0]);
}

/* G06: short reads and writes, 20 seeds each. */
static void G06_short_reads_and_writes_change_nothing(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct exchange x;
		fault_reset();
		fault_short_io(seed);
		exchange(&x, seed % 2 ? "tcp://127.0.0.1:0" : pipes, 0);
		assert_int_equal(x.failure, 0);
		assert_true(fault_shortened() > 10);
	}
	fault_reset();
}

static void fail_each_allocation(const char *address)
{
	uint64_t failures = 0;
	for (uint64_t n = 1;; n++) {
		struct exchange x;
		exchange(&x, address, n);
		failures += x.allocator.failures;
		if (!x.allocator.failures)
			break;
		assert_int_equal(x.failure, BRINE_ERR_NOMEM);
	}
	assert_true(failures >= 4);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	fail_each_allocation("tcp://127.0.0.1:0");
	fail_each_allocation(pipes);
	fail_each_allocation(passed);
}

/* G20: 0 is replaced, not closed, whatever comes in between; where nothing can take its place it is closed. */
static void G20_a_standard_descriptor_is_replaced(void **state)
{
	static const struct {
		enum fault_function function;
		int system_errno;
		bool is_closed;
	} rows[] = {{FAULT_dup2, EINTR, false}, {FAULT_dup2, EBUSY, false}, {FAULT_dup2, EMFILE, true},
	            {FAULT_open, EMFILE, true}, {FAULT_open, ENOENT, true}, {FAULT_close, EINTR, false}};
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	(void)state;
	if (saved < 0)
		skip(); /* the test was started without a stdin */
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stat file, null;
		fault_reset();
		fault_fail_at(rows[i].function, 1, rows[i].system_errno);
		brine_descriptor_close(0);
		assert_int_equal(fault_injected(), 1);
		fault_reset();
		assert_int_equal(fstat(0, &file) < 0, rows[i].is_closed);
		assert_int_equal(stat("/dev/null", &null), 0);
		assert_true(rows[i].is_closed || file.st_rdev == null.st_rdev);
		assert_int_equal(dup2(saved, 0), 0);
	}
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(G05_tcp_survives_every_failing_call),
	        e2e_test(G05_unix_survives_every_failing_call),
	        e2e_test(G05_pipes_survive_every_failing_call),
	        e2e_test(G05_a_listening_descriptor_survives_every_failing_call),
	        e2e_test(G06_short_reads_and_writes_change_nothing),
	        e2e_test(every_allocation_may_fail),
	        e2e_test(G20_a_standard_descriptor_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
