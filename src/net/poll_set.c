#include "net/poll_set.h"

#include <errno.h>
#include <poll.h>

void brine_waits_add(struct brine_waits *waits, int fd, unsigned ready)
{
	waits->items[waits->count].fd = fd;
	waits->items[waits->count].ready = ready;
	waits->items[waits->count].found = 0;
	waits->count++;
}

int brine_poll_events(unsigned ready)
{
	return (ready & BRINE_READABLE ? POLLIN : 0) | (ready & BRINE_WRITABLE ? POLLOUT : 0);
}

int brine_waits_poll(struct brine_waits *waits, uint64_t deadline_ms)
{
	struct pollfd pollers[BRINE_WAITS_MAX];
	for (size_t i = 0; i < waits->count; i++) {
		short events = (short)brine_poll_events(waits->items[i].ready);
		pollers[i] = (struct pollfd){.fd = waits->items[i].fd, .events = events};
	}
	int count = poll(pollers, waits->count, brine_wait_ms(deadline_ms));
	if (count < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : BRINE_ERR_SYSTEM;
	for (size_t i = 0; i < waits->count && count; i++) {
		short events = pollers[i].revents;
		bool failed = events & (POLLERR | POLLHUP | POLLNVAL);
		waits->items[i].found = (failed ? waits->items[i].ready : 0) | (events & POLLIN ? BRINE_READABLE : 0) |
		                        (events & POLLOUT ? BRINE_WRITABLE : 0);
	}
	return count;
}

unsigned brine_waits_found(const struct brine_waits *waits, int fd)
{
	for (size_t i = 0; i < waits->count; i++)
		if (waits->items[i].fd == fd)
			return waits->items[i].found;
	return 0;
}
