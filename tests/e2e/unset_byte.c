/* Sends a struct with a hole in it: what memcheck.sh must find. */
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

struct holed {
	uint8_t first; /* three bytes of padding follow */
	uint32_t second;
};

int main(void)
{
	int fds[2];
	struct holed holed;
	holed.first = 1;
	holed.second = 2;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 2;
	return send(fds[0], &holed, sizeof holed, 0) == sizeof holed ? 0 : 2;
}
