#include "rpc/flow.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "rpc/home.h"
#include "rpc/thread.h"

enum {
	FLOW_OUT_MARK = 64 * 1024, /* bytes of items that wait to be sent, above which a handler waits */
	TAKEN_BATCH = 4,           /* items to a post: fewer give no credit */
	BUDGET_BASE = 64 * 1024,   /* what decoding an item may cost: this, and */
	BUDGET_FACTOR = 16,        /* so many bytes for each byte that came */
	ITEM_DEPTH_MAX = BRINE_FRAME_DEPTH_MAX - 1,
};

struct brine_flow *brine_flow_new(const struct brine_allocator *allocator)
{
	struct brine_flow *flow = brine_alloc_zero(allocator, sizeof *flow);
	if (!flow)
		return NULL;
	*flow = (struct brine_flow){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	brine_buf_init(&flow->in, allocator);
	brine_buf_init(&flow->out, allocator);
	brine_buf_init(&flow->batch, allocator);
	brine_buf_init(&flow->scratch, allocator);
	brine_arena_init(&flow->arena, allocator, 0);
	return flow;
}

void brine_flow_free(struct brine_flow *flow, const struct brine_allocator *allocator)
{
	if (!flow)
		return;
	brine_buf_done(&flow->in);
	brine_buf_done(&flow->out);
	brine_buf_done(&flow->batch);
	brine_buf_done(&flow->scratch);
	brine_arena_done(&flow->arena);
	brine_release(allocator, flow, sizeof *flow);
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

/* ---- at home ---- */

/* Wakes who waits for a change. Holds the lock. */
static void announce(struct brine_flow *flow)
{
	flow->moved = true;
	pthread_cond_signal(&flow->changed);
}

/* Something changed for whoever works on the request. Holds the lock; true: the program is to be told. */
static bool changed(struct brine_flow *flow)
{
	bool tells = flow->waits;
	flow->waits = false;
	announce(flow);
	return tells;
}

void brine_flow_receive(struct brine_request *request, struct brine_bytes item)
{
	struct brine_flow *flow = request->flow;
	pthread_mutex_lock(&flow->lock);
	int status = put_item(&flow->in, item);
	bool tells = changed(flow);
	pthread_mutex_unlock(&flow->lock);
	if (status < 0)
		brine_request_cancel(request, status);
	else if (tells)
		brine_request_wake(request);
}

void brine_flow_end(struct brine_request *request, int status)
{
	struct brine_flow *flow = request->flow;
	pthread_mutex_lock(&flow->lock);
	flow->in_ended = true;
	flow->in_status = status;
	bool tells = changed(flow);
	pthread_mutex_unlock(&flow->lock);
	if (tells)
		brine_request_wake(request);
}

void brine_flow_cancel(struct brine_flow *flow)
{
	pthread_mutex_lock(&flow->lock);
	(void)changed(flow);
	pthread_mutex_unlock(&flow->lock);
}

/* Sends what the peer takes. Holds the lock. */
static void send_items(struct brine_request *request)
{
	struct brine_buf *out = &request->flow->out;
	struct brine_line *line = request->line;
	uint64_t now_ms = brine_clock_ms();
	while (brine_buf_size(out)) {
		struct brine_bytes item = first_item(out);
		int status = BRINE_ERR_LOST;
		if (line)
			status = brine_conn_send(line->conn, request->serial, item, now_ms);
		if (status == BRINE_ERR_NO_CREDIT)
			return;
		/* After any other error the call has ended, and the handler hears why from its CANCEL event. */
		brine_buf_take(out, status < 0 ? brine_buf_size(out) : item_room(item));
	}
}

/* Whether a handler that waits can go on for a while. Holds the lock. */
static bool has_room(const struct brine_flow *flow)
{
	return brine_buf_size(&flow->out) <= FLOW_OUT_MARK / 2;
}

bool brine_flow_flush(struct brine_request *request)
{
	struct brine_flow *flow = request->flow;
	struct brine_line *line = request->line;
	if (line)
		brine_line_lock(line);
	pthread_mutex_lock(&flow->lock);
	flow->posted = false;
	if (line && flow->taken_count)
		brine_conn_taken(line->conn, request->serial, flow->taken_count, flow->taken_size, brine_clock_ms());
	flow->taken_count = 0;
	flow->taken_size = 0;
	send_items(request);
	bool flushed = brine_buf_size(&flow->out) == 0;
	if (has_room(flow))
		announce(flow);
	pthread_mutex_unlock(&flow->lock);
	if (line) {
		brine_line_unlock(line);
		request->home->ops->touch(line);
	}
	return flushed;
}

void brine_flow_move(struct brine_request *request, bool tells)
{
	struct brine_flow *flow = request->flow;
	bool flushed = brine_flow_flush(request);
	pthread_mutex_lock(&flow->lock);
	if (has_room(flow))
		tells |= changed(flow);
	pthread_mutex_unlock(&flow->lock);
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

bool brine_flow_has_moved(struct brine_flow *flow)
{
	pthread_mutex_lock(&flow->lock);
	bool moved = flow->moved;
	pthread_mutex_unlock(&flow->lock);
	return moved;
}

/* Sleeps, where the calling thread may. Holds the lock. */
static int sleep_until_changed(struct brine_flow *flow)
{
	if (brine_thread_is_loop())
		return BRINE_ERR_WOULD_BLOCK;
	int state = brine_thread_defer_cancel();
	pthread_cond_wait(&flow->changed, &flow->lock);
	brine_thread_allow_cancel(state);
	return 0;
}

/* Lets the home wait, which takes its own lock before ours. Holds the lock. */
static int wait_at_home(struct brine_request *request)
{
	struct brine_flow *flow = request->flow;
	flow->moved = false;
	pthread_mutex_unlock(&flow->lock);
	int status = request->home->ops->wait(request);
	pthread_mutex_lock(&flow->lock);
	return flow->moved ? 0 : status;
}

/* Waits until something changes, where the calling thread may wait. Holds the lock. As long as the request has not
 * ended, which takes the lock, its home is there. */
static int wait_for_change(struct brine_request *request)
{
	struct brine_flow *flow = request->flow;
	int status = request->home->ops->wait ? wait_at_home(request) : sleep_until_changed(flow);
	flow->waits = status < 0;
	return status;
}

/* Says that the flow must be looked at. Holds the lock, and gives it back. */
static void tell_home(struct brine_request *request)
{
	struct brine_flow *flow = request->flow;
	bool here = request->home->ops->is_mine(request->home);
	bool posts = !flow->posted && !here;
	flow->posted |= posts;
	pthread_mutex_unlock(&flow->lock);
	if (here)
		(void)brine_flow_flush(request);
	else if (posts)
		request->home->ops->post(request, BRINE_POST_FLOW);
}

/* The program is done with the last item: it makes room for others. */
static void give_back(struct brine_request *request)
{
	struct brine_flow *flow = request->flow;
	if (flow->held) {
		flow->done_count++;
		flow->done_size += flow->held - sizeof(uint32_t);
		brine_buf_take(&flow->batch, flow->held);
		flow->held = 0;
	}
	bool empty = brine_buf_size(&flow->batch) == 0;
	if (flow->done_count == 0 || (flow->done_count < TAKEN_BATCH && !empty))
		return;
	pthread_mutex_lock(&flow->lock);
	flow->taken_count += flow->done_count;
	flow->taken_size += flow->done_size;
	flow->done_count = 0;
	flow->done_size = 0;
	tell_home(request);
}

/* Gets more items to hand out: 1, 0 at the end, or an error. */
static int fetch(struct brine_request *request)
{
	struct brine_flow *flow = request->flow;
	int status = 0;
	pthread_mutex_lock(&flow->lock);
	while (status == 0 && !brine_buf_size(&flow->in) && !flow->in_ended) {
		status = ended(request);
		if (status == 0)
			status = wait_for_change(request);
	}
	if (status == 0 && brine_buf_size(&flow->in)) {
		struct brine_buf empty = flow->batch;
		flow->batch = flow->in;
		flow->in = empty;
		status = 1;
	} else if (status == 0) {
		/* An item may have been lost for want of memory since we looked: no good end follows then. */
		status = ended(request);
		if (status == 0)
			status = flow->in_status;
	}
	pthread_mutex_unlock(&flow->lock);
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
		status = brine_buf_size(&request->flow->batch) ? 1 : fetch(request);
	if (status != 1)
		return status;
	struct brine_bytes item = first_item(&request->flow->batch);
	request->flow->held = item_room(item);
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
	struct brine_arena *arena = &request->flow->arena;
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
	struct brine_flow *flow = request->flow;
	pthread_mutex_lock(&flow->lock);
	int status = ended(request);
	while (status == 0 && brine_buf_size(&flow->out) >= FLOW_OUT_MARK) {
		status = wait_for_change(request);
		if (status == 0)
			status = ended(request);
	}
	if (status == 0)
		status = put_item(&flow->out, item);
	if (status < 0)
		pthread_mutex_unlock(&flow->lock);
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
	struct brine_buf *scratch = &request->flow->scratch;
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
