/* rpc/client.h - inside a client. */
#ifndef BRINE_RPC_CLIENT_H
#define BRINE_RPC_CLIENT_H

#include <brine/client.h>

#include "net/addr.h"
#include "rpc/link.h"
#include "rpc/owner.h"

#include <stdatomic.h>

struct brine_client {
	struct brine_client_options options; /* name points to our copy */
	struct brine_owner owner;
	struct brine_addr addr;
	char peer_text[BRINE_ADDR_TEXT_SIZE]; /* the address, for error texts */
	bool connects;                        /* false: made of a descriptor, which cannot be had again */
	bool greeted;                         /* the peer's welcome came on this connection */
	uint64_t seed;                        /* for tables keyed by what a peer chooses */
	atomic_bool busy;                     /* a thread is inside */
	struct brine_link link;               /* empty while there is no connection */
	void *input;                          /* BRINE_LINK_INPUT_SIZE bytes for reading */
	struct brine_buf scratch;             /* encoded params */
};

/* Enters the client: the thread has it to itself until brine_client_leave(). Errors: BRINE_ERR_FORKED, BUSY. */
int brine_client_enter(struct brine_client *client, struct brine_error *error);
void brine_client_leave(struct brine_client *client);

/* Makes sure that there is a connection on which calls may begin. Errors: as brine_client_connect(). */
int brine_client_ready(struct brine_client *client, uint64_t deadline_ms, struct brine_error *error);

/* Writes what is pending as far as it goes. Before the first turn after something was queued. */
void brine_client_push(struct brine_client *client);

/* One step: waits until bytes can move, but not beyond deadline_ms, moves them and handles what came of it. Does
 * nothing where there is no connection. */
void brine_client_turn(struct brine_client *client, uint64_t deadline_ms);

/* now + timeout without wrapping; BRINE_FOREVER stays. */
uint64_t brine_deadline_after(uint64_t timeout_ms);

/* call.c: a call of ours ended. */
void brine_call_complete(struct brine_call *call, struct brine_client *client, const struct brine_event *event);

#endif
