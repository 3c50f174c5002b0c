/* rpc/gate.h - how many requests of one method run at once: brine_method_options.running_max. */
#ifndef BRINE_RPC_GATE_H
#define BRINE_RPC_GATE_H

#include <brine/allocator.h>

#include <stdbool.h>
#include <stdint.h>

/* Held by the table of methods and by each request that it let in, which may outlive that. */
struct brine_gate;

/* NULL when out of memory. allocator NULL: the default; must outlive the gate. */
struct brine_gate *brine_gate_new(uint32_t most, const struct brine_allocator *allocator);

/* The table lets go. NULL is allowed. */
void brine_gate_drop(struct brine_gate *gate);

/* Lets one more in, which ends with brine_gate_leave(). False: there are the most allowed. Any thread. */
bool brine_gate_enter(struct brine_gate *gate);
void brine_gate_leave(struct brine_gate *gate);

#endif
