#include "net/descriptor.h"

#include <brine/error.h>

#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int brine_descriptor_close_on_exec(int fd)
{
	int flags = fcntl(fd, F_GETFD);
	if (flags < 0)
		return BRINE_ERR_SYSTEM;
	return flags & FD_CLOEXEC || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0 ? 0 : BRINE_ERR_SYSTEM;
}

int brine_descriptor_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return BRINE_ERR_SYSTEM;
	if (!(flags & O_NONBLOCK) == !on)
		return 0;
	return fcntl(fd, F_SETFL, flags ^ O_NONBLOCK) < 0 ? BRINE_ERR_SYSTEM : 1;
}

int brine_descriptor_keep(int fd)
{
	if (fd > STDERR_FILENO)
		return brine_descriptor_close_on_exec(fd) < 0 ? BRINE_ERR_SYSTEM : fd;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return copy < 0 ? BRINE_ERR_SYSTEM : copy;
}

/* dup2() replaces a number in one step: no other thread gets it in between. */
static bool put_dev_null(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return false;
	int got;
	do
		got = dup2(null, fd);
	while (got < 0 && (errno == EINTR || errno == EBUSY));
	brine_socket_close(null);
	return got >= 0;
}

void brine_descriptor_close(int fd)
{
	int saved = errno;
	if (fd > STDERR_FILENO || (fd >= 0 && !put_dev_null(fd)))
		brine_socket_close(fd);
	errno = saved;
}
