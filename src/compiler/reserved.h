/* compiler/reserved.h - the names that C code cannot use freely. Any thread. */
#ifndef BRINE_COMPILER_RESERVED_H
#define BRINE_COMPILER_RESERVED_H

#include <stdbool.h>

/* Tells whether the name is a keyword, a macro, or a name of libc. */
bool reserved_has(const char *name);

#endif
