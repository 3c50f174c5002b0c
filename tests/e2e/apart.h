/* apart.h - a server of the calc service in a process of its own, which can be stopped, measured and killed. */
#ifndef BRINE_TESTS_APART_H
#define BRINE_TESTS_APART_H

#include "harness.h"

#include <time.h>

/* What the server's process tells of itself. */
struct apart_report {
	size_t held, held_most; /* by its allocator */
	size_t resident;        /* bytes of the process */
	uint64_t cpu_us;        /* processor time that it has used */
	struct brine_server_counters counters;
};

struct apart {
	pid_t pid;
	int control; /* a byte asks: 'r' for a report, 's' to stop, which also reports */
	char address[ADDRESS_SIZE];
};

static inline size_t apart_resident(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		abort();
	fclose(file);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline uint64_t apart_cpu_us(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static inline void apart_tell(int control, struct brine_server_counters counters, struct shared_allocator *allocator)
{
	struct apart_report report = {.resident = apart_resident(), .cpu_us = apart_cpu_us(), .counters = counters};
	pthread_mutex_lock(&allocator->lock);
	report.held = allocator->fail.held;
	report.held_most = allocator->fail.held_most;
	pthread_mutex_unlock(&allocator->lock);
	if (send(control, &report, sizeof report, MSG_NOSIGNAL) != (ssize_t)sizeof report)
		_exit(2);
}

/* The life of the process. Ends with its parent's, too. */
static inline void apart_run(int control, const char *address, const struct brine_server_options *options)
{
	static struct host host;
	static struct shared_allocator allocator;
	struct brine_server_options own = *options;
	char asked = 0;
	shared_allocator_init(&allocator, 0, false);
	own.allocator = &allocator.base;
	host_start_at(&host, address, &own);
	if (send(control, host.address, sizeof host.address, MSG_NOSIGNAL) != (ssize_t)sizeof host.address)
		_exit(2);
	while (recv(control, &asked, 1, 0) == 1 && asked == 'r')
		apart_tell(control, host_counters(&host), &allocator);
	if (asked != 's')
		_exit(2);
	host_end(&host);
	struct brine_server_counters counters = host_counters(&host);
	host_free(&host);
	if (counters.connections_open || allocator.fail.held)
		_exit(3);
	apart_tell(control, counters, &allocator);
	_exit(0);
}

/* Call it before the test has threads. */
static inline void apart_start(struct apart *apart, void **state, enum over kind,
                               const struct brine_server_options *options)
{
	int pair[2];
	char address[ADDRESS_SIZE];
	address_over(state, kind, address);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	apart->pid = fork();
	assert_true(apart->pid >= 0);
	if (apart->pid == 0) {
		close(pair[0]);
		apart_run(pair[1], address, options);
	}
	close(pair[1]);
	apart->control = pair[0];
	if (recv(apart->control, apart->address, sizeof apart->address, MSG_WAITALL) != sizeof apart->address)
		fail_msg("the server's process did not start");
}

static inline struct apart_report apart_ask(struct apart *apart, char what)
{
	struct apart_report report;
	assert_int_equal(send(apart->control, &what, 1, MSG_NOSIGNAL), 1);
	if (recv(apart->control, &report, sizeof report, MSG_WAITALL) != sizeof report)
		fail_msg("the server's process says nothing");
	return report;
}

static inline void apart_reap(struct apart *apart, int expected)
{
	int status;
	assert_int_equal(waitpid(apart->pid, &status, 0), apart->pid);
	close(apart->control);
	if (WIFSIGNALED(status))
		assert_int_equal(WTERMSIG(status), expected);
	else
		assert_int_equal(WEXITSTATUS(status), expected);
}

/* Stops the server, which must give everything back, and waits for its process. */
static inline struct apart_report apart_stop(struct apart *apart)
{
	struct apart_report report = apart_ask(apart, 's');
	apart_reap(apart, 0);
	return report;
}

static inline void apart_kill(struct apart *apart)
{
	kill(apart->pid, SIGKILL);
	apart_reap(apart, SIGKILL);
}

#endif
