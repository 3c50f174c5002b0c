#include "net/wakeup.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int brine_wakeup_new(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void brine_wakeup_signal(int fd)
{
	int saved = errno;
	/* Adding 1 to an eventfd neither blocks nor fails before 2^64 - 2 signals; then it is readable anyway. */
	while (write(fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno == EINTR)
		;
	errno = saved;
}

void brine_wakeup_clear(int fd)
{
	uint64_t count;
	int saved = errno;
	while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
		;
	errno = saved;
}
