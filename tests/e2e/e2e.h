/* e2e.h - what tests with sockets share: each runs in a fresh folder and must leave no descriptor open.
 *
 *	static void it_works(void **state) { ... e2e_path(state, "x.sock") ... }
 *	const struct CMUnitTest tests[] = {e2e_test(it_works)}; */
#ifndef BRINE_TESTS_E2E_H
#define BRINE_TESTS_E2E_H

#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct e2e {
	char folder[64];
	char path[256]; /* of e2e_path() */
	size_t descriptors;
};

static inline size_t e2e_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	if (!folder)
		abort();
	size_t count = 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* folder/name; valid until the next call. */
static inline const char *e2e_path(void **state, const char *name)
{
	struct e2e *e2e = *state;
	snprintf(e2e->path, sizeof e2e->path, "%s/%s", e2e->folder, name);
	return e2e->path;
}

static inline int e2e_setup(void **state)
{
	struct e2e *e2e = calloc(1, sizeof *e2e);
	if (!e2e)
		return -1;
	strcpy(e2e->folder, "/tmp/brine-e2e-XXXXXX");
	if (!mkdtemp(e2e->folder))
		return -1;
	e2e->descriptors = e2e_descriptors();
	*state = e2e;
	return 0;
}

/* Entries of the folder, "." and ".." left out. */
static inline size_t e2e_files(void **state)
{
	struct e2e *e2e = *state;
	DIR *folder = opendir(e2e->folder);
	if (!folder)
		abort();
	size_t count = 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

/* Empties the folder (of files and empty folders) and fails where the test left a descriptor open. */
static inline int e2e_teardown(void **state)
{
	struct e2e *e2e = *state;
	/* A resolver's thread may close its descriptor a moment after its client is gone. */
	size_t left = e2e_descriptors();
	for (int i = 0; left > e2e->descriptors && i < 2000; i++) {
		poll(NULL, 0, 10);
		left = e2e_descriptors();
	}
	DIR *folder = opendir(e2e->folder);
	struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) < 0)
			unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
	}
	if (folder)
		closedir(folder);
	rmdir(e2e->folder);
	bool leaked = left != e2e->descriptors;
	if (leaked)
		print_error("%zu descriptors were open before the test, %zu are after it\n", e2e->descriptors, left);
	free(e2e);
	return leaked ? -1 : 0;
}

/* A port of 127.0.0.1 at which nobody listens, and that the system gives to nobody as long as the descriptor is open,
 * which is returned. Whoever asks for just this port may listen there if it sets SO_REUSEADDR, as servers do. */
static inline int e2e_keep_port(uint16_t *ret_port)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	*ret_port = ntohs(name.sin_port);
	return fd;
}

/* Ends the test, visibly, on a machine where localhost has no address (a bare container without /etc/hosts). */
static inline void e2e_needs_localhost(void)
{
	struct addrinfo *found = NULL;
	if (getaddrinfo("localhost", NULL, NULL, &found) != 0) {
		printf("skipped: localhost does not resolve on this machine: write it into /etc/hosts\n");
		skip();
	}
	freeaddrinfo(found);
}

#define e2e_test(function) cmocka_unit_test_setup_teardown(function, e2e_setup, e2e_teardown)

#endif
