#include "server/listener.h"

#include "base/alloc.h"
#include "net/clock.h"
#include "net/socket.h"
#include "server/connection.h"

#include <errno.h>
#include <stdio.h>

enum {
	ACCEPTS_PER_TURN = 64, /* so that a storm of connections cannot starve those there are */
};

/* The loop thread with the fewest connections; NULL when there are too many in all. */
static struct brine_loop_thread *choose_loop_thread(struct brine_server *server)
{
	struct brine_loop_thread *best = NULL;
	uint64_t total = 0, least = UINT64_MAX;
	for (uint32_t i = 0; i < server->options.loops; i++) {
		struct brine_loop_thread *loop_thread = server->loop_threads[i];
		uint64_t open = atomic_load_explicit(&loop_thread->host.counts[BRINE_COUNT_OPEN], memory_order_relaxed);
		total += open;
		if (open < least) {
			least = open;
			best = loop_thread;
		}
	}
	return total < server->options.connections_max ? best : NULL;
}

/* Closes the descriptor, where there still is one, without a byte. */
static void refuse(struct brine_listener *listener, int fd, const char *why)
{
	struct brine_server *server = listener->server;
	brine_loop_thread_count(server->loop_threads[0], BRINE_COUNT_REFUSED, 1);
	brine_socket_close(fd);
	brine_log_print(&server->log, brine_clock_ms(), "%s: connection refused: %s", listener->address, why);
}

static void refuse_over_limit(struct brine_listener *listener, int fd, uint32_t most, const char *whose)
{
	char why[BRINE_ADDR_TEXT_SIZE + 64];
	snprintf(why, sizeof why, "%u%s are open, the most allowed", most, whose);
	refuse(listener, fd, why);
}

/* Unix peers have no name of their own. */
static void refuse_over_quota(struct brine_listener *listener, int fd, const struct brine_sockaddr *from)
{
	char address[BRINE_ADDR_TEXT_SIZE], whose[BRINE_ADDR_TEXT_SIZE + 16];
	bool is_unix = from->u.any.sa_family == AF_UNIX;
	snprintf(whose, sizeof whose, " of %s",
	         is_unix ? "one user" : brine_sockaddr_format(address, sizeof address, from));
	refuse_over_limit(listener, fd, listener->server->peer_limit.each_max, whose);
}

/* Makes a connection that counts as a connection of its peer. */
static void admit(struct brine_listener *listener, struct brine_loop_thread *loop_thread, int fd,
                  const struct brine_sockaddr *from)
{
	struct brine_server *server = listener->server;
	uint64_t key;
	if (brine_server_is_short(server)) {
		brine_loop_thread_count(server->loop_threads[0], BRINE_COUNT_SHORTAGES, 1);
		refuse(listener, fd, "the server is short of memory");
		return;
	}
	int status = brine_peer_limit_acquire(&server->peer_limit, fd, from, &key);
	if (status == BRINE_ERR_LIMIT) {
		refuse_over_quota(listener, fd, from);
		return;
	}
	if (status < 0) {
		refuse(listener, fd, "out of memory");
		return;
	}
	struct brine_connection *connection =
	        brine_connection_new(loop_thread, fd, from, listener->address, &listener->options);
	if (!connection) {
		brine_peer_limit_release(&server->peer_limit, key);
		refuse(listener, -1, "out of memory");
		return;
	}
	connection->peer_limit_key = key;
	if (loop_thread == server->loop_threads[0])
		brine_connection_start(connection);
	else
		brine_loop_thread_hand(loop_thread, connection);
}

static void accept_one(struct brine_listener *listener, int fd, const struct brine_sockaddr *from)
{
	struct brine_loop_thread *loop_thread = choose_loop_thread(listener->server);
	if (loop_thread)
		admit(listener, loop_thread, fd, from);
	else
		refuse_over_limit(listener, fd, listener->server->options.connections_max, "");
}

/* Closes the socket, so that peers are refused instead of waiting for nobody. */
static void close_socket(struct brine_listener *listener)
{
	brine_loop_remove(listener->server->loop_threads[0]->loop, &listener->watch);
	brine_timer_stop(listener->server->loop_threads[0]->loop, &listener->pause);
	brine_listen_socket_close(listener->socket);
	listener->socket = NULL;
}

/* Looks away from the socket for a while: there are no descriptors or no memory for its peers. */
static void pause_accepting(struct brine_listener *listener)
{
	struct brine_server *server = listener->server;
	uint64_t now_ms = brine_clock_ms();
	brine_log_print(&server->log, now_ms, "%s: out of descriptors or memory, accepting pauses", listener->address);
	brine_loop_remove(server->loop_threads[0]->loop, &listener->watch);
	brine_timer_set(server->loop_threads[0]->loop, &listener->pause, now_ms + BRINE_ACCEPT_PAUSE_MS);
}

static void give_up(struct brine_listener *listener, int reason)
{
	brine_log_print(&listener->server->log, brine_clock_ms(), "%s: no longer listening: %s", listener->address,
	                strerror(reason));
	close_socket(listener);
}

static void on_waiting(struct brine_watch *watch, unsigned ready)
{
	struct brine_listener *listener = watch->user;
	(void)ready;
	for (int count = 0; count < ACCEPTS_PER_TURN; count++) {
		int fd;
		struct brine_sockaddr from;
		switch (brine_listen_socket_accept(listener->socket, &fd, &from)) {
		case BRINE_ACCEPT_ONE: accept_one(listener, fd, &from); break;
		case BRINE_ACCEPT_REFUSED:
			brine_loop_thread_count(listener->server->loop_threads[0], BRINE_COUNT_REFUSED, 1);
			break;
		case BRINE_ACCEPT_NONE: return;
		case BRINE_ACCEPT_PAUSE: pause_accepting(listener); return;
		default: give_up(listener, errno); return;
		}
	}
}

static void on_pause_over(struct brine_timer *timer, uint64_t now_ms)
{
	struct brine_listener *listener = timer->user;
	if (brine_loop_add(listener->server->loop_threads[0]->loop, &listener->watch,
	                   brine_listen_socket_fd(listener->socket), BRINE_READABLE) < 0)
		brine_timer_set(listener->server->loop_threads[0]->loop, &listener->pause,
		                now_ms + BRINE_ACCEPT_PAUSE_MS);
}

static void free_listener(struct brine_listener *listener, bool forked)
{
	if (forked)
		brine_listen_socket_abandon(listener->socket);
	else
		close_socket(listener);
	brine_release(listener->server->options.allocator, listener, sizeof *listener);
}

void brine_listeners_close(struct brine_server *server)
{
	for (struct brine_listener *listener = server->listeners; listener; listener = listener->next)
		close_socket(listener);
}

void brine_listeners_free(struct brine_server *server, bool forked)
{
	while (server->listeners) {
		struct brine_listener *listener = server->listeners;
		server->listeners = listener->next;
		free_listener(listener, forked);
	}
}

/* Watches one socket, which it owns from then on, also on error. */
static int add_listener(struct brine_server *server, struct brine_listener **at, struct brine_listen_socket *socket,
                        const struct brine_listen_options *options, struct brine_error *error)
{
	struct brine_listener *listener = brine_alloc_zero(server->options.allocator, sizeof *listener);
	if (!listener) {
		brine_listen_socket_close(socket);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory listening");
	}
	listener->server = server;
	listener->socket = socket;
	listener->options = *options;
	snprintf(listener->address, sizeof listener->address, "%s", brine_listen_socket_address(socket));
	listener->watch = (struct brine_watch){.on_ready = on_waiting, .user = listener};
	listener->pause = (struct brine_timer){.on_due = on_pause_over, .user = listener};
	int status = brine_loop_add(server->loop_threads[0]->loop, &listener->watch, brine_listen_socket_fd(socket),
	                            BRINE_READABLE);
	if (status < 0) {
		brine_fail(error, status, 0, "listening on %s: %s", listener->address,
		           status == BRINE_ERR_SYSTEM ? strerror(errno) : "out of memory");
		free_listener(listener, false);
		return status;
	}
	*at = listener;
	return 0;
}

/* Watches all of them, or none: those that remain are closed. */
static int add_listeners(struct brine_server *server, struct brine_listen_socket *const *list, size_t count,
                         const struct brine_listen_options *options, struct brine_error *error)
{
	struct brine_listener **end = &server->listeners;
	while (*end)
		end = &(*end)->next;
	int status = 0;
	size_t added = 0;
	for (struct brine_listener **at = end; added < count && status == 0; added++) {
		status = add_listener(server, at, list[added], options, error);
		if (status == 0)
			at = &(*at)->next;
	}
	if (status == 0)
		return 0;
	while (added < count)
		brine_listen_socket_close(list[added++]);
	while (*end) {
		struct brine_listener *listener = *end;
		*end = listener->next;
		free_listener(listener, false);
	}
	return status;
}

struct brine_listen_options brine_listener_defaults(const struct brine_server *server)
{
	struct brine_listen_options options = BRINE_LISTEN_OPTIONS_INIT;
	options.plain_errors = server->options.plain_errors;
	options.plain_refused = server->options.plain_refused;
	return options;
}

static int check_options(const struct brine_listen_options *options, struct brine_error *error)
{
	if (options->struct_size != sizeof *options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "struct_size: start from BRINE_LISTEN_OPTIONS_INIT");
	if (options->plain_errors != BRINE_PLAIN_ERRORS_TEXT && options->plain_errors != BRINE_PLAIN_ERRORS_PAIR)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "plain_errors: one of enum brine_plain_errors");
	return 0;
}

int brine_server_listen_as(struct brine_server *server, const char *address, const struct brine_listen_options *options,
                           struct brine_error *error)
{
	if (!server || !address)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "server or address is NULL");
	struct brine_addr addr;
	struct brine_listen_socket *list[BRINE_ADDR_RESOLVED_MAX];
	struct brine_listen_options defaults = brine_listener_defaults(server);
	size_t count;
	if (!options)
		options = &defaults;
	if (brine_fork_guard_is_child(&server->fork_guard))
		return brine_fork_guard_refuse("server", error);
	if (server->ran)
		return brine_fail(error, BRINE_ERR_STATE, 0, "listen before the server runs");
	int status = check_options(options, error);
	if (status == 0)
		status = brine_addr_parse(&addr, brine_str_from(address), BRINE_ADDR_LISTEN, error);
	if (status == 0)
		status = brine_listener_open_all(list, &count, &addr, (unsigned)server->options.unix_mode,
		                                 server->options.allocator, error);
	return status < 0 ? status : add_listeners(server, list, count, options, error);
}

int brine_server_listen(struct brine_server *server, const char *address, struct brine_error *error)
{
	return brine_server_listen_as(server, address, NULL, error);
}

const char *brine_server_address(const struct brine_server *server, unsigned number)
{
	const struct brine_listener *listener = server ? server->listeners : NULL;
	while (listener && number-- > 0)
		listener = listener->next;
	return listener ? listener->address : NULL;
}
