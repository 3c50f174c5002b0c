/* frame/parts.h - the state of reading one message and of writing one, shared by the readers and writers of all types.
 * One thread at a time. */
#ifndef BRINE_FRAME_PARTS_H
#define BRINE_FRAME_PARTS_H

#include "codec/put.h"
#include "codec/token.h"

#include <brine/frame.h>

enum { FRAME_MARKS = 6 }; /* the elements that any type reads, and one more to see where the last of them ends */

/* A message that is read element by element. Its bytes have been checked. */
struct frame_parse {
	const uint8_t *start, *end;
	size_t marks[FRAME_MARKS]; /* offsets of the first elements */
	uint32_t count, left;      /* elements of the message, and elements that are not read yet */
	bool plain;
	const struct brine_limits *limits;
	struct brine_judgement *judgement;
	struct brine_error *error;
};

/* A message that is written into memory which has room for all of it, except for what an encoder writes. */
struct frame_write {
	struct brine_buf *out; /* at points into its room */
	uint8_t *at;
	bool plain;
	const struct brine_encoder *encoder; /* NULL if there is none */
	size_t room;                         /* enough for all that no encoder writes */
	int status;                          /* negative once the encoder has failed or its room could not be made */
};

/* Values of one byte that stand where none was given. */
enum { FRAME_NO_PARAMS = 0x90, FRAME_NO_RESULT = 0xc0 };

/* Takes the next element, one whole encoded value. There must be one. It borrows from the message. */
struct brine_bytes frame_element(struct frame_parse *parse);

/* Sets the judgement and the error. place points at the fault in the message. On the plain wire a verdict of GOAWAY
 * becomes SILENT. Returns code. */
int frame_judge(struct frame_parse *parse, int verdict, int wire_code, int code, const void *place, const char *format,
                ...) BRINE_PRINTF(6, 7);

/* Returns the first token of one checked value. */
struct brine_token frame_token(struct brine_bytes value);

/* Stores the content of a str or bin in *ret_text, borrowed. Returns false for any other value. */
bool frame_text(struct brine_bytes value, struct brine_bytes *ret_text);

/* Writes the bytes as they are. */
void frame_put_raw(struct frame_write *write, const void *data, size_t size);

/* Writes a str. */
void frame_put_str(struct frame_write *write, const void *data, size_t size);

/* Writes the value, or lets the encoder write one. Writes the byte `instead` where that gave no bytes. Returns false if
 * it failed. Nothing more may be written then. */
bool frame_put_value(struct frame_write *write, struct brine_bytes value, uint8_t instead);

#endif
