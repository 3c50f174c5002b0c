#include "rpc/resolve.h"

#include "base/alloc.h"
#include "net/fail.h"
#include "net/socket.h"
#include "net/stream.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One lookup, held by the caller and by its thread; the last one releases it. It lives in memory of the default
 * allocator, because the thread may outlive the client and the allocator that the client was given. */
struct lookup {
	atomic_uint holders;
	int done_fd; /* an eventfd, readable when the rest is there */
	int status;
	struct brine_addr addr;
	size_t count;
	struct brine_sockaddr list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error error;
};

static void let_go(struct lookup *lookup)
{
	if (atomic_fetch_sub_explicit(&lookup->holders, 1, memory_order_acq_rel) > 1)
		return;
	brine_socket_close(lookup->done_fd);
	brine_release(NULL, lookup, sizeof *lookup);
}

static void *look_up(void *argument)
{
	struct lookup *lookup = argument;
	lookup->status = brine_addr_resolve(&lookup->addr, BRINE_ADDR_CONNECT, lookup->list, BRINE_ADDR_RESOLVED_MAX,
	                                    &lookup->count, &lookup->error);
	/* Adding 1 to an eventfd that holds 0 neither blocks nor fails. */
	ssize_t written = write(lookup->done_fd, &(uint64_t){1}, sizeof(uint64_t));
	(void)written;
	let_go(lookup);
	return NULL;
}

/* Starts the thread, detached and with every signal blocked: the program's handlers run on the program's threads. */
static int start_thread(struct lookup *lookup)
{
	pthread_attr_t attributes;
	int failure = pthread_attr_init(&attributes);
	if (failure)
		return failure;
	sigset_t all, before;
	sigfillset(&all);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_t thread;
	failure = pthread_create(&thread, &attributes, look_up, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return failure;
}

static int start(struct lookup **ret_lookup, const struct brine_addr *addr, struct brine_error *error)
{
	struct lookup *lookup = brine_alloc_zero(NULL, sizeof *lookup);
	if (!lookup)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory resolving %s", addr->host);
	lookup->addr = *addr;
	atomic_init(&lookup->holders, 2);
	lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int reason = lookup->done_fd < 0 ? errno : start_thread(lookup);
	if (reason) {
		brine_socket_close(lookup->done_fd);
		brine_release(NULL, lookup, sizeof *lookup);
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, reason, "could not start to resolve %s", addr->host);
	}
	*ret_lookup = lookup;
	return 0;
}

static int take(const struct lookup *lookup, struct brine_sockaddr *list, size_t *ret_count, struct brine_error *error)
{
	if (lookup->status < 0) {
		if (error)
			*error = lookup->error;
		return lookup->status;
	}
	memcpy(list, lookup->list, lookup->count * sizeof *list);
	*ret_count = lookup->count;
	return 0;
}

int brine_resolve(const struct brine_addr *addr, uint64_t deadline_ms, struct brine_sockaddr *list, size_t *ret_count,
                  struct brine_error *error)
{
	if (addr->host[0] == '\0')
		return brine_addr_resolve(addr, BRINE_ADDR_CONNECT, list, BRINE_ADDR_RESOLVED_MAX, ret_count, error);
	struct lookup *lookup = NULL;
	int status = start(&lookup, addr, error);
	if (status < 0)
		return status;
	status = brine_socket_wait(lookup->done_fd, BRINE_READABLE, deadline_ms);
	if (status > 0)
		status = take(lookup, list, ret_count, error);
	else if (status == BRINE_ERR_DEADLINE)
		brine_fail(error, status, 0, "%s was not resolved in time", addr->host);
	else
		brine_fail_errno(error, status, errno, "could not wait for the resolver");
	let_go(lookup);
	return status;
}
