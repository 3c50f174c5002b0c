/* net/random.h - the one source of randomness: seeds of hash tables, temporary names, jitter. Any thread. */
#ifndef BRINE_NET_RANDOM_H
#define BRINE_NET_RANDOM_H

#include <stddef.h>

/* Fills size bytes that nobody can predict. 0 or BRINE_ERR_SYSTEM (errno says why); the bytes are then undefined. */
int brine_random_fill(void *out, size_t size);

#endif
