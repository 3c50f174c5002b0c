/* Proves: a client of 30 lines of Python, written from proto/WIRE.md alone, calls a live server. */
#include "e2e/harness.h"

enum { SKIPPED = 77 };

/* Runs an interpreter; its exit status. */
static int run_python(const char *python, const char *const *arguments)
{
	pid_t child = fork();
	if (child < 0)
		return -1;
	if (child == 0) {
		execvp(python, (char *const *)(uintptr_t)arguments);
		_exit(127);
	}
	int status;
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A python3 may be a private build without the system's modules: the one that has msgpack is looked for. */
static const char *find_python(void)
{
	static const char *const candidates[] = {"python3", "/usr/bin/python3"};
	for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
		const char *arguments[] = {candidates[i], "-c",
		                           "import importlib.util as u, sys; sys.exit(not u.find_spec('msgpack'))",
		                           NULL};
		if (run_python(candidates[i], arguments) == 0)
			return candidates[i];
	}
	return NULL;
}

static void calls_over(void **state, enum over kind)
{
	struct host host;
	const char *python = find_python();
	host_start(&host, state, kind, NULL);
	const char *arguments[] = {python, "-B", BRINE_PEERS "/calls.py", host.address, NULL};
	assert_int_equal(run_python(python, arguments), 0);
	assert_int_equal(atomic_load(&host.calc.notes), 1);
	assert_int_equal(atomic_load(&host.calc.held_count), 1);
	brine_server_stop(host.server);
	host_stop(&host);
}
DEFINE_BOTH(calls)

int main(void)
{
	if (!find_python()) {
		printf("skipped: no python3 that can import msgpack (apt-get install python3-msgpack)\n");
		return getenv("BRINE_PEERS_REQUIRED") ? 1 : SKIPPED;
	}
	const struct CMUnitTest tests[] = {BOTH(calls)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
