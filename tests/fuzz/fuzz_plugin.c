/* Holds for any bytes as protoc's request: one of three answers (C, errors of the schema, an error of the request), the
 * same one each time and whatever the order of the files; file names stay in their folder; errors hold no control
 * characters; what is no comment and no string in the C is plain ASCII, and each comment and string ends; and --check
 * finds nothing between a schema and itself, its files reversed. */
#include "support.h"

#include "fuzz.h"

#include "compiler/compiler.h"
#include "compiler/wire.h"

enum { REQUEST_FILE = 15, SET_FILE = 1 };

static void check_name(struct brine_bytes name)
{
	const char *text = name.data;
	HOLDS(name.size > 2 && text[0] != '/' && text[0] != '.' && text[0] != '-');
	for (size_t i = 0; i < name.size; i++) {
		HOLDS(text[i] > ' ' && text[i] < 0x7f && text[i] != '\\');
		HOLDS(text[i] != '/' || (text[i + 1] != '.' && text[i + 1] != '/'));
	}
}

/* The end of a comment or a string that begins at `at`. */
static size_t skip_quoted(const char *text, size_t size, size_t at)
{
	bool comment = text[at] == '/';
	for (at += comment ? 2 : 1; at < size; at++) {
		if (comment && text[at] == '*' && at + 1 < size && text[at + 1] == '/')
			return at + 2;
		HOLDS(!comment || text[at] != '/' || at + 1 == size || text[at + 1] != '*');
		if (!comment && text[at] == '"')
			return at + 1;
		HOLDS(comment || text[at] != '\n');
		at += !comment && text[at] == '\\';
	}
	HOLDS(!"a comment or a string has no end");
	return size;
}

static void check_content(struct brine_bytes content)
{
	const char *text = content.data;
	HOLDS(content.size > 0 && text[content.size - 1] == '\n');
	for (size_t at = 0; at < content.size;) {
		HOLDS(text[at] == '\n' || text[at] == '\t' || (text[at] >= ' ' && text[at] < 0x7f));
		bool comment = text[at] == '/' && at + 1 < content.size && text[at + 1] == '*';
		at = comment || text[at] == '"' ? skip_quoted(text, content.size, at) : at + 1;
	}
}

static void check_file(struct brine_bytes file)
{
	struct wire_reader reader = wire_open(file);
	struct wire_field part;
	while (wire_next(&reader, &part)) {
		if (part.number == 1)
			check_name(part.bytes);
		else
			check_content(part.bytes);
	}
	HOLDS(!reader.bad);
}

static void check_response(struct brine_bytes response)
{
	struct wire_reader reader = wire_open(response);
	struct wire_field part;
	unsigned files = 0, errors = 0;
	while (wire_next(&reader, &part)) {
		const char *text = part.bytes.data;
		if (part.number == 15) {
			check_file(part.bytes);
			files++;
		} else if (part.number == 1) {
			for (size_t i = 0; i < part.bytes.size; i++)
				HOLDS(text[i] == '\n' || (unsigned char)text[i] >= ' ');
			errors++;
		}
	}
	HOLDS(!reader.bad && files % 2 == 0 && errors <= 1 && (files == 0 || errors == 0));
}

/* Appends the files of a request as fields of another number, the last one first. */
static void put_reversed(struct brine_buf *out, struct brine_bytes request, uint32_t number)
{
	for (size_t left = wire_count(request, REQUEST_FILE); left > 0; left--) {
		struct wire_reader reader = wire_open(request);
		struct wire_field part;
		for (size_t i = 0; i < left && wire_next(&reader, &part);)
			i += part.number == REQUEST_FILE && part.type == WIRE_BYTES;
		HOLDS(wire_put_bytes(out, number, part.bytes) == 0);
	}
}

/* No schema breaks itself. */
static void check_comparison(struct brine_bytes request)
{
	struct brine_buf set = BRINE_BUF_INIT, reversed = BRINE_BUF_INIT, report = BRINE_BUF_INIT;
	put_reversed(&set, request, SET_FILE);
	struct wire_reader reader = wire_open(request);
	struct wire_field part;
	while (wire_next(&reader, &part))
		if (part.number == REQUEST_FILE && part.type == WIRE_BYTES)
			HOLDS(wire_put_bytes(&reversed, SET_FILE, part.bytes) == 0);
	int breaks = compiler_compare(&report, brine_buf_bytes(&set), brine_buf_bytes(&reversed), NULL, NULL);
	HOLDS(breaks == 0 || breaks == BRINE_ERR_SCHEMA || breaks == BRINE_ERR_MALFORMED || breaks == BRINE_ERR_NOMEM);
	brine_buf_done(&set);
	brine_buf_done(&reversed);
	brine_buf_done(&report);
}

/* The order of the files changes nothing. */
static void check_order(struct brine_bytes request, struct brine_bytes response)
{
	struct brine_buf reversed = BRINE_BUF_INIT, other = BRINE_BUF_INIT;
	struct wire_reader reader = wire_open(request);
	struct wire_field part;
	while (wire_next(&reader, &part))
		if (part.number != REQUEST_FILE && part.type == WIRE_BYTES)
			HOLDS(wire_put_bytes(&reversed, part.number, part.bytes) == 0);
	put_reversed(&reversed, request, REQUEST_FILE);
	int status = compiler_run(&other, brine_buf_bytes(&reversed), NULL, NULL);
	/* Without fields that say nothing the request is smaller, and so is the memory it may take. */
	HOLDS(status == 0 || status == BRINE_ERR_NOMEM);
	struct brine_bytes text = brine_buf_bytes(&other);
	HOLDS(status < 0 || (text.size == response.size && memcmp(text.data, response.data, text.size) == 0));
	brine_buf_done(&reversed);
	brine_buf_done(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct brine_buf first = BRINE_BUF_INIT, second = BRINE_BUF_INIT;
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes request = {data, size};
	int status = compiler_run(&first, request, NULL, &error);
	HOLDS(status == 0 || status == BRINE_ERR_MALFORMED || status == BRINE_ERR_NOMEM);
	HOLDS(compiler_run(&second, request, NULL, NULL) == status);
	HOLDS(brine_buf_size(&first) == brine_buf_size(&second));
	if (status == 0) {
		HOLDS(memcmp(first.data, second.data, brine_buf_size(&first)) == 0);
		check_response(brine_buf_bytes(&first));
		check_order(request, brine_buf_bytes(&first));
	} else {
		HOLDS(error.code == status && error.text[0] && brine_buf_size(&first) == 0);
	}
	check_comparison(request);
	brine_buf_done(&first);
	brine_buf_done(&second);
	return 0;
}
