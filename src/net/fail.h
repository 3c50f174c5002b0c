/* net/fail.h - error texts for system calls that failed. Any thread. */
#ifndef BRINE_NET_FAIL_H
#define BRINE_NET_FAIL_H

#include <brine/error.h>

/* Calls brine_fail(), sets error->system_errno, and appends its text, "what: No such file or directory". Keeps errno.
 * Returns code. */
int brine_fail_errno(struct brine_error *error, int code, int system_errno, const char *format, ...) BRINE_PRINTF(4, 5);

/* Does the same without appending the text of the errno. */
int brine_fail_system(struct brine_error *error, int code, int system_errno, const char *format, ...)
        BRINE_PRINTF(4, 5);

#endif
