#include "text/flusher.h"

#include "base/alloc.h"
#include "run/thread.h"
#include "text/wait.h"

#include <brine/error.h>

#include <errno.h>
#include <stdio_ext.h>
#include <unistd.h>

struct text_flusher {
	const struct brine_allocator *allocator;
	FILE *file;
	uint64_t interval_ms;
	pthread_t thread;
	pid_t maker;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stops; /* guarded by the lock */
};

/* A FILE cannot say that something was put into it, so it is looked at. Its lock is only tried: whoever holds it is
 * printing, waits for the peer, which this cannot hurry, or is inside fclose(), which waits for this thread. True: it
 * was looked at. */
static bool flush(FILE *file)
{
	if (ftrylockfile(file) != 0)
		return false;
	/* Errors stay in the FILE, for the program to find. */
	if (__fpending(file) > 0)
		(void)fflush_unlocked(file);
	funlockfile(file);
	return true;
}

/* Sleeps; true: the end has come. The lock is held. */
static bool rest(struct text_flusher *flusher, uint64_t duration_ms)
{
	uint64_t until_ms = brine_text_until(duration_ms);
	while (!flusher->stops && brine_text_wait(&flusher->stopped, &flusher->lock, until_ms))
		;
	return flusher->stops;
}

static void *run(void *argument)
{
	struct text_flusher *flusher = argument;
	bool flushed = true;
	pthread_mutex_lock(&flusher->lock);
	/* A FILE that was busy is looked at again soon: with its lock free for a moment it is done. */
	while (!rest(flusher, flushed ? flusher->interval_ms : 1)) {
		pthread_mutex_unlock(&flusher->lock);
		flushed = flush(flusher->file);
		pthread_mutex_lock(&flusher->lock);
	}
	pthread_mutex_unlock(&flusher->lock);
	return NULL;
}

static void release(struct text_flusher *flusher)
{
	pthread_cond_destroy(&flusher->stopped);
	pthread_mutex_destroy(&flusher->lock);
	brine_release(flusher->allocator, flusher, sizeof *flusher);
}

int brine_text_flusher_start(struct text_flusher **ret_flusher, const struct brine_allocator *allocator, FILE *file,
                             uint64_t interval_ms)
{
	struct text_flusher *flusher = brine_alloc_zero(allocator, sizeof *flusher);
	if (!flusher)
		return BRINE_ERR_NOMEM;
	flusher->allocator = allocator;
	flusher->file = file;
	flusher->interval_ms = interval_ms;
	flusher->maker = getpid();
	pthread_mutex_init(&flusher->lock, NULL);
	brine_text_condition_init(&flusher->stopped);
	int failure = brine_thread_start(&flusher->thread, 0, run, flusher);
	if (failure) {
		release(flusher);
		errno = failure;
		return BRINE_ERR_SYSTEM;
	}
	*ret_flusher = flusher;
	return 0;
}

void brine_text_flusher_stop(struct text_flusher *flusher)
{
	if (!flusher)
		return;
	/* The lock of a child may be held by the thread it has not, for ever. */
	if (flusher->maker != getpid()) {
		brine_release(flusher->allocator, flusher, sizeof *flusher);
		return;
	}
	pthread_mutex_lock(&flusher->lock);
	flusher->stops = true;
	pthread_cond_signal(&flusher->stopped);
	pthread_mutex_unlock(&flusher->lock);
	pthread_join(flusher->thread, NULL);
	release(flusher);
}
