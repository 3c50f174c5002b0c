#include "net/epoll_set.h"

#include <errno.h>
#include <sys/epoll.h>

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
