#include "run/pool.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "run/thread.h"

#include <time.h>

void brine_pool_init(struct brine_pool *pool, const struct brine_server_options *options)
{
	*pool = (struct brine_pool){.most = options->workers,
	                            .queue_max = options->worker_queue_max,
	                            .stack_size = options->thread_stack_size,
	                            .allocator = options->allocator,
	                            .lock = PTHREAD_MUTEX_INITIALIZER,
	                            .wanted = PTHREAD_COND_INITIALIZER};
	/* The time to wait for is told on the clock that everything here goes by. */
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->quiet, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* Threads in a handler that does not wait for a peer. Those that waited and go on may be more than `most`. */
static uint32_t busy_threads(const struct brine_pool *pool)
{
	return pool->started - pool->idle - pool->waiting;
}

/* Idle threads that may take a job. */
static uint32_t free_threads(const struct brine_pool *pool)
{
	uint32_t busy = busy_threads(pool);
	uint32_t room = busy < pool->most ? pool->most - busy : 0;
	return pool->idle < room ? pool->idle : room;
}

/* The next job, when there is one and the calling thread, which is idle, may take it; NULL: it is over. Holds the lock.
 */
static struct brine_job *take_job(struct brine_pool *pool)
{
	while (pool->first ? free_threads(pool) == 0 : !pool->stopping)
		pthread_cond_wait(&pool->wanted, &pool->lock);
	struct brine_job *job = pool->first;
	if (job) {
		pool->first = job->next;
		pool->queued--;
		pool->idle--;
		/* Those that might not help with the last jobs need not wait for more. */
		if (pool->stopping && !pool->first)
			pthread_cond_broadcast(&pool->wanted);
	}
	return job;
}

static void *run_worker(void *argument)
{
	struct brine_pool *pool = argument;
	struct brine_job *job;
	pthread_mutex_lock(&pool->lock);
	while ((job = take_job(pool))) {
		pthread_mutex_unlock(&pool->lock);
		job->run(job);
		pthread_mutex_lock(&pool->lock);
		pool->idle++;
		if (pool->idle == pool->started && !pool->first)
			pthread_cond_broadcast(&pool->quiet);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static size_t threads_size(const struct brine_pool *pool)
{
	return (pool->most + (size_t)BRINE_POOL_BLOCKING_MAX) * sizeof *pool->threads;
}

/* Whether one more thread would have something to do. Bounds the threads ever started by threads_size(). */
static bool may_start(const struct brine_pool *pool)
{
	return pool->started < pool->most + pool->waiting;
}

/* Starts one more thread. Holds the lock. */
static int start_worker(struct brine_pool *pool)
{
	if (!pool->threads)
		pool->threads = brine_alloc_zero(pool->allocator, threads_size(pool));
	if (!pool->threads)
		return BRINE_ERR_NOMEM;
	if (brine_thread_start(&pool->threads[pool->started], pool->stack_size, run_worker, pool) != 0)
		return BRINE_ERR_SYSTEM;
	pool->started++;
	pool->idle++;
	return 0;
}

/* Whether one more job may wait; starts a thread for it where none is free. Holds the lock. */
static int make_room(struct brine_pool *pool)
{
	if (pool->stopping)
		return BRINE_ERR_OVERLOADED;
	if (pool->queued < free_threads(pool))
		return 0;
	int status = may_start(pool) ? start_worker(pool) : BRINE_ERR_OVERLOADED;
	/* Without another thread it waits for one of those there are. */
	if (status < 0 && pool->started > pool->waiting &&
	    pool->queued < (uint64_t)free_threads(pool) + pool->queue_max)
		status = 0;
	return status;
}

int brine_pool_submit(struct brine_pool *pool, struct brine_job *job)
{
	pthread_mutex_lock(&pool->lock);
	int status = make_room(pool);
	if (status == 0) {
		job->next = NULL;
		*(pool->first ? &pool->last->next : &pool->first) = job;
		pool->last = job;
		pool->queued++;
		pthread_cond_signal(&pool->wanted);
	}
	pthread_mutex_unlock(&pool->lock);
	return status;
}

static bool is_worker(const struct brine_pool *pool)
{
	for (uint32_t i = 0; i < pool->started; i++)
		if (pthread_equal(pool->threads[i], pthread_self()))
			return true;
	return false;
}

int brine_pool_begin_blocking(struct brine_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	int status = is_worker(pool);
	if (status > 0 && pool->waiting == BRINE_POOL_BLOCKING_MAX)
		status = BRINE_ERR_OVERLOADED;
	if (status > 0) {
		pool->waiting++;
		bool is_last = pool->started == pool->waiting;
		bool wants = pool->queued > free_threads(pool) && may_start(pool);
		int started = wants || is_last ? start_worker(pool) : 0;
		if (started < 0 && is_last) {
			pool->waiting--;
			status = started;
		}
		/* One that may not have taken another job may now. */
		if (pool->first)
			pthread_cond_signal(&pool->wanted);
	}
	pthread_mutex_unlock(&pool->lock);
	return status;
}

void brine_pool_end_blocking(struct brine_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->waiting--;
	pthread_mutex_unlock(&pool->lock);
}

bool brine_pool_quiesce(struct brine_pool *pool, uint64_t wait_ms)
{
	uint64_t until_ms = brine_clock_ms() + wait_ms;
	struct timespec until = {(time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000};
	int failure = 0;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->wanted);
	while (failure == 0 && (pool->first || pool->idle < pool->started))
		failure = pthread_cond_timedwait(&pool->quiet, &pool->lock, &until);
	pthread_mutex_unlock(&pool->lock);
	return failure == 0;
}

void brine_pool_stop(struct brine_pool *pool)
{
	for (uint32_t i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
}

void brine_pool_done(struct brine_pool *pool)
{
	brine_release(pool->allocator, pool->threads, pool->threads ? threads_size(pool) : 0);
	pool->threads = NULL;
}
