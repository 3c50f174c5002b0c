/* brine/buf.h - a byte queue that grows. Bytes are appended at the end and taken from the front.
 * The struct is in the caller's storage. A buffer belongs to one thread at a time. */
#ifndef BRINE_BUF_H
#define BRINE_BUF_H

#include <brine/allocator.h>
#include <brine/bytes.h>

/* The fields are for reading. The bytes held are data[start] up to, but not including, data[end]. */
struct brine_buf {
	uint8_t *data;
	size_t start;
	size_t end;
	size_t capacity;
	const struct brine_allocator *allocator; /* NULL means the default */
};
#define BRINE_BUF_INIT                                                                                                 \
	{                                                                                                              \
		NULL, 0, 0, 0, NULL                                                                                    \
	}

BRINE_BEGIN

/* Makes an empty buffer, which owns nothing yet. The allocator must outlive the buffer; NULL means the default. */
BRINE_API void brine_buf_init(struct brine_buf *buf, const struct brine_allocator *allocator);

/* Releases the memory and leaves an empty buffer that can be used again. */
BRINE_API void brine_buf_done(struct brine_buf *buf);

/* Makes room for size more bytes and returns the place behind the last byte. The pointer is valid until the next call
 * on the buffer. Write there, then add what was written to buf->end. size 0 is allowed. The buffer grows by doubling,
 * or moves its bytes to the front if that gives enough room. Returns NULL when out of memory; the bytes held stay as
 * they were. */
BRINE_API void *brine_buf_reserve(struct brine_buf *buf, size_t size);

/* Appends a copy of size bytes. On error the bytes held stay as they were. Errors:
 *   BRINE_ERR_NOMEM */
BRINE_API int brine_buf_append(struct brine_buf *buf, const void *data, size_t size);

/* Drops size bytes from the front, or all bytes if there are fewer. A buffer that becomes empty gives its memory back
 * if its capacity is above 64 KiB. Never fails. */
BRINE_API void brine_buf_take(struct brine_buf *buf, size_t size);

/* Returns the number of bytes held. */
static inline size_t brine_buf_size(const struct brine_buf *buf)
{
	return buf ? buf->end - buf->start : 0;
}

/* Returns the bytes held. They are borrowed until the next call on the buffer. */
static inline struct brine_bytes brine_buf_bytes(const struct brine_buf *buf)
{
	struct brine_bytes bytes = {buf && buf->data ? buf->data + buf->start : NULL, brine_buf_size(buf)};
	return bytes;
}

BRINE_END

#endif
