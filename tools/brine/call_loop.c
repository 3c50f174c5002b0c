#include "call_loop.h"

#include "command.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { SIGNAL_BASE = 128 }; /* exit status of a signal, as the shell reports it */

/* Those of SIGINT and SIGTERM that whoever started us does not ignore. */
static void wanted_signals(sigset_t *set)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	struct sigaction action;
	sigemptyset(set);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(set, numbers[i]);
	}
}

int call_loop_init(struct call_loop *loop, struct brine_client *client)
{
	sigset_t set;
	wanted_signals(&set);
	*loop = (struct call_loop){.client = client};
	loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->signals < 0)
		return command_fail("call", "cannot wait for signals: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, &set, &loop->previous);
	return 0;
}

void call_loop_done(struct call_loop *loop)
{
	close(loop->signals);
	sigprocmask(SIG_SETMASK, &loop->previous, NULL);
}

bool call_loop_can_print(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	return poll(&out, 1, 0) != 0;
}

int call_loop_turn(struct call_loop *loop)
{
	struct signalfd_siginfo signal;
	struct pollfd watched[] = {
	        {.fd = brine_client_get_fd(loop->client), .events = POLLIN},
	        {.fd = loop->signals, .events = POLLIN},
	        {.fd = STDOUT_FILENO, .events = loop->wants_output ? POLLOUT : 0},
	        {.fd = loop->wants_input ? STDIN_FILENO : -1, .events = POLLIN},
	};
	loop->has_input = false;
	int count = poll(watched, sizeof watched / sizeof watched[0], brine_client_get_timeout_ms(loop->client));
	if (count < 0 && errno != EINTR)
		return command_fail("call", "cannot wait: %s", strerror(errno));
	if (count > 0 && watched[1].revents && read(loop->signals, &signal, sizeof signal) == sizeof signal)
		return SIGNAL_BASE + (int)signal.ssi_signo;
	/* A pipe says the one, a socket or a terminal the other. */
	if (count > 0 && watched[2].revents & (POLLERR | POLLHUP))
		return EXIT_CLOSED;
	loop->has_input = count > 0 && watched[3].revents;
	brine_client_process(loop->client);
	return 0;
}
