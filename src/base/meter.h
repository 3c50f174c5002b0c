/* base/meter.h - an allocator in front of another one, which counts what is held and says no above a limit. For all
 * threads; it lives until its last holder has let go of it. */
#ifndef BRINE_BASE_METER_H
#define BRINE_BASE_METER_H

#include <brine/allocator.h>

#include <stdatomic.h>

struct brine_meter {
	struct brine_allocator base; /* what others use */
	const struct brine_allocator *inner;
	size_t most;
	atomic_size_t held; /* bytes, itself left out */
	atomic_uint holders;
};

/* Makes a meter in front of an allocator (NULL: the default), which must outlive it; it has one holder. NULL: out of
 * memory. */
struct brine_meter *brine_meter_new(const struct brine_allocator *inner, size_t most);

/* NULL is allowed: there is no limit. */
void brine_meter_hold(struct brine_meter *meter);
void brine_meter_drop(struct brine_meter *meter);
size_t brine_meter_held(const struct brine_meter *meter);

/* Whether more than seven eighths are held: time to begin nothing new. NULL: never. */
bool brine_meter_is_short(const struct brine_meter *meter);

/* Whether at most half is held: memory may be kept for later use. NULL: always. */
bool brine_meter_may_hoard(const struct brine_meter *meter);

#endif
