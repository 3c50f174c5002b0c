/* A server in a thread of its own, whose conversations are taken by threads of the program. */
#include "text/service.h"

#include "base/alloc.h"
#include "run/thread.h"
#include "text/wait.h"

#include <string.h>

struct brine_text_listener {
	const struct brine_allocator *allocator;
	struct brine_server *server;
	struct brine_text_service *service;
	pthread_t thread;
	bool has_thread;
	pid_t maker;
};

static void *run(void *argument)
{
	struct brine_text_listener *listener = argument;
	/* It ends by brine_server_stop(); if it ends before that, accepting ends too. */
	(void)brine_server_run(listener->server, NULL);
	brine_text_listener_stop(listener);
	return NULL;
}

static int set_up(struct brine_text_listener *listener, const char *address, const struct brine_text_options *options,
                  struct brine_error *error)
{
	struct brine_server_options defaults = BRINE_SERVER_OPTIONS_INIT;
	const struct brine_server_options *given = options->server ? options->server : &defaults;
	brine_text_limits(&defaults.limits);
	int status = brine_server_new(&listener->server, given);
	if (status < 0)
		return brine_fail(error, status, 0, "cannot make a server: %s", brine_error_text(status));
	status = brine_text_service_new(&listener->service, listener->server, NULL, NULL, error);
	if (status < 0)
		return status;
	listener->service->waiting_max = options->accept_max;
	status = brine_server_listen(listener->server, address, error);
	if (status < 0)
		return status;
	int failure = brine_thread_start(&listener->thread, 0, run, listener);
	listener->has_thread = failure == 0;
	return failure == 0 ? 0 : brine_fail(error, BRINE_ERR_SYSTEM, 0, "no thread: %s", strerror(failure));
}

int brine_text_listen(struct brine_text_listener **ret_listener, const char *address,
                      const struct brine_text_options *options, struct brine_error *error)
{
	if (!ret_listener || !address)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "ret_listener or address is NULL");
	static const struct brine_text_options defaults = BRINE_TEXT_OPTIONS_INIT;
	const struct brine_text_options *chosen = options ? options : &defaults;
	const struct brine_allocator *allocator = chosen->server ? chosen->server->allocator : NULL;
	struct brine_text_listener *listener = brine_alloc_zero(allocator, sizeof *listener);
	if (!listener)
		return brine_fail(error, BRINE_ERR_NOMEM, 0, "out of memory making a listener");
	listener->allocator = allocator;
	listener->maker = getpid();
	int status = set_up(listener, address, chosen, error);
	if (status < 0)
		brine_text_listener_free(listener);
	else
		*ret_listener = listener;
	return status;
}

const char *brine_text_listener_address(const struct brine_text_listener *listener)
{
	if (!listener)
		return NULL;
	return brine_server_address(listener->server, 0);
}

/* Waits until something is there; the service's lock is held. */
static int await(struct brine_text_service *service, uint64_t timeout_ms)
{
	uint64_t until_ms = brine_text_until(timeout_ms);
	while (!service->waiting && !service->is_over) {
		if (!brine_text_wait(&service->arrived, &service->lock, until_ms))
			return BRINE_ERR_DEADLINE;
	}
	return service->waiting ? 0 : BRINE_ERR_CANCELLED;
}

int brine_text_accept(struct brine_text_listener *listener, struct brine_text **ret_text, uint64_t timeout_ms,
                      struct brine_error *error)
{
	if (!listener || !ret_text)
		return brine_fail(error, BRINE_ERR_INVALID, 0, "listener or ret_text is NULL");
	struct brine_text_service *service = listener->service;
	if (listener->maker != getpid())
		return brine_fail(error, BRINE_ERR_FORKED, 0, "the listener belongs to the parent process");
	pthread_mutex_lock(&service->lock);
	int status = await(service, timeout_ms);
	if (status == 0) {
		*ret_text = service->waiting;
		service->waiting = service->waiting->next;
		service->waiting_count--;
	}
	pthread_mutex_unlock(&service->lock);
	return status == 0 ? 0 : brine_fail(error, status, 0, "no conversation came: %s", brine_error_text(status));
}

void brine_text_listener_stop(struct brine_text_listener *listener)
{
	if (!listener)
		return;
	struct brine_text_service *service = listener->service;
	pthread_mutex_lock(&service->lock);
	service->is_over = true;
	pthread_cond_broadcast(&service->arrived);
	pthread_mutex_unlock(&service->lock);
}

void brine_text_listener_free(struct brine_text_listener *listener)
{
	if (!listener)
		return;
	if (listener->has_thread && listener->maker == getpid()) {
		struct brine_text *text;
		brine_text_listener_stop(listener);
		while (brine_text_accept(listener, &text, 0, NULL) == 0)
			brine_text_close(text);
		brine_server_stop(listener->server);
		pthread_join(listener->thread, NULL);
	}
	brine_server_free(listener->server);
	brine_text_service_free(listener->service);
	brine_release(listener->allocator, listener, sizeof *listener);
}
