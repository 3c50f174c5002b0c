/* Calls of the peer: a client as the owner of its requests. They wait in the order in which they came for a thread that
 * calls their handlers, without the lock:
 *
 *   BLOCKING           a thread that waits for something, after it has let others move the bytes; a handler may wait
 *                      itself, and the next call of the peer is then handled on top of it
 *   BACKGROUND, LOOP   the leader, as it calls callbacks */
#include "client/client.h"

#include "base/container.h"

#include "dispatch/dispatch.h"
#include "dispatch/request_stream.h"
#include "net/clock.h"

#include <stdio.h>

enum {
	METHOD_SHOWN = 129,         /* at most 128 bytes of a peer's method name go into texts */
	ARRIVED_COUNT_MARK = 256,   /* calls and notifications of the peer that wait for their handlers, */
	ARRIVED_SIZE_MARK = 1 << 20 /* or bytes of them: no more are taken then */
};

/* ---- registering ---- */

/* Handlers have to be known before anybody can ask for them. */
static int may_register(struct brine_client *client, struct brine_error *error)
{
	int status = brine_client_check(client, error);
	if (status < 0)
		return status;
	if (client->attached)
		return brine_fail(error, BRINE_ERR_STATE, 0,
		                  "this client belongs to a server, which has handlers of its own");
	brine_client_lock(client);
	bool is_late = client->channels_made > 0 && client->connector.addr_count > 0;
	brine_client_unlock(client);
	return is_late ? brine_fail(error, BRINE_ERR_STATE, 0,
	                            "register before the first call or brine_client_connect()")
	               : 0;
}

int brine_client_serve(struct brine_client *client, const struct brine_service *service, const void *handlers,
                       void *user, struct brine_error *error)
{
	if (!client || !service)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "client or service is NULL");
	int status = may_register(client, error);
	if (status < 0)
		return status;
	brine_client_lock(client);
	status = brine_methods_add_service(&client->methods, service, handlers, user, error);
	brine_client_unlock(client);
	return status;
}

int brine_client_serve_raw(struct brine_client *client, const char *method, brine_raw_handler_fn *handler, void *user,
                           struct brine_error *error)
{
	if (!client)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "client is NULL");
	int status = may_register(client, error);
	if (status < 0)
		return status;
	brine_client_lock(client);
	status = brine_methods_add_raw(&client->methods, method, 0, handler, user, error);
	brine_client_unlock(client);
	return status;
}

/* ---- what comes ---- */

static struct brine_client *client_of(struct brine_host *host)
{
	return brine_container_of(host, struct brine_client, host);
}

static void refuse(const struct brine_channel *channel, const struct brine_event *event, int64_t code, const char *text,
                   uint64_t now_ms)
{
	if (event->type == BRINE_EVENT_REQUEST)
		brine_conn_fail(channel->conn, event->serial, code, brine_str_from(text), (struct brine_bytes){NULL, 0},
		                now_ms);
}

static void refuse_all(const struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	char shown[METHOD_SHOWN];
	char text[METHOD_SHOWN + 64];
	brine_escape(shown, sizeof shown, event->method.data, event->method.size);
	snprintf(text, sizeof text, "no such method: '%s' (this client has no handlers)", shown);
	refuse(channel, event, BRINE_CODE_NO_METHOD, text, now_ms);
}

static size_t size_of(const struct brine_request *request)
{
	return request->method.size + request->params.size + request->metadata.size;
}

bool brine_client_is_full(const struct brine_client *client)
{
	bool is_over = client->pending_count >= ARRIVED_COUNT_MARK || client->pending_size >= ARRIVED_SIZE_MARK;
	return is_over && !client->closing;
}

static void take_request(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	struct brine_client *client = client_of(channel->host);
	if (client->methods.count == 0 && !client->methods.fallback.raw) {
		refuse_all(channel, event, now_ms);
		return;
	}
	if (client->closing) {
		refuse(channel, event, BRINE_CODE_GOING_AWAY, "going away, not started", now_ms);
		return;
	}
	struct brine_request *request = brine_dispatch_accept(channel, event, now_ms);
	if (!request)
		return;
	brine_client_hold(client);
	request->order = client->order++;
	request->pending_next = NULL;
	*(client->pending ? &client->pending_last->pending_next : &client->pending) = request;
	client->pending_last = request;
	client->pending_count++;
	client->pending_size += size_of(request);
}

static void change_request(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	brine_dispatch_change(channel, event, now_ms);
	brine_client_wake_waiters(client_of(channel->host));
}

static void take_hello(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	(void)event;
	(void)now_ms;
	channel->hello_received = true;
	brine_client_proven(client_of(channel->host), channel);
}

static void take_end(struct brine_channel *channel, const struct brine_event *event, uint64_t now_ms)
{
	(void)now_ms;
	if (event->status < 0)
		client_of(channel->host)->process_status = event->status;
}

const struct brine_event_table brine_client_events = {
        .ours = {[BRINE_EVENT_RESPONSE] = brine_call_on_response,
                 [BRINE_EVENT_ITEM] = brine_call_on_item,
                 [BRINE_EVENT_CREDIT] = brine_call_on_credit},
        .theirs = {[BRINE_EVENT_REQUEST] = take_request,
                   [BRINE_EVENT_NOTIFICATION] = take_request,
                   [BRINE_EVENT_CANCEL] = change_request,
                   [BRINE_EVENT_ITEM] = change_request,
                   [BRINE_EVENT_UPLOAD_END] = change_request,
                   [BRINE_EVENT_CREDIT] = change_request,
                   [BRINE_EVENT_HELLO] = take_hello,
                   [BRINE_EVENT_CLOSED] = take_end},
};

/* ---- handlers ---- */

static unsigned nested(const struct brine_client *client)
{
	unsigned depth = 0;
	for (const struct brine_handling *at = client->handlings; at; at = at->next)
		depth += pthread_equal(at->thread, pthread_self()) != 0;
	return depth;
}

struct brine_handling *brine_client_current_handler(const struct brine_client *client)
{
	struct brine_handling *at = client->handlings;
	while (at && !pthread_equal(at->thread, pthread_self()))
		at = at->next;
	return at;
}

static struct brine_request *take_arrived(struct brine_client *client)
{
	struct brine_request *request = client->pending;
	client->pending = request->pending_next;
	client->pending_count--;
	client->pending_size -= size_of(request);
	return request;
}

static void end_handling(struct brine_client *client, struct brine_handling *handling)
{
	struct brine_handling **at = &client->handlings;
	while (*at != handling)
		at = &(*at)->next;
	*at = handling->next;
	pthread_cond_broadcast(&client->quiet);
	if (handling->frees)
		brine_client_end_deferred(client);
}

void brine_client_handle(struct brine_client *client)
{
	struct brine_request *request = take_arrived(client);
	struct brine_handling handling = {.next = client->handlings, .thread = pthread_self()};
	bool blocks = client->options.mode == BRINE_CLIENT_BLOCKING;
	if (nested(client) >= BRINE_CLIENT_NESTED_MAX) {
		brine_dispatch_refuse(request, BRINE_CODE_OVERLOADED, "calls are nested too deep (16), not started");
		brine_client_flush_or_wake(client);
		return;
	}
	if (blocks)
		client->handlings = &handling;
	int state = brine_client_leave(client);
	brine_dispatch_job(request);
	brine_client_return(client, state);
	if (blocks)
		end_handling(client, &handling);
}

/* The first of the requests that wants its on_ready called. */
static struct brine_request *find_woken(const struct brine_request_list *list)
{
	struct brine_request *request = list->first;
	while (request && !request->woken)
		request = request->next;
	return request;
}

struct brine_request *brine_client_next_woken(struct brine_client *client)
{
	struct brine_request *request = client->has_woken ? find_woken(&client->host.orphans) : NULL;
	for (const struct brine_channel *channel = client->channels; client->has_woken && channel && !request;
	     channel = channel->next)
		request = find_woken(&channel->requests);
	client->has_woken = request != NULL;
	if (request)
		request->woken = false;
	return request;
}

/* ---- the end of a connection ---- */

void brine_client_drop_pending(struct brine_client *client, const struct brine_channel *channel)
{
	struct brine_request **at = &client->pending, *request;
	client->pending_last = NULL;
	while ((request = *at)) {
		if (request->channel == channel) {
			*at = request->pending_next;
			client->pending_count--;
			client->pending_size -= size_of(request);
			brine_request_end(request);
		} else {
			client->pending_last = request;
			at = &request->pending_next;
		}
	}
}

void brine_client_detach_requests(struct brine_client *client, struct brine_channel *channel)
{
	brine_client_drop_pending(client, channel);
	pthread_cond_broadcast(&client->quiet);
	while (channel->requests.first)
		brine_request_orphan(channel->requests.first);
	brine_channel_tell_watches(channel);
	brine_client_wake_waiters(client);
}

/* ---- the client as a owner ---- */

/* Has the leader look at what was cancelled: whoever cancels holds the host's lock, which keeps the descriptor. */
static void wake_owner(struct brine_host *host)
{
	struct brine_client *client = client_of(host);
	if (client->attached)
		brine_client_wake_attached(client);
	else if (client->wakeup >= 0)
		brine_wakeup_signal(client->wakeup);
}

static bool is_mine(const struct brine_host *host)
{
	(void)host; /* whoever answers does not hold the lock */
	return false;
}

static void post(struct brine_request *request, unsigned posts)
{
	struct brine_client *client = client_of(request->host);
	brine_client_hold(client);
	brine_client_lock(client);
	brine_request_process_posts(request, posts);
	brine_client_flush_or_wake(client);
	brine_client_unlock(client);
	brine_client_drop(client);
}

static void touch(struct brine_channel *channel)
{
	(void)channel; /* who delivers pushes */
}

static void wake(struct brine_request *request)
{
	request->woken = true;
	(client_of(request->host))->has_woken = true;
}

static void ended(struct brine_host *host)
{
	brine_client_drop(client_of(host));
}

static struct brine_client *peer_client(struct brine_request *request)
{
	struct brine_client *client = client_of(request->host);
	brine_client_hold(client);
	return client;
}

/* A stream's handler waits like a caller: it may be the one who moves the bytes. */

static bool has_moved(struct brine_client *client, const struct brine_call *call)
{
	(void)client;
	return brine_request_stream_has_changed(call->user);
}

static int wait(struct brine_request *request)
{
	struct brine_client *client = client_of(request->host);
	struct brine_call waiting = BRINE_CALL_INIT;
	waiting.user = request->stream;
	brine_client_lock(client);
	int status = brine_client_wait(client, &waiting, has_moved, true, BRINE_FOREVER);
	brine_client_call_back(client);
	brine_client_unlock(client);
	return status;
}

const struct brine_host_ops brine_client_host_ops = {.is_mine = is_mine,
                                                     .post = post,
                                                     .schedule = touch,
                                                     .wake = wake,
                                                     .ended = ended,
                                                     .wake_owner = wake_owner,
                                                     .peer_client = peer_client,
                                                     .drop_client = brine_client_drop,
                                                     .wait = wait};

struct brine_client *brine_request_keep_client(struct brine_request *request)
{
	struct brine_client *client = brine_request_client(request);
	/* A client's own is the program's already. */
	if (!client || !client->attached)
		return NULL;
	brine_client_hold(client);
	return client;
}
