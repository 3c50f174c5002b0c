/* brine/call_request.h - what brine call sends, made of its command line. */
#ifndef BRINE_CALL_REQUEST_H
#define BRINE_CALL_REQUEST_H

#include "call_options.h"

#include <brine/arena.h>
#include <brine/buf.h>
#include <jansson.h>

struct call_request {
	void *typed;               /* struct of the method's request; NULL without a schema and for uploads */
	struct brine_buf params;   /* without a schema: an encoded array */
	struct brine_buf metadata; /* an encoded map; empty: none */
	/* private: */
	struct brine_arena arena;
	json_t *json; /* typed borrows from it */
};
#define CALL_REQUEST_INIT                                                                                              \
	{                                                                                                              \
		.typed = NULL                                                                                          \
	}

/* Fills the request, reading files and standard input where they are named. method: NULL without a schema. 0, or
 * EXIT_FAILED having said why. Whatever it returns, the caller releases the request by call_request_done(). */
int call_request_make(struct call_request *request, const struct call_options *options,
                      const struct brine_method *method);
void call_request_done(struct call_request *request);

#endif
