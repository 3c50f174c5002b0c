#include "rpc/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void brine_log_flush(struct brine_log *log)
{
	if (log->dropped == 0 || !log->write)
		return;
	char line[BRINE_LOG_LINE_SIZE];
	snprintf(line, sizeof line, "%" PRIu64 " more lines left out", log->dropped);
	log->dropped = 0;
	log->write(log->user, line);
}

void brine_log_print(struct brine_log *log, uint64_t now_ms, const char *format, ...)
{
	if (!log->write)
		return;
	if (now_ms - log->second_ms >= 1000) {
		brine_log_flush(log);
		log->second_ms = now_ms;
		log->lines = 0;
	}
	if (log->lines == BRINE_LOG_LINES_MAX) {
		log->dropped++;
		return;
	}
	log->lines++;
	char line[BRINE_LOG_LINE_SIZE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	log->write(log->user, line);
}
