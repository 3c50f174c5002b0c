#include "faults.h"
#include "stacks.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const names[FAULT_COUNT] = {
#define X(name) [FAULT_##name] = #name,
        FAULT_MAP(X)
#undef X
};

/* What each can give, by its manual page. 0 ends a row. */
static const int errnos[FAULT_COUNT][16] = {
        [FAULT_socket] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES, EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL},
        [FAULT_bind] = {EADDRINUSE, EACCES, EADDRNOTAVAIL, EINVAL, ENOMEM, ENOENT, ENOTDIR, EROFS, ELOOP, ENAMETOOLONG},
        [FAULT_listen] = {EADDRINUSE, EOPNOTSUPP, ENOTSOCK},
        [FAULT_connect] = {EINTR, EAGAIN, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EACCES,
                           EPERM, ENOENT, ECONNRESET, EADDRINUSE, ENOTDIR},
        [FAULT_accept4] = {EINTR, EAGAIN, ECONNABORTED, EPROTO, EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM, ENETDOWN,
                           EHOSTUNREACH, ETIMEDOUT, EINVAL, ENOTSOCK},
        [FAULT_send] = {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, EACCES,
                        ENOTCONN},
        [FAULT_sendmsg] = {EINTR, EAGAIN, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, ETIMEDOUT, EHOSTUNREACH, ENETDOWN, EACCES,
                           EMSGSIZE},
        [FAULT_recv] = {EINTR, EAGAIN, ECONNRESET, ETIMEDOUT, ENOMEM, ENOTCONN, EHOSTUNREACH, ECONNREFUSED, EIO},
        [FAULT_shutdown] = {ENOTCONN, EINVAL},
        [FAULT_setsockopt] = {ENOMEM, ENOPROTOOPT, EINVAL, EPERM},
        [FAULT_getsockopt] = {ENOPROTOOPT, EINVAL, ENOMEM, ENOTSOCK},
        [FAULT_getsockname] = {ENOBUFS, EINVAL},
        [FAULT_getpeername] = {ENOBUFS, EINVAL, ENOTCONN},
        [FAULT_getaddrinfo] = {EAI_AGAIN, EAI_FAIL, EAI_MEMORY, EAI_NONAME, EAI_SYSTEM, EAI_FAMILY},
        [FAULT_poll] = {EINTR, EAGAIN, ENOMEM, EINVAL},
        [FAULT_epoll_create1] = {EMFILE, ENFILE, ENOMEM},
        [FAULT_epoll_ctl] = {ENOMEM, ENOSPC, EPERM, EBADF, EINTR},
        [FAULT_epoll_wait] = {EINTR, EBADF, EINVAL},
        [FAULT_eventfd] = {EMFILE, ENFILE, ENOMEM, ENODEV},
        [FAULT_read] = {EINTR, EAGAIN, EIO},
        [FAULT_write] = {EINTR, EAGAIN, EIO},
        [FAULT_writev] = {EINTR, EAGAIN, EPIPE, EIO},
        [FAULT_dup2] = {EINTR, EBUSY, EMFILE},
        [FAULT_close] = {EINTR, EIO, ENOSPC, EDQUOT},
        [FAULT_fcntl] = {EMFILE, EBADF, EINVAL, EPERM},
        [FAULT_open] = {EMFILE, ENFILE, ENOMEM, EACCES, ENOENT, ENOTDIR, ELOOP},
        [FAULT_flock] = {EINTR, EWOULDBLOCK, ENOLCK},
        [FAULT_fstat] = {EIO, ENOMEM, EOVERFLOW},
        [FAULT_fstatat] = {EACCES, ENOMEM, EIO, ELOOP},
        [FAULT_fstatfs] = {EIO, ENOSYS, EOVERFLOW},
        [FAULT_fchmod] = {EPERM, EROFS, EIO},
        [FAULT_fchmodat] = {EPERM, EROFS, EIO, ENOENT},
        [FAULT_renameat2] = {EACCES, EPERM, EROFS, ENOSPC, EINVAL, EEXIST},
        [FAULT_unlinkat] = {EACCES, EROFS, ENOENT},
        [FAULT_getrandom] = {EINTR, ENOSYS, EAGAIN},
        [FAULT_socketpair] = {EMFILE, ENFILE, ENOMEM, EAFNOSUPPORT},
        [FAULT_posix_spawnp] = {EAGAIN, ENOMEM, ENOENT, EACCES, ENOEXEC, E2BIG, ETXTBSY},
        [FAULT_waitid] = {EINTR, EINVAL},
        [FAULT_pthread_create] = {EAGAIN, EPERM},
};

/* Atomic: the calls may come from several threads. */
static struct {
	atomic_int function; /* of the plan; FAULT_COUNT: none */
	atomic_int system_errno;
	_Atomic uint64_t at;
	atomic_bool repeat;
	_Atomic uint64_t planned; /* calls of that function since the plan was made */
	_Atomic uint64_t injected;
	_Atomic uint64_t calls[FAULT_COUNT];
	atomic_bool only_here;
	atomic_bool short_io;
	_Atomic uint64_t random;
	_Atomic uint64_t shortened;
	_Atomic uint64_t clock_ahead_ms;
	_Atomic uint64_t clock_skipped_ms;
	_Atomic uint64_t clock_others;
	atomic_bool clock_auto;
} faults = {.function = FAULT_COUNT};

/* A hook is set after its user and so never sees another's. */
static void (*_Atomic hooks[FAULT_COUNT])(void *user);
static void *_Atomic hook_users[FAULT_COUNT];
static _Thread_local bool here;

void fault_reset(void)
{
	faults.function = FAULT_COUNT;
	faults.injected = faults.planned = faults.shortened = 0;
	for (int i = 0; i < FAULT_COUNT; i++) {
		faults.calls[i] = 0;
		hooks[i] = NULL;
	}
	faults.only_here = faults.short_io = faults.clock_auto = here = false;
	faults.clock_ahead_ms = faults.clock_skipped_ms = faults.clock_others = 0;
}

static void plan(enum fault_function function, uint64_t n, int system_errno, bool repeat)
{
	faults.function = FAULT_COUNT;
	faults.at = n;
	faults.planned = 0;
	faults.system_errno = system_errno;
	faults.repeat = repeat;
	faults.function = (int)function;
}

void fault_fail_at(enum fault_function function, uint64_t n, int system_errno)
{
	plan(function, n, system_errno, false);
}

void fault_fail_from(enum fault_function function, uint64_t n, int system_errno)
{
	plan(function, n, system_errno, true);
}

void fault_only_here(void)
{
	here = true;
	faults.only_here = true;
}

uint64_t fault_calls(enum fault_function function)
{
	return faults.calls[function];
}

uint64_t fault_injected(void)
{
	return faults.injected;
}

bool fault_invisible(void)
{
	int function = faults.function, system_errno = faults.system_errno;
	if (function == FAULT_close)
		return true;
	if (function == FAULT_getaddrinfo)
		return false;
	if (system_errno == EAGAIN)
		return function != FAULT_getrandom;
	return system_errno == EINTR;
}

const char *fault_text(void)
{
	static char text[128];
	int function = faults.function, system_errno = faults.system_errno;
	if (function == FAULT_COUNT)
		return "no fault planned";
	snprintf(text, sizeof text, "%s: %s, call %llu", names[function],
	         function == FAULT_getaddrinfo ? gai_strerror(system_errno) : strerror(system_errno),
	         (unsigned long long)faults.at);
	return text;
}

uint64_t fault_sweep(enum fault_function function, void (*scenario)(void *user), void *user)
{
	uint64_t total = 0;
	for (const int *each = errnos[function]; *each; each++) {
		for (uint64_t n = 1;; n++) {
			fault_reset();
			fault_fail_at(function, n, *each);
			scenario(user);
			uint64_t injected = fault_injected();
			total += injected;
			if (!injected)
				break;
		}
	}
	fault_reset();
	if (!total)
		fail_msg("the scenario never calls %s: nothing was injected", names[function]);
	return total;
}

void fault_short_io(uint64_t seed)
{
	faults.random = seed;
	faults.short_io = true;
}

uint64_t fault_shortened(void)
{
	return faults.shortened;
}

void fault_hook(enum fault_function function, void (*hook)(void *user), void *user)
{
	hook_users[function] = user;
	hooks[function] = hook;
}

/* Counts a call. True: it is to fail with errno (or *ret_code). */
static bool fails(enum fault_function function)
{
	if (faults.only_here && !here)
		return false;
	faults.calls[function]++;
	void (*hook)(void *user) = hooks[function];
	if (hook)
		hook(hook_users[function]);
	if (faults.function != (int)function)
		return false;
	uint64_t call = ++faults.planned, at = faults.at;
	if (call != at && !(faults.repeat && call > at))
		return false;
	faults.injected++;
	errno = faults.system_errno;
	return true;
}

static uint64_t draw(uint64_t bound)
{
	uint64_t state = faults.random;
	uint64_t drawn = random_below(&state, bound);
	faults.random = state;
	return drawn;
}

/* How much of size to move; 0: nothing, errno says why not. */
static size_t shorten(size_t size)
{
	if (!faults.short_io || size == 0 || (faults.only_here && !here))
		return size;
	uint64_t kind = draw(8);
	if (kind >= 6)
		return size;
	faults.shortened++;
	errno = kind == 0 ? EINTR : EAGAIN;
	return kind < 2 ? 0 : 1 + draw(kind == 2 || size < 2 ? 1 : size - 1);
}

/* PLAIN(function, result type, (parameters), (arguments)): fails as planned, does no more. */
#define PLAIN(function, type, parameters, arguments)                                                                   \
	type __real_##function parameters;                                                                             \
	type __wrap_##function parameters;                                                                             \
	type __wrap_##function parameters                                                                              \
	{                                                                                                              \
		if (fails(FAULT_##function))                                                                           \
			return -1;                                                                                     \
		return __real_##function arguments;                                                                    \
	}

/* MOVING: the same for what moves size bytes. */
#define MOVING(function, parameters, arguments)                                                                        \
	ssize_t __real_##function parameters;                                                                          \
	ssize_t __wrap_##function parameters;                                                                          \
	ssize_t __wrap_##function parameters                                                                           \
	{                                                                                                              \
		if (fails(FAULT_##function))                                                                           \
			return -1;                                                                                     \
		size_t asked = size;                                                                                   \
		size = shorten(size);                                                                                  \
		if (size == 0 && asked > 0)                                                                            \
			return -1;                                                                                     \
		return __real_##function arguments;                                                                    \
	}

PLAIN(socket, int, (int domain, int type, int protocol), (domain, type, protocol))
PLAIN(bind, int, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size))
PLAIN(listen, int, (int fd, int backlog), (fd, backlog))
PLAIN(connect, int, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size))
PLAIN(accept4, int, (int fd, struct sockaddr *name, socklen_t *size, int flags), (fd, name, size, flags))
PLAIN(shutdown, int, (int fd, int how), (fd, how))
PLAIN(setsockopt, int, (int fd, int level, int option, const void *value, socklen_t size),
      (fd, level, option, value, size))
PLAIN(getsockopt, int, (int fd, int level, int option, void *value, socklen_t *size), (fd, level, option, value, size))
PLAIN(getsockname, int, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size))
PLAIN(getpeername, int, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size))
PLAIN(socketpair, int, (int domain, int type, int protocol, int fds[2]), (domain, type, protocol, fds))
PLAIN(waitid, int, (idtype_t type, id_t id, siginfo_t *info, int flags), (type, id, info, flags))
PLAIN(epoll_create1, int, (int flags), (flags))
PLAIN(epoll_ctl, int, (int epoll, int operation, int fd, struct epoll_event *event), (epoll, operation, fd, event))
PLAIN(eventfd, int, (unsigned count, int flags), (count, flags))
PLAIN(flock, int, (int fd, int operation), (fd, operation))
PLAIN(fstat, int, (int fd, struct stat *file), (fd, file))
PLAIN(fstatat, int, (int folder, const char *path, struct stat *file, int flags), (folder, path, file, flags))
PLAIN(fstatfs, int, (int fd, struct statfs *system), (fd, system))
PLAIN(dup2, int, (int from, int to), (from, to))
PLAIN(fchmod, int, (int fd, mode_t mode), (fd, mode))
PLAIN(fchmodat, int, (int folder, const char *path, mode_t mode, int flags), (folder, path, mode, flags))
PLAIN(renameat2, int, (int folder, const char *from, int to_folder, const char *to, unsigned flags),
      (folder, from, to_folder, to, flags))
PLAIN(unlinkat, int, (int folder, const char *path, int flags), (folder, path, flags))
PLAIN(getrandom, ssize_t, (void *out, size_t size, unsigned flags), (out, size, flags))
MOVING(send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
MOVING(recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))

ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size)
{
	if (fails(FAULT_read))
		return -1;
	/* An eventfd is not cut short: eight bytes are its unit. */
	size_t part = size > sizeof(uint64_t) ? shorten(size) : size;
	return part == 0 && size > 0 ? -1 : __real_read(fd, data, part);
}

PLAIN(write, ssize_t, (int fd, const void *data, size_t size), (fd, data, size))

/* Fills cut, which has room for 64, with so much of the parts as is to be moved. Their number; 0: nothing is. */
static size_t shorten_parts(struct iovec *cut, const struct iovec *parts, size_t count)
{
	size_t size = 0, used = 0;
	for (size_t i = 0; i < count; i++)
		size += parts[i].iov_len;
	size_t part = shorten(size);
	while (part > 0 && used < count && used < 64) {
		struct iovec *each = &cut[used];
		*each = parts[used++];
		if (each->iov_len > part)
			each->iov_len = part;
		part -= each->iov_len;
	}
	return used;
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec parts[64];
	struct msghdr cut = *message;
	if (fails(FAULT_sendmsg))
		return -1;
	cut.msg_iov = parts;
	cut.msg_iovlen = shorten_parts(parts, message->msg_iov, message->msg_iovlen);
	return cut.msg_iovlen ? __real_sendmsg(fd, &cut, flags) : -1;
}

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	struct iovec cut[64];
	if (fails(FAULT_writev))
		return -1;
	int used = (int)shorten_parts(cut, parts, (size_t)count);
	return used ? __real_writev(fd, cut, used) : -1;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	bool failing = fails(FAULT_close);
	int system_errno = errno;
	int rc = __real_close(fd);
	if (!failing)
		return rc;
	errno = system_errno;
	return -1;
}

int __real_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
	if (fails(FAULT_getaddrinfo))
		return faults.system_errno;
	return __real_getaddrinfo(node, service, hints, ret_list);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	if (fails(FAULT_pthread_create))
		return faults.system_errno;
	return stacks_create(thread, attributes, run, argument);
}

/* Variadic with one integer or pointer at most, which is passed on as a word. */
int __real_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const environment[]);
int __wrap_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *files,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
	if (fails(FAULT_posix_spawnp))
		return faults.system_errno;
	return __real_posix_spawnp(pid, file, files, attributes, argv, environment);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	va_start(arguments, command);
	uintptr_t argument = va_arg(arguments, uintptr_t);
	va_end(arguments);
	return fails(FAULT_fcntl) ? -1 : __real_fcntl(fd, command, argument);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_list arguments;
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return fails(FAULT_open) ? -1 : __real_open(path, flags, mode);
}

void fault_clock_jump(uint64_t ms)
{
	faults.clock_ahead_ms += ms;
}

void fault_clock_auto(bool on)
{
	faults.clock_auto = on;
}

uint64_t fault_clock_skipped(void)
{
	return faults.clock_skipped_ms;
}

uint64_t fault_clock_others(void)
{
	return faults.clock_others;
}

int __real_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	if (fails(FAULT_clock_gettime))
		return -1;
	int rc = __real_clock_gettime(clock, ret_time);
	if (clock != CLOCK_MONOTONIC) {
		faults.clock_others++;
		return rc;
	}
	uint64_t ahead_ms = faults.clock_ahead_ms;
	ret_time->tv_sec += (time_t)(ahead_ms / 1000);
	ret_time->tv_nsec += (long)(ahead_ms % 1000) * 1000000;
	if (ret_time->tv_nsec >= 1000000000) {
		ret_time->tv_nsec -= 1000000000;
		ret_time->tv_sec++;
	}
	return rc;
}

/* What is under way between two sockets of this machine gets a moment to arrive before the clock is moved. */
static int real_wait(int timeout_ms)
{
	enum { SETTLE_MS = 20 };
	return faults.clock_auto && (timeout_ms < 0 || timeout_ms > SETTLE_MS) ? SETTLE_MS : timeout_ms;
}

/* A wait that found nothing, on a clock that moves by itself. */
static void clock_skip(int timeout_ms)
{
	if (timeout_ms < 0)
		fail_msg("a wait without end found nothing: the test would hang");
	faults.clock_ahead_ms += (uint64_t)timeout_ms;
	faults.clock_skipped_ms += (uint64_t)timeout_ms;
}

int __real_poll(struct pollfd *list, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *list, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *list, nfds_t count, int timeout_ms)
{
	if (fails(FAULT_poll))
		return -1;
	int found = __real_poll(list, count, real_wait(timeout_ms));
	if (found == 0 && faults.clock_auto)
		clock_skip(timeout_ms);
	return found;
}

int __real_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
	if (fails(FAULT_epoll_wait))
		return -1;
	int found = __real_epoll_wait(epoll, events, count, real_wait(timeout_ms));
	if (found == 0 && faults.clock_auto)
		clock_skip(timeout_ms);
	return found;
}
