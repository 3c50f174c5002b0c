#include "net/poller.h"

#include "net/socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

int brine_watcher_init(struct brine_watcher *watcher)
{
	*watcher = (struct brine_watcher){.fd = epoll_create1(EPOLL_CLOEXEC)};
	return watcher->fd < 0 ? BRINE_ERR_SYSTEM : 0;
}

void brine_watcher_done(struct brine_watcher *watcher)
{
	brine_socket_close(watcher->fd);
	*watcher = (struct brine_watcher){.fd = -1};
}

static size_t index_in_set(const struct brine_waits *waits, int fd)
{
	size_t i = 0;
	while (i < waits->count && waits->items[i].fd != fd)
		i++;
	return i;
}

static int control_set(const struct brine_watcher *watcher, int operation, int fd, unsigned ready)
{
	struct epoll_event event = {.events = (ready & BRINE_READABLE ? (uint32_t)EPOLLIN : 0) |
	                                      (ready & BRINE_WRITABLE ? (uint32_t)EPOLLOUT : 0)};
	int status;
	do
		status = epoll_ctl(watcher->fd, operation, fd, &event);
	while (status < 0 && errno == EINTR);
	return status;
}

void brine_watcher_forget(struct brine_watcher *watcher, int fd)
{
	struct brine_waits *now = &watcher->now;
	size_t i = index_in_set(now, fd);
	if (i == now->count)
		return;
	(void)control_set(watcher, EPOLL_CTL_DEL, fd, 0);
	now->items[i] = now->items[--now->count];
}

int brine_watcher_set(struct brine_watcher *watcher, const struct brine_waits *waits)
{
	struct brine_waits *now = &watcher->now;
	int status = 0;
	for (size_t i = now->count; i-- > 0;)
		if (index_in_set(waits, now->items[i].fd) == waits->count)
			brine_watcher_forget(watcher, now->items[i].fd);
	for (size_t i = 0; i < waits->count; i++) {
		int fd = waits->items[i].fd;
		unsigned ready = waits->items[i].ready;
		size_t at = index_in_set(now, fd);
		bool is_new = at == now->count;
		if (!is_new && now->items[at].ready == ready)
			continue;
		if (control_set(watcher, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, ready) < 0) {
			status = BRINE_ERR_SYSTEM;
			continue;
		}
		if (is_new)
			brine_waits_add(now, fd, ready);
		else
			now->items[at].ready = ready;
	}
	return status;
}

int brine_bell_new(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void brine_bell_ring(int fd)
{
	int saved = errno;
	/* Adding 1 to an eventfd neither blocks nor fails before 2^64 - 2 rings. */
	while (write(fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno == EINTR)
		;
	errno = saved;
}

void brine_bell_silence(int fd)
{
	uint64_t rings;
	int saved = errno;
	while (read(fd, &rings, sizeof rings) < 0 && errno == EINTR)
		;
	errno = saved;
}
