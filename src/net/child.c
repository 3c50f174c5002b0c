#include "net/child.h"

#include <brine/conn.h>

#include "base/alloc.h"
#include "base/later.h"
#include "net/clock.h"
#include "net/epoll_set.h"
#include "net/fail.h"
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	PATIENCE_LEAST_MS = 1000, /* after SIGKILL */
	GLANCE_MS = 5,            /* between looks where there is no pidfd to wait on */
	ID_OF_PIDFD = 3,          /* P_PIDFD; C libraries before 2021 have no name for it */
	NAME_SHOWN = 100,
};

enum stage { STAGE_ASKED = 0, STAGE_TERMINATED, STAGE_KILLED };

struct brine_child {
	struct brine_stream base;
	struct brine_stream *output; /* its stdout; NULL: closed, or not there yet */
	struct brine_stream *input;  /* its stdin; NULL: closed */
	const struct brine_allocator *allocator;
	pid_t pid;
	int pidfd; /* -1: there is none, and the number must do */
	uint64_t notice_ms;
	uint64_t closed_ms; /* when it was told to end; 0: it was not */
	enum stage stage;
	bool output_ended; /* a read or a write found so */
	bool awaited;      /* since then, as long as notice_ms allows */
	bool abandoned;
	bool ended; /* and collected, by us or by somebody else */
	bool known; /* how */
	bool by_signal;
	int status; /* of exit, or the signal */
	char text[BRINE_CHILD_ENDING_SIZE];
};

/* ---- starting ---- */

static const char *start_hint(int reason)
{
	switch (reason) {
	case ENOENT: return "; is it installed, and its folder in PATH?";
	case EACCES: return "; it must be an executable file in a folder that may be entered";
	case ENOEXEC: return "; it is no program of this machine, or a script without #!";
	default: return "";
	}
}

static int start_failed(const char *program, int reason, struct brine_error *error)
{
	char shown[NAME_SHOWN];
	bool machine = reason == EAGAIN || reason == ENOMEM || reason == EMFILE || reason == ENFILE;
	brine_escape(shown, sizeof shown, program, strlen(program));
	return brine_fail_system(error, machine ? BRINE_ERR_SYSTEM : BRINE_ERR_CONNECT, reason,
	                         "could not run %s: %s%s", shown, strerror(reason), start_hint(reason));
}

/* Our ends and the program's ends of both pairs. */
struct ends {
	int input, stdin_fd;
	int output, stdout_fd;
};

/* What the program finds: its stdin and stdout, no signal blocked, and none ignored that programs rely on. */
static int describe_program(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, const struct ends *ends,
                            bool quiet)
{
	sigset_t none, usual;
	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	sigaddset(&usual, SIGCHLD);
	int reason = posix_spawn_file_actions_adddup2(files, ends->stdin_fd, STDIN_FILENO);
	if (reason == 0)
		reason = posix_spawn_file_actions_adddup2(files, ends->stdout_fd, STDOUT_FILENO);
	if (reason == 0 && quiet)
		reason = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (reason == 0)
		reason = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (reason == 0)
		reason = posix_spawnattr_setsigmask(attributes, &none);
	return reason ? reason : posix_spawnattr_setsigdefault(attributes, &usual);
}

/* 0 or an errno. posix_spawn() is safe among threads and says why a program could not be executed. */
static int spawn(pid_t *ret_pid, const struct ends *ends, const struct brine_child_options *options)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	/* Only read, but its parameters have no const. */
	char *const *argv = (char *const *)(uintptr_t)options->argv;
	char *const *environment = (char *const *)(uintptr_t)options->environment;
	int reason = posix_spawn_file_actions_init(&files);
	if (reason)
		return reason;
	reason = posix_spawnattr_init(&attributes);
	if (reason == 0) {
		reason = describe_program(&files, &attributes, ends, options->quiet);
		if (reason == 0)
			reason = posix_spawnp(ret_pid, argv[0], &files, &attributes, argv,
			                      environment ? environment : environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&files);
	return reason;
}

/* A socket pair; the program's end is none of 0, 1 and 2, which it is copied to. 0 or an errno. */
static int make_pair(int *ret_ours, int *ret_theirs)
{
	int fds[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return errno;
	int high = fds[1] > STDERR_FILENO ? fds[1] : fcntl(fds[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int reason = high < 0 ? errno : 0;
	if (high != fds[1])
		brine_socket_close(fds[1]);
	if (reason) {
		brine_socket_close(fds[0]);
		return reason;
	}
	*ret_ours = fds[0];
	*ret_theirs = high;
	return 0;
}

static int make_ends(struct ends *ends)
{
	int reason = make_pair(&ends->input, &ends->stdin_fd);
	return reason ? reason : make_pair(&ends->output, &ends->stdout_fd);
}

/* Collects the program if it has ended. A number is as good as a descriptor while nobody else collects it. */
static int collect(struct brine_child *child, siginfo_t *info)
{
	idtype_t type = child->pidfd >= 0 ? (idtype_t)ID_OF_PIDFD : P_PID;
	*info = (siginfo_t){0};
	return waitid(type, (id_t)(child->pidfd >= 0 ? child->pidfd : child->pid), info, WEXITED | WNOHANG);
}

/* A descriptor of the program, which stays that of this program whatever becomes of its number. */
static void get_pidfd(struct brine_child *child)
{
	siginfo_t info;
	child->pidfd = -1;
#ifdef SYS_pidfd_open
	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
#endif
	/* Kernels of 2019 have the descriptor but cannot wait by it. */
	if (child->pidfd >= 0 &&
	    waitid((idtype_t)ID_OF_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    errno != ECHILD) {
		brine_socket_close(child->pidfd);
		child->pidfd = -1;
	}
}

/* Everything but the program. */
static int equip_child(struct brine_child *child, struct ends *ends, struct brine_error *error)
{
	int reason = make_ends(ends);
	if (reason)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, reason, "could not make the descriptors of a program");
	int status = brine_stream_new_socket(&child->input, ends->input, child->allocator, error);
	if (status == 0)
		ends->input = -1;
	return status;
}

int brine_child_start(struct brine_child **ret_child, int *ret_fd, const struct brine_child_options *options,
                      const struct brine_allocator *allocator, struct brine_error *error)
{
	struct ends ends = {-1, -1, -1, -1};
	struct brine_child *child = brine_alloc_zero(allocator, sizeof *child);
	if (!child)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory starting a program");
	child->allocator = allocator;
	child->notice_ms = options->notice_ms;
	child->pidfd = -1;
	int status = equip_child(child, &ends, error);
	int reason = status == 0 ? spawn(&child->pid, &ends, options) : 0;
	if (reason)
		status = start_failed(options->argv[0], reason, error);
	brine_socket_close(ends.stdin_fd);
	brine_socket_close(ends.stdout_fd);
	if (status < 0) {
		brine_socket_close(ends.input);
		brine_socket_close(ends.output);
		brine_child_free(child);
		return status;
	}
	get_pidfd(child);
	*ret_child = child;
	*ret_fd = ends.output;
	return 0;
}

/* ---- its end ---- */

/* True when the program has ended and was collected. Does not wait. */
static bool child_has_ended(struct brine_child *child)
{
	siginfo_t info;
	if (child->ended || child->abandoned)
		return child->ended;
	int status = collect(child, &info);
	child->ended = status < 0 ? errno == ECHILD : info.si_pid != 0;
	if (!child->ended || status < 0)
		return child->ended;
	child->known = true;
	child->by_signal = info.si_code != CLD_EXITED;
	child->status = info.si_status;
	return true;
}

/* Waits until it has ended, or until deadline_ms. */
static bool wait_for_end(struct brine_child *child, uint64_t deadline_ms)
{
	while (!child_has_ended(child) && !child->abandoned) {
		uint64_t now_ms = brine_clock_ms();
		if (now_ms >= deadline_ms)
			return false;
		if (child->pidfd >= 0 &&
		    brine_socket_wait(child->pidfd, BRINE_READABLE, deadline_ms) != BRINE_ERR_SYSTEM)
			continue;
		uint64_t left_ms = deadline_ms - now_ms;
		(void)poll(NULL, 0, left_ms < GLANCE_MS ? (int)left_ms : GLANCE_MS);
	}
	return child->ended;
}

/* strsignal() is not for threads. */
static const char *signal_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
	        {SIGHUP, " (SIGHUP)"},   {SIGINT, " (SIGINT)"},   {SIGQUIT, " (SIGQUIT)"}, {SIGILL, " (SIGILL)"},
	        {SIGTRAP, " (SIGTRAP)"}, {SIGABRT, " (SIGABRT)"}, {SIGBUS, " (SIGBUS)"},   {SIGFPE, " (SIGFPE)"},
	        {SIGKILL, " (SIGKILL)"}, {SIGSEGV, " (SIGSEGV)"}, {SIGPIPE, " (SIGPIPE)"}, {SIGTERM, " (SIGTERM)"},
	        {SIGSYS, " (SIGSYS)"},
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (names[i].number == number)
			return names[i].name;
	return "";
}

const char *brine_child_ending(struct brine_child *child, char *out, size_t capacity)
{
	if (!child_has_ended(child))
		snprintf(out, capacity, "the program %s", child->output_ended ? "closed its output" : "runs");
	else if (!child->known)
		snprintf(out, capacity, "the program ended");
	else if (child->by_signal)
		snprintf(out, capacity, "the program ended by signal %d%s", child->status, signal_name(child->status));
	else
		snprintf(out, capacity, "the program ended with status %d", child->status);
	return out;
}

static void send_signal(struct brine_child *child, int number)
{
#ifdef SYS_pidfd_send_signal
	if (child->pidfd >= 0 && syscall(SYS_pidfd_send_signal, child->pidfd, number, NULL, 0) == 0)
		return;
#endif
	/* It was not collected a moment ago, so the number is still its own. */
	if (!child_has_ended(child))
		(void)kill(child->pid, number);
}

/* The program finds the end of its stdin. */
static void close_ends(struct brine_child *child)
{
	brine_stream_close(child->input);
	brine_stream_close(child->output);
	child->input = child->output = NULL;
}

/* When the next signal is due. */
static uint64_t due(struct brine_child *child, uint64_t patience_ms)
{
	uint64_t turns = child->stage == STAGE_ASKED ? 1 : 2;
	if (child->closed_ms == 0) {
		close_ends(child);
		child->closed_ms = brine_clock_ms();
	}
	bool never = patience_ms >= (BRINE_FOREVER - child->closed_ms) / 2;
	return never ? BRINE_FOREVER : child->closed_ms + turns * patience_ms;
}

bool brine_child_has_stream(const struct brine_child *child)
{
	return child->output != NULL;
}

bool brine_child_press(struct brine_child *child, uint64_t patience_ms)
{
	while (!child_has_ended(child) && !child->abandoned && child->stage < STAGE_KILLED &&
	       brine_clock_ms() >= due(child, patience_ms)) {
		child->stage++;
		send_signal(child, child->stage == STAGE_TERMINATED ? SIGTERM : SIGKILL);
	}
	return child->ended;
}

bool brine_child_end(struct brine_child *child, uint64_t patience_ms)
{
	while (!brine_child_press(child, patience_ms) && !child->abandoned && child->stage < STAGE_KILLED)
		(void)wait_for_end(child, due(child, patience_ms));
	uint64_t last_ms = patience_ms > PATIENCE_LEAST_MS ? patience_ms : PATIENCE_LEAST_MS;
	return child->ended || wait_for_end(child, brine_later(brine_clock_ms(), last_ms));
}

void brine_child_abandon(struct brine_child *child)
{
	child->abandoned = true;
}

void brine_child_free(struct brine_child *child)
{
	if (!child)
		return;
	close_ends(child);
	brine_socket_close(child->pidfd);
	brine_release(child->allocator, child, sizeof *child);
}

/* ---- the stream ---- */

static struct brine_child *child_of(struct brine_stream *stream)
{
	return (struct brine_child *)stream;
}

/* Hands on what the end said, and remembers that it is the last of it. */
static ssize_t note_end(struct brine_child *child, const struct brine_stream *end, bool is_last, ssize_t result)
{
	child->base.system_errno = end->system_errno;
	child->output_ended = child->output_ended || is_last;
	return result;
}

static ssize_t child_read(struct brine_stream *stream, void *data, size_t size)
{
	struct brine_child *child = child_of(stream);
	ssize_t got = brine_stream_read(child->output, data, size);
	return note_end(child, child->output, got <= 0 && got != BRINE_STREAM_AGAIN, got);
}

static ssize_t child_writev(struct brine_stream *stream, const struct iovec *parts, int count)
{
	struct brine_child *child = child_of(stream);
	ssize_t put = brine_stream_writev(child->input, parts, count);
	return note_end(child, child->input, put < 0 && put != BRINE_STREAM_AGAIN, put);
}

static int child_shutdown(struct brine_stream *stream)
{
	struct brine_child *child = child_of(stream);
	return (int)note_end(child, child->input, false, brine_stream_shutdown(child->input));
}

static const char *child_ending(struct brine_stream *stream)
{
	struct brine_child *child = child_of(stream);
	/* The kernel closes what a program held a moment before its parent can know how it ended. */
	if (!child->output_ended)
		return NULL;
	if (!child->awaited)
		(void)wait_for_end(child, brine_clock_ms() + child->notice_ms);
	child->awaited = true;
	return brine_child_ending(child, child->text, sizeof child->text);
}

static void child_close(struct brine_stream *stream)
{
	struct brine_child *child = child_of(stream);
	close_ends(child);
	child->closed_ms = brine_clock_ms();
	if (child->output_ended)
		(void)child_ending(stream);
}

static unsigned child_want(const struct brine_stream *stream, unsigned ready)
{
	(void)stream;
	return ready;
}

static size_t child_untaken(const struct brine_stream *stream)
{
	return brine_stream_untaken(((const struct brine_child *)stream)->input);
}

struct brine_stream *brine_child_stream(struct brine_child *child, struct brine_stream *output)
{
	static const struct brine_stream_ops ops = {
	        .read = child_read,
	        .writev = child_writev,
	        .shutdown = child_shutdown,
	        .close = child_close,
	        .want = child_want,
	        .ending = child_ending,
	        .untaken = child_untaken,
	};
	assert(!child->output && child->closed_ms == 0);
	child->base = (struct brine_stream){.ops = &ops, .fd = output->fd, .out_fd = child->input->fd};
	child->output = output;
	return &child->base;
}
