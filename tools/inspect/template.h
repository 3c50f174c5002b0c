/* inspect/template.h - an empty message as JSON, to be filled in: every field with a value of its kind. */
#ifndef INSPECT_TEMPLATE_H
#define INSPECT_TEMPLATE_H

#include <brine/type.h>
#include <jansson.h>

/* A new reference; NULL: out of memory. inspect_typed_read() takes it as it is. Lists hold one element, of a oneof the
 * first member stands for all. Left out is a message within itself, or deeper than INSPECT_TEMPLATE_DEPTH_MOST levels.
 * Fewer levels are made where those would have more than INSPECT_TEMPLATE_FIELDS_MOST fields. */
json_t *inspect_template(const struct brine_type *type);

enum {
	INSPECT_TEMPLATE_DEPTH_MOST = 8,
	INSPECT_TEMPLATE_FIELDS_MOST = 65536,
};

#endif
