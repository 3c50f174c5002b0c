/* net/wakeup.h - an eventfd that wakes a thread which waits for descriptors. Any thread. */
#ifndef BRINE_NET_WAKEUP_H
#define BRINE_NET_WAKEUP_H

/* Makes an eventfd, which belongs to the caller and is closed with brine_socket_close(). Returns -1 if there is none;
 * errno says why. */
int brine_wakeup_new(void);

/* Makes it readable until it is cleared. Any signal handler may call this, too. Keeps errno. Never fails. */
void brine_wakeup_signal(int fd);

/* Makes it wait for the next signal. Keeps errno. Never blocks and never fails. */
void brine_wakeup_clear(int fd);

#endif
