#include "net/random.h"

#include <brine/error.h>

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

int brine_random_fill(void *out, size_t size)
{
	uint8_t *bytes = out;
	while (size > 0) {
		ssize_t got = getrandom(bytes, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return BRINE_ERR_SYSTEM;
		bytes += got;
		size -= (size_t)got;
	}
	return 0;
}
