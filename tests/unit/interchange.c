/* The C side of interchange.py: writes random values to standard output, or reads values from standard input.
 *
 *   interchange values SEED COUNT             writes random values without a schema
 *   interchange messages SEED COUNT           writes random messages with every kind and shape
 *   interchange compare-values SEED COUNT     reads values and compares them with those of `values`
 *   interchange compare-messages SEED COUNT   reads messages and compares them with those of `messages`
 *   interchange echo                          reads values token by token and writes them again
 */
#include "support.h"

#include "everything.h"

#include "codec/endian.h"
#include "codec/scan.h"
#include "codec/token.h"

enum { LEVELS = 12 };

static void die(const char *what, const struct brine_error *error)
{
	fprintf(stderr, "interchange: %s%s%s\n", what, error ? ": " : "", error ? error->text : "");
	exit(1);
}

static void read_all(struct brine_buf *in)
{
	for (;;) {
		uint8_t *to = brine_buf_reserve(in, 65536);
		size_t size = to ? fread(to, 1, 65536, stdin) : 0;
		if (!to || ferror(stdin))
			die("cannot read", NULL);
		if (size == 0)
			return;
		in->end += size;
	}
}

static void write_all(const struct brine_buf *out)
{
	struct brine_bytes bytes = brine_buf_bytes(out);
	if (fwrite(bytes.data, 1, bytes.size, stdout) != bytes.size || fflush(stdout) != 0)
		die("cannot write", NULL);
}

/* The next value of the stream, found by the scan; size 0 at the end. */
static struct brine_bytes next_value(struct brine_buf *in, size_t *at)
{
	struct brine_scan scan;
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_bytes bytes = brine_buf_bytes(in), value = {(const uint8_t *)bytes.data + *at, 0};
	if (*at == bytes.size)
		return value;
	brine_scan_init(&scan, BRINE_FRAME_DEPTH_MAX, bytes.size);
	int rc = brine_scan_feed(&scan, value.data, bytes.size - *at, &error);
	if (rc != 1)
		die("no whole value", rc < 0 ? &error : NULL);
	value.size = (size_t)scan.size;
	*at += value.size;
	if (brine_check(value, BRINE_FRAME_DEPTH_MAX, &error) < 0)
		die("malformed value", &error);
	return value;
}

/* Writes what one token says; float stays float. */
static void write_token(struct brine_buf *out, const struct brine_token *token)
{
	struct brine_bytes content = token->kind >= BRINE_TOKEN_STR ? token->content : (struct brine_bytes){NULL, 0};
	switch (token->kind) {
	case BRINE_TOKEN_NIL: brine_pack_nil(out); break;
	case BRINE_TOKEN_BOOL: brine_pack_bool(out, token->boolean); break;
	case BRINE_TOKEN_UINT: brine_pack_uint(out, token->uint); break;
	case BRINE_TOKEN_INT: brine_pack_int(out, token->sint); break;
	case BRINE_TOKEN_FLOAT: brine_pack_float(out, brine_float_of((uint32_t)token->bits)); break;
	case BRINE_TOKEN_DOUBLE: brine_pack_double(out, brine_double_of(token->bits)); break;
	case BRINE_TOKEN_STR: brine_pack_str(out, content.data, content.size); break;
	case BRINE_TOKEN_BIN: brine_pack_bin(out, content.data, content.size); break;
	case BRINE_TOKEN_EXT: brine_pack_ext(out, token->ext_type, content.data, content.size); break;
	case BRINE_TOKEN_ARRAY: brine_pack_array(out, token->count); break;
	case BRINE_TOKEN_MAP: brine_pack_map(out, token->count); break;
	}
}

static void echo(void)
{
	struct brine_buf in = BRINE_BUF_INIT, out = BRINE_BUF_INIT;
	size_t at = 0;
	read_all(&in);
	for (struct brine_bytes value; (value = next_value(&in, &at)).size;) {
		struct brine_token token;
		for (size_t next = 0; next < value.size; next += token.size) {
			if (brine_token_read(&token, (const uint8_t *)value.data + next, value.size - next) != 1)
				die("a checked value has no token", NULL);
			write_token(&out, &token);
		}
	}
	write_all(&out);
	brine_buf_done(&in);
	brine_buf_done(&out);
}

/* A timestamp now and then, which random_value does not make. */
static void value_of_seed(struct brine_buf *out, uint64_t *seed)
{
	if (random_below(seed, 20))
		random_value(out, seed, 5);
	else
		brine_pack_timestamp(out, (struct brine_timestamp){(int64_t)(random_bits(seed) % 253402300799),
		                                                   (int32_t)random_below(seed, 1000000000)});
}

/* Python knows one width of float. */
static bool token_equal(const struct brine_token *a, const struct brine_token *b)
{
	bool a_float = a->kind == BRINE_TOKEN_FLOAT, b_float = b->kind == BRINE_TOKEN_FLOAT;
	if (a_float || b_float || a->kind == BRINE_TOKEN_DOUBLE) {
		bool real = b_float || b->kind == BRINE_TOKEN_DOUBLE;
		double x = a_float ? (double)brine_float_of((uint32_t)a->bits) : brine_double_of(a->bits);
		double y = b_float ? (double)brine_float_of((uint32_t)b->bits) : brine_double_of(b->bits);
		return real && memcmp(&x, &y, sizeof x) == 0;
	}
	if (a->kind != b->kind || a->count != b->count || a->ext_type != b->ext_type)
		return false;
	if (a->kind == BRINE_TOKEN_STR || a->kind == BRINE_TOKEN_BIN || a->kind == BRINE_TOKEN_EXT)
		return a->content.size == b->content.size &&
		       memcmp(a->content.data, b->content.data, a->content.size) == 0;
	return a->kind == BRINE_TOKEN_BOOL ? a->boolean == b->boolean : a->uint == b->uint;
}

static bool value_equal(struct brine_bytes a, struct brine_bytes b)
{
	size_t x = 0, y = 0;
	while (x < a.size && y < b.size) {
		struct brine_token first, second;
		if (brine_token_read(&first, (const uint8_t *)a.data + x, a.size - x) != 1 ||
		    brine_token_read(&second, (const uint8_t *)b.data + y, b.size - y) != 1 ||
		    !token_equal(&first, &second))
			return false;
		x += first.size;
		y += second.size;
	}
	return x == a.size && y == b.size;
}

static void write_values(uint64_t seed, unsigned count)
{
	struct brine_buf out = BRINE_BUF_INIT;
	while (count--)
		value_of_seed(&out, &seed);
	write_all(&out);
	brine_buf_done(&out);
}

static void compare_values(uint64_t seed, unsigned count)
{
	struct brine_buf in = BRINE_BUF_INIT, own = BRINE_BUF_INIT;
	size_t at = 0;
	read_all(&in);
	while (count--) {
		value_of_seed(&own, &seed);
		if (!value_equal(brine_buf_bytes(&own), next_value(&in, &at)))
			die("a value came back changed", NULL);
		brine_buf_take(&own, brine_buf_size(&own));
	}
	if (next_value(&in, &at).size)
		die("more values than asked for", NULL);
	brine_buf_done(&in);
	brine_buf_done(&own);
}

static const struct brine_type *type_of_number(unsigned number)
{
	return number % 2 ? &everything_map_type : &everything_type;
}

static void write_messages(uint64_t seed, unsigned count)
{
	struct brine_buf out = BRINE_BUF_INIT;
	while (count--) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error;
		struct everything message = {0};
		const struct brine_type *type = type_of_number(count);
		random_message(type, &message, &seed, &arena, LEVELS);
		if (brine_encode(&out, type, &message, BRINE_AS_MESSAGE, &error) < 0)
			die("encode", &error);
		brine_arena_done(&arena);
	}
	write_all(&out);
	brine_buf_done(&out);
}

static void compare_messages(uint64_t seed, unsigned count)
{
	struct brine_buf in = BRINE_BUF_INIT;
	size_t at = 0;
	read_all(&in);
	while (count--) {
		struct brine_arena arena = BRINE_ARENA_INIT;
		struct brine_error error;
		struct everything message = {0}, back;
		const struct brine_type *type = type_of_number(count);
		random_message(type, &message, &seed, &arena, LEVELS);
		if (brine_decode(&back, type, next_value(&in, &at), BRINE_AS_MESSAGE, BRINE_DECODE_STRICT, &arena,
		                 &error) < 0)
			die("decode", &error);
		/* Values without a schema may have come back with wider floats; the writer's own bytes are compared in
		 * C. */
		for (struct everything *a = &message, *b = &back; a && b;) {
			a->any = b->any = (struct brine_value){NULL, 0};
			a->any_count = b->any_count = 0;
			memcpy(&a, &a->self, sizeof a);
			memcpy(&b, &b->self, sizeof b);
		}
		if (!message_equal(type, &message, &back))
			die("a message came back changed", NULL);
		brine_arena_done(&arena);
	}
	brine_buf_done(&in);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	unsigned count = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	if (strcmp(mode, "echo") == 0)
		echo();
	else if (argc == 4 && strcmp(mode, "values") == 0)
		write_values(seed, count);
	else if (argc == 4 && strcmp(mode, "compare-values") == 0)
		compare_values(seed, count);
	else if (argc == 4 && strcmp(mode, "messages") == 0)
		write_messages(seed, count);
	else if (argc == 4 && strcmp(mode, "compare-messages") == 0)
		compare_messages(seed, count);
	else
		die("usage: interchange echo | values | compare-values | messages | compare-messages SEED COUNT", NULL);
	return 0;
}
