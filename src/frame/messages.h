/* frame/messages.h - what frame.c, messages.c and maps.c share: a message being taken apart, one being written. */
#ifndef BRINE_FRAME_MESSAGES_H
#define BRINE_FRAME_MESSAGES_H

#include "codec/put.h"
#include "codec/token.h"

#include <brine/frame.h>

enum {
	FRAME_TYPES = 32,           /* below: known or reserved; from here on: advisory */
	FRAME_ID_LAST = UINT32_MAX, /* greatest id on the framed wire, as unsigned */
	FRAME_MAP_PAIRS_MAX = 256,  /* most pairs of a map whose keys are looked at, whatever the limits say */
	FRAME_SCALARS_SIZE = 256,   /* room for all heads, numbers and keys of any message */
};

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

/* How the messages of one type look: parse and write stand side by side in messages.c. */
struct frame_kind {
	const char *name;
	uint8_t least; /* elements, the type included; NULL parse: the type is reserved */
	int (*parse)(struct frame_parse *parse, struct brine_frame *frame);
	void (*write)(struct frame_write *write, const struct brine_frame *frame);
};
extern const struct frame_kind brine_frame_kinds[FRAME_TYPES];

/* Takes the next element, one whole encoded value; there must be one. */
struct brine_bytes frame_element(struct frame_parse *parse);

/* Sets the judgement and the error. place: where in the message. Returns code. */
int frame_judge(struct frame_parse *parse, int verdict, int wire_code, int code, const void *place, const char *format,
                ...) BRINE_PRINTF(6, 7);

/* The first token of one checked value. */
struct brine_token frame_token(struct brine_bytes value);

/* The content of a str or bin; false where the value is something else. */
bool frame_text(struct brine_bytes value, struct brine_bytes *ret_text);

/* The maps. Faults in options get a verdict of ERROR (1, or 7 where it is a size), in a hello GOAWAY 1. */
int frame_parse_options(struct frame_parse *parse, struct brine_bytes value, bool is_request,
                        struct brine_frame_options *ret_options);
int frame_parse_hello(struct frame_parse *parse, struct brine_bytes value, struct brine_frame_hello *ret_hello);
void frame_write_options(struct frame_write *write, const struct brine_frame_options *options);
void frame_write_hello(struct frame_write *write, const struct brine_frame_hello *hello);
bool frame_has_options(const struct brine_frame_options *options);

void frame_put_raw(struct frame_write *write, const void *data, size_t size);
void frame_put_str(struct frame_write *write, const void *data, size_t size);

#endif
