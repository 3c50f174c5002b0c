/* net/descriptor.h - descriptors that the program was started with, or made, and that are ours from now on. Any thread.
 *
 * The numbers 0, 1 and 2 are never left closed: the next descriptor that the process opens would get them, and what the
 * program prints would go there. /dev/null takes their place; where it cannot be opened they are closed. */
#ifndef BRINE_NET_DESCRIPTOR_H
#define BRINE_NET_DESCRIPTOR_H

#include <stdbool.h>

/* Sets close-on-exec. 0 or BRINE_ERR_SYSTEM (errno). */
int brine_descriptor_close_on_exec(int fd);

/* Sets or clears O_NONBLOCK, which everybody sees who has the same open file description: the other descriptors that
 * dup() or fork() made of it. 1: it was otherwise before; 0: nothing changed; BRINE_ERR_SYSTEM (errno). */
int brine_descriptor_set_nonblocking(int fd, bool on);

/* The number under which a descriptor is kept: fd itself, close-on-exec from now on, or instead of 0, 1 and 2 a copy of
 * it. The caller closes the copy, too. BRINE_ERR_SYSTEM (errno): nothing has changed. */
int brine_descriptor_keep(int fd);

/* Closes it; errno is kept. fd < 0 is allowed. Never fails. */
void brine_descriptor_close(int fd);

#endif
