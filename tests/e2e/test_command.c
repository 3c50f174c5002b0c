/* Proves: a client starts the program it speaks to, tells how it ended, starts it anew, ends it for good, and leaves
 * neither zombies nor descriptors; what the program finds is sane. The program is this one, started with an argument.
 */
#include "harness.h"

#include "net/child.h"

#include <sys/stat.h>

static char self[PATH_MAX];

/* ---- the program ---- */

static void report(struct brine_buf *out, const char *text)
{
	assert_int_equal(brine_pack_str(out, text, strlen(text)), 0);
}

/* What it found when it began: "" or what is wrong. */
static const char *look_around(void)
{
	sigset_t mask;
	struct sigaction action;
	int type;
	socklen_t size = sizeof type;
	if (sigprocmask(SIG_SETMASK, NULL, &mask) < 0)
		return "no mask";
	for (int number = 1; number < 32; number++)
		if (sigismember(&mask, number))
			return "a signal is blocked";
	if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		return "SIGPIPE is not at its default";
	if (sigaction(SIGCHLD, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		return "SIGCHLD is not at its default";
	for (int fd = 3; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return "a descriptor beyond 2 is open";
	for (int fd = 0; fd < 2; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
			return "0 and 1 are not a socket";
	struct stat in, out;
	if (fstat(0, &in) < 0 || fstat(1, &out) < 0 || in.st_ino == out.st_ino)
		return "0 and 1 are one socket, so that a stdout may have something to read";
	return fcntl(0, F_GETFL) & O_NONBLOCK ? "stdin does not block" : "";
}

static void say_stderr(struct brine_buf *out)
{
	char path[256];
	ssize_t size = readlink("/proc/self/fd/2", path, sizeof path - 1);
	path[size < 0 ? 0 : size] = '\0';
	report(out, path);
}

/* The number of [number]. */
static int number_of(struct brine_bytes params)
{
	const uint8_t *bytes = params.data;
	return params.size == 2 ? bytes[1] : 0;
}

static bool is(struct brine_str method, const char *name)
{
	return brine_str_equal(method, brine_str_from(name));
}

/* Answers one call. */
static void serve(struct brine_conn *conn, const struct brine_event *event)
{
	struct brine_buf result = BRINE_BUF_INIT;
	if (is(event->method, "exit"))
		_exit(number_of(event->params));
	if (is(event->method, "kill"))
		raise(number_of(event->params));
	if (is(event->method, "close")) {
		close(0);
		close(1);
		poll(NULL, 0, PATIENCE_MS);
		_exit(0);
	}
	if (is(event->method, "ignore"))
		signal(SIGTERM, SIG_IGN);
	if (is(event->method, "look"))
		report(&result, look_around());
	else if (is(event->method, "stderr"))
		say_stderr(&result);
	else if (is(event->method, "environment"))
		report(&result, getenv("BRINE_TEST") ? getenv("BRINE_TEST") : "");
	else if (is(event->method, "pid"))
		brine_pack_int(&result, getpid());
	if (!is(event->method, "never"))
		brine_conn_reply(conn, event->serial, brine_buf_bytes(&result), BRINE_BYTES(NULL, 0), brine_clock_ms());
	brine_buf_done(&result);
}

/* Serves stdin and stdout. Where argv says "stay" it does not end when its stdin does. */
static int be_a_program(const char *how)
{
	struct brine_conn_options options = BRINE_CONN_OPTIONS_INIT;
	struct brine_conn *conn;
	options.role = BRINE_ACCEPTING;
	if (brine_conn_new(&conn, &options, brine_clock_ms(), NULL) < 0)
		return 1;
	for (;;) {
		char input[4096];
		struct brine_event event;
		struct brine_bytes bytes;
		while ((bytes = brine_conn_pending(conn)).size) {
			ssize_t size = write(1, bytes.data, bytes.size);
			if (size <= 0)
				break;
			brine_conn_sent(conn, (size_t)size, brine_clock_ms());
		}
		ssize_t size = read(0, input, sizeof input);
		if (size <= 0)
			break;
		brine_conn_feed(conn, BRINE_BYTES(input, (size_t)size), brine_clock_ms());
		while (brine_conn_next(conn, &event, brine_clock_ms()) > 0)
			if (event.type == BRINE_EVENT_REQUEST)
				serve(conn, &event);
	}
	brine_conn_free(conn);
	if (strcmp(how, "stay") == 0)
		poll(NULL, 0, 10 * PATIENCE_MS);
	return 0;
}

/* ---- what the tests share ---- */

static struct brine_client *started(const char *how, const struct brine_command_options *command,
                                    const struct brine_client_options *options)
{
	const char *const argv[] = {self, how, NULL};
	struct brine_client *client;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_client_open_command(&client, argv, command, options, &error) < 0)
		fail_msg("open: %s", error.text);
	return client;
}

static int call_number(struct brine_client *client, struct brine_call *call, const char *method, int number)
{
	uint8_t params[] = {0x91, (uint8_t)number};
	call->timeout_ms = PATIENCE_MS;
	return brine_client_call_raw(client, call, method, BRINE_BYTES(params, sizeof params));
}

static int call(struct brine_client *client, struct brine_call *call, const char *method)
{
	return call_number(client, call, method, 0);
}

static void expect_text(struct brine_client *client, const char *method, const char *expected)
{
	struct brine_call said = BRINE_CALL_INIT;
	if (call(client, &said, method) < 0)
		fail_msg("%s: %s", method, brine_call_error_text(&said));
	struct brine_bytes result = brine_call_result(&said);
	char text[64] = "";
	size_t head = result.size && *(const uint8_t *)result.data == 0xd9 ? 2 : 1;
	assert_true(result.size >= head && result.size - head < sizeof text);
	memcpy(text, (const char *)result.data + head, result.size - head);
	assert_string_equal(text, expected);
	brine_call_done(&said);
}

static pid_t pid_of(struct brine_client *client)
{
	struct brine_call said = BRINE_CALL_INIT;
	int64_t pid = 0;
	if (call(client, &said, "pid") < 0)
		fail_msg("pid: %s", brine_call_error_text(&said));
	struct brine_bytes result = brine_call_result(&said);
	const uint8_t *bytes = result.data;
	size_t size = result.size > 1 ? (size_t)1 << (bytes[0] & 3) : 0;
	for (size_t i = 1; i <= size; i++)
		pid = pid << 8 | bytes[i];
	brine_call_done(&said);
	assert_true(pid > 1);
	return (pid_t)pid;
}

/* Neither running nor a zombie. */
static void expect_gone(pid_t pid)
{
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* ---- the life of a program ---- */

static void calls_in_each_mode(void **state)
{
	(void)state;
	for (int framed = 0; framed < 2; framed++) {
		for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
			struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
			struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
			command.framed = framed;
			options.mode = mode;
			struct brine_client *client = started("", &command, &options);
			pid_t pid = pid_of(client);
			assert_true(pid != getpid());
			assert_int_equal(pid_of(client), pid);
			brine_client_free(client);
			expect_gone(pid);
		}
	}
}

static void calls_on_a_loop(void **state)
{
	(void)state;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = BRINE_CLIENT_LOOP;
	struct brine_client *client = started("", NULL, &options);
	struct brine_call said = BRINE_CALL_INIT;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(brine_client_begin_raw(client, &said, i == 1 ? "exit" : "pid", BRINE_BYTES(NULL, 0)),
		                 0);
		while (brine_call_finish(&said, NULL) == BRINE_ERR_WOULD_BLOCK) {
			struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
			assert_true(poll(&poller, 1, brine_client_get_timeout_ms(client)) >= 0);
			brine_client_process(client);
		}
		assert_int_equal(brine_call_status(&said), i == 1 ? BRINE_ERR_LOST : 0);
	}
	brine_call_done(&said);
	brine_client_free(client);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void tells_how_it_ended(void **state)
{
	static const struct {
		const char *method;
		int number;
		const char *text;
	} rows[] = {
	        {"exit", 0, "the program ended with status 0"},
	        {"exit", 3, "the program ended with status 3"},
	        {"kill", SIGKILL, "the program ended by signal 9 (SIGKILL)"},
	        {"kill", SIGUSR1, "the program ended by signal 10;"},
	        {"close", 0, "the program closed its output"},
	};
	(void)state;
	struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
	command.end_timeout_ms = 100;
	struct brine_client *client = started("", &command, NULL);
	struct brine_call said = BRINE_CALL_INIT;
	pid_t last = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		pid_t pid = pid_of(client);
		assert_true(pid != last);
		last = pid;
		assert_int_equal(call_number(client, &said, rows[i].method, rows[i].number), BRINE_ERR_LOST);
		expect_in(brine_call_error_text(&said), "may have run");
		expect_in(brine_call_error_text(&said), self);
		expect_in(brine_call_error_text(&said), rows[i].text);
		expect_in(brine_call_error_text(&said), "the next call starts it anew");
		/* Collected once its end was noticed. */
		if (strcmp(rows[i].method, "close") != 0)
			expect_gone(pid);
	}
	brine_call_done(&said);
	brine_client_free(client);
	expect_gone(last);
}

/* One that ends before it answers anything is started again, not without end. */
static void ends_at_once(void **state)
{
	(void)state;
	const char *const argv[] = {"false", NULL};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.backoff_first_ms = options.backoff_most_ms = 3600000;
	struct brine_client *client;
	struct brine_call said = BRINE_CALL_INIT;
	assert_int_equal(brine_client_open_command(&client, argv, NULL, &options, NULL), 0);
	int status = call(client, &said, "x");
	assert_true(status == BRINE_ERR_LOST || status == BRINE_ERR_NOT_SENT);
	expect_in(brine_call_error_text(&said), "the program ended with status 1");
	assert_int_equal(call(client, &said, "x"), BRINE_ERR_NOT_SENT);
	expect_in(brine_call_error_text(&said), "ended before it was of use: the program ended with status 1");
	brine_call_done(&said);
	brine_client_free(client);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void cannot_be_started(void **state)
{
	const char *folder = e2e_path(state, "folder");
	assert_int_equal(mkdir(folder, 0700), 0);
	const struct {
		const char *program;
		int reason;
		const char *text;
	} rows[] = {
	        {"no-such-program-here", ENOENT, "no-such-program-here: No such file or directory; is it installed"},
	        {"/no/such/program", ENOENT, "/no/such/program: No such file or directory"},
	        {folder, EACCES, "Permission denied; it must be an executable file"},
	        {"/etc/passwd", EACCES, "/etc/passwd: Permission denied"},
	        {"x\n", ENOENT, "could not run x\\n: "},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *const argv[] = {rows[i].program, NULL};
		struct brine_client *client;
		struct brine_call said = BRINE_CALL_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		assert_int_equal(brine_client_open_command(&client, argv, NULL, NULL, &error), 0);
		assert_int_equal(brine_client_connect(client, PATIENCE_MS, &error), BRINE_ERR_CONNECT);
		assert_int_equal(error.system_errno, rows[i].reason);
		expect_in(error.text, rows[i].text);
		assert_int_equal(call(client, &said, "x"), BRINE_ERR_CONNECT);
		expect_in(brine_call_error_text(&said), rows[i].text);
		brine_call_done(&said);
		brine_client_free(client);
	}
}

static void wrong_options(void **state)
{
	static const char *const empty[] = {NULL};
	static const char *const nameless[] = {"", NULL};
	static const char *const sane[] = {"cat", NULL};
	(void)state;
	struct brine_client *client = NULL;
	struct brine_command_options command = {0};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	assert_int_equal(brine_client_open_command(&client, NULL, NULL, NULL, &error), BRINE_ERR_INVALID);
	expect_in(error.text, "argv: expected the name of a program");
	assert_int_equal(brine_client_open_command(&client, empty, NULL, NULL, &error), BRINE_ERR_INVALID);
	assert_int_equal(brine_client_open_command(&client, nameless, NULL, NULL, NULL), BRINE_ERR_INVALID);
	assert_int_equal(brine_client_open_command(&client, sane, &command, NULL, &error), BRINE_ERR_INVALID);
	expect_in(error.text, "BRINE_COMMAND_OPTIONS_INIT");
	options.mode = 9;
	assert_int_equal(brine_client_open_command(&client, sane, NULL, &options, &error), BRINE_ERR_INVALID);
	assert_null(client);
	/* One that is never used starts nothing. */
	assert_int_equal(brine_client_open_command(&client, sane, NULL, NULL, NULL), 0);
	brine_client_free(client);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* ---- its end ---- */

/* A program that does not end with its stdin gets SIGTERM, and one that ignores that SIGKILL. */
static void is_made_to_end(void **state)
{
	(void)state;
	for (int ignores = 0; ignores < 2; ignores++) {
		for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
			struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
			struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
			struct brine_call said = BRINE_CALL_INIT;
			command.end_timeout_ms = 50;
			options.mode = mode;
			options.limits.linger_ms = 10;
			struct brine_client *client = started("stay", &command, &options);
			pid_t pid = pid_of(client);
			if (ignores)
				assert_int_equal(call(client, &said, "ignore"), 0);
			brine_call_done(&said);
			uint64_t before_ms = brine_clock_ms();
			brine_client_free(client);
			assert_true(brine_clock_ms() - before_ms >= (ignores ? 100 : 50));
			expect_gone(pid);
		}
	}
}

/* Those that will not end do not pile up without bound. */
static void stubborn_ones_are_counted(void **state)
{
	(void)state;
	struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call said = BRINE_CALL_INIT;
	pid_t pids[16];
	int count = 0;
	command.end_timeout_ms = PATIENCE_MS;
	options.mode = BRINE_CLIENT_LOOP; /* does not wait long to see how it ended */
	options.backoff_first_ms = options.backoff_most_ms = 1;
	struct brine_client *client = started("", &command, &options);
	int status = 0;
	while (count < 16 && status != BRINE_ERR_CONNECT) {
		bool closes = count && status == 0;
		assert_int_equal(brine_client_begin_raw(client, &said, closes ? "close" : "pid", BRINE_BYTES(NULL, 0)),
		                 0);
		while ((status = brine_call_finish(&said, NULL)) == BRINE_ERR_WOULD_BLOCK) {
			struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
			assert_true(poll(&poller, 1, brine_client_get_timeout_ms(client)) >= 0);
			brine_client_process(client);
		}
		if (status == 0) {
			struct brine_bytes result = brine_call_result(&said);
			const uint8_t *bytes = result.data;
			pid_t pid = 0;
			for (size_t i = 1; i < result.size; i++)
				pid = pid << 8 | bytes[i];
			pids[count++] = pid;
		}
	}
	assert_int_equal(status, BRINE_ERR_CONNECT);
	assert_int_equal(count, 8);
	expect_in(brine_call_error_text(&said), "8 programs that were started before have not ended yet");
	brine_call_done(&said);
	for (int i = 0; i < count; i++)
		assert_int_equal(kill(pids[i], SIGKILL), 0);
	brine_client_free(client);
	for (int i = 0; i < count; i++)
		expect_gone(pids[i]);
}

/* Where somebody else collects every child, how it ended is not known, but that it did. */
static void collected_by_others(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN);
	struct brine_client *client = started("", NULL, NULL);
	struct brine_call said = BRINE_CALL_INIT;
	pid_t pid = pid_of(client);
	assert_int_equal(call_number(client, &said, "exit", 3), BRINE_ERR_LOST);
	expect_in(brine_call_error_text(&said), "the program ended; the next");
	expect_gone(pid);
	expect_text(client, "look", "");
	brine_call_done(&said);
	brine_client_free(client);
	signal(SIGCHLD, SIG_DFL);
}

/* ---- what it finds ---- */

static void finds_a_sane_place(void **state)
{
	(void)state;
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	signal(SIGPIPE, SIG_IGN);
	struct brine_client *other = started("", NULL, NULL);
	(void)pid_of(other);
	struct brine_client *client = started("", NULL, NULL);
	expect_text(client, "look", "");
	brine_client_free(client);
	brine_client_free(other);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void options_reach_it(void **state)
{
	(void)state;
	char variable[] = "BRINE_TEST=here";
	const char *environment[] = {variable, NULL};
	struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
	command.quiet = true;
	command.environment = environment;
	struct brine_client *client = started("", &command, NULL);
	/* They were copied. */
	memset(variable, 0, sizeof variable);
	environment[0] = NULL;
	expect_text(client, "stderr", "/dev/null");
	expect_text(client, "environment", "here");
	brine_client_free(client);
	char ours[256];
	ssize_t size = readlink("/proc/self/fd/2", ours, sizeof ours - 1);
	assert_true(size > 0);
	ours[size] = '\0';
	client = started("", NULL, NULL);
	if (size < 64)
		expect_text(client, "stderr", ours);
	expect_text(client, "environment", "");
	brine_client_free(client);
}

/* What a program has not read yet is known: a keepalive bears one that is slow to take a long message. */
static void leaves_bytes_untaken(void **state)
{
	static const char *const argv[] = {"sleep", "60", NULL};
	static const struct brine_child_options options = {.argv = argv};
	static const char bytes[1000];
	struct brine_child *child;
	struct brine_stream *output;
	int fd;
	(void)state;
	assert_int_equal(brine_child_start(&child, &fd, &options, NULL, NULL), 0);
	assert_int_equal(brine_stream_new_socket(&output, fd, NULL, NULL), 0);
	struct brine_stream *stream = brine_child_stream(child, output);
	assert_int_equal(brine_stream_untaken(stream), 0);
	assert_int_equal(brine_stream_write(stream, bytes, sizeof bytes), sizeof bytes);
	assert_true(brine_stream_untaken(stream) >= sizeof bytes);
	brine_stream_close(stream);
	assert_true(brine_child_end(child, 1));
	brine_child_free(child);
}

/* ---- the process it is started from ---- */

static void expect_child(pid_t child)
{
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* G20: also where 0, 1 and 2 are free and become the socket pair. */
static void low_descriptors(void **state)
{
	(void)state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		struct brine_client *client = started("", NULL, NULL);
		struct brine_call said = BRINE_CALL_INIT;
		int status = call(client, &said, "pid");
		brine_call_done(&said);
		brine_client_free(client);
		_exit(status == 0 ? 0 : 1);
	}
	expect_child(child);
}

/* G13: a fork of the process neither ends nor collects the program. */
static void forked(void **state)
{
	(void)state;
	struct brine_client *client = started("", NULL, NULL);
	struct brine_call said = BRINE_CALL_INIT;
	pid_t pid = pid_of(client);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int status = call(client, &said, "pid");
		brine_client_free(client);
		brine_call_done(&said);
		_exit(status == BRINE_ERR_FORKED ? 0 : 1);
	}
	expect_child(child);
	assert_int_equal(pid_of(client), pid);
	/* One that lives on holds a copy of our end: the program is told to end all the same. */
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (;;)
			pause();
	}
	brine_client_free(client);
	expect_gone(pid);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

struct crowd {
	struct brine_client *client;
	int index;
	int wrong;
	pthread_t thread;
};

static void *crowd_run(void *argument)
{
	struct crowd *crowd = argument;
	struct brine_call said = BRINE_CALL_INIT;
	for (int i = 0; i < 20; i++) {
		bool ends = i % 10 == crowd->index;
		int status = call(crowd->client, &said, ends ? "exit" : "pid");
		bool fits = status == BRINE_ERR_LOST || status == BRINE_ERR_NOT_SENT || (!ends && status == 0);
		crowd->wrong += !fits;
	}
	brine_call_done(&said);
	return NULL;
}

static void many_threads(void **state)
{
	enum { THREADS = 4 };
	(void)state;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.backoff_first_ms = options.backoff_most_ms = 1;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct crowd crowd[THREADS];
		options.mode = mode;
		struct brine_client *client = started("", NULL, &options);
		for (int i = 0; i < THREADS; i++) {
			crowd[i] = (struct crowd){.client = client, .index = i};
			assert_int_equal(pthread_create(&crowd[i].thread, NULL, crowd_run, &crowd[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			pthread_join(crowd[i].thread, NULL);
			assert_int_equal(crowd[i].wrong, 0);
		}
		(void)pid_of(client);
		brine_client_free(client);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

/* Every allocation fails once: nothing is lost or left. */
static void out_of_memory(void **state)
{
	(void)state;
	uint64_t failures = 0;
	for (uint64_t n = 1;; n++) {
		struct shared_allocator shared;
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		const char *const argv[] = {self, "", NULL};
		struct brine_client *client;
		struct brine_call said = BRINE_CALL_INIT;
		shared_allocator_init(&shared, n, false);
		options.allocator = &shared.base;
		if (brine_client_open_command(&client, argv, NULL, &options, NULL) == 0) {
			int status = call(client, &said, "pid");
			assert_true(status == 0 || shared.fail.failures);
			brine_call_done(&said);
			brine_client_free(client);
		}
		assert_int_equal(shared.fail.held, 0);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		failures += shared.fail.failures;
		if (!shared.fail.failures)
			break;
	}
	assert_true(failures > 5);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return be_a_program(argv[1]);
	ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
	if (size < 0)
		return 1;
	/* What whoever runs the tests left open is nothing of ours. */
	for (int fd = 3; fd < 256; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	const struct CMUnitTest tests[] = {
	        e2e_test(calls_in_each_mode),  e2e_test(calls_on_a_loop),
	        e2e_test(tells_how_it_ended),  e2e_test(ends_at_once),
	        e2e_test(cannot_be_started),   e2e_test(wrong_options),
	        e2e_test(is_made_to_end),      e2e_test(stubborn_ones_are_counted),
	        e2e_test(collected_by_others), e2e_test(finds_a_sane_place),
	        e2e_test(options_reach_it),    e2e_test(leaves_bytes_untaken),
	        e2e_test(low_descriptors),     e2e_test(forked),
	        e2e_test(many_threads),        e2e_test(out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
