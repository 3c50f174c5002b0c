#include "net/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* With the text of the errno behind the formatted one where with_text says so. */
static int BRINE_PRINTF(5, 0) fill_error(struct brine_error *error, int code, int system_errno, bool with_text,
                                         const char *format, va_list arguments)
{
	if (!error)
		return code;
	int saved = errno;
	char what[sizeof error->text];
	vsnprintf(what, sizeof what, format, arguments);
	if (with_text)
		brine_fail(error, code, 0, "%.*s: %s", (int)sizeof what - 64, what, strerror(system_errno));
	else
		brine_fail(error, code, 0, "%s", what);
	error->system_errno = system_errno;
	errno = saved;
	return code;
}

int brine_fail_errno(struct brine_error *error, int code, int system_errno, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fill_error(error, code, system_errno, true, format, arguments);
	va_end(arguments);
	return code;
}

int brine_fail_system(struct brine_error *error, int code, int system_errno, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fill_error(error, code, system_errno, false, format, arguments);
	va_end(arguments);
	return code;
}
