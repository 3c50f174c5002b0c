#include "channel/host.h"

#include "net/clock.h"

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
