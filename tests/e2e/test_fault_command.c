/* Proves: whatever system call fails while a program is started, spoken to and ended, its client says so and leaves
 * neither a zombie nor a descriptor. The program is cat: it sends our request back as its own, we refuse it, and it
 * sends that back as the answer. */
#include "faults.h"
#include "harness.h"

/* One call by poll() on a loop's descriptor. */
static int call_on_a_loop(struct brine_client *client, struct brine_call *call)
{
	int status = brine_client_begin_raw(client, call, "x", BRINE_BYTES(NULL, 0));
	while (status == 0 && (status = brine_call_finish(call, NULL)) == BRINE_ERR_WOULD_BLOCK) {
		struct pollfd poller = {.fd = brine_client_get_fd(client), .events = POLLIN};
		(void)poll(&poller, 1, brine_client_get_timeout_ms(client));
		brine_client_process(client);
		status = 0;
	}
	return status;
}

static void start_call_end(void *user)
{
	static const char *const argv[] = {"cat", NULL};
	struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_client *client;
	struct brine_error error = BRINE_ERROR_INIT;
	options.mode = *(int *)user;
	options.timeout_ms = PATIENCE_MS;
	options.limits.linger_ms = 20;
	command.end_timeout_ms = 100;
	command.quiet = true;
	int status = brine_client_open_command(&client, argv, &command, &options, &error);
	if (status < 0) {
		assert_true(fault_injected());
		return;
	}
	status = options.mode == BRINE_CLIENT_LOOP ? call_on_a_loop(client, &call)
	                                           : brine_client_call_raw(client, &call, "x", BRINE_BYTES(NULL, 0));
	assert_true(status < 0);
	if (status != BRINE_ERR_REMOTE && !fault_injected())
		fail_msg("%s: %s", fault_text(), brine_call_error_text(&call));
	brine_call_done(&call);
	brine_client_free(client);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		fail_msg("%s: a program was left", fault_text());
}

static void every_call_fails(void **state)
{
	/* The last four are for mode LOOP: it alone has an epoll descriptor, and the end of the program, as which the
	 * last two look, is awaited for a second by all others. */
	static const enum fault_function functions[] = {
	        FAULT_socketpair, FAULT_posix_spawnp,  FAULT_waitid,    FAULT_fcntl, FAULT_getsockopt, FAULT_shutdown,
	        FAULT_close,      FAULT_epoll_create1, FAULT_epoll_ctl, FAULT_send,  FAULT_recv};
	size_t count = sizeof functions / sizeof functions[0];
	(void)state;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_LOOP; mode++)
		for (size_t i = 0; i < (mode == BRINE_CLIENT_LOOP ? count : count - 4); i++)
			assert_true(fault_sweep(functions[i], start_call_end, &mode) > 0);
	fault_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {e2e_test(every_call_fails)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
