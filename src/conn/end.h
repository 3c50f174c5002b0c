/* conn/end.h - how calls end before their answer, and how the connection ends. */
#ifndef BRINE_CONN_END_H
#define BRINE_CONN_END_H

#include "conn/conn.h"

enum { CONN_NO_GOAWAY = -1 };

/* Ends a call of ours without an answer of the peer; its event will say status. BRINE_ERR_LOST becomes NOT_SENT where
 * that is true. */
void conn_end_outgoing(struct brine_conn *conn, struct call *call, int status);

/* The same, and the peer is told by a cancel where it knows of the call. */
void conn_give_up(struct brine_conn *conn, struct call *call, int status);

/* Answers a call of theirs with an error before its handler did; its CANCEL event will say status. text NULL: that of
 * the code. */
void conn_end_incoming(struct brine_conn *conn, struct call *call, int64_t code, const char *text, int status);

/* The program knows that the call has ended: only what its id or its handler owes is still remembered. */
void conn_forget_ended(struct brine_conn *conn, struct call *call);

/* Queues a frame that has to go out: when it cannot be queued, the connection ends. */
void conn_queue_must(struct brine_conn *conn, const struct brine_frame *frame);

/* The same for a pong or an answer that no handler made. A peer that leaves too many of them unread is cut off. */
void conn_control_must(struct brine_conn *conn, const struct brine_frame *frame);

/* The peer or the machine failed: goaway with the code (CONN_NO_GOAWAY: without a word), all calls end, the connection
 * closes. offset: in the stream. */
void conn_fault(struct brine_conn *conn, int goaway_code, int code, uint64_t offset, const char *format, ...)
        BRINE_PRINTF(5, 6);
void conn_fault_nomem(struct brine_conn *conn);

/* The transport is beyond hope: nothing is written any more. */
void conn_cut(struct brine_conn *conn, int code, const char *text);

/* Takes the steps that became possible: end of the peer's side, of a drain, of closing. */
void conn_advance(struct brine_conn *conn);

#endif
