/* conn/output.h - frames that wait to be sent: queueing them, keeping track of some, taking unsent ones back. Nothing
 * here ends a call or the connection. */
#ifndef BRINE_CONN_OUTPUT_H
#define BRINE_CONN_OUTPUT_H

#include "conn/conn.h"

/* Queues a frame. BRINE_ERR_TOO_BIG, BRINE_ERR_NOMEM: nothing was queued. 0 and nothing queued once the transport is
 * gone. */
int conn_queue(struct brine_conn *conn, const struct brine_frame *frame);

/* The same for a pong, or an answer that no handler made: the connection keeps count of them until they are sent. A
 * pong beyond the most that may wait is dropped.
 * BRINE_ERR_OVERLOADED: the peer leaves too many of them unread. BRINE_ERR_TOO_BIG, BRINE_ERR_NOMEM as above. */
int conn_queue_control(struct brine_conn *conn, const struct brine_frame *frame);

/* Queues credit for the stream towards us of a call. BRINE_ERR_NOMEM: nothing was queued. */
int conn_queue_credit(struct brine_conn *conn, struct call *call, uint32_t count);

/* The answer that says an error, to the id as it came. */
struct brine_frame conn_error_frame(const struct brine_conn *conn, struct brine_bytes id_bytes, int64_t code,
                                    struct brine_str text);

/* Takes an unsent request of ours back, with what was queued of its upload. False: some of it was sent. */
bool conn_take_back(struct brine_conn *conn, struct call *call);

/* Drops size bytes that were sent, or all. */
void conn_output_sent(struct brine_conn *conn, size_t size);
void conn_output_drop(struct brine_conn *conn);

/* Begins a new interval in which the peer has to take some output. */
void conn_watch_pace(struct brine_conn *conn);

#endif
