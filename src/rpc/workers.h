/* rpc/workers.h - the bounded pool of threads on which handlers may block. Threads are started when a job finds none
 * that is free, up to the most allowed, and live until brine_workers_stop(). A thread that waits for a peer leaves its
 * place to another one: when it goes on, no job is taken until there are no more of them at work than allowed. */
#ifndef BRINE_RPC_WORKERS_H
#define BRINE_RPC_WORKERS_H

#include <brine/server.h>

#include <pthread.h>

struct brine_request;

enum {
	BRINE_WORKERS_WAITING_MAX = 256, /* that wait for what a peer answers, beside those that work */
};

struct brine_workers {
	uint32_t most;      /* threads that take jobs while others wait for a peer */
	uint32_t queue_max; /* jobs that wait beyond those a free thread is there for */
	size_t stack_size;  /* as the option */
	const struct brine_allocator *allocator;
	pthread_t *threads; /* NULL until the first job; those started */
	pthread_mutex_t lock;
	/* Guarded by the lock: */
	pthread_cond_t wanted;              /* there is a job, or it is over */
	pthread_cond_t quiet;               /* no job runs or waits */
	struct brine_request *first, *last; /* that wait, in order */
	uint32_t queued;
	uint32_t started;
	uint32_t idle;    /* of them */
	uint32_t waiting; /* of them: for the answer of a peer, which may depend on jobs that others do */
	bool stopping;
};

void brine_workers_init(struct brine_workers *workers, const struct brine_server_options *options);

/* Lets a worker handle the request. Errors, it will then not be touched: BRINE_ERR_OVERLOADED (too many wait), SYSTEM
 * (there is no thread and none could be started), NOMEM. */
int brine_workers_submit(struct brine_workers *workers, struct brine_request *request);

/* Says that the calling thread waits for what a peer answers, until brine_workers_go_on(): another one is started in
 * its place where there are jobs, so that a peer which calls back before it answers cannot wait for ever. 1; 0: the
 * thread is none of the workers, nothing was noted. Errors: BRINE_ERR_OVERLOADED (too many wait already), SYSTEM (no
 * other thread works, and none could be started), NOMEM. */
int brine_workers_wait(struct brine_workers *workers);
void brine_workers_go_on(struct brine_workers *workers);

/* Takes no more jobs, and waits until those that there are have ended, for wait_ms at most. True: all have. */
bool brine_workers_quiesce(struct brine_workers *workers, uint64_t wait_ms);

/* After brine_workers_quiesce(): waits for every thread, for as long as its handler takes. */
void brine_workers_stop(struct brine_workers *workers);

/* Releases the pool, which was stopped, never used, or belongs to the parent of a forked child. */
void brine_workers_done(struct brine_workers *workers);

#endif
