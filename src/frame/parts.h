/* frame/parts.h - a message being taken apart, one being written: what the readers and writers of messages share. */
#ifndef BRINE_FRAME_PARTS_H
#define BRINE_FRAME_PARTS_H

#include "codec/put.h"
#include "codec/token.h"

#include <brine/frame.h>

/* A message being taken apart, element by element. The bytes passed brine_check(). */
struct frame_parse {
	const uint8_t *start, *at, *end;
	uint32_t count, left; /* elements of the message, and those not taken yet */
	bool plain;
	const struct brine_limits *limits;
	struct brine_judgement *judgement;
	struct brine_error *error;
};

/* A message being written into memory that has room for all of it. */
struct frame_write {
	uint8_t *at;
	bool plain;
};

/* Takes the next element, one whole encoded value; there must be one. */
struct brine_bytes frame_element(struct frame_parse *parse);

/* Sets the judgement and the error. place: where in the message. Returns code. */
int frame_judge(struct frame_parse *parse, int verdict, int wire_code, int code, const void *place, const char *format,
                ...) BRINE_PRINTF(6, 7);

/* The first token of one checked value. */
struct brine_token frame_token(struct brine_bytes value);

/* The content of a str or bin; false where the value is something else. */
bool frame_text(struct brine_bytes value, struct brine_bytes *ret_text);

/* Write what is given, a string with its head. */
void frame_put_raw(struct frame_write *write, const void *data, size_t size);
void frame_put_str(struct frame_write *write, const void *data, size_t size);

#endif
