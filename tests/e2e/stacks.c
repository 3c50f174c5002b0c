#include "stacks.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACKS_MAX = 256, PATTERN = 0xa5 };

static struct {
	atomic_bool paint;
	atomic_size_t last_size;
	atomic_uint count;
	struct {
		uint8_t *memory;
		size_t size;
	} list[STACKS_MAX];
} stacks;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

/* 0: as the caller says. */
static size_t size_for_all(void)
{
	const char *text = getenv("BRINE_TEST_STACK");
	return text ? strtoul(text, NULL, 10) : 0;
}

static int use_painted(pthread_attr_t *attributes, size_t size)
{
	unsigned place = atomic_fetch_add(&stacks.count, 1);
	if (place >= STACKS_MAX)
		abort();
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	memset(memory, PATTERN, size);
	stacks.list[place].memory = memory;
	stacks.list[place].size = size;
	return pthread_attr_setstack(attributes, memory, size);
}

int stacks_create(pthread_t *thread, const pthread_attr_t *given, void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	int detach_state;
	size_t size = size_for_all();
	bool paint = atomic_load(&stacks.paint);
	stacks.last_size = 0;
	if (given) {
		size_t asked;
		pthread_attr_getstacksize(given, &asked);
		stacks.last_size = asked;
	}
	if (!paint && !size)
		return __real_pthread_create(thread, given, run, argument);
	pthread_attr_init(&attributes);
	if (given && pthread_attr_getdetachstate(given, &detach_state) == 0)
		pthread_attr_setdetachstate(&attributes, detach_state);
	if (!size)
		pthread_attr_getstacksize(given ? given : &attributes, &size);
	int failure = paint ? use_painted(&attributes, size) : pthread_attr_setstacksize(&attributes, size);
	if (failure == 0)
		failure = __real_pthread_create(thread, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	return failure;
}

/* faults.c has one of its own. */
__attribute__((weak)) int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                                                void *(*run)(void *), void *argument)
{
	return stacks_create(thread, attributes, run, argument);
}

void stacks_paint(bool on)
{
	stacks.paint = on;
}

size_t stacks_most_used(size_t *ret_count)
{
	size_t most = 0;
	*ret_count = stacks.count;
	for (unsigned i = 0; i < *ret_count; i++) {
		size_t free_size = 0;
		while (free_size < stacks.list[i].size && stacks.list[i].memory[free_size] == PATTERN)
			free_size++;
		if (stacks.list[i].size - free_size > most)
			most = stacks.list[i].size - free_size;
	}
	return most;
}

void stacks_forget(void)
{
	while (stacks.count > 0) {
		unsigned last = --stacks.count;
		munmap(stacks.list[last].memory, stacks.list[last].size);
	}
}

size_t stacks_last_size(void)
{
	return stacks.last_size;
}
