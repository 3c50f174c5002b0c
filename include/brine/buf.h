/* brine/buf.h - a growing run of bytes in the caller's storage. Appends go to the end, takes come from the front.
 * Not thread-safe: a buffer belongs to one thread at a time. */
#ifndef BRINE_BUF_H
#define BRINE_BUF_H

#include <brine/allocator.h>
#include <brine/bytes.h>

/* Fields are for reading: the bytes are data[start .. end). */
struct brine_buf {
	uint8_t *data;
	size_t start;
	size_t end;
	size_t capacity;
	const struct brine_allocator *allocator; /* NULL: the default */
};
#define BRINE_BUF_INIT                                                                                                 \
	{                                                                                                              \
		NULL, 0, 0, 0, NULL                                                                                    \
	}

BRINE_BEGIN

/* Makes an empty buffer that owns nothing yet. allocator NULL: the default; it must outlive the buffer. */
BRINE_API void brine_buf_init(struct brine_buf *buf, const struct brine_allocator *allocator);

/* Releases the memory and leaves an empty buffer that can be used again. */
BRINE_API void brine_buf_done(struct brine_buf *buf);

/* Makes room for size more bytes at the end and returns where they go, or NULL when out of memory (the buffer is then
 * unchanged). Valid until the next call on the buffer. size 0 is allowed. Moves the bytes to the front where that
 * suffices; grows by doubling. */
BRINE_API void *brine_buf_reserve(struct brine_buf *buf, size_t size);

/* Appends size bytes. 0 or BRINE_ERR_NOMEM (the buffer is then unchanged). */
BRINE_API int brine_buf_append(struct brine_buf *buf, const void *data, size_t size);

/* Drops size bytes (at most what is there) from the front. Gives memory back when the buffer becomes empty and holds
 * more than 64 KiB. Never fails. */
BRINE_API void brine_buf_take(struct brine_buf *buf, size_t size);

static inline size_t brine_buf_size(const struct brine_buf *buf)
{
	return buf ? buf->end - buf->start : 0;
}

/* The bytes held, borrowed until the next call on the buffer. */
static inline struct brine_bytes brine_buf_bytes(const struct brine_buf *buf)
{
	struct brine_bytes bytes = {buf && buf->data ? buf->data + buf->start : NULL, brine_buf_size(buf)};
	return bytes;
}

BRINE_END

#endif
