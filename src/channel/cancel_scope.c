#include "channel/cancel_scope.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "channel/host.h"
#include "client/client.h"
#include "net/clock.h"
#include "server/peer_client.h"

struct brine_cancel_scope {
	pthread_mutex_t lock;
	atomic_uint holders; /* its request, and the calls tied to it */
	const struct brine_allocator *allocator;
	struct brine_meter *meter;           /* keeps the allocator alive; NULL: it is the program's */
	struct brine_cancel_child *children; /* guarded by the lock */
};

/* ---- lists ---- */

static void list_add(struct brine_cancel_child **list, struct brine_cancel_child *child)
{
	child->next = *list;
	child->at = list;
	if (child->next)
		child->next->at = &child->next;
	*list = child;
}

static void list_remove(struct brine_cancel_child *child)
{
	if (!child->at)
		return;
	*child->at = child->next;
	if (child->next)
		child->next->at = child->at;
	child->at = NULL;
}

/* ---- holders ---- */

static struct brine_cancel_scope *scope_new(const struct brine_host *host)
{
	struct brine_cancel_scope *scope = brine_alloc_zero(host->allocator, sizeof *scope);
	if (!scope)
		return NULL;
	*scope = (struct brine_cancel_scope){
	        .lock = PTHREAD_MUTEX_INITIALIZER, .allocator = host->allocator, .meter = host->meter};
	atomic_init(&scope->holders, 1);
	brine_meter_hold(scope->meter);
	return scope;
}

static void scope_drop(struct brine_cancel_scope *scope)
{
	if (atomic_fetch_sub_explicit(&scope->holders, 1, memory_order_acq_rel) > 1)
		return;
	struct brine_meter *meter = scope->meter;
	brine_release(scope->allocator, scope, sizeof *scope);
	brine_meter_drop(meter);
}

/* That of the request, made where it has none. NULL: out of memory. Several threads may ask at once. */
static struct brine_cancel_scope *scope_of(struct brine_request *request)
{
	struct brine_cancel_scope *scope = atomic_load(&request->scope);
	if (scope)
		return scope;
	struct brine_cancel_scope *made = scope_new(request->host);
	if (!made || atomic_compare_exchange_strong(&request->scope, &scope, made))
		return made;
	scope_drop(made);
	return scope;
}

/* ---- beginning ---- */

/* Whether a call may begin for the request: 0, or why not, in call->error. */
static int check_parent(const struct brine_request *parent, struct brine_call *call)
{
	int ended = atomic_load(&parent->ended);
	if (ended == BRINE_ERR_DEADLINE || parent->deadline_ms <= brine_clock_ms()) {
		call->code = BRINE_CODE_DEADLINE;
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
		                  "not sent: the deadline of the request that makes this call has passed");
	}
	if (ended == 0)
		return 0;
	call->code = BRINE_CODE_CANCELLED;
	return brine_fail(&call->error, BRINE_ERR_CANCELLED, 0, "not sent: %s",
	                  ended == BRINE_ERR_LOST ? "the connection of the request that makes this call is lost"
	                                          : "the request that makes this call was cancelled");
}

static void inherit_deadline(struct brine_call *call, struct brine_cancel_child *child, uint64_t deadline_ms)
{
	child->given_ms = BRINE_FOREVER;
	if (deadline_ms >= call->deadline_ms)
		return;
	uint64_t now_ms = brine_clock_ms();
	child->given_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
	call->deadline_ms = deadline_ms;
}

int brine_call_join_scope(struct brine_call *call, struct brine_request *parent)
{
	/* The locks of a forked child are as its parent's threads had them. */
	if (brine_request_check(parent) < 0)
		return brine_fail(&call->error, BRINE_ERR_FORKED, 0,
		                  "the request that makes this call belongs to another process: answer it there");
	int status = check_parent(parent, call);
	if (status < 0)
		return status;
	struct brine_cancel_scope *scope = scope_of(parent);
	struct brine_cancel_child *child = scope ? brine_arena_alloc(&call->arena, sizeof *child) : NULL;
	if (!child)
		return brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory, not sent");
	*child = (struct brine_cancel_child){.scope = scope, .call = call};
	inherit_deadline(call, child, parent->deadline_ms);
	pthread_mutex_lock(&scope->lock);
	/* Whoever cancels says so first and looks for children afterwards: one of the two sees the other. */
	status = check_parent(parent, call);
	if (status == 0) {
		atomic_fetch_add_explicit(&scope->holders, 1, memory_order_relaxed);
		list_add(&scope->children, child);
		call->child = child;
	}
	pthread_mutex_unlock(&scope->lock);
	return status;
}

/* ---- ends ---- */

void brine_call_leave_scope(struct brine_client *client, struct brine_call *call, bool forked)
{
	struct brine_cancel_child *child = call->child;
	if (!child)
		return;
	struct brine_cancel_scope *scope = child->scope;
	if (!forked) {
		pthread_mutex_lock(&scope->lock);
		pthread_mutex_lock(&client->host.lock);
		list_remove(child);
		pthread_mutex_unlock(&client->host.lock);
		pthread_mutex_unlock(&scope->lock);
	}
	call->child = NULL;
	scope_drop(scope);
}

int brine_call_take_cancel(struct brine_call *call)
{
	const struct brine_cancel_child *child = call->child;
	if (child->reason == BRINE_ERR_DEADLINE) {
		call->code = BRINE_CODE_DEADLINE;
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
		                  "the deadline of the request that made this call has passed");
	}
	call->code = BRINE_CODE_CANCELLED;
	return brine_fail(&call->error, BRINE_ERR_CANCELLED, 0, "%s",
	                  child->reason == BRINE_ERR_LOST ? "the connection of the request that made this call is lost"
	                                                  : "the request that made this call was cancelled");
}

uint64_t brine_call_timeout_used_ms(const struct brine_client *client, const struct brine_call *call)
{
	const struct brine_cancel_child *child = call->child;
	if (child && child->given_ms != BRINE_FOREVER)
		return child->given_ms;
	return call->timeout_ms ? call->timeout_ms : client->options.timeout_ms;
}

const char *brine_call_timeout_source(const struct brine_call *call)
{
	const struct brine_cancel_child *child = call->child;
	return child && child->given_ms != BRINE_FOREVER ? ", all that its parent request had left" : "";
}

/* The next child that was cancelled, taken from the list; NULL: there is none. */
static struct brine_cancel_child *next_cancelled(struct brine_client *client)
{
	pthread_mutex_lock(&client->host.lock);
	struct brine_cancel_child *child = client->cancelled;
	if (child)
		list_remove(child);
	pthread_mutex_unlock(&client->host.lock);
	return child;
}

bool brine_client_end_cancelled(struct brine_client *client)
{
	bool ended = false;
	struct brine_cancel_child *child;
	while ((child = next_cancelled(client))) {
		struct brine_call *call = child->call;
		/* What this side found before is how it ends. */
		if (call->failure == 0)
			call->failure = brine_call_take_cancel(call);
		brine_call_abort(client, call);
		ended = true;
	}
	return ended;
}

/* ---- the request ---- */

/* Has the client look at what was cancelled. Holds the lock of the owner that it is, which keeps its wakeup. */
static void wake(struct brine_client *client)
{
	if (client->attached)
		brine_peer_client_wake(client);
	else if (client->wakeup >= 0)
		brine_wakeup_signal(client->wakeup);
}

void brine_request_cancel_children(struct brine_request *request, int reason)
{
	struct brine_cancel_scope *scope = atomic_load(&request->scope);
	if (!scope)
		return;
	pthread_mutex_lock(&scope->lock);
	struct brine_cancel_child *child;
	while ((child = scope->children)) {
		/* The call holds its client, and cannot end while its child is here. */
		struct brine_client *client = child->call->client;
		pthread_mutex_lock(&client->host.lock);
		list_remove(child);
		child->reason = reason;
		bool is_first = !client->cancelled;
		list_add(&client->cancelled, child);
		if (is_first)
			wake(client);
		pthread_mutex_unlock(&client->host.lock);
	}
	pthread_mutex_unlock(&scope->lock);
}

void brine_request_detach_children(struct brine_request *request, bool reuse)
{
	struct brine_cancel_scope *scope = atomic_load_explicit(&request->scope, memory_order_relaxed);
	if (!scope)
		return;
	/* Without calls it serves the next request. */
	if (reuse && atomic_load_explicit(&scope->holders, memory_order_acquire) == 1)
		return;
	atomic_store_explicit(&request->scope, NULL, memory_order_relaxed);
	scope_drop(scope);
}
