#include "rpc/gate.h"

#include "base/alloc.h"

#include <stdatomic.h>

struct brine_gate {
	uint32_t most;
	atomic_uint running;
	atomic_uint holders;
	const struct brine_allocator *allocator;
};

struct brine_gate *brine_gate_new(uint32_t most, const struct brine_allocator *allocator)
{
	struct brine_gate *gate = brine_alloc_zero(allocator, sizeof *gate);
	if (!gate)
		return NULL;
	*gate = (struct brine_gate){.most = most, .allocator = allocator};
	atomic_init(&gate->holders, 1);
	return gate;
}

void brine_gate_drop(struct brine_gate *gate)
{
	if (gate && atomic_fetch_sub_explicit(&gate->holders, 1, memory_order_acq_rel) == 1)
		brine_release(gate->allocator, gate, sizeof *gate);
}

bool brine_gate_enter(struct brine_gate *gate)
{
	unsigned running = atomic_load_explicit(&gate->running, memory_order_relaxed);
	do {
		if (running >= gate->most)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&gate->running, &running, running + 1, memory_order_relaxed,
	                                                memory_order_relaxed));
	atomic_fetch_add_explicit(&gate->holders, 1, memory_order_relaxed);
	return true;
}

void brine_gate_leave(struct brine_gate *gate)
{
	atomic_fetch_sub_explicit(&gate->running, 1, memory_order_relaxed);
	brine_gate_drop(gate);
}
