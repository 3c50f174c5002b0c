/* net/fail.h - error texts for system calls that failed. Any thread. */
#ifndef BRINE_NET_FAIL_H
#define BRINE_NET_FAIL_H

#include <brine/error.h>

/* As brine_fail(), with system_errno set and its text behind the formatted one: "what: No such file or directory".
 * Keeps errno. */
int brine_fail_errno(struct brine_error *error, int code, int system_errno, const char *format, ...) BRINE_PRINTF(4, 5);

/* The same without that text, where the formatted one says it better. */
int brine_fail_system(struct brine_error *error, int code, int system_errno, const char *format, ...)
        BRINE_PRINTF(4, 5);

#endif
