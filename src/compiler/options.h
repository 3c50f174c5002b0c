/* compiler/options.h - reads the options of declarations. These are the options of proto/brine/options.proto and the
 * standard options that matter here. */
#ifndef BRINE_COMPILER_OPTIONS_H
#define BRINE_COMPILER_OPTIONS_H

#include "compiler/schema.h"

/* Each function reads the options message of a declaration and stores the options in the declaration. Faults are
 * reported into the schema. */
void options_file(struct schema *schema, struct schema_file *file, struct brine_bytes bytes);
void options_message(struct schema *schema, struct schema_message *message, struct brine_bytes bytes);
void options_field(struct schema *schema, struct schema_field *field, struct brine_bytes bytes);
void options_oneof(struct schema *schema, struct schema_oneof *oneof, struct brine_bytes bytes);
void options_enum(struct schema *schema, struct schema_enum *enumeration, struct brine_bytes bytes);
void options_enum_value(struct schema *schema, struct schema_enum_value *value, struct brine_bytes bytes);
void options_service(struct schema *schema, struct schema_service *service, struct brine_bytes bytes);
void options_method(struct schema *schema, struct schema_method *method, struct brine_bytes bytes);

#endif
