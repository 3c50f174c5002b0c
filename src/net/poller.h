/* net/poller.h - waiting for descriptors, and what wakes a thread that waits so. */
#ifndef BRINE_NET_POLLER_H
#define BRINE_NET_POLLER_H

#include "net/epoll_set.h"
#include "net/wakeup.h"

#endif
