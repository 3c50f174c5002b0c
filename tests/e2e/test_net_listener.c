/* Proves: listeners follow the rules of src/net/listener.h for files, ports, names and descriptors that listen
 * already (H01 to H06). */
#include "dial.h"
#include "e2e.h"

#include "net/clock.h"
#include "net/listen_socket.h"
#include "net/socket.h"
#include "net/stream.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

static struct brine_addr address(const char *text)
{
	struct brine_addr addr;
	struct brine_error error;
	if (brine_addr_parse(&addr, brine_str_from(text), BRINE_ADDR_LISTEN, &error) < 0)
		fail_msg("%s", error.text);
	return addr;
}

static struct brine_addr path_address(const char *path)
{
	char text[512];
	snprintf(text, sizeof text, "unix://%s", path);
	return address(text);
}

static int open_at(struct brine_listen_socket **ret_listener, const struct brine_addr *addr, struct brine_error *error)
{
	return brine_listen_socket_open(ret_listener, &addr->sockaddr, 0600, NULL, error);
}

/* Whether a client reaches exactly this listener. */
static void assert_reaches(struct brine_listen_socket *listener, const struct brine_addr *addr)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int client, server = -1;
	if (dial_and_wait(&client, NULL, &addr->sockaddr, 1, brine_clock_ms() + 10000, &error) < 0)
		fail_msg("%s", error.text);
	assert_true(brine_socket_wait(brine_listen_socket_fd(listener), BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	assert_int_equal(brine_listen_socket_accept(listener, &server, NULL), BRINE_ACCEPT_ONE);
	brine_socket_close(client);
	brine_socket_close(server);
}

/* The file a server leaves behind that was killed. */
static void leave_dead_socket(const struct brine_addr *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, &addr->sockaddr.u.any, addr->sockaddr.size), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

static void H01_a_dead_socket_is_replaced_and_a_live_one_never(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	struct brine_listen_socket *first, *second = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	leave_dead_socket(&addr);
	assert_int_equal(open_at(&first, &addr, &error), 0);
	assert_int_equal(e2e_files(state), 1);
	assert_reaches(first, &addr);
	/* H05: the second server on one path. */
	assert_int_equal(open_at(&second, &addr, &error), BRINE_ERR_ADDRESS_IN_USE);
	assert_non_null(strstr(error.text, "another server listens on unix:///"));
	assert_null(second);
	assert_int_equal(e2e_files(state), 1);
	/* The look of the second one is a connection that ended. */
	int fd;
	assert_int_equal(brine_listen_socket_accept(first, &fd, NULL), BRINE_ACCEPT_ONE);
	brine_socket_close(fd);
	assert_reaches(first, &addr);
	brine_listen_socket_close(first);
	assert_int_equal(e2e_files(state), 0);
}

struct racer {
	pthread_t thread;
	const struct brine_addr *addr;
	struct brine_listen_socket *listener;
	int status;
};

static void *race(void *user)
{
	struct racer *racer = user;
	racer->status = open_at(&racer->listener, racer->addr, NULL);
	return NULL;
}

/* Several servers that find the same dead socket at once: one gets the path, and keeps it. */
static void H01_of_many_at_once_one_wins(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	for (unsigned round = 0; round < 20; round++) {
		struct racer racers[6] = {0};
		struct brine_listen_socket *winner = NULL;
		leave_dead_socket(&addr);
		for (size_t i = 0; i < 6; i++) {
			racers[i].addr = &addr;
			assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
		}
		for (size_t i = 0; i < 6; i++) {
			pthread_join(racers[i].thread, NULL);
			if (racers[i].status == 0) {
				assert_null(winner);
				winner = racers[i].listener;
			} else {
				assert_int_equal(racers[i].status, BRINE_ERR_ADDRESS_IN_USE);
			}
		}
		assert_non_null(winner);
		assert_int_equal(e2e_files(state), 1);
		struct stat file;
		assert_int_equal(lstat(addr.sockaddr.u.un.sun_path, &file), 0);
		brine_listen_socket_close(winner);
		assert_int_equal(e2e_files(state), 0);
	}
}

/* A server whose queue is full, or that is bound as a datagram socket, is alive. */
static void H01_a_busy_or_foreign_socket_is_left_alone(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	struct brine_listen_socket *listener;
	struct brine_error error = BRINE_ERROR_INIT;
	int server = socket(AF_UNIX, SOCK_STREAM, 0), clients[8];
	unsigned count = 0;
	assert_int_equal(bind(server, &addr.sockaddr.u.any, addr.sockaddr.size), 0);
	assert_int_equal(listen(server, 1), 0);
	while (count < 8 && brine_socket_connect(&clients[count], &addr.sockaddr, &error) == 0)
		count++;
	assert_in_range(count, 1, 7);
	assert_int_equal(error.system_errno, EAGAIN);
	assert_int_equal(open_at(&listener, &addr, &error), BRINE_ERR_ADDRESS_IN_USE);
	while (count > 0)
		close(clients[--count]);
	close(server);
	unlink(addr.sockaddr.u.un.sun_path);
	int datagram = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(datagram, &addr.sockaddr.u.any, addr.sockaddr.size), 0);
	assert_int_equal(open_at(&listener, &addr, &error), BRINE_ERR_ADDRESS_IN_USE);
	close(datagram);
}

static void H02_what_is_no_socket_is_refused_and_left_alone(void **state)
{
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_listen_socket *listener = NULL;
	char target[300];
	static const char *const kinds[] = {"file", "folder", "fifo", "link", "dangling", "link-to-socket"};
	snprintf(target, sizeof target, "%s", e2e_path(state, "target.sock"));
	struct brine_addr real = path_address(target);
	leave_dead_socket(&real);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct brine_addr addr = path_address(e2e_path(state, kinds[i]));
		const char *path = addr.sockaddr.u.un.sun_path;
		struct stat before, after;
		switch (i) {
		case 0: close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); break;
		case 1: assert_int_equal(mkdir(path, 0700), 0); break;
		case 2: assert_int_equal(mkfifo(path, 0600), 0); break;
		case 3: assert_int_equal(symlink("file", path), 0); break;
		case 4: assert_int_equal(symlink("nowhere", path), 0); break;
		case 5: assert_int_equal(symlink("target.sock", path), 0); break;
		}
		assert_int_equal(lstat(path, &before), 0);
		assert_int_equal(open_at(&listener, &addr, &error), BRINE_ERR_NOT_SOCKET);
		assert_non_null(strstr(error.text, "is not a socket"));
		assert_int_equal(lstat(path, &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		assert_int_equal(e2e_files(state), i + 2);
	}
	assert_null(listener);
}

/* H03: strangers cannot swap what they cannot rename; folders in which they can are refused. */
static void H03_a_folder_open_to_everybody_is_refused(void **state)
{
	char path[400];
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_listen_socket *listener;
	assert_int_equal(mkdir(e2e_path(state, "open"), 0777), 0);
	assert_int_equal(chmod(e2e_path(state, "open"), 0777), 0);
	snprintf(path, sizeof path, "%s/x.sock", e2e_path(state, "open"));
	struct brine_addr addr = path_address(path);
	assert_int_equal(open_at(&listener, &addr, &error), BRINE_ERR_SYSTEM);
	assert_non_null(strstr(error.text, "mode 0700"));
	assert_int_equal(chmod(e2e_path(state, "open"), 01777), 0);
	assert_int_equal(open_at(&listener, &addr, &error), 0);
	brine_listen_socket_close(listener);
}

static void the_mode_is_what_was_asked_whatever_the_umask(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	static const unsigned modes[] = {0600, 0660, 0666, 0777};
	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		struct brine_listen_socket *listener;
		struct stat file;
		mode_t umask_before = umask(i % 2 ? 0 : 077);
		assert_int_equal(brine_listen_socket_open(&listener, &addr.sockaddr, modes[i], NULL, NULL), 0);
		umask(umask_before);
		assert_int_equal(lstat(addr.sockaddr.u.un.sun_path, &file), 0);
		assert_int_equal(file.st_mode & 07777, modes[i]);
		brine_listen_socket_close(listener);
	}
}

/* H04: the longest path works, whatever the temporary name beside it takes; an abstract name has no file. */
static void H04_the_longest_path_and_an_abstract_name_work(void **state)
{
	char path[300] = "", name[64];
	struct brine_error error = BRINE_ERROR_INIT;
	struct brine_listen_socket *listener;
	snprintf(path, sizeof path, "%s", e2e_path(state, ""));
	memset(path + strlen(path), 'p', 107 - strlen(path));
	struct brine_addr addr = path_address(path);
	if (open_at(&listener, &addr, &error) < 0)
		fail_msg("%s", error.text);
	assert_string_equal(brine_listen_socket_address(listener) + 7, path);
	assert_reaches(listener, &addr);
	brine_listen_socket_close(listener);
	assert_int_equal(e2e_files(state), 0);
	snprintf(name, sizeof name, "unix://@brine-test-%d", (int)getpid());
	addr = address(name);
	assert_int_equal(open_at(&listener, &addr, &error), 0);
	assert_string_equal(brine_listen_socket_address(listener), name);
	assert_reaches(listener, &addr);
	struct brine_listen_socket *second;
	assert_int_equal(open_at(&second, &addr, &error), BRINE_ERR_ADDRESS_IN_USE);
	brine_listen_socket_close(listener);
	assert_int_equal(e2e_files(state), 0);
}

static void H05_a_port_is_given_once(void **state)
{
	(void)state;
	static const char *const texts[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0"};
	for (size_t i = 0; i < 2; i++) {
		struct brine_listen_socket *first, *second;
		struct brine_error error = BRINE_ERROR_INIT;
		struct brine_addr addr = address(texts[i]);
		assert_int_equal(open_at(&first, &addr, &error), 0);
		struct brine_addr real = address(brine_listen_socket_address(first));
		assert_int_not_equal(real.port, 0);
		assert_reaches(first, &real);
		assert_int_equal(open_at(&second, &real, &error), BRINE_ERR_ADDRESS_IN_USE);
		assert_non_null(strstr(error.text, "choose another port"));
		brine_listen_socket_close(first);
		/* At once again, although connections of the old one linger. */
		assert_int_equal(open_at(&second, &real, &error), 0);
		brine_listen_socket_close(second);
	}
}

static void H06_only_the_own_file_is_removed(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	struct brine_listen_socket *first, *second;
	struct brine_error error = BRINE_ERROR_INIT;
	struct stat file;
	int client, server;
	assert_int_equal(open_at(&first, &addr, &error), 0);
	assert_int_equal(dial_and_wait(&client, NULL, &addr.sockaddr, 1, brine_clock_ms() + 10000, &error), 0);
	assert_int_equal(brine_listen_socket_accept(first, &server, NULL), BRINE_ACCEPT_ONE);
	assert_int_equal(unlink(addr.sockaddr.u.un.sun_path), 0);
	/* The open connection goes on. */
	assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), 1);
	char byte;
	assert_int_equal(recv(server, &byte, 1, 0), 1);
	assert_int_equal(open_at(&second, &addr, &error), 0);
	brine_listen_socket_close(first);
	assert_int_equal(lstat(addr.sockaddr.u.un.sun_path, &file), 0);
	assert_reaches(second, &addr);
	/* In a forked child the file is the parent's. */
	struct brine_listen_socket *abandoned;
	struct brine_addr other = path_address(e2e_path(state, "y.sock"));
	assert_int_equal(open_at(&abandoned, &other, &error), 0);
	brine_listen_socket_abandon(abandoned);
	assert_int_equal(e2e_files(state), 2);
	brine_listen_socket_close(second);
	assert_int_equal(e2e_files(state), 1);
	brine_socket_close(client);
	brine_socket_close(server);
}

static void all_addresses_of_a_name_get_one_port(void **state)
{
	e2e_needs_localhost();
	(void)state;
	struct brine_listen_socket *list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error error = BRINE_ERROR_INIT;
	size_t count = 0;
	struct brine_addr addr = address("tcp://localhost:0");
	if (brine_listener_open_all(list, &count, &addr, 0, NULL, &error) < 0)
		fail_msg("%s", error.text);
	assert_in_range(count, 1, BRINE_ADDR_RESOLVED_MAX);
	uint16_t port = address(brine_listen_socket_address(list[0])).port;
	for (size_t i = 0; i < count; i++) {
		struct brine_addr real = address(brine_listen_socket_address(list[i]));
		assert_int_equal(real.port, port);
		assert_reaches(list[i], &real);
		brine_listen_socket_close(list[i]);
	}
}

/* A socket of the address that listens, made by somebody else; blocking, as most are made. */
static int listen_elsewhere(const struct brine_addr *addr)
{
	int fd = socket(addr->sockaddr.u.any.sa_family, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &addr->sockaddr.u.any, addr->sockaddr.size), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static struct brine_listen_socket *take(int fd)
{
	struct brine_listen_socket *listener;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_listen_socket_take(&listener, fd, NULL, &error) < 0)
		fail_msg("%s", error.text);
	return listener;
}

static void a_descriptor_that_listens_is_taken(void **state)
{
	char name[64];
	snprintf(name, sizeof name, "unix://@brine-test-taken-%d", (int)getpid());
	struct brine_addr addrs[] = {path_address(e2e_path(state, "x.sock")), address(name),
	                             address("tcp://127.0.0.1:0"), address("tcp://[::1]:0")};
	for (size_t i = 0; i < sizeof addrs / sizeof addrs[0]; i++) {
		int fd = listen_elsewhere(&addrs[i]), kept = dup(fd), client;
		struct brine_listen_socket *listener = take(fd);
		assert_int_equal(brine_listen_socket_fd(listener), fd);
		assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		struct brine_addr real = address(brine_listen_socket_address(listener));
		assert_int_equal(real.kind, addrs[i].kind);
		assert_reaches(listener, &real);
		assert_int_equal(brine_listen_socket_accept(listener, &client, NULL), BRINE_ACCEPT_NONE);
		brine_listen_socket_close(listener);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		/* It was neither unlinked nor stopped, and does not wait: another process may be in accept(). */
		assert_true(fcntl(kept, F_GETFL) & O_NONBLOCK);
		listener = take(kept);
		assert_reaches(listener, &real);
		brine_listen_socket_close(listener);
	}
	assert_int_equal(e2e_files(state), 1);
}

/* As inetd passes a socket on that waits for peers. */
static void a_listener_may_have_been_stdin(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	int fd = listen_elsewhere(&addr), saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(fd, 0), 0);
	close(fd);
	struct brine_listen_socket *listener = take(0);
	assert_true(brine_listen_socket_fd(listener) > 2);
	assert_reaches(listener, &addr);
	brine_listen_socket_close(listener);
	char byte;
	assert_int_equal(read(0, &byte, 1), 0); /* /dev/null */
	if (saved < 0)
		close(0);
	else
		dup2(saved, 0);
	brine_socket_close(saved);
}

static void only_what_listens_is_taken(void **state)
{
	struct brine_addr addr = path_address(e2e_path(state, "x.sock"));
	struct brine_listen_socket *listener = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	int unheard = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_UNIX, SOCK_DGRAM, 0), fds[2];
	int file = open(e2e_path(state, "file"), O_CREAT | O_RDWR, 0600);
	int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(packets, &addr.sockaddr.u.any, addr.sockaddr.size), 0);
	assert_int_equal(listen(packets, 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[1]);
	const struct {
		int fd;
		const char *said;
	} rows[] = {{unheard, "listen() was not called"},
	            {fds[0], "brine_server_serve_fd() takes one that is connected"},
	            {datagram, "a stream socket of TCP"},
	            {packets, "a stream socket of TCP"},
	            {file, "that is no socket"}};
	size_t before = e2e_descriptors();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char text[32];
		snprintf(text, sizeof text, "fd://%d", rows[i].fd);
		assert_int_equal(brine_listen_socket_take(&listener, rows[i].fd, NULL, &error), BRINE_ERR_INVALID);
		assert_non_null(strstr(error.text, rows[i].said));
		assert_int_equal(brine_addr_parse(&addr, brine_str_from(text), BRINE_ADDR_LISTEN, &error),
		                 BRINE_ERR_ADDRESS);
		assert_int_equal(error.offset, 5);
		assert_non_null(strstr(error.text, rows[i].said));
		assert_int_equal(e2e_descriptors(), before--);
		close(rows[i].fd);
	}
	assert_int_equal(brine_listen_socket_take(&listener, file, NULL, &error), BRINE_ERR_INVALID);
	assert_non_null(strstr(error.text, "expected an open descriptor"));
	assert_null(listener);
}

static void an_address_may_be_a_descriptor(void **state)
{
	struct brine_addr at = path_address(e2e_path(state, "x.sock")), addr;
	struct brine_listen_socket *list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_error error = BRINE_ERROR_INIT;
	char text[32];
	size_t count;
	int fd = listen_elsewhere(&at);
	snprintf(text, sizeof text, "fd://%d", fd);
	addr = address(text);
	assert_int_equal(addr.kind, BRINE_ADDR_FD);
	if (brine_listener_open_all(list, &count, &addr, 0600, NULL, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(count, 1);
	assert_string_equal(brine_listen_socket_address(list[0]) + 7, at.sockaddr.u.un.sun_path);
	assert_reaches(list[0], &at);
	brine_listen_socket_close(list[0]);
}

/* A socket of systemd's is one for IPv4, too. */
static void peers_of_a_socket_for_both_families_have_their_own_address(void **state)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	struct brine_sockaddr at, to = {.size = sizeof to.u.in}, peer;
	struct brine_error error = BRINE_ERROR_INIT;
	char text[BRINE_ADDR_TEXT_SIZE];
	int fd = socket(AF_INET6, SOCK_STREAM, 0), client, server;
	(void)state;
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(brine_socket_local(fd, &at), 0);
	struct brine_listen_socket *listener = take(fd);
	to.u.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	brine_sockaddr_set_port(&to, brine_sockaddr_port(&at));
	assert_int_equal(dial_and_wait(&client, NULL, &to, 1, brine_clock_ms() + 10000, &error), 0);
	assert_true(brine_socket_wait(fd, BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	assert_int_equal(brine_listen_socket_accept(listener, &server, &peer), BRINE_ACCEPT_ONE);
	assert_int_equal(strncmp(brine_sockaddr_format(text, sizeof text, &peer), "tcp://127.0.0.1:", 16), 0);
	brine_socket_close(client);
	brine_socket_close(server);
	brine_listen_socket_close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(H01_a_dead_socket_is_replaced_and_a_live_one_never),
	        e2e_test(H01_of_many_at_once_one_wins),
	        e2e_test(H01_a_busy_or_foreign_socket_is_left_alone),
	        e2e_test(H02_what_is_no_socket_is_refused_and_left_alone),
	        e2e_test(H03_a_folder_open_to_everybody_is_refused),
	        e2e_test(the_mode_is_what_was_asked_whatever_the_umask),
	        e2e_test(H04_the_longest_path_and_an_abstract_name_work),
	        e2e_test(H05_a_port_is_given_once),
	        e2e_test(H06_only_the_own_file_is_removed),
	        e2e_test(all_addresses_of_a_name_get_one_port),
	        e2e_test(a_descriptor_that_listens_is_taken),
	        e2e_test(a_listener_may_have_been_stdin),
	        e2e_test(only_what_listens_is_taken),
	        e2e_test(an_address_may_be_a_descriptor),
	        e2e_test(peers_of_a_socket_for_both_families_have_their_own_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
