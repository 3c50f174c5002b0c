/* brine/call_output.h - what brine call prints: answers as JSON, and how a call failed. */
#ifndef BRINE_CALL_OUTPUT_H
#define BRINE_CALL_OUTPUT_H

#include "inspect/line.h"

#include <brine/client.h>
#include <jansson.h>

/* Exit statuses of brine call beside those of command.h (brine(1) has the table). */
enum {
	EXIT_REFUSED = 1,  /* the peer answered an error */
	EXIT_NOT_SENT = 3, /* not connected, or nothing was sent */
	EXIT_DEADLINE = 4,
	EXIT_LOST = 5,   /* the connection ended, the call may have run */
	EXIT_MISFIT = 6, /* the answer does not fit the schema */
};

/* Whether status says that a value does not fit its schema. */
bool call_is_misfit(int status);

/* Puts a value (a reference that is taken; NULL: out of memory) and a newline into line. 0 or EXIT_FAILED. */
int call_format(struct inspect_line *line, json_t *value, bool pretty);

/* Prints a value (a reference that is taken; NULL: out of memory) and a newline, and flushes. 0 or the exit status. */
int call_print(json_t *value, bool pretty);

/* How failures are told. */
struct call_errors {
	const struct brine_type *type; /* of error data; NULL: shown without a schema */
	bool json, has_schema;
};

/* Says on standard error how the call ended with status (negative). began: it was accepted by begin, so what does not
 * fit is the answer and not the request. Returns the exit status. */
int call_report(const struct call_errors *errors, struct brine_call *call, int status, bool began);

/* The same for a failure before there is a call: code and text. Returns exit_status. */
int call_report_text(const struct call_errors *errors, int exit_status, int code, const char *text);

#endif
