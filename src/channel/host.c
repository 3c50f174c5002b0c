#include "channel/host.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "base/poison.h"
#include "client/client.h"
#include "net/clock.h"

static void release_spares(struct brine_host *host)
{
	while (host->spares) {
		struct brine_request *request = host->spares;
		ASAN_UNPOISON_MEMORY_REGION(request, sizeof *request);
		host->spares = request->next;
		brine_request_release(request);
	}
	host->spare_count = 0;
}

bool brine_host_make_room(struct brine_host *host)
{
	release_spares(host);
	return !brine_meter_is_short(host->meter);
}

void brine_host_done(struct brine_host *host)
{
	release_spares(host);
	brine_buf_done(&host->scratch);
}

void brine_host_drop_notification(struct brine_host *host, const struct brine_peer *peer, struct brine_str method,
                                  const char *why)
{
	char shown[BRINE_LOG_TEXT_SIZE];
	brine_host_count(host, BRINE_COUNT_DROPPED, 1);
	pthread_mutex_lock(&host->lock);
	if (host->log)
		brine_log_print(host->log, brine_clock_ms(), "%s: notification '%s' dropped: %s", peer->address,
		                brine_escape(shown, sizeof shown, method.data, method.size), why);
	pthread_mutex_unlock(&host->lock);
}

bool brine_request_watch_channel(struct brine_request *request, struct brine_channel_watch *watch)
{
	struct brine_host *host = request->host;
	pthread_mutex_lock(&host->lock);
	struct brine_channel *channel = request->channel;
	if (channel) {
		watch->next = channel->watches;
		channel->watches = watch;
	}
	pthread_mutex_unlock(&host->lock);
	return channel;
}

void brine_channel_closed(struct brine_channel *channel)
{
	struct brine_host *host = channel->host;
	pthread_mutex_lock(&host->lock);
	struct brine_channel_watch *watch = channel->watches;
	channel->watches = NULL;
	pthread_mutex_unlock(&host->lock);
	while (watch) {
		struct brine_channel_watch *next = watch->next;
		watch->on_gone(watch);
		watch = next;
	}
}

void brine_channel_lock(struct brine_channel *channel)
{
	if (channel->peer_client)
		brine_client_lock(channel->peer_client);
}

void brine_channel_unlock(struct brine_channel *channel)
{
	if (channel->peer_client)
		brine_client_unlock(channel->peer_client);
}
