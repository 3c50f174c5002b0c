/* Proves: typed calls drive a real Neovim over TCP, a Unix socket and its stdin and stdout; its errors, handles, sizes,
 * slowness and death are told as they are; proto/neovim.proto is what the editor says of itself. */
#include "editor.h"

/* ---- calls ---- */

static void evaluates_by(void **state, enum way way)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	struct nvim_string string;
	struct nvim_integer integer;
	editor_open(&editor, state, way, NULL);
	struct brine_client *client = editor.client;
	assert_int_equal(eval_int(client, "1 + 41"), 42);
	assert_int_equal(eval_int(client, "-9223372036854775807"), -INT64_C(9223372036854775807));
	/* Lua, which finds its arguments. */
	struct brine_value two[] = {VALUE("\x28"), VALUE("\x02")};
	struct nvim_exec_lua_request lua = {.code = BRINE_STR("local a, b = ... return a + b"), .args = {two, 2}};
	EXPECT_OK(&call, nvim_exec_lua(client, &call, &lua, &object));
	assert_int_equal(value_int(object.value), 42);
	/* A function, with a string that is no UTF-8 and comes back as it is. */
	struct brine_value latin = VALUE("\xa5 caf\xe9");
	struct nvim_call_function_request trim = {.fn = BRINE_STR("trim"), .args = {&latin, 1}};
	EXPECT_OK(&call, nvim_call_function(client, &call, &trim, &object));
	EXPECT_OK(&call,
	          nvim_string_loads(&string, BRINE_BYTES(object.value.data, object.value.size), &call.arena, NULL));
	assert_true(brine_str_equal(string.value, BRINE_STR("caf\xe9")));
	EXPECT_OK(&call, nvim_strwidth(client, &call, &(struct nvim_strwidth_request){BRINE_STR("abc")}, &integer));
	assert_int_equal(integer.value, 3);
	struct nvim_exec_request script = {.src = BRINE_STR("echo 'a'\necho 'b'"), .output = true};
	EXPECT_OK(&call, nvim_exec(client, &call, &script, &string));
	assert_true(brine_str_equal(string.value, BRINE_STR("a\nb")));
	/* Variables and options hold any value. */
	struct nvim_set_var_request set = {.name = BRINE_STR("brine"),
	                                   .value = VALUE("\x82\xa1k\x93\x01\xc3\xc0\xa1m\x80")};
	EXPECT_OK(&call, nvim_set_var(client, &call, &set, NULL));
	EXPECT_OK(&call, nvim_get_var(client, &call, &(struct nvim_get_var_request){set.name}, &object));
	assert_int_equal(object.value.size, set.value.size);
	assert_int_equal(eval_int(client, "g:brine.k[0]"), 1);
	struct nvim_set_option_value_request option = {.name = BRINE_STR("shiftwidth"), .value = VALUE("\x05")};
	EXPECT_OK(&call, nvim_set_option_value(client, &call, &option, NULL));
	struct nvim_get_option_value_request ask = {.name = option.name,
	                                            .opts = {.has_scope = true, .scope = BRINE_STR("local")}};
	EXPECT_OK(&call, nvim_get_option_value(client, &call, &ask, &object));
	assert_int_equal(value_int(object.value), 5);
	/* A notification arrives, before what follows it. */
	struct brine_bytes params = BRINE_BYTES("\x91\xac"
	                                        "let g:n = 77",
	                                        14);
	EXPECT_OK(&call, brine_client_notify_raw(client, NULL, "nvim_command", params));
	assert_int_equal(eval_int(client, "g:n"), 77);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(evaluates)

static void edits_lines_by(void **state, enum way way)
{
	enum { LINES = 20000 };
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_integer integer;
	struct nvim_strings strings;
	editor_open(&editor, state, way, NULL);
	struct brine_client *client = editor.client;
	static const struct brine_str words[] = {BRINE_STR_INIT("one"), BRINE_STR_INIT("caf\xe9 \xff"),
	                                         BRINE_STR_INIT("")};
	struct nvim_buf_set_lines_request set = {.end = -1, .replacement = {words, 3}};
	EXPECT_OK(&call, nvim_buf_set_lines(client, &call, &set, NULL));
	struct nvim_buf_get_lines_request get = {.end = -1, .strict_indexing = true};
	EXPECT_OK(&call, nvim_buf_get_lines(client, &call, &get, &strings));
	assert_int_equal(strings.items.count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(brine_str_equal(strings.items.items[i], words[i]));
	/* Part of a line. */
	static const struct brine_str tea = BRINE_STR_INIT("tea");
	struct nvim_buf_set_text_request text = {
	        .start_row = 1, .start_col = 0, .end_row = 1, .end_col = 4, .replacement = {&tea, 1}};
	EXPECT_OK(&call, nvim_buf_set_text(client, &call, &text, NULL));
	EXPECT_OK(&call,
	          nvim_buf_get_text(client, &call,
	                            &(struct nvim_buf_get_text_request){.start_row = 1, .end_row = 1, .end_col = 3},
	                            &strings));
	assert_int_equal(strings.items.count, 1);
	assert_true(brine_str_equal(strings.items.items[0], tea));
	/* A buffer of 4 MB goes there and comes back. */
	struct brine_str *lines = calloc(LINES, sizeof *lines);
	char *bytes = malloc(200);
	assert_non_null(lines);
	assert_non_null(bytes);
	memset(bytes, 'x', 200);
	for (size_t i = 0; i < LINES; i++)
		lines[i] = (struct brine_str){bytes, 200 - i % 7};
	set.replacement.items = lines;
	set.replacement.count = LINES;
	EXPECT_OK(&call, nvim_buf_set_lines(client, &call, &set, NULL));
	EXPECT_OK(&call, nvim_buf_line_count(client, &call, &(struct nvim_buffer_request){0}, &integer));
	assert_int_equal(integer.value, LINES);
	EXPECT_OK(&call, nvim_buf_get_lines(client, &call, &get, &strings));
	assert_int_equal(strings.items.count, LINES);
	for (size_t i = 0; i < LINES; i++)
		if (!brine_str_equal(strings.items.items[i], lines[i]))
			fail_msg("line %zu came back as another one", i);
	free(lines);
	free(bytes);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(edits_lines)

static void tells_errors_by(void **state, enum way way)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	struct nvim_strings strings;
	editor_open(&editor, state, way, NULL);
	struct brine_client *client = editor.client;
	assert_int_equal(nvim_eval(client, &call, &(struct nvim_eval_request){BRINE_STR("1 +")}, &object),
	                 BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), 0);
	expect_in(brine_call_error_text(&call), "E15: Invalid expression");
	/* Wrong arguments are code 1. */
	assert_int_equal(
	        nvim_buf_get_lines(client, &call, &(struct nvim_buf_get_lines_request){.buffer = 4711}, &strings),
	        BRINE_ERR_REMOTE);
	assert_int_equal(brine_call_code(&call), 1);
	expect_in(brine_call_error_text(&call), "Invalid buffer id: 4711");
	assert_int_equal(brine_client_call_raw(client, &call, "nvim_eval", BRINE_BYTES("\x90", 1)), BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "Wrong number of arguments: expecting 1 but got 0");
	assert_int_equal(brine_client_call_raw(client, &call, "nvim_eval", BRINE_BYTES("\x91\x01", 2)),
	                 BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "Wrong type for argument 1");
	assert_int_equal(brine_client_call_raw(client, &call, "nvim_nonsense", BRINE_BYTES(NULL, 0)), BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "Invalid method: nvim_nonsense");
	/* An error that holds control characters is shown escaped. */
	assert_int_equal(
	        nvim_command(client, &call, &(struct nvim_command_request){BRINE_STR("throw \"a\\x1b[31m\"")}, NULL),
	        BRINE_ERR_REMOTE);
	assert_null(strchr(brine_call_error_text(&call), 0x1b));
	/* What the schema asks for and does not get is named. */
	assert_int_equal(nvim_eval(client, &call, &(struct nvim_eval_request){BRINE_STR("'text'")}, &object), 0);
	struct nvim_integer integer;
	struct brine_error error = BRINE_ERROR_INIT;
	assert_int_equal(
	        nvim_integer_loads(&integer, BRINE_BYTES(object.value.data, object.value.size), &call.arena, &error),
	        BRINE_ERR_TYPE);
	/* The connection is as good as before. */
	assert_int_equal(eval_int(client, "2"), 2);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(tells_errors)

static void passes_handles_by(void **state, enum way way)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_buffer buffer;
	struct nvim_buffers buffers;
	struct nvim_window window, floating;
	struct nvim_tabpage tabpage;
	struct nvim_boolean boolean;
	struct nvim_position position;
	struct nvim_nothing nothing = {0};
	editor_open(&editor, state, way, NULL);
	struct brine_client *client = editor.client;
	EXPECT_OK(&call, nvim_create_buf(client, &call, &(struct nvim_create_buf_request){.listed = true}, &buffer));
	assert_true(buffer.buffer > 1);
	EXPECT_OK(&call, nvim_list_bufs(client, &call, &nothing, &buffers));
	assert_int_equal(buffers.items.count, 2);
	assert_int_equal(buffers.items.items[1], buffer.buffer);
	EXPECT_OK(&call, nvim_set_current_buf(client, &call, &(struct nvim_buffer_request){buffer.buffer}, NULL));
	EXPECT_OK(&call, nvim_get_current_win(client, &call, &nothing, &window));
	EXPECT_OK(&call, nvim_win_get_buf(client, &call, &(struct nvim_window_request){window.window}, &buffer));
	assert_int_equal(buffer.buffer, buffers.items.items[1]);
	EXPECT_OK(&call, nvim_get_current_tabpage(client, &call, &nothing, &tabpage));
	EXPECT_OK(&call,
	          nvim_tabpage_is_valid(client, &call, &(struct nvim_tabpage_request){tabpage.tabpage}, &boolean));
	assert_true(boolean.value);
	/* On the wire they are ext 0, 1 and 2. */
	static const char *const methods[] = {"nvim_get_current_buf", "nvim_get_current_win",
	                                      "nvim_get_current_tabpage"};
	for (uint8_t i = 0; i < 3; i++) {
		EXPECT_OK(&call, brine_client_call_raw(client, &call, methods[i], BRINE_BYTES(NULL, 0)));
		struct brine_bytes result = brine_call_result(&call);
		const uint8_t *bytes = result.data;
		assert_true(result.size >= 3 && (bytes[0] == 0xd4 || bytes[0] == 0xd5 || bytes[0] == 0xc7));
		assert_int_equal(bytes[bytes[0] == 0xc7 ? 2 : 1], i);
		/* As a value it goes back as it came. */
		struct brine_value value = {result.data, result.size};
		struct nvim_set_var_request set = {.name = BRINE_STR("handle"), .value = value};
		struct brine_call other = BRINE_CALL_INIT;
		EXPECT_OK(&other, nvim_set_var(client, &other, &set, NULL));
		brine_call_done(&other);
	}
	static const struct brine_str words[] = {BRINE_STR_INIT("one"), BRINE_STR_INIT("two")};
	EXPECT_OK(&call,
	          nvim_buf_set_lines(client, &call,
	                             &(struct nvim_buf_set_lines_request){.end = -1, .replacement = {words, 2}}, NULL));
	struct nvim_win_set_cursor_request cursor = {.window = window.window, .pos = {2, 1}};
	EXPECT_OK(&call, nvim_win_set_cursor(client, &call, &cursor, NULL));
	EXPECT_OK(&call, nvim_win_get_cursor(client, &call, &(struct nvim_window_request){0}, &position));
	assert_int_equal(position.row, 2);
	assert_int_equal(position.col, 1);
	/* A dictionary of options, part of it given. */
	struct nvim_open_win_request open = {.buffer = buffer.buffer,
	                                     .config = {.has_relative = true,
	                                                .relative = BRINE_STR("editor"),
	                                                .has_width = true,
	                                                .width = 10,
	                                                .has_height = true,
	                                                .height = 2,
	                                                .has_row = true,
	                                                .row = 1,
	                                                .has_col = true,
	                                                .col = 1.5}};
	EXPECT_OK(&call, nvim_open_win(client, &call, &open, &floating));
	assert_true(floating.window != window.window);
	EXPECT_OK(&call, nvim_win_close(client, &call, &(struct nvim_win_close_request){floating.window, true}, NULL));
	/* And none of it: the empty dictionary goes all the same. */
	EXPECT_OK(&call,
	          nvim_ui_attach(client, &call, &(struct nvim_ui_attach_request){.width = 80, .height = 24}, NULL));
	EXPECT_OK(&call, nvim_ui_detach(client, &call, &nothing, NULL));
	EXPECT_OK(&call, nvim_buf_delete(client, &call,
	                                 &(struct nvim_buf_delete_request){.buffer = buffer.buffer,
	                                                                   .opts = {.has_force = true, .force = true}},
	                                 NULL));
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(passes_handles)

/* Several answers, and one error, of one call. */
static void calls_at_once_by(void **state, enum way way)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_atomic_results results;
	editor_open(&editor, state, way, NULL);
	struct brine_value good = VALUE("\xa3"
	                                "1+2"),
	                   bad = VALUE("\xa2"
	                               "1+");
	struct nvim_atomic_call list[] = {{BRINE_STR("nvim_eval"), {&good, 1}},
	                                  {BRINE_STR("nvim_eval"), {&bad, 1}},
	                                  {BRINE_STR("nvim_eval"), {&good, 1}}};
	struct nvim_call_atomic_request request = {{list, 1}};
	EXPECT_OK(&call, nvim_call_atomic(editor.client, &call, &request, &results));
	assert_int_equal(results.results.count, 1);
	assert_null(results.error);
	request.calls.count = 3;
	EXPECT_OK(&call, nvim_call_atomic(editor.client, &call, &request, &results));
	assert_int_equal(results.results.count, 1);
	assert_int_equal(value_int(results.results.items[0]), 3);
	assert_non_null(results.error);
	assert_int_equal(results.error->index, 1);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(calls_at_once)

static void pipelines_by(void **state, enum way way)
{
	enum { CALLS = 200 };
	static struct brine_call calls[CALLS];
	struct editor editor;
	for (int mode = BRINE_CLIENT_BLOCKING; mode <= BRINE_CLIENT_BACKGROUND; mode++) {
		struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
		options.mode = mode;
		editor_open(&editor, state, way, &options);
		for (int i = 0; i < CALLS; i++) {
			char expr[32];
			snprintf(expr, sizeof expr, "%d * 3", i);
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			EXPECT_OK(&calls[i], nvim_eval_begin(editor.client, &calls[i],
			                                     &(struct nvim_eval_request){brine_str_from(expr)}));
		}
		/* In another order than they were made. */
		for (int i = 0; i < CALLS; i++) {
			struct nvim_object object;
			int at = (i * 77 + 13) % CALLS;
			EXPECT_OK(&calls[at], nvim_eval_finish(&calls[at], &object));
			assert_int_equal(value_int(object.value), at * 3);
			brine_call_done(&calls[at]);
		}
		editor_close(&editor);
	}
}
DEFINE_WAYS(pipelines)

/* The program's own loop drives the same. */
static void runs_on_a_loop_by(void **state, enum way way)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	options.mode = BRINE_CLIENT_LOOP;
	editor_start(&editor, state, way, &options);
	for (int i = 0; i < 3; i++) {
		int status;
		call.wait_for_ready = true;
		EXPECT_OK(&call,
		          nvim_eval_begin(editor.client, &call, &(struct nvim_eval_request){BRINE_STR("6 * 7")}));
		while ((status = nvim_eval_finish(&call, &object)) == BRINE_ERR_WOULD_BLOCK) {
			struct pollfd poller = {.fd = brine_client_get_fd(editor.client), .events = POLLIN};
			assert_true(poll(&poller, 1, brine_client_get_timeout_ms(editor.client)) >= 0);
			brine_client_process(editor.client);
		}
		EXPECT_OK(&call, status);
		assert_int_equal(value_int(object.value), 42);
	}
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(runs_on_a_loop)

/* ---- when it does not answer ---- */

/* Calls an editor that sleeps for a while. False: it was awake again when the deadline passed, so that this may have
 * been waited for by luck; or nothing was sent before that. */
static bool call_asleep(struct editor *editor, uint64_t sleep_ms)
{
	struct brine_call sleeps = BRINE_CALL_INIT, call = BRINE_CALL_INIT;
	struct nvim_object object;
	char code[64];
	/* Sleeping in Lua serves nobody, as in VimL it would. */
	snprintf(code, sizeof code, "vim.loop.sleep(%d) return 5", (int)sleep_ms);
	struct nvim_exec_lua_request busy = {.code = brine_str_from(code)};
	EXPECT_OK(&sleeps, nvim_exec_lua_begin(editor->client, &sleeps, &busy));
	call.timeout_ms = sleep_ms / 8;
	int status = nvim_eval(editor->client, &call, &(struct nvim_eval_request){BRINE_STR("1")}, &object);
	assert_true(status == 0 || status == BRINE_ERR_DEADLINE);
	bool asleep = status < 0 && sleeps.state == BRINE_CALL_RUNNING &&
	              strstr(brine_call_error_text(&call), "no answer from");
	call.timeout_ms = 0;
	EXPECT_OK(&call, nvim_eval(editor->client, &call, &(struct nvim_eval_request){BRINE_STR("2")}, &object));
	assert_int_equal(value_int(object.value), 2);
	EXPECT_OK(&sleeps, nvim_exec_lua_finish(&sleeps, &object));
	assert_int_equal(value_int(object.value), 5);
	brine_call_done(&call);
	brine_call_done(&sleeps);
	return asleep;
}

/* Deadlines are kept here, the editor knows none; what it answers later is dropped. */
static void deadline_while_busy_by(void **state, enum way way)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	editor_open(&editor, state, way, NULL);
	for (uint64_t ms = 800; !call_asleep(&editor, ms); ms = twice_as_long(ms))
		;
	/* A call that is given up is no more than that. */
	EXPECT_OK(&call, nvim_eval_begin(editor.client, &call, &(struct nvim_eval_request){BRINE_STR("3")}));
	brine_call_cancel(&call);
	assert_int_equal(nvim_eval_finish(&call, &object), BRINE_ERR_CANCELLED);
	assert_int_equal(eval_int(editor.client, "4"), 4);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(deadline_while_busy)

/* It is killed in the middle of calls; a new one is found by the same client. */
static void dies_and_comes_back_by(void **state, enum way way)
{
	enum { CALLS = 8 };
	struct editor editor;
	struct brine_call calls[CALLS];
	editor_open(&editor, state, way, NULL);
	pid_t first = 0;
	for (int round = 0; round < 2; round++) {
		pid_t pid = (pid_t)eval_int(editor.client, "getpid()");
		assert_true(pid > 1 && pid != first && pid != getpid());
		first = pid;
		command(editor.client, "let g:mine = 1");
		for (int i = 0; i < CALLS; i++) {
			calls[i] = (struct brine_call)BRINE_CALL_INIT;
			struct nvim_exec_lua_request busy = {.code = BRINE_STR("vim.loop.sleep(60000)")};
			EXPECT_OK(&calls[i], nvim_exec_lua_begin(editor.client, &calls[i], &busy));
		}
		assert_int_equal(kill(pid, SIGKILL), 0);
		for (int i = 0; i < CALLS; i++) {
			assert_int_equal(nvim_exec_lua_finish(&calls[i], NULL), BRINE_ERR_LOST);
			expect_in(brine_call_error_text(&calls[i]), "may have run");
			if (way == WAY_EMBED)
				expect_in(brine_call_error_text(&calls[i]), "nvim --embed --headless --clean -n: the "
				                                            "program ended by signal 9 (SIGKILL); the "
				                                            "next call starts it anew");
			brine_call_done(&calls[i]);
		}
		editor_kill(&editor);
		editor_launch(&editor);
		editor_ready(&editor);
		/* It is another one, which knows nothing of what was. */
		assert_int_equal(eval_int(editor.client, "exists('g:mine')"), 0);
	}
	editor_close(&editor);
}
DEFINE_WAYS(dies_and_comes_back)

/* Told to end in order, it says how it did. */
static void quits(void **state)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	editor_open(&editor, state, WAY_EMBED, NULL);
	assert_int_equal(nvim_command(editor.client, &call, &(struct nvim_command_request){BRINE_STR("cquit 3")}, NULL),
	                 BRINE_ERR_LOST);
	expect_in(brine_call_error_text(&call), "the program ended with status 3");
	brine_call_done(&call);
	editor_close(&editor);
}

/* Spoken to in frames, which it does not know, it is named, and so is what to do. */
static void framed_by_mistake_by(void **state, enum way way)
{
	static const char *const argv[] = {"nvim", "--embed", "--headless", "--clean", "-n", NULL};
	static const char *const advice[] = {"use msgpack-rpc:// instead of tcp://",
	                                     "use msgpack-rpc+unix:// instead of unix://",
	                                     "leave `framed` out of its options"};
	struct editor editor;
	struct brine_client *client;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_command_options framed = BRINE_COMMAND_OPTIONS_INIT;
	char address[ADDRESS_SIZE];
	editor_open(&editor, state, way, NULL);
	framed.framed = true;
	snprintf(address, sizeof address, "%s://%.200s", way == WAY_TCP ? "tcp" : "unix", editor.listen);
	int status = way == WAY_EMBED ? brine_client_open_command(&client, argv, &framed, NULL, NULL)
	                              : brine_client_open(&client, address, NULL, NULL);
	assert_int_equal(status, 0);
	assert_int_equal(nvim_get_mode(client, &call, &(struct nvim_nothing){0}, NULL), BRINE_ERR_NOT_BRINE);
	expect_in(brine_call_error_text(&call), "the peer speaks plain MessagePack-RPC, which was not asked for");
	expect_in(brine_call_error_text(&call), advice[way]);
	brine_call_done(&call);
	brine_client_free(client);
	/* It is none the worse for it. */
	assert_int_equal(eval_int(editor.client, "5"), 5);
	editor_close(&editor);
}
DEFINE_WAYS(framed_by_mistake)

/* ---- the schema ---- */

static bool is_text(struct brine_str text, const char *literal)
{
	return brine_str_equal(text, brine_str_from(literal));
}

static bool is_handle(const struct brine_field *field, int ext)
{
	bool has_ext = field->flags & BRINE_FIELD_EXT;
	return field->kind == BRINE_KIND_INT64 && (ext < 0 ? !has_ext : has_ext && field->ext == ext);
}

/* "Integer" and the like, of one value: not of the whole field. */
static bool fits_value(const struct brine_field *field, struct brine_str type)
{
	if (is_text(type, "Buffer"))
		return is_handle(field, 0);
	if (is_text(type, "Window"))
		return is_handle(field, 1);
	if (is_text(type, "Tabpage"))
		return is_handle(field, 2);
	if (is_text(type, "Integer"))
		return is_handle(field, -1);
	if (is_text(type, "Boolean"))
		return field->kind == BRINE_KIND_BOOL;
	if (is_text(type, "Float"))
		return field->kind == BRINE_KIND_DOUBLE;
	if (is_text(type, "String"))
		return field->kind == BRINE_KIND_STRING && (field->flags & BRINE_FIELD_ANY_BYTES);
	return is_text(type, "Object") && field->kind == BRINE_KIND_VALUE;
}

/* A message written as a dictionary, or as an array of its fields. */
static bool has_layout(const struct brine_field *field, enum brine_layout layout)
{
	return field->kind == BRINE_KIND_MESSAGE && field->shape == BRINE_SHAPE_SINGLE && field->type->layout == layout;
}

static bool fits_array(const struct brine_field *field, struct brine_str type)
{
	static const char prefix[] = "ArrayOf(";
	if (is_text(type, "Array"))
		return field->shape == BRINE_SHAPE_REPEATED || has_layout(field, BRINE_LAYOUT_ARRAY);
	if (is_text(type, "ArrayOf(Integer, 2)"))
		return has_layout(field, BRINE_LAYOUT_ARRAY) && field->type->field_count == 2 &&
		       is_handle(&field->type->fields[0], -1) && is_handle(&field->type->fields[1], -1);
	size_t before = sizeof prefix - 1;
	if (type.size <= before || memcmp(type.data, prefix, before) != 0 || field->shape != BRINE_SHAPE_REPEATED)
		return false;
	struct brine_str inner = {type.data + before, type.size - before - 1};
	if (is_text(inner, "Dictionary"))
		return field->kind == BRINE_KIND_MESSAGE && field->type->layout != BRINE_LAYOUT_ARRAY;
	return fits_value(field, inner);
}

static bool fits(const struct brine_field *field, struct brine_str type)
{
	if (field->shape == BRINE_SHAPE_SINGLE && fits_value(field, type))
		return true;
	if (is_text(type, "Dictionary"))
		return field->shape == BRINE_SHAPE_MAP || has_layout(field, BRINE_LAYOUT_MAP);
	return fits_array(field, type);
}

/* Results are whole messages: one without fields is nil, a BARE one its field. */
static bool result_fits(const struct brine_type *type, struct brine_str named)
{
	if (is_text(named, "void"))
		return type->field_count == 0;
	struct brine_field whole = {.kind = BRINE_KIND_MESSAGE, .shape = BRINE_SHAPE_SINGLE, .type = type};
	return fits(type->layout == BRINE_LAYOUT_BARE ? &type->fields[0] : &whole, named);
}

static const struct nvim_function *find_function(const struct nvim_metadata *metadata, const char *name)
{
	for (size_t i = 0; i < metadata->functions.count; i++)
		if (is_text(metadata->functions.items[i].name, name))
			return &metadata->functions.items[i];
	return NULL;
}

static void check_method(const struct brine_method *method, const struct nvim_function *function)
{
	const struct brine_type *request = method->request;
	if (!function)
		fail_msg("%s: the editor has no such method", method->name);
	if (function->has_deprecated_since)
		fail_msg("%s is deprecated", method->name);
	if (request->layout != BRINE_LAYOUT_ARRAY || request->field_count != function->parameters.count)
		fail_msg("%s: %u fields for %zu parameters", method->name, request->field_count,
		         function->parameters.count);
	for (uint32_t i = 0; i < request->field_count; i++) {
		const struct brine_field *field = &request->fields[i];
		const struct nvim_parameter *parameter = &function->parameters.items[i];
		if (field->number != i + 1 || !is_text(parameter->name, field->name))
			fail_msg("%s: field %u is %s, parameter %.*s", method->name, field->number, field->name,
			         BRINE_ARG(parameter->name));
		if (!fits(field, parameter->type))
			fail_msg("%s: field %s is no %.*s", method->name, field->name, BRINE_ARG(parameter->type));
	}
	if (!result_fits(method->response, function->return_type))
		fail_msg("%s: %s is no %.*s", method->name, method->response->name, BRINE_ARG(function->return_type));
}

static void schema_is_the_editors(void **state)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_api_info info;
	editor_open(&editor, state, WAY_EMBED, NULL);
	EXPECT_OK(&call, nvim_get_api_info(editor.client, &call, &(struct nvim_nothing){0}, &info));
	assert_true(info.channel > 0);
	assert_true(info.metadata.version.api_level >= 9);
	assert_true(info.metadata.functions.count > 150);
	assert_true(nvim_service.method_count > 120);
	for (uint32_t i = 0; i < nvim_service.method_count; i++)
		check_method(&nvim_service.methods[i], find_function(&info.metadata, nvim_service.methods[i].name));
	/* The options of the screen, all that there are. */
	assert_int_equal(info.metadata.ui_options.count + 1, nvim_ui_options_type.field_count);
	static const struct {
		const char *name;
		int64_t id;
	} handles[] = {{"Buffer", 0}, {"Window", 1}, {"Tabpage", 2}};
	for (size_t i = 0; i < 3; i++) {
		const struct nvim_metadata_types_entry *entry =
		        nvim_metadata_types_find(&info.metadata, brine_str_from(handles[i].name));
		assert_non_null(entry);
		assert_int_equal(entry->value.id, handles[i].id);
	}
	brine_call_done(&call);
	editor_close(&editor);
}

/* Answers with more inside than the others. */
static void typed_answers(void **state)
{
	struct editor editor;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_nothing nothing = {0};
	struct nvim_channels channels;
	struct nvim_statusline line;
	struct nvim_integer integer;
	editor_open(&editor, state, WAY_EMBED, NULL);
	struct nvim_set_client_info_request me = {
	        .name = BRINE_STR("brine"), .version = {.has_major_ = true, .major_ = 7}, .type = BRINE_STR("remote")};
	EXPECT_OK(&call, nvim_set_client_info(editor.client, &call, &me, NULL));
	EXPECT_OK(&call, nvim_list_chans(editor.client, &call, &nothing, &channels));
	bool found = false;
	for (size_t i = 0; i < channels.items.count; i++) {
		const struct nvim_channel_info *channel = &channels.items.items[i];
		found |= channel->client && is_text(channel->client->name, "brine") &&
		         channel->client->version->major_ == 7 && is_text(channel->mode, "rpc");
	}
	assert_true(found);
	EXPECT_OK(&call, nvim_eval_statusline(editor.client, &call,
	                                      &(struct nvim_eval_statusline_request){.str = BRINE_STR("%1*a")}, &line));
	assert_true(is_text(line.str, "a"));
	assert_int_equal(line.width, 1);
	struct nvim_create_augroup_request group = {BRINE_STR("brine"), {.has_clear = true, .clear = true}};
	EXPECT_OK(&call, nvim_create_augroup(editor.client, &call, &group, &integer));
	struct nvim_create_autocmd_request autocmd = {.event = VALUE("\xa4User"),
	                                              .opts = {.has_group = true,
	                                                       .group = BRINE_STR("brine"),
	                                                       .has_pattern = true,
	                                                       .pattern = BRINE_STR("Mine"),
	                                                       .has_command = true,
	                                                       .command = BRINE_STR("let g:told = 1")}};
	EXPECT_OK(&call, nvim_create_autocmd(editor.client, &call, &autocmd, &integer));
	command(editor.client, "doautocmd User Mine");
	assert_int_equal(eval_int(editor.client, "g:told"), 1);
	EXPECT_OK(&call,
	          nvim_del_autocmd(editor.client, &call, &(struct nvim_del_autocmd_request){integer.value}, NULL));
	static const struct nvim_chunk chunks[] = {{BRINE_STR_INIT("plain "), false, {NULL, 0}},
	                                           {BRINE_STR_INIT("red"), true, BRINE_STR_INIT("ErrorMsg")}};
	EXPECT_OK(&call, nvim_echo(editor.client, &call,
	                           &(struct nvim_echo_request){.chunks = {chunks, 2}, .history = true}, NULL));
	brine_call_done(&call);
	editor_close(&editor);
}

EDITOR_MAIN(ALL_WAYS(evaluates), ALL_WAYS(edits_lines), ALL_WAYS(tells_errors), ALL_WAYS(passes_handles),
            ALL_WAYS(calls_at_once), ALL_WAYS(pipelines), ALL_WAYS(runs_on_a_loop), ALL_WAYS(deadline_while_busy),
            ALL_WAYS(dies_and_comes_back), ALL_WAYS(framed_by_mistake), e2e_test(quits),
            e2e_test(schema_is_the_editors), e2e_test(typed_answers))
