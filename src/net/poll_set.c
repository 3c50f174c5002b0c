#include "net/poll_set.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>

void brine_poll_set_add(struct brine_poll_set *set, int fd, unsigned ready)
{
	assert(set->count < BRINE_POLL_SET_MAX);
	set->items[set->count].fd = fd;
	set->items[set->count].ready = ready;
	set->items[set->count].found = 0;
	set->count++;
}

int brine_poll_events(unsigned ready)
{
	return (ready & BRINE_READABLE ? POLLIN : 0) | (ready & BRINE_WRITABLE ? POLLOUT : 0);
}

int brine_poll_set_wait(struct brine_poll_set *set, uint64_t deadline_ms)
{
	struct pollfd pollers[BRINE_POLL_SET_MAX];
	for (size_t i = 0; i < set->count; i++) {
		short events = (short)brine_poll_events(set->items[i].ready);
		pollers[i] = (struct pollfd){.fd = set->items[i].fd, .events = events};
	}
	int count = poll(pollers, set->count, brine_wait_ms(deadline_ms));
	if (count < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : BRINE_ERR_SYSTEM;
	for (size_t i = 0; i < set->count && count; i++) {
		short events = pollers[i].revents;
		bool failed = events & (POLLERR | POLLHUP | POLLNVAL);
		set->items[i].found = (failed ? set->items[i].ready : 0) | (events & POLLIN ? BRINE_READABLE : 0) |
		                      (events & POLLOUT ? BRINE_WRITABLE : 0);
	}
	return count;
}

unsigned brine_poll_set_found(const struct brine_poll_set *set, int fd)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->items[i].fd == fd)
			return set->items[i].found;
	return 0;
}
