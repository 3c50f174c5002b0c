/* inspect/protoc.h - schema files, whatever their form, into a schema. Runs protoc, without a shell. */
#ifndef INSPECT_PROTOC_H
#define INSPECT_PROTOC_H

#include "inspect/schema.h"

enum { INSPECT_SCHEMA_SIZE_MOST = 64 << 20 }; /* bytes of a descriptor set */

/* Adds a file to schema: one whose name ends in .proto goes through protoc, which prints its own errors to standard
 * error; any other is a FileDescriptorSet. Imports are searched in import_dirs in order, then in the directory of the
 * file. Errors, whose text says what to do: BRINE_ERR_SYSTEM (files, protoc missing), SCHEMA, LIMIT, NOMEM. */
int inspect_schema_load(struct inspect_schema *schema, const char *path, const char *const *import_dirs,
                        size_t import_dir_count, struct brine_error *error);

#endif
