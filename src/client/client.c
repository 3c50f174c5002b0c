#include "client/client.h"

#include "base/alloc.h"
#include "base/later.h"
#include "base/meter.h"
#include "client/command.h"
#include "dispatch/request.h"
#include "net/clock.h"
#include "net/fail.h"
#include "net/random.h"
#include "net/socket.h"

#include <errno.h>
#include <stdio.h>

uint64_t brine_deadline_after(uint64_t timeout_ms)
{
	return brine_later(brine_clock_ms(), timeout_ms);
}

int brine_client_check(const struct brine_client *client, struct brine_error *error)
{
	return brine_fork_guard_is_child(&client->fork_guard) ? brine_fork_guard_refuse("client", error) : 0;
}

/* ---- making ---- */

static int copy_name(struct brine_client *client, const char *name)
{
	if (!name)
		return 0;
	size_t size = strlen(name) + 1;
	char *copy = brine_resize(client->options.allocator, NULL, 0, size);
	if (!copy)
		return BRINE_ERR_NOMEM;
	memcpy(copy, name, size);
	client->options.name = copy;
	return 0;
}

static void init_locks(struct brine_client *client)
{
	brine_lock_init(&client->lock);
	pthread_mutex_init(&client->host.lock, NULL);
	pthread_condattr_init(&client->clock);
	pthread_condattr_setclock(&client->clock, CLOCK_MONOTONIC);
	pthread_cond_init(&client->quiet, &client->clock);
}

static int init_descriptors(struct brine_client *client, struct brine_error *error)
{
	if (client->attached)
		return 0;
	client->wakeup = brine_wakeup_new();
	int status = client->wakeup < 0 ? BRINE_ERR_SYSTEM : 0;
	if (status == 0 && client->options.mode == BRINE_CLIENT_LOOP)
		status = brine_epoll_set_init(&client->epoll_set);
	struct brine_poll_set set = {0};
	brine_poll_set_add(&set, client->wakeup, BRINE_READABLE);
	if (status == 0 && client->options.mode == BRINE_CLIENT_LOOP)
		status = brine_epoll_set_update(&client->epoll_set, &set);
	return status < 0 ? brine_fail_errno(error, status, errno, "could not make the descriptors of a client") : 0;
}

static int check_options(const struct brine_client_options *options, struct brine_error *error)
{
	if (options->struct_size != sizeof *options)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "struct_size: start from BRINE_CLIENT_OPTIONS_INIT");
	if (options->mode < BRINE_CLIENT_BLOCKING || options->mode > BRINE_CLIENT_LOOP)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "mode %d: expected one of enum brine_client_mode",
		                  options->mode);
	return 0;
}

/* Gets everything that a client has while it is not connected. */
static int equip(struct brine_client *client, const char *name, struct brine_error *error)
{
	int status = brine_fork_guard_init(&client->fork_guard, error);
	if (status < 0)
		return status;
	status = init_descriptors(client, error);
	if (status < 0)
		return status;
	status = brine_random_fill(&client->seed, sizeof client->seed);
	if (status < 0)
		return brine_fail_errno(error, status, errno, "no random numbers");
	brine_methods_init(&client->methods, client->options.allocator, client->seed);
	if (!client->attached)
		client->input = brine_resize(client->options.allocator, NULL, 0, BRINE_INPUT_SIZE);
	if ((!client->attached && !client->input) || copy_name(client, name) < 0)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a client");
	/* Limits that a connection would refuse are refused now. */
	struct brine_conn_options options = brine_client_conn_options(client, NULL);
	return brine_channel_check(&options, error);
}

int brine_client_make(struct brine_client **ret_client, const struct brine_client_options *options, bool attached,
                      struct brine_error *error)
{
	static const struct brine_client_options defaults = BRINE_CLIENT_OPTIONS_INIT;
	if (!options)
		options = &defaults;
	int status = check_options(options, error);
	if (status < 0)
		return status;
	struct brine_client *client = brine_alloc_zero(options->allocator, sizeof *client);
	if (!client)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a client");
	client->options = *options;
	client->options.name = NULL;
	if (client->options.timeout_ms == 0)
		client->options.timeout_ms = defaults.timeout_ms;
	if (client->options.connect_timeout_ms == 0)
		client->options.connect_timeout_ms = defaults.connect_timeout_ms;
	atomic_init(&client->holders, 1);
	client->attached = client->leading = attached;
	client->handled_order = UINT64_MAX;
	client->host.ops = &brine_client_host_ops;
	client->host.events = &brine_client_events;
	client->host.allocator = options->allocator;
	client->host.fork_guard = &client->fork_guard;
	client->host.methods = &client->methods;
	brine_buf_init(&client->host.scratch, options->allocator);
	client->wakeup = client->completed_fd = client->epoll_set.fd = -1;
	brine_buf_init(&client->scratch, options->allocator);
	init_locks(client);
	status = equip(client, options->name, error);
	if (status < 0) {
		brine_client_drop(client);
		return status;
	}
	*ret_client = client;
	return 0;
}

/* Where the first address of several ends: at a comma before the next scheme, as commas may stand in paths. */
static size_t first_address(struct brine_str text)
{
	static const char *const schemes[] = {"tcp://", "unix://", "msgpack-rpc"};
	for (size_t at = 0; at < text.size; at++) {
		for (size_t i = 0; text.data[at] == ',' && i < sizeof schemes / sizeof schemes[0]; i++) {
			size_t size = strlen(schemes[i]);
			if (text.size - at > size && memcmp(text.data + at + 1, schemes[i], size) == 0)
				return at;
		}
	}
	return text.size;
}

static int parse_addresses(struct brine_addr list[BRINE_CLIENT_ADDRESSES_MAX], size_t *ret_count, const char *address,
                           struct brine_error *error)
{
	struct brine_str rest = brine_str_from(address);
	struct brine_error why = BRINE_ERROR_INIT;
	size_t count = 0;
	size_t at = 0;
	for (;;) {
		if (count == BRINE_CLIENT_ADDRESSES_MAX)
			return brine_fail(error, BRINE_ERR_ADDRESS, at, "expected at most %d addresses",
			                  BRINE_CLIENT_ADDRESSES_MAX);
		size_t size = first_address(rest);
		int status =
		        brine_addr_parse(&list[count], (struct brine_str){rest.data, size}, BRINE_ADDR_CONNECT, &why);
		if (status < 0) {
			why.offset += at;
			if (error)
				*error = why;
			return status;
		}
		count++;
		if (size == rest.size)
			break;
		at += size + 1;
		rest = (struct brine_str){rest.data + size + 1, rest.size - size - 1};
	}
	*ret_count = count;
	return 0;
}

int brine_client_open(struct brine_client **ret_client, const char *address, const struct brine_client_options *options,
                      struct brine_error *error)
{
	if (!ret_client || !address)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_client or address is NULL");
	struct brine_addr list[BRINE_CLIENT_ADDRESSES_MAX];
	size_t count = 0;
	int status = parse_addresses(list, &count, address, error);
	struct brine_client *client;
	if (status == 0)
		status = brine_client_make(&client, options, false, error);
	if (status < 0)
		return status;
	client->connector.addrs = brine_resize(client->options.allocator, NULL, 0, count * sizeof *list);
	if (!client->connector.addrs) {
		brine_client_drop(client);
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a client");
	}
	memcpy(client->connector.addrs, list, count * sizeof *list);
	client->connector.addr_count = count;
	brine_escape(client->peer_text, sizeof client->peer_text, address, strlen(address));
	*ret_client = client;
	return 0;
}

int brine_client_open_fd(struct brine_client **ret_client, int fd, const struct brine_client_options *options,
                         struct brine_error *error)
{
	struct brine_client *client;
	int status = ret_client ? brine_client_make(&client, options, false, error)
	                        : brine_fail(error, BRINE_ERR_INVALID, 0, "ret_client is NULL");
	if (status < 0) {
		brine_socket_close(fd);
		return status;
	}
	snprintf(client->peer_text, sizeof client->peer_text, "descriptor %d", fd);
	status = brine_client_adopt(client, fd, NULL, error);
	if (status < 0) {
		brine_client_drop(client);
		return status;
	}
	*ret_client = client;
	return 0;
}

/* ---- the end ---- */

static void close_descriptors(struct brine_client *client)
{
	brine_socket_close(client->wakeup);
	brine_socket_close(client->completed_fd);
	brine_epoll_set_done(&client->epoll_set);
	client->wakeup = client->completed_fd = -1;
}

static void close_channels(struct brine_client *client)
{
	struct brine_channel *channel;
	while ((channel = client->channels)) {
		client->channels = channel->next;
		brine_client_detach_requests(client, channel);
		brine_channel_done(channel);
		brine_release(client->options.allocator, channel, sizeof *channel);
	}
	client->current = NULL;
}

void brine_client_hold(struct brine_client *client)
{
	atomic_fetch_add_explicit(&client->holders, 1, memory_order_relaxed);
}

void brine_client_drop(struct brine_client *client)
{
	if (atomic_fetch_sub_explicit(&client->holders, 1, memory_order_acq_rel) > 1)
		return;
	const struct brine_allocator *allocator = client->options.allocator;
	const struct brine_connector *connector = &client->connector;
	struct brine_meter *meter = client->host.meter;
	close_descriptors(client);
	/* In a child a lock may be held for ever by a thread that is not there. */
	if (client->fork_guard.page && !brine_fork_guard_is_child(&client->fork_guard)) {
		pthread_cond_destroy(&client->quiet);
		pthread_condattr_destroy(&client->clock);
		brine_lock_done(&client->lock);
		pthread_mutex_destroy(&client->host.lock);
	}
	brine_requests_done(&client->host);
	brine_methods_done(&client->methods);
	brine_command_free(client);
	brine_buf_done(&client->scratch);
	brine_release(allocator, client->input, client->input ? (size_t)BRINE_INPUT_SIZE : 0);
	brine_release(allocator, connector->addrs, connector->addr_count * sizeof *connector->addrs);
	if (client->options.name)
		brine_release(allocator, (char *)(uintptr_t)client->options.name, strlen(client->options.name) + 1);
	brine_fork_guard_done(&client->fork_guard);
	brine_release(allocator, client, sizeof *client);
	brine_meter_drop(meter);
}

/* Ends the calls of both directions: whoever waits for one, or handles one and asks whether it was cancelled, has no
 * reason to go on. Descriptors stay open, as another thread may wait for them. */
static void end_calls(struct brine_client *client)
{
	uint64_t now_ms = brine_clock_ms();
	while (client->queued.first)
		brine_call_abort(client, client->queued.first);
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next) {
		brine_client_drop_pending(client, channel);
		brine_conn_close(channel->conn, now_ms);
		brine_client_take_events(client, channel, now_ms);
		if (!channel->closed)
			brine_channel_write(channel, client->input, now_ms);
		brine_client_take_events(client, channel, now_ms);
	}
	brine_client_wake_waiters(client);
	brine_wakeup_signal(client->wakeup);
}

static bool is_busy_elsewhere(const struct brine_client *client)
{
	for (const struct brine_handling *at = client->handlings; at; at = at->next)
		if (!pthread_equal(at->thread, pthread_self()))
			return true;
	return client->leading || client->calls_back;
}

/* Lets go of the thread of mode BACKGROUND, which ends now or, where it is this one, soon. */
static void leave_thread(struct brine_client *client)
{
	if (!client->has_thread)
		return;
	client->has_thread = false;
	if (pthread_equal(client->thread, pthread_self())) {
		pthread_detach(client->thread);
		return;
	}
	int state = brine_client_leave(client);
	pthread_join(client->thread, NULL);
	brine_client_return(client, state);
}

/* What is left to do by one thread. */
static void close_all(struct brine_client *client)
{
	client->leading = true;
	brine_connector_stop(client);
	/* Lets the peer have what was sent and see an end in order. */
	if (client->channels && client->options.mode != BRINE_CLIENT_LOOP)
		brine_client_linger(client, brine_deadline_after(client->options.limits.linger_ms));
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next) {
		brine_channel_fail(channel, 0, brine_clock_ms());
		brine_client_take_events(client, channel, brine_clock_ms());
	}
	close_channels(client);
	brine_command_end(client);
	client->leading = false;
	brine_client_call_back(client);
	/* Whoever cancels a parent of its calls signals with this lock alone. */
	pthread_mutex_lock(&client->host.lock);
	close_descriptors(client);
	pthread_mutex_unlock(&client->host.lock);
}

/* Ends everything that brine_client_free() ends; this thread does not move the bytes, nor call back. */
static void end(struct brine_client *client)
{
	client->ending = true;
	end_calls(client);
	while (is_busy_elsewhere(client))
		brine_client_sleep(client, &client->quiet, BRINE_FOREVER);
	leave_thread(client);
	close_all(client);
}

void brine_client_end_deferred(struct brine_client *client)
{
	client->free_deferred = false;
	end(client);
	/* Whoever moves or handles holds the client too. */
	brine_client_drop(client);
}

static void end_requests(struct brine_request_list *list)
{
	while (list->first)
		brine_request_end(list->first);
}

/* In a child: nothing that its parent would notice, and no lock. */
static void free_in_child(struct brine_client *client)
{
	client->epoll_set.now.count = 0;
	brine_command_abandon(client);
	brine_connector_stop(client);
	client->pending = NULL;
	for (struct brine_channel *channel = client->channels; channel; channel = channel->next)
		end_requests(&channel->requests);
	end_requests(&client->host.orphans);
	close_channels(client);
	close_descriptors(client);
	/* What its thread held. */
	if (client->has_thread)
		brine_client_drop(client);
	brine_client_drop(client);
}

void brine_client_free(struct brine_client *client)
{
	if (!client)
		return;
	if (client->attached) {
		brine_client_drop(client);
		return;
	}
	if (brine_fork_guard_is_child(&client->fork_guard)) {
		free_in_child(client);
		return;
	}
	brine_client_lock(client);
	client->closing = true;
	/* In one of these it happens when that has returned. */
	bool in_callback = brine_client_in_callback(client);
	struct brine_handling *handling = in_callback ? NULL : brine_client_current_handler(client);
	if (in_callback)
		client->free_deferred = true;
	else if (handling)
		handling->frees = true;
	else
		end(client);
	brine_client_unlock(client);
	if (!in_callback && !handling)
		brine_client_drop(client);
}
