#include "rpc/home.h"

#include "base/alloc.h"
#include "base/meter.h"
#include "base/poison.h"
#include "net/clock.h"
#include "rpc/client.h"

static void release_pool(struct brine_home *home)
{
	while (home->pool) {
		struct brine_request *request = home->pool;
		ASAN_UNPOISON_MEMORY_REGION(request, sizeof *request);
		home->pool = request->next;
		brine_request_release(request);
	}
	home->pool_count = 0;
}

bool brine_home_make_room(struct brine_home *home)
{
	release_pool(home);
	return !brine_meter_is_short(home->meter);
}

void brine_home_done(struct brine_home *home)
{
	release_pool(home);
	brine_buf_done(&home->scratch);
}

void brine_home_drop(struct brine_home *home, const struct brine_peer *peer, struct brine_str method, const char *why)
{
	char shown[BRINE_LOG_TEXT_SIZE];
	brine_home_count(home, BRINE_COUNT_DROPPED, 1);
	pthread_mutex_lock(&home->lock);
	if (home->log)
		brine_log_print(home->log, brine_clock_ms(), "%s: notification '%s' dropped: %s", peer->address,
		                brine_escape(shown, sizeof shown, method.data, method.size), why);
	pthread_mutex_unlock(&home->lock);
}

bool brine_request_watch_line(struct brine_request *request, struct brine_line_watch *watch)
{
	struct brine_home *home = request->home;
	pthread_mutex_lock(&home->lock);
	struct brine_line *line = request->line;
	if (line) {
		watch->next = line->watches;
		line->watches = watch;
	}
	pthread_mutex_unlock(&home->lock);
	return line;
}

void brine_line_gone(struct brine_line *line)
{
	struct brine_home *home = line->home;
	pthread_mutex_lock(&home->lock);
	struct brine_line_watch *watch = line->watches;
	line->watches = NULL;
	pthread_mutex_unlock(&home->lock);
	while (watch) {
		struct brine_line_watch *next = watch->next;
		watch->on_gone(watch);
		watch = next;
	}
}

void brine_line_lock(struct brine_line *line)
{
	if (line->caller)
		brine_client_lock(line->caller);
}

void brine_line_unlock(struct brine_line *line)
{
	if (line->caller)
		brine_client_unlock(line->caller);
}
