#include "net/wakeup.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int brine_bell_new(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void brine_bell_ring(int fd)
{
	int saved = errno;
	/* Adding 1 to an eventfd neither blocks nor fails before 2^64 - 2 rings; then it is readable anyway. */
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
