/* brine/bytes.h - borrowed views of bytes and text. A view owns nothing: whoever hands it out says how long it lives.
 */
#ifndef BRINE_BYTES_H
#define BRINE_BYTES_H

#include <brine/api.h>
#include <string.h>

/* Bytes that belong to somebody else. data may be NULL when size is 0. */
struct brine_bytes {
	const void *data;
	size_t size;
};

/* Text that belongs to somebody else; not terminated by NUL, may contain NUL. UTF-8 where a schema says string. */
struct brine_str {
	const char *data;
	size_t size;
};

/* One MessagePack value as checked bytes (brine.Value in a schema). size 0 means nil. Same layout as brine_bytes. */
struct brine_value {
	const void *data;
	size_t size;
};

/* A point in time: seconds since 1970-01-01 UTC and nanoseconds 0..999,999,999 (google.protobuf.Timestamp). */
struct brine_timestamp {
	int64_t seconds;
	int32_t nanos;
};

#ifndef __cplusplus
/* A view of a string literal: BRINE_STR("ACME"). As an initializer for static data: BRINE_STR_INIT("ACME"). */
#define BRINE_STR(literal)          ((struct brine_str){"" literal, sizeof(literal) - 1})
#define BRINE_BYTES(pointer, bytes) ((struct brine_bytes){(pointer), (bytes)})
#endif
#define BRINE_STR_INIT(literal)                                                                                        \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}

/* printf("%.*s", BRINE_ARG(view)): prints a view whose text is trusted. */
#define BRINE_ARG(view) ((int)(view).size), ((const char *)(view).data)

/* A view of a NUL-terminated string; NULL gives an empty view. */
static inline struct brine_str brine_str_from(const char *text)
{
	struct brine_str view = {text, text ? strlen(text) : 0};
	return view;
}

static inline bool brine_str_equal(struct brine_str a, struct brine_str b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
