/* editor.h - a real Neovim for tests, over each transport: TCP, a Unix socket, and its stdin and stdout. */
#ifndef BRINE_TESTS_EDITOR_H
#define BRINE_TESTS_EDITOR_H

#include "e2e/harness.h"

#include "neovim.brine.h"

#include <sys/prctl.h>

enum { SKIPPED = 77 };

enum way { WAY_TCP, WAY_UNIX, WAY_EMBED, WAYS };

struct editor {
	enum way way;
	char address[ADDRESS_SIZE];  /* TCP and Unix */
	char listen[ADDRESS_SIZE];   /* the same for --listen */
	int kept;                    /* its port, for those that come one after the other */
	pid_t pid;                   /* 0: it does not run, or the client started it */
	struct brine_client *client; /* NULL: none */
};

/* Makes tests of `static void name_by(void **state, enum way way)`, one for each transport. */
#define DEFINE_WAYS(name)                                                                                              \
	static void name##_by_tcp(void **state)                                                                        \
	{                                                                                                              \
		name##_by(state, WAY_TCP);                                                                             \
	}                                                                                                              \
	static void name##_by_unix(void **state)                                                                       \
	{                                                                                                              \
		name##_by(state, WAY_UNIX);                                                                            \
	}                                                                                                              \
	static void name##_by_embed(void **state)                                                                      \
	{                                                                                                              \
		name##_by(state, WAY_EMBED);                                                                           \
	}
#define ALL_WAYS(name) e2e_test(name##_by_tcp), e2e_test(name##_by_unix), e2e_test(name##_by_embed)

/* Whether there is an nvim to run. */
static inline bool editor_exists(void)
{
	static const char *const argv[] = {"nvim", "--version", NULL};
	struct brine_command_options command = BRINE_COMMAND_OPTIONS_INIT;
	struct brine_client *client;
	command.quiet = true;
	if (brine_client_open_command(&client, argv, &command, NULL, NULL) < 0)
		return false;
	bool exists = brine_client_connect(client, PATIENCE_MS, NULL) == 0;
	brine_client_free(client);
	return exists;
}

/* Starts the process that a client connects to; nothing to do for WAY_EMBED. */
static inline void editor_launch(struct editor *editor)
{
	if (editor->way == WAY_EMBED)
		return;
	editor->pid = fork();
	assert_true(editor->pid >= 0);
	if (editor->pid == 0) {
		/* Also where the test fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execlp("nvim", "nvim", "--headless", "--clean", "-n", "--listen", editor->listen, NULL);
		_exit(127);
	}
}

/* Kills the process and waits for its end. */
static inline void editor_kill(struct editor *editor)
{
	if (editor->pid <= 0)
		return;
	kill(editor->pid, SIGKILL);
	assert_int_equal(waitpid(editor->pid, NULL, 0), editor->pid);
	editor->pid = 0;
	/* What is left of it would keep the next one from listening. */
	if (editor->way == WAY_UNIX)
		unlink(editor->listen);
}

/* An editor and a client that did not connect yet. options NULL: the defaults; the timeout is patient in any case. */
static inline void editor_start(struct editor *editor, void **state, enum way way,
                                const struct brine_client_options *options)
{
	static const char *const argv[] = {"nvim", "--embed", "--headless", "--clean", "-n", NULL};
	struct brine_client_options own = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	if (options)
		own = *options;
	own.timeout_ms = PATIENCE_MS;
	own.backoff_most_ms = 50;
	*editor = (struct editor){.way = way, .kept = -1};
	uint16_t port;
	if (way == WAY_TCP)
		editor->kept = e2e_keep_port(&port);
	if (way == WAY_TCP)
		snprintf(editor->listen, sizeof editor->listen, "127.0.0.1:%u", port);
	else
		snprintf(editor->listen, sizeof editor->listen, "%s", e2e_path(state, "nvim.sock"));
	snprintf(editor->address, sizeof editor->address, "msgpack-rpc%s%.200s", way == WAY_TCP ? "://" : "+unix://",
	         editor->listen);
	editor_launch(editor);
	int status = way == WAY_EMBED ? brine_client_open_command(&editor->client, argv, NULL, &own, &error)
	                              : brine_client_open(&editor->client, editor->address, &own, &error);
	if (status < 0)
		fail_msg("open: %s", error.text);
}

/* Waits until the editor answers: it may only be about to listen. */
static inline void editor_ready(struct editor *editor)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_mode mode;
	call.wait_for_ready = true;
	if (nvim_get_mode(editor->client, &call, &(struct nvim_nothing){0}, &mode) < 0)
		fail_msg("the editor does not answer: %s", brine_call_error_text(&call));
	brine_call_done(&call);
}

static inline void editor_open(struct editor *editor, void **state, enum way way,
                               const struct brine_client_options *options)
{
	editor_start(editor, state, way, options);
	editor_ready(editor);
}

static inline void editor_close(struct editor *editor)
{
	brine_client_free(editor->client);
	editor_kill(editor);
	brine_socket_close(editor->kept);
	/* An embedded one went with its client. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* ---- short forms ---- */

#define VALUE(bytes) ((struct brine_value){"" bytes, sizeof(bytes) - 1})
#define EXPECT_OK(call, status)                                                                                        \
	do {                                                                                                           \
		if ((status) < 0)                                                                                      \
			fail_msg("%s: %s", #status, brine_call_error_text(call));                                      \
	} while (0)

static inline int64_t value_int(struct brine_value value)
{
	struct nvim_integer integer;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	if (nvim_integer_loads(&integer, BRINE_BYTES(value.data, value.size), &arena, &error) < 0)
		fail_msg("no integer: %s", error.text);
	brine_arena_done(&arena);
	return integer.value;
}

static inline int64_t eval_int(struct brine_client *client, const char *expr)
{
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	EXPECT_OK(&call, nvim_eval(client, &call, &(struct nvim_eval_request){.expr = brine_str_from(expr)}, &object));
	int64_t number = value_int(object.value);
	brine_call_done(&call);
	return number;
}

static inline void command(struct brine_client *client, const char *text)
{
	struct brine_call call = BRINE_CALL_INIT;
	EXPECT_OK(&call,
	          nvim_command(client, &call, &(struct nvim_command_request){.command = brine_str_from(text)}, NULL));
	brine_call_done(&call);
}

/* The main of a test of this kind. */
#define EDITOR_MAIN(...)                                                                                               \
	int main(void)                                                                                                 \
	{                                                                                                              \
		setenv("NVIM_LOG_FILE", "/dev/null", 1);                                                               \
		unsetenv("NVIM_LISTEN_ADDRESS");                                                                       \
		unsetenv("NVIM");                                                                                      \
		if (!editor_exists()) {                                                                                \
			printf("skipped: no nvim in PATH (apt-get install neovim)\n");                                 \
			return getenv("BRINE_PEERS_REQUIRED") ? 1 : SKIPPED;                                           \
		}                                                                                                      \
		const struct CMUnitTest tests[] = {__VA_ARGS__};                                                       \
		return cmocka_run_group_tests(tests, NULL, NULL);                                                      \
	}

#endif
