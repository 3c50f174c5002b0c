/* brine/bytes.h - borrowed views of bytes and text. A view owns nothing. The function that hands out a view says how
 * long its bytes live. */
#ifndef BRINE_BYTES_H
#define BRINE_BYTES_H

#include <brine/api.h>
#include <string.h>

/* Bytes that belong to another object. data may be NULL if size is 0. */
struct brine_bytes {
	const void *data;
	size_t size;
};

/* Text that belongs to another object. It is not terminated by NUL and may contain NUL. It is UTF-8 where a schema says
 * string. */
struct brine_str {
	const char *data;
	size_t size;
};

/* One MessagePack value as checked bytes, brine.Value in a schema. size 0 means nil. The layout is that of struct
 * brine_bytes. */
struct brine_value {
	const void *data;
	size_t size;
};

/* A point in time, google.protobuf.Timestamp in a schema. */
struct brine_timestamp {
	int64_t seconds; /* since 1970-01-01 UTC */
	int32_t nanos;   /* 0 .. 999,999,999 */
};

#ifndef __cplusplus
/* BRINE_STR("ACME") is a view of a string literal. BRINE_STR_INIT("ACME") is the same for static data. */
#define BRINE_STR(literal)          ((struct brine_str){"" literal, sizeof(literal) - 1})
#define BRINE_BYTES(pointer, bytes) ((struct brine_bytes){(pointer), (bytes)})
#endif
#define BRINE_STR_INIT(literal)                                                                                        \
	{                                                                                                              \
		"" literal, sizeof(literal) - 1                                                                        \
	}

/* The arguments for "%.*s" in a printf() format. Only for text that is trusted, because nothing is escaped. */
#define BRINE_ARG(view) ((int)(view).size), ((const char *)(view).data)

/* Returns a view of a NUL-terminated string. NULL gives an empty view. */
static inline struct brine_str brine_str_from(const char *text)
{
	struct brine_str view = {text, text ? strlen(text) : 0};
	return view;
}

/* Tells whether two texts have the same bytes. */
static inline bool brine_str_equal(struct brine_str a, struct brine_str b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
