/* Waiting: in mode BLOCKING whoever waits moves the bytes and calls the handlers of the peer's calls, else it sleeps
 * until the leader has something for it. */
#include "client/client.h"

#include "dispatch/request.h"

#include "net/clock.h"
#include "run/thread.h"

bool brine_client_may_wait(const struct brine_client *client)
{
	return client->options.mode != BRINE_CLIENT_LOOP && !brine_client_in_callback(client) &&
	       !brine_thread_is_loop();
}

void brine_client_wake_waiters(struct brine_client *client)
{
	for (struct brine_waiter *waiter = client->waiters; waiter; waiter = waiter->next)
		if (waiter->for_connection)
			pthread_cond_signal(&waiter->changed);
}

bool brine_call_is_over(struct brine_client *client, const struct brine_call *call)
{
	(void)client;
	return brine_call_state_of(call) == BRINE_CALL_FINISHED;
}

void brine_client_sleep(struct brine_client *client, pthread_cond_t *condition, uint64_t until_ms)
{
	brine_lock_sleep(&client->lock, condition, until_ms);
}

static void sleep_until_told(struct brine_client *client, struct brine_call *call, bool for_connection,
                             uint64_t deadline_ms)
{
	struct brine_waiter waiter = {.for_connection = for_connection, .next = client->waiters};
	pthread_cond_init(&waiter.changed, &client->clock);
	if (waiter.next)
		waiter.next->prev = &waiter;
	client->waiters = &waiter;
	call->waiter = &waiter;
	brine_client_sleep(client, &waiter.changed, deadline_ms);
	call->waiter = NULL;
	if (waiter.prev)
		waiter.prev->next = waiter.next;
	else
		client->waiters = waiter.next;
	if (waiter.next)
		waiter.next->prev = waiter.prev;
	pthread_cond_destroy(&waiter.changed);
}

/* Whether a handler is to be called by a thread that waits. One that waits no more calls only those of what came before
 * the end of its call, or of a call whose on_done it is to call. */
static bool handler_is_due(const struct brine_client *client, const struct brine_call *call, bool is_over)
{
	const struct brine_call *ended = client->ended.first;
	if (client->options.mode != BRINE_CLIENT_BLOCKING || !client->pending || client->closing)
		return false;
	if (!is_over)
		return true;
	uint64_t order = client->pending->order;
	return (brine_call_state_of(call) == BRINE_CALL_FINISHED && order < call->order) ||
	       (ended && order < ended->order);
}

/* Whether the leader is to call the handlers of what came before the end of the call first. */
static bool awaits_handlers(const struct brine_client *client, const struct brine_call *call)
{
	return client->options.mode == BRINE_CLIENT_BACKGROUND && brine_call_state_of(call) == BRINE_CALL_FINISHED &&
	       brine_client_has_earlier(client, call);
}

/* The next one moves the bytes. */
static void pass_on(struct brine_client *client)
{
	if (!client->leading && client->waiters)
		pthread_cond_signal(&client->waiters->changed);
}

int brine_call_begin_blocking(struct brine_client *client, struct brine_call *call)
{
	struct brine_pool *workers = brine_client_pool(client);
	int status = workers ? brine_pool_begin_blocking(workers) : 0;
	if (status > 0)
		call->blocking = workers;
	return status < 0 ? brine_fail(&call->error, status, 0, "no worker is left to be called back: %s",
	                               brine_error_text(status))
	                  : 0;
}

void brine_call_end_blocking(struct brine_call *call)
{
	if (call->blocking)
		brine_pool_end_blocking(call->blocking);
	call->blocking = NULL;
}

/* Sleeps, or moves the bytes. */
static void wait_on(struct brine_client *client, struct brine_call *call, bool for_connection, uint64_t deadline_ms)
{
	if (client->leading || client->has_thread || client->ending)
		sleep_until_told(client, call, for_connection, deadline_ms);
	else
		brine_client_turn(client, deadline_ms);
}

static bool has_passed(uint64_t deadline_ms)
{
	return deadline_ms != BRINE_FOREVER && brine_clock_ms() >= deadline_ms;
}

static void await_handlers(struct brine_client *client)
{
	if (client->leading || client->has_thread)
		brine_client_sleep(client, &client->quiet, BRINE_FOREVER);
	else
		brine_client_call_back(client);
}

int brine_client_wait(struct brine_client *client, struct brine_call *call, brine_condition_fn *condition,
                      bool for_connection, uint64_t deadline_ms)
{
	bool is_over = condition(client, call);
	if (!brine_client_may_wait(client))
		return is_over ? 0 : BRINE_ERR_WOULD_BLOCK;
	bool begins_blocking = !is_over && !call->blocking;
	int status = begins_blocking ? brine_call_begin_blocking(client, call) : 0;
	while (status >= 0) {
		if (!is_over && has_passed(deadline_ms)) {
			status = BRINE_ERR_DEADLINE;
		} else if (handler_is_due(client, call, is_over)) {
			pass_on(client);
			brine_client_handle(client);
		} else if (!is_over) {
			wait_on(client, call, for_connection, deadline_ms);
		} else if (awaits_handlers(client, call)) {
			await_handlers(client);
		} else {
			break;
		}
		is_over = condition(client, call);
	}
	if (begins_blocking)
		brine_call_end_blocking(call);
	pass_on(client);
	return status;
}
