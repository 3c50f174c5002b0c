/* conn/events.h - what the program is told and no message brings: the end of a call, news of a stream, the end of
 * everything. */
#ifndef BRINE_CONN_EVENTS_H
#define BRINE_CONN_EVENTS_H

#include "conn/conn.h"

bool conn_has_local_event(const struct brine_conn *conn);

/* Takes the next one; false: there is none. */
bool conn_take_local_event(struct brine_conn *conn, struct brine_event *event);

#endif
