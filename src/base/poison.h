/* base/poison.h - memory that is kept for its next use. Under AddressSanitizer nobody may touch it meanwhile, as if it
 * had been released; elsewhere nothing happens. Starts of regions are aligned to 8 bytes. What points to other memory
 * is left out: a search for leaks does not look into poisoned memory. */
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
