/* stress.h - a round of many threads that act at random: what they share, what they count, and where chance comes from.
 */
#ifndef BRINE_TESTS_STRESS_H
#define BRINE_TESTS_STRESS_H

#include "streaming.h"

#include <unistd.h>

enum {
	TOKENS = 1 << 16, /* one for each call or notification that runs "work" */
	QUEUE = 1024,     /* requests, or clients that were kept, and wait for a thread */
};

/* Items that one thread leaves to others. */
struct queue {
	pthread_mutex_t lock;
	void *items[QUEUE];
	size_t count;
};

static inline bool queue_put(struct queue *queue, void *item)
{
	pthread_mutex_lock(&queue->lock);
	bool put = queue->count < QUEUE;
	if (put)
		queue->items[queue->count++] = item;
	pthread_mutex_unlock(&queue->lock);
	return put;
}

static inline void *queue_take(struct queue *queue, uint64_t *random)
{
	void *item = NULL;
	pthread_mutex_lock(&queue->lock);
	if (queue->count) {
		size_t at = random_below(random, queue->count);
		item = queue->items[at];
		queue->items[at] = queue->items[--queue->count];
	}
	pthread_mutex_unlock(&queue->lock);
	return item;
}

/* A round, and what is counted over all of them. */
static struct {
	uint64_t seed;
	struct brine_server *server;
	bool is_narrow; /* clients have few calls at once, and so none that waits for another one */
	struct queue pending, kept;
	atomic_bool over;     /* the callers end */
	atomic_bool all_over; /* and who answers, too */
	atomic_uint token;    /* the last one given away */
	atomic_uchar ran[TOKENS], not_sent[TOKENS];
	struct streams streams[2]; /* of the server, and of its clients */
	atomic_uint answered, refused, cancelled, lost, unsent, late, callbacks, nested, woken, back, streamed, broken;
	atomic_int wrong; /* the line that found something */
} stress;

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		int none = 0;                                                                                          \
		if (!(condition))                                                                                      \
			atomic_compare_exchange_strong(&stress.wrong, &none, __LINE__);                                \
	} while (0)

/* A thread's own source of chance. */
static _Thread_local uint64_t chance_state;
static atomic_uint chance_threads;

static inline uint64_t draw(uint64_t bound)
{
	if (chance_state == 0)
		chance_state = stress.seed * 1000003 + atomic_fetch_add(&chance_threads, 1) + 1;
	return random_below(&chance_state, bound);
}

/* Before system calls: others get their turn, sometimes for longer. */
static inline void dawdle(void *user)
{
	(void)user;
	uint64_t dice = draw(64);
	if (dice == 0)
		usleep((useconds_t)draw(200));
	else if (dice < 8)
		sched_yield();
}

#endif
