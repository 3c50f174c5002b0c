/* What the program is told: callbacks of calls, on_ready of the peer's requests, and handlers where these are called
 * like callbacks. By the leader, without the lock, one at a time. */
#include "client/client.h"
#include "dispatch/request.h"

/* Whether the peer's next call or notification came before the next end of a call that somebody is to be told of. */
static bool peer_is_first(const struct brine_client *client)
{
	const struct brine_call *ended = client->ended.first;
	return client->pending && !client->closing && (!ended || client->pending->order < ended->order);
}

bool brine_client_has_callbacks(const struct brine_client *client)
{
	/* In mode BLOCKING handlers are for those who wait, and the ends of calls wait for them. */
	bool blocks = client->options.mode == BRINE_CLIENT_BLOCKING;
	bool in_order = peer_is_first(client) ? !blocks : client->ended.count > 0;
	return client->ready.count || client->has_woken || in_order;
}

bool brine_client_has_earlier(const struct brine_client *client, const struct brine_call *call)
{
	bool waits = client->pending && client->pending->order < call->order;
	return !client->closing && (waits || client->handled_order < call->order);
}

/* The next call that somebody is to be told of, taken from its list; NULL: none, or a call of the peer comes first. */
static struct brine_call *next_callback(struct brine_client *client, bool *ret_is_end)
{
	struct brine_call *call = client->ready.first;
	*ret_is_end = !call;
	if (!call && !peer_is_first(client))
		call = client->ended.first;
	if (call)
		brine_call_unlist(client, call);
	return call;
}

static void call_back(struct brine_client *client, struct brine_call *call, bool is_end)
{
	void (*callback)(struct brine_call *, void *) = is_end ? call->on_done : call->on_ready;
	void *user = call->user;
	client->calling = call;
	int state = brine_client_leave(client);
	if (is_end)
		brine_call_run_after(client, call);
	callback(call, user);
	brine_client_return(client, state);
	/* The call may be gone. */
	client->calling = NULL;
}

/* Calls on_ready. Another thread may answer the request meanwhile. */
static void tell_woken(struct brine_client *client, struct brine_request *request)
{
	brine_request_keep(request);
	int state = brine_client_leave(client);
	brine_request_call_back(request);
	brine_client_return(client, state);
	brine_request_let_go(request);
}

/* Calls the next handler. */
static bool handle_next(struct brine_client *client)
{
	if (client->options.mode == BRINE_CLIENT_BLOCKING || !peer_is_first(client))
		return false;
	client->handled_order = client->pending->order;
	brine_client_handle(client);
	client->handled_order = UINT64_MAX;
	return true;
}

/* Calls one of the callbacks that are due. False: there is none. */
static bool flush_one(struct brine_client *client)
{
	struct brine_request *woken = brine_client_next_woken(client);
	bool is_end;
	struct brine_call *call = woken ? NULL : next_callback(client, &is_end);
	bool handled = false;
	client->calls_back = true;
	client->callback_thread = pthread_self();
	if (woken) {
		tell_woken(client, woken);
	} else if (call && is_end && !call->on_done) {
		brine_call_completed(client, call);
	} else if (call) {
		call_back(client, call, is_end);
	} else {
		handled = handle_next(client);
	}
	client->calls_back = false;
	pthread_cond_broadcast(&client->quiet);
	return woken || call || handled;
}

void brine_client_flush_callbacks(struct brine_client *client)
{
	bool called = false;
	while (!client->calls_back && brine_client_has_callbacks(client) && flush_one(client))
		called = true;
	/* What was queued in a callback goes out now: this thread may be the last to move bytes for a while. */
	if (called && !client->attached)
		brine_client_flush_or_wake(client);
}

/* ---- ends that nobody is called back for, in mode BACKGROUND ---- */

int brine_client_completed_fd(struct brine_client *client)
{
	if (!client)
		return BRINE_ERR_INVALID;
	if (brine_client_check(client, NULL) < 0 || client->options.mode != BRINE_CLIENT_BACKGROUND)
		return BRINE_ERR_STATE;
	brine_client_lock(client);
	if (client->completed_fd < 0) {
		client->completed_fd = brine_wakeup_new();
		if (client->completed_fd >= 0 && client->completed.count)
			brine_wakeup_signal(client->completed_fd);
	}
	int fd = client->completed_fd;
	brine_client_unlock(client);
	return fd < 0 ? BRINE_ERR_SYSTEM : fd;
}

struct brine_call *brine_client_completed(struct brine_client *client)
{
	if (!client || brine_client_check(client, NULL) < 0)
		return NULL;
	brine_client_lock(client);
	struct brine_call *call = client->completed.first;
	if (call)
		brine_call_unlist(client, call);
	brine_client_unlock(client);
	return call;
}
