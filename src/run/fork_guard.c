#include "run/fork_guard.h"

#include "net/fail.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int brine_fork_guard_init(struct brine_fork_guard *owner, struct brine_error *error)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return brine_fail_errno(error, BRINE_ERR_SYSTEM, errno, "could not map a page");
	owner->compares_pid = madvise(page, size, MADV_WIPEONFORK) < 0;
	*page = getpid();
	owner->page = page;
	return 0;
}

void brine_fork_guard_done(struct brine_fork_guard *owner)
{
	if (owner->page)
		munmap((void *)(uintptr_t)owner->page, (size_t)sysconf(_SC_PAGESIZE));
	owner->page = NULL;
}

bool brine_fork_guard_is_child(const struct brine_fork_guard *owner)
{
	return *owner->page == 0 || (owner->compares_pid && *owner->page != getpid());
}

int brine_fork_guard_refuse(const char *what, struct brine_error *error)
{
	return brine_fail(error, BRINE_ERR_FORKED, 0,
	                  "this %s was made in another process: open a new one after fork()", what);
}
