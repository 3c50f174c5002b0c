/* Proves: generated tables are what the codec expects and what a reader of the schema would write; random messages of
 * every generated type come back; stubs, thunks and helpers hand on what they are given. The client and the server are
 * replaced by fakes that keep their arguments. */
#include "support.h"

#include "everything.h"

#include "everything.brine.h"

static const struct brine_type *const types[] = {
        &everything_scalars_type,      &everything_optionals_type,
        &everything_repeats_type,      &everything_maps_type,
        &everything_choices_type,      &everything_order_type,
        &everything_order_nested_type, &everything_dictionary_type,
        &everything_bare_number_type,  &everything_bare_list_type,
        &everything_bare_map_type,     &everything_bare_value_type,
        &everything_far_type,          &everything_moved_type,
        &everything_empty_type,        &everything_from_elsewhere_type,
        &everything_limits_type,       &everything_lines_type,
        &parts_v1_part_type,
};
enum { TYPES = sizeof types / sizeof types[0] };

static void tables_pass_the_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < TYPES; i++) {
		struct brine_error error = BRINE_ERROR_INIT;
		if (brine_type_check(types[i], &error) < 0)
			fail_msg("%s: %s", types[i]->name, error.text);
	}
}

static void random_messages_come_back(void **state)
{
	(void)state;
	uint64_t seed = 11;
	unsigned with_bytes = 0;
	for (unsigned round = 0; round < 1500; round++) {
		const struct brine_type *type = types[round % TYPES];
		if (type == &everything_limits_type)
			continue; /* random texts do not keep limits: see limits_hold */
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error = BRINE_ERROR_INIT;
		void *in = brine_arena_alloc(&arena, type->size), *out = brine_arena_alloc(&arena, type->size);
		struct brine_bytes bytes = {NULL, 0};
		random_message(type, in, &seed, &arena, 14);
		if (brine_dumps(&bytes, type, in, &arena, &error) < 0 ||
		    brine_loads(out, type, bytes, &arena, &error) < 0)
			fail_msg("%s: %s", type->name, error.text);
		assert_true(message_equal(type, in, out));
		with_bytes += bytes.size > 20;
		brine_arena_done(&arena);
	}
	assert_true(with_bytes > 100);
}

/* dumps the message and compares with hex. */
static void assert_dumps(const struct brine_type *type, const void *message, const char *hex)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_buf expected = BRINE_BUF_INIT;
	struct brine_bytes bytes = {NULL, 0};
	hex_append(&expected, hex);
	if (brine_dumps(&bytes, type, message, &arena, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(bytes.size, brine_buf_size(&expected));
	assert_memory_equal(bytes.data, expected.data, bytes.size);
	brine_buf_done(&expected);
	brine_arena_done(&arena);
}

static void layouts_are_those_of_the_schema(void **state)
{
	(void)state;
	struct everything_bare_number numbers[] = {{5}, {-1}};
	struct everything_bare_list list = {{numbers, 2}};
	assert_dumps(&everything_bare_number_type, &numbers[0], "05");
	assert_dumps(&everything_bare_list_type, &list, "92 05 ff");
	struct everything_dictionary dictionary = {.low = 1, .has_high = true, .high = BRINE_STR("x")};
	assert_dumps(&everything_dictionary_type, &dictionary, "83 a3 6c6f77 01 a6 696e73696465 90 a4 68696768 a1 78");
	struct everything_limits limits = {.which_handle = EVERYTHING_LIMITS_LEFT, .handle.left = 7};
	assert_dumps(&everything_limits_type, &limits,
	             "9a d4 00 00 90 80 cb 0000000000000000 90 00 80 a0 c4 00 d4 7f 07");
	struct everything_choices choice = {.which_choice = EVERYTHING_CHOICES_NUMBER, .choice.number = 9};
	assert_dumps(&everything_choices_type, &choice, "9b c0 09 c0 c0 c0 c0 c0 c0 c0 c0 00");
}

static void limits_hold(void **state)
{
	(void)state;
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes bytes;
	uint32_t windows[17] = {0};
	struct everything_limits many = {.windows = {windows, 17}};
	assert_int_equal(everything_limits_dumps(&bytes, &many, &arena, &error), BRINE_ERR_LIMIT);
	struct everything_limits nan = {.ratio = NAN};
	assert_int_equal(everything_limits_dumps(&bytes, &nan, &arena, &error), BRINE_ERR_RANGE);
	struct everything_limits unknown = {.colour = 77};
	assert_int_equal(everything_limits_dumps(&bytes, &unknown, &arena, &error), BRINE_ERR_RANGE);
	struct everything_limits_colours_entry entry = {BRINE_STR("sky"), 77};
	struct everything_limits in_map = {.colours = {&entry, 1}};
	assert_int_equal(everything_limits_dumps(&bytes, &in_map, &arena, &error), BRINE_ERR_RANGE);
	struct everything_limits long_name = {.name = BRINE_STR("123456789012345678901234567890123")};
	assert_int_equal(everything_limits_dumps(&bytes, &long_name, &arena, &error), BRINE_ERR_LIMIT);
	long_name.name.size--;
	struct everything_limits back;
	assert_int_equal(everything_limits_dumps(&bytes, &long_name, &arena, &error), 0);
	assert_int_equal(everything_limits_loads(&back, bytes, &arena, &error), 0);
	assert_true(brine_str_equal(back.name, long_name.name));
	brine_arena_done(&arena);
}

/* Text that need not be UTF-8 travels as str; an embedded message is always written. */
static void lines_are_any_bytes_and_embed(void **state)
{
	(void)state;
	static const char latin[] = "caf\xe9";
	struct brine_str line = {latin, 4};
	struct everything_lines_marks_entry mark = {BRINE_STR("m"), line};
	struct everything_lines lines = {.lines = {&line, 1}, .name = line, .marks = {&mark, 1}, .part = {.serial = 7}};
	assert_dumps(
	        &everything_lines_type, &lines,
	        "95 91 a4 63 61 66 e9 a4 63 61 66 e9 81 a1 6d a4 63 61 66 e9 82 a3 6c 6f 77 00 a6 69 6e 73 69 64 65 90 "
	        "92 07 c4 00");
	lines = (struct everything_lines){0};
	assert_dumps(&everything_lines_type, &lines,
	             "95 90 a0 80 82 a3 6c 6f 77 00 a6 69 6e 73 69 64 65 90 92 00 c4 00");
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct everything_lines back;
	/* Text that is not marked so stays strict, also beside it: a key. */
	mark.key = line;
	lines.marks.items = &mark;
	lines.marks.count = 1;
	struct brine_bytes bytes;
	assert_int_equal(everything_lines_dumps(&bytes, &lines, &arena, &error), BRINE_ERR_UTF8);
	/* What is missing or nil is empty. */
	assert_int_equal(everything_lines_loads(&back, BRINE_BYTES("\x95\x90\xa1\xff\x80\xc0\xc0", 7), &arena, &error),
	                 0);
	assert_int_equal(back.name.size, 1);
	assert_int_equal(back.part.serial, 0);
	assert_int_equal(everything_lines_loads(&back, BRINE_BYTES("\x91\x90", 2), &arena, &error), 0);
	assert_int_equal(back.part.serial, 0);
	brine_arena_done(&arena);
}

static void find_takes_the_last_entry(void **state)
{
	(void)state;
	static const struct everything_maps_text_to_text_entry texts[] = {
	        {BRINE_STR_INIT("a"), BRINE_STR_INIT("1")},
	        {BRINE_STR_INIT("b"), BRINE_STR_INIT("2")},
	        {BRINE_STR_INIT("a"), BRINE_STR_INIT("3")},
	};
	static const struct everything_maps_i32_entry numbers[] = {{-1, 10}, {7, 20}};
	struct everything_maps maps = {.text_to_text = {texts, 3}, .i32 = {numbers, 2}};
	assert_ptr_equal(everything_maps_text_to_text_find(&maps, BRINE_STR("a")), &texts[2]);
	assert_null(everything_maps_text_to_text_find(&maps, BRINE_STR("c")));
	assert_int_equal(everything_maps_i32_find(&maps, -1)->value, 10);
	assert_null(everything_maps_i32_find(&maps, 0));
	assert_null(everything_maps_i32_find(NULL, 0));
}

static void enums_keep_their_names(void **state)
{
	(void)state;
	assert_int_equal(EVERYTHING_COLOUR_NEGATIVE, -5);
	assert_int_equal(EVERYTHING_COLOUR_GREEN, EVERYTHING_COLOUR_VERT);
	assert_int_equal(EVERYTHING_MOVED_FRESH_UNITY + EVERYTHING_MOVED_FIRST + PARTS_V1_GRADE_A, 4);
	assert_int_equal(PARTS_V1_GRADE_LOWEST, INT32_MIN);
	assert_string_equal(brine_enum_name(&everything_colour_enum, -5), "NEGATIVE");
	assert_string_equal(everything_order_nested_kind_enum.name, "everything.Order.Nested.Kind");
}

/* What the fakes were called with. Each returns its own number. */
static struct {
	const void *object, *message, *handlers;
	void *response, *user;
	const struct brine_method *method;
	const struct brine_service *service;
	int notified;
} seen;

int brine_client_call(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                      const void *request, void *response)
{
	(void)call;
	seen.object = client;
	seen.method = method;
	seen.message = request;
	seen.response = response;
	return 21;
}

int brine_client_notify(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                        const void *request)
{
	seen.notified++;
	return brine_client_call(client, call, method, request, NULL) + 1;
}

int brine_client_begin(struct brine_client *client, struct brine_call *call, const struct brine_method *method,
                       const void *request)
{
	brine_client_call(client, NULL, method, request, NULL);
	seen.object = call;
	return 25;
}

int brine_call_finish_as(struct brine_call *call, const struct brine_method *method, void *response)
{
	seen.object = call;
	seen.method = method;
	seen.response = response;
	return 26;
}

int brine_call_next_as(struct brine_call *call, const struct brine_method *method, void *ret_item)
{
	return brine_call_finish_as(call, method, ret_item) + 1;
}

int brine_call_send_as(struct brine_call *call, const struct brine_method *method, const void *item)
{
	seen.object = call;
	seen.method = method;
	seen.message = item;
	return 28;
}

int brine_request_next_as(struct brine_request *request, const struct brine_method *method, void *ret_item)
{
	seen.object = request;
	seen.method = method;
	seen.response = ret_item;
	return 30;
}

int brine_request_send_as(struct brine_request *request, const struct brine_method *method, const void *item)
{
	seen.object = request;
	seen.method = method;
	seen.message = item;
	return 31;
}

int brine_request_reply_as(struct brine_request *request, const struct brine_method *method, const void *response)
{
	seen.object = request;
	seen.method = method;
	seen.message = response;
	return 23;
}

static int serve(void *object, const struct brine_service *service, const void *handlers, void *user)
{
	seen.object = object;
	seen.service = service;
	seen.handlers = handlers;
	seen.user = user;
	return 24;
}

int brine_server_serve(struct brine_server *server, const struct brine_service *service, const void *handlers,
                       void *user, struct brine_error *error)
{
	(void)error;
	return serve(server, service, handlers, user);
}

int brine_client_serve(struct brine_client *client, const struct brine_service *service, const void *handlers,
                       void *user, struct brine_error *error)
{
	(void)error;
	return serve(client, service, handlers, user) + 8;
}

/* Distinct addresses that stand for a client, a server, a call and a request; nothing looks inside. */
static struct brine_call call;
static char places[3];
#define CLIENT  ((struct brine_client *)&places[0])
#define SERVER  ((struct brine_server *)&places[1])
#define REQUEST ((struct brine_request *)&places[2])

/* Forgets, so that nothing is seen that a call before did. */
#define assert_calls(number, call_)                                                                                    \
	do {                                                                                                           \
		memset(&seen, 0, sizeof seen);                                                                         \
		assert_int_equal(call_, number);                                                                       \
	} while (0)

static void unary_stubs_hand_on_what_they_get(void **state)
{
	(void)state;
	struct everything_scalars in = {.i32 = 1}, out;
	struct everything_empty nothing;
	assert_calls(21, everything_echo(CLIENT, NULL, &in, &out));
	assert_ptr_equal(seen.object, CLIENT);
	assert_ptr_equal(seen.message, &in);
	assert_ptr_equal(seen.response, &out);
	assert_string_equal(seen.method->name, "everything.Everything/Echo");
	assert_int_equal(seen.method->flags, BRINE_METHOD_IDEMPOTENT);
	assert_calls(21, everything_tell(CLIENT, NULL, &in, &nothing));
	assert_ptr_equal(seen.response, &nothing);
	assert_calls(22, everything_tell_notify(CLIENT, NULL, &in));
	assert_int_equal(seen.notified, 1);
	assert_string_equal(seen.method->name, "everything.Everything/Tell");
	assert_ptr_equal(seen.method->response, &everything_empty_type);
	assert_calls(25, everything_echo_begin(CLIENT, &call, &in));
	assert_ptr_equal(seen.object, &call);
	assert_ptr_equal(seen.message, &in);
	assert_string_equal(seen.method->name, "everything.Everything/Echo");
	assert_calls(26, everything_echo_finish(&call, &out));
	assert_string_equal(seen.method->name, "everything.Everything/Echo");
	assert_ptr_equal(seen.object, &call);
	assert_ptr_equal(seen.response, &out);
	assert_calls(23, everything_echo_reply(REQUEST, &out));
	assert_string_equal(seen.method->name, "everything.Everything/Echo");
	assert_ptr_equal(seen.object, REQUEST);
	assert_ptr_equal(seen.message, &out);
}

static void stream_stubs_of_a_caller_hand_on_what_they_get(void **state)
{
	(void)state;
	struct everything_scalars in, out;
	struct everything_empty nothing;
	struct parts_v1_part part;
	assert_calls(25, everything_upload_open(CLIENT, &call));
	assert_null(seen.message);
	assert_string_equal(seen.method->name, "everything.Everything/Upload");
	assert_calls(28, everything_upload_send(&call, &in));
	assert_string_equal(seen.method->name, "everything.Everything/Upload");
	assert_ptr_equal(seen.object, &call);
	assert_ptr_equal(seen.message, &in);
	assert_calls(26, everything_upload_close(&call, &nothing));
	assert_string_equal(seen.method->name, "everything.Everything/Upload");
	assert_ptr_equal(seen.response, &nothing);

	assert_calls(25, everything_download_open(CLIENT, &call, &nothing));
	assert_ptr_equal(seen.message, &nothing);
	assert_string_equal(seen.method->name, "everything.Everything/Download");
	assert_calls(27, everything_download_next(&call, &part));
	assert_string_equal(seen.method->name, "everything.Everything/Download");
	assert_ptr_equal(seen.response, &part);
	assert_calls(26, everything_download_close(&call));
	assert_string_equal(seen.method->name, "everything.Everything/Download");
	assert_null(seen.response);

	assert_calls(25, everything_chat_open(CLIENT, &call));
	assert_null(seen.message);
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
	assert_calls(28, everything_chat_send(&call, &in));
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
	assert_ptr_equal(seen.message, &in);
	assert_calls(27, everything_chat_next(&call, &out));
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
	assert_ptr_equal(seen.response, &out);
	assert_calls(26, everything_chat_close(&call));
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
}

static void stream_stubs_of_a_handler_hand_on_what_they_get(void **state)
{
	(void)state;
	struct everything_scalars in, out;
	struct everything_empty nothing;
	struct parts_v1_part part;
	assert_calls(30, everything_upload_request_next(REQUEST, &in));
	assert_string_equal(seen.method->name, "everything.Everything/Upload");
	assert_ptr_equal(seen.object, REQUEST);
	assert_ptr_equal(seen.response, &in);
	assert_calls(23, everything_upload_reply(REQUEST, &nothing));
	assert_string_equal(seen.method->name, "everything.Everything/Upload");
	assert_ptr_equal(seen.message, &nothing);
	assert_calls(31, everything_download_request_send(REQUEST, &part));
	assert_string_equal(seen.method->name, "everything.Everything/Download");
	assert_ptr_equal(seen.object, REQUEST);
	assert_ptr_equal(seen.message, &part);
	assert_calls(23, everything_download_reply(REQUEST));
	assert_string_equal(seen.method->name, "everything.Everything/Download");
	assert_ptr_equal(seen.object, REQUEST);
	assert_null(seen.message);
	assert_calls(30, everything_chat_request_next(REQUEST, &in));
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
	assert_ptr_equal(seen.response, &in);
	assert_calls(31, everything_chat_request_send(REQUEST, &out));
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
	assert_ptr_equal(seen.message, &out);
	assert_calls(23, everything_chat_reply(REQUEST));
	assert_string_equal(seen.method->name, "everything.Everything/Chat");
	assert_null(seen.message);
}

static void registrations_hand_on_what_they_get(void **state)
{
	(void)state;
	static const struct everything_handlers handlers;
	assert_calls(24, everything_serve(SERVER, &handlers, &call, NULL));
	assert_ptr_equal(seen.object, SERVER);
	assert_ptr_equal(seen.service, &everything_service);
	assert_ptr_equal(seen.handlers, &handlers);
	assert_ptr_equal(seen.user, &call);
	static const struct everything_second_handlers second;
	assert_calls(32, everything_second_client_serve(CLIENT, &second, &call, NULL));
	assert_ptr_equal(seen.object, CLIENT);
	assert_ptr_equal(seen.service, &everything_second_service);
	assert_ptr_equal(seen.handlers, &second);
}

static int echo(struct brine_request *request, const struct everything_scalars *message,
                struct everything_scalars *response, void *user)
{
	assert_ptr_equal(request, user);
	*response = *message;
	return 31;
}

static int upload(struct brine_request *request, struct everything_empty *response, void *user)
{
	assert_ptr_equal(request, user);
	response->unused = 7;
	return 32;
}

static int download(struct brine_request *request, const struct everything_empty *message, void *user)
{
	assert_ptr_equal(request, user);
	assert_int_equal(message->unused, 7);
	return 33;
}

static int chat(struct brine_request *request, void *user)
{
	assert_ptr_equal(request, user);
	return 34;
}

static void thunks_call_their_handler(void **state)
{
	(void)state;
	struct everything_scalars in = {.u64 = 77}, out = {0};
	struct everything_empty nothing = {0};
	const struct everything_handlers handlers = {
	        .echo = echo, .upload = upload, .download = download, .chat = chat};
	const struct everything_handlers none = {0};
	const struct brine_method *methods = everything_service.methods;
	assert_int_equal(everything_service.method_count, 5);
	assert_int_equal(methods[0].invoke(&handlers, REQUEST, &in, &out, REQUEST), 31);
	assert_int_equal(out.u64, 77);
	/* Whose items stream has no one message, or no one response. */
	assert_int_equal(methods[2].invoke(&handlers, REQUEST, NULL, &nothing, REQUEST), 32);
	assert_int_equal(nothing.unused, 7);
	assert_int_equal(methods[3].invoke(&handlers, REQUEST, &nothing, NULL, REQUEST), 33);
	assert_int_equal(methods[4].invoke(&handlers, REQUEST, NULL, NULL, REQUEST), 34);
	static const uint32_t flags[] = {BRINE_METHOD_IDEMPOTENT, 0, BRINE_METHOD_UPLOAD, BRINE_METHOD_DOWNLOAD,
	                                 BRINE_METHOD_UPLOAD | BRINE_METHOD_DOWNLOAD};
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(methods[i].flags, flags[i]);
		assert_int_equal(methods[i].invoke(&none, REQUEST, &in, &out, NULL), BRINE_ERR_NO_METHOD);
		assert_int_equal(methods[i].invoke(NULL, REQUEST, &in, &out, NULL), BRINE_ERR_NO_METHOD);
	}
	assert_string_equal(everything_second_service.methods[0].name, "nvim_eval");
	assert_int_equal(everything_second_service.methods[0].flags, BRINE_METHOD_BLOCKING);
	assert_string_equal(everything_second_service.methods[1].name, "a \"quoted\" \\ name?"
	                                                               "?/\xc3\xa9");
	assert_int_equal(everything_nothing_service.method_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(tables_pass_the_check),
	        cmocka_unit_test(random_messages_come_back),
	        cmocka_unit_test(layouts_are_those_of_the_schema),
	        cmocka_unit_test(limits_hold),
	        cmocka_unit_test(lines_are_any_bytes_and_embed),
	        cmocka_unit_test(find_takes_the_last_entry),
	        cmocka_unit_test(enums_keep_their_names),
	        cmocka_unit_test(unary_stubs_hand_on_what_they_get),
	        cmocka_unit_test(stream_stubs_of_a_caller_hand_on_what_they_get),
	        cmocka_unit_test(stream_stubs_of_a_handler_hand_on_what_they_get),
	        cmocka_unit_test(registrations_hand_on_what_they_get),
	        cmocka_unit_test(thunks_call_their_handler),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
