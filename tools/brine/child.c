#include "child.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The program's ends, and a pipe on which it says why it could not be started. */
struct ends {
	int input, output, errors;
	int report[2];
};

static void close_descriptors(int count, int *const *fds)
{
	for (int i = 0; i < count; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int fail_child(const char *what)
{
	(void)command_fail("run", "%s: %s", what, strerror(errno));
	return EXIT_RUN_FAILED;
}

/* Input by the line, so that its end can be said (VEOF); nothing else of what a terminal does to bytes: no echo, no
 * newline made into two characters, no signals by characters. VLNEXT takes the meaning from the next one (run_input.c).
 */
static void make_transparent(int terminal)
{
	struct termios modes;
	if (tcgetattr(terminal, &modes) < 0)
		return;
	cfmakeraw(&modes);
	modes.c_lflag |= ICANON | IEXTEN;
	for (int i = 0; i < NCCS; i++)
		modes.c_cc[i] = _POSIX_VDISABLE;
	modes.c_cc[VEOF] = 4;
	modes.c_cc[VLNEXT] = 22;
	(void)tcsetattr(terminal, TCSANOW, &modes);
}

/* One end for us, one for the program. */
static int open_terminal(struct child *child, struct ends *ends, const struct run_options *options)
{
	struct winsize size = {.ws_col = (unsigned short)options->columns, .ws_row = (unsigned short)options->rows};
	char name[128];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	child->output = master;
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof name) != 0)
		return fail_child("no pseudo-terminal");
	ends->output = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends->output < 0)
		return fail_child("no pseudo-terminal");
	make_transparent(ends->output);
	(void)ioctl(ends->output, TIOCSWINSZ, &size);
	ends->errors = fcntl(ends->output, F_DUPFD_CLOEXEC, 3);
	child->terminal = fcntl(master, F_DUPFD_CLOEXEC, 3);
	return ends->errors < 0 || child->terminal < 0 ? fail_child("no descriptor") : 0;
}

static int open_pipe(int *ours, int *theirs, bool we_read)
{
	int both[2];
	if (pipe2(both, O_CLOEXEC) < 0)
		return fail_child("no pipe");
	*ours = both[we_read ? 0 : 1];
	*theirs = both[we_read ? 1 : 0];
	return 0;
}

static int open_input(struct child *child, struct ends *ends, const struct run_options *options)
{
	int rc = 0;
	if (options->no_input) {
		ends->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return ends->input < 0 ? fail_child("/dev/null") : 0;
	}
	if (options->terminal == RUN_TERMINAL_ALL) {
		child->has_terminal_input = true;
		child->input = fcntl(child->output, F_DUPFD_CLOEXEC, 3);
		ends->input = fcntl(ends->output, F_DUPFD_CLOEXEC, 3);
		return child->input < 0 || ends->input < 0 ? fail_child("no descriptor") : 0;
	}
	rc = open_pipe(&child->input, &ends->input, false);
	if (rc == 0)
		(void)fcntl(child->input, F_SETFL, O_NONBLOCK);
	return rc;
}

static int open_ends(struct child *child, struct ends *ends, const struct run_options *options)
{
	int rc;
	if (options->terminal != RUN_TERMINAL_NONE) {
		rc = open_terminal(child, ends, options);
	} else {
		rc = open_pipe(&child->output, &ends->output, true);
		if (rc == 0)
			rc = open_pipe(&child->errors, &ends->errors, true);
	}
	if (rc == 0)
		rc = open_input(child, ends, options);
	if (rc == 0 && pipe2(ends->report, O_CLOEXEC) < 0)
		rc = fail_child("no pipe");
	return rc;
}

/* In the child, between fork and exec: a failed exec tells its errno through the pipe, which a good one closes. */
static void become(const struct ends *ends, const struct run_options *options)
{
	sigset_t none;
	(void)setsid();
	if (options->terminal != RUN_TERMINAL_NONE)
		(void)ioctl(ends->output, TIOCSCTTY, 0);
	if (dup2(ends->input, 0) >= 0 && dup2(ends->output, 1) >= 0 && dup2(ends->errors, 2) >= 0) {
		signal(SIGPIPE, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execvp(options->program[0], options->program);
	}
	int reason = errno;
	(void)!write(ends->report[1], &reason, sizeof reason);
	_exit(127);
}

/* Whether the program runs: 0, or the exit status having said why. */
static int await_exec(int report, const struct run_options *options)
{
	char shown[128];
	int reason = 0;
	ssize_t got;
	do {
		got = read(report, &reason, sizeof reason);
	} while (got < 0 && errno == EINTR);
	if (got != sizeof reason)
		return 0;
	(void)command_fail("run", "cannot run %s: %s",
	                   brine_escape(shown, sizeof shown, options->program[0], strlen(options->program[0])),
	                   strerror(reason));
	return reason == ENOENT ? EXIT_NO_PROGRAM : EXIT_CANNOT_RUN;
}

int child_start(struct child *ret_child, const struct run_options *options)
{
	struct child child = {.input = -1, .output = -1, .errors = -1, .terminal = -1};
	struct ends ends = {-1, -1, -1, {-1, -1}};
	int *const ours[] = {&child.input, &child.output, &child.errors, &child.terminal, &ends.report[0]};
	int *const theirs[] = {&ends.input, &ends.output, &ends.errors, &ends.report[1]};
	int rc = open_ends(&child, &ends, options);
	/* setenv() after fork() could meet a lock; nothing here minds the variable. */
	if (options->terminal != RUN_TERMINAL_NONE)
		(void)setenv("TERM", options->term, 1);
	if (rc == 0 && (child.process = fork()) < 0)
		rc = fail_child("cannot fork");
	if (rc == 0 && child.process == 0)
		become(&ends, options);
	close_descriptors(4, theirs);
	if (rc == 0)
		rc = await_exec(ends.report[0], options);
	if (rc != 0) {
		close_descriptors(5, ours);
		return rc;
	}
	close(ends.report[0]);
	*ret_child = child;
	return 0;
}
