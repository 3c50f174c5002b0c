#include <brine/error.h>

#include <stdarg.h>
#include <stdio.h>

const char *brine_version(void)
{
	return BRINE_VERSION;
}

const char *brine_error_name(int code)
{
	switch (code) {
	case BRINE_OK: return "BRINE_OK";
#define NAME(name, value, text)                                                                                        \
	case value: return "BRINE_ERR_" #name;
		BRINE_ERROR_MAP(NAME)
#undef NAME
	default: return "BRINE_ERR_UNKNOWN";
	}
}

const char *brine_error_text(int code)
{
	switch (code) {
	case BRINE_OK: return "success";
#define TEXT(name, value, text)                                                                                        \
	case value: return text;
		BRINE_ERROR_MAP(TEXT)
#undef TEXT
	default: return "unknown error";
	}
}

const char *brine_code_text(int64_t code)
{
	static const char *const texts[] = {
	        [BRINE_CODE_FAILED] = "failed",
	        [BRINE_CODE_INVALID] = "invalid arguments or message",
	        [BRINE_CODE_NO_METHOD] = "no such method",
	        [BRINE_CODE_DEADLINE] = "deadline exceeded",
	        [BRINE_CODE_CANCELLED] = "cancelled",
	        [BRINE_CODE_OVERLOADED] = "overloaded, not started",
	        [BRINE_CODE_GOING_AWAY] = "going away, not started",
	        [BRINE_CODE_TOO_LARGE] = "too large",
	        [BRINE_CODE_DENIED] = "denied",
	        [BRINE_CODE_UNSUPPORTED] = "unsupported",
	        [BRINE_CODE_INTERNAL] = "internal error",
	};
	if (code >= 0 && code < (int64_t)(sizeof texts / sizeof texts[0]))
		return texts[code];
	return code >= BRINE_CODE_APPLICATION ? "application error" : "unknown error";
}

int brine_fail(struct brine_error *error, int code, uint64_t offset, const char *format, ...)
{
	if (!error)
		return code;
	error->code = code;
	error->system_errno = 0;
	error->offset = offset;
	error->text[0] = '\0';
	if (!format)
		return code;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return code;
}
