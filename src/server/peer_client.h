/* server/peer_client.h - the client of a server that calls one of its peers, over the peer's own connection.
 *
 * Made when a handler asks for it first. From then on the state machine of that connection is guarded by the client's
 * lock: the threads of the program queue calls in it, the loop thread moves the bytes and pulls the events. It outlives
 * its connection where the program keeps it; its calls then fail with BRINE_ERR_NOT_SENT. */
#ifndef BRINE_SERVER_PEER_CLIENT_H
#define BRINE_SERVER_PEER_CLIENT_H

#include "client/client.h"
#include "run/pool.h"
#include "server/connection.h"

/* The client for the peer of a request, held for the caller; NULL: out of memory, or the connection has gone. Any
 * thread. */
struct brine_client *brine_connection_peer_client(struct brine_request *request);

/* The rest is for the loop thread, without the lock of the client. */

/* Gives the connection what waits for it, and calls back. */
void brine_peer_client_turn(struct brine_connection *connection, uint64_t now_ms);

/* When the next turn is due, whatever else happens; BRINE_FOREVER: never. */
uint64_t brine_peer_client_due(struct brine_connection *connection);

/* Looks at the connections that were woken. */
void brine_peer_clients_process(struct brine_loop_thread *loop_thread);

/* The connection ends: so do all calls to the peer. forked: nobody is told. */
void brine_peer_client_end(struct brine_connection *connection, bool forked);

#endif
