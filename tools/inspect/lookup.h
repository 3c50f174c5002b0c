/* inspect/lookup.h - what a schema declares, by the names that people give it. */
#ifndef INSPECT_LOOKUP_H
#define INSPECT_LOOKUP_H

#include "inspect/schema.h"

/* The method of that name: on the wire ("exchange.Exchange/Place", "nvim_eval"), or as much of the end of its declared
 * name as tells it from all others ("Exchange/Place", "Exchange.Place", "Place"). NULL with an error text that says
 * what there is: BRINE_ERR_NOT_FOUND, EXISTS (several). */
const struct brine_method *inspect_lookup_method(const struct inspect_schema *schema, const char *name,
                                                 struct brine_error *error);

/* The message of that name, whole ("exchange.Rejection") or the end of it ("Rejection"). Errors as above. */
const struct brine_type *inspect_lookup_type(const struct inspect_schema *schema, const char *name,
                                             struct brine_error *error);

#endif
