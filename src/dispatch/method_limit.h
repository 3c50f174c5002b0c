/* dispatch/method_limit.h - how many requests of one method run at once: brine_method_options.running_max. */
#ifndef BRINE_DISPATCH_METHOD_LIMIT_H
#define BRINE_DISPATCH_METHOD_LIMIT_H

#include <brine/allocator.h>

#include <stdbool.h>
#include <stdint.h>

/* Held by the table of methods and by each request that it let in, which may outlive that. */
struct brine_method_limit;

/* NULL when out of memory. allocator NULL: the default; must outlive the limit. */
struct brine_method_limit *brine_method_limit_new(uint32_t most, const struct brine_allocator *allocator);

/* The table lets go. NULL is allowed. */
void brine_method_limit_drop(struct brine_method_limit *method_limit);

/* Lets one more in, which ends with brine_method_limit_release(). False: there are the most allowed. Any thread. */
bool brine_method_limit_acquire(struct brine_method_limit *method_limit);
void brine_method_limit_release(struct brine_method_limit *method_limit);

#endif
