#include "net/dial.h"

#include <brine/conn.h>

#include "net/socket.h"

#include <assert.h>
#include <errno.h>

enum {
	STAGGER_MS = 250, /* until the next address is tried beside those under way (RFC 8305) */
	AGAIN_MS = 10,    /* until one that asked for patience is tried again */
	SELVES_MAX = 3,   /* tries of one address that may end at oneself */
};

int brine_dial_begin(struct brine_dial *dial, const struct brine_sockaddr *list, size_t count, uint64_t now_ms,
                     struct brine_error *error)
{
	if (count == 0 || count > BRINE_ADDR_RESOLVED_MAX)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "%zu addresses to connect to: expected 1 to %d", count,
		                  BRINE_ADDR_RESOLVED_MAX);
	*dial = (struct brine_dial){.count = count};
	memcpy(dial->list, list, count * sizeof *list);
	for (size_t i = 0; i < count; i++)
		dial->attempts[i].start_ms = now_ms + i * STAGGER_MS;
	return 0;
}

/* Nothing of it is under way any more: the next one need not wait for its turn. */
static void attempt_failed(struct brine_dial *dial, size_t index, const struct brine_error *error, uint64_t now_ms)
{
	struct brine_attempt *attempt = &dial->attempts[index];
	bool self = error->system_errno == ELOOP && ++attempt->selves < SELVES_MAX;
	bool again = error->code == BRINE_ERR_CONNECT && (error->system_errno == EAGAIN || self);
	dial->last = *error;
	attempt->state = again ? BRINE_ATTEMPT_WAITING : BRINE_ATTEMPT_FAILED;
	attempt->start_ms = now_ms + AGAIN_MS;
	for (size_t i = index + 1; i < dial->count; i++) {
		struct brine_attempt *next = &dial->attempts[i];
		if (next->state == BRINE_ATTEMPT_WAITING && next->start_ms > now_ms) {
			next->start_ms = now_ms;
			break;
		}
	}
}

/* Starts, or goes on with, one address. 1: connected. */
static int advance(struct brine_dial *dial, size_t index, uint64_t now_ms)
{
	struct brine_attempt *attempt = &dial->attempts[index];
	struct brine_error error = BRINE_ERROR_INIT;
	int status = 1;
	if (attempt->state == BRINE_ATTEMPT_WAITING && attempt->start_ms <= now_ms)
		status = brine_socket_connect(&attempt->fd, &dial->list[index], &error);
	else if (attempt->state == BRINE_ATTEMPT_UNDER_WAY)
		status = brine_socket_connect_finish(attempt->fd, &dial->list[index], &error);
	else
		return 0;
	if (status < 0) {
		if (attempt->state == BRINE_ATTEMPT_UNDER_WAY)
			brine_socket_close(attempt->fd);
		attempt_failed(dial, index, &error, now_ms);
		return 0;
	}
	attempt->state = BRINE_ATTEMPT_UNDER_WAY;
	return status == 0;
}

int brine_dial_step(struct brine_dial *dial, uint64_t now_ms, int *ret_fd, size_t *ret_index, struct brine_error *error)
{
	bool alive = false;
	assert(dial->count > 0 && dial->count <= BRINE_ADDR_RESOLVED_MAX);
	for (size_t i = 0; i < dial->count; i++) {
		if (advance(dial, i, now_ms) > 0) {
			*ret_fd = dial->attempts[i].fd;
			if (ret_index)
				*ret_index = i;
			dial->attempts[i].state = BRINE_ATTEMPT_FAILED;
			return 1;
		}
	}
	for (size_t i = 0; i < dial->count; i++)
		alive = alive || dial->attempts[i].state != BRINE_ATTEMPT_FAILED;
	if (alive)
		return 0;
	if (error)
		*error = dial->last;
	return dial->last.code;
}

size_t brine_dial_fds(const struct brine_dial *dial, int fds[BRINE_ADDR_RESOLVED_MAX])
{
	size_t count = 0;
	for (size_t i = 0; i < dial->count; i++)
		if (dial->attempts[i].state == BRINE_ATTEMPT_UNDER_WAY)
			fds[count++] = dial->attempts[i].fd;
	return count;
}

uint64_t brine_dial_due(const struct brine_dial *dial)
{
	uint64_t due_ms = BRINE_FOREVER;
	for (size_t i = 0; i < dial->count; i++) {
		const struct brine_attempt *attempt = &dial->attempts[i];
		if (attempt->state == BRINE_ATTEMPT_WAITING && attempt->start_ms < due_ms)
			due_ms = attempt->start_ms;
	}
	return due_ms;
}

void brine_dial_done(struct brine_dial *dial)
{
	for (size_t i = 0; i < dial->count; i++)
		if (dial->attempts[i].state == BRINE_ATTEMPT_UNDER_WAY)
			brine_socket_close(dial->attempts[i].fd);
	dial->count = 0;
}
