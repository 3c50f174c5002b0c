/* jobs.h - handlers that take their time, on workers and in threads of the test, for the tests of servers. */
#ifndef BRINE_TESTS_JOBS_H
#define BRINE_TESTS_JOBS_H

#include "harness.h"

enum { JOBS_QUEUE_MAX = 4096, JOBS_THREADS_MAX = 4 };

struct jobs {
	struct host host;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;                /* the gate at which "wait" waits */
	atomic_int entered, left; /* handlers of "wait" */
	atomic_int running;       /* of them, and of "spin" */
	atomic_int running_most;
	atomic_int saw_cancel; /* of them, how many */
	/* "later" and "later/worker" give their requests to these threads. */
	struct brine_request *queue[JOBS_QUEUE_MAX];
	int queued;
	atomic_int pending, pending_most; /* requests not answered yet */
	bool over;
	atomic_int taken, answered, lost; /* by the threads */
	bool until_cancelled;             /* they answer only once nobody wants it any more */
	bool memory_fails;
	pthread_t threads[JOBS_THREADS_MAX];
	int thread_count;
};

static inline void jobs_count_up(atomic_int *count, atomic_int *most)
{
	keep_most(most, atomic_fetch_add(count, 1) + 1);
}

/* Waits at the gate, or until the call is not wanted any more. Answers with its params. */
static inline int jobs_wait(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct jobs *jobs = user;
	jobs_count_up(&jobs->running, &jobs->running_most);
	atomic_fetch_add(&jobs->entered, 1);
	for (bool open = false; !open && !brine_request_cancelled(request);) {
		pthread_mutex_lock(&jobs->lock);
		open = jobs->open;
		pthread_mutex_unlock(&jobs->lock);
		sched_yield();
	}
	if (brine_request_cancelled(request))
		atomic_fetch_add(&jobs->saw_cancel, 1);
	atomic_fetch_sub(&jobs->running, 1);
	atomic_fetch_add(&jobs->left, 1);
	return brine_request_reply_raw(request, params);
}

static inline int jobs_later(struct brine_request *request, struct brine_bytes params, void *user)
{
	struct jobs *jobs = user;
	(void)params;
	jobs_count_up(&jobs->pending, &jobs->pending_most);
	pthread_mutex_lock(&jobs->lock);
	if (jobs->queued == JOBS_QUEUE_MAX)
		abort();
	jobs->queue[jobs->queued++] = request;
	pthread_cond_signal(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
	return BRINE_PENDING;
}

static inline struct brine_request *jobs_take(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	while (jobs->queued == 0 && !jobs->over)
		pthread_cond_wait(&jobs->changed, &jobs->lock);
	struct brine_request *request = jobs->queued > 0 ? jobs->queue[--jobs->queued] : NULL;
	pthread_mutex_unlock(&jobs->lock);
	return request;
}

/* Answers with [number of the request, text] in every way there is. */
static inline void *jobs_answer(void *argument)
{
	struct jobs *jobs = argument;
	struct brine_request *request;
	while ((request = jobs_take(jobs))) {
		int turn = atomic_fetch_add(&jobs->taken, 1);
		while (jobs->until_cancelled && !brine_request_cancelled(request))
			sched_yield();
		struct brine_str text = brine_request_printf(request, "%s", "later");
		if (!jobs->memory_fails && (text.size != 5 || !brine_request_alloc(request, 100)))
			abort();
		atomic_fetch_sub(&jobs->pending, 1);
		int status = 0;
		if (turn % 5 == 4) {
			struct calc_pair pair = {turn, 1};
			(void)brine_request_fail_data(request, 100, &calc_pair_type, &pair, "%.*s", BRINE_ARG(text));
		} else {
			status = brine_request_reply_raw(request, BRINE_BYTES("\x92\x01\x02", 3));
		}
		atomic_fetch_add(status == 0 ? &jobs->answered : &jobs->lost, 1);
	}
	return NULL;
}

/* A server that has the handlers, in front of its start. options may be NULL. */
static inline void jobs_prepare(struct jobs *jobs, void **state, enum over kind,
                                const struct brine_server_options *options, int threads)
{
	memset(jobs, 0, sizeof *jobs);
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->changed, NULL);
	host_prepare(&jobs->host, state, kind, options);
	struct brine_server *server = jobs->host.server;
	assert_int_equal(brine_server_serve_raw_as(server, "wait", BRINE_METHOD_BLOCKING, jobs_wait, jobs, NULL), 0);
	assert_int_equal(brine_server_serve_raw(server, "later", jobs_later, jobs, NULL), 0);
	assert_int_equal(
	        brine_server_serve_raw_as(server, "later/worker", BRINE_METHOD_BLOCKING, jobs_later, jobs, NULL), 0);
	for (jobs->thread_count = 0; jobs->thread_count < threads; jobs->thread_count++)
		assert_int_equal(pthread_create(&jobs->threads[jobs->thread_count], NULL, jobs_answer, jobs), 0);
}

static inline void jobs_start(struct jobs *jobs, void **state, enum over kind,
                              const struct brine_server_options *options, int threads)
{
	jobs_prepare(jobs, state, kind, options, threads);
	host_launch(&jobs->host);
}

static inline void jobs_open_gate(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->open = true;
	pthread_mutex_unlock(&jobs->lock);
}

/* Lets the threads answer what there is and end. */
static inline void jobs_join(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	jobs->over = true;
	pthread_cond_broadcast(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
	while (jobs->thread_count > 0)
		pthread_join(jobs->threads[--jobs->thread_count], NULL);
}

#endif
