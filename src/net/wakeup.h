/* net/wakeup.h - what wakes a thread that waits for descriptors. Any thread. */
#ifndef BRINE_NET_WAKEUP_H
#define BRINE_NET_WAKEUP_H

/* Makes an eventfd, owned by the caller. It is readable from the signal until it is cleared. -1 where there is none
 * (errno). */
int brine_wakeup_new(void);

/* Makes it readable. Any thread, and signal handlers: errno is kept. Never fails. */
void brine_wakeup_signal(int fd);

/* Makes it wait for the next signal. Never blocks, never fails. */
void brine_wakeup_clear(int fd);

#endif
