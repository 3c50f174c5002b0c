#include "net/loop.h"

#include <brine/conn.h>

#include "base/alloc.h"
#include "net/clock.h"
#include "net/fail.h"
#include "net/socket.h"
#include "net/timers.h"
#include "net/wakeup.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

enum { SLOTS_LEAST = 16 };

/* Events name a watch by slot and generation, not by pointer: one that was collected before its watch went away finds
 * another generation and is dropped. */
struct slot {
	struct brine_watch *watch; /* NULL: free */
	uint32_t generation;
	uint32_t next_free; /* number of a slot, from 1; 0: none */
};

struct brine_loop {
	int epoll_fd;
	int wake_fd;
	void (*on_wake)(void *user);
	void *user;
	struct slot *slots;
	uint32_t slots_capacity;
	uint32_t slots_used; /* that were ever in use */
	uint32_t slot_free;  /* number of the first free one among them, from 1; 0: none */
	struct brine_timers timers;
	uint64_t now_ms;
	bool in_turn;
	const struct brine_allocator *allocator;
};

static const uint64_t wake_key = UINT64_MAX;

static int control_watch(struct brine_loop *loop, int operation, int fd, unsigned ready, uint64_t key)
{
	struct epoll_event event = {.data.u64 = key};
	event.events = (ready & BRINE_READABLE ? EPOLLIN : 0u) | (ready & BRINE_WRITABLE ? EPOLLOUT : 0u);
	int status;
	do
		status = epoll_ctl(loop->epoll_fd, operation, fd, &event);
	while (status < 0 && errno == EINTR);
	return status;
}

int brine_loop_new(struct brine_loop **ret_loop, void (*on_wake)(void *user), void *user,
                   const struct brine_allocator *allocator, struct brine_error *error)
{
	struct brine_loop *loop = brine_alloc_zero(allocator, sizeof *loop);
	if (!loop)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory for a loop");
	*loop = (struct brine_loop){.wake_fd = -1, .on_wake = on_wake, .user = user, .allocator = allocator};
	loop->now_ms = brine_clock_ms();
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd >= 0)
		loop->wake_fd = brine_wakeup_new();
	if (loop->wake_fd < 0 || control_watch(loop, EPOLL_CTL_ADD, loop->wake_fd, BRINE_READABLE, wake_key) < 0) {
		int status = brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not make an event loop");
		brine_loop_free(loop);
		return status;
	}
	*ret_loop = loop;
	return 0;
}

void brine_loop_free(struct brine_loop *loop)
{
	if (!loop)
		return;
	assert(!loop->in_turn);
	brine_socket_close(loop->wake_fd);
	brine_socket_close(loop->epoll_fd);
	brine_release(loop->allocator, loop->slots, loop->slots_capacity * sizeof *loop->slots);
	brine_release(loop->allocator, loop, sizeof *loop);
}

/* The number of a free slot, from 1; 0 when out of memory. */
static uint32_t take_slot(struct brine_loop *loop)
{
	uint32_t number = loop->slot_free;
	if (number) {
		loop->slot_free = loop->slots[number - 1].next_free;
		return number;
	}
	if (loop->slots_used == loop->slots_capacity) {
		uint32_t capacity = (uint32_t)brine_grown(loop->slots_capacity, SLOTS_LEAST, loop->slots_used + 1u);
		struct slot *slots = brine_resize(loop->allocator, loop->slots, loop->slots_capacity * sizeof *slots,
		                                  capacity * sizeof *slots);
		if (!slots)
			return 0;
		loop->slots = slots;
		loop->slots_capacity = capacity;
	}
	loop->slots[loop->slots_used] = (struct slot){0};
	return ++loop->slots_used;
}

static void give_slot(struct brine_loop *loop, uint32_t number)
{
	struct slot *slot = &loop->slots[number - 1];
	slot->watch = NULL;
	slot->generation++;
	slot->next_free = loop->slot_free;
	loop->slot_free = number;
}

static uint64_t slot_key(const struct brine_loop *loop, uint32_t number)
{
	return (uint64_t)loop->slots[number - 1].generation << 32 | number;
}

/* Whether the watch is one of this loop's. */
static bool is_watched(const struct brine_loop *loop, const struct brine_watch *watch)
{
	return watch->slot > 0 && watch->slot <= loop->slots_used && loop->slots[watch->slot - 1].watch == watch;
}

int brine_loop_add(struct brine_loop *loop, struct brine_watch *watch, int fd, unsigned ready)
{
	assert(!watch->slot && watch->on_ready);
	uint32_t number = take_slot(loop);
	if (!number)
		return BRINE_ERR_NOMEM;
	if (control_watch(loop, EPOLL_CTL_ADD, fd, ready, slot_key(loop, number)) < 0) {
		give_slot(loop, number);
		return BRINE_ERR_SYSTEM;
	}
	loop->slots[number - 1].watch = watch;
	watch->fd = fd;
	watch->ready = ready;
	watch->slot = number;
	return 0;
}

int brine_loop_modify(struct brine_loop *loop, struct brine_watch *watch, unsigned ready)
{
	assert(is_watched(loop, watch));
	if (watch->ready == ready)
		return 0;
	if (control_watch(loop, EPOLL_CTL_MOD, watch->fd, ready, slot_key(loop, watch->slot)) < 0) {
		int saved = errno;
		brine_loop_remove(loop, watch);
		errno = saved;
		return BRINE_ERR_SYSTEM;
	}
	watch->ready = ready;
	return 0;
}

void brine_loop_remove(struct brine_loop *loop, struct brine_watch *watch)
{
	if (!watch->slot)
		return;
	assert(is_watched(loop, watch));
	int saved = errno;
	/* Fails only where the descriptor was closed before; then there is nothing left to remove. */
	control_watch(loop, EPOLL_CTL_DEL, watch->fd, 0, 0);
	give_slot(loop, watch->slot);
	watch->slot = 0;
	errno = saved;
}

void brine_timer_set(struct brine_loop *loop, struct brine_timer *timer, uint64_t due_ms)
{
	assert(timer->on_due);
	brine_timer_stop(loop, timer);
	if (due_ms != BRINE_FOREVER)
		brine_timers_add(&loop->timers, timer, due_ms);
}

void brine_timer_stop(struct brine_loop *loop, struct brine_timer *timer)
{
	if (timer->set)
		brine_timers_remove(&loop->timers, timer);
}

uint64_t brine_loop_deadline(const struct brine_loop *loop)
{
	return loop->timers.first ? loop->timers.first->due_ms : BRINE_FOREVER;
}

void brine_loop_wake(struct brine_loop *loop)
{
	brine_wakeup_signal(loop->wake_fd);
}

static int take_wake(struct brine_loop *loop)
{
	brine_wakeup_clear(loop->wake_fd);
	if (!loop->on_wake)
		return 0;
	loop->on_wake(loop->user);
	return 1;
}

static int dispatch(struct brine_loop *loop, const struct epoll_event *event)
{
	if (event->data.u64 == wake_key)
		return take_wake(loop);
	uint32_t number = (uint32_t)event->data.u64;
	uint32_t generation = (uint32_t)(event->data.u64 >> 32);
	const struct slot *slot = &loop->slots[number - 1];
	if (!slot->watch || slot->generation != generation)
		return 0;
	unsigned ready =
	        (event->events & EPOLLIN ? BRINE_READABLE : 0u) | (event->events & EPOLLOUT ? BRINE_WRITABLE : 0u);
	if (event->events & (EPOLLERR | EPOLLHUP))
		ready |= slot->watch->ready ? slot->watch->ready : BRINE_READABLE | BRINE_WRITABLE;
	slot->watch->on_ready(slot->watch, ready);
	return 1;
}

static int fire_timers(struct brine_loop *loop)
{
	int count = 0;
	while (count < BRINE_LOOP_EVENTS_MAX && brine_loop_deadline(loop) <= loop->now_ms) {
		struct brine_timer *timer = loop->timers.first;
		brine_timers_remove(&loop->timers, timer);
		timer->on_due(timer, loop->now_ms);
		count++;
	}
	return count;
}

int brine_loop_turn(struct brine_loop *loop, uint64_t deadline_ms)
{
	struct epoll_event events[BRINE_LOOP_EVENTS_MAX];
	assert(!loop->in_turn);
	uint64_t timer_ms = brine_loop_deadline(loop);
	int found = epoll_wait(loop->epoll_fd, events, BRINE_LOOP_EVENTS_MAX,
	                       brine_wait_ms(timer_ms < deadline_ms ? timer_ms : deadline_ms));
	if (found < 0 && errno != EINTR)
		return BRINE_ERR_SYSTEM;
	loop->now_ms = brine_clock_ms();
	loop->in_turn = true;
	int count = 0;
	for (int i = 0; i < found; i++)
		count += dispatch(loop, &events[i]);
	count += fire_timers(loop);
	loop->in_turn = false;
	return count;
}

int brine_loop_fd(const struct brine_loop *loop)
{
	return loop->epoll_fd;
}
