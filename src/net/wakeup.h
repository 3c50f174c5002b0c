/* net/wakeup.h - what wakes a thread that waits for descriptors. Any thread. */
#ifndef BRINE_NET_WAKEUP_H
#define BRINE_NET_WAKEUP_H

/* Makes an eventfd, owned by the caller. It is readable from the ring until it is silenced. -1 where there is none
 * (errno). */
int brine_bell_new(void);

/* Makes it readable. Any thread, and signal handlers: errno is kept. Never fails. */
void brine_bell_ring(int fd);

/* Makes it wait for the next ring. Never blocks, never fails. */
void brine_bell_silence(int fd);

#endif
