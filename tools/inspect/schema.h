/* inspect/schema.h - descriptor tables made at run time: what generated code has, without a C compiler. Schemas are
 * read, resolved and checked by the schema compiler's own passes, so that they mean here what they mean there. */
#ifndef INSPECT_SCHEMA_H
#define INSPECT_SCHEMA_H

#include <brine/arena.h>
#include <brine/error.h>
#include <brine/type.h>

struct inspect_schema; /* opaque */

/* A method as its schema declares it. Lives as long as the schema. */
struct inspect_method {
	const struct brine_method *method;
	const char *service; /* full name, "exchange.Exchange" */
	const char *name;    /* "Place" */
};

/* Makes an empty schema, owned by the caller until inspect_schema_free(). NULL: out of memory. */
struct inspect_schema *inspect_schema_new(const struct brine_allocator *allocator);
void inspect_schema_free(struct inspect_schema *schema);

/* Adds the methods of a FileDescriptorSet (protoc --include_imports --descriptor_set_out); of two with one wire name
 * the first stays. The bytes may be hostile and need not outlive the call; name is for error texts. Errors, nothing
 * then added: BRINE_ERR_SCHEMA (the text has file, line and column where they are known, else the offset), NOMEM. */
int inspect_schema_add(struct inspect_schema *schema, struct brine_bytes descriptor_set, const char *name,
                       struct brine_error *error);

/* The method of that wire name; NULL where there is none, or schema is NULL. Lives as long as the schema. */
const struct brine_method *inspect_schema_method(const struct inspect_schema *schema, struct brine_bytes name);

/* All methods and all types (messages that schemas may use, but for the entries of maps), one by one: those of one
 * descriptor set ordered by wire name and as they are declared. NULL behind the last. Each call walks the sets. */
const struct inspect_method *inspect_schema_method_at(const struct inspect_schema *schema, size_t index);
const struct brine_type *inspect_schema_type_at(const struct inspect_schema *schema, size_t index);

#endif
