/* rpc/thread.h - threads of the library's own. */
#ifndef BRINE_RPC_THREAD_H
#define BRINE_RPC_THREAD_H

#include <pthread.h>

/* Starts a thread with every signal blocked: the program's handlers run on the program's threads. 0 or an errno. */
int brine_thread_start(pthread_t *ret_thread, void *(*run)(void *argument), void *argument);

#endif
