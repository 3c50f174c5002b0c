/* run/pool.h - the bounded pool of threads on which handlers may block. Threads are started when a job finds none
 * that is free, up to the most allowed, and live until brine_pool_stop(). A thread that waits for a peer leaves its
 * place to another one: when it goes on, no job is taken until there are no more of them at work than allowed. */
#ifndef BRINE_RUN_POOL_H
#define BRINE_RUN_POOL_H

#include <brine/server.h>

#include <pthread.h>

enum {
	BRINE_POOL_BLOCKING_MAX = 256, /* that wait for what a peer answers, beside those that work */
};

/* Something to do, in the storage of whoever submits it. */
struct brine_job {
	struct brine_job *next;
	void (*run)(struct brine_job *job); /* on a thread of the pool; the job may be gone when it returns */
};

struct brine_pool {
	uint32_t most;      /* threads that take jobs while others wait for a peer */
	uint32_t queue_max; /* jobs that wait beyond those a free thread is there for */
	size_t stack_size;  /* as the option */
	const struct brine_allocator *allocator;
	pthread_t *threads; /* NULL until the first job; those started */
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	pthread_cond_t wanted;          /* there is a job, or it is over */
	pthread_cond_t quiet;           /* no job runs or waits */
	struct brine_job *first, *last; /* that wait, in order */
	uint32_t queued;
	uint32_t started;
	uint32_t idle;    /* of them */
	uint32_t waiting; /* of them: for the answer of a peer, which may depend on jobs that others do */
	bool stopping;
};

void brine_pool_init(struct brine_pool *pool, const struct brine_server_options *options);

/* Lets a worker run the job, whose run is set. Errors, the job is then not touched: BRINE_ERR_OVERLOADED (too many
 * wait), SYSTEM (there is no thread and none could be started), NOMEM. */
int brine_pool_submit(struct brine_pool *pool, struct brine_job *job);

/* Says that the calling thread waits for what a peer answers, until brine_pool_end_blocking(): another one is started
 * in its place where there are jobs, so that a peer which calls back before it answers cannot wait for ever. 1; 0: the
 * thread is none of the workers, nothing was noted. Errors: BRINE_ERR_OVERLOADED (too many wait already), SYSTEM (no
 * other thread works, and none could be started), NOMEM. */
int brine_pool_begin_blocking(struct brine_pool *pool);
void brine_pool_end_blocking(struct brine_pool *pool);

/* Takes no more jobs, and waits until those that there are have ended, for wait_ms at most. True: all have. */
bool brine_pool_quiesce(struct brine_pool *pool, uint64_t wait_ms);

/* After brine_pool_quiesce(): waits for every thread, for as long as its handler takes. */
void brine_pool_stop(struct brine_pool *pool);

/* Releases the pool, which was stopped, never used, or belongs to the parent of a forked child. */
void brine_pool_done(struct brine_pool *pool);

#endif
