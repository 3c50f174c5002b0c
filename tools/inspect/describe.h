/* inspect/describe.h - what a schema declares, as text in the manner of .proto files. Type names are those of the
 * wire's kinds: sint32 and sfixed32 are int32, as nothing of them is left there. */
#ifndef INSPECT_DESCRIBE_H
#define INSPECT_DESCRIBE_H

#include "inspect/line.h"
#include "inspect/schema.h"

/* Adds "exchange.Exchange/Watch(exchange.WatchRequest) returns (stream exchange.Trade)", the name on the wire behind it
 * where that is another, and a newline. */
void inspect_describe_method(struct inspect_line *line, const struct inspect_method *method);

/* Adds the message with a line for each field. */
void inspect_describe_type(struct inspect_line *line, const struct brine_type *type);

#endif
