/* conn/streams.h - items, ends of uploads and credit (WIRE.md section 4). */
#ifndef BRINE_CONN_STREAMS_H
#define BRINE_CONN_STREAMS_H

#include "conn/conn.h"

/* The first credit of both streams of a call. */
void conn_streams_ours(struct brine_conn *conn, struct call *call, bool wants_items, bool has_upload);
void conn_streams_theirs(struct brine_conn *conn, struct call *call, const struct brine_frame *request);

/* Gives the upload of the last request its first credit where no welcome told it, unless it was answered at once. */
void conn_streams_first_credit(struct brine_conn *conn);

/* The welcome's credit counts for uploads opened before it came. */
void conn_streams_welcome(struct brine_conn *conn);

/* An event of a stream that no message brings. */
bool conn_streams_have_event(const struct brine_conn *conn);
bool conn_streams_take_event(struct brine_conn *conn, struct brine_event *event);

/* Ends calls whose peer gave no credit for too long; when that is due next, BRINE_FOREVER: never. */
void conn_streams_tick(struct brine_conn *conn);
uint64_t conn_streams_deadline(const struct brine_conn *conn);

enum conn_step conn_on_item(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);
enum conn_step conn_on_upload(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);
enum conn_step conn_on_upload_credit(struct brine_conn *conn, const struct brine_frame *frame,
                                     struct brine_event *event);
enum conn_step conn_on_item_credit(struct brine_conn *conn, const struct brine_frame *frame, struct brine_event *event);

#endif
