/* client/command.h - the program that a client speaks to, where it was made by brine_client_open_command(): started
 * when a connection is wanted, told to end when its connection is closed, collected, ended for good with the client.
 * The client's lock is held, or nobody else knows the client. All but start allow clients without a program. */
#ifndef BRINE_CLIENT_COMMAND_H
#define BRINE_CLIENT_COMMAND_H

#include "client/client.h"

/* Starts the program and takes it as the connection. Errors: BRINE_ERR_CONNECT, SYSTEM, NOMEM. */
int brine_command_start(struct brine_client *client, const struct brine_addr *addr, struct brine_error *error);

/* ": the program ended with status 3", of the last one that did; "" where none has. Lives as long as the lock is held.
 */
const char *brine_command_ending(const struct brine_client *client);

/* Waits, without the lock, until all have ended, as long as they may take; their connections are closed. */
void brine_command_end(struct brine_client *client);

/* In a forked process: from now on nothing is done to them. */
void brine_command_abandon(struct brine_client *client);

/* Releases the memory. */
void brine_command_free(struct brine_client *client);

#endif
