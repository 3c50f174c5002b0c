/* compiler/reserved.h - the names that C code cannot use freely. */
#ifndef BRINE_COMPILER_RESERVED_H
#define BRINE_COMPILER_RESERVED_H

#include <stdbool.h>

/* True for a keyword, a macro and a name of libc. */
bool reserved_has(const char *name);

#endif
