/* net/random.h - the one source of randomness, for seeds of hash tables, temporary names and jitter. Any thread. */
#ifndef BRINE_NET_RANDOM_H
#define BRINE_NET_RANDOM_H

#include <stddef.h>

/* Fills size bytes that nobody can predict. On error the bytes are undefined. Errors:
 *   BRINE_ERR_SYSTEM   errno says why */
int brine_random_fill(void *out, size_t size);

#endif
