/* brine/api.h - visibility, attributes and version, which every other header needs. */
#ifndef BRINE_API_H
#define BRINE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BRINE_VERSION_MAJOR 0
#define BRINE_VERSION_MINOR 1
#define BRINE_VERSION_PATCH 0
#define BRINE_VERSION       "0.1.0"

/* Every descriptor, generated or written by hand, starts with this number. The library refuses a descriptor with
 * another number (BRINE_ERR_ABI), so that a program and a newer library never misread each other. */
#define BRINE_ABI 1

#if defined(__GNUC__)
#define BRINE_API                               __attribute__((visibility("default")))
#define BRINE_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#else
#define BRINE_API
#define BRINE_PRINTF(format_index, first_index)
#endif

#ifdef __cplusplus
#define BRINE_BEGIN extern "C" {
#define BRINE_END   }
#else
#define BRINE_BEGIN
#define BRINE_END
#endif

BRINE_BEGIN
/* Returns the version of the library that runs, as "major.minor.patch". Static text, any thread. */
BRINE_API const char *brine_version(void);
BRINE_END

#endif
