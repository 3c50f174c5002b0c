#include "run/lookup.h"

#include "base/alloc.h"
#include "net/fail.h"
#include "net/socket.h"
#include "net/wakeup.h"
#include "run/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* One lookup, held by the caller and by its thread; the last one releases it. It lives in memory of the default
 * allocator, because the thread may outlive the client and the allocator that the client was given. */
struct brine_lookup {
	atomic_uint holders;
	atomic_bool done; /* the rest is there */
	int done_fd;      /* readable then */
	int status;
	struct brine_addr addr;
	size_t count;
	struct brine_sockaddr list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error error;
};

void brine_lookup_drop(struct brine_lookup *lookup)
{
	if (!lookup)
		return;
	if (atomic_fetch_sub_explicit(&lookup->holders, 1, memory_order_acq_rel) > 1)
		return;
	brine_socket_close(lookup->done_fd);
	brine_release(NULL, lookup, sizeof *lookup);
}

static void *look_up(void *argument)
{
	struct brine_lookup *lookup = argument;
	lookup->status = brine_addr_resolve(&lookup->addr, BRINE_ADDR_CONNECT, lookup->list, BRINE_ADDR_RESOLVED_MAX,
	                                    &lookup->count, &lookup->error);
	atomic_store_explicit(&lookup->done, true, memory_order_release);
	brine_wakeup_signal(lookup->done_fd);
	brine_lookup_drop(lookup);
	return NULL;
}

int brine_lookup_start(struct brine_lookup **ret_lookup, const struct brine_addr *addr, struct brine_error *error)
{
	struct brine_lookup *lookup = brine_alloc_zero(NULL, sizeof *lookup);
	if (!lookup)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory resolving %s", addr->host);
	lookup->addr = *addr;
	atomic_init(&lookup->holders, 2);
	lookup->done_fd = brine_wakeup_new();
	int reason = lookup->done_fd < 0 ? errno : brine_thread_start(NULL, BRINE_THREAD_STACK_SIZE, look_up, lookup);
	if (reason) {
		brine_socket_close(lookup->done_fd);
		brine_release(NULL, lookup, sizeof *lookup);
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, reason, "could not start to resolve %s", addr->host);
	}
	*ret_lookup = lookup;
	return 0;
}

int brine_lookup_fd(const struct brine_lookup *lookup)
{
	return lookup->done_fd;
}

int brine_lookup_take(const struct brine_lookup *lookup, struct brine_sockaddr *list, size_t *ret_count,
                      struct brine_error *error)
{
	if (!atomic_load_explicit(&lookup->done, memory_order_acquire))
		return 0;
	if (lookup->status < 0) {
		if (error)
			*error = lookup->error;
		return lookup->status;
	}
	memcpy(list, lookup->list, lookup->count * sizeof *list);
	*ret_count = lookup->count;
	return 1;
}
