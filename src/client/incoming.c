/* Calls of the peer: a client as the owner of its requests. They wait in the order in which they came for a thread that
 * calls their handlers, without the lock:
 *
 *   BLOCKING           a thread that waits for something, after it has let others move the bytes; a handler may wait
 *                      itself, and the next call of the peer is then handled on top of it
 *   BACKGROUND, LOOP   the leader, as it calls callbacks */
#include "client/client.h"

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

static void refuse(const struct brine_client_channel *node, const struct brine_event *event, int64_t code,
                   const char *text, uint64_t now_ms)
{
	if (event->type == BRINE_EVENT_REQUEST)
		brine_conn_fail(node->transport.conn, event->serial, code, brine_str_from(text),
		                (struct brine_bytes){NULL, 0}, now_ms);
}

static void refuse_all(const struct brine_client_channel *node, const struct brine_event *event, uint64_t now_ms)
{
	char shown[METHOD_SHOWN];
	char text[METHOD_SHOWN + 64];
	brine_escape(shown, sizeof shown, event->method.data, event->method.size);
	snprintf(text, sizeof text, "no such method: '%s' (this client has no handlers)", shown);
	refuse(node, event, BRINE_CODE_NO_METHOD, text, now_ms);
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

void brine_client_take_request(struct brine_client *client, struct brine_client_channel *node,
                               const struct brine_event *event, uint64_t now_ms)
{
	if (client->methods.count == 0 && !client->methods.fallback.raw) {
		refuse_all(node, event, now_ms);
		return;
	}
	if (client->closing) {
		refuse(node, event, BRINE_CODE_GOING_AWAY, "going away, not started", now_ms);
		return;
	}
	struct brine_request *request = brine_dispatch_accept(&node->channel, event, now_ms);
	if (!request)
		return;
	brine_client_hold(client);
	request->order = client->order++;
	request->job_next = NULL;
	*(client->pending ? &client->pending_last->job_next : &client->pending) = request;
	client->pending_last = request;
	client->pending_count++;
	client->pending_size += size_of(request);
}

void brine_client_request_changed(struct brine_client *client, struct brine_client_channel *node,
                                  const struct brine_event *event)
{
	brine_dispatch_change(&node->channel, event);
	brine_client_wake_waiters(client);
}

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
	client->pending = request->job_next;
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
	for (const struct brine_client_channel *node = client->channels; client->has_woken && node && !request;
	     node = node->next)
		request = find_woken(&node->channel.requests);
	client->has_woken = request != NULL;
	if (request)
		request->woken = false;
	return request;
}

/* ---- the end of a connection ---- */

void brine_client_drop_pending(struct brine_client *client, const struct brine_client_channel *node)
{
	struct brine_request **at = &client->pending, *request;
	client->pending_last = NULL;
	while ((request = *at)) {
		if (request->channel == &node->channel) {
			*at = request->job_next;
			client->pending_count--;
			client->pending_size -= size_of(request);
			brine_request_end(request);
		} else {
			client->pending_last = request;
			at = &request->job_next;
		}
	}
}

void brine_client_detach_requests(struct brine_client *client, struct brine_client_channel *node)
{
	brine_client_drop_pending(client, node);
	pthread_cond_broadcast(&client->quiet);
	while (node->channel.requests.first)
		brine_request_orphan(node->channel.requests.first);
	brine_channel_closed(&node->channel);
	brine_client_wake_waiters(client);
}

/* ---- the client as a owner ---- */

static bool is_mine(const struct brine_host *host)
{
	(void)host; /* whoever answers does not hold the lock */
	return false;
}

static void post(struct brine_request *request, unsigned posts)
{
	struct brine_client *client = (struct brine_client *)request->host;
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
	((struct brine_client *)request->host)->has_woken = true;
}

static void ended(struct brine_host *host)
{
	brine_client_drop((struct brine_client *)host);
}

static struct brine_client *peer_client(struct brine_request *request)
{
	struct brine_client *client = (struct brine_client *)request->host;
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
	struct brine_client *client = (struct brine_client *)request->host;
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
                                                     .peer_client = peer_client,
                                                     .wait = wait};
