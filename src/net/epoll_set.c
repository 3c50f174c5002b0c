#include "net/epoll_set.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>

int brine_epoll_set_init(struct brine_epoll_set *epoll_set)
{
	*epoll_set = (struct brine_epoll_set){.fd = epoll_create1(EPOLL_CLOEXEC)};
	return epoll_set->fd < 0 ? BRINE_ERR_SYSTEM : 0;
}

void brine_epoll_set_done(struct brine_epoll_set *epoll_set)
{
	brine_socket_close(epoll_set->fd);
	*epoll_set = (struct brine_epoll_set){.fd = -1};
}

static size_t index_in_set(const struct brine_poll_set *set, int fd)
{
	size_t i = 0;
	while (i < set->count && set->items[i].fd != fd)
		i++;
	return i;
}

static int control_set(const struct brine_epoll_set *epoll_set, int operation, int fd, unsigned ready)
{
	struct epoll_event event = {.events = (ready & BRINE_READABLE ? (uint32_t)EPOLLIN : 0) |
	                                      (ready & BRINE_WRITABLE ? (uint32_t)EPOLLOUT : 0)};
	int status;
	do
		status = epoll_ctl(epoll_set->fd, operation, fd, &event);
	while (status < 0 && errno == EINTR);
	return status;
}

void brine_epoll_set_forget(struct brine_epoll_set *epoll_set, int fd)
{
	struct brine_poll_set *now = &epoll_set->now;
	size_t i = index_in_set(now, fd);
	if (i == now->count)
		return;
	(void)control_set(epoll_set, EPOLL_CTL_DEL, fd, 0);
	now->items[i] = now->items[--now->count];
}

int brine_epoll_set_update(struct brine_epoll_set *epoll_set, const struct brine_poll_set *set)
{
	struct brine_poll_set *now = &epoll_set->now;
	int status = 0;
	assert(epoll_set->fd >= 0);
	for (size_t i = now->count; i-- > 0;)
		if (index_in_set(set, now->items[i].fd) == set->count)
			brine_epoll_set_forget(epoll_set, now->items[i].fd);
	for (size_t i = 0; i < set->count; i++) {
		int fd = set->items[i].fd;
		unsigned ready = set->items[i].ready;
		size_t at = index_in_set(now, fd);
		bool is_new = at == now->count;
		if (!is_new && now->items[at].ready == ready)
			continue;
		if (control_set(epoll_set, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, ready) < 0) {
			status = BRINE_ERR_SYSTEM;
			continue;
		}
		if (is_new)
			brine_poll_set_add(now, fd, ready);
		else
			now->items[at].ready = ready;
	}
	return status;
}
