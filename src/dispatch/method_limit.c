#include "dispatch/method_limit.h"

#include "base/alloc.h"

#include <stdatomic.h>

struct brine_method_limit {
	uint32_t most;
	atomic_uint running;
	atomic_uint holders;
	const struct brine_allocator *allocator;
};

struct brine_method_limit *brine_method_limit_new(uint32_t most, const struct brine_allocator *allocator)
{
	struct brine_method_limit *method_limit = brine_alloc_zero(allocator, sizeof *method_limit);
	if (!method_limit)
		return NULL;
	*method_limit = (struct brine_method_limit){.most = most, .allocator = allocator};
	atomic_init(&method_limit->holders, 1);
	return method_limit;
}

void brine_method_limit_drop(struct brine_method_limit *method_limit)
{
	if (method_limit && atomic_fetch_sub_explicit(&method_limit->holders, 1, memory_order_acq_rel) == 1)
		brine_release(method_limit->allocator, method_limit, sizeof *method_limit);
}

bool brine_method_limit_acquire(struct brine_method_limit *method_limit)
{
	unsigned running = atomic_load_explicit(&method_limit->running, memory_order_relaxed);
	do {
		if (running >= method_limit->most)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&method_limit->running, &running, running + 1,
	                                                memory_order_relaxed, memory_order_relaxed));
	atomic_fetch_add_explicit(&method_limit->holders, 1, memory_order_relaxed);
	return true;
}

void brine_method_limit_release(struct brine_method_limit *method_limit)
{
	atomic_fetch_sub_explicit(&method_limit->running, 1, memory_order_relaxed);
	brine_method_limit_drop(method_limit);
}
