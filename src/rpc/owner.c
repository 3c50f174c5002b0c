#include "rpc/owner.h"

#include "net/fail.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

int brine_owner_init(struct brine_owner *owner, struct brine_error *error)
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

void brine_owner_done(struct brine_owner *owner)
{
	if (owner->page)
		munmap((void *)(uintptr_t)owner->page, (size_t)sysconf(_SC_PAGESIZE));
	owner->page = NULL;
}

bool brine_owner_forked(const struct brine_owner *owner)
{
	return *owner->page == 0 || (owner->compares_pid && *owner->page != getpid());
}

int brine_owner_refuse(const char *what, struct brine_error *error)
{
	return brine_fail(error, BRINE_ERR_FORKED, 0,
	                  "this %s was made in another process: open a new one after fork()", what);
}
