/* Proves: streams tell apart bytes, the end, "not now" and errors; waits keep their length; nothing that a peer passes
 * along leaks (H08, H09, H10, G09, G10, G20). */
#include "dial.h"
#include "e2e.h"

#include <brine/conn.h>

#include "net/clock.h"
#include "net/listen_socket.h"
#include "net/socket.h"
#include "net/stream_watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

/* A connection: stream is ours, peer a bare descriptor. */
struct pair {
	struct brine_stream *stream;
	int peer;
};

static struct pair connect_tcp(void)
{
	struct pair pair;
	struct brine_addr addr, real;
	struct brine_listen_socket *listener;
	struct brine_error error = BRINE_ERROR_INIT;
	int fd;
	assert_int_equal(brine_addr_parse(&addr, BRINE_STR("tcp://127.0.0.1:0"), BRINE_ADDR_LISTEN, &error), 0);
	assert_int_equal(brine_listen_socket_open(&listener, &addr.sockaddr, 0, NULL, &error), 0);
	assert_int_equal(
	        brine_addr_parse(&real, brine_str_from(brine_listen_socket_address(listener)), BRINE_ADDR_CONNECT, &error),
	        0);
	assert_int_equal(dial_and_wait(&fd, NULL, &real.sockaddr, 1, brine_clock_ms() + 10000, &error), 0);
	assert_true(brine_socket_wait(brine_listen_socket_fd(listener), BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	assert_int_equal(brine_listen_socket_accept(listener, &pair.peer, NULL), BRINE_ACCEPT_ONE);
	assert_int_equal(brine_stream_new_socket(&pair.stream, fd, NULL, &error), 0);
	brine_listen_socket_close(listener);
	return pair;
}

static struct pair connect_unix(void)
{
	struct pair pair;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(brine_stream_new_socket(&pair.stream, fds[0], NULL, NULL), 0);
	pair.peer = fds[1];
	return pair;
}

static void pair_close(struct pair *pair)
{
	brine_stream_close(pair->stream);
	brine_socket_close(pair->peer);
}

static ssize_t read_soon(struct brine_stream *stream, void *data, size_t size)
{
	assert_true(brine_socket_wait(brine_stream_fd(stream), BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	return brine_stream_read(stream, data, size);
}

static void results_tell_bytes_end_not_now_and_errors_apart(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		struct pair pair = kind ? connect_tcp() : connect_unix();
		char data[16];
		assert_int_equal(brine_stream_read(pair.stream, data, sizeof data), BRINE_STREAM_AGAIN);
		assert_int_equal(brine_socket_wait(brine_stream_fd(pair.stream), BRINE_READABLE, 0),
		                 BRINE_ERR_DEADLINE);
		assert_int_equal(
		        brine_socket_wait(brine_stream_fd(pair.stream), BRINE_READABLE | BRINE_WRITABLE, BRINE_FOREVER),
		        BRINE_WRITABLE);
		assert_int_equal(send(pair.peer, "abc", 3, 0), 3);
		assert_int_equal(read_soon(pair.stream, data, 2), 2);
		assert_int_equal(read_soon(pair.stream, data, sizeof data), 1);
		assert_int_equal(brine_stream_write(pair.stream, "xy", 2), 2);
		assert_int_equal(recv(pair.peer, data, sizeof data, 0), 2);
		assert_int_equal(brine_stream_shutdown(pair.stream), 0);
		assert_int_equal(recv(pair.peer, data, sizeof data, 0), 0);
		assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
		assert_int_equal(read_soon(pair.stream, data, sizeof data), 0);
		/* G09: SIGPIPE has its default action here, and would end the test. */
		assert_int_equal(brine_stream_write(pair.stream, "x", 1), BRINE_ERR_SYSTEM);
		assert_int_equal(pair.stream->system_errno, EPIPE);
		pair_close(&pair);
	}
}

static void a_full_pipe_is_not_now_and_a_reset_is_an_error(void **state)
{
	(void)state;
	struct pair pair = connect_tcp();
	static char block[65536];
	ssize_t put;
	size_t total = 0;
	while ((put = brine_stream_write(pair.stream, block, sizeof block)) > 0)
		total += (size_t)put;
	assert_true(total > 0);
	assert_int_equal(put, BRINE_STREAM_AGAIN);
	assert_int_equal(setsockopt(pair.peer, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)),
	                 0);
	close(pair.peer);
	pair.peer = -1;
	assert_int_equal(read_soon(pair.stream, block, sizeof block), BRINE_ERR_SYSTEM);
	assert_int_equal(pair.stream->system_errno, ECONNRESET);
	pair_close(&pair);
}

static void only_connected_stream_sockets_become_streams(void **state)
{
	(void)state;
	struct brine_stream *stream = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	int pipes[2], datagram = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(brine_stream_new_socket(&stream, pipes[0], NULL, &error), BRINE_ERR_INVALID);
	assert_int_equal(brine_stream_new_socket(&stream, datagram, NULL, &error), BRINE_ERR_INVALID);
	assert_int_equal(brine_stream_new_socket(&stream, -1, NULL, &error), BRINE_ERR_SYSTEM);
	assert_int_equal(error.system_errno, EBADF);
	assert_null(stream);
	close(pipes[0]);
	close(pipes[1]);
	close(datagram);
}

/* Other processes, too, may have the open file description of a socket that is handed over. */
static void a_socket_that_blocks_elsewhere_does_not_block_here(void **state)
{
	(void)state;
	struct pair pair = connect_unix();
	static char block[65536];
	ssize_t put;
	assert_int_equal(fcntl(brine_stream_fd(pair.stream), F_GETFL) & O_NONBLOCK, 0);
	alarm(10); /* a read or a write that waits would wait for ever */
	assert_int_equal(brine_stream_read(pair.stream, block, sizeof block), BRINE_STREAM_AGAIN);
	while ((put = brine_stream_write(pair.stream, block, sizeof block)) > 0)
		;
	assert_int_equal(put, BRINE_STREAM_AGAIN);
	struct iovec parts[2] = {{block, 1}, {block, 1}};
	assert_int_equal(brine_stream_writev(pair.stream, parts, 2), BRINE_STREAM_AGAIN);
	alarm(0);
	pair_close(&pair);
}

/* H08: a port of the ephemeral range on which nobody listens may be given to the one who connects to it. Bound by hand,
 * so that it happens every time. */
static void H08_a_connection_to_itself_is_found(void **state)
{
	(void)state;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct brine_sockaddr self = {.size = sizeof(struct sockaddr_in)};
	struct brine_error error = BRINE_ERROR_INIT;
	self.u.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(bind(fd, &self.u.any, self.size), 0);
	assert_int_equal(brine_socket_local(fd, &self), 0);
	assert_int_equal(connect(fd, &self.u.any, self.size), 0);
	assert_int_equal(brine_socket_connect_finish(fd, &self, &error), BRINE_ERR_CONNECT);
	assert_int_equal(error.system_errno, ELOOP);
	assert_non_null(strstr(error.text, "came back to itself"));
	brine_socket_close(fd);
}

/* H09: descriptors passed along unasked are closed by the kernel. */
static void H09_passed_descriptors_never_arrive(void **state)
{
	(void)state;
	struct pair pair = connect_unix();
	size_t before = e2e_descriptors();
	for (unsigned round = 0; round < 50; round++) {
		union {
			struct cmsghdr head;
			char space[CMSG_SPACE(8 * sizeof(int))];
		} control;
		char sent = 'x';
		struct iovec part = {&sent, 1};
		struct msghdr message = {
		        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
		memset(&control, 0, sizeof control);
		control.head = (struct cmsghdr){
		        .cmsg_len = CMSG_LEN(8 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		for (int i = 0; i < 8; i++)
			memcpy(CMSG_DATA(&control.head) + (size_t)i * sizeof(int), &pair.peer, sizeof(int));
		assert_int_equal(sendmsg(pair.peer, &message, 0), 1);
		char byte = 0;
		assert_int_equal(read_soon(pair.stream, &byte, 1), 1);
		assert_int_equal(byte, 'x');
		assert_int_equal(e2e_descriptors(), before);
	}
	/* The copies held the peer open until they were closed: now its end is seen. */
	brine_socket_close(pair.peer);
	char byte;
	assert_int_equal(read_soon(pair.stream, &byte, 1), 0);
	pair.peer = -1;
	pair_close(&pair);
}

/* H10: an urgent byte is left out; the bytes around it arrive in order. */
static void H10_urgent_bytes_are_left_out(void **state)
{
	(void)state;
	struct pair pair = connect_tcp();
	char got[32] = "";
	size_t size = 0;
	assert_int_equal(send(pair.peer, "abc", 3, 0), 3);
	assert_int_equal(send(pair.peer, "!", 1, MSG_OOB), 1);
	assert_int_equal(send(pair.peer, "def", 3, 0), 3);
	assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
	for (ssize_t part; (part = read_soon(pair.stream, got + size, sizeof got - 1 - size)) > 0;)
		size += (size_t)part;
	got[size] = '\0';
	assert_string_equal(got, "abcdef");
	pair_close(&pair);
}

static void unix_peers_have_credentials(void **state)
{
	(void)state;
	struct pair unix_pair = connect_unix(), tcp_pair = connect_tcp();
	struct brine_credentials credentials;
	assert_int_equal(brine_socket_credentials(brine_stream_fd(unix_pair.stream), &credentials), 0);
	assert_int_equal(credentials.uid, getuid());
	assert_int_equal(credentials.gid, getgid());
	assert_int_equal(credentials.pid, getpid());
	assert_int_equal(brine_socket_credentials(brine_stream_fd(tcp_pair.stream), &credentials), BRINE_ERR_NOT_FOUND);
	assert_int_equal(brine_socket_credentials(-1, &credentials), BRINE_ERR_SYSTEM);
	assert_int_equal(brine_socket_keepalive(brine_stream_fd(unix_pair.stream), 1000, 1000), 0);
	assert_int_equal(brine_socket_keepalive(brine_stream_fd(tcp_pair.stream), UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(brine_socket_keepalive(brine_stream_fd(tcp_pair.stream), 0, 0), 0);
	assert_int_equal(fcntl(brine_stream_fd(tcp_pair.stream), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(tcp_pair.peer, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	pair_close(&unix_pair);
	pair_close(&tcp_pair);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

/* G10: signals at 1,000 a second neither shorten nor lengthen a wait. */
static void G10_signals_do_not_change_a_wait(void **state)
{
	(void)state;
	struct pair pair = connect_unix();
	struct sigaction action = {.sa_handler = count_signal}, old;
	struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	/* On a busy machine few of them come in one wait. */
	for (int waits = 0; waits == 0 || signals <= 10; waits++) {
		assert_in_range(waits, 0, 100);
		uint64_t start_ms = brine_clock_ms();
		assert_int_equal(brine_socket_wait(brine_stream_fd(pair.stream), BRINE_READABLE, start_ms + 200),
		                 BRINE_ERR_DEADLINE);
		/* If each signal had started the wait anew it would never have ended. */
		assert_true(brine_clock_ms() - start_ms >= 200);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	pair_close(&pair);
}

static void dialling_passes_over_dead_addresses(void **state)
{
	struct brine_addr addr;
	struct brine_sockaddr list[3];
	struct brine_listen_socket *listener;
	struct brine_error error = BRINE_ERROR_INIT;
	char text[300];
	size_t index = 99;
	int fd = -1;
	snprintf(text, sizeof text, "unix://%s", e2e_path(state, "x.sock"));
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(text), BRINE_ADDR_LISTEN, &error), 0);
	list[2] = addr.sockaddr;
	assert_int_equal(brine_listen_socket_open(&listener, &addr.sockaddr, 0600, NULL, &error), 0);
	assert_int_equal(brine_addr_parse(&addr, BRINE_STR("unix:///nowhere/x.sock"), BRINE_ADDR_CONNECT, &error), 0);
	list[0] = addr.sockaddr;
	assert_int_equal(brine_addr_parse(&addr, BRINE_STR("tcp://127.0.0.1:1"), BRINE_ADDR_CONNECT, &error), 0);
	list[1] = addr.sockaddr;
	assert_int_equal(dial_and_wait(&fd, &index, list, 3, BRINE_FOREVER, &error), 0);
	assert_int_equal(index, 2);
	brine_socket_close(fd);
	assert_int_equal(dial_and_wait(&fd, NULL, list, 1, BRINE_FOREVER, &error), BRINE_ERR_CONNECT);
	assert_int_equal(error.system_errno, ENOENT);
	assert_non_null(strstr(error.text, "is the server running?"));
	assert_int_equal(dial_and_wait(&fd, NULL, list + 1, 1, BRINE_FOREVER, &error), BRINE_ERR_CONNECT);
	assert_int_equal(error.system_errno, ECONNREFUSED);
	assert_int_equal(dial_and_wait(&fd, NULL, list, 0, BRINE_FOREVER, &error), BRINE_ERR_INVALID);
	brine_listen_socket_close(listener);
}

/* G20: numbers above 1,024, and 0 to 2 when the program has closed them. */
static void G20_any_descriptor_number_works(void **state)
{
	(void)state;
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	int high = limit.rlim_cur > 65536 + 8 ? 65536 + 2 : limit.rlim_cur > 4096 ? 4000 : 0;
	assert_true(high > 1024);
	struct pair pair = connect_unix();
	int numbers[] = {high, 0};
	int saved = dup(0);
	for (size_t i = 0; i < 2; i++) {
		struct brine_stream *stream;
		char byte;
		int fd = dup2(brine_stream_fd(pair.stream), numbers[i]);
		assert_int_equal(fd, numbers[i]);
		assert_int_equal(brine_stream_new_socket(&stream, fd, NULL, NULL), 0);
		assert_int_equal(send(pair.peer, "x", 1, 0), 1);
		assert_int_equal(read_soon(stream, &byte, 1), 1);
		brine_stream_close(stream);
	}
	if (saved >= 0) {
		dup2(saved, 0);
		close(saved);
	}
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(results_tell_bytes_end_not_now_and_errors_apart),
	        e2e_test(a_full_pipe_is_not_now_and_a_reset_is_an_error),
	        e2e_test(only_connected_stream_sockets_become_streams),
	        e2e_test(a_socket_that_blocks_elsewhere_does_not_block_here),
	        e2e_test(H08_a_connection_to_itself_is_found),
	        e2e_test(H09_passed_descriptors_never_arrive),
	        e2e_test(H10_urgent_bytes_are_left_out),
	        e2e_test(unix_peers_have_credentials),
	        e2e_test(G10_signals_do_not_change_a_wait),
	        e2e_test(dialling_passes_over_dead_addresses),
	        e2e_test(G20_any_descriptor_number_works),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
