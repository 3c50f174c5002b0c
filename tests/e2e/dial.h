/* dial.h - connecting as a client does, by a thread that waits for it. */
#ifndef BRINE_TESTS_DIAL_H
#define BRINE_TESTS_DIAL_H

#include "net/clock.h"
#include "net/dial.h"
#include "net/poll_set.h"

static inline int dial_run(struct brine_dial *dial, uint64_t deadline_ms, int *ret_fd, size_t *ret_index,
                           struct brine_error *error)
{
	for (;;) {
		uint64_t now_ms = brine_clock_ms();
		int status = brine_dial_step(dial, now_ms, ret_fd, ret_index, error);
		if (status != 0)
			return status < 0 ? status : 0;
		if (now_ms >= deadline_ms)
			return brine_fail(error, BRINE_ERR_DEADLINE, 0, "could not connect in time");
		struct brine_poll_set set = {0};
		int fds[BRINE_ADDR_RESOLVED_MAX];
		size_t count = brine_dial_fds(dial, fds);
		for (size_t i = 0; i < count; i++)
			brine_poll_set_add(&set, fds[i], BRINE_WRITABLE);
		uint64_t due_ms = brine_dial_due(dial);
		if (brine_poll_set_wait(&set, due_ms < deadline_ms ? due_ms : deadline_ms) < 0)
			return brine_fail(error, BRINE_ERR_SYSTEM, 0, "could not wait for a connection");
	}
}

/* Connects to one of count addresses. *ret_fd is the caller's, *ret_index (NULL allowed) says to which. Errors:
 * BRINE_ERR_DEADLINE, and those of brine_dial_step(). */
static inline int dial_and_wait(int *ret_fd, size_t *ret_index, const struct brine_sockaddr *list, size_t count,
                                uint64_t deadline_ms, struct brine_error *error)
{
	struct brine_dial dial;
	int status = brine_dial_begin(&dial, list, count, brine_clock_ms(), error);
	if (status < 0)
		return status;
	status = dial_run(&dial, deadline_ms, ret_fd, ret_index, error);
	brine_dial_done(&dial);
	return status;
}

#endif
