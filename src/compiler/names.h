/* compiler/names.h - rules about names. The comment on names_assign() in names.c says how names in C are made. */
#ifndef BRINE_COMPILER_NAMES_H
#define BRINE_COMPILER_NAMES_H

#include "compiler/schema.h"

/* Tells whether the text is an identifier of 1 to SCHEMA_NAME_SIZE_MAX letters, digits and underscores that does not
 * begin with a digit. It may begin with an underscore if `underscore` is true. */
bool names_is_identifier(const char *text, size_t size, bool underscore);

#endif
