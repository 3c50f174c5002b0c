#include "conn/calls.h"

#include "base/alloc.h"
#include "base/poison.h"

enum {
	SPARE_MAX = 32,
	TIMERS_LEAST = 16,
};

void calls_init(struct calls *calls, const struct brine_allocator *allocator, uint64_t seed)
{
	*calls = (struct calls){.allocator = allocator};
	brine_idmap_init(&calls->by_serial, allocator, seed);
	brine_idmap_init(&calls->outgoing_ids, allocator, seed);
	brine_idmap_init(&calls->incoming_ids, allocator, seed);
}

static void release_spares(struct calls *calls)
{
	while (calls->spare) {
		struct call *call = calls->spare;
		ASAN_UNPOISON_MEMORY_REGION(call, sizeof *call);
		calls->spare = call->next;
		brine_release(calls->allocator, call, sizeof *call);
	}
	calls->spare_count = 0;
}

static void release_timers(struct calls *calls)
{
	brine_release(calls->allocator, calls->timers, calls->timer_capacity * sizeof *calls->timers);
	calls->timers = NULL;
	calls->timer_capacity = 0;
}

void calls_done(struct calls *calls)
{
	struct call_list *lists[] = {&calls->outgoing, &calls->incoming, &calls->events, &calls->awaiting_late_answer,
	                             &calls->awaiting_handler};
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		while (lists[i]->first)
			call_free(calls, lists[i]->first);
	release_spares(calls);
	release_timers(calls);
	brine_idmap_done(&calls->by_serial);
	brine_idmap_done(&calls->outgoing_ids);
	brine_idmap_done(&calls->incoming_ids);
}

void calls_shrink(struct calls *calls)
{
	struct brine_idmap *maps[] = {&calls->by_serial, &calls->outgoing_ids, &calls->incoming_ids};
	for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
		if (maps[i]->count == 0)
			brine_idmap_done(maps[i]);
	release_spares(calls);
	if (calls->timer_count == 0)
		release_timers(calls);
}

static void unlink_call(struct call *call)
{
	struct call_list *list = call->list;
	*(call->prev ? &call->prev->next : &list->first) = call->next;
	*(call->next ? &call->next->prev : &list->last) = call->prev;
	list->count--;
	call->list = NULL;
}

void call_move(struct call *call, struct call_list *list)
{
	if (call->list)
		unlink_call(call);
	call->list = list;
	call->next = NULL;
	call->prev = list->last;
	*(list->last ? &list->last->next : &list->first) = call;
	list->last = call;
	list->count++;
}

void call_unqueue(struct call *call)
{
	struct stream_out *out = &call->out;
	if (!out->queue)
		return;
	*(out->prev ? &out->prev->out.next : &out->queue->first) = out->next;
	*(out->next ? &out->next->out.prev : &out->queue->last) = out->prev;
	out->queue = NULL;
}

void call_enqueue(struct call *call, struct call_queue *queue, uint64_t now_ms)
{
	struct stream_out *out = &call->out;
	call_unqueue(call);
	out->queue = queue;
	out->since_ms = now_ms;
	out->next = NULL;
	out->prev = queue->last;
	*(queue->last ? &queue->last->out.next : &queue->first) = call;
	queue->last = call;
}

void call_forget_items(struct calls *calls, struct call *call)
{
	calls->untaken_size -= call->in.untaken_size;
	call->in.untaken_size = call->in.untaken = 0;
}

static struct call *take_spare(struct calls *calls)
{
	struct call *call = calls->spare;
	if (!call)
		return brine_alloc_zero(calls->allocator, sizeof *call);
	ASAN_UNPOISON_MEMORY_REGION(call, sizeof *call);
	calls->spare = call->next;
	calls->spare_count--;
	memset(call, 0, sizeof *call);
	return call;
}

static void keep_spare(struct calls *calls, struct call *call)
{
	if (calls->spare_count >= SPARE_MAX || BRINE_GROWS_EXACTLY) {
		brine_release(calls->allocator, call, sizeof *call);
		return;
	}
	call->next = calls->spare;
	calls->spare = call;
	calls->spare_count++;
	ASAN_POISON_MEMORY_REGION(call, sizeof *call);
	ASAN_UNPOISON_MEMORY_REGION(&call->next, sizeof call->next);
}

struct call *call_new(struct calls *calls, bool is_ours)
{
	struct call *call = take_spare(calls);
	if (!call)
		return NULL;
	call->serial = calls->serial_last + 1;
	if (brine_idmap_put(&calls->by_serial, call->serial, call) < 0) {
		keep_spare(calls, call);
		return NULL;
	}
	calls->serial_last++;
	call->is_ours = is_ours;
	call->deadline_ms = BRINE_FOREVER;
	calls->incoming_handlers += !is_ours;
	call_move(call, is_ours ? &calls->outgoing : &calls->incoming);
	return call;
}

void call_free(struct calls *calls, struct call *call)
{
	call_disarm(calls, call);
	call_unqueue(call);
	call_drop_id(calls, call);
	call_forget_items(calls, call);
	brine_idmap_remove(&calls->by_serial, call->serial);
	unlink_call(call);
	calls->incoming_handlers -= !call->is_ours;
	keep_spare(calls, call);
}

static struct brine_idmap *ids_of(struct calls *calls, const struct call *call)
{
	return call->is_ours ? &calls->outgoing_ids : &calls->incoming_ids;
}

int call_own_id(struct calls *calls, struct call *call, uint32_t id)
{
	if (brine_idmap_put(ids_of(calls, call), id, call) < 0)
		return BRINE_ERR_NOMEM;
	call->id = id;
	call->owes_id = true;
	return 0;
}

void call_drop_id(struct calls *calls, struct call *call)
{
	if (call->owes_id)
		brine_idmap_remove(ids_of(calls, call), call->id);
	call->owes_id = false;
}

static void timer_set(struct calls *calls, size_t place, struct call *call)
{
	calls->timers[place - 1] = call;
	call->timer = place;
}

/* Moves the call at place towards the top or the bottom until the heap is one again. */
static void timer_sift(struct calls *calls, size_t place)
{
	struct call **timers = calls->timers;
	struct call *call = timers[place - 1];
	while (place > 1 && timers[place / 2 - 1]->deadline_ms > call->deadline_ms) {
		timer_set(calls, place, timers[place / 2 - 1]);
		place /= 2;
	}
	for (size_t child; (child = place * 2) <= calls->timer_count; place = child) {
		if (child < calls->timer_count && timers[child]->deadline_ms < timers[child - 1]->deadline_ms)
			child++;
		if (timers[child - 1]->deadline_ms >= call->deadline_ms)
			break;
		timer_set(calls, place, timers[child - 1]);
	}
	timer_set(calls, place, call);
}

static int timers_grow(struct calls *calls)
{
	size_t capacity = brine_grown(calls->timer_capacity, TIMERS_LEAST, calls->timer_count + 1);
	struct call **timers = brine_resize(calls->allocator, calls->timers, calls->timer_capacity * sizeof *timers,
	                                    capacity * sizeof *timers);
	if (!timers)
		return BRINE_ERR_NOMEM;
	calls->timers = timers;
	calls->timer_capacity = capacity;
	return 0;
}

int call_arm(struct calls *calls, struct call *call, uint64_t deadline_ms)
{
	call->deadline_ms = deadline_ms;
	if (deadline_ms == BRINE_FOREVER)
		return 0;
	if (calls->timer_count == calls->timer_capacity && timers_grow(calls) < 0)
		return BRINE_ERR_NOMEM;
	calls->timers[calls->timer_count++] = call;
	timer_sift(calls, calls->timer_count);
	return 0;
}

void call_disarm(struct calls *calls, struct call *call)
{
	if (call->timer == 0)
		return;
	size_t place = call->timer;
	call->timer = 0;
	struct call *last = calls->timers[--calls->timer_count];
	if (last == call)
		return;
	timer_set(calls, place, last);
	timer_sift(calls, place);
}

struct call *calls_nearest(const struct calls *calls)
{
	return calls->timer_count ? calls->timers[0] : NULL;
}
