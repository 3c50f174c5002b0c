/* conn/timers.h - what time does to a connection, and when it does next. */
#ifndef BRINE_CONN_TIMERS_H
#define BRINE_CONN_TIMERS_H

#include <brine/conn.h>

/* What is kept of the next deadline is what finding it out again would give. For assertions and tests. */
bool conn_due_is_right(const struct brine_conn *conn);

#endif
