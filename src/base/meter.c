#include "base/meter.h"

#include "base/alloc.h"

#include <assert.h>

/* Counts the bytes, unless they were too many. */
static bool meter_take(struct brine_meter *meter, size_t size)
{
	size_t held = atomic_load_explicit(&meter->held, memory_order_relaxed);
	do {
		if (size > meter->most || held > meter->most - size)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&meter->held, &held, held + size, memory_order_relaxed,
	                                                memory_order_relaxed));
	return true;
}

static void meter_give(struct brine_meter *meter, size_t size)
{
	size_t held = atomic_fetch_sub_explicit(&meter->held, size, memory_order_relaxed);
	assert(held >= size);
	(void)held;
}

static void *metered_resize(void *user, void *memory, size_t old_size, size_t new_size)
{
	struct brine_meter *meter = user;
	size_t before = memory ? old_size : 0;
	size_t more = new_size > before ? new_size - before : 0;
	if (more && !meter_take(meter, more))
		return NULL;
	void *resized = brine_resize(meter->inner, memory, old_size, new_size);
	if (!resized && new_size)
		meter_give(meter, more);
	else if (new_size < before)
		meter_give(meter, before - new_size);
	return resized;
}

struct brine_meter *brine_meter_new(const struct brine_allocator *inner, size_t most)
{
	struct brine_meter *meter = brine_alloc_zero(inner, sizeof *meter);
	if (!meter)
		return NULL;
	meter->base = (struct brine_allocator){metered_resize, meter};
	meter->inner = inner;
	meter->most = most;
	atomic_init(&meter->holders, 1);
	return meter;
}

void brine_meter_hold(struct brine_meter *meter)
{
	if (!meter)
		return;
	unsigned holders = atomic_fetch_add_explicit(&meter->holders, 1, memory_order_relaxed);
	assert(holders > 0);
	(void)holders;
}

void brine_meter_drop(struct brine_meter *meter)
{
	if (!meter)
		return;
	unsigned holders = atomic_fetch_sub_explicit(&meter->holders, 1, memory_order_acq_rel);
	assert(holders > 0);
	if (holders == 1)
		brine_release(meter->inner, meter, sizeof *meter);
}

size_t brine_meter_held(const struct brine_meter *meter)
{
	return meter ? atomic_load_explicit(&meter->held, memory_order_relaxed) : 0;
}

bool brine_meter_may_hoard(const struct brine_meter *meter)
{
	return !meter || brine_meter_held(meter) <= meter->most / 2;
}

bool brine_meter_is_short(const struct brine_meter *meter)
{
	return meter && brine_meter_held(meter) > meter->most - meter->most / 8;
}
