#include "net/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int brine_fail_errno(struct brine_error *error, int code, int system_errno, const char *format, ...)
{
	if (!error)
		return code;
	int saved = errno;
	char what[sizeof error->text];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	brine_fail(error, code, 0, "%.*s: %s", (int)sizeof what - 64, what, strerror(system_errno));
	error->system_errno = system_errno;
	errno = saved;
	return code;
}
