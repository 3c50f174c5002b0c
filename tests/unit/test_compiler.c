/* Proves: the schema compiler takes any bytes for a request and answers with C, with errors that name file, line and
 * column, or with one of its own; requests are built by hand here, for protoc refuses most of these before the plugin
 * sees them. */
#include "support.h"

#include "compiler/compiler.h"
#include "compiler/wire.h"

#include <dirent.h>

/* Numbers of google/protobuf/descriptor.proto and compiler/plugin.proto. */
enum {
	REQUEST_GENERATE = 1,
	REQUEST_FILE = 15,
	FILE_NAME = 1,
	FILE_PACKAGE = 2,
	FILE_MESSAGE = 4,
	FILE_ENUM = 5,
	FILE_SERVICE = 6,
	FILE_INFO = 9,
	FILE_SYNTAX = 12,
	DECL_NAME = 1,
	MESSAGE_FIELD = 2,
	MESSAGE_NESTED = 3,
	MESSAGE_RESERVED = 9,
	LABEL_SINGLE = 1,
	TYPE_INT32 = 5,
};

static void put_text(struct brine_buf *out, uint32_t number, const char *text)
{
	assert_int_equal(wire_put_bytes(out, number, (struct brine_bytes){text, strlen(text)}), 0);
}

/* Adds a message made before, and ends it. */
static void put_part(struct brine_buf *out, uint32_t number, struct brine_buf *part)
{
	assert_int_equal(wire_put_bytes(out, number, brine_buf_bytes(part)), 0);
	brine_buf_done(part);
}

static struct brine_buf named(const char *name)
{
	struct brine_buf decl = BRINE_BUF_INIT;
	put_text(&decl, DECL_NAME, name);
	return decl;
}

static void put_field(struct brine_buf *message, const char *name, uint64_t number)
{
	struct brine_buf field = named(name);
	wire_put_varint(&field, 3, number);
	wire_put_varint(&field, 4, LABEL_SINGLE);
	wire_put_varint(&field, 5, TYPE_INT32);
	put_part(message, MESSAGE_FIELD, &field);
}

/* Says that the declaration of this path stands at line and column (from 0). */
static void put_location(struct brine_buf *info, const char *path, size_t path_size, char line, char column)
{
	struct brine_buf location = BRINE_BUF_INIT;
	const char span[] = {line, column, 99};
	assert_int_equal(wire_put_bytes(&location, 1, (struct brine_bytes){path, path_size}), 0);
	assert_int_equal(wire_put_bytes(&location, 2, (struct brine_bytes){span, sizeof span}), 0);
	put_part(info, 1, &location);
}

static struct brine_buf new_file(const char *name, const char *package)
{
	struct brine_buf file = BRINE_BUF_INIT;
	put_text(&file, FILE_NAME, name);
	put_text(&file, FILE_PACKAGE, package);
	put_text(&file, FILE_SYNTAX, "proto3");
	return file;
}

/* What the compiler answered. */
struct answer {
	int status;
	unsigned files;
	char names[4][600];
	char error[8192];
	struct brine_error own;
};

static void read_file(struct answer *answer, struct brine_bytes bytes)
{
	struct wire_reader reader = wire_open(bytes);
	struct wire_field part;
	while (wire_next(&reader, &part))
		if (part.number == 1 && answer->files < 4)
			snprintf(answer->names[answer->files], sizeof answer->names[0], "%.*s", (int)part.bytes.size,
			         (const char *)part.bytes.data);
	assert_false(reader.bad);
	answer->files++;
}

static struct answer compile(struct brine_bytes request, const struct brine_allocator *allocator)
{
	struct answer answer = {.own = BRINE_ERROR_INIT};
	struct brine_buf out;
	brine_buf_init(&out, allocator);
	answer.status = compiler_run(&out, request, allocator, &answer.own);
	struct wire_reader reader = wire_open(brine_buf_bytes(&out));
	struct wire_field part;
	uint64_t features = 0;
	while (wire_next(&reader, &part)) {
		if (part.number == 1)
			snprintf(answer.error, sizeof answer.error, "%.*s", (int)part.bytes.size,
			         (const char *)part.bytes.data);
		else if (part.number == 2)
			features = part.value;
		else if (part.number == 15)
			read_file(&answer, part.bytes);
	}
	assert_false(reader.bad);
	if (answer.status == 0)
		assert_int_equal(features, 1);
	else
		assert_int_equal(brine_buf_size(&out), 0);
	if (answer.error[0])
		assert_int_equal(answer.files, 0);
	brine_buf_done(&out);
	return answer;
}

/* Compiles one file made by hand, and ends it. */
static struct answer compile_file(struct brine_buf *file, const char *name)
{
	struct brine_buf request = BRINE_BUF_INIT;
	put_text(&request, REQUEST_GENERATE, name);
	put_part(&request, REQUEST_FILE, file);
	struct answer answer = compile(brine_buf_bytes(&request), NULL);
	brine_buf_done(&request);
	return answer;
}

static struct answer compile_message(struct brine_buf *message)
{
	struct brine_buf file = new_file("x.proto", "x");
	put_part(&file, FILE_MESSAGE, message);
	return compile_file(&file, "x.proto");
}

static void assert_error(const struct answer *answer, const char *part)
{
	assert_int_equal(answer->status, 0);
	if (!strstr(answer->error, part))
		fail_msg("wanted: %s\ngot: %s", part, answer->error);
	for (const char *at = answer->error; *at; at++)
		assert_true((unsigned char)*at >= 0x20 || *at == '\n');
}

static void a_plain_file_gives_two(void **state)
{
	(void)state;
	struct brine_buf message = named("M");
	put_field(&message, "a", 1);
	struct answer answer = compile_message(&message);
	assert_string_equal(answer.error, "");
	assert_int_equal(answer.files, 2);
	assert_string_equal(answer.names[0], "x.brine.h");
	assert_string_equal(answer.names[1], "x.brine.c");
}

/* J04 */
static void file_names_stay_in_their_folder(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "../x.proto", "/etc/x.proto", "a/../x.proto", "a/./x.proto",
	        "./x.proto",  "a//x.proto",   "a\\x.proto",   "a/",
	        "",           "x\n.proto",    "x\x1b.proto",  "CON",
	        "con.proto",  "a/Nul.proto",  "com1.proto",   "-x.proto",
	        "a/-x.proto", "x.",           "a./x.proto",   "C:x.proto",
	        "x\".proto",  "x y.proto",    ".proto",       "~/*.proto",
	        "\xff.proto",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct brine_buf file = new_file(bad[i], "x");
		struct answer answer = compile_file(&file, bad[i]);
		assert_error(&answer, "is no name for a file here");
	}
	static const char *const good[] = {"x.proto", "a/b_c-d+e.v1.proto", "X", "console.proto", "a.b/c"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct brine_buf file = new_file(good[i], "x");
		struct answer answer = compile_file(&file, good[i]);
		assert_string_equal(answer.error, "");
		assert_int_equal(answer.files, 2);
	}
	static const char *const packages[] = {"../x", "a..b", ".a", "a.", "a/b", "a\nb", "1a", "a-b", "\xc3\xa9"};
	for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
		struct brine_buf file = new_file("x.proto", packages[i]);
		struct answer answer = compile_file(&file, "x.proto");
		assert_error(&answer, "is no name for a package");
	}
}

/* J04 */
static void file_names_differ_in_more_than_case(void **state)
{
	(void)state;
	struct brine_buf request = BRINE_BUF_INIT, first = new_file("a/x.proto", "x"),
	                 second = new_file("a/X.proto", "y");
	put_text(&request, REQUEST_GENERATE, "a/x.proto");
	put_text(&request, REQUEST_GENERATE, "a/X.proto");
	put_part(&request, REQUEST_FILE, &first);
	put_part(&request, REQUEST_FILE, &second);
	struct answer answer = compile(brine_buf_bytes(&request), NULL);
	assert_error(&answer, "files \"a/X.proto\" and \"a/x.proto\" differ in case alone");
	brine_buf_done(&request);
}

/* J03, J10, J11 */
static void names_are_identifiers_of_at_most_128(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 31, 63, 127, 128, 129, 1000, 65536};
	static char name[65537];
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		memset(name, 'a', sizes[i]);
		name[sizes[i]] = '\0';
		struct brine_buf message = named(name);
		put_field(&message, name, 1);
		struct answer answer = compile_message(&message);
		if (sizes[i] <= 128)
			assert_string_equal(answer.error, "");
		else
			assert_error(&answer, "characters, at most 128 are allowed");
		assert_true(strlen(answer.error) < 400);
	}
	/* Two names that differ in their last character alone stay two. */
	struct brine_buf message = named("M");
	name[127] = 'b';
	name[128] = '\0';
	put_field(&message, name, 1);
	name[127] = 'c';
	put_field(&message, name, 2);
	assert_string_equal(compile_message(&message).error, "");
	static const char *const bad[] = {"",         "1a",    "a b", "a\nb", "\x1b[2J", "a*/", "a-b",
	                                  "\xc3\xa9", "a\xff", "a.b", "a\"b", "a\\",     "%s%n"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct brine_buf odd = named(bad[i]);
		struct answer answer = compile_message(&odd);
		assert_error(&answer, "is no name for a message");
	}
	struct brine_buf loud = named("\x1b]0;title\x07");
	struct answer answer = compile_message(&loud);
	assert_error(&answer, "\"\\x1b]0;title\\x07\" is no name");
}

/* J10 */
static void a_nul_makes_a_request_malformed(void **state)
{
	(void)state;
	struct brine_buf message = BRINE_BUF_INIT;
	assert_int_equal(wire_put_bytes(&message, DECL_NAME, (struct brine_bytes){"a\0b", 3}), 0);
	struct answer answer = compile_message(&message);
	assert_int_equal(answer.status, BRINE_ERR_MALFORMED);
}

/* J08 */
static void numbers_are_told_with_both_lines(void **state)
{
	(void)state;
	struct brine_buf message = named("M"), info = BRINE_BUF_INIT, file = new_file("x.proto", "x");
	put_field(&message, "a", 7);
	put_field(&message, "b", 7);
	put_part(&file, FILE_MESSAGE, &message);
	put_location(&info, "\4\0\2\0\3", 5, 10, 4);
	put_location(&info, "\4\0\2\1\3", 5, 11, 6);
	put_part(&file, FILE_INFO, &info);
	struct answer answer = compile_file(&file, "x.proto");
	assert_error(&answer, "\nx.proto:12:7: number 7 is taken by field \"a\" (x.proto:11:5)");

	static const struct {
		uint64_t number;
		const char *text;
	} rows[] = {
	        {0, "field \"a\" has number 0, which is not 1 to 536870911"},
	        {(uint64_t)-1, "field \"a\" has number -1, which"},
	        {UINT64_C(1) << 31, "field \"a\" has number 2147483648, which"},
	        {UINT64_C(1) << 63, "field \"a\" has number -9223372036854775808, which"},
	        {256, "field \"a\" has number 256, over 255: renumber it"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf bad = named("M");
		put_field(&bad, "a", rows[i].number);
		answer = compile_message(&bad);
		assert_error(&answer, rows[i].text);
	}
	struct brine_buf reserved = named("M"), range = BRINE_BUF_INIT;
	wire_put_varint(&range, 1, 9);
	wire_put_varint(&range, 2, 3);
	put_part(&reserved, MESSAGE_RESERVED, &range);
	answer = compile_message(&reserved);
	assert_error(&answer, "reserved range 9 to 2 of message \"M\" is empty or reversed");
}

/* J08 */
static void enum_numbers_are_told_with_both_lines(void **state)
{
	(void)state;
	struct brine_buf enumeration = named("E"), info = BRINE_BUF_INIT, file = new_file("x.proto", "x");
	for (int i = 0; i < 2; i++) {
		struct brine_buf value = named(i ? "B" : "A");
		wire_put_varint(&value, 2, (uint64_t)-3);
		put_part(&enumeration, 2, &value);
	}
	put_part(&file, FILE_ENUM, &enumeration);
	put_location(&info, "\5\0\2\0\2", 5, 1, 1);
	put_location(&info, "\5\0\2\1\2", 5, 2, 1);
	put_part(&file, FILE_INFO, &info);
	struct answer answer = compile_file(&file, "x.proto");
	assert_error(&answer, "x.proto:3:2: number -3 is taken by \"A\" (x.proto:2:2)");
	struct brine_buf none = named("E"), empty = new_file("x.proto", "x");
	put_part(&empty, FILE_ENUM, &none);
	answer = compile_file(&empty, "x.proto");
	assert_error(&answer, "enum \"E\" has no values");
}

/* J07 */
static void depth_and_counts_are_limited(void **state)
{
	(void)state;
	static const unsigned depths[] = {32, 33, 10000};
	for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
		struct brine_buf message = named("M");
		for (unsigned depth = 1; depth < depths[i]; depth++) {
			struct brine_buf outer = named("M");
			put_part(&outer, MESSAGE_NESTED, &message);
			message = outer;
		}
		struct answer answer = compile_message(&message);
		if (depths[i] == 32)
			assert_string_equal(answer.error, "");
		else
			assert_error(&answer, "messages nest deeper than 32");
	}
	struct brine_buf wide = named("M");
	for (unsigned i = 0; i < 100000; i++) {
		char name[16];
		snprintf(name, sizeof name, "f%u", i);
		put_field(&wide, name, i + 1);
	}
	struct answer answer = compile_message(&wide);
	assert_error(&answer, "message \"M\" has 100000 fields, at most 4096 are allowed");
	/* Groups in a request are skipped, but not without end. */
	struct brine_buf groups = named("M");
	for (unsigned i = 0; i < 100000; i++)
		brine_buf_append(&groups, "\x0b", 1);
	answer = compile_message(&groups);
	assert_int_equal(answer.status, BRINE_ERR_MALFORMED);
}

/* J13 */
static void option_numbers_are_checked(void **state)
{
	(void)state;
	static const struct {
		uint32_t number; /* of a field of brine.FieldOptions */
		uint64_t value;
		const char *text;
	} rows[] = {
	        {1, UINT64_C(1) << 63, "ext = -9223372036854775808 of \"a\" is not 0 to 127"},
	        {1, 128, "ext = 128 of \"a\""},
	        {2, UINT64_C(1) << 32, "(brine.field).max is for string"},
	        {77, 1, "option (brine.field): field 77 is unknown to this protoc-gen-brine"},
	        {5, 1, "option (brine.field): field 5 has the wrong type"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct brine_buf message = named("M"), field = named("a"), options = BRINE_BUF_INIT,
		                 own = BRINE_BUF_INIT;
		wire_put_varint(&field, 3, 1);
		wire_put_varint(&field, 4, LABEL_SINGLE);
		wire_put_varint(&field, 5, TYPE_INT32);
		wire_put_varint(&own, rows[i].number, rows[i].value);
		put_part(&options, 50830, &own);
		put_part(&field, 8, &options);
		put_part(&message, MESSAGE_FIELD, &field);
		struct answer answer = compile_message(&message);
		assert_error(&answer, rows[i].text);
	}
}

/* J02: across files, whose packages become one prefix. */
static void clashes_reach_across_files(void **state)
{
	(void)state;
	struct brine_buf request = BRINE_BUF_INIT;
	static const char *const packages[] = {"a.b_c", "a_b.c"}, *const names[] = {"one.proto", "two.proto"};
	for (int i = 0; i < 2; i++) {
		struct brine_buf file = new_file(names[i], packages[i]), message = named("M"), info = BRINE_BUF_INIT;
		put_part(&file, FILE_MESSAGE, &message);
		put_location(&info, "\4\0\1", 3, (char)i, 8);
		put_part(&file, FILE_INFO, &info);
		put_text(&request, REQUEST_GENERATE, names[i]);
		put_part(&request, REQUEST_FILE, &file);
	}
	struct answer answer = compile(brine_buf_bytes(&request), NULL);
	assert_error(&answer,
	             "two.proto:2:9: message \"M\" and message \"M\" (one.proto:1:9) both need the name a_b_c_m in C");
	brine_buf_done(&request);
}

static void errors_are_counted_beyond_twenty(void **state)
{
	(void)state;
	struct brine_buf message = named("M");
	for (unsigned i = 0; i < 50; i++)
		put_field(&message, "a", 0);
	struct answer answer = compile_message(&message);
	/* 50 numbers out of range, and 49 of them taken. */
	assert_error(&answer, "\n79 more errors");
}

/* Every request of the corpus, with each of its allocations failing in turn. */
static void sweep(const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	static uint8_t bytes[1 << 20];
	size_t size = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	struct brine_bytes request = {bytes, size};
	struct answer whole = compile(request, NULL);
	uint64_t failures = 0;
	struct fail_allocator fail;
	for (uint64_t n = 1;; n++) {
		fail_allocator_init(&fail, n, false);
		struct answer answer = compile(request, &fail.base);
		assert_int_equal(fail.held, 0);
		failures += fail.failures;
		if (fail.failures == 0) {
			assert_int_equal(answer.status, whole.status);
			assert_int_equal(answer.files, whole.files);
			break;
		}
		assert_int_equal(answer.status, BRINE_ERR_NOMEM);
	}
	assert_true(failures > 0);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	DIR *folder = opendir(BRINE_CORPUS);
	assert_non_null(folder);
	unsigned count = 0;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		char path[512];
		snprintf(path, sizeof path, "%s/%s", BRINE_CORPUS, entry->d_name);
		sweep(path);
		count++;
	}
	closedir(folder);
	assert_true(count > 3);
}

/* What protoc -o would write of one file, whose message M has one field. */
static struct brine_buf new_set(const char *name, uint64_t number)
{
	struct brine_buf set = BRINE_BUF_INIT, file = new_file("x.proto", "x"), message = named("M");
	put_field(&message, name, number);
	put_part(&file, FILE_MESSAGE, &message);
	put_part(&set, 1, &file);
	return set;
}

/* J14 */
static void comparing_may_run_out_of_memory(void **state)
{
	(void)state;
	struct brine_buf older = new_set("a", 1), newer = new_set("b", 2);
	uint64_t failures = 0;
	for (uint64_t n = 1;; n++) {
		struct fail_allocator fail;
		struct brine_buf report;
		fail_allocator_init(&fail, n, false);
		brine_buf_init(&report, &fail.base);
		int breaks =
		        compiler_compare(&report, brine_buf_bytes(&older), brine_buf_bytes(&newer), &fail.base, NULL);
		brine_buf_done(&report);
		assert_int_equal(fail.held, 0);
		failures += fail.failures;
		if (fail.failures == 0) {
			assert_int_equal(breaks, 0);
			break;
		}
		assert_int_equal(breaks, BRINE_ERR_NOMEM);
	}
	assert_true(failures > 1);
	brine_buf_done(&older);
	brine_buf_done(&newer);
}

/* J07, J14: a chain of messages as long as the limits allow is walked without recursion. */
static void comparing_long_chains_needs_no_stack(void **state)
{
	(void)state;
	struct brine_buf file = new_file("x.proto", "x"), set = BRINE_BUF_INIT, report = BRINE_BUF_INIT;
	for (unsigned i = 0; i < 20000; i++) {
		char name[16], next[16];
		snprintf(name, sizeof name, "M%u", i);
		snprintf(next, sizeof next, ".x.M%u", (i + 1) % 20000);
		struct brine_buf message = named(name), field = named("a");
		wire_put_varint(&field, 3, 1);
		wire_put_varint(&field, 4, LABEL_SINGLE);
		wire_put_varint(&field, 5, 11);
		put_text(&field, 6, next);
		put_part(&message, MESSAGE_FIELD, &field);
		put_part(&file, FILE_MESSAGE, &message);
	}
	put_part(&set, 1, &file);
	assert_int_equal(compiler_compare(&report, brine_buf_bytes(&set), brine_buf_bytes(&set), NULL, NULL), 0);
	brine_buf_done(&set);
	brine_buf_done(&report);
}

/* Bytes that are nearly a request: every cut, and every byte changed in several ways. */
static void damaged_requests_end_in_an_answer(void **state)
{
	(void)state;
	struct brine_buf message = named("Order"), file = new_file("x.proto", "x"), request = BRINE_BUF_INIT;
	put_field(&message, "a", 1);
	put_field(&message, "b", 2);
	put_part(&file, FILE_MESSAGE, &message);
	put_text(&request, REQUEST_GENERATE, "x.proto");
	put_part(&request, REQUEST_FILE, &file);
	static const uint8_t flips[] = {0x01, 0x02, 0x04, 0x07, 0x08, 0x40, 0x80, 0xff};
	unsigned statuses[3] = {0};
	for (size_t i = 0; i < brine_buf_size(&request); i++) {
		/* In memory of their own, so that a read beyond the end is seen. */
		uint8_t *cut = malloc(i ? i : 1);
		memcpy(cut, request.data, i);
		struct answer answer = compile((struct brine_bytes){cut, i}, NULL);
		statuses[answer.status < 0 ? 0 : answer.files ? 1 : 2]++;
		free(cut);
		for (size_t k = 0; k < sizeof flips; k++) {
			request.data[i] ^= flips[k];
			answer = compile(brine_buf_bytes(&request), NULL);
			statuses[answer.status < 0 ? 0 : answer.files ? 1 : 2]++;
			request.data[i] ^= flips[k];
		}
	}
	/* Refused as bytes, compiled all the same (a letter of a name), refused as a schema: all of them happen. */
	for (int i = 0; i < 3; i++)
		assert_true(statuses[i] > 5);
	brine_buf_done(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_plain_file_gives_two),
	        cmocka_unit_test(file_names_stay_in_their_folder),
	        cmocka_unit_test(file_names_differ_in_more_than_case),
	        cmocka_unit_test(names_are_identifiers_of_at_most_128),
	        cmocka_unit_test(a_nul_makes_a_request_malformed),
	        cmocka_unit_test(numbers_are_told_with_both_lines),
	        cmocka_unit_test(enum_numbers_are_told_with_both_lines),
	        cmocka_unit_test(depth_and_counts_are_limited),
	        cmocka_unit_test(option_numbers_are_checked),
	        cmocka_unit_test(clashes_reach_across_files),
	        cmocka_unit_test(errors_are_counted_beyond_twenty),
	        cmocka_unit_test(every_allocation_may_fail),
	        cmocka_unit_test(comparing_may_run_out_of_memory),
	        cmocka_unit_test(comparing_long_chains_needs_no_stack),
	        cmocka_unit_test(damaged_requests_end_in_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
