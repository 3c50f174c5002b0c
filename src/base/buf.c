#include <brine/buf.h>
#include <brine/error.h>

#include "base/alloc.h"
#include "base/poison.h"

#include <assert.h>

enum {
	SIZE_LEAST = 256,
	SIZE_KEPT = BRINE_GROWS_EXACTLY ? 0 : 64 * 1024, /* an empty buffer keeps at most so much */
	SIZE_BIG = 256 * 1024, /* from here on twice as much may be too much, and what is needed is enough */
};

void brine_buf_init(struct brine_buf *buf, const struct brine_allocator *allocator)
{
	if (!buf)
		return;
	*buf = (struct brine_buf){.allocator = allocator};
}

void brine_buf_done(struct brine_buf *buf)
{
	if (!buf)
		return;
	ASAN_UNPOISON_MEMORY_REGION(buf->data, buf->capacity);
	brine_release(buf->allocator, buf->data, buf->capacity);
	brine_buf_init(buf, buf->allocator);
}

static void move_to_front(struct brine_buf *buf)
{
	assert(buf->start <= buf->end && buf->end <= buf->capacity);
	size_t held = buf->end - buf->start;
	if (held && buf->start)
		memmove(buf->data, buf->data + buf->start, held);
	buf->start = 0;
	buf->end = held;
}

/* In place, so that the old block and the new one need not be there together. */
static int resize(struct brine_buf *buf, size_t capacity, size_t needed)
{
	move_to_front(buf);
	uint8_t *data = brine_resize(buf->allocator, buf->data, buf->capacity, capacity);
	if (!data && needed > buf->capacity && needed >= SIZE_BIG && needed < capacity) {
		capacity = needed;
		data = brine_resize(buf->allocator, buf->data, buf->capacity, capacity);
	}
	if (!data)
		return buf->data && needed <= buf->capacity ? 0 : BRINE_ERR_NOMEM;
	buf->data = data;
	buf->capacity = capacity;
	return 0;
}

static int grow_buf(struct brine_buf *buf, size_t size)
{
	size_t held = buf->end - buf->start;
	size_t needed;
	if (__builtin_add_overflow(held, size, &needed) || needed > SIZE_MAX / 2)
		return BRINE_ERR_NOMEM;
	/* Moving pays only where at least half of the block is free in front, so that appends stay linear. */
	if (buf->data && needed <= buf->capacity && buf->start >= held) {
		move_to_front(buf);
		return 0;
	}
	size_t capacity = brine_grown(buf->capacity, SIZE_LEAST, needed);
	if (capacity == buf->capacity && buf->start && !BRINE_GROWS_EXACTLY)
		capacity *= 2;
	return resize(buf, capacity, needed);
}

void *brine_buf_reserve(struct brine_buf *buf, size_t size)
{
	if (!buf)
		return NULL;
	if (buf->end == 0)
		ASAN_UNPOISON_MEMORY_REGION(buf->data, buf->capacity);
	if (buf->data && size <= buf->capacity - buf->end)
		return buf->data + buf->end;
	return grow_buf(buf, size) < 0 ? NULL : buf->data + buf->end;
}

int brine_buf_append(struct brine_buf *buf, const void *data, size_t size)
{
	if (!buf || (size && !data))
		return BRINE_ERR_INVALID;
	if (size == 0)
		return 0;
	void *to = brine_buf_reserve(buf, size);
	if (!to)
		return BRINE_ERR_NOMEM;
	memcpy(to, data, size);
	buf->end += size;
	return 0;
}

void brine_buf_take(struct brine_buf *buf, size_t size)
{
	if (!buf)
		return;
	size_t held = buf->end - buf->start;
	buf->start += size < held ? size : held;
	if (buf->start < buf->end)
		return;
	buf->start = buf->end = 0;
	ASAN_POISON_MEMORY_REGION(buf->data, buf->capacity);
	if (buf->capacity > SIZE_KEPT)
		brine_buf_done(buf);
}
