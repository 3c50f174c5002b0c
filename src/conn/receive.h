/* conn/receive.h - finds the next whole message, judges it, and hands it to the handler of its type. */
#ifndef BRINE_CONN_RECEIVE_H
#define BRINE_CONN_RECEIVE_H

#include "conn/conn.h"

/* Handles the next whole message, if there is one and it may be. */
enum conn_step conn_receive(struct brine_conn *conn, struct brine_event *event);

#endif
