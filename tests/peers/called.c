/* Calls a program that serves MessagePack-RPC and has never heard of Brine: called [FLAGS] PROGRAM ARGUMENTS...
 *
 *   --socket         not on its stdin and stdout, but on the address that is put behind its arguments: a TCP port, and
 * a Unix socket, in turn
 *   --go             its methods are called as net/rpc likes it: Calc.Add, and take one argument, an array
 *   --no-notes       it knows no notifications
 *
 * The program has add(a, b), echo(value), fail(), which fails with "it failed", slow(ms), note(n), a notification, and
 * noted(), the last n. */
#include "e2e/harness.h"

#include <getopt.h>
#include <sys/prctl.h>

static int use_socket, like_go, no_notes;

static const char *name_of(const char *name)
{
	static char text[32];
	if (!like_go)
		return name;
	snprintf(text, sizeof text, "Calc.%c%s", name[0] - 'a' + 'A', name + 1);
	return text;
}

static int call_hex(struct brine_client *client, struct brine_call *call, const char *method, const char *hex)
{
	struct brine_buf params = BRINE_BUF_INIT;
	if (like_go)
		hex_append(&params, "91");
	hex_append(&params, hex);
	int status = brine_client_call_raw(client, call, name_of(method), brine_buf_bytes(&params));
	brine_buf_done(&params);
	return status;
}

static void expect_hex(struct brine_client *client, const char *method, const char *params, const char *result)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_buf expected = BRINE_BUF_INIT;
	if (call_hex(client, &call, method, params) < 0)
		fail_msg("%s: %s", method, brine_call_error_text(&call));
	hex_append(&expected, result);
	struct brine_bytes found = brine_call_result(&call), wanted = brine_buf_bytes(&expected);
	if (found.size != wanted.size || memcmp(found.data, wanted.data, wanted.size) != 0)
		fail_msg("%s(%s): %zu bytes that are not %s", method, params, found.size, result);
	brine_buf_done(&expected);
	brine_call_done(&call);
}

static void values(struct brine_client *client)
{
	static const char *const same[] = {
	        "c0", "c3", "2a", "f9", "cd 03 e8", "a4 74 65 78 74", "92 01 91 a1 78", "81 a1 6b 05"};
	expect_hex(client, "add", "92 02 03", "05");
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		char params[64];
		snprintf(params, sizeof params, "91 %s", same[i]);
		expect_hex(client, "echo", params, same[i]);
	}
}

/* A text of 1 MB, there and back. */
static void big_value(struct brine_client *client)
{
	enum { SIZE = 1 << 20 };
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_buf params = BRINE_BUF_INIT;
	char *text = malloc(SIZE);
	assert_non_null(text);
	memset(text, 'x', SIZE);
	for (int i = 0; i <= like_go; i++)
		brine_pack_array(&params, 1);
	brine_pack_str(&params, text, SIZE);
	if (brine_client_call_raw(client, &call, name_of("echo"), brine_buf_bytes(&params)) < 0)
		fail_msg("echo: %s", brine_call_error_text(&call));
	struct brine_bytes result = brine_call_result(&call);
	assert_int_equal(result.size, SIZE + 5);
	assert_memory_equal((const char *)result.data + 5, text, SIZE);
	free(text);
	brine_buf_done(&params);
	brine_call_done(&call);
}

static void errors(struct brine_client *client)
{
	struct brine_call call = BRINE_CALL_INIT;
	assert_int_equal(call_hex(client, &call, "fail", "90"), BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "it failed");
	assert_int_equal(call_hex(client, &call, "nobody", "90"), BRINE_ERR_REMOTE);
	brine_call_done(&call);
}

static void many_at_once(struct brine_client *client)
{
	enum { CALLS = 100 };
	static struct brine_call calls[CALLS];
	for (uint8_t i = 0; i < CALLS; i++) {
		uint8_t params[] = {0x91, 0x92, i, 0x00};
		struct brine_bytes bytes = BRINE_BYTES(params + !like_go, sizeof params - !like_go);
		calls[i] = (struct brine_call)BRINE_CALL_INIT;
		assert_int_equal(brine_client_begin_raw(client, &calls[i], name_of("add"), bytes), 0);
	}
	for (uint8_t i = 0; i < CALLS; i++) {
		uint8_t at = (uint8_t)((i * 37 + 5) % CALLS);
		if (brine_call_finish(&calls[at], NULL) < 0)
			fail_msg("add: %s", brine_call_error_text(&calls[at]));
		assert_int_equal(*(const uint8_t *)brine_call_result(&calls[at]).data, at);
		brine_call_done(&calls[at]);
	}
}

/* Its late answer to a call that was given up disturbs nobody. */
static void late_answer(struct brine_client *client)
{
	struct brine_call call = BRINE_CALL_INIT;
	call.timeout_ms = 50;
	assert_int_equal(call_hex(client, &call, "slow", "91 cd 01 f4"), BRINE_ERR_DEADLINE);
	brine_call_done(&call);
	expect_hex(client, "add", "92 14 16", "2a");
}

static void notes(struct brine_client *client)
{
	assert_int_equal(brine_client_notify_raw(client, NULL, "note", BRINE_BYTES("\x91\x4d", 2)), 0);
	expect_hex(client, "noted", "90", "4d");
}

static void play(struct brine_client *client)
{
	struct brine_call call = BRINE_CALL_INIT;
	call.wait_for_ready = true;
	if (call_hex(client, &call, "add", "92 01 01") < 0)
		fail_msg("it does not answer: %s", brine_call_error_text(&call));
	brine_call_done(&call);
	values(client);
	big_value(client);
	errors(client);
	many_at_once(client);
	late_answer(client);
	if (!no_notes)
		notes(client);
}

/* ---- how it is reached ---- */

enum { ARGUMENTS_MAX = 16 };
static const char *arguments[ARGUMENTS_MAX + 2]; /* one more, and NULL */
static int argument_count;

static struct brine_client_options patient(int mode)
{
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.timeout_ms = PATIENCE_MS;
	options.backoff_most_ms = 50;
	options.mode = mode;
	return options;
}

static void by_its_stdin(void **state)
{
	(void)state;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct brine_client_options options = patient(mode);
		struct brine_client *client;
		struct brine_error error = BRINE_ERROR_INIT;
		if (brine_client_open_command(&client, arguments, NULL, &options, &error) < 0)
			fail_msg("%s", error.text);
		play(client);
		brine_client_free(client);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static void by_address(const char *argument, const char *address)
{
	struct brine_client_options options = patient(BRINE_CLIENT_BLOCKING);
	arguments[argument_count] = argument;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(arguments[0], (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	struct brine_client *client = client_of(address, &options);
	play(client);
	brine_client_free(client);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void by_tcp(void **state)
{
	char argument[16], address[64];
	uint16_t port;
	int kept = e2e_keep_port(&port);
	(void)state;
	snprintf(argument, sizeof argument, "%u", port);
	snprintf(address, sizeof address, "msgpack-rpc://127.0.0.1:%u", port);
	by_address(argument, address);
	close(kept);
}

static void by_unix(void **state)
{
	char address[ADDRESS_SIZE];
	const char *path = e2e_path(state, "peer.sock");
	snprintf(address, sizeof address, "msgpack-rpc+unix://%s", path);
	by_address(path, address);
}

int main(int argc, char **argv)
{
	static const struct option flags[] = {{"socket", no_argument, &use_socket, 1},
	                                      {"go", no_argument, &like_go, 1},
	                                      {"no-notes", no_argument, &no_notes, 1},
	                                      {NULL, 0, NULL, 0}};
	int flag;
	while ((flag = getopt_long(argc, argv, "+", flags, NULL)) == 0)
		;
	if (flag != -1 || optind >= argc || argc - optind > ARGUMENTS_MAX) {
		fprintf(stderr, "called [--socket] [--go] [--no-notes] PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	for (int i = optind; i < argc; i++)
		arguments[argument_count++] = argv[i];
	const struct CMUnitTest stdio[] = {e2e_test(by_its_stdin)};
	const struct CMUnitTest sockets[] = {e2e_test(by_tcp), e2e_test(by_unix)};
	return use_socket ? cmocka_run_group_tests(sockets, NULL, NULL) : cmocka_run_group_tests(stdio, NULL, NULL);
}
