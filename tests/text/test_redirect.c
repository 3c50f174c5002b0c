/* Proves: the standard streams of a running program go to a peer and back, at the level of stdio and at that of the
 * descriptors; nothing is lost at exit(), and what was sent is not at abort() and _exit(). Each program is a process of
 * its own: this one, started again with the program's name. */
#include "both.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum { ALL = BRINE_TEXT_STDIN | BRINE_TEXT_STDOUT | BRINE_TEXT_STDERR };

static const char *address;

/* ---- programs ---- */

/* A file in the folder of the socket by which a test lets a program go on. */
static void go_path(char out[320], const char *where)
{
	snprintf(out, 320, "%.*s/go", (int)(strrchr(where, '/') - where - 7), where + 7);
}

static void await_go(void)
{
	char path[320];
	go_path(path, address);
	while (access(path, F_OK) < 0)
		usleep(1000);
}

/* They live as long as the program. */
static struct brine_text_redirect *redirect;
static struct brine_text *text;

static void redirect_streams(unsigned what, const struct brine_text_options *options)
{
	unsigned directions = BRINE_TEXT_WRITE | (what & BRINE_TEXT_STDIN ? BRINE_TEXT_READ : 0u);
	/* A program that hangs must not hang the tests. */
	alarm(60);
	if (brine_text_connect(&text, address, directions, NULL, NULL) < 0 ||
	    brine_text_redirect(&redirect, text, what, options, NULL) < 0)
		_exit(99);
}

static void prints_and_exits(unsigned level)
{
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	printf("spam\neggs, no newline");
	exit(3);
}

static void prints_and_ends_at_once(unsigned level)
{
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	printf("spam\n");
	/* At the level of descriptors the pump needs a moment. */
	await_go();
	printf("of the last moment, without a newline");
	_exit(0);
}

static void prints_and_aborts(unsigned level)
{
	const struct rlimit no_core = {0, 0};
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	printf("spam\n");
	await_go();
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void asks(unsigned level)
{
	char line[64];
	redirect_streams(ALL | level, NULL);
	for (int i = 0; i < 3; i++) {
		printf("name? ");
		fflush(stdout);
		if (!fgets(line, sizeof line, stdin))
			exit(1);
		fprintf(stderr, "hello, %s", line);
		/* What two streams print at once comes in any order. */
		if (!fgets(line, sizeof line, stdin))
			exit(1);
	}
	exit(fgets(line, sizeof line, stdin) ? 2 : 0);
}

/* The prompt needs no flush: reading flushes it. */
static void asks_without_flushing(unsigned level)
{
	char line[64];
	redirect_streams(BRINE_TEXT_STDIN | BRINE_TEXT_STDOUT | level, NULL);
	printf("name? ");
	if (fgets(line, sizeof line, stdin))
		printf("hello, %s", line);
	exit(0);
}

static void writes_and_has_children(unsigned level)
{
	redirect_streams(ALL | level, NULL);
	printf("stdio\n");
	if (write(1, "write\n", 6) != 6 || system("echo child; read line; echo \"$line, too\"") != 0)
		exit(1);
	printf("and stdio");
	exit(4);
}

static void prints_slowly(unsigned level)
{
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	options.buffering = BRINE_TEXT_FULL;
	options.flush_ms = 20;
	redirect_streams(BRINE_TEXT_STDOUT | level, &options);
	printf("spam");
	sleep(50);
	_exit(1);
}

/* LeakSanitizer asks it. In a child that was forked beside threads its check may wait for ever for a lock of one. */
__attribute__((visibility("default"))) int __lsan_is_turned_off(void);
static bool is_forked;
int __lsan_is_turned_off(void)
{
	return is_forked;
}

static void forks(unsigned level)
{
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	printf("once");
	pid_t child = fork();
	if (child == 0) {
		is_forked = true;
		exit(0);
	}
	waitpid(child, NULL, 0);
	exit(0);
}

static void prints_here_and_there(unsigned level)
{
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	printf("there");
	if (brine_text_restore(redirect) < 0)
		exit(1);
	printf("here");
	fflush(stdout);
	exit(5);
}

static void late_handler(void)
{
	printf(" late");
	fflush(stdout);
}

static void has_handlers(unsigned level)
{
	atexit(late_handler);
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	printf("spam");
	exit(0);
}

static void is_left_alone(unsigned level)
{
	redirect_streams(BRINE_TEXT_STDOUT | level, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Until it is told, or killed by the alarm. */
	while (printf("spam\n") >= 0 || errno != EPIPE)
		usleep(5000);
	_exit(6);
}

/* They are closed again in the end. */
static void has_closed_descriptors(unsigned level)
{
	char line[64];
	alarm(60);
	if (brine_text_connect(&text, address, BRINE_TEXT_WRITE | BRINE_TEXT_READ, NULL, NULL) < 0)
		_exit(99);
	close(0);
	close(1);
	if (brine_text_redirect(&redirect, text, BRINE_TEXT_STDIN | BRINE_TEXT_STDOUT | level, NULL, NULL) < 0)
		_exit(99);
	printf("name? ");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		_exit(98);
	printf("hello, %s", line);
	if (brine_text_restore(redirect) < 0 || fcntl(0, F_GETFD) >= 0 || fcntl(1, F_GETFD) >= 0)
		_exit(97);
	_exit(7);
}

static ino_t file_behind(int fd)
{
	struct stat status;
	return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

/* With few descriptors left it fails, and leaves everything as it was; with one more each time it works at last. */
static void has_few_descriptors(unsigned level)
{
	unsigned failures = 0;
	struct rlimit limit;
	alarm(60);
	if (brine_text_connect(&text, address, BRINE_TEXT_WRITE, NULL, NULL) < 0)
		_exit(99);
	ino_t before[] = {file_behind(1), file_behind(2)};
	int next = dup(1);
	close(next);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	for (int status = -1; status < 0; failures += status < 0) {
		limit.rlim_cur = (rlim_t)next + failures;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		status =
		        brine_text_redirect(&redirect, text, BRINE_TEXT_STDOUT | BRINE_TEXT_STDERR | level, NULL, NULL);
		if (status == 0)
			(void)brine_text_restore(redirect);
		if (file_behind(1) != before[0] || file_behind(2) != before[1] || failures > 100)
			_exit(98);
	}
	limit.rlim_cur = (rlim_t)next + 100;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (dup(1) != next)
		_exit(97);
	_exit(failures > 4 ? 7 : 96);
}

/* ---- running them ---- */

struct running {
	struct both both;
	pid_t process;
	struct brine_text *text;
	char path[320]; /* of what it prints here */
};

/* Starts it, to go on as soon as something is written to the pipe. */
static pid_t start_program(const char *name, unsigned level, const char *where, const char *out, int go[2])
{
	fflush(NULL);
	assert_int_equal(pipe(go), 0);
	pid_t process = fork();
	if (process == 0) {
		char byte;
		close(go[1]);
		if (read(go[0], &byte, 1) == 1 && (!out || freopen(out, "w", stdout)))
			execl("/proc/self/exe", "test_redirect", name, level ? "descriptors" : "stdio", where,
			      (char *)NULL);
		_exit(98);
	}
	return process;
}

static void let_go(int go[2])
{
	assert_int_equal(write(go[1], "", 1), 1);
	close(go[0]);
	close(go[1]);
}

static void start(struct running *running, void **state, const char *name, unsigned level)
{
	char where[320];
	int go[2];
	snprintf(running->path, sizeof running->path, "%s", e2e_path(state, "here"));
	snprintf(where, sizeof where, "unix://%s", e2e_path(state, "socket"));
	running->process = start_program(name, level, where, running->path, go);
	both_start(&running->both, state);
	let_go(go);
	running->text = both_accept(&running->both);
}

static void let_end(const struct running *running)
{
	char path[320];
	go_path(path, running->both.address);
	fclose(fopen(path, "w"));
}

static int end(struct running *running)
{
	char path[320];
	go_path(path, running->both.address);
	(void)unlink(path);

	int status;
	assert_int_equal(waitpid(running->process, &status, 0), running->process);
	brine_text_close(running->text);
	both_stop(&running->both);
	unlink(running->path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect_here(const struct running *running, const char *expected)
{
	char bytes[64] = "";
	assert_int_equal(waitid(P_PID, (id_t)running->process, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	FILE *file = fopen(running->path, "r");
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, sizeof bytes - 1, file), strlen(expected));
	fclose(file);
	assert_string_equal(bytes, expected);
}

static void expect_text(struct running *running, const char *expected)
{
	expect_bytes(running->text, expected, strlen(expected));
}

static void expect_cut(struct running *running)
{
	struct brine_text_piece piece;
	int status;
	/* Some sanitizers flush stdio where nobody else does: what comes then is no fault. */
	while ((status = brine_text_receive(running->text, &piece)) > 0)
		;
	assert_true(status < 0);
	assert_true(brine_text_ending(running->text)->cut);
}

/* ---- tests, each at both levels ---- */

static void exit_loses_nothing(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "prints_and_exits", level);
	expect_text(&running, "spam\neggs, no newline");
	expect_end(running.text, 3, 0);
	assert_int_equal(end(&running), 3);
}

static void sudden_ends_lose_only_what_stdio_holds(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "prints_and_ends_at_once", level);
	expect_text(&running, "spam\n");
	let_end(&running);
	expect_cut(&running);
	assert_int_equal(end(&running), 0);
	start(&running, state, "prints_and_aborts", level);
	expect_text(&running, "spam\n");
	let_end(&running);
	expect_cut(&running);
	assert_int_equal(end(&running), -SIGABRT);
}

static void answer(struct running *running, const char *line)
{
	assert_int_equal(brine_text_send(running->text, "stdin", line, strlen(line)), 0);
}

static void all_three_streams(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "asks", level);
	for (int i = 0; i < 3; i++) {
		expect_text(&running, "name? ");
		answer(&running, "brine\n");
		expect_text(&running, "hello, brine\n");
		answer(&running, "go on\n");
	}
	assert_int_equal(brine_text_end(running.text, 0, 0, 0), 0);
	expect_end(running.text, 0, 0);
	assert_int_equal(end(&running), 0);
}

static void an_interval_for_stdout(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "prints_slowly", level);
	expect_text(&running, "spam");
	kill(running.process, SIGKILL);
	assert_int_equal(end(&running), -SIGKILL);
}

static void forked_children_repeat_nothing(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "forks", level);
	/* A pipe carries what the child prints: stdio's buffer twice, as it always was. */
	expect_text(&running, level ? "onceonce" : "once");
	expect_end(running.text, 0, 0);
	assert_int_equal(end(&running), 0);
}

static void back_again(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "prints_here_and_there", level);
	expect_text(&running, "there");
	expect_here(&running, "here");
	expect_cut(&running);
	assert_int_equal(end(&running), 5);
}

static void later_handlers_print_where_it_was(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "has_handlers", level);
	expect_text(&running, "spam");
	expect_end(running.text, 0, 0);
	expect_here(&running, " late");
	assert_int_equal(end(&running), 0);
}

static void a_peer_that_goes(void **state, unsigned level)
{
	struct running running;
	start(&running, state, "is_left_alone", level);
	/* One line or, where this side was slow, some. */
	assert_int_equal(brine_text_receive(running.text, &(struct brine_text_piece){.signal = 0}), 1);
	brine_text_close(running.text);
	running.text = NULL;
	assert_int_equal(end(&running), 6);
}

#define DEFINE_LEVELS(name)                                                                                            \
	static void name##_by_stdio(void **state)                                                                      \
	{                                                                                                              \
		name(state, 0);                                                                                        \
	}                                                                                                              \
	static void name##_by_descriptors(void **state)                                                                \
	{                                                                                                              \
		name(state, BRINE_TEXT_DESCRIPTORS);                                                                   \
	}
#define LEVELS(name) e2e_test(name##_by_stdio), e2e_test(name##_by_descriptors)

DEFINE_LEVELS(exit_loses_nothing)
DEFINE_LEVELS(sudden_ends_lose_only_what_stdio_holds)
DEFINE_LEVELS(all_three_streams)
DEFINE_LEVELS(an_interval_for_stdout)
DEFINE_LEVELS(forked_children_repeat_nothing)
DEFINE_LEVELS(back_again)
DEFINE_LEVELS(later_handlers_print_where_it_was)
DEFINE_LEVELS(a_peer_that_goes)

static void reading_flushes_the_prompt(void **state)
{
	struct running running;
	start(&running, state, "asks_without_flushing", 0);
	expect_text(&running, "name? ");
	answer(&running, "brine\n");
	expect_text(&running, "hello, brine\n");
	expect_end(running.text, 0, 0);
	assert_int_equal(end(&running), 0);
}

static void descriptors_carry_children(void **state)
{
	struct running running;
	start(&running, state, "writes_and_has_children", BRINE_TEXT_DESCRIPTORS);
	expect_text(&running, "stdio\nwrite\nchild\n");
	answer(&running, "me\n");
	expect_text(&running, "me, too\nand stdio");
	expect_end(running.text, 4, 0);
	assert_int_equal(end(&running), 4);
}

static void descriptors_that_are_closed(void **state)
{
	struct running running;
	start(&running, state, "has_closed_descriptors", BRINE_TEXT_DESCRIPTORS);
	expect_text(&running, "name? ");
	answer(&running, "brine\n");
	expect_text(&running, "hello, brine\n");
	assert_int_equal(end(&running), 7);
}

static void descriptors_that_run_out(void **state)
{
	struct running running;
	start(&running, state, "has_few_descriptors", BRINE_TEXT_DESCRIPTORS);
	assert_int_equal(end(&running), 7);
}

/* ---- as a server ---- */

static void serves_its_streams(unsigned level)
{
	struct brine_text_listener *listener;
	char line[64];
	alarm(60);
	if (brine_text_listen(&listener, address, NULL, NULL) < 0 ||
	    brine_text_accept(listener, &text, PATIENCE_MS, NULL) < 0 ||
	    brine_text_redirect(&redirect, text, BRINE_TEXT_STDIN | BRINE_TEXT_STDOUT | level, NULL, NULL) < 0)
		_exit(1);
	printf("name? ");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		_exit(2);
	printf("hello, %s", line);
	int status = brine_text_restore(redirect);
	if (status == 0)
		status = brine_text_end(text, 8, 0, BRINE_FOREVER);
	brine_text_close(text);
	brine_text_listener_free(listener);
	_exit(status == 0 ? 0 : 3);
}

static void as_a_server_at(void **state, unsigned level)
{
	char where[320];
	struct brine_text *peer;
	int status = BRINE_ERR_CONNECT, go[2];
	snprintf(where, sizeof where, "unix://%s", e2e_path(state, "socket"));
	pid_t process = start_program("serves_its_streams", level, where, NULL, go);
	let_go(go);
	uint64_t until_ms = brine_clock_ms() + PATIENCE_MS;
	while (status < 0 && brine_clock_ms() < until_ms) {
		status = brine_text_connect(&peer, where, BRINE_TEXT_WRITE | BRINE_TEXT_READ, NULL, NULL);
		if (status < 0)
			usleep(10000);
	}
	assert_int_equal(status, 0);
	expect_bytes(peer, "name? ", 6);
	assert_int_equal(brine_text_send(peer, "stdin", "brine\n", 6), 0);
	expect_bytes(peer, "hello, brine\n", 13);
	expect_end(peer, 8, 0);
	brine_text_close(peer);
	assert_int_equal(waitpid(process, &status, 0), process);
	assert_int_equal(status, 0);
}

static void as_a_server_by_stdio(void **state)
{
	as_a_server_at(state, 0);
}

static void as_a_server_by_descriptors(void **state)
{
	as_a_server_at(state, BRINE_TEXT_DESCRIPTORS);
}

static const struct {
	const char *name;
	void (*run)(unsigned level);
} programs[] = {
        {"prints_and_exits", prints_and_exits},
        {"prints_and_ends_at_once", prints_and_ends_at_once},
        {"prints_and_aborts", prints_and_aborts},
        {"asks", asks},
        {"asks_without_flushing", asks_without_flushing},
        {"writes_and_has_children", writes_and_has_children},
        {"prints_slowly", prints_slowly},
        {"forks", forks},
        {"prints_here_and_there", prints_here_and_there},
        {"has_handlers", has_handlers},
        {"is_left_alone", is_left_alone},
        {"has_closed_descriptors", has_closed_descriptors},
        {"has_few_descriptors", has_few_descriptors},
        {"serves_its_streams", serves_its_streams},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 4 && i < sizeof programs / sizeof programs[0]; i++) {
		address = argv[3];
		if (strcmp(argv[1], programs[i].name) == 0)
			programs[i].run(strcmp(argv[2], "stdio") ? BRINE_TEXT_DESCRIPTORS : 0);
	}
	if (argc > 1)
		return 97;
	const struct CMUnitTest tests[] = {
	        LEVELS(exit_loses_nothing),
	        LEVELS(sudden_ends_lose_only_what_stdio_holds),
	        LEVELS(all_three_streams),
	        LEVELS(an_interval_for_stdout),
	        LEVELS(forked_children_repeat_nothing),
	        LEVELS(back_again),
	        LEVELS(later_handlers_print_where_it_was),
	        LEVELS(a_peer_that_goes),
	        e2e_test(reading_flushes_the_prompt),
	        e2e_test(descriptors_carry_children),
	        e2e_test(descriptors_that_are_closed),
	        e2e_test(descriptors_that_run_out),
	        e2e_test(as_a_server_by_stdio),
	        e2e_test(as_a_server_by_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
