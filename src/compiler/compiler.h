/* compiler/compiler.h - turns the schemas of a protoc request into C.
 * The passes, each a file or two: files (an order of their own), parse (protobuf bytes -> schema.h), resolve (type
 * names -> pointers), check (the rules of WIRE.md section 7), names (C names and their clashes), emit_header and
 * emit_source. Nothing is emitted once any pass has found a fault, and a pass goes on after a fault, so that one run
 * reports several. */
#ifndef BRINE_COMPILER_COMPILER_H
#define BRINE_COMPILER_COMPILER_H

#include <brine/buf.h>
#include <brine/error.h>

/* Where faults of a whole request stand. */
#define COMPILER_NAME "protoc-gen-brine"

/* Appends the CodeGeneratorResponse to one CodeGeneratorRequest to out. Faults in the schemas are answers as well:
 * lines of FILE:LINE:COLUMN: text in the response, 0 returned. The bytes may be hostile. Errors: BRINE_ERR_MALFORMED
 * (no such request), BRINE_ERR_NOMEM (also where a request would need more than a fixed multiple of its own size); out
 * is then as before. allocator NULL: the default. Any thread. */
int compiler_run(struct brine_buf *out, struct brine_bytes request, const struct brine_allocator *allocator,
                 struct brine_error *error);

/* Compares two versions of schemas, each a set as `protoc --include_imports --include_source_info -o` writes it.
 * Appends a line to out for each change after which programs of both versions misunderstand each other:
 * FILE:LINE:COLUMN: text, with the place in the older version. Returns how many. Errors: BRINE_ERR_SCHEMA (out has the
 * faults of a version), MALFORMED, NOMEM. */
int compiler_compare(struct brine_buf *out, struct brine_bytes older, struct brine_bytes newer,
                     const struct brine_allocator *allocator, struct brine_error *error);

#endif
