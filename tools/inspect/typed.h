/* inspect/typed.h - the part of a record that a schema describes, decoded and shown by its descriptors. */
#ifndef INSPECT_TYPED_H
#define INSPECT_TYPED_H

#include "inspect/line.h"
#include "inspect/session.h"

#include <brine/arena.h>
#include <brine/type.h>
#include <jansson.h>

struct inspect_typed {
	const struct brine_type *type; /* NULL: to be shown in the generic form */
	const void *message;           /* the struct, in the arena */
	struct brine_error mismatch;   /* code 0: none; else why the schema does not fit */
};

/* Decodes params, result or item of the record by the schema of its method, strictly: bytes that the schema does not
 * name would be hidden otherwise. value: that part, encoded. The struct lives in the arena, whose budget is set here.
 * Never fails: what does not fit is left to the generic form. */
struct inspect_typed inspect_typed_decode(const struct inspect_record *record, struct brine_bytes value,
                                          struct brine_arena *arena);

/* Adds the fields as name=value, ... without braces around the whole. Absent fields are left out. */
void inspect_typed_text(struct inspect_line *line, const struct brine_type *type, const void *message);

/* The message in proto3's JSON mapping, with the schema's own field names; fields without presence are always there. A
 * new reference; NULL: out of memory. */
json_t *inspect_typed_json(const struct brine_type *type, const void *message);

#endif
