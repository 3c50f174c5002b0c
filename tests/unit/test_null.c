/* Proves: O02 NULL for every pointer of every public function, one at a time, of the headers that need no sockets:
 * BRINE_ERR_INVALID, nothing and a neutral value, or what the header says. tests/tree/nulls.sh counts that each pointer
 * of each function is here, or in tests/e2e/test_null.c. */
#include "support.h"

#include <brine/brine.h>
#include <brine/untyped.h>

#define REFUSED(call) assert_int_equal(call, BRINE_ERR_INVALID)

/* A size without data. */
static const struct brine_bytes missing = {NULL, 5};
static const struct brine_bytes one = {"\x01", 1};

struct point {
	int32_t x, y;
};
static const struct brine_field point_fields[] = {BRINE_FIELD(struct point, 1, x), BRINE_FIELD(struct point, 2, y)};
static const struct brine_type point_type = BRINE_TYPE(struct point, "point", BRINE_LAYOUT_ARRAY, point_fields);

static void texts_and_errors(void **state)
{
	struct brine_error error = {.code = 7, .text = "before"};
	char out[16] = "before";
	(void)state;
	assert_non_null(brine_version());
	assert_non_null(brine_error_name(0));
	assert_non_null(brine_error_text(0));
	assert_non_null(brine_code_text(0));
	assert_int_equal(brine_fail(NULL, BRINE_ERR_TYPE, 0, "x"), BRINE_ERR_TYPE);
	assert_int_equal(brine_fail(&error, BRINE_ERR_TYPE, 0, NULL), BRINE_ERR_TYPE);
	assert_string_equal(error.text, "");
	assert_null(brine_escape(NULL, 4, "x", 1));
	assert_ptr_equal(brine_escape(out, sizeof out, NULL, 3), out);
	assert_string_equal(out, "");
}

static void memory(void **state)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_buf buf = BRINE_BUF_INIT;
	(void)state;
	assert_non_null(brine_allocator_default());
	brine_arena_init(NULL, NULL, 0);
	brine_arena_init(&arena, NULL, 0);
	brine_arena_done(NULL);
	brine_arena_reset(NULL);
	assert_null(brine_arena_alloc(NULL, 8));
	assert_null(brine_arena_copy(NULL, "x", 1));
	assert_null(brine_arena_copy(&arena, NULL, 1));
	assert_non_null(brine_arena_copy(&arena, NULL, 0));
	assert_null(brine_arena_printf(NULL, "x").data);
	assert_null(brine_arena_printf(&arena, NULL).data);
	brine_arena_done(&arena);
	brine_buf_init(NULL, NULL);
	brine_buf_init(&buf, NULL);
	brine_buf_done(NULL);
	assert_null(brine_buf_reserve(NULL, 1));
	REFUSED(brine_buf_append(NULL, "x", 1));
	REFUSED(brine_buf_append(&buf, NULL, 1));
	assert_int_equal(brine_buf_append(&buf, NULL, 0), 0);
	brine_buf_take(NULL, 1);
	assert_int_equal(brine_buf_size(NULL), 0);
	assert_null(brine_buf_bytes(NULL).data);
	brine_buf_done(&buf);
}

static void refuses_lists(struct brine_arena *arena, const char *null, ...) BRINE_PRINTF(2, 3);
static void refuses_lists(struct brine_arena *arena, const char *null, ...)
{
	va_list arguments;
	va_start(arguments, null);
	assert_null(brine_arena_vprintf(NULL, "x", arguments).data);
	assert_null(brine_arena_vprintf(arena, null, arguments).data);
	va_end(arguments);
}

static void formats_with_a_list(void **state)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	(void)state;
	refuses_lists(&arena, NULL);
}

static void packing(void **state)
{
	struct brine_buf buf = BRINE_BUF_INIT;
	struct brine_timestamp now = {1, 2};
	struct brine_str text = BRINE_STR("x");
	(void)state;
	REFUSED(brine_pack_nil(NULL));
	REFUSED(brine_pack_bool(NULL, true));
	REFUSED(brine_pack_int(NULL, -1));
	REFUSED(brine_pack_uint(NULL, 1));
	REFUSED(brine_pack_float(NULL, 1));
	REFUSED(brine_pack_double(NULL, 1));
	REFUSED(brine_pack_str(NULL, "x", 1));
	REFUSED(brine_pack_str(&buf, NULL, 1));
	REFUSED(brine_pack_bin(NULL, "x", 1));
	REFUSED(brine_pack_bin(&buf, NULL, 1));
	REFUSED(brine_pack_ext(NULL, 1, "x", 1));
	REFUSED(brine_pack_ext(&buf, 1, NULL, 1));
	REFUSED(brine_pack_timestamp(NULL, now));
	REFUSED(brine_pack_array(NULL, 1));
	REFUSED(brine_pack_map(NULL, 1));
	REFUSED(brine_metadata_add(NULL, "x", text));
	REFUSED(brine_metadata_add(&buf, NULL, text));
	REFUSED(brine_metadata_add(&buf, "x", (struct brine_str){NULL, 1}));
	assert_int_equal(brine_buf_size(&buf), 0);
	assert_int_equal(brine_metadata_add(&buf, "x", text), 0);
	assert_false(brine_metadata_find(brine_buf_bytes(&buf), NULL, &text));
	assert_false(brine_metadata_find(brine_buf_bytes(&buf), "x", NULL));
	assert_false(brine_metadata_find(missing, "x", &text));
	brine_buf_done(&buf);
}

static void messages(void **state)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_buf buf = BRINE_BUF_INIT;
	struct brine_error error;
	struct point point = {1, 2};
	struct brine_bytes bytes = {"\x92\x01\x02", 3};
	(void)state;
	REFUSED(brine_check(missing, 4, &error));
	assert_int_equal(brine_check(bytes, 4, NULL), 0);
	REFUSED(brine_dumps(NULL, &point_type, &point, &arena, &error));
	REFUSED(brine_dumps(&bytes, NULL, &point, &arena, &error));
	REFUSED(brine_dumps(&bytes, &point_type, NULL, &arena, &error));
	REFUSED(brine_dumps(&bytes, &point_type, &point, NULL, &error));
	assert_int_equal(brine_dumps(&bytes, &point_type, &point, &arena, NULL), 0);
	REFUSED(brine_loads(NULL, &point_type, bytes, &arena, &error));
	REFUSED(brine_loads(&point, NULL, bytes, &arena, &error));
	REFUSED(brine_loads(&point, &point_type, missing, &arena, &error));
	REFUSED(brine_loads(&point, &point_type, bytes, NULL, &error));
	assert_int_equal(brine_loads(&point, &point_type, bytes, &arena, NULL), 0);
	REFUSED(brine_loads_copy(NULL, &point_type, bytes, &arena, &error));
	REFUSED(brine_loads_copy(&point, NULL, bytes, &arena, &error));
	REFUSED(brine_loads_copy(&point, &point_type, bytes, NULL, &error));
	assert_int_equal(brine_loads_copy(&point, &point_type, bytes, &arena, NULL), 0);
	REFUSED(brine_encode(NULL, &point_type, &point, BRINE_AS_RESULT, &error));
	REFUSED(brine_encode(&buf, NULL, &point, BRINE_AS_RESULT, &error));
	REFUSED(brine_encode(&buf, &point_type, NULL, BRINE_AS_RESULT, &error));
	assert_int_equal(brine_encode(&buf, &point_type, &point, BRINE_AS_RESULT, NULL), 0);
	REFUSED(brine_decode(NULL, &point_type, bytes, BRINE_AS_RESULT, 0, &arena, &error));
	REFUSED(brine_decode(&point, NULL, bytes, BRINE_AS_RESULT, 0, &arena, &error));
	REFUSED(brine_decode(&point, &point_type, missing, BRINE_AS_RESULT, BRINE_DECODE_CHECKED, &arena, &error));
	REFUSED(brine_decode(&point, &point_type, bytes, BRINE_AS_RESULT, 0, NULL, &error));
	assert_int_equal(brine_decode(&point, &point_type, bytes, BRINE_AS_RESULT, 0, &arena, NULL), 0);
	assert_null(brine_enum_name(NULL, 1));
	REFUSED(brine_type_check(NULL, &error));
	assert_int_equal(brine_type_check(&point_type, NULL), 0);
	REFUSED(brine_value_print(NULL, bytes, 0));
	REFUSED(brine_value_print(&buf, missing, 0));
	brine_buf_done(&buf);
	brine_arena_done(&arena);
}

static void objects(void **state)
{
	struct brine_arena arena = BRINE_ARENA_INIT;
	struct brine_error error;
	msgpack_object object;
	msgpack_packer packer;
	(void)state;
	REFUSED(brine_object_loads(NULL, one, &arena, &error));
	REFUSED(brine_object_loads(&object, missing, &arena, &error));
	REFUSED(brine_object_loads(&object, one, NULL, &error));
	assert_int_equal(brine_object_loads(&object, one, &arena, NULL), 0);
	struct brine_buf buf = BRINE_BUF_INIT;
	brine_packer_init(NULL, &buf);
	brine_packer_init(&packer, NULL);
	assert_int_equal(msgpack_pack_nil(&packer), -1);
	brine_arena_done(&arena);
}

static void frames(void **state)
{
	static const struct brine_limits limits = BRINE_LIMITS_INIT;
	struct brine_bytes input = {"\x04\x93\x02\xa1x\x90", 6}, message;
	struct brine_buf buf = BRINE_BUF_INIT;
	struct brine_frame frame;
	struct brine_judgement judgement;
	struct brine_error error;
	size_t prefix;
	(void)state;
	REFUSED(brine_wire_detect(missing, &error));
	assert_int_equal(brine_wire_detect(input, NULL), BRINE_WIRE_FRAMED);
	REFUSED(brine_frame_find(missing, &limits, &message, &prefix, &error));
	REFUSED(brine_frame_find(input, NULL, &message, &prefix, &error));
	REFUSED(brine_frame_find(input, &limits, NULL, &prefix, &error));
	REFUSED(brine_frame_find(input, &limits, &message, NULL, &error));
	input = BRINE_BYTES("\x05\x93\x02\xa1x\x90", 6);
	assert_int_equal(brine_frame_find(input, &limits, &message, &prefix, NULL), 1);
	REFUSED(brine_frame_parse(NULL, message, BRINE_WIRE_FRAMED, &limits, &judgement, &error));
	REFUSED(brine_frame_parse(&frame, missing, BRINE_WIRE_FRAMED, &limits, &judgement, &error));
	REFUSED(brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, NULL, &judgement, &error));
	REFUSED(brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, &limits, NULL, &error));
	assert_int_equal(brine_frame_parse(&frame, message, BRINE_WIRE_FRAMED, &limits, &judgement, NULL), 0);
	REFUSED(brine_frame_write(NULL, &frame, BRINE_WIRE_FRAMED, 100));
	REFUSED(brine_frame_write(&buf, NULL, BRINE_WIRE_FRAMED, 100));
	assert_non_null(brine_frame_type_name(-1));
	brine_buf_done(&buf);
}

static int encode_nothing(struct brine_buf *out, void *user)
{
	(void)out;
	(void)user;
	return 0;
}

static const struct brine_encoder encoder = {encode_nothing, NULL}, empty = {NULL, NULL};

static void no_connection(void **state)
{
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	struct brine_str text = BRINE_STR("x");
	struct brine_bytes none = {NULL, 0};
	struct brine_error error;
	struct brine_event event;
	uint64_t serial;
	size_t size;
	(void)state;
	REFUSED(brine_conn_new(NULL, NULL, 0, &error));
	brine_conn_free(NULL);
	REFUSED(brine_conn_feed(NULL, one, 0));
	assert_null(brine_conn_reserve(NULL, 1, &size));
	brine_conn_fed(NULL, 1, 0);
	brine_conn_eof(NULL, 0);
	brine_conn_mute(NULL, 0);
	brine_conn_lost(NULL, BRINE_ERR_LOST, 0);
	REFUSED(brine_conn_next(NULL, &event, 0));
	assert_null(brine_conn_fault(NULL));
	assert_int_equal(brine_conn_pending(NULL).size, 0);
	brine_conn_sent(NULL, 1, 0);
	assert_true(brine_conn_deadline(NULL) == BRINE_FOREVER);
	brine_conn_tick(NULL, 0);
	assert_false(brine_conn_wants_read(NULL));
	assert_int_equal(brine_conn_unhandled(NULL), 0);
	assert_int_equal(brine_conn_state(NULL), BRINE_CONN_CLOSED);
	assert_int_equal(brine_conn_wire(NULL), BRINE_WIRE_UNKNOWN);
	assert_null(brine_conn_peer(NULL));
	assert_null(brine_conn_counters(NULL));
	assert_int_equal(brine_conn_calls_outgoing(NULL), 0);
	assert_int_equal(brine_conn_calls_incoming(NULL), 0);
	REFUSED(brine_conn_call(NULL, &call, 0, &serial, &error));
	REFUSED(brine_conn_notify(NULL, text, none, none, &error));
	brine_conn_cancel(NULL, 1, 0);
	brine_conn_abandon(NULL, 1, 0);
	REFUSED(brine_conn_reply(NULL, 1, none, none, 0));
	REFUSED(brine_conn_reply_encoded(NULL, 1, &encoder, none, 0));
	REFUSED(brine_conn_fail(NULL, 1, 100, text, none, 0));
	brine_conn_release(NULL, 1, 0);
	REFUSED(brine_conn_attach(NULL, 1, NULL));
	REFUSED(brine_conn_send(NULL, 1, one, 0));
	REFUSED(brine_conn_end_upload(NULL, 1, 0));
	brine_conn_taken(NULL, 1, 1, 1, 0);
	REFUSED(brine_conn_ping(NULL, 0));
	brine_conn_drain(NULL, 0, 0);
	brine_conn_close(NULL, 0);
}

static void a_connection(void **state)
{
	struct brine_conn_call call = {.method = BRINE_STR("x"), .deadline_ms = BRINE_FOREVER};
	struct brine_str text = BRINE_STR("x"), missing_text = {NULL, 5};
	struct brine_bytes none = {NULL, 0};
	struct brine_error error;
	struct brine_conn *conn;
	uint64_t serial;
	(void)state;
	assert_int_equal(brine_conn_new(&conn, NULL, 0, NULL), 0);
	REFUSED(brine_conn_feed(conn, missing, 0));
	assert_null(brine_conn_reserve(conn, 1, NULL));
	REFUSED(brine_conn_next(conn, NULL, 0));
	REFUSED(brine_conn_call(conn, NULL, 0, &serial, &error));
	REFUSED(brine_conn_call(conn, &call, 0, NULL, &error));
	call.encoder = &empty;
	REFUSED(brine_conn_call(conn, &call, 0, &serial, &error));
	call.encoder = NULL;
	call.params = missing;
	REFUSED(brine_conn_call(conn, &call, 0, &serial, NULL));
	call.params = none;
	call.method = missing_text;
	REFUSED(brine_conn_call(conn, &call, 0, &serial, &error));
	REFUSED(brine_conn_notify(conn, missing_text, none, none, NULL));
	REFUSED(brine_conn_notify(conn, text, missing, none, &error));
	REFUSED(brine_conn_notify(conn, text, none, missing, &error));
	call.method = text;
	call.has_upload = true;
	assert_int_equal(brine_conn_call(conn, &call, 0, &serial, &error), 0);
	REFUSED(brine_conn_send(conn, serial, missing, 0));
	REFUSED(brine_conn_reply(conn, 99, missing, none, 0));
	REFUSED(brine_conn_reply(conn, 99, none, missing, 0));
	REFUSED(brine_conn_reply_encoded(conn, 99, NULL, none, 0));
	REFUSED(brine_conn_reply_encoded(conn, 99, &encoder, missing, 0));
	REFUSED(brine_conn_reply_encoded(conn, 99, &empty, none, 0));
	REFUSED(brine_conn_fail(conn, 99, 100, missing_text, none, 0));
	REFUSED(brine_conn_fail(conn, 99, 100, text, missing, 0));
	brine_conn_free(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(texts_and_errors),
	        cmocka_unit_test(memory),
	        cmocka_unit_test(formats_with_a_list),
	        cmocka_unit_test(packing),
	        cmocka_unit_test(messages),
	        cmocka_unit_test(objects),
	        cmocka_unit_test(frames),
	        cmocka_unit_test(no_connection),
	        cmocka_unit_test(a_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
