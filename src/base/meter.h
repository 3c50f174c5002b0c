/* base/meter.h - an allocator in front of another one. It counts the bytes that are held and refuses more than a limit.
 * Any thread may use a meter. Holders count their references; the last one to drop the meter frees it. */
#ifndef BRINE_BASE_METER_H
#define BRINE_BASE_METER_H

#include <brine/allocator.h>

#include <stdatomic.h>

struct brine_meter {
	struct brine_allocator base; /* the allocator to pass on */
	const struct brine_allocator *inner;
	size_t most;        /* bytes */
	atomic_size_t held; /* bytes; the meter itself does not count */
	atomic_uint holders;
};

/* Makes a meter with one holder, the caller. `inner` must outlive the meter; NULL means the default allocator. `most`
 * is the limit in bytes. Returns NULL when out of memory. */
struct brine_meter *brine_meter_new(const struct brine_allocator *inner, size_t most);

/* Adds a holder, or drops one. The last drop frees the meter. NULL is allowed and does nothing. */
void brine_meter_hold(struct brine_meter *meter);
void brine_meter_drop(struct brine_meter *meter);

/* Returns the bytes held now, 0 for NULL. */
size_t brine_meter_held(const struct brine_meter *meter);

/* Tells whether more than seven eighths of the limit are held. Nothing new should begin then. NULL gives false. */
bool brine_meter_is_short(const struct brine_meter *meter);

/* Tells whether at most half of the limit is held. Released memory may be kept for later use then. NULL gives true. */
bool brine_meter_may_hoard(const struct brine_meter *meter);

#endif
