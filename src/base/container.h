/* base/container.h - from a member to the struct that holds it. */
#ifndef BRINE_BASE_CONTAINER_H
#define BRINE_BASE_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#define brine_container_of(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))

#endif
