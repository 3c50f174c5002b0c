#include "net/random.h"

#include <brine/error.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>

static int fill(uint8_t *bytes, size_t size)
{
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

int brine_random_fill(void *out, size_t size)
{
	/* It is a cancellation point, in the middle of making something. */
	int state;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	int status = fill(out, size);
	pthread_setcancelstate(state, NULL);
	return status;
}
