#include "frame/maps.h"

#include "codec/walk.h"

enum {
	PAIRS_MAX = 256, /* most pairs of a map whose keys are looked at, whatever the limits say */
	HELLO_FEATURES_SIZE_MAX = 8192,
};

/* A key within its map. */
struct key {
	uint32_t offset, size;
};

/* A map being walked through: on the stack, so one at a time. */
struct pairs {
	const uint8_t *start, *at, *end;
	uint32_t left;
	uint32_t count;
	struct key keys[PAIRS_MAX]; /* those seen that are a str; no other key means anything */
};

struct pair {
	bool is_str; /* then key is the content */
	struct brine_bytes key;
	struct brine_bytes value;
	struct brine_token token; /* of the value */
};

static void pairs_init(struct pairs *pairs, struct brine_bytes value)
{
	struct brine_token head = frame_token(value);
	pairs->start = value.data;
	pairs->at = pairs->start + head.size;
	pairs->end = pairs->start + value.size;
	pairs->left = head.count;
	pairs->count = 0;
}

static bool is_repeated(const struct pairs *pairs, struct brine_bytes key)
{
	for (uint32_t i = 0; i < pairs->count; i++)
		if (pairs->keys[i].size == key.size &&
		    memcmp(pairs->start + pairs->keys[i].offset, key.data, key.size) == 0)
			return true;
	return false;
}

/* The next pair: 1, 0 at the end, or BRINE_ERR_DUPLICATE. At most PAIRS_MAX may be taken. */
static int pairs_next(struct pairs *pairs, struct pair *ret_pair)
{
	if (pairs->left == 0)
		return 0;
	size_t rest = (size_t)(pairs->end - pairs->at);
	struct brine_bytes key = {pairs->at, brine_value_size(pairs->at, rest)};
	const uint8_t *value = pairs->at + key.size;
	ret_pair->value = BRINE_BYTES(value, brine_value_size(value, rest - key.size));
	ret_pair->token = frame_token(ret_pair->value);
	struct brine_token token = frame_token(key);
	ret_pair->is_str = token.kind == BRINE_TOKEN_STR;
	ret_pair->key = ret_pair->is_str ? token.content : key;
	if (ret_pair->is_str && is_repeated(pairs, ret_pair->key))
		return BRINE_ERR_DUPLICATE;
	if (ret_pair->is_str)
		pairs->keys[pairs->count++] = (struct key){
		        (uint32_t)((const uint8_t *)ret_pair->key.data - pairs->start), (uint32_t)ret_pair->key.size};
	pairs->left--;
	pairs->at = value + ret_pair->value.size;
	return 1;
}

static bool key_is(const struct pair *pair, const char *name)
{
	return pair->is_str && pair->key.size == strlen(name) && memcmp(pair->key.data, name, pair->key.size) == 0;
}

static uint32_t pair_limit(const struct frame_parse *parse)
{
	uint32_t limit = parse->limits->options_count_max;
	return limit < PAIRS_MAX ? limit : PAIRS_MAX;
}

/* Not inlined into who walks through another map, before or after. */
#define OWN_FRAME __attribute__((noinline))

#define REFUSE(parse, code, error, place, ...) frame_judge(parse, BRINE_VERDICT_ERROR, code, error, place, __VA_ARGS__)

/* value must be a map of at most the allowed pairs. */
static int check_map(struct frame_parse *parse, struct brine_bytes value, const char *name)
{
	struct brine_token token = frame_token(value);
	if (token.kind != BRINE_TOKEN_MAP)
		return REFUSE(parse, BRINE_CODE_INVALID, BRINE_ERR_TYPE, value.data, "%s: expected map, got %s", name,
		              brine_token_name(token.kind));
	if (token.count > pair_limit(parse))
		return REFUSE(parse, BRINE_CODE_TOO_LARGE, BRINE_ERR_LIMIT, value.data, "%s: %u keys, at most %u", name,
		              token.count, pair_limit(parse));
	return 0;
}

static bool is_clean_key(const struct pair *pair)
{
	const uint8_t *bytes = pair->key.data;
	for (size_t i = 0; i < pair->key.size; i++)
		if (bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
	return pair->is_str && pair->key.size > 0;
}

static OWN_FRAME int check_metadata(struct frame_parse *parse, struct brine_bytes value)
{
	if (value.size > parse->limits->metadata_size_max)
		return REFUSE(parse, BRINE_CODE_TOO_LARGE, BRINE_ERR_LIMIT, value.data, "md: %zu bytes, at most %u",
		              value.size, parse->limits->metadata_size_max);
	int status = check_map(parse, value, "md");
	if (status < 0)
		return status;
	struct pairs pairs;
	struct pair pair;
	pairs_init(&pairs, value);
	while ((status = pairs_next(&pairs, &pair)) > 0)
		if (!is_clean_key(&pair))
			return REFUSE(parse, BRINE_CODE_INVALID, BRINE_ERR_TYPE, pair.key.data,
			              "md: a key is not a str, empty, or has control characters");
	if (status < 0)
		return REFUSE(parse, BRINE_CODE_INVALID, BRINE_ERR_DUPLICATE, pair.key.data, "md: a key twice");
	return 0;
}

static int parse_option(struct frame_parse *parse, const struct pair *pair, bool is_request,
                        struct brine_frame_options *options)
{
	const struct brine_token *token = &pair->token;
	const char *expected = NULL;
	if (key_is(pair, "md"))
		options->metadata = pair->value;
	if (!is_request)
		return 0;
	if (key_is(pair, "ttl")) {
		expected = token->kind == BRINE_TOKEN_UINT ? NULL : "ttl: expected an unsigned integer";
		options->has_ttl = true;
		options->ttl_ms = token->kind == BRINE_TOKEN_UINT ? token->uint : 0;
	} else if (key_is(pair, "win")) {
		bool fits = token->kind == BRINE_TOKEN_UINT && token->uint <= INT32_MAX;
		expected = fits ? NULL : "win: expected 0 to 2147483647";
		options->has_win = true;
		options->win = fits ? (uint32_t)token->uint : 0;
	} else if (key_is(pair, "up")) {
		expected = token->kind == BRINE_TOKEN_BOOL ? NULL : "up: expected bool";
		options->up = token->kind == BRINE_TOKEN_BOOL && token->boolean;
	}
	if (expected)
		return REFUSE(parse, BRINE_CODE_INVALID, BRINE_ERR_TYPE, pair->value.data, "%s, got %s", expected,
		              brine_token_name(token->kind));
	return 0;
}

static OWN_FRAME int walk_options(struct frame_parse *parse, struct brine_bytes value, bool is_request,
                                  struct brine_frame_options *options)
{
	struct pairs pairs;
	struct pair pair;
	int status;
	pairs_init(&pairs, value);
	while ((status = pairs_next(&pairs, &pair)) > 0) {
		status = parse_option(parse, &pair, is_request, options);
		if (status < 0)
			return status;
	}
	if (status < 0)
		return REFUSE(parse, BRINE_CODE_INVALID, BRINE_ERR_DUPLICATE, pair.key.data, "opts: a key twice");
	return 0;
}

int frame_parse_options(struct frame_parse *parse, struct brine_bytes value, bool is_request,
                        struct brine_frame_options *ret_options)
{
	int status = check_map(parse, value, "opts");
	if (status == 0)
		status = walk_options(parse, value, is_request, ret_options);
	return status == 0 && ret_options->metadata.size ? check_metadata(parse, ret_options->metadata) : status;
}

bool frame_has_options(const struct brine_frame_options *options)
{
	return options->has_ttl || options->has_win || options->up || options->metadata.size;
}

void frame_write_options(struct frame_write *write, const struct brine_frame_options *options)
{
	uint32_t count = (uint32_t)options->has_ttl + options->has_win + options->up + (options->metadata.size > 0);
	write->at = brine_put_map_head(write->at, count);
	if (options->has_ttl) {
		frame_put_str(write, "ttl", 3);
		write->at = brine_put_uint(write->at, options->ttl_ms);
	}
	if (options->metadata.size) {
		frame_put_str(write, "md", 2);
		frame_put_raw(write, options->metadata.data, options->metadata.size);
	}
	if (options->has_win) {
		frame_put_str(write, "win", 3);
		write->at = brine_put_uint(write->at, options->win);
	}
	if (options->up) {
		frame_put_str(write, "up", 2);
		write->at = brine_put_bool(write->at, true);
	}
}

#undef REFUSE
#define GOAWAY(parse, place, ...)                                                                                      \
	frame_judge(parse, BRINE_VERDICT_GOAWAY, BRINE_CODE_INVALID, BRINE_ERR_PROTO, place, __VA_ARGS__)

static int parse_features(struct frame_parse *parse, const struct pair *pair, struct brine_frame_hello *hello)
{
	if (pair->token.kind != BRINE_TOKEN_ARRAY)
		return GOAWAY(parse, pair->value.data, "hello feat: expected array, got %s",
		              brine_token_name(pair->token.kind));
	if (pair->value.size > HELLO_FEATURES_SIZE_MAX)
		return GOAWAY(parse, pair->value.data, "hello feat: %zu bytes, at most %d", pair->value.size,
		              HELLO_FEATURES_SIZE_MAX);
	const uint8_t *at = (const uint8_t *)pair->value.data + pair->token.size;
	const uint8_t *end = (const uint8_t *)pair->value.data + pair->value.size;
	for (uint32_t left = pair->token.count; left; left--) {
		struct brine_token name = frame_token(BRINE_BYTES(at, (size_t)(end - at)));
		if (name.kind != BRINE_TOKEN_STR)
			return GOAWAY(parse, at, "hello feat: expected str, got %s", brine_token_name(name.kind));
		at += name.size;
	}
	hello->features = pair->value;
	return 0;
}

/* A number of a hello; one beyond 32 bits counts as the most there is. */
static int parse_hello_number(struct frame_parse *parse, const struct pair *pair, uint32_t least, uint32_t *ret_number)
{
	if (pair->token.kind != BRINE_TOKEN_UINT)
		return GOAWAY(parse, pair->value.data, "hello %.*s: expected an unsigned integer, got %s",
		              BRINE_ARG(pair->key), brine_token_name(pair->token.kind));
	if (pair->token.uint < least)
		return GOAWAY(parse, pair->value.data, "hello %.*s: %llu, at least %u", BRINE_ARG(pair->key),
		              (unsigned long long)pair->token.uint, least);
	*ret_number = pair->token.uint > UINT32_MAX ? UINT32_MAX : (uint32_t)pair->token.uint;
	return 0;
}

static int parse_hello_pair(struct frame_parse *parse, const struct pair *pair, struct brine_frame_hello *hello)
{
	enum { MESSAGE_SIZE_LEAST = 1024 };
	const struct brine_token *token = &pair->token;
	if (key_is(pair, "v")) {
		uint32_t version = 0;
		int status = parse_hello_number(parse, pair, 0, &version);
		hello->version = version ? version : 1;
		return status;
	}
	if (key_is(pair, "max")) {
		hello->has_message_size_max = true;
		return parse_hello_number(parse, pair, MESSAGE_SIZE_LEAST, &hello->message_size_max);
	}
	if (key_is(pair, "calls")) {
		hello->has_calls_max = true;
		return parse_hello_number(parse, pair, 1, &hello->calls_max);
	}
	if (key_is(pair, "win")) {
		int status = parse_hello_number(parse, pair, 0, &hello->win);
		return status == 0 && hello->win > INT32_MAX
		               ? GOAWAY(parse, pair->value.data, "hello win: at most 2147483647")
		               : status;
	}
	if (key_is(pair, "live") && token->kind != BRINE_TOKEN_BOOL)
		return GOAWAY(parse, pair->value.data, "hello live: expected bool, got %s",
		              brine_token_name(token->kind));
	if (key_is(pair, "name") && token->kind != BRINE_TOKEN_STR)
		return GOAWAY(parse, pair->value.data, "hello name: expected str, got %s",
		              brine_token_name(token->kind));
	if (key_is(pair, "live"))
		hello->live = token->boolean;
	if (key_is(pair, "name"))
		hello->name = (struct brine_str){token->content.data, token->content.size};
	return key_is(pair, "feat") ? parse_features(parse, pair, hello) : 0;
}

int frame_parse_hello(struct frame_parse *parse, struct brine_bytes value, struct brine_frame_hello *ret_hello)
{
	*ret_hello = (struct brine_frame_hello)BRINE_FRAME_HELLO_ASSUMED;
	struct brine_token token = frame_token(value);
	if (token.kind != BRINE_TOKEN_MAP)
		return GOAWAY(parse, value.data, "hello: expected map, got %s", brine_token_name(token.kind));
	if (token.count > pair_limit(parse))
		return GOAWAY(parse, value.data, "hello: %u keys, at most %u", token.count, pair_limit(parse));
	struct pairs pairs;
	struct pair pair;
	int status;
	pairs_init(&pairs, value);
	while ((status = pairs_next(&pairs, &pair)) > 0) {
		status = parse_hello_pair(parse, &pair, ret_hello);
		if (status < 0)
			return status;
	}
	return status < 0 ? GOAWAY(parse, pair.key.data, "hello: a key twice") : 0;
}

static void put_pair_uint(struct frame_write *write, const char *key, uint64_t value)
{
	frame_put_str(write, key, strlen(key));
	write->at = brine_put_uint(write->at, value);
}

void frame_write_hello(struct frame_write *write, const struct brine_frame_hello *hello)
{
	uint32_t count = 1u + (hello->name.size > 0) + hello->has_message_size_max + hello->has_calls_max +
	                 (hello->win > 0) + hello->live + (hello->features.size > 0);
	write->at = brine_put_map_head(write->at, count);
	put_pair_uint(write, "v", hello->version);
	if (hello->name.size) {
		frame_put_str(write, "name", 4);
		frame_put_str(write, hello->name.data, hello->name.size);
	}
	if (hello->has_message_size_max)
		put_pair_uint(write, "max", hello->message_size_max);
	if (hello->has_calls_max)
		put_pair_uint(write, "calls", hello->calls_max);
	if (hello->win)
		put_pair_uint(write, "win", hello->win);
	if (hello->live) {
		frame_put_str(write, "live", 4);
		write->at = brine_put_bool(write->at, true);
	}
	if (hello->features.size) {
		frame_put_str(write, "feat", 4);
		frame_put_raw(write, hello->features.data, hello->features.size);
	}
}
