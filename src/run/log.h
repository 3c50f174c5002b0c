/* run/log.h - lines for the program's log callback, at most ten a second: a peer cannot fill a disk with them. Any
 * thread; the callback is called by one at a time. */
#ifndef BRINE_RUN_LOG_H
#define BRINE_RUN_LOG_H

#include <brine/server.h>

#include <pthread.h>

enum {
	BRINE_LOG_LINES_MAX = 10,  /* in each second */
	BRINE_LOG_LINE_SIZE = 384, /* longer lines are cut */
	BRINE_LOG_TEXT_SIZE = 257, /* buffer for escaped text of a peer, which goes into a line */
};

struct brine_log {
	brine_log_fn *write; /* NULL: nobody listens */
	void *user;
	pthread_mutex_t lock; /* guards the rest */
	uint64_t second_ms;   /* when the current second began */
	uint64_t dropped;     /* lines left out in it */
	uint32_t lines;       /* lines written in it */
};

void brine_log_init(struct brine_log *log, brine_log_fn *write, void *user);

/* Writes one line, or counts it where ten went out within the second. What a peer chose must be escaped by the caller.
 */
void brine_log_print(struct brine_log *log, uint64_t now_ms, const char *format, ...) BRINE_PRINTF(3, 4);

/* Says how many lines were left out, if any: at the end. */
void brine_log_flush(struct brine_log *log);

#endif
