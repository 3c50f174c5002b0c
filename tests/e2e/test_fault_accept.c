/* Proves: running out of descriptors while accepting neither spins nor strands anybody (G07); a connection to oneself
 * is tried again (H08); permissions are set before anybody can connect (H03); setting the wall clock changes nothing
 * (G11). */
#include "dial.h"
#include "e2e.h"
#include "faults.h"

#include "net/clock.h"
#include "net/listen_socket.h"
#include "net/loop.h"
#include "net/socket.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct brine_listen_socket *listen_at(const char *text, struct brine_addr *ret_real)
{
	struct brine_addr addr;
	struct brine_listen_socket *listener = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	if (brine_addr_parse(&addr, brine_str_from(text), BRINE_ADDR_LISTEN, &error) < 0 ||
	    brine_listen_socket_open(&listener, &addr.sockaddr, 0600, NULL, &error) < 0)
		fail_msg("%s", error.text);
	assert_int_equal(
	        brine_addr_parse(ret_real, brine_str_from(brine_listen_socket_address(listener)), BRINE_ADDR_CONNECT, NULL),
	        0);
	return listener;
}

static int dial(const struct brine_addr *addr)
{
	struct brine_error error = BRINE_ERROR_INIT;
	int fd;
	if (dial_and_wait(&fd, NULL, &addr->sockaddr, 1, brine_clock_ms() + 10000, &error) < 0)
		fail_msg("%s", error.text);
	return fd;
}

static int accept_soon(struct brine_listen_socket *listener, int *ret_fd)
{
	assert_true(brine_socket_wait(brine_listen_socket_fd(listener), BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	return brine_listen_socket_accept(listener, ret_fd, NULL);
}

/* G07, for real: the limit is where the open descriptors are. The peer is turned away by the spare one, and learns it.
 */
static void G07_without_descriptors_peers_are_turned_away(void **state)
{
	(void)state;
	struct brine_addr addr;
	struct brine_listen_socket *listener = listen_at("tcp://127.0.0.1:0", &addr);
	struct rlimit limit, none;
	int client = dial(&addr), second = dial(&addr), fd = -1, free_number = dup(client);
	char byte;
	close(free_number);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)free_number;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int rc = accept_soon(listener, &fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(rc, BRINE_ACCEPT_REFUSED);
	assert_int_equal(fd, -1);
	assert_true(brine_socket_wait(client, BRINE_READABLE, brine_clock_ms() + 10000) > 0);
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	/* Descriptors are back: so is accepting. */
	assert_int_equal(accept_soon(listener, &fd), BRINE_ACCEPT_ONE);
	brine_socket_close(fd);
	brine_socket_close(client);
	brine_socket_close(second);
	brine_listen_socket_close(listener);
}

/* Counts how often a loop looks at a listener that cannot accept. */
struct pausing {
	struct brine_loop *loop;
	struct brine_listen_socket *listener;
	struct brine_watch watch;
	struct brine_timer timer;
	unsigned looks, accepted;
};

static void pausing_ready(struct brine_watch *watch, unsigned ready)
{
	struct pausing *pausing = watch->user;
	int fd;
	(void)ready;
	pausing->looks++;
	int rc = brine_listen_socket_accept(pausing->listener, &fd, NULL);
	if (rc == BRINE_ACCEPT_ONE) {
		pausing->accepted++;
		brine_socket_close(fd);
		return;
	}
	assert_int_equal(rc, BRINE_ACCEPT_PAUSE);
	brine_loop_remove(pausing->loop, watch);
	brine_timer_set(pausing->loop, &pausing->timer, brine_clock_ms() + BRINE_ACCEPT_PAUSE_MS);
}

static void pausing_over(struct brine_timer *timer, uint64_t now_ms)
{
	struct pausing *pausing = timer->user;
	(void)now_ms;
	assert_int_equal(
	        brine_loop_add(pausing->loop, &pausing->watch, brine_listen_socket_fd(pausing->listener), BRINE_READABLE),
	        0);
}

static void G07_without_a_spare_accepting_pauses(void **state)
{
	(void)state;
	static const int errnos[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EPERM};
	for (size_t i = 0; i < sizeof errnos / sizeof errnos[0]; i++) {
		struct brine_addr addr;
		struct pausing pausing = {.watch = {.on_ready = pausing_ready, .user = &pausing},
		                          .timer = {.on_due = pausing_over, .user = &pausing}};
		pausing.listener = listen_at("tcp://127.0.0.1:0", &addr);
		int client = dial(&addr);
		assert_int_equal(brine_loop_new(&pausing.loop, NULL, NULL, NULL, NULL), 0);
		assert_int_equal(brine_loop_add(pausing.loop, &pausing.watch, brine_listen_socket_fd(pausing.listener),
		                                BRINE_READABLE),
		                 0);
		fault_fail_from(FAULT_accept4, 1, errnos[i]);
		fault_clock_auto(true);
		uint64_t start_ms = brine_clock_ms();
		while (fault_clock_skipped() < 1000)
			assert_true(brine_loop_turn(pausing.loop, brine_clock_ms() + BRINE_ACCEPT_PAUSE_MS) >= 0);
		/* A second of simulated time, ten looks in it: no busy loop. */
		assert_in_range(pausing.looks, 5, 2 + (brine_clock_ms() - start_ms) / BRINE_ACCEPT_PAUSE_MS);
		assert_true(fault_injected() >= 5);
		assert_int_equal(pausing.accepted, 0);
		fault_reset();
		fault_clock_jump(10000);
		for (unsigned turn = 0; turn < 100 && !pausing.accepted; turn++)
			assert_true(brine_loop_turn(pausing.loop, brine_clock_ms() + BRINE_ACCEPT_PAUSE_MS) >= 0);
		assert_int_equal(pausing.accepted, 1);
		brine_loop_remove(pausing.loop, &pausing.watch);
		brine_loop_free(pausing.loop);
		brine_listen_socket_close(pausing.listener);
		brine_socket_close(client);
		fault_reset();
	}
}

/* H08: the first try is bound to the port that it dials, as the kernel may do; at the second the server has come. */
struct selfish {
	struct brine_sockaddr at;
	unsigned tries;
	int server;
};

static void make_selfish(void *user)
{
	struct selfish *selfish = user;
	if (++selfish->tries == 1) {
		int number = dup(0);
		close(number);
		setsockopt(number - 1, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
		assert_int_equal(bind(number - 1, &selfish->at.u.any, selfish->at.size), 0);
	} else if (selfish->server < 0) {
		selfish->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(selfish->server, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
		assert_int_equal(bind(selfish->server, &selfish->at.u.any, selfish->at.size), 0);
		assert_int_equal(listen(selfish->server, 1), 0);
	}
}

static void H08_a_connection_to_itself_is_tried_again(void **state)
{
	(void)state;
	struct brine_addr addr;
	brine_listen_socket_close(listen_at("tcp://127.0.0.1:0", &addr)); /* a free port */
	struct selfish selfish = {.at = addr.sockaddr, .server = -1};
	fault_hook(FAULT_connect, make_selfish, &selfish);
	int fd = dial(&addr);
	fault_reset();
	assert_int_equal(selfish.tries, 2);
	struct brine_sockaddr local;
	assert_int_equal(brine_socket_local(fd, &local), 0);
	assert_false(brine_sockaddr_equal(&local, &addr.sockaddr));
	brine_socket_close(fd);
	brine_socket_close(selfish.server);
}

/* Looks at the folder the moment listen() is called. */
struct look {
	void **state;
	unsigned files, right;
};

static void look_at_modes(void *user)
{
	struct look *look = user;
	struct e2e *e2e = *look->state;
	DIR *folder = opendir(e2e->folder);
	struct dirent *entry;
	while ((entry = readdir(folder))) {
		struct stat file;
		if (fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(file.st_mode)) {
			look->files++;
			look->right += (file.st_mode & 07777) == 0600;
			assert_string_not_equal(entry->d_name, "x.sock");
		}
	}
	closedir(folder);
}

static void H03_permissions_come_before_listening(void **state)
{
	char text[300];
	struct look look = {.state = state};
	struct brine_addr addr;
	snprintf(text, sizeof text, "unix://%s", e2e_path(state, "x.sock"));
	mode_t before = umask(0);
	fault_hook(FAULT_listen, look_at_modes, &look);
	struct brine_listen_socket *listener = listen_at(text, &addr);
	fault_reset();
	umask(before);
	assert_int_equal(look.files, 1);
	assert_int_equal(look.right, 1);
	brine_listen_socket_close(listener);
}

/* H03, H01: what comes to the path between the look and the move is not overwritten. */
static void put_file(void *user)
{
	fault_hook(FAULT_listen, NULL, NULL);
	close(open(user, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void H03_what_comes_in_between_is_left_alone(void **state)
{
	char path[280], text[300];
	struct brine_addr addr;
	struct brine_listen_socket *listener = NULL;
	struct brine_error error = BRINE_ERROR_INIT;
	struct stat file;
	snprintf(path, sizeof path, "%s", e2e_path(state, "x.sock"));
	snprintf(text, sizeof text, "unix://%s", path);
	assert_int_equal(brine_addr_parse(&addr, brine_str_from(text), BRINE_ADDR_LISTEN, NULL), 0);
	fault_hook(FAULT_listen, put_file, path);
	assert_int_equal(brine_listen_socket_open(&listener, &addr.sockaddr, 0600, NULL, &error), BRINE_ERR_NOT_SOCKET);
	fault_reset();
	assert_int_equal(lstat(path, &file), 0);
	assert_true(S_ISREG(file.st_mode));
	assert_int_equal(e2e_files(state), 1);
}

/* G11: nothing in src/net asks a clock that can be set. */
static void G11_only_the_monotonic_clock_is_asked(void **state)
{
	(void)state;
	struct brine_addr addr;
	fault_reset();
	struct brine_listen_socket *listener = listen_at("tcp://127.0.0.1:0", &addr);
	int client = dial(&addr), server;
	assert_int_equal(accept_soon(listener, &server), BRINE_ACCEPT_ONE);
	uint64_t start_ms = brine_clock_ms();
	fault_clock_jump(3600000);
	assert_true(brine_clock_ms() >= start_ms + 3600000);
	assert_int_equal(brine_socket_wait(server, BRINE_READABLE, start_ms + 3600000), BRINE_ERR_DEADLINE);
	assert_true(fault_calls(FAULT_clock_gettime) > 4);
	assert_int_equal(fault_clock_others(), 0);
	brine_socket_close(client);
	brine_socket_close(server);
	brine_listen_socket_close(listener);
	fault_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        e2e_test(G07_without_descriptors_peers_are_turned_away),
	        e2e_test(G07_without_a_spare_accepting_pauses),
	        e2e_test(H08_a_connection_to_itself_is_tried_again),
	        e2e_test(H03_permissions_come_before_listening),
	        e2e_test(H03_what_comes_in_between_is_left_alone),
	        e2e_test(G11_only_the_monotonic_clock_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
