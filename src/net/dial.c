#include "net/socket.h"

#include "net/clock.h"
#include "net/fail.h"
#include "net/stream.h"

#include <errno.h>
#include <poll.h>

enum {
	STAGGER_MS = 250, /* until the next address is tried beside those under way (RFC 8305) */
	AGAIN_MS = 10,    /* until one that asked for patience is tried again */
	SELVES_MAX = 3,   /* tries of one address that may end at oneself */
};

enum state {
	WAITING = 0, /* to be tried at start_ms */
	UNDER_WAY,   /* fd is connecting */
	FAILED,
};

struct attempt {
	enum state state;
	int fd;
	unsigned selves;
	uint64_t start_ms;
};

struct dial {
	const struct brine_sockaddr *list;
	size_t count;
	struct attempt attempts[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error last; /* why an address failed, the last to do so */
};

/* Nothing of it is under way any more: the next one need not wait for its turn. */
static void attempt_failed(struct dial *dial, size_t index, const struct brine_error *error, uint64_t now_ms)
{
	struct attempt *attempt = &dial->attempts[index];
	bool self = error->system_errno == ELOOP && ++attempt->selves < SELVES_MAX;
	bool again = error->code == BRINE_ERR_CONNECT && (error->system_errno == EAGAIN || self);
	dial->last = *error;
	attempt->state = again ? WAITING : FAILED;
	attempt->start_ms = now_ms + AGAIN_MS;
	for (size_t i = index + 1; i < dial->count; i++) {
		if (dial->attempts[i].state == WAITING && dial->attempts[i].start_ms > now_ms) {
			dial->attempts[i].start_ms = now_ms;
			break;
		}
	}
}

/* Starts, or goes on with, one address. 1: connected. */
static int advance(struct dial *dial, size_t index, bool ready, uint64_t now_ms)
{
	struct attempt *attempt = &dial->attempts[index];
	struct brine_error error = BRINE_ERROR_INIT;
	int rc = 1;
	if (attempt->state == WAITING && attempt->start_ms <= now_ms)
		rc = brine_socket_connect(&attempt->fd, &dial->list[index], &error);
	else if (attempt->state == UNDER_WAY && ready)
		rc = brine_socket_connect_finish(attempt->fd, &dial->list[index], &error);
	else
		return 0;
	if (rc < 0) {
		if (attempt->state == UNDER_WAY)
			brine_socket_close(attempt->fd);
		attempt_failed(dial, index, &error, now_ms);
		return 0;
	}
	attempt->state = UNDER_WAY;
	return rc == 0;
}

/* When the next address is to be started; false where none is alive. */
static bool next_start(const struct dial *dial, uint64_t deadline_ms, uint64_t *ret_wait_until_ms)
{
	bool alive = false;
	*ret_wait_until_ms = deadline_ms;
	for (size_t i = 0; i < dial->count; i++) {
		const struct attempt *attempt = &dial->attempts[i];
		alive = alive || attempt->state != FAILED;
		if (attempt->state == WAITING && attempt->start_ms < *ret_wait_until_ms)
			*ret_wait_until_ms = attempt->start_ms;
	}
	return alive;
}

/* Waits for those under way; ready[i]: look at that one. 0 or BRINE_ERR_SYSTEM (errno). */
static int wait_any(const struct dial *dial, uint64_t until_ms, bool *ready)
{
	struct pollfd pollers[BRINE_ADDR_RESOLVED_MAX];
	for (size_t i = 0; i < dial->count; i++) {
		int fd = dial->attempts[i].state == UNDER_WAY ? dial->attempts[i].fd : -1;
		pollers[i] = (struct pollfd){.fd = fd, .events = POLLOUT};
	}
	int found = poll(pollers, dial->count, brine_wait_ms(until_ms));
	if (found < 0 && errno != EINTR && errno != EAGAIN)
		return BRINE_ERR_SYSTEM;
	for (size_t i = 0; i < dial->count; i++)
		ready[i] = found > 0 && pollers[i].revents;
	return 0;
}

static int dial_run(struct dial *dial, uint64_t deadline_ms, struct brine_error *error)
{
	bool ready[BRINE_ADDR_RESOLVED_MAX] = {false};
	for (;;) {
		uint64_t now_ms = brine_clock_ms();
		for (size_t i = 0; i < dial->count; i++)
			if (advance(dial, i, ready[i], now_ms) > 0)
				return (int)i;
		uint64_t until_ms;
		if (!next_start(dial, deadline_ms, &until_ms)) {
			if (error)
				*error = dial->last;
			return dial->last.code;
		}
		char text[BRINE_ADDR_TEXT_SIZE];
		if (now_ms >= deadline_ms)
			return brine_fail(error, BRINE_ERR_DEADLINE, 0, "could not connect to %.150s in time%s%.60s",
			                  brine_sockaddr_format(text, sizeof text, &dial->list[0]),
			                  dial->last.code ? ": " : "", dial->last.text);
		if (wait_any(dial, until_ms, ready) < 0)
			return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not wait for a connection");
	}
}

int brine_socket_dial(int *ret_fd, size_t *ret_index, const struct brine_sockaddr *list, size_t count,
                      uint64_t deadline_ms, struct brine_error *error)
{
	struct dial dial = {.list = list, .count = count};
	if (count == 0 || count > BRINE_ADDR_RESOLVED_MAX)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "%zu addresses to connect to: expected 1 to %d", count,
		                  BRINE_ADDR_RESOLVED_MAX);
	uint64_t now_ms = brine_clock_ms();
	for (size_t i = 0; i < count; i++)
		dial.attempts[i].start_ms = now_ms + i * STAGGER_MS;
	int winner = dial_run(&dial, deadline_ms, error);
	for (size_t i = 0; i < count; i++)
		if (dial.attempts[i].state == UNDER_WAY && (int)i != winner)
			brine_socket_close(dial.attempts[i].fd);
	if (winner < 0)
		return winner;
	*ret_fd = dial.attempts[winner].fd;
	if (ret_index)
		*ret_index = (size_t)winner;
	return 0;
}
