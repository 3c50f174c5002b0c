#include "run/pool.h"

#include "base/alloc.h"
#include "dispatch/dispatch.h"
#include "dispatch/request.h"
#include "net/clock.h"
#include "run/thread.h"

#include <time.h>

void brine_pool_init(struct brine_pool *workers, const struct brine_server_options *options)
{
	*workers = (struct brine_pool){.most = options->workers,
	                               .queue_max = options->worker_queue_max,
	                               .stack_size = options->thread_stack_size,
	                               .allocator = options->allocator,
	                               .lock = PTHREAD_MUTEX_INITIALIZER,
	                               .wanted = PTHREAD_COND_INITIALIZER};
	/* The time to wait for is told on the clock that everything here goes by. */
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->quiet, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* Threads in a handler that does not wait for a peer. Those that waited and go on may be more than `most`. */
static uint32_t busy_threads(const struct brine_pool *workers)
{
	return workers->started - workers->idle - workers->waiting;
}

/* Idle threads that may take a job. */
static uint32_t free_threads(const struct brine_pool *workers)
{
	uint32_t busy = busy_threads(workers);
	uint32_t room = busy < workers->most ? workers->most - busy : 0;
	return workers->idle < room ? workers->idle : room;
}

/* The next job, when there is one and the calling thread, which is idle, may take it; NULL: it is over. Holds the lock.
 */
static struct brine_request *take_job(struct brine_pool *workers)
{
	while (workers->first ? free_threads(workers) == 0 : !workers->stopping)
		pthread_cond_wait(&workers->wanted, &workers->lock);
	struct brine_request *request = workers->first;
	if (request) {
		workers->first = request->job_next;
		workers->queued--;
		workers->idle--;
		/* Those that might not help with the last jobs need not wait for more. */
		if (workers->stopping && !workers->first)
			pthread_cond_broadcast(&workers->wanted);
	}
	return request;
}

static void *run_worker(void *argument)
{
	struct brine_pool *workers = argument;
	struct brine_request *request;
	pthread_mutex_lock(&workers->lock);
	while ((request = take_job(workers))) {
		pthread_mutex_unlock(&workers->lock);
		brine_dispatch_job(request);
		pthread_mutex_lock(&workers->lock);
		workers->idle++;
		if (workers->idle == workers->started && !workers->first)
			pthread_cond_broadcast(&workers->quiet);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static size_t threads_size(const struct brine_pool *workers)
{
	return (workers->most + (size_t)BRINE_POOL_BLOCKING_MAX) * sizeof *workers->threads;
}

/* Whether one more thread would have something to do. Bounds the threads ever started by threads_size(). */
static bool may_start(const struct brine_pool *workers)
{
	return workers->started < workers->most + workers->waiting;
}

/* Starts one more thread. Holds the lock. */
static int start_worker(struct brine_pool *workers)
{
	if (!workers->threads)
		workers->threads = brine_alloc_zero(workers->allocator, threads_size(workers));
	if (!workers->threads)
		return BRINE_ERR_NOMEM;
	if (brine_thread_start(&workers->threads[workers->started], workers->stack_size, run_worker, workers) != 0)
		return BRINE_ERR_SYSTEM;
	workers->started++;
	workers->idle++;
	return 0;
}

/* Whether one more job may wait; starts a thread for it where none is free. Holds the lock. */
static int make_room(struct brine_pool *workers)
{
	if (workers->stopping)
		return BRINE_ERR_OVERLOADED;
	if (workers->queued < free_threads(workers))
		return 0;
	int status = may_start(workers) ? start_worker(workers) : BRINE_ERR_OVERLOADED;
	/* Without another thread it waits for one of those there are. */
	if (status < 0 && workers->started > workers->waiting &&
	    workers->queued < (uint64_t)free_threads(workers) + workers->queue_max)
		status = 0;
	return status;
}

int brine_pool_submit(struct brine_pool *workers, struct brine_request *request)
{
	pthread_mutex_lock(&workers->lock);
	int status = make_room(workers);
	if (status == 0) {
		request->job_next = NULL;
		*(workers->first ? &workers->last->job_next : &workers->first) = request;
		workers->last = request;
		workers->queued++;
		pthread_cond_signal(&workers->wanted);
	}
	pthread_mutex_unlock(&workers->lock);
	return status;
}

static bool is_worker(const struct brine_pool *workers)
{
	for (uint32_t i = 0; i < workers->started; i++)
		if (pthread_equal(workers->threads[i], pthread_self()))
			return true;
	return false;
}

int brine_pool_begin_blocking(struct brine_pool *workers)
{
	pthread_mutex_lock(&workers->lock);
	int status = is_worker(workers);
	if (status > 0 && workers->waiting == BRINE_POOL_BLOCKING_MAX)
		status = BRINE_ERR_OVERLOADED;
	if (status > 0) {
		workers->waiting++;
		bool is_last = workers->started == workers->waiting;
		bool wants = workers->queued > free_threads(workers) && may_start(workers);
		int started = wants || is_last ? start_worker(workers) : 0;
		if (started < 0 && is_last) {
			workers->waiting--;
			status = started;
		}
		/* One that may not have taken another job may now. */
		if (workers->first)
			pthread_cond_signal(&workers->wanted);
	}
	pthread_mutex_unlock(&workers->lock);
	return status;
}

void brine_pool_end_blocking(struct brine_pool *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->waiting--;
	pthread_mutex_unlock(&workers->lock);
}

bool brine_pool_quiesce(struct brine_pool *workers, uint64_t wait_ms)
{
	uint64_t until_ms = brine_clock_ms() + wait_ms;
	struct timespec until = {(time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000};
	int failure = 0;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->wanted);
	while (failure == 0 && (workers->first || workers->idle < workers->started))
		failure = pthread_cond_timedwait(&workers->quiet, &workers->lock, &until);
	pthread_mutex_unlock(&workers->lock);
	return failure == 0;
}

void brine_pool_stop(struct brine_pool *workers)
{
	for (uint32_t i = 0; i < workers->started; i++)
		pthread_join(workers->threads[i], NULL);
}

void brine_pool_done(struct brine_pool *workers)
{
	brine_release(workers->allocator, workers->threads, workers->threads ? threads_size(workers) : 0);
	workers->threads = NULL;
}
