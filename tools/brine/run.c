/* brine run: runs a program and sends what it prints, as it prints it.
 *
 *   main thread      waits for signals: those for the program, and its end
 *   outward pumps    one for each of its outputs
 *   inward pump      what the listener sends -> standard input, signals -> the program */
#include "child.h"
#include "command.h"
#include "text/pump.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	GRACE_MS = 1000,  /* for output of what the program left behind in the background */
	LINE_MOST = 1024, /* bytes of an unfinished line that are given to a terminal's reader at once */
	END_OF_INPUT = 4, /* as child.c sets it */
	LITERALLY = 22,
	END_AGAIN_MS = 50,
	END_AGAIN_MOST_MS = 1000,
};

struct run {
	struct run_options options;
	struct child child;
	struct brine_text *text;
	struct text_pump *out, *err, *in;
};

/* ---- standard input of the program ---- */

/* Bytes as they must be typed. Characters with a meaning are quoted. A line that grows too long for the terminal is
 * handed on in parts: an "end" behind bytes only says that no more of the line is waited for. Kernels that meet a full
 * buffer without one would drop bytes. */
static int type(struct text_pump *pump, struct child *child, const unsigned char *data, size_t size)
{
	unsigned char typed[3 * LINE_MOST];
	size_t count = 0;
	for (size_t i = 0; i < size; i++) {
		if (data[i] == END_OF_INPUT || data[i] == LITERALLY)
			typed[count++] = LITERALLY;
		typed[count++] = data[i];
		child->unended = data[i] == '\n' ? 0 : child->unended + 1;
		if (child->unended == LINE_MOST) {
			typed[count++] = END_OF_INPUT;
			child->unended = 0;
		}
		if (count < sizeof typed - 3 && i + 1 < size)
			continue;
		int status = brine_text_pump_write(pump, child->input, typed, count);
		if (status < 0)
			return status;
		count = 0;
	}
	return 0;
}

static int put_input(struct text_pump *pump, const struct brine_text_piece *piece, void *user)
{
	struct run *run = user;
	if (piece->signal) {
		(void)kill(run->child.process, piece->signal);
		return 0;
	}
	if (run->child.input < 0)
		return 0;
	int status = run->child.has_terminal_input
	                     ? type(pump, &run->child, piece->data.data, piece->data.size)
	                     : brine_text_pump_write(pump, run->child.input, piece->data.data, piece->data.size);
	/* A program that reads no more is no reason to hear no more signals. */
	if (status == BRINE_ERR_SYSTEM) {
		close(run->child.input);
		run->child.input = -1;
	}
	return status == BRINE_ERR_CANCELLED ? status : 0;
}

/* Says that nothing more comes. To a terminal that is said again and again, as every read from a pipe at its end says
 * it: an "end" that comes while a program that edits lines itself changes the terminal's mode becomes a NUL, and is
 * lost. */
static void end_input(struct text_pump *pump, void *user)
{
	static const unsigned char ends[] = {END_OF_INPUT, END_OF_INPUT};
	struct run *run = user;
	size_t count = run->child.unended ? 2 : 1;
	uint64_t pause_ms = END_AGAIN_MS;
	if (run->child.input < 0)
		return;
	while (run->child.has_terminal_input && brine_text_pump_write(pump, run->child.input, ends, count) == 0 &&
	       !brine_text_pump_rest(pump, pause_ms)) {
		count = 1;
		pause_ms = pause_ms < END_AGAIN_MOST_MS ? 2 * pause_ms : pause_ms;
	}
	close(run->child.input);
	run->child.input = -1;
}

/* ---- the program's life ---- */

static void on_lost(void *user)
{
	struct run *run = user;
	(void)command_fail("run", "the listener takes no more");
	if (run->options.terminal != RUN_TERMINAL_NONE)
		(void)kill(run->child.process, SIGHUP);
}

static int connect_streams(struct run *run)
{
	struct brine_text_options options = BRINE_TEXT_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	const char *program = run->options.program[0], *slash = strrchr(program, '/');
	options.source = run->options.name ? run->options.name : slash ? slash + 1 : program;
	unsigned directions = BRINE_TEXT_WRITE | (run->options.no_input ? 0u : BRINE_TEXT_READ);
	if (brine_text_connect(&run->text, run->options.address, directions, &options, &error) == 0)
		return 0;
	(void)command_fail("run", "%s\nIs there a listener? brine listen ADDRESS", error.text);
	return EXIT_RUN_FAILED;
}

static int start_pumps(struct run *run)
{
	struct text_sink sink = {put_input, end_input, NULL, run};
	int status = brine_text_pump_out(&run->out, run->text, run->child.output, "stdout", on_lost, run);
	if (status == 0 && run->child.errors >= 0)
		status = brine_text_pump_out(&run->err, run->text, run->child.errors, "stderr", NULL, NULL);
	if (status == 0 && !run->options.no_input)
		status = brine_text_pump_in(&run->in, run->text, &sink);
	if (status == 0)
		return 0;
	(void)kill(run->child.process, SIGKILL);
	(void)command_fail("run", "%s", brine_error_text(status));
	return EXIT_RUN_FAILED;
}

/* What a terminal's user or a supervisor may send. They are blocked in all threads and taken by the main one. */
static void block_run_signals(sigset_t *ret_signals)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};
	sigemptyset(ret_signals);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaddset(ret_signals, signals[i]);
	sigprocmask(SIG_BLOCK, ret_signals, NULL);
}

/* Until the program has ended. Its number stays its own until end_run(): the listener's signals for it must not meet
 * another process. */
static void await_program(const struct run *run, const sigset_t *signals, siginfo_t *ret_ended)
{
	ret_ended->si_pid = 0;
	while (waitid(P_PID, (id_t)run->child.process, ret_ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       ret_ended->si_pid == 0) {
		int number = sigwaitinfo(signals, NULL);
		if (number > 0 && number != SIGCHLD)
			(void)kill(run->child.process, number);
	}
}

/* What the program printed is read to its end, unless what it left in the background holds that open. A listener that
 * is slow is waited for all the same: as a pipe would. */
static int finish_output(struct text_pump *pump)
{
	if (pump && brine_text_pump_wait(pump, GRACE_MS) < 0) {
		brine_text_pump_drain(pump);
		(void)brine_text_pump_wait(pump, BRINE_FOREVER);
	}
	return brine_text_pump_free(pump);
}

static int end_run(struct run *run, const siginfo_t *ended)
{
	int signal_number = ended->si_code == CLD_EXITED ? 0 : ended->si_status;
	int status = signal_number ? 0 : ended->si_status;
	int lost = finish_output(run->out), lost_too = finish_output(run->err);
	if (lost == 0 && lost_too == 0 && brine_text_end(run->text, status, signal_number, BRINE_FOREVER) < 0)
		(void)command_fail("run", "the listener has not taken everything");
	if (run->in) {
		brine_text_pump_stop(run->in);
		(void)brine_text_pump_wait(run->in, BRINE_FOREVER);
		(void)brine_text_pump_free(run->in);
	}
	brine_text_close(run->text);
	(void)waitpid(run->child.process, NULL, 0);
	return signal_number ? 128 + signal_number : status;
}

/* While output waits for a stopped listener, the signals that end programs end this one. */
static void unblock_deadly_signals(void)
{
	sigset_t deadly;
	sigemptyset(&deadly);
	sigaddset(&deadly, SIGINT);
	sigaddset(&deadly, SIGTERM);
	sigaddset(&deadly, SIGHUP);
	sigaddset(&deadly, SIGQUIT);
	sigprocmask(SIG_UNBLOCK, &deadly, NULL);
}

static int run_program(int argc, char **argv)
{
	struct run run = {.child = {.input = -1}};
	sigset_t signals;
	siginfo_t ended;
	int rc = run_options_read(&run.options, argc, argv);
	if (rc != 0)
		return rc;
	if (run.options.help) {
		fputs(run_help, stdout);
		return command_flush("run");
	}
	rc = connect_streams(&run);
	if (rc != 0)
		return rc;
	block_run_signals(&signals);
	rc = child_start(&run.child, &run.options);
	if (rc == 0)
		rc = start_pumps(&run);
	if (rc != 0) {
		(void)brine_text_end(run.text, rc, 0, GRACE_MS);
		brine_text_close(run.text);
		return rc;
	}
	await_program(&run, &signals, &ended);
	if (run.child.terminal >= 0)
		close(run.child.terminal);
	unblock_deadly_signals();
	return end_run(&run, &ended);
}

const struct command run_command = {"run", "run a program and send what it prints, as it prints it", run_help,
                                    run_program};
