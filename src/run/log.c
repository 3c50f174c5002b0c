#include "run/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void brine_log_init(struct brine_log *log, brine_log_fn *write, void *user)
{
	*log = (struct brine_log){.write = write, .user = user, .lock = PTHREAD_MUTEX_INITIALIZER};
}

static void tell_dropped(struct brine_log *log)
{
	if (log->dropped == 0)
		return;
	char line[BRINE_LOG_LINE_SIZE];
	snprintf(line, sizeof line, "%" PRIu64 " more lines left out", log->dropped);
	log->dropped = 0;
	log->write(log->user, line);
}

void brine_log_flush(struct brine_log *log)
{
	pthread_mutex_lock(&log->lock);
	tell_dropped(log);
	pthread_mutex_unlock(&log->lock);
}

/* Whether there is room for one more line in this second. */
static bool may_write(struct brine_log *log, uint64_t now_ms)
{
	if (now_ms - log->second_ms >= 1000) {
		tell_dropped(log);
		log->second_ms = now_ms;
		log->lines = 0;
	}
	if (log->lines == BRINE_LOG_LINES_MAX) {
		log->dropped++;
		return false;
	}
	log->lines++;
	return true;
}

void brine_log_print(struct brine_log *log, uint64_t now_ms, const char *format, ...)
{
	if (!log->write)
		return;
	pthread_mutex_lock(&log->lock);
	if (may_write(log, now_ms)) {
		char line[BRINE_LOG_LINE_SIZE];
		va_list arguments;
		va_start(arguments, format);
		vsnprintf(line, sizeof line, format, arguments);
		va_end(arguments);
		log->write(log->user, line);
	}
	pthread_mutex_unlock(&log->lock);
}
