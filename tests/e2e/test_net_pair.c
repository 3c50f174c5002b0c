/* Proves: pipes, FIFOs, terminals and sockets of others are streams as accepted sockets are; no SIGPIPE comes of them
 * and none of the program's own is lost; what others share of the descriptors is as it was; what cannot be waited for
 * is refused; a loop that watches two descriptors sees the end of both and does not spin (G09, G20). */
#include "e2e.h"

#include <brine/conn.h>

#include "net/clock.h"
#include "net/socket.h"
#include "net/stream_pair.h"
#include "net/stream_watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

enum kind { PIPES, FIFOS, SOCKETS, ONE_SOCKET, PIPE_IN, TERMINAL, KINDS };

static const char *const kind_names[KINDS] = {"pipes", "FIFOs", "sockets", "one socket", "a pipe in", "a terminal"};

/* What a stream is made of, and its peer: descriptors of ours to read from and write to. */
struct ends {
	int in, out;           /* for the stream */
	int peer_in, peer_out; /* what the stream writes is read from peer_in; the same number where it is one socket */
};

static void make_pipe(int *ret_read, int *ret_write)
{
	int fds[2];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*ret_read = fds[0];
	*ret_write = fds[1];
}

static void make_fifo(void **state, const char *name, int *ret_read, int *ret_write)
{
	assert_int_equal(mkfifo(e2e_path(state, name), 0600), 0);
	*ret_read = open(e2e_path(state, name), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	*ret_write = open(e2e_path(state, name), O_WRONLY | O_CLOEXEC);
	assert_true(*ret_read >= 0 && *ret_write >= 0);
	assert_int_equal(fcntl(*ret_read, F_SETFL, O_RDONLY), 0);
	unlink(e2e_path(state, name));
}

static void make_sockets(int *ret_ours, int *ret_theirs)
{
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*ret_ours = fds[0];
	*ret_theirs = fds[1];
}

static void make_terminal(int *ret_terminal, int *ret_other_side)
{
	struct termios raw;
	char path[64];
	*ret_other_side = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*ret_other_side >= 0);
	assert_int_equal(grantpt(*ret_other_side), 0);
	assert_int_equal(unlockpt(*ret_other_side), 0);
	assert_int_equal(ptsname_r(*ret_other_side, path, sizeof path), 0);
	*ret_terminal = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(*ret_terminal >= 0);
	assert_int_equal(tcgetattr(*ret_terminal, &raw), 0);
	cfmakeraw(&raw);
	assert_int_equal(tcsetattr(*ret_terminal, TCSANOW, &raw), 0);
}

static struct ends make_ends(void **state, enum kind kind)
{
	struct ends ends;
	switch (kind) {
	case PIPES:
		make_pipe(&ends.in, &ends.peer_out);
		make_pipe(&ends.peer_in, &ends.out);
		break;
	case FIFOS:
		make_fifo(state, "in", &ends.in, &ends.peer_out);
		make_fifo(state, "out", &ends.peer_in, &ends.out);
		break;
	case SOCKETS:
		make_sockets(&ends.in, &ends.peer_out);
		make_sockets(&ends.out, &ends.peer_in);
		break;
	case PIPE_IN:
		make_pipe(&ends.in, &ends.peer_out);
		make_sockets(&ends.out, &ends.peer_in);
		break;
	case TERMINAL:
		make_terminal(&ends.in, &ends.peer_in);
		ends.out = ends.in;
		ends.peer_out = ends.peer_in;
		break;
	default:
		make_sockets(&ends.in, &ends.peer_in);
		ends.out = ends.in;
		ends.peer_out = ends.peer_in;
		break;
	}
	return ends;
}

static struct brine_stream *stream_of(int in_fd, int out_fd)
{
	struct brine_stream *stream;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_stream_new_pair(&stream, in_fd, out_fd, NULL, &error) < 0)
		fail_msg("%s", error.text);
	return stream;
}

static void close_peer(struct ends *ends)
{
	close(ends->peer_in);
	if (ends->peer_out != ends->peer_in)
		close(ends->peer_out);
}

static ssize_t read_soon(struct brine_stream *stream, void *data, size_t size)
{
	assert_true(brine_stream_wait(stream, BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	return brine_stream_read(stream, data, size);
}

static void read_all(int fd, char *data, size_t size)
{
	while (size > 0) {
		ssize_t got = read(fd, data, size);
		assert_true(got > 0);
		data += got;
		size -= (size_t)got;
	}
}

/* Bytes, "not now" in both directions, and bytes again. */
static void bytes_go_both_ways(struct brine_stream *stream, const struct ends *ends)
{
	static char block[65536];
	char data[16];
	ssize_t put;
	size_t total = 0;
	assert_int_equal(brine_stream_read(stream, data, sizeof data), BRINE_STREAM_AGAIN);
	assert_int_equal(brine_stream_wait(stream, BRINE_READABLE, 0), BRINE_ERR_DEADLINE);
	assert_int_equal(brine_stream_wait(stream, BRINE_READABLE | BRINE_WRITABLE, BRINE_FOREVER), BRINE_WRITABLE);
	assert_int_equal(write(ends->peer_out, "abc", 3), 3);
	assert_int_equal(read_soon(stream, data, 2), 2);
	assert_int_equal(read_soon(stream, data, sizeof data), 1);
	assert_int_equal(brine_stream_write(stream, "xy", 2), 2);
	char text[] = "123";
	struct iovec parts[3] = {{text, 1}, {text, 0}, {text + 1, 2}};
	assert_int_equal(brine_stream_writev(stream, parts, 3), 3);
	read_all(ends->peer_in, data, 5);
	assert_memory_equal(data, "xy123", 5);
	/* A terminal hands on what it got a moment later, and then takes more. */
	do {
		while ((put = brine_stream_write(stream, block, sizeof block)) > 0)
			total += (size_t)put;
		assert_int_equal(put, BRINE_STREAM_AGAIN);
	} while (brine_stream_wait(stream, BRINE_WRITABLE, brine_clock_ms() + 20) > 0);
	while (total > 0) {
		size_t part = total < sizeof block ? total : sizeof block;
		read_all(ends->peer_in, block, part);
		total -= part;
	}
	assert_int_equal(brine_stream_wait(stream, BRINE_WRITABLE, brine_clock_ms() + 10000), BRINE_WRITABLE);
}

static void every_kind_moves_bytes(void **state)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct ends ends = make_ends(state, kind);
		struct brine_stream *stream = stream_of(ends.in, ends.out);
		bytes_go_both_ways(stream, &ends);
		brine_stream_close(stream);
		close_peer(&ends);
	}
}

static void every_kind_tells_its_end(void **state)
{
	for (enum kind kind = 0; kind < TERMINAL; kind++) {
		struct ends ends = make_ends(state, kind);
		struct brine_stream *stream = stream_of(ends.in, ends.out);
		char data[16];
		assert_int_equal(brine_stream_write(stream, "ab", 2), 2);
		assert_int_equal(brine_stream_shutdown(stream), 0);
		brine_stream_settle(stream);
		/* The peer finds the end behind the bytes, and can still speak. */
		assert_int_equal(read(ends.peer_in, data, sizeof data), 2);
		assert_int_equal(read(ends.peer_in, data, sizeof data), 0);
		assert_int_equal(write(ends.peer_out, "c", 1), 1);
		assert_int_equal(read_soon(stream, data, sizeof data), 1);
		close_peer(&ends);
		assert_int_equal(read_soon(stream, data, sizeof data), 0);
		brine_stream_close(stream);
	}
	/* Nothing tells the other side of a terminal before it is closed. */
	struct ends ends = make_ends(state, TERMINAL);
	struct brine_stream *stream = stream_of(ends.in, ends.out);
	char byte;
	assert_int_equal(brine_stream_shutdown(stream), 0);
	brine_stream_settle(stream);
	assert_int_equal(brine_stream_write(stream, "x", 1), 1);
	close_peer(&ends);
	assert_int_equal(read_soon(stream, &byte, 1), 0);
	assert_int_equal(brine_stream_write(stream, "x", 1), BRINE_ERR_SYSTEM);
	assert_int_equal(stream->system_errno, EIO);
	brine_stream_close(stream);
}

static void what_waits_in_a_pipe_is_untaken(void **state)
{
	for (enum kind kind = 0; kind < TERMINAL; kind++) {
		struct ends ends = make_ends(state, kind);
		struct brine_stream *stream = stream_of(ends.in, ends.out);
		char data[16];
		assert_int_equal(brine_stream_untaken(stream), 0);
		assert_int_equal(brine_stream_write(stream, "12345", 5), 5);
		assert_true(brine_stream_untaken(stream) >= 5);
		assert_int_equal(read(ends.peer_in, data, sizeof data), 5);
		assert_int_equal(brine_stream_untaken(stream), 0);
		brine_stream_close(stream);
		close_peer(&ends);
	}
}

/* ---- SIGPIPE ---- */

static bool is_pending(void)
{
	sigset_t pending;
	assert_int_equal(sigpending(&pending), 0);
	return sigismember(&pending, SIGPIPE);
}

static bool is_blocked(void)
{
	sigset_t mask;
	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	return sigismember(&mask, SIGPIPE);
}

static void set_blocked(bool on)
{
	sigset_t sigpipe;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	assert_int_equal(pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &sigpipe, NULL), 0);
}

enum { FOR_THREAD = 1, FOR_PROCESS = 2 };

/* For whom SIGPIPE is pending: a set of the above. */
static int pending_for(void)
{
	FILE *file = fopen("/proc/thread-self/status", "r");
	char line[256];
	unsigned long long mask;
	int found = 0;
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "SigPnd: %llx", &mask) == 1)
			found |= mask >> (SIGPIPE - 1) & 1 ? FOR_THREAD : 0;
		if (sscanf(line, "ShdPnd: %llx", &mask) == 1)
			found |= mask >> (SIGPIPE - 1) & 1 ? FOR_PROCESS : 0;
	}
	fclose(file);
	return found;
}

static void take_pending(void)
{
	static const struct timespec at_once;
	sigset_t sigpipe;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	assert_int_equal(sigtimedwait(&sigpipe, NULL, &at_once), SIGPIPE);
}

/* Writes to a peer that has gone. */
static void write_in_vain(void **state, enum kind kind)
{
	struct ends ends = make_ends(state, kind);
	struct brine_stream *stream = stream_of(ends.in, ends.out);
	close_peer(&ends);
	assert_int_equal(brine_stream_write(stream, "x", 1), BRINE_ERR_SYSTEM);
	assert_int_equal(stream->system_errno, EPIPE);
	brine_stream_close(stream);
}

/* The default action would end the test. */
static void G09_a_peer_that_goes_raises_no_SIGPIPE(void **state)
{
	struct sigaction action;
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_DFL);
	for (enum kind kind = 0; kind < TERMINAL; kind++) {
		write_in_vain(state, kind);
		assert_false(is_blocked());
		assert_false(is_pending());
	}
	assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
	assert_true(action.sa_handler == SIG_DFL);
}

/* A reader that goes away in the middle of what a writer writes all the time. */
static void G09_nor_does_one_that_goes_meanwhile(void **state)
{
	static char block[65536];
	for (unsigned round = 0; round < 50; round++) {
		struct ends ends = make_ends(state, PIPES);
		struct brine_stream *stream = stream_of(ends.in, ends.out);
		pid_t reader = fork();
		assert_true(reader >= 0);
		if (reader == 0) {
			for (unsigned i = 0; i <= round; i++)
				(void)!read(ends.peer_in, block, sizeof block);
			_exit(0);
		}
		close_peer(&ends);
		ssize_t put;
		while ((put = brine_stream_write(stream, block, sizeof block)) > 0 || put == BRINE_STREAM_AGAIN)
			(void)brine_stream_wait(stream, BRINE_WRITABLE, brine_clock_ms() + 10000);
		assert_int_equal(put, BRINE_ERR_SYSTEM);
		assert_int_equal(stream->system_errno, EPIPE);
		assert_false(is_pending());
		brine_stream_close(stream);
		assert_int_equal(waitpid(reader, NULL, 0), reader);
	}
}

static void G09_a_SIGPIPE_of_the_programs_own_stays(void **state)
{
	set_blocked(true);
	/* Blocked and not pending: nothing is left of ours. */
	write_in_vain(state, PIPES);
	assert_true(is_blocked());
	assert_int_equal(pending_for(), 0);

	assert_int_equal(raise(SIGPIPE), 0);
	write_in_vain(state, PIPES);
	assert_true(is_blocked());
	assert_int_equal(pending_for(), FOR_THREAD);
	take_pending();

	assert_int_equal(kill(getpid(), SIGPIPE), 0);
	write_in_vain(state, PIPES);
	assert_true(is_blocked());
	assert_int_equal(pending_for(), FOR_PROCESS);
	take_pending();
	assert_int_equal(pending_for(), 0);
	set_blocked(false);
}

static volatile sig_atomic_t handled;

static void count_sigpipe(int number)
{
	(void)number;
	handled++;
}

static void G09_a_handler_is_neither_called_nor_changed(void **state)
{
	struct sigaction action = {.sa_handler = count_sigpipe}, old, now;
	assert_int_equal(sigaction(SIGPIPE, &action, &old), 0);
	write_in_vain(state, PIPES);
	assert_int_equal(handled, 0);
	assert_int_equal(sigaction(SIGPIPE, &old, &now), 0);
	assert_true(now.sa_handler == count_sigpipe);
}

/* ---- what others share ---- */

static bool waits(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	assert_true(flags >= 0);
	return !(flags & O_NONBLOCK);
}

/* Copies, as a parent has them. */
static void flags_that_others_share_are_as_they_were(void **state)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (int non_blocking = 0; non_blocking < 2; non_blocking++) {
			struct ends ends = make_ends(state, kind);
			if (non_blocking && fcntl(ends.in, F_SETFL, fcntl(ends.in, F_GETFL) | O_NONBLOCK) < 0)
				fail_msg("fcntl: %s", strerror(errno));
			int parents_in = dup(ends.in), parents_out = dup(ends.out);
			bool in = waits(parents_in), out = waits(parents_out);
			struct brine_stream *stream = stream_of(ends.in, ends.out);
			bool is_shared = kind == FIFOS || kind == TERMINAL;
			if (waits(parents_in) != (in && !is_shared) || waits(parents_out) != (out && !is_shared))
				fail_msg("%s: the flags in between", kind_names[kind]);
			/* A forked child that lets go of the stream leaves it to its parent. */
			pid_t child = fork();
			if (child == 0) {
				brine_stream_close(stream);
				_exit(0);
			}
			assert_int_equal(waitpid(child, NULL, 0), child);
			bytes_go_both_ways(stream, &ends);
			brine_stream_close(stream);
			if (waits(parents_in) != in || waits(parents_out) != out)
				fail_msg("%s: the flags at the end", kind_names[kind]);
			close(parents_in);
			close(parents_out);
			close_peer(&ends);
		}
	}
}

/* A terminal as stdin and stdout: two descriptors of one description. */
static void both_descriptors_may_share_one_description(void **state)
{
	struct ends ends = make_ends(state, TERMINAL);
	int parents = dup(ends.in);
	struct brine_stream *stream = stream_of(ends.in, dup(ends.in));
	bytes_go_both_ways(stream, &ends);
	assert_false(waits(parents));
	brine_stream_close(stream);
	assert_true(waits(parents));
	close(parents);
	close_peer(&ends);
}

static bool is_dev_null(int fd)
{
	struct stat file, null;
	return fstat(fd, &file) == 0 && stat("/dev/null", &null) == 0 && file.st_rdev == null.st_rdev;
}

/* In a process of its own, which has no other use for its stdin and stdout. Returns what went wrong. */
static const char *serve_standard_descriptors(const struct ends *ends, bool is_one)
{
	char data[8];
	dup2(ends->in, 0);
	dup2(ends->out, 1);
	close(ends->in);
	if (ends->out != ends->in)
		close(ends->out);
	struct brine_stream *stream = stream_of(0, is_one ? 0 : 1);
	if (stream->fd <= 2 || stream->out_fd <= 2)
		return "a stream has a number of 0 to 2";
	if (!is_dev_null(0) || (!is_one && !is_dev_null(1)) || fcntl(0, F_GETFD) != 0)
		return "the standard descriptors are not /dev/null while the stream lives";
	if (write(1, "stray", 5) != 5 || (is_one && read(ends->peer_in, data, 5) != 5))
		return "nothing can be printed";
	if (brine_stream_write(stream, "x", 1) != 1 || read(ends->peer_in, data, sizeof data) != 1)
		return "something else was written than the stream's bytes";
	brine_stream_close(stream);
	return is_dev_null(0) ? NULL : "stdin is not /dev/null after the end";
}

static void G20_standard_descriptors_stay_open(void **state)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct ends ends = make_ends(state, kind);
		bool is_one = kind == ONE_SOCKET;
		pid_t child = fork();
		if (child == 0) {
			const char *why = serve_standard_descriptors(&ends, is_one);
			if (why)
				print_error("%s: %s\n", kind_names[kind], why);
			_exit(why ? 1 : 0);
		}
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		close(ends.in);
		if (ends.out != ends.in)
			close(ends.out);
		close_peer(&ends);
	}
}

/* As inetd gives it. */
static void a_socket_under_two_numbers_is_one(void **state)
{
	struct ends ends = make_ends(state, ONE_SOCKET);
	struct brine_stream *stream = stream_of(ends.in, dup(ends.in));
	char byte;
	assert_int_equal(stream->fd, stream->out_fd);
	assert_int_equal(brine_stream_shutdown(stream), 0);
	assert_int_equal(read(ends.peer_in, &byte, 1), 0);
	brine_stream_close(stream);
	close_peer(&ends);
}

/* ---- what is refused ---- */

static void expect_refusal(int in_fd, int out_fd, const char *said)
{
	struct brine_stream *stream = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	size_t before = e2e_descriptors();
	int status = brine_stream_new_pair(&stream, in_fd, out_fd, NULL, &error);
	if (status != BRINE_ERR_INVALID || !strstr(error.text, said))
		fail_msg("%s: %s instead of \"%s\"", brine_error_name(status), error.text, said);
	assert_null(stream);
	/* They are still the caller's. */
	assert_int_equal(e2e_descriptors(), before);
	assert_true(fcntl(in_fd, F_GETFL) >= 0 && fcntl(out_fd, F_GETFL) >= 0);
}

static void what_cannot_be_waited_for_is_refused(void **state)
{
	struct ends ends = make_ends(state, PIPES);
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	int file = open(e2e_path(state, "file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	int folder = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int event = eventfd(0, EFD_CLOEXEC), datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&any, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listening, 1), 0);
	const struct {
		int fd;
		const char *said;
	} rows[] = {{file, "a file, which cannot be waited for (brine_loads()"},
	            {folder, "a directory: expected a pipe, a socket or a terminal"},
	            {null, "a device that cannot be waited for, as /dev/null: expected a pipe"},
	            {event, "no stream of bytes: expected a pipe"},
	            {datagram, "a socket, but not a stream socket"},
	            {listening, "a socket that listens: brine_server_listen_fd() takes it"}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		expect_refusal(rows[i].fd, rows[i].fd, rows[i].said);
		expect_refusal(ends.in, rows[i].fd, rows[i].said);
		expect_refusal(rows[i].fd, ends.out, rows[i].said);
		close(rows[i].fd);
	}
	expect_refusal(ends.out, ends.in, "open for writing only: in_fd, which is read, comes before out_fd");
	expect_refusal(ends.in, ends.in, "open for reading only: in_fd, which is read, comes before out_fd");
	struct brine_stream *stream;
	struct brine_error error = BRINE_ERROR_INIT;
	assert_int_equal(brine_stream_new_pair(&stream, ends.in, file, NULL, &error), BRINE_ERR_SYSTEM);
	assert_int_equal(error.system_errno, EBADF);
	close(ends.in);
	close(ends.out);
	close_peer(&ends);
}

/* ---- in a loop ---- */

struct watched {
	struct brine_loop *loop;
	struct brine_stream *stream;
	struct brine_stream_watch watch;
	unsigned ready; /* what was found in the last turn */
};

static void note_ready(struct brine_watch *watch, unsigned ready)
{
	struct watched *watched = watch->user;
	watched->ready |= ready;
}

static unsigned turn_once(struct watched *watched, unsigned ready, uint64_t wait_ms)
{
	uint64_t until_ms = brine_clock_ms() + wait_ms;
	watched->ready = 0;
	assert_int_equal(brine_loop_watch_stream(watched->loop, &watched->watch, watched->stream, ready), 0);
	assert_true(brine_loop_turn(watched->loop, until_ms) >= 0);
	/* Nothing else woke it either. */
	assert_true(watched->ready || brine_clock_ms() >= until_ms);
	return watched->ready;
}

static struct watched watch_ends(const struct ends *ends)
{
	struct watched watched = {.stream = stream_of(ends->in, ends->out)};
	assert_int_equal(brine_loop_new(&watched.loop, NULL, NULL, NULL, NULL), 0);
	return watched;
}

static void unwatch(struct watched *watched)
{
	brine_loop_unwatch_stream(watched->loop, &watched->watch);
	brine_stream_close(watched->stream);
	brine_loop_free(watched->loop);
}

static void a_loop_watches_both_descriptors(void **state)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct ends ends = make_ends(state, kind);
		struct watched watched = watch_ends(&ends);
		brine_stream_watch_init(&watched.watch, note_ready, &watched);
		assert_int_equal(turn_once(&watched, BRINE_READABLE, 0), 0);
		assert_int_equal(turn_once(&watched, BRINE_WRITABLE, 10000), BRINE_WRITABLE);
		assert_int_equal(turn_once(&watched, 0, 0), 0);
		assert_int_equal(write(ends.peer_out, "x", 1), 1);
		assert_int_equal(turn_once(&watched, 0, 0), 0);
		assert_int_equal(turn_once(&watched, BRINE_READABLE, 10000), BRINE_READABLE);
		assert_int_equal(turn_once(&watched, BRINE_READABLE | BRINE_WRITABLE, 10000),
		                 BRINE_READABLE | BRINE_WRITABLE);
		unwatch(&watched);
		close_peer(&ends);
	}
}

/* The peer sends no more, and takes what it asked for: the loop must neither spin nor take that for its end. Then it
 * goes: that shows. */
static void an_end_that_was_read_does_not_wake_a_loop(void **state)
{
	for (enum kind kind = 0; kind < ONE_SOCKET; kind++) {
		struct ends ends = make_ends(state, kind);
		struct watched watched = watch_ends(&ends);
		char byte;
		brine_stream_watch_init(&watched.watch, note_ready, &watched);
		close(ends.peer_out);
		assert_int_equal(turn_once(&watched, BRINE_READABLE, 10000), BRINE_READABLE);
		assert_int_equal(brine_stream_read(watched.stream, &byte, 1), 0);
		assert_int_equal(turn_once(&watched, 0, 50), 0);
		assert_int_equal(brine_stream_write(watched.stream, "x", 1), 1);
		assert_int_equal(turn_once(&watched, 0, 50), 0);
		close(ends.peer_in);
		assert_int_equal(turn_once(&watched, 0, 10000), BRINE_READABLE | BRINE_WRITABLE);
		unwatch(&watched);
	}
}

/* Somebody else has the pipe open as well, so that epoll does not forget it when it is closed here. */
static void a_pipe_is_shut_down_only_when_nothing_waits_for_it(void **state)
{
	static char block[65536];
	for (enum kind kind = 0; kind < ONE_SOCKET; kind++) {
		struct ends ends = make_ends(state, kind);
		struct watched watched = watch_ends(&ends);
		brine_stream_watch_init(&watched.watch, note_ready, &watched);
		while (brine_stream_write(watched.stream, block, sizeof block) > 0)
			;
		int copy = dup(watched.stream->out_fd);
		assert_int_equal(turn_once(&watched, BRINE_READABLE | BRINE_WRITABLE, 0), 0);
		assert_int_equal(brine_stream_shutdown(watched.stream), 0);
		assert_int_equal(turn_once(&watched, BRINE_READABLE, 0), 0);
		assert_true(kind == SOCKETS || watched.stream->out_fd == -1);
		/* Room, and then nobody to take it: nothing of that may wake the loop. */
		assert_int_equal(fcntl(ends.peer_in, F_SETFL, O_NONBLOCK), 0);
		while (read(ends.peer_in, block, sizeof block) > 0)
			;
		close(ends.peer_in);
		assert_int_equal(turn_once(&watched, BRINE_READABLE, 50), 0);
		assert_int_equal(turn_once(&watched, 0, 50), kind == SOCKETS ? BRINE_READABLE | BRINE_WRITABLE : 0);
		close(copy);
		close(ends.peer_out);
		unwatch(&watched);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(every_kind_moves_bytes),
	        e2e_test(every_kind_tells_its_end),
	        e2e_test(what_waits_in_a_pipe_is_untaken),
	        e2e_test(G09_a_peer_that_goes_raises_no_SIGPIPE),
	        e2e_test(G09_nor_does_one_that_goes_meanwhile),
	        e2e_test(G09_a_SIGPIPE_of_the_programs_own_stays),
	        e2e_test(G09_a_handler_is_neither_called_nor_changed),
	        e2e_test(flags_that_others_share_are_as_they_were),
	        e2e_test(both_descriptors_may_share_one_description),
	        e2e_test(G20_standard_descriptors_stay_open),
	        e2e_test(a_socket_under_two_numbers_is_one),
	        e2e_test(what_cannot_be_waited_for_is_refused),
	        e2e_test(a_loop_watches_both_descriptors),
	        e2e_test(an_end_that_was_read_does_not_wake_a_loop),
	        e2e_test(a_pipe_is_shut_down_only_when_nothing_waits_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
