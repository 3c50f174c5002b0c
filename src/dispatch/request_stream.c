#include "dispatch/request_stream.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "run/thread.h"

enum {
	FLOW_OUT_MARK = 64 * 1024, /* bytes of items that wait to be sent, above which a handler waits */
	TAKEN_BATCH = 4,           /* items to a post: fewer give no credit */
	BUDGET_BASE = 64 * 1024,   /* what decoding an item may cost: this, and */
	BUDGET_FACTOR = 16,        /* so many bytes for each byte that came */
	ITEM_DEPTH_MAX = BRINE_FRAME_DEPTH_MAX - 1,
};

struct brine_request_stream *brine_request_stream_new(const struct brine_allocator *allocator)
{
	struct brine_request_stream *stream = brine_alloc_zero(allocator, sizeof *stream);
	if (!stream)
		return NULL;
	*stream = (struct brine_request_stream){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	brine_buf_init(&stream->in, allocator);
	brine_buf_init(&stream->out, allocator);
	brine_buf_init(&stream->batch, allocator);
	brine_buf_init(&stream->scratch, allocator);
	brine_arena_init(&stream->arena, allocator, 0);
	return stream;
}

void brine_request_stream_free(struct brine_request_stream *stream, const struct brine_allocator *allocator)
{
	if (!stream)
		return;
	brine_buf_done(&stream->in);
	brine_buf_done(&stream->out);
	brine_buf_done(&stream->batch);
	brine_buf_done(&stream->scratch);
	brine_arena_done(&stream->arena);
	brine_release(allocator, stream, sizeof *stream);
}

/* Items stand in a buffer each behind its size, which is in our own byte order: it never leaves the process. */

static int put_item(struct brine_buf *queue, struct brine_bytes item)
{
	uint32_t size = (uint32_t)item.size;
	uint8_t *at = brine_buf_reserve(queue, sizeof size + item.size);
	if (!at)
		return BRINE_ERR_NOMEM;
	memcpy(at, &size, sizeof size);
	memcpy(at + sizeof size, item.data, item.size);
	queue->end += sizeof size + item.size;
	return 0;
}

static struct brine_bytes first_item(const struct brine_buf *queue)
{
	uint32_t size;
	const uint8_t *at = queue->data + queue->start;
	memcpy(&size, at, sizeof size);
	return (struct brine_bytes){at + sizeof size, size};
}

static size_t item_room(struct brine_bytes item)
{
	return sizeof(uint32_t) + item.size;
}

/* ---- in the owner's context ---- */

/* Wakes who waits for a change. Holds the lock. */
static void announce(struct brine_request_stream *stream)
{
	stream->moved = true;
	pthread_cond_signal(&stream->changed);
}

/* Something changed for whoever works on the request. Holds the lock; true: the program is to be told. */
static bool changed(struct brine_request_stream *stream)
{
	bool tells = stream->waits;
	stream->waits = false;
	announce(stream);
	return tells;
}

void brine_request_stream_receive(struct brine_request *request, struct brine_bytes item)
{
	struct brine_request_stream *stream = request->stream;
	pthread_mutex_lock(&stream->lock);
	int status = put_item(&stream->in, item);
	bool tells = changed(stream);
	pthread_mutex_unlock(&stream->lock);
	if (status < 0)
		brine_request_cancel(request, status);
	else if (tells)
		brine_request_wake(request);
}

void brine_request_stream_end(struct brine_request *request, int status)
{
	struct brine_request_stream *stream = request->stream;
	pthread_mutex_lock(&stream->lock);
	stream->in_ended = true;
	stream->in_status = status;
	bool tells = changed(stream);
	pthread_mutex_unlock(&stream->lock);
	if (tells)
		brine_request_wake(request);
}

void brine_request_stream_cancel(struct brine_request_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	(void)changed(stream);
	pthread_mutex_unlock(&stream->lock);
}

/* Sends what the peer takes. Holds the lock. */
static void send_items(struct brine_request *request)
{
	struct brine_buf *out = &request->stream->out;
	struct brine_channel *channel = request->channel;
	uint64_t now_ms = brine_clock_ms();
	while (brine_buf_size(out)) {
		struct brine_bytes item = first_item(out);
		int status = BRINE_ERR_LOST;
		if (channel)
			status = brine_conn_send(channel->conn, request->serial, item, now_ms);
		if (status == BRINE_ERR_NO_CREDIT)
			return;
		/* After any other error the call has ended, and the handler hears why from its CANCEL event. */
		brine_buf_take(out, status < 0 ? brine_buf_size(out) : item_room(item));
	}
}

/* Whether a handler that waits can go on for a while. Holds the lock. */
static bool has_room(const struct brine_request_stream *stream)
{
	return brine_buf_size(&stream->out) <= FLOW_OUT_MARK / 2;
}

bool brine_request_stream_flush(struct brine_request *request)
{
	struct brine_request_stream *stream = request->stream;
	struct brine_channel *channel = request->channel;
	if (channel)
		brine_channel_lock(channel);
	pthread_mutex_lock(&stream->lock);
	stream->posted = false;
	if (channel && stream->taken_count)
		brine_conn_taken(channel->conn, request->serial, stream->taken_count, stream->taken_size,
		                 brine_clock_ms());
	stream->taken_count = 0;
	stream->taken_size = 0;
	send_items(request);
	bool flushed = brine_buf_size(&stream->out) == 0;
	if (has_room(stream))
		announce(stream);
	pthread_mutex_unlock(&stream->lock);
	if (channel) {
		brine_channel_unlock(channel);
		request->host->ops->schedule(channel);
	}
	return flushed;
}

void brine_request_stream_advance(struct brine_request *request, bool tells)
{
	struct brine_request_stream *stream = request->stream;
	bool flushed = brine_request_stream_flush(request);
	pthread_mutex_lock(&stream->lock);
	if (has_room(stream))
		tells |= changed(stream);
	pthread_mutex_unlock(&stream->lock);
	if (request->answer_waits && flushed)
		brine_request_deliver(request);
	else if (tells)
		brine_request_wake(request);
}

/* ---- on the thread of the handler ---- */

/* Whether anything may be done to the stream: 0, or why not. */
static int check_stream(const struct brine_request *request, uint32_t stream)
{
	if (!(request->entry.flags & stream) || atomic_load_explicit(&request->answered, memory_order_acquire))
		return BRINE_ERR_STATE;
	return brine_request_check(request);
}

static int ended(const struct brine_request *request)
{
	return atomic_load_explicit(&request->ended, memory_order_acquire);
}

bool brine_request_stream_has_changed(struct brine_request_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	bool moved = stream->moved;
	pthread_mutex_unlock(&stream->lock);
	return moved;
}

/* Sleeps, where the calling thread may. Holds the lock. */
static int sleep_until_changed(struct brine_request_stream *stream)
{
	if (brine_thread_is_loop())
		return BRINE_ERR_WOULD_BLOCK;
	int state = brine_thread_defer_cancel();
	pthread_cond_wait(&stream->changed, &stream->lock);
	brine_thread_allow_cancel(state);
	return 0;
}

/* Lets the owner wait, which takes its own lock before ours. Holds the lock. */
static int wait_at_home(struct brine_request *request)
{
	struct brine_request_stream *stream = request->stream;
	stream->moved = false;
	pthread_mutex_unlock(&stream->lock);
	int status = request->host->ops->wait(request);
	pthread_mutex_lock(&stream->lock);
	return stream->moved ? 0 : status;
}

/* Waits until something changes, where the calling thread may wait. Holds the lock. As long as the request has not
 * ended, which takes the lock, its owner is there. */
static int wait_for_change(struct brine_request *request)
{
	struct brine_request_stream *stream = request->stream;
	int status = request->host->ops->wait ? wait_at_home(request) : sleep_until_changed(stream);
	stream->waits = status < 0;
	return status;
}

/* Says that the stream must be looked at. Holds the lock, and gives it back. */
static void tell_home(struct brine_request *request)
{
	struct brine_request_stream *stream = request->stream;
	bool here = request->host->ops->is_mine(request->host);
	bool posts = !stream->posted && !here;
	stream->posted |= posts;
	pthread_mutex_unlock(&stream->lock);
	if (here)
		(void)brine_request_stream_flush(request);
	else if (posts)
		request->host->ops->post(request, BRINE_POST_STREAM);
}

/* The program is done with the last item: it makes room for others. */
static void give_back(struct brine_request *request)
{
	struct brine_request_stream *stream = request->stream;
	if (stream->held) {
		stream->done_count++;
		stream->done_size += stream->held - sizeof(uint32_t);
		brine_buf_take(&stream->batch, stream->held);
		stream->held = 0;
	}
	bool empty = brine_buf_size(&stream->batch) == 0;
	if (stream->done_count == 0 || (stream->done_count < TAKEN_BATCH && !empty))
		return;
	pthread_mutex_lock(&stream->lock);
	stream->taken_count += stream->done_count;
	stream->taken_size += stream->done_size;
	stream->done_count = 0;
	stream->done_size = 0;
	tell_home(request);
}

/* Gets more items to hand out: 1, 0 at the end, or an error. */
static int fetch(struct brine_request *request)
{
	struct brine_request_stream *stream = request->stream;
	int status = 0;
	pthread_mutex_lock(&stream->lock);
	while (status == 0 && !brine_buf_size(&stream->in) && !stream->in_ended) {
		status = ended(request);
		if (status == 0)
			status = wait_for_change(request);
	}
	if (status == 0 && brine_buf_size(&stream->in)) {
		struct brine_buf empty = stream->batch;
		stream->batch = stream->in;
		stream->in = empty;
		status = 1;
	} else if (status == 0) {
		/* An item may have been lost for want of memory since we looked: no good end follows then. */
		status = ended(request);
		if (status == 0)
			status = stream->in_status;
	}
	pthread_mutex_unlock(&stream->lock);
	return status;
}

int brine_request_next_raw(struct brine_request *request, struct brine_bytes *ret_item)
{
	if (!request || !ret_item)
		return BRINE_ERR_INVALID;
	int status = check_stream(request, BRINE_METHOD_UPLOAD);
	if (status < 0)
		return status;
	give_back(request);
	/* A call that was given up wants no more work; what came before its connection was lost is still wanted. */
	status = ended(request);
	if (status == 0 || status == BRINE_ERR_LOST)
		status = brine_buf_size(&request->stream->batch) ? 1 : fetch(request);
	if (status != 1)
		return status;
	struct brine_bytes item = first_item(&request->stream->batch);
	request->stream->held = item_room(item);
	*ret_item = item;
	return 1;
}

/* Takes an item as one of that type. Where it does not fit *ret_fault has a code. */
static int take_typed_item(struct brine_request *request, const struct brine_type *type, void *ret_item,
                           struct brine_error *ret_fault)
{
	struct brine_bytes item;
	ret_fault->code = 0;
	int status = ret_item ? brine_request_next_raw(request, &item) : BRINE_ERR_INVALID;
	if (status != 1)
		return status;
	struct brine_arena *arena = &request->stream->arena;
	brine_arena_reset(arena);
	arena->budget =
	        item.size < SIZE_MAX / BUDGET_FACTOR - BUDGET_BASE ? item.size * BUDGET_FACTOR + BUDGET_BASE : SIZE_MAX;
	status = brine_decode(ret_item, type, item, BRINE_AS_RESULT, BRINE_DECODE_CHECKED, arena, ret_fault);
	/* BRINE_ERR_NOMEM is what ends a call without an answer. */
	if (status == BRINE_ERR_NOMEM)
		ret_fault->code = status = BRINE_ERR_TOO_BIG;
	return status < 0 ? status : 1;
}

/* The same, and answers where it does not fit. */
static int next_typed_item(struct brine_request *request, const struct brine_type *type, void *ret_item)
{
	struct brine_error fault;
	int status = take_typed_item(request, type, ret_item, &fault);
	if (fault.code)
		brine_request_fail(request, status == BRINE_ERR_TOO_BIG ? BRINE_CODE_TOO_LARGE : BRINE_CODE_INVALID,
		                   "%s", fault.text);
	return status;
}

int brine_request_take(struct brine_request *request, void *ret_item, struct brine_error *ret_fault)
{
	return take_typed_item(request, request->entry.method->request, ret_item, ret_fault);
}

int brine_request_next(struct brine_request *request, void *ret_item)
{
	if (!request)
		return BRINE_ERR_INVALID;
	const struct brine_method *method = request->entry.method;
	return method ? next_typed_item(request, method->request, ret_item) : BRINE_ERR_STATE;
}

int brine_request_next_as(struct brine_request *request, const struct brine_method *method, void *ret_item)
{
	int status = brine_request_check_method(request, method);
	return status < 0 ? status : next_typed_item(request, method->request, ret_item);
}

/* Queues an item that was checked. */
static int send_item(struct brine_request *request, struct brine_bytes item)
{
	struct brine_request_stream *stream = request->stream;
	pthread_mutex_lock(&stream->lock);
	int status = ended(request);
	while (status == 0 && brine_buf_size(&stream->out) >= FLOW_OUT_MARK) {
		status = wait_for_change(request);
		if (status == 0)
			status = ended(request);
	}
	if (status == 0)
		status = put_item(&stream->out, item);
	if (status < 0)
		pthread_mutex_unlock(&stream->lock);
	else
		tell_home(request);
	return status;
}

int brine_request_send_raw(struct brine_request *request, struct brine_bytes item)
{
	if (!request)
		return BRINE_ERR_INVALID;
	int status = check_stream(request, BRINE_METHOD_DOWNLOAD);
	if (status == 0)
		status = brine_check(item, ITEM_DEPTH_MAX, NULL);
	if (status == 0 && item.size > UINT32_MAX)
		status = BRINE_ERR_TOO_BIG;
	return status < 0 ? status : send_item(request, item);
}

/* Sends an item of that type. */
static int send_typed_item(struct brine_request *request, const struct brine_type *type, const void *item)
{
	int status = item ? check_stream(request, BRINE_METHOD_DOWNLOAD) : BRINE_ERR_INVALID;
	if (status < 0)
		return status;
	struct brine_buf *scratch = &request->stream->scratch;
	struct brine_error error;
	status = brine_encode(scratch, type, item, BRINE_AS_RESULT, &error);
	if (status < 0) {
		brine_request_log(request, "an item does not fit its schema", error.text);
		return status;
	}
	status = send_item(request, brine_buf_bytes(scratch));
	brine_buf_take(scratch, brine_buf_size(scratch));
	return status;
}

int brine_request_send(struct brine_request *request, const void *item)
{
	if (!request)
		return BRINE_ERR_INVALID;
	const struct brine_method *method = request->entry.method;
	return method ? send_typed_item(request, method->response, item) : BRINE_ERR_STATE;
}

int brine_request_send_as(struct brine_request *request, const struct brine_method *method, const void *item)
{
	int status = brine_request_check_method(request, method);
	return status < 0 ? status : send_typed_item(request, method->response, item);
}
