#include "channel/cancel_scope.h"

#include "base/alloc.h"
#include "base/meter.h"

struct brine_cancel_scope {
	pthread_mutex_t lock;
	atomic_uint holders; /* its request, and the calls in it */
	const struct brine_allocator *allocator;
	struct brine_meter *meter;           /* keeps the allocator alive; NULL: it is the program's */
	struct brine_cancel_child *children; /* guarded by the lock */
};

/* ---- lists ---- */

static void child_list_add(struct brine_cancel_child **list, struct brine_cancel_child *child)
{
	child->next = *list;
	child->at = list;
	if (child->next)
		child->next->at = &child->next;
	*list = child;
}

static void child_list_remove(struct brine_cancel_child *child)
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

struct brine_cancel_scope *brine_cancel_scope_of(_Atomic(struct brine_cancel_scope *) *place,
                                                 const struct brine_host *host)
{
	struct brine_cancel_scope *scope = atomic_load(place);
	if (scope)
		return scope;
	struct brine_cancel_scope *made = scope_new(host);
	if (!made || atomic_compare_exchange_strong(place, &scope, made))
		return made;
	scope_drop(made);
	return scope;
}

void brine_cancel_scope_detach(_Atomic(struct brine_cancel_scope *) *place, bool reuse)
{
	struct brine_cancel_scope *scope = atomic_load_explicit(place, memory_order_relaxed);
	if (!scope)
		return;
	if (reuse && atomic_load_explicit(&scope->holders, memory_order_acquire) == 1)
		return;
	atomic_store_explicit(place, NULL, memory_order_relaxed);
	scope_drop(scope);
}

/* ---- children ---- */

int brine_cancel_scope_add(struct brine_cancel_scope *scope, struct brine_cancel_child *child,
                           int (*check)(const void *parent, struct brine_call *call), const void *parent)
{
	pthread_mutex_lock(&scope->lock);
	int status = check(parent, child->call);
	if (status == 0) {
		atomic_fetch_add_explicit(&scope->holders, 1, memory_order_relaxed);
		child->scope = scope;
		child_list_add(&scope->children, child);
	}
	pthread_mutex_unlock(&scope->lock);
	return status;
}

void brine_cancel_child_remove(struct brine_cancel_child *child, bool forked)
{
	struct brine_cancel_scope *scope = child->scope;
	if (!forked) {
		pthread_mutex_lock(&scope->lock);
		pthread_mutex_lock(&child->host->lock);
		child_list_remove(child);
		pthread_mutex_unlock(&child->host->lock);
		pthread_mutex_unlock(&scope->lock);
	}
	scope_drop(scope);
}

struct brine_cancel_child *brine_cancel_child_next(struct brine_host *host)
{
	pthread_mutex_lock(&host->lock);
	struct brine_cancel_child *child = host->cancelled;
	if (child)
		child_list_remove(child);
	pthread_mutex_unlock(&host->lock);
	return child;
}

void brine_cancel_scope_cancel(struct brine_cancel_scope *scope, int reason)
{
	if (!scope)
		return;
	pthread_mutex_lock(&scope->lock);
	struct brine_cancel_child *child;
	while ((child = scope->children)) {
		/* The call holds its client, and cannot end while its child is here. */
		struct brine_host *host = child->host;
		pthread_mutex_lock(&host->lock);
		child_list_remove(child);
		child->reason = reason;
		bool is_first = !host->cancelled;
		child_list_add(&host->cancelled, child);
		if (is_first)
			host->ops->wake_owner(host);
		pthread_mutex_unlock(&host->lock);
	}
	pthread_mutex_unlock(&scope->lock);
}
