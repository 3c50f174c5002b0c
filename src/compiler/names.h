/* compiler/names.h - rules about names. How C names are made is written above names_assign(). */
#ifndef BRINE_COMPILER_NAMES_H
#define BRINE_COMPILER_NAMES_H

#include "compiler/schema.h"

/* Letters, digits and _, no digit first, 1 to SCHEMA_NAME_SIZE_MAX; underscore: may begin with one. */
bool names_is_identifier(const char *text, size_t size, bool underscore);

#endif
