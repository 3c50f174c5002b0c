/* text/flusher.h - a thread that flushes a FILE every so often, so that nothing waits longer in it. */
#ifndef BRINE_TEXT_FLUSHER_H
#define BRINE_TEXT_FLUSHER_H

#include <brine/allocator.h>

#include <stdint.h>
#include <stdio.h>

struct text_flusher; /* opaque */

/* Starts it. 0, BRINE_ERR_NOMEM, or SYSTEM: no thread (errno). */
int brine_text_flusher_start(struct text_flusher **ret_flusher, const struct brine_allocator *allocator, FILE *file,
                             uint64_t interval_ms);

/* Ends it; NULL is allowed. The caller may hold the lock of the FILE. In a forked child, which has no such thread, only
 * memory is released. */
void brine_text_flusher_stop(struct text_flusher *flusher);

#endif
