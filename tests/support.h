/* support.h - what test programs share: cmocka with its includes, the failing allocator, seeded randomness. */
#ifndef BRINE_TESTS_SUPPORT_H
#define BRINE_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <brine/allocator.h>
#include <brine/buf.h>
#include <brine/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An allocator that counts what is held and fails on request. */
struct fail_allocator {
	struct brine_allocator base; /* hand &base to the code under test */
	uint64_t calls;              /* allocations asked for so far */
	uint64_t fail_at;            /* this one fails (1 is the first); 0: none */
	bool fail_after;             /* and every later one too */
	uint64_t failures;           /* injected so far: a sweep that injects none proves nothing */
	size_t held;                 /* bytes not given back */
	size_t held_most;
};

static inline void *fail_allocator_resize(void *user, void *memory, size_t old_size, size_t new_size)
{
	struct fail_allocator *fail = user;
	if (new_size == 0) {
		free(memory);
		fail->held -= old_size;
		return NULL;
	}
	fail->calls++;
	if (fail->fail_at && (fail->calls == fail->fail_at || (fail->fail_after && fail->calls > fail->fail_at))) {
		fail->failures++;
		return NULL;
	}
	void *grown = realloc(memory, new_size);
	if (!grown)
		abort();
	fail->held += new_size - (memory ? old_size : 0);
	if (fail->held > fail->held_most)
		fail->held_most = fail->held;
	return grown;
}

static inline void fail_allocator_init(struct fail_allocator *fail, uint64_t fail_at, bool fail_after)
{
	*fail = (struct fail_allocator){.fail_at = fail_at, .fail_after = fail_after};
	fail->base = (struct brine_allocator){fail_allocator_resize, fail};
}

/* splitmix64: the same numbers for the same seed on every machine. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
	return random_next(state) % bound;
}

/* "0a 94 00" -> bytes appended to out; spaces are skipped, anything else ends it. Returns the number of bytes. */
static inline size_t hex_append(struct brine_buf *out, const char *hex)
{
	size_t count = 0;
	unsigned byte;
	for (; *hex; hex += 2) {
		while (*hex == ' ')
			hex++;
		if (sscanf(hex, "%2x", &byte) != 1)
			break;
		uint8_t octet = (uint8_t)byte;
		if (brine_buf_append(out, &octet, 1) < 0)
			abort();
		count++;
	}
	return count;
}

#endif
