/* Proves: a real Neovim notifies and calls a client over TCP, a Unix socket and its stdin and stdout, also while calls
 * of the client are pending and inside its own answers; handlers see everything in the order in which it was sent. */
#include "editor.h"

#include <brine/server.h>

enum { LINES_MAX = 64 };

/* What the handlers saw. They run in the thread that waits, or in one of the client's own. */
struct seen {
	atomic_int ticks, flushes, errors, adds, closed;
	atomic_int lines, changedticks, detaches;
	int last_tick;
	int64_t buffer, firstline, lastline, changedtick;
	bool has_changedtick, more;
	size_t line_count;
	char line[64]; /* the last one of the last event */
	char error[128];
	struct brine_request *held;
	struct brine_call call; /* of what is asked back without waiting */
};

static int small_number(struct brine_bytes params, size_t at)
{
	return at < params.size ? ((const uint8_t *)params.data)[at] : -1;
}

/* [n] */
static int on_tick(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct seen *seen = user;
	seen->last_tick = brine_request_is_notification(request) ? small_number(params, 1) : -1;
	atomic_fetch_add(&seen->ticks, 1);
	return 0;
}

/* As many arguments as there are updates: the last of a screen is ["flush", []]. */
static int on_redraw(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct seen *seen = user;
	(void)request;
	if (params.size && memmem(params.data, params.size,
	                          "\xa5"
	                          "flush",
	                          6))
		atomic_fetch_add(&seen->flushes, 1);
	return 0;
}

/* [a, b] */
static int on_add(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct seen *seen = user;
	uint8_t sum = (uint8_t)(small_number(params, 1) + small_number(params, 2));
	atomic_fetch_add(&seen->adds, 1);
	return brine_request_reply_raw(request, BRINE_BYTES(&sum, 1));
}

static int on_refuse(struct brine_request *request, struct brine_bytes params, void *user)
{
	(void)params;
	(void)user;
	return brine_request_fail(request, 100, "not today");
}

static int on_hold(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct seen *seen = user;
	(void)params;
	seen->held = request;
	atomic_fetch_add(&seen->closed, 1);
	return BRINE_PENDING;
}

/* [n]: asks the editor to ask for n - 1, until nothing is left: each answer is one more than what it got. */
static int on_deeper(struct brine_request *request, struct brine_bytes params, void *user)
{
	uint8_t left = (uint8_t)small_number(params, 1);
	struct brine_value argument = {&left, 1};
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	(void)user;
	if (left-- == 0)
		return brine_request_reply_raw(request, BRINE_BYTES("\x00", 1));
	struct nvim_exec_lua_request lua = {.code = BRINE_STR("return vim.rpcrequest(vim.g.me, 'deeper', ...)"),
	                                    .args = {&argument, 1}};
	int status = nvim_exec_lua(brine_request_client(request), &call, &lua, &object);
	uint8_t sum = status < 0 ? 0 : (uint8_t)(*(const uint8_t *)object.value.data + 1);
	status = status < 0 ? brine_request_fail(request, 100, "%s", brine_call_error_text(&call))
	                    : brine_request_reply_raw(request, BRINE_BYTES(&sum, 1));
	brine_call_done(&call);
	return status;
}

static void answer_asked(struct brine_call *call, void *user)
{
	struct seen *seen = user;
	struct nvim_object object;
	int status = nvim_eval_finish(call, &object);
	struct brine_request *request = seen->held;
	if (status < 0)
		brine_request_fail(request, 100, "%s", brine_call_error_text(call));
	else
		brine_request_reply_raw(request, BRINE_BYTES(object.value.data, object.value.size));
}

/* The same without waiting, one deep: for modes in which a handler may not wait. */
static int on_ask(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct seen *seen = user;
	(void)params;
	seen->held = request;
	seen->call = (struct brine_call){.on_done = answer_asked, .user = seen};
	int status = nvim_eval_begin(brine_request_client(request), &seen->call,
	                             &(struct nvim_eval_request){BRINE_STR("6 * 7")});
	return status < 0 ? brine_request_fail(request, 100, "%s", brine_call_error_text(&seen->call)) : BRINE_PENDING;
}

static int on_lines(struct brine_request *request, const struct nvim_buf_lines_event *event,
                    struct nvim_nothing *response, void *user)
{
	struct seen *seen = user;
	(void)request;
	(void)response;
	seen->buffer = event->buffer;
	seen->has_changedtick = event->has_changedtick;
	seen->changedtick = event->changedtick;
	seen->firstline = event->firstline;
	seen->lastline = event->lastline;
	seen->line_count = event->linedata.count;
	seen->more = event->more;
	if (event->linedata.count)
		snprintf(seen->line, sizeof seen->line, "%.*s",
		         BRINE_ARG(event->linedata.items[event->linedata.count - 1]));
	atomic_fetch_add(&seen->lines, 1);
	return 0;
}

static int on_changedtick(struct brine_request *request, const struct nvim_buf_changedtick_event *event,
                          struct nvim_nothing *response, void *user)
{
	struct seen *seen = user;
	(void)request;
	(void)response;
	seen->changedtick = event->changedtick;
	atomic_fetch_add(&seen->changedticks, 1);
	return 0;
}

static int on_detach(struct brine_request *request, const struct nvim_buf_detach_event *event,
                     struct nvim_nothing *response, void *user)
{
	struct seen *seen = user;
	(void)request;
	(void)response;
	seen->buffer = event->buffer;
	atomic_fetch_add(&seen->detaches, 1);
	return 0;
}

static int on_error(struct brine_request *request, const struct nvim_error_event *event, struct nvim_nothing *response,
                    void *user)
{
	struct seen *seen = user;
	(void)request;
	(void)response;
	snprintf(seen->error, sizeof seen->error, "%d %.*s", (int)event->type, BRINE_ARG(event->message));
	atomic_fetch_add(&seen->errors, 1);
	return 0;
}

/* An editor whose client has all the handlers; g:me is its channel. */
static void open_served(struct editor *editor, void **state, enum way way, int mode, struct seen *seen)
{
	static const struct nvim_events_handlers handlers = {
	        .buf_lines = on_lines, .buf_changedtick = on_changedtick, .buf_detach = on_detach, .error = on_error};
	static const struct {
		const char *method;
		brine_raw_handler_fn *handler;
	} raw[] = {{"tick", on_tick},     {"redraw", on_redraw}, {"add", on_add},  {"refuse", on_refuse},
	           {"deeper", on_deeper}, {"ask", on_ask},       {"hold", on_hold}};
	struct brine_client_options options = BRINE_CLIENT_OPTIONS_INIT;
	struct brine_call call = BRINE_CALL_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	options.mode = mode;
	*seen = (struct seen){0};
	editor_start(editor, state, way, &options);
	int status = nvim_events_client_serve(editor->client, &handlers, seen, &error);
	for (size_t i = 0; i < sizeof raw / sizeof raw[0] && status == 0; i++)
		status = brine_client_serve_raw(editor->client, raw[i].method, raw[i].handler, seen, &error);
	if (status < 0)
		fail_msg("serve: %s", error.text);
	if (mode == BRINE_CLIENT_LOOP)
		return;
	editor_ready(editor);
	struct nvim_api_info info;
	EXPECT_OK(&call, nvim_get_api_info(editor->client, &call, &(struct nvim_nothing){0}, &info));
	char text[64];
	snprintf(text, sizeof text, "let g:me = %d", (int)info.channel);
	brine_call_done(&call);
	command(editor->client, text);
}

/* Makes the tests of `static void name_in(void **state, enum way way, int mode)`: in each mode that waits. */
#define DEFINE_MODES(name)                                                                                             \
	static void name##_by(void **state, enum way way)                                                              \
	{                                                                                                              \
		name##_in(state, way, BRINE_CLIENT_BLOCKING);                                                          \
		name##_in(state, way, BRINE_CLIENT_BACKGROUND);                                                        \
	}                                                                                                              \
	DEFINE_WAYS(name)

static int lua(struct editor *editor, struct brine_call *call, const char *code, struct nvim_object *ret_object)
{
	return nvim_exec_lua(editor->client, call, &(struct nvim_exec_lua_request){.code = brine_str_from(code)},
	                     ret_object);
}

/* ---- notifications ---- */

static void subscribes_in(void **state, enum way way, int mode)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	open_served(&editor, state, way, mode, &seen);
	command(editor.client, "call rpcnotify(0, 'tick', 1)");
	assert_int_equal(seen.ticks, 0);
	EXPECT_OK(&call,
	          nvim_subscribe(editor.client, &call, &(struct nvim_subscribe_request){BRINE_STR("tick")}, NULL));
	for (int i = 1; i < 100; i++) {
		char text[64];
		snprintf(text, sizeof text, "call rpcnotify(0, 'tick', %d)", i);
		command(editor.client, text);
		/* It came before the answer, and was handled before the call returned. */
		assert_int_equal(seen.ticks, i);
		assert_int_equal(seen.last_tick, i);
	}
	EXPECT_OK(&call,
	          nvim_unsubscribe(editor.client, &call, &(struct nvim_unsubscribe_request){BRINE_STR("tick")}, NULL));
	command(editor.client, "call rpcnotify(0, 'tick', 100)");
	assert_int_equal(seen.ticks, 99);
	/* To this channel alone, and to a method that nobody handles. */
	command(editor.client, "call rpcnotify(g:me, 'tick', 101)");
	command(editor.client, "call rpcnotify(g:me, 'nobody', 1)");
	assert_int_equal(seen.ticks, 100);
	assert_int_equal(eval_int(editor.client, "1"), 1);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_MODES(subscribes)

static void follows_a_buffer_in(void **state, enum way way, int mode)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_boolean done;
	struct nvim_buffer buffer;
	open_served(&editor, state, way, mode, &seen);
	EXPECT_OK(&call, nvim_get_current_buf(editor.client, &call, &(struct nvim_nothing){0}, &buffer));
	static const struct brine_str words[] = {BRINE_STR_INIT("one"), BRINE_STR_INIT("two"),
	                                         BRINE_STR_INIT("caf\xe9")};
	struct nvim_buf_set_lines_request set = {.end = -1, .replacement = {words, 2}};
	EXPECT_OK(&call, nvim_buf_set_lines(editor.client, &call, &set, NULL));
	EXPECT_OK(&call,
	          nvim_buf_attach(editor.client, &call, &(struct nvim_buf_attach_request){.send_buffer = true}, &done));
	assert_true(done.value);
	/* The buffer as a whole. */
	if (seen.lines == 0)
		(void)eval_int(editor.client, "1");
	assert_int_equal(seen.lines, 1);
	assert_int_equal(seen.buffer, buffer.buffer);
	assert_int_equal(seen.firstline, 0);
	assert_int_equal(seen.lastline, -1);
	assert_int_equal(seen.line_count, 2);
	assert_string_equal(seen.line, "two");
	assert_false(seen.more);
	/* A change, by us. */
	set = (struct nvim_buf_set_lines_request){.start = 1, .end = 2, .replacement = {words + 1, 2}};
	EXPECT_OK(&call, nvim_buf_set_lines(editor.client, &call, &set, NULL));
	assert_int_equal(seen.lines, 2);
	assert_int_equal(seen.firstline, 1);
	assert_int_equal(seen.lastline, 2);
	assert_int_equal(seen.line_count, 2);
	assert_string_equal(seen.line, "caf\xe9");
	assert_true(seen.has_changedtick);
	int64_t tick = seen.changedtick;
	/* By somebody who types. */
	command(editor.client, "normal! ggdd");
	assert_int_equal(seen.lines, 3);
	assert_int_equal(seen.line_count, 0);
	assert_int_equal(seen.lastline, 1);
	assert_true(seen.changedtick > tick);
	/* Undone, which may tell of the tick alone too. */
	command(editor.client, "undo");
	assert_true(seen.lines + seen.changedticks >= 4);
	EXPECT_OK(&call, nvim_buf_detach(editor.client, &call, &(struct nvim_buffer_request){0}, &done));
	if (seen.detaches == 0)
		(void)eval_int(editor.client, "1");
	assert_int_equal(seen.detaches, 1);
	assert_int_equal(seen.buffer, buffer.buffer);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_MODES(follows_a_buffer)

/* What fails without an answer is told by a notification. */
static void hears_of_errors_in(void **state, enum way way, int mode)
{
	struct editor editor;
	struct seen seen;
	open_served(&editor, state, way, mode, &seen);
	struct brine_bytes params = BRINE_BYTES("\x91\xa3"
	                                        "1 +",
	                                        5);
	assert_int_equal(brine_client_notify_raw(editor.client, NULL, "nvim_eval", params), 0);
	(void)eval_int(editor.client, "1");
	assert_int_equal(seen.errors, 1);
	expect_in(seen.error, "0 ");
	expect_in(seen.error, "E15: Invalid expression");
	params = BRINE_BYTES("\x91\x01", 2);
	assert_int_equal(brine_client_notify_raw(editor.client, NULL, "nvim_eval", params), 0);
	(void)eval_int(editor.client, "1");
	assert_int_equal(seen.errors, 2);
	expect_in(seen.error, "1 ");
	editor_close(&editor);
}
DEFINE_MODES(hears_of_errors)

/* A screen, whose updates have any number of arguments. */
static void draws_in(void **state, enum way way, int mode)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	open_served(&editor, state, way, mode, &seen);
	struct nvim_ui_attach_request attach = {
	        .width = 80, .height = 24, .options = {.has_ext_linegrid = true, .ext_linegrid = true}};
	EXPECT_OK(&call, nvim_ui_attach(editor.client, &call, &attach, NULL));
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (seen.flushes == 0 && brine_clock_ms() < deadline_ms)
		(void)eval_int(editor.client, "1");
	assert_true(seen.flushes > 0);
	int before = seen.flushes;
	struct nvim_integer taken;
	EXPECT_OK(&call,
	          nvim_input(editor.client, &call, &(struct nvim_input_request){BRINE_STR("ihello<Esc>")}, &taken));
	assert_int_equal(taken.value, 11);
	while (seen.flushes == before && brine_clock_ms() < deadline_ms)
		(void)eval_int(editor.client, "1");
	assert_true(seen.flushes > before);
	EXPECT_OK(&call, nvim_ui_detach(editor.client, &call, &(struct nvim_nothing){0}, NULL));
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_MODES(draws)

/* ---- calls ---- */

/* The editor asks while our call is pending, and gets answers, refusals and what it may not ask. */
static void answers_in(void **state, enum way way, int mode)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	open_served(&editor, state, way, mode, &seen);
	EXPECT_OK(&call, lua(&editor, &call, "return vim.rpcrequest(vim.g.me, 'add', 2, 3)", &object));
	assert_int_equal(value_int(object.value), 5);
	/* Many in one call, each answered before the next. */
	EXPECT_OK(&call, lua(&editor, &call,
	                     "local n = 0 for i = 1, 100 do n = n + vim.rpcrequest(vim.g.me, 'add', i, 1) end return n",
	                     &object));
	assert_int_equal(value_int(object.value), 5150);
	assert_int_equal(seen.adds, 101);
	assert_int_equal(lua(&editor, &call, "return vim.rpcrequest(vim.g.me, 'refuse')", &object), BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "not today");
	assert_int_equal(lua(&editor, &call, "return vim.rpcrequest(vim.g.me, 'nobody', 1)", &object),
	                 BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "no such method: 'nobody'");
	/* A typed handler is strict about what it takes. */
	assert_int_equal(lua(&editor, &call, "return vim.rpcrequest(vim.g.me, 'nvim_error_event', 'x')", &object),
	                 BRINE_ERR_REMOTE);
	expect_in(brine_call_error_text(&call), "takes 2 arguments, got 1");
	/* Asked back without waiting. */
	EXPECT_OK(&call, lua(&editor, &call, "return vim.rpcrequest(vim.g.me, 'ask')", &object));
	assert_int_equal(value_int(object.value), 42);
	brine_call_done(&seen.call);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_MODES(answers)

/* A call in an answer in a call ... Neovim before 0.10 wants the newest answered first, and they are. */
static void nests_by(void **state, enum way way)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	struct nvim_object object;
	open_served(&editor, state, way, BRINE_CLIENT_BLOCKING, &seen);
	for (int depth = 1; depth <= 8; depth++) {
		char code[80];
		snprintf(code, sizeof code, "return vim.rpcrequest(vim.g.me, 'deeper', %d)", depth);
		EXPECT_OK(&call, lua(&editor, &call, code, &object));
		assert_int_equal(value_int(object.value), depth);
	}
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(nests)

/* It asks while nobody calls it. */
static void asks_by_itself_by(void **state, enum way way)
{
	struct editor editor;
	struct seen seen;
	open_served(&editor, state, way, BRINE_CLIENT_BACKGROUND, &seen);
	command(editor.client, "call timer_start(20, {-> execute('let g:sum = rpcrequest(g:me, \"add\", 20, 22)')})");
	wait_for_count(&seen.adds, 1);
	command(editor.client, "call timer_start(20, {-> rpcnotify(g:me, 'tick', 9)})");
	wait_for_count(&seen.ticks, 1);
	assert_int_equal(eval_int(editor.client, "g:sum"), 42);
	editor_close(&editor);
}
DEFINE_WAYS(asks_by_itself)

static void loop_once(struct editor *editor)
{
	struct pollfd poller = {.fd = brine_client_get_fd(editor->client), .events = POLLIN};
	int wait_ms = brine_client_get_timeout_ms(editor->client);
	assert_true(poll(&poller, 1, wait_ms < 0 ? PATIENCE_MS : wait_ms) >= 0);
	brine_client_process(editor->client);
}

static void loop_until_over(struct editor *editor, struct brine_call *call)
{
	while (call->state == BRINE_CALL_RUNNING)
		loop_once(editor);
}

/* On the program's own loop. */
static void asks_a_loop_by(void **state, enum way way)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	open_served(&editor, state, way, BRINE_CLIENT_LOOP, &seen);
	struct nvim_api_info info;
	struct nvim_object object;
	call.wait_for_ready = true;
	EXPECT_OK(&call, nvim_get_api_info_begin(editor.client, &call, &(struct nvim_nothing){0}));
	loop_until_over(&editor, &call);
	EXPECT_OK(&call, nvim_get_api_info_finish(&call, &info));
	uint8_t channel = (uint8_t)info.channel;
	struct brine_value argument = {&channel, 1};
	struct nvim_exec_lua_request ask = {
	        .code = BRINE_STR("local me = ...\n"
	                          "vim.defer_fn(function() vim.rpcnotify(me, 'tick', 7) end, 20)\n"
	                          "return vim.rpcrequest(me, 'add', 1, 2)"),
	        .args = {&argument, 1}};
	EXPECT_OK(&call, nvim_exec_lua_begin(editor.client, &call, &ask));
	loop_until_over(&editor, &call);
	int status = nvim_exec_lua_finish(&call, &object);
	EXPECT_OK(&call, status);
	assert_int_equal(value_int(object.value), 3);
	uint64_t deadline_ms = brine_clock_ms() + PATIENCE_MS;
	while (seen.ticks == 0 && brine_clock_ms() < deadline_ms)
		loop_once(&editor);
	assert_int_equal(seen.last_tick, 7);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_WAYS(asks_a_loop)

/* It dies while an answer is owed: the handler can tell, and our own call is lost. */
static void dies_asking_in(void **state, enum way way, int mode)
{
	struct editor editor;
	struct seen seen;
	struct brine_call call = BRINE_CALL_INIT;
	open_served(&editor, state, way, mode, &seen);
	pid_t pid = (pid_t)eval_int(editor.client, "getpid()");
	struct nvim_exec_lua_request ask = {.code = BRINE_STR("return vim.rpcrequest(vim.g.me, 'hold')")};
	EXPECT_OK(&call, nvim_exec_lua_begin(editor.client, &call, &ask));
	/* In mode BLOCKING the requests come while somebody waits: for anything. */
	struct brine_call other = BRINE_CALL_INIT;
	for (int i = 0; i < 200 && seen.closed == 0; i++) {
		other.timeout_ms = 100;
		(void)nvim_eval(editor.client, &other, &(struct nvim_eval_request){BRINE_STR("1")}, NULL);
	}
	brine_call_done(&other);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(nvim_exec_lua_finish(&call, NULL), BRINE_ERR_LOST);
	assert_true(brine_request_cancelled(seen.held));
	assert_int_equal(brine_request_reply_raw(seen.held, BRINE_BYTES("\x01", 1)), BRINE_ERR_LOST);
	brine_call_done(&call);
	editor_close(&editor);
}
DEFINE_MODES(dies_asking)

EDITOR_MAIN(ALL_WAYS(subscribes), ALL_WAYS(follows_a_buffer), ALL_WAYS(hears_of_errors), ALL_WAYS(draws),
            ALL_WAYS(answers), ALL_WAYS(nests), ALL_WAYS(asks_by_itself), ALL_WAYS(asks_a_loop), ALL_WAYS(dies_asking))
