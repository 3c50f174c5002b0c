/* base/poison.h - marks memory that is kept for its next use.
 * Under AddressSanitizer a poisoned region must not be touched, as if it had been released. Other builds do nothing. A
 * region begins at a multiple of 8 bytes. Pointers to other memory must stay out of it, because a search for leaks does
 * not look into poisoned memory. */
#ifndef BRINE_BASE_POISON_H
#define BRINE_BASE_POISON_H

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)   ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

#endif
