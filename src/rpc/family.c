#include "rpc/family.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "net/clock.h"
#include "rpc/caller.h"
#include "rpc/client.h"
#include "rpc/home.h"

struct brine_family {
	pthread_mutex_t lock;
	atomic_uint holders; /* its request, and the calls tied to it */
	const struct brine_allocator *allocator;
	struct brine_meter *meter; /* keeps the allocator alive; NULL: it is the program's */
	struct brine_tie *ties;    /* guarded by the lock */
};

/* ---- lists ---- */

static void list_add(struct brine_tie **list, struct brine_tie *tie)
{
	tie->next = *list;
	tie->at = list;
	if (tie->next)
		tie->next->at = &tie->next;
	*list = tie;
}

static void list_remove(struct brine_tie *tie)
{
	if (!tie->at)
		return;
	*tie->at = tie->next;
	if (tie->next)
		tie->next->at = tie->at;
	tie->at = NULL;
}

/* ---- holders ---- */

static struct brine_family *family_new(const struct brine_home *home)
{
	struct brine_family *family = brine_alloc_zero(home->allocator, sizeof *family);
	if (!family)
		return NULL;
	*family = (struct brine_family){
	        .lock = PTHREAD_MUTEX_INITIALIZER, .allocator = home->allocator, .meter = home->meter};
	atomic_init(&family->holders, 1);
	brine_meter_hold(family->meter);
	return family;
}

static void family_drop(struct brine_family *family)
{
	if (atomic_fetch_sub_explicit(&family->holders, 1, memory_order_acq_rel) > 1)
		return;
	struct brine_meter *meter = family->meter;
	brine_release(family->allocator, family, sizeof *family);
	brine_meter_drop(meter);
}

/* That of the request, made where it has none. NULL: out of memory. Several threads may ask at once. */
static struct brine_family *family_of(struct brine_request *request)
{
	struct brine_family *family = atomic_load(&request->family);
	if (family)
		return family;
	struct brine_family *made = family_new(request->home);
	if (!made || atomic_compare_exchange_strong(&request->family, &family, made))
		return made;
	family_drop(made);
	return family;
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

static void inherit_deadline(struct brine_call *call, struct brine_tie *tie, uint64_t deadline_ms)
{
	tie->given_ms = BRINE_FOREVER;
	if (deadline_ms >= call->deadline_ms)
		return;
	uint64_t now_ms = brine_clock_ms();
	tie->given_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
	call->deadline_ms = deadline_ms;
}

int brine_call_tie(struct brine_call *call, struct brine_request *parent)
{
	/* The locks of a forked child are as its parent's threads had them. */
	if (brine_request_check(parent) < 0)
		return brine_fail(&call->error, BRINE_ERR_FORKED, 0,
		                  "the request that makes this call belongs to another process: answer it there");
	int status = check_parent(parent, call);
	if (status < 0)
		return status;
	struct brine_family *family = family_of(parent);
	struct brine_tie *tie = family ? brine_arena_alloc(&call->arena, sizeof *tie) : NULL;
	if (!tie)
		return brine_fail(&call->error, BRINE_ERR_NOMEM, 0, "out of memory, not sent");
	*tie = (struct brine_tie){.family = family, .call = call};
	inherit_deadline(call, tie, parent->deadline_ms);
	pthread_mutex_lock(&family->lock);
	/* Whoever cancels says so first and looks for ties afterwards: one of the two sees the other. */
	status = check_parent(parent, call);
	if (status == 0) {
		atomic_fetch_add_explicit(&family->holders, 1, memory_order_relaxed);
		list_add(&family->ties, tie);
		call->tie = tie;
	}
	pthread_mutex_unlock(&family->lock);
	return status;
}

/* ---- ends ---- */

void brine_call_untie(struct brine_client *client, struct brine_call *call, bool forked)
{
	struct brine_tie *tie = call->tie;
	if (!tie)
		return;
	struct brine_family *family = tie->family;
	if (!forked) {
		pthread_mutex_lock(&family->lock);
		pthread_mutex_lock(&client->home.lock);
		list_remove(tie);
		pthread_mutex_unlock(&client->home.lock);
		pthread_mutex_unlock(&family->lock);
	}
	call->tie = NULL;
	family_drop(family);
}

int brine_call_take_cut(struct brine_call *call)
{
	const struct brine_tie *tie = call->tie;
	if (tie->reason == BRINE_ERR_DEADLINE) {
		call->code = BRINE_CODE_DEADLINE;
		return brine_fail(&call->error, BRINE_ERR_DEADLINE, 0,
		                  "the deadline of the request that made this call has passed");
	}
	call->code = BRINE_CODE_CANCELLED;
	return brine_fail(&call->error, BRINE_ERR_CANCELLED, 0, "%s",
	                  tie->reason == BRINE_ERR_LOST ? "the connection of the request that made this call is lost"
	                                                : "the request that made this call was cancelled");
}

uint64_t brine_call_had_ms(const struct brine_client *client, const struct brine_call *call)
{
	const struct brine_tie *tie = call->tie;
	if (tie && tie->given_ms != BRINE_FOREVER)
		return tie->given_ms;
	return call->timeout_ms ? call->timeout_ms : client->options.timeout_ms;
}

const char *brine_call_had_from(const struct brine_call *call)
{
	const struct brine_tie *tie = call->tie;
	return tie && tie->given_ms != BRINE_FOREVER ? ", all that its parent request had left" : "";
}

/* The next tie that was cut, taken from the list; NULL: there is none. */
static struct brine_tie *next_cut(struct brine_client *client)
{
	pthread_mutex_lock(&client->home.lock);
	struct brine_tie *tie = client->cut;
	if (tie)
		list_remove(tie);
	pthread_mutex_unlock(&client->home.lock);
	return tie;
}

bool brine_client_end_cut(struct brine_client *client)
{
	bool ended = false;
	struct brine_tie *tie;
	while ((tie = next_cut(client))) {
		struct brine_call *call = tie->call;
		/* What this side found before is how it ends. */
		if (call->failure == 0)
			call->failure = brine_call_take_cut(call);
		brine_call_abort(client, call);
		ended = true;
	}
	return ended;
}

/* ---- the request ---- */

/* Has the client look at what was cut. Holds the lock of the home that it is, which keeps its wakeup. */
static void wake(struct brine_client *client)
{
	if (client->driven)
		brine_caller_wake(client);
	else if (client->wakeup >= 0)
		brine_wakeup_signal(client->wakeup);
}

void brine_request_cut(struct brine_request *request, int reason)
{
	struct brine_family *family = atomic_load(&request->family);
	if (!family)
		return;
	pthread_mutex_lock(&family->lock);
	struct brine_tie *tie;
	while ((tie = family->ties)) {
		/* The call holds its client, and cannot end while its tie is here. */
		struct brine_client *client = tie->call->client;
		pthread_mutex_lock(&client->home.lock);
		list_remove(tie);
		tie->reason = reason;
		bool is_first = !client->cut;
		list_add(&client->cut, tie);
		if (is_first)
			wake(client);
		pthread_mutex_unlock(&client->home.lock);
	}
	pthread_mutex_unlock(&family->lock);
}

void brine_request_part(struct brine_request *request, bool reuse)
{
	struct brine_family *family = atomic_load_explicit(&request->family, memory_order_relaxed);
	if (!family)
		return;
	/* Without calls it serves the next request. */
	if (reuse && atomic_load_explicit(&family->holders, memory_order_acquire) == 1)
		return;
	atomic_store_explicit(&request->family, NULL, memory_order_relaxed);
	family_drop(family);
}
