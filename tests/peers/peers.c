/* Proves: a program that has never heard of Brine calls a live server, over TCP and over a Unix socket, while a framed
 * client calls the same port.
 *
 *	peers_server text|pairs COMMAND... : runs COMMAND with the address behind it, which must end with status 0.
 *
 * text, pairs: how that listener tells plain peers of errors; the other listener of the server does the opposite. */
#include "e2e/probe.h"
#include "service.h"

enum { ARGUMENTS_MAX = 15 };

static const char *command[ARGUMENTS_MAX + 2];
static size_t command_size;
static int plain_errors;

/* Runs the command; its exit status, or -1. */
static int run_command(const char *address)
{
	command[command_size] = address;
	pid_t child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		execvp(command[0], (char *const *)(uintptr_t)command);
		_exit(127);
	}
	int status;
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The server of one test: two listeners, the second of the opposite kind. */
static void serve(struct host *host, struct service *service, void **state, enum over kind,
                  const struct brine_allocator *allocator)
{
	struct brine_server_options options = BRINE_SERVER_OPTIONS_INIT;
	struct brine_listen_options listen = BRINE_LISTEN_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	options.plain_errors = plain_errors;
	options.workers = 1;
	options.allocator = allocator;
	host_prepare(host, state, kind, &options);
	listen.plain_errors =
	        plain_errors == BRINE_PLAIN_ERRORS_TEXT ? BRINE_PLAIN_ERRORS_PAIR : BRINE_PLAIN_ERRORS_TEXT;
	if (service_register(service, host->server, &error) < 0 ||
	    brine_server_listen_as(host->server, "tcp://127.0.0.1:0", &listen, &error) < 0)
		fail_msg("%s", error.text);
	host_launch(host);
}

static void peer_over(void **state, enum over kind)
{
	struct host host;
	struct service service;
	struct shared_allocator allocator;
	shared_allocator_init(&allocator, 0, false);
	serve(&host, &service, state, kind, &allocator.base);
	struct probe probe;
	probe_begin(&probe, host.address);
	int status = run_command(host.address);
	probe_end(&probe);
	host_end(&host);
	struct brine_server_counters counters = host_counters(&host);
	print_message("%llu requests and %llu notifications were served, %llu notifications dropped\n%s",
	              (unsigned long long)counters.requests, (unsigned long long)counters.notifications,
	              (unsigned long long)counters.notifications_dropped, host.log);
	service_done(&service);
	host_free(&host);
	assert_int_equal(status, 0);
	/* The peer did call, and nobody broke the protocol. */
	assert_in_range(counters.requests, (unsigned)probe.calls + 5, INT32_MAX);
	assert_null(strstr(host.log, "closed:"));
	assert_int_equal(allocator.fail.held, 0);
}
DEFINE_BOTH(peer)

int main(int argc, char **argv)
{
	if (argc < 3 || argc - 2 > ARGUMENTS_MAX) {
		fprintf(stderr, "usage: peers_server text|pairs COMMAND...\n");
		return 2;
	}
	plain_errors = strcmp(argv[1], "pairs") == 0 ? BRINE_PLAIN_ERRORS_PAIR : BRINE_PLAIN_ERRORS_TEXT;
	for (int i = 2; i < argc; i++)
		command[command_size++] = argv[i];
	const struct CMUnitTest tests[] = {BOTH(peer)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
